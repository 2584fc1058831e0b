//! Carrying an image from one host to another, without a registry and without the layers that are there already.

use super::{Found, Image, image};
use crate::actions::peers::{others, peers};
use crate::actions::{Ask, Change, Does, Plan, Target};
use crate::reads::docker::Look;
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, SCRATCH, quote};

/// How much room it takes, in times its size: the archive, its files, and what becomes of them.
const ROOM: f64 = 2.5;

/// Where it is unpacked on the host that it comes from, to leave layers out, and how much room that takes there.
const UNPACKED: &str = "/var/tmp";
const UNPACKING: f64 = 1.1;

impl Image {
    /// The other hosts that it may come from.
    pub(super) fn sources(&self, on: &Target) -> Vec<String> {
        others(on, self.carry.as_deref())
    }

    pub(super) fn carry_reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let sources = self.sources(on);
        let mut asks: Vec<Ask> =
            sources.iter().map(|host| Ask { host: host.clone(), read: image(&self.name) }).collect();
        let theirs = sources.iter().find_map(|host| Some((host, seen.image(host, &self.name).is()?)));
        let own = seen.image(&on.host.name, &self.name);
        // What is there already matters only where something is to go there.
        if let Some((host, _)) =
            theirs.filter(|(_, them)| !matches!(&own, Seen::Is(own) if own.content == them.content))
        {
            asks.extend([Read::Docker(Look::Engine), Read::Docker(Look::Layers)].map(|read| on.ask(read)));
            let rooms = rooms(on, seen).into_iter().map(|path| on.ask(Read::Probe(free(path))));
            asks.extend(rooms.chain([Ask { host: host.clone(), read: Read::Probe(free(UNPACKED)) }]));
        }
        asks
    }

    pub(super) fn carry_plan(&self, from: &str, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Err(refusal) = peers(on, from) {
            return Plan::Refused(refusal);
        }
        let sources = self.sources(on);
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
        Plan::Change(vec![self.transfer("it is not here", first, 0, 0)])
    }

    fn carry(&self, host: &str, theirs: &Found, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(refused) = self.no_room(theirs, on, seen) {
            return refused;
        }
        let why = if own.is_some() { format!("that of {host} is another") } else { "it is not here".into() };
        Plan::Change(vec![self.transfer(&why, host, left_out(theirs, host, on, seen), theirs.size)])
    }

    fn no_room(&self, theirs: &Found, on: &Target, seen: &Readings<'_>) -> Option<Plan> {
        let needed = mib(theirs, ROOM);
        let measured = rooms(on, seen).into_iter().filter_map(|path| Some((path, left(path, &on.host.name, seen)?)));
        let (path, left) = measured.filter(|(_, left)| *left < needed).min_by_key(|(_, left)| *left)?;
        let why = format!(
            "image {} needs {needed} MiB on {} while it is unpacked, and {path} has {left} MiB left",
            self.name, on.host.name
        );
        Some(Plan::refused(why, format!("make room there: docker image prune, or a larger disk for {path}")))
    }

    /// The first `without` layers stay where they are.
    fn transfer(&self, why: &str, host: &str, without: usize, bytes: u64) -> Change {
        let save = format!("docker save {}", quote(&self.name));
        let source = match without {
            0 => Command::sh(&save),
            count => {
                Command::sh(save_without(&save, count)).shown_as(format!("{save} (without its first {count} layers)"))
            }
        };
        let to = Command::new("docker").args(["load", "-q"]);
        Change::new(why, Does::Pipe { from: host.into(), source, to, bytes })
    }
}

/// What saves an image without its first layers.
pub(super) fn save_without(save: &str, layers: usize) -> String {
    include_str!("save.sh")
        .replace("@SCRATCH@", SCRATCH)
        .replace("@SAVE@", save)
        .replace("@WITHOUT@", &layers.to_string())
}

/// Where an image that comes is unpacked, and then kept: the daemon's temporary files are within its root too. Until that is known
/// it is guessed, and asked in the same breath.
fn rooms<'a>(on: &Target, seen: &Readings<'a>) -> Vec<&'a str> {
    let info = seen.daemon(&on.host.name).is();
    let root = info.map(|info| info.docker_root_dir.as_str()).filter(|root| !root.is_empty());
    let blobs = info.is_some_and(|info| info.containerd_store()).then_some("/var/lib/containerd");
    [root.unwrap_or("/var/lib/docker")].into_iter().chain(blobs).collect()
}

/// Prints the MiB that are free for a path that is there.
pub(super) fn free(path: &str) -> Probe {
    let columns = "read -r _ _ _ free _; echo $((free / 1024))";
    Probe::new(format!("df -Pk -- {} | tail -n 1 | {{ {columns}; }}", quote(path)))
}

fn left(path: &str, host: &str, seen: &Readings<'_>) -> Option<u64> {
    seen.probe(host, &free(path)).is()?.text().parse().ok()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "MiB of an image")]
fn mib(image: &Found, times: f64) -> u64 {
    (image.size as f64 * times / 1_048_576.0) as u64
}

/// How many layers, base first, some image of the host begins with as well. A store of containerd wants them all; and to
/// leave some out, `from` must have room for the rest.
fn left_out(theirs: &Found, from: &str, on: &Target, seen: &Readings<'_>) -> usize {
    let host = &on.host.name;
    let graph = seen.daemon(host).is().is_some_and(|info| !info.containerd_store());
    let fits = left(UNPACKED, from, seen).is_some_and(|left| left >= mib(theirs, UNPACKING));
    let layers = seen.layers(host).is().filter(|_| graph && fits);
    let shared = |have: &Vec<String>| have.iter().zip(&theirs.layers).take_while(|(a, b)| a == b).count();
    let count = layers.into_iter().flatten().map(shared).max().unwrap_or_default();
    // A layer that comes twice is one file and a link to it: then the file must come along.
    let (out, rest) = theirs.layers.split_at(count);
    if rest.iter().any(|layer| out.contains(layer)) { 0 } else { count }
}
