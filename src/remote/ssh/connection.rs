//! One authenticated connection and its channels.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf, Disconnect, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Duration, Instant, sleep};

use super::client::{Client, Facts};
use crate::remote::Lost;

/// Session channels at once: sshd's `MaxSessions` is 10, and two are left for ending what runs on the others.
const MOST_CHANNELS: usize = 8;

/// How long a server may take to clear away channels that ended.
const CLEARING: Duration = Duration::from_secs(2);

/// A connection that has logged in.
pub(super) struct Connection {
    pub handle: Handle<Client>,
    pub facts: Arc<Facts>,
    permits: Arc<Semaphore>,
    open: AtomicUsize,
    /// How many channels the server seems to allow.
    places: AtomicUsize,
    /// A place among those who have not logged in: sshd's parent takes note of a login a moment after we do, and before the
    /// first channel.
    place: Mutex<Option<OwnedSemaphorePermit>>,
    /// Held by a dial that must be the only one to fail.
    pub alone: tokio::sync::Mutex<()>,
    /// A channel that was opened ahead, so that the next command costs one round trip and not two.
    spare: Mutex<Option<oneshot::Receiver<Result<Slot, Lost>>>>,
}

/// The hold on a connection. When it is dropped so is the connection, once what runs on it has ended: without this the
/// spare channel would hold the connection that holds it.
pub(super) struct Hold(Arc<Connection>);

impl Hold {
    pub fn new(handle: Handle<Client>, facts: Arc<Facts>, place: Option<OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(Connection {
            handle,
            facts,
            permits: Arc::new(Semaphore::new(MOST_CHANNELS)),
            open: AtomicUsize::new(0),
            places: AtomicUsize::new(MOST_CHANNELS),
            place: Mutex::new(place),
            alone: tokio::sync::Mutex::default(),
            spare: Mutex::default(),
        }))
    }
}

impl Deref for Hold {
    type Target = Arc<Connection>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Nobody gets a place any more, a spare channel least of all.
        self.0.permits.close();
        drop(self.0.spare().take());
    }
}

/// A session channel; closed when dropped.
pub(super) struct Slot {
    pub read: ChannelReadHalf,
    pub write: Arc<ChannelWriteHalf<Msg>>,
    pub connection: Arc<Connection>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// A channel to run one command on: the spare one, or a new one once fewer than the most are open.
    pub async fn slot(self: &Arc<Self>) -> Result<Slot, Lost> {
        let opening = self.spare().take();
        let opening = opening.unwrap_or_else(|| self.clone().begin(None));
        let opened = opening.await.unwrap_or_else(|_| Err(self.lost()));
        self.open_ahead();
        opened
    }

    /// A channel beyond the limit, for ending what runs on the others.
    pub async fn extra_slot(self: &Arc<Self>) -> Result<Slot, Lost> {
        let (tell, opened) = oneshot::channel();
        let me = self.clone();
        tokio::spawn(async move {
            let _ =
                tell.send(me.handle.channel_open_session().await.map_err(|e| me.why(&e)).map(|c| me.hand_out(c, None)));
        });
        opened.await.unwrap_or_else(|_| Err(self.lost()))
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Receiver<Result<Slot, Lost>>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the spare channel, unless somebody waits for the place that it would take.
    pub fn open_ahead(self: &Arc<Self>) {
        let mut spare = self.spare();
        if spare.is_none()
            && !self.handle.is_closed()
            && let Ok(permit) = self.permits.clone().try_acquire_owned()
        {
            *spare = Some(self.clone().begin(Some(permit)));
        }
    }

    /// Opens in a task of its own: an opening that is given up half-way would cost the server a channel for good.
    fn begin(self: Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> oneshot::Receiver<Result<Slot, Lost>> {
        let (tell, opened) = oneshot::channel();
        tokio::spawn(async move {
            let _ = tell.send(self.open(permit).await);
        });
        opened
    }

    async fn open(self: &Arc<Self>, mut permit: Option<OwnedSemaphorePermit>) -> Result<Slot, Lost> {
        let until = Instant::now() + CLEARING;
        loop {
            let place = match permit.take() {
                Some(permit) => permit,
                None => self.permits.clone().acquire_owned().await.map_err(|_| self.lost())?,
            };
            match self.handle.channel_open_session().await {
                Ok(channel) => return Ok(self.hand_out(channel, Some(place))),
                // A `MaxSessions` smaller than usual: go on with fewer, as long as there is one.
                Err(Error::ChannelOpenFailure(_)) if self.open.load(Ordering::Acquire) > 0 && self.fewer() => {
                    place.forget();
                }
                // None of ours is open, yet the server may not have cleared away those that ended.
                Err(Error::ChannelOpenFailure(_)) if Instant::now() < until => {
                    sleep(Duration::from_millis(50)).await;
                    permit = Some(place);
                }
                Err(error) => return Err(self.why(&error)),
            }
        }
    }

    /// Takes one from the places that there may be; never the last.
    fn fewer(&self) -> bool {
        let less = |places: usize| (places > 1).then(|| places - 1);
        self.places.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    /// The first channel was opened, or will not be.
    pub fn is_in(&self) {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn hand_out(self: &Arc<Self>, channel: Channel<Msg>, permit: Option<OwnedSemaphorePermit>) -> Slot {
        self.is_in();
        self.open.fetch_add(1, Ordering::AcqRel);
        let (read, write) = channel.split();
        Slot { read, write: Arc::new(write), connection: self.clone(), permit }
    }

    fn why(&self, error: &Error) -> Lost {
        self.is_in();
        match error {
            Error::ChannelOpenFailure(why) => Lost::Refused(format!("the host's sshd opens no session: {why:?}")),
            _ => self.lost(),
        }
    }

    /// What to say where the connection has ended.
    pub fn lost(&self) -> Lost {
        Lost::Connection(self.facts.gone().unwrap_or_else(|| "the host closed it".into()))
    }

    /// Says goodbye; whatever still runs on it is cut off.
    pub async fn close(&self) {
        drop(self.spare().take());
        let _ = self.handle.disconnect(Disconnect::ByApplication, "done", "").await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (connection, write, permit) = (self.connection.clone(), self.write.clone(), self.permit.take());
        // russh sends nothing of its own accord. Outside of a runtime there is no connection left to tell.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = write.close().await;
                // Only now: until it has heard of the end, the server counts this channel among its sessions.
                connection.open.fetch_sub(1, Ordering::AcqRel);
                drop(permit);
            });
        }
    }
}
