//! The playbooks `swarm.yml` and `rolling-upgrade.yml` as they ship: bare hosts become a swarm, and its engines are brought to
//! another version one after another, while a service goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::cluster::{Cluster, Told, at};
use crate::support::lab::{Lab, checkout};

/// What each task of the service runs.
const TASK: &str = "/bin/sleep 7777777";

/// As apt begins to work: how many tasks its host has. One that is marked as broken gets no further.
const HOOK: &str = "
pgrep -fxc \"$(cat /opt/task)\" >>/opt/at-upgrade
test ! -e /opt/broken
";

/// Looks at what runs on a host, twice and more in each half of a second.
const LOOK: &str = "
while sleep 0.15; do
  echo $(($(date +%s%N) / 500000000)) $(pgrep -fxc \"$(cat /opt/task)\")
done >/opt/samples
";

/// Another version of the distribution's engine, in a repository of the host's own that apt has not read yet. Both programs
/// carry the version; one of the same length can be written over it.
const NEXT: &str = "
set -e
mkdir /opt/next && cd /opt/next
dpkg-deb -R /var/cache/apt/archives/docker.io_*.deb tree
LC_ALL=C sed -i 's/OLD/NEW/g' tree/usr/sbin/dockerd tree/usr/bin/docker
sed -i 's/^Version: .*/Version: NEW-1/' tree/DEBIAN/control
dpkg-deb -b -Znone tree docker.io.deb >/dev/null
rm -r tree
{
  dpkg-deb -f docker.io.deb
  echo Filename: ./docker.io.deb
  echo Size: $(stat -c %s docker.io.deb)
  echo SHA256: $(sha256sum docker.io.deb | cut -d' ' -f1)
} >Packages
rm -f /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/opt/next ./' >/etc/apt/sources.list
";

/// Three hosts, and the version that their engines are to have.
struct Swarm {
    cluster: Cluster,
    version: String,
}

impl Swarm {
    fn bare() -> Swarm {
        let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rolling");
        fs::remove_dir_all(&project).ok();
        fs::create_dir_all(&project).expect("a folder");
        Swarm { cluster: Cluster { lab: Lab::own("rolling", 3), project }, version: String::new() }
    }

    fn on(&self, host: &str, script: &str) -> String {
        self.cluster.lab.on(host, script)
    }

    /// Runs a script on all hosts at once.
    fn everywhere(&self, script: &str) {
        thread::scope(|all| {
            for host in self.cluster.lab.hosts() {
                all.spawn(move || self.on(&host, script));
            }
        });
    }

    fn run(&self, playbook: &str) -> Told {
        let playbook = checkout().join("playbooks").join(playbook);
        let version = format!("docker_version={}", self.version);
        self.cluster.skep(&["run", &playbook.to_string_lossy(), "-e", &version])
    }

    /// Each node: availability, state, version, and the label that only a node has which we drained.
    fn nodes(&self) -> Vec<String> {
        let format = "{{.Spec.Availability}} {{.Status.State}} {{.Description.Engine.EngineVersion}} {{.Spec.Labels}}";
        let inspect = format!("docker node inspect --format '{format}' node1 node2 node3");
        let shown = |line: &str| line.split(" map[").next().unwrap_or(line).to_owned() + ours(line);
        self.on("node1", &inspect).lines().map(shown).collect()
    }

    /// The tasks that ran on all hosts together, one sum for each half of a second that all were looked at.
    fn tasks(&self) -> Vec<u32> {
        let mut ticks: BTreeMap<u64, BTreeMap<String, u32>> = BTreeMap::new();
        for host in self.cluster.lab.hosts() {
            for line in self.on(&host, "cat /opt/samples").lines() {
                let (tick, count) = line.split_once(' ').expect("a tick and a count");
                let most = ticks.entry(number(tick)).or_default().entry(host.clone()).or_default();
                *most = (*most).max(number(count));
            }
        }
        ticks.values().filter(|hosts| hosts.len() == 3).map(|hosts| hosts.values().sum()).collect()
    }
}

fn ours(node: &str) -> &str {
    if node.contains("skep.upgrade:") { " ours" } else { "" }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.trim().parse().expect(text)
}

#[test]
fn bare_hosts_become_a_swarm_and_its_engines_are_upgraded_one_after_another() {
    let mut swarm = Swarm::bare();
    a_bare_swarm(&swarm);
    let old = a_next_version(&mut swarm);
    a_service(&swarm);
    what_fails_on_one_host_stops_before_the_next(&swarm, &old);
    what_was_cut_is_completed_and_what_somebody_drained_stays(&swarm, &old);
    a_second_run_drains_nobody(&swarm);
    the_service_went_on(&swarm);
}

fn a_bare_swarm(swarm: &Swarm) {
    swarm.run("swarm.yml").ends(0);
    let roles = swarm.on("node1", "docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}' | sort");
    assert_eq!(roles.lines().map(str::trim).collect::<Vec<_>>(), ["node1 Ready Leader", "node2 Ready", "node3 Ready"]);
    let network = "docker network inspect --format '{{.Driver}} {{.Attachable}} {{.Scope}}' apps";
    assert_eq!(swarm.on("node1", network), "overlay true swarm");
    let again = swarm.run("swarm.yml").ends(0);
    assert!(again.places().is_empty(), "{}", again.text());
}

/// Makes another version known to nobody but the hosts' own sources; returns the one that runs.
fn a_next_version(swarm: &mut Swarm) -> String {
    let old = swarm.on("node1", "docker version --format '{{.Server.Version}}'");
    let patch = old.split('.').nth(2).expect("a version of three parts");
    let digits = patch.len() - patch.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let new = patch.replacen(&patch[..digits], &"9".repeat(digits), 1);
    swarm.version = old.replacen(patch, &new, 1);
    assert_ne!(old, swarm.version);
    swarm.everywhere(&NEXT.replace("OLD", &old.replace('.', "\\.")).replace("NEW", &swarm.version));
    old
}

/// A task on each host, and from now on a look at what becomes of it.
fn a_service(swarm: &Swarm) {
    let image = "tar -ch /bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*') 2>/dev/null | docker import - 127.0.0.1:1/app";
    let files = format!("printf '{TASK}' >/opt/task; printf '%s' '{HOOK}' >/opt/hook; printf '%s' '{LOOK}' >/opt/look");
    let hook = "echo 'DPkg::Pre-Invoke { \"sh /opt/hook\"; };' >/etc/apt/apt.conf.d/99test";
    swarm.everywhere(&format!("{image} && {files} && {hook}"));
    // It ends by force alone, after 6 s: whoever does not wait for that upgrades under a running task.
    let create = "docker service create --detach --no-resolve-image --stop-grace-period 6s --replicas 3 --name web";
    swarm.on("node1", &format!("{create} 127.0.0.1:1/app {TASK}"));
    for host in swarm.cluster.lab.hosts() {
        swarm.cluster.lab.until(&host, &format!("pgrep -fx '{TASK}'"));
    }
    swarm.everywhere("systemd-run --quiet sh /opt/look");
    let drained = "while sleep 0.5; do docker node ls | grep -c Drain; done >/opt/drained";
    swarm.on("node1", &format!("systemd-run --quiet sh -c '{drained}'"));
}

fn what_fails_on_one_host_stops_before_the_next(swarm: &Swarm, old: &str) {
    swarm.on("node1", "touch /opt/broken");
    let failed = swarm.run("rolling-upgrade.yml").ends(1);
    assert_eq!(failed.ended("failed"), [at("upgrade", "node1")].into());
    assert!(failed.troubles().contains("DPkg::Pre-Invoke"), "apt's own words are missing: {}", failed.troubles());
    let why = "not begun, for the batch before it failed: node1 left the run";
    assert!(failed.text().contains(why), "{}", failed.text());
    assert_eq!(swarm.on("node1", "cat /opt/at-upgrade"), "0", "its task was there still");
    let untouched = format!("active ready {old}");
    assert_eq!(swarm.nodes(), [format!("drain ready {old} ours"), untouched.clone(), untouched]);
    swarm.on("node1", "rm /opt/broken");
}

fn what_was_cut_is_completed_and_what_somebody_drained_stays(swarm: &Swarm, old: &str) {
    let done = format!("active ready {}", swarm.version);
    cut_on_node2(swarm);
    assert_eq!(swarm.nodes()[0], done, "what failed before was not completed");
    assert_eq!(swarm.nodes()[1], format!("drain ready {old} ours"), "it was not cut in the middle");
    // One at a time so far; from now on node3 is away by somebody else's will.
    let most = swarm.on("node1", "sort -n /opt/drained | tail -n 1");
    assert_eq!(most, "1", "so many nodes were drained at once");
    swarm.on("node1", "docker node update --availability drain node3");
    swarm.run("rolling-upgrade.yml").ends(0);
    assert_eq!(swarm.nodes(), [done.clone(), done.clone(), done.replace("active", "drain")]);
}

/// Kills skep as apt begins on node2, which is drained by then.
fn cut_on_node2(swarm: &Swarm) {
    let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
    skep.current_dir(&swarm.cluster.project).args(["run", "--output", "plain", "-e"]);
    skep.arg(format!("docker_version={}", swarm.version)).arg(checkout().join("playbooks/rolling-upgrade.yml"));
    skep.arg("-i").arg(swarm.cluster.lab.inventory()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut run = skep.spawn().expect("skep runs");
    swarm.cluster.lab.until("node2", "test -s /opt/at-upgrade");
    run.kill().and_then(|()| run.wait()).expect("it is killed");
}

fn a_second_run_drains_nobody(swarm: &Swarm) {
    let versions = "docker node inspect --format '{{.ID}} {{.Version.Index}}' node1 node2 node3";
    let before = swarm.on("node1", versions);
    let again = swarm.run("rolling-upgrade.yml").ends(0);
    assert!(again.places().is_empty(), "{}", again.text());
    assert_eq!(swarm.on("node1", versions), before, "a node was updated");
}

fn the_service_went_on(swarm: &Swarm) {
    let tasks = swarm.tasks();
    assert!(tasks.len() > 20, "it was hardly looked at: {tasks:?}");
    assert!(!tasks.contains(&0), "no task ran at some time: {tasks:?}");
    for host in swarm.cluster.lab.hosts() {
        let left = swarm.on(&host, "sort -u /opt/at-upgrade");
        assert_eq!(left, "0", "{host} had tasks when its upgrade began");
        let server = swarm.on(&host, "docker version --format '{{.Server.Version}}'; apt-mark showhold");
        assert!(server.starts_with(&swarm.version) && server.contains("docker.io"), "{host}: {server}");
    }
    // That nobody serves would have been seen.
    swarm.on("node1", "docker service rm web");
    for host in swarm.cluster.lab.hosts() {
        swarm.cluster.lab.until(&host, &format!("! pgrep -fx '{TASK}'"));
    }
    let began = Instant::now();
    while swarm.tasks().last() != Some(&0) {
        assert!(began.elapsed() < Duration::from_secs(600), "it is not seen: {:?}", swarm.tasks());
        thread::sleep(Duration::from_secs(1));
    }
}
