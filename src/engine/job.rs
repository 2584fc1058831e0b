//! A job: one step on one host, and what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::actions::{Action, Ask, Change, Plan, Target, works_as};
use crate::event::Outcome;
use crate::inventory::Host;
use crate::playbook::{self, Ending};
use crate::reads::{Readings, Store, WORKSTATION, Wanted};
use crate::remote::{Command, Output, User};

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
    /// The same as `register` keeps it.
    pub value: Option<Json>,
    /// What is asked for.
    pub action: Arc<dyn Action>,
    /// The environment of its commands.
    pub environment: Vec<(String, String)>,
    /// How far it is.
    pub state: State,
    /// When it began.
    pub started: Instant,
    /// What it last waited for.
    pub waiting: Option<String>,
    /// The changes it has made, to know one that does not help.
    pub made: Vec<Vec<Change>>,
    /// Whether one was cut off on its way: what became of it nobody knows.
    pub cut: bool,
    /// What the last change said that did what it should.
    pub output: Option<Output>,
    /// What is known to be left by it, whether or not it is there yet.
    pub leaves: Option<Output>,
    /// What went wrong in the last changes; the state decides whether it matters.
    pub failure: Option<Failure>,
    /// The commands that failed, masked.
    pub failures: Vec<String>,
    /// Tries it has left.
    pub tries: u32,
    /// Whether its end was told.
    pub told: bool,
}

/// How far a job is.
pub enum State {
    /// Not as asked yet, as far as is known.
    Open,
    /// Not as asked, and this is about to be done.
    Planned {
        /// What would make it so.
        changes: Vec<Change>,
        /// Whether exit codes decide, because no state can.
        always: bool,
    },
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
    /// Whether the step says that a failure does not matter.
    pub ignored: bool,
    /// Whether a plan cannot tell how it would end.
    pub untold: bool,
    /// In a plan: the step whose change may make it end otherwise.
    pub after: Option<String>,
}

/// What went wrong in a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It did not do what it should.
    Failed(Box<Failure>),
    /// The connection was cut.
    Cut {
        /// The host that was cut off.
        host: String,
        /// Whether the command was on its way: then what became of it is unknown.
        begun: bool,
    },
    /// Another run held the host's lock; it is free again, and nothing was done.
    Locked,
    /// Ctrl-C.
    Interrupted,
}

impl Mishap {
    /// What the change said, where that is what went wrong.
    pub fn failure(self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(*failure),
            Self::Cut { .. } | Self::Locked | Self::Interrupted => None,
        }
    }
}

/// A change that failed, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub what: String,
    /// The command, masked.
    pub command: String,
    /// The end of its standard error.
    pub stderr: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What it left behind, where it ended.
    pub output: Option<Output>,
    /// Whether all that failed is what lies between two hosts: what it was to read broke off, or nobody took what it wrote. Then
    /// who is at the other end knows why.
    pub relay: bool,
}

impl Job {
    /// A job that begins now.
    pub fn new(manner: Arc<Manner>, owner: Arc<Host>, target: Target, one: playbook::Job) -> Self {
        let tries = manner.retries;
        Self {
            manner,
            owner,
            target,
            item: one.item,
            value: one.value,
            action: one.action,
            environment: one.environment,
            output: None,
            leaves: None,
            state: State::Open,
            started: Instant::now(),
            waiting: None,
            made: Vec::new(),
            cut: false,
            failure: None,
            failures: Vec::new(),
            tries,
            told: false,
        }
    }

    /// Whether it has not ended.
    pub fn open(&self) -> bool {
        !matches!(self.state, State::Ended(_))
    }

    /// Whether it is about to do something.
    pub fn is_planned(&self) -> bool {
        matches!(self.state, State::Planned { .. })
    }

    /// What it is about to do.
    pub fn planned(&self) -> &[Change] {
        match &self.state {
            State::Planned { changes, .. } => changes,
            State::Open | State::Ended(_) => &[],
        }
    }

    /// What it was about to do, if anything; it is open again.
    pub fn unplan(&mut self) -> Option<(Vec<Change>, bool)> {
        match std::mem::replace(&mut self.state, State::Open) {
            State::Planned { changes, always } => Some((changes, always)),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// Who works for it on a host of the inventory.
    pub fn user(&self, host: &str) -> User {
        match self.target.inventory.host(host) {
            Some(host) if host.name != WORKSTATION => {
                works_as(host, self.manner.become_root, self.manner.become_user.as_deref())
            }
            _ => User::Login,
        }
    }

    /// A command as it is run on a host: by the step's user, unless it has one of its own, in the step's environment.
    pub fn dressed(&self, command: Command, host: &str) -> Command {
        let command = match command.user() {
            User::Login => command.by(self.user(host)),
            User::Sudo(_) => command,
        };
        self.environment.iter().fold(command, |command, (name, value)| command.env(name, value))
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

    /// What is to be done, and what it shows where that is nothing.
    pub fn decides(&mut self, store: &Store) -> (Plan, Option<Output>) {
        let (action, on) = (&self.action, &self.target);
        let (plan, shown, leaves) =
            self.with(store, |seen| (action.plan(on, seen), action.shows(on, seen), action.leaves(on, seen)));
        self.leaves = leaves;
        (plan, shown)
    }

    /// When its time is over.
    pub fn deadline(&self) -> Instant {
        self.started + self.manner.timeout.unwrap_or_else(|| self.action.timeout())
    }

    /// What `register` keeps of it, once it has ended and a run or a plan can tell how.
    pub fn ending(&self) -> Option<Ending<'_>> {
        let State::Ended(ended) = &self.state else { return None };
        let outcome = ended.outcome.filter(|_| !ended.untold || self.leaves.is_some())?;
        let leaves = self.leaves.as_ref().filter(|_| matches!(outcome, Outcome::Changed | Outcome::Unchanged));
        let output = leaves.or(ended.shown.as_ref()).or(self.output.as_ref());
        Some(Ending { outcome, output, item: self.value.as_ref() })
    }

    /// Takes one of the tries it has left, if there is one and time for it.
    pub fn try_again(&mut self) -> bool {
        let may = self.tries > 0 && self.time_left() != Some(Duration::ZERO);
        self.tries -= u32::from(may);
        may
    }

    /// How much of the step's `timeout` is left, where it has one.
    pub fn time_left(&self) -> Option<Duration> {
        self.manner.timeout.map(|timeout| timeout.saturating_sub(self.started.elapsed()))
    }

    /// Ends it.
    pub fn end(&mut self, ended: Ended) {
        let ended = self.hinted(ended);
        self.state = State::Ended(Ended { ignored: self.manner.ignore_errors, ..ended });
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

    /// Not as asked, and all there is to say is how its last change failed.
    pub fn of(failure: &Failure) -> Self {
        Self { outcome: Some(Outcome::Failed), ..Self::default() }.because(Some(failure))
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
    pub fn because(mut self, failure: Option<&Failure>) -> Self {
        let Some(Failure { what, command, stderr, hint, output, .. }) = failure.cloned() else { return self };
        let (stderr, own) = stderr.map(|said| words_and_hint(&said)).unwrap_or_default();
        self.message = Some(match self.message.take() {
            Some(message) if message != what => format!("{message} ({what})"),
            _ => what,
        });
        self.hint = hint.or(own).or(self.hint);
        let stderr = Some(stderr).filter(|said| !said.is_empty());
        Self { command: Some(command), stderr, shown: self.shown.or(output), ..self }
    }
}

/// What a script said, and the hint in its last line.
fn words_and_hint(stderr: &str) -> (String, Option<String>) {
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
            let failure = Failure { stderr: Some(stderr.into()), ..Failure::default() };
            let ended = Ended::failed("why", hint.map(Into::into)).because(Some(&failure));
            (ended.stderr.unwrap_or_default(), ended.hint.unwrap_or_default())
        };
        let pair = |stderr: &str, hint: &str| (stderr.to_owned(), hint.to_owned());
        assert_eq!(failed("refused\nhint: open it", None), pair("refused", "open it"));
        assert_eq!(failed("hint: open it", Some("wait")), pair("", "open it"));
        assert_eq!(failed("hint: none\nrefused", None), pair("hint: none\nrefused", ""));
    }
}
