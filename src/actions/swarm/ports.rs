//! Whether the hosts' firewalls and security groups let a swarm happen: told before anything joins, by pair and port.

use std::net::{IpAddr, SocketAddr};

use super::address::advertised;
use super::{CONTROL, GOSSIP, Plan, Readings, Swarm, Target, Wait};
use crate::actions::Ask;
use crate::reads::{Port, Read, Seen};

/// What every node must be reached at by all others. What goes by UDP cannot be tried: nothing answers.
const RULES: &str = "2377/tcp, 7946/tcp, 7946/udp and 4789/udp to all nodes, from the network that they share";

/// Whether a host and the leader reach each other.
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
}

/// The leader is commanded at one port, and gossip goes both ways.
fn pairs<'a>(host: &'a str, own: IpAddr, leader: &'a str, leading: IpAddr) -> [Way<'a>; 3] {
    [
        Way { from: host, to: leader, address: leading, port: CONTROL },
        Way { from: host, to: leader, address: leading, port: GOSSIP },
        Way { from: leader, to: host, address: own, port: GOSSIP },
    ]
}

impl Swarm {
    /// The ports to be tried before the host joins; none while nobody leads.
    pub(super) fn ways_to_try(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let Some((leader, info)) = self.leader(on, seen) else { return Vec::new() };
        let Ok(own) = advertised(&on.host, &self.members(on), seen) else { return Vec::new() };
        let Ok(leading) = info.swarm.node_addr.parse() else { return Vec::new() };
        pairs(&on.host.name, own, &leader, leading).iter().map(Way::ask).collect()
    }
}

/// Tells of the first way that is barred.
pub(super) fn ways(on: &Target, leader: &str, own: IpAddr, leading: IpAddr, seen: &Readings<'_>) -> Ways {
    let host = &on.host.name;
    let tried = pairs(host, own, leader, leading).map(|way| way.tried(host, seen));
    let first = |is: fn(&Ways) -> bool| tried.iter().position(is);
    let worst = first(|way| matches!(way, Ways::Barred(_))).or(first(|way| matches!(way, Ways::Untried(_))));
    worst.and_then(|at| tried.into_iter().nth(at)).unwrap_or(Ways::Open)
}

impl Way<'_> {
    fn ask(&self) -> Ask {
        let read = Read::Port { address: self.address.to_string(), port: self.port };
        Ask { host: self.from.to_owned(), read }
    }

    fn tried(&self, joining: &str, seen: &Readings<'_>) -> Ways {
        match seen.port(self.from, &self.address.to_string(), self.port) {
            Seen::Is(Port::Open | Port::HangsUp) => Ways::Open,
            // Nothing gossips there before the join; that it says so proves that packets pass.
            Seen::Is(Port::Closed) if self.to == joining => Ways::Open,
            // An engine opens it a moment after the swarm has begun.
            Seen::Is(Port::Closed) if self.port == GOSSIP => Ways::Barred(self.not_yet()),
            Seen::Is(barred) => Ways::Barred(self.barred(barred)),
            Seen::Absent => Ways::Untried("no answer".into()),
            Seen::Unread(why) => Ways::Untried(why),
        }
    }

    fn not_yet(&self) -> Plan {
        let Self { from, to, .. } = self;
        let what = format!(
            "{to} to let {from} in at {} (connection refused; if it stays so, a firewall on {to} rejects: open {})",
            self.at(),
            RULES
        );
        Plan::Wait(Wait { what, on: vec![(*to).to_owned()], by_step: false, then: Vec::new() })
    }

    fn barred(&self, port: &Port) -> Plan {
        let Self { from, to, .. } = self;
        let who = match port {
            Port::Closed => format!("a firewall on {to} rejects it, or its swarm listens elsewhere; there,"),
            Port::NoRoute(_) => format!("a firewall on {to} rejects it, or there is no route between the two; there,"),
            _ => format!("a security group or a firewall swallows the packets on their way to {to};"),
        };
        Plan::refused(format!("{from} cannot reach {to} at {}/tcp: {port}", self.at()), format!("{who} open {}", RULES))
    }

    fn at(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}
