//! Ctrl-C: the first ends what runs on the hosts and leaves the journal whole, the second ends `skep` at once.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::support::sshd::must;

/// A run in the middle of a step that sleeps, on this machine, which is also the host.
struct Sleeper {
    ground: Ground,
    skep: Child,
    /// The whole command: nobody else sleeps for so long.
    sleep: String,
}

impl Sleeper {
    fn start(seconds: &str, before: &str) -> Self {
        let (ground, sleep) = (Ground::new(&["alpha"]), format!("sleep {seconds}"));
        ground.write(
            "playbook.yml",
            &format!(
                "plays:\n- hosts: all\n  steps:\n  - id: long\n    shell: {before}{sleep}\n  - id: next\n    \
                 shell: touch {{{{ root }}}}/next\n"
            ),
        );
        let mut skep = Command::new(assert_cmd::cargo::cargo_bin("skep"));
        skep.current_dir(ground.folder.path()).env_clear().env("HOME", ground.folder.path());
        skep.env("PATH", "/usr/bin:/bin").args(["run", "playbook.yml", "--output", "json"]);
        let out = fs::File::create(ground.path("out")).unwrap();
        let skep = skep.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().unwrap();
        let sleeper = Self { ground, skep, sleep };
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

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.skep.kill();
        let _ = self.skep.wait();
        for id in self.running() {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    }
}

fn within(seconds: u64, holds: impl Fn() -> bool) -> bool {
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
    assert!(!sleeper.ground.path("alpha/next").exists(), "the next step was taken");
    let journal = fs::read_dir(sleeper.ground.path(".skep/runs")).unwrap().flatten().next().unwrap();
    for text in [sleeper.told(), fs::read_to_string(journal.path()).unwrap()] {
        let events = events(&text);
        assert!(events.iter().any(|event| event["event"] == "interrupted"), "{events:#?}");
        let last = events.last().unwrap();
        assert_eq!((last["event"].as_str(), last["code"].as_u64()), (Some("run_finished"), Some(130)), "{events:#?}");
    }
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
