//! What steps register: which names, on which hosts, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::expr;
use crate::inventory::Host;
use crate::playbook::{Playbook, Step};
use crate::yaml::{At, Error};

/// The names that are registered, and as far as the steps were gone through, where.
pub(super) struct Registers<'a> {
    /// By which step first.
    by: BTreeMap<&'a str, Option<&'a Step>>,
    /// On which hosts.
    on: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Registers<'a> {
    pub fn of(playbook: &'a Playbook) -> Self {
        let mut by: BTreeMap<_, _> = playbook.broken.iter().map(|name| (name.as_str(), None)).collect();
        for step in playbook.steps() {
            if let Some(name) = &step.register {
                by.entry(name.as_str()).or_insert(Some(step));
            }
        }
        Self { by, on: BTreeMap::new() }
    }

    /// The names that some step registers.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.by.keys().copied()
    }

    /// Whether a name is there on a host by now. What a step registers that cannot be read may be anywhere.
    pub fn has(&self, name: &str, host: &Host) -> bool {
        let broken = || self.by.get(name).is_some_and(Option::is_none);
        self.on.get(name).is_some_and(|hosts| hosts.contains(&host.name)) || broken()
    }

    /// The names that are there.
    pub fn on(&self, host: &Host) -> impl Iterator<Item = &str> {
        self.all().filter(|name| self.has(name, host))
    }

    /// The names that are there on some host by now.
    pub fn anywhere(&self) -> impl Iterator<Item = &str> {
        self.on.keys().copied()
    }

    pub fn had_its_turn(&mut self, step: &'a Step, hosts: &[Arc<Host>]) {
        if let Some(name) = &step.register {
            self.on.entry(name).or_default().extend(hosts.iter().map(|host| host.name.clone()));
        }
    }

    /// What is wrong with a name that some step registers, but not before, or not here.
    pub fn missing(&self, name: &str, at: &At) -> Option<Error> {
        let step = (*self.by.get(name)?)?;
        let place = expr::place_of_name(at, name);
        let Some(hosts) = self.on.get(name) else {
            let message = format!("`{name}` is registered by `{}`, which comes later", step.id);
            return Some(Error::at(&place, message).also(&step.named_at, "it is registered here"));
        };
        let first = hosts.first()?;
        // Without the host's name: it may be one of many.
        let message =
            format!("`{name}` is not registered on every host of this step: `{}` is not for all of them", step.id);
        let error = Error::at(&place, message).also(&step.named_at, "it is registered here");
        Some(error.with_hint(format!(
            "another host's is `host('{first}').{name}`; `default(…)` says what holds where there is none"
        )))
    }
}
