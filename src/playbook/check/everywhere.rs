//! A step evaluated on each of its hosts, as a run would.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{Check, sent};
use crate::actions::{Object, Target, peers};
use crate::expr::Unresolved;
use crate::inventory::Host;
use crate::playbook::{Alike, Job, Play, Scope, Step};
use crate::yaml::Error;

/// What a step owns, asked for with what parameters, and where, if not on its host itself.
type Owned = (Object, u64, Option<String>);

/// What was asked for, for comparing.
fn digest(job: &Job) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{:?}", job.action).hash(&mut hasher);
    hasher.finish()
}

impl<'a> Check<'a> {
    /// Evaluates the step on each host, but for those that it cannot tell from one that it was evaluated on.
    pub(super) fn everywhere(&mut self, play: &Play, step: &'a Step, hosts: &[Arc<Host>]) {
        let mut alike = Alike::default();
        for host in hosts {
            let scope = Scope::new(&self.world, &self.known, host, play);
            let owned = alike.on(scope, |scope| self.evaluated(step, host, scope));
            for (object, asked, on) in owned.iter() {
                self.owners.take(step, on.as_ref().unwrap_or(&host.name), object, *asked, &mut self.errors);
            }
        }
    }

    /// Evaluates the step as a run would. What only a run can know is no mistake.
    fn evaluated(&mut self, step: &'a Step, host: &Arc<Host>, scope: &Scope) -> Vec<Owned> {
        let jobs = step.resolve(scope).unwrap_or_else(|error| {
            self.unresolved(error);
            Vec::new()
        });
        jobs.iter().for_each(|job| self.peers(step, host, job));
        self.errors.extend(jobs.iter().flat_map(|job| sent::missing(step, job, &self.world.folder)));
        self.errors.extend(
            jobs.iter()
                .filter_map(|job| job.action.wrong(&self.world.folder, &|path| std::fs::read_to_string(path).ok())),
        );
        jobs.into_iter().filter_map(|job| Some((job.action.object()?, digest(&job), job.on))).collect()
    }

    fn unresolved(&mut self, error: Unresolved) {
        match error {
            Unresolved::Invalid(error) => self.errors.push(*error),
            Unresolved::Undefined { name, error } if !self.comes_later(&name) => self.errors.push(*error),
            Unresolved::Undefined { .. } => {}
        }
    }

    fn comes_later(&self, name: &str) -> bool {
        let root = name.split(['.', '[']).next().unwrap_or_default();
        // What `host('node1')` has, the template engine calls by no other name.
        let known_by_run = matches!(root, "facts" | "leader" | "hostvars") || name.starts_with("(...)");
        known_by_run || self.registers.all().any(|name| name == root) || self.looked_up.contains(root)
    }

    /// The hosts that parameters name must be there.
    fn peers(&mut self, step: &Step, host: &Arc<Host>, job: &Job) {
        let named = job.action.peers();
        if named.is_empty() {
            return;
        }
        let on = Target {
            host: host.clone(),
            owner: host.clone(),
            inventory: self.world.inventory.clone(),
            leader: self.known.leader.clone(),
            folder: self.world.folder.clone(),
            tried: false,
        };
        for (key, pattern) in named {
            if let Err(wrong) = peers(&on, pattern) {
                let at = step.params.get(key).map_or(&step.at, |node| &node.at);
                let error = Error::at(at, wrong.why);
                self.errors.push(match wrong.hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                });
            }
        }
    }
}
