//! Ctrl-C: the first ends what runs on the hosts and leaves the journal whole, the second ends `skep` at once.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::support::sshd::must;

/// A run in the middle of a step that sleeps, on this machine, which is also the host. Its user has a lock of his own: others
/// test here, too.
struct Sleeper {
    ground: Ground,
    somebody: Somebody,
    skep: Child,
    /// The whole command: nobody else sleeps for so long.
    sleep: String,
}

impl Sleeper {
    fn start(seconds: &str, before: &str) -> Self {
        let sleep = format!("sleep {seconds}");
        let (ground, somebody) = sleeps(&format!("{before}{sleep}"));
        let mut skep = ground.command();
        skep.args(["run", "playbook.yml", "--output", "json"]);
        let out = fs::File::create(ground.path("out")).unwrap();
        let skep = skep.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().unwrap();
        let sleeper = Self { ground, somebody, skep, sleep };
        assert!(within(30, || !sleeper.running().is_empty()), "the step does not start: {}", sleeper.told());
        sleeper
    }

    /// The numbers of its sleeps that run.
    fn running(&self) -> Vec<String> {
        let all = must("ps", &["-eo", "pid=,args="]);
        let ours = all.lines().filter_map(|line| line.trim().split_once(' ')).filter(|(_, args)| *args == self.sleep);
        ours.map(|(id, _)| id.to_owned()).collect()
    }

    fn told(&self) -> String {
        fs::read_to_string(self.ground.path("out")).unwrap_or_default()
    }

    fn interrupt(&self) {
        must("kill", &["-INT", &self.skep.id().to_string()]);
    }

    fn code(&mut self) -> Option<i32> {
        self.skep.wait().unwrap().code()
    }
}

/// A playbook whose first step takes this line, and a user of this machine whom it is for.
fn sleeps(line: &str) -> (Ground, Somebody) {
    let (ground, somebody) = (Ground::new(&["alpha"]), Somebody::with_shell("/bin/sh"));
    logs_in(&ground, &somebody.name);
    ground.write(
        "playbook.yml",
        &format!(
            "plays:\n- hosts: all\n  become: false\n  steps:\n  - id: long\n    shell: {line}\n  - id: next\n    \
             shell: touch {}\n",
            ground.path("next").display()
        ),
    );
    fs::set_permissions(ground.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    (ground, somebody)
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.skep.kill();
        let _ = self.skep.wait();
        for id in self.running() {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    }
}

pub fn within(seconds: u64, holds: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !holds() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    holds()
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn the_first_ends_what_runs_and_starts_nothing_new() {
    let mut sleeper = Sleeper::start("86417.5", "");
    sleeper.interrupt();
    assert_eq!(sleeper.code(), Some(130));
    assert!(within(5, || sleeper.running().is_empty()), "it still runs on the host");
    assert!(!sleeper.ground.path("next").exists(), "the next step was taken");
    let journal = fs::read_dir(sleeper.ground.path(".skep/runs")).unwrap().flatten().next().unwrap();
    for text in [sleeper.told(), fs::read_to_string(journal.path()).unwrap()] {
        let events = events(&text);
        assert!(events.iter().any(|event| event["event"] == "interrupted"), "{events:#?}");
        let last = events.last().unwrap();
        assert_eq!((last["event"].as_str(), last["code"].as_u64()), (Some("run_finished"), Some(130)), "{events:#?}");
    }
}

#[test]
fn a_machine_that_does_not_answer_is_not_waited_for_any_more() {
    let ground = Ground::new(&["alpha"]);
    let dumb = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, identity) = (dumb.local_addr().unwrap().port(), ground.servers[0].identity());
    ground.inventory(&[("alpha", format!("port: {port}, identity_file: {}", identity.display()))]);
    let mut skep = ground.command();
    let mut skep = skep.args(["run", "playbook.yml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Who has come in waits for the first word.
    let _line = dumb.accept().unwrap();
    let began = Instant::now();
    must("kill", &["-INT", &skep.id().to_string()]);
    assert_eq!(skep.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn the_second_ends_it_at_once() {
    let mut sleeper = Sleeper::start("86418.5", "trap '' HUP INT TERM; ");
    sleeper.interrupt();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    sleeper.interrupt();
    assert_eq!(sleeper.code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_terminal_that_closes_is_nothing_to_what_nohup_started() {
    let ground = Ground::new(&["alpha"]);
    let line = format!("touch {}; sleep 2; echo done", ground.path("begun").display());
    let mut skep = Command::new("nohup");
    skep.current_dir(ground.folder.path()).env_clear().env("SKEP_SSH_CONFIG", "none").env("PATH", "/usr/bin:/bin");
    skep.env("HOME", ground.folder.path()).arg(assert_cmd::cargo::cargo_bin("skep")).args(["exec", "all", "--", &line]);
    let skep = skep.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert!(within(30, || ground.path("begun").exists()), "the command does not start");
    must("kill", &["-HUP", &skep.id().to_string()]);
    let output = skep.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), b"done\n".as_slice()));
}

#[test]
fn a_host_that_falls_silent_is_lost_at_the_keepalives_deadline() {
    let mut sleeper = Sleeper::start("86419.5", "");
    let server = fs::read_to_string(sleeper.ground.servers[0].path("pid")).unwrap();
    // The kernel goes on taking packets; nobody answers them.
    must("pkill", &["-STOP", "-u", &sleeper.somebody.name, "sshd"]);
    must("kill", &["-STOP", server.trim()]);
    let began = Instant::now();
    let code = sleeper.code();
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
    assert!(code == Some(3) && sleeper.told().contains("the host does not answer any more"), "{}", sleeper.told());
}

/// `skep` on a terminal of its own, by script(1).
pub struct OnTerminal {
    script: Child,
    out: PathBuf,
}

impl OnTerminal {
    pub fn start(ground: &Ground, arguments: &str) -> Self {
        let line = format!("exec {} {arguments}", assert_cmd::cargo::cargo_bin("skep").display());
        let mut script = Command::new("script");
        script
            .current_dir(ground.folder.path())
            .env_clear()
            .env("SKEP_SSH_CONFIG", "none")
            .env("HOME", ground.folder.path());
        script.env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh");
        let out = ground.path("terminal");
        let told = fs::File::create(&out).unwrap();
        script.args(["-qefc", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(told).stderr(Stdio::null());
        Self { script: script.spawn().expect("script(1), of bsdutils"), out }
    }

    pub fn told(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap()).into_owned()
    }

    /// Presses Ctrl-C once `what` is on the terminal, and gives the exit code and how long that took.
    pub fn interrupted_at(&mut self, what: &str) -> (Option<i32>, Duration) {
        self.types_at(what, "\x03");
        let began = Instant::now();
        (self.code(), began.elapsed())
    }

    /// Types something once `what` is on the terminal.
    pub fn types_at(&mut self, what: &str, keys: &str) {
        assert!(within(20, || self.told().contains(what)), "{}", self.told());
        self.script.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// The exit code, if it ends soon.
    pub fn code(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(15);
        while Instant::now() < until && self.script.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.script.try_wait().unwrap().and_then(|status| status.code())
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

#[test]
fn one_ends_a_question() {
    let ground = Ground::new(&["alpha"]);
    let keys = format!("port: {}, identity_file: {}", ground.servers[0].port, ground.servers[0].identity().display());
    ground.inventory(&[("alpha", keys)]);
    ground.write("alpha/kept/file", "");
    ground.write(
        "remove.yml",
        "plays:\n- hosts: all\n  steps:\n  - file: { path: \"{{ root }}/kept\", state: absent }\n",
    );
    for (command, question) in [
        ("run playbook.yml", "remember its key? [y/N]"),
        ("exec all -- true", "remember its key? [y/N]"),
        ("run remove.yml --accept-new-host-keys", "Remove or replace this? [y/N]"),
    ] {
        let mut terminal = OnTerminal::start(&ground, command);
        let (code, took) = terminal.interrupted_at(question);
        assert!(
            code == Some(130) && took < Duration::from_secs(5),
            "{command}: {code:?} {took:?}: {}",
            terminal.told()
        );
    }
    assert!(ground.path("alpha/kept/file").exists());
}

#[test]
fn on_a_terminal_it_leaves_no_stray_row() {
    let (ground, _somebody) = sleeps("sleep 86420.5");
    let mut terminal = OnTerminal::start(&ground, "run playbook.yml");
    let (code, _) = terminal.interrupted_at("sleep 86420.5");
    assert!(code == Some(130) && !terminal.told().contains("^C"), "{code:?}: {}", terminal.told());
}
