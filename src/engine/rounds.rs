//! A step's rounds: look, plan, apply, and look again, until every job has ended.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::job::{Ended, Job, State, Trouble};
use super::{World, apply, look};
use crate::actions::{Change, Plan, Refusal, Wait};
use crate::event::Event;
use crate::reads::Wanted;
use crate::remote::Output;

/// The first pause of a job that waits, and the longest: each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// What a look is worth asking beside what it must ask.
pub type Ahead<'a> = &'a (dyn Fn(&BTreeSet<String>) -> Vec<Wanted> + Sync);

/// What one planning of a job came to.
enum Next {
    Ended,
    Waits,
    Change(Vec<Change>),
    Always(Vec<Change>),
}

/// Converges the jobs of one step.
pub async fn converge(world: &World, jobs: &mut [Job], ahead: Ahead<'_>) {
    let mut pause = PAUSES.0;
    let mut first = true;
    while jobs.iter().any(Job::open) {
        let only_waits = round(world, jobs, if first { ahead } else { &|_| Vec::new() }).await;
        first = !only_waits;
        if !only_waits {
            pause = PAUSES.0;
        } else if jobs.iter().any(Job::open) {
            rest(world, pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        if world.cancelled() {
            jobs.iter_mut().filter(|job| job.open()).for_each(interrupted);
        }
        tell_ended(world, jobs);
    }
}

/// Tells of the jobs that have ended and were not told of yet.
pub fn tell_ended(world: &World, jobs: &mut [Job]) {
    for job in jobs.iter_mut().filter(|job| !job.told) {
        let State::Ended(ended) = &job.state else { continue };
        let ms = job.started.elapsed().as_millis() as u64;
        super::run::finish(world, &job.manner.step, &job.owner.name, job.item.as_deref(), ended, ms);
        job.told = true;
    }
}

/// One round; says whether nothing was done but to wait.
async fn round(world: &World, jobs: &mut [Job], ahead: Ahead<'_>) -> bool {
    if !world.options.batched {
        // What batched runs are held against: every round reads all that it plans from.
        world.store().clear();
    }
    look::look(world, &jobs.iter().filter(|job| job.open()).collect::<Vec<_>>(), ahead).await;
    if world.cancelled() {
        return true;
    }
    let mut planned: Vec<Next> = jobs.iter_mut().map(|job| next(world, job)).collect();
    super::approve::approve(world, jobs, &mut planned.iter_mut().map(Next::changes).collect::<Vec<_>>()).await;
    let came_true = jobs.iter().any(|job| !job.open() && job.waiting.is_some());
    let work = jobs.iter_mut().zip(planned).filter(|(job, next)| job.open() && next.acts());
    let work: Vec<_> = work.map(|(job, next)| act(world, job, next)).collect();
    let only_waits = work.is_empty();
    join_all(work).await;
    if came_true {
        world.store().turn();
    }
    forget_waits(world, jobs);
    only_waits
}

impl Next {
    fn acts(&self) -> bool {
        matches!(self, Self::Change(_) | Self::Always(_))
    }

    fn changes(&mut self) -> Option<&mut Vec<Change>> {
        match self {
            Self::Change(changes) | Self::Always(changes) => Some(changes),
            Self::Ended | Self::Waits => None,
        }
    }
}

/// Plans one job from what was read.
fn next(world: &World, job: &mut Job) -> Next {
    if !job.open() {
        return Next::Ended;
    }
    if let Some(why) = world.left(&job.target.host.name) {
        return end(job, Ended::unreachable(why));
    }
    let (plan, shown) = {
        let store = world.store();
        (job.plan(&store), job.shows(&store))
    };
    match plan {
        Plan::Settled => end(job, Ended::settled(!job.made.is_empty(), shown)),
        Plan::Change(changes) => change(job, changes),
        Plan::Always(changes) => Next::Always(changes),
        Plan::Wait(wait) => waits(world, job, wait),
        Plan::Refused(refusal) => refused(job, refusal, shown),
    }
}

fn end(job: &mut Job, ended: Ended) -> Next {
    job.end(ended);
    Next::Ended
}

/// A change that was made and is asked for again did not help: what it said is why. So it is with a command that failed
/// twice, however the changes before it differ: a container that cannot start has another id each time it is removed.
fn change(job: &mut Job, changes: Vec<Change>) -> Next {
    let failed = |change: &Change| job.failures.iter().filter(|command| **command == change.does.masked()).count() > 1;
    if !job.made.contains(&changes) && !changes.iter().any(failed) {
        return Next::Change(changes);
    }
    let why = changes.first().map(|change| change.why.clone()).unwrap_or_default();
    let ended = match &job.trouble {
        Some(_) => Ended::failed(why, None).because(job.trouble.as_ref()),
        None => Ended {
            command: changes.last().map(|change| change.does.masked()),
            ..Ended::failed(format!("{why}: still so after the change was made"), None)
        },
    };
    end(job, ended)
}

fn refused(job: &mut Job, refusal: Refusal, shown: Option<Output>) -> Next {
    if job.tries > 0 {
        job.tries -= 1;
        return Next::Waits;
    }
    let ended = Ended { shown, ..Ended::failed(refusal.why, refusal.hint) };
    let ended = if job.made.is_empty() { ended } else { ended.because(job.trouble.as_ref()) };
    end(job, ended)
}

fn waits(world: &World, job: &mut Job, wait: Wait) -> Next {
    let lost: Vec<String> = wait.on.iter().filter_map(|host| world.left(host)).collect();
    if !wait.on.is_empty() && lost.len() == wait.on.len() {
        return end(job, Ended::failed(format!("waiting for {} is over: {}", wait.what, lost.join("; ")), None));
    }
    if Instant::now() >= job.deadline() {
        let secs = job.started.elapsed().as_secs();
        let hint = Some("give the step a longer `timeout:` if it only needs more time".to_owned());
        return end(
            job,
            Ended::failed(format!("still waiting for {} after {secs} s", wait.what), hint)
                .because(job.trouble.as_ref()),
        );
    }
    if job.waiting.as_ref() != Some(&wait.what) {
        let (step, host) = (job.manner.step.clone(), job.owner.name.clone());
        world.tell(Event::JobWaiting { step, host, waiting: wait.what.clone() });
        job.waiting = Some(wait.what);
    }
    Next::Waits
}

/// Makes the changes of one job, and keeps what they said until the next look.
async fn act(world: &World, job: &mut Job, next: Next) {
    let (changes, always) = match next {
        Next::Change(changes) => (changes, false),
        Next::Always(changes) => (changes, true),
        Next::Ended | Next::Waits => return,
    };
    let told = apply::apply(world, job, &changes).await;
    match told {
        Err(Trouble::Interrupted) => interrupted(job),
        Err(Trouble::Locked) => {}
        Err(Trouble::Cut { host }) => cut(world, job, &host).await,
        told if always => exit_codes_decide(world, job, told),
        told => {
            job.trouble = told.err();
            if let Some(Trouble::Failed { command, .. }) = &job.trouble {
                job.failures.push(command.clone());
            }
            job.made.push(changes);
        }
    }
}

/// What cannot be known beforehand has ended as its exit code says.
fn exit_codes_decide(world: &World, job: &mut Job, told: Result<Output, Trouble>) {
    match told {
        Ok(output) => job.end(Ended::settled(true, Some(output))),
        Err(_) if job.tries > 0 && !world.cancelled() => job.tries -= 1,
        Err(trouble) => {
            let shown = match &trouble {
                Trouble::Failed { code: Some(code), stderr, .. } => {
                    Some(Output { code: *code, stdout: Vec::new(), stderr: stderr.clone().into_bytes() })
                }
                _ => None,
            };
            job.end(Ended { shown, ..Ended { message: None, ..Ended::failed("", None) }.because(Some(&trouble)) });
        }
    }
}

/// What became of a change that was cut off is unknown: the next look logs in again, and the state says. Where nobody can
/// log in any more, the job ends here.
async fn cut(world: &World, job: &mut Job, host: &str) {
    world.store().turn();
    let Some(host) = world.host(host) else { return };
    if let Err(why) = world.crew.session(host).await {
        world.leave(&host.name, &why.what);
        job.end(Ended { hint: why.hint, ..Ended::unreachable(why.what) });
    }
}

fn interrupted(job: &mut Job) {
    job.end(Ended::failed("interrupted", Some("run it again: it goes on where it was".to_owned())));
}

/// What is waited for must be read anew in the next round, however fresh its reading is.
fn forget_waits(world: &World, jobs: &[Job]) {
    let mut store = world.store();
    let stale: Vec<Wanted> = jobs.iter().filter(|job| job.open()).flat_map(|job| job.wants(&store)).collect();
    stale.iter().for_each(|wanted| store.forget(wanted));
}

async fn rest(world: &World, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = world.cancellation() => {}
    }
}
