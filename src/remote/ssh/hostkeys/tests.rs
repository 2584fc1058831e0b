//! Matching is compared with `ssh-keygen -F`, which is OpenSSH's own.

use std::process::Command;

use proptest::prelude::*;

use super::*;

const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn key(text: &str) -> PublicKeyOrCertificate {
    PublicKey::from_openssh(text).unwrap().into()
}

fn read(text: &str, host: &str, port: u16) -> HostKeys {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    HostKeys::read(&[file.path().to_owned()], host, &place(host, port)).unwrap()
}

/// The lines in which OpenSSH finds `name`.
fn found_by_openssh(text: &str, name: &str) -> Vec<usize> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let output = Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(file.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split("found: line ").nth(1)?.split(' ').next()?.parse().ok()).collect()
}

fn found_by_us(text: &str, host: &str, port: u16) -> Vec<usize> {
    let name = place(host, port);
    let lines = text.lines().enumerate();
    lines.filter(|(_, l)| parse(l).is_some_and(|e| matches(e.host_patterns(), &name))).map(|(i, _)| i + 1).collect()
}

#[test]
fn hosts_are_found_where_openssh_finds_them() {
    let hashed_name = hash_name([7; 20], "[node1]:2222");
    let text = format!(
        "# a comment\nnode1,10.0.0.1 {ONE}\n*.example.com,!bad.example.com {ONE}\n[node1]:2222 {TWO}\n{hashed_name} {ONE}\n\
         @revoked node? {TWO}\n@cert-authority *.org  {ONE} comment # more\n\nNODE2 {ONE}\n10.0.0.* {TWO}\nbroken line\n"
    );
    for (host, port) in [
        ("node1", 22),
        ("Node1", 22),
        ("node1", 2222),
        ("10.0.0.1", 22),
        ("good.example.com", 22),
        ("bad.example.com", 22),
        ("node2", 22),
        ("node22", 22),
        ("a.org", 22),
        ("nowhere", 22),
    ] {
        assert_eq!(found_by_us(&text, host, port), found_by_openssh(&text, &place(host, port)), "{host}:{port}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn patterns_match_as_openssh_matches(pattern in "!?[ab*?]{1,5}(,!?[ab*?]{1,4})?", host in "[ab]{1,6}") {
        let text = format!("{pattern} {ONE}\n");
        prop_assert_eq!(found_by_us(&text, &host, 22), found_by_openssh(&text, &host));
    }
}

#[test]
fn a_key_is_known_unknown_changed_or_revoked() {
    let known = read(&format!("h {ONE}\n@revoked * {TWO}"), "h", 22);
    assert!(matches!(known.judge(&key(ONE)), Verdict::Known));
    assert!(matches!(known.judge(&key(TWO)), Verdict::Revoked(At::Line(_, 2))));
    assert!(matches!(read(&format!("h {ONE}"), "h", 22).judge(&key(TWO)), Verdict::Changed(_)));
    assert!(matches!(read(&format!("h {ONE}"), "i", 22).judge(&key(ONE)), Verdict::Unknown));
}

#[test]
fn a_key_known_without_a_port_is_enough_to_trust_but_not_to_distrust() {
    let keys = read(&format!("h {ONE}"), "h", 2222);
    assert!(matches!(keys.judge(&key(ONE)), Verdict::Known));
    assert!(matches!(keys.judge(&key(TWO)), Verdict::Unknown));
}

#[test]
fn only_known_types_are_asked_for() {
    assert_eq!(read(&format!("h {ONE}"), "h", 22).algorithms(), [Algorithm::Ed25519]);
    assert_eq!(read("", "h", 22).algorithms(), safe());
    assert!(read(&format!("@cert-authority * {ONE}"), "h", 22).certificates().contains(&Algorithm::Ed25519));
}

#[test]
fn a_fingerprint_is_enough_to_pin_a_key() {
    let print = |text: &str| PublicKey::from_openssh(text).unwrap().fingerprint(HashAlg::Sha256);
    let mut keys = read(&format!("h {ONE}"), "h", 22);
    keys.pin(&[Pin::Fingerprint(None, print(TWO))]);
    assert!(matches!(keys.judge(&key(TWO)), Verdict::Known));
    assert!(matches!(keys.judge(&key(ONE)), Verdict::Other(pins) if pins == [print(TWO).to_string()]));
    assert_eq!(keys.algorithms(), safe());
    keys = read("", "h", 22);
    keys.pin(&[Pin::Fingerprint(Some(Algorithm::Ed25519), print(TWO))]);
    assert_eq!(keys.algorithms(), [Algorithm::Ed25519], "it must show that one");
}

#[test]
fn pinned_keys_win_over_files_but_not_over_revocations() {
    let mut keys = read(&format!("h {ONE}\n@revoked h {TWO}"), "h", 22);
    keys.pin(&[Pin::Key(PublicKey::from_openssh(TWO).unwrap().into())]);
    assert!(matches!(keys.judge(&key(TWO)), Verdict::Revoked(_)));
    assert!(matches!(keys.judge(&key(ONE)), Verdict::Changed(_)));
}
