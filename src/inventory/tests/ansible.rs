//! Ansible's forms: what is wrong in them, and what they mean. Whether they mean the same as to Ansible is seen in
//! tests/it/inventories.rs.

use insta::assert_snapshot;

use super::*;
use crate::yaml::Errors;

fn ini(text: &str) -> Inventory {
    Inventory::parse("hosts", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn wrong(text: &str) -> String {
    Inventory::parse("inventory/hosts", text).expect_err("must be refused").to_string()
}

#[test]
fn plain_names_are_variables_in_ini() {
    let tree = ini(
        "[web]\nw1 port=8080 user=me address=x adress=y ansible_port=2222\n[web:vars]\nansible_user=ubuntu\nansible_become=no\n",
    );
    let host = &tree.hosts[0];
    assert_eq!((host.port, host.user.as_deref(), host.address.as_str()), (Some(2222), Some("ubuntu"), "w1"));
    assert_eq!((value(host, "port"), value(host, "user"), host.become_root), ("8080".into(), "me".into(), false));
}

#[test]
fn mistakes_in_ini_are_named_at_their_place() {
    let text = "\
web1 ansible_port=70000 ansible_password=s3cret
web2 weight 5
web3 name='never closed
n[3:1] a=1
web9:99999
[web servers]
[web:childs]
[web:children]
www
web1 x=1
[wbe:vars]
just words
ansible_hots = x
[www:vars]
[web]
---
";
    assert_snapshot!(wrong(text));
}

#[test]
fn what_a_file_without_an_ending_holds_is_seen() {
    for text in [
        "all: {hosts: {a: {x: 1}}}",
        "---\nall:\n  hosts: {a: {x: 1}}",
        "# c\n\n{\"all\": {\"hosts\": {\"a\": {\"x\": 1}}}}",
        "a x=1",
        "; c\n[web]\na x=1",
        "a:22 x=1",
    ] {
        let tree = ini(text);
        assert_eq!((tree.hosts[0].name.as_str(), value(&tree.hosts[0], "x")), ("a", "1".into()), "{text}");
    }
    assert!(Inventory::parse("hosts.ini", "all: {hosts: [a]}").is_err(), "an ending says it");
}

#[test]
fn plugins_and_vaults_of_ansibles_are_told_as_that() {
    let told = mistakes("plugin: amazon.aws.aws_ec2\nregions: [eu-central-1]\n");
    assert!(told.contains("is a plugin of Ansible's") && told.contains("ansible-inventory -i FILE --list"), "{told}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("group_vars")).unwrap();
    std::fs::write(folder.path().join("hosts"), "a\n").unwrap();
    std::fs::write(folder.path().join("group_vars/all"), "$ANSIBLE_VAULT;1.1;AES256\n6162\n").unwrap();
    let told = Inventory::load(&folder.path().join("hosts")).expect_err("it is encrypted").to_string();
    assert!(told.contains("is encrypted by ansible-vault"), "{told}");
}

fn notes(tree: &Inventory) -> String {
    tree.notes.iter().map(|note| note.render_note(false)).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn what_has_no_counterpart_is_named_once_with_its_hosts() {
    let text = "\
web1 ansible_python_interpreter=/usr/bin/python3 weight=1
web2 ansible_python_interpreter=/usr/bin/python3 port=8080
[all:vars]
ansible_ssh_pipelining=true
ansible_ssh_extra_args='-vv -o BatchMode=yes'
ansible_whatever=1
";
    assert_snapshot!(notes(&ini(text)), @r"
    note: `ansible_python_interpreter` has no counterpart: no Python is needed on a host (2 hosts)
     --> hosts:1:6
      |
    1 | web1 ansible_python_interpreter=/usr/bin/python3 weight=1
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^

    note: `port` is a variable here, as it is for Ansible: what a host is reached by is `ansible_port` (1 host)
     --> hosts:2:50
      |
    2 | web2 ansible_python_interpreter=/usr/bin/python3 port=8080
      |                                                  ^^^^

    note: `ansible_ssh_pipelining` has no counterpart: commands never come as files (2 hosts)
     --> hosts:4:1
      |
    4 | ansible_ssh_pipelining=true
      | ^^^^^^^^^^^^^^^^^^^^^^

    note: `-v` in `ansible_ssh_extra_args` has no bearing here: it does not say how a host is reached (2 hosts)
     --> hosts:5:25
      |
    5 | ansible_ssh_extra_args='-vv -o BatchMode=yes'
      |                         ^^^

    note: `ansible_whatever` is a variable like any other: nothing goes by it (2 hosts)
     --> hosts:6:1
      |
    6 | ansible_whatever=1
      | ^^^^^^^^^^^^^^^^
    ");
    let tree = tree("all: {hosts: {a: {ansible_host: x, port: 8080, sudo: true, weight: 1}, b: {ansible_user: y}}}");
    assert_snapshot!(notes(&tree), @r"
    note: `port` says how a host is reached, as `ansible_port` does: a variable needs another name (1 host)
     --> inventory/lab.yml:1:36
      |
    1 | all: {hosts: {a: {ansible_host: x, port: 8080, sudo: true, weight: 1}, b: {ansible_user: y}}}
      |                                    ^^^^

    note: `sudo` is a variable: what a host is reached by is `ansible_become` (1 host)
     --> inventory/lab.yml:1:48
      |
    1 | all: {hosts: {a: {ansible_host: x, port: 8080, sudo: true, weight: 1}, b: {ansible_user: y}}}
      |                                                ^^^^
    ");
    assert_eq!(
        super::tree("all: {hosts: {a: {port: 22}}}").notes,
        [],
        "an inventory of ours has nothing to be told of"
    );
}

#[test]
fn files_that_nobody_reads_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("hosts", "web1\n[web]\nweb1\n"),
        ("group_vars/all/x.yml", ""),
        ("group_vars/all.yml", "a: 1"),
        ("group_vars/wbe.yml", "a: 1"),
        ("group_vars/.hidden", "a: 1"),
        ("host_vars/web1.json", "{\"a\": 1}"),
        ("host_vars/db", "a: 1"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let told = notes(&Inventory::load(&folder.path().join("hosts")).unwrap());
    let told = told.replace(&folder.path().display().to_string(), "…");
    assert_snapshot!(told, @r"
    note: `…/group_vars/all.yml` is not read: another file of `all` comes before it

    hint: a folder `all` may hold several

    note: `…/group_vars/wbe.yml` is not read: there is no group `wbe`

    hint: did you mean `web`?

    note: `…/host_vars/db` is not read: there is no host `db`
    ");
}

#[test]
fn what_is_given_twice_is_a_note_in_ansibles_forms() {
    let tree = ini("[a]\nh x=1\n[b]\nh x=2\n");
    assert_eq!(value(&tree.hosts[0], "x"), "2");
    assert!(
        notes(&tree).contains("`x` of this host was given differently before, and this one holds"),
        "{}",
        notes(&tree)
    );
}

#[test]
fn templates_in_connection_keys_are_rendered_with_what_is_said_of_the_host() {
    let text = "
all:
  vars:
    ansible_host: '{{ ip }}'
    ansible_port: '{{ base + 22 }}'
    base: 2200
    ansible_user: \"{{ lookup('env', 'SKEP_NO_SUCH_NAME') | default('ops', true) }}\"
    jump: \"{{ 'none' if 'gates' in group_names else hostvars[groups.gates[0]].ansible_host }}\"
  hosts: {a: {ip: '10.0.0.{{ number }}', number: 5}}
  children: {gates: {hosts: {gate.lan: {ip: 203.0.113.5, ansible_host: '{{ ip }}', ansible_user: '{{ inventory_hostname_short }}'}}}}
";
    let tree = tree(text);
    let told = |host: &Host| {
        (host.address.clone(), host.port.unwrap(), host.user.clone().unwrap(), host.jump.clone().unwrap())
    };
    assert_eq!(told(&tree.hosts[0]), ("10.0.0.5".into(), 2222, "ops".into(), "203.0.113.5".into()));
    assert_eq!(told(&tree.hosts[1]), ("203.0.113.5".into(), 2222, "gate".into(), "none".into()));
    assert_eq!(value(&tree.hosts[0], "ansible_host"), "{{ ip }}", "a variable is rendered when it is asked for");
    let doubling: String = (0..30).map(|n| format!("v{n}: '{{{{ v{} }}}}{{{{ v{} }}}}', ", n + 1, n + 1)).collect();
    let told = mistakes(&format!("all: {{vars: {{address: '{{{{ v0 }}}}', {doubling} v30: x}}, hosts: [a]}}"));
    assert!(told.contains("needs itself, or too many others"), "{told}");
    assert_snapshot!(mistakes("all:\n  vars:\n    ansible_host: 'x{{ ipp }}'\n    ansible_user: '{{ a }}'\n    a: '{{ ansible_user }}'\n    ansible_port: '{{ 1 +'\n  hosts: {h: {ip: 1}}"), @r"
    error: `ipp` is undefined
     --> inventory/lab.yml:3:24
      |
    3 |     ansible_host: 'x{{ ipp }}'
      |                        ^^^

    hint: did you mean `ip`?

    error: the variable `a` needs itself, or too many others
     --> inventory/lab.yml:5:8
      |
    5 |     a: '{{ ansible_user }}'
      |        ^^^^^^^^^^^^^^^^^^^^

    error: unexpected end of input, expected expression
     --> inventory/lab.yml:6:25
      |
    6 |     ansible_port: '{{ 1 +'
      |                         ^
    ");
}

#[test]
fn options_of_ssh_are_kept_in_ansibles_order() {
    let text =
        "h ansible_ssh_extra_args='-J {{ gate }}' ansible_ssh_common_args='-o Port=7' ansible_ssh_args='-C' gate=g\n";
    assert_eq!(ini(text).hosts[0].ssh_arguments, ["-C", "-o", "Port=7", "-J", "g"]);
    assert_snapshot!(wrong("h ansible_ssh_common_args='-o Port=7 gate'\n"), @r#"
    error: `gate` is no option: `ssh` would take it for the host
     --> inventory/hosts:1:38
      |
    1 | h ansible_ssh_common_args='-o Port=7 gate'
      |                                      ^^^^

    hint: a value with spaces needs quotes: -o ProxyCommand="ssh -W %h:%p bastion"
    "#);
}

proptest::proptest! {
    /// Whatever a file holds: it is read, or told of at places that are in it.
    #[test]
    fn any_text_is_read_or_told_of(lines in proptest::collection::vec(LINE, 0..8)) {
        let text = lines.join("\n");
        let Err(Errors(errors)) = Inventory::parse("hosts", &text) else { return Ok(()) };
        for at in errors.iter().filter_map(|error| error.at.as_ref()) {
            proptest::prop_assert!(at.source.text.get(at.start..at.end).is_some(), "{at:?} of {text:?}");
        }
        errors.iter().for_each(|error| drop(error.render(true)));
    }
}

const LINE: &str = "(\\[[a-cä]{0,2}(:(vars|children|x))?\\]?|[a-cä]{1,2}(\\[[0-3a-c:]{0,4}\\]?)?(:[0-9]{0,3})?)\
    ( ?(ansible_(host|port|ssh_args|become)|x)? ?=? ?['\"]?(-o|-[4zä]|\\{\\{ ?x ?\\}\\}|[\\[{(,:)}\\]]|[0-9e._x-]{0,4}|yes|ß\\\\?)['\"]?){0,4}( ?[#;].*)?";
