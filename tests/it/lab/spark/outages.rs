//! What happens to clusters: hosts that cannot be reached, power cuts, daemons and masters that end. And what one run makes of it.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::cluster::{Cluster, at};

const IDS: &str = "docker ps -aq --no-trunc | sort | xargs";

/// What the master's page tells; nothing while it does not answer.
fn master(cluster: &Cluster) -> Value {
    let page = cluster.lab.try_on("node1", "curl -s --fail --max-time 10 http://127.0.0.1:8080/json/");
    serde_json::from_slice(&page.stdout).unwrap_or_default()
}

/// The master has two workers that live, in some minutes.
pub fn both_workers_come_back(cluster: &Cluster) {
    let began = Instant::now();
    let alive = |master: &Value| {
        let workers = master["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
        workers.iter().filter(|worker| worker["state"] == "ALIVE").count()
    };
    while alive(&master(cluster)) != 2 {
        assert!(began.elapsed() < Duration::from_secs(600), "{:#}", master(cluster));
        thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_worker_that_cannot_be_reached_stops_nobody_else() {
    let cluster = Cluster::settled();
    let before = cluster.on("node1", IDS) + &cluster.on("node2", IDS);
    let cut = cluster.lab.cut("node3", &[]);
    let told = cluster.skep(&["run", "playbooks/spark.yml", "--wait", "15s"]).ends(3);
    drop(cut);
    assert_eq!((told.ended("failed"), told.places()), Default::default(), "{}", told.text());
    for place in [at("master", "node1"), at("workers", "node2"), at("driver", "node1"), at("job", "node1")] {
        assert!(told.ended("unchanged").contains(&place), "{place:?} had no turn: {}", told.text());
    }
    let there = cluster.lab.address("node3");
    assert!(told.troubles().contains(&there), "where it was looked for: {}", told.troubles());
    assert_eq!(cluster.on("node1", IDS) + &cluster.on("node2", IDS), before, "containers of the other hosts");
    cluster.mends("node3", &["run", "playbooks/spark.yml"]);
}

/// The step alone, from cold: what it must know of other hosts is read, whoever may be changed.
#[test]
fn any_step_and_any_host_can_be_run_alone() {
    let cluster = Cluster::settled();
    for choice in
        [["--step", "master"], ["--step", "job"], ["--limit", "node3"], ["--limit", "managers"], ["--from", "driver"]]
    {
        let told = cluster.skep(&[&["run", "playbooks/spark.yml"], &choice[..]].concat()).ends(0);
        assert!(told.places().is_empty() && !told.ended("unchanged").is_empty(), "{choice:?}: {}", told.text());
    }
}

/// Plain containers on an overlay do not come back by themselves when their worker's daemon starts while no manager is
/// there (moby#32607).
#[test]
fn workers_whose_daemon_restarted_without_a_leader_are_made_again_by_one_run() {
    let cluster = Cluster::settled();
    cluster.lab.stop("node1");
    cluster.on("node2", "systemctl restart docker");
    thread::sleep(Duration::from_secs(5));
    cluster.lab.start("node1");
    let healed = cluster.skep(&["run", "playbooks/spark.yml"]).ends(0);
    let of_workers = healed.of("change").filter(|change| change["step"] == "workers");
    let shown: Vec<&str> = of_workers.filter_map(|change| change["why"].as_str()).collect();
    assert!(shown.is_empty() || shown[0].contains("it lost its network"), "{shown:?}");
    cluster.plan().ends(0);
    both_workers_come_back(&cluster);
}

#[test]
fn after_a_power_cut_of_all_hosts_one_run_has_everything_back() {
    let cluster = Cluster::settled();
    let hosts = cluster.lab.hosts();
    cluster.on("node1", "docker exec spark-driver sh -c 'echo kept > notebooks/kept'");
    hosts.iter().for_each(|host| cluster.lab.unplug(host));
    hosts.iter().for_each(|host| cluster.lab.start(host));
    cluster.skep(&["run", "playbooks/spark.yml"]).ends(0);
    cluster.plan().ends(0);
    both_workers_come_back(&cluster);
    assert_eq!(cluster.on("node1", "docker exec spark-driver cat notebooks/kept"), "kept", "a notebook");
}

/// One that has all cores, and one that waits for them.
#[test]
fn a_master_that_is_killed_comes_back_and_knows_its_applications() {
    let cluster = Cluster::settled();
    let submit = |name: &str| {
        let write = format!("docker exec -i spark-driver sh -c 'cat >/tmp/NAME.py' <<'END'\n{SLEEPER}\nEND\n");
        let run = "docker exec -d spark-driver sh -c 'spark-submit /tmp/NAME.py NAME >/tmp/NAME.out 2>/tmp/NAME.err'";
        cluster.on("node1", &(write + run).replace("NAME", name));
    };
    let state = |name: &str| {
        let page = master(&cluster);
        let lists = [&page["activeapps"], &page["completedapps"]];
        let mut apps = lists.into_iter().filter_map(Value::as_array).flatten();
        let app = apps.find(|app| app["name"] == name);
        app.and_then(|app| app["state"].as_str()).unwrap_or_default().to_owned()
    };
    let until = |name: &str, wanted: &str| {
        let began = Instant::now();
        while state(name) != wanted {
            let errors = format!("docker exec spark-driver tail -n 30 /tmp/{name}.err");
            assert!(
                began.elapsed() < Duration::from_secs(600),
                "{name} is {}: {}",
                state(name),
                cluster.on("node1", &errors)
            );
            thread::sleep(Duration::from_millis(500));
        }
    };
    cluster.on("node1", "docker exec spark-driver rm -f /tmp/go");
    submit("running");
    until("running", "RUNNING");
    submit("waiting");
    until("waiting", "WAITING");
    // The process, not `docker kill`: that would switch the container's restart policy off.
    cluster.on("node1", "kill -9 $(docker inspect -f '{{.State.Pid}}' spark-master); sleep 3");
    both_workers_come_back(&cluster);
    cluster.on("node1", "docker exec spark-driver touch /tmp/go");
    until("running", "FINISHED");
    until("waiting", "FINISHED");
    for name in ["running", "waiting"] {
        assert_eq!(cluster.on("node1", &format!("docker exec spark-driver cat /tmp/{name}.out")), "499500");
    }
    // The proof is forgotten with the rest of what had finished: that is all there is to do.
    assert_eq!(cluster.plan().ends(10).places(), [at("job", "node1")].into());
}

const SLEEPER: &str = r#"
import os, sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName(sys.argv[1]).config("spark.cores.max", 4).getOrCreate()
slow = lambda number: time.sleep(0.003) or number
while True:
    total = spark.sparkContext.parallelize(range(1000), 8).map(slow).sum()
    if os.path.exists("/tmp/go"):
        break
print(total)
"#;

/// To the master also an application has finished whose program failed.
#[test]
fn a_proof_that_failed_is_none() {
    let cluster = Cluster::settled();
    let job = "docker exec spark-driver spark-submit /opt/jobs/pi.py --workers 2 --samples 1 --name doubtful 2>&1";
    let failed = cluster.lab.try_on("node1", job);
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert!(!failed.status.success() && said.contains("ZeroDivisionError"), "{said}");
    let began = Instant::now();
    while !master(&cluster)["completedapps"].to_string().contains("doubtful") {
        assert!(began.elapsed() < Duration::from_secs(600), "{:#}", master(&cluster));
        thread::sleep(Duration::from_secs(1));
    }
    assert!(!cluster.lab.try_on("node1", "docker exec spark-driver spark-finished doubtful").status.success());
}
