//! What happens with a host key: expected ones pass; unknown ones are accepted if so told, else asked about, one table for all hosts.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use super::hostkeys::{At, Expected, HostKeys, Verdict, hash_name, place};
use super::{Asker, NewKey, endpoint};
use crate::inventory::Host;
use crate::remote::Unreachable;

/// Unknown keys that come within this time of one another are asked about together.
const GATHER: Duration = Duration::from_millis(1000);

/// The answer to a question; nothing while it is open.
pub(super) type Answer = watch::Receiver<Option<bool>>;

/// Whether a key that was shown is trusted.
pub(super) enum Trust {
    Yes,
    No(Unreachable),
    /// Somebody is being asked.
    Asking(Answer),
}

/// Decides about host keys for a whole run.
pub(super) struct Keeper {
    accept_new: bool,
    asker: Option<Arc<dyn Asker>>,
    files: Vec<PathBuf>,
    accepted: Mutex<HashMap<String, Vec<PublicKey>>>,
    open: Mutex<Option<Question>>,
}

struct Question {
    keys: Vec<(String, NewKey)>,
    answer: watch::Sender<Option<bool>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    pub fn new(accept_new: bool, asker: Option<Arc<dyn Asker>>, files: Vec<PathBuf>) -> Self {
        Self { accept_new, asker, files, accepted: Mutex::default(), open: Mutex::default() }
    }

    /// What is known of `host`'s keys: the inventory's, the files', and what was accepted in this run.
    pub fn keys(&self, host: &Host) -> Result<HostKeys, Unreachable> {
        let mut keys = HostKeys::read(&self.files, &host.address, host.port).map_err(|error| unreadable(&error))?;
        let pinned = pinned(host)?;
        if !pinned.is_empty() {
            keys.pin(pinned);
        }
        for key in lock(&self.accepted).get(&place(&host.address, host.port)).into_iter().flatten() {
            keys.accepted(key.clone());
        }
        Ok(keys)
    }

    /// Decides about a key that `host` has shown, before anything secret is sent.
    pub fn judge(self: &Arc<Self>, host: &Host, keys: &HostKeys, shown: &PublicKeyOrCertificate) -> Trust {
        let key = shown.public_key();
        match keys.judge(shown) {
            Verdict::Known => Trust::Yes,
            Verdict::Changed(expected) => Trust::No(changed(host, &key, &expected, &self.files)),
            Verdict::Revoked(at) => Trust::No(revoked(host, &key, &at)),
            Verdict::Invalid(why) => Trust::No(invalid(host, &why)),
            Verdict::Unknown => self.meet(host, key),
        }
    }

    fn meet(self: &Arc<Self>, host: &Host, key: PublicKey) -> Trust {
        let at = place(&host.address, host.port);
        if self.accept_new {
            self.accept(&at, &key);
            return Trust::Yes;
        }
        match &self.asker {
            None => Trust::No(unknown(host, &key)),
            Some(asker) => Trust::Asking(self.ask(asker.clone(), at, NewKey::of(host, &key))),
        }
    }

    /// Adds a key to the open question, or opens one.
    fn ask(self: &Arc<Self>, asker: Arc<dyn Asker>, at: String, key: NewKey) -> Answer {
        let mut open = lock(&self.open);
        if open.is_none() {
            tokio::spawn(self.clone().put_question(asker));
        }
        let question = open.get_or_insert_with(|| Question { keys: Vec::new(), answer: watch::Sender::new(None) });
        if !question.keys.iter().any(|(known, other)| *known == at && other.key == key.key) {
            question.keys.push((at, key));
        }
        question.answer.subscribe()
    }

    async fn put_question(self: Arc<Self>, asker: Arc<dyn Asker>) {
        self.gathered().await;
        let Some(question) = lock(&self.open).take() else { return };
        let table: Vec<NewKey> = question.keys.iter().map(|(_, key)| key.clone()).collect();
        let yes = tokio::task::spawn_blocking(move || asker.trust(&table)).await.unwrap_or(false);
        if yes {
            question.keys.iter().for_each(|(at, key)| self.accept(at, &key.key));
        }
        question.answer.send_replace(Some(yes));
    }

    /// Returns once no further key has come for a while.
    async fn gathered(&self) {
        let mut seen = 0;
        loop {
            sleep(GATHER).await;
            let count = lock(&self.open).as_ref().map_or(0, |question| question.keys.len());
            if count == seen {
                return;
            }
            seen = count;
        }
    }

    /// From now on `key` is expected at `at`. A file that cannot be written is no reason to stop.
    fn accept(&self, at: &str, key: &PublicKey) {
        let mut accepted = lock(&self.accepted);
        let keys = accepted.entry(at.into()).or_default();
        if keys.iter().any(|known| known.key_data() == key.key_data()) {
            return;
        }
        keys.push(key.clone());
        if let Some(file) = self.files.first()
            && let Err(error) = record(file, at, key)
        {
            tracing::warn!("the key of {at} was accepted but not recorded in {}: {error}", file.display());
        }
    }

    /// What a user gets to read who said no, or did not answer.
    pub fn declined(host: &Host) -> Unreachable {
        refused(format!("{}: its host key was not accepted", endpoint(host)), None)
    }

    /// What it means that a host offers none of the key types it is known by.
    pub fn other_type(&self, host: &Host, keys: &HostKeys, theirs: &[String]) -> Unreachable {
        let known = list(keys.expected());
        let what = format!(
            "{}: its host key has changed: it is known by\n{known}\n  but now offers only {}",
            endpoint(host),
            theirs.join(", ")
        );
        refused(what, Some(self::changed_hint(host, keys.expected(), &self.files)))
    }
}

/// Appends a line in one write, so that two runs at once do not mix theirs; hashed if other lines are.
fn record(file: &Path, at: &str, key: &PublicKey) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let before =
        fs::read(file).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(e) })?;
    let before = String::from_utf8_lossy(&before);
    let name =
        if before.lines().any(|line| line.starts_with("|1|")) { hash_name(rand::random(), at) } else { at.into() };
    let start = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let key = PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(io::Error::other)?;
    let mut out = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    out.write_all(format!("{start}{name} {}\n", key.trim_end()).as_bytes())
}

/// The keys that the inventory pins.
pub(super) fn pinned(host: &Host) -> Result<Vec<PublicKey>, Unreachable> {
    host.host_keys.iter().map(|line| pin(host, line)).collect()
}

fn pin(host: &Host, line: &str) -> Result<PublicKey, Unreachable> {
    PublicKey::from_openssh(line.trim()).map_err(|error| Unreachable {
        what: format!("the host_key of {} in the inventory is no public key: {error}: {line:?}", host.name),
        hint: Some("it is a line of known_hosts without its first field: ssh-ed25519 AAAA…".into()),
    })
}

/// `ssh-ed25519 SHA256:…`, as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

fn list(expected: &[Expected]) -> String {
    expected.iter().map(|e| format!("  {}  ({})", fingerprint(&e.key), e.at)).collect::<Vec<_>>().join("\n")
}

fn refused(what: String, hint: Option<String>) -> Unreachable {
    Unreachable { what, hint }
}

fn unreadable(error: &io::Error) -> Unreachable {
    Unreachable { what: format!("known_hosts cannot be read: {error}"), hint: None }
}

fn unknown(host: &Host, key: &PublicKey) -> Unreachable {
    let what = format!("{}: its host key is not known: {}", endpoint(host), fingerprint(key));
    let hint = "compare it with what the machine says of itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), \
                then pin it in the inventory (host_key: …) or run again with --accept-new-host-keys";
    refused(what, Some(hint.into()))
}

fn changed(host: &Host, key: &PublicKey, expected: &[Expected], files: &[PathBuf]) -> Unreachable {
    let what = format!(
        "{}: its host key has changed, so nothing was sent\nshown:\n  {}\nexpected:\n{}",
        endpoint(host),
        fingerprint(key),
        list(expected)
    );
    refused(what, Some(changed_hint(host, expected, files)))
}

fn changed_hint(host: &Host, expected: &[Expected], files: &[PathBuf]) -> String {
    let forget = match expected.first().map(|e| &e.at) {
        Some(At::Line(file, _)) => {
            let name = place(&host.address, host.port);
            let option = if files.first() == Some(file) && is_default(file) {
                String::new()
            } else {
                format!(" -f {}", file.display())
            };
            format!("ssh-keygen{option} -R '{name}'")
        }
        Some(At::Inventory) => "correct host_key in the inventory".into(),
        _ => "run again".into(),
    };
    format!("either somebody is in between, or the machine was installed anew. If you know that it was: {forget}")
}

fn is_default(file: &Path) -> bool {
    file.ends_with(".ssh/known_hosts")
}

fn revoked(host: &Host, key: &PublicKey, at: &At) -> Unreachable {
    let what = format!("{}: its host key is revoked ({at}): {}", endpoint(host), fingerprint(key));
    refused(what, Some("somebody holds a stolen key: find out who answers there before going on".into()))
}

fn invalid(host: &Host, why: &str) -> Unreachable {
    let what = format!("{}: its host certificate is not valid: {why}", endpoint(host));
    refused(what, Some("see what it says: ssh-keygen -L -f /etc/ssh/ssh_host_ed25519_key-cert.pub, on the host".into()))
}
