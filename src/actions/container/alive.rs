//! Whether a container that is made as asked also runs, and what to do where it does not.

use std::time::Duration;

use super::{Container, Found};
use crate::actions::{Change, Plan, Refusal, Target, Wait, hints};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, Output, quote};

/// Without a health check, a container that has been up for this long is taken to run.
const SETTLED: Duration = Duration::from_secs(5);

/// A container that ended by itself so often in the last minutes keeps dying.
const DYING: usize = 3;

/// How far back deaths count.
const MINUTES: u32 = 5;

/// The exit codes of what ended as it was told to, or had nothing more to do: 128 + SIGKILL, 128 + SIGTERM.
const ENDED_IN_ORDER: [i64; 3] = [0, 137, 143];

impl Container {
    /// What must be known about one that is there but perhaps does not run.
    pub(super) fn alive_reads(&self, found: &Found) -> Vec<Probe> {
        let dying = may_be_dying(found).then(|| [deaths(found), logs(found)]);
        let taken = port_taken(found).then(|| self.holders());
        dying.into_iter().flatten().chain(taken).collect()
    }

    /// What it read when it started.
    pub(super) fn files(&self) -> impl Iterator<Item = Read> {
        self.restart_if_newer.iter().map(|path| Read::File { path: path.clone(), content: false })
    }

    /// Whether what it read when it started is out of date. A file that is put in the place of another is not seen in a
    /// container that has the old one mounted, until it is restarted.
    fn outdated(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Option<Plan> {
        let host = &on.host.name;
        let started = matches!(found.state.status.as_str(), "running" | "restarting" | "exited");
        self.restart_if_newer.iter().filter(|_| started).find_map(|path| match seen.file(host, path) {
            Seen::Is(file) if found.started_before(file.modified) => {
                Some(one(&format!("{path} has changed since it started"), &["restart", &found.id]))
            }
            Seen::Unread(why) => Some(Plan::unread(&format!("{path} on {host}"), &why)),
            _ => None,
        })
    }

    /// Whether one that is made as asked also runs.
    pub(super) fn alive(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        if lost_network(found) {
            let why = "it lost its network, which starting it again does not mend";
            return self.replace(why, found, on, seen, Vec::new());
        }
        self.outdated(found, on, seen).unwrap_or_else(|| self.runs(found, on, seen))
    }

    fn runs(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let health = found.state.health.as_ref().map(|health| health.status.as_str());
        match (found.state.status.as_str(), health) {
            _ if dying(found, on, seen) => refused_dying(found, on, seen),
            ("running", Some("healthy")) => Plan::Settled,
            ("running", None | Some("none")) if found.up.is_some_and(|up| up >= SETTLED) => Plan::Settled,
            ("running", None | Some("none")) => wait(format!("container {} to stay up for 5 s", self.name), on),
            ("running", Some("unhealthy")) => wait(self.unhealthy(found), on),
            ("running", Some(_)) => wait(format!("container {} to be healthy", self.name), on),
            ("restarting" | "removing", _) => {
                let code = found.state.exit_code;
                wait(format!("container {} to stay up (it ended with exit code {code})", self.name), on)
            }
            ("paused", _) => one("it is paused", &["unpause", &found.id]),
            // What never started is made anew: whatever it lacked was bound when it was made.
            ("created" | "dead", _) => self.never_started(found, on, seen),
            ("exited", _) if port_taken(found) => {
                self.ports_are_taken(found, on, seen).unwrap_or_else(|| started(found))
            }
            _ => started(found),
        }
    }

    fn unhealthy(&self, found: &Found) -> String {
        let said = found.state.health.as_ref().map_or("", |health| health.last());
        format!("container {} to be healthy again (its check says: {said})", self.name)
    }

    fn never_started(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let taken = self.ports_are_taken(found, on, seen);
        taken.unwrap_or_else(|| self.replace("it was made but never ran", found, on, seen, Vec::new()))
    }

    fn ports_are_taken(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Option<Plan> {
        let holders = seen.probe(&on.host.name, &self.holders()).is().map(Output::text);
        let holders = holders.filter(|text| port_taken(found) && !text.is_empty())?;
        let (name, host, error) = (&self.name, &on.host.name, &found.state.error);
        let why = format!("container {name} cannot publish its ports on {host}: {error}\ntaken by:\n{holders}");
        Some(Plan::refused(why, "stop what holds the port, or publish another one in `ports`"))
    }

    /// Who holds the ports that are to be published, one a line.
    pub(super) fn holders(&self) -> Probe {
        let ports = self.published_ports();
        let sockets = ports.iter().map(|port| format!("sport = :{port}")).collect::<Vec<_>>().join(" or ");
        let containers: String = ports
            .iter()
            .map(|port| format!("docker ps --filter publish={port} --format 'port {port}: container {{{{.Names}}}} ({{{{.Ports}}}})'\n"))
            .collect();
        Probe::new(format!("{containers}ss -Hltnp '( {sockets} )' 2>/dev/null | grep -v docker-proxy || :"))
    }
}

/// What engines say of a network that is there, and of a host that will not let them use it.
const OF_THE_HOST: [&str; 4] = ["already allocated", "already in use", "external connectivity", "iptables"];

/// Its end was no choice of its own. Engines from 28 on speak of networking also where a port is taken.
fn lost_network(found: &Found) -> bool {
    let error = &found.state.error;
    let is_there = OF_THE_HOST.iter().any(|words| error.contains(words));
    found.state.status == "exited" && error.contains("network") && !is_there
}

fn may_be_dying(found: &Found) -> bool {
    found.state.status == "restarting" || found.ended_at_once()
}

/// Whether starting it once more would only show the same again. What its restart policy did months ago says nothing of that.
fn dying(found: &Found, on: &Target, seen: &Readings<'_>) -> bool {
    let deaths = deaths_of(found, on, seen);
    let in_order = ENDED_IN_ORDER.contains(&found.state.exit_code) && !found.state.oom;
    match found.state.status.as_str() {
        "restarting" => deaths >= DYING,
        // No restart policy started it again; what ended in order is given one more try.
        _ => found.ended_at_once() && deaths >= if in_order { 2 } else { 1 },
    }
}

/// Its ends in the last minutes by its host's clock, and the signals sent to it by people, in their order. Up to this very
/// moment: up to the last full second would be without the end of what died just now.
pub(super) fn deaths(found: &Found) -> Probe {
    Probe::new(format!(
        "now=$(date +%s.%N); docker events --since $((${{now%.*}} - {MINUTES} * 60)) --until \"$now\" --filter container={} \
         --filter event=die --filter event=kill --format '{{{{.Action}}}}'",
        quote(&found.id)
    ))
}

fn deaths_of(found: &Found, on: &Target, seen: &Readings<'_>) -> usize {
    seen.probe(&on.host.name, &deaths(found)).is().map_or(0, |told| own_deaths(&told.text()))
}

/// Ends that nobody sent a signal for.
fn own_deaths(events: &str) -> usize {
    let events: Vec<&str> = events.lines().collect();
    let own = |at: usize| events[at] == "die" && (at == 0 || events[at - 1] != "kill");
    (0..events.len()).filter(|at| own(*at)).count()
}

fn refused_dying(found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
    let logs = seen.probe(&on.host.name, &logs(found)).is().map(Output::text).unwrap_or_default();
    let deaths = match deaths_of(found, on, seen) {
        1 => "one death".to_owned(),
        many => format!("{many} deaths"),
    };
    let memory = if found.state.oom { ", out of memory" } else { "" };
    let why = format!(
        "container {} on {} keeps dying: exit code {}{memory}, {deaths} in the last {MINUTES} minutes; its last lines:\n{logs}",
        found.name, on.host.name, found.state.exit_code
    );
    let afresh =
        format!("mend what its log complains of; `docker rm -f {}` there lets the next run start afresh", found.name);
    Plan::Refused(Refusal { why, hint: Some(hints::started(&logs).unwrap_or(afresh)) })
}

pub(super) fn logs(found: &Found) -> Probe {
    Probe::new(format!("docker logs --tail 20 {} 2>&1", quote(&found.id)))
}

fn port_taken(found: &Found) -> bool {
    let error = &found.state.error;
    matches!(found.state.status.as_str(), "created" | "exited")
        && ["already allocated", "already in use"].iter().any(|words| error.contains(words))
}

fn started(found: &Found) -> Plan {
    one(&format!("it has stopped (exit code {})", found.state.exit_code), &["start", &found.id])
}

fn one(why: &str, words: &[&str]) -> Plan {
    Plan::Change(vec![Change::run(why, Command::new("docker").args(words.iter().copied()))])
}

fn wait(what: String, on: &Target) -> Plan {
    Plan::Wait(Wait { what, on: vec![on.host.name.clone()], ..Wait::default() })
}
