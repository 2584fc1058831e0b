//! Parameters of Ansible's modules on the actions that do the same here.

/// Parameters that are there by another name: whose, theirs, ours.
const RENAMED: &[(&str, &[&str], &str)] = &[
    ("file", &["dest", "name", "destfile"], "path"),
    ("shell", &["cmd", "command", "_raw_params", "argv"], "line"),
    ("package", &["pkg", "package", "packages", "names"], "name"),
    ("package", &["install_recommends"], "recommends"),
    ("systemd", &["name", "service"], "unit"),
    ("user", &["user"], "name"),
    ("user", &["key", "keys", "ssh_keys", "ssh_authorized_keys"], "authorized_keys"),
    ("wait_for", &["host"], "address"),
    ("container", &["published_ports", "publish"], "ports"),
    ("container", &["restart_policy"], "restart"),
    ("container", &["environment"], "env"),
    ("container", &["env_file"], "env_files"),
    ("container", &["network", "network_mode"], "networks"),
    ("container", &["etc_hosts"], "extra_hosts"),
    ("container", &["capabilities"], "cap_add"),
    ("container", &["interactive", "stdin_open"], "stdin"),
    ("container", &["working_dir"], "workdir"),
    ("container", &["mounts"], "volumes"),
    ("container", &["container_name"], "name"),
    ("container", &["mem_limit"], "memory"),
    ("build", &["path"], "context"),
    ("image", &["load_path", "archive"], "load"),
    ("network", &["subnet", "ipam_config"], "subnets"),
    ("network", &["driver_options"], "options"),
    ("network", &["enable_ipv6"], "ipv6"),
    ("swarm", &["default_addr_pool"], "pool"),
    ("secret", &["data"], "content"),
    ("secret", &["data_src", "file"], "src"),
    ("secret", &["rolling_versions"], "versioned"),
    ("secret", &["versions_to_keep"], "keep"),
    ("config", &["data"], "content"),
    ("config", &["data_src", "file"], "src"),
    ("config", &["rolling_versions"], "versioned"),
    ("config", &["versions_to_keep"], "keep"),
    ("registry_login", &["registry_url", "url"], "registry"),
    ("registry_login", &["user"], "username"),
    ("registry_login", &["pass"], "password"),
    ("volume", &["volume_name"], "name"),
    ("volume", &["driver_options", "driver_opts"], "options"),
];

/// Parameters that are said otherwise here: whose, theirs, how.
const OTHERWISE: &[(&str, &[&str], &str)] = &[
    ("file", &["group"], "it is a part of `owner`: `owner: USER:GROUP`"),
    ("file", &["recurse"], "`shell: chown -R …` with `unless` does it"),
    ("file", &["remote_src"], "`shell: cp …` with `unless: cmp …` does it; `carry` copies it from another host"),
    ("file", &["backup", "force"], "leave it out: `skep plan` shows what would be written anew"),
    ("shell", &["executable"], "`sh` runs it: `line: bash -c '…'`"),
    ("shell", &["stdin"], "let the script pass it on: `script: \"… <<'END'\"`"),
    ("shell", &["removes"], "put `unless: test ! -e PATH` beside `shell`"),
    ("shell", &["warn"], "leave it out"),
    (
        "package",
        &["update_cache", "cache_valid_time"],
        "leave it out: apt's lists are brought up to date where that is needed",
    ),
    ("package", &["upgrade"], "`state: latest` brings those that are named up to date"),
    ("package", &["allow_downgrade"], "leave it out: an older `version` takes the place of a newer one"),
    ("systemd", &["daemon_reload"], "leave it out: where a unit's files have changed, systemd reads them anew"),
    ("user", &["password", "update_password"], "it is given none: who logs in has one of its `authorized_keys`"),
    ("user", &["create_home", "createhome"], "leave it out: with `home` or `authorized_keys` one is made"),
    ("user", &["remove", "force"], "leave it out: the home of who goes stays where it is"),
    ("reboot", &["reboot_timeout"], "put `timeout` beside `reboot`"),
    ("reboot", REBOOT, "leave it out: it is over when the machine answers with another boot than before"),
    ("wait_for", &["path"], "`command: test -e PATH` waits for a file"),
    (
        "wait_for",
        &["search_regex"],
        "`command: grep -q PATTERN FILE` waits for a line of a file, `log` for a container's",
    ),
    ("wait_for", &["url"], "it is parted: `http: { port: 80, path: / }`, and `address`"),
    ("wait_for", &["state"], "leave it out: a port is waited for until it is open; `command` waits for all else"),
    ("wait_for", &["delay", "sleep"], "leave it out: it is looked at again after 0.2 to 2 s"),
    (
        "container",
        &["log_driver", "log_options"],
        "they are one: `log: { driver: json-file, options: { max-size: 10m } }`",
    ),
    ("container", &["restart_retries"], "it is a part of `restart`: `restart: on-failure:3`"),
    ("container", &["pull"], "make a step of it: `image: { name: …, pull: true }`"),
    (
        "container",
        &["detach", "recreate"],
        "leave it out: where it differs from what is asked, a new one takes its place",
    ),
    ("container", &["keep_volumes"], "leave it out: volumes are never removed"),
    ("image", &["tag"], "it is a part of `name`: `name: spark:4.1`"),
    ("image", &["source"], "one of `pull`, `build`, `load` and `carry` says where it comes from"),
    ("service", &["enabled", "pattern", "runlevel", "use"], UNIT),
    ("secret", &["data_is_b64"], "`content: \"{{ NAME | b64decode }}\"` is what is in it; `src` sends a file as it is"),
    ("secret", &["force"], "leave it out: one that differs and that nothing uses is made anew"),
    ("config", &["data_is_b64"], "`content: \"{{ NAME | b64decode }}\"` is what is in it; `src` sends a file as it is"),
    ("config", &["force"], "leave it out: one that differs and that nothing uses is made anew"),
    (
        "node",
        &["hostname", "name", "self", "id"],
        "leave it out: the step's hosts are the nodes; `on: leader` beside `hosts` has it done there",
    ),
    ("node", &["labels_state"], "leave it out: other labels are left alone"),
    ("node", &["labels_to_remove"], "a label that is `null` is taken away: `labels: { NAME: null }`"),
    ("registry_login", &["reauthorize", "relogin"], "leave it out: it logs in anew where name or password are others"),
    ("registry_login", &["config_path"], "leave it out: Docker's own place is `~/.docker` of who the step works as"),
    ("registry_login", &["email"], "leave it out: no registry asks for it any more"),
    ("volume", &["recreate"], "leave it out: one that differs is refused, for what is in it would be lost"),
    ("swarm", &["advertise_addr"], "the inventory says it: `private_address`"),
    ("swarm", &["join_token", "remote_addrs"], "leave it out: the leader's token goes straight to who joins"),
];

const UNIT: &str =
    "a unit of systemd is `systemd: { unit: NAME, state: started, enabled: true }`; `service` is one of the swarm";
const REBOOT: &[&str] = &["post_reboot_delay", "pre_reboot_delay", "connect_timeout", "test_command", "msg"];

/// Values that are said otherwise here: whose, theirs, how.
const VALUES: &[(&str, &[&str], &str)] = &[
    (
        "file",
        &["touch"],
        "an empty file has `content: \"\"`; `shell: touch PATH` with `creates: PATH` leaves one as it is",
    ),
    ("file", &["link", "hard"], "`shell: ln -s … PATH` with `creates: PATH` does it"),
    ("package", &["installed"], "here it is `present`"),
    ("package", &["removed"], "here it is `absent`"),
    (
        "systemd",
        &["restarted", "reloaded"],
        "there is none: `newer_than: [FILE]` restarts it where FILE has changed since",
    ),
    ("service", &["started", "stopped", "restarted", "reloaded"], UNIT),
    ("container", &["started"], "here it is `running`"),
    ("container", &["stopped"], "`absent` removes it; its volumes stay"),
];

/// Our name of a parameter that is called otherwise there.
fn ours(whose: &str, written: &str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(of, theirs, _)| *of == whose && theirs.contains(&written));
    renamed.map(|(.., ours)| *ours)
}

fn found(table: &[(&str, &[&str], &'static str)], whose: &str, written: &str) -> Option<&'static str> {
    table.iter().find(|(of, theirs, _)| *of == whose && theirs.contains(&written)).map(|(.., hint)| *hint)
}

/// What to say instead of what a message calls unknown among the parameters of an action.
pub fn parameter(message: &str, action: &str) -> Option<String> {
    if let Some((written, whose)) = of_mapping(message, "unknown key `") {
        let renamed = ours(whose, written).map(|ours| format!("here it is `{ours}`"));
        return renamed.or_else(|| found(OTHERWISE, whose, written).map(str::to_owned));
    }
    let value = message.strip_prefix("unknown value `")?.strip_suffix('`')?;
    found(VALUES, action, value).map(str::to_owned)
}

/// Whether a message says that a key is missing, and another one that it is there by its name elsewhere.
pub fn is_renamed(missing: &str, other: &str) -> bool {
    let Some((key, whose)) = of_mapping(missing, "missing key `") else { return false };
    of_mapping(other, "unknown key `").is_some_and(|(written, of)| of == whose && ours(of, written) == Some(key))
}

/// The key that a message speaks of, and the mapping.
fn of_mapping<'a>(message: &'a str, begin: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(begin)?.strip_suffix('`')?.split_once("` in `")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{TABLE, kind};

    fn keys(action: &str) -> Vec<String> {
        let schema = (kind(action).expect("an action").schema)().to_value();
        let mut all = Vec::new();
        gather(&schema, &mut all);
        all
    }

    fn gather(schema: &serde_json::Value, all: &mut Vec<String>) {
        let Some(parts) = schema.as_object() else { return };
        all.extend(schema["properties"].as_object().into_iter().flat_map(|keys| keys.keys().cloned()));
        parts.values().for_each(|part| gather(part, all));
    }

    #[test]
    fn what_is_theirs_is_no_key_of_ours_and_what_is_ours_is_one() {
        let is_action = |whose: &str| TABLE.iter().any(|kind| kind.name == whose);
        for (whose, theirs, ours) in RENAMED.iter().filter(|(whose, ..)| is_action(whose)) {
            let keys = keys(whose);
            assert!(keys.iter().any(|key| key == ours), "{whose}: {ours}");
            assert!(theirs.iter().all(|name| ours != name), "{whose}: {theirs:?}");
        }
        for (whose, ..) in OTHERWISE.iter().chain(VALUES) {
            assert!(is_action(whose), "{whose}");
        }
    }

    #[test]
    fn a_key_is_missing_no_more_where_it_goes_by_another_name() {
        let missing = "missing key `path` in `file`";
        assert!(is_renamed(missing, "unknown key `dest` in `file`"));
        assert!(!is_renamed(missing, "unknown key `dest` in `image`"));
        assert!(!is_renamed(missing, "unknown key `group` in `file`"));
    }
}
