//! Passwords for sudo: from the inventory and from the terminal, and where they are never seen.

use super::interrupt::OnTerminal;
use super::*;

/// One host whose user has this password, which sudo asks for at each command.
fn asks(password: &str) -> (Ground, Somebody) {
    let (ground, somebody) = (Ground::new(&["alpha"]), Somebody::with_password(password));
    somebody.with("timestamp_timeout=0, lecture=always");
    logs_in(&ground, &somebody.name);
    (ground, somebody)
}

fn password() -> String {
    format!("s3cret-{:x}", rand::random::<u64>())
}

/// Everything that a run left in its folder, the inventory left out.
fn kept(ground: &Ground) -> String {
    let journals = fs::read_dir(ground.path(".skep/runs")).unwrap().flatten();
    journals.map(|journal| fs::read_to_string(journal.path()).unwrap()).collect()
}

#[test]
fn a_run_becomes_root_with_the_inventorys_password_and_tells_nobody() {
    let password = password();
    let (ground, somebody) = asks(&password);
    logs_in_with(&ground, &somebody.name, &format!("ansible_become_pass: {password}"));
    ground.write(
        "playbook.yml",
        &format!(
            "plays:\n- hosts: all\n  steps:\n  - id: file\n    file: {{ path: {}, content: x }}\n  - id: who\n    shell: id -un\n    \
             changes: false\n  - id: login\n    become: false\n    shell: id -un\n    changes: false\n  - id: stdin\n    \
             shell: cat; env; false\n",
            ground.path("made").display()
        ),
    );
    let output = ground.skep(&["run", "playbook.yml", "--verbose", "--output", "json"]);
    let told = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "the last step fails: {told}");
    let events: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let outcomes: Vec<_> = outcomes(&events, "alpha").into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["changed", "unchanged", "unchanged", "failed"], "{told}");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(ground.path("made")).unwrap());
    assert_eq!(owner, 0);
    for (told, where_) in [(told, "output"), (kept(&ground), "journal")] {
        assert!(!told.contains(&password) && !told.contains("asks-"), "{where_}: {told}");
    }
    let hosts = ground.skep(&["hosts", "--json"]);
    assert!(hosts.status.success() && !String::from_utf8_lossy(&hosts.stdout).contains(&password));
}

#[test]
fn a_wrong_password_is_1_and_said_once() {
    let (ground, somebody) = asks(&password());
    let wrong = password();
    logs_in_with(&ground, &somebody.name, &format!("become_password: {wrong}"));
    let (code, told) = ground.told(&[]);
    assert!(code == 1 && told.contains(&format!("sudo refused the password for {} on alpha", somebody.name)), "{told}");
    assert!(told.contains("hint: correct its become_password in the inventory"), "{told}");
    assert!(!told.contains(&wrong), "{told}");
}

#[test]
fn a_password_is_asked_for_once_on_the_terminal_and_not_shown() {
    let password = password();
    let (ground, somebody) = asks(&password);
    let mut terminal = OnTerminal::start(&ground, "exec all -K -- 'id -un; cat'");
    terminal.types_at("Password for sudo: ", &format!("{password}\n"));
    assert_eq!(terminal.code(), Some(0), "{}", terminal.told());
    let told = terminal.told();
    assert!(told.contains("root") && !told.contains(&password) && !told.contains("s3cret"), "{told}");
    assert!(ground.servers[0].log().contains(&somebody.name));
    let mut terminal = OnTerminal::start(&ground, "exec all -k -K -- id -un");
    terminal.types_at("Password to log in with: ", &format!("{password}\n"));
    terminal.types_at("Password for sudo, if it is another one: ", "\n");
    assert_eq!(terminal.code(), Some(0), "{}", terminal.told());
}

#[test]
fn nobody_is_contacted_without_the_password_that_is_to_be_asked_for() {
    let (ground, _somebody) = asks("unknown");
    for option in ["-K", "--ask-become-pass", "-k", "--ask-pass"] {
        let output = ground.skep(&["exec", "all", option, "--", "true"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains("no terminal to ask for a password on"), "{told}");
        assert!(told.contains("\n\nhint: say it in the inventory: password, become_password"), "{told}");
    }
    let (code, took) = OnTerminal::start(&ground, "run playbook.yml -K").interrupted_at("Password for sudo: ");
    assert!(code == Some(130) && took < Duration::from_secs(5), "{code:?} {took:?}");
    let mut terminal = OnTerminal::start(&ground, "run playbook.yml -K");
    terminal.types_at("Password for sudo: ", "\n");
    assert!(terminal.code() == Some(2) && terminal.told().contains("no password was given"), "{}", terminal.told());
    assert_eq!(ground.servers[0].connections(), 0);
}

#[test]
fn ctrl_c_ends_what_runs_with_a_password() {
    let password = password();
    let (ground, somebody) = asks(&password);
    somebody.with_terminals();
    logs_in_with(&ground, &somebody.name, &format!("become_password: {password}"));
    let told = super::fleet::interrupted(&ground, &["exec", "all", "--", "exec sleep 86425.5"], "sleep 86425.5");
    assert!(!told.contains(&password), "{told}");
}
