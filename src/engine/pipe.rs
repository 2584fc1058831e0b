//! One host's output into another's input: straight, where it is much and they reach each other, or through the workstation's
//! memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::apply::{At, Ear, Ends};
use super::deal::PIPE;
use super::fanout::{Fanout, Fanouts, Key, Reading, Sent};
use super::job::{Job, Mishap};
use super::straight::{self, Leg, Word};
use crate::actions::{Change, Does};
use crate::remote::pipe::pipe;
use crate::remote::{Command, Door, Lent, Output};

/// How long what broke off may take to end.
const LET_GO: Duration = Duration::from_secs(2);

/// What is piped.
#[derive(Clone, Copy)]
pub struct Pipe<'a> {
    /// The host it comes from.
    pub from: &'a str,
    pub source: &'a Command,
    pub to: &'a Command,
    /// At most about how many; 0 where it is little, or nobody knows.
    pub bytes: u64,
}

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
pub async fn run(at: &At<'_>, what: Pipe<'_>) -> Result<Output, Mishap> {
    let Some(host) = at.world.host(what.from) else { return Err(at.failed(what.from, "not in the inventory")) };
    let _turn = at.turn().await;
    let key = key(at.job, what.from, what.source);
    let piping = Piping { at, there: at.giving(host.clone()), what, key, own: Fanout::new(1) };
    let first = match piping.door().await {
        Some(door) => piping.straight(door).await,
        None => piping.through(piping.fanout()).await,
    };
    match first {
        Some(result) => result,
        None => piping.alone().await,
    }
}

/// Both ends, and what is piped.
struct Piping<'a> {
    at: &'a At<'a>,
    /// Where it comes from.
    there: At<'a>,
    what: Pipe<'a>,
    key: Key,
    /// For who reads alone.
    own: Fanout,
}

impl Piping<'_> {
    /// With whom it is read: with the others, unless they have begun.
    fn fanout(&self) -> &Fanout {
        self.at.fanouts.of_all(&self.key).unwrap_or(&self.own)
    }

    /// How the source may come in here, where it is worth it and what it writes can be read.
    async fn door(&self) -> Option<Door> {
        let what = self.what;
        if what.bytes < straight::WORTH || !what.to.input().is_empty() {
            return None;
        }
        let door = self.at.session().await.ok()?.door()?;
        let reads = self.at.job.dressed(what.to.clone(), &self.at.host.name);
        straight::can_take(reads.user(), &door.user).then_some(door)
    }

    /// Through the workstation; nothing where he was left behind, or came too late.
    async fn through(&self, fanout: &Fanout) -> Option<Result<Output, Mishap>> {
        let (to, from) = pipe(PIPE);
        let seat = fanout.seat(to, None)?;
        let taking = self.at.exec(self.what.to.clone(), Ends { stdin: Some(Box::new(from)), ..Ends::default() });
        let (sent, taken) = tokio::join!(seat.sent(|reading| self.read(reading)), taking);
        (!seat.fell_behind()).then(|| told(sent, taken))
    }

    /// Once more, through the workstation and with nobody else, when what was broken off has had its time to let go of the lock.
    async fn alone(&self) -> Result<Output, Mishap> {
        tokio::time::sleep(LET_GO).await;
        self.through(&Fanout::new(1)).await.unwrap_or(Err(Mishap::Interrupted))
    }

    /// Straight, or through the workstation where the source cannot come in; nothing where the way between the two broke off.
    async fn straight(&self, door: Door) -> Option<Result<Output, Mishap>> {
        let ((to, from), (ear, mut fifo)) = (pipe(PIPE), watch::channel(None));
        let ear = move |word| {
            if let Word::Takes(fifo) = word {
                ear.send_replace(Some(fifo));
            }
        };
        let ends = Ends { stdin: Some(Box::new(from)), ear: Some(Arc::new(ear)), ..Ends::default() };
        let taking = self.at.exec(straight::take(self.what.to, &door.user), ends);
        let giving = async {
            // Its pipe is there once it has got the lock.
            let fifo = fifo.wait_for(Option::is_some).await.ok()?.clone()?;
            let Some(seat) = self.fanout().seat(to, Some(Leg { door, fifo })) else {
                return Some((Ok(Output::default()), true));
            };
            let sent = seat.sent(|reading| self.read(reading)).await;
            if let Some(why) = seat.why_through() {
                (self.at.live())(&format!("through the workstation: {why}\n"));
            }
            Some((sent, seat.fell_behind()))
        };
        match tokio::join!(giving, taking) {
            (None, taken) => Some(taken),
            (Some((Ok(_), true)), Err(Mishap::Failed(failure))) if failure.relay && !self.at.world.cancelled() => None,
            (Some((sent, _)), taken) => Some(told(sent, taken)),
        }
    }

    /// Reads it once, for all.
    async fn read(&self, reading: Reading) -> Sent {
        let Reading { sink, legs, through, tell } = reading;
        let stdout = Some(sink);
        let lent = match self.lent(&legs).await {
            Ok(lent) => lent,
            Err(why) => {
                (0..legs.len()).for_each(|leg| drop(tell.send(Word::Failed(leg, why.clone()))));
                return self.there.exec(self.what.source.clone(), Ends { stdout, ..Ends::default() }).await;
            }
        };
        let give = straight::give(self.what.source, self.what.bytes, &legs, through);
        let ear: Ear = Arc::new(move |word| drop(tell.send(word)));
        self.there.exec(give, Ends { stdout, ear: Some(ear), lent: Some(lent), ..Ends::default() }).await
    }

    /// An agent for these, or why there is none.
    async fn lent(&self, legs: &[Leg]) -> Result<Lent, String> {
        if legs.is_empty() {
            return Err("nobody is to be reached".into());
        }
        let session = self.there.session().await.map_err(|_| "it is gone".to_owned())?;
        session.lend(legs.iter().map(|leg| leg.door.clone()).collect()).await.map_err(|why| why.to_string())
    }
}

/// Where the source fails, its words are told: the other end only saw its input break off. Where all that ails the source is
/// that nobody took its output, the other end's are.
fn told(sent: Sent, taken: Result<Output, Mishap>) -> Result<Output, Mishap> {
    match sent {
        Err(Mishap::Failed(failure)) if failure.relay => taken.and(Err(Mishap::Failed(failure))),
        sent => sent.and(taken),
    }
}
