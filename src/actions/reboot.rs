//! `reboot`: the machine is restarted where it has to be.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Change, Does, Plan, Target};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, Output};

/// Restarts the machine where it says that it has to be, and goes on once it is up again.
///
/// After an update of the kernel or the like, Ubuntu, and Debian with unattended-upgrades, leave `/run/reboot-required`, which
/// the restart takes away: so a second run does not restart it again, nor one after a run that was cut off in between.
///
/// The step is done when the machine answers with another boot than before, whoever may still have answered meanwhile. The
/// step's `timeout` says how long that may take, 10 minutes where it says nothing. All hosts of a step restart at the same
/// time: with `serial: 1` their play takes one after the other.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reboot {
    /// Whether to restart it each time the step is run, whatever it says itself.
    always: bool,
}

/// How long a machine may take to come up again, where the step does not say.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The most packages that are named.
const NAMED: usize = 5;

/// Says whether the machine wants to be restarted, and then for which packages.
const WANTS: &str = "\
flag=/run/reboot-required
if [ -e $flag ]; then echo yes; [ ! -e $flag.pkgs ] || sort -u $flag.pkgs; else echo no; fi";

impl Action for Reboot {
    fn describe(&self) -> String {
        if self.always { "the machine is restarted".into() } else { "no restart is due".into() }
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        if self.always { Vec::new() } else { vec![on.ask(Read::Probe(Probe::new(WANTS)))] }
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        if self.always {
            return Plan::Always(vec![restart("it restarts each time".into())]);
        }
        match seen.probe(&on.host.name, &Probe::new(WANTS)) {
            Seen::Is(output) => wanted(output),
            Seen::Absent => unread("it says nothing"),
            Seen::Unread(why) => unread(&why),
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        if said.contains("authentication required") || said.contains("Access denied") {
            return Some("only root may restart it: let the step have `become: true`".into());
        }
        said.contains("nhibit").then(|| "`systemd-inhibit --list` there names who does not want it now".into())
    }
}

fn wanted(output: &Output) -> Plan {
    let text = output.text();
    let mut lines = text.lines();
    match lines.next() {
        Some("no") => Plan::Settled,
        Some("yes") => Plan::Change(vec![restart(why(&lines.collect::<Vec<_>>()))]),
        _ => unread(&output.errors()),
    }
}

fn why(packages: &[&str]) -> String {
    let named = packages.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match packages.len() {
        0 => "it asks for a restart".into(),
        1..=NAMED => format!("it asks for a restart, for {named}"),
        all => format!("it asks for a restart, for {named} and {} more", all - NAMED),
    }
}

/// By systemd itself, which goes on though the connection ends.
fn restart(why: String) -> Change {
    let does = Does::Restart(Command::new("systemctl").arg("reboot"));
    Change { deadline: TIMEOUT, ..Change::new(why, does) }
}

fn unread(why: &str) -> Plan {
    Plan::unread("whether it asks for a restart", why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};

    fn planned(stdout: &str) -> String {
        let case = Case::new(&["node1"]).answers("node1", &[Read::Probe(Probe::new(WANTS))], stdout);
        case.plan(&action::<Reboot>(json!({})))
    }

    #[test]
    fn a_machine_that_asks_for_nothing_is_settled() {
        assert_eq!(planned("no\n"), "settled");
    }

    #[test]
    fn a_machine_that_asks_for_it_is_restarted_and_the_packages_are_why() {
        let restart = |why: &str| format!("change\n  it asks for a restart{why}\n    restart by $ systemctl reboot");
        assert_eq!(planned("yes\n"), restart(""));
        assert_eq!(planned("yes\nlibc6\nlinux-base\n"), restart(", for libc6, linux-base"));
        assert_eq!(planned("yes\na\nb\nc\nd\ne\nf\ng\n"), restart(", for a, b, c, d, e and 2 more"));
    }

    #[test]
    fn what_could_not_be_read_is_neither() {
        assert!(planned("").starts_with("refused: cannot read whether it asks for a restart"));
    }

    #[test]
    fn always_asks_nothing() {
        let plan = Case::new(&["node1"]).plan(&action::<Reboot>(json!({"always": true})));
        assert_eq!(plan, "always\n  it restarts each time\n    restart by $ systemctl reboot");
    }

    #[test]
    fn the_script_finds_the_flag_and_each_package_once() {
        let folder = tempfile::tempdir().unwrap();
        let flag = folder.path().join("reboot-required");
        let script = WANTS.replace("/run/reboot-required", flag.to_str().unwrap());
        let says = || {
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(says(), "no\n");
        std::fs::write(&flag, "*** System restart required ***\n").unwrap();
        assert_eq!(says(), "yes\n");
        std::fs::write(flag.with_extension("pkgs"), "b\na\nb\n").unwrap();
        assert_eq!(says(), "yes\na\nb\n");
    }

    #[test]
    fn who_may_not_or_should_not_is_told_what_to_do() {
        let hint = |said| Reboot::default().hint(said).unwrap_or_default();
        let said = "Call to Reboot failed: Interactive authentication required.";
        assert!(hint(said).contains("become: true"));
        assert!(hint("Operation inhibited by \"apt\" (PID 7)").contains("systemd-inhibit --list"));
        assert_eq!(hint("no"), "");
    }

    #[test]
    fn mistakes_are_named() {
        assert!(mistake::<Reboot>(json!({"allways": true})).contains("unknown field `allways`"));
    }
}
