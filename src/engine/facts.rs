//! Facts: what expressions may know of a machine, which does not change while a run lasts.
//!
//! They are learned wherever a machine was read, however old that reading has become. What an expression at its turn asks
//! for of a host that nobody had a reason to ask before is read then, whether or not this run may change that host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{World, look};
use crate::actions::works_as;
use crate::inventory::Host;
use crate::playbook::{Known, Unresolved};
use crate::reads::{Machine, Read, Seen, Value, Wanted};
use crate::remote::User;

/// What is read of each of `hosts` whatever the steps.
pub fn wanted(world: &World, hosts: &BTreeSet<String>) -> BTreeSet<Wanted> {
    world.hosts.iter().filter(|host| hosts.contains(&host.name)).map(of).collect()
}

/// Keeps what a reading says of a machine.
pub fn learn(world: &World, host: &str, seen: &Seen<Value>) {
    if let Seen::Is(Value::Machine(machine)) = seen {
        world.learn(|known| drop(known.facts.insert(host.to_owned(), told(machine))));
    }
}

/// Whether it is for want of facts that a step cannot be evaluated.
pub fn are_lacking(error: &Unresolved) -> bool {
    matches!(error, Unresolved::Undefined { name, .. } if name == "facts")
}

/// Reads the machines that nothing is known of yet; says whether there was one to ask. One that failed is there all the
/// same.
pub async fn read_missing(world: &World) -> bool {
    let unknown: Vec<Arc<Host>> = unknown(world).cloned().collect();
    let mut wanted = BTreeSet::new();
    for host in unknown {
        if world.left(&host.name).is_none() || world.crew.is_up(&host.name).await {
            wanted.insert(of(&host));
        }
    }
    let any = !wanted.is_empty();
    look::fetch(world, wanted, BTreeSet::new()).await;
    any
}

/// Whether nothing else is asked for.
pub fn are_all(reads: &[(User, Read)]) -> bool {
    reads.iter().all(|(_, read)| *read == Read::Machine)
}

/// Which hosts were lost before anything was known of them, where it is for want of facts that a step cannot be evaluated.
pub fn lost(world: &World, error: &Unresolved) -> Option<String> {
    let told = unknown(world).filter_map(|host| Some(format!("{}: {}", host.name, world.left(&host.name)?)));
    let told: Vec<String> = told.collect();
    (are_lacking(error) && !told.is_empty()).then(|| format!("what could not be read is {}", told.join("; ")))
}

/// Facts that stand in for those not read yet, so that what is to be read can be told. Nothing is decided by them.
pub fn guessed(hosts: &[Arc<Host>]) -> Known {
    let machine = Machine { cores: 2, memory: 4096, ..Machine::default() };
    let facts: BTreeMap<_, _> = hosts.iter().map(|host| (host.name.clone(), told(&machine))).collect();
    Known { facts, ..Known::default() }
}

fn unknown(world: &World) -> impl Iterator<Item = &Arc<Host>> {
    let known = world.known();
    world.hosts.iter().filter(move |host| !known.facts.contains_key(&host.name))
}

fn of(host: &Arc<Host>) -> Wanted {
    Wanted { host: host.name.clone(), user: works_as(host, None, None), read: Read::Machine }
}

fn told(machine: &Machine) -> Json {
    json!({
        "cores": machine.cores,
        "memory_mib": machine.memory,
        "hostname": machine.hostname,
        "architecture": machine.architecture,
        "os": machine.id,
        "os_version": machine.version,
        "codename": machine.codename,
    })
}
