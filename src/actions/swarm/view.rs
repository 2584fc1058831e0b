//! What one host sees of the swarm: what is asked for, and what was read of it and of its peers.

use std::sync::Arc;

use super::mark::JOINED;
use super::path::Way;
use super::roles::votes;
use super::{Role, Swarm, join};
use crate::actions::{Ask, Plan, Refusal, Target, Wait, peers};
use crate::inventory::Host;
use crate::reads::docker::{Flavour, Info, Look, Node};
use crate::reads::{Read, Readings, Seen, is_late};

/// What is asked for, and what was read.
pub(super) struct View<'a> {
    pub(super) asked: &'a Swarm,
    pub(super) on: &'a Target,
    pub(super) seen: &'a Readings<'a>,
    /// The hosts that are to be managers, in inventory order.
    pub(super) managers: Vec<Arc<Host>>,
    /// Those and the ones that are to be workers.
    pub(super) members: Vec<Arc<Host>>,
}

impl<'a> View<'a> {
    /// # Errors
    /// A pattern that is a mistake.
    pub(super) fn new(asked: &'a Swarm, on: &'a Target, seen: &'a Readings<'a>) -> Result<Self, Refusal> {
        let (managers, workers) = (peers(on, &asked.managers)?, peers(on, &asked.workers)?);
        let member = |host: &&Arc<Host>| managers.contains(host) || workers.contains(host);
        let members = on.inventory.hosts.iter().filter(member).cloned().collect();
        Ok(Self { asked, on, seen, managers, members })
    }

    /// The job's host.
    pub(super) fn host(&self) -> &'a str {
        &self.on.host.name
    }

    pub(super) fn role(&self) -> Option<Role> {
        let among = |hosts: &[Arc<Host>]| hosts.iter().any(|host| host.name == self.host());
        match among(&self.managers) {
            true => Some(Role::Manager),
            false => among(&self.members).then_some(Role::Worker),
        }
    }

    /// The manager that commands the swarm: the run's leader, if it is one of them, or else the first, in inventory order,
    /// that controls a swarm with a quorum.
    pub(super) fn leader(&self) -> Option<(&str, &'a Info)> {
        self.commanding().or_else(|| self.outgoing())
    }

    fn commanding(&self) -> Option<(&str, &'a Info)> {
        let pinned = |name: &&str| self.on.leader.as_deref() == Some(name);
        let managers = || self.managers.iter().map(|host| host.name.as_str());
        managers().filter(pinned).chain(managers()).find_map(|name| self.controls(name).map(|info| (name, info)))
    }

    /// A host that is to be a worker and still commands the swarm, where no manager does so far. It must be this swarm: one that
    /// we made it a node of, or one that a manager is in.
    fn outgoing(&self) -> Option<(&str, &'a Info)> {
        let ours = |node: &Node, own: &str| match node.id == own {
            true => node.labels.contains_key(JOINED),
            false => {
                self.managers.iter().any(|m| self.seen.daemon(&m.name).is().is_some_and(|i| i.swarm.node_id == node.id))
            }
        };
        self.members.iter().map(|host| host.name.as_str()).find_map(|name| {
            let (info, nodes) = (self.controls(name)?, self.seen.nodes(name).is()?);
            nodes.iter().any(|node| ours(node, &info.swarm.node_id)).then_some((name, info))
        })
    }

    /// What the daemon of a host says, if it commands a swarm.
    pub(super) fn controls(&self, host: &str) -> Option<&'a Info> {
        self.seen.daemon(host).is().filter(|info| info.swarm.controls())
    }

    pub(super) fn reads(&self) -> Vec<Ask> {
        let mut asks = vec![self.on.ask(Read::Docker(Look::Engine))];
        for read in [Look::Engine, Look::Nodes].map(Read::Docker) {
            asks.extend(self.managers.iter().map(|manager| ask(manager, &read)));
        }
        let members = |read: Read| self.members.iter().map(move |member| ask(member, &read));
        match self.role() {
            None => {}
            Some(_) if self.outside() => {
                asks.extend(members(Read::Machine));
                asks.push(self.on.ask(Read::Docker(Look::Network(join::GWBRIDGE.into()))));
                asks.extend(self.ways_to_try());
            }
            Some(_) if matches!(self.way(), Way::Unproven(_)) => {
                asks.extend(members(Read::Machine).chain(members(Read::Docker(Look::Engine))));
            }
            Some(_) => {}
        }
        if self.role().is_some() && (self.nobody_commands() || self.is_to_be_demoted()) {
            asks.extend(members(Read::Docker(Look::Engine)));
            let commands = |host: &&Arc<Host>| self.controls(&host.name).is_some();
            asks.extend(self.members.iter().filter(commands).map(|host| ask(host, &Read::Docker(Look::Nodes))));
        }
        asks.extend(self.reads_to_prune());
        asks
    }

    /// In no swarm, or without Docker so far.
    fn outside(&self) -> bool {
        match self.seen.engine(self.host()) {
            Seen::Is(engine) => matches!(&engine.daemon, Seen::Is(info) if info.swarm.inactive()),
            Seen::Absent => true,
            Seen::Unread(_) => false,
        }
    }

    /// The managers were looked at, and none of them commands: another member may.
    fn nobody_commands(&self) -> bool {
        let read = |host: &Arc<Host>| !matches!(self.seen.daemon(&host.name), Seen::Unread(_));
        self.commanding().is_none() && self.managers.iter().any(read)
    }

    /// Whose turn it is, and who is left, depends on all.
    fn is_to_be_demoted(&self) -> bool {
        self.role() == Some(Role::Worker) && self.listed().is_some_and(|(node, _)| votes(node))
    }

    pub(super) fn plan(&self) -> Plan {
        let Some(role) = self.role() else { return Plan::Settled };
        let host = self.host();
        match self.seen.engine(host) {
            // In the middle of an election daemons take their time.
            Seen::Unread(why) if is_late(&why) => self.wait(format!("Docker on {host} to answer ({why})")),
            Seen::Unread(why) => Plan::unread(&format!("Docker on {host}"), &why),
            // Nothing is installed yet: what would be done once it is.
            Seen::Absent => self.enter(role),
            Seen::Is(engine) => match (engine.flavour, &engine.daemon) {
                (Flavour::Docker, Seen::Is(info)) => self.with(info, role),
                (Flavour::Docker, Seen::Unread(why)) if is_late(why) => {
                    self.wait(format!("Docker on {host} to answer ({why})"))
                }
                (Flavour::Docker, Seen::Unread(why)) => Plan::unread(&format!("Docker on {host}"), why),
                (Flavour::Docker, Seen::Absent) => self.enter(role),
                (flavour, _) => unusable(host, flavour),
            },
        }
    }

    fn with(&self, info: &Info, role: Role) -> Plan {
        let host = self.host();
        match info.swarm.local_node_state.as_str() {
            "inactive" | "" if info.live_restore_enabled => Plan::refused(
                format!("the daemon of {host} has `live-restore` on, and such a daemon cannot be in a swarm"),
                "take `live-restore` out of /etc/docker/daemon.json and restart Docker",
            ),
            "inactive" | "" => self.enter(role),
            "pending" => self.wait(format!("the swarm to let {host} in{}", said(&info.swarm.error))),
            "locked" => Plan::refused(
                format!("the swarm's keys on {host} are locked"),
                format!("on {host}: docker swarm unlock"),
            ),
            "error" => Plan::refused(
                format!("{host} cannot take part in its swarm{}", said(&info.swarm.error)),
                format!(
                    "if it has no other place in that swarm, on {host}: docker swarm leave --force; then run again"
                ),
            ),
            _ => self.inside(info, role),
        }
    }

    /// The host is in a swarm: this one?
    fn inside(&self, info: &Info, role: Role) -> Plan {
        let host = self.host();
        let Some((leader, leading)) = self.leader() else { return self.headless(info) };
        let nodes = match self.seen.nodes(leader) {
            Seen::Is(nodes) => nodes,
            Seen::Absent => return self.headless(info),
            // As in the middle of an election, whatever it said of itself.
            Seen::Unread(why) if is_late(&why) || leads_nobody(&why) => return self.headless(info),
            Seen::Unread(why) => return Plan::unread(&format!("the nodes that {leader} lists"), &why),
        };
        match nodes.iter().find(|node| node.id == info.swarm.node_id) {
            Some(node) => match self.other_pool(leading).filter(|_| host == leader) {
                Some(refusal) => Plan::Refused(refusal),
                None => match self.node(node, role, leader, nodes) {
                    Plan::Settled => self.pruned(),
                    plan => plan,
                },
            },
            None => Plan::refused(
                format!("{host} is in another swarm: {leader} does not list its node {}", info.swarm.node_id),
                format!(
                    "if {host} has no place in that other swarm any more, on {host}: docker swarm leave --force; then run again"
                ),
            ),
        }
    }

    /// In a swarm that none of the managers controls: they may be on their way up, too few, or not its managers at all.
    fn headless(&self, info: &Info) -> Plan {
        let (host, asked) = (self.host(), &self.asked.managers);
        let daemons: Option<Vec<&Info>> =
            self.managers.iter().map(|manager| self.seen.daemon(&manager.name).is()).collect();
        let later =
            || self.wait("a manager that controls the swarm (more than half of its managers must be up)".into());
        match daemons {
            Some(all) if all.iter().all(|daemon| daemon.swarm.inactive()) => Plan::refused(
                format!("{host} is in a swarm, but no host of {asked} is"),
                format!("name the managers of that swarm, or on {host}: docker swarm leave --force"),
            ),
            Some(all) => self.elsewhere(host, info, &all).or_else(|| self.without_quorum(info)).unwrap_or_else(later),
            None => self.without_quorum(info).unwrap_or_else(later),
        }
    }

    /// The swarm of `host` has its managers, and none of `daemons` is among them: waiting would not help.
    pub(super) fn elsewhere(&self, host: &str, info: &Info, daemons: &[&Info]) -> Option<Plan> {
        let managers = info.swarm.remote_managers.as_deref().filter(|managers| !managers.is_empty())?;
        let manages = |daemon: &&Info| managers.iter().any(|manager| manager.node_id == daemon.swarm.node_id);
        let who: Vec<String> = managers.iter().map(|manager| self.named(&manager.node_id, &manager.addr)).collect();
        let (who, asked) = (who.join(", "), &self.asked.managers);
        let refused = || {
            Plan::refused(
                format!("the swarm that {host} is in is controlled by {who}, which is not in `{asked}`"),
                format!("name {who} among the managers, or promote one of them there: docker node promote NODE"),
            )
        };
        let certain = daemons.iter().all(|daemon| daemon.swarm.inactive() || daemon.swarm.local_node_state == "active");
        (certain && !daemons.iter().any(manages)).then(refused)
    }

    /// The member whose node it is, or where it listens.
    pub(super) fn named(&self, node: &str, address: &str) -> String {
        let own = |host: &&Arc<Host>| self.seen.daemon(&host.name).is().is_some_and(|info| info.swarm.node_id == node);
        self.members.iter().find(own).map_or_else(|| address.to_owned(), |host| host.name.clone())
    }

    /// Waits for what the managers bring about.
    pub(super) fn wait(&self, what: String) -> Plan {
        let managers = self.managers.iter().map(|host| host.name.clone()).collect();
        Plan::Wait(Wait { what, on: managers, ..Wait::default() })
    }

    /// The nodes that the leader lists, and the host's own among them.
    pub(super) fn listed(&self) -> Option<(&'a Node, &'a [Node])> {
        let own = &self.seen.daemon(self.host()).is()?.swarm.node_id;
        let nodes = self.seen.nodes(self.leader()?.0).is()?;
        nodes.iter().find(|node| node.id == *own).map(|node| (node, nodes.as_slice()))
    }
}

/// Whether a manager says that the swarm has nobody just now who answers for it.
fn leads_nobody(why: &str) -> bool {
    why.contains("does not have a leader") || why.contains("deadline exceeded")
}

pub(super) fn ask(host: &Arc<Host>, read: &Read) -> Ask {
    Ask { host: host.name.clone(), read: read.clone() }
}

fn unusable(host: &str, flavour: Flavour) -> Plan {
    let what = match flavour {
        Flavour::Snap => "Docker from a snap, which sees neither its settings nor /var/tmp",
        Flavour::Podman => "podman under the name of docker, which knows no swarms",
        Flavour::Rootless | Flavour::Docker => "a rootless Docker, whose overlay networks do not reach other hosts",
    };
    Plan::refused(format!("{host} has {what}"), "remove it; a `docker_engine` step installs what a swarm needs")
}

/// What an engine said, to end a sentence with.
pub(super) fn said(error: &str) -> String {
    if error.is_empty() { String::new() } else { format!(": {error}") }
}
