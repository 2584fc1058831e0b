use serde_json::json;

use super::*;
use crate::actions::testing::{Case, action, mistake};

fn file(path: &str, content: bool) -> [Read; 1] {
    [Read::File { path: path.into(), content }]
}

fn with_text(text: &str) -> String {
    let base64 = data_encoding::BASE64.encode(text.as_bytes());
    format!("file 644 0 0 root root {} 17.5 {} {base64}\n", text.len(), "0".repeat(64))
}

/// node1 as it is called, and with these texts in `/etc/hostname` and `/etc/hosts`.
fn case(name: &str, lasting: &str, hosts: &str) -> Case {
    Case::new(&["node1"])
        .answers("node1", &[Read::Machine], &format!("hostname={name}\nend=\n"))
        .answers("node1", &file(NAME, true), &with_text(lasting))
        .answers("node1", &file(HOSTS, true), &with_text(hosts))
        .answers("node1", &file(CLOUD, false), "absent\n")
}

fn web() -> Hostname {
    action(json!({"name": "web"}))
}

/// What would be written to a file.
fn written(case: &Case, asked: &Hostname, path: &str) -> String {
    let Plan::Change(changes) = case.readings(|seen| asked.plan(&case.target, seen)) else { return String::new() };
    let text = |change: &Change| match &change.does {
        Does::Put(Put { path: to, content: Parcel::Bytes(bytes), .. }) if to == path => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        _ => None,
    };
    changes.iter().find_map(text).unwrap_or_default()
}

const LOCAL: &str = "127.0.0.1\tlocalhost\n";

#[test]
fn a_machine_of_that_name_is_settled() {
    assert_eq!(case("web", "web\n", "127.0.0.1 localhost\n127.0.1.1   web # own\n").plan(&web()), "settled");
    let asked: Hostname = action(json!({"name": "web", "hosts": false}));
    assert_eq!(case("web", "# a name\n web \n", LOCAL).plan(&asked), "settled");
}

#[test]
fn another_name_is_replaced_now_for_good_and_in_the_file_of_hosts() {
    let lasting = "  it would have another name after a restart\n    /etc/hostname: old -> web\n    \
                   put /etc/hostname mode 0644 owner -";
    let now = "  it has another name\n    name: old -> web\n    $ hostname web";
    let hosts = "  the name is not known there\n    127.0.1.1: old.example.org old -> web\n    \
                 put /etc/hosts mode 0644 owner -";
    let old = case("old", "old\n", "127.0.1.1 old.example.org old\n");
    assert_eq!(old.plan(&web()), format!("change\n{lasting}\n{now}\n{hosts}"));
    assert_eq!(case("old", "web\n", "127.0.1.1 web\n").plan(&web()), format!("change\n{now}"));
}

#[test]
fn the_line_of_its_own_address_is_the_only_one_that_changes() {
    let of = |hosts: &str| written(&case("web", "web\n", hosts), &web(), HOSTS);
    assert_eq!(of("# all\n127.0.0.1\tlocalhost\n::1 ip6\n"), "# all\n127.0.0.1\tlocalhost\n127.0.1.1\tweb\n::1 ip6\n");
    assert_eq!(of("127.0.1.1 a\n::1 ip6\n127.0.1.1 b\n10.0.0.1 c"), "127.0.1.1\tweb\n::1 ip6\n10.0.0.1 c\n");
    assert_eq!(of("::1 ip6\n# 127.0.1.1 x\n"), "127.0.1.1\tweb\n::1 ip6\n# 127.0.1.1 x\n");
    let asked: Hostname = action(json!({"name": "web.example.org"}));
    let whole = case("web.example.org", "web.example.org\n", LOCAL);
    assert_eq!(written(&whole, &asked, HOSTS), format!("{LOCAL}127.0.1.1\tweb.example.org web\n"));
}

#[test]
fn missing_files_are_written_and_unreadable_ones_left_alone() {
    let none = case("web", "", "").answers("node1", &file(NAME, true), "absent\n");
    let none = none.answers("node1", &file(HOSTS, true), "absent\n");
    assert_eq!(written(&none, &web(), NAME), "web\n");
    assert_eq!(written(&none, &web(), HOSTS), format!("{LOCAL}127.0.1.1\tweb\n"));
    let folder = "folder 755 0 0 root root 4096 17.5 - -\n";
    let plan = case("web", "web\n", LOCAL).answers("node1", &file(HOSTS, true), folder).plan(&web());
    assert!(plan.starts_with("refused: /etc/hosts is no regular file"), "{plan}");
}

#[test]
fn cloud_init_is_told_to_leave_the_name_alone() {
    let folder = "folder 755 0 0 root root 4096 17.5 - -\n";
    let cloud = |kept: &str| {
        let case = case("web", "web\n", "127.0.1.1 web\n").answers("node1", &file(CLOUD, false), folder);
        case.answers("node1", &file(KEPT, true), kept)
    };
    let plan = cloud("absent\n").plan(&web());
    assert!(plan.starts_with("change\n  cloud-init would set the cloud's name again\n    put /etc/cloud"), "{plan}");
    let text = written(&cloud("absent\n"), &web(), KEPT);
    assert!(text.ends_with("\npreserve_hostname: true\nmanage_etc_hosts: false\n"), "{text}");
    assert_eq!(cloud(&with_text(&text)).plan(&web()), "settled");
}

#[test]
fn where_cloud_init_writes_the_hosts_anew_it_finds_the_name_in_what_it_writes_them_from() {
    let head = format!("# a.) make changes to the master file in {MASTER}\n");
    let case = |hosts: &str, master: &str| {
        case("web", "web\n", &format!("{head}{hosts}")).answers("node1", &file(MASTER, true), master)
    };
    let master = format!("## template:jinja\n{head}127.0.1.1 {{{{fqdn}}}} {{{{hostname}}}}\n{LOCAL}");
    let asked = format!("## template:jinja\n{head}127.0.1.1\tweb\n{LOCAL}");
    let managed = case("127.0.1.1 web\n", &with_text(&master));
    let plan = "change\n  cloud-init would write the cloud's name there\n    127.0.1.1: {{fqdn}} {{hostname}} -> web\n    put ";
    assert_eq!(managed.plan(&web()), format!("{plan}{MASTER} mode 0644 owner -"));
    assert_eq!(written(&managed, &web(), MASTER), asked);
    assert_eq!(case("127.0.1.1 web\n", &with_text(&asked)).plan(&web()), "settled");
    assert_eq!(case("127.0.1.1 web\n", "absent\n").plan(&web()), "settled");
}

#[test]
fn who_may_not_set_it_is_told_why() {
    let hint = |said| web().hint(said).unwrap_or_default();
    assert!(hint("hostname: you must be root to change the host name").contains("become"));
    assert!(hint("sethostname: Operation not permitted").contains("docker run --hostname"));
    assert_eq!(hint("no"), "");
}

#[test]
fn mistakes_are_named() {
    let told = |name: &str| mistake::<Hostname>(json!({"name": name}));
    for name in ["", "a b", "-a", "a-", "a..b", "a_b", "$(x)", &"a".repeat(65)] {
        assert!(told(name).contains("no machine's name"), "{name}");
    }
    assert!(mistake::<Hostname>(json!({"name": "a", "host": true})).contains("unknown field `host`"));
}
