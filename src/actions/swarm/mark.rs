//! What a node's labels keep of its life: whether `skep` brought it into the swarm, and whether it is on its way out.
//!
//! A host that joins has no node to label yet. So that a cut between the two is no loss, the leader's own node says first who is
//! about to join; the next look finds both, and the label moves to where it belongs.

use super::join::Joining;
use super::view::View;
use crate::actions::Change;
use crate::reads::docker::Node;
use crate::remote::Command;

/// On a node that `skep` brought in: the name of its host. Only such a node is ever removed.
pub(super) const JOINED: &str = "skep.joined";

/// On a node that is being removed: its availability before, for a host that comes back after all.
pub(super) const LEAVES: &str = "skep.leaves";

/// On the leader's node while a host joins: the start of the label that ends with its name.
const JOINS: &str = "skep.joins.";

impl View<'_> {
    /// Said on the leader's node before the host joins.
    pub(super) fn announce(&self, joining: &Joining<'_>, carrier: &str) -> Change {
        let label = format!("{JOINS}{}={}", self.host(), joining.role.word());
        let update =
            Command::new("docker").args(["node", "update", "--label-add", &label, carrier]).syntax(">/dev/null");
        Change::run("its node is to be known as one that skep brought in", update).on(joining.leader)
    }

    /// The labels that the host's node is to have, or to have no more, for its own life's sake.
    pub(super) fn life(&self, node: &Node, nodes: &[Node]) -> Vec<(&'static str, Option<&str>)> {
        let ours = node.labels.contains_key(JOINED) || self.announced(nodes).is_some();
        let leaves = node.labels.contains_key(LEAVES);
        let joined = ours.then(|| (JOINED, Some(self.host())));
        joined.into_iter().chain(leaves.then_some((LEAVES, None))).collect()
    }

    /// What was said of the host before it joined is said by its own node now.
    pub(super) fn arrived(&self, nodes: &[Node]) -> Option<Change> {
        let (carrier, label) = self.announced(nodes)?;
        let update = Command::new("docker").args(["node", "update", "--label-rm", &label, &carrier.id]);
        Some(Change::run("its own node says so now", update.syntax(">/dev/null")))
    }

    /// The node that says that the host is about to join, and the label that says it.
    fn announced<'n>(&self, nodes: &'n [Node]) -> Option<(&'n Node, String)> {
        let label = format!("{JOINS}{}", self.host());
        nodes.iter().find(|node| node.labels.contains_key(&label)).map(|node| (node, label))
    }
}

/// The same command, which gives the node that it has just made the label of one that we brought in.
pub(super) fn joined(init: Command, host: &str) -> Command {
    let label = format!("{JOINED}={host}");
    let init = init.syntax(">/dev/null && docker").args(["node", "update", "--label-add", &label]);
    init.syntax("\"$(docker info --format '{{.Swarm.NodeID}}')\" >/dev/null")
}

/// The name of the host that was brought in as this node.
pub(super) fn name(node: &Node) -> &str {
    node.labels.get(JOINED).unwrap_or(&node.hostname)
}
