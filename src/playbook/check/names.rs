//! Every name in a template must mean something.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Check, parts};
use crate::expr;
use crate::inventory::Host;
use crate::playbook::texts::{self, Text};
use crate::playbook::{Play, Playbook, Scope, Step, foreign};
use crate::yaml::{At, Error};

impl Check<'_> {
    /// Every name in the step's templates must mean something on each host.
    pub(super) fn variables(&mut self, play: &Play, step: &Step, hosts: &[Arc<Host>]) {
        let Some(first) = hosts.first() else { return };
        let of = |world, known, host| Scope::new(world, known, host, play).in_step(step);
        let scope = of(&self.world, &self.known, first);
        let wanted = step.all_texts().flat_map(Text::needs).filter(|(name, _)| !scope.knows_everywhere(name));
        for (name, at) in wanted {
            let lacks = |host: &&Arc<Host>| {
                !host.vars.iter().any(|(known, _)| *known == name) && !self.registers.has(&name, host)
            };
            let Some(host) = hosts.iter().find(lacks) else { continue };
            let error = self.registers.missing(&name, &at).unwrap_or_else(|| {
                let scope = of(&self.world, &self.known, host);
                let names =
                    scope.names().into_iter().chain(self.registers.on(host).map(str::to_owned)).collect::<Vec<_>>();
                undefined(&name, &at, names.iter().map(String::as_str), &scope)
            });
            self.errors.push(error);
        }
        let registered = self.registers.anywhere().collect::<BTreeSet<_>>();
        self.errors.extend(parts::missing(step, &scope, &registered));
    }

    /// The defaults may use whatever is set anywhere.
    pub(super) fn defaults(&mut self, playbook: &Playbook) {
        let plays = playbook.plays.iter().map(|play| &play.vars);
        let layers = plays.chain(playbook.steps().map(|step| &step.vars)).chain([&self.world.extra, &playbook.vars]);
        let mut names: BTreeSet<String> = layers.flat_map(|vars| vars.iter().map(|(name, _)| name.clone())).collect();
        names.extend(self.world.inventory.hosts.iter().flat_map(|host| host.vars.iter().map(|(name, _)| name.clone())));
        names.extend(self.registers.all().chain(expr::BUILTIN.iter().copied()).map(str::to_owned));
        for (name, at) in texts::of_vars(&playbook.vars).flat_map(Text::needs) {
            if !names.contains(&name) {
                let known = names.iter().map(String::as_str);
                self.errors.push(undefined(&name, &at, known, &self.scope()));
            }
        }
    }
}

/// What is wrong with a name that means nothing.
fn undefined<'a>(name: &str, at: &At, names: impl Iterator<Item = &'a str>, scope: &Scope) -> Error {
    let place = expr::place_of_name(at, name);
    let all = scope.host.as_ref().filter(|_| scope.set_for_others(name));
    let message = match all {
        Some(host) => format!("`{name}` is undefined on {}", host.name),
        None => format!("`{name}` is undefined"),
    };
    let error = Error::at(&place, message);
    match foreign::name(name) {
        Some(hint) => error.with_hint(hint),
        None => error.did_you_mean(name, names),
    }
}
