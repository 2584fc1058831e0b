//! From an address to a login, again and again until the machine is there.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use russh::client::{self, Handle};
use russh::{AlgorithmKind, Error, Preferred, cipher};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Duration, Instant, sleep, timeout};

use super::Options;
use super::auth::{Denied, Keys, Offers};
use super::book::Book;
use super::client::{Client, Facts, Refusal};
use super::connection::Hold;
use super::destination::{Destination, Way};
use super::hostkeys::HostKeys;
use super::tcp::{Words, overheard};
use super::trust::{Answer, Keeper};
use super::way::{Bastions, Complaint, Doors, Open};
use crate::remote::{Live, Tunnel, Unreachable};

/// Connections that have not logged in, over all addresses: what the workstation's processor likes.
const MOST_AT_ALL_DOORS: usize = 32;
/// How long a machine may take for each of: the connection, the handshake, the login.
const STAGE: Duration = Duration::from_secs(15);
/// The least time for a stage, however short the wait.
pub(super) const SHORTEST_STAGE: Duration = Duration::from_secs(2);
/// How exactly time is counted in which somebody may be asked.
const TICK: Duration = Duration::from_millis(100);
/// Between two tries: from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// Between two logins that were denied, from the first to the last: newer sshds penalise an address 5 s for each, and other
/// guards count them.
const PAUSE_AFTER_DENIAL: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(30));

/// AES-GCM takes less than half of the time of ChaCha20-Poly1305 on a processor that knows AES, and a multiple of it on others.
fn ciphers() -> Vec<cipher::Name> {
    let mut best = [cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];
    if !knows_aes() {
        best.reverse();
    }
    best.into_iter().chain([cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR]).collect()
}

fn knows_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Makes connections for a whole run.
pub(super) struct Reach {
    pub book: Book,
    pub keeper: Arc<Keeper>,
    pub keys: Keys,
    pub(super) doors: Doors,
    pub(super) bastions: Bastions,
    hall: Arc<Semaphore>,
}

/// Why one try failed.
#[derive(Clone)]
pub(super) enum Trouble {
    /// It may be otherwise in a moment.
    Again(Unreachable),
    /// The user is not known there, or not yet.
    Denied(Unreachable),
    /// Trying again would not help.
    Final(Unreachable),
    /// A key is being asked about; and what it means that the answer is no.
    Unanswered(Answer, Unreachable),
}

impl Trouble {
    /// The same for who is reached through where it happened. Nothing of who that is: what many meet is told once.
    pub fn of_bastion(self, hop: &Destination) -> Self {
        let told = |why: Unreachable| Unreachable { what: format!("its bastion {}: {}", hop.name, why.what), ..why };
        match self {
            Self::Again(why) => Self::Again(told(why)),
            Self::Denied(why) => Self::Denied(told(why)),
            Self::Final(why) => Self::Final(told(why)),
            Self::Unanswered(answer, why) => Self::Unanswered(answer, told(why)),
        }
    }
}

impl Reach {
    pub fn new(options: &Options) -> Self {
        let keeper = Keeper::new(options.asker.clone());
        Self {
            book: Book::new(options),
            keeper: Arc::new(keeper),
            keys: Keys::new(options.asker.clone()),
            doors: Doors::default(),
            bastions: Bastions::default(),
            hall: Arc::new(Semaphore::new(MOST_AT_ALL_DOORS)),
        }
    }

    /// Connects and logs in, trying again until `wait` is over.
    pub async fn reach(&self, to: &Destination, wait: Duration, note: &Live) -> Result<Hold, Unreachable> {
        let began = Instant::now();
        let (mut deadline, mut pause, mut told) = (began + wait, PAUSE.0, String::new());
        let mut denial = PAUSE_AFTER_DENIAL.0;
        for attempt in 1.. {
            let (trouble, rest, enough) = match self.attempt(to, deadline).await {
                Ok(connection) => return Ok(connection),
                Err(Trouble::Final(why)) => return Err(why),
                Err(Trouble::Denied(why)) => {
                    let rest = denial;
                    denial = (denial * 2).min(PAUSE_AFTER_DENIAL.1);
                    (why, rest, true)
                }
                Err(Trouble::Again(why)) => (why, pause, attempt >= to.patience.attempts),
                Err(Trouble::Unanswered(answer, no)) => {
                    let asked = Instant::now();
                    accepted(answer, no).await?;
                    deadline += asked.elapsed();
                    continue;
                }
            };
            if enough && Instant::now() + rest >= deadline {
                return Err(given_up(trouble, began.elapsed()));
            }
            if told != trouble.what {
                note(&format!("{}, trying again", trouble.what.lines().next().unwrap_or_default()));
                told = trouble.what;
            }
            sleep(rest).await;
            pause = (pause * 2).min(PAUSE.1);
        }
        unreachable!("there is no last attempt")
    }

    pub(super) async fn attempt(&self, to: &Destination, deadline: Instant) -> Result<Hold, Trouble> {
        let offers = self.keys.offers(to).await.map_err(Trouble::Final)?;
        let keys = self.keeper.keys(to).map_err(Trouble::Final)?;
        let facts = Arc::new(Facts::new(to.clone(), keys.clone(), self.keeper.clone()));
        let longest = to.patience.connect.unwrap_or(STAGE);
        // The time in which somebody was asked is not the host's.
        let left = || (deadline + facts.asked()).saturating_duration_since(Instant::now()).max(SHORTEST_STAGE);
        let stage = || left().min(longest);
        let open = self.open(to, stage(), deadline).await?;
        facts.waits_in(self.hall.clone().acquire_owned().await.ok());
        let Open { stream, place, complaint, bastion } = open;
        // russh reads in a task of its own, which ends with the stream only: a login that is given up must end it.
        let (leash, end) = oneshot::channel();
        let entered = async {
            let mut handle = self.shake_hands(to, &keys, (stream, end), &complaint, &facts, stage()).await?;
            self.log_in(to, &mut handle, &offers, &facts, stage()).await?;
            Ok(handle)
        };
        match entered.await {
            Ok(handle) => {
                let _ = leash.send(());
                facts.is_in();
                Ok(Hold::new(handle, facts, place))
            }
            Err(trouble) => {
                drop(leash);
                complaint.gone().await;
                Err(self.blame(to, bastion.as_ref(), trouble).await)
            }
        }
    }

    async fn shake_hands(
        &self,
        host: &Destination,
        keys: &HostKeys,
        (stream, end): (Box<dyn Tunnel>, oneshot::Receiver<()>),
        complaint: &Complaint,
        facts: &Arc<Facts>,
        limit: Duration,
    ) -> Result<Handle<Client>, Trouble> {
        let (stream, words) = overheard(stream, end);
        let handshake = client::connect_stream(Arc::new(config(host, keys)), stream, Client(facts.clone()));
        tokio::select! {
            shaken = handshake => match shaken {
                Ok(handle) => Ok(handle),
                Err(error) => {
                    let said = said(&words, complaint).await;
                    Err(self.unshaken(host, keys, facts, said, &error))
                }
            },
            () = expire(facts, limit) => {
                let what = format!("it took the connection but said no word of SSH within {limit:.0?}");
                Err(unanswered(host, &what))
            }
        }
    }

    fn unshaken(
        &self,
        host: &Destination,
        keys: &HostKeys,
        facts: &Facts,
        said: Option<String>,
        error: &Error,
    ) -> Trouble {
        match (facts.refusal(), error) {
            (Some(Refusal::For(why)), _) => Trouble::Final(why),
            (Some(Refusal::Unanswered(answer)), _) => Trouble::Unanswered(answer, Keeper::declined(host)),
            (None, Error::NoCommonAlgo { kind: AlgorithmKind::Key, theirs, .. }) if !keys.expected().is_empty() => {
                Trouble::Final(self.keeper.other_type(host, keys, theirs))
            }
            (None, _) if said.as_ref().is_some_and(|said| said.starts_with("sh: ") && said.contains("not found")) => {
                match unanswered(host, &said.unwrap_or_default()) {
                    Trouble::Again(why) => Trouble::Final(why),
                    other => other,
                }
            }
            (None, Error::Disconnect | Error::HUP | Error::Version | Error::IO(_)) => {
                let said = said.map(|said| spoken(&host.way, &said));
                unanswered(host, &said.unwrap_or_else(|| format!("it hung up during the handshake ({error})")))
            }
            (None, error) => Trouble::Final(Unreachable {
                what: format!("{}: no SSH connection could be agreed on: {error}", host.endpoint()),
                hint: None,
            }),
        }
    }

    async fn log_in(
        &self,
        host: &Destination,
        handle: &mut Handle<Client>,
        offers: &Offers,
        facts: &Facts,
        limit: Duration,
    ) -> Result<(), Trouble> {
        tokio::select! {
            done = self.keys.login(handle, host, offers, facts) => match done {
                Ok(()) => Ok(()),
                Err(denied) => Err(self.turned_away(host, handle, denied, facts).await),
            },
            () = expire(facts, limit) => {
                Err(unanswered(host, &format!("it did not finish the login within {limit:.0?}")))
            }
        }
    }

    /// A connection that broke is no denial, and a machine that starts or stops lets in nobody for a while.
    async fn turned_away(
        &self,
        host: &Destination,
        handle: &mut Handle<Client>,
        denied: Denied,
        facts: &Facts,
    ) -> Trouble {
        let broke = if denied.cut || !denied.was_told() { broken(handle, facts).await } else { None };
        if let Some(why) = broke {
            return unanswered(host, &format!("the connection was lost during the login: {why}"));
        }
        let banner = facts.banner();
        let why = denied.tell(host, facts.gone().as_deref(), &banner);
        match denied.secret && !self.keys.was_right(host) && !between_boots(&format!("{banner}{}", denied.said)) {
            true => Trouble::Final(why),
            false => Trouble::Denied(why),
        }
    }
}

/// Why the connection broke, if it did. A server that turns somebody away says so before it hangs up.
async fn broken(handle: &mut Handle<Client>, facts: &Facts) -> Option<String> {
    if !handle.is_closed() {
        return None;
    }
    // The reason is there once its task has ended.
    let _ = timeout(SHORTEST_STAGE, handle).await;
    let why = facts.gone().unwrap_or_else(|| "the host hung up".into());
    (!facts.goodbye.load(Ordering::Acquire)).then_some(why)
}

/// Whether pam_nologin(8) or systemd's pam_systemd keeps users out for now.
fn between_boots(said: &str) -> bool {
    ["booting up", "going down", "shutting down"].iter().any(|words| said.contains(words))
}

fn config(to: &Destination, keys: &HostKeys) -> client::Config {
    let preferred = Preferred {
        // The default list of key exchanges is kept: its extension names are what makes strict key exchange work (Terrapin).
        key: Cow::Owned(keys.algorithms()),
        host_key_certificates: Cow::Owned(keys.certificates()),
        cipher: Cow::Owned(ciphers()),
        ..Preferred::default()
    };
    client::Config {
        preferred,
        // 10 MB/s become 150 at a round trip of 100 ms.
        window_size: 32 << 20,
        keepalive_interval: Some(to.patience.alive.0),
        keepalive_max: to.patience.alive.1,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Ends after `limit`, not counting the time in which the user is asked.
async fn expire(facts: &Facts, limit: Duration) {
    let mut left = limit;
    while !left.is_zero() {
        sleep(TICK.min(left)).await;
        if !facts.asking.load(Ordering::Acquire) {
            left = left.saturating_sub(TICK);
        }
    }
}

async fn accepted(mut answer: Answer, no: Unreachable) -> Result<(), Unreachable> {
    let yes = answer.wait_for(Option::is_some).await.is_ok_and(|yes| *yes == Some(true));
    if yes { Ok(()) } else { Err(no) }
}

/// sshd turns away in its own words; who has others may be no sshd. A program that leads to it complains in any.
fn spoken(way: &Way, said: &str) -> String {
    let sshd = ["Exceeded MaxStartups", "Not allowed at this time"];
    match way {
        Way::Command(..) => format!("it says: {said:?}"),
        _ if sshd.iter().any(|words| said.starts_with(words)) => format!("it refuses: {said:?}"),
        _ => format!("it says no word of SSH, but: {said:?}"),
    }
}

/// What came instead of SSH: the host's own words, or those of the program that leads to it.
async fn said(words: &Words, complaint: &Complaint) -> Option<String> {
    match words.refusal() {
        Some(words) => Some(words),
        None => complaint.last().await,
    }
}

pub(super) fn unanswered(host: &Destination, what: &str) -> Trouble {
    if let Way::Command(_, command) = &host.way {
        return Trouble::Again(Unreachable {
            what: format!("{}: by its ProxyCommand: {what}\n  $ {command}", host.endpoint()),
            hint: Some("try that command by hand; ssh's configuration says it: skep hosts --ssh".into()),
        });
    }
    let hint = format!(
        "does it run, is {} its address, and does a firewall let you through? Give a machine that still starts more time: --wait 5m",
        host.endpoint()
    );
    Trouble::Again(Unreachable { what: format!("{}: {what}", host.endpoint()), hint: Some(hint) })
}

fn given_up(trouble: Unreachable, after: Duration) -> Unreachable {
    if after < Duration::from_secs(1) {
        return trouble;
    }
    // What was offered and the like stands on further lines.
    let (first, rest) = trouble.what.split_at(trouble.what.find('\n').unwrap_or(trouble.what.len()));
    Unreachable { what: format!("{first} (tried for {after:.0?}){rest}"), ..trouble }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_was_tried_stands_where_it_is_read() {
        let denied = Unreachable { what: "denied\n  offered: a key".into(), hint: None };
        assert_eq!(given_up(denied, Duration::from_secs(18)).what, "denied (tried for 18s)\n  offered: a key");
    }
}
