//! Real hosts for the tests: `scripts/lab`, under a name of its own beside the demo's.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A lab of throwaway hosts `node1` … `nodeN`, node1 being the manager. Tests that use one belong under `lab::`, where
/// nextest runs those that share one after the other.
pub struct Lab {
    name: String,
    /// What the names of its hosts' containers begin with.
    prefix: String,
    shared: bool,
}

impl Lab {
    /// The lab that `scripts/test` starts and removes, with all hosts powered on and no cut left from an earlier test.
    /// What earlier tests installed on the hosts is still there: see [`Lab::reset`]. `SKEP_LAB` names another lab, to
    /// work on a test with.
    pub fn shared() -> Lab {
        let lab = Lab::named(&std::env::var("SKEP_LAB").unwrap_or("tests".into()), true);
        lab.control(&["up", "3"]);
        let mend = |host: &String| lab.command(&["mend", host]).spawn().expect("scripts/lab runs");
        let mends: Vec<_> = lab.hosts().iter().map(mend).collect();
        mends.into_iter().for_each(|mut mend| assert!(mend.wait().expect("it ends").success(), "mended"));
        lab
    }

    /// A lab for one test alone, removed when dropped.
    pub fn own(name: &str, hosts: usize) -> Lab {
        Lab::began(name, &["up", &hosts.to_string()])
    }

    /// The same with a Docker engine on each, for what is not about installing one.
    pub fn with_engines(name: &str, hosts: usize) -> Lab {
        let lab = Lab::began(name, &["up", &hosts.to_string(), "--engine"]);
        lab.hosts().iter().for_each(|host| lab.until(host, "docker info"));
        lab
    }

    fn began(name: &str, up: &[&str]) -> Lab {
        let lab = Lab::named(name, false);
        // What a test that was ended has left is no fresh host.
        lab.run(&["down"]);
        lab.control(up);
        lab
    }

    fn named(name: &str, shared: bool) -> Lab {
        let mut lab = Lab { name: name.into(), prefix: String::new(), shared };
        lab.prefix = format!("skep-{}-", lab.answer(&["name"]));
        lab
    }

    /// The names of the hosts, in order.
    pub fn hosts(&self) -> Vec<String> {
        let list = self.answer(&["list"]);
        list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// The inventory that was written for the hosts.
    pub fn inventory(&self) -> PathBuf {
        self.answer(&["inventory"]).into()
    }

    /// The address of a host, as the inventory has it.
    pub fn address(&self, host: &str) -> String {
        let list = self.answer(&["list"]);
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(host));
        line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_else(|| panic!("no {host} in:\n{list}")).into()
    }

    /// Runs a shell script as root on a host, without SSH and without skep: the truth to compare with.
    ///
    /// # Panics
    /// If the script fails.
    pub fn on(&self, host: &str, script: &str) -> String {
        text(self.try_on(host, script), &format!("on {host}: {script}"))
    }

    /// As [`Lab::on`], for scripts that may fail.
    pub fn try_on(&self, host: &str, script: &str) -> Output {
        self.inside(host, &["sh", "-c", script]).output().expect("docker can be run")
    }

    /// A command in a host's container. Without `scripts/lab`: it asks first what hosts there are, which took longer than most
    /// of what is run there.
    fn inside(&self, host: &str, words: &[&str]) -> Command {
        let mut docker = Command::new("docker");
        docker.args(["exec", "--interactive", &format!("{}{host}", self.prefix)]).args(words);
        docker
    }

    /// Waits until a script ends well on a host. The host itself tries it: from here each try would cost it more than the script.
    ///
    /// # Panics
    /// If that takes more than ten minutes.
    pub fn until(&self, host: &str, script: &str) {
        let tries = format!(
            "end=$(($(date +%s) + 600))
            until ( {script} ) </dev/null >/dev/null 2>&1; do [ $(date +%s) -lt $end ] || exit 1; sleep 0.2; done"
        );
        // By its input, lest the script be found in a list of processes that it looks through itself.
        let mut tried = self.inside(host, &["sh"]).stdin(Stdio::piped()).spawn().expect("docker can be run");
        tried.stdin.take().expect("a pipe").write_all(tries.as_bytes()).expect("it reads");
        assert!(tried.wait().expect("it ends").success(), "never came true on {host}: {script}");
    }

    /// Logs in by OpenSSH, as the user `ubuntu`, and runs a command.
    pub fn ssh(&self, host: &str, command: &str) -> Output {
        self.run(&["shell", host, command])
    }

    /// Shuts a host down in good order.
    pub fn stop(&self, host: &str) {
        self.control(&["stop", host]);
    }

    /// Pulls a host's plug.
    pub fn unplug(&self, host: &str) {
        self.control(&["stop", host, "--hard"]);
    }

    /// Powers a host on, and waits until its sshd lets us in.
    pub fn start(&self, host: &str) {
        self.control(&["start", host]);
    }

    /// The same, where it may still be on its way down: whether it is up now.
    #[allow(dead_code, reason = "for tests of machines that go down by themselves")]
    pub fn try_start(&self, host: &str) -> bool {
        self.run(&["start", host]).status.success()
    }

    /// Makes fresh machines, with nothing on them, of all hosts at once. Their host keys are new, and in the inventory.
    #[allow(dead_code, reason = "for tests that want a host as it was delivered")]
    pub fn reset(&self) {
        self.control(&["reset", "all"]);
    }

    /// Makes a host's network swallow packets, until the cut is dropped: all of them, or as `options` say (`--port P`, `--peer HOST`).
    pub fn cut<'lab>(&'lab self, host: &str, options: &[&str]) -> Cut<'lab> {
        self.control(&[&["cut", host], options].concat());
        Cut { lab: self, host: host.into() }
    }

    fn control(&self, arguments: &[&str]) {
        self.answer(arguments);
    }

    fn answer(&self, arguments: &[&str]) -> String {
        text(self.run(arguments), &format!("scripts/lab {}", arguments.join(" ")))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("scripts/lab can be run")
    }

    /// A call of `scripts/lab`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut lab = Command::new(checkout().join("scripts/lab"));
        lab.args(arguments).env("SKEP_LAB", &self.name);
        lab
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.shared && std::env::var_os("SKEP_KEEP_LAB").is_none() {
            self.run(&["down"]);
        }
    }
}

/// A cut in a host's network, mended when dropped.
pub struct Cut<'lab> {
    lab: &'lab Lab,
    host: String,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.lab.run(&["mend", &self.host]);
    }
}

/// The folder of the checkout, where `scripts/` is.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(output: Output, what: &str) -> String {
    let out = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(output.status.success(), "{what}: {}\n{out}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    out
}
