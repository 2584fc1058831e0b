//! `service`: a service of the swarm, brought to what is asked for by the flags for what differs, or absent.

mod fields;
mod flags;
mod forms;
mod parameters;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use parameters::Service;

use super::diff;
use super::environment::environment;
use super::network::Presence;
use super::values::Words;
use super::{Action, Ask, Change, Object, Plan, Target, hints, tasks};
use crate::event::Difference;
use crate::reads::docker::{Look, OneService as Found, Service as Row, is_image};
use crate::reads::{Read, Readings, Seen};
use crate::remote::Command;
use fields::{Fields, IMAGE};
use parameters::Resolve;

/// The label of those that skep has made: the names of the labels that it was asked for.
const LABELS: &str = "skep.labels";

impl Action for Service {
    fn describe(&self) -> String {
        match self.state {
            Presence::Present => format!("service {} ({})", self.name, self.image()),
            Presence::Absent => format!("service {} (absent)", self.name),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "service", name: self.name.clone() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut reads = vec![Read::Docker(Look::Service(self.name.clone()))];
        if self.state == Presence::Present && self.resolve_image == Resolve::Never {
            reads.push(Read::Docker(Look::Image(self.image().to_owned())));
        }
        if let Seen::Is(found) = seen.service(&on.host.name, &self.name) {
            reads.extend(tasks::logs(&found.own).map(Read::Probe));
        }
        reads.into_iter().map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        let found = match seen.service(host, &self.name) {
            Seen::Unread(why) => return Plan::unread(&format!("service {} on {host}", self.name), &why),
            Seen::Absent => None,
            Seen::Is(found) => Some(found),
        };
        let asked = match self.content(on, seen) {
            Ok(content) => Fields::asked(self, content),
            Err(unread) => return unread,
        };
        match (self.state, found) {
            (Presence::Absent, None) => Plan::Settled,
            (Presence::Absent, Some(found)) => Plan::Change(vec![end("it is to be absent", found)]),
            (Presence::Present, None) => Plan::Change(vec![Change::run("it is not there", self.create(&asked))]),
            (Presence::Present, Some(found)) => self.compared(&asked, found, on, seen),
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        let lacks = MISSING.iter().find(|(words, _)| words.iter().all(|word| said.contains(word)));
        lacks.map(|(_, hint)| (*hint).to_owned()).or_else(|| hints::docker(said))
    }
}

/// What a service may ask for that is not there, in Docker's words, and what makes it.
const MISSING: [(&[&str], &str); 3] = [
    (&["secret not found"], "make it by a step before: `secret: { name: …, content: … }`"),
    (&["config not found"], "make it by a step before: `config: { name: …, content: … }`"),
    (&["network ", " not found"], "make it by a step before: `network: { name: …, driver: overlay }`"),
];

/// A field that differs, and what it is and is to be.
struct Other {
    field: String,
    is: Option<String>,
    asked: Option<String>,
}

impl Service {
    fn image(&self) -> &str {
        self.image.as_deref().unwrap_or_default()
    }

    /// An image that is here is what a tag means here: where it becomes another one, the tasks are made anew.
    fn content<'a>(&self, on: &Target, seen: &Readings<'a>) -> Result<Option<&'a str>, Plan> {
        if self.state == Presence::Absent || self.resolve_image != Resolve::Never {
            return Ok(None);
        }
        match seen.image(&on.host.name, self.image()) {
            Seen::Is(image) => Ok(Some(&image.content)),
            Seen::Absent => Ok(None),
            Seen::Unread(why) => Err(Plan::unread(&format!("image {} on {}", self.image(), on.host.name), &why)),
        }
    }

    fn compared(&self, asked: &Fields, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let others = others(asked, found, self.resolve_image != Resolve::Never);
        let differs = |_: &Row| !others.is_empty();
        if let Some(refused) = tasks::given_up("", &found.own, differs, on, seen) {
            return refused;
        }
        if !others.is_empty() {
            return Plan::Change(self.brought(asked, &others, found));
        }
        match tasks::again(&found.own, self.registry_auth, on).next() {
            Some((_, again)) => Plan::Change(vec![again]),
            None => tasks::plan("", &found.own, on, seen),
        }
    }

    /// All can be changed but the mode.
    fn brought(&self, asked: &Fields, others: &[Other], found: &Found) -> Vec<Change> {
        let differs: Vec<Difference> = others.iter().map(Other::told).collect();
        if others.iter().any(|other| other.field == "mode") {
            let gone = end("a service keeps its mode", found).differing(differs);
            return vec![gone, Change::run("in place of the one removed", self.create(asked))];
        }
        let there = Fields::found(found);
        let going = others.iter().filter_map(|other| Some((other.field.as_str(), other.is.as_deref()?))).collect();
        let (ports, others_swept): (Vec<_>, Vec<_>) =
            flags::swept(&going, &there.0).into_iter().partition(|(flag, _)| flag == PUBLISH);
        let update = self.update(others, &others_swept, found);
        let mut changes = vec![Change::run("it differs from what is asked", update).differing(differs)];
        // What an update takes away it does not add in the same breath.
        changes.extend((!ports.is_empty()).then(|| {
            let why = "docker takes away all that is published of a port together";
            Change::run(why, self.to(ports.iter().fold(updating(), swept_back), found))
        }));
        changes
    }

    fn create(&self, asked: &Fields) -> Command {
        let mut command = Command::new("docker").args(["service", "create", "--detach", "--name", &self.name]);
        command = command.args(["--mode", &asked.0["mode"]]);
        command = asked.0.iter().fold(command, |command, (field, value)| flags::create(command, field, value));
        command = command.args(["--label".to_owned(), format!("{LABELS}={}", self.label_names())]);
        let content =
            asked.0.get("image.content").map(|content| ["--container-label".into(), format!("{IMAGE}={content}")]);
        command = command.args(content.into_iter().flatten());
        command = environment(command, "--env", &self.env);
        let words = self.command.iter().flat_map(|Words(words)| words.clone());
        self.pulling(command).arg(self.image()).args(words)
    }

    fn update(&self, others: &[Other], swept: &[(String, &str)], found: &Found) -> Command {
        let mut command = swept.iter().fold(updating(), swept_back);
        for Other { field, is, asked } in others {
            command = flags::update(command, field, is.as_deref(), asked.as_deref());
        }
        let named = |field: &str| others.iter().find(|other| other.field == field)?.asked.as_deref();
        let content =
            named("image.content").map(|content| ["--container-label-add".into(), format!("{IMAGE}={content}")]);
        let image = named("image").map(|image| ["--image".into(), image.to_owned()]);
        let relabelled = labels_of(found).is_some() && others.iter().any(|other| other.field.starts_with("labels."));
        let labels = relabelled.then(|| ["--label-add".into(), format!("{LABELS}={}", self.label_names())]);
        command = command.args([content, image, labels].into_iter().flatten().flatten());
        let changed = self.env.iter().filter(|(name, _)| named(&format!("env.{name}")).is_some());
        let changed = changed.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.to(environment(command, "--env-add", &changed), found)
    }

    fn to(&self, command: Command, found: &Found) -> Command {
        self.pulling(command).arg(&found.own.services[0].id)
    }

    fn pulling(&self, command: Command) -> Command {
        let login = self.registry_auth.then_some("--with-registry-auth");
        let resolve = (self.resolve_image == Resolve::Never).then_some("--no-resolve-image");
        command.args(login.into_iter().chain(resolve))
    }

    fn label_names(&self) -> String {
        self.labels.keys().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

const PUBLISH: &str = "--publish-add";

fn updating() -> Command {
    Command::new("docker").args(["service", "update", "--detach"])
}

fn swept_back(command: Command, (flag, value): &(String, &str)) -> Command {
    command.args([flag.as_str(), value])
}

/// The labels that it was asked for, where skep has made it.
fn labels_of(found: &Found) -> Option<Vec<&str>> {
    found.spec.labels.get(LABELS).map(|names| names.split(',').collect())
}

/// What skep has made is to be as asked in all, what it has not in what is asked for.
fn others(asked: &Fields, found: &Found, registry_asked: bool) -> Vec<Other> {
    let (is, own) = (Fields::found(found), labels_of(found));
    let health = asked.0.get("healthcheck.command").map(String::as_str);
    let counts = |field: &&String| match (field.strip_prefix("labels."), &own) {
        (_, None) => false,
        (Some(label), Some(own)) => own.contains(&label),
        (None, Some(_)) => true,
    };
    // What its image is here was never asked of one that was made by hand.
    let asked_for = asked.0.keys().filter(|field| own.is_some() || *field != "image.content");
    let fields: BTreeSet<&String> = asked_for.chain(is.0.keys().filter(counts)).collect();
    let other = |field: &String| {
        let without = flags::without(field);
        let wanted = match (asked.0.get(field), without) {
            (Some(asked), _) => Some(asked.clone()),
            (None, Ok(without)) => without.map(str::to_owned),
            (None, Err(())) => return None,
        };
        let is = is.0.get(field).cloned();
        let alike = match (field.as_str(), &is, &wanted) {
            ("image", Some(is), Some(asked)) => is_image(is, asked, registry_asked),
            _ => is == wanted,
        };
        (!alike && !flags::is_implied(field, health)).then(|| Other { field: field.clone(), is, asked: wanted })
    };
    fields.into_iter().filter_map(other).collect()
}

/// What stands in these is as people have written it.
const WRITTEN: [&str; 4] = ["command", "entrypoint", "labels.", "healthcheck.command"];

impl Other {
    /// Values of the environment may be secrets, and what people write in lines and labels may have some.
    fn told(&self) -> Difference {
        if WRITTEN.iter().any(|prefix| self.field.starts_with(prefix)) {
            let is = self.is.as_deref().filter(|is| !is.is_empty());
            let asked = self.asked.as_deref().filter(|asked| !asked.is_empty());
            return diff::shown(self.field.clone(), is, asked.unwrap_or("none"));
        }
        let hidden = self.field.starts_with("env.");
        let shown = |value: &Option<String>, set: &str| match value.as_deref() {
            None | Some("") => "none".to_owned(),
            Some(_) if hidden => set.to_owned(),
            Some(value) => value.to_owned(),
        };
        let set = if self.is.is_some() { "another value" } else { "set" };
        Difference { field: self.field.clone(), is: shown(&self.is, "set"), asked: shown(&self.asked, set) }
    }
}

/// Removes it, and waits until its tasks have ended: until then they hold on to ports, networks and volumes.
fn end(why: &str, found: &Found) -> Change {
    Change::run(why, tasks::end_services(&[&found.own.services[0].id])).removing()
}
