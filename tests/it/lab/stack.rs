//! What a swarm keeps, on two real engines: secrets, configs, volumes, and services and stacks that come up, change, fail and go.

use crate::support::cluster::{Told, at};

use super::parts::{BEGIN, Parts};

const OBJECTS: &str = "
      - { id: image, hosts: 'managers[0]', image: { name: 'app:1', build: { context: app, args: { BASE: '{{ base_image }}' } } } }
      - { id: image_there, hosts: workers, image: { name: 'app:1', carry: 'managers[0]' } }
      - { id: volume, volume: { name: kept, labels: { of: test } } }
      - { id: secret, hosts: leader, secret: { name: pass, generate: { bytes: 16 } } }
      - { id: config, hosts: leader, config: { name: words, content: 'one {{ word | default(\"x\") }}' } }
      - { id: node, on: leader, node: { labels: { place: '{{ inventory_hostname }}' } } }
";

const STACK: &str = "
      - { id: stack, hosts: leader, timeout: 5m, stack: { name: web, file: stack.yml, resolve_image: never, variables: { SAY: SAYS } } }
";

/// One service with a task on each host, one that runs once. No virtual addresses: not every kernel has them.
const FILE: &str = r#"
services:
  app:
    image: app:1
    command: [sh, -c, "cat /run/secrets/pass /words >/dev/null && echo ${SAY:-nothing} && exec sleep 100000"]
    environment: { SAID: "${SAY:-nothing}" }
    secrets: [pass]
    configs: [{ source: words, target: /words }]
    deploy: { mode: global, endpoint_mode: dnsrr }
  once:
    image: app:1
    command: [sh, -c, "echo done"]
    deploy: { endpoint_mode: dnsrr, restart_policy: { condition: none } }
  steady:
    image: app:1
    command: [sleep, infinity]
    init: true
    deploy: { endpoint_mode: dnsrr, restart_policy: { condition: on-failure } }
networks: { default: { driver: overlay } }
secrets: { pass: { external: true } }
configs: { words: { external: true } }
"#;

const RUNNING: &str = "docker ps -q --no-trunc --filter label=com.docker.swarm.service.name=web_app | xargs";

fn with(parts: &Parts, says: &str, file: &str) {
    std::fs::write(parts.cluster.project.join("stack.yml"), file).expect("a Compose file");
    parts.write(&(BEGIN.to_owned() + OBJECTS + &STACK.replace("SAYS", says)));
}

fn running(parts: &Parts) -> Vec<String> {
    parts.cluster.lab.hosts().iter().map(|host| parts.cluster.on(host, RUNNING)).collect()
}

fn changed(told: &Told) -> Vec<String> {
    told.ended("changed").into_iter().map(|(step, _)| step).collect()
}

fn a_screen_shows_it(parts: &Parts) {
    let told = parts.cluster.skep(&["status"]).ends(0);
    let status = &told.of("status").next().expect("a status")["status"];
    let services = status["services"].as_array().expect("services");
    let app = services.iter().find(|service| service["name"] == "web_app").expect("the service");
    assert_eq!((&app["stack"], &app["running"], &app["desired"]), (&"web".into(), &2.into(), &2.into()), "{app}");
    let ready = |node: &&serde_json::Value| node["state"] == "ready" && node["problem"].is_null();
    assert_eq!(status["nodes"].as_array().expect("nodes").iter().filter(ready).count(), 2, "{status:#}");
    let tasks = status["containers"].to_string();
    assert!(tasks.contains("node1") && tasks.contains("node2") && tasks.contains("web_app"), "{tasks}");
}

#[test]
fn a_stack_comes_up_with_what_it_needs_changes_fails_in_its_own_words_and_goes() {
    let parts = Parts::new("stack", 2);
    with(&parts, "one", FILE);
    parts.run(0);
    parts.nothing_to_do();
    let first = running(&parts);
    assert!(first.iter().all(|id| id.len() == 64), "a task on each host: {first:?}");
    a_screen_shows_it(&parts);
    assert!(changed(&parts.run(0)).is_empty(), "again, with nothing to do");
    assert_eq!(running(&parts), first);

    with(&parts, "two", FILE);
    let planned = parts.cluster.skep(&["plan", "parts.yml"]).ends(10).text();
    assert!(planned.contains("app.environment.SAID") && planned.contains("another value"), "{planned}");
    assert_eq!(changed(&parts.run(0)), ["stack"]);
    assert!(running(&parts).iter().zip(&first).all(|(now, then)| now != then), "each task was made anew");
    parts.nothing_to_do();

    parts.cluster.on("node1", "docker service update --detach --env-add SAID=other web_app >/dev/null");
    let planned = parts.cluster.skep(&["plan", "parts.yml"]).ends(10).text();
    assert!(planned.contains("app.environment.SAID"), "{planned}");
    parts.run(0);
    what_others_changed_is_put_back(&parts);

    with(&parts, "two", &FILE.replace("exec sleep 100000", "echo no disk here >&2; exit 3"));
    // Whichever comes first: the swarm gives the update up, or the third task has failed.
    let told = parts.run(1).text();
    assert!(
        (told.contains("was not updated (paused)") || told.contains("fails again and again"))
            && told.contains("no disk here")
            && told.contains("exit (3)"),
        "{told}"
    );
    // What runs once and fails is over at once; the next run tries it once more, whether or not the file is another.
    with(&parts, "two", &FILE.replace("echo done", "cat /kept/on && echo on it goes"));
    for _ in 0..2 {
        let told = parts.run(1).troubles();
        assert!(told.contains("web_once") && told.contains("exit (1)") && told.contains("/kept/on"), "{told}");
    }
    // One that comes up, and goes down again and again, has not come up.
    with(&parts, "three", &(FILE.replace("networks: {", "  loops: { image: app:1, command: [sh, -c, sleep 0.5; echo it cannot last; exit 3], deploy: { endpoint_mode: dnsrr, restart_policy: { delay: 0s } } }\nnetworks: {")));
    let told = parts.run(1).troubles();
    assert!(told.contains("web_loops") && told.contains("it cannot last") && told.contains("exit (3)"), "{told}");
    with(&parts, "three", FILE);
    assert!(parts.run(1).troubles().contains("its file has no service web_loops"), "it is asked about");
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    parts.nothing_to_do();

    super::service::scenes(&parts);
    a_node_is_given_a_role_and_its_old_one_back(&parts);

    parts.write(&(BEGIN.to_owned() + "      - { id: stack, hosts: leader, stack: { name: web, state: absent } }\n      - { id: secret, hosts: leader, secret: { name: pass, state: absent } }\n"));
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    parts.nothing_to_do();
    assert_eq!(
        parts.cluster.on(
            "node1",
            "docker service ls -q; docker network ls -q --filter label=com.docker.stack.namespace; docker secret ls -q; docker config ls --format '{{.Name}}'; docker volume ls -q"
        ),
        "words\nkept"
    );
    a_way_back_leaves_nothing_but_what_is_kept(&parts);
}

/// To a deployment it is the image that it was deployed with.
fn what_others_changed_is_put_back(parts: &Parts) {
    for host in parts.cluster.lab.hosts() {
        parts.on(&host, "docker tag app:1 other:1; docker tag app:1 app:latest");
    }
    parts.on("node1", "docker service update --detach --no-resolve-image --image other:1 web_app");
    assert_eq!(changed(&parts.run(0)), ["stack"]);
    parts.nothing_to_do();
    let image = "docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' web_app";
    assert_eq!(parts.on("node1", image), "app:1");

    // A stack without a task, of an image without a tag.
    std::fs::write(
        parts.cluster.project.join("idle.yml"),
        "services: { app: { image: app, deploy: { replicas: 0, endpoint_mode: dnsrr } } }",
    )
    .expect("a Compose file");
    let idle = |what: &str| {
        let step = format!("      - {{ id: idle, hosts: leader, stack: {{ name: idle, {what} }} }}\n");
        parts.write(&(BEGIN.to_owned() + &step));
        parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
        parts.nothing_to_do();
    };
    idle("file: idle.yml, resolve_image: never");
    idle("state: absent");
}

fn a_node_is_given_a_role_and_its_old_one_back(parts: &Parts) {
    for role in ["manager", "worker"] {
        parts.write(&format!("plays: [{{ hosts: node2, steps: [{{ on: leader, node: {{ role: {role} }} }}] }}]"));
        parts.run(0);
        parts.nothing_to_do();
        assert_eq!(parts.on("node1", "docker node inspect --format '{{.Spec.Role}}' node2"), role);
    }
}

/// A service of no stack, and a container with a volume; then that container alone.
const MORE: &str = "
      - { id: alone, hosts: leader, service: { name: alone, image: 'app:1', resolve_image: never, endpoint_mode: dnsrr, command: [sleep, infinity], init: true } }
      - { id: box, hosts: node1, container: { name: box, image: 'app:1', networks: [parts], volumes: ['boxed:/data'], command: sleep infinity, init: true } }
";
const BOX: &str = "plays: [{ hosts: node1, steps: [{ container: { name: box, image: 'app:1', volumes: ['boxed:/data'], command: sleep infinity, init: true } }] }]";

/// First with a daemon that is dead on the other host, which is in nobody's way; then whole, and twice; then with what is kept; then
/// Docker itself.
fn a_way_back_leaves_nothing_but_what_is_kept(parts: &Parts) {
    with(parts, "three", FILE);
    let all = std::fs::read_to_string(parts.cluster.project.join("parts.yml")).expect("the playbook") + MORE;
    parts.write(&all);
    parts.run(0);
    parts.write(&format!("{BEGIN}      - {{ id: boxed, hosts: node1, volume: {{ name: boxed, state: absent }} }}\n"));
    let told = parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(1).troubles();
    assert!(told.contains("volume boxed on node1 is used by box"), "{told}");
    parts.write(&all);
    // The others would be in a swarm that nobody commands.
    let told = parts.cluster.skep(&["down", "--yes", "--limit", "node1"]).ends(0);
    assert!(told.errors.contains("The swarm stays: node2 may be in it"), "{}", told.errors);
    assert_eq!(told.places(), [at("containers", "node1")].into(), "{}", told.text());
    parts.run(0);
    parts.on("node2", "systemctl stop docker.socket docker");
    let told = parts.cluster.skep(&["down", "--yes"]).ends(1);
    assert_eq!(
        told.ended("failed").into_iter().map(|(_, host)| host).collect::<Vec<_>>(),
        ["node2"],
        "{}",
        told.text()
    );
    let gone = "docker info --format '{{.Swarm.LocalNodeState}}'; docker ps -aq";
    let kept = "docker volume ls -q | sort; docker image inspect -f '{{index .RepoTags 0}}' app:1";
    assert_eq!(parts.on("node1", &format!("{gone}; {kept}")), "inactive\nboxed\nkept\napp:1");
    parts.on("node2", "systemctl start docker");
    // Nobody commands its swarm any more.
    assert_eq!(parts.cluster.skep(&["down", "--yes"]).ends(0).places(), [at("workers", "node2")].into());
    assert_eq!(parts.on("node2", gone), "inactive");
    assert!(parts.cluster.skep(&["down", "--yes"]).ends(0).places().is_empty());
    parts.write(BOX);
    parts.run(0);
    // Its volume cannot go while somebody else has it, and no later run finds it by its container.
    parts.on("node1", "docker run --detach --rm --name theirs --volume boxed:/data app:1 sleep 100000 >/dev/null");
    let told = parts.cluster.skep(&["down", "--yes", "--volumes"]).ends(1);
    let left = "Left on node1, and found by no other run: docker volume rm boxed";
    assert!(told.errors.contains(left) && told.troubles().contains("volume is in use"), "{}", told.text());
    parts.on("node1", "docker rm --force theirs >/dev/null");
    parts.run(0);
    parts.cluster.skep(&["down", "--yes", "--volumes", "--images"]).ends(0);
    let left = "docker ps -aq; docker volume ls -q; docker image inspect app:1 2>&1 | tail -n 1";
    assert_eq!(parts.on("node1", left), "kept\nError: No such image: app:1");
    parts.cluster.skep(&["down", "--yes", "--docker"]).ends(0);
    for host in ["node1", "node2"] {
        let left = "command -v dockerd docker; apt-mark showhold; ls -d /var/lib/docker";
        assert_eq!(parts.cluster.lab.try_on(host, left).stdout, b"/var/lib/docker\n", "{host}");
    }
}
