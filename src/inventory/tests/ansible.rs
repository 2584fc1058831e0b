//! Ansible's forms: what is wrong in them, and what they mean. Whether they mean the same as to Ansible is seen in
//! tests/it/inventories.rs.

use insta::assert_snapshot;

use super::*;

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
