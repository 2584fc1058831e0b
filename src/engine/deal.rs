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
    let end = dealer.passed.as_ref().filter(|_| !dealer.straight.is_empty()).map(watch::Sender::subscribe);
    tokio::join!(pass(from, through, end), dealer.listen(told));
}

/// Who is where.
struct Dealer {
    /// By the number of their legs, of which nothing was heard.
    waiting: BTreeMap<usize, Taker>,
    /// Those whose legs are open.
    straight: BTreeMap<usize, Taker>,
    through: Vec<Taker>,
    /// How many bytes go through the workstation; as long as that may be told.
    passed: Option<watch::Sender<Option<u64>>>,
}

impl Dealer {
    fn of(takers: Vec<Taker>) -> Self {
        let (legs, through) = takers.into_iter().partition::<Vec<_>, _>(|taker| taker.leg.is_some());
        let passed = Some(watch::Sender::new(None));
        Self { waiting: legs.into_iter().enumerate().collect(), straight: BTreeMap::new(), through, passed }
    }

    async fn listen(&mut self, mut told: UnboundedReceiver<Word>) {
        while let Some(word) = told.recv().await {
            self.hear(word).await;
        }
        // Whoever reads has gone, and what became of these legs nobody knows.
        std::mem::take(&mut self.straight).into_values().for_each(Taker::left_behind);
        std::mem::take(&mut self.waiting).into_values().for_each(Taker::left_behind);
        self.passed = None;
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
            Word::Passed(bytes) => drop(self.passed.as_ref().map(|passed| passed.send_replace(Some(bytes)))),
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

/// Passes on all that comes, as fast as the slowest takes it; and its end, if it has one: where some of it goes straight, once so
/// many bytes have come as `told`, for what comes from there ends with the slowest leg.
async fn pass(mut from: Reader, mut takers: Vec<Taker>, mut told: Option<watch::Receiver<Option<u64>>>) {
    let (mut chunk, mut passed) = (vec![0; CHUNK], 0);
    // Where some goes straight, what comes here is taken even for nobody: the source would break off.
    while told.is_some() || !takers.is_empty() {
        let read = tokio::select! {
            biased;
            true = is_all(&mut told, passed), if !takers.is_empty() => {
                end(std::mem::take(&mut takers)).await;
                continue;
            }
            read = from.read(&mut chunk) => read,
        };
        match read {
            Ok(0) if told.is_none() || is_all(&mut told, passed).await => return end(takers).await,
            Ok(0) | Err(_) => return,
            Ok(length) => takers = given(takers, &chunk[..length]).await,
        }
        passed += read.unwrap_or_default() as u64;
    }
}

/// Returns once so many bytes are all of it; or that they are not, where no more is told.
async fn is_all(told: &mut Option<watch::Receiver<Option<u64>>>, passed: u64) -> bool {
    match told {
        Some(told) => told.wait_for(|bytes| *bytes == Some(passed)).await.is_ok(),
        None => std::future::pending().await,
    }
}

async fn end(mut takers: Vec<Taker>) {
    join_all(takers.iter_mut().map(|taker| taker.to.shutdown())).await;
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

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::super::straight::tests::leg;
    use super::*;
    use crate::remote::pipe::pipe;

    /// One who reads, as he sees it.
    struct Place {
        input: Reader,
        fate: watch::Receiver<Fate>,
    }

    impl Place {
        /// All that came to him, and whether that was all.
        async fn got(mut self) -> (String, bool, Fate) {
            let mut input = Vec::new();
            let whole = self.input.read_to_end(&mut input).await.is_ok();
            let fate = self.fate.borrow().clone();
            (String::from_utf8_lossy(&input).into_owned(), whole, fate)
        }
    }

    fn place(straight: bool) -> (Taker, Place) {
        let ((to, input), (tell, fate)) = (pipe(PIPE), watch::channel(Fate::Open));
        (Taker { to, leg: straight.then(|| leg(22, "/tmp/in")), fate: tell }, Place { input, fate })
    }

    /// What comes to three who want it straight and one who does not, while `say` tells how the legs fare; then `bytes` come.
    async fn dealt(bytes: &[u8], say: impl Fn(&UnboundedSender<Word>)) -> Vec<(String, bool, Fate)> {
        let ((mut to, from), (tell, told)) = (pipe(PIPE), unbounded_channel());
        let (takers, places): (Vec<_>, Vec<_>) = [true, true, true, false].map(place).into_iter().unzip();
        say(&tell);
        drop(tell);
        to.write_all(bytes).await.expect("written");
        to.shutdown().await.expect("ended");
        let (got, ()) = tokio::join!(join_all(places.into_iter().map(Place::got)), deal(from, takers, told));
        got
    }

    #[tokio::test]
    async fn each_is_told_which_way_it_comes_and_that_it_is_all() {
        let why = || "no route".to_owned();
        let got = dealt(b"bytes", |tell| {
            let of_legs =
                [Word::Open(0), Word::Failed(2, why()), Word::Open(1), Word::Whole(0), Word::Failed(1, why())];
            for word in of_legs.into_iter().chain([Word::Passed(5)]) {
                tell.send(word).expect("heard");
            }
        })
        .await;
        let straight = |words: &str, whole, fate| (words.to_owned(), whole, fate);
        assert_eq!(
            got,
            [
                straight("straight\nwhole\n", true, Fate::Whole),
                straight("straight\n", false, Fate::Behind),
                straight("through\nbytes", true, Fate::Through(why())),
                straight("bytes", true, Fate::Open),
            ]
        );
    }

    #[tokio::test]
    async fn what_nobody_told_the_end_of_has_none() {
        for words in [vec![Word::Open(0)], vec![Word::Open(0), Word::Open(1), Word::Open(2), Word::Passed(6)]] {
            let heard = words.len();
            let say = |tell: &UnboundedSender<Word>| {
                let said = |word: &Word| tell.send(word.clone()).expect("heard");
                words.iter().for_each(said);
            };
            let got = dealt(b"bytes", say).await;
            assert!(got.iter().all(|(_, whole, _)| !whole), "{got:?}");
            assert!(got[..heard.min(3)].iter().all(|(_, _, fate)| *fate == Fate::Behind), "{got:?}");
        }
    }

    /// By an old ssh, say, or because the source takes no agent: then its output is as any other.
    #[tokio::test]
    async fn where_nobody_can_be_reached_straight_the_end_is_the_end() {
        let failed = |leg| Word::Failed(leg, "no agent".into());
        let got = dealt(b"bytes", |tell| (0..3).for_each(|leg| tell.send(failed(leg)).expect("heard"))).await;
        assert!(got.iter().all(|(came, whole, _)| *whole && came.ends_with("bytes")), "{got:?}");
    }

    #[tokio::test]
    async fn who_goes_away_stops_nobody_who_gets_it_straight() {
        let ((mut to, from), (tell, told)) = (pipe(64), unbounded_channel());
        let ((straight, here), (through, gone)) = (place(true), place(false));
        drop(gone);
        tell.send(Word::Open(0)).expect("heard");
        let source = async move {
            to.write_all(&[7; 100_000]).await.expect("it is taken, though nobody wants it");
            tell.send(Word::Whole(0)).expect("heard");
            to.shutdown().await.expect("ended");
        };
        let ((), (), got) = tokio::join!(source, deal(from, vec![straight, through], told), here.got());
        assert_eq!(got, ("straight\nwhole\n".to_owned(), true, Fate::Whole));
    }

    /// The slowest leg holds up nobody.
    #[tokio::test]
    async fn who_gets_it_through_the_workstation_does_not_wait_for_legs() {
        let ((mut to, from), (tell, told)) = (pipe(PIPE), unbounded_channel());
        let ((straight, here), (through, there)) = (place(true), place(false));
        tell.send(Word::Open(0)).expect("heard");
        let source = async move {
            to.write_all(b"bytes").await.expect("written");
            tell.send(Word::Passed(5)).expect("heard");
            let got = there.got().await;
            // Only now.
            tell.send(Word::Whole(0)).expect("heard");
            got
        };
        let (got, (), _) = tokio::join!(source, deal(from, vec![straight, through], told), here.got());
        assert_eq!(got, ("bytes".to_owned(), true, Fate::Open));
    }
}
