//! Runs to tell of, for the tests of the displays.

use crate::event::{Difference, Event, Outcome, Tally};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn started(steps: usize, plan: bool) -> Event {
    let (run, playbook) = ("7f3a".into(), "Spark on Docker Swarm".into());
    Event::RunStarted { run, playbook, hosts: names(&["node1", "node2", "node3"]), steps, plan }
}

pub fn step(step: &str, name: &str, hosts: &[&str]) -> Event {
    Event::StepStarted { play: "One swarm".into(), step: step.into(), name: name.into(), hosts: names(hosts) }
}

pub fn job(step: &str, host: &str) -> Event {
    Event::JobStarted { step: step.into(), host: host.into(), item: None }
}

pub fn change(step: &str, host: &str, why: &str, command: &str) -> Event {
    Event::Change {
        step: step.into(),
        host: host.into(),
        on: None,
        why: why.into(),
        command: command.into(),
        differs: vec![],
        diff: None,
        after: None,
        removes: false,
    }
}

pub fn done(step: &str, host: &str, outcome: Outcome, ms: u64) -> Event {
    told(step, host, outcome, None, ms)
}

pub fn told(step: &str, host: &str, outcome: Outcome, message: Option<&str>, ms: u64) -> Event {
    Event::JobFinished {
        step: step.into(),
        host: host.into(),
        item: None,
        outcome,
        message: message.map(Into::into),
        command: None,
        stderr: None,
        hint: None,
        after: None,
        open: false,
        ms,
    }
}

pub fn ended(step: &str, ms: u64) -> Event {
    Event::StepFinished { step: step.into(), ms }
}

pub fn tally(host: &str, unchanged: usize, changed: usize, failed: usize, ms: u64) -> Tally {
    Tally { host: host.into(), unchanged, changed, failed, ms, ..Tally::default() }
}

/// Three hosts; Docker is new on two of them, one cannot join, and one is lost.
pub fn failing() -> Vec<Event> {
    let install = "apt-get install -y docker-ce";
    vec![
        started(4, false),
        Event::HostConnecting {
            host: "node3".into(),
            waiting: Some("no answer at 203.0.113.13:22, trying again".into()),
        },
        Event::HostConnected { host: "node1".into(), ms: 210 },
        Event::HostConnected { host: "node2".into(), ms: 220 },
        Event::HostConnected { host: "node3".into(), ms: 4210 },
        Event::Looked { host: "node1".into(), readings: 31, ms: 80 },
        step("ready", "The machine is ready", &["node1", "node2", "node3"]),
        done("ready", "node1", Outcome::Unchanged, 3),
        done("ready", "node2", Outcome::Unchanged, 3),
        done("ready", "node3", Outcome::Unchanged, 3),
        ended("ready", 12),
        step("docker", "Docker is installed", &["node1", "node2", "node3"]),
        done("docker", "node1", Outcome::Unchanged, 3),
        job("docker", "node2"),
        change("docker", "node2", "docker-ce is not installed", install),
        job("docker", "node3"),
        change("docker", "node3", "docker-ce is not installed", install),
        Event::Line { step: "docker".into(), host: "node2".into(), line: "Setting up docker-ce …".into() },
        done("docker", "node2", Outcome::Changed, 34_100),
        done("docker", "node3", Outcome::Changed, 31_000),
        ended("docker", 34_100),
        step("swarm", "Every node is in the swarm", &["node1", "node2", "node3"]),
        job("swarm", "node2"),
        Event::JobWaiting { step: "swarm".into(), host: "node2".into(), waiting: "node1 to start the swarm".into() },
        Event::JobWaiting { step: "swarm".into(), host: "node2".into(), waiting: "node1 to start the swarm".into() },
        told("swarm", "node1", Outcome::Unchanged, Some("ID   HOSTNAME\nabc  node1"), 3),
        Event::JobFinished {
            step: "swarm".into(),
            host: "node2".into(),
            item: None,
            outcome: Outcome::Failed,
            message: Some("node2 could not join: node1 does not answer on port 2377".into()),
            command: Some("docker swarm join --token •••••• 10.0.0.1:2377".into()),
            stderr: Some("Error response from daemon: rpc error: code = Unavailable\ndesc = connection error".into()),
            hint: Some("let node2 reach TCP 2377 on node1 (a security group?)".into()),
            after: None,
            open: false,
            ms: 30_000,
        },
        Event::HostLost {
            host: "node3".into(),
            why: "the connection was lost: timed out".into(),
            hint: Some("is it switched on?".into()),
        },
        done("swarm", "node3", Outcome::Unreachable, 1_000),
        ended("swarm", 30_000),
        step("shown", "Nodes are listed", &["node1"]),
        told("shown", "node1", Outcome::Unchanged, Some("ID   HOSTNAME   STATUS\nabc  node1      Ready"), 40),
        ended("shown", 40),
        Event::RunFinished {
            hosts: vec![
                tally("node1", 4, 0, 0, 46),
                tally("node2", 1, 1, 1, 64_103),
                Tally { unreachable: true, ..tally("node3", 1, 1, 0, 32_003) },
            ],
            ms: 66_000,
            code: 1,
        },
    ]
}

/// The same, a day later.
pub fn settled() -> Vec<Event> {
    let mut events = vec![started(2, false)];
    for (id, name) in [("ready", "The machine is ready"), ("docker", "Docker is installed")] {
        events.push(step(id, name, &["node1", "node2", "node3"]));
        events.extend(["node1", "node2", "node3"].map(|host| done(id, host, Outcome::Unchanged, 2)));
        events.push(ended(id, 2));
    }
    events.push(finish(&[(2, 0), (2, 0), (2, 0)], 412, 0));
    events
}

/// What a run would do: one thing for certain on two hosts, one perhaps on one.
pub fn planned() -> Vec<Event> {
    let mut drift = change(
        "master",
        "node1",
        "its settings differ",
        "docker rm -f 0123abcd && docker run -d --name spark-master spark_master",
    );
    if let Event::Change { differs, after, removes, on, .. } = &mut drift {
        *differs = vec![
            Difference { field: "image".into(), is: "spark:3.5.8".into(), asked: "spark:3.5.9".into() },
            Difference { field: "env.TOKEN".into(), is: "set".into(), asked: "changed".into() },
        ];
        *after = Some("docker".into());
        *removes = true;
        *on = Some("node2".into());
    }
    vec![
        started(3, true),
        step("ready", "The machine is ready", &["node1", "node2", "node3"]),
        done("ready", "node1", Outcome::Unchanged, 2),
        ended("ready", 2),
        step("docker", "Docker is installed", &["node1", "node2", "node3"]),
        change("docker", "node2", "docker-ce is not installed", "apt-get install -y docker-ce"),
        done("docker", "node2", Outcome::Changed, 2),
        change("docker", "node3", "docker-ce is not installed", "apt-get install -y docker-ce"),
        done("docker", "node3", Outcome::Changed, 2),
        ended("docker", 4),
        step("master", "The master runs", &["node1"]),
        drift,
        done("master", "node1", Outcome::Changed, 2),
        ended("master", 2),
        finish(&[(2, 1), (1, 1), (1, 1)], 380, 10),
    ]
}

/// A plan in which every sort of end comes: a file that differs, who waits, what cannot be told, who is not meant or lost.
pub fn planned_in_part() -> Vec<Event> {
    let again = "as asked now, looked at again after config";
    let mut events = vec![started(6, true)];
    let all = ["node1", "node2", "node3"];
    let mut step_of = |id: &str, name: &str, jobs: Vec<Event>| {
        events.push(step(id, name, &all));
        events.extend(jobs);
        events.push(ended(id, 2));
    };
    step_of("ready", "The machine is ready", all.map(|host| done("ready", host, Outcome::Unchanged, 2)).into());
    let seen = all.map(|host| told("seen", host, Outcome::Unchanged, Some("load 0.1\nload 0.2"), 2));
    step_of("seen", "Load is shown", seen.into());
    step_of(
        "config",
        "The relay is configured",
        vec![
            diff_of("config", "node1", "@@ -1,2 +1,3 @@\n listen 80\n-workers 2\n+workers 4\n+keep 30s"),
            done("config", "node1", Outcome::Changed, 2),
            diff_of("config", "node2", "@@ -1,2 +1,3 @@\n listen 80\n-workers 2\n+workers 4\n+keep 30s"),
            done("config", "node2", Outcome::Changed, 2),
            done("config", "node3", Outcome::Unchanged, 2),
        ],
    );
    step_of(
        "debug",
        "Debug tools",
        vec![
            after("config", told("debug", "node1", Outcome::Unchanged, Some(again), 2), false),
            told(
                "debug",
                "node2",
                Outcome::Skipped,
                Some("not for this host as it is now, looked at again after config"),
                2,
            ),
            done("debug", "node3", Outcome::Skipped, 2),
        ],
    );
    let mut join = change("swarm", "node2", "it is in no swarm", "docker swarm join --token •••••• 10.0.0.1:2377");
    if let Event::Change { after, .. } = &mut join {
        *after = Some("config".into());
    }
    let waits = "would wait for node1 to start the swarm";
    step_of(
        "swarm",
        "Every node is in the swarm",
        vec![
            after(
                "config",
                told("swarm", "node1", Outcome::Unchanged, Some("cannot be told before config is done"), 2),
                true,
            ),
            join,
            told("swarm", "node2", Outcome::Changed, Some(waits), 2),
            Event::HostLost { host: "node3".into(), why: "the connection was lost: timed out".into(), hint: None },
            told("swarm", "node3", Outcome::Unreachable, Some("the connection was lost: timed out"), 2),
        ],
    );
    step_of(
        "looped",
        "Both folders are there",
        vec![
            change("looped", "node1", "the folder is not there", "mkdir -p -- /srv/b"),
            item("a", done("looped", "node1", Outcome::Unchanged, 2)),
            item("b", done("looped", "node1", Outcome::Changed, 2)),
            told("looped", "node2", Outcome::Failed, Some("cannot read /srv: permission denied\nmore of it"), 2),
        ],
    );
    events.push(finish(&[(4, 2), (1, 2), (2, 0)], 380, 3));
    events
}

/// A plan in which a file gets so many lines.
pub fn rewritten(lines: usize) -> Vec<Event> {
    let diff = (0..lines).map(|n| format!("+line {n}\n")).collect::<String>();
    let (step, change) = (step("file", "The file", &["node1"]), diff_of("file", "node1", &diff));
    vec![started(1, true), step, change, done("file", "node1", Outcome::Changed, 2), finish(&[(0, 1)], 380, 10)]
}

fn diff_of(step: &str, host: &str, lines: &str) -> Event {
    let mut event = change(step, host, "its content differs", "write /etc/relay.conf (46 bytes)");
    if let Event::Change { diff, .. } = &mut event {
        *diff = Some(lines.into());
    }
    event
}

fn after(step: &str, mut event: Event, unknown: bool) -> Event {
    if let Event::JobFinished { after, open, .. } = &mut event {
        (*after, *open) = (Some(step.into()), unknown);
    }
    event
}

fn item(name: &str, mut event: Event) -> Event {
    if let Event::JobFinished { item, .. } = &mut event {
        *item = Some(name.into());
    }
    event
}

pub fn finish(counts: &[(usize, usize)], ms: u64, code: u8) -> Event {
    let hosts =
        counts.iter().enumerate().map(|(i, (ok, changed))| tally(&format!("node{}", i + 1), *ok, *changed, 0, 6));
    Event::RunFinished { hosts: hosts.collect(), ms, code }
}
