//! `container`: a container that runs as asked, or is absent.

mod compare;
mod create;
mod parameters;
#[cfg(test)]
mod tests;

pub use parameters::Container;

use std::time::Duration;

use super::{Action, Ask, Change, Object, Plan, Refusal, Target, Wait};
use crate::reads::docker::{Container as Found, Image, Look};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::Command;
use parameters::Wanted;

/// The label that holds the digest of the parameters a container was made with.
pub const DIGEST: &str = "skep.digest";

/// Without a health check, a container that has been up for this long is taken to run.
const SETTLED: Duration = Duration::from_secs(5);

/// A container that its restart policy started so often, and that is not up, keeps dying.
const DYING: u64 = 3;

impl Action for Container {
    fn describe(&self) -> String {
        match self.state {
            Wanted::Running => format!("container {} ({})", self.name, self.image.as_deref().unwrap_or("no image")),
            Wanted::Absent => format!("container {} (absent)", self.name),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "container", name: self.name.clone() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut asks = vec![on.ask(look(Look::Container(self.name.clone())))];
        asks.extend(self.image.iter().map(|image| on.ask(look(Look::Image(image.clone())))));
        if let Seen::Is(found) = seen.container(&on.host.name, &self.name) {
            asks.extend(self.follow_up(found, on, seen).into_iter().map(|read| on.ask(read)));
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        match (seen.container(host, &self.name), self.state) {
            (Seen::Unread(why), _) => Plan::unread(&format!("container {} on {host}", self.name), &why),
            (Seen::Absent, Wanted::Absent) => Plan::Settled,
            (Seen::Absent, Wanted::Running) => Plan::Change(self.run("it is not there")),
            (Seen::Is(found), Wanted::Absent) => Plan::Change(vec![remove("it is to be absent", found)]),
            (Seen::Is(found), Wanted::Running) => self.compare(found, on, seen),
        }
    }
}

fn look(look: Look) -> Read {
    Read::Docker(look)
}

impl Container {
    /// What must be known about a container that is there but perhaps not as asked.
    fn follow_up(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Vec<Read> {
        let mut reads = Vec::new();
        if self.other_image(found, self.found_image(on, seen)) {
            reads.push(look(Look::Image(found.image.clone())));
        }
        if dying(found) {
            reads.push(Read::Probe(logs(found)));
        }
        if port_taken(found) {
            reads.push(Read::Probe(self.holders()));
        }
        reads
    }

    fn found_image<'a>(&self, on: &Target, seen: &Readings<'a>) -> Option<&'a Image> {
        seen.image(&on.host.name, self.image.as_deref()?).is()
    }

    fn compare(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        if let Some(image) = &self.image
            && let Seen::Unread(why) = seen.image(host, image)
        {
            return Plan::unread(&format!("image {image} on {host}"), &why);
        }
        let own = seen.image(host, &found.image).is();
        let differs = self.differs(found, self.found_image(on, seen), own);
        if !differs.is_empty() {
            return self.replace("it differs from what is asked", found, on, seen, differs);
        }
        self.alive(found, on, seen)
    }

    /// Whether one that is made as asked also runs.
    fn alive(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let health = found.state.health.as_ref().map(|health| health.status.as_str());
        match (found.state.status.as_str(), health) {
            _ if dying(found) => refused_dying(found, on, seen),
            ("running", Some("healthy")) => Plan::Settled,
            ("running", None | Some("none")) if found.up.is_some_and(|up| up >= SETTLED) => Plan::Settled,
            ("running", None | Some("none")) => wait(format!("container {} to stay up for 5 s", self.name), on),
            ("running", Some("unhealthy")) => wait(self.unhealthy(found), on),
            ("running", Some(_)) => wait(format!("container {} to be healthy", self.name), on),
            ("restarting" | "removing", _) => wait(format!("container {} to stay up", self.name), on),
            ("paused", _) => one("it is paused", &["unpause", &found.id]),
            // What never started is made anew: whatever it lacked was bound when it was made.
            ("created" | "dead", _) => self.never_started(found, on, seen),
            _ if found.state.error.contains("network") => {
                self.replace("it lost its network, which starting it again does not mend", found, on, seen, Vec::new())
            }
            _ => one(&format!("it has stopped (exit code {})", found.state.exit_code), &["start", &found.id]),
        }
    }

    fn unhealthy(&self, found: &Found) -> String {
        let said = found.state.health.as_ref().map_or("", |health| health.last());
        format!("container {} to be healthy again (its check says: {said})", self.name)
    }

    fn never_started(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let holders = seen.probe(&on.host.name, &self.holders()).is().map(crate::remote::Output::text);
        match holders.filter(|text| port_taken(found) && !text.is_empty()) {
            Some(holders) => Plan::refused(
                format!(
                    "container {} cannot publish its ports on {}: {}\ntaken by:\n{holders}",
                    self.name, on.host.name, found.state.error
                ),
                "stop what holds the port, or publish another one in `ports`",
            ),
            None => self.replace("it was made but never ran", found, on, seen, Vec::new()),
        }
    }

    fn replace(
        &self,
        why: &str,
        found: &Found,
        on: &Target,
        seen: &Readings<'_>,
        differs: Vec<crate::event::Difference>,
    ) -> Plan {
        let mut changes = Vec::new();
        if let Some(image) = &self.image
            && seen.image(&on.host.name, image) == Seen::Absent
        {
            // The old one must not go before it is sure that there can be a new one.
            changes.push(Change::run("its image is not here", Command::new("docker").args(["pull", image])));
        }
        changes.push(remove(why, found).differing(differs));
        changes.extend(self.run("in place of the one removed"));
        Plan::Change(changes)
    }

    /// Who holds the ports that are to be published, one a line.
    fn holders(&self) -> Probe {
        let ports = self.published_ports();
        let sockets = ports.iter().map(|port| format!("sport = :{port}")).collect::<Vec<_>>().join(" or ");
        let containers: String = ports
            .iter()
            .map(|port| format!("docker ps --filter publish={port} --format 'port {port}: container {{{{.Names}}}} ({{{{.Ports}}}})'\n"))
            .collect();
        Probe::new(format!("{containers}ss -Hltnp '( {sockets} )' 2>/dev/null | grep -v docker-proxy || :"))
    }
}

fn dying(found: &Found) -> bool {
    let status = found.state.status.as_str();
    let young = status == "running" && found.up.is_some_and(|up| up < SETTLED);
    let again = found.restart_count >= DYING && (status == "restarting" || young);
    again || (status == "exited" && found.ended_at_once())
}

fn refused_dying(found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
    let logs = seen.probe(&on.host.name, &logs(found)).is().map(crate::remote::Output::text).unwrap_or_default();
    let memory = if found.state.oom { ", out of memory" } else { "" };
    let why = format!(
        "container {} on {} keeps dying: exit code {}{memory}, started again {} times; its last lines:\n{logs}",
        found.name, on.host.name, found.state.exit_code, found.restart_count
    );
    let hint =
        format!("mend what its log complains of; `docker rm -f {}` there lets the next run start afresh", found.name);
    Plan::Refused(Refusal { why, hint: Some(hint) })
}

fn logs(found: &Found) -> Probe {
    Probe::new(format!("docker logs --tail 20 {} 2>&1", crate::remote::quote(&found.id)))
}

fn port_taken(found: &Found) -> bool {
    let error = &found.state.error;
    found.state.status == "created" && ["already allocated", "already in use"].iter().any(|words| error.contains(words))
}

/// Stops it in its own time, then removes it. Named volumes stay.
fn remove(why: &str, found: &Found) -> Change {
    let never_ran = matches!(found.state.status.as_str(), "created" | "dead");
    let command = match found.running() {
        true => Command::new("docker").args(["stop", &found.id]).syntax("&&").args(["docker", "rm", &found.id]),
        false => Command::new("docker").args(["rm", "-f", &found.id]),
    };
    let change = Change::run(why, command);
    if never_ran { change } else { change.removing() }
}

fn one(why: &str, words: &[&str]) -> Plan {
    Plan::Change(vec![Change::run(why, Command::new("docker").args(words.iter().copied()))])
}

fn wait(what: String, on: &Target) -> Plan {
    Plan::Wait(Wait { what, on: vec![on.host.name.clone()], by_step: false, then: Vec::new() })
}
