//! Do: connect, look, decide, change, look again.
//!
//! [`run`] takes the steps of a playbook one after another. Before the first it asks every host, with one command, for what
//! all steps ahead must read. At its turn each step goes through rounds in which its jobs look, plan, and change, until the
//! state says that each is as asked or cannot be. The batch is only a prefetch: at its turn a step is evaluated anew, and
//! what does not count any more is read then, so that a run comes to the same end whether reads are batched or not.
//!
//! | file | what it knows |
//! |---|---|
//! | `run` | a run: every step's turn, one after another |
//! | `tally` | how each host fared, and what exit code that makes |
//! | `turns` | the order of things: which step, on which batch of hosts |
//! | `rolling` | when a play that goes batch by batch stops |
//! | `placing` | where a step takes place: patterns, `--limit`, who is still in the run |
//! | `leader` | the host that the swarm is commanded from |
//! | `facts` | what expressions may know of a machine |
//! | `sight` | what expressions see while they are evaluated |
//! | `ahead` | what the steps ahead will want to read |
//! | `look` | looks: with one command per host |
//! | `rounds` | a step's rounds: look, plan, apply, and look again |
//! | `registers` | what `register` keeps |
//! | `preview` | the same without the changes: `skep plan` |
//! | `job` | one step on one host, and what became of it |
//! | `waits` | what a job waits for, and when waiting is over |
//! | `approve` | asks before something is removed or replaced |
//! | `apply`, `doing` | makes changes; the scripts behind those that are no plain command |
//! | `pipe`, `fanout`, `deal` | one host's output into others' input; what several read is read once |
//! | `straight` | the same from host to host, not through the workstation |
//! | `restart` | waits for the next boot of a machine |
//! | `lock` | two runs at once on one host |
//! | `mask` | what a command prints may hold a secret |
//! | `crew` | the logins |
//! | `world` | what the jobs of a run share |
//!
//! `tests/equivalence.rs` has the proof, on random playbooks; `tests/rules.rs` and its siblings what happens on bad days.

mod ahead;
mod apply;
mod approve;
mod crew;
mod deal;
mod doing;
mod facts;
mod fanout;
mod job;
mod leader;
pub mod lock;
mod look;
mod mask;
mod pipe;
mod placing;
mod preview;
mod registers;
mod restart;
mod rolling;
mod rounds;
mod run;
mod sight;
mod straight;
mod tally;
#[cfg(test)]
mod tests;
mod turns;
mod waits;
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
