use serde_json::{Value as Json, json};

use super::*;
use crate::actions::testing::{Case, action};
use crate::reads::{Probe, Value};
use crate::remote::Output;

const FILE: &str = "services:\n  app:\n    image: app:${V:-1}\n    environment: { TOKEN: hunter22, N: 1 }\n    deploy: { replicas: 2 }\n  job:\n    image: job:1\n    deploy: { restart_policy: { condition: none } }\n";
const UP: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"20.10.24\",\"SystemTime\":\"2026-01-01T00:01:00Z\",\"Swarm\":{\"LocalNodeState\":\"active\",\"NodeID\":\"n\",\"ControlAvailable\":true}}\n@skep 200 http://d/info\n";

fn reads(names: &[&str]) -> Vec<Read> {
    let images = names.iter().map(|name| Read::Docker(Look::Image((*name).into())));
    [Read::Docker(Look::Stack("web".into()))].into_iter().chain(images).collect()
}

/// The plan for a file, where these services and tasks are there.
fn planned(file: &str, parameters: Json, services: &[Json], tasks: &[Json]) -> String {
    let rows = |rows: &[Json]| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    let images = "[]\n@skep 200 http://d/images/json\n";
    let said =
        format!("{UP}{images}{}\n@skep 200 stack:web\n{}\n@skep 200 stack-tasks:web\n", rows(services), rows(tasks));
    let text = Seen::Is(Value::Text(file.into()));
    let log = Output { code: 0, stdout: "boom\n".into(), stderr: Vec::new() };
    let log = |id: &str| {
        let said = Seen::Is(Value::Output(log.clone()));
        (Read::Probe(Probe::new(format!("docker service logs --raw --tail 20 {id} 2>&1")).within(30)), said)
    };
    let mut all = json!({"name": "web", "file": "stack.yml"});
    all.as_object_mut().unwrap().extend(parameters.as_object().cloned().unwrap_or_default());
    let case = Case::new(&["node1"]);
    // The key is the test's own: whether this run has deployed it already.
    let tried = all.as_object_mut().unwrap().remove("tried").is_some();
    let case = if tried { case.tried() } else { case };
    let case = case.answers("node1", &reads(&["app:1", "app:2", "job:1", "x"]), &said);
    let case = case.seen(crate::reads::WORKSTATION, Read::Text("/playbooks/stack.yml".into()), text);
    let logs = ["s1", "s2"].map(log);
    logs.into_iter().fold(case, |case, (read, said)| case.seen("node1", read, said)).plan(&action::<Stack>(all))
}

/// The services as the file asks for them, as if they had been deployed.
fn deployed(file: &str) -> Vec<Json> {
    let compose = Compose::read("stack.yml".as_ref(), file.into(), &BTreeMap::new()).unwrap();
    let one = |(at, service): (usize, &Service)| {
        let once = service.fields.contains_key("deploy.restart_policy.condition");
        json!({
            "Id": format!("s{}", at + 1), "UpdatedAt": "2026-01-01T00:00:00Z", "Name": format!("web_{}", service.name), "Image": format!("{}@sha256:1", service.image),
            "Labels": { ASKED: serde_json::to_string(&service.fields).unwrap() },
            "Mode": { "Replicated": { "Replicas": service.replicas } },
            "Restart": { "Condition": if once { "none" } else { "any" } },
        })
    };
    compose.services.iter().enumerate().map(one).collect()
}

fn task(name: &str, desired: &str, current: &str, error: &str) -> Json {
    json!({"id": "t", "name": name, "node": "node2", "desired": desired, "current": current, "error": error})
}

fn running() -> Vec<Json> {
    vec![
        task("web_app.1", "Running", "Running 5 minutes ago", ""),
        task("web_app.1", "Shutdown", "Failed 6 minutes ago", "task: non-zero exit (1)"),
        task("web_app.2", "Running", "Running 5 minutes ago", ""),
        task("web_job.1", "Shutdown", "Complete 5 minutes ago", ""),
    ]
}

#[test]
fn what_is_not_there_is_deployed_and_what_runs_as_asked_is_settled() {
    insta::assert_snapshot!(planned(FILE, json!({}), &[], &[]));
    assert_eq!(planned(FILE, json!({}), &deployed(FILE), &running()), "settled");
}

#[test]
fn what_differs_is_told_field_by_field_and_values_of_the_environment_are_not() {
    let mut scaled = deployed(FILE);
    scaled[0]["Mode"]["Replicated"]["Replicas"] = json!(5);
    let told = [
        planned(FILE, json!({"variables": {"V": 2}}), &deployed(FILE), &running()),
        planned(&FILE.replace("hunter22", "hunter23"), json!({}), &deployed(FILE), &running()),
        planned(FILE, json!({}), &scaled, &running()),
        planned(
            "services: { app: { image: x } }",
            json!({}),
            &deployed("services: { app: { image: x }, old: { image: x } }"),
            &running(),
        ),
    ];
    assert!(!told.concat().contains("hunter"), "{told:?}");
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn tasks_are_waited_for_and_those_that_never_come_up_are_told_with_their_words() {
    let fails = |when: &str| task("web_app.1", "Shutdown", &format!("Failed {when} ago"), "task: non-zero exit (3)");
    let mut late = running();
    late[0] = task("web_app.1", "Running", "Preparing 3 seconds ago", "");
    late[3] = task("web_job.1", "Running", "Running 3 seconds ago", "");
    let crash: Vec<_> = [
        task("web_app.1", "Ready", "Ready 1 second ago", ""),
        fails("2 seconds"),
        fails("8 seconds"),
        fails("15 seconds"),
    ]
    .into();
    let once: Vec<_> =
        [task("web_app.1", "Running", "Starting 1 second ago", ""), fails("2 seconds"), fails("8 minutes")].into();
    let mut paused = deployed(FILE);
    paused[0]["Update"] =
        json!({"State": "paused", "Message": "update paused due to failure or early termination of task t"});
    let told = [
        planned(FILE, json!({}), &deployed(FILE), &late),
        planned(FILE, json!({"tried": true}), &deployed(FILE), &crash),
        planned(FILE, json!({}), &deployed(FILE), &once),
        planned(FILE, json!({"tried": true}), &paused, &running()),
    ];
    insta::assert_snapshot!(told.join("\n---\n"));
}

/// Whatever comes after a task that has ended: the same again, the next try, or nothing.
#[test]
fn what_nothing_follows_is_over_and_what_may_end_well_may_also_run() {
    let with = |condition: &str, job: Json| {
        let mut services = deployed(FILE);
        services[1]["Restart"]["Condition"] = condition.into();
        let mut tasks = running();
        tasks[3] = job;
        (services, tasks)
    };
    let plan = |(services, tasks): (Vec<Json>, Vec<Json>)| planned(FILE, json!({"tried": true}), &services, &tasks);
    let ran = |current: &str| task("web_job.1", "Running", current, "");
    let ended = |current: &str| task("web_job.1", "Shutdown", current, "task: non-zero exit (3)");
    let over = "refused: service web_job of stack web has failed on node2 for good: task: non-zero exit (3)";
    for when in ["3 seconds", "5 minutes"] {
        let told = plan(with("none", ended(&format!("Failed {when} ago"))));
        assert!(told.starts_with(over), "{told}");
    }
    // Its turn may still come.
    let (mut updating, tasks) = with("none", ended("Failed 5 minutes ago"));
    updating[1]["Update"] = json!({"State": "updating"});
    assert!(plan((updating, tasks)).starts_with("wait for web_job to have ended well: 0 of 1"));
    // As many times as its policy lets it.
    assert!(plan(with("any", ended("Failed 3 seconds ago"))).starts_with(over));
    let again = |parameters: Json| {
        let (services, tasks) = with("none", ended("Failed 3 minutes ago"));
        planned(FILE, parameters, &services, &tasks)
    };
    let (once_more, bare) = (
        "for good: task: non-zero exit (3): once more\n    $ docker service update --detach --force",
        again(json!({})),
    );
    assert!(bare.ends_with(&format!("{once_more} s2")), "{bare}");
    let with_login = again(json!({"registry_auth": true}));
    assert!(with_login.ends_with(&format!("{once_more} --with-registry-auth s2")), "{with_login}");
    // What ends soon after an update has failed it, to the swarm.
    let (mut services, tasks) = with("none", running().remove(3));
    services[1]["Update"] =
        json!({"State": "paused", "Message": "update paused due to failure or early termination of task t"});
    assert_eq!(plan((services.clone(), tasks)), "settled");
    assert!(
        plan((services, with("none", ended("Failed 3 seconds ago")).1))
            .contains("was not updated (paused), on node2: task: non-zero exit (3)")
    );
    for well in [ran("Running 5 minutes ago"), task("web_job.1", "Shutdown", "Complete 5 minutes ago", "")] {
        assert_eq!(plan(with("on-failure", well)), "settled");
    }
    assert_eq!(
        plan(with("none", ran("Running 5 minutes ago"))),
        "wait for web_job to have ended well: 0 of 1 (node2: running)"
    );
}

/// What has just been asked for is looked at for a while.
#[test]
fn a_task_that_has_just_come_up_has_yet_to_stay_and_one_that_none_takes_has_its_reason() {
    let at = |updated: &str, current: &str| {
        let mut services = deployed(FILE);
        services[0]["UpdatedAt"] = updated.into();
        let mut tasks = running();
        tasks[0] = task("web_app.1", "Running", current, "");
        planned(FILE, json!({"tried": true}), &services, &tasks)
    };
    assert_eq!(at("2026-01-01T00:00:50Z", "Running 2 seconds ago"), "wait for web_app to run: 1 of 2 (node2: running)");
    assert_eq!(at("2026-01-01T00:00:50Z", "Running 7 seconds ago"), "settled");
    assert_eq!(at("2025-01-01T00:00:00Z", "Running 2 seconds ago"), "settled", "long after, a clock may be wrong");
    assert_eq!(at("2026-01-01T00:00:59Z", "Running 5 minutes ago"), "wait for the swarm to begin with web_app");
    // Each that failed since is a reason to watch for as long again.
    let failing = |updated: &str, failed: &str| {
        let mut services = deployed(FILE);
        services[0]["UpdatedAt"] = updated.into();
        let mut tasks = running();
        tasks[0] = task("web_app.1", "Running", "Running 2 seconds ago", "");
        tasks.insert(1, task("web_app.1", "Shutdown", failed, "task: non-zero exit (3)"));
        planned(FILE, json!({"tried": true}), &services, &tasks)
    };
    let waits = "wait for web_app to run: 1 of 2 (node2: running)";
    assert_eq!(failing("2025-12-31T23:59:30Z", "Failed 20 seconds ago"), waits);
    assert_eq!(failing("2025-12-31T23:59:30Z", "Failed 5 minutes ago"), "settled", "that was before");
    assert_eq!(failing("2025-12-31T23:50:00Z", "Failed 20 seconds ago"), "settled");
    let mut late = running();
    late[0] = task("web_app.1", "Running", "Running 2 seconds ago", "");
    late[2] = task("web_app.2", "Running", "Pending 2 seconds ago", "");
    let mut services = deployed(FILE);
    services[0]["UpdatedAt"] = "2026-01-01T00:00:50Z".into();
    let told = planned(FILE, json!({"tried": true}), &services, &late);
    assert_eq!(told, "wait for web_app to run: 0 of 2 (node2: pending)", "one that runs has only to stay");
    let mut nowhere = deployed(FILE);
    nowhere[0]["Mode"] = json!({"Global": {}});
    let told = planned(FILE, json!({"tried": true}), &nowhere, &running()[3..]);
    assert_eq!(told, "wait for web_app to run: no node takes it (scheduling constraints not satisfied)");
}

#[test]
fn a_stack_that_is_to_go_goes_by_the_ids_that_were_read() {
    let gone = |services: &[Json], networks: &str| {
        let rows = services.iter().map(|row| format!("{row}\n")).collect::<String>();
        let said = format!(
            "{UP}{rows}\n@skep 200 stack:web\n\n@skep 200 stack-tasks:web\n{networks}\n@skep 200 stack-networks:web\n\n@skep 200 stack-secrets:web\n\n@skep 200 stack-configs:web\n"
        );
        let reads = [Look::Stack("web".into()), Look::Remains("web".into())].map(Read::Docker);
        Case::new(&["node1"])
            .answers("node1", &reads, &said)
            .plan(&action::<Stack>(json!({"name": "web", "state": "absent"})))
    };
    assert_eq!(gone(&[], ""), "settled");
    let told = gone(&deployed(FILE), "{\"Id\":\"n1\"}\n{\"Id\":\"n2\"}");
    assert!(
        told.contains("$ docker service rm s1 s2\n") && told.ends_with("(removes)\n    $ docker network rm n1 n2"),
        "{told}"
    );
    // Cut in the middle: its services are gone, a network is not.
    assert!(gone(&[], "{\"Id\":\"n1\"}").starts_with("change\n  its networks are to be absent"));
    let reads = [Look::Stack("web".into()), Look::Remains("web".into())].map(Read::Docker);
    let said =
        format!("{UP}\n@skep 200 stack:web\n\n@skep 200 stack-tasks:web\nno quorum\n@skep 1 stack-networks:web\n");
    let unread = Case::new(&["node1"])
        .answers("node1", &reads, &said)
        .plan(&action::<Stack>(json!({"name": "web", "state": "absent"})));
    assert_eq!(unread, "refused: cannot read what stack web has on node1: no quorum");
}

#[test]
fn an_update_that_was_given_up_is_tried_again_by_the_next_run() {
    let mut paused = deployed(FILE);
    paused[0]["Update"] = json!({"State": "paused", "Message": "update paused"});
    let told = planned(FILE, json!({}), &paused, &running());
    assert!(told.ends_with("once more\n    $ docker service update --detach --force s1"), "{told}");
    // Where the file says something else by now, it is deployed, and that is all.
    let told = planned(FILE, json!({"variables": {"V": 2}}), &paused, &running());
    assert!(told.contains("stack deploy") && !told.contains("--force"), "{told}");
}

/// A deployment keeps the image that a service has where the file asks for none other than the last time.
#[test]
fn an_image_that_somebody_else_gave_a_service_is_taken_back_by_its_own_command() {
    let has = |image: &str, deployed_with: &str, parameters: Json| {
        let mut services = deployed(FILE);
        services[0]["Image"] = image.into();
        services[0]["Labels"][DEPLOYED] = deployed_with.into();
        services[1]["Image"] = "job:1".into();
        planned(FILE, parameters, &services, &running())
    };
    for same in ["app:1", "docker.io/library/app:1", "app:1@sha256:2"] {
        assert_eq!(has(same, "app:1", json!({})), "settled", "{same}");
    }
    let told = has("app:2@sha256:2", "app:1", json!({}));
    let back = "change\n  it runs another image than it was deployed with\n    app.image: app:2@sha256:2 -> app:1\n    $ docker service update --detach --image app:1 s1";
    assert_eq!(told, back);
    let told = has("app:2", "app:1", json!({"resolve_image": "always"}));
    assert!(told.contains("stack deploy") && !told.contains("service update"), "it asks anew by itself: {told}");
    let told = has("app:2", "app:0", json!({}));
    assert!(told.contains("stack deploy") && !told.contains("service update"), "the file asks for another: {told}");
    // Each node is to take the image that it has: which one the registry meant does not count any more.
    let never = json!({"resolve_image": "never", "registry_auth": true});
    let told = has("app:1@sha256:2", "app:1", never.clone());
    assert!(told.contains("--image app:1 --no-resolve-image --with-registry-auth s1"), "{told}");
    assert_eq!(has("app:1", "app:1", never), "settled");
}

#[test]
fn an_image_without_a_tag_is_the_one_that_docker_writes_out() {
    let file = "services: { app: { image: nginx }, other: { image: docker.io/library/nginx:1 } }";
    let mut services = deployed(file);
    services[0]["Image"] = "nginx:latest@sha256:1".into();
    services[1]["Image"] = "nginx:1@sha256:1".into();
    let tasks = ["web_app.1", "web_other.1"].map(|name| task(name, "Running", "Running 5 minutes ago", ""));
    assert_eq!(planned(file, json!({}), &services, &tasks), "settled");
}

#[test]
fn a_stack_may_have_no_tasks() {
    let file = "services: { app: { image: x, deploy: { replicas: 0 } } }";
    assert_eq!(planned(file, json!({}), &deployed(file), &[]), "settled");
}

#[test]
fn what_a_swarm_would_pass_over_is_refused_at_its_place() {
    let cases = [
        "services: { a: { build: . } }",
        "services: { a: { image: x, ports: ['127.0.0.1:80:80'] } }",
        "services: { a: { image: x, ports: ['80:80', '80'], env_file: x } }",
        "services: { a: { image: x } }\nsecrets: { s: { file: ./s } }",
        "services: { a: { image: 'x:${NOPE}' } }",
        "services: { a: { image: x, environment: { A: '', LANG: } } }",
        "services: { a: { image: x, environment: [A=, LANG] } }",
        "services: [a]",
        "services: { a: ",
    ];
    let told: Vec<String> = cases.iter().map(|file| planned(file, json!({}), &[], &[])).collect();
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn what_docker_is_given_means_what_the_file_means() {
    let file = "name: x\nservices:\n  a:\n    image: x\n    build: .\n    depends_on: { b: { condition: x } }\n    command: echo $$HOME\n    environment: { V: 1.0, T: true, P: a$$b }\n    labels: [k=v]\n    deploy: { labels: { own: 1 } }\n";
    let compose = Compose::read("f".as_ref(), file.into(), &BTreeMap::new()).unwrap();
    let document: Json = serde_json::from_str(&compose.labelled(ASKED, |_| ("{}".into(), Some("i".into())))).unwrap();
    let expected = json!({
        "version": "3.8",
        "services": {"a": {
            "image": "x", "command": "echo $$HOME", "labels": ["k=v", "skep.image=i"],
            "environment": {"V": "1.0", "T": "true", "P": "a$$b"},
            "deploy": {"labels": {"own": 1, ASKED: "{}"}},
        }},
    });
    assert_eq!(document, expected);
}
