//! A run on bad days: the network between fails, a command prints without end, a machine restarts.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::{Child, Stdio};

use super::interrupt::within;
use super::*;
use crate::support::relay::{Fault, Relay, Way};

/// A run of the playbook, in the background; ended when dropped.
pub(super) struct Running(Option<Child>);

impl Running {
    pub(super) fn start(ground: &Ground, arguments: &[&str]) -> Self {
        let mut skep = ground.command();
        skep.args(["run", "playbook.yml", "--output", "json"]).args(arguments);
        Self(Some(skep.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// The most memory it has taken so far, in MiB.
    fn most_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.as_ref()?.id())).ok()?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(most.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10)
    }

    /// Ends it at once (SIGKILL): it says no goodbye, and cleans up nothing.
    pub(super) fn kill(mut self) {
        let mut skep = self.0.take().unwrap();
        skep.kill().unwrap();
        skep.wait().unwrap();
    }

    /// Its exit code and its events, once it has ended by itself.
    pub(super) fn end(mut self) -> (i32, Vec<Value>) {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let events = told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
        (output.status.code().unwrap(), events.collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut skep) = self.0.take() {
            let _ = skep.kill();
            let _ = skep.wait();
        }
    }
}

const MIB: usize = 1 << 20;

#[test]
fn an_output_of_a_gib_is_in_the_log_and_not_in_memory() {
    // It takes a while, and the lock of root on this machine is everybody's.
    let (ground, somebody) = (Ground::new(&["alpha"]), Somebody::with_shell("/bin/sh"));
    logs_in(&ground, &somebody.name);
    let lines = "yes 'a line like many others' | head -c 1073741824";
    let no_line = "head -c 134217728 /dev/zero | tr '\\\\0' x";
    let steps = format!("  - id: lines\n    shell: \"{lines}\"\n  - id: one\n    shell: \"{no_line}\"\n");
    ground.write("playbook.yml", &format!("plays:\n- hosts: all\n  become: false\n  steps:\n{steps}"));
    let running = Running::start(&ground, &[]);
    // What it tells is not read until all is done: a reader that is stuck holds nothing up, and makes nothing grow.
    let done = || ground.kept("jsonl").contains("\"run_finished\"");
    let (done, most) = (within(100, done), running.most_memory().unwrap());
    assert!(running.end().0 == 0 && done);
    assert!(most < 100, "it took {most} MiB");
    let (lines, one) = ("==> alpha: lines <==\na line", "\n\n==> alpha: one <==\nx");
    let second = lines.len() - "a line".len() + 1024 * MIB;
    let log = ground.kept_at("log").unwrap();
    assert_eq!((part(&log, 0, lines.len()).as_str(), part(&log, second, one.len()).as_str()), (lines, one));
    assert_eq!(fs::metadata(&log).unwrap().len() as usize - second, one.len() - 1 + 128 * MIB);
}

/// So many bytes of a file that is too long to be read as a whole.
fn part(file: &Path, from: usize, length: usize) -> String {
    let mut bytes = vec![0; length];
    fs::File::open(file).unwrap().read_exact_at(&mut bytes, from as u64).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A host behind a relay.
pub(super) struct Behind {
    pub(super) ground: Ground,
    pub(super) relay: Relay,
}

impl Behind {
    /// With a program of that name and text ahead of the host's own ones, for each of `programs`.
    pub(super) fn with(programs: &[(&str, &str)], playbook: &str) -> Self {
        Self::on(|_| String::new(), programs, playbook)
    }

    /// The same, with more lines in the configuration of the server, made of the host's folder.
    pub(super) fn on(lines: impl Fn(&str) -> String, programs: &[(&str, &str)], playbook: &str) -> Self {
        let ground = Ground::with(&["alpha"], |folder, name| {
            let root = folder.join(name).display().to_string();
            format!("SetEnv HOME=/tmp PATH={root}/bin:/usr/bin:/bin\n{}", lines(&root))
        });
        let relay = Relay::before(ground.servers[0].port);
        ground.inventory(&[("alpha", ground.servers[0].keys(relay.port))]);
        for (name, text) in programs {
            let path = format!("alpha/bin/{name}");
            ground.write(&path, &format!("#!/bin/sh\ncd {} || exit\n{text}\n", ground.path("alpha").display()));
            fs::set_permissions(ground.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
        }
        ground.write("playbook.yml", playbook);
        Self { ground, relay }
    }

    /// With one step: a line of shell in the host's folder. It makes the file `begun` and waits at `until_go` for the file `go`,
    /// as long as the folder is there: whoever waited longer would hold the lock of this machine for ever.
    fn with_line(line: &str, more: &str) -> Self {
        let line = line.replace("until_go", "while [ -e begun ] && [ ! -e go ]; do sleep 0.05; done");
        let step = format!("  - id: one\n    shell: \"cd {{{{ root }}}} && {line}\"\n{more}");
        Self::with(&[], &format!("plays:\n- hosts: all\n  steps:\n{step}"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.ground.path(&format!("alpha/{name}")).exists()
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.ground.path(&format!("alpha/{name}"))).unwrap_or_default()
    }

    /// Cuts the connection once that file is there; what runs there may go on then.
    fn cut_at(&self, name: &str) {
        assert!(within(30, || self.has(name)), "the command does not start");
        self.relay.cut(Fault::Reset);
        self.ground.write("alpha/go", "");
    }
}

fn ended(events: &[Value]) -> &Value {
    events.iter().find(|event| event["event"] == "job_finished").unwrap()
}

#[test]
fn a_change_that_was_cut_off_after_it_took_effect_counts_and_is_not_made_again() {
    let behind =
        Behind::with_line("echo x >>count; touch done; touch begun; until_go", "    creates: \"{{ root }}/done\"\n");
    let running = Running::start(&behind.ground, &[]);
    behind.cut_at("begun");
    let (code, events) = running.end();
    assert_eq!((code, &ended(&events)["outcome"]), (0, &"changed".into()), "{events:#?}");
    assert_eq!((behind.read("count").as_str(), behind.relay.connections()), ("x\n", 2));
}

#[test]
fn a_change_that_was_cut_off_before_it_took_effect_is_made_again_once_the_first_has_ended() {
    let line = "echo x >>count; if [ ! -e begun ]; then touch begun; until_go; sleep 1; echo 1 >>order; exit 1; fi; \
                echo 2 >>order; touch done";
    let behind = Behind::with_line(line, "    creates: \"{{ root }}/done\"\n");
    let running = Running::start(&behind.ground, &[]);
    behind.cut_at("begun");
    let (code, events) = running.end();
    assert_eq!((code, &ended(&events)["outcome"]), (0, &"changed".into()), "{events:#?}");
    assert_eq!((behind.read("count").as_str(), behind.read("order").as_str()), ("x\nx\n", "1\n2\n"));
    let waited = |event: &Value| event["waiting"].as_str().is_some_and(|what| what.starts_with("the lock held by"));
    assert!(events.iter().any(waited), "{events:#?}");
}

#[test]
fn a_line_that_no_state_speaks_for_is_not_run_twice_and_its_cut_is_a_failure() {
    let behind = Behind::with_line("echo x >>count; touch begun; until_go", "");
    let running = Running::start(&behind.ground, &[]);
    behind.cut_at("begun");
    let (code, events) = running.end();
    let ended = ended(&events);
    assert_eq!((code, &ended["outcome"]), (1, &"failed".into()), "{events:#?}");
    let told = "alpha was cut off while it ran: nobody knows whether it was done";
    assert_eq!((ended["message"].as_str(), ended["hint"].is_string()), (Some(told), true));
    assert_eq!((behind.read("count").as_str(), behind.relay.connections()), ("x\n", 2), "it was looked at again");
}

#[test]
fn a_server_that_is_restarted_under_a_change_is_waited_for() {
    let line = "echo x >>count; touch begun; until_go; touch done";
    let mut behind = Behind::with_line(line, "    creates: \"{{ root }}/done\"\n");
    let running = Running::start(&behind.ground, &[]);
    assert!(within(30, || behind.has("begun")));
    behind.relay.refuse(true);
    behind.ground.servers[0].stop();
    behind.cut_at("begun");
    assert!(within(30, || behind.has("done")));
    behind.ground.servers[0].restart();
    behind.relay.refuse(false);
    let (code, events) = running.end();
    assert_eq!((code, &ended(&events)["outcome"]), (0, &"changed".into()), "{events:#?}");
    assert_eq!(behind.read("count"), "x\n");
}

#[test]
fn a_host_that_is_cut_off_again_and_again_is_given_up() {
    let line = "echo x >>count; head -c 1000000 /dev/zero | tr '\\\\0' x; exit 1";
    let behind = Behind::with_line(line, "    creates: \"{{ root }}/done\"\n");
    // Enough for a login and a look.
    behind.relay.end_after(Way::Down, 100_000, Fault::Close);
    let (code, events) = Running::start(&behind.ground, &[]).end();
    let ended = ended(&events);
    assert_eq!((code, &ended["outcome"]), (3, &"unreachable".into()), "{events:#?}");
    assert!(ended["message"].as_str().unwrap().contains("alpha was cut off 3 times"), "{ended:#}");
    assert_eq!(behind.read("count"), "x\nx\nx\n");
}

const REBOOT: &str = "
plays:
- hosts: all
  steps:
  - id: restart
    reboot: { always: true }
  - id: next
    shell: cp {{ root }}/boot {{ root }}/next
";

#[test]
fn a_machine_that_restarts_is_done_when_its_next_boot_answers() {
    // What a machine does for which the server of this test cannot stand: it is told, and says which boot it is.
    let systemctl = ("systemctl", "[ $1 != reboot ] || echo reboot >>told");
    let cat = ("cat", "case $* in */boot_id*) echo x >>asked; exec /bin/cat boot ;; *) exec /bin/cat \"$@\" ;; esac");
    let behind = Behind::with(&[systemctl, cat], REBOOT);
    let boot = |id: u8| behind.ground.write("alpha/boot", &format!("{id}\n1 (systemd) S 0\n"));
    boot(1);
    let running = Running::start(&behind.ground, &[]);
    assert!(within(30, || behind.has("told")), "it is not told");
    // The old boot lets people in while it goes down.
    let asked_again = |times: usize| {
        let asked = behind.read("asked").len();
        within(30, || behind.read("asked").len() > asked + 2 * times)
    };
    assert!(asked_again(1), "nobody looks");
    behind.relay.cut(Fault::Close);
    assert!(asked_again(2), "nobody looks again");
    assert!(!behind.has("next"), "its old boot is taken for the next");
    behind.relay.refuse(true);
    behind.relay.cut(Fault::Reset);
    std::thread::sleep(Duration::from_millis(700));
    boot(2);
    behind.relay.refuse(false);
    let (code, events) = running.end();
    assert_eq!(code, 0, "{events:#?}");
    assert_eq!((behind.read("told").as_str(), &behind.read("next")[..1]), ("reboot\n", "2"));
    let waits = |what: &str| events.iter().any(|event| event["waiting"].as_str().is_some_and(|w| w.contains(what)));
    assert!(waits("the restart: it is still going down") && waits("connection refused, trying again"), "{events:#?}");
    assert!(!events.iter().any(|event| event["event"] == "host_lost"), "{events:#?}");
}
