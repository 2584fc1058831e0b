//! `skep down`: the way back.
//!
//! It looks, shows what it would remove, asks, and removes, by id, what it saw: a thing that was made anew meanwhile stays.

mod remains;
mod removal;
mod swarm;
mod told;
mod work;

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use futures::future::join_all;

use super::args::{Form, Global};
use super::fleet::{self, Fleet};
use super::show::Show;
use super::telling::Telling;
use super::world::World;
use super::{Failure, ask, panics};
use crate::event::{Code, Event, Reporter, Tally};
use crate::inventory::Host;
use crate::remote::Session;
use crate::report::{GoOn, Journal, Json, Log, Many, Plan};
use remains::Remains;
use removal::{Also, ONCE, Removal, STAGES};
use swarm::Swarm;
use work::Work;

const EXAMPLES: &str = "\
Examples:
  skep down                       shows what would go, and asks
  skep down --yes --volumes       the volumes, too: notebooks and data
  skep down --docker              Docker's packages, too; its data stay without --volumes

What goes: stacks, services and containers that skep made, their networks, the swarm if nobody
else's services run in it, the secrets and configs made for them. Volumes, images and Docker itself
stay unless they are named here.";

/// Remove what skep made, after showing it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Down {
    #[command(flatten)]
    also: Also,
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
        let stacks = stacks(&seen);
        let removals = self.removals(&seen, &stacks, &swarm);
        if code == Code::Interrupted || (removals.is_empty() && !self.plan && world.show.form == Form::Json) {
            return Ok(fleet::finish(lost, since, code, world.show)?);
        }
        swarm.tell(world.show.paint);
        self.show(&seen, &removals, code, world.show)?;
        if removals.is_empty() || self.plan {
            return Ok(code.combine(if removals.is_empty() { Code::Settled } else { Code::Changes }));
        }
        if !self.yes && !world.person.agrees("", "Remove what is shown above?") {
            writeln!(io::stderr(), "Nothing was removed.")?;
            return Ok(code.combine(if *world.cancel().borrow() { Code::Interrupted } else { Code::Failed }));
        }
        let code = self.remove(global, &seen, &removals, &swarm, &world, (code, lost)).await;
        self.tell_stays(&seen, world.show.form)?;
        Ok(code)
    }

    /// Says what is left, since nothing will lead to it once the containers are gone.
    fn tell_stays(&self, seen: &[Seen], form: Form) -> io::Result<()> {
        let (mut out, stacks) = (io::stdout().lock(), stacks(seen));
        for seen in seen.iter().filter(|seen| seen.meant && form != Form::Json) {
            for what in seen.remains.stays(&stacks, self.also) {
                writeln!(out, "Stays on {}: {what}", seen.host.name)?;
            }
        }
        Ok(())
    }

    /// What goes, stage by stage, each with the number of its host.
    fn removals(&self, seen: &[Seen], stacks: &BTreeSet<String>, swarm: &Swarm) -> Vec<(usize, Removal)> {
        let all = seen.iter().enumerate().filter(|(_, seen)| seen.meant).flat_map(|(nth, seen)| {
            let removals = seen.remains.removals(stacks, swarm, self.also);
            removals.into_iter().map(move |removal| (nth, removal))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(nth, removal)| (removal.stage, *nth));
        // Every manager sees the swarm's services and networks; one of them removes them.
        let mut known = HashSet::new();
        all.retain(|(_, removal)| !ONCE.contains(&removal.stage) || known.insert(removal.command.masked()));
        all
    }

    fn show(&self, seen: &[Seen], removals: &[(usize, Removal)], code: Code, show: Show) -> io::Result<()> {
        let mut plan = match show.form {
            Form::Json if !self.plan => return Ok(()),
            Form::Json => Many::default().with(Json::new(io::stdout())),
            Form::Human | Form::Plain => Many::default().with(Plan::new(io::stdout(), show.paint, show.detail)),
        };
        told::plan(seen, removals, code).iter().try_for_each(|event| plan.on_event(event))
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
        let (started, emit) = (Instant::now(), telling.emit());
        emit(told::start(seen, removals, false));
        let mut work = Work::new(seen, world, emit.clone());
        for stage in 0..STAGES.len() {
            let batch: Vec<_> = removals.iter().filter(|(_, removal)| removal.stage == stage).collect();
            if !batch.is_empty() && code != Code::Interrupted {
                code = code.combine(work.stage(stage, &batch).await);
            }
        }
        if code != Code::Interrupted {
            let stacks = stacks(seen);
            code = code.combine(work.look_again(|seen| self.removals(seen, &stacks, swarm), removals).await);
        }
        let undone = undone(seen, removals, &work);
        let (hosts, ms) = ([work.ended(), lost].concat(), told::millis(started));
        emit(Event::RunFinished { hosts, ms, code: code.number() });
        drop(emit);
        telling.finish(world.show.paint);
        world.terminal.restore();
        undone.iter().for_each(|line| drop(writeln!(io::stderr(), "{line}")));
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
        words.extend(self.also.flags().map(str::to_owned));
        words.extend(self.yes.then(|| "--yes".to_owned()));
        words
    }
}

async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> Result<Seen, Failure> {
    let remains = remains::look(&host, &*session).await?;
    Ok(Seen { host, session, remains, meant: false })
}

/// What was seen, where, and what that means for the swarm.
fn sorted(found: Fleet<Seen>, meant: &[Arc<Host>]) -> (Vec<Seen>, Swarm) {
    let whole = found.lost.is_empty();
    let is_meant = |host: &Host| meant.iter().any(|meant| meant.name == host.name);
    let lost: Vec<String> =
        found.lost.iter().filter(|(host, _)| !is_meant(host)).map(|(host, _)| host.name.clone()).collect();
    let seen: Vec<_> = found.answers.into_iter().map(|(host, seen)| Seen { meant: is_meant(&host), ..seen }).collect();
    let swarm = Swarm::of(&seen, whole, &lost);
    (seen, swarm)
}

/// What is left to be removed and what the next run would not find, for what led to it is gone: a line a host.
fn undone(seen: &[Seen], removals: &[(usize, Removal)], work: &Work<'_>) -> Vec<String> {
    if !removals.iter().any(|(_, removal)| work.has_done(removal)) {
        return Vec::new();
    }
    let left = |nth: usize| {
        let of_host = removals.iter().filter(|(of, _)| *of == nth).map(|(_, removal)| removal);
        let left = of_host.filter(|removal| removal.is_forgotten() && !work.has_done(removal));
        left.map(|removal| removal.command.masked()).collect::<Vec<_>>().join("; ")
    };
    let lines = seen.iter().enumerate().map(|(nth, seen)| (&seen.host.name, left(nth)));
    let lines = lines.filter(|(_, left)| !left.is_empty());
    lines.map(|(host, left)| format!("Left on {host}, and found by no other run: {left}")).collect()
}

/// The stacks that skep deployed, as the managers tell.
fn stacks(seen: &[Seen]) -> BTreeSet<String> {
    seen.iter().flat_map(|seen| seen.remains.stacks()).map(str::to_owned).collect()
}
