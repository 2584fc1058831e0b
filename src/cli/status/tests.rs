use std::sync::Arc;

use serde_json::{Value, from_value, json};

use super::look::Looked;
use super::view::Status;
use super::{screen, spark};
use crate::cli::Failure;
use crate::cli::testing::host;
use crate::inventory::Host;
use crate::reads::Seen;
use crate::reads::docker::{Engine, Flavour, Listed, Node, Serving};
use crate::remote::Output;
use crate::report::Paint;

const PAGE: &str = r#"{"url":"spark://sparkmaster:7077","workers":[
{"id":"worker-1","host":"10.0.1.5","port":1,"cores":2,"coresused":1,"coresfree":1,"memory":1536,"memoryused":1024,"state":"ALIVE","lastheartbeat":1},
{"id":"worker-2","host":"10.0.1.6","port":1,"cores":2,"coresused":0,"coresfree":2,"memory":1536,"memoryused":0,"state":"DEAD","lastheartbeat":1}],
"aliveworkers":1,"cores":2,"coresused":1,"memory":1536,"memoryused":1024,"resources":[],
"activeapps":[{"id":"app-1","starttime":1,"name":"Pi","cores":1,"user":"spark","memoryperexecutor":1024,"state":"RUNNING","duration":1}],
"completedapps":[],"activedrivers":[],"completeddrivers":[],"status":"ALIVE"}"#;

fn engine(swarm: Value) -> Seen<Engine> {
    let info = json!({"ServerVersion": "28.2.2", "Name": "machine", "Swarm": swarm});
    let daemon = Seen::Is(from_value(info).expect("an answer"));
    Seen::Is(Engine { binary: "/usr/bin/docker".into(), flavour: Flavour::Docker, daemon })
}

fn listed(rows: Value) -> Seen<Vec<Listed>> {
    Seen::Is(from_value(rows).expect("rows"))
}

fn node(id: &str, role: &str, leads: bool) -> Node {
    Node {
        id: id.into(),
        hostname: format!("{id}-name"),
        role: role.into(),
        availability: "active".into(),
        state: "ready".into(),
        address: "10.0.1.9".into(),
        leads,
        engine: "28.2.2".into(),
        ..Node::default()
    }
}

fn manager() -> Looked {
    let serving = Serving {
        name: "web_app".into(),
        stack: "web".into(),
        image: "app:1@sha256:0123456789".into(),
        mode: "replicated".into(),
        running: 1,
        desired: 2,
        ports: vec!["8080->80/tcp".into()],
        update: "paused".into(),
        ..Serving::default()
    };
    let page = Output { code: 0, stdout: PAGE.into(), stderr: Vec::new() };
    Looked {
        engine: engine(json!({"LocalNodeState": "active", "NodeID": "n1", "ControlAvailable": true})),
        nodes: Seen::Is(vec![node("n1", "manager", true), node("n2", "worker", false), node("n4", "worker", false)]),
        services: Seen::Is(vec![serving]),
        containers: listed(json!([
            {"Id": "c3", "Name": "web_app.1.y", "Image": "app:0@sha256:1", "State": "exited", "Status": "Exited (1) 2 days ago", "Service": "web_app"},
            {"Id": "c2", "Name": "web_app.1.x", "Image": "app:1@sha256:1", "State": "running", "Status": "Up 2 days (unhealthy)", "Service": "web_app"},
            {"Id": "c1", "Name": "spark-master", "Image": "skep/spark_master", "State": "running", "Status": "Up 3 hours (healthy)",
             "Ports": "0.0.0.0:8080->8080/tcp, [::]:8080->8080/tcp, 7077/tcp", "Spark": "master", "Forward": "Spark master:8080"}
        ])),
        masters: vec![("spark-master".into(), Seen::Is(page))],
    }
}

fn worker() -> Looked {
    let containers = json!([{"Id": "c4", "Name": "spark-worker", "Image": "skep/spark_worker", "State": "exited", "Status": "Exited (137) 5 minutes ago", "Spark": "worker"}]);
    Looked {
        engine: engine(json!({"LocalNodeState": "active", "NodeID": "n2"})),
        nodes: Seen::Absent,
        services: Seen::Absent,
        containers: listed(containers),
        ..Looked::default()
    }
}

fn bare() -> Looked {
    Looked { engine: Seen::Absent, nodes: Seen::Absent, services: Seen::Absent, containers: Seen::Absent, ..worker() }
}

/// A manager, a worker, a bare machine, and one that does not answer.
fn status() -> Status {
    let hosts: Vec<Arc<Host>> = ["node1", "node2", "node3", "node4"].map(|name| Arc::new(host(name))).into();
    let answers: Vec<_> = hosts.iter().cloned().zip([manager(), worker(), bare()]).collect();
    let lost = [(Arc::clone(&hosts[3]), Failure::unreachable("no answer from node4:22 within 30 s"))];
    Status::of(&hosts, &answers, &lost, "skep forward".into())
}

#[test]
fn the_screen_has_all_that_there_is() {
    insta::assert_snapshot!(screen::draw(&status(), usize::MAX, Paint::new(false)));
}

#[test]
fn a_narrow_screen_is_cut_and_not_wrapped() {
    let drawn = screen::draw(&status(), 40, Paint::new(true));
    assert!(drawn.lines().all(|line| console::measure_text_width(line) <= 40), "{drawn}");
    assert_eq!(drawn.lines().count(), screen::draw(&status(), usize::MAX, Paint::new(false)).lines().count());
    assert!(drawn.contains("\u{1b}["), "colours end where the line does");
}

#[test]
fn the_object_for_programs_keeps_its_names() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&status()).expect("JSON"));
}

#[test]
fn without_a_manager_hosts_speak_for_themselves() {
    let hosts = [Arc::new(host("node2"))];
    let status = Status::of(&hosts, &[(Arc::clone(&hosts[0]), worker())], &[], "skep forward".into());
    let row = &status.nodes[0];
    assert_eq!((row.role.as_deref(), &*row.state, row.availability.as_deref()), (Some("worker"), "active", None));
    assert_eq!((status.manager, status.services, status.services_unread), (None, None, None));
}

#[test]
fn a_node_of_another_swarm_is_told() {
    let hosts = ["node1", "node2"].map(|name| Arc::new(host(name)));
    let stranger = Looked { engine: engine(json!({"LocalNodeState": "active", "NodeID": "n9"})), ..worker() };
    let answers: Vec<_> = hosts.iter().cloned().zip([manager(), stranger]).collect();
    let status = Status::of(&hosts, &answers, &[], "skep forward".into());
    assert_eq!(status.nodes[1].problem.as_deref(), Some("not in the swarm that node1 commands"));
}

#[test]
fn what_hosts_say_cannot_move_the_cursor() {
    let hosts = [Arc::new(host("node1"))];
    let containers = listed(json!([{"Name": "x\u{1b}[2J", "State": "running", "Status": "Up"}]));
    let answers = [(Arc::clone(&hosts[0]), Looked { containers, masters: Vec::new(), ..manager() })];
    let drawn = screen::draw(&Status::of(&hosts, &answers, &[], String::new()), 80, Paint::new(false));
    assert!(!drawn.contains('\u{1b}'), "{drawn:?}");
}

#[test]
fn a_page_that_does_not_answer_is_told() {
    let problem = |page: Seen<Output>| spark::read("node1", "spark-master", &page).problem.unwrap_or_default();
    let ended = |code, stdout: &str| Seen::Is(Output { code, stdout: stdout.into(), stderr: Vec::new() });
    assert!(problem(ended(4, "")).contains("wget ended with 4"));
    assert!(problem(ended(0, "<html>")).contains("not understood"));
    assert_eq!(problem(Seen::Unread("no answer within 10 s".into())), "no answer within 10 s");
    assert_eq!(problem(ended(0, PAGE)), "");
}

#[test]
fn a_master_is_told_by_its_label_or_its_service_and_only_while_it_runs() {
    let is_master = |row: Value| spark::is_master(&from_value(row).expect("a row"));
    assert!(is_master(json!({"State": "running", "Spark": "master"})));
    assert!(is_master(json!({"State": "running", "Service": "spark-stack_spark-master"})));
    assert!(!is_master(json!({"State": "exited", "Spark": "master"})));
    assert!(!is_master(json!({"State": "running", "Spark": "worker", "Service": "spark_spark-worker"})));
}
