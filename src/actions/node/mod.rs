//! `node`: what the swarm is told of a host's node.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::swarm::{Availability, Role, others, role_of, settings, spared};
use super::values::Text;
use super::{Action, Ask, Change, Plan, Target, Wait, hints};
use crate::reads::docker::{Info, Look, Node as Found};
use crate::reads::{Read, Readings, Seen};

/// Gives the nodes of its hosts labels, an availability and a role. The host itself says which node it is; the rest is read and
/// done where the swarm is commanded, so the step says `on: leader`.
///
/// A step that drains a node is over when no task of a service runs there any more. What would leave the managers without a
/// majority is refused: to make a worker of one whom the others need, and to drain one of three or more while too few of
/// the others can be reached, for who drains a host is about to take it away.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Node(Parameters);

/// The parameters of [`Node`].
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Labels. Others that it has are left alone; one that is `null` is taken from it: `{ tier: db, old: null }`.
    #[serde(default)]
    labels: BTreeMap<String, Option<Text>>,
    /// `active`, `pause` (no new tasks) or `drain` (no tasks); left as it is where not given.
    availability: Option<Availability>,
    /// `manager` or `worker`; left as it is where not given.
    role: Option<Role>,
}

impl TryFrom<Parameters> for Node {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        match asked.labels.is_empty() && asked.availability.is_none() && asked.role.is_none() {
            true => Err("`node` takes at least one of `labels`, `availability` and `role`".into()),
            false => Ok(Self(asked)),
        }
    }
}

impl Action for Node {
    fn describe(&self) -> String {
        let role = self.0.role.map(|role| role.word().to_owned());
        let availability = self.0.availability.map(|availability| availability.word().to_owned());
        let labels = self.0.labels.iter().map(|(name, value)| match value {
            Some(Text(value)) => format!("{name}={value}"),
            None => format!("no {name}"),
        });
        format!("node: {}", role.into_iter().chain(availability).chain(labels).collect::<Vec<_>>().join(", "))
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let (owner, leader) = (on.owner.name.clone(), commander(on).to_owned());
        let ask = |host: &String, look| Ask { host: host.clone(), read: Read::Docker(look) };
        let mut asks = vec![ask(&owner, Look::Engine), ask(&leader, Look::Engine), ask(&leader, Look::Nodes)];
        if let Ok((node, _)) = listed(on, seen)
            && self.drains(node)
        {
            asks.push(ask(&leader, Look::NodeTasks(node.id.clone())));
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let (node, nodes) = match listed(on, seen) {
            Ok(listed) => listed,
            Err(plan) => return plan,
        };
        if let Some(refused) = self.breaks(node, nodes, on, seen) {
            return refused;
        }
        let labels =
            self.0.labels.iter().map(|(name, value)| (name.as_str(), value.as_ref().map(|Text(text)| &**text)));
        let settings = settings(node, labels, self.0.availability);
        let role = self.0.role.and_then(|role| role_of(node, role));
        let changes: Vec<Change> = role.into_iter().chain(settings).map(|change| at(change, on)).collect();
        if changes.is_empty() { self.arrived(node, on, seen) } else { Plan::Change(changes) }
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::swarm(said)
    }
}

impl Node {
    /// Whether it is drained, as asked: then it may take a while to be empty.
    fn drains(&self, node: &Found) -> bool {
        self.0.availability == Some(Availability::Drain) && node.availability == Availability::Drain.word()
    }

    /// What is asked for is written down; has it come true?
    fn arrived(&self, node: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let owner = &on.owner.name;
        match self.0.role {
            Some(Role::Manager) if node.reachability != "reachable" => {
                wait(format!("manager {owner} to be reachable"), on)
            }
            Some(Role::Worker) if !node.reachability.is_empty() => wait(format!("{owner} to leave the managers"), on),
            // Of what runs on a node that is down the swarm knows nothing new.
            _ if self.drains(node) && node.state == "ready" => emptied(node, on, seen),
            _ => Plan::Settled,
        }
    }

    /// What would leave the swarm without a majority of its managers, or this run without the one who commands it.
    fn breaks(&self, node: &Found, nodes: &[Found], on: &Target, seen: &Readings<'_>) -> Option<Plan> {
        let drains =
            self.0.availability == Some(Availability::Drain) && node.availability != Availability::Drain.word();
        match self.0.role {
            Some(Role::Worker) if node.role == Role::Manager.word() => demoted(node, nodes, on, seen),
            _ if drains && node.role == Role::Manager.word() => drained(node, nodes, on),
            _ => None,
        }
    }
}

/// Who commands the swarm: where the step runs, if it says `on`, or else the run's leader.
fn commander(on: &Target) -> &str {
    match on.host.name == on.owner.name {
        true => on.leader.as_deref().unwrap_or(&on.host.name),
        false => &on.host.name,
    }
}

fn at(change: Change, on: &Target) -> Change {
    let leader = commander(on);
    if leader == on.host.name { change } else { change.on(leader) }
}

fn wait(what: String, on: &Target) -> Plan {
    Plan::Wait(Wait { what, on: vec![commander(on).to_owned()], ..Wait::default() })
}

/// The owner's node, and all that the commander lists.
fn listed<'a>(on: &Target, seen: &Readings<'a>) -> Result<(&'a Found, &'a [Found]), Plan> {
    let (owner, leader) = (&on.owner.name, commander(on));
    let own = member(owner, seen)?;
    let nodes = match seen.nodes(leader) {
        Seen::Is(nodes) => nodes.as_slice(),
        Seen::Absent => {
            let why =
                format!("{leader} does not control a swarm, and nodes are told what to be where it is controlled");
            return Err(Plan::refused(why, "let the step run there: `on: leader` beside `hosts`"));
        }
        Seen::Unread(why) => return Err(Plan::unread(&format!("the nodes that {leader} lists"), &why)),
    };
    let id = &own.swarm.node_id;
    nodes.iter().find(|node| node.id == *id).map(|node| (node, nodes)).ok_or_else(|| {
        let why = format!("{owner} is in another swarm: {leader} does not list its node {id}");
        Plan::refused(why, "name hosts of this swarm; a `swarm` step tells more of the other one")
    })
}

fn member<'a>(owner: &str, seen: &Readings<'a>) -> Result<&'a Info, Plan> {
    let outside = |why: &str| Plan::refused(format!("{owner} {why}"), "put a `swarm` step before it");
    match seen.daemon(owner) {
        Seen::Is(info) if info.swarm.node_id.is_empty() => Err(outside("is in no swarm")),
        Seen::Is(info) => Ok(info),
        Seen::Absent => Err(outside("has no Docker, so it is in no swarm")),
        Seen::Unread(why) => Err(Plan::unread(&format!("Docker on {owner}"), &why)),
    }
}

/// A worker has no vote: the others must be a majority among themselves.
fn demoted(node: &Found, nodes: &[Found], on: &Target, seen: &Readings<'_>) -> Option<Plan> {
    let (owner, leader) = (&on.owner.name, commander(on));
    let commands = seen.daemon(leader).is().is_some_and(|info| info.swarm.node_id == node.id);
    match spared(owner, node, nodes) {
        Err(refused) => Some(refused),
        Ok(()) if commands => Some(Plan::refused(
            format!("this run commands the swarm from {owner}, which cannot take that from itself"),
            "name another host first among the inventory's `managers`: the first that controls the swarm is the leader",
        )),
        Ok(()) => None,
    }
}

/// A drained manager keeps its vote; but it is drained to be taken away, and then the others must be a majority of all. Of one or
/// two managers none can ever be spared, and there it is common that they take no work.
fn drained(node: &Found, nodes: &[Found], on: &Target) -> Option<Plan> {
    let (all, up) = others(node, nodes);
    let spared = all < 2 || 2 * up > all + 1;
    (!spared).then(|| {
        let owner = &on.owner.name;
        Plan::refused(
            format!(
                "with {owner} taken away only {up} of {} managers would be reachable, which is no majority",
                all + 1
            ),
            "bring the others back first: docker node ls",
        )
    })
}

fn emptied(node: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
    let owner = &on.owner.name;
    let tasks = match seen.node_tasks(commander(on), &node.id) {
        Seen::Is(tasks) => tasks,
        Seen::Absent => return Plan::unread(&format!("what runs on {owner}"), "the swarm is not controlled there"),
        Seen::Unread(why) => return Plan::unread(&format!("what runs on {owner}"), &why),
    };
    let there: Vec<&str> = tasks.iter().filter(|task| task.is_there()).map(|task| task.name.as_str()).collect();
    match there.as_slice() {
        [] => Plan::Settled,
        there => wait(format!("{} to end on {owner}", there.join(", ")), on),
    }
}
