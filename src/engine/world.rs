//! What the jobs of a run share: who is still in it, what was read, what was registered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::sight::Sight;
use super::{Crew, Emit, Options};
use crate::event::{Event, Tally};
use crate::inventory::{Host, Inventory};
use crate::playbook::Known;
use crate::reads::Store;

/// The shared state of a run. Locks are held for moments only, never over an `await`.
pub struct World {
    /// The whole inventory.
    pub inventory: Arc<Inventory>,
    /// How the run was asked for.
    pub options: Options,
    /// The logins.
    pub crew: Crew,
    /// Tells everyone what happens.
    pub emit: Emit,
    /// True once Ctrl-C came.
    pub cancel: watch::Receiver<bool>,
    /// When the run began.
    pub started: Instant,
    store: Arc<Mutex<Store>>,
    out: Mutex<BTreeMap<String, String>>,
    known: Mutex<Arc<Known>>,
    tallies: Mutex<Vec<Tally>>,
    busy: BTreeMap<String, tokio::sync::Mutex<()>>,
}

impl World {
    /// A run that begins now.
    pub fn new(
        inventory: Arc<Inventory>,
        options: Options,
        crew: Crew,
        emit: Emit,
        cancel: watch::Receiver<bool>,
    ) -> Self {
        let tally = |host: &Arc<Host>| Tally { host: host.name.clone(), ..Tally::default() };
        let tallies = Mutex::new(inventory.hosts.iter().map(tally).collect());
        let busy = inventory.hosts.iter().map(|host| (host.name.clone(), tokio::sync::Mutex::default())).collect();
        Self {
            busy,
            inventory,
            options,
            crew,
            emit,
            cancel,
            started: Instant::now(),
            store: Arc::default(),
            out: Mutex::default(),
            known: Mutex::default(),
            tallies,
        }
    }

    /// The readings.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        locked(&self.store)
    }

    /// What expressions see at a step's turn.
    pub fn sight(&self) -> Arc<Sight> {
        Sight::new(self.store.clone())
    }

    /// What they see ahead of it.
    pub fn foresight(&self) -> Arc<Sight> {
        Sight::guessing(self.store.clone())
    }

    /// Tells everyone.
    pub fn tell(&self, event: Event) {
        (self.emit)(event);
    }

    /// A host by its name.
    pub fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.inventory.host(name)
    }

    /// Whether `--limit` leaves it to this run to change the host.
    pub fn may_change(&self, host: &str) -> bool {
        self.options.limit.as_ref().is_none_or(|limit| limit.iter().any(|name| name == host))
    }

    /// The host leaves the run; the first reason stays.
    pub fn leave(&self, host: &str, why: &str) {
        locked(&self.out).entry(host.to_owned()).or_insert_with(|| why.to_owned());
    }

    /// Why the host left the run, if it did.
    pub fn left(&self, host: &str) -> Option<String> {
        locked(&self.out).get(host).cloned()
    }

    /// The hosts that left the run.
    pub fn gone(&self) -> BTreeSet<String> {
        locked(&self.out).keys().cloned().collect()
    }

    /// What the run has found out so far.
    pub fn known(&self) -> Arc<Known> {
        locked(&self.known).clone()
    }

    /// Finds something out.
    pub fn learn(&self, what: impl FnOnce(&mut Known)) {
        what(Arc::make_mut(&mut locked(&self.known)));
    }

    /// The host that the swarm is commanded from, once one is pinned.
    pub fn leader(&self) -> Option<String> {
        locked(&self.known).leader.clone()
    }

    /// Waits for this run's other changes on a host: its lock is for other runs, and does not tell one's own apart.
    pub async fn one_by_one(&self, host: &str) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        Some(self.busy.get(host)?.lock().await)
    }

    /// Counts for a host.
    pub fn count(&self, host: &str, how: impl FnOnce(&mut Tally)) {
        if let Some(tally) = locked(&self.tallies).iter_mut().find(|tally| tally.host == host) {
            how(tally);
        }
    }

    /// The tallies so far.
    pub fn tallies(&self) -> Vec<Tally> {
        locked(&self.tallies).clone()
    }

    /// Whether Ctrl-C came.
    pub fn cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// Ends when Ctrl-C comes.
    pub async fn cancellation(&self) {
        let mut cancel = self.cancel.clone();
        if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
            // Nobody is left who could cancel.
            std::future::pending::<()>().await;
        }
    }
}

/// A panic in another task must not hide the run's state: what is there is still true.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
