//! `network`, `image` and `container` on two real engines: cold, warm, and cut in the middle.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::{Cluster, at};
use crate::support::lab::Lab;

/// Two hosts in a swarm, and a playbook of our own.
pub(super) struct Parts {
    pub(super) cluster: Cluster,
}

/// What comes before the steps of each test: an engine, a swarm, and the system that images stand on.
pub(super) const BEGIN: &str = "
name: Parts
plays:
  - hosts: all
    steps:
      - { id: engine, docker_engine: { source: distribution } }
      - { id: swarm, swarm: {} }
      - { id: network, hosts: leader, network: { name: parts, driver: overlay, attachable: true } }
      - { id: system, hosts: 'managers[0]', image: { name: '{{ base_image }}', load: '{{ base_image_archive }}' } }
";

impl Parts {
    pub(super) fn new(name: &str) -> Parts {
        let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::remove_dir_all(&project).ok();
        fs::create_dir_all(project.join("app")).expect("a folder");
        let parts = Parts { cluster: Cluster { lab: Lab::own(name, 2), project } };
        parts.app("RUN echo one >/said");
        parts
    }

    /// What the image of the tests is built from.
    pub(super) fn app(&self, line: &str) {
        let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\n{line}\n");
        fs::write(self.cluster.project.join("app/Dockerfile"), dockerfile).expect("a Dockerfile");
    }

    fn ask(&self, steps: &str) {
        self.write(&(BEGIN.to_owned() + steps));
    }

    pub(super) fn write(&self, playbook: &str) {
        fs::write(self.cluster.project.join("parts.yml"), playbook).expect("a playbook");
    }

    pub(super) fn run(&self, code: i32) -> crate::support::cluster::Told {
        self.cluster.skep(&["run", "parts.yml", "--wait", "20s"]).ends(code)
    }

    pub(super) fn nothing_to_do(&self) {
        let planned = self.cluster.skep(&["plan", "parts.yml"]).ends(0);
        assert!(planned.places().is_empty(), "{}", planned.text());
    }

    pub(super) fn on(&self, host: &str, script: &str) -> String {
        self.cluster.on(host, script)
    }

    /// Waits until a script ends well on a host.
    pub(super) fn until(&self, host: &str, script: &str) {
        let began = Instant::now();
        while !self.cluster.lab.try_on(host, script).status.success() {
            assert!(began.elapsed() < Duration::from_secs(120), "never came true on {host}: {script}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

const APP: &str = "
      - id: app
        hosts: managers[0]
        image: { name: 'parts/app:1', build: { context: app, args: { BASE: '{{ base_image }}' } } }
      - { id: carried, hosts: workers, image: { name: 'parts/app:1', carry: 'managers[0]' } }
      - id: runs
        container: { name: 'app-{{ inventory_hostname }}', image: 'parts/app:1', networks: [parts], command: sleep infinity, restart: unless-stopped, init: true }
";

#[test]
fn an_image_is_built_carried_and_run_on_the_overlay_and_again_only_if_it_changed() {
    let parts = Parts::new("parts");
    parts.ask(APP);
    parts.run(0);
    parts.nothing_to_do();
    let said = |host: &str| parts.on(host, &format!("docker exec app-{host} cat /said"));
    assert_eq!((said("node1"), said("node2")), ("one".into(), "one".into()));
    // The overlay resolves names, and lets one container reach the other.
    let there = parts.on("node1", "docker exec app-node1 getent hosts app-node2");
    let own =
        parts.on("node2", "docker inspect -f '{{(index .NetworkSettings.Networks \"parts\").IPAddress}}' app-node2");
    assert!(there.starts_with(&own), "app-node2 is {there} to its neighbour, and {own} at home");

    parts.app("RUN echo two >/said");
    let planned = parts.cluster.skep(&["plan", "parts.yml"]).ends(10);
    let certain = planned.of("change").find(|change| change["after"].is_null()).expect("a change");
    assert_eq!((&certain["step"], &certain["host"]), (&"app".into(), &"node1".into()), "{certain:#}");
    let refused = parts.run(1);
    assert!(refused.troubles().contains("--yes"), "containers were replaced without asking: {}", refused.text());
    assert_eq!((said("node1"), said("node2")), ("one".into(), "one".into()));
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    assert_eq!((said("node1"), said("node2")), ("two".into(), "two".into()));
    parts.nothing_to_do();

    lost_in_the_middle(&parts);
    what_cannot_be(&parts);
}

/// The host that builds, and then the one that an image is carried to, lose power while they are at it. Without the first
/// the other has no image to get, which is a failure of its own.
fn lost_in_the_middle(parts: &Parts) {
    for (at_work, host, code, line) in [
        ("pgrep -f 'sleep 9.321'", "node1", 1, "RUN sleep 9.321; echo three >/said"),
        ("pgrep -fx 'docker load -q'", "node2", 3, "RUN head -c 300m /dev/urandom >/ballast; echo four >/said"),
    ] {
        parts.app(line);
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_skep"));
        run.current_dir(&parts.cluster.project).args(["run", "parts.yml", "--yes", "--wait", "5s", "-i"]);
        let run = run.arg(parts.cluster.lab.inventory()).stdout(std::process::Stdio::null()).spawn();
        let mut run = run.expect("skep runs");
        parts.until(host, at_work);
        parts.cluster.lab.unplug(host);
        assert_eq!(run.wait().expect("it ends").code(), Some(code), "after {host} was lost");
        parts.cluster.lab.start(host);
        parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
        parts.nothing_to_do();
    }
    assert_eq!(parts.on("node2", "docker exec app-node2 cat /said"), "four");
}

/// What cannot be done is said, with Docker's own words and a remedy.
fn what_cannot_be(parts: &Parts) {
    parts.ask("\n      - { id: none, hosts: node1, image: { name: '127.0.0.1:1/none:1' } }\n");
    let failed = parts.run(1);
    assert!(failed.troubles().contains("connection refused"), "{}", failed.troubles());

    parts.on(
        "node1",
        "systemd-run --quiet --unit holder systemd-socket-activate -l 127.0.0.1:8099 --inetd cat; sleep 1",
    );
    let ports = APP.replace("networks: [parts],", "networks: [parts], ports: ['127.0.0.1:8099:80'],");
    parts.ask(&ports);
    let failed = parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(1);
    assert_eq!(failed.ended("failed"), [at("runs", "node1")].into());
    assert!(failed.troubles().contains("systemd-socket"), "who holds the port is not named: {}", failed.troubles());
    parts.on("node1", "systemctl stop holder");
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);

    parts.on("node2", "mount -t tmpfs -o size=1m none /var/lib/docker/tmp");
    parts.app("RUN head -c 10m /dev/urandom >/ballast; echo five >/said");
    let failed = parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(1);
    assert!(failed.troubles().contains("no space left on device"), "{}", failed.troubles());
    parts.on("node2", "umount /var/lib/docker/tmp");
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
}
