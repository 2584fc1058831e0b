//! Whether the tasks of a stack run, and why not.

use std::collections::BTreeMap;

use crate::actions::{Plan, Target, Wait, hints};
use crate::reads::docker::{Service, Stack, Task};
use crate::reads::{Probe, Readings};

/// So many tasks of one slot that failed one after the other, all of them just now: it will not come up.
const FAILED: usize = 3;

/// Settled once all tasks run, or have ended well where they run once.
pub(super) fn plan(name: &str, found: &Stack, on: &Target, seen: &Readings<'_>) -> Plan {
    for service in &found.services {
        if let Some(why) = broken(service, found) {
            let said = log(service, on, seen);
            return Plan::refused(format!("service {} of stack {name} {why}{said}", service.name), hint(&why));
        }
    }
    let waits: Vec<String> = found.services.iter().filter_map(|service| not_yet(service, found)).collect();
    if waits.is_empty() {
        return Plan::Settled;
    }
    let what = waits.join("; ");
    Plan::Wait(Wait { hint: hints::docker(&what), what, on: vec![on.host.name.clone()], ..Wait::default() })
}

/// What the services that fail have said last.
pub(super) fn logs(found: &Stack) -> impl Iterator<Item = Probe> {
    found.services.iter().filter(|service| broken(service, found).is_some()).map(last_lines)
}

fn last_lines(service: &Service) -> Probe {
    Probe::new(format!("docker service logs --raw --tail 20 {} 2>&1", service.id))
}

fn log(service: &Service, on: &Target, seen: &Readings<'_>) -> String {
    let said = seen.probe(&on.host.name, &last_lines(service)).is().map(|output| output.text()).unwrap_or_default();
    if said.trim().is_empty() { String::new() } else { format!("; it said last:\n{}", said.trim_end()) }
}

/// Why a service will not come up by waiting.
fn broken(service: &Service, found: &Stack) -> Option<String> {
    if service.update == "paused" || service.update.starts_with("rollback") {
        let tasks = found.tasks.iter().filter(|task| task.service() == service.name);
        let last = tasks.into_iter().find(|task| !task.error.is_empty());
        let why = last.map_or(service.message.clone(), |task| format!("on {}: {}", task.node, task.error));
        return Some(format!("was not updated ({}), {why}", service.update));
    }
    slots(service, found).into_values().find_map(|tasks| crash(service, &tasks))
}

/// Tasks that failed before the service was asked to be otherwise say nothing of what it is now.
fn crash(service: &Service, tasks: &[&Task]) -> Option<String> {
    let counts = |task: &Task| task.seconds().is_some_and(|seconds| seconds < service.age);
    let failed = |task: &&&Task| matches!(task.state(), "Failed" | "Rejected") && counts(task);
    let newest = tasks.iter().skip_while(|task| matches!(task.state(), "Ready" | "New" | "Pending" | "Assigned"));
    let failed: Vec<_> = newest.take_while(failed).collect();
    let last = failed.first().filter(|_| failed.len() >= FAILED)?;
    Some(format!("fails again and again on {}: {}", last.node, last.error))
}

fn hint(why: &str) -> &'static str {
    match why {
        why if why.contains("No such image") => {
            "each node that it may run on needs its image: `image` with `carry` or `pull`"
        }
        why if why.contains("was not updated") => {
            "mend its file, and run this step again; as it is, `docker service update --force NAME` tries once more"
        }
        _ => "what it said is above; mend its file or its image, and run this step again",
    }
}

/// What a service still lacks.
fn not_yet(service: &Service, found: &Stack) -> Option<String> {
    let slots = slots(service, found);
    let is_done = |tasks: &&Vec<&Task>| tasks.first().is_some_and(|task| is_done(service, task));
    let done = slots.values().filter(is_done).count();
    let asked = service.replicas.map_or(slots.len(), |replicas| usize::try_from(replicas).unwrap_or(usize::MAX));
    let is_updating = service.update == "updating";
    if done >= asked && !is_updating && (asked > 0 || service.replicas == Some(0)) {
        return None;
    }
    let late = slots.values().filter_map(|tasks| tasks.first()).find(|task| !self::is_done(service, task));
    let late = late.map(|task| format!(" ({})", told(task))).unwrap_or_default();
    let verb = if service.once { "to have ended well" } else { "to run" };
    Some(format!("{} {verb}: {done} of {asked}{late}", service.name))
}

fn is_done(service: &Service, task: &Task) -> bool {
    match task.state() {
        "Running" => task.desired == "Running" && !service.once,
        "Complete" => service.once,
        _ => false,
    }
}

fn told(task: &Task) -> String {
    let place = if task.node.is_empty() { "no node".to_owned() } else { task.node.clone() };
    let error = if task.error.is_empty() { String::new() } else { format!(": {}", task.error) };
    format!("{place}: {}{error}", task.state().to_lowercase())
}

/// The tasks of each slot that is still wanted, from the newest on.
fn slots<'a>(service: &Service, found: &'a Stack) -> BTreeMap<&'a str, Vec<&'a Task>> {
    let mut slots: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
    for task in found.tasks.iter().filter(|task| task.service() == service.name) {
        slots.entry(task.name.as_str()).or_default().push(task);
    }
    // A slot whose newest task is to be shut down, and has not ended well, is one that is wanted no more.
    slots.retain(|_, tasks| {
        tasks.first().is_some_and(|task| {
            task.desired != "Shutdown"
                || task.state() == "Complete"
                || task.state() == "Failed"
                || task.state() == "Rejected"
        })
    });
    slots
}
