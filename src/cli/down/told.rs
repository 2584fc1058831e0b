//! The events of the way back: the same for a plan and for what is done.

use std::time::Instant;

use super::Seen;
use super::removal::{Removal, STAGES};
use crate::event::{Code, Event, Tally};

/// The events of a plan, from beginning to end.
pub(super) fn plan(seen: &[Seen], removals: &[(usize, Removal)], code: Code) -> Vec<Event> {
    let mut events = vec![start(seen, removals, true)];
    for stage in 0..STAGES.len() {
        let batch: Vec<_> = removals.iter().filter(|(_, removal)| removal.stage == stage).collect();
        if !batch.is_empty() {
            events.push(begun(seen, stage, &batch));
            events.extend(batch.iter().map(|(nth, removal)| removal.event(&seen[*nth].host.name)));
        }
    }
    let code = code.combine(if removals.is_empty() { Code::Settled } else { Code::Changes });
    events.push(Event::RunFinished { hosts: tallies(seen), ms: 0, code: code.number() });
    events
}

/// The first event.
pub(super) fn start(seen: &[Seen], removals: &[(usize, Removal)], plan: bool) -> Event {
    let mut stages: Vec<usize> = removals.iter().map(|(_, removal)| removal.stage).collect();
    stages.dedup();
    let hosts = seen.iter().filter(|seen| seen.meant).map(|seen| seen.host.name.clone()).collect();
    let run = format!("down-{}", std::process::id());
    Event::RunStarted { run, playbook: "The way back".into(), hosts, steps: stages.len(), plan }
}

/// The event of a stage that begins.
pub(super) fn begun(seen: &[Seen], stage: usize, batch: &[&(usize, Removal)]) -> Event {
    let (id, name) = STAGES[stage];
    let hosts = hosts(batch).into_iter().map(|nth| seen[nth].host.name.clone()).collect();
    Event::StepStarted { play: "down".into(), step: id.into(), name: name.into(), hosts }
}

/// The numbers of the hosts that a stage has something on.
pub(super) fn hosts(batch: &[&(usize, Removal)]) -> Vec<usize> {
    let mut hosts: Vec<usize> = batch.iter().map(|(nth, _)| *nth).collect();
    hosts.dedup();
    hosts
}

/// Nothing counted yet.
pub(super) fn tallies(seen: &[Seen]) -> Vec<Tally> {
    seen.iter().map(|seen| Tally { host: seen.host.name.clone(), ..Tally::default() }).collect()
}

/// Since when, as events have it.
pub(super) fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
