//! How each host fared, and what exit code that makes.

use std::collections::BTreeSet;

use super::World;
use super::job::Ended;
use super::run::Run;
use crate::event::{Event, Outcome, Tally};
use crate::remote::refusal::parted;

impl Run<'_> {
    /// Tells the end of a run that was foreseen to take place on `hosts`, and says its exit code.
    pub(super) fn end(&self, hosts: &BTreeSet<String>) -> u8 {
        let tallies = self.tallies(hosts);
        let code = code(&tallies, self.world.options.plan, self.world.cancelled());
        let ms = self.world.started.elapsed().as_millis() as u64;
        self.world.tell(Event::RunFinished { hosts: tallies, ms, code });
        code
    }

    /// Those that count: the hosts of the run as foreseen, and whoever had a job or was lost although nobody foresaw that
    /// it would be needed. A host that this run may not change can only be read, and who needed that says so himself.
    fn tallies(&self, hosts: &BTreeSet<String>) -> Vec<Tally> {
        let untouched = |tally: &Tally| *tally == Tally { host: tally.host.clone(), ..Tally::default() };
        let counts = |tally: &Tally| hosts.contains(&tally.host) || !untouched(tally);
        let may_change = |tally: &Tally| self.world.may_change(&tally.host);
        self.world.tallies().into_iter().filter(|tally| counts(tally) && may_change(tally)).collect()
    }

    /// Whether somebody failed or was lost so far.
    pub(super) fn failed(&self, hosts: &BTreeSet<String>) -> bool {
        self.tallies(hosts).iter().any(|tally| tally.failed > 0 || tally.unreachable)
    }
}

/// Tells how a job ended, and counts it.
pub(super) fn finish(world: &World, step: &str, host: &str, item: Option<&str>, ended: &Ended, ms: u64) {
    let outcome = match ended.outcome.unwrap_or(Outcome::Failed) {
        Outcome::Failed if ended.ignored => Outcome::Ignored,
        outcome => outcome,
    };
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
        hint: ended.hint.clone().or(remedy.flatten().map(str::to_owned)),
        after: ended.after.clone(),
        open: ended.untold && outcome == Outcome::Unchanged,
        ms,
    });
}

fn count(tally: &mut Tally, outcome: Outcome, ms: u64) {
    tally.ms += ms;
    match outcome {
        Outcome::Unchanged => tally.unchanged += 1,
        Outcome::Changed => tally.changed += 1,
        Outcome::Ignored => tally.ignored += 1,
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
