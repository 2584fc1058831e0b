//! Variables of `-e` that mean nothing: nobody else sets them, and nothing asks for them.

use std::collections::BTreeSet;

use super::texts::{mentions, of_node, of_vars};
use super::{Playbook, Step, Var, Vars};
use crate::inventory::Inventory;
use crate::yaml::{Error, Hole, Node};

/// A note for each variable of `-e` that is nearly called as another one is, while nothing has its very name.
pub fn strange(playbook: &Playbook, inventory: &Inventory, extra: &Vars) -> Vec<Error> {
    let known = known(playbook, inventory);
    let unknown = extra.iter().map(|(name, _)| name.as_str()).filter(|name| !known.contains(name));
    let told = unknown.filter_map(|name| {
        let note = Error::new(format!("`-e {name}=…` sets what nothing asks for"));
        let note = note.did_you_mean(name, known.iter().copied());
        (note.hint.is_some() && !is_asked(playbook, inventory, name)).then_some(note)
    });
    told.collect()
}

/// What variables are called that are set or registered anywhere.
fn known<'a>(playbook: &'a Playbook, inventory: &'a Inventory) -> BTreeSet<&'a str> {
    let of_hosts = inventory.hosts.iter().flat_map(|host| host.vars.iter().map(|(name, _)| name.as_str()));
    let registered = playbook.steps().filter_map(|step| step.register.as_deref());
    let broken = playbook.broken.iter().map(String::as_str);
    vars(playbook).map(|(name, _)| name.as_str()).chain(of_hosts).chain(registered).chain(broken).collect()
}

fn vars(playbook: &Playbook) -> impl Iterator<Item = &(String, Var)> {
    let layers = playbook.plays.iter().map(|play| &play.vars).chain(playbook.steps().map(|step| &step.vars));
    layers.chain([&playbook.vars]).flat_map(|vars| vars.iter())
}

/// Whether a name stands in anything that may be a template, whatever it means there.
fn is_asked(playbook: &Playbook, inventory: &Inventory, name: &str) -> bool {
    let patterns =
        playbook.plays.iter().map(|play| &play.hosts).chain(playbook.steps().filter_map(|s| s.hosts.as_ref()));
    let of_hosts = inventory.hosts.iter().flat_map(|host| &host.vars).flat_map(|(_, node)| of_node(node));
    let of_plays = playbook.plays.iter().map(|play| &play.vars).chain([&playbook.vars]).flat_map(of_vars);
    let mut texts = playbook.steps().flat_map(Step::all_texts).chain(of_plays).chain(of_hosts);
    patterns.into_iter().any(|pattern| mentions(&pattern.value, name))
        || texts.any(|text| mentions(text.text, name))
        || playbook.steps().any(|step| in_template(playbook, step, name))
}

/// Whether it stands in the file that a step renders, or may stand there.
fn in_template(playbook: &Playbook, step: &Step, name: &str) -> bool {
    let Some(file) = step.params.get("template").and_then(Node::as_str) else { return false };
    let text = std::fs::read_to_string(playbook.folder.join(file)).unwrap_or_default();
    Hole::of(file).is_some() || mentions(&text, name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    const PLAYBOOK: &str = "vars: { size: 3, used: \"{{ sized | default(1) }}\" }\nplays:\n- hosts: \"{{ seze }}\"\n  steps:\n\
        \x20 - { shell: 'echo {{ used }}', changes: false, register: seen }\n\
        \x20 - { shell: echo, when: zize is defined }\n";

    fn told(name: &str) -> Option<String> {
        let playbook = Playbook::parse(Path::new("p.yml"), PLAYBOOK.into()).expect("a playbook");
        let value = Var::Value(crate::yaml::parse("-e", "1".into()).expect("a value"));
        let notes = strange(&playbook, &Inventory::of(Vec::new()), &Arc::new(vec![(name.to_owned(), value)]));
        notes.first().map(|note| format!("{}; {}", note.message, note.hint.clone().unwrap_or_default()))
    }

    #[test]
    fn a_name_that_is_nearly_one_is_told_of_unless_something_asks_for_it() {
        let told_of = "`-e sice=…` sets what nothing asks for; did you mean `size`?";
        assert_eq!(told("sice").as_deref(), Some(told_of));
        for name in ["size", "sized", "seze", "zize", "seen", "colour"] {
            assert_eq!(told(name), None, "{name}");
        }
    }
}
