use super::*;
use crate::actions::testing::{Case, action};
use crate::reads::context::Context;
use crate::reads::{Machine, Value, WORKSTATION};
use serde_json::json;

fn info(driver: &str) -> String {
    format!(
        "@skep 200 binary:/usr/bin/docker\n{{\"ServerVersion\":\"29\",\"DriverStatus\":[[\"driver-type\",\"{driver}\"]]}}\n@skep 200 /info\n"
    )
}

fn there(name: &str, layers: &[&str], labels: &serde_json::Value) -> String {
    let row = json!({"Id": "sha256:1", "RepoTags": [name], "Size": 400_000_000, "Architecture": "amd64",
        "RootFS": {"Layers": layers}, "Config": {"Labels": labels}});
    format!("{row}\n@skep 200 /images/{name}/json\n")
}

const NONE: &str = "[]\n@skep 200 /images/json\n";

fn case(host: &str, answer: &str) -> Case {
    Case::new(&[host]).answers(host, &[image("img:1")], &format!("{}{answer}", info("")))
}

#[test]
fn one_that_is_there_is_settled_and_one_that_is_not_is_pulled() {
    let asked: Image = action(json!({"name": "img:1"}));
    assert_eq!(case("node1", &there("img:1", &["a"], &json!({}))).plan(&asked), "settled");
    assert_eq!(case("node1", NONE).plan(&asked), "change\n  it is not here\n    $ docker pull img:1");
}

fn build() -> Image {
    action(json!({"name": "img:1", "build": {"context": "ctx", "args": {"BASE": "base:1"}, "ca_file": "ca.pem"}}))
}

/// Given what the host has as `img:1` and as `base:1`.
fn building(own: &str, base: &str, sha256: &str) -> Case {
    let extra = vec![("skep-ca.crt".into(), "/playbooks/ca.pem".into())];
    let context = Context { folder: "/playbooks/ctx".into(), dockerfile: "Dockerfile".into(), extra };
    let text = Value::Text("ARG BASE\nFROM ${BASE}\nRUN x\n".into());
    Case::new(&["node1"])
        .answers("node1", &[image("img:1"), image("base:1")], &format!("{}{own}{base}{NONE}", info("")))
        .seen(WORKSTATION, Read::Context(context), Seen::Is(Value::Context(sha256.into())))
        .seen(WORKSTATION, Read::Text("/playbooks/ctx/Dockerfile".into()), Seen::Is(text))
}

/// The labels that the plan of a build would set.
fn labels(plan: &str) -> serde_json::Value {
    let label = |name: &str| plan.split(&format!("{name}=")).nth(1).unwrap().split('\'').next().unwrap().to_owned();
    json!({"skep.context": label("skep.context"), "skep.base": label("skep.base")})
}

#[test]
fn a_build_happens_again_only_if_files_arguments_or_base_changed() {
    let base = there("base:1", &["a"], &json!({}));
    let first = building("", &base, "c1").plan(&build());
    assert!(
        first.starts_with(
            "change\n  it is not here\n    send | docker build -t img:1 -f Dockerfile --label 'skep.context="
        ),
        "{first}"
    );
    assert!(first.ends_with("--build-arg 'BASE=base:1' -"), "{first}");
    let own = there("img:1", &["a", "b"], &labels(&first));
    assert_eq!(building(&own, &base, "c1").plan(&build()), "settled");
    assert!(building(&own, &base, "c2").plan(&build()).contains("files and arguments: "));
    assert!(building(&own, &there("base:1", &["z"], &json!({})), "c1").plan(&build()).contains("base image: "));
}

#[test]
fn a_base_that_came_with_the_build_makes_no_difference() {
    let first = building("", "", "c1").plan(&build());
    let own = there("img:1", &["a", "b"], &labels(&first));
    assert_eq!(building(&own, &there("base:1", &["a"], &json!({})), "c1").plan(&build()), "settled");
}

fn carrying(driver: &str, own: &str, layers: &str, free: u64) -> Case {
    let reads = [image("img:1"), Read::Docker(Look::Engine), Read::Docker(Look::Layers)];
    let machine = Machine { free: vec![("/var/lib/docker".into(), free)], ..Machine::default() };
    Case::new(&["node2", "node1@managers"])
        .answers("node1", &reads[..1], &format!("{}{}", info(""), there("img:1", &["a", "b", "c"], &json!({}))))
        .answers("node2", &reads, &format!("{}{own}{layers}\n@skep 200 layers\n{NONE}", info(driver)))
        .seen("node2", Read::Machine, Seen::Is(Value::Machine(Box::new(machine))))
}

fn carried() -> Image {
    action(json!({"name": "img:1", "carry": "managers[0]"}))
}

#[test]
fn only_the_layers_that_are_missing_are_carried() {
    let plan = |driver: &str, layers: &str| carrying(driver, "", layers, 9000).plan(&carried());
    let all = "change\n  it is not here\n    node1: docker save img:1 | docker load -q";
    assert_eq!(plan("", "[\"x\"]"), all);
    assert_eq!(plan("", "[\"a\",\"b\",\"z\"]"), all.replace("img:1 |", "img:1 (without its first 2 layers) |"));
    assert_eq!(plan("io.containerd.snapshotter.v1", "[\"a\",\"b\"]"), all, "that store wants every layer");
}

#[test]
fn the_same_content_is_not_carried_and_another_is() {
    let own = |layers: &[&str]| carrying("", &there("img:1", layers, &json!({})), "", 9000).plan(&carried());
    assert_eq!(own(&["a", "b", "c"]), "settled");
    assert!(own(&["a"]).starts_with("change\n  that of node1 is another"));
}

#[test]
fn nothing_is_carried_where_there_is_no_room() {
    let plan = carrying("", "", "", 500).plan(&carried());
    assert!(
        plan.starts_with(
            "refused: image img:1 needs 953 MiB on node2 while it is unpacked, and /var/lib/docker has 500 MiB left"
        ),
        "{plan}"
    );
}

#[test]
fn a_push_follows_a_build_and_is_not_repeated() {
    let asked: Image = action(json!({"name": "r.example:5000/img:1", "push": true}));
    let case = |digests: serde_json::Value| {
        let row =
            json!({"Id": "1", "RepoTags": ["r.example:5000/img:1"], "RepoDigests": digests, "RootFS": {"Layers": []}});
        let out = format!("{}{row}\n@skep 200 /images/r.example:5000/img:1/json\n", info(""));
        Case::new(&["node1"]).answers("node1", &[image("r.example:5000/img:1")], &out).plan(&asked)
    };
    assert_eq!(case(json!(["r.example:5000/img@sha256:1"])), "settled");
    assert!(case(json!([])).ends_with("$ docker push r.example:5000/img:1"));
}
