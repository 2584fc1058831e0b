//! Spark as a stack: what `docker stack deploy` used to fail at.

use std::time::{Duration, Instant};
use std::{fs, thread};

use super::outages::both_workers_come_back;
use super::pages::Forward;
use super::submit::Desk;
use crate::support::cluster::{Cluster, at};
use crate::support::lab::checkout;

const DRIVER: &str = "docker ps -q --filter label=com.docker.swarm.service.name=spark-stack_spark-driver";
const MASTER: &str = "docker ps -q --filter label=com.docker.swarm.service.name=spark-stack_spark-master";

/// What is sent in by people: an application of its own, which fails unless each worker has taken part.
const APPLICATION: &str = "/opt/jobs/pi.py --workers 2 --wait 600 --shuffle-mib 20 --samples 1000000";

/// Each of its jobs fails unless each worker takes part.
const ROW: &str = include_str!("row.py");

fn submitted(cluster: &Cluster, what: &str) -> String {
    let submit = format!("spark-submit --conf spark.driver.defaultJavaOptions=-XX:TieredStopAtLevel=1 {what}");
    let said = cluster.on("node1", &format!("docker exec $({DRIVER}) {submit} 2>&1 || echo FAILED"));
    assert!(!said.contains("FAILED"), "{said}");
    RETRIES.iter().for_each(|word| assert!(!said.contains(word), "{word} in what a job said:\n{said}"));
    said
}

fn an_application(cluster: &Cluster) {
    let said = submitted(cluster, APPLICATION);
    assert!(said.contains("\"pi\""), "{said}");
}

/// Twenty of them.
fn jobs_in_a_row(cluster: &Cluster) {
    cluster.on("node1", &format!("docker exec -i $({DRIVER}) sh -c 'cat >/tmp/row.py' <<'END'\n{ROW}\nEND"));
    let said = submitted(cluster, "/tmp/row.py");
    assert!(said.contains("job 20: ") && said.contains("all well"), "{said}");
}

/// The words of a connection that had to be tried again.
const RETRIES: [&str; 4] = ["RetryingBlockTransfer", "Connection refused", "Failed to connect", "UnknownHostException"];

/// In what the executors of all jobs said, as far as their workers are still there.
fn no_executor_had_to_try_again(cluster: &Cluster) {
    let worker = "docker ps -q --filter label=com.docker.swarm.service.name=spark-stack_spark-worker";
    for host in ["node2", "node3"] {
        let files = format!("docker exec $({worker}) sh -c 'ls /var/lib/spark/work/*/*/stderr'");
        assert!(cluster.on(host, &files).lines().count() > 0, "no executor on {host} has said anything");
        // Up to its end: one whose driver has gone before may still have tried to tell it something.
        let own = "sed '/commanded a shutdown/,$d; /disassociated! Shutting down/,$d'";
        let said = format!("for said in /var/lib/spark/work/*/*/stderr; do {own} $said; done");
        let found = format!(
            "docker exec $({worker}) sh -c \"{}\" | grep -E '{}' || true",
            said.replace('$', "\\$"),
            RETRIES.join("|")
        );
        assert_eq!(cluster.on(host, &found), "", "on {host}");
    }
}

/// In what the services said since then: workers that come up before their master try again, and no later.
fn no_service_had_to_try_again(cluster: &Cluster, since: &str) {
    let logs = format!(
        "docker service ls -q --filter label=com.docker.stack.namespace=spark-stack | xargs -n1 docker service logs --raw --since {since} 2>&1"
    );
    cluster.lab.until("node1", &logs);
    let said = cluster.on("node1", &logs);
    assert!(said.contains("Asked to launch executor"), "{said}");
    RETRIES.iter().for_each(|word| assert!(!said.contains(word), "{word} in what the services said:\n{said}"));
}

/// The master's page, though it is published nowhere.
fn is_forwarded(forward: &Forward) {
    let page = forward.get("Spark master", "/json/");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("ALIVE"), "{page}");
}

/// Both workers are known to the master once more, with nobody's help.
fn both_workers_are_back(cluster: &Cluster) {
    let began = Instant::now();
    let count = format!(
        "docker exec $({MASTER}) wget -q -O - http://127.0.0.1:8080/json/ | grep -o '\"state\" : \"ALIVE\"' | wc -l"
    );
    while !String::from_utf8_lossy(&cluster.lab.try_on("node1", &count).stdout).trim().ends_with('2') {
        assert!(began.elapsed() < Duration::from_secs(600), "two workers within some minutes");
        thread::sleep(Duration::from_secs(1));
    }
}

/// That of the containers and that of the stack, whose workers have a moment to come.
fn a_screen_shows_both_clusters(cluster: &Cluster) {
    both_workers_come_back(cluster);
    let told = cluster.skep(&["status"]).ends(0);
    let status = &told.of("status").next().expect("a status")["status"];
    let masters = status["spark"].as_array().expect("masters");
    assert_eq!(masters.len(), 2, "{status:#}");
    masters.iter().for_each(has_two_workers);
}

/// As its page tells: both alive, with cores and memory, and the sums are theirs.
pub fn has_two_workers(master: &serde_json::Value) {
    let workers = master["workers"].as_array().expect("workers");
    let alive: Vec<_> = workers.iter().filter(|worker| worker["state"] == "ALIVE").collect();
    assert_eq!((&master["problem"], alive.len()), (&serde_json::Value::Null, 2), "{master:#}");
    for field in ["cores", "cores_used", "memory_mib", "memory_used_mib"] {
        let sum: u64 = alive.iter().map(|worker| worker[field].as_u64().expect("a number")).sum();
        assert_eq!(master[field].as_u64(), Some(sum), "{field} of {master:#}");
    }
    assert!(master["cores"].as_u64() >= Some(2) && master["memory_mib"].as_u64() >= Some(1024), "{master:#}");
}

#[test]
fn the_stack_computes_heals_by_itself_and_is_changed_by_nobody() {
    let cluster = Cluster::own("spark-stack");
    let run = ["run", "playbooks/spark-stack.yml"];
    cluster.skep(&run).ends(0);
    assert!(cluster.skep(&["plan", "playbooks/spark-stack.yml"]).ends(0).places().is_empty());
    let since = cluster.on("node1", "date +%s");
    an_application(&cluster);
    jobs_in_a_row(&cluster);
    no_service_had_to_try_again(&cluster, &since);
    no_executor_had_to_try_again(&cluster);
    let forward = Forward::begin(&cluster, &["spark-stack_spark-master"], 1);
    is_forwarded(&forward);
    cluster.on("node1", "pkill -f '^sshd: ubuntu' || true");
    is_forwarded(&forward);

    cluster.on("node1", &format!("docker kill $({MASTER}) >/dev/null"));
    thread::sleep(Duration::from_secs(5));
    both_workers_are_back(&cluster);
    jobs_in_a_row(&cluster);

    cluster.on("node3", "systemctl restart docker");
    both_workers_are_back(&cluster);
    jobs_in_a_row(&cluster);

    cluster.on("node1", "docker service ls -q --filter label=com.docker.stack.namespace=spark-stack | xargs -n1 docker service update --force --detach=false --quiet >/dev/null");
    both_workers_are_back(&cluster);
    jobs_in_a_row(&cluster);
    no_executor_had_to_try_again(&cluster);
    is_forwarded(&forward);
    // A master that was made anew has forgotten what was proven, and nothing else is to be done.
    let planned = cluster.skep(&["plan", "playbooks/spark-stack.yml"]);
    assert!(planned.places().is_subset(&[at("job", "node1")].into()), "{}", planned.text());
    let ports = "docker service ls -q | xargs docker service inspect --format '{{range .Endpoint.Spec.Ports}}{{.}}{{end}}' | tr -d '\\n'";
    assert_eq!(cluster.on("node1", ports), "", "nothing is published to the world");
    typed_by_hand(&cluster);
    beside_one_of_containers(&cluster);
}

/// Each is found, and by its name.
fn beside_one_of_containers(cluster: &Cluster) {
    cluster.skep(&["up", "--yes", "--until", "history"]).ends(0);
    a_screen_shows_both_clusters(cluster);
    let desk = Desk::new(cluster);
    let several = String::from_utf8_lossy(&desk.submit(&["job.py"]).stderr).into_owned();
    assert!(several.contains("several drivers of Spark run: ") && several.contains("--driver NAME"), "{several}");
    desk.computes(&["--driver", "spark-stack"]);
}

fn is_gone(cluster: &Cluster) {
    let left = "docker ps -aq --filter label=com.docker.stack.namespace=spark-stack";
    cluster.lab.hosts().iter().for_each(|host| cluster.lab.until(host, &format!("[ -z \"$({left})\" ]")));
}

/// The line that the write-up ends with, on the leader, with the file that ships.
fn typed_by_hand(cluster: &Cluster) {
    cluster.on("node1", "docker stack rm spark-stack >/dev/null");
    is_gone(cluster);
    let file = fs::read_to_string(checkout().join("playbooks/spark/stack.yml")).expect("the file that ships");
    let deploy = "docker stack deploy --compose-file stack.yml spark-stack";
    cluster.on("node1", &format!("cd /root && cat >stack.yml <<'END' && {deploy} >/dev/null\n{file}\nEND"));
    both_workers_are_back(cluster);
    cluster.lab.until("node1", &format!("docker exec $({DRIVER}) true"));
    an_application(cluster);
}
