//! Words of Ansible's users, and what is said here instead.

mod parameters;

use crate::yaml::{Node, Value};

pub(super) use parameters::{is_renamed, parameter};

/// Keys of plays and tasks.
const KEYS: &[(&str, &str)] = &[
    ("tasks", "here it is `steps`"),
    ("pre_tasks", "`steps` are taken in their order: put these first"),
    ("post_tasks", "`steps` are taken in their order: put these last"),
    ("roles", "a role is a file of steps here: `include: FILE` among the `steps`"),
    (
        "handlers",
        "there are none: an action restarts what it must, by what it reads (`restart_if_newer` of `container`)",
    ),
    (
        "notify",
        "there are no handlers: an action restarts what it must, by what it reads (`restart_if_newer` of `container`)",
    ),
    ("listen", "there are no handlers"),
    ("gather_facts", "leave it out: a fact is read where an expression asks for it"),
    ("remote_user", "the inventory says who logs in: `user`"),
    ("become_method", "leave it out: root is become through sudo"),
    ("strategy", "leave it out: a step is taken on all its hosts at once; `serial` takes them batch by batch"),
    ("any_errors_fatal", "leave it out: `skep run --fail-fast` ends a run with the first failure"),
    ("max_fail_percentage", "leave it out: a play with `serial` stops where a host fails"),
    ("import_playbook", "a playbook has `plays`; steps of another file are had by `include` among `steps`"),
    ("with_items", "here it is `loop`"),
    ("with_dict", "here it is `loop`: `loop: \"{{ NAME | items }}\"` has the pairs of a mapping"),
    ("with_list", "here it is `loop`"),
    ("with_sequence", "here it is `loop`: `loop: \"{{ range(1, 9) }}\"`"),
    ("loop_control", "leave it out: each of the loop is `item`"),
    ("delegate_to", "here it is `on`: `on: leader`, `on: NAME`"),
    ("run_once", "say on which host: `hosts: leader`, `hosts: GROUP[0]`"),
    ("local_action", "nothing is done on this machine: `lookup` and `vars_files` are what it is asked for"),
    ("changed_when", "`changes: false` says that a line only looks; `creates` or `unless`, when it need not run"),
    (
        "failed_when",
        "let the line end with the code that it means, or have `ignore_errors` and ask for `.failed` of what it registers",
    ),
    ("until", "`retries` tries again what fails; a step `wait_for: { command: … }` waits for what is to come true"),
    ("delay", "leave it out: what is tried again waits longer each time, up to 2 s"),
    ("async", "leave it out: hosts are worked on side by side; `timeout` says how long a step may take"),
    ("poll", "leave it out: hosts are worked on side by side; `timeout` says how long a step may take"),
    ("no_log", "leave it out: what a variable with `secret: true` holds is masked wherever it comes"),
    ("check_mode", "leave it out: `skep plan` shows what would be done"),
    ("block", BLOCK),
    ("rescue", BLOCK),
    ("always", BLOCK),
    ("args", "parameters stand in the action: `shell: { line: …, chdir: … }`"),
    ("chdir", "it is a parameter: `shell: { line: …, chdir: … }`"),
];

const BLOCK: &str =
    "steps that belong together are a file of their own: `include: FILE`, with `when`, `become` and the like";

/// Keys that belong elsewhere: in what, which, and what to do.
const ELSEWHERE: &[(&str, &[&str], &str)] = &[
    (
        "a playbook",
        &["hosts", "steps", "serial", "become", "become_user", "tags"],
        "it belongs to a play: `plays:`, and under it `- hosts: …`",
    ),
    ("a play", &["when", "loop", "on", "timeout", "environment", "ignore_errors", "register"], "it belongs to a step"),
    ("a step", &["serial", "steps", "vars_files"], "it belongs to a play"),
    (
        "an include",
        &["loop", "register", "timeout", "environment", "ignore_errors"],
        "it belongs to the steps of the file themselves",
    ),
];

/// Modules, and the action that there is for them.
const MODULES: &[(&[&str], &str)] = &[
    (&["copy", "template", "lineinfile", "blockinfile", "replace"], "file"),
    (&["command", "raw", "script", "expect"], "shell"),
    (&["docker_container", "podman_container"], "container"),
    (&["docker_image", "docker_image_pull", "docker_image_build"], "image"),
    (&["docker_network"], "network"),
    (&["docker_volume"], "volume"),
    (&["docker_swarm_service"], "service"),
    (&["docker_secret"], "secret"),
    (&["docker_config"], "config"),
    (&["docker_node"], "node"),
    (&["docker_login"], "registry_login"),
    (&["docker_swarm"], "swarm"),
    (&["wait_for_connection", "pause"], "wait_for"),
    (&["apt", "yum", "dnf", "apt_repository", "apt_key", "deb822_repository"], "package"),
    (&["systemd", "systemd_service"], "systemd"),
    (&["group", "authorized_key"], "user"),
];

/// Modules whose parameters have other names, the action, and how it is written.
const LINES: &[(&[&str], &str, &str)] = &[
    (&["copy"], "file", "`file: { path: DEST, src: FILE }`, or `content` in place of `src`"),
    (&["template"], "file", "`file: { path: DEST, template: FILE }`"),
    (
        &["lineinfile", "blockinfile", "replace"],
        "file",
        "`file`, which says all that is in it: `content`, `template`, `src`",
    ),
    (&["apt", "yum", "dnf"], "package", "`package: { name: NAME }`"),
    (&["systemd_service"], "systemd", "`systemd: { unit: NAME, state: started }`"),
    (&["authorized_key"], "user", "`user: { name: NAME, authorized_keys: [KEY] }`"),
];

/// Modules that are something else here.
const OTHERWISE: &[(&[&str], &str)] = &[
    (&["include_tasks", "import_tasks", "include_role", "import_role"], "here it is `include`: `include: FILE`"),
    (
        &["set_fact", "include_vars"],
        "variables are set in `vars` and `vars_files`; what a command says, by `lookup` or `register`",
    ),
    (&["debug"], "what a line prints is shown: `shell: echo …` with `changes: false`"),
    (&["assert", "fail"], "a line that ends badly fails its step: `shell: test …` with `changes: false`"),
    (&["setup", "gather_facts"], "leave it out: a fact is read where an expression asks for it"),
    (&["stat", "slurp", "find"], "`shell` or `lookup` looks at files: `test -e PATH`, with `changes: false`"),
];

/// Names that expressions know there.
const NAMES: &[(&str, &str)] = &[
    ("ansible_facts", "facts"),
    ("ansible_distribution", "facts.os"),
    ("ansible_os_family", "facts.os"),
    ("ansible_distribution_version", "facts.os_version"),
    ("ansible_distribution_release", "facts.codename"),
    ("ansible_architecture", "facts.architecture"),
    ("ansible_hostname", "facts.hostname"),
    ("ansible_processor_vcpus", "facts.cores"),
    ("ansible_memtotal_mb", "facts.memory_mib"),
    ("ansible_default_ipv4", "facts.addresses[0]"),
    ("ansible_all_ipv4_addresses", "facts.addresses"),
    ("ansible_host", "host.address"),
    ("ansible_play_hosts", "groups"),
    ("inventory_dir", "playbook_dir"),
    ("group_names", "host.groups"),
];

/// What to say instead of a key.
pub(super) fn key(written: &str, what: &str) -> Option<&'static str> {
    if written.starts_with('-') {
        return Some("the items of a list begin with `- `: a space is missing");
    }
    let elsewhere = ELSEWHERE.iter().find(|(place, keys, _)| *place == what && keys.contains(&written));
    let known = KEYS.iter().find(|(theirs, _)| *theirs == written).map(|(_, hint)| *hint);
    elsewhere.map(|(.., hint)| *hint).or(known)
}

/// Whether a key is what another one is called elsewhere.
pub(super) fn means(written: &str, ours: &str) -> bool {
    written == "tasks" && ours == "steps"
}

/// What to say instead of a module, given the actions that there are.
pub(super) fn action(written: &str, actions: &[&str]) -> Option<String> {
    let name = written.rsplit('.').next().unwrap_or(written);
    let has = |names: &&[&str]| names.contains(&name);
    if let Some((.., line)) = LINES.iter().find(|(theirs, ours, _)| has(theirs) && actions.contains(ours)) {
        return Some(format!("here it is {line}"));
    }
    let ours = MODULES.iter().find(|(theirs, _)| has(theirs)).map(|(_, ours)| *ours);
    if let Some(ours) = ours.or_else(|| actions.iter().find(|ours| **ours == name && name != written).copied()) {
        let there = actions.contains(&ours);
        let here =
            if there { format!("here it is `{ours}`") } else { "`shell` with `creates` or `unless` does it".into() };
        return Some(here);
    }
    let otherwise = OTHERWISE.iter().find(|(theirs, _)| has(theirs)).map(|(_, hint)| *hint);
    otherwise.or_else(|| key(name, "a step")).map(str::to_owned)
}

/// What to say instead of a name in an expression.
pub(super) fn name(written: &str) -> Option<String> {
    match NAMES.iter().find(|(theirs, _)| *theirs == written) {
        Some((_, ours)) => Some(format!("here it is `{ours}`")),
        None if ["lookup", "query", "q"].contains(&written) => {
            Some("what a command says is a variable: `lookup: { NAME: LINE }` beside `vars`".into())
        }
        None => None,
    }
}

/// How a value is written that has another form there.
pub(super) fn form(key: &str, node: &Node) -> Option<String> {
    match (key, &node.value) {
        ("when", Value::List(_)) => Some("join them: `when: a == 1 and b == 2`".into()),
        ("hosts", Value::List(_)) => Some("join them with colons: `hosts: node1:node2`".into()),
        ("plays" | "steps", Value::Map(_)) => Some("begin each of them with `- `".into()),
        ("vars", Value::List(_)) => Some("write `name: value`, without `- `".into()),
        ("environment", Value::List(_)) => Some("write `NAME: value`, a line for each".into()),
        ("loop", Value::Map(_)) => Some("the pairs of a mapping are `loop: \"{{ NAME | items }}\"`".into()),
        (key, Value::Str(text)) if FLAGS.contains(&key) => truth(text).map(|truth| format!("write `{truth}`")),
        _ => None,
    }
}

const FLAGS: &[&str] = &["become", "ignore_errors", "changes", "may_fail", "secret"];

/// What is true and false in older YAML, or was put in quotes.
fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "on" | "true" => Some(true),
        "no" | "off" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::TABLE;

    #[test]
    fn what_is_an_action_here_is_no_foreign_word() {
        for kind in TABLE {
            assert!(key(kind.name, "a step").is_none(), "{}", kind.name);
            assert!(
                MODULES.iter().all(|(theirs, _)| !theirs.contains(&kind.name) || kind.name == "systemd"),
                "{}",
                kind.name
            );
        }
    }

    #[test]
    fn a_full_name_ends_with_the_module() {
        assert_eq!(
            action("ansible.builtin.template", &["file"]).as_deref(),
            Some("here it is `file: { path: DEST, template: FILE }`")
        );
        assert_eq!(action("community.docker.docker_image", &["image"]).as_deref(), Some("here it is `image`"));
        assert_eq!(action("ansible.builtin.shell", &["shell"]).as_deref(), Some("here it is `shell`"));
        assert_eq!(action("apt", &["shell"]).as_deref(), Some("`shell` with `creates` or `unless` does it"));
        assert_eq!(action("block", &[]).as_deref(), Some(BLOCK));
        assert_eq!(action("shell", &["shell"]), None);
    }
}
