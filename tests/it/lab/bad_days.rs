//! Bad days on two real engines: power that goes in the middle of each action, daemons that hang, hosts that lose each other,
//! and what a swarm cannot place. Each is told by host, step and cause, and the next run completes it.

use crate::support::cluster::{Told, at};

use super::parts::{BEGIN, Parts};
use super::power::{Moment, comes};

const IMAGES: &str = "
      - { id: image, hosts: 'managers[0]', image: { name: 'app:1', build: { context: app, args: { BASE: '{{ base_image }}' } } } }
      - { id: image_there, hosts: workers, image: { name: 'app:1', carry: 'managers[0]' } }
";

const FILE: &str = r"
services:
  app: { image: 'app:1', command: [sleep, infinity], init: true, deploy: { mode: global, endpoint_mode: dnsrr } }
networks: { default: { driver: overlay } }
";

/// The command in whose middle power goes, and the step.
const CUTS: [(Moment, &str); 9] = [
    (Moment::after("network create", "node1"), "network: { name: further, driver: overlay, attachable: true }"),
    (Moment::after("volume create", "node2"), "volume: { name: kept }"),
    (Moment::after("secret create", "node1"), "secret: { name: pass, generate: { bytes: 16 } }"),
    (Moment::before("config create", "node1"), "config: { name: words, content: all }"),
    (Moment::before("node update", "node1"), "node: { labels: { number: one } }"),
    (
        Moment::after("run", "node2"),
        "container: { name: app, image: 'app:1', networks: [parts], command: sleep infinity, restart: unless-stopped, init: true }",
    ),
    (
        Moment::after("service create", "node1"),
        "service: { name: solo, image: 'app:1', resolve_image: never, endpoint_mode: dnsrr, command: sleep infinity, init: true }",
    ),
    (
        Moment::after("service update", "node1"),
        "service: { name: solo, image: 'app:1', resolve_image: never, endpoint_mode: dnsrr, command: sleep infinity, init: true, env: { SAID: two } }",
    ),
    (Moment::after("stack deploy", "node1"), "stack: { name: web, file: stack.yml, resolve_image: never }"),
];

/// The container that belongs to no swarm.
const ALONE: &str = "docker ps -q --no-trunc --filter name=^/app$";

impl Parts {
    fn ask_for(&self, steps: &str) {
        self.write(&(BEGIN.to_owned() + IMAGES + steps));
    }

    fn heals(&self) -> Told {
        let told = self.cluster.mends("node2", &["run", "parts.yml", "--yes"]);
        self.nothing_to_do();
        told
    }
}

#[test]
fn whatever_happens_is_told_and_the_next_run_completes_it() {
    let parts = Parts::new("bad-days", 2);
    std::fs::write(parts.cluster.project.join("stack.yml"), FILE).expect("a Compose file");
    parts.ask_for("");
    parts.heals();
    CUTS.iter().for_each(|cut| power_goes(&parts, *cut));
    nothing_was_lost_and_nothing_is_left(&parts);
    daemons(&parts);
    what_takes_its_place_is_refused(&parts);
    hosts_that_lose_each_other(&parts);
    what_cannot_be_placed(&parts);
    for host in ["node1", "node2"] {
        assert_eq!(parts.on(host, "docker ps -aq --filter status=created --filter status=dead"), "", "left on {host}");
    }
}

/// Each once, as it was asked for.
fn nothing_was_lost_and_nothing_is_left(parts: &Parts) {
    let there = "docker network ls --filter driver=overlay --format '{{.Name}}' | sort | xargs; docker node ls -q | wc -l; \
        docker service ls --format '{{.Name}}' | sort | xargs; docker secret ls -q | wc -l; docker config ls -q | wc -l";
    assert_eq!(parts.on("node1", there), "further ingress parts web_default\n2\nsolo web_app\n1\n1");
    assert_eq!(
        parts.on("node2", "docker ps -a --filter name=^/app$ --format '{{.Names}}'; docker volume ls -q"),
        "app\nkept"
    );
}

fn power_goes(parts: &Parts, (moment, step): (Moment, &str)) {
    let host = moment.host;
    parts.ask_for(&format!("\n      - {{ id: cut, name: The unlucky one, hosts: {host}, {step} }}\n"));
    let said = moment.strikes(&parts.cluster.lab, || parts.begin());
    assert!(said.contains("lost in the middle of The unlucky one"), "{said}");
    parts.heals();
}

/// One that is stopped is started again by the step that asks for an engine; one that hangs is told as such, and spoils nothing.
fn daemons(parts: &Parts) {
    parts.on("node2", "systemctl stop docker.socket docker");
    let told = parts.heals();
    assert!(told.ended("changed").contains(&at("engine", "node2")), "{:?}", told.ended("changed"));

    // The swarm replaces its own task there, as it does on a node that is down; what is no task of a swarm is let be.
    let before = parts.on("node2", ALONE);
    parts.on("node2", "systemctl kill --signal=STOP docker");
    let told = parts.run(1);
    parts.on("node2", "systemctl kill --signal=CONT docker");
    assert_eq!(told.ended("failed"), [at("engine", "node2")].into(), "{}", told.text());
    assert!(told.troubles().contains("10 s"), "{}", told.troubles());
    parts.heals();
    assert_eq!((before.len(), parts.on("node2", ALONE)), (64, before), "its container was let be");
}

/// What the engine alone can know of a container is told before the one that is there goes.
fn what_takes_its_place_is_refused(parts: &Parts) {
    let (before, all) = (parts.on("node2", ALONE), "docker ps -aq | wc -l");
    let many = parts.on("node2", all);
    for (asked, said) in [("cap_add: [NOT_ONE]", "NOT_ONE"), ("log: { driver: none-such }", "none-such")] {
        let app = "name: app, image: 'app:1', networks: [parts], command: sleep infinity, volumes: [/data]";
        parts.ask_for(&format!("\n      - {{ id: app, hosts: node2, container: {{ {app}, {asked} }} }}\n"));
        let troubles = parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(1).troubles();
        assert!(troubles.contains(said), "{troubles}");
        assert_eq!((parts.on("node2", ALONE), parts.on("node2", all)), (before.clone(), many.clone()), "{troubles}");
    }
    assert_eq!(parts.on("node2", "docker volume ls -q"), "kept", "nor is a volume left of it");
}

const PAUSE: &str = "
      - { id: pause, hosts: node1, shell: 'touch /run/here; until test -e /run/parted; do sleep 0.1; done' }
      - { id: stack, hosts: leader, timeout: 5m, stack: { name: parted, file: stack.yml, resolve_image: never } }
";

/// In the middle of a run two hosts cannot reach each other any more, and then they can again.
fn hosts_that_lose_each_other(parts: &Parts) {
    parts.ask_for(PAUSE);
    // So long a node may say nothing before it is given up: three times this. Otherwise it may be, before anything is sent there.
    parts.on("node1", "docker swarm update --dispatcher-heartbeat 15s >/dev/null");
    let run = comes(&parts.cluster.lab, &["node1"], "test -e /run/here", || parts.begin());
    let cut = parts.cluster.lab.cut("node2", &["--peer", "node1"]);
    parts.on("node1", "touch /run/parted");
    // Until the swarm has given node2 up: what is to run on every node is for those that are up. Which of the two is named is whose
    // news comes first.
    let said = run.ends(0);
    assert!(said.contains("parted_app to run: 0 of 2 ("), "both are waited for: {said}");
    let told = parts.cluster.skep(&["status"]);
    let status = &told.of("status").next().expect("a status")["status"];
    let node2 = status["nodes"].as_array().expect("nodes").iter().find(|node| node["host"] == "node2");
    assert!(node2.is_some_and(|node| node["state"] == "down" && !node["problem"].is_null()), "{status:#}");
    drop(cut);
    parts.cluster.mends("node2", &["run", "parts.yml", "--yes"]);
    let running = "[ $(docker ps -q --filter label=com.docker.swarm.service.name=parted_app | wc -l) = 1 ]";
    ["node1", "node2"].iter().for_each(|host| parts.cluster.lab.until(host, running));
}

/// What no node may take is told in the swarm's own words, and with what to do.
fn what_cannot_be_placed(parts: &Parts) {
    let steps = "
      - { id: stack, hosts: leader, timeout: 40s, stack: { name: nowhere, file: nowhere.yml, resolve_image: never } }
";
    parts.ask_for(steps);
    for (deploy, ports, hint) in [
        ("placement: { constraints: [node.labels.moon == full] }", "[]", "no node fulfils its placement"),
        ("resources: { reservations: { memory: 900g } }", "[]", "no node has as much free"),
        ("replicas: 3", "[{ target: 80, published: 8098, mode: host }]", "another service has published that port"),
    ] {
        let file = format!(
            "services:\n  app: {{ image: 'app:1', command: [sleep, infinity], ports: {ports}, deploy: {{ endpoint_mode: dnsrr, {deploy} }} }}\n"
        );
        std::fs::write(parts.cluster.project.join("nowhere.yml"), file).expect("a Compose file");
        let failed = parts.run(1);
        assert!(
            failed.troubles().contains(hint) && failed.troubles().contains("no suitable node"),
            "{}",
            failed.troubles()
        );
    }
    parts.ask_for("\n      - { id: stack, hosts: leader, stack: { name: nowhere, state: absent } }\n");
    parts.heals();

    // A program for 64-bit ARM: the head of an ELF file, as far as a kernel looks at it.
    parts.app(r"RUN printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000' >/foreign; chmod +x /foreign");
    let foreign = "
      - { id: foreign_image, hosts: node1, image: { name: 'foreign:1', build: { context: app, args: { BASE: '{{ base_image }}' } } } }
      - { id: foreign, hosts: node1, container: { name: foreign, image: 'foreign:1', command: /foreign } }
";
    // More than once: whenever in a second it dies, it is told of the first time.
    for _ in 0..3 {
        parts.ask_for(foreign);
        let failed = parts.run(1);
        assert!(failed.troubles().contains("for another architecture"), "{}", failed.troubles());
        assert!(failed.troubles().contains("one death"), "{}", failed.troubles());
        parts.ask_for("\n      - { id: foreign, hosts: node1, container: { name: foreign, state: absent } }\n");
        parts.heals();
    }
}
