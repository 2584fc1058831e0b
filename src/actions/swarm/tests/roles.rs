//! Managers that come and go, and those that are lost.

use super::*;

/// A host that manages and says so, or is only in the swarm.
pub(super) fn daemon(id: &str, controls: bool) -> String {
    json!({"LocalNodeState": "active", "NodeID": id, "NodeAddr": id.replace("id", "10.0.0."), "ControlAvailable": controls})
        .to_string()
}

/// A node as the leader lists it. Managers say how they can be reached: `manager/unreachable`.
pub(super) fn listed(id: &str, role: &str, labels: serde_json::Value) -> serde_json::Value {
    let (role, reachability) = role.split_once('/').unwrap_or((role, if role == "manager" { "reachable" } else { "" }));
    let manager = (!reachability.is_empty()).then(|| json!({"Reachability": reachability}));
    let host = id.replace("id", "node");
    let mut all = json!({"skep.path": "id1", "skep.joined": host});
    all.as_object_mut().unwrap().extend(labels.as_object().cloned().unwrap_or_default());
    json!({"ID": id, "Spec": {"Role": role, "Availability": "active", "Labels": all}, "Description": {"Hostname": host},
        "Status": {"State": "ready", "Addr": id.replace("id", "10.0.0.")}, "ManagerStatus": manager})
}

/// Hosts `node1@managers`, …, each with what its daemon says; all that command list the same nodes.
pub(super) fn swarm_of(hosts: &[(&str, String)], nodes: &[serde_json::Value]) -> Case {
    let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
    hosts.iter().fold(Case::new(&names), |case, (name, info)| {
        let host = name.split('@').next().unwrap();
        let address = host.replace("node", "10.0.0.");
        let case = case.seen(host, Read::Machine, machine(&[("eth0", &address, 24)], 1500));
        case.answers(host, &looks(), &engine(info, &json!(nodes).to_string()))
    })
}

fn worker(id: &str) -> serde_json::Value {
    listed(id, "worker", json!({}))
}

fn manager(id: &str) -> serde_json::Value {
    listed(id, "manager", json!({}))
}

#[test]
fn managers_go_one_at_a_time_and_only_while_the_others_are_a_majority() {
    let hosts = ["node1@managers", "node2@workers", "node3@workers"];
    let hosts = hosts.iter().zip(1..).map(|(host, at)| (*host, daemon(&format!("id{at}"), true))).collect::<Vec<_>>();
    let plan = |nodes: &[serde_json::Value], host| swarm_of(&hosts, nodes).on(host).plan(&swarm());
    let three = [manager("id1"), manager("id2"), manager("id3")];
    assert!(plan(&three, "node2").ends_with("role: manager -> worker\n    $ docker node demote id2"));
    assert_eq!(plan(&three, "node3"), "wait for node2 to leave the managers: one goes at a time");
    let leaving = [manager("id1"), listed("id2", "worker/reachable", json!({})), manager("id3")];
    assert_eq!(plan(&leaving, "node2"), "wait for node2 to leave the managers");
    assert_eq!(plan(&leaving, "node3"), "wait for node2 to leave the managers: one goes at a time");
    assert!(plan(&[manager("id1"), worker("id2"), manager("id3")], "node3").ends_with("docker node demote id3"));
    let lost = listed("id3", "manager/unreachable", json!({}));
    let refused = "refused: without node2 only 1 of 2 managers would be reachable, which is no majority";
    assert!(plan(&[manager("id1"), manager("id2"), lost.clone()], "node2").starts_with(refused));
    // One that `--force-new-cluster` left behind has no vote.
    let forgotten = listed("id3", "manager/", json!({}));
    assert!(plan(&[manager("id1"), manager("id2"), forgotten], "node2").ends_with("docker node demote id2"));
}

#[test]
fn new_managers_come_before_old_ones_go() {
    let hosts = [("node1@managers", true), ("node2@managers", false), ("node3@workers", true)];
    let hosts =
        hosts.iter().zip(1..).map(|((host, on), at)| (*host, daemon(&format!("id{at}"), *on))).collect::<Vec<_>>();
    let plan = |second| swarm_of(&hosts, &[manager("id1"), second, manager("id3")]).on("node3").plan(&swarm());
    assert_eq!(plan(worker("id2")), "wait for node2 to be a manager, before node3 is none");
    let promoted = listed("id2", "manager/", json!({}));
    assert_eq!(plan(promoted), "wait for node2 to be a manager, before node3 is none");
    assert!(plan(manager("id2")).ends_with("$ docker node demote id3"));
}

#[test]
fn who_commands_hands_over_before_it_becomes_a_worker() {
    let hosts = |first: bool, second: bool| {
        [("node2@managers", daemon("id2", second)), ("node1@workers", daemon("id1", first))]
    };
    let plan = |case: Case, host| case.on(host).plan(&swarm());
    let before = || swarm_of(&hosts(true, false), &[manager("id1"), worker("id2")]);
    let promoted = plan(before(), "node2");
    assert!(promoted.ends_with("[on node1]\n    role: worker -> manager\n    $ docker node promote id2"), "{promoted}");
    let waits = "wait for another manager to command the swarm: node1, which does, is to be a worker";
    assert_eq!(plan(before(), "node1"), waits);
    let demoted = plan(swarm_of(&hosts(true, true), &[manager("id1"), manager("id2")]), "node1");
    assert!(demoted.ends_with("[on node2]\n    role: manager -> worker\n    $ docker node demote id1"), "{demoted}");
}

#[test]
fn a_new_manager_joins_the_swarm_that_a_worker_to_be_commands_still() {
    let out = r#"{"LocalNodeState":"inactive"}"#.to_owned();
    let hosts = [("node2@managers", out), ("node1@workers", daemon("id1", true))];
    let port = |address: &str, port| Read::Port { address: address.into(), port };
    let open = || Seen::Is(Value::Port(Port::Open));
    let case = |labels| {
        let case = swarm_of(&hosts, &[listed("id1", "manager", labels)]);
        let case = [CONTROL, GOSSIP].iter().fold(case, |case, at| case.seen("node2", port("10.0.0.1", *at), open()));
        [CONTROL, GOSSIP].iter().fold(case, |case, at| case.seen("node1", port("10.0.0.2", *at), open()))
    };
    let joins = case(json!({})).plan(&swarm());
    assert!(joins.contains("node1: docker swarm join-token -q manager | docker swarm join"), "{joins}");
}

#[test]
fn a_label_follows_the_host_that_has_joined() {
    let hosts = [("node1@managers", daemon("id1", true)), ("node2@workers", daemon("id2", false))];
    let mut second = worker("id2");
    second["Spec"]["Labels"].as_object_mut().unwrap().remove("skep.joined");
    let plan = |first| swarm_of(&hosts, &[first, second.clone()]).on("node2").plan(&swarm());
    let announced = listed("id1", "manager", json!({"skep.joins.node2": "worker"}));
    assert_eq!(
        plan(announced),
        "change\n  its node differs [on node1]\n    labels.skep.joined: none -> node2\n    \
         $ docker node update --label-add 'skep.joined=node2' id2\n  its own node says so now [on node1]\n    \
         $ docker node update --label-rm skep.joins.node2 id1 >/dev/null"
    );
    assert_eq!(plan(manager("id1")), "settled", "somebody else brought it in");
}

/// A daemon that is a manager of three, without a majority of them.
fn leaderless(id: &str) -> String {
    let managers = ["id1", "id2", "id3"].map(|id| json!({"NodeID": id, "Addr": id.replace("id", "10.0.0.") + ":2377"}));
    json!({"LocalNodeState": "active", "NodeID": id, "NodeAddr": id.replace("id", "10.0.0."), "ControlAvailable": true,
        "Error": "The swarm does not have a leader.", "RemoteManagers": managers})
    .to_string()
}

#[test]
fn a_swarm_that_has_lost_its_managers_is_told_with_the_two_ways_on() {
    let names = ["node1@managers", "node2@managers", "node3@managers", "node4@workers"];
    let dead = "@skep 200 binary:/usr/bin/docker\n{\"ServerErrors\":[\"Cannot connect\"]}\n@skep 200 /info\n";
    let case = |up: usize| {
        let member = leaderless("id4").replace("true", "false");
        names.iter().zip(1..).fold(Case::new(&names), |case, (name, at)| {
            let info = if at == 4 { member.clone() } else { leaderless(&format!("id{at}")) };
            let answer = if at <= up || at == 4 { engine(&info, "") } else { dead.to_owned() };
            case.answers(name.split('@').next().unwrap(), &looks(), &answer)
        })
    };
    assert!(case(2).plan(&swarm()).starts_with("wait for a manager that controls the swarm"), "they elect a leader");
    assert_eq!(
        case(1).plan(&swarm()),
        "refused: the swarm cannot be commanded: of its 3 managers only node1 can be asked, not 10.0.0.2:2377, 10.0.0.3:2377\n\
         hint: start Docker there: with more than half of the managers back, all is as before (10.0.0.2:2377, 10.0.0.3:2377). \
         Only where they are gone for good, on node1: docker swarm init --force-new-cluster --advertise-addr 10.0.0.1 \
         (it goes on alone, with all services and nodes; should one of the others come back, docker swarm leave --force there), \
         then run again"
    );
    let late =
        "curl: (28) Operation timed out after 8000 milliseconds with 0 bytes received\n\n@skep 000 http://d/info\n";
    let busy = ["node2", "node3"].iter().fold(case(3), |case, name| case.answers(name, &looks(), late));
    assert!(busy.plan(&swarm()).starts_with("wait for a manager that controls the swarm"), "who is late may be there");
    assert!(busy.on("node2").plan(&swarm()).starts_with("wait for Docker on node2 to answer (curl: (28)"));
    let silent =
        case(3).seen("node2", Read::Docker(Look::Engine), Seen::Unread("no answer within 10 s".into())).on("node2");
    assert!(silent.plan(&swarm()).starts_with("wait for Docker on node2 to answer (no answer within 10 s)"));
    let none = case(0).on("node4").plan(&swarm());
    assert!(
        none.starts_with(
            "refused: the swarm that node4 is in cannot be commanded: no manager of it answers (10.0.0.1:2377"
        ),
        "{none}"
    );
}
