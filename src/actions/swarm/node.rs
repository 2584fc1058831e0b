//! What a host is in the swarm that it is in, as the leader lists it.

use super::mark::LEAVES;
use super::path::Way;
use super::view::{View, said};
use super::{Availability, CONTROL, GOSSIP, Role, Text};
use crate::actions::{Change, Plan, Wait};
use crate::event::Difference;
use crate::reads::docker::Node;
use crate::remote::Command;

impl View<'_> {
    /// The host's own node, among those that the leader lists.
    pub(super) fn node(&self, node: &Node, role: Role, leader: &str, nodes: &[Node]) -> Plan {
        let host = self.host();
        if node.state != "ready" {
            return Plan::Wait(Wait {
                what: format!("node {host} to be ready{}", said(&node.message)),
                on: vec![leader.into()],
                hint: Some(self.unready(node, leader)),
                ..Wait::default()
            });
        }
        let role_change = match self.role_change(node, role, leader, nodes) {
            Ok(change) => change,
            Err(plan) => return plan,
        };
        let settings = self.settings(node, nodes).into_iter().chain(self.arrived(nodes));
        let changes: Vec<Change> = role_change.into_iter().chain(settings).chain(forgotten(node, nodes)).collect();
        if !changes.is_empty() {
            return Plan::Change(changes.into_iter().map(|change| change.on(leader)).collect());
        }
        if role == Role::Manager && node.reachability != "reachable" {
            return self.wait(format!("manager {host} to be reachable"));
        }
        match self.way() {
            Way::Unproven(path) => Plan::Change(self.prove(&path, leader)),
            Way::Later(far) => self.wait(format!("node {far} to be ready, for {host} to prove its path to it")),
            Way::Settled => Plan::Settled,
        }
    }

    /// What may be the matter. An engine that was away for some seconds only may be in the swarm again and taken for down all the
    /// same, until it is started anew: a manager that has missed it writes that down after it was greeted (swarmkit's dispatcher).
    fn unready(&self, node: &Node, leader: &str) -> String {
        let host = self.host();
        let is_in = self.seen.daemon(host).is().is_some_and(|info| info.swarm.local_node_state == "active");
        let first = match node.state == "down" && is_in {
            true => format!(
                "its engine believes itself in the swarm; if that stays so, on {host}: systemctl restart docker. Else see"
            ),
            false => format!("see on {host} whether its engine runs (journalctl --unit docker), and"),
        };
        format!("{first} whether it and {leader} reach each other on {CONTROL}/tcp and {GOSSIP}")
    }

    /// What is asked for, and what its life so far says. One that was on its way out is again what it was before.
    fn settings(&self, node: &Node, nodes: &[Node]) -> Option<Change> {
        let labels = self.asked.labels.iter().map(|(name, Text(value))| (name.as_str(), Some(value.as_str())));
        let before = node.labels.get(LEAVES).and_then(|before| Availability::of(before));
        settings(node, labels.chain(self.life(node, nodes)), self.asked.availability.or(before))
    }
}

impl Availability {
    pub(in crate::actions) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Active, Self::Pause, Self::Drain].into_iter().find(|availability| availability.word() == word)
    }
}

/// What gives a node these labels (none: it is to have it no more) and this availability, where it differs.
pub(in crate::actions) fn settings<'a>(
    node: &Node,
    labels: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    availability: Option<Availability>,
) -> Option<Change> {
    let (mut differs, mut words) = (Vec::new(), Vec::new());
    let mut differ = |field: String, is: Option<&String>, asked: &str, flag: &str, word: String| {
        let is = is.map_or("none", String::as_str).to_owned();
        differs.push(Difference { field, is, asked: asked.into() });
        words.extend([flag.to_owned(), word]);
    };
    for (name, asked) in labels.filter(|(name, asked)| node.labels.get(*name).map(String::as_str) != *asked) {
        let (flag, word) = match asked {
            Some(asked) => ("--label-add", format!("{name}={asked}")),
            None => ("--label-rm", name.to_owned()),
        };
        differ(format!("labels.{name}"), node.labels.get(name), asked.unwrap_or("none"), flag, word);
    }
    if let Some(asked) = availability.map(Availability::word).filter(|asked| *asked != node.availability) {
        differ("availability".into(), Some(&node.availability), asked, "--availability", asked.into());
    }
    let update = Command::new("docker").args(["node", "update"]).args(words).arg(&node.id);
    (!differs.is_empty()).then(|| Change::run("its node differs", update).differing(differs))
}

/// What gives a node this role, where it has the other.
pub(in crate::actions) fn role_of(node: &Node, role: Role) -> Option<Change> {
    let verb = match role {
        _ if node.role == role.word() => return None,
        Role::Manager => "promote",
        Role::Worker => "demote",
    };
    let differs = vec![Difference { field: "role".into(), is: node.role.clone(), asked: role.word().into() }];
    Some(Change::run("it has the other role", Command::new("docker").args(["node", verb, &node.id])).differing(differs))
}

/// Whether the other is an entry that the same host left behind when it was in the swarm before.
pub(super) fn earlier_life(node: &Node, other: &Node) -> bool {
    let same = other.hostname == node.hostname && other.address == node.address;
    same && other.id != node.id && other.state == "down"
}

fn forgotten(node: &Node, nodes: &[Node]) -> Vec<Change> {
    nodes
        .iter()
        .filter(|other| earlier_life(node, other))
        .map(|other| {
            let command = match other.role.as_str() {
                // One that `--force-new-cluster` left behind is no manager that Docker could demote.
                "manager" if !other.reachability.is_empty() => Command::new("docker")
                    .args(["node", "demote", &other.id])
                    .syntax("&&")
                    .args(["docker", "node", "rm", &other.id]),
                _ => Command::new("docker").args(["node", "rm", &other.id]),
            };
            Change::run(format!("the swarm still lists an earlier life of {}", other.hostname), command).removing()
        })
        .collect()
}
