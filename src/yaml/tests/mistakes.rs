//! Every mistake is told in plain words, where it is, with a remedy where there is one.

use insta::assert_snapshot;

use super::*;

/// A text with a mistake; its place and what stands there; the message; the hint, if any.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

const NO_YAML: &[Mistake] = &[
    (
        "a: 1\na: 2\n",
        "2:1 a",
        "key `a` is given twice",
        "keep one of the two: a second one would silently win over the first",
    ),
    (
        "a: 1\n---\nb: 2\n",
        "2:1 ---",
        "a second document begins here",
        "one file holds one document: put the rest into a file of its own",
    ),
    ("a: 1\n\tb: 2\n", "2:1 ", "a tab stands where spaces are needed", "YAML is indented with spaces only"),
    (
        "a: {{ x }}/b\n",
        "1:4 {{",
        "a value that begins with `{{` must be in quotes",
        "write `\"{{ … }}\"`: without quotes YAML takes the braces for a mapping",
    ),
    (
        "a:\n  - {{ x }}\n",
        "2:5 {{",
        "a value that begins with `{{` must be in quotes",
        "write `\"{{ … }}\"`: without quotes YAML takes the braces for a mapping",
    ),
    (
        "a: b: c\n",
        "1:5 ",
        "`:` cannot stand here",
        "check the indentation, or put the text in quotes if the colon belongs to it",
    ),
    ("a: 1\nb 2\nc: 3\n", "2:1 b 2", "a `:` is missing here", "write `b: …`"),
    ("a: 1\nsteps\n- b\n", "2:1 steps", "a `:` is missing here", "write `steps: …`"),
    (
        "a: \"b\" c\n",
        "1:8 c",
        "this stands behind the quote that ends the text",
        "put the whole text in quotes, of the other kind: `'\"a b\" c'`",
    ),
    (
        "a: {b: 1}}\n",
        "1:10 ",
        "nothing is open that this closes",
        "take it out, or put the text that it belongs to in quotes",
    ),
    (
        "a: | b\n",
        "1:4 ",
        "behind `|` or `>` no text may stand on the same line",
        "begin the text on the next line, indented",
    ),
    ("a: 'b'#c\n", "1:7 ", "a comment needs a space before its `#`", "or put the text in quotes"),
    (
        "a:\n - b\n c: 1\n",
        "3:2 ",
        "expected `- ` here, as in the list above",
        "begin the line as the list does, or indent it like the key that it belongs beside",
    ),
    ("a: 'x\nb: 1\n", "1:4 ", "this quote is never closed", "close it, or put the whole text in the other quotes"),
    ("a: @x\n", "1:4 ", "text cannot begin with `@`", "put the text in quotes"),
    (
        "a: *.yml\n",
        "1:4 ",
        "this alias names no anchor before it",
        "a text that begins with `*` needs quotes; an anchor is set by `&name`",
    ),
    ("a: &x [*x]\n", "1:8 *x", "`*x` stands inside the very value that it names", ""),
    (
        "a: !vault |\n  xx\n",
        "1:4 !vault",
        "unknown tag `!vault`",
        "Ansible's vault is not read here: keep secrets in a file of their own, made by `sops -d`, `age -d` or the like",
    ),
    (
        "a: \"\\d\"\n",
        "1:5 \\d",
        "unknown escape in this text",
        "in double quotes a backslash is written `\\\\`; in single quotes it stands for itself",
    ),
    (
        "a: 1\n b: 2\n",
        "2:3 ",
        "`:` cannot stand here",
        "check the indentation, or put the text in quotes if the colon belongs to it",
    ),
    (
        "- a\nb: 1\n",
        "2:1 ",
        "expected `- ` here, as in the list above",
        "begin the line as the list does, or indent it like the key that it belongs beside",
    ),
    ("[1]: 2\n", "1:1 [", "a key must be text, not a list", ""),
    ("a: [1, 2\nb: 3\n", "2:2 ", "`:` cannot stand here", "is a `]` or `}` missing before it?"),
    ("a: !!int x\n", "1:4 !!int", "`x` is no `!!int`", ""),
    ("<<: 3\n", "1:5 3", "`<<` takes a mapping or a list of them, not `3`", ""),
];

const NO_STEP: &[Mistake] = &[
    (
        "name: x\ncontainer:\n  imagee: y\n",
        "3:3 imagee",
        "unknown key `imagee` in `container`",
        "did you mean `image`?",
    ),
    ("name: x\ncontainer:\n  ports: []\n", "2:1 container", "missing key `image` in `container`", ""),
    ("container: {image: x}\n", "1:1 container: {image: x}", "missing key `name`", ""),
    ("name: x\ncontainer: {image: y, port: abc}\n", "2:29 abc", "expected a whole number, found text `abc`", ""),
    (
        "name: x\ncontainer: {image: y, port: 70000}\n",
        "2:29 70000",
        "expected a whole number from 0 to 65535, found `70000`",
        "",
    ),
    (
        "name: x\ncontainer: {image: y, restart: unless_stoped}\n",
        "2:32 unless_stoped",
        "unknown value `unless_stoped`",
        "did you mean `unless_stopped`?",
    ),
    (
        "name: x\ncontainer: {image: y, restart: {on_failure: many}}\n",
        "2:45 many",
        "expected a whole number, found text `many`",
        "",
    ),
    (
        "name: x\ncontainer: {image: y, restart: on_failure}\n",
        "2:32 on_failure",
        "`on_failure` needs something with it",
        "write `on_failure: …`",
    ),
    (
        "name: x\ncontainer: {image: y, tty: yes}\n",
        "2:28 yes",
        "expected true or false, found text `yes`",
        "write `true`",
    ),
    (
        "name: x\ncontainer: {image: y, ports: 80:80}\n",
        "2:30 80:80",
        "expected a list, found text `80:80`",
        "write `[80:80]`",
    ),
    ("name: [x]\n", "1:7 [x]", "expected text, found a list", ""),
    ("name:\n", "1:5 ", "expected text, found nothing", ""),
    ("name: x\ncontainer: y\n", "2:12 y", "expected a mapping, found text `y`", ""),
    (
        "name: x\nothers:\n  - image: a\n  - imag: b\n",
        "4:5 imag",
        "unknown key `imag` in `others`",
        "did you mean `image`?",
    ),
    ("name: x\ncontainer: {image: y, limits: {cpus: two}}\n", "2:38 two", "expected a number, found text `two`", ""),
    ("- x\n", "1:1 - x", "expected a mapping, found a list", ""),
    ("quite_another: x\n", "1:1 quite_another", "unknown key `quite_another`", "there are: name, container, others"),
];

fn each_is_told(mistakes: &[Mistake], read: impl Fn(&str) -> Result<(), Error>) {
    for (text, place, message, hint) in mistakes {
        let error = read(text).expect_err(text);
        let at = error.at.as_ref().expect(text);
        let found = format!("{at} {}", at.text().lines().next().unwrap_or_default());
        let told = (found.as_str(), error.message.as_str(), error.hint.as_deref().unwrap_or_default());
        assert_eq!(told, (format!("play.yml:{place}").as_str(), *message, *hint), "{text}");
    }
}

fn no_yaml(text: &str) -> Result<(), Error> {
    parse("play.yml", text.to_owned()).map(drop)
}

#[test]
fn what_is_no_yaml_is_told_in_plain_words() {
    each_is_told(NO_YAML, no_yaml);
}

#[test]
fn mistakes_in_structs_are_told_where_they_are() {
    each_is_told(NO_STEP, |text| from_node::<Step>(&node(text)).map(drop));
}

#[test]
fn a_mistake_is_shown_with_its_line_a_caret_and_what_belongs_to_it() {
    let shown = ["a: 1\na: 2\n", "a: 1\n\tb: 2\n", "a: 'x\nb: 1\n", "a:\n- b c\n\n  d: e\n"]
        .map(|text| no_yaml(text).expect_err(text).to_string());
    assert_snapshot!(shown.join("\n\n----\n\n"), @r"
    error: key `a` is given twice
     --> play.yml:2:1
      |
    1 | a: 1
      | - first given here
    2 | a: 2
      | ^

    hint: keep one of the two: a second one would silently win over the first

    ----

    error: a tab stands where spaces are needed
     --> play.yml:2:1
      |
    2 |     b: 2
      | ^

    hint: YAML is indented with spaces only

    ----

    error: this quote is never closed
     --> play.yml:1:4
      |
    1 | a: 'x
      |    ^

    hint: close it, or put the whole text in the other quotes

    ----

    error: `:` cannot stand here
     --> play.yml:4:4
      |
    2 | - b c
      |   --- is a `:` missing here?
    3 |
    4 |   d: e
      |    ^

    hint: check the indentation, or put the text in quotes if the colon belongs to it
    ");
}

fn checked(text: &str) -> String {
    match check_with_holes::<Step>(&node(text), None) {
        Ok(_) => "right".to_owned(),
        Err(errors) => Errors(errors).to_string(),
    }
}

#[test]
fn every_mistake_is_found_and_templates_are_let_through() {
    let holes = "name: '{{ n }}'\ncontainer: {image: '{{ p }}/x', port: '{{ port }}', tty: '{{ t }}', ports: '{{ ports }}', restart: '{{ r }}', limits: {cpus: '{{ c }}'}}\nothers: ['{{ other }}']";
    assert_eq!(checked(holes), "right");
    let text = "name: x\ncontainer:\n  image: '{{ prefix }}/x'\n  prot: 1\n  port: abc\n  tty: maybe\n  ports: {}\nothers:\n  - image: [1]\n    port: -1\n  - port: 3\nthing: 1\n";
    assert_snapshot!(checked(text), @r"
    error: unknown key `prot` in `container`
     --> play.yml:4:3
      |
    4 |   prot: 1
      |   ^^^^

    hint: did you mean `port`?

    error: expected a whole number, found text `abc`
     --> play.yml:5:9
      |
    5 |   port: abc
      |         ^^^

    error: expected true or false, found text `maybe`
     --> play.yml:6:8
      |
    6 |   tty: maybe
      |        ^^^^^

    error: expected a list, found a mapping
     --> play.yml:7:10
      |
    7 |   ports: {}
      |          ^^

    error: expected text, found a list
     --> play.yml:9:12
      |
    9 |   - image: [1]
      |            ^^^

    error: expected a whole number from 0 to 65535, found `-1`
      --> play.yml:10:11
       |
    10 |     port: -1
       |           ^^

    error: missing key `image` in `others`
      --> play.yml:11:5
       |
    11 |   - port: 3
       |     ^^^^^^^

    error: unknown key `thing`
      --> play.yml:12:1
       |
    12 | thing: 1
       | ^^^^^

    hint: there are: name, container, others
    ");
}

#[test]
fn what_a_stand_in_breaks_is_nobodys_mistake() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(deserialize_with = "even")]
        #[allow(dead_code)]
        number: u8,
        #[allow(dead_code)]
        other: u8,
    }
    fn even<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
        let number = u8::deserialize(from)?;
        if number % 2 == 0 { Ok(number) } else { Err(serde::de::Error::custom("must be even")) }
    }
    assert!(matches!(check_with_holes::<Strict>(&node("{number: '{{ n }}', other: 1}"), None), Ok(None)));
    let errors = check_with_holes::<Strict>(&node("{number: 3, other: '{{ n }}', more: 1}"), Some("strict"));
    assert_snapshot!(Errors(errors.expect_err("two mistakes")), @r"
    error: must be even
     --> play.yml:1:10
      |
    1 | {number: 3, other: '{{ n }}', more: 1}
      |          ^

    error: unknown key `more` in `strict`
     --> play.yml:1:31
      |
    1 | {number: 3, other: '{{ n }}', more: 1}
      |                               ^^^^

    hint: there are: number, other
    ");
}

/// A brace and something of several bytes behind it are no template.
#[test]
fn a_place_ends_where_a_character_does() {
    for text in ["a: {\u{feff} b: 1 }\n", "a: {\u{feff}", "a: { é: {\u{2028}"] {
        let error = parse("play.yml", text.to_owned()).expect_err("it is no YAML");
        let at = error.at.expect("a place");
        assert!(text.is_char_boundary(at.start) && text.is_char_boundary(at.end), "{text:?}: {at:?}");
        assert!(!error.message.contains("{{"), "{}", error.message);
    }
}
