//! What is read, and the texts that people see.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Container {
    image: String,
    #[serde(default)]
    ports: Vec<String>,
    port: Option<u16>,
    #[serde(default)]
    restart: Restart,
    #[serde(default)]
    limits: BTreeMap<String, f64>,
    #[serde(default)]
    tty: bool,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Restart {
    #[default]
    Never,
    UnlessStopped,
    OnFailure(u8),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    container: Option<Container>,
    #[serde(default)]
    others: Vec<Container>,
}

fn node(text: &str) -> Node {
    parse("play.yml", text.to_owned()).unwrap_or_else(|error| panic!("{error}"))
}

fn parse_error(text: &str) -> String {
    parse("play.yml", text.to_owned()).expect_err("must be refused").to_string()
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    from_node(&node(text)).unwrap_or_else(|error| panic!("{error}"))
}

fn step_error(text: &str) -> String {
    from_node::<Step>(&node(text)).expect_err("must be refused").to_string()
}

fn checked(text: &str) -> String {
    match check_with_holes::<Step>(&node(text), None) {
        Ok(_) => "right".to_owned(),
        Err(errors) => Errors(errors).to_string(),
    }
}

#[test]
fn scalars_keep_the_text_they_were_written_as() {
    let text = "[1.10, 0755, 1_000, 0x1f, +5, 8080, -3, 1e3, true, yes, ~, '1', 1.5, .5, 1., e5, 12:30]";
    let kinds: Vec<_> = node(text).items().iter().map(|item| item.told()).collect();
    assert_snapshot!(kinds.join("\n"), @r"
    `1.10`
    text `0755`
    text `1_000`
    text `0x1f`
    text `+5`
    `8080`
    `-3`
    `1e3`
    `true`
    text `yes`
    nothing
    text `1`
    `1.5`
    `.5`
    `1.`
    text `e5`
    text `12:30`
    ");
}

#[test]
fn a_text_is_taken_from_a_number_as_it_was_written() {
    let container: Container = read("{image: 1.10, ports: [8080, 1.50, True, 0755]}");
    assert_eq!(container.image, "1.10");
    assert_eq!(container.ports, ["8080", "1.50", "True", "0755"]);
}

#[test]
fn json_gets_numbers_only_where_they_look_the_same() {
    let json = serde_json::Value::from(&node("{a: 1.10, b: 1.5, c: 3, d: [~, no], e: {f: true}}"));
    assert_eq!(json.to_string(), r#"{"a":"1.10","b":1.5,"c":3,"d":[null,"no"],"e":{"f":true}}"#);
    assert_eq!(serde_json::to_value(node("[1.10, 2]")).expect("plain data").to_string(), r#"["1.10",2]"#);
}

#[test]
fn places_are_exact_and_columns_count_characters() {
    let node = node("größe: {ä: \"ü\", b: x}\nlist:\n  - a: 1\n    b: 2\n  - c\nnext:\n");
    let places = |node: &Node| (node.at.to_string(), node.at.text().to_owned());
    let x = node.get("größe").and_then(|map| map.get("b")).expect("is there");
    assert_eq!(places(x), ("play.yml:1:20".into(), "x".into()));
    let list = node.get("list").expect("is there");
    assert_eq!(places(list), ("play.yml:3:3".into(), "- a: 1\n    b: 2\n  - c".into()));
    assert_eq!(places(&list.items()[0]), ("play.yml:3:5".into(), "a: 1\n    b: 2".into()));
    assert_eq!(places(node.get("next").expect("is there")), ("play.yml:6:5".into(), String::new()));
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let text = "base: &base {user: ubuntu, port: 22}\nmore: &more {port: 1, become: true}\nhost:\n  <<: [*base, *more]\n  port: 2222\ncopy: *base\n";
    let json = serde_json::Value::from(&node(text));
    assert_eq!(json["host"].to_string(), r#"{"port":2222,"user":"ubuntu","become":true}"#);
    assert_eq!(json["copy"].to_string(), r#"{"user":"ubuntu","port":22}"#);
}

#[test]
fn what_is_no_yaml_is_told_in_plain_words() {
    let mistakes = [
        "a: 1\na: 2\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n\tb: 2\n",
        "a: {{ x }}/b\n",
        "a:\n  - {{ x }}\n",
        "a: b: c\n",
        "a:\n - b\n c: 1\n",
        "a: 'x\nb: 1\n",
        "a: @x\n",
        "a: *.yml\n",
        "a: &x [*x]\n",
        "a: !vault |\n  xx\n",
        "a: \"\\d\"\n",
        "a: 1\n b: 2\n",
        "- a\nb: 1\n",
        "[1]: 2\n",
        "a: [1, 2\nb: 3\n",
        "a: !!int x\n",
        "<<: 3\n",
    ];
    assert_snapshot!(mistakes.map(parse_error).join("\n\n----\n\n"), @r#"
    error: key `a` is given twice
     --> play.yml:2:1
      |
    1 | a: 1
      | - first given here
    2 | a: 2
      | ^

    hint: keep one of the two: a second one would silently win over the first

    ----

    error: a second document begins here
     --> play.yml:2:1
      |
    2 | ---
      | ^^^

    hint: one file holds one document: put the rest into a file of its own

    ----

    error: a tab stands where spaces are needed
     --> play.yml:2:1
      |
    2 |     b: 2
      | ^

    hint: YAML is indented with spaces only

    ----

    error: a value that begins with `{{` must be in quotes
     --> play.yml:1:4
      |
    1 | a: {{ x }}/b
      |    ^^

    hint: write `"{{ … }}"`: without quotes YAML takes the braces for a mapping

    ----

    error: a value that begins with `{{` must be in quotes
     --> play.yml:2:5
      |
    2 |   - {{ x }}
      |     ^^

    hint: write `"{{ … }}"`: without quotes YAML takes the braces for a mapping

    ----

    error: `:` cannot stand here
     --> play.yml:1:5
      |
    1 | a: b: c
      |     ^

    hint: check the indentation, or put the text in quotes if the colon belongs to it

    ----

    error: expected `- ` here, as in the list above
     --> play.yml:3:2
      |
    3 |  c: 1
      |  ^

    hint: begin the line as the list does, or indent it like the key that it belongs beside

    ----

    error: this quote is never closed
     --> play.yml:1:4
      |
    1 | a: 'x
      |    ^

    hint: close it, or put the whole text in the other quotes

    ----

    error: text cannot begin with `@`
     --> play.yml:1:4
      |
    1 | a: @x
      |    ^

    hint: put the text in quotes

    ----

    error: this alias names no anchor before it
     --> play.yml:1:4
      |
    1 | a: *.yml
      |    ^

    hint: a text that begins with `*` needs quotes; an anchor is set by `&name`

    ----

    error: `*x` stands inside the very value that it names
     --> play.yml:1:8
      |
    1 | a: &x [*x]
      |        ^^

    ----

    error: unknown tag `!vault`
     --> play.yml:1:4
      |
    1 | a: !vault |
      |    ^^^^^^

    hint: Ansible's vault is not read here: keep secrets in a file of their own, made by `sops -d`, `age -d` or the like

    ----

    error: unknown escape in this text
     --> play.yml:1:4
      |
    1 | a: "\d"
      |    ^

    hint: in double quotes a backslash is written `\\`; in single quotes it stands for itself

    ----

    error: `:` cannot stand here
     --> play.yml:2:3
      |
    2 |  b: 2
      |   ^

    hint: check the indentation, or put the text in quotes if the colon belongs to it

    ----

    error: expected `- ` here, as in the list above
     --> play.yml:2:1
      |
    2 | b: 1
      | ^

    hint: begin the line as the list does, or indent it like the key that it belongs beside

    ----

    error: a key must be text, not a list
     --> play.yml:1:1
      |
    1 | [1]: 2
      | ^

    ----

    error: `:` cannot stand here
     --> play.yml:2:2
      |
    2 | b: 3
      |  ^

    hint: is a `]` or `}` missing before it?

    ----

    error: `x` is no `!!int`
     --> play.yml:1:4
      |
    1 | a: !!int x
      |    ^^^^^

    ----

    error: `<<` takes a mapping or a list of them, not `3`
     --> play.yml:1:5
      |
    1 | <<: 3
      |     ^
    "#);
}

#[test]
fn mistakes_in_structs_are_shown_where_they_are() {
    let mistakes = [
        "name: x\ncontainer:\n  imagee: y\n",
        "name: x\ncontainer:\n  ports: []\n",
        "container: {image: x}\n",
        "name: x\ncontainer: {image: y, port: abc}\n",
        "name: x\ncontainer: {image: y, port: 70000}\n",
        "name: x\ncontainer: {image: y, restart: unless_stoped}\n",
        "name: x\ncontainer: {image: y, restart: {on_failure: many}}\n",
        "name: x\ncontainer: {image: y, restart: on_failure}\n",
        "name: x\ncontainer: {image: y, tty: yes}\n",
        "name: x\ncontainer: {image: y, ports: 80:80}\n",
        "name: [x]\n",
        "name:\n",
        "name: x\ncontainer: y\n",
        "name: x\nothers:\n  - image: a\n  - imag: b\n",
        "name: x\ncontainer: {image: y, limits: {cpus: two}}\n",
        "- x\n",
        "quite_another: x\n",
    ];
    assert_snapshot!(mistakes.map(step_error).join("\n\n----\n\n"), @r"
    error: unknown key `imagee` in `container`
     --> play.yml:3:3
      |
    3 |   imagee: y
      |   ^^^^^^

    hint: did you mean `image`?

    ----

    error: missing key `image` in `container`
     --> play.yml:2:1
      |
    2 | container:
      | ^^^^^^^^^

    ----

    error: missing key `name`
     --> play.yml:1:1
      |
    1 | container: {image: x}
      | ^^^^^^^^^^^^^^^^^^^^^

    ----

    error: expected a whole number, found text `abc`
     --> play.yml:2:29
      |
    2 | container: {image: y, port: abc}
      |                             ^^^

    ----

    error: expected a whole number from 0 to 65535, found `70000`
     --> play.yml:2:29
      |
    2 | container: {image: y, port: 70000}
      |                             ^^^^^

    ----

    error: unknown value `unless_stoped`
     --> play.yml:2:32
      |
    2 | container: {image: y, restart: unless_stoped}
      |                                ^^^^^^^^^^^^^

    hint: did you mean `unless_stopped`?

    ----

    error: expected a whole number, found text `many`
     --> play.yml:2:45
      |
    2 | container: {image: y, restart: {on_failure: many}}
      |                                             ^^^^

    ----

    error: `on_failure` needs something with it
     --> play.yml:2:32
      |
    2 | container: {image: y, restart: on_failure}
      |                                ^^^^^^^^^^

    hint: write `on_failure: …`

    ----

    error: expected true or false, found text `yes`
     --> play.yml:2:28
      |
    2 | container: {image: y, tty: yes}
      |                            ^^^

    hint: write `true`

    ----

    error: expected a list, found text `80:80`
     --> play.yml:2:30
      |
    2 | container: {image: y, ports: 80:80}
      |                              ^^^^^

    hint: write `[80:80]`

    ----

    error: expected text, found a list
     --> play.yml:1:7
      |
    1 | name: [x]
      |       ^^^

    ----

    error: expected text, found nothing
     --> play.yml:1:5
      |
    1 | name:
      |     ^

    ----

    error: expected a mapping, found text `y`
     --> play.yml:2:12
      |
    2 | container: y
      |            ^

    ----

    error: unknown key `imag` in `others`
     --> play.yml:4:5
      |
    4 |   - imag: b
      |     ^^^^

    hint: did you mean `image`?

    ----

    error: expected a number, found text `two`
     --> play.yml:2:38
      |
    2 | container: {image: y, limits: {cpus: two}}
      |                                      ^^^

    ----

    error: expected a mapping, found a list
     --> play.yml:1:1
      |
    1 | - x
      | ^^^

    ----

    error: unknown key `quite_another`
     --> play.yml:1:1
      |
    1 | quite_another: x
      | ^^^^^^^^^^^^^

    hint: there are: name, container, others
    ");
}

#[test]
fn enums_are_names_or_mappings_of_one_key() {
    assert_eq!(
        read::<Vec<Restart>>("[never, unless_stopped, {on_failure: 3}, {never: }]"),
        [Restart::Never, Restart::UnlessStopped, Restart::OnFailure(3), Restart::Never]
    );
}

#[test]
fn a_mapping_may_have_numbers_as_keys() {
    assert_eq!(
        read::<BTreeMap<u16, String>>("{80: a, '443': b}"),
        BTreeMap::from([(80, "a".into()), (443, "b".into())])
    );
}

#[test]
fn places_and_nodes_are_carried_into_structs() {
    #[derive(Deserialize)]
    struct Play {
        hosts: Spanned<String>,
        ports: Vec<Spanned<u16>>,
        vars: Option<Node>,
    }
    let play: Play = read("hosts: all\nports: [80, 443]\nvars: {a: 1.10}\n");
    assert_eq!((play.hosts.as_str(), play.hosts.at.to_string().as_str()), ("all", "play.yml:1:8"));
    assert_eq!((*play.ports[1], play.ports[1].at.to_string().as_str()), (443, "play.yml:2:13"));
    assert_eq!(play.vars.as_ref().and_then(|vars| vars.get("a")).map(|a| a.at.text().to_owned()), Some("1.10".into()));
    assert!(serde_json::from_str::<Spanned<u8>>("1").is_err());
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
     --> play.yml:1:2
      |
    1 | {number: 3, other: '{{ n }}', more: 1}
      |  ^^^^^^

    error: unknown key `more` in `strict`
     --> play.yml:1:31
      |
    1 | {number: 3, other: '{{ n }}', more: 1}
      |                               ^^^^

    hint: there are: number, other
    ");
}

#[test]
fn texts_are_mapped_with_their_places() {
    let mut seen = Vec::new();
    let mapped = map_strings(&node("a: [x, 1, {b: y}]"), &mut |text, at| {
        seen.push(at.to_string());
        Ok(Value::Str(text.to_uppercase()))
    });
    assert_eq!(serde_json::Value::from(&mapped.expect("maps")).to_string(), r#"{"a":["X",1,{"b":"Y"}]}"#);
    assert_eq!(seen, ["play.yml:1:5", "play.yml:1:15"]);
    let failed = map_strings(&node("a: x"), &mut |_, _| Err(Error::new("undefined")));
    assert_eq!(failed.expect_err("fails").at.map(|at| at.to_string()), Some("play.yml:1:4".into()));
}

#[test]
fn texts_that_want_to_exhaust_memory_are_refused() {
    let bomb: String =
        (1..30).map(|n| format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 10].join(","))).collect();
    assert!(parse_error(&format!("x0: &x0 [a]\n{bomb}")).contains("aliases of aliases"));
    let chain: String = (1..300).map(|n| format!("x{n}: &x{n} [*x{}]\n", n - 1)).collect();
    assert!(parse_error(&format!("x0: &x0 [a]\n{chain}")).contains("aliases of aliases"));
    assert!(parse_error(&format!("{}{}", "[".repeat(120), "]".repeat(120))).contains("levels deep"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = read_error(&folder.path().join("none.yml"));
    assert!(missing.contains("none.yml`: No such file"), "{missing}");
    let latin1 = folder.path().join("latin1.yml");
    std::fs::write(&latin1, b"a: 1\nb: \xe4\n").expect("writes");
    assert!(read_error(&latin1).contains("line 2"), "{}", read_error(&latin1));
}

fn read_error(path: &std::path::Path) -> String {
    super::read(path).expect_err("cannot be read").to_string()
}

/// Every place lies inside the text and on its characters' edges, and inside the place of what holds it.
fn places_are_sound(node: &Node) {
    let text = &node.at.source.text;
    assert!(text.get(node.at.start..node.at.end).is_some(), "{:?} in {text:?}", node.at);
    for inner in node.items().iter().chain(node.entries().iter().flat_map(|(key, value)| [key, value])) {
        places_are_sound(inner);
    }
}

/// What YAML lets stand in quotes as it is.
const PRINTABLE: &str = "[ -~\\n\\täé€😀]{0,20}";

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        PRINTABLE.prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(PRINTABLE, inner, 0..6).prop_map(Json::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_gives_a_node_or_an_error_that_can_be_shown(text in "([ -~\\n\\t]|[äé€😀\\u{feff}\\u{85}\\r]|\\n  |: |- |\\{\\{|&a|\\*a|<<: |\\||\\[|---|!!)*") {
        match parse("fuzz.yml", text) {
            Ok(node) => {
                places_are_sound(&node);
                let _ = check_with_holes::<Step>(&node, None).map_err(|errors| Errors(errors).render(true));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn json_comes_back_as_it_was(json in json()) {
        for text in [json.to_string(), serde_json::to_string_pretty(&json).expect("json")] {
            prop_assert_eq!(serde_json::Value::from(&node(&text)), json.clone());
        }
    }

    #[test]
    fn emitted_yaml_comes_back_as_it_was(json in json()) {
        let text = serde_yaml::to_string(&json).expect("yaml");
        prop_assert_eq!(serde_json::Value::from(&node(&text)), json, "{}", text);
    }
}
