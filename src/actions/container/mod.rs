//! `container`: a container that runs as asked, or is absent.

mod alive;
mod compare;
mod create;
mod mistakes;
mod parameters;
#[cfg(test)]
mod tests;

pub use parameters::Container;

use super::{Action, Ask, Change, Object, Plan, Target, hints};
use crate::reads::docker::{Container as Found, Image, Look};
use crate::reads::{Read, Readings, Seen};
use crate::remote::Command;
use parameters::Wanted;

/// The label that holds the digest of the parameters a container was made with.
pub const DIGEST: &str = "skep.digest";

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
        asks.extend(self.files().map(|read| on.ask(read)));
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

    fn hint(&self, said: &str) -> Option<String> {
        hints::docker(said)
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
        reads.extend(self.alive_reads(found).into_iter().map(Read::Probe));
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

    /// One that is dead and was made alike is the same one started again, which loses what it wrote beside its volumes;
    /// of anything else a person is asked.
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
        let again = differs.is_empty() && self.made_alike(found) && !found.running() && !found.has_anonymous_volume();
        let removal = if again { remove(why, found) } else { Change::run(why, self.make_way(found)) };
        changes.push(Change { removes: !again && !never_ran(found), ..removal }.differing(differs));
        changes.extend(self.run("in place of the one removed"));
        Plan::Change(changes)
    }
}

/// What holds nothing that anybody may miss.
fn never_ran(found: &Found) -> bool {
    matches!(found.state.status.as_str(), "created" | "dead")
}

fn remove(why: &str, found: &Found) -> Change {
    Change { removes: !never_ran(found), ..Change::run(why, create::removal(found, Command::new("docker"))) }
}
