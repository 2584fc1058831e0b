//! Carrying an image from one host to another, without a registry and without the layers that are there already.

use super::{Found, Image, image};
use crate::actions::{Ask, Change, Does, Plan, Target, peers};
use crate::reads::docker::Look;
use crate::reads::{Read, Readings, Seen};
use crate::remote::{Command, quote};

/// How much room it takes, in times its size: the archive, its files, and what becomes of them.
const ROOM: f64 = 2.5;

impl Image {
    pub(super) fn carry_reads(&self, from: &str, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let sources = sources(from, on);
        let mut asks: Vec<Ask> =
            sources.iter().map(|host| Ask { host: host.clone(), read: image(&self.name) }).collect();
        let theirs = sources.iter().find_map(|host| seen.image(host, &self.name).is());
        let own = seen.image(&on.host.name, &self.name);
        // What is there already matters only where something is to go there.
        if theirs.is_some_and(|theirs| !matches!(&own, Seen::Is(own) if own.content == theirs.content)) {
            asks.extend(
                [Read::Docker(Look::Engine), Read::Docker(Look::Layers), Read::Machine].map(|read| on.ask(read)),
            );
        }
        asks
    }

    pub(super) fn carry_plan(&self, from: &str, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Err(refusal) = peers(on, from) {
            return Plan::Refused(refusal);
        }
        let sources = sources(from, on);
        let Some(first) = sources.first() else {
            return match own {
                Some(_) => Plan::Settled,
                None => {
                    Plan::refused(format!("`carry: {from}` names no other host"), "name the host that has the image")
                }
            };
        };
        for host in &sources {
            match seen.image(host, &self.name) {
                Seen::Is(theirs) if own.is_some_and(|own| own.content == theirs.content) => return Plan::Settled,
                Seen::Is(theirs) => return self.carry(host, theirs, own, on, seen),
                Seen::Absent => {}
                Seen::Unread(why) => return Plan::unread(&format!("image {} on {host}", self.name), &why),
            }
        }
        // Nobody has it yet: an earlier step makes it, or its absence will be told by Docker itself.
        Plan::Change(vec![self.transfer("it is not here", first, 0)])
    }

    fn carry(&self, host: &str, theirs: &Found, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(refused) = self.no_room(theirs, on, seen) {
            return refused;
        }
        let why = if own.is_some() { format!("that of {host} is another") } else { "it is not here".into() };
        Plan::Change(vec![self.transfer(&why, host, left_out(theirs, on, seen))])
    }

    fn no_room(&self, theirs: &Found, on: &Target, seen: &Readings<'_>) -> Option<Plan> {
        let machine = seen.machine(&on.host.name).is()?;
        let paths = ["/var/lib/docker", "/var/lib/containerd", "/tmp"];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "MiB of an image")]
        let needed = (theirs.size as f64 * ROOM / 1_048_576.0) as u64;
        let (path, free) =
            paths.iter().find_map(|path| Some((path, machine.free_for(path)?)).filter(|(_, free)| *free < needed))?;
        let why = format!(
            "image {} needs {needed} MiB on {} while it is unpacked, and {path} has {free} MiB left",
            self.name, on.host.name
        );
        Some(Plan::refused(why, format!("make room there: docker image prune, or a larger disk for {path}")))
    }

    /// The first `without` layers stay where they are.
    fn transfer(&self, why: &str, host: &str, without: usize) -> Change {
        let save = format!("docker save {}", quote(&self.name));
        let source = match without {
            0 => Command::sh(&save),
            count => {
                Command::sh(include_str!("save.sh").replace("@SAVE@", &save).replace("@WITHOUT@", &count.to_string()))
                    .shown_as(format!("{save} (without its first {count} layers)"))
            }
        };
        Change::new(why, Does::Pipe { from: host.into(), source, to: Command::new("docker").args(["load", "-q"]) })
    }
}

fn sources(from: &str, on: &Target) -> Vec<String> {
    let named = peers(on, from).unwrap_or_default();
    named.iter().filter(|host| host.name != on.host.name).map(|host| host.name.clone()).collect()
}

/// How many layers, base first, some image of the host begins with as well. A store of containerd wants them all.
fn left_out(theirs: &Found, on: &Target, seen: &Readings<'_>) -> usize {
    let host = &on.host.name;
    let graph = seen.daemon(host).is().is_some_and(|info| !info.containerd_store());
    let layers = seen.layers(host).is().filter(|_| graph);
    let shared = |have: &Vec<String>| have.iter().zip(&theirs.layers).take_while(|(a, b)| a == b).count();
    let count = layers.into_iter().flatten().map(shared).max().unwrap_or_default();
    // A layer that comes twice is one file and a link to it: then the file must come along.
    let (out, rest) = theirs.layers.split_at(count);
    if rest.iter().any(|layer| out.contains(layer)) { 0 } else { count }
}
