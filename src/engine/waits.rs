//! What is waited for, and when waiting is over: when its time is, or when nobody is left who could bring it about.

use std::collections::BTreeMap;
use std::time::Instant;

use super::World;
use super::job::{Ended, Job, State};
use crate::actions::{LONGER, Wait};
use crate::event::{Event, Outcome};

/// How far a step is on each host that has a job of it.
pub struct Parts(BTreeMap<String, Part>);

/// The loop's items on one host together. Of several, the last in this order holds.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Done,
    Failed(String),
    UnderWay,
}

impl Parts {
    /// As the jobs of a step are now.
    pub fn of(jobs: &[Job]) -> Self {
        let mut parts = BTreeMap::new();
        for job in jobs {
            let part = parts.entry(job.target.host.name.clone()).or_insert(Part::Done);
            *part = std::mem::replace(part, Part::Done).max(Part::of(job));
        }
        Self(parts)
    }
}

impl Part {
    fn of(job: &Job) -> Self {
        match &job.state {
            State::Ended(Ended { outcome: Some(Outcome::Failed), message, .. }) => {
                Self::Failed(message.as_deref().unwrap_or_default().lines().next().unwrap_or_default().to_owned())
            }
            State::Ended(_) => Self::Done,
            State::Open | State::Planned { .. } => Self::UnderWay,
        }
    }
}

/// Waits on, unless that is over.
pub fn wait(world: &World, job: &mut Job, wait: Wait, parts: &Parts) {
    if let Some(over) = in_vain(world, &wait, parts).or_else(|| overdue(job, &wait)) {
        return job.end(over);
    }
    if job.waiting.as_ref() != Some(&wait.what) {
        let (step, host) = (job.manner.step.clone(), job.owner.name.clone());
        world.tell(Event::JobWaiting { step, host, waiting: wait.what.clone() });
        job.waiting = Some(wait.what);
    }
}

/// How a wait ends for which nobody is left.
pub fn in_vain(world: &World, wait: &Wait, parts: &Parts) -> Option<Ended> {
    let lost: Vec<(String, Option<String>)> =
        wait.on.iter().filter_map(|host| lost(world, host, wait.by_step, parts)).collect();
    let over = !lost.is_empty() && lost.len() == wait.on.len();
    let whys: Vec<&str> = lost.iter().map(|(why, _)| why.as_str()).collect();
    let message = format!("waiting for {} is over: {}", wait.what, whys.join("; "));
    let hint = lost.iter().find_map(|(_, hint)| hint.clone());
    over.then(|| Ended::failed(message, hint))
}

/// Why a host will not do its part, and what to do about that.
fn lost(world: &World, host: &str, by_step: bool, parts: &Parts) -> Option<(String, Option<String>)> {
    if let Some(why) = world.left(host) {
        return Some((why, None));
    }
    match parts.0.get(host) {
        Some(Part::Failed(why)) => Some((format!("{host} failed: {why}"), None)),
        Some(Part::Done) if by_step => Some((format!("{host} is done with this step, and it is not so"), None)),
        None if by_step && !world.may_change(host) => {
            let hint = format!("run it without --limit, or with {host} in it");
            Some((format!("{host} is not among those that --limit lets change"), Some(hint)))
        }
        None if by_step => {
            let hint =
                format!("let {host} be among the step's `hosts` (and in the same batch, if the play has `serial`)");
            Some((format!("{host} has no part in this step"), Some(hint)))
        }
        Some(Part::Done | Part::UnderWay) | None => None,
    }
}

fn overdue(job: &Job, wait: &Wait) -> Option<Ended> {
    let secs = job.started.elapsed().as_secs();
    let hint = wait.hint.clone().or_else(|| Some(LONGER.to_owned()));
    (Instant::now() >= job.deadline()).then(|| {
        Ended::failed(format!("still waiting for {} after {secs} s", wait.what), hint).because(job.failure.as_ref())
    })
}
