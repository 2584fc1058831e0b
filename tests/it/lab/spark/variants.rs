//! The choices that the playbook offers, beside its defaults: who is reached by whom, what goes where.

use super::outages::both_workers_come_back;
use crate::support::cluster::Cluster;

fn run(cluster: &Cluster, choices: &[&str]) {
    let choices: Vec<&str> = choices.iter().flat_map(|choice| ["-e", choice]).collect();
    cluster.skep(&[&["run", "playbooks/spark.yml", "--yes"], &choices[..]].concat()).ends(0);
    cluster.skep(&[&["plan", "playbooks/spark.yml"], &choices[..]].concat()).ends(0);
}

const NAMES: &str = "docker ps --format {{.Names}} | sort | xargs";

/// One after the other, straight: each is a job that proves it.
#[test]
fn what_the_playbook_offers_comes_about_and_nothing_stays_behind() {
    let cluster = Cluster::settled();
    what_is_published_to_all_is_reached_by_neighbours_and_survives_its_master(&cluster);
    workers_and_driver_move_and_nothing_stays_behind(&cluster);
}

fn what_is_published_to_all_is_reached_by_neighbours_and_survives_its_master(cluster: &Cluster) {
    run(cluster, &["publish=all"]);
    let master = cluster.lab.address("node1");
    let page = cluster.on("node3", &format!("curl -sS --fail --max-time 60 http://{master}:8080/json/"));
    assert!(page.contains("ALIVE"), "{page}");
    let jupyter = format!("curl -s -o /dev/null --max-time 60 -w '%{{http_code}}' http://{master}:8888/api/contents");
    assert_eq!(cluster.on("node3", &jupyter), "403", "JupyterLab wants its token from neighbours, too");
    cluster.on("node3", &format!("timeout 30 bash -c '</dev/tcp/{master}/7077'"));
    cluster.on("node1", "kill -9 $(docker inspect -f '{{.State.Pid}}' spark-master); sleep 3");
    both_workers_come_back(cluster);
}

/// The job at the end proves that all four workers take part. What was there before is not left beside its successor.
fn workers_and_driver_move_and_nothing_stays_behind(cluster: &Cluster) {
    run(cluster, &["workers_per_host=2", "driver_host=node2", "publish=none"]);
    assert_eq!(cluster.on("node1", NAMES), "spark-master");
    assert_eq!(cluster.on("node2", NAMES), "spark-driver spark-history spark-worker1 spark-worker2");
    assert_eq!(cluster.on("node3", NAMES), "spark-worker3 spark-worker4");
    for host in cluster.lab.hosts() {
        assert_eq!(cluster.on(&host, "docker ps --format {{.Ports}} | grep -e '->' || :"), "", "published on {host}");
    }
}
