//! A plan: the same look and the same decisions, and then the commands are shown instead of made.
//!
//! Until the first step that would change something, what is shown is what will be done. After it, it is what may be
//! done: the change may make a later one differ, or needless.

use super::World;
use super::job::{Ended, Job};
use super::rounds::{Ahead, tell_ended};
use super::{apply, look};
use crate::actions::{Change, Plan};
use crate::event::Outcome;
use crate::remote::Output;

/// Shows what the jobs of one step would do. `dirty` is the last step before it that would change something.
pub async fn preview(world: &World, jobs: &mut [Job], ahead: Ahead<'_>, dirty: &mut Option<String>) {
    look::look(world, &jobs.iter().collect::<Vec<_>>(), ahead).await;
    let before = dirty.clone();
    for job in jobs.iter_mut() {
        let ended = decide(world, job, before.as_deref());
        if ended.outcome == Some(Outcome::Changed) {
            *dirty = Some(job.manner.step.clone());
        }
        job.end(ended);
    }
    tell_ended(world, jobs);
}

fn decide(world: &World, job: &Job, before: Option<&str>) -> Ended {
    if let Some(why) = world.left(&job.target.host.name) {
        return Ended::unreachable(why);
    }
    let (plan, shown) = {
        let store = world.store();
        (job.plan(&store), job.shows(&store))
    };
    match plan {
        Plan::Settled => settled(shown, before),
        Plan::Change(changes) | Plan::Always(changes) => would(world, job, &changes, before),
        Plan::Wait(wait) => {
            let after = before.unwrap_or(&job.manner.step).to_owned();
            let ended = would(world, job, &wait.then, Some(&after));
            Ended { message: Some(format!("would wait for {}", wait.what)), ..ended }
        }
        Plan::Refused(refusal) => match before {
            Some(step) => unknown(&format!("cannot be told before {step} is done")),
            None => Ended { shown, ..Ended::failed(refusal.why, refusal.hint) },
        },
    }
}

/// As asked now. An earlier change may touch it: then it is looked at again after that, and says so.
fn settled(shown: Option<Output>, before: Option<&str>) -> Ended {
    let ended = Ended::settled(false, shown);
    let again = before.map(|step| format!("as asked now, looked at again after {step}"));
    Ended { message: ended.message.clone().or(again), ..ended }
}

fn would(world: &World, job: &Job, changes: &[Change], after: Option<&str>) -> Ended {
    changes.iter().for_each(|change| world.tell(apply::told(job, change, after.map(str::to_owned))));
    Ended { outcome: Some(Outcome::Changed), ..Ended::default() }
}

/// What only an earlier change will bring to light.
pub fn unknown(why: &str) -> Ended {
    Ended { outcome: Some(Outcome::Unchanged), message: Some(why.to_owned()), ..Ended::default() }
}
