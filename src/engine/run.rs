//! A run: every step's turn, one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::job::{Ended, Job, State};
use super::turns::{Turn, turns};
use super::{Crew, Emit, Options, World, ahead, leader, look, mask, preview, rounds};
use crate::actions::{Target, works_as};
use crate::event::{Event, Outcome, Tally};
use crate::inventory::Host;
use crate::playbook::{Known, Playbook, ResolveError, Scope, Vars, World as Ground};
use crate::reads::{Machine, Readings, Wanted};
use crate::remote::Connect;
use crate::remote::refusal::parted;

/// What is to be run.
pub struct Order {
    /// The playbook.
    pub playbook: Arc<Playbook>,
    /// The ids of the steps to take, in its order.
    pub steps: Vec<String>,
    /// Every host of the inventory, in its order.
    pub hosts: Vec<Arc<Host>>,
    /// Variables of `-e`.
    pub extra: Vars,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) world: World,
    playbook: &'a Playbook,
    ground: Arc<Ground>,
    guess: Arc<Known>,
}

/// Runs `order` to its end and says the exit code: 0 as asked, 1 a step failed, 3 a host could not be reached (and nothing
/// worse), 10 a plan has changes, 130 interrupted.
pub async fn run(
    order: &Order,
    connect: Arc<dyn Connect>,
    options: Options,
    emit: Emit,
    cancel: watch::Receiver<bool>,
) -> u8 {
    let emit = mask::masking(emit);
    let crew = Crew::new(connect, &order.hosts, options.forks, options.wait, emit.clone());
    let world = World::new(order.hosts.clone(), options, crew, emit, cancel);
    let ground = Ground::new(&order.playbook, order.hosts.clone(), order.extra.clone());
    let guess = Arc::new(guessed(&order.hosts));
    let run = Run { world, playbook: &order.playbook, ground, guess };
    let code = run.all(&order.steps).await;
    run.world.crew.close().await;
    code
}

impl Run<'_> {
    async fn all(&self, ids: &[String]) -> u8 {
        let turns = turns(self.playbook, ids, |play| self.play_size(play));
        let hosts = self.concerned(&turns);
        self.world.tell(Event::RunStarted {
            run: self.world.options.run.clone(),
            playbook: self.playbook.name.clone(),
            hosts: hosts.iter().cloned().collect(),
            steps: ids.len(),
            plan: self.world.options.plan,
        });
        tokio::select! {
            () = self.turns(&turns, &hosts) => {}
            () = self.interruption() => {}
        }
        self.end(&hosts)
    }

    async fn turns(&self, turns: &[Turn<'_>], hosts: &BTreeSet<String>) {
        self.begin(turns, hosts).await;
        let mut dirty = None;
        for at in 0..turns.len() {
            if self.world.cancelled() || (self.world.options.fail_fast && self.failed()) {
                return;
            }
            self.turn(turns, at, &mut dirty).await;
        }
    }

    /// Logs in everywhere and, in the same breath, asks what all steps will want to know.
    async fn begin(&self, turns: &[Turn<'_>], hosts: &BTreeSet<String>) {
        let mut wanted = ahead::facts(&self.world, hosts);
        wanted.extend(ahead::wanted(self, turns, hosts));
        look::fetch(&self.world, wanted).await;
        self.keep_facts();
    }

    async fn turn(&self, turns: &[Turn<'_>], at: usize, dirty: &mut Option<String>) {
        let (turn, started) = (turns[at], Instant::now());
        let ahead = |hosts: &BTreeSet<String>| -> Vec<Wanted> { ahead::wanted(self, &turns[at..], hosts) };
        leader::find(&self.world, &ahead).await;
        let hosts = self.present(&turn);
        let step = turn.step.id.clone();
        self.world.tell(Event::StepStarted {
            play: turn.play.name.clone(),
            step: step.clone(),
            name: turn.step.name.clone(),
            hosts: hosts.iter().map(|host| host.name.clone()).collect(),
        });
        let mut jobs = self.jobs(&turn, &hosts, dirty.as_deref());
        match self.world.options.plan {
            true => preview::preview(&self.world, &mut jobs, &ahead, dirty).await,
            false => rounds::converge(&self.world, &mut jobs, &ahead).await,
        }
        self.settle(&jobs);
        self.world.tell(Event::StepFinished { step, ms: started.elapsed().as_millis() as u64 });
    }

    /// The jobs of a turn; a host on which the step cannot be evaluated, or for which it is not meant, is told of.
    fn jobs(&self, turn: &Turn<'_>, hosts: &[Arc<Host>], dirty: Option<&str>) -> Vec<Job> {
        let mut jobs = Vec::new();
        let leader = self.world.leader();
        for host in hosts {
            let scope = Scope::new(&self.ground, &self.world.known(), host, turn.play);
            match turn.jobs(&scope, host, &self.target(host, leader.as_deref())) {
                Ok(more) if more.is_empty() => self.skipped(turn, host, dirty),
                Ok(more) => jobs.extend(more),
                Err(error) => self.unresolved(turn, host, &error, dirty),
            }
        }
        for job in &jobs {
            let (step, host, item) = (turn.step.id.clone(), job.owner.name.clone(), job.item.clone());
            self.world.tell(Event::JobStarted { step, host, item });
        }
        jobs
    }

    /// Not meant for this host. In a plan that may be so only until an earlier step has registered something.
    fn skipped(&self, turn: &Turn<'_>, host: &Host, dirty: Option<&str>) {
        let message = dirty.map(|step| format!("not for this host as it is now, looked at again after {step}"));
        let ended = Ended { outcome: Some(Outcome::Skipped), message, ..Ended::default() };
        finish(&self.world, &turn.step.id, &host.name, None, &ended, 0);
    }

    /// What is undefined at its turn is an error; in a plan it may be what an earlier step would have found out.
    fn unresolved(&self, turn: &Turn<'_>, host: &Host, error: &ResolveError, dirty: Option<&str>) {
        let ended = match (error, dirty) {
            (ResolveError::Undefined { name, .. }, Some(step)) if self.world.options.plan => {
                preview::unknown(&format!("`{name}` is known after {step}"))
            }
            _ => Ended::failed(error.error().to_string(), None),
        };
        finish(&self.world, &turn.step.id, &host.name, None, &ended, 0);
        if ended.outcome == Some(Outcome::Failed) && !turn.step.ignore_errors {
            self.world.leave(&host.name, &format!("{} failed", turn.step.id));
        }
    }

    /// Whoever failed leaves the run; what was registered is kept.
    fn settle(&self, jobs: &[Job]) {
        for job in jobs {
            let State::Ended(ended) = &job.state else { continue };
            if let (Some(name), Some(output)) = (&job.manner.register, &ended.shown) {
                self.world.learn(|known| known.register(&job.owner.name, name, output));
            }
            let why = match ended.outcome {
                Some(Outcome::Failed) if !job.manner.ignore_errors => format!("{} failed", job.manner.step),
                Some(Outcome::Unreachable) => ended.message.clone().unwrap_or_default(),
                _ => continue,
            };
            self.world.leave(&job.owner.name, &why);
        }
    }

    /// First Ctrl-C: what runs is ended, and the steps under way get a moment to say so.
    async fn interruption(&self) {
        self.world.cancellation().await;
        self.world.tell(Event::Interrupted);
        self.world.crew.interrupt().await;
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    }

    fn end(&self, hosts: &BTreeSet<String>) -> u8 {
        let tallies: Vec<Tally> =
            self.world.tallies().into_iter().filter(|tally| hosts.contains(&tally.host)).collect();
        let code = code(&tallies, self.world.options.plan, self.world.cancelled());
        let ms = self.world.started.elapsed().as_millis() as u64;
        self.world.tell(Event::RunFinished { hosts: tallies, ms, code });
        code
    }

    fn failed(&self) -> bool {
        self.world.tallies().iter().any(|tally| tally.failed > 0 || tally.unreachable)
    }

    fn keep_facts(&self) {
        let store = self.world.store();
        let user = |name: &str| self.world.host(name).map(|host| works_as(host, None, None)).unwrap_or_default();
        let seen = Readings::new(&store, &user);
        for host in &self.world.hosts {
            if let Some(machine) = seen.machine(&host.name).is() {
                self.world.learn(|known| drop(known.facts.insert(host.name.clone(), facts(machine))));
            }
        }
    }

    // Who and where.

    pub(super) fn target(&self, host: &Arc<Host>, leader: Option<&str>) -> Target {
        Target {
            host: host.clone(),
            hosts: self.world.hosts.clone(),
            leader: leader.map(str::to_owned),
            folder: self.playbook.folder.clone(),
        }
    }

    /// What a step would see if the machines were as guessed.
    pub(super) fn guess(&self, turn: &Turn<'_>, host: &Arc<Host>, leader: Option<&str>) -> Scope {
        let mut known = (*self.world.known()).clone();
        for (name, facts) in &self.guess.facts {
            known.facts.entry(name.clone()).or_insert_with(|| facts.clone());
        }
        known.leader = leader.map(str::to_owned);
        Scope::new(&self.ground, &Arc::new(known), host, turn.play)
    }

    /// The hosts of a turn, in inventory order.
    pub(super) fn placed(&self, turn: &Turn<'_>, leader: Option<&str>) -> Result<Vec<Arc<Host>>, ResolveError> {
        let mut known = (*self.world.known()).clone();
        known.leader = leader.map(str::to_owned).or_else(|| self.first_manager());
        let pattern = turn.step.hosts.as_ref().unwrap_or(&turn.play.hosts);
        let scope = Scope::without_host(&self.ground, &Arc::new(known));
        Ok(self.allowed(turn.in_batch(scope.hosts(pattern)?)))
    }

    fn present(&self, turn: &Turn<'_>) -> Vec<Arc<Host>> {
        let gone = self.world.gone();
        let placed = self.placed(turn, self.world.leader().as_deref()).unwrap_or_default();
        placed.into_iter().filter(|host| !gone.contains(&host.name)).collect()
    }

    fn first_manager(&self) -> Option<String> {
        leader::managers(&self.world.hosts).next().map(|host| host.name.clone())
    }

    fn allowed(&self, hosts: Vec<Arc<Host>>) -> Vec<Arc<Host>> {
        match &self.world.options.limit {
            Some(limit) => hosts.into_iter().filter(|host| limit.contains(&host.name)).collect(),
            None => hosts,
        }
    }

    fn play_size(&self, play: &crate::playbook::Play) -> usize {
        let scope = Scope::without_host(&self.ground, &self.guess);
        scope.hosts(&play.hosts).map(|hosts| hosts.len()).unwrap_or_default()
    }

    /// Every host that some turn may take place on.
    fn concerned(&self, turns: &[Turn<'_>]) -> BTreeSet<String> {
        let placed = turns.iter().flat_map(|turn| self.placed(turn, None).unwrap_or_default());
        placed.map(|host| host.name.clone()).collect()
    }
}

/// Tells how a job ended, and counts it.
pub(super) fn finish(world: &World, step: &str, host: &str, item: Option<&str>, ended: &Ended, ms: u64) {
    let outcome = ended.outcome.unwrap_or(Outcome::Failed);
    world.count(host, |tally| count(tally, outcome, ms));
    // What was refused on the way says itself what to do about it.
    let (message, remedy) = ended.message.as_deref().map(parted).unzip();
    world.tell(Event::JobFinished {
        step: step.to_owned(),
        host: host.to_owned(),
        item: item.map(str::to_owned),
        outcome,
        message: message.map(str::to_owned),
        command: ended.command.clone(),
        stderr: ended.stderr.clone(),
        hint: remedy.flatten().map(str::to_owned).or(ended.hint.clone()),
        ms,
    });
}

fn count(tally: &mut Tally, outcome: Outcome, ms: u64) {
    tally.ms += ms;
    match outcome {
        Outcome::Unchanged => tally.unchanged += 1,
        Outcome::Changed => tally.changed += 1,
        Outcome::Failed => tally.failed += 1,
        Outcome::Skipped => tally.skipped += 1,
        Outcome::Unreachable => tally.unreachable = true,
    }
}

fn code(tallies: &[Tally], plan: bool, cancelled: bool) -> u8 {
    match () {
        () if cancelled => 130,
        () if tallies.iter().any(|tally| tally.failed > 0) => 1,
        () if tallies.iter().any(|tally| tally.unreachable) => 3,
        () if plan && tallies.iter().any(|tally| tally.changed > 0) => 10,
        () => 0,
    }
}

/// What expressions may know of a machine: what does not change while it runs.
fn facts(machine: &Machine) -> serde_json::Value {
    serde_json::json!({
        "cores": machine.cores,
        "memory_mib": machine.memory,
        "hostname": machine.hostname,
        "architecture": machine.architecture,
        "os": machine.id,
        "os_version": machine.version,
        "codename": machine.codename,
    })
}

/// Facts that stand in for those not read yet, so that what is to be read can be told. Nothing is decided by them.
fn guessed(hosts: &[Arc<Host>]) -> Known {
    let machine = Machine { cores: 2, memory: 4096, ..Machine::default() };
    let facts: BTreeMap<_, _> = hosts.iter().map(|host| (host.name.clone(), facts(&machine))).collect();
    Known { facts, ..Known::default() }
}
