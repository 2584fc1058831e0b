//! What a host is in the swarm that it is in, as the leader lists it.

use super::view::{View, said};
use super::{Availability, Role, Text};
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
                by_step: false,
                then: Vec::new(),
            });
        }
        let changes: Vec<Change> =
            [role_of(node, role), self.settings(node)].into_iter().flatten().chain(forgotten(node, nodes)).collect();
        if !changes.is_empty() {
            return Plan::Change(changes.into_iter().map(|change| change.on(leader)).collect());
        }
        if role == Role::Manager && node.reachability != "reachable" {
            return self.wait(format!("manager {host} to be reachable"));
        }
        match self.unproven() {
            Some(path) => Plan::Change(self.prove(&path, leader)),
            None => Plan::Settled,
        }
    }

    fn settings(&self, node: &Node) -> Option<Change> {
        let mut command = Command::new("docker").args(["node", "update"]);
        let mut differs = Vec::new();
        for (name, Text(asked)) in
            self.asked.labels.iter().filter(|(name, Text(asked))| node.labels.get(*name) != Some(asked))
        {
            let is = node.labels.get(name).cloned().unwrap_or_else(|| "none".into());
            differs.push(Difference { field: format!("labels.{name}"), is, asked: asked.clone() });
            command = command.args(["--label-add".to_owned(), format!("{name}={asked}")]);
        }
        if let Some(asked) = self.asked.availability.map(Availability::word).filter(|asked| *asked != node.availability)
        {
            differs.push(Difference {
                field: "availability".into(),
                is: node.availability.clone(),
                asked: asked.into(),
            });
            command = command.args(["--availability", asked]);
        }
        (!differs.is_empty()).then(|| Change::run("its node differs", command.arg(&node.id)).differing(differs))
    }
}

impl Availability {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }
}

fn role_of(node: &Node, role: Role) -> Option<Change> {
    let verb = match role {
        _ if node.role == role.word() => return None,
        Role::Manager => "promote",
        Role::Worker => "demote",
    };
    let differs = vec![Difference { field: "role".into(), is: node.role.clone(), asked: role.word().into() }];
    Some(Change::run("it has the other role", Command::new("docker").args(["node", verb, &node.id])).differing(differs))
}

/// Entries that the same host left behind when it joined before: same name and address, down, and another id.
fn forgotten(node: &Node, nodes: &[Node]) -> Vec<Change> {
    let same = |other: &&Node| other.id != node.id && other.hostname == node.hostname && other.address == node.address;
    let gone = nodes.iter().filter(same).filter(|other| other.state == "down");
    gone.map(|other| {
        let command = match other.role.as_str() {
            "manager" => Command::new("docker")
                .args(["node", "demote", &other.id])
                .syntax("&&")
                .args(["docker", "node", "rm", &other.id]),
            _ => Command::new("docker").args(["node", "rm", &other.id]),
        };
        Change::run(format!("the swarm still lists an earlier life of {}", other.hostname), command).removing()
    })
    .collect()
}
