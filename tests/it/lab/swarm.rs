//! `swarm` on real engines: cold, warm, cut in the middle, and where a network lets some things pass and others not.

use std::fs;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::lab::Lab;

/// Hosts with an engine each and in no swarm, and a playbook that makes one of them.
struct Hosts {
    lab: Lab,
    folder: TempDir,
}

impl Hosts {
    fn new() -> Self {
        let hosts = Self { lab: Lab::with_engines("swarm", 3), folder: tempfile::tempdir().expect("a folder") };
        hosts.write("engine.yml", "docker_engine: { source: distribution }");
        // Three engines at once on a busy machine: a reading may take too long, and is read again.
        (0..3).any(|_| hosts.run("engine.yml").0 == Some(0));
        hosts.ask("{}");
        hosts
    }

    fn write(&self, file: &str, step: &str) {
        let playbook = format!("plays:\n  - hosts: all\n    steps:\n      - {step}\n");
        fs::write(self.folder.path().join(file), playbook).expect("a playbook");
    }

    /// Asks for this swarm from now on.
    fn ask(&self, parameters: &str) {
        self.write("swarm.yml", &format!("{{ id: swarm, swarm: {parameters}, timeout: 15m }}"));
    }

    fn skep(&self, playbook: &str) -> Command {
        let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
        skep.current_dir(&self.folder).args(["run", playbook, "--output", "plain", "-i"]).arg(self.lab.inventory());
        skep.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        skep
    }

    fn run(&self, playbook: &str) -> Said {
        Said::of(&self.skep(playbook).output().expect("skep runs"))
    }

    /// Runs what is asked for, wants it to end well, and to find nothing more to do.
    fn converges(&self) -> String {
        let said = self.run("swarm.yml").ends(0);
        let again = self.run("swarm.yml").ends(0);
        assert!(again.contains("Nothing to do"), "{again}");
        said
    }

    /// Runs it, and wants it to fail with these words.
    fn fails(&self, words: &[&str]) -> String {
        let said = self.run("swarm.yml").ends(1);
        words.iter().for_each(|word| assert!(said.contains(word), "not told: {word}\n{said}"));
        said
    }

    /// Each node as the leader lists it: name, role, availability, and whether its path was proven.
    fn nodes(&self, leader: &str) -> Vec<String> {
        let format = "{{.Description.Hostname}} {{.Spec.Role}} {{.Spec.Availability}} {{if index .Spec.Labels \"skep.path\"}}proven{{end}}";
        let listed =
            self.lab.on(leader, &format!("docker node ls -q | xargs docker node inspect --format '{format}' | sort"));
        listed.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn leave(&self, hosts: &[&str]) {
        for host in hosts {
            self.lab.on(host, "docker swarm leave --force >/dev/null");
            // It goes once the network of the swarm's own ports has let go of it.
            self.lab.until(host, "docker network rm docker_gwbridge || ! docker network inspect docker_gwbridge");
        }
    }

    /// What a proof may have left on any host.
    fn left_over(&self) -> String {
        let look = "docker ps -aq; docker images -q; docker network ls --format '{{.Name}}' | grep skep || true";
        self.lab.hosts().iter().map(|host| self.lab.on(host, look)).collect()
    }
}

/// How a run ended, and all that it said.
struct Said(Option<i32>, String);

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self(output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }

    fn ends(self, code: i32) -> String {
        assert_eq!(self.0, Some(code), "{}", self.1);
        self.1
    }
}

#[test]
fn hosts_become_one_swarm_whatever_happens_and_stay_it() {
    let hosts = Hosts::new();
    cold_and_warm(&hosts);
    roles_and_labels(&hosts);
    another_swarm_is_left_alone(&hosts);
    hosts.leave(&["node1", "node2", "node3"]);
    a_join_that_is_cut_off_is_completed(&hosts);
    hosts.leave(&["node1", "node2", "node3"]);
    what_does_not_pass_is_told_by_pair_and_port(&hosts);
}

fn cold_and_warm(hosts: &Hosts) {
    hosts.lab.on("node2", "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/test.conf; systemctl reload ssh");
    let lines = "journalctl --sync; journalctl --unit ssh --no-pager --output cat";
    let cold = hosts.run("swarm.yml").ends(0);
    assert!(cold.contains("docker node update --label-add 'skep.path="), "{cold}");
    assert_eq!(
        hosts.nodes("node1"),
        ["node1 manager active", "node2 worker active proven", "node3 worker active proven"]
    );
    assert_eq!(hosts.left_over(), "");

    let mark = hosts.lab.on("node2", &format!("{lines} | wc -l"));
    assert!(hosts.run("swarm.yml").ends(0).contains("Nothing to do"));
    let log = hosts.lab.on("node2", &format!("{lines} | tail -n +$(({mark} + 1))"));
    let count = |word: &str| log.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("Accepted publickey"), count("Starting session: command")), (1, 1), "{log}");
}

fn roles_and_labels(hosts: &Hosts) {
    hosts.ask("{ managers: \"node1:node2\", workers: \"node*\", labels: { disk: ssd } }");
    assert!(hosts.converges().contains("docker node promote"));
    // The leader calls it reachable a moment before it answers for itself.
    hosts.lab.until("node2", "docker node ls");
    assert_eq!(hosts.nodes("node2")[1], "node2 manager active proven");
    assert_eq!(
        hosts.lab.on(
            "node1",
            "docker node ls -q | xargs docker node inspect --format '{{.Spec.Labels.disk}}' | uniq -c | xargs"
        ),
        "3 ssd"
    );
    hosts.ask("{ availability: pause }");
    assert!(hosts.converges().contains("docker node demote"));
    assert_eq!(hosts.nodes("node1"), ["node1 manager pause", "node2 worker pause proven", "node3 worker pause proven"]);
    hosts.ask("{ availability: active }");
    hosts.converges();
}

fn another_swarm_is_left_alone(hosts: &Hosts) {
    hosts.ask("{}");
    hosts.leave(&["node3"]);
    hosts.lab.on("node3", "docker swarm init >/dev/null");
    let node = "docker info --format '{{.Swarm.NodeID}} {{.Swarm.ControlAvailable}}'";
    let before = hosts.lab.on("node3", node);
    hosts.fails(&[
        "node3 is in another swarm",
        "hint: if node3 has no place in that other swarm any more, on node3: docker swarm leave --force",
    ]);
    assert_eq!(hosts.lab.on("node3", node), before);
    // The managers that are asked for are workers of a swarm that another host commands.
    hosts.ask("{ managers: node2, workers: node3 }");
    let elsewhere = format!("is controlled by {}:2377, which is not in `node2`", hosts.lab.address("node1"));
    hosts.fails(&["the swarm that node2 is in", &elsewhere]);
    // It comes back as a manager, and nothing of its earlier life is left.
    hosts.leave(&["node3"]);
    hosts.lab.until("node1", "docker node ls --format '{{.Status}}' | grep -q Down");
    hosts.lab.on("node1", "docker node rm --force node3");
    hosts.ask("{ managers: \"node1:node3\", workers: node2 }");
    hosts.converges();
    assert_eq!(hosts.nodes("node1")[2], "node3 manager active proven");
}

fn a_join_that_is_cut_off_is_completed(hosts: &Hosts) {
    // The connection: it is made anew, and the join is waited for.
    hosts.ask("{ workers: node2 }");
    let run = hosts.in_the_middle_of_a_join("node2");
    hosts.lab.on("node2", "pkill -KILL -f '^sshd: ubuntu'; pkill -CONT -x dockerd");
    let first = Said::of(&run.wait_with_output().expect("skep ends")).1;
    let second = hosts.run("swarm.yml").1;
    assert_eq!(hosts.nodes("node1"), ["node1 manager active", "node2 worker active proven"], "{first}\n{second}");
    // The power.
    hosts.ask("{}");
    let mut run = hosts.in_the_middle_of_a_join("node3");
    hosts.lab.unplug("node3");
    run.kill().and_then(|()| run.wait()).expect("skep is killed too");
    hosts.lab.start("node3");
    hosts.converges();
    assert!(hosts.nodes("node1").contains(&"node3 worker active proven".to_owned()), "{:?}", hosts.nodes("node1"));
}

impl Hosts {
    /// A run whose host is about to join: its daemon has been asked to, and stands still.
    fn in_the_middle_of_a_join(&self, host: &str) -> Child {
        let freeze = "systemd-run --quiet --collect sh -c 'until pgrep -f \"^curl .*[d]/swarm/join\"; do sleep 0.01; done; sleep 0.05; pkill -STOP -x dockerd; touch /run/frozen'";
        self.lab.on(host, freeze);
        let run = self.skep("swarm.yml").spawn().expect("skep runs");
        self.lab.until(host, "test -e /run/frozen");
        run
    }
}

fn what_does_not_pass_is_told_by_pair_and_port(hosts: &Hosts) {
    let address = |host: &str| hosts.lab.address(host);
    let cut = hosts.lab.cut("node2", &["--port", "2377"]);
    hosts.fails(&[&format!("node2 cannot reach node1 at {}:2377/tcp: no answer within 5 s", address("node1"))]);
    drop(cut);
    assert_eq!(hosts.nodes("node1"), ["node1 manager active", "node3 worker active proven"], "the others go on");

    let cut = hosts.lab.cut("node3", &["--port", "7946", "--peer", "node2"]);
    hosts.fails(&[&format!("node2 cannot reach node3 at {}:7946/tcp: no answer within 5 s", address("node3"))]);
    drop(cut);

    // Containers are started for it, and what is swallowed is waited for: on a busy machine that takes its time.
    let cut = hosts.lab.cut("node2", &["--port", "4789"]);
    let pair = format!("between node2 ({}) and node1 ({})", address("node2"), address("node1"));
    hosts.fails(&[
        &format!("1 MiB does not pass through an overlay network {pair}"),
        "hint: security group or firewall: open 4789/udp both ways between the two",
    ]);
    assert_eq!(hosts.nodes("node1")[1], "node2 worker active", "ready, and not proven");
    assert_eq!(hosts.left_over(), "");
    drop(cut);
    hosts.converges();
    assert_eq!(hosts.nodes("node1")[1], "node2 worker active proven");
}
