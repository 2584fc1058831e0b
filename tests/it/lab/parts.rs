//! `network`, `image` and `container` on three real engines: cold, warm, and cut in the middle.

use std::fs;
use std::path::PathBuf;

use super::power::comes;
use crate::support::cluster::{Begun, Cluster, at};
use crate::support::lab::Lab;

/// Some hosts in a swarm, and a playbook of our own.
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
      - { id: swarm, timeout: 5m, swarm: {} }
      - { id: network, hosts: leader, network: { name: parts, driver: overlay, attachable: true } }
      - { id: system, hosts: 'managers[0]', image: { name: '{{ base_image }}', load: '{{ base_image_archive }}' } }
";

impl Parts {
    pub(super) fn new(name: &str, hosts: usize) -> Parts {
        let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::remove_dir_all(&project).ok();
        fs::create_dir_all(project.join("app")).expect("a folder");
        let parts = Parts { cluster: Cluster { lab: Lab::with_engines(name, hosts), project } };
        parts.app("RUN echo one >/said");
        parts
    }

    /// What the image of the tests is built from.
    pub(super) fn app(&self, line: &str) {
        let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\n{line}\n");
        fs::write(self.cluster.project.join("app/Dockerfile"), dockerfile).expect("a Dockerfile");
    }

    /// One of the files that it is built from.
    fn in_context(&self, file: &str, text: &str) {
        let file = self.cluster.project.join("app").join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
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

    pub(super) fn begin(&self) -> Begun {
        self.cluster.begin(&["run", "parts.yml", "--yes", "--wait", "5s"])
    }

    pub(super) fn nothing_to_do(&self) {
        let planned = self.cluster.skep(&["plan", "parts.yml"]).ends(0);
        assert!(planned.places().is_empty(), "{}", planned.text());
    }

    pub(super) fn on(&self, host: &str, script: &str) -> String {
        self.cluster.on(host, script)
    }

    /// All images that a host has, and the one that it runs by our name.
    fn images(&self, host: &str) -> String {
        self.on(host, "docker images -aq --no-trunc | sort; docker image inspect -f 'ours: {{.Id}}' parts/app:1")
    }

    /// How often the first host has logged in there.
    fn straight(&self, host: &str) -> usize {
        let first = self.on("node1", "docker info -f '{{.Swarm.NodeAddr}}'");
        let told = self.on(host, "journalctl --sync; journalctl --no-pager -o cat -u ssh");
        told.lines().filter(|line| line.contains(&format!("from {first} ")) && line.starts_with("Accepted")).count()
    }
}

const APP: &str = "
      - id: app
        hosts: managers[0]
        image: { name: 'parts/app:1', build: { context: app, args: { BASE: '{{ base_image }}' } } }
      - { id: carried, hosts: workers, image: { name: 'parts/app:1', carry: 'managers[0]' } }
      - { id: six, network: { name: six, ipv6: true, subnets: ['fd00:66:0::/64', 10.66.0.0/24], gateway: 'fd00:66::1' } }
      - { id: wide, hosts: leader, network: { name: wide, driver: overlay, ipv6: true, subnets: [10.67.0.0/24, 'fd00:67::/64'] } }
      - id: runs
        container: { name: 'app-{{ inventory_hostname }}', image: 'parts/app:1', networks: [parts], command: sleep infinity, restart: unless-stopped, init: true }
";

/// How often an image was read to be carried, by the daemon's own account.
const SAVED: &str = "docker events --since 1h --until $(date +%s.%N) --filter type=image --filter event=save | wc -l";

#[test]
fn an_image_is_built_carried_and_run_on_the_overlay_and_again_only_if_it_changed() {
    let parts = Parts::new("parts", 3);
    parts.ask(APP);
    parts.run(0);
    assert_eq!(parts.on("node1", SAVED), "1", "read once, for both who lacked it");
    assert_eq!((parts.straight("node2"), parts.straight("node3")), (1, 1), "from host to host");
    parts.nothing_to_do();
    let said = |host: &str| parts.on(host, &format!("docker exec app-{host} cat /said"));
    assert_eq!((said("node1"), said("node2"), said("node3")), ("one".into(), "one".into(), "one".into()));
    // The overlay resolves names, and lets one container reach the other.
    let there = parts.on("node1", "docker exec app-node1 getent hosts app-node2");
    let own =
        parts.on("node2", "docker inspect -f '{{(index .NetworkSettings.Networks \"parts\").IPAddress}}' app-node2");
    assert!(there.starts_with(&own), "app-node2 is {there} to its neighbour, and {own} at home");

    parts.app(&what_is_ignored(&parts));
    let planned = parts.cluster.skep(&["plan", "parts.yml"]).ends(10);
    let certain = planned.of("change").find(|change| change["after"].is_null()).expect("a change");
    assert_eq!((&certain["step"], &certain["host"]), (&"app".into(), &"node1".into()), "{certain:#}");
    let refused = parts.run(1);
    assert!(refused.troubles().contains("--yes"), "containers were replaced without asking: {}", refused.text());
    assert_eq!((said("node1"), said("node2")), ("one".into(), "one".into()));
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    assert_eq!((said("node1"), said("node2")), ("two".into(), "two".into()));
    parts.nothing_to_do();
    parts.in_context("a.key", "another one");
    parts.nothing_to_do();

    some_cannot_be_reached(&parts);
    lost_while_it_builds(&parts);
    cut_while_it_is_carried(&parts);
    what_cannot_be(&parts);
}

/// What `.dockerignore` leaves out is not sent; the line that holds the context against it.
fn what_is_ignored(parts: &Parts) -> String {
    parts.in_context(".dockerignore", "# nobody's\n*.key\nnotes/*\n!notes/kept\n");
    ["a.key", "notes/x", "notes/kept"].iter().for_each(|file| parts.in_context(file, "here"));
    let left_out = "[ ! -e /context/a.key ] && [ ! -e /context/notes/x ]";
    format!("COPY . /context\nRUN {left_out} && [ -e /context/notes/kept ] && echo two >/said")
}

/// Where node1 is not let in, or takes no agent, the image comes through the workstation, and is still read once.
fn some_cannot_be_reached(parts: &Parts) {
    let sshd = |host: &str, line: &str| {
        parts.on(host, &format!("echo '{line}' >/etc/ssh/sshd_config.d/0-parts.conf; systemctl reload ssh"));
    };
    let first = parts.on("node1", "docker info -f '{{.Swarm.NodeAddr}}'");
    let denied = ("node2", format!("DenyUsers *@{first}"), "Permission denied");
    let unlent = ("node1", "AllowAgentForwarding no".to_owned(), "takes no agent");
    for (round, (host, line, why)) in [denied, unlent].into_iter().enumerate() {
        sshd(host, &line);
        parts.app(&format!("RUN head -c 9m /dev/urandom >/ballast; echo round {round} >/said"));
        let saved = parts.on("node1", SAVED).parse::<u32>().unwrap();
        let ran = parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
        let said = ran.of("line").filter_map(|line| line["line"].as_str()).collect::<String>();
        assert!(said.contains("through the workstation: ") && said.contains(why), "{said}");
        parts.nothing_to_do();
        assert_eq!(parts.on("node1", SAVED), (saved + 1).to_string(), "read once for both");
        assert_eq!((parts.straight("node2"), parts.straight("node3")), (2, 3), "{line}");
        sshd(host, "");
    }
    let left = "ls -d /tmp/skep.* /var/tmp/skep.* /tmp/ssh-* 2>/dev/null || true";
    for host in ["node1", "node2", "node3"] {
        assert_eq!(parts.on(host, left), "", "left on {host}");
    }
}

/// The host that builds loses power while it is at it. Without it the others have no image to get, which is a failure of
/// their own.
fn lost_while_it_builds(parts: &Parts) {
    parts.app("RUN sleep 600.321; echo three >/said");
    let run = comes(&parts.cluster.lab, &["node1"], "pgrep -f 'sleep 600[.]321'", || parts.begin());
    parts.cluster.lab.unplug("node1");
    run.ends(1);
    parts.cluster.lab.start("node1");
    parts.app("RUN echo three >/said");
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    parts.nothing_to_do();
}

/// Where a good part of an image has come, and the rest has not, the engine stands still: no host is done before another is cut.
const HALFWAY: &str = "rm -f /run/halfway; systemd-run --quiet --collect sh -c 'until [ \"$(du -sm /var/lib/docker/tmp | cut -f1)\" -gt 40 ]; do sleep 0.02; done; pkill -STOP -x dockerd; touch /run/halfway'";

/// Whoever is cut off in the middle of a carry, a host has its old image after that, whole, and nothing else; and the next
/// run carries the new one.
fn cut_while_it_is_carried(parts: &Parts) {
    parts.app("RUN head -c 160m /dev/urandom >/ballast; echo four >/said");
    let takers = ["node2", "node3"];
    let before = takers.map(|host| parts.images(host));
    for lost in [None, Some("node1"), Some("node2")] {
        takers.iter().for_each(|host| drop(parts.on(host, HALFWAY)));
        let mut run = comes(&parts.cluster.lab, &takers, "test -e /run/halfway", || parts.begin());
        match lost {
            None => run.kill(),
            Some(host) => parts.cluster.lab.unplug(host),
        }
        takers.iter().filter(|host| lost != Some(host)).for_each(|host| drop(parts.on(host, "pkill -CONT -x dockerd")));
        let (code, said) = run.ended();
        assert_eq!(code, lost.map(|_| 3), "after {lost:?} was lost: {said}");
        lost.iter().for_each(|host| parts.cluster.lab.start(host));
        for (host, before) in takers.iter().zip(&before).filter(|(host, _)| lost != Some("node2") || **host == "node2")
        {
            parts.cluster.lab.until(host, "docker info && ! pgrep -fx 'docker load -q'");
            assert_eq!(&parts.images(host), before, "{host}, after {lost:?} was lost");
        }
    }
    assert_eq!(parts.on("node3", "docker exec app-node3 cat /said"), "four", "it lost nothing but its neighbour");
    parts.cluster.mends("node2", &["run", "parts.yml", "--yes"]);
    parts.nothing_to_do();
    assert_eq!(parts.on("node2", "docker exec app-node2 cat /said"), "four");
}

/// A registry that has had enough of us, in the words of Docker's own.
const LIMITED: &str = r#"
read -r line
body='{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}'
printf 'HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body"
"#;

/// A program of the first host that answers at a port.
fn holds(parts: &Parts, unit: &str, port: u16, answers: &str) {
    let listen = format!("systemd-socket-activate -l 127.0.0.1:{port} --accept --inetd {answers}");
    parts.on("node1", &format!("systemd-run --quiet --unit {unit} {listen}"));
    parts.cluster.lab.until("node1", &format!("ss -ltnH 'sport = :{port}' | grep -q ."));
}

/// What cannot be done is said, with Docker's own words and a remedy.
fn what_cannot_be(parts: &Parts) {
    parts.ask("\n      - { id: none, hosts: node1, image: { name: '127.0.0.1:1/none:1' } }\n");
    let failed = parts.run(1);
    assert!(failed.troubles().contains("connection refused"), "{}", failed.troubles());

    parts.on("node1", &format!("cat >/opt/limited <<'END'\n{LIMITED}END"));
    holds(parts, "limited", 8097, "sh /opt/limited");
    parts.ask("\n      - { id: none, hosts: node1, image: { name: '127.0.0.1:8097/none:1' } }\n");
    let failed = parts.run(1).troubles();
    assert!(failed.contains("toomanyrequests") && failed.contains("counts pulls"), "{failed}");
    parts.on("node1", "systemctl stop limited");

    holds(parts, "holder", 8099, "cat");
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
