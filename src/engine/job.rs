//! A job: one step on one host, and what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::actions::{Action, Ask, Change, Plan, Target, works_as};
use crate::event::Outcome;
use crate::inventory::Host;
use crate::reads::{Readings, Store, WORKSTATION, Wanted};
use crate::remote::{Output, User};

/// What a job needs to know of its step.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The step's id.
    pub step: String,
    /// `become:` of the step or its play.
    pub become_root: Option<bool>,
    /// `become_user:` of the step or its play.
    pub become_user: Option<String>,
    /// How long its rounds may take together.
    pub timeout: Option<Duration>,
    /// Whether a failure leaves the host in the run.
    pub ignore_errors: bool,
    /// How many more tries what fails by its exit code has.
    pub retries: u32,
    /// The variable that keeps what it shows.
    pub register: Option<String>,
}

/// One step on one host (of a loop: one item).
pub struct Job {
    /// What it has from its step.
    pub manner: Arc<Manner>,
    /// The host whose job it is.
    pub owner: Arc<Host>,
    /// Where it runs: the owner, unless the step says `on:`.
    pub target: Target,
    /// The loop's item.
    pub item: Option<String>,
    /// What is asked for.
    pub action: Box<dyn Action>,
    /// How far it is.
    pub state: State,
    /// When it began.
    pub started: Instant,
    /// What it last waited for.
    pub waiting: Option<String>,
    /// The changes it has made, to know one that does not help.
    pub made: Vec<Vec<Change>>,
    /// What went wrong in the last changes; the state decides whether it matters.
    pub trouble: Option<Trouble>,
    /// The commands that failed, masked.
    pub failures: Vec<String>,
    /// Tries it has left.
    pub tries: u32,
    /// Whether its end was told.
    pub told: bool,
}

/// How far a job is.
pub enum State {
    /// Not as asked yet.
    Open,
    /// Ended.
    Ended(Ended),
}

/// How a job ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// How.
    pub outcome: Option<Outcome>,
    /// Why, or what it shows.
    pub message: Option<String>,
    /// The command that failed.
    pub command: Option<String>,
    /// The end of its standard error.
    pub stderr: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What `register` keeps.
    pub shown: Option<Output>,
}

/// What went wrong in a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A command failed.
    Failed {
        /// What happened.
        what: String,
        /// The command, masked.
        command: String,
        /// The end of its standard error.
        stderr: String,
        /// Its exit status, where it has one.
        code: Option<i32>,
    },
    /// The connection was cut.
    Cut {
        /// The host that was cut off.
        host: String,
    },
    /// Another run held the host's lock; it is free again, and nothing was done.
    Locked,
    /// Ctrl-C.
    Interrupted,
}

impl Job {
    /// A job that begins now.
    pub fn new(
        manner: Arc<Manner>,
        owner: Arc<Host>,
        target: Target,
        item: Option<String>,
        action: Box<dyn Action>,
    ) -> Self {
        let tries = manner.retries;
        Self {
            manner,
            owner,
            target,
            item,
            action,
            state: State::Open,
            started: Instant::now(),
            waiting: None,
            made: Vec::new(),
            trouble: None,
            failures: Vec::new(),
            tries,
            told: false,
        }
    }

    /// Whether it has not ended.
    pub fn open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Who works for it on a host of the inventory.
    pub fn user(&self, host: &str) -> User {
        match self.target.hosts.iter().find(|h| h.name == host) {
            Some(host) if host.name != WORKSTATION => {
                works_as(host, self.manner.become_root, self.manner.become_user.as_deref())
            }
            _ => User::Login,
        }
    }

    /// The reads it needs and that do not count, as far as can be told from those that do.
    pub fn missing(&self, store: &Store) -> Vec<Wanted> {
        let asks = self.with(store, |seen| self.action.reads(&self.target, seen));
        asks.into_iter().map(|ask| self.wanted(ask)).filter(|wanted| !store.fresh(wanted)).collect()
    }

    /// All the reads it plans from, in the light of what is known.
    pub fn wants(&self, store: &Store) -> Vec<Wanted> {
        let asks = self.with(store, |seen| self.action.reads(&self.target, seen));
        asks.into_iter().map(|ask| self.wanted(ask)).collect()
    }

    /// What is to be done.
    pub fn plan(&self, store: &Store) -> Plan {
        self.with(store, |seen| self.action.plan(&self.target, seen))
    }

    /// What a settled job shows.
    pub fn shows(&self, store: &Store) -> Option<Output> {
        self.with(store, |seen| self.action.shows(&self.target, seen))
    }

    /// When its time is over.
    pub fn deadline(&self) -> Instant {
        self.started + self.manner.timeout.unwrap_or_else(|| self.action.timeout())
    }

    /// Ends it.
    pub fn end(&mut self, ended: Ended) {
        let ended = self.hinted(ended);
        self.state = State::Ended(ended);
    }

    /// A failure that has no hint yet may have one for what its command said.
    fn hinted(&self, ended: Ended) -> Ended {
        let hint = ended.stderr.as_deref().and_then(|said| self.action.hint(said));
        Ended { hint: ended.hint.or(hint), ..ended }
    }

    fn wanted(&self, ask: Ask) -> Wanted {
        Wanted { user: self.user(&ask.host), host: ask.host, read: ask.read }
    }

    fn with<T>(&self, store: &Store, f: impl FnOnce(&Readings<'_>) -> T) -> T {
        let user = |host: &str| self.user(host);
        f(&Readings::new(store, &user))
    }
}

impl Ended {
    /// As asked; `changed` says whether that took a change.
    pub fn settled(changed: bool, shown: Option<Output>) -> Self {
        let outcome = Some(if changed { Outcome::Changed } else { Outcome::Unchanged });
        let message = shown.as_ref().map(Output::text).filter(|text| !text.is_empty());
        Self { outcome, message, shown, ..Self::default() }
    }

    /// Not as asked.
    pub fn failed(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { outcome: Some(Outcome::Failed), message: Some(message.into()), hint, ..Self::default() }
    }

    /// The host is gone.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { outcome: Some(Outcome::Unreachable), message: Some(message.into()), ..Self::default() }
    }

    /// Adds what the last change said, for a failure; a script may end with a `hint: ` of its own.
    #[must_use]
    pub fn because(mut self, trouble: Option<&Trouble>) -> Self {
        if let Some(Trouble::Failed { what, command, stderr, .. }) = trouble {
            let (stderr, hint) = parted(stderr);
            self.command = Some(command.clone());
            self.stderr = Some(stderr).filter(|text| !text.is_empty());
            self.hint = self.hint.take().or(hint);
            self.message = Some(match self.message.take() {
                Some(message) if message != *what => format!("{message} ({what})"),
                _ => what.clone(),
            });
        }
        self
    }
}

/// What a script said, and the hint in its last line.
fn parted(stderr: &str) -> (String, Option<String>) {
    let (words, last) = stderr.rsplit_once('\n').unwrap_or(("", stderr));
    match last.strip_prefix("hint: ") {
        Some(hint) => (words.to_owned(), Some(hint.to_owned())),
        None => (stderr.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_of_a_script_is_the_failures_hint() {
        let failed = |stderr: &str, hint: Option<&str>| {
            let (what, command) = ("exit status 1".to_owned(), "join".to_owned());
            let trouble = Trouble::Failed { what, command, stderr: stderr.into(), code: Some(1) };
            let ended = Ended::failed("why", hint.map(Into::into)).because(Some(&trouble));
            (ended.stderr.unwrap_or_default(), ended.hint.unwrap_or_default())
        };
        let pair = |stderr: &str, hint: &str| (stderr.to_owned(), hint.to_owned());
        assert_eq!(failed("refused\nhint: open it", None), pair("refused", "open it"));
        assert_eq!(failed("hint: open it", Some("wait")), pair("", "wait"));
        assert_eq!(failed("hint: none\nrefused", None), pair("hint: none\nrefused", ""));
    }
}
