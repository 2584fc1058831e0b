//! The stream to a host: straight, through another host, or by a program of the user's.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, join};
use tokio::net::lookup_host;
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Duration, Instant, timeout};

use super::connect::{Reach, SHORTEST_STAGE, Trouble, unanswered};
use super::connection::{Connection, Hold};
use super::destination::{Destination, Way};
use super::lock;
use super::watched::holding;
use super::{dial, tcp};
use crate::remote::{Dial, Tunnel, Unreachable};

/// Connections to one door that have not logged in: sshd drops some beyond 10 (`MaxStartups 10:30:100`).
const MOST_AT_ONE_DOOR: usize = 8;
/// What is kept of the words of a program that makes the connection.
const LONGEST_COMPLAINT: usize = 4 << 10;

/// How long the last words of such a program may take, after its standard output has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Where those who have not logged in wait: each sshd, or each program that leads to some, is a door of its own.
#[derive(Default)]
pub(super) struct Doors(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Doors {
    async fn enter(&self, door: String) -> Option<OwnedSemaphorePermit> {
        let door = {
            let mut doors = lock(&self.0);
            doors.entry(door).or_insert_with(|| Arc::new(Semaphore::new(MOST_AT_ONE_DOOR))).clone()
        };
        door.acquire_owned().await.ok()
    }
}

/// Hosts that others are reached through: one connection each, however many go through it.
#[derive(Default)]
pub(super) struct Bastions(Mutex<HashMap<String, Arc<Bastion>>>);

#[derive(Default)]
struct Bastion {
    hold: tokio::sync::Mutex<Option<Hold>>,
    failures: AtomicU64,
    last: Mutex<Option<Trouble>>,
}

/// A way that is open.
pub(super) struct Open {
    pub stream: Box<dyn Tunnel>,
    /// A place among those who have not logged in.
    pub place: Option<OwnedSemaphorePermit>,
    /// What a program that makes the connection has to say.
    pub complaint: Complaint,
    /// What it goes through.
    pub bastion: Option<Arc<Connection>>,
}

impl Reach {
    /// Opens the way to a host; each part of it may take as long as `limit`.
    pub(super) async fn open(&self, to: &Destination, limit: Duration, deadline: Instant) -> Result<Open, Trouble> {
        match &to.way {
            Way::Straight => self.straight(to, limit).await,
            Way::Through(hop) => self.through(to, hop, limit, deadline).await,
            Way::Command(door, command) => {
                let place = self.doors.enter(door.clone()).await;
                let (stream, complaint) = speak(command).map_err(|error| no_program(to, command, &error))?;
                Ok(Open { stream, place, complaint, bastion: None })
            }
        }
    }

    async fn straight(&self, to: &Destination, limit: Duration) -> Result<Open, Trouble> {
        let addresses = resolve(to, limit).await?;
        self.knock(to, &addresses, limit).await
    }

    /// Tries the addresses of a name one after the other; together they have no longer than one has, but for the least time.
    async fn knock(&self, to: &Destination, addresses: &[SocketAddr], limit: Duration) -> Result<Open, Trouble> {
        let limit = (limit / addresses.len().max(1) as u32).max(SHORTEST_STAGE);
        let mut whys = Vec::new();
        for address in addresses {
            let place = self.doors.enter(door(*address)).await;
            let why = match timeout(limit, tcp::connect(*address)).await {
                Ok(Ok(stream)) => {
                    let (stream, complaint) = (Box::new(stream), Complaint::none());
                    return Ok(Open { stream, place, complaint, bastion: None });
                }
                Ok(Err(error)) => words_for(&error),
                Err(_) => format!("no answer within {limit:.0?}; packets are swallowed on the way"),
            };
            let which = if addresses.len() > 1 { format!("{}: ", address.ip()) } else { String::new() };
            whys.push(which + &why);
        }
        Err(unanswered(to, &whys.join("; ")))
    }

    async fn through(
        &self,
        to: &Destination,
        hop: &Destination,
        limit: Duration,
        deadline: Instant,
    ) -> Result<Open, Trouble> {
        let bastion = self.bastion(hop, deadline).await.map_err(|trouble| trouble.of_bastion(hop))?;
        let place = self.doors.enter(format!("{} {}", hop.key(), to.endpoint())).await;
        match dial::dial(&bastion, &to.address, to.port, limit).await {
            Ok(stream) => Ok(Open { stream, place, complaint: Complaint::none(), bastion: Some(bastion) }),
            Err(why @ Dial::Silent(_)) => Err(self.blame(to, Some(&bastion), undialled(to, hop, why)).await),
            Err(why) => Err(undialled(to, hop, why)),
        }
    }

    /// Where nothing comes through a bastion it may be dead itself: then that is what went wrong.
    pub(super) async fn blame(&self, to: &Destination, bastion: Option<&Arc<Connection>>, met: Trouble) -> Trouble {
        let (Way::Through(hop), Some(bastion), Trouble::Again(_)) = (&to.way, bastion, &met) else { return met };
        if self.answers(hop, bastion).await {
            return met;
        }
        let gone = bastion.facts.gone().map(|why| format!("the connection to it was lost: {why}"));
        let what = gone.unwrap_or_else(|| "it let us in, and does not answer any more".into());
        unanswered(hop, &what).of_bastion(hop)
    }

    /// Whether a bastion is there; if not, the next to ask logs in anew.
    async fn answers(&self, hop: &Destination, connection: &Arc<Connection>) -> bool {
        if matches!(timeout(SHORTEST_STAGE, connection.handle.send_ping()).await, Ok(Ok(()))) {
            return true;
        }
        let bastion = lock(&self.bastions.0).entry(hop.key()).or_default().clone();
        let mut hold = bastion.hold.lock().await;
        if hold.as_ref().is_some_and(|hold| Arc::ptr_eq(hold, connection)) {
            *hold = None;
        }
        false
    }

    /// The connection to a host on the way. Who waited for a login that failed has his answer.
    async fn bastion(&self, hop: &Destination, deadline: Instant) -> Result<Arc<Connection>, Trouble> {
        let bastion = lock(&self.bastions.0).entry(hop.key()).or_default().clone();
        let failures = bastion.failures.load(Ordering::Acquire);
        let mut hold = bastion.hold.lock().await;
        if let Some(open) = hold.as_ref().filter(|open| !open.handle.is_closed()) {
            return Ok(Arc::clone(open));
        }
        if bastion.failures.load(Ordering::Acquire) != failures
            && let Some(trouble) = lock(&bastion.last).clone()
        {
            return Err(trouble);
        }
        match Box::pin(self.attempt(hop, deadline)).await {
            Ok(new) => Ok(Arc::clone(hold.insert(new))),
            Err(trouble) => {
                *lock(&bastion.last) = Some(trouble.clone());
                bastion.failures.fetch_add(1, Ordering::AcqRel);
                Err(trouble)
            }
        }
    }
}

/// Behind all loopback addresses is the same machine.
fn door(address: SocketAddr) -> String {
    if address.ip().is_loopback() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

fn undialled(to: &Destination, hop: &Destination, why: Dial) -> Trouble {
    let told = |what: String, hint: Option<String>| Unreachable { what: format!("{what} from {}", hop.name), hint };
    match why {
        Dial::Forbidden => Trouble::Final(Unreachable {
            what: format!("{}: {} lets nobody through: {why}", to.endpoint(), hop.name),
            hint: Some(format!("set `AllowTcpForwarding yes` in the sshd_config of {}", hop.name)),
        }),
        Dial::NoRoute(why) if why.contains("not known") || why.contains("resol") => Trouble::Again(Unreachable {
            what: format!("{}: {} cannot resolve that name: {why}", to.endpoint(), hop.name),
            hint: Some(format!("give the host an address as {} sees it", hop.name)),
        }),
        Dial::Lost(lost) => unanswered(to, &format!("{} was lost on the way: {lost}", hop.name)),
        why => match unanswered(to, &why.to_string()) {
            Trouble::Again(trouble) => Trouble::Again(told(trouble.what, trouble.hint)),
            other => other,
        },
    }
}

/// What a program wrote on its standard error.
#[derive(Clone)]
pub(super) struct Complaint {
    said: Arc<Mutex<Vec<u8>>>,
    /// Whether that was all.
    whole: watch::Sender<bool>,
    /// Whether it has ended.
    ended: watch::Sender<bool>,
}

impl Complaint {
    /// There is no program.
    fn none() -> Self {
        Self { said: Arc::default(), whole: watch::Sender::new(true), ended: watch::Sender::new(true) }
    }

    /// One that has just started.
    fn begun() -> Self {
        Self { said: Arc::default(), whole: watch::Sender::new(false), ended: watch::Sender::new(false) }
    }

    /// Waits until the program is gone, which it is soon after its stream is dropped: it must not outlive us.
    pub async fn gone(&self) {
        let mut ended = self.ended.subscribe();
        let _ = timeout(LAST_WORDS * 4, ended.wait_for(|ended| *ended)).await;
    }

    /// The last line of it, once it has ended, which is not waited for long.
    pub async fn last(&self) -> Option<String> {
        let mut whole = self.whole.subscribe();
        let _ = timeout(LAST_WORDS, whole.wait_for(|whole| *whole)).await;
        let said = lock(&self.said);
        let text = String::from_utf8_lossy(&said);
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
    }
}

/// Runs a program that speaks with a host on its standard input and output, as `ProxyCommand` of ssh_config(5) says.
fn speak(command: &str) -> io::Result<(Box<dyn Tunnel>, Complaint)> {
    let mut shell = Command::new("sh");
    // Ctrl-C ends what runs on the hosts first, which goes through this program.
    shell.args(["-c", &format!("trap '' INT; exec {command}")]).kill_on_drop(true);
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let missing = || io::Error::other("it has no standard input and output");
    let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or_else(missing)?;
    let complaint = Complaint::begun();
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(listen(stderr, complaint.clone()));
    }
    let (held, dropped) = oneshot::channel();
    tokio::spawn(outlive(child, dropped, complaint.ended.clone()));
    Ok((Box::new(holding(join(stdout, stdin), held)), complaint))
}

/// A program whose connection has ended may have a last word to say; then it is ended.
async fn outlive(mut child: Child, dropped: oneshot::Receiver<()>, ended: watch::Sender<bool>) {
    let _ = dropped.await;
    if timeout(LAST_WORDS, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    ended.send_replace(true);
}

async fn listen(mut from: tokio::process::ChildStderr, to: Complaint) {
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let mut said = lock(&to.said);
        said.extend_from_slice(&bytes[..count]);
        let excess = said.len().saturating_sub(LONGEST_COMPLAINT);
        said.drain(..excess);
    }
    to.whole.send_replace(true);
}

async fn resolve(to: &Destination, limit: Duration) -> Result<Vec<SocketAddr>, Trouble> {
    let found = match timeout(limit, lookup_host((to.address.as_str(), to.port))).await {
        Ok(Ok(found)) => of_family(to, found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the name server does not answer".into()),
    };
    found.map_err(|why| {
        let trouble = Unreachable {
            what: format!("the name {:?} of {} does not resolve: {why}", to.address, to.name),
            hint: Some("give the host an address in the inventory".into()),
        };
        if why.contains("Temporary") || why.contains("answer") {
            Trouble::Again(trouble)
        } else {
            Trouble::Final(trouble)
        }
    })
}

fn of_family(to: &Destination, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    let (any, fits): (bool, Vec<_>) = (!found.is_empty(), found.into_iter().filter(|one| to.family.has(one)).collect());
    match (fits.is_empty(), any) {
        (false, _) => Ok(fits),
        (true, true) => Err("it has no address of the AddressFamily that ssh_config asks for".into()),
        (true, false) => Err("it has no address".into()),
    }
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

fn no_program(to: &Destination, command: &str, error: &io::Error) -> Trouble {
    Trouble::Final(Unreachable {
        what: format!("{}: its ProxyCommand cannot be run: {error}\n$ {command}", to.endpoint()),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::Options;
    use super::super::config::Config;
    use super::super::destination::Family;
    use super::*;
    use crate::inventory::Host;

    fn reach() -> Reach {
        Reach::new(&Options { config: Config::None, ..Options::default() })
    }

    async fn one(reach: &Reach) -> Arc<Destination> {
        reach.book.find(&Host { address: "one.lan".into(), ..Host::named("one") }).await.unwrap()
    }

    #[tokio::test]
    async fn the_addresses_of_a_name_are_tried_in_turn() {
        let (reach, listeners) = (
            reach(),
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.2:0").await.unwrap()],
        );
        let [dead, alive] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let [gone, stays] = listeners;
        drop(gone);
        let (limit, to) = (Duration::from_secs(2), one(&reach).await);
        let _open = reach.knock(&to, &[dead, alive], limit).await.ok().expect("the second answers");
        stays.accept().await.unwrap();
        let Err(Trouble::Again(why)) = reach.knock(&to, &[dead, dead], limit).await else { panic!("it is gone") };
        assert_eq!(why.what, "one.lan:22: 127.0.0.1: connection refused; 127.0.0.1: connection refused");
    }

    #[test]
    fn a_family_that_was_asked_for_is_kept_to() {
        let found: Vec<SocketAddr> = vec!["127.0.0.1:22".parse().unwrap(), "[::1]:22".parse().unwrap()];
        let kept = |family: Family| found.iter().filter(|one| family.has(one)).count();
        assert_eq!([Family::Any, Family::Four, Family::Six].map(kept), [2, 1, 1]);
    }
}
