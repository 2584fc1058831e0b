//! How the nodes of a swarm reach each other: an address of each host's own, in a private network that all share.

use std::net::IpAddr;
use std::sync::Arc;

use crate::actions::Refusal;
use crate::inventory::{Host, Private};
use crate::reads::{Interface, Machine, Readings, Seen};

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    pub(super) fn new(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let net = Self { address: address.parse().ok()?, prefix: prefix.parse().ok()? };
        (net.prefix <= if net.address.is_ipv4() { 32 } else { 128 }).then_some(net)
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.overlaps(&Self::new(address, if address.is_ipv4() { 32 } else { 128 }))
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let prefix = u32::from(self.prefix.min(other.prefix));
        match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => prefix == 0 || (a.to_bits() ^ b.to_bits()).leading_zeros() >= prefix,
            (IpAddr::V6(a), IpAddr::V6(b)) => prefix == 0 || (a.to_bits() ^ b.to_bits()).leading_zeros() >= prefix,
            _ => false,
        }
    }
}

/// The address that `host` is to be known by in the swarm of `members`.
///
/// # Errors
/// Where none is in a private network that all members are in, with the candidates; where the inventory's own is not the host's.
pub(super) fn advertised(host: &Host, members: &[Arc<Host>], seen: &Readings<'_>) -> Result<IpAddr, Refusal> {
    let machine = match seen.machine(&host.name) {
        Seen::Is(machine) => machine,
        Seen::Absent => return Err(refusal(format!("{} was not looked at", host.name), members, seen)),
        Seen::Unread(why) => {
            return Err(refusal(format!("cannot read the addresses of {}: {why}", host.name), members, seen));
        }
    };
    match &host.private_address {
        Some(asked) => of_inventory(host, asked, machine),
        None => shared(host, machine, members, seen),
    }
}

fn of_inventory(host: &Host, asked: &Private, machine: &Machine) -> Result<IpAddr, Refusal> {
    let name = &host.name;
    let (found, what) = match asked {
        Private::Address(address) => (machine.interface_of(*address).map(|_| *address), address.to_string()),
        Private::Interface(nic) => (on_interface(machine, nic), format!("an address on {nic}")),
    };
    found.ok_or_else(|| Refusal {
        why: format!(
            "the inventory says that the nodes reach {name} at {what}, but {name} has only {}",
            listed(machine)
        ),
        hint: Some(format!("correct `private_address` of {name}; Docker itself would take a wrong one without a word")),
    })
}

fn on_interface(machine: &Machine, nic: &str) -> Option<IpAddr> {
    let nic = machine.interfaces.iter().find(|found| found.name == nic)?;
    nic.addresses.iter().map(|(address, _)| *address).min_by_key(IpAddr::is_ipv6)
}

fn shared(host: &Host, machine: &Machine, members: &[Arc<Host>], seen: &Readings<'_>) -> Result<IpAddr, Refusal> {
    let mut own: Vec<(IpAddr, Net)> = candidates(machine).filter(|(address, _)| private(*address)).collect();
    // The default route's address first; of equal ones the first interface's.
    own.sort_by_key(|(address, _)| (machine.source != Some(*address), address.is_ipv6()));
    let others: Vec<&Machine> = members.iter().filter_map(|member| seen.machine(&member.name).is()).collect();
    let reaches = |net: &Net| others.iter().all(|other| candidates(other).any(|(address, _)| net.contains(address)));
    if let Some((address, _)) = own.iter().find(|(_, net)| reaches(net)) {
        return Ok(*address);
    }
    // Clouds that route every packet give each host a network of its own (10.128.0.2/32): private all the same.
    let routed = others.iter().all(|other| other.source.is_some_and(private));
    match machine.source.filter(|address| routed && private(*address)) {
        Some(address) => Ok(address),
        None => Err(refusal(
            format!("{} has no address in a private network that all nodes are in", host.name),
            members,
            seen,
        )),
    }
}

/// A host's addresses, each with the network it leads to: Docker's own interfaces left out.
fn candidates(machine: &Machine) -> impl Iterator<Item = (IpAddr, Net)> + '_ {
    let usable = machine.interfaces.iter().filter(|nic| nic.up && !of_docker(&nic.name));
    usable.flat_map(|nic| {
        nic.addresses.iter().map(|(address, prefix)| (*address, network(machine, nic, *address, *prefix)))
    })
}

/// The widest network that leads to through the address's own interface: some clouds give /32 and a route beside it.
fn network(machine: &Machine, nic: &Interface, address: IpAddr, prefix: u8) -> Net {
    let routes =
        machine.routes.iter().filter(|route| route.device == nic.name).map(|route| Net::new(route.to, route.prefix));
    let around = routes.filter(|net| net.prefix >= 8 && net.contains(address));
    around.chain([Net::new(address, prefix)]).min_by_key(|net| net.prefix).unwrap_or(Net::new(address, prefix))
}

fn of_docker(nic: &str) -> bool {
    ["lo", "docker0", "docker_gwbridge"].contains(&nic)
        || ["br-", "veth", "virbr", "cni", "vxlan"].iter().any(|p| nic.starts_with(p))
}

/// Not reachable from the internet: RFC 1918, RFC 6598 and RFC 4193.
fn private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

fn listed(machine: &Machine) -> String {
    let usable = machine.interfaces.iter().filter(|nic| !of_docker(&nic.name));
    let each = usable.flat_map(|nic| nic.addresses.iter().map(|(a, p)| format!("{a}/{p} on {}", nic.name)));
    each.collect::<Vec<_>>().join(", ")
}

fn refusal(why: String, members: &[Arc<Host>], seen: &Readings<'_>) -> Refusal {
    let line = |host: &Arc<Host>| Some(format!("\n  {}: {}", host.name, listed(seen.machine(&host.name).is()?)));
    let candidates: String = members.iter().filter_map(line).collect();
    let hint = "say for each host in the inventory how the others reach it: `private_address: 10.0.0.1`, or an interface's name. \
                Public addresses need `encrypted: true` on every overlay network: VXLAN has no authentication of its own";
    Refusal { why: format!("{why}; the candidates are:{candidates}"), hint: Some(hint.into()) }
}

/// A pool for overlay networks that overlaps nothing that any host has a way to, or asks names of (Docker looks at neither).
pub(super) fn free_pool(members: &[Arc<Host>], seen: &Readings<'_>) -> Option<String> {
    let machines: Vec<&Machine> = members.iter().filter_map(|member| seen.machine(&member.name).is()).collect();
    let taken: Vec<Net> = machines.iter().flat_map(|machine| taken(machine)).collect();
    let pools = (200..=250).chain(16..200).map(|second| format!("10.{second}.0.0/16"));
    pools
        .chain((128..=240).step_by(16).map(|third| format!("192.168.{third}.0/20")))
        .find(|pool| Net::parse(pool).is_some_and(|pool| !taken.iter().any(|net| net.overlaps(&pool))))
}

/// What of `pool` a host has a use for already.
pub(super) fn overlapping(pool: &Net, members: &[Arc<Host>], seen: &Readings<'_>) -> Option<String> {
    members.iter().find_map(|member| {
        let net = taken(seen.machine(&member.name).is()?).into_iter().find(|net| net.overlaps(pool))?;
        Some(format!("{}/{} on {}", net.address, net.prefix, member.name))
    })
}

fn taken(machine: &Machine) -> Vec<Net> {
    let routes = machine.routes.iter().map(|route| Net::new(route.to, route.prefix));
    let addresses = machine.interfaces.iter().flat_map(|nic| nic.addresses.iter().map(|(a, p)| Net::new(*a, *p)));
    let whole = |address: &IpAddr| Net::new(*address, if address.is_ipv4() { 32 } else { 128 });
    routes.chain(addresses).chain(machine.resolvers.iter().map(whole)).collect()
}
