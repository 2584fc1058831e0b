use super::*;
use crate::actions::testing::{Case, action, mistake};
use serde_json::{Value as Json, json};

const INFO: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"29\",\"SystemTime\":\"2026-01-01T00:10:00Z\"}\n@skep 200 /info\n";

fn image(id: &str, layers: &[&str]) -> String {
    let row = json!({"Id": id, "RepoTags": if id == "i1" { vec!["img:latest"] } else { vec![] }, "Architecture": "amd64", "RootFS": {"Layers": layers},
        "Config": {"Env": ["PATH=/bin"], "Labels": {"maker": "m"}}});
    format!("{row}\n@skep 200 /images/{}/json\n", if id == "i1" { "img" } else { id })
}

fn reads() -> Vec<Read> {
    vec![look(Look::Container("web".into())), look(Look::Image("img".into()))]
}

fn case(container: &str) -> Case {
    Case::new(&["node1"]).answers("node1", &reads(), &format!("{INFO}{container}{}", image("i1", &["a"])))
}

/// The same where its host also tells how it ended lately, and what it wrote.
fn answered(container: &str, ends: &str) -> Case {
    let of_c1: crate::reads::docker::Container = serde_json::from_value(json!({"Id": "c1"})).unwrap();
    let case = case(container).answers("node1", &[Read::Probe(alive::deaths(&of_c1))], ends);
    case.answers("node1", &[Read::Probe(alive::logs(&of_c1))], "no such master\n")
}

fn absent() -> Case {
    case("[]\n@skep 200 /containers/json?all=1&filters=x\n")
}

fn inspect(row: &Json) -> String {
    format!("{row}\n@skep 200 /containers/web/json\n")
}

/// A container as `web` makes it, with changes merged in.
fn found(web: &Container, change: &Json) -> String {
    let mut row = json!({
        "Id": "c1", "Name": "/web", "Image": "i1", "RestartCount": 0,
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
        "Config": {"Image": "img", "Labels": {DIGEST: web.digest()}},
        "HostConfig": {"NetworkMode": "sparknet", "RestartPolicy": {"Name": "no"}},
        "NetworkSettings": {"Networks": {"sparknet": {"EndpointID": "e1", "NetworkID": "n1"}}}});
    merge(&mut row, change);
    inspect(&row)
}

fn merge(row: &mut Json, change: &Json) {
    for (key, value) in change.as_object().unwrap() {
        match value {
            Json::Object(_) if row.get(key).is_some_and(Json::is_object) => merge(&mut row[key], value),
            _ => row[key] = value.clone(),
        }
    }
}

fn web() -> Container {
    action(json!({"name": "web", "image": "img", "networks": ["sparknet"]}))
}

#[test]
fn one_that_is_not_there_is_run_and_no_value_of_its_environment_shows() {
    let web: Container = action(json!({
        "name": "web", "image": "img", "command": "sh -c 'sleep 9'", "hostname": "sparkmaster", "ports": ["127.0.0.1:8080:8080", 7077],
        "networks": [{"name": "sparknet", "aliases": ["m"]}], "env": {"TOKEN": "s3cret", "PATH": "/bin"}, "volumes": ["vv:/v"],
        "restart": "unless-stopped", "memory": "1g", "cpus": 1.5, "tty": true, "healthcheck": {"test": "true", "interval": 5},
        "log": {"driver": "json-file", "options": {"max-size": "10m"}}}));
    let plan = absent().plan(&web);
    let expected = format!(
        "change\n  it is not there\n    $ docker run -d --name web --label 'skep.digest={}' --hostname sparkmaster -p 127.0.0.1:8080:8080 \
         -p 7077 -v vv:/v --restart unless-stopped --memory 1g --cpus 1.5 -t --log-driver json-file --log-opt 'max-size=10m' \
         --health-cmd true --health-interval 5s --network sparknet --network-alias m -e •••••• -e TOKEN img sh -c 'sleep 9'",
        web.digest()
    );
    assert_eq!(plan, expected);
}

#[test]
fn one_that_is_as_asked_is_settled_or_waited_for() {
    let plan = |change: Json| case(&found(&web(), &change)).plan(&web());
    assert_eq!(plan(json!({})), "settled");
    assert_eq!(plan(json!({"State": {"Health": {"Status": "healthy"}}})), "settled");
    assert_eq!(plan(json!({"State": {"Health": {"Status": "starting"}}})), "wait for container web to be healthy");
    let young = json!({"State": {"StartedAt": "2026-01-01T00:09:58Z"}});
    assert_eq!(plan(young), "wait for container web to stay up for 5 s");
    assert_eq!(plan(json!({"RestartCount": 7})), "settled", "it died before, and is up now");
}

#[test]
fn a_lost_network_is_a_difference_that_makes_it_anew_by_id() {
    let lost = json!({"NetworkSettings": {"Networks": {"sparknet": {"EndpointID": ""}}}});
    let plan = case(&found(&web(), &lost)).plan(&web());
    let head = "change\n  it differs from what is asked (removes)\n    networks.sparknet: its attachment was lost -> attached\n    \
                $ id=$(docker create --label ";
    let tail = "--network sparknet img ) && docker rm -v \"$id\" >/dev/null && docker stop c1 && docker rm c1\n  \
                in place of the one removed\n    $ docker run -d --name web";
    assert!(plan.starts_with(head) && plan.contains(tail), "{plan}");
}

#[test]
fn the_same_container_that_is_dead_is_made_again_without_asking_and_any_other_is_not() {
    let gone = |change: Json| {
        let mut row = json!({"State": {"Status": "exited", "ExitCode": 137, "StartedAt": "2026-01-01T00:09:50Z",
            "FinishedAt": "2026-01-01T00:09:55Z", "Error": "could not attach to network sparknet"}});
        merge(&mut row, &change);
        answered(&found(&web(), &row), "die\n").plan(&web())
    };
    let lost = "change\n  it lost its network, which starting it again does not mend";
    assert!(gone(json!({})).starts_with(&format!("{lost}\n    $ docker rm -f c1\n")), "{}", gone(json!({})));
    let mount = |name: &str| json!({"Mounts": [{"Type": "volume", "Name": name}]});
    assert!(gone(mount("spark-recovery")).starts_with(&format!("{lost}\n")));
    assert!(gone(mount(&"0a".repeat(32))).starts_with(&format!("{lost} (removes)")), "its volume has no name");
    let by_hand = gone(json!({"Config": {"Labels": null}}));
    assert!(by_hand.starts_with(&format!("{lost} (removes)")), "{by_hand}");
    let other = gone(json!({"HostConfig": {"Memory": 5}, "Config": {"Labels": {DIGEST: "other"}}}));
    assert!(other.starts_with("change\n  it differs from what is asked (removes)"), "{other}");
    let never = gone(json!({"State": {"Status": "created"}, "Config": {"Labels": {DIGEST: "other"}}}));
    assert!(never.starts_with("change\n  it differs from what is asked\n"), "{never}");
}

#[test]
fn what_is_no_longer_asked_for_is_shown_by_name() {
    let row = json!({"Config": {"Env": ["A=s3cret", "PATH=/bin", "HTTP_PROXY=x"], "Labels": {DIGEST: "other", "b": "1", "maker": "m"}},
        "HostConfig": {"Memory": 5, "NanoCpus": 500_000_000, "RestartPolicy": {"Name": "always"}, "Binds": ["vv:/v"],
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        "NetworkSettings": {"Networks": {"old": {"EndpointID": "e2"}}}});
    let plan = case(&found(&web(), &row)).plan(&web());
    let lines = "memory: 5 -> no limit\n    cpus: 0.500 -> no limit\n    restart: always -> no\n    ports: 8080:80/tcp -> none\n    \
                 volumes: vv:/v -> none\n    networks.old: attached -> not asked for\n    env.A: set -> not asked for\n    \
                 labels.b: set -> not asked for\n    $ id=$(docker create ";
    assert!(plan.contains(lines), "{plan}");
}

#[test]
fn differences_are_shown_field_by_field_without_values_of_the_environment() {
    let asked: Container = action(
        json!({"name": "web", "image": "img", "env": {"A": "new", "B": "x"}, "ports": ["8080:80"], "memory": "1g"}),
    );
    let row = json!({"Config": {"Env": ["A=old"], "Labels": {DIGEST: "other"}}, "HostConfig": {"Memory": 5}});
    let plan = case(&found(&asked, &row)).plan(&asked);
    for line in ["memory: 5 -> 1073741824", "env.A: set -> changed", "env.B: none -> set", "ports: none -> 8080:80/tcp"]
    {
        assert!(plan.contains(line), "{line} is not in {plan}");
    }
    assert!(!plan.contains("old"), "{plan}");
}

#[test]
fn an_old_secret_is_not_shown_beside_the_new_one() {
    let asked: Container = action(json!({
        "name": "web", "image": "img", "command": "redis-server --requirepass new", "labels": {"api_token": "new"},
        "healthcheck": {"test": "redis-cli --pass new ping"}, "log": {"driver": "splunk", "options": {"splunk-token": "new"}}}));
    let row = json!({
        "Config": {"Cmd": ["redis-server", "--requirepass", "hunter2"], "Labels": {DIGEST: "other", "api_token": "hunter2"},
            "Healthcheck": {"Test": ["CMD-SHELL", "redis-cli --pass hunter2 ping"]}},
        "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2"}}}});
    let plan = case(&found(&asked, &row)).plan(&asked);
    for field in ["command", "labels.api_token", "healthcheck.command", "log.options.splunk-token"] {
        assert!(plan.contains(&format!("    {field}: set -> changed\n")), "{field} is not in {plan}");
    }
    assert!(!plan.contains("hunter2"), "{plan}");
}

#[test]
fn a_limit_that_the_kernel_cannot_keep_is_no_difference_where_it_was_asked_for() {
    let asked: Container = action(json!({"name": "web", "image": "img", "networks": ["sparknet"], "memory": "1g"}));
    let plan = |change: Json| case(&found(&asked, &change)).plan(&asked);
    assert_eq!(plan(json!({"HostConfig": {"Memory": 0}})), "settled");
    let less = plan(json!({"HostConfig": {"Memory": 5}}));
    assert!(less.contains("memory: 5 -> 1073741824"), "{less}");
    let other = plan(json!({"HostConfig": {"Memory": 0}, "Config": {"Labels": {DIGEST: "other"}}}));
    assert!(other.contains("memory: no limit -> 1073741824"), "{other}");
}

#[test]
fn the_default_network_is_the_bridge() {
    let asked: Container = action(json!({"name": "web", "image": "img", "networks": ["default"]}));
    let row = json!({"NetworkSettings": {"Networks": {"bridge": {"EndpointID": "e1"}}}});
    assert_eq!(case(&found(&asked, &row)).plan(&asked), "settled");
    let run = absent().plan(&asked);
    assert!(run.ends_with("--network bridge img"), "{run}");
}

#[test]
fn one_that_someone_else_made_is_compared_in_the_fields_asked_for_only() {
    let row = json!({"Config": {"Labels": null, "Hostname": "abc", "Env": ["X=1"]}, "HostConfig": {"Memory": 5}});
    assert_eq!(case(&found(&web(), &row)).plan(&web()), "settled");
}

#[test]
fn parameters_that_leave_no_trace_still_make_a_difference() {
    let row = json!({"Config": {"Labels": {DIGEST: "other"}}});
    assert!(case(&found(&web(), &row)).plan(&web()).contains("parameters: other -> "));
}

#[test]
fn the_same_content_under_another_id_is_the_same_image() {
    let case = |layers: &[&str]| {
        let two = found(&web(), &json!({"Image": "i0"}));
        let own = look(Look::Image("i0".into()));
        let mut reads = reads();
        reads.push(own);
        let out = format!("{INFO}{two}{}{}", image("i1", &["a"]), image("i0", layers));
        Case::new(&["node1"]).answers("node1", &reads, &out).plan(&web())
    };
    assert_eq!(case(&["a"]), "settled");
    assert!(case(&["b"]).contains("image: img (i0) -> img (i1)"));
}

#[test]
fn one_that_keeps_dying_is_refused_with_its_last_lines() {
    let plan = |state: &Json, ends: &str| {
        answered(&found(&web(), &json!({"RestartCount": 4, "State": state})), ends).plan(&web())
    };
    let restarting = json!({"Status": "restarting", "ExitCode": 1});
    let refused = plan(&restarting, "die\ndie\nkill\ndie\ndie\n");
    let told = "refused: container web on node1 keeps dying: exit code 1, 3 deaths in the last 5 minutes";
    assert!(refused.starts_with(told) && refused.contains("no such master"), "{refused}");
    assert_eq!(
        plan(&restarting, "die\ndie\n"),
        "wait for container web to stay up (it ended with exit code 1)",
        "its fourth restart in months"
    );
    let young = json!({"StartedAt": "2026-01-01T00:09:58Z"});
    assert_eq!(plan(&young, "die\ndie\ndie\n"), "wait for container web to stay up for 5 s");
}

#[test]
fn one_that_ended_at_once_is_refused_and_one_that_was_stopped_is_started() {
    let plan = |code: i64, oom: bool, ends: &str| {
        let state = json!({"Status": "exited", "ExitCode": code, "OOMKilled": oom, "StartedAt": "2026-01-01T00:09:50Z",
            "FinishedAt": "2026-01-01T00:09:55Z"});
        answered(&found(&web(), &json!({"State": state})), ends).plan(&web())
    };
    for (code, ends) in [(143, "kill\ndie\n"), (1, "kill\nkill\ndie\n"), (0, "die\n"), (137, "die\n")] {
        let started = format!("change\n  it has stopped (exit code {code})\n    $ docker start c1");
        assert_eq!(plan(code, false, ends), started, "{ends:?}");
    }
    let dying = "refused: container web on node1 keeps dying: exit code";
    let foreign = json!({"Status": "exited", "ExitCode": 1, "StartedAt": "2026-01-01T00:09:50.991Z", "FinishedAt": "2026-01-01T00:09:50.990Z"});
    let refused = answered(&found(&web(), &json!({"State": foreign})), "die\n").plan(&web());
    assert!(refused.starts_with(dying), "its engine says that it ended before it started: {refused}");
    for (code, oom, ends) in [(1, false, "die\n"), (137, true, "die\n"), (0, false, "die\ndie\n")] {
        let refused = plan(code, oom, ends);
        assert!(refused.starts_with(&format!("{dying} {code}")), "{refused}");
    }
}

#[test]
fn who_holds_the_port_is_named() {
    let web: Container = action(json!({"name": "web", "image": "img", "ports": ["8080:80"]}));
    let row = json!({"State": {"Status": "created", "Error": "Bind for 0.0.0.0:8080 failed: port is already allocated"},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}}});
    let case = case(&found(&web, &row));
    let probe = Read::Probe(web.holders());
    let free = case.answers("node1", std::slice::from_ref(&probe), "");
    assert!(free.plan(&web).contains("docker rm -f c1"));
    let holder = "port 8080: container other (0.0.0.0:8080->80/tcp)\n";
    let taken = free.answers("node1", std::slice::from_ref(&probe), holder).plan(&web);
    assert!(taken.starts_with("refused: container web cannot publish its ports on node1"), "{taken}");
    assert!(taken.contains("container other"), "{taken}");
    // One that ran before is not taken for one that has lost its network, of which nothing would be missed.
    let words = "failed to set up container networking: driver failed programming external connectivity: port is already allocated";
    let mut ran = row;
    merge(&mut ran, &json!({"State": {"Status": "exited", "ExitCode": 0, "Error": words}}));
    let ran = answered(&found(&web, &ran), "");
    let taken = ran.answers("node1", std::slice::from_ref(&probe), holder).plan(&web);
    assert!(taken.starts_with("refused: container web cannot publish its ports on node1"), "{taken}");
    let ran = answered(&found(&web, &json!({"State": {"Status": "exited", "Error": words}})), "");
    let free = ran.answers("node1", &[probe], "").plan(&web);
    assert!(free.ends_with("docker start c1"), "{free}");
}

#[test]
fn several_networks_are_all_there_before_it_starts() {
    let web: Container =
        action(json!({"name": "web", "image": "img", "networks": ["a", {"name": "b", "ip": "10.9.0.2"}]}));
    let plan = absent().plan(&web);
    let tail = "$ docker network connect --ip 10.9.0.2 b web\n  it has all its networks\n    $ docker start web";
    assert!(plan.contains("$ docker create --name web") && plan.ends_with(tail), "{plan}");
}

/// The clock of the case's host says ten minutes past midnight.
#[test]
fn one_whose_files_have_changed_since_it_started_is_restarted() {
    let with = |files: &[&str]| -> Container {
        action(json!({"name": "web", "image": "img", "networks": ["sparknet"], "restart_if_newer": files}))
    };
    let (web, key) = (with(&["/etc/key"]), Read::File { path: "/etc/key".into(), content: false });
    let midnight = 1_767_225_600;
    let plan = |state: Json, file: &str| {
        let case = answered(&found(&web, &json!({"State": state})), "die\ndie\ndie\n");
        case.answers("node1", std::slice::from_ref(&key), file).plan(&web)
    };
    let changed = |second: i32| format!("file 600 0 0 root root 4 {}.5 - -\n", midnight + second);
    let restarted = "change\n  /etc/key has changed since it started\n    $ docker restart c1";
    assert_eq!(plan(json!({}), &changed(1)), restarted);
    assert_eq!(plan(json!({}), &changed(-1)), "settled");
    assert_eq!(plan(json!({}), &changed(601)), "settled", "restarting it would never end that");
    assert_eq!(plan(json!({}), "absent\n"), "settled");
    assert!(plan(json!({}), "unread no permission\n").contains("no permission"));
    // With what is new it may live.
    assert_eq!(plan(json!({"Status": "restarting", "ExitCode": 1}), &changed(1)), restarted);
    assert_eq!(web.digest(), with(&[]).digest(), "it is not made anew for that");
}

#[test]
fn mistakes_are_named() {
    assert!(mistake::<Container>(json!({"name": "x"})).contains("image"));
    assert!(mistake::<Container>(json!({"name": "x", "image": "i", "ports": ["http"]})).contains("ports"));
    assert!(mistake::<Container>(json!({"name": "x", "image": "i", "env": {"a b": 1}})).contains("a b"));
    let newer = json!({"name": "x", "image": "i", "restart_if_newer": ["key"]});
    assert!(mistake::<Container>(newer).contains("absolute"));
    let shared = json!({"name": "x", "image": "i", "networks": ["container:vpn"]});
    assert!(mistake::<Container>(shared).contains("`container:vpn` is the network of another container"));
    assert!(mistake::<Container>(json!({"name": "x", "image": "i", "imag": 1})).contains("imag"));
}
