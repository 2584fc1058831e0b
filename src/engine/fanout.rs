//! What several jobs of a round read of one host is read once, and goes to all of them.
//!
//! They need not be there together: who comes too late, or falls behind so far that the others would wait for him, reads for
//! himself. So one that waits for a lock, or dies, holds up nobody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::job::Mishap;
use crate::remote::pipe::{Reader, Writer, pipe};
use crate::remote::{Output, Sink};

/// How many bytes wait before each reader.
const PIPE: usize = 1 << 20;
/// How many of them are passed on at a time.
const CHUNK: usize = 256 << 10;
/// How long who is there waits for those who are not.
const GATHER: Duration = Duration::from_secs(2);
/// How long one may take nothing while others could.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells what is read from what else may be: host, user and script.
pub type Key = (String, String);

/// How reading ended, for all who read.
type Sent = Result<Output, Mishap>;

/// All that is read by several in a round.
#[derive(Default)]
pub struct Fanouts(BTreeMap<Key, Fanout>);

struct Fanout {
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

/// One who reads, as who passes it on sees him.
struct Taker {
    to: Writer,
    behind: Arc<AtomicBool>,
}

/// One who reads, as he sees it.
pub struct Seat<'a> {
    fanout: &'a Fanout,
    leads: bool,
    behind: Arc<AtomicBool>,
}

impl Fanouts {
    /// Of all that is to be read, what more than one wants.
    pub fn of(wanted: impl Iterator<Item = Key>) -> Self {
        let mut counts = BTreeMap::new();
        wanted.for_each(|key| *counts.entry(key).or_insert(0) += 1);
        Self(counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, count)| (key, Fanout::new(count))).collect())
    }

    /// A place among those who read it together, and what comes there; none where there are no others, or no more.
    pub fn seat(&self, key: &Key) -> Option<(Seat<'_>, Reader)> {
        self.0.get(key)?.seat()
    }
}

impl Fanout {
    fn new(expected: usize) -> Self {
        Self { expected, seats: Mutex::default(), came: Notify::new(), sent: watch::Sender::new(None) }
    }

    fn seat(&self) -> Option<(Seat<'_>, Reader)> {
        let mut seats = self.seats();
        if seats.closed {
            return None;
        }
        let (to, reader) = pipe(PIPE);
        let (leads, behind) = (seats.taken.is_empty(), Arc::new(AtomicBool::new(false)));
        seats.taken.push(Taker { to, behind: behind.clone() });
        self.came.notify_one();
        Some((Seat { fanout: self, leads, behind }, reader))
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
    /// How reading ended: the first one who came reads, by `read`, for all.
    pub async fn sent<Read: Future<Output = Sent>>(&self, read: impl FnOnce(Sink) -> Read) -> Sent {
        if self.leads {
            let takers = self.fanout.gathered().await;
            let (to, from) = pipe(PIPE);
            let (sent, ()) = tokio::join!(read(Box::new(to)), pass(from, takers));
            self.fanout.sent.send_replace(Some(sent));
        }
        let mut told = self.fanout.sent.subscribe();
        match told.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(sent)) => sent.clone(),
            // Who reads for all holds the sender, and tells before he goes.
            Ok(None) | Err(_) => Err(Mishap::Interrupted),
        }
    }

    /// Whether he was left behind, so that the others need not wait.
    pub fn fell_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire)
    }
}

/// Passes on all that comes, as fast as the slowest takes it; and its end, if it has one.
async fn pass(mut from: Reader, mut takers: Vec<Taker>) {
    let mut chunk = vec![0; CHUNK];
    while !takers.is_empty() {
        match from.read(&mut chunk).await {
            Ok(0) => return drop(join_all(takers.iter_mut().map(|taker| taker.to.shutdown())).await),
            Ok(length) => takers = given(takers, &chunk[..length]).await,
            Err(_) => return,
        }
    }
}

/// Those who have taken it. Where there is but one, nobody waits for him.
async fn given(takers: Vec<Taker>, bytes: &[u8]) -> Vec<Taker> {
    let patience = if takers.len() > 1 { PATIENCE } else { Duration::MAX };
    let give = |mut taker: Taker| async move {
        match timeout(patience, taker.to.write_all(bytes)).await {
            Ok(written) => written.is_ok().then_some(taker),
            Err(_) => {
                taker.behind.store(true, Ordering::Release);
                None
            }
        }
    };
    join_all(takers.into_iter().map(give)).await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        ("alpha".into(), "docker save".into())
    }

    fn both() -> Fanouts {
        Fanouts::of([key(), key()].into_iter())
    }

    /// Reads `bytes` for all, and counts how often that was done.
    async fn read(seat: &Seat<'_>, bytes: &[u8], times: &std::cell::Cell<u32>) -> Sent {
        let read = |mut to: Sink| async move {
            times.set(times.get() + 1);
            // Nobody may be left who takes it.
            let _ = to.write_all(bytes).await;
            let _ = to.shutdown().await;
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
        assert!(Fanouts::of([key()].into_iter()).seat(&key()).is_none());
        let (fanouts, bytes, times) = (both(), vec![7; 5 << 20], std::cell::Cell::new(0));
        let (first, one) = fanouts.seat(&key()).expect("a seat");
        let (second, two) = fanouts.seat(&key()).expect("a seat");
        let (a, b, one, two) =
            tokio::join!(read(&first, &bytes, &times), read(&second, &bytes, &times), all(one), all(two));
        assert!(a.is_ok() && b.is_ok());
        assert_eq!((one.unwrap(), two.unwrap(), times.get()), (5 << 20, 5 << 20, 1));
        assert!(fanouts.seat(&key()).is_none(), "who comes too late reads for himself");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_is_not_waited_for_and_who_dies_stops_nobody() {
        let (fanouts, bytes, times) = (both(), vec![7; 5 << 20], std::cell::Cell::new(0));
        let (first, one) = fanouts.seat(&key()).expect("a seat");
        let (sent, one) = tokio::join!(read(&first, &bytes, &times), all(one));
        assert!(sent.is_ok() && one.unwrap() == 5 << 20);

        let fanouts = both();
        let (first, one) = fanouts.seat(&key()).expect("a seat");
        let (second, two) = fanouts.seat(&key()).expect("a seat");
        drop(one);
        let (a, b, two) = tokio::join!(read(&first, &bytes, &times), read(&second, &bytes, &times), all(two));
        assert!(a.is_ok() && b.is_ok() && two.unwrap() == 5 << 20);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_left_behind_and_is_told_no_end() {
        let (fanouts, bytes, times) = (both(), vec![7; 5 << 20], std::cell::Cell::new(0));
        let (first, one) = fanouts.seat(&key()).expect("a seat");
        let (second, two) = fanouts.seat(&key()).expect("a seat");
        let (_, _, one) = tokio::join!(read(&first, &bytes, &times), read(&second, &bytes, &times), all(one));
        assert_eq!((one.unwrap(), first.fell_behind(), second.fell_behind()), (5 << 20, false, true));
        assert_eq!(all(two).await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn what_breaks_off_has_no_end_for_anybody() {
        let fanouts = both();
        let (first, one) = fanouts.seat(&key()).expect("a seat");
        let (second, two) = fanouts.seat(&key()).expect("a seat");
        let cut = |mut to: Sink| async move {
            to.write_all(b"half").await.expect("written");
            Err(Mishap::Interrupted)
        };
        let nothing = |_: Sink| async { unreachable!("the first reads") };
        let (a, b, one, two) = tokio::join!(first.sent(cut), second.sent(nothing), all(one), all(two));
        assert_eq!((a, b), (Err(Mishap::Interrupted), Err(Mishap::Interrupted)));
        assert!(one.is_err() && two.is_err());
    }
}
