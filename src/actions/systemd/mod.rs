//! `systemd`: a unit that runs, starts with the machine, or may not be started at all.

#[cfg(test)]
mod tests;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Change, Object, Plan, Target, Wait};
use crate::event::Difference;
use crate::reads::{Read, Readings, Seen, Unit};
use crate::remote::{Command, quote};

/// A unit of systemd: a service, a timer, a socket.
///
/// Where its own files have changed, systemd reads them anew before anything else. A unit that was started counts as running
/// when it is still there a second later; the last lines of its log are shown where it is not. One that systemd itself
/// starts again and again is waited for, a minute where the step has no `timeout`.
///
/// There is no state `restarted`: `newer_than` restarts where it has to be, also where an earlier run was cut off in between.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Systemd(Parameters);

/// The parameters of [`Systemd`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Its name: `nginx`, which is short for `nginx.service`, or `fstrim.timer`.
    unit: String,
    /// Whether it runs now.
    state: Option<State>,
    /// Whether it starts with the machine.
    enabled: Option<bool>,
    /// Whether nothing may start it, not even by hand.
    masked: Option<bool>,
    /// Files that it reads when it starts, absolute: it is restarted where it runs and was started before one of them was last
    /// changed. Its own unit file is not among them unless it is named here too.
    #[serde(default)]
    newer_than: Vec<String>,
}

/// What it does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It runs.
    Started,
    /// It does not run.
    Stopped,
}

/// The kinds of units, as their names end.
const KINDS: &[&str] =
    &["service", "socket", "timer", "target", "path", "mount", "automount", "swap", "slice", "scope", "device"];

/// One that systemd had to start again is as asked after this many seconds.
const STEADY: u64 = 5;

/// How long a unit may take to come to rest, where the step does not say.
const TIMEOUT: Duration = Duration::from_secs(60);

impl TryFrom<Parameters> for Systemd {
    type Error = String;

    fn try_from(mut asked: Parameters) -> Result<Self, String> {
        let name = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
        if asked.unit.is_empty() || asked.unit.starts_with('-') || !asked.unit.bytes().all(name) {
            return Err(format!("{:?} is no unit's name", asked.unit));
        }
        if !asked.unit.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind)) {
            asked.unit += ".service";
        }
        if let Some(path) = asked.newer_than.iter().find(|path| !path.starts_with('/')) {
            return Err(format!("`newer_than` takes absolute paths on the host, and {path} is none"));
        }
        let runs = asked.state == Some(State::Started) || asked.enabled == Some(true) || !asked.newer_than.is_empty();
        if asked.state == Some(State::Stopped) && !asked.newer_than.is_empty() {
            return Err("what is stopped cannot be newer than a file".into());
        }
        match asked.masked {
            Some(true) if runs => Err("what is masked can be neither started nor enabled".into()),
            None if !runs && asked.state.is_none() && asked.enabled.is_none() => {
                Err("`systemd` wants at least one of `state`, `enabled`, `masked` and `newer_than`".into())
            }
            _ => Ok(Self(asked)),
        }
    }
}

impl Action for Systemd {
    fn describe(&self) -> String {
        let state = self.0.state.map(|state| if state == State::Started { "started" } else { "stopped" });
        let enabled = self.0.enabled.map(|enabled| if enabled { "enabled" } else { "disabled" });
        let masked = self.0.masked.map(|masked| if masked { "masked" } else { "not masked" });
        let newer = (!self.0.newer_than.is_empty()).then_some("newer than its files");
        let told: Vec<&str> = [state, enabled, masked, newer].into_iter().flatten().collect();
        format!("unit {} ({})", self.0.unit, told.join(", "))
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "unit", name: self.0.unit.clone() })
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        let files = self.0.newer_than.iter().map(|path| Read::File { path: path.clone(), content: false });
        [Read::Unit(self.0.unit.clone())].into_iter().chain(files).map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let planned = match seen.unit(&on.host.name, &self.0.unit) {
            Seen::Is(unit) => self.planned(unit, on, seen),
            Seen::Absent => self.absent(on),
            Seen::Unread(why) => Err(Plan::unread(&self.0.unit, &why)),
        };
        planned.unwrap_or_else(|other| other)
    }

    fn hint(&self, said: &str) -> Option<String> {
        let own = "its unit file stands where the mask would be: remove that file instead, or stop and disable it";
        let root = "only root may do that: let the step have `become: true`";
        match said {
            _ if said.contains("Failed to mask unit") && said.contains("already exists") => Some(own.into()),
            _ if said.contains("authentication required") || said.contains("Access denied") => Some(root.into()),
            _ => None,
        }
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }
}

impl Systemd {
    /// What is not there neither runs nor starts with the machine.
    fn absent(&self, on: &Target) -> Result<Plan, Plan> {
        let wanted = self.0.state == Some(State::Started) || self.0.enabled == Some(true);
        if wanted || !self.0.newer_than.is_empty() {
            let why = format!("there is no unit {} on {}", self.0.unit, on.host.name);
            return Err(Plan::refused(
                why,
                "install what brings it in a step before; systemctl list-unit-files shows them",
            ));
        }
        let mask = || vec![change("it is not masked", "mask", &self.0.unit, differs("masked", "absent", "masked"))];
        Ok(if self.0.masked == Some(true) { Plan::Change(mask()) } else { Plan::Settled })
    }

    /// What systemd says of a unit holds for the files that it has read: where they have changed, it is asked again after it
    /// has read them. What can be done is done before anything is waited for.
    fn planned(&self, unit: &Unit, on: &Target, seen: &Readings<'_>) -> Result<Plan, Plan> {
        if unit.stale {
            let reload = Command::new("systemctl").arg("daemon-reload");
            return Ok(Plan::Change(vec![Change::run("systemd wants to read its files anew", reload)]));
        }
        self.possible(unit)?;
        let (now, wait) = match self.running(unit, self.newer(unit, on, seen)?) {
            Ok(change) => (change, None),
            Err(wait) => (None, Some(wait)),
        };
        let changes = [self.unmasked(unit), self.enabled(unit), now, self.masked(unit)];
        let changes: Vec<Change> = changes.into_iter().flatten().collect();
        Ok(match changes.is_empty() {
            true => wait.unwrap_or(Plan::Settled),
            false => Plan::Change(changes),
        })
    }

    /// What no change would bring about is refused.
    fn possible(&self, unit: &Unit) -> Result<(), Plan> {
        let name = &unit.name;
        let started = self.0.state == Some(State::Started);
        let wanted = started || self.0.enabled == Some(true);
        if unit.enabled.starts_with("masked") && wanted && self.0.masked.is_none() {
            return Err(Plan::refused(format!("{name} is masked"), "say `masked: false` if it may be started"));
        }
        if unit.passing && started {
            let hint = "start the timer or whatever else calls it, or let it have RemainAfterExit=yes";
            return Err(Plan::refused(format!("{name} does its work and ends: it cannot stay started"), hint));
        }
        if matches!(unit.enabled.as_str(), "static" | "transient") && self.0.enabled == Some(true) {
            let why = format!("{name} is {}: nothing says what it would start with", unit.enabled);
            return Err(Plan::refused(why, "leave `enabled` out, or enable what starts it: its socket, its timer"));
        }
        Ok(())
    }

    /// Why a unit that runs has to be started again, if it has to.
    fn newer(&self, unit: &Unit, on: &Target, seen: &Readings<'_>) -> Result<Option<String>, Plan> {
        for path in &self.0.newer_than {
            match seen.file(&on.host.name, path) {
                Seen::Is(file) if unit.older_than(file.modified) => {
                    return Ok(Some(format!("{path} has changed since it was started")));
                }
                Seen::Is(_) | Seen::Absent => {}
                Seen::Unread(why) => return Err(Plan::unread(path, &why)),
            }
        }
        Ok(None)
    }

    /// What makes it run or stop, or what has to be waited for first.
    fn running(&self, unit: &Unit, newer: Option<String>) -> Result<Option<Change>, Plan> {
        let (name, active) = (&unit.name, unit.active.as_str());
        let differ = |asked: &str| differs("state", active, asked);
        match (self.0.state, active) {
            (Some(State::Stopped), "deactivating") => Err(wait(format!("{name} to stop"))),
            (Some(State::Stopped), "inactive" | "failed") => Ok(None),
            (Some(State::Stopped), _) => Ok(Some(change("it runs", "stop", name, differ("stopped")))),
            (_, "active" | "reloading") => match newer {
                Some(why) => Ok(Some(Change::run(why, begin("restart", name)))),
                None if self.0.state.is_some() => steady(unit),
                None => Ok(None),
            },
            (None, _) => Ok(None),
            (Some(State::Started), "activating" | "deactivating") => Err(wait(coming(unit))),
            (Some(State::Started), _) => {
                Ok(Some(Change::run("it does not run", begin("start", name)).differing(vec![differ("started")])))
            }
        }
    }

    fn enabled(&self, unit: &Unit) -> Option<Change> {
        let (verb, fits): (_, &[&str]) = match self.0.enabled? {
            true => ("enable", &["enabled", "alias", "generated", "indirect"]),
            false => (
                "disable",
                &["disabled", "static", "indirect", "masked", "masked-runtime", "generated", "transient", ""],
            ),
        };
        let why = if verb == "enable" { "it does not start with the machine" } else { "it starts with the machine" };
        let differ = || differs("enabled", &unit.enabled, &format!("{verb}d"));
        (!fits.contains(&unit.enabled.as_str())).then(|| change(why, verb, &unit.name, differ()))
    }

    fn unmasked(&self, unit: &Unit) -> Option<Change> {
        let verb = match unit.enabled.as_str() {
            "masked" => "unmask",
            "masked-runtime" => "unmask --runtime",
            _ => return None,
        };
        let differ = || differs("masked", &unit.enabled, "not masked");
        (self.0.masked == Some(false)).then(|| change("it is masked", verb, &unit.name, differ()))
    }

    /// A mask of this boot alone is not enough.
    fn masked(&self, unit: &Unit) -> Option<Change> {
        let wanted = self.0.masked == Some(true) && unit.enabled != "masked";
        let differ = || differs("masked", if unit.enabled.is_empty() { "not masked" } else { &unit.enabled }, "masked");
        wanted.then(|| change("it is not masked", "mask", &unit.name, differ()))
    }
}

/// One that systemd had to start again may be about to end once more.
fn steady(unit: &Unit) -> Result<Option<Change>, Plan> {
    let shaky = unit.restarts > 0 && unit.up < STEADY;
    if shaky { Err(wait(coming(unit))) } else { Ok(None) }
}

fn coming(unit: &Unit) -> String {
    match (unit.result.as_str(), unit.restarts) {
        ("success" | "", 0) => format!("{} to run: it is {}", unit.name, unit.active),
        (result, restarts) => {
            let name = &unit.name;
            format!("{name} to stay up (it ended with {result}, {restarts} times started again: journalctl -u {name})")
        }
    }
}

fn wait(what: String) -> Plan {
    Plan::Wait(Wait { what, ..Wait::default() })
}

fn change(why: &str, verb: &str, unit: &str, differs: Difference) -> Change {
    let command = Command::new("systemctl").args(verb.split(' ')).arg(unit);
    Change::run(why, command).differing(vec![differs])
}

fn differs(field: &str, is: &str, asked: &str) -> Difference {
    Difference { field: field.into(), is: is.into(), asked: asked.into() }
}

/// Starts a unit, or starts it again. One that does not come up, or is not the same a second later, says why in its log:
/// each start by systemd itself is another invocation (systemd.exec(5)).
pub(super) fn begin(verb: &str, unit: &str) -> Command {
    let name = quote(unit);
    let which = format!("$(systemctl show -p InvocationID --value {name})");
    let stays =
        format!("which={which} && sleep 1 && systemctl is-active --quiet {name} && [ \"{which}\" = \"$which\" ]");
    let log = format!("journalctl -u {name} -n 20 --no-pager -o cat >&2");
    let begin = format!("systemctl reset-failed {name} 2>/dev/null; systemctl {verb} {name}");
    Command::sh(format!("{begin} && {stays} || {{ {log}; exit 1; }}")).shown_as(format!("systemctl {verb} {name}"))
}
