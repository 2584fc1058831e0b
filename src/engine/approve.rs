//! What removes or replaces something is asked about first.

use std::collections::BTreeSet;

use super::World;
use super::job::{Ended, Job};
use super::rounds::interrupted;

/// Asks about what the jobs would remove, but for what is `allowed` already, and ends those that may not. Says whether it
/// asked: while a person thinks, what was read grows old.
pub async fn approve(world: &World, jobs: &mut [Job], allowed: &mut BTreeSet<String>) -> bool {
    let removals: Vec<String> = jobs.iter().flat_map(told).filter(|removal| !allowed.contains(removal)).collect();
    if removals.is_empty() || world.options.yes {
        return false;
    }
    let (ask, asked) = (world.options.ask.clone(), removals.clone());
    match tokio::task::spawn_blocking(move || ask(&asked)).await.unwrap_or(false) {
        true => allowed.extend(removals),
        false => {
            let end = if world.cancelled() { interrupted } else { refuse };
            let asks = |job: &&mut Job| told(job).iter().any(|removal| !allowed.contains(removal));
            jobs.iter_mut().filter(asks).for_each(end);
        }
    }
    true
}

fn refuse(job: &mut Job) {
    job.end(Ended::failed(
        format!("not allowed to remove or replace anything: {}", told(job).join("; ")),
        Some("look at it with `skep plan`, then run again with --yes".to_owned()),
    ));
}

fn told(job: &Job) -> Vec<String> {
    let removing = job.planned().iter().filter(|change| change.removes);
    removing.map(|change| format!("{}: {} ({})", job.owner.name, change.does.masked(), change.why)).collect()
}
