//! The keys of a run: what is in files, what the agent holds, and what to offer to whom.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use russh::MethodKind;
use russh::keys::agent::AgentIdentity;
use russh::keys::{Certificate, Error as KeyError, PrivateKey, PublicKey, decode_secret_key};
use tokio::sync::Mutex;

use super::agent::Held;
use super::offer::{Offer, Offers};
use crate::remote::Unreachable;
use crate::remote::ssh::Asker;
use crate::remote::ssh::destination::{Destination, Identity};

/// sshd's `MaxAuthTries` is 6 by default, and the last one is answered with a disconnect.
const MOST_OFFERS: usize = 5;

/// What a key file holds.
enum Content {
    Private(Box<PrivateKey>),
    /// Encrypted; OpenSSH's format shows the public half all the same.
    Locked(Option<PublicKey>),
    /// Only the public half: its private one is in the agent.
    Public(Box<PublicKey>),
}

/// Files are read, and passphrases asked for, once for all hosts.
pub(in super::super) struct Keys {
    pub(super) asker: Option<Arc<dyn Asker>>,
    unlocked: Mutex<HashMap<PathBuf, Arc<PrivateKey>>>,
    offered: Mutex<HashMap<Identity, Arc<Offers>>>,
    /// Each agent is asked once: one that does not answer would cost the same time for each file.
    agents: Mutex<HashMap<PathBuf, Arc<Held>>>,
    /// Logins whose password was right once in this run.
    right: std::sync::Mutex<HashSet<String>>,
}

/// Says whether a private key file can be used at all: it may be missing, unreadable, or no key.
pub(in super::super) fn check_identity(path: &Path) -> Result<(), Unreachable> {
    read(path).map(drop)
}

fn read(path: &Path) -> Result<Content, Unreachable> {
    let text = fs::read_to_string(path).map_err(|error| bad(path, &format!("cannot be read: {error}")))?;
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return Ok(Content::Public(public.into()));
    }
    match decode_secret_key(&text, None) {
        Ok(key) => Ok(Content::Private(key.into())),
        Err(KeyError::KeyIsEncrypted) => Ok(Content::Locked(public_half(path, &text))),
        Err(error) => Err(bad(path, &format!("is not a private key: {error}"))),
    }
}

/// Older formats do not show it, but the file beside them does.
fn public_half(path: &Path, text: &str) -> Option<PublicKey> {
    let beside = || PublicKey::from_openssh(fs::read_to_string(with_end(path, ".pub")).ok()?.trim()).ok();
    PrivateKey::from_openssh(text).ok().map(|key| key.public_key().clone()).or_else(beside)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}

fn bad(path: &Path, what: &str) -> Unreachable {
    Unreachable {
        what: format!("the key file {} {what}", path.display()),
        hint: Some("set identity_file in the inventory to a private key, as ssh-keygen makes them".into()),
    }
}

impl Keys {
    pub fn new(asker: Option<Arc<dyn Asker>>) -> Self {
        let (unlocked, offered, agents) = Default::default();
        Self { asker, unlocked, offered, agents, right: Default::default() }
    }

    /// What to offer to a host, best first: found once for all hosts with the same files. Nobody is contacted.
    pub async fn offers(&self, to: &Destination) -> Result<Arc<Offers>, Unreachable> {
        if !to.methods.contains(&MethodKind::PublicKey) {
            return Ok(Arc::default());
        }
        let offers = self.offered(&to.identity).await?;
        let nobody = self.asker.is_none() || to.identity.batch;
        if offers.list.is_empty() && to.password.is_none() && nobody {
            return Err(nothing(to, &offers.problems));
        }
        Ok(offers)
    }

    async fn offered(&self, identity: &Identity) -> Result<Arc<Offers>, Unreachable> {
        let mut offered = self.offered.lock().await;
        if let Some(offers) = offered.get(identity) {
            return Ok(offers.clone());
        }
        let offers = Arc::new(self.find(identity).await?);
        offered.insert(identity.clone(), offers.clone());
        Ok(offers)
    }

    /// The password of this login was right.
    pub fn found_right(&self, to: &Destination) {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(to.login());
    }

    /// Whether it was right before: then it is the machine that does not let anybody in for now.
    pub fn was_right(&self, to: &Destination) -> bool {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).contains(&to.login())
    }

    async fn find(&self, identity: &Identity) -> Result<Offers, Unreachable> {
        let held = self.held(identity.agent.as_deref()).await;
        let (mut own, mut problems) = (Vec::new(), Vec::from_iter(held.silence.clone()));
        for path in &identity.files {
            match self.file(path, identity, &held).await {
                Ok(offer) => own.extend(certified(path, &identity.certificates, &held, offer)),
                // That the only one cannot be used is worth an error; of several, others may do.
                Err(why) if identity.only && identity.files.len() == 1 => return Err(why),
                Err(why) => problems.extend((identity.named && path.exists()).then_some(why.what)),
            }
        }
        let among = |one: &AgentIdentity| own.iter().any(|offer| offer.is_of(&one.public_key()));
        let others: Vec<_> = held.keys.iter().filter(|one| !identity.only && !among(one)).cloned().collect();
        let others = others.into_iter().map(|one| Offer::Agent(held.socket.clone(), one.into()));
        Ok(Offers { problems, ..ordered(identity, own, others.collect()) })
    }

    async fn held(&self, agent: Option<&Path>) -> Arc<Held> {
        let Some(socket) = agent else { return Arc::default() };
        let mut agents = self.agents.lock().await;
        if let Some(held) = agents.get(socket) {
            return held.clone();
        }
        let held = Arc::new(Held::by(socket).await);
        agents.insert(socket.into(), held.clone());
        held
    }

    async fn file(&self, path: &Path, identity: &Identity, held: &Held) -> Result<Offer, Unreachable> {
        let (public, locked) = match read(path)? {
            Content::Private(key) => return Ok(Offer::Key(path.into(), Arc::new(*key))),
            Content::Locked(public) => (public, true),
            Content::Public(public) => (Some(*public), false),
        };
        if let Some(found) = public.as_ref().and_then(|key| holding(&held.keys, key)) {
            return Ok(Offer::Agent(held.socket.clone(), found.into()));
        }
        // A passphrase is asked for where the file was named, or where there is nothing else.
        if locked && !identity.batch && (identity.named || held.keys.is_empty() && public.is_some()) {
            return self.unlock(path, held).await.map(|key| Offer::Key(path.into(), key));
        }
        Err(if locked { needs_agent(path, held) } else { only_public(path, held) })
    }

    /// Asks for the passphrase, once for all hosts.
    async fn unlock(&self, path: &Path, held: &Held) -> Result<Arc<PrivateKey>, Unreachable> {
        let mut unlocked = self.unlocked.lock().await;
        if let Some(key) = unlocked.get(path) {
            return Ok(key.clone());
        }
        let (asker, file) = (self.asker.clone().ok_or_else(|| needs_agent(path, held))?, path.to_owned());
        let asked = tokio::task::spawn_blocking(move || ask(&*asker, &file)).await;
        let key = asked.ok().flatten().ok_or_else(|| needs_agent(path, held))??;
        unlocked.insert(path.into(), key.clone());
        Ok(key)
    }
}

/// What was named comes first; else the agent's keys before the files that happen to be there.
fn ordered(identity: &Identity, own: Vec<Offer>, others: Vec<Offer>) -> Offers {
    let room = MOST_OFFERS.saturating_sub(own.len());
    let left_out = others.len().saturating_sub(room);
    let others = others.into_iter().take(room);
    let list = if identity.named { own.into_iter().chain(others).collect() } else { others.chain(own).collect() };
    Offers { list, left_out, problems: Vec::new() }
}

/// A key with its certificates before it: those that the agent holds, that beside its file, and those that were named.
fn certified(path: &Path, named: &[PathBuf], held: &Held, offer: Offer) -> Vec<Offer> {
    let beside = with_end(path, "-cert.pub");
    let files = named.iter().chain([&beside]).filter_map(|file| Some((file, certificate(file)?)));
    let own = files.filter(|(_, certificate)| offer.is_of(&certificate.public_key().clone().into()));
    let of_files = own.map(|(file, certificate)| offer.certified(file, certificate));
    let certificates = held.keys.iter().filter(|one| matches!(one, AgentIdentity::Certificate { .. }));
    let of_agent = certificates.filter(|one| offer.is_of(&one.public_key()));
    let of_agent = of_agent.map(|one| Offer::Agent(held.socket.clone(), one.clone().into()));
    let mut offers: Vec<Offer> = of_agent.chain(of_files).collect();
    if !offer.is_certificate() {
        offers.push(offer);
    }
    offers
}

fn certificate(file: &Path) -> Option<Certificate> {
    Certificate::from_openssh(fs::read_to_string(file).ok()?.trim()).ok()
}

fn holding(held: &[AgentIdentity], key: &PublicKey) -> Option<AgentIdentity> {
    let own = || held.iter().filter(|identity| identity.public_key().key_data() == key.key_data());
    own().find(|identity| matches!(identity, AgentIdentity::PublicKey { .. })).or_else(|| own().next()).cloned()
}

/// The key, once its passphrase is there; nothing where nobody says it.
fn ask(asker: &dyn Asker, path: &Path) -> Option<Result<Arc<PrivateKey>, Unreachable>> {
    let phrase = asker.passphrase(path)?;
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Some(Err(bad(path, &format!("cannot be read: {error}")))),
    };
    let wrong = || Unreachable { what: format!("wrong passphrase for {}", path.display()), hint: None };
    Some(decode_secret_key(&text, Some(phrase.expose())).map(Arc::new).map_err(|_| wrong()))
}

fn only_public(path: &Path, held: &Held) -> Unreachable {
    let (private, silence) = (path.with_extension(""), held.silence.as_deref());
    let lacks = silence.unwrap_or("the agent does not hold its private half");
    let add = format!("ssh-add {}, or name the private key itself", private.display());
    Unreachable {
        what: format!("{} is a public key, and {lacks}", path.display()),
        hint: Some(if silence.is_some() { hung(&held.socket) } else { add }),
    }
}

fn needs_agent(path: &Path, held: &Held) -> Unreachable {
    let silence = held.silence.as_deref();
    let lacks = silence.unwrap_or("there is neither");
    let start = format!("eval \"$(ssh-agent)\" && ssh-add {}", path.display());
    Unreachable {
        what: format!("the key file {} needs a passphrase or its agent, and {lacks}", path.display()),
        hint: Some(if silence.is_some() { hung(&held.socket) } else { start }),
    }
}

fn hung(socket: &Path) -> String {
    format!(
        "SSH_AUTH_SOCK={} ssh-add -l shows whether it answers; one that hangs must be started anew",
        socket.display()
    )
}

fn nothing(to: &Destination, problems: &[String]) -> Unreachable {
    let problems: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    Unreachable {
        what: format!("{}: there is no key to log in with{problems}", to.endpoint()),
        hint: Some(
            "set identity_file in the inventory, load a key into the agent (ssh-add FILE), or log in with a password: --ask-pass".into(),
        ),
    }
}
