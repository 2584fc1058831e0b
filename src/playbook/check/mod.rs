//! What can be known to be wrong without contacting anyone.

mod everywhere;
mod guess;
mod names;
mod owners;
mod parts;
mod plain;
mod registers;
mod sent;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use owners::Owners;
use registers::Registers;

use super::{Ground, Known, Play, Playbook, Scope, Step, Vars, files, step};
use crate::actions::TABLE;
use crate::inventory::{Host, Inventory};
use crate::secret::Secret;
use crate::vault::Vault;
use crate::yaml::{self, Error, Errors, Spanned};

/// Checks a playbook that was loaded against every host of an inventory and the variables of `-e`: parameters, variables,
/// patterns, expressions as far as they do not depend on the machines, and that no two steps own the same thing.
///
/// Facts are guessed: what a machine has is no mistake of the playbook.
///
/// # Errors
/// Every mistake, in the order of the text.
pub fn check(playbook: &Playbook, inventory: &Arc<Inventory>, extra: &Vars) -> Result<(), Errors> {
    let ids: Vec<&str> = playbook.steps().map(|step| step.id.as_str()).collect();
    let errors = playbook.sealed(&ids, &inventory.hosts).err().map(|wrong| wrong.0).unwrap_or_default();
    let vault = Vault::standing_in(Secret::new("secret"));
    let world = Ground::keeping(playbook, inventory.clone(), extra.clone(), Arc::new(vault));
    let mut check = Check {
        known: Arc::new(guess::guessed(&inventory.hosts)),
        world,
        errors,
        registers: Registers::of(playbook),
        looked_up: guess::looked_up(playbook),
        owners: Owners::default(),
    };
    for play in &playbook.plays {
        check.placed(&play.hosts);
        for step in &play.steps {
            check.step(play, step);
        }
    }
    check.defaults(playbook);
    check.errors.extend(plain::secrets(playbook));
    check.told().or(())
}

/// Reads a playbook from a file and checks it.
///
/// # Errors
/// A file that cannot be read or is not YAML; every mistake, in the order of the text.
pub fn read(path: &Path, inventory: &Arc<Inventory>, extra: &Vars) -> Result<Playbook, Errors> {
    let (playbook, errors) = read_all(path, inventory, extra)?;
    errors.or(playbook)
}

/// The same, where more may be said of a playbook that is wrong: what there is of it, and every mistake in it.
///
/// # Errors
/// A file that cannot be read or is not YAML.
pub fn read_all(path: &Path, inventory: &Arc<Inventory>, extra: &Vars) -> Result<(Playbook, Errors), Errors> {
    let (playbook, Errors(mut errors)) = Playbook::load(&yaml::read(path)?, TABLE, files::RUN)?;
    playbook.learn(&inventory.hosts);
    errors.extend(check(&playbook, inventory, extra).err().map(|more| more.0).unwrap_or_default());
    Ok((playbook, Errors(once(errors)).in_order()))
}

struct Check<'a> {
    world: Arc<Ground>,
    known: Arc<Known>,
    errors: Vec<Error>,
    /// What steps register.
    registers: Registers<'a>,
    /// What lookups define.
    looked_up: BTreeSet<&'a str>,
    owners: Owners<'a>,
}

impl<'a> Check<'a> {
    fn step(&mut self, play: &Play, step: &'a Step) {
        let before = self.errors.len();
        let wrong = (step.action.check)(&step.params, step.action.name).err().unwrap_or_default();
        self.errors.extend(step::told(wrong, step));
        let pattern = step.hosts.as_ref();
        let hosts = match pattern {
            Some(pattern) => self.placed(pattern),
            None => self.scope().hosts(&play.hosts).unwrap_or_default(),
        };
        self.variables(play, step, &hosts);
        if self.errors.len() == before {
            self.everywhere(play, step, &hosts);
        }
        self.registers.had_its_turn(step, &hosts);
    }

    fn scope(&self) -> Scope {
        Scope::without_host(&self.world, &self.known)
    }

    /// The hosts of a pattern; none where it is a mistake.
    fn placed(&mut self, pattern: &Spanned<String>) -> Vec<Arc<Host>> {
        match self.scope().hosts(pattern) {
            Ok(hosts) => hosts,
            Err(error) => {
                self.errors.push(error.error().clone());
                Vec::new()
            }
        }
    }

    /// Every mistake once, in the order of the text.
    fn told(self) -> Errors {
        Errors(once(self.errors)).in_order()
    }
}

fn once(errors: Vec<Error>) -> Vec<Error> {
    let mut once: Vec<Error> = Vec::new();
    for error in errors {
        let same = |other: &Error| other.at == error.at && other.message == error.message;
        if !once.iter().any(same) {
            once.push(error);
        }
    }
    once
}
