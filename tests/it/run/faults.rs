//! A run on bad days: the network between fails, a command prints without end, a machine restarts.

use std::process::{Child, Command, Stdio};

use super::interrupt::within;
use super::*;

/// A run of the playbook, in the background; ended when dropped.
struct Running(Option<Child>);

impl Running {
    fn start(ground: &Ground, arguments: &[&str]) -> Self {
        let mut skep = Command::new(assert_cmd::cargo::cargo_bin("skep"));
        skep.current_dir(ground.folder.path())
            .env_clear()
            .env("SKEP_SSH_CONFIG", "none")
            .env("HOME", ground.folder.path());
        skep.env("PATH", "/usr/bin:/bin").args(["run", "playbook.yml", "--output", "json"]).args(arguments);
        Self(Some(skep.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// The most memory it has taken so far, in MiB.
    fn most_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.as_ref()?.id())).ok()?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(most.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10)
    }

    /// Its exit code and its events, once it has ended by itself.
    fn end(mut self) -> (i32, Vec<Value>) {
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
fn an_output_of_256_mib_is_in_the_log_and_not_in_memory() {
    let ground = Ground::new(&["alpha"]);
    let lines = "yes 'a line like many others' | head -c 134217728";
    let no_line = "head -c 134217728 /dev/zero | tr '\\\\0' x";
    let steps = format!("  - id: lines\n    shell: \"{lines}\"\n  - id: one\n    shell: \"{no_line}\"\n");
    ground.write("playbook.yml", &format!("plays:\n- hosts: all\n  steps:\n{steps}"));
    let running = Running::start(&ground, &[]);
    // What it tells is not read until all is done: a reader that is stuck holds nothing up, and makes nothing grow.
    let done = || ground.path(".skep/runs").exists() && ground.kept("jsonl").contains("\"run_finished\"");
    let (done, most) = (within(100, done), running.most_memory().unwrap());
    assert!(running.end().0 == 0 && done);
    assert!(most < 100, "it took {most} MiB");
    let log = ground.kept("log");
    let parts: Vec<&str> = log.split("==> alpha: ").collect();
    assert!(parts.len() == 3 && parts[1].starts_with("lines <==\n") && parts[2].starts_with("one <==\n"));
    assert_eq!(parts[1].matches("a line like many others\n").count(), 128 * MIB / 24);
    assert_eq!(parts[2].matches('x').count(), 128 * MIB);
}
