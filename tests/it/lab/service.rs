//! A service by itself, on the two engines of the test of stacks: made, changed by us and by others, given up, tried again, gone.

use super::parts::{BEGIN, Parts};
use crate::support::cluster::at;

/// One task on each host, with a bit of everything. No virtual addresses: not every kernel has them.
const SERVICE: &str = r#"
      - { id: own, hosts: leader, network: { name: own, driver: overlay } }
      - id: service
        hosts: leader
        timeout: 5m
        service:
          name: alone
          image: app:1
          resolve_image: never
          mode: global
          endpoint_mode: dnsrr
          command: [sh, -c, "cat /run/secrets/pw /words >/dev/null && if [ -e /kept/broken ]; then echo no disk here >&2; exit 3; fi; exec sleep 100000"]
          env: { SAID: "SAYS", PATH: /usr/bin:/bin, DOCKER_TOKEN: "x y" }
          networks: [parts, own]
          ports: [{ published: 8088, target: 80, mode: host }]
          secrets: [{ source: pass, target: pw, mode: "0400" }]
          configs: [{ source: words, target: /words }]
          volumes: ["kept:/kept"]
          tmpfs: ["/scratch:size=1m"]
          constraints: [node.platform.os==linux]
          memory: 64m
          cpus: 0.5
          reserve: { memory: 4m }
          update: { parallelism: 2, monitor: 1s, order: stop-first }
          restart: { delay: 1s }
          healthcheck: { command: "true", interval: 1s }
          labels: { of: test }
          init: true
          stop_timeout: 1s
"#;

/// One that a person has made.
const BY_HAND: &str = "
      - { id: by_hand, hosts: leader, service: { name: hand, image: 'app:1', resolve_image: never, tty: TTY } }
";

const GONE: &str = "
      - { id: service, hosts: leader, service: { name: alone, state: absent } }
      - { id: own, hosts: leader, network: { name: own, state: absent } }
      - { id: by_hand, hosts: leader, service: { name: hand, state: absent } }
      - { id: reads, hosts: leader, service: { name: reads, state: absent } }
      - { id: motd, hosts: leader, config: { name: motd, versioned: true, state: absent } }
";

const TASKS: &str = "docker ps -q --no-trunc --filter label=com.docker.swarm.service.name=alone | xargs";

pub(super) fn scenes(parts: &Parts) {
    made_and_changed(parts);
    given_up_and_tried_again(parts);
    a_new_version_is_taken_and_an_old_one_again(parts);
    adopted(parts);
    parts.write(&(BEGIN.to_owned() + GONE));
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    parts.nothing_to_do();
}

fn ask(parts: &Parts, says: &str) {
    parts.write(&(BEGIN.to_owned() + &SERVICE.replace("SAYS", says)));
}

fn on_both(parts: &Parts, script: &str) -> [String; 2] {
    ["node1", "node2"].map(|host| parts.on(host, script))
}

fn made_and_changed(parts: &Parts) {
    ask(parts, "one");
    parts.run(0);
    parts.nothing_to_do();
    let tasks = || on_both(parts, TASKS);
    let first = tasks();
    assert!(first.iter().all(|id| id.len() == 64), "a task on each host: {first:?}");
    parts.on(
        "node1",
        "docker service update --detach --env-add SAID=x --limit-memory 32m --label-add theirs=1 --publish-add published=8089,target=80,mode=host alone >/dev/null",
    );
    let planned = parts.cluster.skep(&["plan", "parts.yml"]).ends(10).text();
    assert!(planned.contains("env.SAID") && planned.contains("\"field\":\"memory\""), "{planned}");
    assert!(!planned.contains("theirs") && !planned.contains("\"field\":\"volumes"), "{planned}");
    parts.write(
        &(BEGIN.to_owned()
            + &SERVICE.replace("SAYS", "two").replace("command: \"true\", interval: 1s", "command: none")),
    );
    parts.run(0);
    parts.nothing_to_do();
    let is = parts.on("node1", "docker service inspect alone --format '{{.Spec.TaskTemplate.ContainerSpec.Healthcheck.Test}} {{range .Spec.EndpointSpec.Ports}}{{.PublishedPort}}{{end}}'");
    assert_eq!(is, "[NONE] 8088");
    // Docker keeps variables in whatever order.
    let is = parts.on(
        "node1",
        "docker service inspect alone --format '{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.Spec.Labels}}'",
    );
    assert!(
        is.contains("SAID=two")
            && is.contains("PATH=/usr/bin:/bin")
            && is.contains("DOCKER_TOKEN=x y")
            && is.contains("theirs:1"),
        "{is}"
    );
    assert!(tasks().iter().zip(&first).all(|(now, then)| now != then), "each task was made anew");
}

/// What was in its way is gone, and the playbook is the same: the next run tries once more.
fn given_up_and_tried_again(parts: &Parts) {
    let broken = "/var/lib/docker/volumes/kept/_data/broken";
    on_both(parts, &format!("touch {broken}"));
    ask(parts, "three");
    let told = parts.run(1).text();
    assert!(told.contains("no disk here") && told.contains("exit (3)"), "{told}");
    on_both(parts, &format!("rm {broken}"));
    parts.run(0);
    parts.nothing_to_do();
}

/// A config that comes in versions, and a service that takes the one that is asked for.
const VERSIONED: &str = "
      - { id: motd, hosts: leader, config: { name: motd, content: SAYS, versioned: true }, register: motd }
      - id: reads
        hosts: leader
        service:
          name: reads
          image: app:1
          resolve_image: never
          endpoint_mode: dnsrr
          constraints: [node.role==manager]
          command: sleep infinity
          init: true
          configs: [{ source: '{{ motd.stdout }}', target: /motd }]
";

fn a_new_version_is_taken_and_an_old_one_again(parts: &Parts) {
    for (says, kept) in [("one", "1"), ("two", "2"), ("one", "2"), ("three", "3"), ("four", "3")] {
        parts.write(&(BEGIN.to_owned() + &VERSIONED.replace("SAYS", says)));
        // Its name is known before it is made, and so is what its service will do.
        let planned = parts.cluster.skep(&["plan", "parts.yml"]).ends(10);
        assert!(planned.places().contains(&at("reads", "node1")), "{}", planned.text());
        if says == "four" {
            let told = parts.run(1).text();
            assert!(told.contains("nothing uses motd-") && told.contains("and 3 are kept"), "{told}");
            parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
        } else {
            parts.run(0);
        }
        parts.nothing_to_do();
        let reads = "docker exec $(docker ps -q --filter label=com.docker.swarm.service.name=reads) cat /motd";
        assert_eq!(parts.on("node1", reads), says);
        assert_eq!(parts.on("node1", "docker config ls -q --filter label=skep.name=motd | wc -l"), kept, "{says}");
    }
}

fn adopted(parts: &Parts) {
    let by_hand = |tty: &str| parts.write(&(BEGIN.to_owned() + &BY_HAND.replace("TTY", tty)));
    parts.on(
        "node1",
        "docker service create --detach --no-resolve-image --name hand --env KEEP=me app:1 sleep 100000 >/dev/null",
    );
    by_hand("false");
    parts.run(0);
    by_hand("true");
    parts.run(0);
    parts.nothing_to_do();
    let is = parts.on("node1", "docker service inspect hand --format '{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.Spec.TaskTemplate.ContainerSpec.TTY}}'");
    assert_eq!(is, "[KEEP=me] true");
}
