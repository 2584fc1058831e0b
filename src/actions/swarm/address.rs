//! How the nodes of a swarm reach each other: an address of each host's own, in a private network that all share.

use std::net::IpAddr;
use std::sync::Arc;

use crate::actions::Refusal;
use crate::actions::cidr::Net;
use crate::inventory::{Host, Private};
use crate::reads::{Interface, Machine, Readings, Seen};

/// The address that `host` is to be known by in the swarm of `members`.
///
/// # Errors
/// Where none is in a private network that all members are in, where the inventory's own is not the host's, and where it
/// mixes public with private ones: all with the candidates.
pub(super) fn advertised(host: &Host, members: &[Arc<Host>], seen: &Readings<'_>) -> Result<IpAddr, Refusal> {
    let machine = match seen.machine(&host.name) {
        Seen::Is(machine) => machine,
        Seen::Absent => return Err(refusal(format!("{} was not looked at", host.name), members, seen)),
        Seen::Unread(why) => {
            return Err(refusal(format!("cannot read the addresses of {}: {why}", host.name), members, seen));
        }
    };
    let own = match &host.private_address {
        Some(asked) => of_inventory(host, asked, machine, members, seen),
        None => shared(host, machine, members, seen),
    }?;
    match members.iter().find_map(|other| apart(host, own, other, seen)) {
        Some(why) => Err(refusal(why, members, seen)),
        None => Ok(own),
    }
}

/// Why two hosts do not meet, where the inventory says how the other is reached.
fn apart(host: &Host, own: IpAddr, other: &Host, seen: &Readings<'_>) -> Option<String> {
    let theirs = given(other.private_address.as_ref()?, seen.machine(&other.name).is())?;
    let (name, other) = (&host.name, &other.name);
    let kind = |address| if private(address) { "private" } else { "public" };
    match theirs {
        _ if name == other => None,
        same if same == own => Some(format!("{name} and {other} would both be reached at {own}")),
        theirs if private(theirs) != private(own) => Some(format!(
            "{name} would be reached at {own}, which is {}, and {other} at {theirs}, which is {}",
            kind(own),
            kind(theirs)
        )),
        _ => None,
    }
}

fn given(asked: &Private, machine: Option<&Machine>) -> Option<IpAddr> {
    match asked {
        Private::Address(address) => Some(*address),
        Private::Interface(nic) => on_interface(machine?, nic),
    }
}

fn of_inventory(
    host: &Host,
    asked: &Private,
    machine: &Machine,
    members: &[Arc<Host>],
    seen: &Readings<'_>,
) -> Result<IpAddr, Refusal> {
    let name = &host.name;
    let what = match asked {
        Private::Address(address) => address.to_string(),
        Private::Interface(nic) => format!("an address on {nic}"),
    };
    // Docker itself would take a wrong one without a word.
    let own = given(asked, Some(machine)).filter(|address| machine.interface_of(*address).is_some());
    own.ok_or_else(|| {
        let has = listed(machine);
        let why = format!("the inventory says that the nodes reach {name} at {what}, but {name} has only {has}");
        refusal(why, members, seen)
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
    let all: Vec<&Machine> = members.iter().filter_map(|member| seen.machine(&member.name).is()).collect();
    let meeting = own.iter().find(|(_, net)| distinct(all.iter().map(|other| within(other, net).collect())));
    // Clouds that route every packet give each host a network of its own (10.128.0.2/32): private all the same.
    let routed = || distinct(all.iter().map(|other| alone(other).into_iter().collect()));
    match meeting.map(|(address, _)| *address).or_else(|| alone(machine).filter(|_| routed())) {
        Some(address) => Ok(address),
        None => Err(refusal(
            format!("{} has no address in a private network that all nodes are in", host.name),
            members,
            seen,
        )),
    }
}

/// Whether each host has an address that is no other's: behind Vagrant's NAT all are 10.0.2.15, and none reaches another.
fn distinct(hosts: impl Iterator<Item = Vec<IpAddr>>) -> bool {
    let mut met = Vec::new();
    for addresses in hosts {
        match addresses.into_iter().find(|address| !met.contains(address)) {
            Some(own) => met.push(own),
            None => return false,
        }
    }
    true
}

fn within<'m>(machine: &'m Machine, net: &Net) -> impl Iterator<Item = IpAddr> + use<'m> {
    let net = *net;
    candidates(machine).map(|(address, _)| address).filter(move |address| net.contains(*address))
}

/// The address of the default route, where it is private and its interface knows no neighbours.
fn alone(machine: &Machine) -> Option<IpAddr> {
    let source = machine.source.filter(|address| private(*address))?;
    let nic = machine.interface_of(source)?;
    nic.addresses.contains(&(source, if source.is_ipv4() { 32 } else { 128 })).then_some(source)
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

pub(super) fn of_docker(nic: &str) -> bool {
    ["lo", "docker0", "docker_gwbridge"].contains(&nic)
        || ["br-", "veth", "virbr", "cni", "vxlan"].iter().any(|p| nic.starts_with(p))
}

/// Not reachable from the internet: RFC 1918, RFC 6598 and RFC 4193.
pub(in crate::actions) fn private(address: IpAddr) -> bool {
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
