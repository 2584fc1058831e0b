//! `swarm`: hosts become the nodes of one Docker swarm.

mod address;
mod join;
mod mark;
mod node;
mod path;
mod pool;
mod ports;
mod prune;
mod quorum;
mod roles;
#[cfg(test)]
mod tests;
mod underlay;
mod view;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cidr::Cidr;
use super::values::Text;
use super::{Action, Ask, Object, Plan, Target, hints};
use crate::reads::Readings;
use crate::remote::Output;
use view::View;

pub(super) use address::private;
pub(super) use node::{role_of, settings};
pub(super) use roles::{others, spared};
pub(super) use underlay::underlay;

/// Makes the hosts of two groups one Docker swarm, and keeps them that way.
///
/// The swarm is started on the first manager, if no manager is in one yet; the others join in parallel, with a token that goes
/// from the leader straight to them. It is settled when the leader lists every host as ready, with its role and labels, and
/// when 1 MiB has passed each way between a container on it and one on the leader, through an overlay network made for
/// that alone: a node may be ready while 4789/udp, which carries overlay networks, is closed. The node's label `skep.path`
/// then has the id of the node at the other end; without that label it is tried again. A node that takes no work (`pause`,
/// `drain`) is not tried. A host that is in another swarm is left alone and said so. Hosts in neither group are left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    /// The hosts that are to be managers: a pattern, as in a play's `hosts`.
    #[serde(default = "managers")]
    managers: String,
    /// The hosts that are to be workers, likewise. Who is in both is a manager.
    #[serde(default = "workers")]
    workers: String,
    /// Where overlay networks take their addresses from, in CIDR notation; can be chosen only when the swarm is started. Without
    /// it, a range that no host has a route to.
    #[serde(default)]
    pool: Vec<Cidr>,
    /// The prefix length of each overlay network in the pool; 24 where not given.
    subnet_size: Option<u8>,
    /// Labels of the host's node; others that it has are left alone.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// `active`, `pause` or `drain`; left as it is where not given.
    availability: Option<Availability>,
    /// Whether nodes are removed that are neither group's any more: it is asked about before. Each is drained, and once its tasks run
    /// elsewhere, it leaves. Only nodes that `skep` brought in are (their label `skep.joined` says so), never more than half of
    /// all, and never so that the managers that stay are no majority.
    #[serde(default)]
    prune: bool,
}

/// Whether a node takes work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Availability {
    Active,
    Pause,
    Drain,
}

/// What a node is in its swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    Manager,
    Worker,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Worker => "worker",
        }
    }
}

fn managers() -> String {
    "managers".into()
}

fn workers() -> String {
    "workers".into()
}

/// Port 2377 is where managers are commanded, 7946 where nodes gossip; 4789 over UDP carries the overlay networks.
const CONTROL: u16 = 2377;
const GOSSIP: u16 = 7946;

impl Action for Swarm {
    fn describe(&self) -> String {
        format!("swarm of {} and {}", self.managers, self.workers)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "swarm", name: "swarm".into() })
    }

    fn peers(&self) -> Vec<(&'static str, &str)> {
        vec![("managers", &self.managers), ("workers", &self.workers)]
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        View::new(self, on, seen).map(|view| view.reads()).unwrap_or_default()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        match View::new(self, on, seen) {
            Ok(view) => view.plan(),
            Err(refusal) => Plan::Refused(refusal),
        }
    }

    fn shows(&self, on: &Target, seen: &Readings<'_>) -> Option<Output> {
        View::new(self, on, seen).ok()?.strangers()
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::swarm(said)
    }
}
