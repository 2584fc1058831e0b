//! Again, with nothing to change.

use std::fs;

use crate::support::cluster::{Cluster, Told};

/// Every container, with its identity and its start.
const CONTAINERS: &str =
    "docker ps -aq --no-trunc | xargs docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}' | sort";

#[test]
fn a_rerun_changes_nothing_with_one_connection_and_one_command_per_host() {
    let cluster = Cluster::settled();
    let hosts = cluster.lab.hosts();
    hosts.iter().for_each(|host| drop(cluster.on(host, COUNT)));
    let seen = |script: &str| hosts.iter().map(|host| cluster.on(host, script)).collect::<Vec<_>>();
    let containers = seen(CONTAINERS);
    assert_eq!(containers.concat().matches("/spark-").count(), 5, "{containers:?}");

    for work in [up, up_without_memory, plan] {
        let marks = seen(MARK);
        nothing_was_done(&work(&cluster));
        assert_eq!(seen(CONTAINERS), containers, "containers, their ids and starts");
        for (host, mark) in hosts.iter().zip(&marks) {
            let (since, cursor) = mark.split_once(' ').expect("a time and a place in the journal");
            let events = cluster.on(host, &EVENTS.replace("SINCE", since));
            assert_eq!(events, "", "what Docker saw happen on {host}");
            let counted = cluster.on(host, &COUNTED.replace("CURSOR", cursor));
            assert_eq!(counted, "1 connection, 1 command", "as the sshd of {host} counts");
        }
    }
}

fn up(cluster: &Cluster) -> Told {
    cluster.skep(&["up"])
}

fn up_without_memory(cluster: &Cluster) -> Told {
    fs::remove_dir_all(cluster.project.join(".skep")).expect("there is a journal");
    up(cluster)
}

fn plan(cluster: &Cluster) -> Told {
    cluster.plan()
}

fn nothing_was_done(told: &Told) {
    assert_eq!(told.code, 0, "{}", told.text());
    let jobs = told.of("job_finished").count();
    let idle = told.of("job_finished").filter(|job| matches!(job["outcome"].as_str(), Some("unchanged" | "skipped")));
    assert_eq!((idle.count(), told.of("change").count()), (jobs, 0), "{}", told.text());
}

/// The sshd tells of every command that it starts.
const COUNT: &str = "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/count.conf; systemctl reload ssh";

/// Now, by the host's clock, and where its journal ends.
const MARK: &str = "printf '%s ' \"$(date +%s.%N)\"; journalctl -q -n 1 --show-cursor | sed -n 's/^-- cursor: //p'";

/// Health checks, and programs that only look into a container, are executed in it; all else is a change.
const EVENTS: &str = "events=$(docker events --since SINCE --until \"$(date +%s.%N)\") || exit; \
    echo \"$events\" | grep -v ' container exec_' | xargs -r";

const COUNTED: &str = "journalctl --sync; log=$(journalctl -q -t sshd --after-cursor 'CURSOR' -o cat); \
    echo \"$(echo \"$log\" | grep -c '^Accepted publickey') connection, $(echo \"$log\" | grep -c '^Starting session: ') command\"";
