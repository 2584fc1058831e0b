//! Whether the tasks of services run, and why not: what `stack` and `service` have in common.

use std::collections::BTreeMap;

use super::{Change, Plan, Target, Wait, hints};
use crate::reads::docker::{Restart, Service, Stack, Task};
use crate::reads::{Probe, Readings};
use crate::remote::Command;

/// So many tasks of one slot that failed one after the other, all of them just now: it will not come up.
const FAILED: usize = 3;
/// For how many seconds a task must have run, after a service was asked to be otherwise, to be taken for one that stays up: `docker
/// service update` watches a new one for as long.
const STAYS: u64 = 5;
/// For how many seconds after that. Then a task is taken for what it says: its time is told by its node's clock, the service's by the
/// manager's. Each task before it that failed is a reason to watch for as long again: a slow machine takes its time to fail.
const WATCHED: u64 = 60;
/// Within so many seconds the swarm has begun to do what a service was asked for.
const BEGUN: u64 = 2;
/// And within so many it has made another task in place of one that failed before.
const REPLACED: u64 = 10;

/// Settled once all tasks run, or have ended well where they run once. `of` is said behind the name of a service: ` of stack web`.
pub(super) fn plan(of: &str, found: &Stack, on: &Target, seen: &Readings<'_>) -> Plan {
    if let Some((service, why)) = found.services.iter().find_map(|service| Some((service, broken(service, found)?))) {
        return refused(of, service, &why, on, seen);
    }
    let waits: Vec<String> = found.services.iter().filter_map(|service| not_yet(service, found)).collect();
    if waits.is_empty() {
        return Plan::Settled;
    }
    let what = waits.join("; ");
    Plan::Wait(Wait { hint: hints::docker(&what), what, on: vec![on.host.name.clone()], ..Wait::default() })
}

/// What this run asked for and the swarm gave up, in the words of its tasks: to ask for it once more would end alike.
/// `differs` says of a service whether it is not as asked.
pub(super) fn given_up(
    of: &str,
    found: &Stack,
    differs: impl Fn(&Service) -> bool,
    on: &Target,
    seen: &Readings<'_>,
) -> Option<Plan> {
    let is_so = |service: &&Service| is_paused(service, found) || (is_rolled_back(service) && differs(service));
    let service = found.services.iter().filter(|_| on.tried).find(is_so)?;
    Some(refused(of, service, &not_updated(service, found), on, seen))
}

/// What another run left failing is tried once more: what was in the way may be gone, and a login (`auth`) may be there.
pub(super) fn again<'a>(found: &'a Stack, auth: bool, on: &Target) -> impl Iterator<Item = (&'a Service, Change)> {
    let failing = found.services.iter().filter(|_| !on.tried);
    failing.filter_map(move |service| {
        let why = format!("{} {}: once more", service.name, broken(service, found)?);
        let command = Command::new("docker").args(["service", "update", "--detach", "--force"]);
        let command = command.args(auth.then_some("--with-registry-auth")).arg(&service.id);
        Some((service, Change::run(why, command)))
    })
}

/// Removes services, by their ids, and waits until their tasks have ended: until then those hold on to networks and volumes. On a
/// node that is down nobody ends them, and nobody would be heard of it.
pub fn end_services(services: &[&str]) -> Command {
    let ready = "docker node ls --format '{{.ID}} {{.Status}}' | sed -n 's/ Ready$//p'";
    let tasks = "xargs -r docker node ps --no-trunc --format '{{.Name}} {{.CurrentState}}'";
    // A task of a service that is gone goes by its service's id.
    let these = format!("grep -E '^({})[.]'", services.join("|"));
    let left = format!(
        "{ready} | {tasks} 2>/dev/null | {these} | grep -vqE ' (Complete|Shutdown|Failed|Rejected|Remove|Orphaned) '"
    );
    let wait = format!(
        "for i in $(seq 120); do {left} || exit 0; sleep 0.5; done; echo \"their tasks have not ended after 60 s\" >&2; exit 1"
    );
    let remove = Command::new("docker").args(["service", "rm"]).args(services.iter().copied());
    let shown = remove.masked();
    remove.syntax("&&").args(["sh", "-c", &wait]).shown_as(shown)
}

/// What the services that fail have said last.
pub(super) fn logs(found: &Stack) -> impl Iterator<Item = Probe> {
    let fails = |service: &&Service| is_rolled_back(service) || broken(service, found).is_some();
    found.services.iter().filter(fails).map(last_lines)
}

/// To the swarm a task that ends soon after an update has failed it, however well it ended.
fn is_paused(service: &Service, found: &Stack) -> bool {
    let slots = slots(service, found);
    let has_ended_well = service.once && slots.len() == 1 && slots.values().all(|tasks| is_done(service, tasks));
    ["paused", "rollback_paused"].contains(&service.update.as_str()) && !has_ended_well
}

/// Slot by slot: those whose turn has not come are as they were.
fn is_updating(service: &Service) -> bool {
    ["updating", "rollback_started"].contains(&service.update.as_str())
}

fn is_rolled_back(service: &Service) -> bool {
    service.update.starts_with("rollback")
}

fn refused(of: &str, service: &Service, why: &str, on: &Target, seen: &Readings<'_>) -> Plan {
    let said = log(service, on, seen);
    Plan::refused(format!("service {}{of} {why}{said}", service.name), hint(why))
}

fn last_lines(service: &Service) -> Probe {
    Probe::new(format!("docker service logs --raw --tail 20 {} 2>&1", service.id)).within(30)
}

fn log(service: &Service, on: &Target, seen: &Readings<'_>) -> String {
    let said = seen.probe(&on.host.name, &last_lines(service)).is().map(|output| output.text()).unwrap_or_default();
    if said.trim().is_empty() { String::new() } else { format!("; it said last:\n{}", said.trim_end()) }
}

/// Why a service will not come up by waiting.
fn broken(service: &Service, found: &Stack) -> Option<String> {
    if is_paused(service, found) {
        return Some(not_updated(service, found));
    }
    slots(service, found).into_values().find_map(|tasks| crash(service, &tasks))
}

fn not_updated(service: &Service, found: &Stack) -> String {
    let mut tasks = found.tasks.iter().filter(|task| task.service() == service.name);
    let last = tasks.find(|task| !task.error.is_empty());
    let why = last.map_or(service.message.clone(), |task| format!("on {}: {}", task.node, task.error));
    format!("was not updated ({}), {why}", service.update)
}

fn crash(service: &Service, tasks: &[&Task]) -> Option<String> {
    let newest = tasks.first()?;
    let is_old = service.age > REPLACED && !is_updating(service);
    if has_failed(newest) && stays_so(service, newest) && (is_of_now(service, newest) || is_old) {
        return Some(format!("has failed on {} for good: {}", newest.node, newest.error));
    }
    let failed = failures(service, tasks, &["Ready", "New", "Pending", "Assigned"]);
    let last = failed.first().filter(|_| failed.len() >= FAILED)?;
    Some(format!("fails again and again on {}: {}", last.node, last.error))
}

/// Those that failed one after the other, the newest first, from behind those that are `now` in one of these states.
fn failures<'a>(service: &Service, tasks: &[&'a Task], now: &[&str]) -> Vec<&'a Task> {
    let ended = tasks.iter().skip_while(|task| now.contains(&task.state()));
    ended.take_while(|task| has_failed(task) && is_of_now(service, task)).copied().collect()
}

/// Tasks that failed before the service was asked to be otherwise say nothing of what it is now.
fn is_of_now(service: &Service, task: &Task) -> bool {
    task.seconds().is_some_and(|seconds| seconds < service.age)
}

fn has_failed(task: &Task) -> bool {
    matches!(task.state(), "Failed" | "Rejected")
}

/// Whether no other follows the newest task of a slot: where one does, the swarm makes it as it notes that the old one is to be shut
/// down. A node that is to have none any more keeps the last one that it had.
fn stays_so(service: &Service, newest: &Task) -> bool {
    newest.desired == "Shutdown" && (service.replicas.is_some() || service.restart == Restart::Never)
}

fn hint(why: &str) -> &'static str {
    match why {
        why if why.contains("No such image") => {
            "each node that it may run on needs its image: `image` with `carry` or `pull`"
        }
        why if why.contains("was not updated") => {
            "mend what is in its way, and run this step again: each run tries once more"
        }
        _ => "what it said is above; mend that or its image, and run this step again",
    }
}

/// What a service still lacks.
fn not_yet(service: &Service, found: &Stack) -> Option<String> {
    let slots = slots(service, found);
    let done = slots.values().filter(|tasks| is_done(service, tasks)).count();
    let asked = service.replicas.map_or(slots.len(), |replicas| usize::try_from(replicas).unwrap_or(usize::MAX));
    let verb = if service.once { "to have ended well" } else { "to run" };
    if asked == 0 && service.replicas.is_none() {
        // In the words of the scheduler, which has nothing to say where no task was made.
        return Some(format!("{} {verb}: no node takes it (scheduling constraints not satisfied)", service.name));
    }
    if done >= asked && !is_updating(service) {
        return (service.age < BEGUN).then(|| format!("the swarm to begin with {}", service.name));
    }
    let newest = || slots.values().filter(|tasks| !is_done(service, tasks)).filter_map(|tasks| tasks.first());
    // One that runs has only to stay.
    let late = newest().find(|task| task.state() != "Running").or_else(|| newest().next());
    let late = late.map(|task| format!(" ({})", told(task))).unwrap_or_default();
    Some(format!("{} {verb}: {done} of {asked}{late}", service.name))
}

/// Of the tasks of one slot.
fn is_done(service: &Service, tasks: &[&Task]) -> bool {
    let Some(task) = tasks.first() else { return false };
    let watched = || WATCHED * (1 + failures(service, tasks, &["Running"]).len() as u64);
    let is_young = || task.seconds().is_some_and(|seconds| seconds < STAYS) && service.age < watched();
    match task.state() {
        "Running" => task.desired == "Running" && !service.once && !is_young(),
        "Complete" => service.once || service.restart == Restart::OnFailure,
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
        tasks.first().is_some_and(|task| task.desired != "Shutdown" || task.state() == "Complete" || has_failed(task))
    });
    slots
}
