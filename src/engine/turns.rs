//! The order of things: which step, on which hosts, one after another.

use std::sync::Arc;

use super::job::{Job, Manner};
use crate::actions::Target;
use crate::inventory::Host;
use crate::playbook::{self, Play, Playbook, Scope, Step, Unresolved};
use crate::yaml::Spanned;

/// One step's turn.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// The play it is in.
    pub play: &'a Play,
    /// The step.
    pub step: &'a Step,
    /// The batch of hosts, of a play with `serial`: so many left out, then so many taken.
    pub batch: Option<(usize, usize)>,
}

/// All turns of the steps with these ids. A play with `serial` takes its whole list of steps batch by batch; `size` says
/// how many hosts a play has.
pub fn turns<'a>(playbook: &'a Playbook, ids: &[String], size: impl Fn(&Play) -> usize) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    for play in &playbook.plays {
        let steps: Vec<&Step> = play.steps.iter().filter(|step| ids.contains(&step.id)).collect();
        for batch in batches(play, size(play)) {
            turns.extend(steps.iter().map(|step| Turn { play, step, batch }));
        }
    }
    turns
}

/// The last size holds for all batches that no size was said for.
fn batches(play: &Play, hosts: usize) -> Vec<Option<(usize, usize)>> {
    let Some(last) = play.serial.last() else { return vec![None] };
    let mut sizes = play.serial.iter().chain(std::iter::repeat(last)).map(|serial| serial.batch(hosts));
    let mut start = 0;
    std::iter::from_fn(|| {
        let size = sizes.next().filter(|_| start < hosts)?;
        start += size;
        Some(Some((start - size, size)))
    })
    .collect()
}

impl Turn<'_> {
    /// Which hosts it is for, as written.
    pub fn pattern(&self) -> &Spanned<String> {
        self.step.hosts.as_ref().unwrap_or(&self.play.hosts)
    }

    /// Whether others of the play's hosts have been through all its steps before.
    pub fn is_further_batch(&self) -> bool {
        self.batch.is_some_and(|(start, _)| start > 0)
    }

    /// Those of the play's hosts whose turn it is.
    pub fn in_batch(&self, hosts: Vec<Arc<Host>>) -> Vec<Arc<Host>> {
        match (self.batch, &self.step.hosts) {
            (Some((start, size)), None) => hosts.into_iter().skip(start).take(size).collect(),
            // A step with hosts of its own belongs to no batch; the first one takes it.
            (Some((start, _)), Some(_)) if start > 0 => Vec::new(),
            _ => hosts,
        }
    }

    /// What the step comes to on the scope's host.
    ///
    /// # Errors
    /// What is undefined, or wrong.
    pub fn resolved(&self, scope: &Scope) -> Result<Resolved, Unresolved> {
        Ok(Resolved { manner: Arc::new(self.manner(scope)?), jobs: self.step.resolve(scope)? })
    }

    fn manner(&self, scope: &Scope) -> Result<Manner, Unresolved> {
        let step = self.step;
        let become_user = step.become_user.as_ref().map(|user| scope.text(user)).transpose()?;
        Ok(Manner {
            step: step.id.clone(),
            become_root: step.become_root,
            become_user,
            timeout: step.timeout,
            ignore_errors: step.ignore_errors,
            retries: step.retries as u32,
        })
    }
}

/// What a step comes to, wherever that is the same.
pub struct Resolved {
    manner: Arc<Manner>,
    jobs: Vec<playbook::Job>,
}

impl Resolved {
    /// The jobs of one host.
    pub fn jobs(&self, host: &Arc<Host>, target: &Target) -> impl Iterator<Item = Job> {
        self.jobs.iter().map(move |one| {
            let place = one.on.as_ref().and_then(|name| target.inventory.host(name));
            let target = Target { host: place.unwrap_or(host).clone(), ..target.clone() };
            Job::new(self.manner.clone(), host.clone(), target, one.clone())
        })
    }
}
