use super::*;
use crate::reads::parts;
use std::process::Command;

fn read(looks: &[Look], stdout: &str) -> Vec<Seen<Value>> {
    let reads: Vec<Read> = looks.iter().cloned().map(Read::Docker).collect();
    understand(&reads, &Output { code: 0, stdout: stdout.into(), stderr: vec![] })
}

fn docker(seen: &Seen<Value>) -> &Found {
    match seen {
        Seen::Is(Value::Docker(found)) => found,
        other => panic!("{other:?}"),
    }
}

const UP: &str = r#"@skep 200 binary:/usr/bin/docker
{"ServerVersion":"20.10.24","SystemTime":"2026-01-01T00:01:00Z","Swarm":{"LocalNodeState":"active","NodeID":"n1","ControlAvailable":true}}
@skep 200 http://d/info
"#;

#[test]
fn a_container_is_absent_only_if_the_list_was_read_whole() {
    let look = [Look::Container("x".into())];
    let missing = "{\"message\":\"No such container: x\"}\n@skep 404 http://d/containers/x/json\n";
    let list = |code: &str, rows: &str| {
        format!("{UP}{rows}\n@skep {code} http://d/containers/json?all=1&filters=z\n{missing}")
    };
    assert_eq!(read(&look, &list("200", r#"[{"Names":["/xy"]}]"#)), [Seen::Absent]);
    assert_eq!(read(&look, &list("200", r#"[{"Names":["/x"]}]"#)), [Seen::Unread("No such container: x".into())]);
    assert_eq!(read(&look, &list("500", r#"{"message":"broken"}"#)), [Seen::Unread("broken".into())]);
    assert_eq!(read(&look, &format!("{UP}{missing}")), [Seen::Unread("the host gave no answer".into())]);
}

#[test]
fn without_docker_everything_is_absent_and_with_a_dead_daemon_nothing_is_known() {
    let looks = [Look::Container("x".into()), Look::Image("y".into()), Look::Nodes];
    assert_eq!(read(&looks, "@skep 404 docker\n"), vec![Seen::Absent; 3]);
    let dead = "@skep 200 binary:/usr/bin/docker\n{\"ServerErrors\":[\"Cannot connect\"]}\n@skep 200 /info\n";
    assert_eq!(read(&looks, dead), vec![Seen::Unread("Cannot connect".into()); 3]);
    let seen = read(&[Look::Engine], dead);
    let Found::Engine(engine) = docker(&seen[0]) else { panic!() };
    assert_eq!(engine.daemon, Seen::Unread("Cannot connect".into()));
}

#[test]
fn what_runs_is_listed_only_where_the_lists_were_read_whole() {
    let looks = [Look::Containers, Look::Services];
    let services = r#"{"Name":"web_app","Mode":"replicated","Replicas":"1/2 (max 1 per node)","Image":"app:1","Ports":"*:8080->80/tcp, *:53->53/udp"}"#;
    let asked = r#"{"Name":"web_app","Labels":{"com.docker.stack.namespace":"web"},"Update":{"State":"paused"}}"#;
    let lists = |code: &str| {
        format!(
            "{UP}{{\"Id\":\"1\"}}\n@skep {code} ps\n{services}\n@skep {code} services\n{asked}\n@skep {code} services-asked\n"
        )
    };
    let seen = read(&looks, &lists("200"));
    let (Found::Containers(containers), Found::Services(services)) = (docker(&seen[0]), docker(&seen[1])) else {
        panic!("{seen:?}")
    };
    let one = &services[0];
    assert_eq!((containers.len(), one.running, one.desired, &*one.note), (1, 1, 2, "max 1 per node"));
    assert_eq!((&*one.stack, &*one.update, one.is_whole()), ("web", "paused", false));
    assert_eq!(one.ports, ["8080->80/tcp", "53->53/udp"]);
    assert!(read(&looks, &lists("1")).iter().all(|seen| matches!(seen, Seen::Unread(_))));
    let worker = UP.replace("true", "false");
    assert_eq!(read(&looks[1..], &worker), [Seen::Absent], "only who controls a swarm knows its services");
}

#[test]
fn environment_values_are_not_kept() {
    let row = r#"{"Id":"1","Name":"/x","Config":{"Env":["TOKEN=s3cret"]},"State":{"Status":"running","StartedAt":"2026-01-01T00:00:00.5Z"}}"#;
    let seen = read(&[Look::Container("x".into())], &format!("{UP}{row}\n@skep 200 http://d/containers/x/json\n"));
    assert!(!format!("{seen:?}").contains("s3cret"));
    let Found::Container(found) = docker(&seen[0]) else { panic!() };
    assert_eq!(found.config.env["TOKEN"], fingerprint("s3cret"));
    assert_eq!(found.up, Some(std::time::Duration::from_millis(59_500)));
}

#[test]
fn an_object_whose_id_merely_begins_like_the_name_is_not_it() {
    let row = r#"{"Id":"abc1","Name":"/other"}"#;
    let out = format!(
        "{UP}{row}\n@skep 200 http://d/containers/abc/json\n[]\n@skep 200 http://d/containers/json?all=1&filters=z\n"
    );
    assert_eq!(read(&[Look::Container("abc".into())], &out), [Seen::Absent]);
}

#[test]
fn references_are_compared_as_docker_lists_them() {
    for (typed, listed) in [
        ("ubuntu", "ubuntu:latest"),
        ("docker.io/library/ubuntu:24.04", "ubuntu:24.04"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("a@sha256:12", "a@sha256:12"),
        ("r:5000/a:1@sha256:12", "r:5000/a@sha256:12"),
    ] {
        assert_eq!(normal_reference(typed), listed);
    }
}

#[test]
fn an_image_is_the_same_whatever_store_describes_it() {
    let one = serde_json::json!({"Id": "sha256:1", "RepoTags": ["i:latest"], "Architecture": "amd64", "RootFS": {"Layers": ["a", "b"]},
        "Config": {"Env": ["A=1"], "Volumes": {"/x": {}}, "Cmd": null, "Hostname": "h"}});
    let mut other = serde_json::json!({"Id": "sha256:2", "RepoTags": ["i:latest"], "Architecture": "amd64", "RootFS": {"Type": "layers", "Layers": ["a", "b"]},
        "Config": {"Volumes": {"/x": {}}, "Env": ["A=1"], "User": ""}});
    let content = |row: &serde_json::Value| {
        let out = format!("{UP}{row}\n@skep 200 /images/i/json\n");
        let seen = read(&[Look::Image("i".into())], &out);
        let Found::Image(image) = docker(&seen[0]) else { panic!() };
        image.content.clone()
    };
    assert_eq!(content(&one), content(&other));
    other["Config"]["Env"] = serde_json::json!(["A=2"]);
    assert_ne!(content(&one), content(&other));
}

/// The real engine of this machine, through curl and through the command: both must see the same.
#[test]
fn both_ways_of_asking_agree() {
    let image = "skep-actions-b-none".to_owned();
    let looks = [
        Look::Engine,
        Look::Container("skep-actions-b-none".into()),
        Look::Network("bridge".into()),
        Look::Network("skep-actions-b-none".into()),
        Look::Image(image),
        Look::Layers,
        Look::Volume("skep-actions-b-none".into()),
        Look::Containers,
        Look::Services,
    ];
    let parts = parts(looks.iter().cloned().map(Read::Docker));
    let [part] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    let run = |script: &str| {
        let out = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let out = Output { code: out.status.code().unwrap(), stdout: out.stdout, stderr: out.stderr };
        (part.understand)(&part.reads, &out)
    };
    let by_api = run(&part.script);
    let by_command = run(&part.script.replace("command -v curl", "false"));
    for seen in [&by_api, &by_command] {
        let Found::Engine(engine) = docker(&seen[0]) else { panic!() };
        let Seen::Is(info) = &engine.daemon else { panic!("{:?}", engine.daemon) };
        assert!(!info.system_time.is_empty() && info.swarm.inactive());
        assert_eq!(seen[1], Seen::Absent);
        assert_eq!(seen[3], Seen::Absent);
        assert_eq!(seen[4], Seen::Absent);
        assert_eq!(seen[6], Seen::Absent);
        assert!(matches!(docker(&seen[7]), Found::Containers(_)));
        assert_eq!(seen[8], Seen::Absent);
    }
    assert_eq!(by_api[2..5], by_command[2..5]);
    // Images come and go on a machine that is in use.
    assert!(matches!((&by_api[5], &by_command[5]), (Seen::Is(_), Seen::Is(_))));
}
