//! Our side's answers to what a server says of its own accord.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Duration, Instant, timeout};

use super::agent::Agent;
use super::auth::Offer;
use super::destination::Destination;
use super::hostkeys::HostKeys;
use super::lock;
use super::trust::{Answer, Keeper, Trust};
use crate::remote::Unreachable;

/// How long a connection is held open while the user reads: sshd's `LoginGraceTime` is two minutes.
const HOLD: Duration = Duration::from_secs(60);

/// What a host says, without what a terminal would take for commands.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// Longer legal notices are cut.
const LONGEST_BANNER: usize = 4 << 10;

/// Why a host's key was turned down.
pub(super) enum Refusal {
    /// For good.
    For(Unreachable),
    /// For now: the user has not answered yet.
    Unanswered(Answer),
}

/// What both sides of a connection know of it.
pub(super) struct Facts {
    to: Destination,
    keys: HostKeys,
    keeper: Arc<Keeper>,
    /// Set while the user is asked something.
    pub asking: AtomicBool,
    /// Room among the connections that have not logged in; given back while the user is asked.
    room: Mutex<Option<OwnedSemaphorePermit>>,
    asked: Mutex<Duration>,
    refusal: Mutex<Option<Refusal>>,
    gone: Mutex<Option<String>>,
    banner: Mutex<String>,
    /// Set where the host said itself that it hangs up.
    pub goodbye: AtomicBool,
    undialled: Mutex<Vec<String>>,
    /// Rung when [`Facts::undialled`] grows.
    pub failure: Notify,
    /// The key that the host has shown.
    pub host_key: OnceLock<PublicKey>,
    /// What let us in, where that was one key.
    pub key: OnceLock<Offer>,
    /// What the host may ask.
    pub agent: OnceLock<Arc<Agent>>,
}

impl Facts {
    pub fn new(to: Destination, keys: HostKeys, keeper: Arc<Keeper>) -> Self {
        Self {
            to,
            keys,
            keeper,
            asking: AtomicBool::new(false),
            room: Mutex::default(),
            asked: Mutex::default(),
            refusal: Mutex::default(),
            gone: Mutex::default(),
            banner: Mutex::default(),
            goodbye: AtomicBool::new(false),
            undialled: Mutex::default(),
            failure: Notify::new(),
            host_key: OnceLock::new(),
            key: OnceLock::new(),
            agent: OnceLock::new(),
        }
    }

    /// Why the host's key was turned down, if it was.
    pub fn refusal(&self) -> Option<Refusal> {
        lock(&self.refusal).take()
    }

    /// Why the connection ended, if it has and it is known.
    pub fn gone(&self) -> Option<String> {
        lock(&self.gone).clone()
    }

    /// What the host said before the login (RFC 4252 section 5.4).
    pub fn banner(&self) -> String {
        lock(&self.banner).clone()
    }

    /// The reasons given for forwarded connections that could not be opened, since last asked.
    pub fn undialled(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.undialled))
    }

    /// Variables that the host is asked to set for each command.
    pub fn environment(&self) -> &[(String, String)] {
        &self.to.environment
    }

    /// How long the user was asked.
    pub fn asked(&self) -> Duration {
        *lock(&self.asked)
    }

    /// Takes a place among the connections that have not logged in.
    pub fn waits_in(&self, room: Option<OwnedSemaphorePermit>) {
        *lock(&self.room) = room;
    }

    /// Called once logged in.
    pub fn is_in(&self) {
        drop(lock(&self.room).take());
    }

    /// The user is asked meanwhile: that is not the host's time.
    pub async fn while_asking<T>(&self, answer: impl Future<Output = T>) -> T {
        let began = Instant::now();
        self.asking.store(true, Ordering::Release);
        let answer = answer.await;
        self.asking.store(false, Ordering::Release);
        *lock(&self.asked) += began.elapsed();
        answer
    }

    async fn trusts(&self, shown: &PublicKeyOrCertificate) -> bool {
        let refusal = match self.keeper.judge(&self.to, &self.keys, shown) {
            Trust::Yes => return true,
            Trust::No(why) => Refusal::For(why),
            Trust::Asking(answer) => match self.hold(answer).await {
                Ok(()) => return true,
                Err(refusal) => refusal,
            },
        };
        *lock(&self.refusal) = Some(refusal);
        false
    }

    async fn hold(&self, mut answer: Answer) -> Result<(), Refusal> {
        drop(lock(&self.room).take());
        let answered = async { answer.wait_for(Option::is_some).await.is_ok_and(|yes| *yes == Some(true)) };
        let heard = self.while_asking(timeout(HOLD, answered)).await;
        match heard {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::For(Keeper::declined(&self.to))),
            Err(_) => Err(Refusal::Unanswered(answer)),
        }
    }
}

fn words_for(error: &russh::Error) -> String {
    match error {
        russh::Error::IO(why) if why.kind() == std::io::ErrorKind::UnexpectedEof => "the host hung up".into(),
        error => error.to_string(),
    }
}

/// The handler of one connection.
pub(super) struct Client(pub Arc<Facts>);

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let _ = self.0.host_key.set(shown.public_key());
        Ok(self.0.trusts(shown).await)
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), russh::Error> {
        let mut said = lock(&self.0.banner);
        let room = LONGEST_BANNER.saturating_sub(said.len());
        said.extend(plain(banner).chars().take(room));
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let (told, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.0.goodbye.store(true, Ordering::Release);
                (plain(&info.message), Ok(()))
            }
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => {
                ("the host does not answer any more".into(), Ok(()))
            }
            DisconnectReason::Error(error) => (words_for(&error), Err(error)),
        };
        lock(&self.0.gone).get_or_insert(told);
        result
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        lock(&self.0.undialled).push(plain(description));
        self.0.failure.notify_waiters();
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(agent) = self.0.agent.get().cloned() {
            reply.accept().await;
            tokio::spawn(async move { agent.serve(channel.into_stream()).await });
        }
        Ok(())
    }

    // Nothing else was asked to be forwarded to us: whatever the server opens is turned down by dropping the reply handle.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }
}
