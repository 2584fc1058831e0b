//! `from:` — hosts out of what a command prints.

use insta::assert_snapshot;

use super::*;

/// An inventory in a folder of its own, which holds what its commands print.
fn loaded(text: &str, json: &str) -> Result<Inventory, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nodes.json"), json).unwrap();
    std::fs::write(folder.path().join("lab.yml"), text).unwrap();
    let found = Inventory::load(&folder.path().join("lab.yml"));
    found.map_err(|errors| errors.to_string().replace(&folder.path().display().to_string(), "…"))
}

fn from(body: &str, json: &str) -> String {
    match loaded(&format!("web:\n  from: {{ {body} }}\n"), json) {
        Ok(tree) => {
            tree.hosts.iter().map(|host| format!("{} {}", host.name, host.address)).collect::<Vec<_>>().join(", ")
        }
        Err(told) => told,
    }
}

#[test]
fn lists_mappings_and_texts_are_hosts() {
    let command = "command: cat nodes.json";
    for (body, json, hosts) in [
        (
            "hosts: json.x, address: item.ip",
            r#"{"x": [{"name": "a", "ip": "10.0.0.1"}, {"name": "b", "ip": "10.0.0.2"}]}"#,
            "a 10.0.0.1, b 10.0.0.2",
        ),
        ("hosts: json, address: item.value", r#"{"b": "10.0.0.2", "a": "10.0.0.1"}"#, "b 10.0.0.2, a 10.0.0.1"),
        ("hosts: json", r#"["one", "two"]"#, "one one, two two"),
        ("hosts: json, name: \"'n' ~ item.id\"", r#"[{"id": 1}, {"id": 2}]"#, "n1 n1, n2 n2"),
        ("hosts: json", "[]", ""),
    ] {
        assert_eq!(from(&format!("{command}, {body}"), json), hosts, "{body}");
    }
}

#[test]
fn what_is_said_of_hosts_may_be_keys_and_variables_and_a_command_is_run_once() {
    let text = "
all:
  vars: {port: 2222}
  children:
    a:
      from: {command: &c echo >>count; cat nodes.json, hosts: json, vars: {user: item.who, port: item.port | default(none), tags: item.tags}}
      vars: {x: 1}
    b:
      from: {command: *c, hosts: 'json[:1]'}
      hosts: {byhand: }
";
    let text = text.replace("echo >>count; cat nodes.json", "\"test ! -e count && echo >count && cat nodes.json\"");
    let tree = loaded(
        &text,
        r#"[{"name": "n1", "who": "ann", "port": 7, "tags": ["t", 1]}, {"name": "n2", "who": "bob", "tags": []}]"#,
    );
    let tree = tree.unwrap_or_else(|told| panic!("{told}"));
    let told =
        |host: &Host| format!("{} {:?} {:?} {} {:?}", host.name, host.user, host.port, value(host, "x"), host.groups);
    let hosts: Vec<_> = tree.hosts.iter().map(|host| told(host)).collect();
    assert_eq!(
        hosts,
        [
            "n1 Some(\"ann\") Some(7) 1 [\"a\", \"b\"]",
            "n2 Some(\"bob\") None 1 [\"a\"]",
            "byhand None Some(2222)  [\"b\"]"
        ]
    );
}

#[test]
fn mistakes_are_at_the_expression_and_show_no_value() {
    let json = r#"{"nodes": [{"name": "a", "ip": "10.0.0.1"}, {"name": "b", "addr": "s3cret"}], "n": 5}"#;
    let bodies = [
        "command: exit 3, hosts: json.nodes",
        "command: echo no, hosts: json.nodes",
        "command: cat nodes.json, hosts: json.node",
        "command: cat nodes.json, hosts: json.n",
        "command: cat nodes.json, hosts: json.nodes, address: item.ip",
        "command: cat nodes.json, hosts: json.nodes, name: item.nmae",
        "command: cat nodes.json, hosts: json.nodes, name: \"'one'\"",
        "command: cat nodes.json, hosts: json.nodes, name: \"item.name ~ ' x'\"",
        "command: cat nodes.json, hosts: json.nodes, adress: item.ip",
        "command: cat nodes.json, hosts: json.nodes, vars: {adress: item.name}",
        "command: cat nodes.json, hosts: json.nodes, vars: {x: 5}",
        "command: cat nodes.json, hosts: json.nodes |",
        "command: cat nodes.json",
    ];
    let told: String = bodies.iter().map(|body| format!("=== {body}\n{}\n\n", from(body, json))).collect();
    assert!(!told.contains("s3cret"), "{told}");
    assert_snapshot!(told);
    assert!(
        mistakes("web: {from: {command: 'true', hosts: json}}")
            .contains("that is not read from a file runs no command")
    );
}
