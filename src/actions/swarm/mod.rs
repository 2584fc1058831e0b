//! `swarm`: hosts become the nodes of one Docker swarm.

mod address;
mod join;
mod node;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::peers::peers;
use super::values::Text;
use super::{Action, Ask, Object, Plan, Target, Wait};
use crate::inventory::Host;
use crate::reads::docker::{Flavour, Info, Look, Node};
use crate::reads::{Read, Readings, Seen};

/// Makes the hosts of two groups one Docker swarm, and keeps them that way.
///
/// The swarm is started on the first manager, if no manager is in one yet; the others join in parallel, with a token that goes
/// from the leader straight to them. It is settled when the leader lists every host as ready, with its role and labels. A host
/// that is in another swarm is left alone and said so. Hosts in neither group are left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    /// The hosts that are to be managers: a group, hosts, or several of them with `:` between.
    #[serde(default = "managers")]
    managers: String,
    /// The hosts that are to be workers. Who is in both is a manager.
    #[serde(default = "workers")]
    workers: String,
    /// Where overlay networks take their addresses from, in CIDR notation; can be chosen only when the swarm is started. Without
    /// it, a range that no host has a route to.
    #[serde(default)]
    pool: Vec<String>,
    /// The prefix length of each overlay network in the pool; 24 where not given.
    subnet_size: Option<u8>,
    /// Labels of the host's node; others that it has are left alone.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// `active`, `pause` or `drain`; left as it is where not given.
    availability: Option<Availability>,
}

/// Whether a node takes work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Availability {
    Active,
    Pause,
    Drain,
}

/// What a node is in its swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Manager,
    Worker,
}

impl Role {
    fn word(self) -> &'static str {
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

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut asks = vec![on.ask(Read::Docker(Look::Engine))];
        for manager in peers(on, &self.managers) {
            asks.push(Ask { host: manager.name.clone(), read: Read::Docker(Look::Engine) });
            asks.push(Ask { host: manager.name.clone(), read: Read::Docker(Look::Nodes) });
        }
        let outside = match seen.engine(&on.host.name) {
            Seen::Is(engine) => matches!(&engine.daemon, Seen::Is(info) if info.swarm.inactive()),
            Seen::Absent => true,
            Seen::Unread(_) => false,
        };
        if outside && self.role(on).is_some() {
            let machine = |host: &Arc<Host>| Ask { host: host.name.clone(), read: Read::Machine };
            asks.extend(self.members(on).iter().map(machine));
            asks.push(on.ask(Read::Docker(Look::Network(join::GWBRIDGE.into()))));
            asks.extend(self.ways_to_try(on, seen));
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let Some(role) = self.role(on) else { return Plan::Settled };
        let host = &on.host.name;
        match seen.engine(host) {
            Seen::Unread(why) => Plan::unread(&format!("Docker on {host}"), &why),
            // Nothing is installed yet: what would be done once it is.
            Seen::Absent => self.enter(role, on, seen),
            Seen::Is(engine) => match (engine.flavour, &engine.daemon) {
                (Flavour::Docker, Seen::Is(info)) => self.with(info, role, on, seen),
                (Flavour::Docker, Seen::Unread(why)) => Plan::unread(&format!("Docker on {host}"), why),
                (Flavour::Docker, Seen::Absent) => self.enter(role, on, seen),
                (flavour, _) => unusable(host, flavour),
            },
        }
    }
}

impl Swarm {
    fn members(&self, on: &Target) -> Vec<Arc<Host>> {
        peers(on, &format!("{}:{}", self.managers, self.workers))
    }

    fn role(&self, on: &Target) -> Option<Role> {
        let among = |words: &str| peers(on, words).iter().any(|host| host.name == on.host.name);
        match among(&self.managers) {
            true => Some(Role::Manager),
            false => among(&self.workers).then_some(Role::Worker),
        }
    }

    /// The first manager, in inventory order, that controls a swarm with a quorum; the run's own, once it has one.
    fn leader<'a>(&self, on: &Target, seen: &Readings<'a>) -> Option<(String, &'a Info)> {
        let controls = |name: &str| seen.daemon(name).is().filter(|info| info.swarm.control_available);
        let pinned = on.leader.iter().map(String::clone);
        let managers = peers(on, &self.managers).into_iter().map(|host| host.name.clone());
        pinned.chain(managers).find_map(|name| controls(&name).map(|info| (name, info)))
    }

    fn with(&self, info: &Info, role: Role, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        match info.swarm.local_node_state.as_str() {
            "inactive" | "" if info.live_restore_enabled => Plan::refused(
                format!("the daemon of {host} has `live-restore` on, and such a daemon cannot be in a swarm"),
                "take `live-restore` out of /etc/docker/daemon.json and restart Docker",
            ),
            "inactive" | "" => self.enter(role, on, seen),
            "pending" => wait(format!("the swarm to let {host} in{}", said(&info.swarm.error)), on, seen, self),
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
            _ => self.inside(info, role, on, seen),
        }
    }

    /// The host is in a swarm: this one?
    fn inside(&self, info: &Info, role: Role, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        let Some((leader, leading)) = self.leader(on, seen) else { return self.headless(on, seen) };
        let nodes = match seen.nodes(&leader) {
            Seen::Is(nodes) => nodes,
            Seen::Absent => return self.headless(on, seen),
            Seen::Unread(why) => return Plan::unread(&format!("the nodes that {leader} lists"), &why),
        };
        match nodes.iter().find(|node| node.id == info.swarm.node_id) {
            Some(_) if *host == leader && self.other_pool(leading) => self.refused_pool(leading, &leader),
            Some(node) => self.node(node, role, &leader, nodes, on, seen),
            None => Plan::refused(
                format!("{host} is in another swarm: {leader} does not list its node {}", info.swarm.node_id),
                format!(
                    "if {host} has no place in that other swarm any more, on {host}: docker swarm leave --force; then run again"
                ),
            ),
        }
    }

    /// In a swarm that none of the managers controls: they may be on their way up, or too few.
    fn headless(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let managers = peers(on, &self.managers);
        let out = managers.iter().all(|host| seen.daemon(&host.name).is().is_some_and(|info| info.swarm.inactive()));
        match out {
            true => Plan::refused(
                format!("{} is in a swarm, but no host of {} is", on.host.name, self.managers),
                format!("name the managers of that swarm, or on {}: docker swarm leave --force", on.host.name),
            ),
            false => wait(
                "a manager that controls the swarm (more than half of its managers must be up)".into(),
                on,
                seen,
                self,
            ),
        }
    }

    fn other_pool(&self, leading: &Info) -> bool {
        let is = leading.swarm.cluster.as_ref().and_then(|cluster| cluster.default_addr_pool.as_ref());
        !self.pool.is_empty() && is.is_some_and(|is| *is != self.pool)
    }

    fn refused_pool(&self, leading: &Info, leader: &str) -> Plan {
        let is =
            leading.swarm.cluster.as_ref().and_then(|cluster| cluster.default_addr_pool.clone()).unwrap_or_default();
        Plan::refused(
            format!("the swarm of {leader} has the pool {}, asked is {}", is.join(", "), self.pool.join(", ")),
            "a pool can be chosen only when a swarm is started; write the one it has, or let all nodes leave and start anew",
        )
    }
}

fn unusable(host: &str, flavour: Flavour) -> Plan {
    let what = match flavour {
        Flavour::Snap => "Docker from a snap, which sees neither its settings nor /var/tmp",
        Flavour::Podman => "podman under the name of docker, which knows no swarms",
        Flavour::Rootless | Flavour::Docker => "a rootless Docker, whose overlay networks do not reach other hosts",
    };
    Plan::refused(format!("{host} has {what}"), "remove it; a `docker_engine` step installs what a swarm needs")
}

fn said(error: &str) -> String {
    if error.is_empty() { String::new() } else { format!(": {error}") }
}

fn wait(what: String, on: &Target, _seen: &Readings<'_>, swarm: &Swarm) -> Plan {
    let managers = peers(on, &swarm.managers).iter().map(|host| host.name.clone()).collect();
    Plan::Wait(Wait { what, on: managers, by_step: false, then: Vec::new() })
}
