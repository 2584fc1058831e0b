//! Addresses, and the ranges that networks are taken from.

use std::sync::Arc;

use super::*;
use crate::inventory::Private;
use crate::reads::Route;

fn addressed(first: Seen<Value>, second: Seen<Value>) -> Case {
    two(OUT, "", OUT).seen("node1", Read::Machine, first).seen("node2", Read::Machine, second)
}

#[test]
fn nodes_meet_in_the_private_network_that_they_share() {
    let first = machine(&[("eth0", "203.0.113.1", 24), ("docker0", "172.17.0.1", 16), ("eth1", "10.1.0.1", 24)], 1450);
    let second = machine(&[("eth0", "203.0.113.2", 24), ("docker0", "172.17.0.1", 16), ("eth1", "10.1.0.2", 24)], 1450);
    let plan = addressed(first, second).plan(&swarm());
    assert!(plan.contains("--advertise-addr 10.1.0.1"), "{plan}");
    assert!(plan.contains("'com.docker.network.driver.mtu=1450' docker_gwbridge"), "{plan}");
}

#[test]
fn a_mix_of_public_and_private_addresses_is_refused_with_the_candidates() {
    let plan = addressed(machine(&[("eth0", "203.0.113.1", 24)], 1500), machine(&[("eth0", "10.1.0.2", 24)], 1500))
        .plan(&swarm());
    assert!(
        plan.contains("node1: 203.0.113.1/24 on eth0\n  node2: 10.1.0.2/24 on eth0\nhint: say for each host"),
        "{plan}"
    );
}

/// The same with what the inventory says of how a host is reached.
fn reached(mut case: Case, host: &str, address: &str) -> Case {
    for known in &mut Arc::make_mut(&mut case.target.inventory).hosts {
        if known.name == host {
            Arc::make_mut(known).private_address = Some(Private::Address(address.parse().unwrap()));
        }
    }
    case.on("node1")
}

#[test]
fn an_address_of_the_inventory_must_be_the_hosts_own() {
    let plan = reached(two(OUT, "", OUT), "node1", "10.9.9.9").plan(&swarm());
    assert!(plan.starts_with(
        "refused: the inventory says that the nodes reach node1 at 10.9.9.9, but node1 has only 10.0.0.1/24 on eth0; \
         the candidates are:\n  node1: 10.0.0.1/24 on eth0\n  node2: 10.0.0.2/24 on eth0\nhint: say for each host"
    ), "{plan}");
}

#[test]
fn the_inventory_mixes_no_public_with_private_addresses_and_gives_each_host_its_own() {
    let both =
        |at: &str| machine(&[("eth0", &format!("203.0.113.{at}"), 24), ("eth1", &format!("10.1.0.{at}"), 24)], 1500);
    let case = |first: &str, second: &str| {
        reached(reached(addressed(both("1"), both("2")), "node1", first), "node2", second).plan(&swarm())
    };
    let mixed = "refused: node1 would be reached at 203.0.113.1, which is public, and node2 at 10.1.0.2, which is private; \
                 the candidates are:\n  node1: 203.0.113.1/24 on eth0, 10.1.0.1/24 on eth1\n";
    let plan = case("203.0.113.1", "10.1.0.2");
    assert!(plan.starts_with(mixed), "{plan}");
    assert!(case("10.1.0.1", "10.1.0.1").starts_with("refused: node1 and node2 would both be reached at 10.1.0.1"));
    assert!(case("203.0.113.1", "203.0.113.2").contains("--advertise-addr 203.0.113.1"));
    let plan = reached(addressed(both("1"), both("2")), "node2", "203.0.113.2").plan(&swarm());
    assert!(
        plan.starts_with("refused: node1 would be reached at 10.1.0.1, which is private, and node2 at 203"),
        "{plan}"
    );
}

#[test]
fn an_address_that_every_host_has_leads_to_none_of_them() {
    let behind_nat = |own: &str| machine(&[("eth0", "10.0.2.15", 24), ("eth1", own, 24)], 1500);
    let plan = addressed(behind_nat("192.168.56.11"), behind_nat("192.168.56.12")).plan(&swarm());
    assert!(plan.contains("--advertise-addr 192.168.56.11"), "{plan}");
    let nothing_else = || machine(&[("eth0", "10.0.2.15", 24)], 1500);
    let plan = addressed(nothing_else(), nothing_else()).plan(&swarm());
    assert!(plan.starts_with("refused: node1 has no address in a private network that all nodes are in"), "{plan}");
}

#[test]
fn only_networks_of_one_address_are_taken_for_routed() {
    let plan = |prefix| {
        let host = |address: &str| machine(&[("eth0", address, prefix)], 1500);
        addressed(host("10.1.0.1"), host("10.2.0.2")).plan(&swarm())
    };
    assert!(plan(32).contains("--advertise-addr 10.1.0.1"));
    assert!(plan(24).starts_with("refused: node1 has no address in a private network that all nodes are in"));
}

#[test]
fn the_pool_overlaps_nothing_that_a_host_has_a_way_to() {
    let Seen::Is(Value::Machine(mut routed)) = machine(&[("eth0", "10.0.0.2", 24)], 1500) else { panic!() };
    routed.routes.push(Route { to: "10.200.7.0".parse().unwrap(), prefix: 24, device: "tun0".into() });
    let routed = Seen::Is(Value::Machine(routed));
    let case = two(OUT, "", OUT).seen("node2", Read::Machine, routed);
    assert!(case.plan(&swarm()).contains("--default-addr-pool 10.201.0.0/16"));
    let asked: Swarm = action(json!({"pool": ["10.200.0.0/16"]}));
    assert!(
        case.plan(&asked)
            .starts_with("refused: the pool 10.200.0.0/16 would cut containers off from 10.200.7.0/24 on node2")
    );
}

#[test]
fn a_pool_that_differs_later_is_refused() {
    let asked: Swarm = action(json!({"pool": ["10.9.0.0/16"]}));
    let nodes = format!("[{}]", node("id1", "node1", "manager", "ready", ""));
    assert!(
        two(LEADS, &nodes, OUT)
            .plan(&asked)
            .starts_with("refused: the swarm of node1 has the pool 10.200.0.0/16, asked is 10.9.0.0/16")
    );
}

#[test]
fn a_subnet_size_that_differs_later_is_refused() {
    let leads = LEADS.replace("\"DefaultAddrPool\"", "\"SubnetSize\":24,\"DefaultAddrPool\"");
    let case = || two(&leads, &format!("[{}]", node("id1", "node1", "manager", "ready", "")), OUT);
    let asked: Swarm = action(json!({"subnet_size": 26}));
    let plan = case().plan(&asked);
    assert!(
        plan.starts_with("refused: the swarm of node1 has networks of prefix length 24, `subnet_size` asks for 26"),
        "{plan}"
    );
    assert_eq!(case().plan(&action::<Swarm>(json!({"subnet_size": 24}))), "settled");
}

#[test]
fn a_member_that_cannot_be_read_does_not_keep_the_others_from_starting_and_is_told_of() {
    let plan = two(OUT, "", OUT).seen("node2", Read::Machine, Seen::Unread("no answer".into())).plan(&swarm());
    let told = "change\n  there is no swarm yet (the networks of node2 could not be read: 10.200.0.0/16 must not be among them)\n";
    assert!(plan.starts_with(told), "{plan}");
}

/// node2 about to join, with one more network.
fn with_network(case: Case, host: &str, address: &str) -> Case {
    case.seen(
        host,
        Read::Machine,
        machine(&[("eth0", &host.replace("node", "10.0.0."), 24), ("eth1", address, 16)], 1500),
    )
}

#[test]
fn a_host_that_the_pool_would_cut_off_does_not_join() {
    let case = || joining(Port::Open, Port::Open, Port::Closed);
    let plan = with_network(case(), "node2", "10.200.7.1").plan(&swarm());
    assert!(
        plan.starts_with(
            "refused: the swarm's pool 10.200.0.0/16 would cut containers on node2 off from 10.200.7.1/16"
        ),
        "{plan}"
    );
    let plan = with_network(with_network(case(), "node2", "10.200.7.1"), "node1", "10.200.7.2").plan(&swarm());
    assert!(plan.starts_with("change"), "the leader lives with it: {plan}");
}

#[test]
fn dockers_own_bridge_takes_what_no_member_has_a_use_for() {
    let case = || joining(Port::Open, Port::Open, Port::Closed);
    let plan = with_network(case(), "node1", "172.18.0.1").plan(&swarm());
    let bridge = "change\n  Docker's own bridge might take 172.18.0.1/16 on node1\n    $ docker network create --subnet 172.19.0.0/16 \
                  --opt 'com.docker.network.bridge.name=docker_gwbridge'";
    assert!(plan.starts_with(bridge), "{plan}");
    let both = with_network(with_network(case(), "node1", "172.18.0.1"), "node2", "172.18.0.2").plan(&swarm());
    assert!(both.starts_with("change") && !both.contains("network create"), "Docker sees it itself: {both}");
}
