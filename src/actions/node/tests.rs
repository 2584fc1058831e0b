use serde_json::json;

use super::*;
use crate::actions::testing::{Case, action, mistake};

/// What the engine of a host says: which node it is, and whether it commands.
fn engine(id: &str, control: bool) -> String {
    let state = if id.is_empty() { "inactive" } else { "active" };
    let swarm = json!({"LocalNodeState": state, "NodeID": id, "ControlAvailable": control});
    format!("@skep 200 binary:/usr/bin/docker\n{}\n@skep 200 /info\n", json!({"ServerVersion": "29", "Swarm": swarm}))
}

fn node(id: &str, role: &str, availability: &str, reachability: &str) -> serde_json::Value {
    let manager = (!reachability.is_empty()).then(|| json!({"Reachability": reachability}));
    json!({"ID": id, "Spec": {"Role": role, "Availability": availability, "Labels": {"tier": "web", "old": "1"}},
        "Description": {"Hostname": "any"}, "Status": {"State": "ready"}, "ManagerStatus": manager})
}

fn manager(id: &str) -> serde_json::Value {
    node(id, "manager", "active", "reachable")
}

fn gone(id: &str) -> serde_json::Value {
    node(id, "manager", "active", "unreachable")
}

/// node1 commands (id1) and lists these; `tasks` are those of id2. The step is node2's, `on: leader`.
fn case(nodes: &[serde_json::Value], tasks: &str) -> Case {
    let looks = [Look::Engine, Look::Nodes, Look::NodeTasks("id2".into())].map(Read::Docker);
    let told = format!("{}{}\n@skep 200 /nodes\n{tasks}", engine("id1", true), json!(nodes));
    Case::new(&["node1@managers", "node2@workers"])
        .leader("node1")
        .answers("node1", &looks, &told)
        .answers("node2", &looks[..1], &engine("id2", false))
        .on("node2")
        .at("node1")
}

fn asked(parameters: serde_json::Value) -> Node {
    action(parameters)
}

#[test]
fn labels_are_given_and_taken_field_by_field_and_others_stay() {
    let case = case(&[manager("id1"), node("id2", "worker", "active", "")], "");
    assert_eq!(
        case.plan(&asked(json!({"labels": {"tier": "db", "old": null, "never": null}, "availability": "pause"}))),
        "change\n  its node differs\n    labels.old: 1 -> none\n    labels.tier: web -> db\n    availability: active -> pause\n    \
         $ docker node update --label-rm old --label-add 'tier=db' --availability pause id2"
    );
    assert_eq!(case.plan(&asked(json!({"labels": {"tier": "web", "never": null}, "role": "worker"}))), "settled");
}

#[test]
fn without_on_it_is_done_where_the_swarm_is_commanded() {
    let case = case(&[manager("id1"), node("id2", "worker", "active", "")], "").on("node2");
    let plan = case.plan(&asked(json!({"role": "manager"})));
    assert_eq!(
        plan,
        "change\n  it has the other role [on node1]\n    role: worker -> manager\n    $ docker node promote id2"
    );
}

#[test]
fn a_role_is_waited_for() {
    let told = |role: &str, reachability: &str| {
        let case = case(&[manager("id1"), node("id2", role, "active", reachability)], "");
        case.plan(&asked(json!({"role": role})))
    };
    assert_eq!(told("manager", ""), "wait for manager node2 to be reachable");
    assert_eq!(told("manager", "reachable"), "settled");
    assert_eq!(told("worker", "reachable"), "wait for node2 to leave the managers");
    assert_eq!(told("worker", ""), "settled");
}

#[test]
fn a_drain_is_over_when_nothing_runs_there_any_more() {
    let drain = asked(json!({"availability": "drain"}));
    let active = case(&[manager("id1"), node("id2", "worker", "active", "")], "");
    assert!(
        active
            .plan(&drain)
            .ends_with("availability: active -> drain\n    $ docker node update --availability drain id2")
    );
    let drained = |tasks: &str| case(&[manager("id1"), node("id2", "worker", "drain", "")], tasks).plan(&drain);
    let task = |name: &str, state: &str| format!("{}\n", json!({"Name": name, "State": state}));
    let old = task("web.1", "Shutdown 2 seconds ago") + &task("web.1", "Failed 3 days ago");
    let there = task("db.1", "Running 4 minutes ago") + &task("x.id2", "Preparing 1 second ago");
    assert_eq!(drained(&format!("{old}{there}@skep 200 tasks:id2\n")), "wait for db.1, x.id2 to end on node2");
    assert_eq!(drained(&format!("{old}@skep 200 tasks:id2\n")), "settled");
    assert_eq!(
        drained("Error: no such node\n@skep 1 tasks:id2\n"),
        "refused: cannot read what runs on node2: Error: no such node"
    );
}

#[test]
fn the_majority_of_the_managers_is_not_given_away() {
    let worker = asked(json!({"role": "worker"}));
    let drain = asked(json!({"availability": "drain"}));
    let three = |third| case(&[manager("id1"), manager("id2"), third], "");
    assert!(three(manager("id3")).plan(&worker).ends_with("$ docker node demote id2"));
    assert!(three(manager("id3")).plan(&drain).ends_with("--availability drain id2"));
    let plan = three(gone("id3")).plan(&worker);
    assert!(
        plan.starts_with("refused: without node2 only 1 of 2 managers would be reachable, which is no majority\nhint:"),
        "{plan}"
    );
    let plan = three(gone("id3")).plan(&drain);
    assert!(plan.starts_with("refused: with node2 taken away only 1 of 3 managers would be reachable"), "{plan}");
    // One that is gone itself is no loss, and of two none can be spared.
    let gone = case(&[manager("id1"), gone("id2"), manager("id3")], "");
    assert!(gone.plan(&worker).ends_with("$ docker node demote id2"));
    assert!(case(&[manager("id1"), manager("id2")], "").plan(&drain).ends_with("--availability drain id2"));
}

#[test]
fn who_commands_stays_a_manager() {
    let worker = asked(json!({"role": "worker"}));
    let alone = case(&[manager("id1")], "").on("node1");
    assert!(alone.plan(&worker).starts_with("refused: node1 is the only manager of its swarm\nhint: make another"));
    let three = case(&[manager("id1"), manager("id2"), manager("id3")], "").on("node1");
    let plan = three.plan(&worker);
    assert!(plan.starts_with("refused: this run commands the swarm from node1, which cannot take that"), "{plan}");
}

#[test]
fn a_host_that_is_no_node_of_this_swarm_is_said_so() {
    let labels = asked(json!({"labels": {"a": "b"}}));
    let plan = case(&[manager("id1")], "").plan(&labels);
    assert!(plan.starts_with("refused: node2 is in another swarm: node1 does not list its node id2"), "{plan}");
    let engine_only = [Read::Docker(Look::Engine)];
    let out = case(&[manager("id1")], "").answers("node2", &engine_only, &engine("", false));
    assert_eq!(out.plan(&labels), "refused: node2 is in no swarm\nhint: put a `swarm` step before it");
    let looks = [Look::Engine, Look::Nodes].map(Read::Docker);
    let worker = case(&[], "").answers("node1", &looks, &engine("id1", false));
    let plan = worker.plan(&labels);
    assert!(plan.starts_with("refused: node1 does not control a swarm, and nodes are told"), "{plan}");
}

#[test]
fn a_step_that_asks_for_nothing_is_a_mistake() {
    assert_eq!(mistake::<Node>(json!({})), "`node` takes at least one of `labels`, `availability` and `role`");
    assert_eq!(
        asked(json!({"labels": {"a": 1, "b": null}, "role": "worker", "availability": "drain"})).describe(),
        "node: worker, drain, a=1, no b"
    );
}
