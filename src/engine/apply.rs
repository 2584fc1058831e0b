//! Change: the commands of a plan, one after another, under the host's lock.

use std::fs::File;
use std::io::{self, Seek as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;

use super::fanout::Fanouts;
use super::job::{Failure, Job, Mishap};
use super::pipe::Pipe;
use super::straight::Word;
use super::{World, doing, lock, pipe, restart, straight};
use crate::actions::{self, Change, Does, Parcel};
use crate::event::Event;
use crate::inventory::Host;
use crate::reads::context::Context;
use crate::remote::{Command, Exec, Lent, Live, Lost, Output, Session, Sink, Source};

/// Makes `changes` in order; the first that fails ends them. Each starts a new epoch when it starts and when it ends.
///
/// # Errors
/// What went wrong. Whether it matters is for the next look to say.
pub async fn apply(world: &World, job: &Job, changes: &[Change], fanouts: &Fanouts) -> Result<Output, Mishap> {
    let mut last = Output::default();
    for change in changes {
        if world.cancelled() {
            return Err(Mishap::Interrupted);
        }
        world.tell(told(job, change, None));
        world.store().turn();
        let started = Instant::now();
        let done = make(&At::new(world, job, change, fanouts)).await;
        world.store().turn();
        let (step, host) = (job.manner.step.clone(), job.owner.name.clone());
        world.tell(Event::ChangeFinished { step, host, ms: started.elapsed().as_millis() as u64 });
        last = done?;
    }
    Ok(last)
}

/// The event of a change; `after` names the step that it waits for in a plan.
pub fn told(job: &Job, change: &Change, after: Option<String>) -> Event {
    Event::Change {
        step: job.manner.step.clone(),
        host: job.owner.name.clone(),
        on: change.on.clone(),
        why: change.why.clone(),
        command: change.does.masked(),
        differs: change.differs.clone(),
        diff: change.diff.clone(),
        after,
        removes: change.removes,
    }
}

async fn make(at: &At<'_>) -> Result<Output, Mishap> {
    match &at.change.does {
        Does::Run(command) => at.run(command.clone(), None).await,
        Does::Put(put) => {
            let (stdin, bytes) = open(&put.content).await.map_err(|why| at.failed(&put.path, &why))?;
            let write = actions::put::put(&put.path, put.mode.as_deref(), put.owner.as_deref(), bytes);
            at.run(write, Some(stdin)).await
        }
        Does::Send { parcel, to } => {
            let (stdin, _) = open(parcel).await.map_err(|why| at.failed(&to.masked(), &why))?;
            at.run(to.clone(), Some(stdin)).await
        }
        Does::Pipe { from, source, to, bytes } => pipe::run(at, Pipe { from, source, to, bytes: *bytes }).await,
        Does::Generate { path, bytes, mode, owner } => {
            at.run(doing::generate(path, *bytes, mode, owner.as_deref()), None).await
        }
        Does::Reconnect => {
            at.world.crew.renew(&at.host.name).await;
            Ok(Output::default())
        }
        Does::Restart(command) => restart::restart(at, command).await,
    }
}

/// Is told what a command says of a pipe.
pub(super) type Ear = Arc<dyn Fn(Word) + Send + Sync>;

/// What goes into a command and comes out of it.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) stdin: Option<Source>,
    pub(super) stdout: Option<Sink>,
    pub(super) ear: Option<Ear>,
    pub(super) lent: Option<Lent>,
}

/// Words about a pipe go to `ear`, all else goes on.
fn heard(ear: Ear, live: Option<Live>) -> Live {
    Arc::new(move |text| {
        for line in text.split_inclusive('\n') {
            match (straight::word(line), &live) {
                (Some(word), _) => ear(word),
                (None, Some(live)) => live(line),
                (None, None) => {}
            }
        }
    })
}

/// Where a change is made, and for whom.
pub(super) struct At<'a> {
    pub(super) world: &'a World,
    pub(super) job: &'a Job,
    change: &'a Change,
    /// What this round's jobs read together.
    pub(super) fanouts: &'a Fanouts,
    pub(super) host: Arc<Host>,
    /// What only gives (the source of a pipe) takes no lock and shows no lines.
    quiet: bool,
}

impl<'a> At<'a> {
    fn new(world: &'a World, job: &'a Job, change: &'a Change, fanouts: &'a Fanouts) -> Self {
        let named = change.on.as_deref().and_then(|name| world.host(name));
        let host = named.unwrap_or(&job.target.host).clone();
        Self { world, job, change, fanouts, host, quiet: false }
    }

    /// The same on a host that only gives.
    pub(super) fn giving(&self, host: Arc<Host>) -> Self {
        At { host, quiet: true, ..*self }
    }

    /// In its turn among the changes of this host. While it waited for that, anything may have happened.
    async fn run(&self, command: Command, stdin: Option<Source>) -> Result<Output, Mishap> {
        let _turn = self.turn().await;
        self.exec(command, Ends { stdin, ..Ends::default() }).await
    }

    /// The turn among the changes of this host.
    pub(super) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.world.one_by_one(&self.host.name).await
    }

    /// The same for who has his turn, or needs none.
    pub(super) async fn exec(&self, command: Command, ends: Ends) -> Result<Output, Mishap> {
        let command = self.dressed(command);
        let session = self.session().await?;
        let deadline = Some(self.time()?);
        let live = (!self.quiet).then(|| self.live());
        let live = ends.ear.map(|ear| heard(ear, live.clone())).or(live);
        let Ends { stdin, stdout, lent, .. } = ends;
        match session.exec(Exec { stdin, stdout, live, deadline, lent, ..Exec::new(&command) }).await {
            Ok(output) => self.ended(output),
            Err(lost) => Err(self.lost(&session, lost).await),
        }
    }

    /// The login there is now; Ctrl-C does not wait for one that is under way.
    pub(super) async fn session(&self) -> Result<Arc<dyn Session>, Mishap> {
        let session = tokio::select! {
            biased;
            () = self.world.cancellation() => return Err(Mishap::Interrupted),
            session = self.world.crew.session(&self.host) => session,
        };
        session.map_err(|_| Mishap::Cut { host: self.host.name.clone(), begun: false })
    }

    /// How long it may take: what is left of the step's time, where the step says how much it has.
    pub(super) fn time(&self) -> Result<Duration, Mishap> {
        match self.job.time_left() {
            Some(Duration::ZERO) => Err(self.overdue("the step's time was over before it could begin")),
            left => Ok(left.unwrap_or(self.change.deadline)),
        }
    }

    /// As the step's user, under the host's lock.
    pub(super) fn dressed(&self, command: Command) -> Command {
        let command = self.job.dressed(command, &self.host.name);
        match self.quiet {
            true => command,
            false => lock::under(command, &self.world.options.who),
        }
    }

    pub(super) fn live(&self) -> Live {
        let (emit, step, host) = (self.world.emit.clone(), self.job.manner.step.clone(), self.job.owner.name.clone());
        Arc::new(move |text| {
            let (step, host) = (step.clone(), host.clone());
            match lock::holder(text) {
                Some(whom) => emit(Event::JobWaiting { step, host, waiting: format!("the lock held by {whom}") }),
                None => emit(Event::Output { step, host, text: text.to_owned() }),
            }
        })
    }

    pub(super) fn ended(&self, output: Output) -> Result<Output, Mishap> {
        if output.ok() {
            return Ok(output);
        }
        if lock::was_held(&output) {
            return Err(Mishap::Locked);
        }
        if self.world.cancelled() {
            return Err(Mishap::Interrupted);
        }
        let errors = own_words(&output.errors());
        let said = if errors.is_empty() { output.text() } else { errors };
        let stderr = Some(tail(&said)).filter(|said| !said.is_empty());
        let what = format!("exit status {} on {}", output.code, self.host.name);
        let failure = self.failure(&self.change.does.masked(), &what);
        Err(Mishap::Failed(Box::new(Failure { stderr, output: Some(output), ..failure })))
    }

    pub(super) async fn lost(&self, session: &Arc<dyn Session>, lost: Lost) -> Mishap {
        let (what, begun) = (lost.to_string(), !matches!(lost, Lost::Unsent(_)));
        if lost.is_cut() {
            self.world.crew.cut(&self.host.name, session, &what).await;
        }
        match lost {
            _ if self.world.cancelled() => Mishap::Interrupted,
            lost if lost.is_cut() => Mishap::Cut { host: self.host.name.clone(), begun },
            Lost::Deadline(_) => {
                let told = |timeout| format!("still running when the step's {timeout:?} were over, so it was ended");
                self.overdue(&self.job.manner.timeout.map_or(what, told))
            }
            lost => {
                let relay = matches!(lost, Lost::Relay(_));
                Mishap::Failed(Box::new(Failure { relay, ..self.failure(&self.change.does.masked(), &what) }))
            }
        }
    }

    pub(super) fn overdue(&self, what: &str) -> Mishap {
        let hint = Some(actions::LONGER.to_owned());
        Mishap::Failed(Box::new(Failure { hint, ..self.failure(&self.change.does.masked(), what) }))
    }

    pub(super) fn failed(&self, command: &str, what: &str) -> Mishap {
        Mishap::Failed(Box::new(self.failure(command, what)))
    }

    fn failure(&self, command: &str, what: &str) -> Failure {
        Failure { what: what.to_owned(), command: command.to_owned(), ..Failure::default() }
    }
}

/// Without those about a pipe, which are ours.
fn own_words(said: &str) -> String {
    said.lines().filter(|line| straight::word(line).is_none()).collect::<Vec<_>>().join("\n")
}

/// The last lines of what a command said: enough to see why, short enough to read.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// The bytes of a parcel, and how many there are.
async fn open(parcel: &Parcel) -> Result<(Source, u64), String> {
    match parcel {
        Parcel::Bytes(bytes) => Ok((Box::new(std::io::Cursor::new(bytes.clone())), bytes.len() as u64)),
        Parcel::File(path) => {
            let told = |error| format!("cannot read {}: {error}", path.display());
            let file = tokio::fs::File::open(path).await.map_err(told)?;
            let bytes = file.metadata().await.map_err(told)?.len();
            Ok((Box::new(file), bytes))
        }
        Parcel::Context(context) => {
            let context = context.clone();
            let packed = tokio::task::spawn_blocking(move || pack(&context)).await;
            let file = packed.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            let file = tokio::fs::File::from_std(file);
            let bytes = file.metadata().await.map_err(|error| error.to_string())?.len();
            Ok((Box::new(file), bytes))
        }
    }
}

/// A tar archive in a temporary file that is already unlinked: owners and times are not told, so that the same files are
/// the same archive.
fn pack(context: &Context) -> io::Result<File> {
    let mut archive = tar::Builder::new(tempfile::tempfile()?);
    archive.mode(tar::HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    for entry in context.entries()? {
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", entry.path.display()));
        let from = context.source(&entry).map_err(told)?;
        archive.append_path_with_name(from, &entry.name).map_err(told)?;
    }
    let mut file = archive.into_inner()?;
    file.rewind()?;
    Ok(file)
}
