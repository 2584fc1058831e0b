use serde_json::{Value as Json, json};

use super::*;
use crate::actions::testing::{Case, action, mistake};
use crate::actions::{Change, Does};
use crate::reads::Value;
use crate::reads::docker::Look;
use crate::remote::Output;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----";
const UP: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"29\",\"SystemTime\":\"2026-01-01T00:01:00Z\"}\n@skep 200 /info\n";

fn asked(more: Json) -> Registry {
    let mut all = json!({"address": "10.0.0.5:5000"});
    all.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    action(all)
}

fn case() -> Case {
    Case::new(&["node1@managers", "node2@workers"])
}

fn output(code: i32, stdout: &str) -> Seen<Value> {
    Seen::Is(Value::Output(Output { code, stdout: stdout.into(), stderr: Vec::new() }))
}

/// What `node1` says of the certificate.
fn certificate(case: Case, registry: &Registry, code: i32, pem: &str) -> Case {
    case.seen("node1", Read::Probe(registry.certificate_look()), output(code, pem))
}

/// Whom a host trusts.
fn trusting(case: Case, registry: &Registry, host: &str, pem: &str) -> Case {
    use data_encoding::{BASE64, HEXLOWER};
    use sha2::{Digest, Sha256};
    let line = match pem {
        "" => "absent".to_owned(),
        pem => format!(
            "file 644 0 0 root root {} 1 {} {}",
            pem.len(),
            HEXLOWER.encode(&Sha256::digest(pem.as_bytes())),
            BASE64.encode(pem.as_bytes())
        ),
    };
    case.answers(host, &[registry.trust()], &line)
}

fn answering(case: Case, host: &str, port: Port) -> Case {
    case.seen(host, Read::Port { address: "10.0.0.5".into(), port: 5000 }, Seen::Is(Value::Port(port)))
}

#[test]
fn who_pulls_waits_for_the_certificate_takes_it_and_sees_whether_the_port_answers() {
    let registry = asked(json!({}));
    let node2 =
        |code, pem, trusts| trusting(certificate(case().on("node2"), &registry, code, pem), &registry, "node2", trusts);
    let take = "it does not trust the registry\n    node1: openssl x509 -in /var/lib/skep/registry/tls.pem | cat >/etc/docker/certs.d/10.0.0.5:5000/ca.crt";
    assert_eq!(
        node2(0, "", "").plan(&registry),
        format!("wait for the certificate of the registry on node1, then\n  {take}")
    );
    assert_eq!(node2(0, PEM, "").plan(&registry), format!("change\n  {take}"));
    assert_eq!(node2(0, PEM, "another").plan(&registry), format!("change\n  {take}"));
    let trusts = format!("{PEM}\n");
    assert_eq!(answering(node2(0, PEM, &trusts), "node2", Port::Open).plan(&registry), "settled");
    let closed = answering(node2(0, PEM, &trusts), "node2", Port::Silent).plan(&registry);
    assert!(closed.starts_with("wait for the registry at 10.0.0.5:5000 to answer ("), "{closed}");
    let without = node2(3, "", "").plan(&registry);
    assert!(without.starts_with("refused: node1 has no `openssl`"), "{without}");
}

/// The host that it is to run on, with those addresses and no container yet.
fn node1(registry: &Registry, addresses: &str) -> Case {
    let mut machine = Machine::default();
    let nic = crate::reads::Interface {
        name: "eth0".into(),
        addresses: addresses.split(' ').map(|address| (address.parse().unwrap(), 24)).collect(),
        ..Default::default()
    };
    machine.interfaces.push(nic);
    let said = format!(
        "{UP}[]\n@skep 200 http://d/images/json\n[]\n@skep 200 http://d/containers/json?all=1&filters=z\n{{\"message\":\"none\"}}\n@skep 404 http://d/containers/registry/json\n"
    );
    let looks = [Look::Container("registry".into()), Look::Image("registry:2".into())].map(Read::Docker);
    let case = case().answers("node1", &looks, &said).seen(
        "node1",
        Read::Machine,
        Seen::Is(Value::Machine(Box::new(machine))),
    );
    let pem = Read::File { path: registry.asked.pem(), content: false };
    trusting(case.seen("node1", pem, Seen::Absent), registry, "node1", "")
}

#[test]
fn its_host_makes_the_certificate_and_runs_it_on_that_address_alone() {
    let registry = asked(json!({}));
    let told = certificate(node1(&registry, "203.0.113.9 10.0.0.5"), &registry, 0, "").plan(&registry);
    assert!(told.contains("openssl req -x509") && told.contains("-addext subjectAltName=IP:10.0.0.5"), "{told}");
    assert!(told.contains("-p 10.0.0.5:5000:5000") && told.contains("registry:2"), "{told}");
    assert!(told.ends_with("cat >/etc/docker/certs.d/10.0.0.5:5000/ca.crt"), "{told}");
    let refused = certificate(node1(&registry, "203.0.113.9 10.0.0.6"), &registry, 0, "").plan(&registry);
    assert!(refused.contains("node1 has no such address") && refused.contains("(10.0.0.6)"), "{refused}");
}

#[test]
fn what_is_to_go_goes_but_for_its_volume() {
    let registry = asked(json!({"state": "absent"}));
    let node2 = |trusts| trusting(case().on("node2"), &registry, "node2", trusts).plan(&registry);
    assert_eq!(node2(""), "settled");
    assert!(node2(PEM).contains("(removes)\n    $ rm -f /etc/docker/certs.d/10.0.0.5:5000/ca.crt"), "{}", node2(PEM));
}

#[test]
fn what_makes_no_sense_is_named() {
    let wrong = |more: Json| mistake::<Registry>(more);
    assert!(wrong(json!({"address": "registry:5000"})).contains("10.0.0.5:5000, and registry:5000 is not"));
    assert!(wrong(json!({"address": "203.0.113.5:5000"})).contains("in no private network"));
    assert!(wrong(json!({"address": "10.0.0.5:5000", "name": "a/b"})).starts_with("`name`"));
}

/// The scripts themselves, with this machine's openssl.
#[test]
fn a_certificate_is_made_that_is_seen_the_next_time_and_its_key_is_never_printed() {
    let home = tempfile::tempdir().unwrap();
    let registry = asked(json!({}));
    let here = |script: &str| {
        let script = script.replace("/var/lib/skep", &home.path().display().to_string());
        let out = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let look = registry.certificate_look().line;
    assert_eq!(here(&look), "");
    let Change { does: Does::Run(make), .. } = registry.make() else { panic!("a command") };
    here(&make.wire());
    let seen = here(&look);
    assert!(seen.starts_with("-----BEGIN CERTIFICATE") && !seen.contains("KEY"), "{seen}");
    let other: Registry = asked(json!({"address": "10.0.0.6:5000"}));
    assert_eq!(here(&other.certificate_look().line), "", "that of another address will not do");
}
