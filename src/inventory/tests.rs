//! What is read, who is meant, and the texts that people see.

mod ansible;
mod from;
mod order;
mod secrets;

use insta::assert_snapshot;

use super::*;

const TREE: &str = "
all:
  vars: {user: ubuntu, port: 2222, version: 1.10}
  hosts:
    node1: {address: 203.0.113.11, rack: a}
    node[2:3]: {}
  children:
    managers: {hosts: {node1: }, user: boss}
    workers:
      hosts: {'node[2:3]': }
      vars: {ansible_become: false}
      children: {big: {hosts: {node3: {identity_file: keys/id}}, vars: {become: true, size: 2}}}
";

fn tree(text: &str) -> Inventory {
    Inventory::parse("inventory/lab.yml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn mistakes(text: &str) -> String {
    Inventory::parse("inventory/lab.yml", text).expect_err("must be refused").to_string()
}

fn chosen(pattern: &str) -> String {
    match Pattern::parse(pattern).and_then(|pattern| tree(TREE).select(&pattern)) {
        Ok(hosts) => hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_slip_in_a_connection_key_makes_no_variable() {
    let slips = [
        ("adress", "address"),
        ("prot", "port"),
        ("jmup", "jump"),
        ("proxy-jump", "jump"),
        ("username", "user"),
        ("Address", "address"),
        ("identity-file", "identity_file"),
        ("host_keys", "host_key"),
        ("becom", "become"),
        ("ansible_hots", "ansible_host"),
        ("privat_address", "private_address"),
    ];
    for (slip, meant) in slips {
        for text in
            [format!("all: {{hosts: {{a: {{{slip}: x}}}}}}"), format!("all: {{vars: {{{slip}: x}}, hosts: [a]}}")]
        {
            assert!(mistakes(&text).contains(&format!("did you mean `{meant}`")), "{text}: {}", mistakes(&text));
        }
    }
    tree("all: {vars: {users: 1, ports: 2, addresses: 3, jumps: 4, hostname: 5, ansible_connection: ssh}, hosts: [a]}");
}

#[test]
fn hosts_lie_over_groups_and_children_over_parents() {
    let tree = tree(TREE);
    let [one, two, three] = tree.hosts.as_slice() else { panic!("three hosts") };
    assert_eq!((one.address.as_str(), one.user.as_deref(), one.port), ("203.0.113.11", Some("boss"), Some(2222)));
    assert_eq!((two.address.as_str(), two.user.as_deref(), two.become_root), ("node2", Some("ubuntu"), false));
    assert!(three.become_root, "the child group lies over its parent");
    assert_eq!(three.identity_file.as_deref(), Some(std::path::Path::new("inventory/keys/id")));
    assert_eq!(three.groups, ["workers", "big"]);
    let version = one.vars.iter().find(|(name, _)| name == "version").and_then(|(_, node)| node.scalar_text());
    assert_eq!(version.as_deref(), Some("1.10"));
}

#[test]
fn passwords_are_taken_out_of_the_variables_and_shown_nowhere() {
    let text = "
all:
  vars: {ansible_become_pass: s3cret-all, rack: a}
  hosts:
    a: {password: s3cret-login}
    b: {become_password: 007, ansible_ssh_pass: 's3cret: b'}
";
    let tree = tree(text);
    let of = |host: &Host| [&host.password, &host.become_password].map(|s| s.as_ref().map(|s| s.expose().to_owned()));
    assert_eq!(of(&tree.hosts[0]), [Some("s3cret-login".into()), Some("s3cret-all".into())]);
    assert_eq!(of(&tree.hosts[1]), [Some("s3cret: b".into()), Some("007".into())]);
    assert!(tree.hosts.iter().all(|host| host.vars.len() == 1), "{tree:?}");
    assert!(!format!("{tree:?}").contains("s3cret"), "{tree:?}");
}

#[test]
fn a_mistake_beside_a_password_does_not_show_it() {
    let text = "
all:
  vars: {become_pasword: s3cret-0, becom: true}
  hosts:
    a: {become_password: s3cret-1, port: 70000}
    b: {become_password: [s3cret-2]}
    c: {password: \"s3cret\\n3\"}
    d: {adress: x, ansible_password: s3cret-4}
    e: {password: s3cret-5}
  children:
    web: {hosts: {e: {password: s3cret-6}}}
";
    assert_snapshot!(mistakes(text), @r"
    error: unknown key `become_pasword`
     --> inventory/lab.yml:3:10
      |
    3 |   vars: {become_pasword: ********, becom: true}
      |          ^^^^^^^^^^^^^^

    hint: did you mean `become_password`? A variable needs a name that cannot be taken for it

    error: unknown key `becom`
     --> inventory/lab.yml:3:36
      |
    3 |   vars: {become_pasword: ********, becom: true}
      |                                    ^^^^^

    hint: did you mean `become`? A variable needs a name that cannot be taken for it

    error: expected a whole number from 0 to 65535, found `70000`
     --> inventory/lab.yml:5:42
      |
    5 |     a: {become_password: ********, port: 70000}
      |                                          ^^^^^

    error: `become_password` is one line of text
     --> inventory/lab.yml:6:26
      |
    6 |     b: {become_password: ***********
      |                          ^^^^^^^^^^

    error: `password` is one line of text
     --> inventory/lab.yml:7:19
      |
    7 |     c: {password: ***********}
      |                   ^^^^^^^^^^^

    error: unknown key `adress`
     --> inventory/lab.yml:8:9
      |
    8 |     d: {adress: x, ansible_password: ********}
      |         ^^^^^^

    hint: did you mean `address`? A variable needs a name that cannot be taken for it

    error: `password` of this host was given differently before
      --> inventory/lab.yml:11:33
       |
     9 |     e: {password: ********}
       |                   -------- first given here
    10 |   children:
    11 |     web: {hosts: {e: {password: ********}}}
       |                                 ^^^^^^^^

    hint: say it in one place; in the other groups the host's name is enough
    ");
    for text in ["all:\n  vars: {password: s3cret-7\n", "all:\n  vars: {password: 's3cret-8}\n"] {
        let told = mistakes(text);
        assert!(told.contains("vars") && !told.contains("s3cret"), "{told}");
    }
}

#[test]
fn patterns_choose_in_the_inventorys_order() {
    for (pattern, hosts) in [
        ("all", "node1 node2 node3"),
        ("workers:managers", "node1 node2 node3"),
        ("all:!big", "node1 node2"),
        ("workers:&big", "node3"),
        ("!big", "node1 node2"),
        ("node*,!node1", "node2 node3"),
        ("managers[0]", "node1"),
        ("workers[1:]", "node3"),
        ("all[-1]", "node3"),
        ("all[0:1]", "node1 node2"),
    ] {
        assert_eq!(chosen(pattern), hosts, "{pattern}");
    }
    assert!(chosen("worker").contains("did you mean `workers`?"), "{}", chosen("worker"));
    assert!(chosen("managers[7]").contains("chooses no host"));
    assert!(chosen("a[").contains("is no host pattern"));
}

#[test]
fn a_host_may_be_named_by_an_address_with_colons() {
    let hosts = "{'2001:db8::1': {}, '2001:db8::2': {}, web1: {}}";
    let tree = tree(&format!("all: {{hosts: {hosts}, children: {{managers: {{hosts: {{web1: }}}}}}}}"));
    let chosen = |pattern: &str| match Pattern::parse(pattern).and_then(|pattern| tree.select(&pattern)) {
        Ok(hosts) => hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    };
    for (pattern, hosts) in [
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1,web1", "2001:db8::1 web1"),
        ("managers:[2001:db8::1]", "2001:db8::1 web1"),
        ("!2001:db8::1", "2001:db8::2 web1"),
        ("all,!2001:db8::1", "2001:db8::2 web1"),
        ("all:![2001:db8::1]", "2001:db8::2 web1"),
        ("all:&[2001:db8::2]", "2001:db8::2"),
        ("all[0:1]:!web1", "2001:db8::1 2001:db8::2"),
    ] {
        assert_eq!(chosen(pattern), hosts, "{pattern}");
    }
}

#[test]
fn ansibles_list_form_is_read() {
    let json = r#"{"_meta": {"hostvars": {"a": {"ansible_host": "10.0.0.1"}}}, "all": {"children": ["web"]}, "web": {"hosts": ["a", "b"]}}"#;
    let tree = tree(json);
    assert_eq!(tree.hosts.iter().map(|host| host.address.as_str()).collect::<Vec<_>>(), ["10.0.0.1", "b"]);
    assert_eq!(tree.group("web").map(|group| group.hosts.clone()), Some(vec!["a".into(), "b".into()]));
}

#[test]
fn the_example_that_ships_is_read() {
    let tree = tree(include_str!("../../inventory/cloud.example.yml"));
    assert_eq!(tree.group("workers").map(|group| group.hosts.clone()), Some(vec!["node2".into(), "node3".into()]));
    assert!(matches!(tree.hosts[0].private_address, Some(Private::Address(_))));
}

#[test]
fn every_mistake_is_named_at_its_line() {
    let text = "
all:
  hosts:
    a: {port: 70000}
    n[3:1]: {}
    web: {become: yes}
  childen: {}
  children:
    web: {hosts: {a: {port: 22}}}
    x: {children: {y: {children: {x: }}}}
";
    assert_snapshot!(mistakes(text), @r"
    error: `[3:1]` is empty: its end comes before its start
     --> inventory/lab.yml:5:5
      |
    5 |     n[3:1]: {}
      |     ^^^^^^

    error: a host and a group are both called `web`
     --> inventory/lab.yml:6:5
      |
    6 |     web: {become: yes}
      |     ^^^
    ...
    9 |     web: {hosts: {a: {port: 22}}}
      |     --- the group

    hint: rename one: a pattern could mean either

    error: expected true or false, found text `yes`
     --> inventory/lab.yml:6:19
      |
    6 |     web: {become: yes}
      |                   ^^^

    hint: write `true`

    error: unknown key `childen` in a group
     --> inventory/lab.yml:7:3
      |
    7 |   childen: {}
      |   ^^^^^^^

    hint: did you mean `children`?

    error: `port` of this host was given differently before
     --> inventory/lab.yml:9:29
      |
    4 |     a: {port: 70000}
      |               ----- first given here
    ...
    9 |     web: {hosts: {a: {port: 22}}}
      |                             ^^

    hint: say it in one place; in the other groups the host's name is enough

    error: groups go in a circle: x → y → x
      --> inventory/lab.yml:10:35
       |
    10 |     x: {children: {y: {children: {x: }}}}
       |                    -              ^
       |                    |
       |                    `y` is below `x`

    hint: take `x` out of the `children` of `y`
    ");
}

#[test]
fn what_ansible_would_go_by_is_not_passed_over() {
    for key in ["ansible_connection", "ansible_ssh_executable"] {
        for text in [format!("all: {{hosts: {{a: {{{key}: x}}}}}}"), format!("all: {{vars: {{{key}: x}}, hosts: [a]}}")]
        {
            assert!(mistakes(&text).contains(&format!("`{key}` is not heeded here")), "{}", mistakes(&text));
        }
    }
    let sudo = "all: {vars: {ansible_become_method: sudo, ansible_connection: ssh}, hosts: [a]}";
    assert_eq!(tree(sudo).notes, []);
}

fn value(host: &Host, name: &str) -> String {
    let node = host.vars.iter().find(|(var, _)| var == name).map(|(_, node)| node);
    node.and_then(|node| node.scalar_text()).map(String::from).unwrap_or_default()
}
