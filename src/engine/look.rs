//! Look: gathers what jobs must read, and reads it with one command per host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;

use super::job::Job;
use super::rounds::Ahead;
use super::{World, facts};
use crate::event::Event;
use crate::reads::batch::{Answer, Batch};
use crate::reads::{Read, Seen, WORKSTATION, Wanted, dial, local};
use crate::remote::{Exec, Lost, Session, User};

/// Reads may lead to further reads; this many rounds are more than any action needs.
const ROUNDS: usize = 12;

/// The reads of a batch that a hundred files may answer: far more than a host's steps ask for.
const REPLY: usize = 64 << 20;

/// Reads what `jobs` need and what does not count any more. When a host must be asked at all, `ahead` says what else it
/// is worth asking in the same breath.
pub async fn look(world: &World, jobs: &[&Job], ahead: Ahead<'_>) {
    for _ in 0..ROUNDS {
        let needed: BTreeSet<Wanted> = {
            let store = world.store();
            jobs.iter().flat_map(|job| job.missing(&store)).collect()
        };
        if needed.is_empty() || world.cancelled() {
            return;
        }
        let hosts = needed.iter().map(|wanted| wanted.host.clone()).collect();
        let more = ahead(&hosts).into_iter().filter(|wanted| !world.store().fresh(wanted)).collect();
        fetch(world, needed, more).await;
    }
}

/// Reads what the expressions of a step lack, whether or not this run may change those hosts; one that failed is there all
/// the same.
pub async fn for_expressions(world: &World, needed: BTreeSet<Wanted>, ahead: Ahead<'_>) {
    let hosts = needed.iter().map(|wanted| wanted.host.clone()).collect();
    let more = ahead(&hosts).into_iter().filter(|wanted| !world.store().fresh(wanted)).collect();
    fetch_all(world, needed, more, true).await;
}

/// Reads what is `needed`, and what is only asked `ahead`: each host's with one command, all hosts at once. Ctrl-C does not
/// wait for the answers.
pub async fn fetch(world: &World, needed: BTreeSet<Wanted>, ahead: BTreeSet<Wanted>) {
    fetch_all(world, needed, ahead, false).await;
}

async fn fetch_all(world: &World, needed: BTreeSet<Wanted>, ahead: BTreeSet<Wanted>, also_failed: bool) {
    let mut by_host: BTreeMap<String, Vec<(User, Read)>> = BTreeMap::new();
    for Wanted { host, user, read } in needed.union(&ahead).cloned() {
        by_host.entry(host).or_default().push((user, read));
    }
    let fetched =
        join_all(by_host.into_iter().map(|(host, reads)| fetch_from(world, host, reads, &needed, also_failed)));
    tokio::select! {
        _ = fetched => {}
        () = world.cancellation() => {}
    }
}

async fn fetch_from(
    world: &World,
    host: String,
    reads: Vec<(User, Read)>,
    needed: &BTreeSet<Wanted>,
    also_failed: bool,
) {
    let (epoch, started, count) = (world.store().epoch(), Instant::now(), reads.len());
    let lost = world.left(&host).is_some();
    let answers = match host.as_str() {
        WORKSTATION => on_workstation(reads).await,
        _ => on_host(world, &host, reads, also_failed).await,
    };
    if host != WORKSTATION && !lost {
        let ms = started.elapsed().as_millis() as u64;
        world.tell(Event::Looked { host: host.clone(), readings: count, ms });
    }
    // A host that is lost is not asked twice.
    let lost = world.left(&host).is_some();
    for (user, read, seen) in answers {
        facts::learn(world, &host, &seen);
        let wanted = Wanted { host: host.clone(), user, read };
        let ahead = !lost && !needed.contains(&wanted);
        world.store().keep(wanted, seen, epoch, ahead);
    }
}

async fn on_workstation(reads: Vec<(User, Read)>) -> Vec<Answer> {
    let answer = move || reads.into_iter().map(|(user, read)| (user, local::answer(&read), read)).collect::<Vec<_>>();
    let answers = tokio::task::spawn_blocking(answer).await.unwrap_or_default();
    answers.into_iter().map(|(user, seen, read)| (user, read, seen)).collect()
}

async fn on_host(world: &World, name: &str, reads: Vec<(User, Read)>, also_failed: bool) -> Vec<Answer> {
    let Some(host) = world.host(name) else { return unread(reads, &format!("{name} is not in the inventory")) };
    if let Some(why) = world.left(name)
        && !(also_failed && world.crew.is_up(name).await)
    {
        return unread(reads, &format!("{name} left the run: {why}"));
    }
    let session = match world.crew.session(host).await {
        Ok(session) => session,
        Err(why) => {
            world.leave(name, &why.what);
            world.count(name, |tally| tally.unreachable = true);
            return unread(reads, &why.what);
        }
    };
    ask(world, name, &session, reads).await
}

/// Dials and runs the script at once; a connection that both lost was cut once.
async fn ask(world: &World, name: &str, session: &Arc<dyn Session>, reads: Vec<(User, Read)>) -> Vec<Answer> {
    let (dialed, scripted): (Vec<_>, Vec<_>) = reads.into_iter().partition(|(_, read)| read.dialed());
    let (scripted, dialed) = tokio::join!(run(&**session, scripted), dial(&**session, dialed));
    if let Some(lost) = scripted.1.or(dialed.1) {
        world.crew.cut(name, session, &lost.to_string()).await;
        world.store().turn();
    }
    [scripted.0, dialed.0].concat()
}

/// Answers, and the connection's end where it is why they are unread.
type Answers = (Vec<Answer>, Option<Lost>);

/// With one command; where a sudo in its script would be asked for a password, with one for each user.
async fn run(session: &dyn Session, reads: Vec<(User, Read)>) -> Answers {
    let mut groups: BTreeMap<Option<User>, Vec<(User, Read)>> = BTreeMap::new();
    for (user, read) in reads {
        groups.entry(session.answers_sudo().then(|| user.clone())).or_default().push((user, read));
    }
    let answered = join_all(groups.into_values().map(|reads| run_one(session, reads))).await;
    answered
        .into_iter()
        .fold((Vec::new(), None), |(answers, lost), (more, why)| ([answers, more].concat(), lost.or(why)))
}

async fn run_one(session: &dyn Session, reads: Vec<(User, Read)>) -> Answers {
    let batch = Batch::new(super::nonce(), reads.iter().cloned());
    let command = batch.command();
    match session.exec(Exec { cap: REPLY, deadline: Some(batch.deadline()), ..Exec::new(&command) }).await {
        Ok(output) => (batch.answers(&output), None),
        Err(lost) => gone(reads, lost),
    }
}

async fn dial(session: &dyn Session, reads: Vec<(User, Read)>) -> Answers {
    let asked: Vec<Read> = reads.iter().map(|(_, read)| read.clone()).collect();
    match dial::answers(&asked, session).await {
        Ok(seen) => (reads.into_iter().zip(seen).map(|((user, read), seen)| (user, read, seen)).collect(), None),
        Err(lost) => gone(reads, lost),
    }
}

fn gone(reads: Vec<(User, Read)>, lost: Lost) -> Answers {
    let answers = unread(reads, &lost.to_string());
    (answers, Some(lost).filter(Lost::is_cut))
}

fn unread(reads: Vec<(User, Read)>, why: &str) -> Vec<Answer> {
    reads.into_iter().map(|(user, read)| (user, read, Seen::Unread(why.to_owned()))).collect()
}
