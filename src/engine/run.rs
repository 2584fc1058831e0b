//! A run: every step's turn, one after another.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{Fuse, FusedFuture as _, FutureExt as _};
use tokio::sync::watch;

use super::ahead::{self, Calm};
use super::job::{Ended, Job, State};
use super::rolling::Rolling;
use super::sight::Sight;
use super::turns::{Turn, turns};
use super::{Crew, Emit, Options, World, facts, leader, look, mask, preview, rounds, tally};
use crate::actions::Target;
use crate::event::{Event, Outcome};
use crate::inventory::{Host, Inventory};
use crate::playbook::{Ground, Known, Playbook, Scope, Unresolved, Vars};
use crate::reads::Wanted;
use crate::remote::Connect;
use crate::vault::Vault;

/// So many turns are looked ahead to before the hosts are heard again.
const AT_ONCE: usize = 16;

/// What is to be run.
pub struct Order {
    /// The playbook.
    pub playbook: Arc<Playbook>,
    /// The ids of the steps to take, in its order.
    pub steps: Vec<String>,
    /// The whole inventory.
    pub inventory: Arc<Inventory>,
    /// Variables of `-e`.
    pub extra: Vars,
    /// The secrets that were opened.
    pub vault: Arc<Vault>,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) world: World,
    pub(super) ground: Arc<Ground>,
    pub(super) guess: Arc<Known>,
    playbook: &'a Playbook,
}

/// A host, and what the step comes to there.
type Evaluated = (Arc<Host>, Result<Vec<Job>, Unresolved>);

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
    let crew = Crew::new(connect, &order.inventory.hosts, options.forks, options.wait, emit.clone());
    let world = World::new(order.inventory.clone(), options, crew, emit, cancel);
    let ground = Ground::keeping(&order.playbook, order.inventory.clone(), order.extra.clone(), order.vault.clone());
    let guess = Arc::new(facts::guessed(&order.inventory.hosts));
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
        let mut under_way = pin!(self.turns(&turns, &hosts).fuse());
        tokio::select! {
            () = &mut under_way => {}
            () = self.world.cancellation() => {}
        }
        if self.world.cancelled() {
            self.interrupted(under_way).await;
        }
        self.end(&hosts)
    }

    async fn turns(&self, turns: &[Turn<'_>], hosts: &BTreeSet<String>) {
        self.begin(turns, hosts).await;
        let (mut dirty, mut rolling, mut calm) = (None, Rolling::default(), Calm::default());
        for at in 0..turns.len() {
            if self.world.cancelled() || (self.world.options.fail_fast && self.failed(hosts)) {
                return;
            }
            if let Some(broke) = rolling.broke(&self.world, &turns[at]) {
                return self.not_begun(&turns[at], &broke);
            }
            let far = calm.far(at, self.world.store().epoch());
            self.turn(&turns[at..turns.len().min(at + far)], &mut dirty).await;
        }
    }

    /// Logs in everywhere and, in the same breath, asks what all steps will want to know. That is worked out while the hosts
    /// answer.
    async fn begin(&self, turns: &[Turn<'_>], hosts: &BTreeSet<String>) {
        let logins = async {
            tokio::select! {
                () = self.world.crew.gather(hosts.iter().filter_map(|name| self.world.host(name))) => {}
                () = self.world.cancellation() => {}
            }
        };
        let look = async {
            let mut wanted = facts::wanted(&self.world, hosts);
            for some in turns.chunks(AT_ONCE) {
                wanted.extend(ahead::everywhere(self, some));
                tokio::task::yield_now().await;
            }
            look::fetch(&self.world, BTreeSet::new(), wanted).await;
        };
        tokio::join!(logins, look);
    }

    /// The first of these turns; the others are looked ahead to.
    async fn turn(&self, turns: &[Turn<'_>], dirty: &mut Option<String>) {
        let (turn, started) = (turns[0], Instant::now());
        let ahead = |hosts: &BTreeSet<String>| -> Vec<Wanted> { ahead::wanted(self, turns, hosts) };
        leader::find(&self.world, &ahead).await;
        let evaluated = self.evaluated(&turn, &ahead).await;
        if self.world.cancelled() {
            return;
        }
        let step = turn.step.id.clone();
        self.world.tell(Event::StepStarted {
            play: turn.play.name.clone(),
            step: step.clone(),
            name: turn.step.name.clone(),
            hosts: evaluated.iter().map(|(host, _)| host.name.clone()).collect(),
        });
        if evaluated.is_empty() {
            self.nobody_leads(&turn);
        }
        let mut jobs = self.jobs(&turn, evaluated, dirty.as_deref());
        match self.world.options.plan {
            true => preview::preview(&self.world, &mut jobs, &ahead, dirty).await,
            false => rounds::converge(&self.world, &mut jobs, &ahead).await,
        }
        self.register(&turn, &jobs);
        self.settle(&jobs);
        self.world.tell(Event::StepFinished { step, ms: started.elapsed().as_millis() as u64 });
    }

    /// The step on each of its hosts. What its expressions turn out to lack is read, and then it is evaluated anew.
    async fn evaluated(&self, turn: &Turn<'_>, ahead: rounds::Ahead<'_>) -> Vec<Evaluated> {
        let mut asked = BTreeSet::new();
        if !self.world.options.batched {
            self.world.store().clear();
        }
        loop {
            let sight = self.world.sight();
            let evaluated = self.evaluate(turn, &sight);
            let lacking: BTreeSet<Wanted> = sight.lacking().difference(&asked).cloned().collect();
            if lacking.is_empty() || self.world.cancelled() {
                return evaluated;
            }
            asked.extend(lacking.iter().cloned());
            look::for_expressions(&self.world, lacking, ahead).await;
        }
    }

    /// A step of which nobody can say where it takes place fails wherever it might.
    fn evaluate(&self, turn: &Turn<'_>, sight: &Arc<Sight>) -> Vec<Evaluated> {
        let leader = self.world.leader();
        let placed = match self.placed(turn, leader.as_deref()) {
            Ok(placed) => placed,
            Err(error) => {
                let everyone = self.present(&self.everyone()).into_iter();
                return everyone.map(|host| (host, Err(error.clone()))).collect();
            }
        };
        let on = |host: Arc<Host>| {
            let scope = Scope::new(&self.ground, &self.world.known(), &host, turn.play).seeing(sight.clone());
            let target = self.target(&host, leader.as_deref());
            let jobs = turn.resolved(&scope).map(|resolved| resolved.jobs(&host, &target).collect());
            (host, jobs)
        };
        self.present(&placed).into_iter().map(on).collect()
    }

    /// The jobs of a turn; a host on which the step cannot be evaluated, or for which it is not meant, is told of.
    fn jobs(&self, turn: &Turn<'_>, evaluated: Vec<Evaluated>, dirty: Option<&str>) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (host, evaluated) in evaluated {
            match evaluated {
                Ok(more) if more.is_empty() => self.skipped(turn, &host, dirty),
                Ok(more) => jobs.extend(more),
                Err(error) => self.unresolved(turn, &host, &error, dirty),
            }
        }
        for job in &jobs {
            let (step, host, item) = (turn.step.id.clone(), job.owner.name.clone(), job.item.clone());
            self.world.tell(Event::JobStarted { step, host, item });
        }
        jobs
    }

    /// A step for the leader is not for a host whose end was told of by its name: what becomes of it is told once more.
    fn nobody_leads(&self, turn: &Turn<'_>) {
        let placed = self.placed(turn, self.world.leader().as_deref()).unwrap_or_default();
        for host in placed.iter().filter(|_| turn.pattern().value.trim() == "leader") {
            let why = self.world.left(&host.name).unwrap_or_default();
            let message = Some(format!("not taken, for nobody leads: {} left the run ({why})", host.name));
            let ended = Ended { outcome: Some(Outcome::Skipped), message, ..Ended::default() };
            tally::finish(&self.world, &turn.step.id, &host.name, None, &ended, 0);
        }
    }

    /// Not meant for this host. In a plan that may be so only until an earlier step has registered something.
    fn skipped(&self, turn: &Turn<'_>, host: &Host, dirty: Option<&str>) {
        match dirty {
            None => self.register_none(turn.step, &host.name, Outcome::Skipped),
            Some(_) => self.forget(turn.step, &host.name),
        }
        let message = dirty.map(|step| format!("not for this host as it is now, looked at again after {step}"));
        let after = dirty.map(str::to_owned);
        let ended = Ended { outcome: Some(Outcome::Skipped), message, after, ..Ended::default() };
        tally::finish(&self.world, &turn.step.id, &host.name, None, &ended, 0);
    }

    /// What is undefined at its turn is an error; in a plan it may be what an earlier step would have found out.
    fn unresolved(&self, turn: &Turn<'_>, host: &Host, error: &Unresolved, dirty: Option<&str>) {
        let ended = match (error, dirty) {
            (Unresolved::Undefined { name, .. }, Some(step)) if self.world.options.plan => {
                preview::unknown(format!("`{name}` is known after {step}"), step)
            }
            _ => Ended::failed(error.error().to_string(), None),
        };
        let ended = Ended { ignored: turn.step.ignore_errors, ..ended };
        match ended.untold {
            false => self.register_none(turn.step, &host.name, Outcome::Failed),
            true => self.forget(turn.step, &host.name),
        }
        tally::finish(&self.world, &turn.step.id, &host.name, None, &ended, 0);
        if ended.outcome == Some(Outcome::Failed) && !turn.step.ignore_errors {
            self.world.leave(&host.name, &format!("{} failed", turn.step.id));
        }
    }

    /// Whoever failed leaves the run.
    fn settle(&self, jobs: &[Job]) {
        for job in jobs {
            let State::Ended(ended) = &job.state else { continue };
            let why = match ended.outcome {
                Some(Outcome::Failed) if !job.manner.ignore_errors => format!("{} failed", job.manner.step),
                Some(Outcome::Unreachable) => ended.message.clone().unwrap_or_default(),
                _ => continue,
            };
            self.world.leave(&job.owner.name, &why);
        }
    }

    /// First Ctrl-C: what runs is ended, and the steps under way get a moment to say so.
    async fn interrupted(&self, under_way: Pin<&mut Fuse<impl Future<Output = ()>>>) {
        self.world.tell(Event::Interrupted);
        if under_way.is_terminated() {
            return;
        }
        let ending = async {
            self.world.crew.interrupt().await;
            tokio::time::sleep(Duration::from_secs(10)).await;
        };
        tokio::select! {
            () = under_way => {}
            () = ending => {}
        }
    }

    pub(super) fn target(&self, host: &Arc<Host>, leader: Option<&str>) -> Target {
        Target {
            host: host.clone(),
            owner: host.clone(),
            inventory: self.world.inventory.clone(),
            leader: leader.map(str::to_owned),
            folder: self.playbook.folder.clone(),
            tried: false,
        }
    }

    /// What would be known if the machines were as guessed, and that host led.
    pub(super) fn guess(&self, leader: Option<&str>) -> Arc<Known> {
        let mut known = (*self.world.known()).clone();
        for (name, facts) in &self.guess.facts {
            known.facts.entry(name.clone()).or_insert_with(|| facts.clone());
        }
        known.leader = leader.map(str::to_owned);
        Arc::new(known)
    }
}
