//! What a plan shows, and whether the command that is told after a failure can be gone on with.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::{Ground, outcomes};

const FILES: &str = "
plays:
- hosts: all
  steps:
  - id: as-asked
    shell: echo is there
    changes: false
  - id: open
    file: { path: \"{{ root }}/open\", content: \"one\\ntwo\\n\" }
  - id: closed
    file: { path: \"{{ root }}/closed\", content: \"private\\n\" }
  - id: telling
    file: { path: \"{{ root }}/telling\", content: \"password=hunter2\\n\" }
  - id: new
    file: { path: \"{{ root }}/new\", content: \"new\\n\" }
  - id: shown
    shell: cat {{ root }}/open
    changes: false
    register: shown
  - id: known-later
    shell: echo {{ shown.stdout }}
    when: shown.code == 3
";

fn has(ground: &Ground, name: &str, mode: u32, content: &str) {
    ground.write(&format!("alpha/{name}"), content);
    fs::set_permissions(ground.path(&format!("alpha/{name}")), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_plan_tells_of_every_step_and_shows_lines_where_everybody_may_read_them() {
    let ground = Ground::new(&["alpha"]);
    ground.write("playbook.yml", FILES);
    fs::set_permissions(ground.folder.path(), Permissions::from_mode(0o755)).unwrap();
    has(&ground, "open", 0o644, "one\n2\n");
    has(&ground, "closed", 0o600, "hidden\n");
    has(&ground, "telling", 0o644, "password=hunter1\n");
    let output = ground.skep(&["plan", "playbook.yml"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(10), "{told}");
    let (lines, _) = told.rsplit_once(" (").expect("a time at its end");
    insta::assert_snapshot!(lines.replace(&ground.path("alpha").display().to_string(), "ROOT"));
    let told = told + &ground.kept("jsonl") + &ground.kept("log");
    for secret in ["hunter", "private\n", "private\\n", "hidden"] {
        assert!(!told.contains(secret), "{secret} in\n{told}");
    }
}

#[test]
fn a_folder_that_lets_nobody_in_keeps_its_lines() {
    let ground = Ground::new(&["alpha"]);
    ground.write("playbook.yml", FILES);
    fs::set_permissions(ground.folder.path(), Permissions::from_mode(0o700)).unwrap();
    has(&ground, "open", 0o644, "one\n2\n");
    let told = String::from_utf8(ground.skep(&["plan", "playbook.yml"]).stdout).unwrap();
    assert!(told.contains("content  6 bytes, sha256") && !told.contains("@@"), "{told}");
}

#[test]
fn the_way_on_after_a_failure_has_what_its_steps_need() {
    let ground = Ground::new(&["alpha"]);
    ground.write(
        "playbook.yml",
        "plays:\n- hosts: all\n  steps:\n  - { id: first, shell: 'true', changes: false }\n  \
         - { id: look, shell: echo 42, changes: false, register: answer }\n  \
         - { id: fails, shell: 'test -e {{ root }}/there && touch {{ root }}/done', creates: '{{ root }}/done' }\n  \
         - { id: needs, shell: 'echo {{ answer.stdout }} >{{ root }}/answer', creates: '{{ root }}/answer' }\n",
    );
    let (code, told) = ground.told(&[]);
    let way_on = told.lines().find_map(|line| line.strip_prefix("To go on: skep ")).map(str::to_owned);
    let way_on = way_on.unwrap_or_else(|| panic!("{code}: no way on in\n{told}"));
    assert!(code == 1 && way_on.ends_with(" --from look"), "{code}: {way_on}");
    ground.write("alpha/there", "");
    let output = ground.skep(&[&way_on.split(' ').collect::<Vec<_>>()[..], &["--output", "json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<String> = outcomes(&events, "alpha").into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, ["look", "fails", "needs"]);
    assert_eq!(fs::read_to_string(ground.path("alpha/answer")).unwrap(), "42\n");
}
