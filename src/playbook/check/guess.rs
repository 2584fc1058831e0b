//! What stands for that which only a run can know.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::inventory::Host;
use crate::playbook::{Known, Playbook, Var, facts};
use crate::reads::Machine;

/// The variables that lookups define.
pub(super) fn looked_up(playbook: &Playbook) -> BTreeSet<&str> {
    let layers = playbook.plays.iter().map(|play| &play.vars).chain(playbook.steps().map(|step| &step.vars));
    let all = layers.chain([&playbook.vars]).flat_map(|vars| vars.iter());
    all.filter(|(_, var)| matches!(var, Var::Lookup(_))).map(|(name, _)| name.as_str()).collect()
}

/// A middling machine everywhere.
pub(super) fn guessed(hosts: &[Arc<Host>]) -> Known {
    let machine = Machine { cores: 4, memory: 8192, source: Some([192, 0, 2, 1].into()), ..Machine::default() };
    let facts = facts::of_machine(&machine);
    let managers = hosts.iter().find(|host| host.groups.iter().any(|group| group == "managers"));
    Known {
        leader: managers.or(hosts.first()).map(|host| host.name.clone()),
        facts: hosts.iter().map(|host| (host.name.clone(), facts.clone())).collect(),
        ..Known::default()
    }
}
