//! Why such a stack usually fails, each cause shown on real engines: docs/spark.md says no more than is seen here. What only a
//! kernel with IPVS shows (connections that are idle for 15 minutes) is not, and the page says so.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;

/// A stack with the mistakes of many, each in a service of its own, and beside some of them what was chosen instead.
const WRONG: &str = r#"
version: "3.8"
x-driver: &driver { image: "skep/spark_driver:VERSION", healthcheck: { disable: true } }
x-here: &here { constraints: [node.role == manager] }
services:
  shell: { <<: *driver, command: bash, deploy: { placement: *here } }
  terminal: { <<: *driver, command: bash, tty: true, deploy: { placement: *here } }
  master:
    image: skep/spark_master:VERSION
    environment: { SPARK_MASTER_HOST: master }
    healthcheck: { disable: true }
    deploy: { placement: *here }
  straight:
    image: skep/spark_master:VERSION
    environment: { SPARK_MASTER_HOST: straight }
    healthcheck: { disable: true }
    deploy: { endpoint_mode: dnsrr, placement: *here }
  checked:
    image: skep/spark_master:VERSION
    environment: { SPARK_MASTER_HOST: checked }
    deploy: { endpoint_mode: dnsrr, placement: *here }
  twofold: { <<: *driver, hostname: twofold, command: sleep infinity, deploy: { placement: *here } }
  single: { <<: *driver, hostname: single-host, command: sleep infinity, deploy: { endpoint_mode: dnsrr, placement: *here } }
  asker: { <<: *driver, container_name: asker, depends_on: [nowhere], command: sleep infinity, deploy: { placement: *here } }
  built: { build: ., image: "skep/none:1", deploy: { placement: *here } }
  nowhere: { <<: *driver, command: sleep infinity, deploy: { placement: { constraints: [node.labels.moon == full] } } }
  taken:
    <<: *driver
    command: sleep infinity
    ports: [{ target: 80, published: 8080, mode: host }]
    deploy: { placement: *here }
"#;

/// In the container that asks the others, on node1.
const ASKER: &str = "docker exec $(docker ps -q --filter label=com.docker.swarm.service.name=wrong_asker)";

const GONE: &str =
    "docker stack rm wrong >/dev/null; while docker stack ps -q wrong >/dev/null 2>&1; do sleep 0.5; done";

struct Wrong(Cluster);

/// Those who come after it find the cluster as it was.
impl Drop for Wrong {
    fn drop(&mut self) {
        self.0.lab.try_on("node1", GONE);
    }
}

impl Wrong {
    fn on(&self, script: &str) -> String {
        self.0.on("node1", script)
    }

    /// What the tasks of a service were and are, newest first: state, how long, error.
    fn tasks(&self, service: &str) -> String {
        self.on(&format!(
            "docker service ps --no-trunc --format '{{{{.CurrentState}}}} {{{{.Error}}}}' wrong_{service}"
        ))
    }

    fn logs(&self, service: &str) -> String {
        self.on(&format!("docker service logs --raw wrong_{service} 2>&1 || true"))
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(600), "not within ten minutes: {what}");
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn deploy(&self, file: &str) -> String {
        self.on(&format!("docker stack deploy --compose-file - wrong 2>&1 <<'END' || true\n{file}\nEND"))
    }
}

#[test]
fn each_cause_of_a_stack_that_fails_is_seen_and_so_is_its_remedy() {
    let wrong = Wrong(Cluster::settled());
    let image = wrong.on("docker ps --format '{{.Image}}' --filter name=spark-master");
    let said = wrong.deploy(&WRONG.replace("VERSION", image.rsplit(':').next().expect("a tag")));
    assert!(said.contains("Ignoring unsupported options: build"), "{said}");
    assert!(said.contains("Ignoring deprecated options") && said.contains("container_name"), "{said}");
    a_shell_without_a_terminal(&wrong);
    a_master_that_binds_its_services_name(&wrong);
    one_name_with_two_answers(&wrong);
    names_with_something_before_them(&wrong);
    what_is_not_there(&wrong);
    wrong.on(GONE);
    a_newer_files_words(&wrong);
}

fn a_shell_without_a_terminal(wrong: &Wrong) {
    wrong.until("a shell ends well, again and again", || wrong.tasks("shell").matches("Complete").count() > 1);
    wrong.until("one with a terminal runs", || wrong.tasks("terminal").starts_with("Running"));
}

fn a_master_that_binds_its_services_name(wrong: &Wrong) {
    wrong.until("it cannot bind a virtual address", || wrong.logs("master").contains("BindException"));
    wrong.until("without one it can", || {
        wrong.logs("straight").contains("Starting Spark master at spark://straight:7077")
    });
    assert!(!wrong.logs("straight").contains("BindException"));
    let unresolved = || wrong.logs("checked").contains("UnresolvedAddressException");
    wrong.until("with a health check it has no name before it is healthy", unresolved);
}

fn one_name_with_two_answers(wrong: &Wrong) {
    let answers = |name: &str| wrong.on(&format!("{ASKER} getent ahostsv4 {name} | cut -d' ' -f1 | sort -u | wc -l"));
    wrong.until("both are known", || answers("twofold") != "0" && answers("single-host") != "0");
    assert_eq!(answers("twofold"), "2", "the service's virtual address, and its container's");
    assert_eq!((answers("single"), answers("single-host")), ("1".into(), "1".into()));
}

fn names_with_something_before_them(wrong: &Wrong) {
    assert!(wrong.on("docker network ls --format '{{.Name}}'").lines().any(|name| name == "wrong_default"));
    let elsewhere = "docker run --rm --network sparknet --entrypoint getent $(docker ps --format '{{.Image}}' --filter name=spark-driver) hosts single-host || echo unknown";
    assert_eq!(wrong.on(elsewhere), "unknown", "what is started by hand on another network");
    assert_eq!(wrong.on("docker ps -q --filter name=^/asker$"), "", "container_name is ignored");
    let submit = "spark-submit --master spark://wrong_straight:7077 /opt/jobs/pi.py --workers 2 2>&1 || true";
    let said = wrong.on(&format!("docker exec spark-driver {submit}"));
    assert!(said.contains("Invalid master URL: spark://wrong_straight:7077"), "{said}");
}

fn what_is_not_there(wrong: &Wrong) {
    wrong.until("nobody built it", || wrong.tasks("built").contains("No such image: skep/none:1"));
    let nowhere = wrong.tasks("nowhere");
    assert!(nowhere.contains("no suitable node (scheduling constraints not satisfied"), "{nowhere}");
    let taken = || {
        wrong.tasks("taken").contains("address already in use") || wrong.tasks("taken").contains("already allocated")
    };
    wrong.until("a container holds the port", taken);
    assert!(wrong.tasks("asker").starts_with("Running"), "it does not wait for what it depends on");
}

/// The words of Compose itself, which Docker's own deploy does not know.
fn a_newer_files_words(wrong: &Wrong) {
    let service = "services: { app: { image: a, depends_on: { b: { condition: service_started } } }, b: { image: a } }";
    for (file, complaint) in [
        (
            "version: '3.8'\nname: spark\nservices: { app: { image: a } }".to_owned(),
            "Additional property name is not allowed",
        ),
        (format!("version: '3.8'\n{service}"), "depends_on must be a list"),
    ] {
        let said = wrong.deploy(&file);
        assert!(said.contains(complaint), "{said}");
    }
}
