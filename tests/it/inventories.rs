//! Ansible's inventories as they are: hosts, groups and variables are those that `ansible-inventory --list` tells of. What it
//! said of each folder is kept there; `tests/it/inventories/record` asks it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};
use skep::inventory::{Host, Inventory};
use skep::yaml::{Node, Value};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/inventories")
}

/// The inventory of a case: what is called `hosts` or `inventory` there.
fn inventory(case: &Path) -> PathBuf {
    let entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        stem == "hosts" || stem == "inventory"
    };
    entries.into_iter().find(is_one).unwrap_or_else(|| panic!("{} has no inventory", case.display()))
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number, _) => (*number).into(),
        Value::Str(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), json(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// All that is said of a host, under the names that it is written under.
fn said(host: &Host) -> BTreeMap<String, Json> {
    let settings = host.layers.iter().flat_map(|layer| &layer.settings);
    settings.map(|setting| (setting.name.clone(), json(&setting.node))).collect()
}

/// Every group with its hosts, those of the groups below it included; without hosts it may be left out.
fn groups(list: &Map<String, Json>) -> BTreeMap<String, BTreeSet<String>> {
    fn texts<'a>(group: &'a Json, key: &str) -> impl Iterator<Item = &'a str> {
        group[key].as_array().into_iter().flatten().map(|name| name.as_str().unwrap())
    }
    fn hosts(list: &Map<String, Json>, name: &str) -> BTreeSet<String> {
        let Some(group) = list.get(name) else { return BTreeSet::new() };
        let below = texts(group, "children").flat_map(|child| hosts(list, child));
        texts(group, "hosts").map(str::to_owned).chain(below).collect()
    }
    let named = list.values().flat_map(|group| texts(group, "children")).chain(list.keys().map(String::as_str));
    let named = named.filter(|name| !["all", "_meta"].contains(name));
    named.map(|name| (name.to_owned(), hosts(list, name))).filter(|(_, hosts)| !hosts.is_empty()).collect()
}

fn told(inventory: &Inventory) -> Json {
    let hosts: BTreeMap<_, _> = inventory.hosts.iter().map(|host| (host.name.clone(), said(host))).collect();
    let groups = inventory.groups.iter().map(|group| (group.name.clone(), group.hosts.iter().cloned().collect()));
    let groups: BTreeMap<String, BTreeSet<String>> =
        groups.filter(|(_, hosts): &(_, BTreeSet<_>)| !hosts.is_empty()).collect();
    json!({"hosts": hosts, "groups": groups})
}

fn recorded(case: &Path) -> Json {
    let list = std::fs::read_to_string(case.join("list.json")).unwrap();
    let list: Map<String, Json> = serde_json::from_str(&list).unwrap();
    // Who has no variables is not among those that have some.
    let all = groups(&list).into_values().flatten().map(|host| (host, json!({})));
    let mut hosts: BTreeMap<String, Json> = all.collect();
    hosts.extend(list["_meta"]["hostvars"].as_object().unwrap().clone());
    json!({"hosts": hosts, "groups": groups(&list)})
}

#[test]
fn ansibles_inventories_mean_what_they_mean_to_ansible() {
    let cases = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = cases.filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() >= 12, "{cases:?}");
    for case in cases {
        let inventory =
            Inventory::load(&inventory(&case)).unwrap_or_else(|errors| panic!("{}\n{errors}", case.display()));
        let (ours, theirs) = (told(&inventory), recorded(&case));
        for part in ["hosts", "groups"] {
            let names = ours[part].as_object().unwrap().keys().chain(theirs[part].as_object().unwrap().keys());
            for name in names {
                assert_eq!(ours[part][name], theirs[part][name], "{}: {part}: {name}", case.display());
            }
        }
    }
}

/// A program that prints what the real one printed once, for the words that an example calls it with.
fn stub(folder: &Path, name: &str, words: &str, answer: &str) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!("#!/bin/sh\n[ \"$*\" = '{words}' ] || {{ echo \"called with $*\" >&2; exit 2; }}\n{answer}\n");
    let path = folder.join(name);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The hosts of an example that ships, found by a recorded output: name, address, user, private address, groups.
fn example(name: &str, stubs: impl Fn(&Path, &str)) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    stubs(folder.path(), &root.join("tests/it/recorded").display().to_string());
    let mut skep = assert_cmd::Command::cargo_bin("skep").unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let file = root.join("inventory").join(name);
    let output = skep.env("PATH", path).args(["hosts", "--json", "-i"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hosts: Json = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let one = |host: &Json| {
        let groups: Vec<String> = host["groups"].as_array().unwrap().iter().map(text).collect();
        let parts = ["name", "address", "user", "private_address"].map(|key| text(&host[key]));
        format!("{} {}\n", parts.join(" "), groups.join(","))
    };
    hosts.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn the_examples_find_hosts_in_what_real_tools_print() {
    let terraform = example("terraform.example.yml", |folder, recorded| {
        stub(folder, "terraform", "-chdir=../terraform output -json", &format!("cat {recorded}/terraform.json"));
    });
    assert_eq!(
        terraform,
        "node1 203.0.113.11 ubuntu 10.0.1.11 managers\nnode2 203.0.113.12 ubuntu 10.0.1.12 workers\nnode3 10.0.2.13 ubuntu 10.0.2.13 workers\nnode4 10.0.1.14 ubuntu 10.0.1.14 workers\n"
    );
    for recording in ["multipass.json", "multipass-1.17.json"] {
        let multipass = example("multipass.example.yml", |folder, recorded| {
            stub(folder, "multipass", "list --format json", &format!("cat {recorded}/{recording}"));
        });
        assert_eq!(
            multipass,
            "node1 10.37.161.11 ubuntu - managers\nnode2 10.37.161.12 ubuntu - workers\nnode3 10.37.161.13 ubuntu - workers\n",
            "{recording}"
        );
    }
    let hcloud = example("hcloud.example.yml", |folder, recorded| {
        stub(folder, "hcloud", "server list -o json", &format!("cat {recorded}/hcloud.json"));
    });
    assert_eq!(
        hcloud,
        "node1 203.0.113.11 root 10.0.0.2 managers\nnode2 203.0.113.12 root - workers\nnode4 10.0.0.5 root 10.0.0.5 workers\nnode5 2001:db8:5::1 root 10.0.0.6 workers\n"
    );
    let aws = example("aws.example.yml", |folder, recorded| {
        let words = "ec2 describe-instances --output json --query Reservations[].Instances[] --filters \
                     Name=instance-state-name,Values=running Name=tag:role,Values=";
        let by_role = format!("#!/bin/sh\nwords=$*\ncat {recorded}/aws-\"${{words#'{words}'}}\".json\n");
        stub(folder, "aws", "", "");
        std::fs::write(folder.join("aws"), by_role).unwrap();
    });
    assert_eq!(
        aws,
        "node1 203.0.113.11 ubuntu 10.0.1.11 managers\ni-0aaaabbbbccccdddd 203.0.113.14 ubuntu 10.0.1.14 workers\nnode2 203.0.113.12 ubuntu 10.0.1.12 workers\nnode3 10.0.2.13 ubuntu 10.0.2.13 workers\n"
    );
}
