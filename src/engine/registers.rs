//! What `register` keeps: how a step ended, on every host that it was for.

use std::collections::BTreeSet;

use super::job::Job;
use super::run::Run;
use super::turns::Turn;
use crate::event::Outcome;
use crate::playbook::{Ending, Step};

impl Run<'_> {
    /// Keeps how the jobs ended, host by host; in a plan only where it can be told of all of a host's.
    pub(super) fn register(&self, turn: &Turn<'_>, jobs: &[Job]) {
        let owners: BTreeSet<&str> = jobs.iter().map(|job| job.owner.name.as_str()).collect();
        for owner in owners {
            let endings = jobs.iter().filter(|job| job.owner.name == owner).map(Job::ending);
            match endings.collect::<Option<Vec<_>>>() {
                Some(endings) => self.keep(turn.step, owner, &endings),
                None => self.forget(turn.step, owner),
            }
        }
    }

    /// Keeps how a step ended on a host that has no job of it.
    pub(super) fn register_none(&self, step: &Step, host: &str, outcome: Outcome) {
        self.keep(step, host, &[Ending { outcome, output: None, item: None }]);
    }

    /// What a step before it has left by that name counts no more, whatever this one will leave.
    pub(super) fn forget(&self, step: &Step, host: &str) {
        if let Some(name) = &step.register {
            self.world.learn(|known| known.forget(host, name));
        }
    }

    fn keep(&self, step: &Step, host: &str, endings: &[Ending<'_>]) {
        if let Some(name) = &step.register {
            let looped = step.loop_over.is_some();
            self.world.learn(|known| known.register(host, name, looped, endings));
        }
    }
}
