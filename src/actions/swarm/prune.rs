//! Nodes whose hosts are asked for no more: drained, and once their work is done elsewhere, taken out of the swarm.
//!
//! It is the part of the host that commands the swarm, and its last one: all that are to be in the swarm are in first. A node
//! goes step by step, each seen in what the leader lists, so that a run that was cut is gone on with by the next one.

use super::mark::{JOINED, LEAVES, name};
use super::roles::{majority, manages, spared, votes};
use super::view::View;
use super::{Availability, Role, view};
use crate::actions::{Ask, Change, Plan, Refusal, Wait};
use crate::reads::docker::{Info, Look, Node, NodeTask, Restart, Serving};
use crate::reads::{Read, Seen};
use crate::remote::{Command, Output};

/// What a node that is to go needs next.
enum Next {
    Change(Box<Change>),
    Wait(String),
    Refused(Refusal),
}

impl From<Change> for Next {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

impl<'a> View<'a> {
    /// Whether removing nodes is this host's part.
    fn prunes(&self) -> Option<(&str, &'a [Node])> {
        let (leader, _) = self.leader().filter(|(leader, _)| self.asked.prune && *leader == self.host())?;
        Some((leader, self.seen.nodes(leader).is()?.as_slice()))
    }

    /// What must be known to remove any: of each host which node it is, and of a node on its way out what runs there still.
    pub(super) fn reads_to_prune(&self) -> Vec<Ask> {
        let Some((leader, nodes)) = self.prunes() else { return Vec::new() };
        let members = self.members.iter();
        let mut asks: Vec<Ask> = members.map(|host| view::ask(host, &Read::Docker(Look::Engine))).collect();
        let going = self.going(nodes);
        if !going.is_empty() {
            let all = self.on.inventory.hosts.iter();
            asks.extend(all.map(|host| view::ask(host, &Read::Docker(Look::Engine))));
        }
        let at_leader = |look| Ask { host: leader.to_owned(), read: Read::Docker(look) };
        for node in going.iter().filter(|node| leaves(node) && node.state == "ready") {
            asks.extend([Look::NodeTasks(node.id.clone()), Look::Services].map(at_leader));
        }
        asks
    }

    /// The host is as asked; so are the nodes of the swarm?
    pub(super) fn pruned(&self) -> Plan {
        let Some((leader, nodes)) = self.prunes() else { return Plan::Settled };
        let going = self.going(nodes);
        if going.is_empty() {
            return Plan::Settled;
        }
        self.barred(&going, nodes).unwrap_or_else(|| {
            let next = going.iter().map(|node| self.next(node, &going, nodes, leader));
            together(next.collect(), leader)
        })
    }

    /// The nodes that we brought in and that are no member's.
    fn going(&self, nodes: &'a [Node]) -> Vec<&'a Node> {
        nodes.iter().filter(|node| node.labels.contains_key(JOINED) && !self.has_place(node, nodes)).collect()
    }

    /// Whether a node is a member's: by its id, or where a member could not be read, by the name that we gave it. What a member
    /// left behind from an earlier life is that member's to remove.
    fn has_place(&self, node: &Node, nodes: &[Node]) -> bool {
        self.members.iter().any(|host| match self.seen.daemon(&host.name) {
            Seen::Is(info) if info.swarm.node_id == node.id => true,
            Seen::Is(_) => self.node_of(&host.name, nodes).is_some_and(|own| super::node::earlier_life(own, node)),
            Seen::Absent | Seen::Unread(_) => node.labels.get(JOINED) == Some(&host.name),
        })
    }

    /// Why none may go now.
    fn barred(&self, going: &[&Node], nodes: &[Node]) -> Option<Plan> {
        self.unsure(nodes)
            .or_else(|| self.arriving(nodes))
            .or_else(|| too_many(going, nodes))
            .or_else(|| self.no_majority(going, nodes))
    }

    /// A member that could not be read, and may be any of the nodes.
    fn unsure(&self, nodes: &[Node]) -> Option<Plan> {
        self.members.iter().find_map(|host| match self.seen.daemon(&host.name) {
            Seen::Unread(why) if !nodes.iter().any(|node| node.labels.get(JOINED) == Some(&host.name)) => {
                Some(Plan::refused(
                    format!("cannot tell which node is {}'s, so none is removed: {why}", host.name),
                    format!("bring {} up, or take it out of the inventory", host.name),
                ))
            }
            _ => None,
        })
    }

    /// Members on their way in: they come first, so that the tasks of those that go have where to go.
    fn arriving(&self, nodes: &[Node]) -> Option<Plan> {
        let unread = |name: &str| matches!(self.seen.daemon(name), Seen::Unread(_));
        let read = self.members.iter().map(|host| host.name.as_str()).filter(|name| !unread(name));
        let there = |name: &str| {
            self.node_of(name, nodes).is_some_and(|node| match self.is_to_manage(name) {
                true => node.state == "ready" && node.reachability == "reachable",
                false => node.state == "ready" && !votes(node),
            })
        };
        let arriving: Vec<&str> = read.filter(|name| !there(name)).collect();
        (!arriving.is_empty())
            .then(|| self.wait_for(&arriving, format!("{} to be in the swarm as asked", arriving.join(", ")), nodes))
    }

    /// The managers that stay must be a majority among themselves, or nobody commands the swarm any more.
    fn no_majority(&self, going: &[&Node], nodes: &[Node]) -> Option<Plan> {
        let goes = |node: &&Node| going.iter().any(|gone| gone.id == node.id);
        let (all, up) = majority(nodes.iter().filter(|node| !goes(node)));
        let leave: Vec<&str> = going.iter().filter(|node| manages(node)).map(|node| name(node)).collect();
        (!leave.is_empty() && 2 * up <= all).then(|| {
            let why = format!(
                "without {} only {up} of {all} managers would be reachable, which is no majority",
                leave.join(", ")
            );
            Plan::refused(why, "bring the others back first: docker node ls")
        })
    }

    fn next(&self, node: &Node, going: &[&Node], nodes: &[Node], leader: &str) -> Next {
        let who = name(node);
        if !leaves(node) {
            return self.sent_away(node).into();
        }
        // As a new leader sees one that it has not heard of yet.
        if !["ready", "down"].contains(&node.state.as_str()) {
            return Next::Wait(format!("the swarm to know whether {who} is up ({})", node.state));
        }
        if let Some(next) = self.still_at_work(node, leader) {
            return next;
        }
        let voter = going
            .iter()
            .filter(|node| !node.reachability.is_empty())
            .min_by_key(|node| node.reachability == "reachable");
        match voter {
            Some(first) if !node.reachability.is_empty() && first.id != node.id => {
                Next::Wait(format!("{who} to leave the managers after {}", name(first)))
            }
            // One that `--force-new-cluster` left behind has no vote that could be taken from it: Docker refuses to demote it.
            _ if manages(node) && !node.reachability.is_empty() => match spared(who, node, nodes) {
                Ok(()) => demote(node).into(),
                Err(Plan::Refused(refusal)) => Next::Refused(refusal),
                Err(_) => Next::Wait(format!("{who} to leave the managers")),
            },
            _ if !node.reachability.is_empty() => Next::Wait(format!("{who} to leave the managers")),
            _ => self.taken_out(node),
        }
    }

    /// The one thing that is asked about: what follows from it is found by the label.
    fn sent_away(&self, node: &Node) -> Change {
        let what = match node.state.as_str() {
            "ready" => "it is drained, and when its tasks run elsewhere, removed".to_owned(),
            state => format!("it is {state}, and removed"),
        };
        let why = format!(
            "no host of {} or {} is {} ({}): {what}",
            self.asked.managers,
            self.asked.workers,
            name(node),
            node.id
        );
        let label = format!("{LEAVES}={}", node.availability);
        let drain = ["--availability", Availability::Drain.word(), "--label-add", &label, &node.id];
        Change::run(why, Command::new("docker").args(["node", "update"]).args(drain)).removing()
    }

    /// What runs there, or should run elsewhere and does not. Of a node that is down the swarm has started all anew.
    fn still_at_work(&self, node: &Node, leader: &str) -> Option<Next> {
        let who = name(node);
        if node.state != "ready" {
            return None;
        }
        let tasks = match self.seen.node_tasks(leader, &node.id) {
            Seen::Is(tasks) => tasks,
            Seen::Absent => return Some(unread(&format!("what runs on {who}"), "the swarm is not controlled there")),
            Seen::Unread(why) => return Some(unread(&format!("what runs on {who}"), &why)),
        };
        let there: Vec<&str> = tasks.iter().filter(|task| task.is_there()).map(|task| task.name.as_str()).collect();
        if !there.is_empty() {
            return Some(Next::Wait(format!("{} to end on {who}", there.join(", "))));
        }
        self.not_whole(tasks, leader)
    }

    /// Services that had tasks there, and lack some now.
    fn not_whole(&self, tasks: &[NodeTask], leader: &str) -> Option<Next> {
        let services = match self.seen.services(leader) {
            Seen::Is(services) => services,
            Seen::Absent => return Some(unread("the services of the swarm", "it is not controlled there")),
            Seen::Unread(why) => return Some(unread("the services of the swarm", &why)),
        };
        // One that has ended well has no other in its place, where only those are started again that fail.
        let moves = |task: &NodeTask, of: &Serving| of.restart == Restart::Always || !task.is_complete();
        let had = |of: &Serving| tasks.iter().any(|task| task.service() == of.name && moves(task, of));
        let lacking = services.iter().filter(|service| had(service) && !service.is_whole());
        let told: Vec<String> = lacking.map(|s| format!("{} ({} of {})", s.name, s.running, s.desired)).collect();
        (!told.is_empty()).then(|| Next::Wait(format!("the tasks of {} to run elsewhere", told.join(", "))))
    }

    /// A host that can be asked leaves by itself, so that it knows; one that cannot is struck off the list.
    fn taken_out(&self, node: &Node) -> Next {
        let who = name(node);
        let remove =
            |options: &[&str]| Command::new("docker").args(["node", "rm"]).args(options.iter().copied()).arg(&node.id);
        if node.state == "down" {
            return Change::run(format!("node {who} is down, and to be no more"), remove(&[])).into();
        }
        match self.behind(node) {
            Some((host, info)) if info.swarm.node_id == node.id => {
                let leave = Command::new("docker").args(["swarm", "leave"]);
                Change::run(format!("nothing runs on {host}"), leave).on(host).into()
            }
            Some((host, info)) if info.swarm.inactive() => {
                Next::Wait(format!("the swarm to know that {host} has left"))
            }
            _ => Change::run(
                format!("nothing runs on {who}, and no host of the inventory can be asked to leave as that node"),
                remove(&["--force"]),
            )
            .into(),
        }
    }

    /// The host of the inventory that is this node, or was until a moment ago.
    fn behind(&self, node: &Node) -> Option<(&str, &'a Info)> {
        let read = || {
            self.on
                .inventory
                .hosts
                .iter()
                .filter_map(|host| Some((host.name.as_str(), self.seen.daemon(&host.name).is()?)))
        };
        let own = read().find(|(_, info)| info.swarm.node_id == node.id);
        own.or_else(|| read().find(|(host, _)| Some(*host) == node.labels.get(JOINED).map(String::as_str)))
    }

    /// Nodes that nobody asked for and that stay, because somebody else brought them in.
    pub(super) fn strangers(&self) -> Option<Output> {
        let (_, nodes) = self.prunes()?;
        let unread = self.members.iter().any(|host| matches!(self.seen.daemon(&host.name), Seen::Unread(_)));
        let strange =
            nodes.iter().filter(|node| !unread && !node.labels.contains_key(JOINED) && !self.has_place(node, nodes));
        let told: Vec<String> = strange.map(|node| format!(
            "{} ({}) is no host's of {} or {}, and stays: skep did not bring it in. If it is to go: docker node rm",
            node.hostname, node.id, self.asked.managers, self.asked.workers
        )).collect();
        (!told.is_empty()).then(|| Output { stdout: told.join("\n").into_bytes(), ..Output::default() })
    }
}

fn leaves(node: &Node) -> bool {
    node.labels.contains_key(LEAVES)
}

fn demote(node: &Node) -> Change {
    let command = Command::new("docker").args(["node", "demote", &node.id]);
    Change::run(format!("{} is a {}, and to be none", name(node), Role::Manager.word()), command)
}

/// An inventory that suddenly lacks most hosts is a mistake sooner than a wish.
fn too_many(going: &[&Node], nodes: &[Node]) -> Option<Plan> {
    let names: Vec<&str> = going.iter().map(|node| name(node)).collect();
    (2 * going.len() > nodes.len()).then(|| {
        let why =
            format!("{} of {} nodes would be removed, more than half: {}", going.len(), nodes.len(), names.join(", "));
        Plan::refused(why, "is it the right inventory? If so, take them out of it in several runs")
    })
}

/// All that can be done now is done at once, so that no task moves to a node that goes next.
fn together(next: Vec<Next>, leader: &str) -> Plan {
    let (mut changes, mut waits, mut refused) = (Vec::new(), Vec::new(), None);
    for next in next {
        match next {
            Next::Change(change) => changes.push(*change),
            Next::Wait(what) => waits.push(what),
            Next::Refused(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match (changes.is_empty(), refused) {
        (false, _) => Plan::Change(changes),
        (true, _) if !waits.is_empty() => {
            Plan::Wait(Wait { what: waits.join("; "), on: vec![leader.to_owned()], ..Wait::default() })
        }
        (true, Some(refusal)) => Plan::Refused(refusal),
        (true, None) => Plan::Settled,
    }
}

fn unread(what: &str, why: &str) -> Next {
    Next::Refused(Refusal { why: format!("cannot read {what}: {why}"), hint: None })
}
