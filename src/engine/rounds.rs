//! A step's rounds: look, plan, apply, and look again, until every job has ended.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;

use super::approve::approve;
use super::fanout::Fanouts;
use super::job::{Ended, Failure, Job, Mishap, State};
use super::waits::{self, Parts};
use super::{World, apply, look, pipe};
use crate::actions::{Change, Plan, Refusal, hints};
use crate::reads::Wanted;
use crate::remote::Output;

/// The first pause of a job that waits, and the longest: each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// What a look is worth asking beside what it must ask.
pub type Ahead<'a> = &'a (dyn Fn(&BTreeSet<String>) -> Vec<Wanted> + Sync);

/// Converges the jobs of one step.
pub async fn converge(world: &World, jobs: &mut [Job], ahead: Ahead<'_>) {
    let mut pause = PAUSES.0;
    let mut first = true;
    let mut allowed = BTreeSet::new();
    while jobs.iter().any(Job::open) {
        let only_waits = round(world, jobs, &mut allowed, if first { ahead } else { &|_| Vec::new() }).await;
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
        super::tally::finish(world, &job.manner.step, &job.owner.name, job.item.as_deref(), ended, ms);
        job.told = true;
    }
}

/// One round; says whether nothing was done but to wait. `allowed` is what may be removed, as was asked.
async fn round(world: &World, jobs: &mut [Job], allowed: &mut BTreeSet<String>, ahead: Ahead<'_>) -> bool {
    if !world.options.batched {
        // What batched runs are held against: every round reads all that it plans from.
        world.store().clear();
    }
    look::look(world, &jobs.iter().filter(|job| job.open()).collect::<Vec<_>>(), ahead).await;
    if world.cancelled() {
        return true;
    }
    plan(world, jobs);
    if approve(world, jobs, allowed).await {
        look_again(world, jobs);
        return false;
    }
    let came_true = jobs.iter().any(|job| !job.open() && job.waiting.is_some());
    let fanouts = pipe::fanouts(jobs.iter());
    let work: Vec<_> = jobs.iter_mut().filter(|job| job.is_planned()).map(|job| act(world, job, &fanouts)).collect();
    let only_waits = work.is_empty();
    join_all(work).await;
    if came_true {
        world.store().turn();
    }
    forget_waits(world, jobs);
    only_waits
}

/// Plans the open jobs, all from what was read in the same epoch.
fn plan(world: &World, jobs: &mut [Job]) {
    let parts = Parts::of(jobs);
    for job in jobs.iter_mut().filter(|job| job.open()) {
        match world.left(&job.target.host.name) {
            Some(why) => job.end(Ended::unreachable(why)),
            None => decide(world, job, &parts),
        }
    }
}

fn decide(world: &World, job: &mut Job, parts: &Parts) {
    let (plan, shown) = {
        let store = world.store();
        job.decides(&store)
    };
    match plan {
        // What is as asked after a cut was made so on the way, as far as anybody can tell.
        Plan::Settled => job.end(Ended::settled(!job.made.is_empty() || job.cut, shown)),
        Plan::Change(changes) => change(job, changes),
        Plan::Always(changes) => job.state = State::Planned { changes, always: true },
        Plan::Wait(wait) => waits::wait(world, job, wait, parts),
        Plan::Refused(refusal) => refused(job, refusal, shown),
    }
}

/// A change that was made and is asked for again did not help: what it said is why. So it is with a command that failed
/// twice, however the changes before it differ, and with what was made anew and differs from what is asked as it did before: what is
/// made anew has another id each time.
fn change(job: &mut Job, changes: Vec<Change>) {
    let failed = |change: &Change| job.failures.iter().filter(|command| **command == change.does.masked()).count() > 1;
    let differs_still = || job.made.iter().any(|made| is_for_the_same(made, &changes));
    let in_vain = (!passed(job) && (job.made.contains(&changes) || differs_still())) || changes.iter().any(failed);
    if !in_vain || (job.failure.is_some() && job.try_again()) {
        job.state = State::Planned { changes, always: false };
        return;
    }
    let why = changes.first().map(|change| change.why.clone()).unwrap_or_default();
    job.end(match &job.failure {
        Some(failure) => Ended::failed(why, None).because(Some(failure)),
        None => Ended {
            command: changes.last().map(|change| change.does.masked()),
            ..Ended::failed(format!("{why}: still so after the change was made"), None)
        },
    });
}

/// Whether it only came at a bad moment.
fn passed(job: &Job) -> bool {
    job.failure.as_ref().and_then(|failure| failure.stderr.as_deref()).is_some_and(hints::passes)
}

fn is_for_the_same(made: &[Change], asked: &[Change]) -> bool {
    let aims =
        |changes: &[Change]| changes.iter().map(|one| (one.why.clone(), one.differs.clone())).collect::<Vec<_>>();
    made.iter().any(|change| !change.differs.is_empty()) && aims(made) == aims(asked)
}

fn refused(job: &mut Job, refusal: Refusal, shown: Option<Output>) {
    if job.try_again() {
        return;
    }
    let ended = Ended { shown, ..Ended::failed(refusal.why, refusal.hint) };
    let failure = job.failure.as_ref().filter(|_| !job.made.is_empty());
    job.end(ended.because(failure));
}

/// While a person was asked, the readings grew old: what is planned is planned anew.
fn look_again(world: &World, jobs: &mut [Job]) {
    world.store().turn();
    jobs.iter_mut().for_each(|job| drop(job.unplan()));
}

/// Makes the changes of one job, and keeps what they said until the next look.
async fn act(world: &World, job: &mut Job, fanouts: &Fanouts) {
    let Some((changes, always)) = job.unplan() else { return };
    match apply::apply(world, job, &changes, fanouts).await {
        Err(Mishap::Interrupted) => interrupted(job),
        Err(Mishap::Locked) => {}
        Err(Mishap::Cut { host, begun }) => {
            job.cut |= begun;
            reach(world, job, &host).await;
            if always && begun && job.open() {
                failed(world, job, unknown(&host, &changes)).await;
            }
        }
        Err(Mishap::Failed(failure)) if always => failed(world, job, *failure).await,
        Ok(output) if always => job.end(Ended::settled(true, Some(output))),
        told => {
            job.made.push(changes);
            job.target.tried = true;
            (job.output, job.failure) = match told {
                Ok(output) => (Some(output), None),
                Err(mishap) => (None, mishap.failure()),
            };
            job.failures.extend(job.failure.iter().map(|failure| failure.command.clone()));
            if job.failure.is_some() {
                pause(world, job).await;
            }
        }
    }
}

/// What cannot be known beforehand has ended as its exit code says.
async fn failed(world: &World, job: &mut Job, failure: Failure) {
    pause(world, job).await;
    if !job.try_again() {
        job.end(Ended::of(&failure));
    }
}

/// A line that no state speaks for was cut off: to run it again may do twice what must be done once.
fn unknown(host: &str, changes: &[Change]) -> Failure {
    Failure {
        what: format!("{host} was cut off while it ran: nobody knows whether it was done"),
        command: changes.last().map(|change| change.does.masked()).unwrap_or_default(),
        hint: Some(
            "look there; with `creates` or `unless` the state would say, with `retries` it would be run again".into(),
        ),
        ..Failure::default()
    }
}

/// Before another try, longer each time.
async fn pause(world: &World, job: &Job) {
    if job.tries > 0 {
        let tried = job.manner.retries - job.tries;
        rest(world, (PAUSES.0 * 2u32.saturating_pow(tried)).min(PAUSES.1)).await;
    }
}

/// What became of a change that was cut off is unknown: the next look logs in again, and the state says. Where nobody can
/// log in any more, the job ends here.
async fn reach(world: &World, job: &mut Job, host: &str) {
    world.store().turn();
    let Some(host) = world.host(host) else { return };
    if let Err(why) = world.crew.session(host).await {
        world.leave(&host.name, &why.what);
        job.end(Ended { hint: why.hint, ..Ended::unreachable(why.what) });
    }
}

/// Ctrl-C came before its end.
pub fn interrupted(job: &mut Job) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Difference;
    use crate::remote::Command;

    fn anew(id: &str, is: &str) -> Vec<Change> {
        let differs = Difference { field: "memory".into(), is: is.into(), asked: "512m".into() };
        let removed = Change::run("it differs", Command::new("docker").args(["rm", id])).differing(vec![differs]);
        vec![removed, Change::run("in its place", Command::new("docker").arg("run"))]
    }

    #[test]
    fn what_was_made_anew_and_differs_as_before_is_made_in_vain_whatever_its_id() {
        assert!(is_for_the_same(&anew("c1", "none"), &anew("c2", "none")));
        assert!(!is_for_the_same(&anew("c1", "none"), &anew("c2", "256m")));
        let drained = |id: &str| vec![Change::run("it is to go", Command::new("docker").arg(id))];
        assert!(!is_for_the_same(&drained("n1"), &drained("n2")), "one after the other");
    }
}
