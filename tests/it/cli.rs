//! The command line, from outside: exit codes and messages.

mod complete;
mod picks;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const INVENTORY: &str = "all:\n  children:\n    managers: { hosts: { node1: { address: 203.0.113.11 } } }\n    \
    workers: { hosts: { \"node[2:3]\": } }\n";

const PEERS: &str = "plays:\n  - hosts: all\n    steps:\n      - swarm: { workers: wrokers }\n      - image: { name: x, carry: \"manager[0]\" }\n";

/// `skep` in an empty folder, with nothing of ours in its environment.
fn skep(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("skep").expect("the binary");
    command.current_dir(folder).args(arguments).env_clear().env("HOME", folder).env("PATH", "/usr/bin:/bin");
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    folder
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let (code, help, errors) = skep(folder(&[]).path(), &["--help"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    insta::assert_snapshot!(help);
}

#[test]
fn bad_input_is_2_with_what_where_and_a_hint() {
    let folder = folder(&[
        ("inventory/hosts.yml", INVENTORY),
        ("broken.yml", "all:\n  hosts: [\n"),
        ("twice.yml", "all:\n  hosts:\n    a: {}\n    a: {}\n"),
        ("unknown.yml", "all:\n  hosts:\n    a: { adress: 10.0.0.1, port: many }\n"),
        ("peers.yml", PEERS),
    ]);
    let cases: &[(&str, &[&str])] = &[
        ("missing inventory", &["hosts", "-i", "nowhere.yml"]),
        ("broken YAML", &["hosts", "-i", "broken.yml"]),
        ("duplicate host", &["hosts", "-i", "twice.yml"]),
        ("wrong type", &["hosts", "-i", "unknown.yml"]),
        ("unknown host", &["hosts", "nod1"]),
        ("empty pattern", &["exec", "workers:!workers", "--", "true"]),
        ("missing playbook", &["check", "nowhere.yml"]),
        ("unknown peers", &["check", "peers.yml"]),
        ("no command", &["exec", "all"]),
        ("bad time", &["exec", "all", "--wait", "soon", "--", "true"]),
    ];
    let mut told = String::new();
    for (what, arguments) in cases {
        let (code, out, errors) = skep(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{what}: {errors}");
        told += &format!("=== {what}: skep {}\n{}\n", arguments.join(" "), errors.trim_end());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_one_inventory_of_the_folder_is_shown_resolved() {
    let folder = folder(&[("inventory/hosts.yml", INVENTORY)]);
    let (code, out, _) = skep(folder.path(), &["hosts"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out);
    let (_, json, _) = skep(folder.path(), &["hosts", "workers", "--json"]);
    let hosts: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        hosts.as_array().map(|hosts| hosts.iter().map(|host| host["name"].as_str().expect("a name")).collect()),
        Some(vec!["node2", "node3"])
    );
}

#[test]
fn a_host_that_refuses_is_3_and_told_once() {
    let inventory = "all:\n  vars: { address: 127.0.0.1, port: 1, identity_file: ../key }\n  hosts: { a: , b: }\n";
    let folder = folder(&[("inventory/hosts.yml", inventory)]);
    crate::support::sshd::keygen(&folder.path().join("key"), "ed25519", "");
    let (code, out, errors) = skep(folder.path(), &["exec", "all", "--wait", "0s", "--", "true"]);
    assert_eq!((code, out.as_str()), (3, ""), "{errors}");
    assert!(errors.contains("unreachable:") && errors.contains("hint:"), "{errors}");
    let (code, json, _) = skep(folder.path(), &["exec", "a", "--output", "json", "--wait", "0s", "--", "true"]);
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        (code, lines.len(), lines[0]["event"].as_str(), lines[0]["host"].as_str()),
        (3, 2, Some("host_lost"), Some("a"))
    );
    assert_eq!((lines[1]["event"].as_str(), lines[1]["code"].as_u64()), (Some("run_finished"), Some(3)));
}

#[test]
fn a_check_knows_the_variables_that_a_run_will_be_given() {
    let folder = folder(&[
        ("inventory/hosts.yml", INVENTORY),
        ("playbook.yml", "plays:\n- hosts: all\n  steps:\n  - shell: echo {{ colour }}\n"),
    ]);
    let (code, _, errors) = skep(folder.path(), &["check", "playbook.yml"]);
    assert!(code == 2 && errors.contains("colour"), "{code}: {errors}");
    let (code, _, errors) = skep(folder.path(), &["check", "playbook.yml", "-e", "colour=red"]);
    assert_eq!(code, 0, "{errors}");
}

#[test]
fn what_an_inventory_has_no_counterpart_for_is_told_where_it_is_looked_at_and_not_in_a_run() {
    let folder = folder(&[("hosts", "a ansible_host=127.0.0.1 ansible_port=1 ansible_python_interpreter=python3\n")]);
    for command in [&["check"][..], &["hosts"], &["hosts", "--json"]] {
        let (code, out, errors) = skep(folder.path(), &[command, &["-i", "hosts"]].concat());
        assert!(code == 0 && errors.starts_with("note: `ansible_python_interpreter` has no counterpart"), "{errors}");
        assert!(!out.contains("note:"), "{out}");
    }
    let (code, out, errors) = skep(folder.path(), &["exec", "a", "-i", "hosts", "--wait", "0s", "--", "true"]);
    assert!(code != 0 && !format!("{out}{errors}").contains("note:"), "{errors}");
}

#[test]
fn variables_beside_the_playbook_are_told_to_be_unread() {
    let folder = folder(&[
        ("lab/hosts", "a\n"),
        ("book.yml", "plays:\n- hosts: all\n  steps: [{ shell: 'true' }]\n"),
        ("group_vars/all.yml", "x: 1\n"),
    ]);
    let (code, _, errors) = skep(folder.path(), &["check", "book.yml", "-i", "lab/hosts"]);
    assert!(
        code == 0 && errors.contains("note: `./group_vars` is not read: it stands beside the playbook"),
        "{errors}"
    );
    std::fs::rename(folder.path().join("lab/hosts"), folder.path().join("hosts")).expect("it moves");
    let (code, _, errors) = skep(folder.path(), &["check", "book.yml", "-i", "hosts"]);
    assert_eq!((code, errors.as_str()), (0, ""), "beside both it is read");
}

#[test]
fn each_variable_is_shown_with_who_says_so_and_over_whom() {
    let hosts = "[web]\nw1 size=2 ansible_host=10.0.0.1\nw2\n[web:vars]\nsize=1\nurl=http://{{ ansible_host }}/{{ missing }}\nname={{ inventory_hostname }}\n";
    let book = "vars: { size: 0, colour: red, all: \"{{ size }}-{{ colour }}\" }\nplays:\n- name: Web\n  hosts: web\n  vars: { colour: blue }\n  \
        steps:\n  - id: one\n    shell: true\n    vars: { size: 9 }\n- hosts: w2\n  vars: { other: 1 }\n  steps: [{ shell: true }]\n";
    let folder = folder(&[
        ("lab/hosts", hosts),
        (
            "lab/group_vars/all/main.yml",
            "ansible_user: ubuntu\nsize: 3\ndb_password: s3cret-here\ndb_url: \"x:{{ db_password }}@y\"\nlist: [1, {a: b}]\n",
        ),
        ("lab/host_vars/w1", "colour: green\n"),
        ("book.yml", book),
    ]);
    let (code, out, errors) = skep(folder.path(), &["hosts", "w1", "--vars", "-i", "lab/hosts"]);
    let note = "note: `db_password` looks like a secret in plain text: `db_password: { secret: true, command: LINE }`";
    assert!(code == 0 && errors.starts_with(note), "{code} {errors}");
    let with =
        ["hosts", "w1", "--vars", "-i", "lab/hosts", "--playbook", "book.yml", "-e", "colour=black", "-e", "x=1"];
    let (_, more, _) = skep(folder.path(), &with);
    assert!(!format!("{out}{more}{errors}").contains("s3cret"), "{out}{more}{errors}");
    insta::assert_snapshot!(format!("{out}\n{more}"));
    let (_, json, _) = skep(folder.path(), &["hosts", "w1", "--vars", "--json", "-i", "lab/hosts"]);
    let hosts: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let size = hosts[0]["vars"].as_array().and_then(|vars| vars.iter().find(|var| var["name"] == "size"));
    assert_eq!(size.map(|size| size["over"][0]["level"].clone()), Some("group_vars of all".into()));
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let folder = folder(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, _) = skep(folder.path(), &["completions", shell]);
        assert!(code == 0 && script.contains("SKEP_COMPLETE"), "{shell}");
    }
    let (code, page, _) = skep(folder.path(), &["man", "exec"]);
    assert!(code == 0 && page.contains(".SH SYNOPSIS"), "{page}");
    assert_eq!(skep(folder.path(), &["man", "nope"]).0, 2);
}

#[test]
fn schemas_are_printed_as_they_ship() {
    let folder = folder(&[]);
    for kind in ["playbook", "inventory", "steps"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{kind}.json"));
        let (code, schema, errors) = skep(folder.path(), &["schema", kind]);
        assert!(code == 0 && schema == fs::read_to_string(file).expect("a schema"), "{kind}: {errors}");
    }
    let (code, _, errors) = skep(folder.path(), &["schema", "playbok"]);
    assert!(code == 2 && errors.contains("inventory"), "{errors}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = folder(&[("inventory/hosts.yml", INVENTORY)]);
    let script = format!("{} man | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_skep"));
    let output = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().expect("bash");
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"0\n"[..], &b""[..]));
}
