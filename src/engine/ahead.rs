//! What the steps ahead will want to read, as far as it can be told: the prefetch.
//!
//! Nothing is decided here. A step that cannot be evaluated yet is left out, facts that are not known yet are guessed, and
//! while no leader is known every manager is taken for it: a wrong guess costs a needless reading, no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::run::Run;
use super::turns::{Resolved, Turn};
use super::{World, leader};
use crate::playbook::{Alike, Known, Scope, Unresolved};
use crate::reads::{Read, Wanted};

/// How many turns are looked ahead to at least.
const NEAR: usize = 64;

/// How long nothing has changed: the longer, the farther it is worth looking ahead. A change makes all that was read stale, so
/// where each step is one, to read for a thousand steps each time would be read in vain.
#[derive(Default)]
pub struct Calm {
    /// The epoch that now is, and the turn that it was met at.
    since: Option<(u64, usize)>,
}

impl Calm {
    /// How many turns to look ahead to from this one on, in that epoch.
    pub fn far(&mut self, at: usize, epoch: u64) -> usize {
        let (_, since) = *self.since.insert(self.since.filter(|(known, _)| *known == epoch).unwrap_or((epoch, at)));
        NEAR.max(4 * (at - since))
    }
}

/// The reads of `turns` on `hosts`.
pub fn wanted(run: &Run<'_>, turns: &[Turn<'_>], hosts: &BTreeSet<String>) -> Vec<Wanted> {
    everywhere(run, turns).into_iter().filter(|wanted| hosts.contains(&wanted.host)).collect()
}

/// The reads of `turns` on whichever host: whoever leads is looked for on hosts that a run need not be about, and an image or a
/// file may come from such a one.
pub fn everywhere(run: &Run<'_>, turns: &[Turn<'_>]) -> BTreeSet<Wanted> {
    if !run.world.options.batched {
        return BTreeSet::new();
    }
    let mut wanted: BTreeSet<Wanted> = leader::wanted(&run.world.inventory.hosts);
    for candidate in candidates(&run.world) {
        let known = run.guess(candidate.as_deref());
        for turn in turns {
            of_turn(run, turn, &known, &mut wanted);
        }
    }
    wanted
}

fn candidates(world: &World) -> Vec<Option<String>> {
    match world.leader() {
        Some(leader) => vec![Some(leader)],
        None => {
            let managers: Vec<_> =
                leader::managers(&world.inventory.hosts).map(|host| Some(host.name.clone())).collect();
            if managers.is_empty() { vec![None] } else { managers }
        }
    }
}

fn of_turn(run: &Run<'_>, turn: &Turn<'_>, known: &Arc<Known>, wanted: &mut BTreeSet<Wanted>) {
    let leader = known.leader.as_deref();
    let Ok(hosts) = run.placed(turn, leader) else { return };
    let mut alike = Alike::default();
    for host in run.present(&hosts) {
        let scope = Scope::new(&run.ground, known, &host, turn.play);
        let (resolved, lacking) = &*alike.on(scope, |scope| foreseen(run, turn, scope));
        wanted.extend(lacking.iter().cloned());
        let Ok(resolved) = resolved else { continue };
        let (store, target) = (run.world.store(), run.target(&host, leader));
        let missing = resolved.jobs(&host, &target).flat_map(|job| job.missing(&store));
        wanted.extend(missing.filter(|wanted| store.epoch() == 0 || !is_elsewhere(&wanted.read)));
    }
}

/// Each change makes it stale, and whoever is asked may be far away, or counts how often.
fn is_elsewhere(read: &Read) -> bool {
    matches!(read, Read::Probe(probe) if probe.elsewhere)
}

/// What a step comes to as far as it can be told, and what its expressions lack.
fn foreseen(run: &Run<'_>, turn: &Turn<'_>, scope: &Scope) -> (Result<Resolved, Unresolved>, BTreeSet<Wanted>) {
    let sight = run.world.foresight();
    let resolved = turn.resolved(&scope.clone().seeing(sight.clone()));
    (resolved, sight.lacking())
}
