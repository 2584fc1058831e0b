//! Secrets in plain text: in variables, in the environment of commands, anywhere in parameters.

use crate::playbook::{Playbook, Step, Vars};
use crate::vault::{in_plain_text, is_plain, said_to_be_none};
use crate::yaml::{Error, Node};

/// Those of the whole playbook.
pub(super) fn secrets(playbook: &Playbook) -> Vec<Error> {
    let layers = playbook.plays.iter().map(|play| &play.vars).chain([&playbook.vars]);
    layers.flat_map(of_vars).chain(playbook.steps().flat_map(of_step)).collect()
}

fn of_step(step: &Step) -> impl Iterator<Item = Error> {
    let environment = step.environment.iter().flat_map(|(name, node)| within(name, node, false));
    of_vars(&step.vars).chain(environment).chain(within("", &step.params, false))
}

fn of_vars(vars: &Vars) -> impl Iterator<Item = Error> {
    vars.iter().filter_map(|(name, var)| Some((name, var.node()?))).flat_map(|(name, node)| within(name, node, true))
}

/// A value that does not say that it is none, and those in it, each by the name that is nearest to it.
fn within(name: &str, node: &Node, is_variable: bool) -> Vec<Error> {
    if said_to_be_none(node).is_some() {
        return Vec::new();
    }
    let entries = node.entries().iter();
    let entries = entries.flat_map(|(key, value)| within(&key.scalar_text().unwrap_or_default(), value, false));
    let items = node.items().iter().flat_map(|item| within(name, item, false));
    let own = is_plain(name, node).then(|| in_plain_text(name, node, is_variable));
    own.into_iter().chain(entries).chain(items).collect()
}
