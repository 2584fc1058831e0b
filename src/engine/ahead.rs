//! What the steps ahead will want to read, as far as it can be told: the prefetch.
//!
//! Nothing is decided here. A step that cannot be evaluated yet is left out, facts that are not known yet are guessed, and
//! while no leader is known every manager is taken for it: a wrong guess costs a needless reading, no more.

use std::collections::BTreeSet;

use super::run::Run;
use super::turns::Turn;
use super::{World, leader};
use crate::reads::Wanted;

/// The reads of `turns` on `hosts`.
pub fn wanted(run: &Run<'_>, turns: &[Turn<'_>], hosts: &BTreeSet<String>) -> Vec<Wanted> {
    if !run.world.options.batched {
        return Vec::new();
    }
    let mut wanted: BTreeSet<Wanted> = leader::wanted(&run.world.inventory.hosts);
    for candidate in candidates(&run.world) {
        for turn in turns {
            of_turn(run, turn, candidate.as_deref(), &mut wanted);
        }
    }
    wanted.into_iter().filter(|wanted| hosts.contains(&wanted.host)).collect()
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

fn of_turn(run: &Run<'_>, turn: &Turn<'_>, leader: Option<&str>, wanted: &mut BTreeSet<Wanted>) {
    let Ok(hosts) = run.placed(turn, leader) else { return };
    for host in run.present(&hosts) {
        let sight = run.world.foresight();
        let scope = run.guess(turn, &host, leader).seeing(sight.clone());
        let jobs = turn.jobs(&scope, &host, &run.target(&host, leader));
        wanted.extend(sight.lacking());
        let Ok(jobs) = jobs else { continue };
        let store = run.world.store();
        wanted.extend(jobs.iter().flat_map(|job| job.missing(&store)));
    }
}
