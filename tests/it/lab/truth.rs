//! Whatever a playbook says and however its hosts are: a plan tells the truth of the run after it.

mod dice;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::cluster::{Cluster, Told};
use crate::support::lab::Lab;
use crate::support::truth::{Compared, compare};
use dice::{Book, Dice};

/// So many playbooks, each of its own seed; `SKEP_SEED` names others: `7`, to look at what failed, or `100..140`.
const PLAYBOOKS: u64 = 12;
/// Prints all that a step of these playbooks may change.
const STATE: &str =
    "cd /srv/truth && find . -printf '%p %m %u %y %T@\\n' | sort && find . -type f | sort | xargs -r cat
dpkg-query -W -f '${Package} ${db:Status-Abbrev} ${Version}\\n' tree jq libjq1
getent passwd bee wasp; getent group hive; cat /home/*/.ssh/authorized_keys
systemctl show -p ActiveState,UnitFileState,MainPID,NeedDaemonReload drone queen
hostname; cat /etc/hostname /etc/hosts; true";

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

    /// All that a step might change.
    fn state(&self) -> Vec<String> {
        self.hosts.iter().map(|host| self.cluster.on(host, STATE)).collect()
    }

    fn write(&self, Book(files): &Book) {
        for (name, text) in files {
            eprintln!("# {name}\n{text}");
            fs::write(self.cluster.project.join(name), text).expect("a playbook");
        }
    }

    fn soil(&self, dice: &mut Dice) {
        std::thread::scope(|scope| {
            for host in &self.hosts {
                let dirt = format!("set -- {host}\n{}", dice.dirt());
                eprintln!("# before, on {host}\n{dirt}");
                scope.spawn(move || self.cluster.on(host, &dirt));
            }
        });
    }

    /// Plans, which changes nothing, and runs.
    fn compared(&self) -> Compared {
        let before = self.state();
        let planned = self.skep("plan");
        assert_eq!(self.state(), before, "a plan changes nothing");
        let done = self.skep("run");
        assert!(
            planned.code != 0 || (done.code == 0 && done.places().is_empty()),
            "{} though nothing was to do",
            done.code
        );
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

/// The seeds to try.
fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("SKEP_SEED") else { return 0..PLAYBOOKS };
    let number = |text: &str| text.parse::<u64>().expect("SKEP_SEED is 7 or 100..140");
    asked.split_once("..").map_or_else(|| number(&asked)..number(&asked) + 1, |(from, end)| number(from)..number(end))
}

#[test]
fn a_run_does_what_its_plan_says_whatever_the_playbook() {
    let ground = Ground::new();
    let (mut will, mut may, mut done) = (0, 0, 0);
    for seed in seeds() {
        eprintln!("SKEP_SEED={seed}");
        let mut dice = Dice::new(seed);
        ground.write(&dice.book());
        ground.soil(&mut dice);
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
