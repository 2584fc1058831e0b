//! Managers come and go, and at each moment more than half of them can be reached: without that nobody commands the swarm.

use super::Role;
use super::node::role_of;
use super::view::View;
use crate::actions::{Change, Plan, Wait};
use crate::reads::docker::Node;

/// Whether the other managers can do without a node: it has no vote any more, and they must be a majority among themselves.
///
/// # Errors
/// That they are not, where `who` is the node's host.
pub(in crate::actions) fn spared(who: &str, node: &Node, nodes: &[Node]) -> Result<(), Plan> {
    match others(node, nodes) {
        (0, _) => Err(Plan::refused(
            format!("{who} is the only manager of its swarm"),
            "make another one first: `node: { role: manager }`",
        )),
        (all, up) if 2 * up <= all => Err(Plan::refused(
            format!("without {who} only {up} of {all} managers would be reachable, which is no majority"),
            "bring the others back first, or make workers of those that are gone",
        )),
        _ => Ok(()),
    }
}

/// How many managers there are beside a node, and how many of those can be reached.
pub(in crate::actions) fn others(node: &Node, nodes: &[Node]) -> (usize, usize) {
    majority(nodes.iter().filter(|other| other.id != node.id))
}

/// How many of these have a vote, and how many of them can be reached. One that was made a manager a moment ago has none yet, and
/// one that was left behind by `--force-new-cluster` has none any more.
pub(super) fn majority<'n>(nodes: impl Iterator<Item = &'n Node>) -> (usize, usize) {
    let voters: Vec<&Node> = nodes.filter(|node| !node.reachability.is_empty()).collect();
    (voters.len(), voters.iter().filter(|node| node.reachability == "reachable").count())
}

/// Whether it is a manager, as asked for.
pub(super) fn manages(node: &Node) -> bool {
    node.role == Role::Manager.word()
}

/// Whether it has a vote, or is to have one: who was demoted is among the managers for a moment still.
pub(super) fn votes(node: &Node) -> bool {
    manages(node) || !node.reachability.is_empty()
}

impl View<'_> {
    /// What gives the host's node its role.
    ///
    /// # Errors
    /// Why it must wait for that, or keep the one it has.
    pub(super) fn role_change(
        &self,
        node: &Node,
        role: Role,
        leader: &str,
        nodes: &[Node],
    ) -> Result<Option<Change>, Plan> {
        match role {
            Role::Worker if manages(node) => self.may_go(node, leader, nodes)?,
            Role::Worker if votes(node) => return Err(self.wait(format!("{} to leave the managers", self.host()))),
            Role::Manager | Role::Worker => {}
        }
        Ok(role_of(node, role).map(|change| Change { why: change.why + self.frail(role), ..change }))
    }

    /// Said of a second manager, when it becomes one.
    pub(super) fn frail(&self, role: Role) -> &'static str {
        match role {
            Role::Manager if self.managers.len() == 2 => {
                " (two managers are no safer than one: neither can be lost; of three, one can)"
            }
            Role::Manager | Role::Worker => "",
        }
    }

    /// New managers come first, and the old ones go one at a time, as long as the others are a majority. A node that becomes a
    /// manager asks one for the others: if that one is on its way out just then, it fails.
    fn may_go(&self, node: &Node, leader: &str, nodes: &[Node]) -> Result<(), Plan> {
        let host = self.host();
        if leader == host {
            let what = format!("another manager to command the swarm: {host}, which does, is to be a worker");
            return Err(self.wait(what));
        }
        let to_come = self.to_come(nodes);
        if !to_come.is_empty() {
            let what = format!("{} to be a manager, before {host} is none", to_come.join(", "));
            return Err(self.wait_for(&to_come, what, nodes));
        }
        match self.first_to_go(nodes).filter(|first| *first != host) {
            Some(first) => {
                Err(self.wait_for(&[first], format!("{first} to leave the managers: one goes at a time"), nodes))
            }
            None => spared(host, node, nodes),
        }
    }

    /// Of the members that have a vote and are to have none, the first in the inventory.
    fn first_to_go(&self, nodes: &[Node]) -> Option<&str> {
        let goes = |name: &&str| !self.is_to_manage(name) && self.node_of(name, nodes).is_some_and(votes);
        self.members.iter().map(|member| member.name.as_str()).find(goes)
    }

    /// The hosts that were read, are to be managers, and are none so far.
    fn to_come(&self, nodes: &[Node]) -> Vec<&str> {
        let read =
            self.managers.iter().map(|host| host.name.as_str()).filter(|name| self.seen.daemon(name).is().is_some());
        read.filter(|name| self.node_of(name, nodes).is_none_or(|node| node.reachability != "reachable")).collect()
    }

    pub(super) fn is_to_manage(&self, host: &str) -> bool {
        self.managers.iter().any(|manager| manager.name == host)
    }

    /// A host's own node, where both were read.
    pub(super) fn node_of<'n>(&self, host: &str, nodes: &'n [Node]) -> Option<&'n Node> {
        let id = &self.seen.daemon(host).is()?.swarm.node_id;
        nodes.iter().find(|node| node.id == *id)
    }

    /// Waits for what hosts bring about in this very step; or the swarm, where each has been given its role and is only to be heard
    /// of: a leader that has just become one knows of nobody yet.
    pub(super) fn wait_for(&self, hosts: &[&str], what: String, nodes: &[Node]) -> Plan {
        let has_role = |host: &&str| self.node_of(host, nodes).is_some_and(|n| manages(n) == self.is_to_manage(host));
        let on = hosts.iter().map(|host| (*host).to_owned()).collect();
        Plan::Wait(Wait { what, on, by_step: !hosts.iter().all(has_role), ..Wait::default() })
    }
}
