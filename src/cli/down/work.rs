//! Removing: stage by stage, under each host's lock, and a look at what is left.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::removal::{Removal, STAGES};
use super::{Seen, told};
use crate::actions::works_as;
use crate::cli::fleet;
use crate::cli::signals::Cancel;
use crate::cli::world::World;
use crate::engine::{Emit, lock};
use crate::event::{Code, Event, Outcome, Tally};
use crate::remote::refusal::parted;
use crate::remote::who::who;
use crate::remote::{Command, Exec, Live, Lost, Output, Session};

/// How long one removal may take.
const REMOVAL: Duration = Duration::from_secs(600);

/// The removal under way.
pub(super) struct Work<'a> {
    seen: &'a [Seen],
    world: &'a World,
    emit: Emit,
    tallies: Vec<Tally>,
    sessions: Mutex<Vec<Arc<dyn Session>>>,
    done: Mutex<Vec<&'a Removal>>,
}

impl<'a> Work<'a> {
    /// On all hosts that were seen.
    pub(super) fn new(seen: &'a [Seen], world: &'a World, emit: Emit) -> Self {
        let sessions = seen.iter().map(|seen| seen.session.clone()).collect();
        Self { seen, world, emit, tallies: told::tallies(seen), sessions: Mutex::new(sessions), done: Mutex::default() }
    }

    /// Whether it was removed.
    pub(super) fn has_done(&self, removal: &Removal) -> bool {
        self.done.lock().expect("not poisoned").iter().any(|done| std::ptr::eq(*done, removal))
    }

    /// How each host fared. Nobody is told anything any more.
    pub(super) fn ended(self) -> Vec<Tally> {
        self.tallies
    }

    /// One stage on all its hosts at once; the removals of one host one after another. Ctrl-C ends what runs.
    pub(super) async fn stage(&mut self, stage: usize, batch: &[&'a (usize, Removal)]) -> Code {
        let (id, since) = (STAGES[stage].0, Instant::now());
        (self.emit)(told::begun(self.seen, stage, batch));
        batch.iter().for_each(|(nth, removal)| (self.emit)(removal.event(&self.seen[*nth].host.name)));
        let hosts: Vec<usize> = told::hosts(batch);
        let all = join_all(hosts.iter().map(|nth| {
            let removals = batch.iter().filter(|(of, _)| of == nth).map(|(_, removal)| removal);
            self.apply(id, &self.seen[*nth], removals.collect())
        }));
        let ended = tokio::select! {
            ended = all => ended,
            () = fleet::interruption(self.world, &self.sessions) => Vec::new(),
        };
        let mut code = Code::Settled;
        for (nth, failed) in hosts.into_iter().zip(ended) {
            code = code.combine(if failed.is_some() { Code::Failed } else { Code::Settled });
            self.finish(id, nth, failed, Outcome::Changed, since);
        }
        (self.emit)(Event::StepFinished { step: id.into(), ms: told::millis(since) });
        self.interrupted(code)
    }

    fn is_cancelled(&self) -> bool {
        *self.world.cancel().borrow()
    }

    fn interrupted(&self, code: Code) -> Code {
        if !self.is_cancelled() {
            return code;
        }
        (self.emit)(Event::Interrupted);
        Code::Interrupted
    }

    /// What was to be removed and is still there, or there again.
    pub(super) async fn look_again(
        &mut self,
        left: impl Fn(&[Seen]) -> Vec<(usize, Removal)>,
        removed: &[(usize, Removal)],
    ) -> Code {
        let (since, mut touched) = (Instant::now(), removed.iter().map(|(nth, _)| *nth).collect::<Vec<_>>());
        touched.sort_unstable();
        touched.dedup();
        let names = touched.iter().map(|nth| self.seen[*nth].host.name.clone()).collect();
        let (step, name) = ("left".to_owned(), "Nothing of it is left".to_owned());
        (self.emit)(Event::StepStarted { play: "down".into(), step: step.clone(), name, hosts: names });
        let looks =
            touched.iter().map(|nth| super::look(self.seen[*nth].host.clone(), self.seen[*nth].session.clone()));
        let mut code = Code::Settled;
        for (nth, looked) in touched.iter().zip(join_all(looks).await) {
            let failed = match looked {
                Ok(seen) => still(&left(&[Seen { meant: true, ..seen }])),
                Err(why) => Some(Failed::said(why.to_string())),
            };
            code = code.combine(if failed.is_some() { Code::Failed } else { Code::Settled });
            self.finish(&step, *nth, failed, Outcome::Unchanged, since);
        }
        (self.emit)(Event::StepFinished { step, ms: told::millis(since) });
        code
    }

    fn finish(&mut self, step: &str, nth: usize, failed: Option<Failed>, well: Outcome, since: Instant) {
        let (tally, ms) = (&mut self.tallies[nth], told::millis(since));
        tally.ms += ms;
        match (&failed, well) {
            (Some(_), _) => tally.failed += 1,
            (None, Outcome::Changed) => tally.changed += 1,
            (None, _) => tally.unchanged += 1,
        }
        let outcome = if failed.is_some() { Outcome::Failed } else { well };
        let (step, host) = (step.to_owned(), self.seen[nth].host.name.clone());
        let Failed { message, command, stderr, hint } = failed.unwrap_or_default();
        let (item, after, open) = (None, None, false);
        (self.emit)(Event::JobFinished { step, host, item, outcome, message, command, stderr, hint, after, open, ms });
    }

    /// Under the host's lock, like every change.
    async fn apply(&self, step: &str, seen: &Seen, removals: Vec<&'a Removal>) -> Option<Failed> {
        in_turn(removals, &self.world.cancel(), |removal| async move {
            let ended = self.locked(step, seen, &removal.command).await;
            if matches!(&ended, Ok(output) if output.ok()) {
                self.done.lock().expect("not poisoned").push(removal);
            }
            ended
        })
        .await
    }

    /// Whoever holds the lock is waited for. What was seen before that may be gone then, or other; but it is named by its id.
    async fn locked(&self, step: &str, seen: &Seen, command: &Command) -> Result<Output, Lost> {
        let locked = lock::under(command.clone().by(works_as(&seen.host, None, None)), &who());
        loop {
            let (live, deadline) = (Some(self.live(step, &seen.host.name)), Some(REMOVAL));
            match seen.session.exec(Exec { live, deadline, ..Exec::new(&locked) }).await {
                Ok(output) if lock::was_held(&output) && self.is_cancelled() => return Err(too_late()),
                Ok(output) if lock::was_held(&output) => {}
                ended => return ended,
            }
        }
    }

    fn live(&self, step: &str, host: &str) -> Live {
        let (emit, step, host) = (self.emit.clone(), step.to_owned(), host.to_owned());
        Arc::new(move |text| {
            let (step, host) = (step.clone(), host.clone());
            emit(match lock::holder(text) {
                Some(whom) => Event::JobWaiting { step, host, waiting: format!("the lock held by {whom}") },
                None => Event::Output { step, host, text: text.to_owned() },
            });
        })
    }
}

/// One after another: what cannot be removed keeps nothing else, but where the next follows from it. Ctrl-C ends only what runs,
/// which may have ended well before: nothing begins after it, nor after the end of a connection.
async fn in_turn<'a, F: Future<Output = Result<Output, Lost>>>(
    removals: Vec<&'a Removal>,
    cancel: &Cancel,
    run: impl Fn(&'a Removal) -> F,
) -> Option<Failed> {
    let mut failures = Vec::new();
    for removal in removals {
        let ended = if *cancel.borrow() { Err(too_late()) } else { run(removal).await };
        let goes_on = !removal.precedes() && matches!(&ended, Ok(_) | Err(Lost::Deadline(_)));
        failures.extend(failed(&removal.command, ended));
        if !failures.is_empty() && !goes_on {
            break;
        }
    }
    together(failures)
}

/// The first in full.
fn together(failures: Vec<Failed>) -> Option<Failed> {
    let others = failures.len().saturating_sub(1);
    let mut first = failures.into_iter().next()?;
    if let Some(message) = first.message.as_mut().filter(|_| others > 0) {
        *message += &format!(" (nor could {others} more of this host)");
    }
    Some(first)
}

/// Why something was never started.
fn too_late() -> Lost {
    Lost::Refused("interrupted".into())
}

/// What could not be removed, and why.
#[derive(Default)]
struct Failed {
    message: Option<String>,
    command: Option<String>,
    stderr: Option<String>,
    hint: Option<String>,
}

impl Failed {
    fn said(message: String) -> Self {
        let (what, hint) = parted(&message);
        Self { message: Some(what.to_owned()), hint: hint.map(str::to_owned), ..Self::default() }
    }
}

fn failed(command: &Command, ended: Result<Output, Lost>) -> Option<Failed> {
    let command = Some(command.masked());
    match ended {
        Ok(output) if output.ok() => None,
        Ok(output) => {
            let stderr = Some(output.errors());
            Some(Failed { command, stderr, ..Failed::said("could not be removed".into()) })
        }
        Err(lost) => Some(Failed { command, ..Failed::said(lost.to_string()) }),
    }
}

fn still(left: &[(usize, Removal)]) -> Option<Failed> {
    let left: Vec<_> = left.iter().map(|(_, removal)| removal.why.as_str()).collect();
    (!left.is_empty()).then(|| Failed::said(format!("still there: {}", left.join(", "))))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    fn removal(stage: usize, word: &str) -> Removal {
        Removal { stage, why: word.into(), command: Command::new(word) }
    }

    #[tokio::test]
    async fn nothing_begins_after_ctrl_c() {
        let (signal, cancel) = watch::channel(false);
        let (one, two) = (removal(1, "one"), removal(1, "two"));
        let begun = Mutex::new(Vec::new());
        let run = |removal: &Removal| {
            begun.lock().unwrap().push(removal.command.masked());
            signal.send_replace(true);
            std::future::ready(Ok(Output::default()))
        };
        let failed = in_turn(vec![&one, &two], &cancel, run).await.unwrap();
        assert_eq!(begun.into_inner().unwrap(), ["one"], "it ended well, though Ctrl-C came meanwhile");
        assert_eq!((failed.message.as_deref(), failed.command.as_deref()), (Some("interrupted"), Some("two")));
    }

    /// But the data of an engine that could not be taken away stay.
    #[tokio::test]
    async fn what_cannot_be_removed_keeps_nothing_else() {
        let (_signal, cancel) = watch::channel(false);
        for (stage, begins) in [(1, 3), (STAGES.len() - 1, 1)] {
            let all = ["one", "two", "three"].map(|word| removal(stage, word));
            let begun = Mutex::new(Vec::new());
            let run = |removal: &Removal| {
                begun.lock().unwrap().push(removal.command.masked());
                std::future::ready(Ok(Output { code: 1, ..Output::default() }))
            };
            let failed = in_turn(all.iter().collect(), &cancel, run).await.unwrap();
            assert_eq!(begun.into_inner().unwrap().len(), begins);
            let others = if begins > 1 { " (nor could 2 more of this host)" } else { "" };
            assert_eq!(failed.message, Some(format!("could not be removed{others}")));
            assert_eq!(failed.command.as_deref(), Some("one"));
        }
    }
}
