//! `skep run` from outside, against real OpenSSH servers: what it costs, and what it says on bad days.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::somebody::Somebody;
use crate::support::sshd::{Sshd, keygen};

mod become_root;
mod faults;
mod fleet;
mod forward;
mod interrupt;
mod killed;
mod secrets;
mod status;
mod submit;
mod telling;

const PLAYBOOK: &str = "
name: Two files
plays:
- hosts: all
  steps:
  - id: one
    file: { path: \"{{ root }}/one\", content: \"1\" }
  - id: two
    file: { path: \"{{ root }}/two\", content: \"2\" }
  - id: guarded
    shell: cp {{ root }}/one {{ root }}/three
    creates: \"{{ root }}/three\"
  - id: look
    shell: cat {{ root }}/one {{ root }}/two
    changes: false
  - id: use
    when: facts.cores > 0
    file: { path: \"{{ root }}/cores\", content: \"{{ facts.cores }}\" }
";

/// Some servers, and a folder with a playbook and an inventory that knows them.
struct Ground {
    folder: tempfile::TempDir,
    servers: Vec<Sshd>,
}

impl Ground {
    fn new(names: &[&str]) -> Self {
        Self::with(names, |_, _| String::new())
    }

    /// The same, with `lines` ahead of the configuration of each server.
    fn with(names: &[&str], lines: impl Fn(&Path, &str) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servers = names.iter().map(|name| Sshd::with(&lines(folder.path(), name))).collect();
        let ground = Self { folder, servers };
        let hosts = names.iter().zip(&ground.servers).map(|(name, server)| (*name, server.keys(server.port)));
        ground.inventory(&hosts.collect::<Vec<_>>());
        ground.write("playbook.yml", PLAYBOOK);
        ground
    }

    /// Writes the inventory: each host's name, and its keys beside address, user and root.
    fn inventory(&self, hosts: &[(&str, String)]) {
        let mut text = "all:\n  vars: { become: false }\n  hosts:\n".to_owned();
        for (name, keys) in hosts {
            let root = self.path(name);
            fs::create_dir_all(&root).unwrap();
            text +=
                &format!("    {name}: {{ address: 127.0.0.1, user: {}, root: {}, {keys} }}\n", user(), root.display());
        }
        self.write("inventory/hosts.yml", &text);
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn skep(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// `skep` in this folder, with nothing of ours in its environment.
    fn command(&self) -> std::process::Command {
        let mut skep = std::process::Command::new(assert_cmd::cargo::cargo_bin("skep"));
        skep.current_dir(self.folder.path()).env_clear().env("SKEP_SSH_CONFIG", "none");
        skep.env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        skep
    }

    /// Runs the playbook with events as JSON.
    fn run(&self, more: &[&str]) -> (i32, Vec<Value>) {
        let output = self.skep(&[&["run", "playbook.yml", "--output", "json"], more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
        (output.status.code().unwrap(), events.collect())
    }

    /// What the only run so far left in its journal (`jsonl`) or log (`log`); nothing where there is none.
    fn kept(&self, extension: &str) -> String {
        let path = self.kept_at(extension);
        path.map_or(String::new(), |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())
    }

    /// Where that lies.
    fn kept_at(&self, extension: &str) -> Option<PathBuf> {
        let mut all = fs::read_dir(self.path(".skep/runs")).into_iter().flatten().flatten().map(|entry| entry.path());
        all.find(|path| path.extension().is_some_and(|own| own == extension))
    }

    /// What is told on standard error by a run that only waits a moment for hosts.
    fn told(&self, more: &[&str]) -> (i32, String) {
        let output = self.skep(&[&["run", "playbook.yml", "--wait", "1s"], more].concat());
        let told = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&told).into_owned())
    }
}

fn user() -> String {
    crate::support::sshd::must("id", &["-un"])
}

fn outcomes(events: &[Value], host: &str) -> Vec<(String, String)> {
    let of = |event: &&Value| event["event"] == "job_finished" && event["host"] == host;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events.iter().filter(of).map(|event| (text(&event["step"]), text(&event["outcome"]))).collect()
}

#[test]
fn a_rerun_with_nothing_to_change_is_one_connection_and_one_command_per_host() {
    let ground = Ground::new(&["alpha", "beta"]);
    let (code, events) = ground.run(&[]);
    assert_eq!(code, 0, "{events:#?}");
    let before: Vec<_> = ground.servers.iter().map(|server| (server.connections(), server.execs())).collect();
    let (code, events) = ground.run(&[]);
    assert_eq!(code, 0);
    for host in ["alpha", "beta"] {
        let outcomes = outcomes(&events, host);
        assert!(outcomes.len() == 5 && outcomes.iter().all(|(_, how)| how == "unchanged"), "{host}: {outcomes:?}");
    }
    for (server, (connections, execs)) in ground.servers.iter().zip(before) {
        assert_eq!((server.connections() - connections, server.execs() - execs), (1, 1), "{}", server.log());
    }
}

#[test]
fn a_plan_is_the_same_run_without_the_changes() {
    let ground = Ground::new(&["alpha"]);
    assert_eq!(ground.skep(&["plan", "playbook.yml"]).status.code(), Some(10));
    assert!(!ground.path("alpha/one").exists());
    assert_eq!(ground.run(&[]).0, 0);
    let output = ground.skep(&["plan", "playbook.yml"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("Nothing to do"), "{told}");
}

#[test]
fn any_step_runs_alone() {
    let ground = Ground::new(&["alpha"]);
    let (code, events) = ground.run(&["--step", "two"]);
    assert_eq!((code, outcomes(&events, "alpha")), (0, vec![("two".to_owned(), "changed".to_owned())]));
    assert!(ground.path("alpha/two").exists() && !ground.path("alpha/one").exists());
}

#[test]
fn a_dead_host_is_3_and_the_others_are_as_asked() {
    let mut ground = Ground::new(&["alpha", "beta"]);
    ground.servers[1].stop();
    let (code, told) = ground.told(&[]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("beta") && told.contains("refused"), "{told}");
    assert!(ground.path("alpha/three").exists());
}

#[test]
fn a_host_that_swallows_packets_ends_at_its_deadline() {
    let ground = Ground::new(&["alpha"]);
    let dumb = TcpListener::bind("127.0.0.1:0").unwrap();
    // Where nobody accepts and the queue is full, the kernel lets packets fall as a firewall does.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let full_at = full.local_addr().unwrap().as_socket().unwrap();
    let _queue: Vec<_> = (0..4).map(|_| std::thread::spawn(move || TcpStream::connect(full_at))).collect();
    std::thread::sleep(Duration::from_millis(200));
    for (port, why) in
        [(dumb.local_addr().unwrap().port(), "no word of SSH"), (full_at.port(), "packets are swallowed")]
    {
        let keys = format!("port: {port}, identity_file: {}", ground.servers[0].identity().display());
        ground.inventory(&[("alpha", keys)]);
        let began = Instant::now();
        let (code, told) = ground.told(&[]);
        assert!(code == 3 && told.contains("alpha") && told.contains(why), "{code}: {told}");
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
}

#[test]
fn an_unknown_host_key_is_refused_and_the_flag_is_named() {
    let ground = Ground::new(&["alpha"]);
    let keys = format!("port: {}, identity_file: {}", ground.servers[0].port, ground.servers[0].identity().display());
    ground.inventory(&[("alpha", keys)]);
    let (code, told) = ground.told(&[]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("--accept-new-host-keys"), "{told}");
    let (code, told) = ground.told(&["--accept-new-host-keys"]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_changed_host_key_is_refused_whatever_was_said() {
    let ground = Ground::new(&["alpha"]);
    keygen(&ground.path("other"), "ed25519", "");
    let other = fs::read_to_string(ground.path("other.pub")).unwrap();
    let other = other.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let server = &ground.servers[0];
    let keys = format!("port: {}, host_key: \"{other}\", identity_file: {}", server.port, server.identity().display());
    ground.inventory(&[("alpha", keys)]);
    let (code, told) = ground.told(&["--accept-new-host-keys"]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("SHA256:"), "both fingerprints are shown: {told}");
    assert_eq!(server.logins(), 0);
}

#[test]
fn a_wrong_user_or_key_is_3_and_says_whom_it_tried() {
    let ground = Ground::new(&["alpha"]);
    keygen(&ground.path("stranger"), "ed25519", "");
    let server = &ground.servers[0];
    let key = server.host_key();
    let key = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let keys =
        format!("port: {}, host_key: \"{key}\", identity_file: {}", server.port, ground.path("stranger").display());
    ground.inventory(&[("alpha", keys)]);
    let (code, told) = ground.told(&[]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains(&user()) && told.contains("stranger"), "{told}");
}

#[test]
fn a_user_that_is_not_there_is_3_and_named() {
    let ground = Ground::new(&["alpha"]);
    logs_in(&ground, "nobody-there");
    let (code, told) = ground.told(&[]);
    assert!(code == 3 && told.contains("permission denied for the user \"nobody-there\""), "{code}: {told}");
    assert!(told.contains("hint: is \"nobody-there\" the right user"), "{told}");
}

#[test]
fn a_key_that_cannot_be_recorded_is_a_warning() {
    let ground = Ground::new(&["alpha"]);
    let keys = format!("port: {}, identity_file: {}", ground.servers[0].port, ground.servers[0].identity().display());
    ground.inventory(&[("alpha", keys)]);
    fs::create_dir(ground.path(".ssh")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", ground.path(".ssh/known_hosts")).unwrap();
    let (code, told) = ground.told(&["--accept-new-host-keys"]);
    assert!(code == 0 && told.contains("warning: the key of [127.0.0.1]:"), "{code}: {told}");
    assert!(told.contains("was accepted but not recorded in"), "{told}");
}

#[test]
fn what_cannot_log_in_is_2_and_nobody_is_contacted() {
    let ground = Ground::new(&["alpha", "beta"]);
    keygen(&ground.path("locked"), "ed25519", "open sesame");
    let good = format!("identity_file: {}", ground.servers[0].identity().display());
    for (keys, told) in [
        ("identity_file: nowhere".to_owned(), "nowhere"),
        (format!("identity_file: {}", ground.path("locked").display()), "needs a passphrase or its agent"),
        ("become: false".to_owned(), "there is no key to log in with"),
        (format!("host_key: ssh-ed25519 what, {good}"), "is not a whole public key"),
        (format!("jump: bastion, {good}"), "bastion:22: there is no key to log in with"),
        (format!("jump: '@', {good}"), "says no hosts to go through"),
    ] {
        let port = |nth: usize| format!("port: {}, ", ground.servers[nth].port);
        ground.inventory(&[("alpha", port(0) + &good), ("beta", port(1) + &keys)]);
        let exec = ground.skep(&["exec", "all", "--", "true"]);
        let exec = (exec.status.code().unwrap(), String::from_utf8(exec.stderr).unwrap());
        for (code, said) in [ground.told(&[]), exec] {
            assert!(code == 2 && said.contains(told), "{told}: {code}: {said}");
        }
    }
    assert_eq!(ground.servers.iter().map(Sshd::connections).sum::<usize>(), 0);
}

#[test]
fn a_pin_that_is_none_is_told_at_its_place() {
    let ground = Ground::new(&["alpha"]);
    ground.write("inventory/hosts.yml", "all:\n  hosts:\n    alpha:\n      host_key:\n        - SHA256:short\n");
    let (code, told) = ground.told(&[]);
    assert!(code == 2 && told.contains("hosts.yml:5:11") && told.contains("not a whole fingerprint"), "{told}");
    ground.write("inventory/hosts.yml", "all:\n  hosts:\n    alpha:\n");
    let output = ground.skep(&["hosts", "--ssh", "--ssh-config", "nowhere"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the ssh_config nowhere cannot be read: No such file"), "{told}");
}

/// An inventory with one host, on which this user logs in and is to become root.
fn logs_in(ground: &Ground, name: &str) {
    logs_in_with(ground, name, "");
}

/// The same with further keys for that host.
fn logs_in_with(ground: &Ground, name: &str, keys: &str) {
    let server = &ground.servers[0];
    let key = server.host_key();
    let key = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let (port, file) = (server.port, server.identity().display().to_string());
    let host = format!("address: 127.0.0.1, port: {port}, user: {name}, host_key: \"{key}\", identity_file: {file}");
    ground.write("inventory/hosts.yml", &format!("all:\n  hosts:\n    alpha: {{ {host}, root: /tmp, {keys} }}\n"));
}

#[test]
fn a_refused_sudo_is_1_and_says_what_to_do() {
    let ground = Ground::new(&["alpha"]);
    let somebody = Somebody::with_shell("/bin/bash");
    logs_in(&ground, &somebody.name);
    let (code, events) = ground.run(&["--step", "one"]);
    let ended = events.iter().find(|event| event["event"] == "job_finished").unwrap();
    let (message, hint) = (ended["message"].as_str().unwrap(), ended["hint"].as_str().unwrap_or_default());
    assert!(code == 1 && message.ends_with("sudo: a password is required"), "{code}: {ended:#}");
    assert!(hint.contains(&format!("echo '{} ALL=(ALL) NOPASSWD: ALL'", somebody.name)), "{ended:#}");
}

#[test]
fn a_failure_shows_the_command_and_the_end_of_its_standard_error() {
    let ground = Ground::new(&["alpha"]);
    ground.write(
        "playbook.yml",
        "plays:\n- hosts: all\n  steps:\n  - id: bad\n    shell: echo 'no such luck' >&2; exit 7\n",
    );
    let (code, told) = ground.told(&[]);
    assert_eq!(code, 1, "{told}");
    for part in ["alpha", "bad", "exit status 7", "no such luck", "echo"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_read_that_leaves_a_daemon_behind_does_not_hang_its_host() {
    let ground = Ground::new(&["alpha"]);
    let daemon = format!("sleep 86422.{}", std::process::id());
    let line = format!("setsid {daemon} & sleep 1; echo one");
    ground.write("playbook.yml", &format!("plays:\n- hosts: all\n  steps:\n  - shell: {line}\n    changes: false\n"));
    let (code, events) = ground.run(&[]);
    crate::support::sshd::must("pkill", &["-fx", &daemon]);
    let ended = events.iter().find(|event| event["event"] == "job_finished").unwrap();
    assert!(code == 1 && ended["message"].as_str().unwrap().contains("still running after"), "{code}: {ended:#}");
}

#[test]
fn a_join_token_is_in_no_event() {
    let ground = Ground::new(&["alpha"]);
    let step = |id, more| format!("  - id: {id}\n    shell: echo SWMTKN-1-x; echo SWMTKN-1-x >&2{more}\n");
    let steps = [step("read", "\n    changes: false"), step("change", ""), step("fails", "; exit 1")];
    ground.write("playbook.yml", &format!("plays:\n- hosts: all\n  steps:\n{}", steps.concat()));
    let (code, events) = ground.run(&["--verbose"]);
    assert!(ground.kept("log").contains("alpha: fails"), "{}", ground.kept("log"));
    let told = format!("{events:?}{}{}", ground.kept("jsonl"), ground.kept("log"));
    assert!(code == 1 && told.contains("fails") && !told.contains("SWMTKN"), "{code}: {told}");
}

#[test]
fn the_journal_tells_the_whole_run() {
    let ground = Ground::new(&["alpha"]);
    assert_eq!(ground.run(&[]).0, 0);
    let files = fs::read_dir(ground.path(".skep/runs")).unwrap().flatten().map(|file| file.path());
    let journals: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "jsonl")).collect();
    assert_eq!(journals.len(), 1);
    let text = fs::read_to_string(&journals[0]).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["code"].as_u64()), (Some("run_finished"), Some(0)));
    assert_eq!(fs::read_to_string(ground.path(".skep/.gitignore")).unwrap().trim(), "*");
}
