//! `skep down`: the way back.
//!
//! It looks, shows what it would remove, asks, and removes, by id, what it saw: a thing that was made anew meanwhile stays.

mod remains;

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use futures::future::join_all;

use super::args::{Form, Global};
use super::fleet::{self, Reached};
use super::world::World;
use super::{ask, panics, signals};
use crate::actions::works_as;
use crate::event::{Code, Event, Outcome, Reporter, Tally};
use crate::inventory::Host;
use crate::remote::{Command, Exec, Session};
use crate::report::{GoOn, Journal, Json, Many, Paint, Plan};
use remains::{Remains, Removal, STAGES};

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
}

impl Down {
    /// Removes.
    ///
    /// # Errors
    /// Bad input, or a host whose Docker does not answer.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let world = World::open(global)?;
        let hosts = world.select(&self.limit)?;
        world.check(&hosts).await?;
        let mut cancel = world.cancel();
        let found = tokio::select! {
            found = fleet::each(&hosts, global.forks, world.login(), look) => found,
            () = signals::cancelled(&mut cancel) => return Ok(Code::Interrupted),
        };
        fleet::tell_lost(&found, world.show.paint);
        let (seen, lost) = sorted(found)?;
        let code = if lost { Code::Unreachable } else { Code::Settled };
        let removals = self.removals(&seen);
        tell_services(&seen, world.show.paint);
        self.show(&seen, &removals, world.show.form, world.show.paint)?;
        if removals.is_empty() || self.plan {
            let changes = if removals.is_empty() { Code::Settled } else { Code::Changes };
            return Ok(code.combine(changes));
        }
        if !ask::go_on("Remove what is shown above?", self.yes, &world.terminal)? {
            return Ok(code);
        }
        let done = self.remove(&seen, &removals, &world, &mut cancel).await;
        self.tell_stays(&seen, world.show.form)?;
        Ok(code.combine(done))
    }

    /// Says what is left, since nothing will lead to it once the containers are gone.
    fn tell_stays(&self, seen: &[Seen], form: Form) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for seen in seen.iter().filter(|_| form != Form::Json) {
            for what in seen.remains.stays(self.volumes, self.images) {
                writeln!(out, "Stays on {}: {what}", seen.host.name)?;
            }
        }
        Ok(())
    }

    /// What goes, stage by stage, each with the number of its host.
    fn removals(&self, seen: &[Seen]) -> Vec<(usize, Removal)> {
        let leave = seen.iter().all(|seen| seen.remains.services().is_empty());
        let all = seen.iter().enumerate().flat_map(|(nth, seen)| {
            let removals = seen.remains.removals(leave, self.volumes, self.images);
            removals.into_iter().map(move |removal| (nth, removal))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(nth, removal)| (removal.stage, *nth));
        // Every manager sees the swarm's networks; one of them removes them.
        let mut networks = HashSet::new();
        all.retain(|(_, removal)| removal.stage != 1 || networks.insert(removal.command.masked()));
        all
    }

    fn show(&self, seen: &[Seen], removals: &[(usize, Removal)], form: Form, paint: Paint) -> io::Result<()> {
        let mut plan = match form {
            Form::Json if !self.plan => return Ok(()),
            Form::Json => Many::default().with(Json::new(io::stdout())),
            Form::Human | Form::Plain => Many::default().with(Plan::new(io::stdout(), paint)),
        };
        told(seen, removals, true).iter().try_for_each(|event| plan.on_event(event))
    }

    async fn remove(
        &self,
        seen: &[Seen],
        removals: &[(usize, Removal)],
        world: &World,
        cancel: &mut signals::Cancel,
    ) -> Code {
        let journal = Journal::new(".");
        panics::watch(&world.terminal, &journal.place());
        let go_on = GoOn { command: vec!["skep".into(), "down".into()], journal: journal.place() };
        let mut many = world.show.reporters(false, go_on, Some(journal), &world.terminal);
        let mut work = Work { seen, tallies: tallies(seen), started: Instant::now() };
        tell(&mut many, &start(seen, removals, false));
        let mut code = Code::Settled;
        for stage in 0..STAGES.len() {
            let batch: Vec<_> = removals.iter().filter(|(_, removal)| removal.stage == stage).collect();
            if batch.is_empty() || code == Code::Interrupted {
                continue;
            }
            code = code.combine(work.stage(stage, &batch, &mut many).await);
            if *cancel.borrow_and_update() {
                tell(&mut many, &Event::Interrupted);
                code = Code::Interrupted;
            }
        }
        let ms = millis(work.started);
        tell(&mut many, &Event::RunFinished { hosts: work.tallies, ms, code: code.number() });
        join_all(seen.iter().map(|seen| seen.session.close())).await;
        code
    }
}

/// The removal under way.
struct Work<'a> {
    seen: &'a [Seen],
    tallies: Vec<Tally>,
    started: Instant,
}

impl Work<'_> {
    /// One stage on all its hosts at once; the removals of one host one after another.
    async fn stage(&mut self, stage: usize, batch: &[&(usize, Removal)], many: &mut Many) -> Code {
        let since = Instant::now();
        tell(many, &stage_started(self.seen, stage, batch));
        batch.iter().for_each(|(nth, removal)| tell(many, &removal.event(&self.seen[*nth].host.name)));
        let hosts: Vec<usize> = hosts(batch);
        let ended = join_all(hosts.iter().map(|nth| {
            let commands = batch.iter().filter(|(of, _)| of == nth).map(|(_, removal)| &removal.command);
            apply(&self.seen[*nth], commands.collect())
        }))
        .await;
        let mut code = Code::Settled;
        for (nth, failed) in hosts.into_iter().zip(ended) {
            let ms = millis(since);
            self.count(nth, failed.is_some(), ms);
            code = code.combine(if failed.is_some() { Code::Failed } else { Code::Settled });
            tell(many, &finished(STAGES[stage].0, &self.seen[nth].host.name, failed, ms));
        }
        tell(many, &Event::StepFinished { step: STAGES[stage].0.into(), ms: millis(since) });
        code
    }

    fn count(&mut self, nth: usize, failed: bool, ms: u64) {
        let tally = &mut self.tallies[nth];
        tally.ms += ms;
        if failed { tally.failed += 1 } else { tally.changed += 1 }
    }
}

/// A command that failed, and what it said.
type Failed = (String, String);

async fn apply(seen: &Seen, commands: Vec<&Command>) -> Option<Failed> {
    for command in commands {
        let command = command.clone().by(works_as(&seen.host, None, None));
        match seen.session.exec(Exec::new(&command)).await {
            Ok(output) if output.ok() => {}
            Ok(output) => return Some((command.masked(), output.errors())),
            Err(lost) => return Some((command.masked(), lost.to_string())),
        }
    }
    None
}

async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> anyhow::Result<Seen> {
    let remains = remains::look(&host, &*session).await?;
    Ok(Seen { host, session, remains })
}

fn sorted(found: Vec<Reached<anyhow::Result<Seen>>>) -> anyhow::Result<(Vec<Seen>, bool)> {
    let lost = found.iter().any(|(_, found)| found.is_err());
    let seen: anyhow::Result<Vec<Seen>> = found.into_iter().filter_map(|(_, found)| found.ok()).collect();
    Ok((seen?, lost))
}

/// Says why the swarm stays, where it does.
fn tell_services(seen: &[Seen], paint: Paint) {
    let mut services: Vec<_> = seen.iter().flat_map(|seen| seen.remains.services()).collect();
    services.sort_unstable();
    services.dedup();
    if !services.is_empty() {
        let text = format!("The swarm stays: it runs services ({})", services.join(", "));
        let hint = format!("{} docker service rm {}", paint.hint("hint: to let it go too, first"), services.join(" "));
        let _ = writeln!(io::stderr(), "{text}\n\n{hint}");
    }
}

/// The events of a plan, from beginning to end.
fn told(seen: &[Seen], removals: &[(usize, Removal)], plan: bool) -> Vec<Event> {
    let mut events = vec![start(seen, removals, plan)];
    for stage in 0..STAGES.len() {
        let batch: Vec<_> = removals.iter().filter(|(_, removal)| removal.stage == stage).collect();
        if !batch.is_empty() {
            events.push(stage_started(seen, stage, &batch));
            events.extend(batch.iter().map(|(nth, removal)| removal.event(&seen[*nth].host.name)));
        }
    }
    let code = if removals.is_empty() { Code::Settled } else { Code::Changes };
    events.push(Event::RunFinished { hosts: tallies(seen), ms: 0, code: code.number() });
    events
}

fn start(seen: &[Seen], removals: &[(usize, Removal)], plan: bool) -> Event {
    let mut stages: Vec<usize> = removals.iter().map(|(_, removal)| removal.stage).collect();
    stages.dedup();
    let hosts = seen.iter().map(|seen| seen.host.name.clone()).collect();
    let run = format!("down-{}", std::process::id());
    Event::RunStarted { run, playbook: "The way back".into(), hosts, steps: stages.len(), plan }
}

fn stage_started(seen: &[Seen], stage: usize, batch: &[&(usize, Removal)]) -> Event {
    let (id, name) = STAGES[stage];
    let hosts = hosts(batch).into_iter().map(|nth| seen[nth].host.name.clone()).collect();
    Event::StepStarted { play: "down".into(), step: id.into(), name: name.into(), hosts }
}

fn finished(step: &str, host: &str, failed: Option<Failed>, ms: u64) -> Event {
    let outcome = if failed.is_some() { Outcome::Failed } else { Outcome::Changed };
    let message = failed.as_ref().map(|_| "could not be removed".to_owned());
    let (command, stderr) = failed.unzip();
    let (step, host) = (step.into(), host.into());
    Event::JobFinished { step, host, item: None, outcome, message, command, stderr, hint: None, ms }
}

fn hosts(batch: &[&(usize, Removal)]) -> Vec<usize> {
    let mut hosts: Vec<usize> = batch.iter().map(|(nth, _)| *nth).collect();
    hosts.dedup();
    hosts
}

fn tallies(seen: &[Seen]) -> Vec<Tally> {
    seen.iter().map(|seen| Tally { host: seen.host.name.clone(), ..Tally::default() }).collect()
}

fn tell(many: &mut Many, event: &Event) {
    // A display that fails is let go by `Many`, which itself never fails.
    let _ = many.on_event(event);
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
