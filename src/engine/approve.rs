//! What removes or replaces something is asked about first.

use super::World;
use super::job::{Ended, Job};
use crate::actions::Change;

/// Ends the jobs whose removals were not allowed. `planned` runs beside `jobs`.
pub async fn approve(world: &World, jobs: &mut [Job], planned: &mut [Option<&mut Vec<Change>>]) {
    let removals: Vec<String> =
        jobs.iter().zip(planned.iter()).flat_map(|(job, changes)| told(job, changes.as_deref())).collect();
    if removals.is_empty() || world.options.yes {
        return;
    }
    let ask = world.options.ask.clone();
    let allowed = tokio::task::spawn_blocking(move || ask(&removals)).await.unwrap_or(false);
    if allowed {
        return;
    }
    for (job, changes) in jobs.iter_mut().zip(planned) {
        let removals = told(job, changes.as_deref());
        if !removals.is_empty() {
            job.end(Ended::failed(
                format!("not allowed to remove or replace anything: {}", removals.join("; ")),
                Some("look at it with `skep plan`, then run again with --yes".to_owned()),
            ));
        }
    }
}

fn told(job: &Job, changes: Option<&Vec<Change>>) -> Vec<String> {
    let removing = changes.into_iter().flatten().filter(|change| change.removes);
    removing.map(|change| format!("{}: {} ({})", job.owner.name, change.does.masked(), change.why)).collect()
}
