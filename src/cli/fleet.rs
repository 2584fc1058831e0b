//! Many hosts at once, for the commands that talk to them without a playbook.

use std::collections::HashSet;
use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Semaphore;

use super::args::Form;
use super::show::Show;
use super::world::World;
use super::{Failure, signals};
use crate::actions::works_as;
use crate::event::{Code, Event, Outcome, Tally};
use crate::inventory::Host;
use crate::reads::batch::Batch;
use crate::reads::{Read, Seen, Value};
use crate::remote::{Command, Connect, Exec, Live, Lost, Output, Session};
use crate::report::{Paint, fold};
use crate::secret::masked;

/// How long a host may take to answer a look.
const LOOK: Duration = Duration::from_secs(60);
/// How long after Ctrl-C the hosts may take to say how their commands ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of asking hosts; whom Ctrl-C came before is in neither list.
pub struct Fleet<T> {
    /// The answers, in the hosts' order.
    pub answers: Vec<(Arc<Host>, T)>,
    /// Who gave none, and why.
    pub lost: Vec<(Arc<Host>, Failure)>,
    interrupted: bool,
}

/// Logs in to every host, so many at a time, and does something there. Ctrl-C ends what is done; what came is kept.
pub async fn ask<T, F, D>(world: &World, hosts: &[Arc<Host>], act: D) -> Fleet<T>
where
    D: Fn(Arc<Host>, Arc<dyn Session>) -> F,
    F: Future<Output = Result<T, Failure>>,
{
    let (gate, sessions) = (&Semaphore::new(world.forks), &Mutex::new(Vec::new()));
    let (login, act) = (&world.login(), &act);
    let mut asked: FuturesUnordered<_> = hosts
        .iter()
        .enumerate()
        .map(|(at, host)| async move {
            // The semaphore is never closed; were it, everybody may pass.
            let enter = async { (gate.acquire().await, login.to(host).await) };
            let (_turn, session) = tokio::select! {
                biased;
                () = signals::cancelled(world.cancel()) => return None,
                entered = enter => entered,
            };
            let session = match session {
                Ok(session) => session,
                Err(lost) => return Some((at, Err(lost))),
            };
            sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
            Some((at, act(Arc::clone(host), session).await))
        })
        .collect();
    let mut came = Vec::new();
    let mut end = pin!(interruption(world, sessions));
    loop {
        tokio::select! {
            next = asked.next() => match next {
                Some(answer) => came.extend(answer),
                None => break,
            },
            () = &mut end => break,
        }
    }
    Fleet::of(hosts, came, *world.cancel().borrow())
}

/// Ends what runs once Ctrl-C has come, and waits a while for what it has to say.
pub async fn interruption(world: &World, sessions: &Mutex<Vec<Arc<dyn Session>>>) {
    signals::cancelled(world.cancel()).await;
    let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    join_all(sessions.iter().map(|session| session.interrupt())).await;
    tokio::time::sleep(PATIENCE).await;
}

impl<T> Fleet<T> {
    fn of(hosts: &[Arc<Host>], mut came: Vec<(usize, Result<T, Failure>)>, interrupted: bool) -> Self {
        came.sort_by_key(|(at, _)| *at);
        let (mut answers, mut lost) = (Vec::new(), Vec::new());
        for (at, answer) in came {
            match answer {
                Ok(answer) => answers.push((Arc::clone(&hosts[at]), answer)),
                Err(why) => lost.push((Arc::clone(&hosts[at]), why)),
            }
        }
        Self { answers, lost, interrupted }
    }

    /// What those who gave no answer come to.
    pub fn code(&self) -> Code {
        let first = if self.interrupted { Code::Interrupted } else { Code::Settled };
        self.lost.iter().map(|(_, why)| why.code()).fold(first, Code::combine)
    }

    /// Tells who gave no answer and what to do, equal ones once; to a program, host by host.
    ///
    /// # Errors
    /// Standard output is gone.
    pub fn tell_lost(&self, step: &str, show: Show) -> io::Result<()> {
        match show.form {
            Form::Json => self.lost.iter().try_for_each(|(host, why)| say(&event(step, &host.name, why))),
            Form::Human | Form::Plain => {
                grouped(&self.lost).iter().for_each(|(names, why)| complain(names, why, show.paint));
                Ok(())
            }
        }
    }

    /// Tallies of those who gave no answer.
    pub fn tallies(&self) -> impl Iterator<Item = Tally> {
        self.lost.iter().map(|(host, why)| {
            let unreachable = why.code() == Code::Unreachable;
            Tally { host: host.name.clone(), unreachable, failed: usize::from(!unreachable), ..Tally::default() }
        })
    }
}

/// The end of a host that gave no answer.
fn event(step: &str, host: &str, why: &Failure) -> Event {
    let (host, text, hint) = (host.to_owned(), why.to_string(), why.remedy().map(str::to_owned));
    if why.code() == Code::Unreachable {
        return Event::HostLost { host, why: text, hint };
    }
    Event::JobFinished {
        step: step.to_owned(),
        host,
        item: None,
        outcome: Outcome::Failed,
        message: Some(text),
        command: None,
        stderr: None,
        hint,
        after: None,
        open: false,
        ms: 0,
    }
}

fn grouped(lost: &[(Arc<Host>, Failure)]) -> Vec<(Vec<&str>, &Failure)> {
    let mut groups: Vec<(Vec<&str>, &Failure)> = Vec::new();
    for (host, why) in lost {
        match groups.iter_mut().find(|(_, known)| *known == why) {
            Some((names, _)) => names.push(&host.name),
            None => groups.push((vec![&host.name], why)),
        }
    }
    groups
}

fn complain(names: &[&str], why: &Failure, paint: Paint) {
    let hint = why.remedy().map_or(String::new(), |hint| format!("\n\n{} {hint}\n", paint.hint("hint:")));
    let what = if why.code() == Code::Unreachable { "unreachable:" } else { "failed:" };
    let text = format!("{} {}: {why}{hint}", paint.bad(what), fold(names));
    let _ = writeln!(io::stderr(), "{}", masked(&text));
}

/// One event on standard output, for programs.
///
/// # Errors
/// Standard output is gone.
pub fn say(event: &Event) -> io::Result<()> {
    writeln!(io::stdout(), "{}", masked(&serde_json::to_string(event)?))
}

/// The last line for programs: the tallies, and the exit code.
///
/// # Errors
/// Standard output is gone.
pub fn finish(hosts: Vec<Tally>, since: Instant, code: Code, show: Show) -> io::Result<Code> {
    if show.form == Form::Json {
        let ms = since.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        say(&Event::RunFinished { hosts, ms, code: code.number() })?;
    }
    Ok(code)
}

/// Looks at something by a command, whose output is the answer.
///
/// # Errors
/// The host is lost, runs no commands, takes too long, or the command failed: `what` could not be read.
pub async fn look(session: &dyn Session, command: &Command, what: &str) -> Result<Output, Failure> {
    match session.exec(Exec { deadline: Some(LOOK), ..Exec::new(command) }).await {
        Ok(output) if output.ok() => Ok(output),
        Ok(output) => Err(Failure::failed(format!("cannot read {what}: {}", output.errors()))),
        Err(lost) => Err(no_answer(&lost)),
    }
}

/// Reads what the engine reads, all of it with one command.
///
/// # Errors
/// The host is lost, or runs no commands.
pub async fn read(host: &Host, session: &dyn Session, reads: Vec<Read>) -> Result<Vec<(Read, Seen<Value>)>, Failure> {
    let nonce = format!("skep{:032x}", rand::random::<u128>());
    let user = works_as(host, None, None);
    let batch = Batch::new(nonce, reads.into_iter().map(|read| (user.clone(), read)));
    let command = batch.command();
    let exec = Exec { deadline: Some(batch.deadline()), ..Exec::new(&command) };
    let output = session.exec(exec).await.map_err(|lost| no_answer(&lost))?;
    Ok(batch.answers(&output).into_iter().map(|(_, read, seen)| (read, seen)).collect())
}

/// Why a command has no output.
pub fn no_answer(lost: &Lost) -> Failure {
    match lost {
        Lost::Connection(_) => Failure::unreachable(lost.to_string()),
        _ => Failure::failed(lost.to_string()),
    }
}

/// How hosts are logged in to, and where is told what is waited for.
pub struct Login<'a> {
    /// Opens sessions.
    pub connect: &'a dyn Connect,
    /// How long a machine may take to answer.
    pub wait: Duration,
    /// The colours of standard error.
    pub paint: Paint,
}

impl Login<'_> {
    /// Logs in to one host.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn to(&self, host: &Host) -> Result<Arc<dyn Session>, Failure> {
        self.connect.connect(host, self.wait, self.notes(&host.name)).await.map_err(Failure::lost)
    }

    /// Says on standard error what a host waits for, each thing once.
    fn notes(&self, host: &str) -> Live {
        let (paint, host, said) = (self.paint, host.to_owned(), Mutex::new(HashSet::new()));
        Arc::new(move |note: &str| {
            if said.lock().unwrap_or_else(PoisonError::into_inner).insert(note.to_owned()) {
                let _ = writeln!(io::stderr(), "{}", paint.quiet(&format!("{host}: {note}")));
            }
        })
    }
}
