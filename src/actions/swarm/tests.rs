mod path;
mod places;
mod prune;
mod roles;

use serde_json::json;

use super::*;
use crate::actions::testing::{Case, action};
use crate::reads::docker::Look;
use crate::reads::{Interface, Machine, Port, Read, Seen, Value};

const OUT: &str = r#"{"LocalNodeState":"inactive"}"#;
const LEADS: &str = r#"{"LocalNodeState":"active","NodeID":"id1","NodeAddr":"10.0.0.1","ControlAvailable":true,"Cluster":{"ID":"c","DefaultAddrPool":["10.200.0.0/16"]}}"#;

fn engine(swarm: &str, nodes: &str) -> String {
    format!(
        "@skep 200 binary:/usr/bin/docker\n{{\"ServerVersion\":\"29\",\"Swarm\":{swarm}}}\n@skep 200 /info\n\
         {nodes}\n@skep 200 /nodes\n[]\n@skep 200 /networks\n"
    )
}

fn node(id: &str, host: &str, role: &str, state: &str, more: &str) -> String {
    let manager = if role == "manager" { r#","ManagerStatus":{"Reachability":"reachable","Leader":true}"# } else { "" };
    let proven = if more.is_empty() && id != "id1" { r#","Labels":{"skep.path":"id1"}"# } else { more };
    let address = host.replace("node", "10.0.0.");
    format!(
        r#"{{"ID":"{id}","Spec":{{"Role":"{role}","Availability":"active"{proven}}},"Description":{{"Hostname":"{host}"}},"Status":{{"State":"{state}","Addr":"{address}"}}{manager}}}"#
    )
}

fn looks() -> [Read; 3] {
    [Look::Engine, Look::Nodes, Look::Network("docker_gwbridge".into())].map(Read::Docker)
}

fn machine(addresses: &[(&str, &str, u8)], mtu: u32) -> Seen<Value> {
    let nic = |(name, address, prefix): &(&str, &str, u8)| Interface {
        name: (*name).into(),
        mtu,
        up: true,
        addresses: vec![(address.parse().unwrap(), *prefix)],
    };
    Seen::Is(Value::Machine(Box::new(Machine {
        interfaces: addresses.iter().map(nic).collect(),
        source: addresses.first().map(|(_, address, _)| address.parse().unwrap()),
        ..Machine::default()
    })))
}

/// A manager and a worker in one private network.
fn two(first: &str, nodes: &str, second: &str) -> Case {
    Case::new(&["node1@managers", "node2@workers"])
        .answers("node1", &looks(), &engine(first, nodes))
        .answers("node2", &looks(), &engine(second, ""))
        .seen("node1", Read::Machine, machine(&[("eth0", "10.0.0.1", 24)], 1500))
        .seen("node2", Read::Machine, machine(&[("eth0", "10.0.0.2", 24)], 1500))
}

fn swarm() -> Swarm {
    action(json!({}))
}

#[test]
fn the_first_manager_starts_the_swarm_and_the_worker_waits_for_it() {
    let case = two(OUT, "", OUT);
    let init = "change\n  there is no swarm yet\n    $ docker swarm init --advertise-addr 10.0.0.1 --data-path-addr 10.0.0.1 \
                --listen-addr 10.0.0.1:2377 --default-addr-pool 10.200.0.0/16 >/dev/null && docker node update --label-add \
                'skep.joined=node1' \"$(docker info --format '{{.Swarm.NodeID}}')\" >/dev/null";
    assert_eq!(case.plan(&swarm()), init);
    let joins = "wait for node1 to start the swarm, then\n  it is in no swarm\n    node1: docker swarm join-token -q worker | \
                 docker swarm join --advertise-addr 10.0.0.2 --data-path-addr 10.0.0.2 --listen-addr 10.0.0.2:2377 --token";
    let plan = case.on("node2").plan(&swarm());
    assert!(plan.starts_with(joins), "{plan}");
}

/// node2 about to join node1, which it reaches at both ports as given, and which reaches it as given.
fn joining(control: Port, gossip: Port, back: Port) -> Case {
    let port = |address: &str, port| Read::Port { address: address.into(), port };
    let is = |port| Seen::Is(Value::Port(port));
    two(LEADS, &format!("[{}]", node("id1", "node1", "manager", "ready", "")), OUT)
        .on("node2")
        .seen("node2", port("10.0.0.1", CONTROL), is(control))
        .seen("node2", port("10.0.0.1", GOSSIP), is(gossip))
        .seen("node1", port("10.0.0.2", GOSSIP), is(back))
}

#[test]
fn a_worker_joins_the_leader_that_is_there() {
    let plan = joining(Port::Open, Port::Open, Port::Closed).plan(&swarm());
    let joins = "change\n  its node is to be known as one that skep brought in [on node1]\n    \
                 $ docker node update --label-add 'skep.joins.node2=worker' id1 >/dev/null\n  \
                 it is in no swarm\n    node1: docker swarm join-token -q worker | docker swarm join";
    assert!(plan.starts_with(joins), "{plan}");
    assert!(plan.ends_with("10.0.0.1:2377"), "{plan}");
}

#[test]
fn nobody_joins_where_a_port_is_barred_and_the_pair_and_the_port_are_named() {
    let rules = "open 2377/tcp, 7946/tcp, 7946/udp and 4789/udp to all nodes, from the network that they share";
    let swallowed = joining(Port::Silent, Port::Silent, Port::Silent).plan(&swarm());
    let to = |host: &str| {
        format!("hint: a security group or a firewall swallows the packets on their way to {host}; {rules}")
    };
    let why = "refused: node2 cannot reach node1 at 10.0.0.1:2377/tcp: no answer within 5 s";
    assert_eq!(swallowed, format!("{why}\n{}", to("node1")));
    let back = joining(Port::Open, Port::Open, Port::Silent).plan(&swarm());
    let why = "refused: node1 cannot reach node2 at 10.0.0.2:7946/tcp: no answer within 5 s";
    assert_eq!(back, format!("{why}\n{}", to("node2")));
    let rejected = joining(Port::Closed, Port::Open, Port::Closed).plan(&swarm());
    let why = "refused: node2 cannot reach node1 at 10.0.0.1:2377/tcp: connection refused\n\
               hint: a firewall on node1 rejects it, or its swarm listens elsewhere; there,";
    assert_eq!(rejected, format!("{why} {rules}"));
    let unroutable = joining(Port::Open, Port::Open, Port::NoRoute("No route to host".into())).plan(&swarm());
    assert!(unroutable.starts_with("refused: node1 cannot reach node2 at 10.0.0.2:7946/tcp: No route"), "{unroutable}");
}

#[test]
fn a_leader_that_does_not_gossip_yet_is_waited_for() {
    let plan = joining(Port::Open, Port::Closed, Port::Closed).plan(&swarm());
    assert!(plan.starts_with("wait for node1 to let node2 in at 10.0.0.1:7946 (connection refused; if it"), "{plan}");
}

#[test]
fn a_host_whose_sshd_lets_no_port_be_tried_joins_all_the_same() {
    let barred = Read::Port { address: "10.0.0.1".into(), port: CONTROL };
    let case =
        joining(Port::Open, Port::Open, Port::Closed).seen("node2", barred, Seen::Unread("no forwarding".into()));
    let plan = case.plan(&swarm());
    assert!(plan.contains("\n  it is in no swarm (its ports could not be tried: no forwarding)"), "{plan}");
}

#[test]
fn the_script_of_a_join_carries_no_token_in_an_argument_where_there_is_curl() {
    let case = joining(Port::Open, Port::Open, Port::Closed);
    let Plan::Change(changes) = case.readings(|seen| swarm().plan(&case.target, seen)) else { panic!() };
    let crate::actions::Does::Pipe { to, .. } = &changes[1].does else { panic!() };
    assert!(to.wire().contains(r#"printf '{"ListenAddr":"10.0.0.2:2377","AdvertiseAddr":"10.0.0.2""#), "{}", to.wire());
    assert!(!to.wire().contains("@BODY@") && !to.wire().contains("@LINE@") && !to.wire().contains("@LEADER@"));
}

const IN: &str = r#"{"LocalNodeState":"active","NodeID":"id2"}"#;

#[test]
fn a_node_that_the_leader_lists_as_asked_is_settled() {
    let nodes = |second: String| format!("[{},{second}]", node("id1", "node1", "manager", "ready", ""));
    let plan = |second: String| two(LEADS, &nodes(second), IN).on("node2").plan(&swarm());
    assert_eq!(plan(node("id2", "node2", "worker", "ready", "")), "settled");
    assert_eq!(plan(node("id2", "node2", "worker", "down", "")), "wait for node node2 to be ready");
    let other = plan(node("id3", "node2", "worker", "ready", ""));
    assert!(other.starts_with("refused: node2 is in another swarm: node1 does not list its node id2"), "{other}");
    let demoted = plan(node("id2", "node2", "manager", "ready", ""));
    assert_eq!(
        demoted,
        "change\n  it has the other role [on node1]\n    role: manager -> worker\n    $ docker node demote id2"
    );
}

#[test]
fn an_earlier_life_of_a_host_is_removed_by_id() {
    let nodes = format!(
        "[{},{},{}]",
        node("id1", "node1", "manager", "ready", ""),
        node("id2", "node2", "worker", "ready", ""),
        node("old", "node2", "worker", "down", "")
    );
    let plan = two(LEADS, &nodes, IN).on("node2").plan(&swarm());
    assert_eq!(
        plan,
        "change\n  the swarm still lists an earlier life of node2 [on node1] (removes)\n    $ docker node rm old"
    );
}

#[test]
fn labels_are_set_on_the_leader_by_node_id() {
    let asked: Swarm = action(json!({"labels": {"disk": "ssd"}}));
    let nodes = format!("[{}]", node("id2", "node2", "worker", "ready", r#","Labels":{"mine":"1"}"#));
    let plan = two(LEADS, &nodes, IN).on("node2").plan(&asked);
    assert!(plan.ends_with("labels.disk: none -> ssd\n    $ docker node update --label-add 'disk=ssd' id2"), "{plan}");
}

#[test]
fn nothing_is_started_while_a_manager_was_not_read() {
    let case = |other: &str| {
        Case::new(&["node1@managers", "node2@managers"])
            .answers("node1", &looks(), &engine(OUT, ""))
            .answers("node2", &looks(), other)
            .seen("node1", Read::Machine, machine(&[("eth0", "10.0.0.1", 24)], 1500))
            .seen("node2", Read::Machine, machine(&[("eth0", "10.0.0.2", 24)], 1500))
    };
    let dead = "@skep 200 binary:/usr/bin/docker\n{\"ServerErrors\":[\"Cannot connect\"]}\n@skep 200 /info\n";
    let plan = case(dead).plan(&swarm());
    assert!(plan.starts_with("refused: cannot tell whether node2 is in a swarm already: Cannot connect"), "{plan}");
    let lost = engine(r#"{"LocalNodeState":"active","NodeID":"x"}"#, "");
    assert_eq!(case(&lost).plan(&swarm()), "wait for node2, which is in a swarm, to control it");
    assert!(case("@skep 404 docker\n").plan(&swarm()).contains("docker swarm init"));
}

#[test]
fn a_swarm_that_other_hosts_control_is_refused_at_once() {
    let worker = |id: &str| {
        format!(
            r#"{{"LocalNodeState":"active","NodeID":"{id}","RemoteManagers":[{{"NodeID":"id2","Addr":"10.0.0.2:2377"}}]}}"#
        )
    };
    let leads = LEADS
        .replace("id1", "id2")
        .replace("\"Cluster\"", r#""RemoteManagers":[{"NodeID":"id2","Addr":"10.0.0.2:2377"}],"Cluster""#);
    let refused = "refused: the swarm that node1 is in is controlled by node2, which is not in `managers`\n\
                   hint: name node2 among the managers";
    let plan = two(&worker("id1"), "", &leads).plan(&swarm());
    assert!(plan.starts_with(refused), "{plan}");
    // Seen from a first manager that is in no swarm itself.
    let asked: Swarm = action(json!({"managers": "all", "workers": "workers"}));
    let plan = two(OUT, "", &worker("id3")).plan(&asked);
    assert!(plan.starts_with("refused: the swarm that node2 is in is controlled by 10.0.0.2:2377"), "{plan}");
}

#[test]
fn a_manager_without_a_quorum_is_waited_for() {
    let lost = LEADS
        .replace(r#""ControlAvailable""#, r#""Error":"The swarm does not have a leader","ControlAvailable""#)
        .replace("\"Cluster\"", r#""RemoteManagers":[{"NodeID":"id1","Addr":"10.0.0.1:2377"}],"Cluster""#);
    let plan = two(&lost, "", OUT).plan(&swarm());
    assert_eq!(plan, "wait for a manager that controls the swarm (more than half of its managers must be up)");
}

#[test]
fn a_manager_that_joins_is_commanded_by_the_leader_and_neighbours_gossip() {
    let port = |address: &str, port| Read::Port { address: address.into(), port };
    let is = |port| Seen::Is(Value::Port(port));
    let nodes =
        format!("[{},{}]", node("id1", "node1", "manager", "ready", ""), node("id3", "node3", "worker", "ready", ""));
    let case = |control: Port, gossip: Port, back: Port| {
        Case::new(&["node1@managers", "node2@managers", "node3@workers"])
            .answers("node1", &looks(), &engine(LEADS, &nodes))
            .answers("node2", &looks(), &engine(OUT, ""))
            .seen("node1", Read::Machine, machine(&[("eth0", "10.0.0.1", 24)], 1500))
            .seen("node2", Read::Machine, machine(&[("eth0", "10.0.0.2", 24)], 1500))
            .seen("node3", Read::Machine, machine(&[("eth0", "10.0.0.3", 24)], 1500))
            .seen("node2", port("10.0.0.1", CONTROL), is(Port::Open))
            .seen("node2", port("10.0.0.1", GOSSIP), is(Port::Open))
            .seen("node1", port("10.0.0.2", GOSSIP), is(Port::Closed))
            .seen("node1", port("10.0.0.2", CONTROL), is(control))
            .seen("node2", port("10.0.0.3", GOSSIP), is(gossip))
            .seen("node3", port("10.0.0.2", GOSSIP), is(back))
            .on("node2")
            .plan(&swarm())
    };
    let joins = case(Port::Closed, Port::Open, Port::Closed);
    let frail = "it is in no swarm (two managers are no safer than one: neither can be lost; of three, one can)";
    assert!(joins.contains(&format!("\n  {frail}\n    node1: docker swarm join-token -q manager")), "{joins}");
    let plan = case(Port::Silent, Port::Open, Port::Closed);
    assert!(plan.starts_with("refused: node1 cannot reach node2 at 10.0.0.2:2377/tcp: no answer"), "{plan}");
    let plan = case(Port::Closed, Port::Silent, Port::Closed);
    assert!(plan.starts_with("refused: node2 cannot reach node3 at 10.0.0.3:7946/tcp: no answer"), "{plan}");
    let plan = case(Port::Closed, Port::Open, Port::Silent);
    assert!(plan.starts_with("refused: node3 cannot reach node2 at 10.0.0.2:7946/tcp: no answer"), "{plan}");
    let plan = case(Port::Closed, Port::Closed, Port::Closed);
    assert!(plan.starts_with("wait for node3 to let node2 in at 10.0.0.3:7946 (connection refused"), "{plan}");
}

#[test]
fn a_name_that_is_nobodys_is_a_mistake() {
    let asked: Swarm = action(json!({"workers": "wrokers"}));
    let plan = two(OUT, "", OUT).on("node2").plan(&asked);
    assert_eq!(plan, "refused: no host or group is called `wrokers`\nhint: did you mean `workers`?");
    let asked: Swarm = action(json!({"workers": "node*"}));
    assert!(two(OUT, "", OUT).on("node2").plan(&asked).starts_with("wait for node1 to start the swarm"));
}
