use super::*;
use crate::actions::testing::{Case, action, mistake};
use crate::reads::context::Context;
use crate::reads::{Value, WORKSTATION};
use serde_json::json;

fn info(driver: &str) -> String {
    format!(
        "@skep 200 binary:/usr/bin/docker\n{{\"ServerVersion\":\"29\",\"DockerRootDir\":\"/data/docker\",\"DriverStatus\":[[\"driver-type\",\"{driver}\"]]}}\n@skep 200 /info\n"
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

#[test]
fn one_for_another_platform_is_pulled_anew_where_a_name_means_one_image() {
    let plan = |driver: &str, platform: &str| {
        let reads = [image("img:1"), Read::Docker(Look::Engine)];
        let out = format!("{}{}", info(driver), there("img:1", &["a"], &json!({})));
        let asked: Image = action(json!({"name": "img:1", "platform": platform}));
        Case::new(&["node1"]).answers("node1", &reads, &out).plan(&asked)
    };
    let pulled = "change\n  the one here is made for amd64\n    $ docker pull --platform linux/arm64/v8 img:1";
    assert_eq!(plan("", "linux/arm64/v8"), pulled);
    assert_eq!(plan("io.containerd.snapshotter.v1", "linux/arm64/v8"), "settled", "it would not be seen there");
    assert_eq!(plan("", "linux/amd64"), "settled");
    assert_eq!(plan("", "linux/x86_64"), "settled");
}

#[test]
fn what_is_named_by_a_digest_is_pulled_and_nothing_else() {
    let name = "bitnami/spark@sha256:1";
    let carried = mistake::<Image>(json!({"name": name, "carry": "managers[0]"}));
    assert_eq!(
        carried,
        "an image is not carried by a digest: name it by a tag, or pull `bitnami/spark@sha256:1` on each host that is to have it"
    );
    assert!(mistake::<Image>(json!({"name": name, "push": true})).contains("not pushed by a digest"));
    assert!(mistake::<Image>(json!({"name": name, "build": {"context": "ctx"}})).contains("not built by a digest"));
    action::<Image>(json!({"name": name, "pull": true, "carry": "managers[0]"}));
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

/// node2, which may carry it from node1. Their disks have so many MiB left: Docker's root there, and /var/tmp here.
fn carrying(driver: &str, own: &str, layers: &str, left: (u64, u64)) -> Case {
    let reads = [image("img:1"), Read::Docker(Look::Engine), Read::Docker(Look::Layers)];
    let theirs = format!("{}{}", info(""), there("img:1", &["a", "b", "c"], &json!({})));
    let free = |path: &str| [Read::Probe(carry::free(path))];
    Case::new(&["node2", "node1@managers"])
        .answers("node1", &reads[..1], &theirs)
        .answers("node1", &free("/var/tmp"), &format!("{}\n", left.1))
        .answers("node2", &reads, &format!("{}{own}{layers}\n@skep 200 layers\n{NONE}", info(driver)))
        .answers("node2", &free("/data/docker"), &format!("{}\n", left.0))
        .answers("node2", &free("/var/lib/containerd"), "9000\n")
}

const ROOMY: (u64, u64) = (9000, 9000);

fn carried() -> Image {
    action(json!({"name": "img:1", "carry": "managers[0]"}))
}

#[test]
fn only_the_layers_that_are_missing_are_carried() {
    let plan = |driver: &str, layers: &str| carrying(driver, "", layers, ROOMY).plan(&carried());
    let all = "change\n  it is not here\n    node1: docker save img:1 | docker load -q";
    assert_eq!(plan("", "[\"x\"]"), all);
    assert_eq!(plan("", "[\"a\",\"b\",\"z\"]"), all.replace("img:1 |", "img:1 (without its first 2 layers) |"));
    assert_eq!(plan("io.containerd.snapshotter.v1", "[\"a\",\"b\"]"), all, "that store wants every layer");
    let full = carrying("", "", "[\"a\",\"b\",\"z\"]", (9000, 300)).plan(&carried());
    assert_eq!(full, all, "node1 has no room to take layers out");
}

#[test]
fn the_same_content_is_not_carried_and_another_is() {
    let own = |layers: &[&str]| carrying("", &there("img:1", layers, &json!({})), "", ROOMY).plan(&carried());
    assert_eq!(own(&["a", "b", "c"]), "settled");
    assert!(own(&["a"]).starts_with("change\n  that of node1 is another"));
}

#[test]
fn nothing_is_carried_where_there_is_no_room() {
    let plan = carrying("", "", "", (500, 9000)).plan(&carried());
    let why = "refused: image img:1 needs 953 MiB on node2 while it is unpacked, and /data/docker has 500 MiB left";
    assert!(plan.starts_with(why), "{plan}");
}

/// Runs a script with a folder of its own for `/var/tmp`.
fn sh(folder: &std::path::Path, script: &str) -> String {
    let script = script.replace("/var/tmp", &folder.display().to_string());
    let ran = std::process::Command::new("sh").arg("-c").arg(script).current_dir(folder).output().expect("sh");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

#[test]
fn layers_are_left_out_on_the_way_and_nothing_stays_but_what_another_is_at_work_on() {
    let folder = tempfile::tempdir().unwrap();
    let made = "mkdir -p made/a made/b; echo 1 >made/a/layer.tar; echo 2 >made/b/layer.tar
        echo '[{\"Layers\":[\"a/layer.tar\",\"b/layer.tar\"]}]' >made/manifest.json
        mkdir skep.lost skep.held skep.young; touch -d '1 hour ago' skep.lost skep.held";
    sh(folder.path(), made);
    let script = carry::save_without("tar -cf - -C made .", 1);
    let files = sh(folder.path(), &format!("( flock 7; ({script}) | tar -tf - ) 7<skep.held | grep '[a-z]$' | sort"));
    assert_eq!(files, "./b/layer.tar\n./manifest.json\n");
    assert_eq!(sh(folder.path(), "ls"), "made\nskep.held\nskep.young\n");
}

/// An image whose registry gave it that digest, if any.
fn pushed(layers: &[&str], digest: Option<&str>) -> String {
    let digests: Vec<String> = digest.iter().map(|digest| format!("r.example:5000/img@sha256:{digest}")).collect();
    let row =
        json!({"Id": "1", "RepoTags": ["r.example:5000/img:1"], "RepoDigests": digests, "RootFS": {"Layers": layers}});
    format!("{row}\n@skep 200 /images/r.example:5000/img:1/json\n")
}

const NAME: &str = "r.example:5000/img:1";

/// What is asked of the registry about an image that was pushed.
fn asks_registry() -> [Read; 1] {
    [Read::Probe(registry::in_registry(NAME))]
}

#[test]
fn a_push_follows_a_build_and_is_not_repeated() {
    let asked: Image = action(json!({"name": NAME, "push": true}));
    let plan = |digest| {
        let out = format!("{}{}", info(""), pushed(&[], digest));
        let case = Case::new(&["node1"]).answers("node1", &[image(NAME), Read::Docker(Look::Engine)], &out);
        case.ended("node1", &asks_registry(), 0, "", "").plan(&asked)
    };
    assert_eq!(Case::new(&["node1"]).missing(&asked).len(), 3, "asked in one go, whatever the engine will say");
    assert_eq!(plan(Some("1")), "settled");
    assert!(plan(None).ends_with("  its registry does not have it\n    $ docker push r.example:5000/img:1"));
}

#[test]
fn the_registry_says_whether_it_has_it_whatever_the_engine_knows() {
    let asked: Image = action(json!({"name": NAME, "push": true}));
    for driver in ["", "io.containerd.snapshotter.v1"] {
        let plan = |code, errors| {
            let out = format!("{}{}", info(driver), pushed(&[], Some("1")));
            let case = Case::new(&["node1"]).answers("node1", &[image(NAME), Read::Docker(Look::Engine)], &out);
            case.ended("node1", &asks_registry(), code, "", errors).plan(&asked)
        };
        assert_eq!(plan(0, ""), "settled");
        let push = "change\n  its registry does not have it: manifest unknown\n    $ docker push r.example:5000/img:1";
        assert_eq!(plan(1, "manifest unknown\n"), push);
        let told = plan(3, "manifest unknown\n");
        assert_eq!(told, if driver.is_empty() { "settled" } else { push }, "{driver}: the command is not the engine");
    }
}

#[test]
fn a_registry_has_it_where_its_tag_means_one_of_the_digests() {
    let folder = tempfile::tempdir().unwrap();
    let docker = "#!/bin/sh\n[ $1 = info ] || [ $3 != -v ] || cat tag\n[ $1 != image ] || cat ours\n";
    std::fs::write(folder.path().join("docker"), docker).unwrap();
    let script = format!("chmod +x docker; PATH=.:$PATH\n{}", registry::in_registry(NAME).line);
    let code = || {
        let mut sh = std::process::Command::new("sh");
        sh.arg("-c").arg(&script).current_dir(folder.path()).output().unwrap().status.code()
    };
    let has = || code() == Some(0);
    let tagged = |text: &str| std::fs::write(folder.path().join("tag"), text).unwrap();
    let ours = |text: &str| std::fs::write(folder.path().join("ours"), text).unwrap();
    ours("r.example:5000/other@sha256:1\n");
    assert_eq!(code(), Some(3), "it never was there");
    ours("r.example:5000/img@sha256:1\nr.example:5000/img@sha256:2\n");
    assert_eq!(code(), Some(1), "it has the digest, and no such tag");
    tagged(r#"{"Ref": "r.example:5000/img:1", "Descriptor": {"digest": "sha256:2"}}"#);
    assert!(has());
    tagged(r#"{"Ref": "r.example:5000/img:1", "Descriptor": {"digest": "sha256:3"}}"#);
    assert!(!has(), "another was pushed by that name");
    tagged(r#"[{"Descriptor": {"digest": "sha256:4"}}, {"Descriptor": {"digest": "sha256:5"}}]"#);
    assert!(has(), "its parts have digests of their own, and the whole is there");
}

#[test]
fn a_registry_is_asked_without_tls_only_where_the_engine_may_do_so() {
    let folder = tempfile::tempdir().unwrap();
    // As of an image for several platforms: the name is asked for, then the digest.
    let docker = "#!/bin/sh\ncase $1 in info) echo ' plain:5000 ' ;; image) echo \"${5%:*}@sha256:1\" ;; *) echo \"$*\" >&2; echo '[' ;; esac\n";
    std::fs::write(folder.path().join("docker"), docker).unwrap();
    let asked = |registry: &str| {
        let probe = registry::in_registry(&format!("{registry}/img:1"));
        let script = format!("chmod +x docker; PATH=.:$PATH\n{}", probe.line);
        let ran = std::process::Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
        String::from_utf8(ran.stderr).unwrap()
    };
    let told = |option: &str, registry: &str| {
        format!("manifest inspect -v {option}{registry}/img:1\nmanifest inspect {option}{registry}/img@sha256:1\n")
    };
    assert_eq!(asked("r.example:5000"), told("", "r.example:5000"));
    for insecure in ["plain:5000", "localhost:5000", "127.0.0.1:5000"] {
        assert_eq!(asked(insecure), told("--insecure ", insecure));
    }
}

/// What node2 has to do to have what node1 has, through the registry.
fn pulling(theirs: &str, own: &str) -> String {
    let read = [image(NAME)];
    let none = "[]\n@skep 200 /images/json\n";
    let case = Case::new(&["node2", "node1@managers"])
        .answers("node1", &read, &format!("{}{theirs}{none}", info("")))
        .answers("node2", &read, &format!("{}{own}{none}", info("")));
    case.plan(&action::<Image>(json!({"name": NAME, "pull": true, "carry": "managers[0]"})))
}

#[test]
fn what_another_host_pushed_anew_is_pulled_anew_by_its_digest() {
    let new = pushed(&["a", "b"], Some("2"));
    let pull =
        "    $ docker pull r.example:5000/img@sha256:2 && docker tag r.example:5000/img@sha256:2 r.example:5000/img:1";
    assert_eq!(pulling(&new, ""), format!("change\n  it is not here\n{pull}"));
    assert_eq!(pulling(&new, &pushed(&["a"], Some("1"))), format!("change\n  that of node1 is another\n{pull}"));
    assert_eq!(pulling(&new, &new), "settled");
    assert_eq!(pulling(&new, &pushed(&["arm"], Some("2"))), "settled", "another architecture's, of the same digest");
    let tagged = "change\n  it is not here\n    $ docker pull r.example:5000/img:1";
    assert_eq!(pulling("", ""), tagged, "nobody has it");
    assert_eq!(pulling(&pushed(&["a"], None), ""), tagged, "it was not pushed");
}

#[test]
fn what_docker_says_of_an_image_that_is_not_there_or_does_not_fit_has_a_hint() {
    let hint = |said: &str| build().hint(said).unwrap_or_default();
    let missing = "Error response from daemon: manifest for img:9 not found: manifest unknown: manifest unknown";
    assert!(hint(missing).starts_with("no such image or tag there"));
    let full = "Error processing tar file(exit status 1): write /usr/lib/x.so: no space left on device";
    assert!(hint(full).starts_with("make room there"));
}

#[test]
fn two_steps_that_own_one_image_are_told_however_they_name_it() {
    let object = |name: &str| action::<Image>(json!({"name": name})).object().unwrap();
    assert_eq!(object("docker.io/library/debian"), object("debian:latest"));
    assert_ne!(object("debian:13"), object("debian:latest"));
}
