//! What several jobs of a round read of one host is read once, and goes to all of them.
//!
//! They need not be there together: who comes too late, or falls behind so far that the others would wait for him, reads for
//! himself. So one that waits for a lock, or dies, holds up nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::deal::{Fate, PIPE, Taker, deal};
use super::job::Mishap;
use super::straight::{Leg, Word};
use crate::remote::pipe::{Writer, pipe};
use crate::remote::{Output, Sink};

/// How long who is there waits for those who are not: less than it takes to read again what is much.
const GATHER: Duration = Duration::from_secs(10);

/// Tells what is read from what else may be: host, user and script.
pub type Key = (String, String);

/// How reading ended, for all who read.
pub type Sent = Result<Output, Mishap>;

/// All that is read by several in a round.
#[derive(Default)]
pub struct Fanouts(BTreeMap<Key, Fanout>);

/// What is read once.
pub struct Fanout {
    expected: usize,
    seats: Mutex<Seats>,
    came: Notify,
    sent: watch::Sender<Option<Sent>>,
}

#[derive(Default)]
struct Seats {
    taken: Vec<Taker>,
    closed: bool,
}

/// One who reads, as he sees it.
pub struct Seat<'a> {
    fanout: &'a Fanout,
    leads: bool,
    fate: watch::Receiver<Fate>,
}

/// What who reads for all has to see to.
pub struct Reading {
    /// Takes what goes through the workstation.
    pub sink: Sink,
    /// Where it goes straight.
    pub legs: Vec<Leg>,
    /// Whether somebody wants it through the workstation anyhow.
    pub through: bool,
    /// Is told how the legs fare; dropped once there is no more to tell.
    pub tell: UnboundedSender<Word>,
}

impl Fanouts {
    /// Of all that is to be read, what more than one wants.
    pub fn of(wanted: impl Iterator<Item = Key>) -> Self {
        let mut counts = BTreeMap::new();
        wanted.for_each(|key| *counts.entry(key).or_insert(0) += 1);
        Self(counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, count)| (key, Fanout::new(count))).collect())
    }

    /// A place among those who read it together; none where there are no others, or no more.
    pub fn of_all(&self, key: &Key) -> Option<&Fanout> {
        self.0.get(key).filter(|fanout| !fanout.seats().closed)
    }
}

impl Fanout {
    /// For so many who want it.
    pub fn new(expected: usize) -> Self {
        Self { expected, seats: Mutex::default(), came: Notify::new(), sent: watch::Sender::new(None) }
    }

    /// A place for who reads at the other end of `to`, or at that of a leg; none where the others have begun.
    pub fn seat(&self, to: Writer, leg: Option<Leg>) -> Option<Seat<'_>> {
        let mut seats = self.seats();
        if seats.closed {
            return None;
        }
        let (leads, (tell, fate)) = (seats.taken.is_empty(), watch::channel(Fate::Open));
        seats.taken.push(Taker { to, leg, fate: tell });
        self.came.notify_one();
        Some(Seat { fanout: self, leads, fate })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All who have come, once nobody is missing or they have waited long enough.
    async fn gathered(&self) -> Vec<Taker> {
        let all = async {
            while self.seats().taken.len() < self.expected {
                self.came.notified().await;
            }
        };
        let _ = timeout(GATHER, all).await;
        let mut seats = self.seats();
        seats.closed = true;
        std::mem::take(&mut seats.taken)
    }
}

impl Seat<'_> {
    /// How reading ended: the first one who came reads, by `read`, for all. Who has got all of it straight need not wait
    /// for that, unless it is he who reads.
    pub async fn sent<Read: Future<Output = Sent>>(&self, read: impl FnOnce(Reading) -> Read) -> Sent {
        if self.leads {
            self.lead(read).await;
        }
        let (mut told, mut fate) = (self.fanout.sent.subscribe(), self.fate.clone());
        tokio::select! {
            biased;
            Ok(_) = fate.wait_for(|fate| *fate == Fate::Whole) => Ok(Output::default()),
            told = told.wait_for(Option::is_some) => match told.as_deref() {
                Ok(Some(sent)) => sent.clone(),
                // Who reads for all holds the sender, and tells before he goes.
                Ok(None) | Err(_) => Err(Mishap::Interrupted),
            },
        }
    }

    async fn lead<Read: Future<Output = Sent>>(&self, read: impl FnOnce(Reading) -> Read) {
        let takers = self.fanout.gathered().await;
        let legs: Vec<Leg> = takers.iter().filter_map(|taker| taker.leg.clone()).collect();
        let through = takers.len() > legs.len();
        let ((to, from), (tell, told)) = (pipe(PIPE), unbounded_channel());
        let reading = Reading { sink: Box::new(to), legs, through, tell };
        let (sent, ()) = tokio::join!(read(reading), deal(from, takers, told));
        self.fanout.sent.send_replace(Some(sent));
    }

    /// Why it did not come straight, where it was to.
    pub fn why_through(&self) -> Option<String> {
        match &*self.fate.borrow() {
            Fate::Through(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// Whether he was left behind: he can read for himself.
    pub fn fell_behind(&self) -> bool {
        *self.fate.borrow() == Fate::Behind
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::remote::pipe::Reader;

    fn place(fanout: &Fanout) -> (Seat<'_>, Reader) {
        let (to, reader) = pipe(PIPE);
        (fanout.seat(to, None).expect("a seat"), reader)
    }

    /// Reads `bytes` for all, and counts how often that was done.
    async fn read(seat: &Seat<'_>, bytes: &[u8], times: &std::cell::Cell<u32>) -> Sent {
        let read = |mut of: Reading| async move {
            times.set(times.get() + 1);
            // Nobody may be left who takes it.
            let _ = of.sink.write_all(bytes).await;
            let _ = of.sink.shutdown().await;
            Ok(Output::default())
        };
        seat.sent(read).await
    }

    async fn all(mut from: Reader) -> std::io::Result<usize> {
        let mut kept = Vec::new();
        from.read_to_end(&mut kept).await
    }

    #[tokio::test]
    async fn what_two_want_is_read_once_and_one_alone_needs_no_other() {
        let key = || ("alpha".to_owned(), "docker save".to_owned());
        assert!(Fanouts::of([key()].into_iter()).of_all(&key()).is_none());
        let (fanouts, bytes, times) =
            (Fanouts::of([key(), key()].into_iter()), vec![7; 5 << 20], std::cell::Cell::new(0));
        let fanout = fanouts.of_all(&key()).expect("two");
        let ((first, one), (second, two)) = (place(fanout), place(fanout));
        let (a, b, one, two) =
            tokio::join!(read(&first, &bytes, &times), read(&second, &bytes, &times), all(one), all(two));
        assert!(a.is_ok() && b.is_ok());
        assert_eq!((one.unwrap(), two.unwrap(), times.get()), (5 << 20, 5 << 20, 1));
        assert!(fanouts.of_all(&key()).is_none(), "who comes too late reads for himself");
        assert!(fanout.seat(pipe(1).0, None).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_is_not_waited_for_and_who_dies_stops_nobody() {
        let (fanout, bytes, times) = (Fanout::new(2), vec![7; 5 << 20], std::cell::Cell::new(0));
        let (first, one) = place(&fanout);
        let (sent, one) = tokio::join!(read(&first, &bytes, &times), all(one));
        assert!(sent.is_ok() && one.unwrap() == 5 << 20);

        let fanout = Fanout::new(2);
        let ((first, one), (second, two)) = (place(&fanout), place(&fanout));
        drop(one);
        let (a, b, two) = tokio::join!(read(&first, &bytes, &times), read(&second, &bytes, &times), all(two));
        assert!(a.is_ok() && b.is_ok() && two.unwrap() == 5 << 20);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_left_behind_and_is_told_no_end() {
        let (fanout, bytes, times) = (Fanout::new(2), vec![7; 5 << 20], std::cell::Cell::new(0));
        let ((first, one), (second, two)) = (place(&fanout), place(&fanout));
        let (_, _, one) = tokio::join!(read(&first, &bytes, &times), read(&second, &bytes, &times), all(one));
        assert_eq!((one.unwrap(), first.fell_behind(), second.fell_behind()), (5 << 20, false, true));
        assert_eq!(all(two).await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn what_breaks_off_has_no_end_for_anybody() {
        let fanout = Fanout::new(2);
        let ((first, one), (second, two)) = (place(&fanout), place(&fanout));
        let cut = |mut of: Reading| async move {
            of.sink.write_all(b"half").await.expect("written");
            Err(Mishap::Interrupted)
        };
        let nothing = |_: Reading| async { unreachable!("the first reads") };
        let (a, b, one, two) = tokio::join!(first.sent(cut), second.sent(nothing), all(one), all(two));
        assert_eq!((a, b), (Err(Mishap::Interrupted), Err(Mishap::Interrupted)));
        assert!(one.is_err() && two.is_err());
    }
}
