//! Where the swarm's networks take their addresses from. Docker looks neither at routes nor at resolvers, and what it takes
//! from a host that has a use for it, containers on that host can no longer reach.

use super::address::of_docker;
use super::view::View;
use crate::actions::Refusal;
use crate::actions::cidr::{Net, same_net};
use crate::reads::Machine;
use crate::reads::docker::Info;

/// The ranges that Docker takes a host's own bridges from.
const OF_BRIDGES: [&str; 2] = ["172.16.0.0/12", "192.168.0.0/16"];

impl View<'_> {
    /// The pools to start the swarm with: those asked for, or one that overlaps nothing on any member.
    pub(super) fn pools(&self) -> Result<Vec<String>, Refusal> {
        for pool in &self.asked.pool {
            if let Some((taken, host)) = self.taken().find(|(taken, _)| taken.overlaps(&pool.net)) {
                let why = format!("the pool {} would cut containers off from {taken} on {host}", pool.text);
                return Err(refused(why, "choose another `pool`, or leave it out and one that is free is taken"));
            }
        }
        match self.free_pool() {
            _ if !self.asked.pool.is_empty() => Ok(self.asked_pools()),
            Some(pool) => Ok(vec![pool]),
            None => Err(refused("no private range is free of routes on all hosts".into(), "give one as `pool`")),
        }
    }

    fn asked_pools(&self) -> Vec<String> {
        self.asked.pool.iter().map(|pool| pool.text.clone()).collect()
    }

    fn free_pool(&self) -> Option<String> {
        let pools = (200..=250).chain(16..200).map(|second| format!("10.{second}.0.0/16"));
        let pools = pools.chain((128..=240).step_by(16).map(|third| format!("192.168.{third}.0/20")));
        let taken: Vec<Net> = self.taken().map(|(net, _)| net).collect();
        free(pools, &taken)
    }

    /// The members whose networks nobody knows. They must not keep the others from starting.
    pub(super) fn unread(&self) -> Vec<&str> {
        let unread = self.members.iter().filter(|member| self.seen.machine(&member.name).is().is_none());
        unread.map(|member| member.name.as_str()).collect()
    }

    /// A swarm that has other pools than asked: they are chosen once.
    pub(super) fn other_pool(&self, leading: &Info) -> Option<Refusal> {
        let cluster = leading.swarm.cluster.as_ref()?;
        let leader = self.leader()?.0;
        let hint = "it can be chosen only when a swarm is started; write the one it has, or let all nodes leave and start anew";
        let asked = self.asked_pools();
        let other = |is: &&Vec<String>| !asked.is_empty() && !same_nets(is, &asked);
        if let Some(is) = cluster.default_addr_pool.as_ref().filter(other) {
            let why = format!("the swarm of {leader} has the pool {}, asked is {}", is.join(", "), asked.join(", "));
            return Some(refused(why, hint));
        }
        let (is, asked) = (cluster.subnet_size?, self.asked.subnet_size?);
        let why = format!("the swarm of {leader} has networks of prefix length {is}, `subnet_size` asks for {asked}");
        (is != asked).then(|| refused(why, hint))
    }

    /// A pool of the swarm that would cut the joining host off from a network that it is in, and the leader is not.
    pub(super) fn cut_off(&self, leader: &str, leading: &Info) -> Option<Refusal> {
        let host = self.host();
        let theirs = self.seen.machine(leader).is().map(taken).unwrap_or_default();
        let own =
            taken(self.seen.machine(host).is()?).into_iter().filter(|net| !theirs.iter().any(|t| t.overlaps(net)));
        let own: Vec<Net> = own.collect();
        let pools = leading.swarm.cluster.as_ref()?.default_addr_pool.iter().flatten();
        let (pool, net) = pools
            .filter_map(|pool| Net::parse(pool))
            .find_map(|pool| own.iter().find(|net| net.overlaps(&pool)).map(|net| (pool, *net)))?;
        let why =
            format!("the swarm's pool {pool} would cut containers on {host} off from {net}, which {host} has a way to");
        let hint = "let the host give that network up, or leave it out of the swarm; a pool can be chosen only when a swarm is started";
        Some(refused(why, hint))
    }

    /// A range for this host's own bridge where Docker might choose what another member has a use for: it looks only at the
    /// host's own routes. With what it would take.
    pub(super) fn bridge_range(&self, pools: &[Net]) -> Option<(String, String)> {
        let own = taken(self.seen.machine(self.host()).is()?);
        let of_bridges = |net: &Net| OF_BRIDGES.iter().filter_map(|range| Net::parse(range)).any(|r| r.overlaps(net));
        let foreign = |net: &Net| of_bridges(net) && !own.iter().any(|own| own.overlaps(net));
        let (theirs, host) = self.beyond_docker().find(|(net, _)| foreign(net))?;
        let ranges = (18..32).map(|second| format!("172.{second}.0.0/16"));
        let ranges = ranges.chain((0..=240).step_by(16).map(|third| format!("192.168.{third}.0/20")));
        let all: Vec<Net> = own.iter().chain(pools).copied().chain(self.beyond_docker().map(|(net, _)| net)).collect();
        Some((free(ranges, &all)?, format!("{theirs} on {host}")))
    }

    /// What each member has a use for.
    fn taken(&self) -> impl Iterator<Item = (Net, &str)> {
        self.machines().flat_map(|(machine, host)| taken(machine).into_iter().map(move |net| (net, host)))
    }

    /// The same without Docker's own networks, which are each host's own affair.
    fn beyond_docker(&self) -> impl Iterator<Item = (Net, &str)> {
        self.machines().flat_map(|(machine, host)| {
            let nets = routes(machine).chain(addresses(machine)).filter(|(device, _)| !of_docker(device));
            nets.map(move |(_, net)| (net, host)).collect::<Vec<_>>()
        })
    }

    fn machines(&self) -> impl Iterator<Item = (&Machine, &str)> {
        self.members.iter().filter_map(|host| Some((self.seen.machine(&host.name).is()?, host.name.as_str())))
    }
}

fn taken(machine: &Machine) -> Vec<Net> {
    let nets = routes(machine).chain(addresses(machine)).map(|(_, net)| net);
    nets.chain(machine.resolvers.iter().map(|address| Net::of(*address))).collect()
}

/// Without those that lead everywhere: a VPN may write the default route as two halves.
fn routes(machine: &Machine) -> impl Iterator<Item = (&str, Net)> {
    let routes = machine.routes.iter().filter(|route| route.prefix >= 8);
    routes.map(|route| (route.device.as_str(), Net::new(route.to, route.prefix)))
}

fn addresses(machine: &Machine) -> impl Iterator<Item = (&str, Net)> {
    let each = machine.interfaces.iter().flat_map(|nic| nic.addresses.iter().map(move |own| (&nic.name, own)));
    each.map(|(name, (address, prefix))| (name.as_str(), Net::new(*address, *prefix)))
}

fn same_nets(these: &[String], those: &[String]) -> bool {
    these.len() == those.len() && these.iter().zip(those).all(|(one, other)| same_net(one, other))
}

/// The first range that overlaps none of those taken.
fn free(mut ranges: impl Iterator<Item = String>, taken: &[Net]) -> Option<String> {
    ranges.find(|range| Net::parse(range).is_some_and(|range| !taken.iter().any(|net| net.overlaps(&range))))
}

fn refused(why: String, hint: &str) -> Refusal {
    Refusal { why, hint: Some(hint.into()) }
}
