//! A plan: the same look and the same decisions, and then the commands are shown instead of made.
//!
//! Until the first step that would change something, what is shown is what will be done. After it, it is what may be
//! done: the change may make a later one differ, or needless.

use super::World;
use super::job::{Ended, Job};
use super::rounds::{Ahead, interrupted, tell_ended};
use super::waits::{Parts, in_vain};
use super::{apply, look};
use crate::actions::{Change, Plan, Wait};
use crate::event::Outcome;
use crate::remote::Output;

/// Shows what the jobs of one step would do. `dirty` is the last step before it that would change something.
pub async fn preview(world: &World, jobs: &mut [Job], ahead: Ahead<'_>, dirty: &mut Option<String>) {
    look::look(world, &jobs.iter().collect::<Vec<_>>(), ahead).await;
    if world.cancelled() {
        jobs.iter_mut().for_each(interrupted);
        return tell_ended(world, jobs);
    }
    let before = dirty.clone();
    let parts = Parts::of(jobs);
    for job in jobs.iter_mut() {
        let (ended, then) = decide(world, job, before.as_deref(), &parts);
        if then == Then::Differs {
            *dirty = Some(job.manner.step.clone());
        }
        job.end(ended);
    }
    tell_ended(world, jobs);
}

/// Whether the steps after a job find the hosts as they are now.
#[derive(PartialEq)]
enum Then {
    TheSame,
    Differs,
}

fn decide(world: &World, job: &mut Job, before: Option<&str>, parts: &Parts) -> (Ended, Then) {
    if let Some(why) = world.left(&job.target.host.name) {
        return (Ended::unreachable(why), Then::TheSame);
    }
    let (plan, shown) = {
        let store = world.store();
        job.decides(&store)
    };
    match plan {
        Plan::Settled => (settled(shown, before), Then::TheSame),
        Plan::Change(changes) | Plan::Always(changes) => (would(world, job, &changes, before), Then::Differs),
        Plan::Wait(wait) => waits(world, job, &wait, before, parts),
        Plan::Refused(refusal) => match before {
            Some(step) => (unknown(format!("cannot be told before {step} is done"), step), Then::TheSame),
            None => (Ended { shown, ..Ended::failed(refusal.why, refusal.hint) }, Then::TheSame),
        },
    }
}

/// To wait is no change. But what is waited for is one: what comes after it is looked at again then, and if it does not
/// come, there is nothing after it.
fn waits(world: &World, job: &Job, wait: &Wait, before: Option<&str>, parts: &Parts) -> (Ended, Then) {
    if let (None, Some(over)) = (before, in_vain(world, wait, parts)) {
        return (over, Then::TheSame);
    }
    let (message, after) = (format!("would wait for {}", wait.what), before.unwrap_or(&job.manner.step));
    let ended = match wait.then.as_slice() {
        [] => unknown(message.clone(), after),
        then => would(world, job, then, Some(after)),
    };
    (Ended { message: Some(message), ..ended }, Then::Differs)
}

/// As asked now. An earlier change may touch it: then it is looked at again after that, and says so.
fn settled(shown: Option<Output>, before: Option<&str>) -> Ended {
    let ended = Ended::settled(false, shown);
    let again = before.map(|step| format!("as asked now, looked at again after {step}"));
    Ended { message: ended.message.clone().or(again), after: before.map(str::to_owned), ..ended }
}

fn would(world: &World, job: &Job, changes: &[Change], after: Option<&str>) -> Ended {
    changes.iter().for_each(|change| world.tell(apply::told(job, change, after.map(str::to_owned))));
    Ended { outcome: Some(Outcome::Changed), untold: true, after: after.map(str::to_owned), ..Ended::default() }
}

/// What only an earlier change will bring to light.
pub fn unknown(why: String, after: &str) -> Ended {
    let (outcome, after) = (Some(Outcome::Unchanged), Some(after.to_owned()));
    Ended { outcome, message: Some(why), untold: true, after, ..Ended::default() }
}
