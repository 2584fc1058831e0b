//! Facts: what expressions may know of a machine.
//!
//! What stays until a machine restarts is learned wherever it was read, however old that reading has become.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::World;
use crate::inventory::Host;
use crate::playbook::{Known, facts};
use crate::reads::{Machine, Seen, Value, Wanted};

/// What is read of each of `hosts` whatever the steps.
pub fn wanted(world: &World, hosts: &BTreeSet<String>) -> BTreeSet<Wanted> {
    world.inventory.hosts.iter().filter(|host| hosts.contains(&host.name)).map(|host| facts::reading(host)).collect()
}

/// Keeps what a reading says of a machine.
pub fn learn(world: &World, host: &str, seen: &Seen<Value>) {
    if let Seen::Is(Value::Machine(machine)) = seen {
        world.learn(|known| drop(known.facts.insert(host.to_owned(), facts::of_machine(machine))));
    }
}

/// A machine that has restarted may be another one.
pub fn forget(world: &World, host: &str) {
    world.learn(|known| drop(known.facts.remove(host)));
}

/// Facts that stand in for those not read yet, so that what is to be read can be told. Nothing is decided by them.
pub fn guessed(hosts: &[Arc<Host>]) -> Known {
    let machine = Machine { cores: 2, memory: 4096, source: Some([192, 0, 2, 1].into()), ..Machine::default() };
    let of = facts::of_machine(&machine);
    let facts: BTreeMap<_, _> = hosts.iter().map(|host| (host.name.clone(), of.clone())).collect();
    Known { facts, ..Known::default() }
}
