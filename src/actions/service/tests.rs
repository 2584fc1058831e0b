use serde_json::{Value as Json, json};

use super::*;
use crate::actions::testing::{Case, action, mistake};
use crate::reads::Probe;
use crate::reads::Value;
use crate::remote::Output;

const UP: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"20.10.24\",\"SystemTime\":\"2026-01-01T00:01:00Z\",\"Swarm\":{\"LocalNodeState\":\"active\",\"NodeID\":\"n\",\"ControlAvailable\":true}}\n@skep 200 http://d/info\n";

/// What `docker service inspect` has said of one that was made without any flags but those.
const MADE: &str = r#"{"Name":"web","Labels":{"skep.labels":"tier","tier":"1"},"TaskTemplate":{"ContainerSpec":{"Image":"app:1@sha256:aa","Args":["sleep","1000"],"Env":["TOKEN=hunter22"],"Init":false,"StopGracePeriod":10000000000,"DNSConfig":{},"Secrets":[{"File":{"Name":"pw","UID":"0","GID":"0","Mode":292},"SecretID":"p","SecretName":"pw-1"}],"Mounts":[{"Type":"volume","Source":"kept","Target":"/kept"}],"Isolation":"default"},"Resources":{"Limits":{"NanoCPUs":500000000,"MemoryBytes":67108864},"Reservations":{}},"RestartPolicy":{"Condition":"any","Delay":5000000000,"MaxAttempts":0},"Placement":{"Constraints":["node.role==manager"]},"Networks":[{"Target":"i1"}],"ForceUpdate":0,"Runtime":"container"},"Mode":{"Replicated":{"Replicas":1}},"UpdateConfig":{"Parallelism":1,"FailureAction":"pause","Monitor":5000000000,"MaxFailureRatio":0,"Order":"start-first"},"RollbackConfig":{"Parallelism":1,"FailureAction":"pause","Monitor":5000000000,"MaxFailureRatio":0,"Order":"stop-first"},"EndpointSpec":{"Mode":"vip","Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":8080,"PublishMode":"ingress"}]}}"#;

/// The parameters that ask for that.
fn parameters() -> Json {
    json!({
        "name": "web", "image": "app:1", "command": "sleep 1000", "env": {"TOKEN": "hunter22"}, "secrets": [{"source": "pw-1", "target": "pw"}],
        "volumes": ["kept:/kept"], "memory": "64m", "cpus": 0.5, "constraints": ["node.role==manager"], "networks": ["back"],
        "update": {"order": "start-first"}, "ports": ["8080:80"], "labels": {"tier": 1},
    })
}

fn with(changes: Json) -> Json {
    let mut all = parameters();
    for (key, value) in changes.as_object().cloned().unwrap_or_default() {
        match value.is_null() {
            true => drop(all.as_object_mut().unwrap().remove(&key)),
            false => drop(all.as_object_mut().unwrap().insert(key, value)),
        }
    }
    all
}

const RUNS: &str =
    r#"{"id":"t","name":"web.1","node":"node2","desired":"Running","current":"Running 5 minutes ago","error":""}"#;
const FAILED: &str = r#"{"id":"t","name":"web.1","node":"node2","desired":"Shutdown","current":"Failed 5 seconds ago","error":"task: non-zero exit (3)"}"#;

/// The case where the service is so; or is not there.
fn case(spec: Option<&str>, update: &str, tasks: &str) -> Case {
    let row = |spec: &str| {
        let spec: Json = serde_json::from_str(spec).unwrap();
        let (name, labels, mode) = (&spec["Name"], &spec["Labels"], &spec["Mode"]);
        json!({"Id": "s1", "UpdatedAt": "2026-01-01T00:00:00Z", "Name": name, "Labels": labels, "Mode": mode,
            "Update": {"State": update, "Message": ""}, "Spec": spec})
        .to_string()
    };
    let said = format!(
        "{UP}{}\n\n@skep 200 service:web\n{tasks}\n\n@skep 200 service-tasks:web\n{{\"Id\":\"i1\",\"Name\":\"back\"}}\n\n@skep 200 service-networks\n",
        spec.map(row).unwrap_or_default()
    );
    let log = Output { code: 0, stdout: "no disk here\n".into(), stderr: Vec::new() };
    let log_of = Read::Probe(Probe::new("docker service logs --raw --tail 20 s1 2>&1").within(30));
    Case::new(&["node1"]).answers("node1", &[Read::Docker(Look::Service("web".into()))], &said).seen(
        "node1",
        log_of,
        Seen::Is(Value::Output(log)),
    )
}

fn planned(parameters: Json, spec: Option<&str>) -> String {
    case(spec, "", RUNS).plan(&action::<Service>(parameters))
}

#[test]
fn one_that_is_not_there_is_made_and_what_its_environment_says_is_not_shown() {
    let told = planned(parameters(), None);
    assert!(!told.contains("hunter"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn one_that_is_as_asked_is_settled() {
    assert_eq!(planned(parameters(), Some(MADE)), "settled");
    // The same in other words.
    let same = with(
        json!({"memory": 67108864, "cpus": "0.500".parse::<f64>().unwrap(), "image": "docker.io/library/app:1",
        "ports": [{"published": 8080, "target": 80}], "update": {"order": "start-first", "monitor": 5}, "replicas": 1}),
    );
    assert_eq!(planned(same, Some(MADE)), "settled");
}

#[test]
fn what_differs_is_told_field_by_field_and_brought_there_by_its_own_flags() {
    let told = [
        with(json!({"image": "app:2", "replicas": 3, "command": ["sleep", "2 days"]})),
        with(json!({"env": {"TOKEN": "hunter23", "MORE": "x"}, "memory": "1g", "labels": {"tier": 2}})),
        with(json!({"secrets": [{"source": "pw-2", "target": "pw"}], "ports": [{"published": 8080, "target": 80, "mode": "host"}]})),
        with(json!({"volumes": ["kept:/kept:ro"], "constraints": ["node.role==worker"], "networks": []})),
        with(json!({"env": null, "secrets": null, "ports": null, "volumes": null, "memory": null, "cpus": null, "labels": null, "update": null, "command": null})),
        with(json!({"mode": "global"})),
    ]
    .map(|parameters| planned(parameters, Some(MADE)));
    assert!(!told.concat().contains("hunter"), "{told:?}");
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn what_others_scale_and_label_is_left_to_them() {
    let others =
        MADE.replace("\"Replicas\":1", "\"Replicas\":4").replace("\"tier\":\"1\"", "\"tier\":\"1\",\"theirs\":\"2\"");
    let told = planned(parameters(), Some(&others));
    assert!(told.starts_with("wait for web to run: 1 of 4"), "{told}");
    let opened = MADE.replace(
        "\"PublishMode\":\"ingress\"}",
        "\"PublishMode\":\"ingress\"},{\"TargetPort\":22,\"PublishedPort\":22}",
    );
    let told = planned(parameters(), Some(&opened));
    assert!(told.contains("--publish-rm") && told.contains("target=22"), "{told}");
}

#[test]
fn one_that_was_made_by_hand_is_compared_in_what_is_asked_for_alone() {
    let by_hand = MADE.replace("\"skep.labels\":\"tier\",", "");
    assert_eq!(planned(json!({"name": "web", "image": "app:1"}), Some(&by_hand)), "settled");
    let told = planned(json!({"name": "web", "image": "app:2", "tty": true}), Some(&by_hand));
    assert!(told.contains("--tty --image app:2 s1") && !told.contains("-rm"), "{told}");
}

#[test]
fn an_update_that_was_given_up_is_told_by_the_run_that_asked_and_tried_again_by_the_next() {
    let asked = action::<Service>(parameters());
    let again = case(Some(MADE), "paused", FAILED).plan(&asked);
    assert!(again.contains("once more") && again.ends_with("docker service update --detach --force s1"), "{again}");
    let refused = case(Some(MADE), "paused", FAILED).tried().plan(&asked);
    assert!(
        refused.starts_with("refused: service web was not updated (paused), on node2: task: non-zero exit (3)"),
        "{refused}"
    );
    assert!(refused.contains("no disk here"), "{refused}");
    // What was taken back differs from what is asked, and would be asked for in vain.
    let back =
        case(Some(MADE), "rollback_completed", RUNS).tried().plan(&action::<Service>(with(json!({"image": "app:2"}))));
    assert!(back.starts_with("refused: service web was not updated (rollback_completed)"), "{back}");
    assert_eq!(
        case(Some(MADE), "rollback_completed", RUNS).plan(&asked),
        "settled",
        "it was brought to this by taking back"
    );
}

#[test]
fn what_docker_sweeps_along_is_brought_back() {
    let more = MADE
        .replace("\"PublishMode\":\"ingress\"}", "\"PublishMode\":\"ingress\"},{\"TargetPort\":80,\"PublishedPort\":8081}")
        .replace("\"Secrets\":[", "\"Secrets\":[{\"File\":{\"Name\":\"pw2\",\"UID\":\"0\",\"GID\":\"0\",\"Mode\":292},\"SecretID\":\"p\",\"SecretName\":\"pw-1\"},");
    let told = planned(parameters(), Some(&more));
    insta::assert_snapshot!(told);
}

#[test]
fn a_password_in_a_line_is_shown_of_neither_side() {
    let old = MADE.replace(r#""Args":["sleep","1000"]"#, r#""Args":["redis-server","--requirepass","hunter1"]"#);
    let told = planned(with(json!({"command": "redis-server --requirepass x"})), Some(&old));
    assert!(told.contains("command: set -> changed") && !told.contains("hunter"), "{told}");
}

#[test]
fn no_health_check_has_no_times() {
    let checked = MADE.replace(
        "\"Init\":false",
        "\"Init\":false,\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":5000000000}",
    );
    let told = planned(with(json!({"healthcheck": {"command": "none"}})), Some(&checked));
    assert!(told.ends_with("--detach --no-healthcheck s1"), "{told}");
    let none = MADE.replace("\"Init\":false", "\"Init\":false,\"Healthcheck\":{\"Test\":[\"NONE\"]}");
    assert_eq!(planned(with(json!({"healthcheck": {"command": "none"}})), Some(&none)), "settled");
}

#[test]
fn what_the_registry_said_once_does_not_count_where_it_is_not_to_be_asked() {
    let image = [Read::Docker(Look::Image("app:1".into()))];
    let none = format!("{UP}[]\n@skep 200 http://d/images/json\n");
    let case = case(Some(MADE), "", RUNS).answers("node1", &image, &none);
    let told = case.plan(&action::<Service>(with(json!({"resolve_image": "never"}))));
    assert!(told.contains("--image app:1 --no-resolve-image s1"), "{told}");
}

#[test]
fn what_only_arguments_can_carry_is_not_shown_either() {
    let told =
        planned(with(json!({"env": {"PATH": "/hidden", "DOCKER_PASSWORD": "hunter22", "TOKEN": "hunter22"}})), None);
    assert!(!told.contains("hidden") && !told.contains("hunter"), "{told}");
    assert!(told.contains("--env ••••••") && told.contains("--env DOCKER_PASSWORD "), "{told}");
}

#[test]
fn one_that_is_to_go_goes_by_its_id() {
    let gone = json!({"name": "web", "state": "absent"});
    assert_eq!(planned(gone.clone(), None), "settled");
    assert_eq!(planned(gone, Some(MADE)), "change\n  it is to be absent (removes)\n    $ docker service rm s1");
}

#[test]
fn what_makes_no_sense_is_named() {
    let wrong = |more: Json| mistake::<Service>(with(more));
    assert_eq!(wrong(json!({"image": null})), "missing key `image` in `service`");
    assert!(wrong(json!({"mode": "global", "replicas": 2})).contains("takes no `replicas`"));
    assert!(wrong(json!({"ports": ["127.0.0.1:80:80"]})).starts_with("a swarm binds a port to no address"));
    assert!(wrong(json!({"ports": ["80"]})).contains("which port is published"));
    assert!(wrong(json!({"endpoint_mode": "dnsrr"})).contains("`mode: host` only"));
    assert!(wrong(json!({"restart": {"condition": "always"}})).contains("any, on-failure, none"));
    assert!(wrong(json!({"volumes": ["a:b"]})).starts_with("`volumes`: a:b is none of"));
    assert!(wrong(json!({"labels": {"skep.x": 1}})).contains("skep's own"));
    assert!(wrong(json!({"env": {"discovery.type": "single-node"}})).contains("letters, digits and `_`"));
}
