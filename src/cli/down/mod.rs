//! `skep down`: the way back.
//!
//! It looks, shows what it would remove, asks, and removes, by id, what it saw: a thing that was made anew meanwhile stays.

mod remains;

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::join_all;

use super::args::{Form, Global};
use super::fleet::{self, Fleet};
use super::show::Show;
use super::telling::Telling;
use super::world::World;
use super::{Failure, ask, panics};
use crate::actions::works_as;
use crate::engine::{Emit, lock};
use crate::event::{Code, Event, Outcome, Reporter, Tally};
use crate::inventory::Host;
use crate::remote::refusal::parted;
use crate::remote::who::who;
use crate::remote::{Command, Exec, Live, Lost, Output, Session};
use crate::report::{GoOn, Journal, Json, Log, Many, Paint, Plan};
use remains::{Remains, Removal, STAGES};

/// How long one removal may take.
const REMOVAL: Duration = Duration::from_secs(600);

const EXAMPLES: &str = "\
Examples:
  skep down                       shows what would go, and asks
  skep down --yes --volumes       everything, notebooks and data included

Docker itself stays, and so do volumes and images unless they are named here.";

/// Remove what `up` made, after showing it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Down {
    /// Also remove the volumes of the containers, and the data in them
    #[arg(long)]
    volumes: bool,
    /// Also remove the images of the containers
    #[arg(long)]
    images: bool,
    /// On these hosts only
    #[arg(short, long, value_name = "PATTERN", default_value = "all")]
    limit: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only show what would be removed
    #[arg(long)]
    plan: bool,
}

/// A host, and what was found on it.
struct Seen {
    host: Arc<Host>,
    session: Arc<dyn Session>,
    remains: Remains,
    /// Whether something may be removed there.
    meant: bool,
}

/// What becomes of the swarm.
#[derive(Debug, PartialEq)]
enum Swarm {
    Goes,
    /// It runs what somebody else made.
    Serves(Vec<String>),
    /// Who would know what it runs could not be asked.
    Unknown,
}

impl Down {
    /// Removes.
    ///
    /// # Errors
    /// Bad input.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let (world, since) = (World::open(global)?, Instant::now());
        ask::may_ask(self.yes || self.plan, world.show.form)?;
        let meant = world.select(&self.limit)?;
        // All are looked at, whoever may be changed: what the swarm runs is for its managers to say.
        let hosts = world.meant("all").await?;
        let found = fleet::ask(&world, &hosts, look).await;
        found.tell_lost("look", world.show)?;
        let (code, lost) = (found.code(), found.tallies().collect::<Vec<_>>());
        let (seen, swarm) = sorted(found, &meant);
        let removals = self.removals(&seen, &swarm);
        if code == Code::Interrupted || (removals.is_empty() && !self.plan && world.show.form == Form::Json) {
            return Ok(fleet::finish(lost, since, code, world.show)?);
        }
        swarm.tell(world.show.paint);
        self.show(&seen, &removals, code, world.show)?;
        if removals.is_empty() || self.plan {
            return Ok(code.combine(if removals.is_empty() { Code::Settled } else { Code::Changes }));
        }
        if !self.yes && !world.person.agrees("", "Remove what is shown above?") {
            return Ok(if *world.cancel().borrow() { Code::Interrupted } else { code });
        }
        let code = self.remove(global, &seen, &removals, &swarm, &world, (code, lost)).await;
        self.tell_stays(&seen, world.show.form)?;
        Ok(code)
    }

    /// Says what is left, since nothing will lead to it once the containers are gone.
    fn tell_stays(&self, seen: &[Seen], form: Form) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for seen in seen.iter().filter(|seen| seen.meant && form != Form::Json) {
            for what in seen.remains.stays(self.volumes, self.images) {
                writeln!(out, "Stays on {}: {what}", seen.host.name)?;
            }
        }
        Ok(())
    }

    /// What goes, stage by stage, each with the number of its host.
    fn removals(&self, seen: &[Seen], swarm: &Swarm) -> Vec<(usize, Removal)> {
        let all = seen.iter().enumerate().filter(|(_, seen)| seen.meant).flat_map(|(nth, seen)| {
            let removals = seen.remains.removals(*swarm == Swarm::Goes, self.volumes, self.images);
            removals.into_iter().map(move |removal| (nth, removal))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(nth, removal)| (removal.stage, *nth));
        // Every manager sees the swarm's networks; one of them removes them.
        let mut networks = HashSet::new();
        all.retain(|(_, removal)| removal.stage != 1 || networks.insert(removal.command.masked()));
        all
    }

    fn show(&self, seen: &[Seen], removals: &[(usize, Removal)], code: Code, show: Show) -> io::Result<()> {
        let mut plan = match show.form {
            Form::Json if !self.plan => return Ok(()),
            Form::Json => Many::default().with(Json::new(io::stdout())),
            Form::Human | Form::Plain => Many::default().with(Plan::new(io::stdout(), show.paint, show.detail)),
        };
        told(seen, removals, code).iter().try_for_each(|event| plan.on_event(event))
    }

    /// Removes, looks again, and tells of both; `before` is what those come to who could not be looked at.
    async fn remove(
        &self,
        global: &Global,
        seen: &[Seen],
        removals: &[(usize, Removal)],
        swarm: &Swarm,
        world: &World,
        before: (Code, Vec<Tally>),
    ) -> Code {
        let journal = Journal::new(".");
        panics::watch(&world.terminal, &journal.place());
        let go_on = GoOn { command: self.again(global), journal: journal.place(), chosen: true, ..GoOn::default() };
        let log = Log::beside(journal.place());
        let kept = Many::default().with(journal).with(log);
        let telling = Telling::start(world.show.reporters(false, go_on, &world.terminal), kept);
        let (mut code, lost) = before;
        let (started, sessions) = (Instant::now(), seen.iter().map(|seen| seen.session.clone()).collect());
        let mut work =
            Work { seen, world, emit: telling.emit(), tallies: tallies(seen), sessions: Mutex::new(sessions) };
        (work.emit)(start(seen, removals, false));
        for stage in 0..STAGES.len() {
            let batch: Vec<_> = removals.iter().filter(|(_, removal)| removal.stage == stage).collect();
            if !batch.is_empty() && code != Code::Interrupted {
                code = code.combine(work.stage(stage, &batch).await);
            }
        }
        if code != Code::Interrupted {
            code = code.combine(work.look_again(|seen| self.removals(seen, swarm), removals).await);
        }
        let (hosts, ms) = ([work.tallies, lost].concat(), millis(started));
        (work.emit)(Event::RunFinished { hosts, ms, code: code.number() });
        drop(work.emit);
        telling.finish(world.show.paint);
        world.terminal.restore();
        join_all(seen.iter().map(|seen| seen.session.close())).await;
        code
    }

    /// The command that goes on from here.
    fn again(&self, global: &Global) -> Vec<String> {
        let mut words = vec!["skep".to_owned(), "down".to_owned()];
        words.extend(global.way_in());
        if self.limit != "all" {
            words.extend(["--limit".to_owned(), self.limit.clone()]);
        }
        let flags = [("--volumes", self.volumes), ("--images", self.images), ("--yes", self.yes)];
        words.extend(flags.into_iter().filter(|(_, said)| *said).map(|(flag, _)| flag.to_owned()));
        words
    }
}

/// The removal under way.
struct Work<'a> {
    seen: &'a [Seen],
    world: &'a World,
    emit: Emit,
    tallies: Vec<Tally>,
    sessions: Mutex<Vec<Arc<dyn Session>>>,
}

impl Work<'_> {
    /// One stage on all its hosts at once; the removals of one host one after another. Ctrl-C ends what runs.
    async fn stage(&mut self, stage: usize, batch: &[&(usize, Removal)]) -> Code {
        let (id, since) = (STAGES[stage].0, Instant::now());
        (self.emit)(stage_started(self.seen, stage, batch));
        batch.iter().for_each(|(nth, removal)| (self.emit)(removal.event(&self.seen[*nth].host.name)));
        let hosts: Vec<usize> = hosts(batch);
        let all = join_all(hosts.iter().map(|nth| {
            let commands = batch.iter().filter(|(of, _)| of == nth).map(|(_, removal)| &removal.command);
            self.apply(id, &self.seen[*nth], commands.collect())
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
        (self.emit)(Event::StepFinished { step: id.into(), ms: millis(since) });
        self.interrupted(code)
    }

    fn interrupted(&self, code: Code) -> Code {
        if !*self.world.cancel().borrow() {
            return code;
        }
        (self.emit)(Event::Interrupted);
        Code::Interrupted
    }

    /// What was to be removed and is still there, or there again.
    async fn look_again(
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
        let looks = touched.iter().map(|nth| look(self.seen[*nth].host.clone(), self.seen[*nth].session.clone()));
        let mut code = Code::Settled;
        for (nth, looked) in touched.iter().zip(join_all(looks).await) {
            let failed = match looked {
                Ok(seen) => still(&left(&[Seen { meant: true, ..seen }])),
                Err(why) => Some(Failed::said(why.to_string())),
            };
            code = code.combine(if failed.is_some() { Code::Failed } else { Code::Settled });
            self.finish(&step, *nth, failed, Outcome::Unchanged, since);
        }
        (self.emit)(Event::StepFinished { step, ms: millis(since) });
        code
    }

    fn finish(&mut self, step: &str, nth: usize, failed: Option<Failed>, well: Outcome, since: Instant) {
        let (tally, ms) = (&mut self.tallies[nth], millis(since));
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
    async fn apply(&self, step: &str, seen: &Seen, commands: Vec<&Command>) -> Option<Failed> {
        for command in commands {
            let ended = self.locked(step, seen, command).await;
            if let Some(failed) = failed(command, ended) {
                return Some(failed);
            }
        }
        None
    }

    /// Whoever holds the lock is waited for. What was seen before that may be gone then, or other; but it is named by its id.
    async fn locked(&self, step: &str, seen: &Seen, command: &Command) -> Result<Output, Lost> {
        let locked = lock::under(command.clone().by(works_as(&seen.host, None, None)), &who());
        loop {
            let (live, deadline) = (Some(self.live(step, &seen.host.name)), Some(REMOVAL));
            match seen.session.exec(Exec { live, deadline, ..Exec::new(&locked) }).await {
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

async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> Result<Seen, Failure> {
    let remains = remains::look(&host, &*session).await?;
    Ok(Seen { host, session, remains, meant: false })
}

/// What was seen, where, and what that means for the swarm.
fn sorted(found: Fleet<Seen>, meant: &[Arc<Host>]) -> (Vec<Seen>, Swarm) {
    let whole = found.lost.is_empty();
    let is_meant = |host: &Host| meant.iter().any(|meant| meant.name == host.name);
    let seen: Vec<_> = found.answers.into_iter().map(|(host, seen)| Seen { meant: is_meant(&host), ..seen }).collect();
    let swarm = Swarm::of(&seen, whole);
    (seen, swarm)
}

impl Swarm {
    /// It goes where a manager says that it runs nothing, or where every host was seen and none commands it.
    fn of(seen: &[Seen], whole: bool) -> Self {
        let remains = || seen.iter().map(|seen| &seen.remains);
        let mut services: Vec<_> = remains().flat_map(Remains::services).map(str::to_owned).collect();
        services.sort_unstable();
        services.dedup();
        let known = remains().any(Remains::knows_services) || (whole && !remains().any(Remains::manages));
        match (services.is_empty(), known || !remains().any(Remains::is_in_swarm)) {
            (false, _) => Self::Serves(services),
            (true, true) => Self::Goes,
            (true, false) => Self::Unknown,
        }
    }

    /// Says why it stays, where it does.
    fn tell(&self, paint: Paint) {
        let (text, hint) = match self {
            Self::Goes => return,
            Self::Serves(services) => {
                let hint = format!("to let it go too, first docker service rm {}", services.join(" "));
                (format!("The swarm stays: it runs services ({})", services.join(", ")), hint)
            }
            Self::Unknown => {
                let hint = "run it again when a manager answers; to let it go all the same, on each host: docker swarm leave --force";
                ("The swarm stays: no manager could be asked what it runs".to_owned(), hint.to_owned())
            }
        };
        let _ = writeln!(io::stderr(), "{text}\n\n{} {hint}", paint.hint("hint:"));
    }
}

/// The events of a plan, from beginning to end.
fn told(seen: &[Seen], removals: &[(usize, Removal)], code: Code) -> Vec<Event> {
    let mut events = vec![start(seen, removals, true)];
    for stage in 0..STAGES.len() {
        let batch: Vec<_> = removals.iter().filter(|(_, removal)| removal.stage == stage).collect();
        if !batch.is_empty() {
            events.push(stage_started(seen, stage, &batch));
            events.extend(batch.iter().map(|(nth, removal)| removal.event(&seen[*nth].host.name)));
        }
    }
    let code = code.combine(if removals.is_empty() { Code::Settled } else { Code::Changes });
    events.push(Event::RunFinished { hosts: tallies(seen), ms: 0, code: code.number() });
    events
}

fn start(seen: &[Seen], removals: &[(usize, Removal)], plan: bool) -> Event {
    let mut stages: Vec<usize> = removals.iter().map(|(_, removal)| removal.stage).collect();
    stages.dedup();
    let hosts = seen.iter().filter(|seen| seen.meant).map(|seen| seen.host.name.clone()).collect();
    let run = format!("down-{}", std::process::id());
    Event::RunStarted { run, playbook: "The way back".into(), hosts, steps: stages.len(), plan }
}

fn stage_started(seen: &[Seen], stage: usize, batch: &[&(usize, Removal)]) -> Event {
    let (id, name) = STAGES[stage];
    let hosts = hosts(batch).into_iter().map(|nth| seen[nth].host.name.clone()).collect();
    Event::StepStarted { play: "down".into(), step: id.into(), name: name.into(), hosts }
}

fn hosts(batch: &[&(usize, Removal)]) -> Vec<usize> {
    let mut hosts: Vec<usize> = batch.iter().map(|(nth, _)| *nth).collect();
    hosts.dedup();
    hosts
}

fn tallies(seen: &[Seen]) -> Vec<Tally> {
    seen.iter().map(|seen| Tally { host: seen.host.name.clone(), ..Tally::default() }).collect()
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
