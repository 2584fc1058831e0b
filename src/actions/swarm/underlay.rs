//! What lies below the overlay networks.

use std::net::IpAddr;

use crate::reads::Readings;

/// Bytes that a packet between these hosts may carry: as many as the narrowest of the interfaces by which the swarm knows
/// them. Hosts that were not read, or are in no swarm, do not count.
pub(in crate::actions) fn underlay<'h>(hosts: impl Iterator<Item = &'h str>, seen: &Readings<'_>) -> Option<u32> {
    let carried = |host: &str| {
        let address: IpAddr = seen.daemon(host).is()?.swarm.node_addr.parse().ok()?;
        seen.machine(host).is()?.interface_of(address).map(|nic| nic.mtu)
    };
    hosts.filter_map(carried).min()
}
