//! Which host keys are to be expected: those pinned in the inventory, else those in the `known_hosts` files.
//!
//! The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". The `ssh-key` crate parses single lines; matching (hashed names,
//! ports, wildcards, negation, `@revoked`, `@cert-authority`) is done here, as OpenSSH does it.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use hmac::{Hmac, Mac};
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate};
use sha1::Sha1;

use crate::inventory::Pin;

/// A key that was expected, and where that is written.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub key: PublicKey,
    pub at: At,
}

/// Where an expected key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Line (from 1) of a `known_hosts` file.
    Line(PathBuf, usize),
    /// The inventory's `host_key`.
    Inventory,
    /// Nowhere yet: accepted earlier in this run.
    Run,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Inventory => f.write_str("the inventory"),
            Self::Run => f.write_str("accepted earlier in this run"),
        }
    }
}

/// What is to be thought of a key that a host has shown.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// It is the expected one.
    Known,
    /// Nothing is known about this host.
    Unknown,
    /// Others were expected.
    Changed(Vec<Expected>),
    /// Its fingerprint is none of those that are pinned.
    Other(Vec<String>),
    /// It was marked as stolen.
    Revoked(At),
    /// A certificate that does not hold for this host, and why.
    Invalid(String),
}

/// Everything that is known about one host's keys.
#[derive(Clone, Debug, Default)]
pub(super) struct HostKeys {
    host: String,
    expected: Vec<Expected>,
    /// Known for the host without a port: good enough to trust, not to distrust (as OpenSSH does).
    any_port: Vec<Expected>,
    authorities: Vec<Expected>,
    revoked: Vec<Expected>,
    /// Those of keys that the inventory pins without saying them whole.
    fingerprints: Vec<(Option<Algorithm>, Fingerprint)>,
}

/// The name under which a host stands in `known_hosts`.
pub(super) fn place(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

impl HostKeys {
    /// Collects what `files` say of `host`, which stands there as `place` where that has its port in it; a file that does not
    /// exist says nothing, a line that cannot be read is passed over.
    pub fn read<'a>(files: impl IntoIterator<Item = &'a PathBuf>, host: &str, place: &str) -> io::Result<Self> {
        let mut keys = Self { host: host.to_lowercase(), ..Self::default() };
        for file in files {
            match fs::read(file) {
                Ok(bytes) => keys.take(&String::from_utf8_lossy(&bytes), file, &place.to_lowercase()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Pinned keys win over everything that files say, but for a revocation.
    pub fn pin(&mut self, pins: &[Pin]) {
        self.expected.clear();
        for pin in pins {
            match pin {
                Pin::Key(key) => self.expected.push(Expected { key: (**key).clone(), at: At::Inventory }),
                Pin::Fingerprint(algorithm, fingerprint) => self.fingerprints.push((algorithm.clone(), *fingerprint)),
            }
        }
        self.any_port.clear();
        self.authorities.clear();
    }

    /// A key that the user accepted in this run.
    pub fn accepted(&mut self, key: PublicKey) {
        if !self.expected.iter().any(|known| same(&known.key, &key)) {
            self.expected.push(Expected { key, at: At::Run });
        }
    }

    fn take(&mut self, text: &str, file: &Path, full: &str) {
        let bare = self.host.clone();
        for (index, line) in text.lines().enumerate() {
            let Some(entry) = parse(line) else { continue };
            let at = At::Line(file.to_owned(), index + 1);
            let expected = Expected { key: entry.public_key().clone(), at };
            if matches(entry.host_patterns(), full) {
                self.shelf(entry.marker()).push(expected);
            } else if matches(entry.host_patterns(), &bare) {
                match entry.marker() {
                    None => self.any_port.push(expected),
                    marker => self.shelf(marker).push(expected),
                }
            }
        }
    }

    fn shelf(&mut self, marker: Option<&Marker>) -> &mut Vec<Expected> {
        match marker {
            None => &mut self.expected,
            Some(Marker::CertAuthority) => &mut self.authorities,
            Some(Marker::Revoked) => &mut self.revoked,
        }
    }

    /// The algorithms to ask the host for: those of the keys it is known by, so that it has no other to show.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        if self.fingerprints.iter().any(|(algorithm, _)| algorithm.is_none()) {
            // Of which type the key is does not show in its fingerprint.
            return safe();
        }
        let known = if self.expected.is_empty() { &self.any_port } else { &self.expected };
        let pinned = self.fingerprints.iter().filter_map(|(algorithm, _)| algorithm.clone());
        let types: Vec<_> = known.iter().map(|expected| expected.key.algorithm()).chain(pinned).collect();
        if types.is_empty() {
            return safe();
        }
        let wanted = |offer: &Algorithm| types.iter().any(|known| family(known) == family(offer));
        safe().into_iter().filter(wanted).collect()
    }

    /// The algorithms of the certificates to ask for: all where an authority is known for this host, else none.
    pub fn certificates(&self) -> Vec<Algorithm> {
        if self.authorities.is_empty() { Vec::new() } else { safe() }
    }

    /// Every key that is expected.
    pub fn expected(&self) -> &[Expected] {
        &self.expected
    }

    /// Judges what the host has shown.
    pub fn judge(&self, shown: &PublicKeyOrCertificate) -> Verdict {
        let key = shown.public_key();
        if let Some(revoked) = self.revoked(&key, shown.certificate()) {
            return Verdict::Revoked(revoked);
        }
        match shown.certificate() {
            Some(certificate) => self.judge_certificate(certificate),
            None => self.judge_key(&key),
        }
    }

    fn judge_key(&self, key: &PublicKey) -> Verdict {
        let pinned = |(_, pin): &(_, Fingerprint)| key.fingerprint(pin.algorithm()) == *pin;
        let known = |expected: &Expected| same(&expected.key, key);
        if self.expected.iter().chain(&self.any_port).any(known) || self.fingerprints.iter().any(pinned) {
            Verdict::Known
        } else if !self.fingerprints.is_empty() {
            let told = |(kind, pin): &(Option<Algorithm>, Fingerprint)| match kind {
                Some(kind) => format!("{kind} {pin}"),
                None => pin.to_string(),
            };
            Verdict::Other(self.fingerprints.iter().map(told).collect())
        } else if self.expected.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Changed(self.expected.clone())
        }
    }

    fn revoked(&self, key: &PublicKey, certificate: Option<&Certificate>) -> Option<At> {
        let bad = |expected: &&Expected| {
            same(&expected.key, key) || certificate.is_some_and(|c| c.signature_key() == expected.key.key_data())
        };
        self.revoked.iter().find(bad).map(|expected| expected.at.clone())
    }

    /// PROTOCOL.certkeys of OpenSSH: signed by an authority of this host, for hosts, for this name, now, with no condition attached.
    fn judge_certificate(&self, certificate: &Certificate) -> Verdict {
        let trusted: Vec<_> = self.authorities.iter().map(|a| a.key.fingerprint(HashAlg::Sha256)).collect();
        if certificate.cert_type() != CertType::Host {
            return Verdict::Invalid("it is not a host's certificate".into());
        }
        if !certificate.valid_principals().iter().any(|principal| glob(&principal.to_lowercase(), &self.host)) {
            let names = certificate.valid_principals().join(", ");
            return Verdict::Invalid(format!("it is for {names:?}, not for {:?}", self.host));
        }
        if !certificate.critical_options().is_empty() {
            return Verdict::Invalid("it has conditions that are not understood".into());
        }
        match certificate.validate(&trusted) {
            Ok(()) => Verdict::Known,
            Err(_) => Verdict::Invalid("no authority of known_hosts signed it, or it is out of date".into()),
        }
    }
}

/// Whether a key stands in a file's text already, under that very name.
pub(super) fn stands(text: &str, place: &str, key: &PublicKey) -> bool {
    let entries = text.lines().filter_map(parse).filter(|entry| entry.marker().is_none());
    entries.into_iter().any(|entry| same(entry.public_key(), key) && matches(entry.host_patterns(), place))
}

/// One line; none where it is empty, a comment, or cannot be read.
fn parse(line: &str) -> Option<Entry> {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.starts_with('#') { None } else { line.parse().ok() }
}

fn same(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}

/// The key type behind an algorithm: the three RSA signatures are of one.
fn family(algorithm: &Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
        other => other.clone(),
    }
}

/// What may be asked for, best first. RSA's signatures with SHA-1 are out.
fn safe() -> Vec<Algorithm> {
    let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
    let hashes = [HashAlg::Sha512, HashAlg::Sha256];
    let mut all = vec![Algorithm::Ed25519];
    all.extend(curves.map(|curve| Algorithm::Ecdsa { curve }));
    all.extend(hashes.map(|hash| Algorithm::Rsa { hash: Some(hash) }));
    all
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => hashed(salt, name) == *hash,
        HostPatterns::Patterns(patterns) => listed(patterns, name),
    }
}

/// A negated pattern that matches rules the whole line out.
pub(super) fn listed(patterns: &[String], name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        let pattern = pattern.to_lowercase();
        match pattern.strip_prefix('!') {
            Some(no) if glob(no, name) => return false,
            Some(_) => {}
            None => found |= glob(&pattern, name),
        }
    }
    found
}

fn hashed(salt: &[u8], name: &str) -> [u8; 20] {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else { return [0; 20] };
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A host's name as `HashKnownHosts yes` would write it.
pub(super) fn hash_name(salt: [u8; 20], name: &str) -> String {
    HostPatterns::HashedName { salt: salt.into(), hash: hashed(&salt, name) }.to_string()
}

/// `*` and `?`; all else stands for itself.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests;
