//! Whether overlay networks reach a node.

use super::*;

/// The two, each in a swarm and proven or not; what else is read for that is there.
fn ready(first: &str, second: &str) -> Case {
    let label = |id: &str| {
        format!(r#","Labels":{{{}}}"#, if id.is_empty() { String::new() } else { format!(r#""skep.path":"{id}""#) })
    };
    let nodes = format!(
        "[{},{}]",
        node("id1", "node1", "manager", "ready", &label(first)),
        node("id2", "node2", "worker", "ready", &label(second))
    );
    two(LEADS, &nodes, IN).on("node2")
}

#[test]
fn a_node_proves_once_that_overlay_networks_reach_it() {
    let proof = "change\n  it is not known whether overlay networks pass between node2 and node1\n    \
                 node1: docker network create --driver overlay --attachable --internal skep-path-id2 && \
                 docker run --network skep-path-id2 … | docker run --network skep-path-id2 … \
                 (1 MiB each way over TCP; then all of this is removed)\n  overlay networks pass [on node1]\n    \
                 $ docker node update --label-add 'skep.path=id1' id2 >/dev/null";
    assert_eq!(ready("", "").plan(&swarm()), proof);
    assert_eq!(ready("", "id1").plan(&swarm()), "settled");
    assert_eq!(ready("id2", "").plan(&swarm()), "settled", "proven from the other end");
    assert_eq!(ready("", "gone").plan(&swarm()), proof, "the other end has left the swarm");
    assert_eq!(ready("", "").on("node1").plan(&swarm()), "settled", "the leader is the other end");
}

/// It may come back, and is asked then; that its path is proven nobody has said.
#[test]
fn a_node_waits_for_the_other_end_of_its_path_to_be_ready() {
    let nodes = [("id1", "node1", "manager", "down"), ("id2", "node2", "worker", "ready")];
    let nodes = nodes.map(|(id, name, role, state)| node(id, name, role, state, r#","Labels":{}"#));
    let case = two(LEADS, &format!("[{}]", nodes.join(",")), IN).on("node2");
    assert_eq!(case.plan(&swarm()), "wait for node node1 to be ready, for node2 to prove its path to it");
    let Plan::Wait(own) = case.on("node1").decided(&swarm()) else { panic!("it is not ready") };
    assert_eq!(own.what, "node node1 to be ready");
    assert!(own.hint.as_ref().is_some_and(|hint| hint.contains("on node1: systemctl restart docker")), "{own:?}");
}

#[test]
fn a_node_that_takes_no_work_proves_nothing_and_is_nobodys_other_end() {
    let mut nodes = [
        node("id1", "node1", "manager", "ready", r#","Labels":{}"#).replace("active", "drain"),
        node("id2", "node2", "manager", "ready", r#","Labels":{}"#),
        node("id3", "node3", "worker", "ready", r#","Labels":{}"#),
    ];
    let case = |nodes: &[String; 3]| {
        let second = LEADS.replace("id1", "id2").replace("10.0.0.1", "10.0.0.2");
        let mut case = Case::new(&["node1@managers", "node2@managers", "node3@workers"]);
        for (at, info) in [LEADS, second.as_str(), r#"{"LocalNodeState":"active","NodeID":"id3"}"#].iter().enumerate() {
            let host = format!("node{}", at + 1);
            let address = format!("10.0.0.{}", at + 1);
            case = case.answers(&host, &looks(), &engine(info, &format!("[{}]", nodes.join(","))));
            case = case.seen(&host, Read::Machine, machine(&[("eth0", &address, 24)], 1400));
        }
        case.on("node3")
    };
    let plan = case(&nodes).plan(&swarm());
    assert!(plan.contains("between node3 and node2"), "{plan}");
    assert!(plan.contains("node2: docker network create --driver overlay --attachable --internal --opt com.docker.network.driver.mtu=1400"), "{plan}");
    nodes[2] = nodes[2].replace("active", "pause");
    assert_eq!(case(&nodes).plan(&swarm()), "settled");
}

#[test]
fn the_scripts_of_a_proof_are_whole_and_name_pair_and_port() {
    let case = ready("", "");
    let Plan::Change(changes) = case.readings(|seen| swarm().plan(&case.target, seen)) else { panic!() };
    let crate::actions::Does::Pipe { source, to, .. } = &changes[0].does else { panic!() };
    assert!(to.wire().contains("between node2 (10.0.0.2) and node1 (10.0.0.1): no connection"), "{}", to.wire());
    assert!(to.wire().contains("open 4789/udp both ways"), "{}", to.wire());
    for script in [source.wire(), to.wire()] {
        let sh = std::process::Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
        let filled = ["@NAME@", "@END@", "@NETWORK@", "@PAIR@", "@RULES@"].iter().all(|hole| !script.contains(hole));
        assert!(sh.success() && filled, "{script}");
    }
}
