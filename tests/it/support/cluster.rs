//! `skep` as a user calls it on a lab, and what it told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::lab::{Lab, checkout};

/// A lab, and a project whose playbook is the one that ships.
pub struct Cluster {
    /// The hosts.
    pub lab: Lab,
    /// Where `skep` is called; its journal stays there, to look at after a failure.
    pub project: PathBuf,
}

/// A job that was not as asked: its step and its host.
pub type Place = (String, String);

/// What one call of `skep` told.
pub struct Told {
    /// The exit code.
    pub code: i32,
    /// Standard output, event by event.
    pub events: Vec<Value>,
    /// Standard error.
    pub errors: String,
    called: String,
}

impl Cluster {
    /// The shared lab as it is.
    pub fn found() -> Cluster {
        Cluster::of(Lab::shared(), "spark")
    }

    /// The shared lab with Spark on it: every test starts from here, so that none depends on another. Where it is there already,
    /// that takes a second.
    pub fn settled() -> Cluster {
        Cluster::found().with_spark()
    }

    /// A lab for one test alone, with engines on its hosts.
    pub fn own(name: &str) -> Cluster {
        Cluster::of(Lab::with_engines(name, 3), name)
    }

    fn of(lab: Lab, folder: &str) -> Cluster {
        let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
        fs::create_dir_all(&project).expect("a folder");
        // The playbook of this checkout, where `skep run` and the unpacked one of `skep up` would find it.
        let link = project.join("playbooks");
        if !link.exists() {
            std::os::unix::fs::symlink(checkout().join("playbooks"), link).expect("a link");
        }
        Cluster { lab, project }
    }

    fn with_spark(self) -> Cluster {
        self.skep(&["up", "--yes"]).ends(0);
        self
    }

    /// Calls `skep` with `--output json`.
    pub fn skep(&self, arguments: &[&str]) -> Told {
        self.skep_of(&self.lab.inventory().to_string_lossy(), arguments)
    }

    /// The same for another inventory than the lab's.
    pub fn skep_of(&self, inventory: &str, arguments: &[&str]) -> Told {
        let began = Instant::now();
        let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
        skep.current_dir(&self.project)
            .env("SKEP_SSH_CONFIG", "none")
            .args(arguments)
            .args(["--output", "json", "-i", inventory]);
        let output = skep.output().expect("skep runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let called = format!("skep {}", arguments.join(" "));
        let told = Told {
            code: output.status.code().unwrap_or(-1),
            events: text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
            called,
        };
        eprintln!(
            "{}: exit {} after {:.1} s, {:?}",
            told.called,
            told.code,
            began.elapsed().as_secs_f64(),
            told.places()
        );
        told
    }

    /// Calls `skep` until it ends well, where a host was cut off. One that its swarm missed for a moment only may be taken for down, and
    /// for good (swarmkit's dispatcher writes down what it missed after it has greeted it): then skep's own hint is followed.
    pub fn mends(&self, host: &str, arguments: &[&str]) -> Told {
        let told = self.skep(arguments);
        if told.code == 0 || !told.troubles().contains("systemctl restart docker") {
            return told.ends(0);
        }
        eprintln!("{host} is down though its engine runs: {}", told.troubles());
        self.on(host, "systemctl restart docker");
        self.skep(arguments).ends(0)
    }

    /// Begins a call of `skep` on the lab, as a person without a terminal would see it.
    pub fn begin(&self, arguments: &[&str]) -> Begun {
        self.begin_of(&self.lab.inventory().to_string_lossy(), arguments)
    }

    /// The same for another inventory than the lab's.
    pub fn begin_of(&self, inventory: &str, arguments: &[&str]) -> Begun {
        let said = tempfile::tempfile().expect("a file");
        let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
        skep.current_dir(&self.project).env("SKEP_SSH_CONFIG", "none").args(arguments);
        skep.args(["--output", "plain", "-i", inventory]).stdin(Stdio::null());
        let file = || said.try_clone().expect("a file");
        let child = skep.stdout(file()).stderr(file()).spawn().expect("skep runs");
        Begun { child, said }
    }

    /// What would be done now.
    pub fn plan(&self) -> Told {
        self.skep(&["plan", "playbooks/spark.yml"])
    }

    /// Runs it, lets it remove and replace, and finds nothing more to do.
    pub fn heal(&self) -> Told {
        let told = self.skep(&["run", "playbooks/spark.yml", "--yes"]).ends(0);
        self.plan().ends(0);
        told
    }

    /// Runs a script on a host, and returns its last word.
    pub fn on(&self, host: &str, script: &str) -> String {
        self.lab.on(host, script)
    }
}

/// A call that goes on while we do something else.
pub struct Begun {
    child: Child,
    said: fs::File,
}

impl Begun {
    /// Without a moment to clean up.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }

    /// Waits for it: its exit code, if nothing killed it, and all that it said.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        let mut said = String::new();
        self.said.rewind().and_then(|()| self.said.read_to_string(&mut said)).expect("it said something");
        (code, said)
    }

    /// Waits for it, and returns all that it said.
    ///
    /// # Panics
    /// If it ended with another exit code.
    pub fn ends(self, wanted: i32) -> String {
        let (code, said) = self.ended();
        assert_eq!(code, Some(wanted), "{said}");
        said
    }
}

impl Told {
    /// # Panics
    /// If it ended with another exit code: with all that went wrong.
    pub fn ends(self, code: i32) -> Told {
        assert_eq!(self.code, code, "exit code of {}\n{}\n{}", self.called, self.troubles(), self.errors);
        self
    }

    /// The events of a kind.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// The jobs that ended so.
    pub fn ended(&self, outcome: &str) -> BTreeSet<Place> {
        self.of("job_finished").filter(|job| job["outcome"] == outcome).map(place).collect()
    }

    /// Where something was, or would be, changed.
    pub fn places(&self) -> BTreeSet<Place> {
        self.of("change").map(place).collect()
    }

    /// All that was told, as text to search in.
    pub fn text(&self) -> String {
        self.events.iter().map(|event| format!("{event}\n")).collect::<String>() + &self.errors
    }

    /// Jobs that failed and hosts that were lost, with their reasons.
    pub fn troubles(&self) -> String {
        let grave = |event: &&Value| {
            event["event"] == "host_lost" || matches!(event["outcome"].as_str(), Some("failed" | "unreachable"))
        };
        self.events.iter().filter(grave).map(|event| format!("{event:#}\n")).collect()
    }
}

/// Step and host of an event.
pub fn place(event: &Value) -> Place {
    let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    (word("step"), word("host"))
}

/// Step and host, written down.
pub fn at(step: &str, host: &str) -> Place {
    (step.to_owned(), host.to_owned())
}
