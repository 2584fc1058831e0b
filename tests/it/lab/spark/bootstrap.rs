//! From machines with nothing on them.

use serde_json::Value;

use super::stack::has_two_workers;
use crate::support::cluster::{Cluster, Told};
use crate::support::truth::compare;
use crate::support::watch::Watch;

#[test]
fn from_nothing_to_pi() {
    let cluster = Cluster::found();
    cluster.lab.reset();
    let planned = a_plan_shows_commands_and_changes_nothing(&cluster);
    let done = no_secret_is_ever_seen(&cluster, || cluster.skep(&["up"]).ends(0));
    let compared = compare(&planned, &done);
    assert!(!compared.will.is_empty(), "a plan for bare machines is certain of something");
    the_job_ran_on_every_worker(&cluster, &done);
    a_screen_shows_it(&cluster);
}

fn a_screen_shows_it(cluster: &Cluster) {
    let told = cluster.skep(&["status"]).ends(0);
    let status = &told.of("status").next().expect("a status")["status"];
    let masters = status["spark"].as_array().expect("masters");
    assert_eq!((masters.len(), &masters[0]["container"]), (1, &"spark-master".into()), "{status:#}");
    assert_eq!(masters[0]["url"], "spark://sparkmaster:7077", "{status:#}");
    has_two_workers(&masters[0]);
}

fn a_plan_shows_commands_and_changes_nothing(cluster: &Cluster) -> Told {
    // Every file of the system that changed, but for logs, apt's cache of what it knows, and what a login leaves.
    let changed = "find / -xdev -newer /run/skep-before -type f -not -path '/var/log/*' -not -path '/var/cache/apt/*' -not -path '/run/*' \
        -not -path '/var/lib/systemd/*' -not -path '/proc/*' -not -path '/sys/*' -not -path '/tmp/*'";
    let hosts = cluster.lab.hosts();
    hosts.iter().for_each(|host| {
        drop(cluster.on(host, "systemctl is-system-running --wait >/dev/null; touch /run/skep-before; sleep 0.1"))
    });
    let planned = cluster.plan().ends(10);
    for host in &hosts {
        assert_eq!(cluster.on(host, changed), "", "files that a plan changed on {host}");
    }
    let commands: Vec<&str> = planned.of("change").filter_map(|change| change["command"].as_str()).collect();
    for command in ["docker swarm init", "docker swarm join", "docker network create", "docker build", "docker run"] {
        assert!(commands.iter().any(|shown| shown.contains(command)), "{command} is not among\n{commands:#?}");
    }
    let join = commands.iter().find(|shown| shown.contains("docker swarm join ")).expect("as found above");
    assert!(join.contains("--token •"), "the token is masked in: {join}");
    planned
}

/// The process lists of all hosts are watched while `skep` works; a token of no swarm shows that the watch sees.
fn no_secret_is_ever_seen(cluster: &Cluster, work: impl FnOnce() -> Told) -> Told {
    let canary = "SWMTKN-1-canary";
    let watch = Watch::begin(&cluster.lab);
    cluster.on("node2", &format!("systemd-run --quiet --unit canary sh -c 'sleep 6000; :' {canary}"));
    let done = work();
    cluster.on("node2", "systemctl stop canary");
    let (seen, samples) = watch.end();
    let (canaries, seen): (Vec<_>, Vec<_>) = seen.into_iter().partition(|line| line.contains(canary));
    eprintln!("{samples} samples of the process lists");
    assert!(!canaries.is_empty(), "the watch is blind: it did not see {canary} in {samples} samples");
    assert!(seen.is_empty(), "secrets that any user of the host could see:\n{}", seen.join("\n"));
    let token = cluster.on("node1", "docker swarm join-token -q worker");
    let jupyter = cluster.on("node1", "cat /etc/skep/spark/jupyter");
    let told = done.text();
    assert!(!told.contains(&token) && !told.contains(&jupyter), "a token is among what skep told");
    done
}

fn the_job_ran_on_every_worker(cluster: &Cluster, done: &Told) {
    let printed = done.of("line").filter(|line| line["step"] == "job").filter_map(|line| line["line"].as_str());
    let result = printed.filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|json| json["pi"].is_f64());
    let result = result.unwrap_or_else(|| panic!("no line of the job has pi:\n{}", done.text()));
    assert!((result["pi"].as_f64().unwrap() - std::f64::consts::PI).abs() < 0.01, "{result}");
    assert_eq!(result["hosts"], serde_json::json!(["spark-worker1", "spark-worker2"]), "{result}");
    assert!(result["shuffle_bytes"].as_u64() > Some(200_000_000), "{result}");
    let master = master(cluster);
    let finished = master["completedapps"].as_array().expect("applications");
    let same = |app: &&Value| app["id"] == result["application"] && app["state"] == "FINISHED";
    assert!(finished.iter().any(|app| same(&app)), "{} is not FINISHED in {master:#}", result["application"]);
}

/// What the master's page tells, as its own host reaches it.
pub fn master(cluster: &Cluster) -> Value {
    let page = cluster.on("node1", "curl -sS --fail --max-time 60 http://127.0.0.1:8080/json/");
    serde_json::from_str(&page).expect("JSON")
}
