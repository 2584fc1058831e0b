//! What was read for several is handed to each: to some straight by the host that has it, and we only say when; to the others by us.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::timeout;

use super::straight::{Leg, Word};
use crate::remote::pipe::{Reader, Writer};

/// How many bytes wait before each reader.
pub const PIPE: usize = 1 << 20;
/// How many of them are passed on at a time.
const CHUNK: usize = 256 << 10;
/// How long one may take nothing while others could.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of one who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    Open,
    /// All has come to him, straight.
    Whole,
    /// It goes through the workstation, for this reason.
    Through(String),
    /// He was left behind, or his leg broke off.
    Behind,
}

/// One who reads, as who deals sees him.
pub struct Taker {
    /// What comes to his command's input: all of it, or, where it goes straight, the words about it.
    pub to: Writer,
    pub leg: Option<Leg>,
    pub fate: watch::Sender<Fate>,
}

impl Taker {
    async fn say(&mut self, word: &[u8]) {
        // Who does not hear it any more has ended, which his own command tells.
        let _ = self.to.write_all(word).await;
    }

    fn left_behind(self) {
        self.fate.send_replace(Fate::Behind);
    }
}

/// Deals to all of these, until nothing comes any more and nothing is told.
pub async fn deal(from: Reader, takers: Vec<Taker>, mut told: UnboundedReceiver<Word>) {
    let mut dealer = Dealer::of(takers);
    while !dealer.waiting.is_empty() {
        match told.recv().await {
            Some(word) => dealer.hear(word).await,
            None => break,
        }
    }
    let through = std::mem::take(&mut dealer.through);
    tokio::join!(pass(from, through), dealer.listen(told));
}

/// Who is where.
struct Dealer {
    /// By the number of their legs, of which nothing was heard.
    waiting: BTreeMap<usize, Taker>,
    /// Those whose legs are open.
    straight: BTreeMap<usize, Taker>,
    through: Vec<Taker>,
}

impl Dealer {
    fn of(takers: Vec<Taker>) -> Self {
        let (legs, through) = takers.into_iter().partition::<Vec<_>, _>(|taker| taker.leg.is_some());
        Self { waiting: legs.into_iter().enumerate().collect(), straight: BTreeMap::new(), through }
    }

    async fn listen(&mut self, mut told: UnboundedReceiver<Word>) {
        while let Some(word) = told.recv().await {
            self.hear(word).await;
        }
        // Whoever reads has gone, and what became of these legs nobody knows.
        self.straight.clear();
        self.waiting.clear();
    }

    async fn hear(&mut self, word: Word) {
        match word {
            Word::Open(leg) => {
                if let Some(mut taker) = self.waiting.remove(&leg) {
                    taker.say(b"straight\n").await;
                    self.straight.insert(leg, taker);
                }
            }
            Word::Whole(leg) => {
                if let Some(mut taker) = self.straight.remove(&leg) {
                    taker.say(b"whole\n").await;
                    taker.fate.send_replace(Fate::Whole);
                    let _ = taker.to.shutdown().await;
                }
            }
            Word::Failed(leg, why) => self.failed(leg, why).await,
            Word::Takes(_) => {}
        }
    }

    async fn failed(&mut self, leg: usize, why: String) {
        if let Some(mut taker) = self.waiting.remove(&leg) {
            taker.fate.send_replace(Fate::Through(why));
            taker.say(b"through\n").await;
            self.through.push(taker);
        } else if let Some(taker) = self.straight.remove(&leg) {
            taker.left_behind();
        }
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
                taker.left_behind();
                None
            }
        }
    };
    join_all(takers.into_iter().map(give)).await.into_iter().flatten().collect()
}
