//! What others changed behind our back: a plan names it, one run heals it.

use crate::support::cluster::{Cluster, at};

#[test]
fn a_worker_that_was_removed_is_named_and_made_again() {
    let cluster = Cluster::settled();
    let stays = cluster.on("node3", "docker inspect -f {{.Id}} spark-worker2");
    cluster.on("node2", "docker rm -f spark-worker1");
    let planned = cluster.plan().ends(10);
    assert_eq!(planned.places(), [at("workers", "node2")].into(), "nothing else is to be done");
    let command = planned.of("change").next().and_then(|change| change["command"].as_str()).unwrap_or_default();
    assert!(command.starts_with("docker run -d --name spark-worker1 "), "{command}");
    cluster.skep(&["run", "playbooks/spark.yml", "--step", "workers"]).ends(0);
    cluster.plan().ends(0);
    assert_eq!(
        cluster.on("node3", "docker inspect -f {{.Id}} spark-worker2"),
        stays,
        "the other worker was left alone"
    );
}

/// The second as when the first manager was lost and is a new machine: what the others know is of no use any more. One run heals
/// both.
#[test]
fn a_master_that_was_stopped_is_named_and_a_secret_that_was_lost_is_made_anew_for_all_who_read_it() {
    let cluster = Cluster::settled();
    cluster.on("node1", "docker stop spark-master");
    let planned = cluster.plan().ends(10);
    let certain = planned.of("change").find(|change| change["after"].is_null());
    let command = certain.map(ToString::to_string).unwrap_or_default();
    assert!(command.contains(r#""step":"master""#) && command.contains("docker start"), "{}", planned.text());
    let secret = |host: &str| cluster.on(host, "cat /etc/skep/spark/secret");
    let (old, ids) = (secret("node1"), cluster.on("node2", "docker ps -aq --no-trunc"));
    cluster.on("node1", "rm /etc/skep/spark/secret");
    let told = cluster.skep(&["run", "playbooks/spark.yml"]).ends(0);
    for place in [at("master", "node1"), at("workers", "node2"), at("workers", "node3"), at("driver", "node1")] {
        assert!(told.ended("changed").contains(&place), "{place:?} has the old one: {}", told.text());
    }
    assert!(told.ended("changed").contains(&at("job", "node1")), "it was proven with the new one");
    assert_ne!(secret("node1"), old);
    assert_eq!((secret("node2"), secret("node3")), (secret("node1"), secret("node1")));
    assert_eq!(cluster.on("node2", "docker ps -aq --no-trunc"), ids, "started again, not made anew");
    cluster.plan().ends(0);
}

#[test]
fn a_container_of_other_settings_is_shown_field_by_field_and_replaced_only_if_allowed() {
    let cluster = Cluster::settled();
    let image = cluster.on("node3", "docker inspect -f {{.Config.Image}} spark-worker2");
    let by_hand = format!(
        "docker rm -f spark-worker2; docker run -d --name spark-worker2 --hostname spark-worker2 \
        --network sparknet -e SPARK_DAEMON_MEMORY=511m {image}"
    );
    cluster.on("node3", &by_hand);
    let planned = cluster.plan().ends(10);
    let change = planned.of("change").find(|change| change["host"] == "node3").expect("a change on node3");
    let fields: Vec<&str> =
        change["differs"].as_array().expect("a list").iter().filter_map(|d| d["field"].as_str()).collect();
    assert!(
        fields.iter().any(|field| field.contains("SPARK_DAEMON_MEMORY")) && fields.contains(&"restart"),
        "{fields:?}"
    );
    assert!(!change["differs"].to_string().contains("511m"), "the values of an environment are nobody's: {change:#}");
    assert_eq!(change["removes"], true, "{change:#}");

    let id = cluster.on("node3", "docker inspect -f {{.Id}} spark-worker2");
    let refused = cluster.skep(&["run", "playbooks/spark.yml"]).ends(1);
    assert!(refused.troubles().contains("--yes"), "{}", refused.troubles());
    assert_eq!(cluster.on("node3", "docker inspect -f {{.Id}} spark-worker2"), id, "it was not touched");
    cluster.heal();
    assert_ne!(cluster.on("node3", "docker inspect -f {{.Id}} spark-worker2"), id);
}

#[test]
fn settings_of_the_daemon_that_were_edited_by_hand_are_named_and_what_kills_a_node_is_refused() {
    let cluster = Cluster::settled();
    let settings = "/etc/docker/daemon.json";
    cluster.on("node3", &format!("echo '{{\"live-restore\": true}}' >{settings}"));
    let planned = cluster.plan().ends(1);
    assert_eq!(planned.ended("failed"), [at("docker_engine", "node3")].into());
    assert!(planned.troubles().contains("live-restore"), "{}", planned.troubles());

    cluster.on("node3", &format!("echo '{{\"max-concurrent-downloads\": 4}}' >{settings}"));
    let planned = cluster.plan().ends(10);
    let certain: Vec<_> = planned.of("change").filter(|change| change["after"].is_null()).collect();
    assert_eq!(certain.len(), 1, "{certain:#?}");
    assert_eq!((&certain[0]["step"], &certain[0]["host"]), (&"docker_engine".into(), &"node3".into()));
    assert!(certain[0]["why"].to_string().contains("was edited"), "{certain:#?}");
    cluster.heal();
    cluster.on("node3", &format!("rm {settings}"));
}
