use serde_json::json;

use super::*;
use crate::actions::Does;
use crate::actions::testing::{Case, action, mistake};
use crate::reads::{Local, Value};

const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// What is planned for `/etc/motd` where this is what its host says of it, and `/` is not for everybody.
fn planned(parameters: serde_json::Value, there: &str) -> String {
    planned_with(Case::new(&["node1"]), parameters, there)
}

fn planned_with(case: Case, mut parameters: serde_json::Value, there: &str) -> String {
    parameters["path"] = json!("/etc/motd");
    let read = |path: &str| [Read::File { path: path.into(), content: false }];
    let folder = |mode: &str| format!("folder {mode} 0 0 root root 4096 17.5 - -\n");
    let case = case.answers("node1", &read("/"), &folder("750")).answers("node1", &read("/etc"), &folder("755"));
    let case = case.answers("node1", &read("/etc/motd"), there).answers("node1", &digest("/etc/motd"), there);
    let case = case.answers("node1", &[Read::File { path: "/etc/motd".into(), content: true }], there);
    case.plan(&action::<File>(parameters))
}

fn digest(path: &str) -> [Read; 1] {
    [Read::Digest(path.into())]
}

fn hello(mode: &str) -> String {
    format!("file {mode} 0 0 root root 6 17.5 {HELLO} -\n")
}

#[test]
fn a_file_that_is_not_there_is_written() {
    let put = "change\n  it is not there\n    put /etc/motd mode 0644 owner -";
    assert_eq!(planned(json!({"content": "hello\n"}), "absent\n"), put);
    let put = "change\n  it is not there\n    put /etc/motd mode 0600 owner app:app";
    assert_eq!(planned(json!({"content": "x", "secret": true, "owner": "app:app"}), "absent\n"), put);
}

#[test]
fn the_same_content_mode_and_owner_are_settled() {
    let asked = json!({"content": "hello\n", "mode": "0644", "owner": "root:0"});
    assert_eq!(planned(asked, &hello("644")), "settled");
    assert_eq!(planned(json!({"content": "hello\n"}), &hello("640")), "settled");
}

#[test]
fn a_difference_is_shown_and_a_secret_is_not() {
    let plan = planned(json!({"content": "hi", "mode": "0600"}), &hello("644"));
    let content = "content: 6 bytes, sha256 5891b5b522d5… -> 2 bytes, sha256 8f434346648f…";
    let put = "put /etc/motd mode 0600 owner -";
    assert_eq!(plan, format!("change\n  its content differs\n    {content}\n    mode: 0644 -> 0600\n    {put}"));
    let plan = planned(json!({"content": "hi", "secret": true}), &hello("600"));
    assert_eq!(plan, "change\n  its content differs\n    content: set -> changed\n    put /etc/motd mode - owner -");
}

#[test]
fn mode_and_owner_alone_are_set_without_writing() {
    let plan = planned(json!({"content": "hello\n", "mode": 600, "owner": "app"}), &hello("644"));
    let owner = "  its owner differs\n    owner: root:root -> app\n    $ chown app -- /etc/motd";
    let mode = "  its mode differs\n    mode: 0644 -> 0600\n    $ chmod 600 -- /etc/motd";
    assert_eq!(plan, format!("change\n{owner}\n{mode}"));
}

#[test]
fn a_value_is_made_up_once() {
    let made = "change\n  it was never made up\n    generate /etc/motd, 16 bytes, mode 0600 owner -";
    assert_eq!(planned(json!({"generate": {"bytes": 16}}), "absent\n"), made);
    assert_eq!(planned(json!({"generate": {}}), &hello("600")), "settled");
}

#[test]
fn one_that_power_left_empty_was_never_made_up() {
    let empty = "file 644 0 0 root root 0 17.5 - -\n";
    let made = "change\n  it was never made up\n    generate /etc/motd, 32 bytes, mode 0600 owner -";
    assert_eq!(planned(json!({"generate": {}}), empty), made);
}

#[test]
fn a_file_is_read_whole_only_where_what_is_in_it_is_asked_for() {
    let asks = |mut parameters: serde_json::Value| {
        parameters["path"] = json!("/etc/motd");
        Case::new(&["node1", "node2"]).missing(&action::<File>(parameters))
    };
    let whole = |parameters| asks(parameters).iter().any(|ask| matches!(ask.read, Read::Digest(_)));
    assert!(whole(json!({"content": "x"})) && whole(json!({"carry": "node2"})) && whole(json!({"src": "motd"})));
    assert!(!whole(json!({"generate": {}})) && !whole(json!({"state": "absent"})) && !whole(json!({"mode": "0600"})));
}

#[test]
fn a_local_file_is_compared_by_its_digest() {
    let src = || PathBuf::from("/playbooks/motd");
    let case = |seen| Case::new(&["node1"]).seen(WORKSTATION, Read::Local(src()), seen);
    let is = Seen::Is(Value::Local(Local { sha256: HELLO.into(), size: 6 }));
    assert_eq!(planned_with(case(is), json!({"src": "motd"}), &hello("644")), "settled");
    let no = "refused: there is no file /playbooks/motd\nhint: `src` is relative to the playbook's folder";
    assert_eq!(planned_with(case(Seen::Absent), json!({"src": "motd"}), &hello("644")), no);
}

#[test]
fn missing_folders_are_made_first() {
    let read = |path: &str| [Read::File { path: path.into(), content: false }];
    let case = Case::new(&["node1"]).answers("node1", &digest("/opt/a/b"), "absent\n");
    let case = case.answers("node1", &read("/opt/a"), "absent\n").answers("node1", &read("/opt"), "absent\n");
    let case = case.answers("node1", &read("/"), "unread permission denied in /\n");
    let plan = case.plan(&action::<File>(json!({"path": "/opt/a/b", "content": "x"})));
    let first = "change\n  /opt/a is not there\n    $ mkdir -p -- /opt/a\n  it is not there\n";
    assert!(plan.starts_with(first), "{plan}");
}

/// node1 and what node2 says of the file.
fn from_node2(source: &str) -> Case {
    Case::new(&["node1", "node2@managers"]).answers("node2", &digest("/etc/motd"), source)
}

#[test]
fn a_file_is_carried_from_the_host_that_has_it() {
    let asked = || json!({"carry": "managers[0]", "owner": "10185"});
    let pipe = "  it is not node2's\n    node2: cat -- /etc/motd | write /etc/motd";
    let plan = |source: &str, there: &str| planned_with(from_node2(source), asked(), there);
    assert_eq!(plan(&hello("600"), "absent\n"), format!("change\n{pipe}"));
    assert_eq!(plan("absent\n", "absent\n"), format!("wait for node2 to have /etc/motd, then\n{pipe}"));
    let same = format!("file 600 10185 0 UNKNOWN root 6 17.5 {HELLO} -\n");
    assert_eq!(plan(&hello("600"), &same), "settled");
    let folder = plan("folder 755 0 0 root root 4096 17.5 - -\n", "absent\n");
    assert!(folder.starts_with("refused: /etc/motd on node2 is no regular file"), "{folder}");
    let alone = planned_with(from_node2(""), json!({"carry": "node1"}), "absent\n");
    assert!(alone.starts_with("refused: `carry: node1` names no other host"), "{alone}");
}

#[test]
fn what_is_carried_must_arrive_whole_and_keeps_the_mode_and_owner_that_it_has() {
    let script = |there: &str| {
        let case = from_node2(&hello("600"));
        let case = case.answers("node1", &digest("/etc/motd"), there);
        let asked: File = action(json!({"path": "/etc/motd", "carry": "managers"}));
        let plan = case.readings(|seen| asked.plan(&case.target, seen));
        let Plan::Change(mut changes) = plan else { panic!("{plan:?}") };
        let Does::Pipe { to, .. } = changes.remove(0).does else { panic!() };
        to.wire()
    };
    assert!(script("absent\n").contains("-eq 6 ]") && script("absent\n").contains("\nchmod 0600 "));
    let kept = script(&hello("644").replace(HELLO, &"0".repeat(64)));
    assert!(kept.contains("-eq 6 ]") && kept.contains("chmod --reference") && kept.contains("chown --reference"));
}

#[test]
fn a_template_is_what_it_was_rendered_to() {
    let mut asked: File = action(json!({"path": "/etc/motd", "template": "motd.j2"}));
    assert_eq!(asked.template(), Some("motd.j2"));
    let case = Case::new(&["node1"]).answers("node1", &digest("/etc/motd"), &hello("644"));
    assert_eq!(case.plan(&asked), "refused: cannot read the template: it was not rendered");
    asked.set_rendered("hello\n".into());
    assert_eq!(case.plan(&asked), "settled");
}

#[test]
fn folders_are_made_and_removed() {
    let folder = "folder 755 0 0 root root 4096 17.5 - -\n";
    let made = "change\n  the folder is not there\n    $ mkdir -p -- /etc/motd\n  the folder is new\n    $ chmod 00700 -- /etc/motd";
    assert_eq!(planned(json!({"state": "directory", "mode": "0700"}), "absent\n"), made);
    assert_eq!(planned(json!({"state": "directory"}), folder), "settled");
    assert_eq!(planned(json!({"state": "absent"}), "absent\n"), "settled");
    let inherited = planned(json!({"state": "directory", "mode": 750}), &folder.replace("755", "2750"));
    let mode = "its mode differs\n    mode: 2750 -> 0750\n    $ chmod 00750 -- /etc/motd";
    assert_eq!(inherited, format!("change\n  {mode}"), "four digits leave the set-id bits of a folder as they are");
    let removed = "change\n  the folder is there (removes)\n    $ rm -r -f -- /etc/motd";
    assert_eq!(planned(json!({"state": "absent"}), folder), removed);
}

#[test]
fn what_is_in_the_way_is_named() {
    let link = "link 777 0 0 root root 9 17.5 - L3J1bi9tb3Rk\n";
    let plan = planned(json!({"content": "x"}), link);
    assert!(plan.starts_with("refused: /etc/motd is a link to /run/motd, and a regular file is asked for"), "{plan}");
    let plan = planned(json!({"content": "x"}), "unread permission denied in /etc\n");
    assert_eq!(plan, "refused: cannot read /etc/motd: permission denied in /etc");
}

#[test]
fn mistakes_are_named() {
    let told = |parameters| mistake::<File>(parameters);
    assert!(told(json!({"path": "motd"})).contains("`path` must be absolute"));
    assert!(told(json!({"path": "/a", "content": "x", "src": "y"})).contains("takes one of"));
    assert!(told(json!({"path": "/a", "state": "absent", "content": "x"})).contains("has no content"));
    assert!(told(json!({"path": "/a", "mode": "0888"})).contains("octal digits"));
    assert!(told(json!({"path": "/a", "mode": "0o64"})).contains("octal digits"));
    assert!(told(json!({"path": "/a", "generate": {"bytes": 0}})).contains("at least one byte"));
    assert!(told(json!({"path": "/a", "mod": "0644"})).contains("unknown field `mod`"));
}

/// What is planned for a file whose folder has this mode, where what is in it was read, too.
fn seen_by_all(mut parameters: serde_json::Value, there: &str, folder: &str) -> String {
    parameters["path"] = json!("/etc/motd");
    let read = |path: &str, content| [Read::File { path: path.into(), content }];
    let mode = |mode: &str| format!("folder {mode} 0 0 root root 4096 17.5 - -\n");
    let case = Case::new(&["node1"]).answers("node1", &read("/", false), &mode("755"));
    let case = case.answers("node1", &read("/etc", false), &mode(folder));
    let case = case.answers("node1", &digest("/etc/motd"), there);
    let case = case.answers("node1", &read("/etc/motd", true), &there.replace(" -\n", " aGVsbG8K\n"));
    let local = Seen::Is(Value::Local(Local { sha256: "0".repeat(64), size: 4 }));
    let case = case.seen(WORKSTATION, Read::Local("/playbooks/motd".into()), local);
    let text = Seen::Is(Value::Text("bye\n".into()));
    case.seen(WORKSTATION, Read::Text("/playbooks/motd".into()), text).plan(&action::<File>(parameters))
}

#[test]
fn what_everybody_may_read_is_shown_line_by_line() {
    let lines = "    @@ -1 +1 @@\n    -hello\n    +bye\n";
    let put = "    put /etc/motd mode - owner -";
    let plan = seen_by_all(json!({"content": "bye\n"}), &hello("644"), "755");
    assert_eq!(plan, format!("change\n  its content differs\n{lines}{put}"));
    let plan = seen_by_all(json!({"content": "bye\n"}), "absent\n", "755");
    assert!(plan.contains("it is not there\n    @@ -0,0 +1 @@\n    +bye\n"), "{plan}");
}

#[test]
fn what_a_short_local_file_would_change_is_shown_and_a_long_one_is_not_read() {
    let short = seen_by_all(json!({"src": "motd"}), &hello("644"), "755");
    assert!(short.contains("    -hello\n    +bye\n"), "{short}");
    let local = Seen::Is(Value::Local(Local { sha256: "0".repeat(64), size: 1 << 20 }));
    let case = Case::new(&["node1"]).seen(WORKSTATION, Read::Local("/playbooks/motd".into()), local);
    let long = planned_with(case, json!({"src": "motd"}), &hello("644"));
    assert!(long.contains("content: 6 bytes, sha256 5891b5b522d5… -> 1048576 bytes, sha256 000000000000…"), "{long}");
}

#[test]
fn what_not_everybody_may_read_is_not_shown() {
    let digest = "content: 6 bytes, sha256 5891b5b522d5… -> ";
    for (parameters, mode, folder) in [
        (json!({"content": "bye\n"}), "640", "755"),
        (json!({"content": "bye\n", "mode": "0640"}), "644", "755"),
        (json!({"content": "bye\n"}), "644", "750"),
        (json!({"content": "password: x\n"}), "644", "755"),
    ] {
        let plan = seen_by_all(parameters.clone(), &hello(mode), folder);
        assert!(plan.contains(digest) && !plan.contains("@@"), "{parameters} {mode} {folder}: {plan}");
    }
    let plan = seen_by_all(json!({"content": "bye\n", "secret": true}), &hello("644"), "755");
    assert!(plan.contains("content: set -> changed") && !plan.contains("@@"), "{plan}");
    let plan = seen_by_all(json!({"content": "bye\n", "mode": "0600"}), "absent\n", "755");
    assert!(!plan.contains("@@"), "{plan}");
}

#[test]
fn of_a_secret_that_we_were_told_of_not_even_a_digest_is_shown() {
    crate::secret::hide(&crate::secret::Secret::new("0verheard too"));
    let plan = seen_by_all(json!({"content": "0verheard too\n"}), &hello("644"), "755");
    assert!(plan.contains("content: set -> changed") && !plan.contains("@@"), "{plan}");
}
