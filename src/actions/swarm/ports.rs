//! Whether the hosts' firewalls and security groups let a swarm happen: told before anything joins, by pair and port.

use std::net::{IpAddr, SocketAddr};

use super::address::{advertised, private};
use super::join::Joining;
use super::view::View;
use super::{CONTROL, GOSSIP, Role};
use crate::actions::{Ask, Plan, Wait};
use crate::reads::{Port, Read, Readings, Seen};

/// How many of the members after it a joining host is tried against, beside the leader: in a small swarm that is every pair,
/// in a large one the number of connections grows no faster than that of the hosts.
const NEIGHBOURS: usize = 2;

/// What every node must be reached at by all others. What goes by UDP cannot be tried: nothing answers. See [`super::path`].
pub(super) fn rules(address: IpAddr) -> &'static str {
    match private(address) {
        true => "2377/tcp, 7946/tcp, 7946/udp and 4789/udp to all nodes, from the network that they share",
        false => {
            "2377/tcp, 7946/tcp, 7946/udp, 4789/udp and IP protocol 50 (ESP) to all nodes, from their addresses alone"
        }
    }
}

/// Whether the hosts reach each other.
pub(super) enum Ways {
    /// They do.
    Open,
    /// Nobody could try, and why. The join itself will tell.
    Untried(String),
    /// They do not, or not yet.
    Barred(Plan),
}

/// One port that one host must reach on another.
struct Way<'a> {
    from: &'a str,
    to: &'a str,
    address: IpAddr,
    port: u16,
    /// Whether something listens there already. Where nothing does, that it says so proves that packets pass.
    listens: bool,
}

impl View<'_> {
    /// The ports to be tried before the host joins; none while nobody leads.
    pub(super) fn ways_to_try(&self) -> Vec<Ask> {
        let Some((leader, info)) = self.leader() else { return Vec::new() };
        let Ok(own) = advertised(&self.on.host, &self.members, self.seen) else { return Vec::new() };
        let Ok(at) = info.swarm.node_addr.parse() else { return Vec::new() };
        let role = self.role().unwrap_or(Role::Worker);
        self.all_ways(&Joining { role, own, leader, at }).iter().map(Way::ask).collect()
    }

    /// Tells of the first way that is barred.
    pub(super) fn ways(&self, joining: &Joining<'_>) -> Ways {
        let tried: Vec<Ways> = self.all_ways(joining).iter().map(|way| way.tried(self.seen)).collect();
        let first = |is: fn(&Ways) -> bool| tried.iter().position(is);
        let worst = first(|way| matches!(way, Ways::Barred(_))).or(first(|way| matches!(way, Ways::Untried(_))));
        worst.and_then(|at| tried.into_iter().nth(at)).unwrap_or(Ways::Open)
    }

    /// The leader is commanded at one port, and so is a manager that joins; gossip goes both ways, with its neighbours too.
    fn all_ways<'v>(&'v self, joining: &Joining<'v>) -> Vec<Way<'v>> {
        let (host, leader) = (self.host(), joining.leader);
        let to_leader = |port| Way { from: host, to: leader, address: joining.at, port, listens: true };
        let back = |from, port| Way { from, to: host, address: joining.own, port, listens: false };
        let mut ways = vec![to_leader(CONTROL), to_leader(GOSSIP), back(leader, GOSSIP)];
        ways.extend((joining.role == Role::Manager).then(|| back(leader, CONTROL)));
        for (to, address) in self.neighbours(leader) {
            let listens = self.gossips(leader, address);
            ways.extend([Way { from: host, to, address, port: GOSSIP, listens }, back(to, GOSSIP)]);
        }
        ways
    }

    /// The members after the host, in inventory order and round again, whose addresses are known.
    fn neighbours(&self, leader: &str) -> Vec<(&str, IpAddr)> {
        let own = self.members.iter().position(|member| member.name == self.host()).unwrap_or_default();
        let after = self.members[own..].iter().chain(&self.members[..own]).skip(1);
        let known = after
            .filter(|member| member.name != leader)
            .filter_map(|member| Some((member.name.as_str(), advertised(member, &self.members, self.seen).ok()?)));
        known.take(NEIGHBOURS).collect()
    }

    /// Whether a node of that address is in the swarm already.
    fn gossips(&self, leader: &str, address: IpAddr) -> bool {
        let nodes = self.seen.nodes(leader).is();
        nodes.into_iter().flatten().any(|node| node.state == "ready" && node.address.parse() == Ok(address))
    }
}

impl Way<'_> {
    fn ask(&self) -> Ask {
        let read = Read::Port { address: self.address.to_string(), port: self.port };
        Ask { host: self.from.to_owned(), read }
    }

    fn tried(&self, seen: &Readings<'_>) -> Ways {
        match seen.port(self.from, &self.address.to_string(), self.port) {
            Seen::Is(Port::Open | Port::HangsUp) => Ways::Open,
            Seen::Is(Port::Closed) if !self.listens => Ways::Open,
            // An engine opens it a moment after the swarm has begun.
            Seen::Is(Port::Closed) if self.port == GOSSIP => Ways::Barred(self.not_yet()),
            Seen::Is(barred) => Ways::Barred(self.barred(barred)),
            Seen::Absent => Ways::Untried("no answer".into()),
            Seen::Unread(why) => Ways::Untried(why),
        }
    }

    fn not_yet(&self) -> Plan {
        let Self { from, to, address, .. } = self;
        let what = format!(
            "{to} to let {from} in at {} (connection refused; if it stays so, a firewall on {to} rejects: open {})",
            self.at(),
            rules(*address)
        );
        Plan::Wait(Wait { what, on: vec![(*to).to_owned()], ..Wait::default() })
    }

    fn barred(&self, port: &Port) -> Plan {
        let Self { from, to, address, .. } = self;
        let who = match port {
            Port::Closed => format!("a firewall on {to} rejects it, or its swarm listens elsewhere; there,"),
            Port::NoRoute(_) => format!("a firewall on {to} rejects it, or there is no route between the two; there,"),
            _ => format!("a security group or a firewall swallows the packets on their way to {to};"),
        };
        let why = format!("{from} cannot reach {to} at {}/tcp: {port}", self.at());
        Plan::refused(why, format!("{who} open {}", rules(*address)))
    }

    fn at(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}
