//! Do: connect, look, decide, change, look again.
//!
//! [`run`] takes the steps of a playbook one after another. Before the first it asks every host, with one command, for what
//! all steps ahead must read (`ahead`); at its turn each step goes through rounds (`rounds`) in which its jobs look
//! (`look`), plan, and change (`apply`), until the state says that each is as asked or cannot be.
//!
//! The batch is only a prefetch. At its turn a step is evaluated anew, and what does not count any more is read then, so
//! that a run comes to the same end whether reads are batched or not; `tests.rs` shows it on random playbooks.

mod ahead;
mod apply;
mod approve;
mod crew;
mod doing;
mod job;
mod leader;
pub mod lock;
mod look;
mod mask;
mod preview;
mod rounds;
mod run;
#[cfg(test)]
mod tests;
mod turns;
mod world;

use std::sync::Arc;
use std::time::Duration;

use crew::Crew;
use world::World;

use crate::event::Event;

pub use run::{Order, run};

/// Takes the events of a run. Must not block.
pub type Emit = Arc<dyn Fn(Event) + Send + Sync>;

/// Asked, with what would be removed or replaced, whether that may be done.
pub type Consent = Arc<dyn Fn(&[String]) -> bool + Send + Sync>;

/// How a run is done.
#[derive(Clone)]
pub struct Options {
    /// Names the run in locks and journals.
    pub run: String,
    /// Who runs it, for others who wait for a lock: `ann@desk`.
    pub who: String,
    /// Only show what would be done.
    pub plan: bool,
    /// Only these hosts may be changed; all where nothing is said.
    pub limit: Option<Vec<String>>,
    /// How many hosts may be logged in to at once.
    pub forks: usize,
    /// How long a machine may take to answer and to know the user.
    pub wait: Duration,
    /// Whether the first failure ends the run for all.
    pub fail_fast: bool,
    /// What removes or replaces needs no asking.
    pub yes: bool,
    /// Asks, where `yes` is not given.
    pub ask: Consent,
    /// Whether reads of the steps ahead are made together. Without it every step reads at its own turn, to the same end.
    pub batched: bool,
}

/// Sixteen bytes that nobody can know beforehand, for the frames of a batch.
fn nonce() -> String {
    format!("skep{:032x}", rand::random::<u128>())
}
