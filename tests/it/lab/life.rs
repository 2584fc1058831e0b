//! The life of a swarm on real engines: hosts come, change their roles, fail and go, while a service runs.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::support::cluster::{Cluster, Told};
use crate::support::lab::Lab;

use super::power::Moment;

/// An engine that has just started may say that it had no time to.
const LEAVE: &str = "until docker swarm leave --force || docker info --format '{{.Swarm.LocalNodeState}}' | grep -qx inactive; do sleep 1; done";

/// What each task of the service runs.
const TASK: &str = "/bin/sleep 7777777";

const PLAYBOOK: &str = "
plays:
  - hosts: managers:workers
    steps:
      - { id: swarm, timeout: 15m, swarm: { prune: '{{ prune | default(false) }}' } }
";

/// Four hosts; which of them are in the inventory, and as what, changes from scene to scene.
struct Life {
    cluster: Cluster,
}

/// The hosts that are to be managers, those that are to be workers, and those that the inventory only knows.
type Roles<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str]);

impl Life {
    fn new() -> Life {
        let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("life");
        fs::remove_dir_all(&project).ok();
        fs::create_dir_all(&project).expect("a folder");
        let life = Life { cluster: Cluster { lab: Lab::with_engines("life", 4), project } };
        life.write("life.yml", PLAYBOOK);
        life.write("labels.yml", "plays: [{ hosts: all, steps: [{ swarm: { labels: { disk: ssd } } }] }]");
        life.write("engine.yml", "plays: [{ hosts: all, steps: [{ docker_engine: { source: distribution } }] }]");
        life
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.cluster.project.join(file), text).expect(file);
    }

    /// An inventory of some of the hosts.
    fn inventory(&self, (managers, workers, others): Roles<'_>) -> String {
        let lab = fs::read_to_string(self.cluster.lab.inventory()).expect("the lab's inventory");
        let (hosts, _) = lab.split_once("  children:").expect("groups");
        let named = [managers, workers, others].concat();
        let of_another = |line: &&str| {
            line.strip_prefix("    node").is_some_and(|rest| !named.contains(&format!("node{}", &rest[..1]).as_str()))
        };
        let mut text =
            hosts.lines().filter(|line| !of_another(line)).collect::<Vec<_>>().join("\n") + "\n  children:\n";
        for (group, hosts) in [("managers", managers), ("workers", workers)] {
            writeln!(
                text,
                "    {group}: {{ hosts: {{ {} }} }}",
                hosts.iter().map(|h| format!("{h}: {{}}")).collect::<Vec<_>>().join(", ")
            )
            .expect("text");
        }
        self.write("hosts.yml", &text);
        self.cluster.project.join("hosts.yml").to_string_lossy().into_owned()
    }

    fn run(&self, roles: Roles<'_>, more: &[&str]) -> Told {
        self.called("life.yml", roles, more)
    }

    fn called(&self, playbook: &str, roles: Roles<'_>, more: &[&str]) -> Told {
        let inventory = self.inventory(roles);
        self.cluster.skep_of(&inventory, &[&["run", playbook], more].concat())
    }

    /// Runs it, wants it to end well, and to find nothing more to do.
    fn converges(&self, roles: Roles<'_>, more: &[&str]) -> Told {
        let told = self.does(roles, more);
        let again = self.does(roles, more);
        assert!(again.places().is_empty(), "{}", again.text());
        told
    }

    /// Runs it, and wants it to end well; where it does not, what the managers have to say of it is told.
    fn does(&self, roles: Roles<'_>, more: &[&str]) -> Told {
        let told = self.run(roles, more);
        for host in roles.0.iter().filter(|_| told.code != 0) {
            let asked =
                "docker node ls; docker info | grep -A 12 Swarm; journalctl --no-pager --unit docker --lines 25";
            eprintln!("{host}: {:?}", self.cluster.lab.try_on(host, asked));
        }
        told.ends(0)
    }

    fn on(&self, host: &str, script: &str) -> String {
        self.cluster.on(host, script)
    }

    /// Each node as a manager lists it: name, role, state.
    fn nodes(&self, on: &str) -> Vec<String> {
        let format = "{{.Description.Hostname}} {{.Spec.Role}} {{.Status.State}}";
        let listed = self.on(on, &format!("docker node ls -q | xargs docker node inspect --format '{format}' | sort"));
        listed.lines().map(str::to_owned).collect()
    }
}

/// Where changes were made, for whom: the job's host, and the one that the command ran on.
fn touched(told: &Told) -> Vec<(String, String)> {
    let word = |event: &serde_json::Value, key: &str| event[key].as_str().map(str::to_owned);
    let place = |event| {
        let host = word(event, "host").unwrap_or_default();
        (host.clone(), word(event, "on").unwrap_or(host))
    };
    told.of("change").map(place).collect()
}

#[test]
fn hosts_come_change_fail_and_go_while_a_service_runs() {
    let life = Life::new();
    the_leader_is_killed_before_the_others_join(&life);
    a_service(&life);
    a_host_comes_and_only_it_changes(&life);
    managers_come_and_go_and_the_leader_with_them(&life);
    most_of_the_hosts_are_never_removed(&life);
    a_leader_is_lost_and_another_manager_commands(&life);
    a_manager_that_is_down_is_removed(&life);
    a_host_is_removed_and_what_ran_there_runs_elsewhere(&life);
    it_comes_back_and_only_it_changes(&life);
    all_managers_but_one_are_lost(&life);
}

/// Its engine dies as soon as it has begun the swarm, and is started again by systemd.
fn the_leader_is_killed_before_the_others_join(life: &Life) {
    let roles: Roles<'_> = (&["node1"], &["node2", "node3"], &["node4"]);
    // Engines at once on a busy machine: a reading may take too long, and is read again.
    assert!((0..3).any(|_| life.called("engine.yml", roles, &[]).code == 0));
    let kill = "until docker node inspect self 2>/dev/null | grep -q skep.joined; do sleep 0.01; done; pkill -KILL -x dockerd; touch /run/killed";
    life.on("node1", &format!("systemd-run --quiet --collect sh -c \"{kill}\""));
    let roles: Roles<'_> = (&["node1"], &["node2", "node3"], &[]);
    let first = life.run(roles, &[]);
    life.cluster.lab.until("node1", "test -e /run/killed && docker node ls >/dev/null");
    let second = life.run(roles, &[]).ends(0);
    assert_eq!(
        life.nodes("node1"),
        ["node1 manager ready", "node2 worker ready", "node3 worker ready"],
        "{}",
        first.text()
    );
    assert!(life.run(roles, &[]).ends(0).places().is_empty(), "{}", second.text());
}

/// Three tasks, which are started only where their image is.
fn a_service(life: &Life) {
    let image = "tar -ch /bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*') 2>/dev/null | docker import - 127.0.0.1:1/app >/dev/null";
    for host in life.cluster.lab.hosts() {
        life.on(&host, image);
    }
    let create = "docker service create --detach --no-resolve-image --stop-grace-period 3s --replicas 3 --name web";
    life.on("node1", &format!("{create} 127.0.0.1:1/app {TASK}"));
    life.cluster.lab.until("node1", "docker service ls | grep -q 3/3");
}

fn a_host_comes_and_only_it_changes(life: &Life) {
    let told = life.converges((&["node1"], &["node2", "node3", "node4"], &[]), &[]);
    let touched = touched(&told);
    assert!(
        !touched.is_empty() && touched.iter().all(|(host, on)| host == "node4" && (on == "node4" || on == "node1")),
        "{touched:?}"
    );
    assert_eq!(life.nodes("node1")[3], "node4 worker ready");
    let ours = "docker node ls -q | xargs docker node inspect --format '{{index .Spec.Labels \"skep.joined\"}}' | sort | xargs";
    assert_eq!(life.on("node1", ours), "node1 node2 node3 node4");
}

fn managers_come_and_go_and_the_leader_with_them(life: &Life) {
    life.converges((&["node1", "node2", "node3"], &["node4"], &[]), &[]);
    assert_eq!(
        life.nodes("node1"),
        ["node1 manager ready", "node2 manager ready", "node3 manager ready", "node4 worker ready"]
    );
    let told = life.converges((&["node2", "node3", "node4"], &["node1"], &[]), &[]);
    assert_eq!(
        life.nodes("node2"),
        ["node1 worker ready", "node2 manager ready", "node3 manager ready", "node4 manager ready"],
        "{}",
        told.text()
    );
}

fn most_of_the_hosts_are_never_removed(life: &Life) {
    let told = life.run((&["node2"], &[], &["node1", "node3"]), &["-e", "prune=true", "--yes"]).ends(1);
    assert!(told.text().contains("3 of 4 nodes would be removed, more than half: "), "{}", told.text());
    assert!(told.places().is_empty(), "{}", told.text());
}

/// The first manager's daemon is away: the next one commands, and the others get what they are asked for.
fn a_leader_is_lost_and_another_manager_commands(life: &Life) {
    life.on("node2", "systemctl stop docker.socket docker");
    let roles: Roles<'_> = (&["node2", "node3", "node4"], &["node1"], &[]);
    let told = life.called("labels.yml", roles, &[]).ends(1);
    assert!(told.troubles().contains("cannot read Docker on node2"), "{}", told.troubles());
    let labels = "docker node inspect --format '{{.Spec.Labels.disk}}' node1 node3 node4 | xargs";
    assert_eq!(life.on("node3", labels), "ssd ssd ssd");
}

fn a_manager_that_is_down_is_removed(life: &Life) {
    life.cluster.lab.until("node3", "docker node inspect --format '{{.Status.State}} {{.ManagerStatus.Reachability}}' node2 | grep -q 'down unreachable'");
    let roles: Roles<'_> = (&["node3", "node4"], &["node1"], &[]);
    let told = life.run(roles, &["-e", "prune=true", "--yes"]).ends(0);
    assert_eq!(
        life.nodes("node3"),
        ["node1 worker ready", "node3 manager ready", "node4 manager ready"],
        "{}",
        told.text()
    );
    life.on("node2", &format!("systemctl start docker && {LEAVE}"));
    // From now on it is there again, and by somebody else's hand.
    let token = life.on("node3", "docker swarm join-token -q worker");
    life.on("node2", &format!("docker swarm join --token {token} {}:2377", life.cluster.lab.address("node3")));
    life.cluster.lab.until("node3", "docker service ls | grep -q 3/3");
}

/// It is asked about first; node2, which somebody else brought in, stays.
fn a_host_is_removed_and_what_ran_there_runs_elsewhere(life: &Life) {
    let roles: Roles<'_> = (&["node3", "node4"], &[], &["node1", "node2"]);
    // One on each host.
    life.on("node3", "docker service update --detach --force --replicas 4 web >/dev/null");
    life.cluster.lab.until("node1", &format!("pgrep -fx '{TASK}'"));
    life.cluster
        .lab
        .until("node3", "docker service inspect --format '{{.UpdateStatus.State}}' web | grep -q completed");
    life.cluster.lab.until("node3", "docker service ls | grep -q 4/4");
    // One that has done its work there is to have no other in its place.
    let once = "docker service create --detach --no-resolve-image --restart-condition on-failure --constraint node.hostname==node1 --name once";
    life.on("node3", &format!("{once} 127.0.0.1:1/app /bin/sleep 0.1"));
    life.cluster.lab.until("node3", "docker service ps once --format '{{.CurrentState}}' | grep -q ^Complete");
    let refused = life.run(roles, &["-e", "prune=true"]).ends(1);
    assert!(refused.text().contains("not allowed to remove or replace anything"), "{}", refused.text());
    // Who takes it out loses power: once as soon as it is to have no tasks, once as soon as the swarm has forgotten it.
    let inventory = life.inventory(roles);
    for words in ["node update --availability drain", "node rm"] {
        let begin =
            || life.cluster.begin_of(&inventory, &["run", "life.yml", "-e", "prune=true", "--yes", "--wait", "5s"]);
        Moment::after(words, "node3").strikes(&life.cluster.lab, begin);
        ["node3", "node4"].iter().for_each(|host| life.cluster.lab.until(host, "docker node ls"));
        ["node2", "node3"].iter().for_each(|host| is_ready_again(life, "node4", host));
    }
    let told = life.run(roles, &["-e", "prune=true", "--yes"]).ends(0);
    // node4 had proven its path to node1, and proves one to node3 now.
    let named = life.converges(roles, &["-e", "prune=true", "--yes"]).text();
    is_ready_again(life, "node3", "node2");
    assert_eq!(
        life.nodes("node3"),
        ["node2 worker ready", "node3 manager ready", "node4 manager ready"],
        "{}",
        told.text()
    );
    assert!(named.contains("stays: skep did not bring it in"), "{named}");
    assert_eq!(life.on("node1", "docker info --format '{{.Swarm.LocalNodeState}}'; docker ps -q"), "inactive");
    // Those that were on node3 when it lost its power are replaced in their own time.
    life.cluster.lab.until("node3", "docker service ls --filter name=web | grep -q 4/4");
}

fn it_comes_back_and_only_it_changes(life: &Life) {
    let told = life.converges((&["node3", "node4"], &["node1"], &[]), &[]);
    let touched = touched(&told);
    assert!(!touched.is_empty() && touched.iter().all(|(host, _)| host == "node1"), "{touched:?}");
    assert_eq!(life.nodes("node3")[0], "node1 worker ready", "{}", told.text());
}

/// Who comes back before it was missed may be taken for down all the same, and for good (swarmkit's dispatcher writes down what
/// it missed after it has greeted it): then skep's own hint is followed.
fn is_ready_again(life: &Life, asked: &str, host: &str) {
    let is_ready = format!("docker node ls | grep '{host} .*Ready'");
    let soon = format!("for i in $(seq 120); do {is_ready} && exit; sleep 0.5; done; exit 1");
    if !life.cluster.lab.try_on(asked, &soon).status.success() {
        eprintln!("{host} is down though its engine runs: {}", life.on(asked, "docker node ls"));
        life.on(host, "systemctl restart docker");
        life.cluster.lab.until(asked, &is_ready);
    }
}

fn all_managers_but_one_are_lost(life: &Life) {
    life.on("node4", "systemctl stop docker.socket docker");
    let roles: Roles<'_> = (&["node3", "node4"], &[], &["node1"]);
    life.cluster.lab.until("node3", "docker node ls 2>&1 | grep -q 'does not have a leader'");
    let lost = life.run(roles, &[]).ends(1);
    let chosen = format!(
        "on node3: docker swarm init --force-new-cluster --advertise-addr {}",
        life.cluster.lab.address("node3")
    );
    for words in ["of its 2 managers only node3 can be asked", &chosen] {
        assert!(lost.troubles().contains(words), "{}", lost.troubles());
    }
    // What the hint says.
    life.on("node3", chosen.trim_start_matches("on node3: "));
    life.on("node4", &format!("systemctl start docker && {LEAVE}"));
    life.cluster.lab.until("node3", "docker node ls | grep node4 | grep -q Down");
    life.run(roles, &["--yes"]).ends(0);
    ["node1", "node2"].iter().for_each(|host| is_ready_again(life, "node3", host));
    assert_eq!(life.nodes("node3")[1..], ["node2 worker ready", "node3 manager ready", "node4 manager ready"]);
    life.cluster.lab.until("node3", "docker service ls | grep -q 4/4");
}
