use serde_json::{Value, json};

use super::keys::testing::line;
use super::*;
use crate::actions::testing::{Case, action, host, mistake};
use crate::inventory::Host;

const HOME: &str = "folder 755 1001 1001 bob bob 4096 17.5 - -\n";
const SSH: &str = "folder 700 1001 1001 bob bob 4096 17.5 - -\n";
const BOB: &str = "passwd=bob:x:1001:1001:Bob,,,:/home/bob:/bin/sh\ngroups=bob sudo\ngroup=bob:x:1001:\n";

fn keys_file(text: &str, mode: &str, owner: &str) -> String {
    let base64 = data_encoding::BASE64.encode(text.as_bytes());
    let uid = if owner == "root" { 0 } else { 1001 };
    format!("file {mode} {uid} 0 {owner} root {} 17.5 {} {base64}\n", text.len(), "0".repeat(64))
}

fn bob(mut parameters: Value) -> User {
    parameters["name"] = json!("bob");
    action(parameters)
}

/// node1, what it says of bob and of groups, and of his home, the folder and the file of his keys.
fn case(asked: &User, known: &str, files: [&str; 3]) -> Case {
    let case = Case::new(&["node1"]).answers("node1", &[Read::Probe(asked.probe())], &format!("{known}end\n"));
    let read = |path: &str, content| [Read::File { path: path.into(), content }];
    case.answers("node1", &read("/home/bob", false), files[0])
        .answers("node1", &read("/home/bob/.ssh", false), files[1])
        .answers("node1", &read("/home/bob/.ssh/authorized_keys", true), files[2])
}

fn planned(parameters: Value, known: &str) -> String {
    let asked = bob(parameters);
    case(&asked, known, [HOME, "absent\n", "absent\n"]).plan(&asked)
}

#[test]
fn a_user_that_is_as_asked_is_settled() {
    assert_eq!(planned(json!({}), BOB), "settled");
    let all = json!({"uid": 1001, "group": "bob", "groups": ["sudo"], "home": "/home/bob", "comment": "Bob"});
    assert_eq!(planned(all, &format!("{BOB}group=sudo:x:27:bob\n")), "settled");
    assert_eq!(planned(json!({"state": "absent"}), ""), "settled");
    assert_eq!(planned(json!({"authorized_keys": []}), BOB), "settled");
}

#[test]
fn a_new_user_is_made_with_all_that_was_asked_for() {
    let made = "change\n  there is no such user\n    $ useradd --home-dir /home/bob --create-home bob";
    assert_eq!(planned(json!({}), ""), made);
    let group = planned(json!({}), "group=bob:x:1001:\n");
    assert!(group.ends_with("useradd --gid bob --home-dir /home/bob --create-home bob"), "{group}");
    let asked = json!({"uid": 7, "groups": ["sudo", "web"], "comment": "It's", "system": true});
    let plan = planned(asked, "group=sudo:x:27:\n");
    let add = "  there is no group web\n    $ groupadd --system web\n  there is no such user\n    $ useradd --system \
               --uid 7 --groups 'sudo,web' --comment \"It's\" --home-dir /home/bob --no-create-home bob";
    assert_eq!(plan, format!("change\n{add}"));
}

#[test]
fn keys_of_a_new_user_are_planned_along_with_it() {
    let plan = planned(json!({"system": true, "authorized_keys": [line(1, "bob@home")]}), "");
    let folder = "  there is no folder for keys\n    $ install -d -m 0700 -o bob -g \"$(id -g bob)\" -- /home/bob/.ssh";
    let end = line(1, "").chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    let put =
        format!("key: not there -> ssh-ed25519 …{end} bob@home\n    put /home/bob/.ssh/authorized_keys mode 0600");
    assert!(plan.contains("--create-home bob\n") && plan.contains(folder), "{plan}");
    assert!(plan.ends_with(&format!("  its keys differ\n    {put} owner bob:")), "{plan}");
}

#[test]
fn all_fields_that_differ_are_shown_and_set_at_once() {
    let asked = json!({"uid": 2000, "group": "web", "home": "/srv/bob", "comment": "Bob B."});
    let asked = bob(asked);
    let home = [Read::File { path: "/srv/bob".into(), content: false }];
    let case = case(&asked, &format!("{BOB}group=web:x:33:\n"), [HOME, "absent\n", "absent\n"]);
    let plan = case.answers("node1", &home, "absent\n").plan(&asked);
    let differs =
        "    uid: 1001 -> 2000\n    group: bob -> web\n    home: /home/bob -> /srv/bob\n    comment: Bob -> Bob B.";
    let usermod = "    $ usermod --uid 2000 --gid web --home /srv/bob --comment 'Bob B.' bob";
    let home = "  /srv/bob is not there\n    $ make /srv/bob out of /etc/skel";
    assert_eq!(plan, format!("change\n  the user differs on node1\n{differs}\n{usermod}\n{home}"));
}

#[test]
fn groups_are_joined_and_left_only_where_no_others_may_be() {
    let web = format!("{BOB}group=web:x:33:\n");
    let plan = planned(json!({"groups": ["web"]}), &web);
    let joined = "    groups: sudo -> web too\n    $ usermod --append --groups web bob";
    assert_eq!(plan, format!("change\n  the user differs on node1\n{joined}"));
    let plan = planned(json!({"groups": ["web"], "append": false}), &web);
    let left = "    groups: sudo -> web\n    $ usermod --groups web bob";
    assert_eq!(plan, format!("change\n  the user differs on node1 (removes)\n{left}"));
    let none = planned(json!({"groups": [], "append": false}), BOB);
    assert!(none.ends_with("groups: sudo -> none\n    $ usermod --groups '' bob"), "{none}");
}

#[test]
fn who_is_logged_in_logs_in_anew_to_be_in_a_group() {
    let asked = bob(json!({"groups": ["web"]}));
    let mut case = case(&asked, &format!("{BOB}group=web:x:33:\n"), [HOME, "absent\n", "absent\n"]);
    let plain = case.plan(&asked);
    case.target.host = std::sync::Arc::new(Host { user: Some("bob".into()), ..(*host("node1", &[])).clone() });
    let again = "\n  a login knows its groups from its start\n    reconnect";
    assert_eq!(case.plan(&asked), format!("{plain}{again}"));
    let gone = case.answers("node1", &[Read::Probe(bob(json!({})).probe())], &format!("{BOB}end\n"));
    let plan = gone.plan(&bob(json!({"state": "absent"})));
    assert_eq!(plan, "refused: bob is who skep logs in as on node1\nhint: it has to stay");
}

#[test]
fn a_home_that_is_missing_is_made_for_people_and_not_for_services() {
    let plan = |known: &str| case(&bob(json!({})), known, ["absent\n"; 3]).plan(&bob(json!({})));
    assert!(plan(BOB).starts_with("change\n  /home/bob is not there\n    $ make"), "{}", plan(BOB));
    assert_eq!(plan(&BOB.replace(":1001:1001:", ":65534:65534:")), "settled");
}

/// What is planned where bob is there and these are the folder and the file of his keys.
fn keyed(parameters: Value, home: &str, folder: &str, file: &str) -> String {
    let asked = bob(parameters);
    case(&asked, BOB, [home, folder, file]).plan(&asked)
}

#[test]
fn keys_that_are_there_and_heeded_are_settled() {
    let asked = || json!({"authorized_keys": [line(1, "one")]});
    let both = format!("{}\n{}\n", line(2, "two"), line(1, "another word"));
    assert_eq!(keyed(asked(), HOME, SSH, &keys_file(&both, "600", "bob")), "settled");
    assert_eq!(keyed(asked(), HOME, SSH, &keys_file(&both, "644", "root")), "settled");
    let own = "  sshd heeds no keys in a file that others may write\n    \
               $ chown bob: -- /home/bob/.ssh/authorized_keys && chmod 0600 -- /home/bob/.ssh/authorized_keys";
    for (mode, owner) in [("620", "bob"), ("600", "ann")] {
        assert_eq!(keyed(asked(), HOME, SSH, &keys_file(&both, mode, owner)), format!("change\n{own}"));
    }
    let open = keyed(asked(), HOME, &SSH.replace("700", "770"), &keys_file(&both, "600", "bob"));
    assert!(
        open.starts_with("change\n  sshd heeds no keys in a folder that others may write\n    $ install"),
        "{open}"
    );
}

#[test]
fn others_keys_go_only_where_no_others_may_be_and_a_person_is_asked() {
    let both = keys_file(&format!("{}\n{}\n", line(2, "two"), line(1, "one")), "600", "bob");
    let plan = keyed(json!({"authorized_keys": [line(1, "one")], "exclusive": true}), HOME, SSH, &both);
    assert!(plan.starts_with("change\n  its keys differ (removes)\n    key: ssh-ed25519 …"), "{plan}");
    assert!(plan.contains(" two -> not there\n    put /home/bob/.ssh/authorized_keys mode 0600 owner bob:"), "{plan}");
}

#[test]
fn root_writes_nowhere_but_into_the_users_own_folder() {
    let asked = || json!({"authorized_keys": [line(1, "one")]});
    let link = "link 777 0 0 root root 9 17.5 - L3J1bi9tb3Rk\n";
    let folder = keyed(asked(), HOME, link, "absent\n");
    assert!(folder.starts_with("refused: /home/bob/.ssh is no folder\nhint: keys are written by root"), "{folder}");
    let file = keyed(asked(), HOME, SSH, link);
    assert!(file.starts_with("refused: /home/bob/.ssh/authorized_keys is no regular file"), "{file}");
    let home = keyed(asked(), &HOME.replace(" bob bob", " ann ann").replace("1001", "9"), SSH, "absent\n");
    assert!(home.starts_with("refused: sshd heeds no keys in /home/bob: it is ann's, with mode 0755"), "{home}");
}

#[test]
fn a_user_is_removed_by_name_and_root_is_not() {
    let remove = "change\n  the user is there (removes)\n    $ userdel bob";
    assert_eq!(planned(json!({"state": "absent"}), BOB), remove);
    let root = planned(json!({"state": "absent"}), &BOB.replace(":1001:1001:", ":0:0:"));
    assert!(root.starts_with("refused: bob is root on node1"), "{root}");
}

#[test]
fn a_shell_that_is_not_there_is_refused() {
    let asked = bob(json!({"shell": "/bin/zsh"}));
    let shell = [Read::File { path: "/bin/zsh".into(), content: false }];
    let case =
        |there: &str| case(&asked, BOB, [HOME, "absent\n", "absent\n"]).answers("node1", &shell, there).plan(&asked);
    let no = "refused: there is no /bin/zsh on node1\nhint: install it in a step before, by `package`";
    assert_eq!(case("absent\n"), no);
    let link = "link 777 0 0 root root 9 17.5 - L3J1bi9tb3Rk\n";
    assert!(case(link).ends_with("    shell: /bin/sh -> /bin/zsh\n    $ usermod --shell /bin/zsh bob"));
}

#[test]
fn what_could_not_be_read_is_not_taken_for_absent() {
    let asked = bob(json!({}));
    let case = Case::new(&["node1"]).ended("node1", &[Read::Probe(asked.probe())], 1, "", "getent ended with 3");
    assert_eq!(case.plan(&asked), "refused: cannot read the user bob: getent ended with 3");
}

#[test]
fn mistakes_are_named_and_private_keys_are_not_shown() {
    let told = |mut parameters: Value| {
        parameters["name"] = parameters.get("name").cloned().unwrap_or_else(|| json!("bob"));
        mistake::<User>(parameters)
    };
    assert!(told(json!({"name": "a b"})).contains("is no name"));
    assert!(told(json!({"name": "1000"})).contains("is no name"), "getent would take it for a number");
    assert!(told(json!({"groups": ["$(x)"]})).contains("is no name"));
    assert!(told(json!({"shell": "bash"})).contains("absolute"));
    assert!(told(json!({"home": "/a:b"})).contains("absolute"));
    assert!(told(json!({"comment": "a:b"})).contains("without a colon"));
    assert!(told(json!({"append": false})).contains("goes with `groups`"));
    assert!(told(json!({"exclusive": true})).contains("goes with `authorized_keys`"));
    assert!(told(json!({"state": "absent", "uid": 7})).contains("nothing but a `name`"));
    assert!(told(json!({"password": "x"})).contains("unknown field `password`"));
    let private = told(json!({"authorized_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn"]}));
    assert!(private.contains("key 1 of `authorized_keys` is a private one") && !private.contains("b3Bl"), "{private}");
    assert!(
        told(json!({"authorized_keys": [line(1, "x"), "ssh-rsa x"]}))
            .contains("key 2 of `authorized_keys` is no public")
    );
}
