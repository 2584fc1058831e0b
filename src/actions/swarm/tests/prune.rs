//! Nodes whose hosts are asked for no more.

use serde_json::Value as Json;

use super::roles::{daemon, listed, swarm_of};
use super::*;

fn prune() -> Swarm {
    action(json!({"prune": true}))
}

/// A swarm of node1, which commands, node2, and further nodes. The inventory also knows node3, in neither group.
struct Pruned {
    more: Vec<Json>,
    /// What the daemon of node3 says of its swarm.
    third: String,
    /// What became of the task that node3 had, and how many run of the two that there are to be.
    task: &'static str,
    running: u8,
    /// When a task of its service is followed by another.
    restart: &'static str,
}

impl Pruned {
    fn of(more: &[Json]) -> Self {
        Self {
            more: more.to_vec(),
            third: daemon("id3", false),
            task: "Shutdown 3 seconds ago",
            running: 2,
            restart: "any",
        }
    }

    fn case(&self) -> Case {
        let hosts = [
            ("node1@managers", daemon("id1", true)),
            ("node2@workers", daemon("id2", false)),
            ("node3", self.third.clone()),
        ];
        let nodes =
            [vec![listed("id1", "manager", json!({})), listed("id2", "worker", json!({}))], self.more.clone()].concat();
        let looks = [Look::Engine, Look::Nodes, Look::NodeTasks("id3".into()), Look::Services].map(Read::Docker);
        let service =
            json!({"Name": "web", "Mode": "replicated", "Replicas": format!("{}/2", self.running), "Image": "app"});
        let task = json!({"Name": "web.2", "State": self.task});
        let asked = json!({"Name": "web", "Restart": {"Condition": self.restart}});
        let told =
            format!("{task}\n@skep 200 tasks:id3\n{service}\n@skep 200 services\n{asked}\n@skep 200 services-asked\n");
        let told = engine(&daemon("id1", true), &json!(nodes).to_string()) + &told;
        swarm_of(&hosts, &nodes).answers("node1", &looks, &told)
    }

    fn plan(&self) -> String {
        self.case().plan(&prune())
    }
}

fn node3(role: &str, labels: Json) -> Json {
    listed("id3", role, labels)
}

/// On its way out.
fn going(role: &str, state: &str) -> Json {
    let mut node = node3(role, json!({"skep.leaves": "active"}));
    node["Status"]["State"] = state.into();
    node
}

#[test]
fn it_is_asked_for_and_touches_only_what_skep_brought_in() {
    let mut strange = node3("worker", json!({}));
    strange["Spec"]["Labels"].as_object_mut().unwrap().remove("skep.joined");
    let stays = Pruned::of(&[strange]);
    assert_eq!(stays.plan(), "settled");
    let shown = stays.case().readings(|seen| prune().shows(&stays.case().target, seen)).unwrap();
    let told = "node3 (id3) is no host's of managers or workers, and stays: skep did not bring it in. If it is to go: docker node rm";
    assert_eq!(shown.text(), told);
    assert_eq!(Pruned::of(&[node3("worker", json!({}))]).case().plan(&swarm()), "settled", "nobody asked for it");
    assert_eq!(Pruned::of(&[]).plan(), "settled");
}

#[test]
fn a_node_is_drained_and_once_its_tasks_run_elsewhere_its_host_leaves() {
    let asked = "change\n  no host of managers or workers is node3 (id3): it is drained, and when its tasks run elsewhere, removed \
                 (removes)\n    $ docker node update --availability drain --label-add 'skep.leaves=active' id3";
    assert_eq!(Pruned::of(&[node3("worker", json!({}))]).plan(), asked);
    let busy = Pruned { task: "Running 4 minutes ago", ..Pruned::of(&[going("worker", "ready")]) };
    assert_eq!(busy.plan(), "wait for web.2 to end on node3");
    let lacking = Pruned { running: 1, ..Pruned::of(&[going("worker", "ready")]) };
    assert_eq!(lacking.plan(), "wait for the tasks of web (1 of 2) to run elsewhere");
    let leaves = "change\n  nothing runs on node3 [on node3]\n    $ docker swarm leave";
    let done = |task, restart| Pruned { running: 0, task, restart, ..Pruned::of(&[going("worker", "ready")]) }.plan();
    assert_eq!(done("Complete 3 minutes ago", "on-failure"), leaves, "it has done its work");
    assert!(done("Complete 3 minutes ago", "any").starts_with("wait for the tasks of web"));
    assert!(done("Shutdown 3 seconds ago", "on-failure").starts_with("wait for the tasks of web"));
    assert_eq!(Pruned::of(&[going("worker", "ready")]).plan(), leaves);
    let left = Pruned { third: OUT.into(), ..Pruned::of(&[going("worker", "ready")]) };
    assert_eq!(left.plan(), "wait for the swarm to know that node3 has left");
    let removed = "change\n  node node3 is down, and to be no more\n    $ docker node rm id3";
    assert_eq!(Pruned { third: OUT.into(), ..Pruned::of(&[going("worker", "down")]) }.plan(), removed);
}

#[test]
fn a_node_of_no_host_that_can_be_asked_is_struck_off() {
    let mut gone = going("worker", "ready");
    gone["Spec"]["Labels"]["skep.joined"] = "node9".into();
    let plan = Pruned { third: OUT.into(), ..Pruned::of(&[gone]) }.plan();
    assert!(plan.ends_with("can be asked to leave as that node\n    $ docker node rm --force id3"), "{plan}");
    assert_eq!(
        Pruned::of(&[going("worker", "unknown")]).plan(),
        "wait for the swarm to know whether node3 is up (unknown)"
    );
    // What ran on a node that is down runs elsewhere or nowhere: it is not waited for.
    let down = Pruned { task: "Running 4 minutes ago", running: 1, ..Pruned::of(&[going("worker", "down")]) };
    assert!(down.plan().ends_with("$ docker node rm id3"));
}

#[test]
fn a_manager_is_a_worker_first_if_the_others_can_do_without() {
    let demoted = "change\n  node3 is a manager, and to be none\n    $ docker node demote id3";
    assert_eq!(Pruned::of(&[going("manager", "ready")]).plan(), demoted);
    assert_eq!(Pruned::of(&[going("worker/reachable", "ready")]).plan(), "wait for node3 to leave the managers");
    assert_eq!(Pruned::of(&[going("manager/unreachable", "down")]).plan(), demoted);
    let left_behind = Pruned::of(&[going("manager/", "down")]).plan();
    assert!(left_behind.ends_with("$ docker node rm id3"), "--force-new-cluster: {left_behind}");
    // One that stays cannot be reached: without node3 nobody would command the swarm.
    let mut lost = listed("id4", "manager/unreachable", json!({}));
    lost["Spec"]["Labels"].as_object_mut().unwrap().remove("skep.joined");
    let plan = Pruned::of(&[node3("manager", json!({})), lost]).plan();
    assert!(
        plan.starts_with("refused: without node3 only 1 of 2 managers would be reachable, which is no majority"),
        "{plan}"
    );
    let both = Pruned::of(&[going("manager", "ready"), {
        let mut down = listed("id4", "manager/unreachable", json!({"skep.leaves": "active"}));
        down["Status"]["State"] = "down".into();
        down
    }]);
    assert_eq!(
        both.plan(),
        "change\n  node4 is a manager, and to be none\n    $ docker node demote id4",
        "the lost one first"
    );
}

#[test]
fn more_than_half_is_a_mistake_and_so_is_one_whose_host_was_not_read() {
    let more = ["id4", "id5"].map(|id| listed(id, "worker", json!({})));
    let plan = Pruned::of(&[&[node3("worker", json!({}))], &more[..]].concat()).plan();
    let refused =
        "refused: 3 of 5 nodes would be removed, more than half: node3, node4, node5\nhint: is it the right inventory?";
    assert!(plan.starts_with(refused), "{plan}");
    let dead = "@skep 200 binary:/usr/bin/docker\n{\"ServerErrors\":[\"Cannot connect\"]}\n@skep 200 /info\n";
    let unread = |joined: &str| {
        let mut third = node3("worker", json!({}));
        third["Spec"]["Labels"]["skep.joined"] = joined.into();
        let mut second = listed("id2", "worker", json!({}));
        second["Spec"]["Labels"]["skep.joined"] = joined.into();
        let nodes = [listed("id1", "manager", json!({})), second, third];
        let hosts = [("node1@managers", daemon("id1", true)), ("node2@workers", OUT.into()), ("node3", OUT.into())];
        swarm_of(&hosts, &nodes).answers("node2", &looks(), dead).plan(&prune())
    };
    assert!(
        unread("any").starts_with("refused: cannot tell which node is node2's, so none is removed: Cannot connect")
    );
    assert_eq!(unread("node2"), "settled", "each may be the one that has its name");
}

/// Whether only the step of these hosts can bring it about: what the swarm has yet to notice comes without anybody's doing.
#[test]
fn who_has_done_its_part_is_waited_for_though_its_step_is_over() {
    let by_step = |role: &str, state: &str| {
        let mut second = listed("id2", role, json!({}));
        second["Status"]["State"] = state.into();
        let hosts = [("node1@managers", daemon("id1", true)), ("node2@workers", daemon("id2", false))];
        let nodes = [listed("id1", "manager", json!({})), second, node3("worker", json!({}))];
        match swarm_of(&hosts, &nodes).answers("node3", &looks(), OUT).decided(&prune()) {
            Plan::Wait(wait) => (wait.what, wait.by_step),
            other => panic!("{other:?}"),
        }
    };
    let as_asked = |by_step| ("node2 to be in the swarm as asked".to_owned(), by_step);
    assert_eq!(by_step("worker", "unknown"), as_asked(false));
    assert_eq!(by_step("manager", "ready"), as_asked(true));
}

#[test]
fn those_that_come_are_waited_for_and_those_that_come_back_stay() {
    let hosts = [("node1@managers", daemon("id1", true)), ("node2@workers", OUT.to_owned())];
    let nodes = [listed("id1", "manager", json!({})), node3("worker", json!({}))];
    let plan = swarm_of(&hosts, &nodes).plan(&prune());
    assert_eq!(plan, "wait for node2 to be in the swarm as asked");
    let hosts = [("node1@managers", daemon("id1", true)), ("node3@workers", daemon("id3", false))];
    let mut back = going("worker", "ready");
    back["Spec"]["Availability"] = "drain".into();
    let plan = swarm_of(&hosts, &[listed("id1", "manager", json!({})), back]).on("node3").plan(&prune());
    assert_eq!(
        plan,
        "change\n  its node differs [on node1]\n    labels.skep.leaves: active -> none\n    availability: drain -> active\n    \
         $ docker node update --label-rm skep.leaves --availability active id3"
    );
}
