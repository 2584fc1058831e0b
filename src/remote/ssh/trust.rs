//! What happens with a host key: expected ones pass; unknown ones are accepted if so told, else asked about, one table for all hosts.

use std::collections::HashMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use super::destination::{Destination, Known, Strict};
use super::hostkeys::{At, Expected, HostKeys, Verdict, hash_name, stands};
use super::lock;
use super::{Asker, NewKey};
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
    asker: Option<Arc<dyn Asker>>,
    accepted: Mutex<HashMap<Place, Vec<PublicKey>>>,
    open: Mutex<Option<Question>>,
}

/// Where a key was accepted: hosts of one name may have files of their own.
type Place = (String, Vec<PathBuf>);

fn at(known: &Known) -> Place {
    (known.place.clone(), known.user_files.clone())
}

struct Question {
    keys: Vec<(Known, NewKey)>,
    answer: watch::Sender<Option<bool>>,
}

impl Keeper {
    pub fn new(asker: Option<Arc<dyn Asker>>) -> Self {
        Self { asker, accepted: Mutex::default(), open: Mutex::default() }
    }

    /// What is known of a host's keys: the inventory's, the files', and what was accepted in this run.
    pub fn keys(&self, to: &Destination) -> Result<HostKeys, Unreachable> {
        let known = &to.known;
        let mut keys = HostKeys::read(known.files(), &known.host, &known.place).map_err(|error| unreadable(&error))?;
        if !known.pinned.is_empty() {
            keys.pin(&known.pinned);
            return Ok(keys);
        }
        for key in lock(&self.accepted).get(&at(known)).into_iter().flatten() {
            keys.accepted(key.clone());
        }
        Ok(keys)
    }

    /// Decides about a key that a host has shown, before anything secret is sent.
    pub fn judge(self: &Arc<Self>, to: &Destination, keys: &HostKeys, shown: &PublicKeyOrCertificate) -> Trust {
        let key = shown.public_key();
        match keys.judge(shown) {
            Verdict::Known => Trust::Yes,
            Verdict::Changed(expected) => Trust::No(changed(to, &key, &expected)),
            Verdict::Other(pins) => Trust::No(other(to, &key, &pins)),
            Verdict::Revoked(at) => Trust::No(revoked(to, &key, &at)),
            Verdict::Invalid(why) => Trust::No(invalid(to, &why)),
            Verdict::Unknown => self.meet(to, key),
        }
    }

    fn meet(self: &Arc<Self>, to: &Destination, key: PublicKey) -> Trust {
        match (to.known.strict, &self.asker) {
            (Strict::Accept, _) => {
                tracing::warn!("{}: its key is new, and trusted from now on: {}", to.name, fingerprint(&key));
                self.accept(&to.known, &key);
                Trust::Yes
            }
            (Strict::Ask, Some(asker)) => {
                Trust::Asking(self.ask(asker.clone(), to.known.clone(), NewKey::of(to, &key)))
            }
            (Strict::Refuse, _) | (Strict::Ask, None) => Trust::No(unknown(to, &key)),
        }
    }

    /// Adds a key to the open question, or opens one.
    fn ask(self: &Arc<Self>, asker: Arc<dyn Asker>, at: Known, key: NewKey) -> Answer {
        let mut open = lock(&self.open);
        if open.is_none() {
            tokio::spawn(self.clone().put_question(asker));
        }
        let question = open.get_or_insert_with(|| Question { keys: Vec::new(), answer: watch::Sender::new(None) });
        if !question.keys.iter().any(|(known, other)| self::at(known) == self::at(&at) && other.key == key.key) {
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
    fn accept(&self, at: &Known, key: &PublicKey) {
        let mut accepted = lock(&self.accepted);
        let keys = accepted.entry(self::at(at)).or_default();
        if keys.iter().any(|known| known.key_data() == key.key_data()) {
            return;
        }
        keys.push(key.clone());
        if let Some(file) = at.user_files.first()
            && let Err(error) = record(file, at, key)
        {
            tracing::warn!("the key of {} was accepted but not recorded in {}: {error}", at.place, file.display());
        }
    }

    /// What a user gets to read who said no, or did not answer.
    pub fn declined(host: &Destination) -> Unreachable {
        refused(format!("{}: its host key was not accepted", host.endpoint()), None)
    }

    /// What it means that a host offers none of the key types it is known by.
    pub fn other_type(&self, host: &Destination, keys: &HostKeys, theirs: &[String]) -> Unreachable {
        let known = list(keys.expected());
        let what = format!(
            "{}: its host key has changed: it is known by\n{known}\n  but now offers only {}",
            host.endpoint(),
            theirs.join(", ")
        );
        refused(what, Some(changed_hint(host, keys.expected())))
    }
}

/// Appends a line, unless it is there, while nobody else does; hashed if the configuration says so, or, where there is
/// none, if other lines are.
fn record(file: &Path, at: &Known, key: &PublicKey) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut out = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    out.lock()?;
    let mut before = Vec::new();
    out.read_to_end(&mut before)?;
    let before = String::from_utf8_lossy(&before);
    if stands(&before, &at.place, key) {
        return Ok(());
    }
    let hash = at.hash.unwrap_or_else(|| before.lines().any(|line| line.starts_with("|1|")));
    let name = if hash { hash_name(rand::random(), &at.place) } else { at.place.clone() };
    let start = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let key = PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(io::Error::other)?;
    out.write_all(format!("{start}{name} {}\n", key.trim_end()).as_bytes())
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

fn unknown(host: &Destination, key: &PublicKey) -> Unreachable {
    let what = format!("{}: its host key is not known: {}", host.endpoint(), fingerprint(key));
    let hint = "compare it with what the machine says of itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), \
                then pin it in the inventory (host_key: …) or run again with --accept-new-host-keys";
    refused(what, Some(hint.into()))
}

fn changed(host: &Destination, key: &PublicKey, expected: &[Expected]) -> Unreachable {
    let what = format!(
        "{}: its host key has changed, so nothing was sent\nshown:\n  {}\nexpected:\n{}",
        host.endpoint(),
        fingerprint(key),
        list(expected)
    );
    refused(what, Some(changed_hint(host, expected)))
}

fn changed_hint(host: &Destination, expected: &[Expected]) -> String {
    let forget = match expected.first().map(|e| &e.at) {
        Some(At::Line(file, _)) => {
            let name = &host.known.place;
            let option = if host.known.user_files.first() == Some(file) && is_default(file) {
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

fn other(host: &Destination, key: &PublicKey, pins: &[String]) -> Unreachable {
    let what = format!(
        "{}: its host key is not the one that the inventory pins, so nothing was sent\nshown:\n  {}\npinned:\n  {}",
        host.endpoint(),
        fingerprint(key),
        pins.join("\n  ")
    );
    let hint = "either somebody is in between, or the machine was installed anew, or that is the fingerprint of another of \
                its keys: then say of which type it is, as `ssh-keygen -l` shows it: host_key: ssh-ed25519 SHA256:…";
    let typed = "either somebody is in between, or the machine was installed anew. If you know that it was: correct host_key in \
                 the inventory";
    refused(what, Some(if pins.iter().all(|pin| pin.contains(' ')) { typed } else { hint }.into()))
}

fn revoked(host: &Destination, key: &PublicKey, at: &At) -> Unreachable {
    let what = format!("{}: its host key is revoked ({at}): {}", host.endpoint(), fingerprint(key));
    refused(what, Some("somebody holds a stolen key: find out who answers there before going on".into()))
}

fn invalid(host: &Destination, why: &str) -> Unreachable {
    let what = format!("{}: its host certificate is not valid: {why}", host.endpoint());
    refused(what, Some("see what it says: ssh-keygen -L -f /etc/ssh/ssh_host_ed25519_key-cert.pub, on the host".into()))
}
