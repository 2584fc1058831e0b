//! Whatever a playbook says and however its hosts are: a plan tells the truth of the run after it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use crate::support::cluster::{Cluster, Told};
use crate::support::lab::Lab;
use crate::support::truth::{Compared, compare};

/// So many playbooks, each of its own seed; `SKEP_SEED` names a single one, to look at what failed.
const PLAYBOOKS: u64 = 12;
/// Where the steps do what they do.
const FOLDER: &str = "/srv/truth";

struct Dice(StdRng);

impl Dice {
    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.0.random_range(0..all.len())]
    }

    /// A file that a step before may have made, or one after will.
    fn file(&mut self, steps: usize) -> String {
        format!("{FOLDER}/f{}", self.0.random_range(0..steps))
    }

    /// Each file belongs to one step, as `skep check` wants it; what comes between them are lines of shell.
    fn action(&mut self, at: usize, steps: usize) -> String {
        let (own, one, other, number) =
            (format!("{FOLDER}/f{at}"), self.file(steps), self.file(steps), self.0.random_range(0..3));
        match self.0.random_range(0..11) {
            0 | 1 => format!("file: {{ path: {own}, content: \"{number}\\n\" }}\n"),
            2 => format!("file: {{ path: {own}, state: absent }}\n"),
            3 => format!("file: {{ path: {own}.d/deeper, content: \"{number}\", mode: \"0640\" }}\n"),
            4 => format!("file: {{ path: {own}, content: \"{{{{ seen.stdout }}}}\" }}\n"),
            5 => format!("file: {{ path: \"{own}{{{{ item }}}}\", content: \"{number}\" }}\n    loop: [a, b]\n"),
            6 => format!("shell: echo {number} >{one}\n    creates: {other}\n"),
            7 => format!("shell: rm -f {one}\n    unless: test ! -e {one}\n"),
            8 => format!("shell: cat {one} 2>/dev/null || true\n    changes: false\n    register: seen\n"),
            9 => format!("shell: cp {one} {other}\n"),
            _ => format!("wait_for: {{ command: test -e {one} }}\n    timeout: 1s\n    ignore_errors: true\n"),
        }
    }

    fn step(&mut self, at: usize, steps: usize) -> String {
        let action = self.action(at, steps);
        let hosts = self.one_of(&["", "", "", "    hosts: node1\n", "    hosts: node2\n"]);
        let when = ["", "", "", "    when: seen.stdout != '1'\n", "    when: \"inventory_hostname == 'node2'\"\n"];
        let when = self.one_of(&when);
        let forgiven = if action.contains("ignore_errors") { "" } else { "    ignore_errors: true\n" };
        let forgiven = self.one_of(&["", "", forgiven]);
        format!("  - id: s{at}\n    {action}{hosts}{when}{forgiven}")
    }

    /// The first step is one that others ask for.
    fn playbook(&mut self) -> String {
        let steps = self.0.random_range(4..9);
        let serial = self.one_of(&["", "", "  serial: 1\n"]);
        let first =
            format!("  - id: seen\n    shell: cat {FOLDER}/f0 || true\n    changes: false\n    register: seen\n");
        let more: String = (0..steps).map(|at| self.step(at, steps)).collect();
        format!("plays:\n- hosts: all\n{serial}  steps:\n{first}{more}")
    }

    /// A line of shell that leaves some of the files, with what a step might have put there.
    fn dirt(&mut self) -> String {
        let files = (0..5).map(|at| match self.0.random_range(0..4) {
            0 => format!("echo 0 >{FOLDER}/f{at}; "),
            1 => format!("echo 1 >{FOLDER}/f{at}; "),
            _ => String::new(),
        });
        format!("rm -rf {FOLDER}; mkdir -p {FOLDER}; {}:", files.collect::<String>())
    }
}

struct Ground {
    cluster: Cluster,
    hosts: Vec<String>,
}

impl Ground {
    fn new() -> Ground {
        let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("truth");
        fs::create_dir_all(&project).expect("a folder");
        let cluster = Cluster { lab: Lab::own("truth", 2), project };
        Ground { hosts: cluster.lab.hosts(), cluster }
    }

    fn skep(&self, command: &str) -> Told {
        let told = self
            .cluster
            .skep(&[command, "truth.yml", "--yes", "--wait", "20s"][..if command == "run" { 5 } else { 2 }]);
        assert!([0, 1, 10].contains(&told.code), "exit {}: {}", told.code, told.errors);
        told
    }

    /// All that is in the folders.
    fn state(&self) -> Vec<String> {
        let look =
            format!("cd {FOLDER} && find . -printf '%p %m %y %T@\\n' | sort && find . -type f | sort | xargs -r cat");
        self.hosts.iter().map(|host| self.cluster.on(host, &look)).collect()
    }

    /// Plans, which changes nothing, and runs.
    fn compared(&self) -> Compared {
        let before = self.state();
        let planned = self.skep("plan");
        assert_eq!(self.state(), before, "a plan changes nothing");
        let done = self.skep("run");
        let promised = commands(&planned, |change| change["after"].is_null());
        let made = commands(&done, |_| true);
        let broken: Vec<_> = promised.difference(&made).collect();
        assert!(broken.is_empty(), "promised by these commands, and not made: {broken:?} of {made:?}");
        compare(&planned, &done)
    }
}

/// Step, host and command of the changes that were, or would be, made.
fn commands(told: &Told, which: impl Fn(&Value) -> bool) -> BTreeSet<(String, String, String)> {
    let word = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let changes = told.of("change").filter(|change| which(change));
    changes.map(|change| (word(change, "step"), word(change, "host"), word(change, "command"))).collect()
}

#[test]
fn a_run_does_what_its_plan_says_whatever_the_playbook() {
    let ground = Ground::new();
    let seed = std::env::var("SKEP_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let (mut will, mut may, mut done) = (0, 0, 0);
    for seed in seed.map_or(0..PLAYBOOKS, |seed| seed..seed + 1) {
        let mut dice = Dice(StdRng::seed_from_u64(seed));
        let playbook = dice.playbook();
        eprintln!("SKEP_SEED={seed}\n{playbook}");
        fs::write(ground.cluster.project.join("truth.yml"), playbook).expect("a playbook");
        ground.hosts.iter().for_each(|host| drop(ground.cluster.on(host, &dice.dirt())));
        // Dirty, and as the run has left it.
        for compared in [ground.compared(), ground.compared()] {
            will += compared.will.len();
            may += compared.may.difference(&compared.done).count();
            done += compared.done.difference(&compared.will).count();
        }
    }
    eprintln!("{will} were certain; of what might be, {done} were done and {may} were not");
    assert!(will > 0 && may > 0 && done > 0, "all three are tried");
}
