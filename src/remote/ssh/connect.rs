//! From an address to a login, again and again until the machine is there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{self, Handle};
use russh::{AlgorithmKind, Error, Preferred, cipher};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, sleep, timeout};

use super::auth::{Keys, Offer};
use super::client::{Client, Facts, Refusal};
use super::connection::Hold;
use super::hostkeys::HostKeys;
use super::tcp::{self, Overheard, Words};
use super::trust::{Answer, Keeper};
use super::{endpoint, login};
use crate::inventory::Host;
use crate::remote::{Live, Unreachable};

/// Connections to one address that have not logged in: sshd drops some beyond 10 (`MaxStartups 10:30:100`).
const MOST_AT_ONE_DOOR: usize = 8;
/// The same, over all addresses: what the workstation's processor likes.
const MOST_AT_ALL_DOORS: usize = 32;
/// How long a machine may take for each of: the connection, the handshake, the login.
const STAGE: Duration = Duration::from_secs(15);
/// The least time for a stage, however short the wait.
const SHORTEST_STAGE: Duration = Duration::from_secs(2);
/// Between two tries: from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// Between two logins that were denied, from the first to the last: newer sshds penalise an address 5 s for each, and other
/// guards count them.
const PAUSE_AFTER_DENIAL: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(30));

/// AES-GCM takes less than half of the processor's time of ChaCha20-Poly1305.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

/// Makes connections for a whole run.
pub(super) struct Reach {
    pub keeper: Arc<Keeper>,
    pub keys: Keys,
    doors: Mutex<HashMap<SocketAddr, Arc<Semaphore>>>,
    hall: Arc<Semaphore>,
}

/// Why one try failed.
enum Trouble {
    /// It may be otherwise in a moment.
    Again(Unreachable),
    /// The user is not known there, or not yet.
    Denied(Unreachable),
    /// Trying again would not help.
    Final(Unreachable),
    /// The host's key is being asked about.
    Unanswered(Answer),
}

impl Reach {
    pub fn new(keeper: Arc<Keeper>, keys: Keys) -> Self {
        let hall = Arc::new(Semaphore::new(MOST_AT_ALL_DOORS));
        Self { keeper, keys, doors: Mutex::default(), hall }
    }

    /// Connects and logs in, trying again until `wait` is over.
    pub async fn reach(&self, host: &Host, wait: Duration, note: &Live) -> Result<Hold, Unreachable> {
        let offers = self.keys.offers(host).await?;
        let began = Instant::now();
        let (mut deadline, mut pause, mut told) = (began + wait, PAUSE.0, String::new());
        let mut denial = PAUSE_AFTER_DENIAL.0;
        loop {
            let (trouble, rest) = match self.attempt(host, &offers, deadline).await {
                Ok(connection) => return Ok(connection),
                Err(Trouble::Final(why)) => return Err(why),
                Err(Trouble::Denied(why)) => {
                    let rest = denial;
                    denial = (denial * 2).min(PAUSE_AFTER_DENIAL.1);
                    (why, rest)
                }
                Err(Trouble::Again(why)) => (why, pause),
                Err(Trouble::Unanswered(answer)) => {
                    let asked = Instant::now();
                    accepted(host, answer).await?;
                    deadline += asked.elapsed();
                    continue;
                }
            };
            if Instant::now() + rest >= deadline {
                return Err(given_up(trouble, began.elapsed()));
            }
            if told != trouble.what {
                note(&format!("{}, trying again", trouble.what.lines().next().unwrap_or_default()));
                told = trouble.what;
            }
            sleep(rest).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    async fn attempt(&self, host: &Host, offers: &[Offer], deadline: Instant) -> Result<Hold, Trouble> {
        let keys = self.keeper.keys(host).map_err(Trouble::Final)?;
        let stage = || deadline.saturating_duration_since(Instant::now()).clamp(SHORTEST_STAGE, STAGE);
        let addresses = resolve(host, stage()).await?;
        let (_door, stream) = self.knock(host, &addresses, stage()).await?;
        let facts = Arc::new(Facts::new(host.clone(), keys.clone(), self.keeper.clone()));
        *facts.room.lock().unwrap_or_else(PoisonError::into_inner) = self.hall.clone().acquire_owned().await.ok();
        let mut handle = self.shake_hands(host, &keys, stream, &facts, stage()).await?;
        self.log_in(host, &mut handle, offers, &facts, stage()).await?;
        facts.is_in();
        Ok(Hold::new(handle, facts))
    }

    async fn door(&self, address: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let door = {
            let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
            doors.entry(address).or_insert_with(|| Arc::new(Semaphore::new(MOST_AT_ONE_DOOR))).clone()
        };
        door.acquire_owned().await.ok()
    }

    /// Tries the addresses of a name one after the other; together they have no longer than one has, but for the least time.
    async fn knock(
        &self,
        host: &Host,
        addresses: &[SocketAddr],
        limit: Duration,
    ) -> Result<(Option<OwnedSemaphorePermit>, TcpStream), Trouble> {
        let limit = (limit / addresses.len().max(1) as u32).max(SHORTEST_STAGE);
        let mut whys = Vec::new();
        for address in addresses {
            let door = self.door(*address).await;
            let why = match timeout(limit, tcp::connect(*address)).await {
                Ok(Ok(stream)) => return Ok((door, stream)),
                Ok(Err(error)) => words_for(&error),
                Err(_) => format!("no answer within {limit:.0?}; packets are swallowed on the way"),
            };
            let which = if addresses.len() > 1 { format!("{}: ", address.ip()) } else { String::new() };
            whys.push(which + &why);
        }
        Err(unanswered(host, &whys.join("; ")))
    }

    async fn shake_hands(
        &self,
        host: &Host,
        keys: &HostKeys,
        stream: TcpStream,
        facts: &Arc<Facts>,
        limit: Duration,
    ) -> Result<Handle<Client>, Trouble> {
        let (stream, words) = Overheard::new(stream);
        let handshake = client::connect_stream(Arc::new(config(keys)), stream, Client(facts.clone()));
        tokio::select! {
            shaken = handshake => shaken.map_err(|error| self.unshaken(host, keys, facts, &words, &error)),
            () = expire(facts, limit) => {
                let what = format!("it took the connection but said no word of SSH within {limit:.0?}");
                Err(unanswered(host, &what))
            }
        }
    }

    fn unshaken(&self, host: &Host, keys: &HostKeys, facts: &Facts, words: &Words, error: &Error) -> Trouble {
        match (facts.refusal(), error) {
            (Some(Refusal::For(why)), _) => Trouble::Final(why),
            (Some(Refusal::Unanswered(answer)), _) => Trouble::Unanswered(answer),
            (None, Error::NoCommonAlgo { kind: AlgorithmKind::Key, theirs, .. }) if !keys.expected().is_empty() => {
                Trouble::Final(self.keeper.other_type(host, keys, theirs))
            }
            (None, Error::Disconnect | Error::HUP | Error::Version | Error::IO(_)) => {
                let said = words.refusal().map(|said| format!("it refuses: {said:?}"));
                unanswered(host, &said.unwrap_or_else(|| format!("it hung up during the handshake ({error})")))
            }
            (None, error) => Trouble::Final(Unreachable {
                what: format!("{}: no SSH connection could be agreed on: {error}", endpoint(host)),
                hint: None,
            }),
        }
    }

    async fn log_in(
        &self,
        host: &Host,
        handle: &mut Handle<Client>,
        offers: &[Offer],
        facts: &Facts,
        limit: Duration,
    ) -> Result<(), Trouble> {
        let user = login(host);
        match timeout(limit, self.keys.login(handle, &user, offers)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(denied)) => match broken(handle, facts).await.filter(|_| !denied.was_told()) {
                Some(why) => Err(unanswered(host, &format!("the connection was lost during the login: {why}"))),
                None => Err(Trouble::Denied(denied.tell(host, &user, facts.gone().as_deref()))),
            },
            Err(_) => Err(unanswered(host, &format!("it did not finish the login within {limit:.0?}"))),
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

fn config(keys: &HostKeys) -> client::Config {
    let preferred = Preferred {
        // The default list of key exchanges is kept: its extension names are what makes strict key exchange work (Terrapin).
        key: Cow::Owned(keys.algorithms()),
        host_key_certificates: Cow::Owned(keys.certificates()),
        cipher: Cow::Borrowed(CIPHERS),
        ..Preferred::default()
    };
    client::Config {
        preferred,
        // 10 MB/s become 150 at a round trip of 100 ms.
        window_size: 32 << 20,
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 3,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Ends after `limit`, not counting the time in which the user is asked.
async fn expire(facts: &Facts, limit: Duration) {
    loop {
        sleep(limit).await;
        if !facts.asking.load(Ordering::Acquire) {
            return;
        }
    }
}

async fn resolve(host: &Host, limit: Duration) -> Result<Vec<SocketAddr>, Trouble> {
    let found = match timeout(limit, lookup_host((host.address.as_str(), host.port))).await {
        Ok(Ok(found)) => {
            Some(found.collect::<Vec<_>>()).filter(|all| !all.is_empty()).ok_or("it has no address".into())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the name server does not answer".into()),
    };
    found.map_err(|why| {
        let trouble = Unreachable {
            what: format!("the name {:?} of {} does not resolve: {why}", host.address, host.name),
            hint: Some("give the host an address in the inventory".into()),
        };
        if why.contains("Temporary") || why.contains("answer") {
            Trouble::Again(trouble)
        } else {
            Trouble::Final(trouble)
        }
    })
}

async fn accepted(host: &Host, mut answer: Answer) -> Result<(), Unreachable> {
    let yes = answer.wait_for(Option::is_some).await.is_ok_and(|yes| *yes == Some(true));
    if yes { Ok(()) } else { Err(Keeper::declined(host)) }
}

fn words_for(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "it reset the connection".into(),
        io::ErrorKind::HostUnreachable => "no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".into(),
        io::ErrorKind::TimedOut => "no answer; packets are swallowed on the way".into(),
        _ => error.to_string(),
    }
}

fn unanswered(host: &Host, what: &str) -> Trouble {
    let hint = format!(
        "does it run, is {} its address, and does a firewall let you through? Give a machine that still starts more time: --wait 5m",
        endpoint(host)
    );
    Trouble::Again(Unreachable { what: format!("{}: {what}", endpoint(host)), hint: Some(hint) })
}

fn given_up(trouble: Unreachable, after: Duration) -> Unreachable {
    // What was offered and the like stands on further lines.
    let (first, rest) = trouble.what.split_at(trouble.what.find('\n').unwrap_or(trouble.what.len()));
    Unreachable { what: format!("{first} (tried for {after:.0?}){rest}"), ..trouble }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn host() -> Host {
        Host { address: "one.lan".into(), ..Host::plain("one") }
    }

    #[tokio::test]
    async fn the_addresses_of_a_name_are_tried_in_turn() {
        let reach = Reach::new(Arc::new(Keeper::new(false, None, Vec::new())), Keys::new(None, Vec::new(), None));
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.2:0").await.unwrap()];
        let [dead, alive] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let [gone, _stays] = listeners;
        drop(gone);
        let limit = Duration::from_secs(2);
        let (_, stream) = reach.knock(&host(), &[dead, alive], limit).await.ok().expect("the second answers");
        assert_eq!(stream.peer_addr().unwrap(), alive);
        let Err(Trouble::Again(why)) = reach.knock(&host(), &[dead, dead], limit).await else { panic!("it is gone") };
        assert_eq!(why.what, "one.lan:22: 127.0.0.1: connection refused; 127.0.0.1: connection refused");
    }

    #[test]
    fn how_long_was_tried_stands_where_it_is_read() {
        let denied = Unreachable { what: "denied\n  offered: a key".into(), hint: None };
        assert_eq!(given_up(denied, Duration::from_secs(18)).what, "denied (tried for 18s)\n  offered: a key");
    }
}
