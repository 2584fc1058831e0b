//! Scalars, places, aliases: what a text is read as.

use insta::assert_snapshot;

use super::*;

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
    assert!(refused(&format!("x0: &x0 [a]\n{bomb}")).contains("aliases of aliases"));
    let chain: String = (1..300).map(|n| format!("x{n}: &x{n} [*x{}]\n", n - 1)).collect();
    assert!(refused(&format!("x0: &x0 [a]\n{chain}")).contains("aliases of aliases"));
    assert!(refused(&format!("{}{}", "[".repeat(120), "]".repeat(120))).contains("levels deep"));
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

fn refused(text: &str) -> String {
    parse("play.yml", text.to_owned()).expect_err("must be refused").to_string()
}

fn read_error(path: &std::path::Path) -> String {
    crate::yaml::read(path).expect_err("cannot be read").to_string()
}
