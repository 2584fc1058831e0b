use super::*;
use crate::actions::testing::{Case, action};
use crate::reads::Machine;
use serde_json::json;

const INFO: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"29\",\"Swarm\":{\"LocalNodeState\":\"active\",\"ControlAvailable\":true,\"NodeAddr\":\"10.0.0.1\"}}\n@skep 200 /info\n";

fn asks() -> [Read; 2] {
    [Read::Docker(Look::Engine), Read::Docker(Look::Network("sparknet".into()))]
}

fn there(inspect: &str) -> Case {
    case(&format!("{INFO}{inspect}\n@skep 200 /networks/sparknet?verbose=true\n"))
}

fn absent(info: &str) -> Case {
    case(&format!("{info}[]\n@skep 200 /networks\n"))
}

fn case(stdout: &str) -> Case {
    let case = Case::new(&["node1"]).answers("node1", &asks(), stdout).answers("node1", &on_it(), "");
    case.seen("node1", Read::Machine, machine("10.0.0.1", 1460))
}

fn on_it() -> [Read; 1] {
    let n1: Found = serde_json::from_value(json!({"Id": "n1"})).unwrap();
    [Read::Probe(containers_on(&n1))]
}

fn machine(address: &str, mtu: u32) -> Seen<crate::reads::Value> {
    let addresses = vec![(address.parse().unwrap(), 24)];
    let nic = crate::reads::Interface { name: "eth0".into(), mtu, up: true, addresses };
    Seen::Is(crate::reads::Value::Machine(Box::new(Machine { interfaces: vec![nic], ..Machine::default() })))
}

/// A worker beside node1, with another MTU below.
fn with_worker(stdout: &str, mtu: u32) -> Case {
    let worker = INFO.replace("10.0.0.1", "10.0.0.2").replace("true", "false");
    Case::new(&["node1@managers", "node2@workers", "bastion"])
        .answers("node1", &asks(), stdout)
        .answers("node1", &on_it(), "")
        .seen("node1", Read::Machine, machine("10.0.0.1", 1500))
        .answers("node2", &asks()[..1], &worker)
        .seen("node2", Read::Machine, machine("10.0.0.2", mtu))
}

fn sparknet() -> Network {
    action(json!({"name": "sparknet", "driver": "overlay", "attachable": true}))
}

#[test]
fn an_overlay_is_made_with_the_mtu_of_what_lies_below() {
    let plan = absent(INFO).plan(&sparknet());
    let made = "change\n  it is not there\n    $ docker network create --driver overlay --attachable --opt 'com.docker.network.driver.mtu=1460' sparknet";
    assert_eq!(plan, made);
}

#[test]
fn a_worker_makes_no_overlay() {
    let plan = absent(&INFO.replace("true", "false")).plan(&sparknet());
    assert!(plan.starts_with("refused: node1 does not control its swarm"), "{plan}");
}

#[test]
fn one_that_is_as_asked_is_settled() {
    let plan = there(
        r#"{"Id":"n1","Name":"sparknet","Driver":"overlay","Attachable":true,"Options":{"x":"y","com.docker.network.driver.mtu":"1460"}}"#,
    );
    assert_eq!(plan.plan(&sparknet()), "settled");
}

#[test]
fn one_that_differs_is_replaced_by_id_only_while_nothing_uses_it() {
    let unused = there(
        r#"{"Id":"n1","Name":"sparknet","Driver":"overlay","Attachable":false,"Options":{"com.docker.network.driver.mtu":"1460"},"Containers":{"lb-sparknet":{"Name":"sparknet-endpoint"}}}"#,
    );
    let expected = "change\n  it differs, and nothing uses it (removes)\n    attachable: false -> true\n    $ docker network rm n1\n  \
                    it is to be as asked\n    $ docker network create --driver overlay --attachable --opt 'com.docker.network.driver.mtu=1460' sparknet";
    assert_eq!(unused.plan(&sparknet()), expected);
    let used = there(
        r#"{"Id":"n1","Name":"sparknet","Driver":"overlay","Attachable":false,"Options":{"com.docker.network.driver.mtu":"1460"},"Containers":{"c":{"Name":"spark-master"}}}"#,
    );
    assert!(
        used.plan(&sparknet())
            .starts_with("refused: attachable is false, asked true; network sparknet is used by spark-master")
    );
    let stopped = unused.answers("node1", &on_it(), "db\n").plan(&sparknet());
    assert!(stopped.contains("network sparknet is used by db"), "it could not be started again: {stopped}");
}

/// Of the other family Docker takes what is free, and it writes addresses in its own way.
#[test]
fn subnets_are_compared_one_by_one_and_family_by_family() {
    let found = |config: &str| {
        there(&format!(
            r#"{{"Id":"n1","Name":"sparknet","Driver":"bridge","EnableIPv6":true,"IPAM":{{"Config":[{config}]}}}}"#
        ))
    };
    let (four, six) = (
        r#"{"Subnet":"172.18.0.0/16","Gateway":"172.18.0.1"}"#,
        r#"{"Subnet":"fd00:dead::/64","Gateway":"fd00:dead::1"}"#,
    );
    let plan = |config: String, parameters: serde_json::Value| {
        let mut all = json!({"name": "sparknet", "ipv6": true});
        all.as_object_mut().unwrap().extend(parameters.as_object().cloned().unwrap());
        found(&config).plan(&action::<Network>(all))
    };
    let both = format!("{four},{six}");
    assert_eq!(plan(both.clone(), json!({"subnets": ["FD00:dead:0::/64"], "gateway": "fd00:dead::1"})), "settled");
    assert_eq!(plan(both.clone(), json!({"subnets": ["172.18.0.0/16"]})), "settled");
    assert_eq!(plan(both.clone(), json!({"subnets": ["fd00:dead::/64", "172.18.0.0/16"]})), "settled");
    for other in ["172.19.0.0/16", "172.18.0.0/24"] {
        assert!(plan(both.clone(), json!({"subnets": [other]})).contains(&format!("-> {other}")));
    }
    assert!(
        plan(both, json!({"subnets": ["172.18.0.0/16"], "gateway": "172.18.0.9"}))
            .contains("gateway: 172.18.0.1 -> 172.18.0.9")
    );
}

/// Beforehand: Docker says so only once the network that is there has made way, or not at all.
#[test]
fn what_docker_would_not_do_is_a_mistake() {
    let mistake = |parameters: serde_json::Value| {
        let mut all = json!({"name": "web"});
        all.as_object_mut().unwrap().extend(parameters.as_object().cloned().unwrap());
        serde_json::from_value::<Network>(all).map_err(|error| error.to_string()).err()
    };
    let told = |parameters| mistake(parameters).unwrap_or_default();
    assert_eq!(
        told(json!({"attachable": true})),
        "`attachable` is for overlays: add `driver: overlay`, or leave it out"
    );
    assert!(told(json!({"driver": "macvlan", "encrypted": true})).starts_with("`encrypted` is for overlays"));
    assert_eq!(told(json!({"subnets": ["fd00:1::/64"]})), "fd00:1::/64 is of IPv6: add `ipv6: true`");
    assert!(told(json!({"subnets": ["10.1.0.0/24", "10.2.0.0/24"]})).starts_with("a bridge has one subnet of IPv4"));
    assert_eq!(
        told(json!({"subnets": ["10.1.0.0/240"]})).split(';').next(),
        Some("10.1.0.0/240 is no network in CIDR notation")
    );
    assert!(told(json!({"gateway": "10.1.0.1"})).starts_with("`gateway` needs `subnets`"));
    assert_eq!(
        told(json!({"subnets": ["10.1.0.0/24"], "gateway": "10.2.0.1"})),
        "`gateway` 10.2.0.1 is not in 10.1.0.0/24"
    );
    for fine in [
        json!({"subnets": ["10.1.0.0/24", "fd00:1::/64"], "ipv6": true, "gateway": "10.1.0.1"}),
        json!({"driver": "overlay", "attachable": true, "subnets": ["10.1.0.0/24", "10.2.0.0/24"]}),
    ] {
        assert_eq!(mistake(fine), None);
    }
}

#[test]
fn the_narrowest_node_decides_on_the_mtu_and_a_wider_network_differs() {
    let absent = format!("{INFO}[]\n@skep 200 /networks\n");
    let plan = with_worker(&absent, 1400).plan(&sparknet());
    assert!(plan.ends_with("--opt 'com.docker.network.driver.mtu=1400' sparknet"), "{plan}");
    let found = |options: &str| {
        let network =
            format!(r#"{{"Id":"n1","Name":"sparknet","Driver":"overlay","Attachable":true,"Options":{{{options}}}}}"#);
        format!("{INFO}{network}\n@skep 200 /networks/sparknet?verbose=true\n")
    };
    let plan = with_worker(&found(""), 1400).plan(&sparknet());
    assert!(plan.contains("mtu: 1500 -> 1400\n    $ docker network rm n1"), "{plan}");
    let narrow = found(r#""com.docker.network.driver.mtu":"1300""#);
    assert_eq!(with_worker(&narrow, 1400).plan(&sparknet()), "settled");
    assert_eq!(with_worker(&found(""), 9000).plan(&sparknet()), "settled");
}

#[test]
fn an_overlay_between_public_addresses_is_encrypted_or_refused() {
    let public = absent(&INFO.replace("10.0.0.1", "203.0.113.1"));
    let plan = public.plan(&sparknet());
    assert!(plan.starts_with("refused: the swarm knows node1 by a public address, and VXLAN has no"), "{plan}");
    assert!(plan.contains("hint: ask for `encrypted: true` (and let IP protocol 50, ESP, pass"), "{plan}");
    let encrypted: Network = action(json!({"name": "sparknet", "driver": "overlay", "encrypted": true}));
    assert!(public.plan(&encrypted).ends_with("--opt encrypted sparknet"));
}
