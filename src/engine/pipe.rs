//! One host's output into another's input, through the workstation's memory.

use super::apply::At;
use super::fanout::{Fanouts, Key, Seat};
use super::job::{Job, Mishap};
use crate::actions::{Change, Does};
use crate::remote::pipe::{self, Reader};
use crate::remote::{Command, Output};

/// How many bytes wait between the two ends.
const PIPE: usize = 1 << 20;

/// What these jobs are about to read of other hosts.
pub fn fanouts<'a>(jobs: impl Iterator<Item = &'a Job>) -> Fanouts {
    let pipes = |job: &'a Job| job.planned().iter().filter_map(move |change| wanted(job, change));
    Fanouts::of(jobs.flat_map(pipes))
}

fn wanted(job: &Job, change: &Change) -> Option<Key> {
    match &change.does {
        Does::Pipe { from, source, .. } => Some(key(job, from, source)),
        _ => None,
    }
}

fn key(job: &Job, from: &str, source: &Command) -> Key {
    let read = job.dressed(source.clone(), from);
    (from.to_owned(), format!("{:?}\n{}", read.user(), read.wire()))
}

/// Both ends at once; what others read too is read once. Who is at work on the other end already has his turn there.
pub async fn pipe(at: &At<'_>, from: &str, source: &Command, to: &Command) -> Result<Output, Mishap> {
    let Some(host) = at.world.host(from) else { return Err(at.failed(from, "not in the inventory")) };
    let there = at.giving(host.clone());
    let _turn = at.turn().await;
    if let Some((seat, stdin)) = at.fanouts.seat(&key(at.job, from, source)) {
        let result = together(at, &there, source, to, &seat, stdin).await;
        if !seat.fell_behind() {
            return result;
        }
    }
    let (writer, reader) = pipe::pipe(PIPE);
    let (sent, taken) = tokio::join!(
        there.exec(source.clone(), None, Some(Box::new(writer))),
        at.exec(to.clone(), Some(Box::new(reader)), None)
    );
    told(sent, taken)
}

async fn together(
    at: &At<'_>,
    there: &At<'_>,
    source: &Command,
    to: &Command,
    seat: &Seat<'_>,
    stdin: Reader,
) -> Result<Output, Mishap> {
    let (sent, taken) = tokio::join!(
        seat.sent(|sink| there.exec(source.clone(), None, Some(sink))),
        at.exec(to.clone(), Some(Box::new(stdin)), None)
    );
    told(sent, taken)
}

/// Where the source fails, its words are told: the other end only saw its input break off. Where all that ails the source is
/// that nobody took its output, the other end's are.
fn told(sent: Result<Output, Mishap>, taken: Result<Output, Mishap>) -> Result<Output, Mishap> {
    match sent {
        Err(Mishap::Failed(failure)) if failure.untaken => taken.and(Err(Mishap::Failed(failure))),
        sent => sent.and(taken),
    }
}
