//! `skep status` against real OpenSSH servers and a Docker of shell.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// What `skep status` asks of Docker, answered from files.
const DOCKER: &str = r#"#!/bin/sh
cd "$(dirname "$0")/.." || exit
echo "$*" >>asked
case "$1 $2 $3" in
"info --format "*) cat info ;;
"ps -a "*) cat containers ;;
"node ls "*) [ ! -e nodes ] || echo n1 ;;
"node inspect "*) cat nodes ;;
"service ls -q") [ ! -e services ] || echo s1 ;;
"service ls "*) cat services ;;
"service inspect "*) cat asked_for ;;
"exec c1 wget") cat page ;;
*) echo "docker: unexpected: $*" >&2; exit 64 ;;
esac
"#;

const PAGE: &str = r#"{"url":"spark://sparkmaster:7077","workers":[{"id":"w","host":"10.0.1.5","cores":2,"coresused":1,"memory":1024,"memoryused":512,"state":"ALIVE"}],"cores":2,"coresused":1,"memory":1024,"memoryused":512,"activeapps":[],"status":"ALIVE"}"#;

/// `alpha` commands a swarm with Spark's master on it, the others are its workers.
fn swarm(names: &[&str]) -> Ground {
    let ground = Ground::with(names, |folder, name| {
        format!("SetEnv HOME=/tmp PATH={}/{name}/bin:/usr/bin:/bin", folder.display())
    });
    for name in names {
        program(&ground, &format!("{name}/bin/docker"), DOCKER);
        // The engine of this machine must not answer.
        program(&ground, &format!("{name}/bin/curl"), "#!/bin/sh\nexit 7\n");
        ground.write(&format!("{name}/info"), &info(name, false));
        ground.write(&format!("{name}/containers"), "");
    }
    ground.write("alpha/info", &info("alpha", true));
    ground.write("alpha/nodes", r#"{"ID":"alpha","Spec":{"Role":"manager","Availability":"active"},"Description":{"Hostname":"a"},"Status":{"State":"ready"},"ManagerStatus":{"Leader":true,"Reachability":"reachable"}}
{"ID":"beta","Spec":{"Role":"worker","Availability":"drain"},"Description":{"Hostname":"b"},"Status":{"State":"ready"}}"#);
    ground.write("alpha/services", r#"{"Name":"web_app","Mode":"replicated","Replicas":"1/2","Image":"app:1"}"#);
    ground
        .write("alpha/asked_for", r#"{"Name":"web_app","Labels":{"com.docker.stack.namespace":"web"},"Update":null}"#);
    ground.write("alpha/containers", r#"{"Id":"c1","Name":"spark-master","Image":"skep/spark_master","State":"running","Status":"Up 3 hours (healthy)","Ports":"0.0.0.0:8080->8080/tcp","Spark":"master","Forward":"Spark master:8080","Service":""}"#);
    ground.write("alpha/page", PAGE);
    ground
}

fn program(ground: &Ground, name: &str, text: &str) {
    ground.write(name, text);
    fs::set_permissions(ground.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn info(node: &str, commands: bool) -> String {
    format!(
        r#"{{"ServerVersion":"28.2.2","Name":"{node}","Swarm":{{"LocalNodeState":"active","NodeID":"{node}","ControlAvailable":{commands}}}}}"#
    )
}

/// Exit code, the object, and standard error.
fn status(ground: &Ground, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = ground.skep(&[&["status", "--json", "--wait", "1s"], arguments].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let object = serde_json::from_slice(&output.stdout);
    (output.status.code(), object.unwrap_or_else(|e| panic!("{e}: {:?} {told}", output.stdout)), told)
}

#[test]
fn all_is_told_after_one_login_and_one_command() {
    let ground = swarm(&["alpha", "beta"]);
    let (code, it, told) = status(&ground, &[]);
    assert_eq!(code, Some(0), "{it:#} {told}");
    let node = |nth: usize, key: &str| it["nodes"][nth][key].clone();
    assert_eq!(
        (node(0, "role"), node(0, "leader"), node(0, "engine")),
        ("manager".into(), true.into(), "28.2.2".into())
    );
    assert_eq!((node(1, "host"), node(1, "availability")), ("beta".into(), "drain".into()));
    let service = &it["services"][0];
    assert_eq!((&service["stack"], &service["running"], &service["desired"]), (&"web".into(), &1.into(), &2.into()));
    assert_eq!(it["containers"][0]["health"], "healthy");
    assert_eq!((&it["spark"][0]["cores_used"], &it["spark"][0]["workers"][0]["state"]), (&1.into(), &"ALIVE".into()));
    assert_eq!(it["pages"][0]["name"], "Spark master");
    let costs = ground.servers.iter().map(|server| (server.connections(), server.execs()));
    assert_eq!(costs.collect::<Vec<_>>(), [(1, 2), (1, 1)], "a second command only where Spark's master runs");
    let asked = fs::read_to_string(ground.path("beta/asked")).unwrap();
    assert!(!asked.contains("exec"), "{asked}");
}

#[test]
fn hosts_that_do_not_answer_are_rows_with_their_reason() {
    let mut ground = swarm(&["alpha", "beta", "gamma"]);
    ground.servers[1].stop();
    ground.write("gamma/info", r#"{"ServerErrors":["Cannot connect to the Docker daemon"]}"#);
    let (code, it, told) = status(&ground, &[]);
    assert_eq!(code, Some(1), "a host that was reached and tells nothing is a failure: {it:#}");
    assert_eq!((&it["nodes"][1]["state"], &it["nodes"][2]["state"]), (&"unreachable".into(), &"unread".into()));
    assert!(it["nodes"][2]["problem"].as_str().unwrap().contains("Cannot connect"), "{it:#}");
    assert!(told.contains("unreachable: beta") && told.contains("failed: gamma"), "{told}");
    let output = ground.skep(&["status", "alpha:beta", "--wait", "1s"]);
    let screen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{screen}");
    assert!(screen.contains("manager*") && screen.contains("to open them on localhost: skep forward"), "{screen}");
    assert!(screen.lines().any(|line| line.starts_with("beta") && line.contains("unreachable")), "{screen}");
    assert!(!screen.contains('\u{1b}'), "colours are for terminals: {screen:?}");
}

#[test]
fn a_page_that_does_not_answer_leaves_all_else() {
    let ground = swarm(&["alpha"]);
    fs::remove_file(ground.path("alpha/page")).unwrap();
    let (code, it, told) = status(&ground, &[]);
    assert_eq!((code, &it["containers"][0]["name"]), (Some(0), &"spark-master".into()), "{it:#} {told}");
    assert!(it["spark"][0]["problem"].as_str().unwrap().starts_with("its page does not answer: "), "{it:#}");
}

#[test]
fn programs_that_follow_events_get_one() {
    let ground = swarm(&["alpha"]);
    let output = ground.skep(&["status", "--output", "json"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&"status".into(), &"run_finished".into()), "{told}");
    assert_eq!((&events[0]["status"]["manager"], &events[1]["code"]), (&"alpha".into(), &0.into()), "{told}");
}

#[test]
fn without_an_inventory_nobody_is_contacted() {
    let ground = swarm(&["alpha"]);
    fs::remove_dir_all(ground.path("inventory")).unwrap();
    let output = ground.skep(&["status"]);
    assert_eq!((output.status.code(), output.stdout.len(), ground.servers[0].connections()), (Some(2), 0, 0));
}
