//! Who we are: the configured key alone, else the agent's keys and the default files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::client::Client;
use super::trust::fingerprint;
use super::{Asker, endpoint};
use crate::inventory::Host;
use crate::remote::Unreachable;

/// sshd's `MaxAuthTries` is 6 by default, and the last one is answered with a disconnect.
const MOST_OFFERS: usize = 5;

/// One way to prove who we are.
pub(super) enum Offer {
    /// A key from a file.
    Key(PathBuf, Arc<PrivateKey>),
    /// A key, or a certificate, that the agent holds.
    Agent(Box<AgentIdentity>),
}

/// What a key file holds.
enum Content {
    Private(Box<PrivateKey>),
    /// Encrypted; OpenSSH's format shows the public half all the same.
    Locked(Option<PublicKey>),
    /// Only the public half: its private one is in the agent.
    Public(Box<PublicKey>),
}

/// The keys of a run: files are read, and passphrases asked for, once for all hosts.
pub(super) struct Keys {
    agent: Option<PathBuf>,
    defaults: Vec<PathBuf>,
    asker: Option<Arc<dyn Asker>>,
    unlocked: Mutex<HashMap<PathBuf, Arc<PrivateKey>>>,
    offered: Mutex<HashMap<Option<PathBuf>, Arc<Vec<Offer>>>>,
}

/// Says whether a private key file can be used at all: it may be missing, unreadable, or no key.
pub(super) fn check_identity(path: &Path) -> Result<(), Unreachable> {
    read(path).map(drop)
}

fn read(path: &Path) -> Result<Content, Unreachable> {
    let text = fs::read_to_string(path).map_err(|error| bad(path, &format!("cannot be read: {error}")))?;
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return Ok(Content::Public(public.into()));
    }
    match decode_secret_key(&text, None) {
        Ok(key) => Ok(Content::Private(key.into())),
        Err(KeyError::KeyIsEncrypted) => Ok(Content::Locked(public_half(&text))),
        Err(error) => Err(bad(path, &format!("is not a private key: {error}"))),
    }
}

fn public_half(text: &str) -> Option<PublicKey> {
    PrivateKey::from_openssh(text).ok().map(|key| key.public_key().clone())
}

fn bad(path: &Path, what: &str) -> Unreachable {
    Unreachable {
        what: format!("the key file {} {what}", path.display()),
        hint: Some("set identity_file in the inventory to a private key, as ssh-keygen makes them".into()),
    }
}

impl Keys {
    pub fn new(agent: Option<PathBuf>, defaults: Vec<PathBuf>, asker: Option<Arc<dyn Asker>>) -> Self {
        Self { agent, defaults, asker, unlocked: Mutex::default(), offered: Mutex::default() }
    }

    /// What to offer to `host`, best first: found once for all hosts with the same key file. Nobody is contacted.
    pub async fn offers(&self, host: &Host) -> Result<Arc<Vec<Offer>>, Unreachable> {
        let mut offered = self.offered.lock().await;
        if let Some(offers) = offered.get(&host.identity_file) {
            return Ok(offers.clone());
        }
        let held = self.held().await;
        let offers = match &host.identity_file {
            Some(path) => vec![self.file(path, &held).await?],
            None => self.all(held).await,
        };
        if offers.is_empty() {
            return Err(nothing(host));
        }
        Ok(offered.entry(host.identity_file.clone()).or_insert(Arc::new(offers)).clone())
    }

    /// What the agent holds; nothing where there is none.
    async fn held(&self) -> Vec<AgentIdentity> {
        match self.agent().await {
            Some(mut agent) => agent.request_identities().await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    async fn agent(&self) -> Option<AgentClient<UnixStream>> {
        AgentClient::connect_uds(self.agent.as_ref()?).await.ok()
    }

    async fn file(&self, path: &Path, held: &[AgentIdentity]) -> Result<Offer, Unreachable> {
        let public = match read(path)? {
            Content::Private(key) => return Ok(Offer::Key(path.into(), Arc::new(*key))),
            Content::Locked(public) => public,
            Content::Public(public) => Some(*public),
        };
        match public.as_ref().and_then(|key| holding(held, key)) {
            Some(identity) => Ok(Offer::Agent(identity.into())),
            None => self.unlock(path).await.map(|key| Offer::Key(path.into(), key)),
        }
    }

    /// The agent's keys, then those of the default files that need no passphrase.
    async fn all(&self, held: Vec<AgentIdentity>) -> Vec<Offer> {
        let mut offers: Vec<Offer> = Vec::new();
        for path in &self.defaults {
            match read(path) {
                Ok(Content::Private(key)) if holding(&held, key.public_key()).is_none() => {
                    offers.push(Offer::Key(path.clone(), Arc::new(*key)));
                }
                Ok(Content::Locked(public)) if held.is_empty() && public.is_some() && self.asker.is_some() => {
                    offers.extend(self.unlock(path).await.ok().map(|key| Offer::Key(path.clone(), key)));
                }
                _ => {}
            }
        }
        let room = MOST_OFFERS.saturating_sub(offers.len());
        let agents = held.into_iter().take(room).map(|identity| Offer::Agent(identity.into()));
        agents.chain(offers).collect()
    }

    /// Asks for the passphrase, once for all hosts.
    async fn unlock(&self, path: &Path) -> Result<Arc<PrivateKey>, Unreachable> {
        let mut unlocked = self.unlocked.lock().await;
        if let Some(key) = unlocked.get(path) {
            return Ok(key.clone());
        }
        let (asker, file) = (self.asker.clone().ok_or_else(|| locked(path))?, path.to_owned());
        let key = tokio::task::spawn_blocking(move || ask(&*asker, &file)).await.map_err(|_| locked(path))??;
        unlocked.insert(path.into(), key.clone());
        Ok(key)
    }

    /// Offers one after the other until one is taken.
    pub async fn login(&self, handle: &mut Handle<Client>, user: &str, offers: &[Offer]) -> Result<(), Denied> {
        let mut denied = Denied::default();
        for offer in offers {
            denied.offered.push(offer.describe());
            match self.offer(handle, user, offer).await {
                Ok(AuthResult::Success) => return Ok(()),
                Ok(AuthResult::Failure { remaining_methods, .. }) if !remaining_methods.is_empty() => {
                    denied.methods = remaining_methods.iter().map(String::from).collect();
                }
                Ok(AuthResult::Failure { .. }) => {
                    denied.cut = true;
                    break;
                }
                Err(error) => denied.problems.push(error),
            }
        }
        Err(denied)
    }

    async fn offer(&self, handle: &mut Handle<Client>, user: &str, offer: &Offer) -> Result<AuthResult, String> {
        match offer {
            Offer::Key(_, key) => {
                let hash = rsa_hash(handle, key.algorithm().is_rsa()).await;
                let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
                handle.authenticate_publickey(user, key).await.map_err(|error| error.to_string())
            }
            Offer::Agent(identity) => {
                let mut agent = self.agent().await.ok_or("the agent does not answer any more")?;
                let hash = rsa_hash(handle, identity.public_key().algorithm().is_rsa()).await;
                match &**identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        handle.authenticate_publickey_with(user, key.clone(), hash, &mut agent).await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        handle.authenticate_certificate_with(user, certificate.clone(), hash, &mut agent).await
                    }
                }
                .map_err(|error| format!("the agent did not sign: {error}"))
            }
        }
    }
}

impl Offer {
    fn describe(&self) -> String {
        match self {
            Self::Key(path, key) => format!("{} ({})", path.display(), fingerprint(key.public_key())),
            Self::Agent(identity) => {
                format!("the agent's {:?} ({})", identity.comment(), fingerprint(&identity.public_key()))
            }
        }
    }
}

/// Only RSA has a choice; asking which one the server likes may take a second.
async fn rsa_hash(handle: &Handle<Client>, is_rsa: bool) -> Option<HashAlg> {
    if !is_rsa {
        return None;
    }
    handle.best_supported_rsa_hash().await.ok().flatten().flatten().or(Some(HashAlg::Sha256))
}

fn holding(held: &[AgentIdentity], key: &PublicKey) -> Option<AgentIdentity> {
    held.iter().find(|identity| identity.public_key().key_data() == key.key_data()).cloned()
}

fn ask(asker: &dyn Asker, path: &Path) -> Result<Arc<PrivateKey>, Unreachable> {
    let phrase = asker.passphrase(path).ok_or_else(|| locked(path))?;
    let text = fs::read_to_string(path).map_err(|error| bad(path, &format!("cannot be read: {error}")))?;
    match decode_secret_key(&text, Some(phrase.expose())) {
        Ok(key) => Ok(Arc::new(key)),
        Err(_) => Err(Unreachable { what: format!("wrong passphrase for {}", path.display()), hint: None }),
    }
}

fn locked(path: &Path) -> Unreachable {
    Unreachable {
        what: format!("the key file {} needs a passphrase or its agent, and there is neither", path.display()),
        hint: Some(format!("eval \"$(ssh-agent)\" && ssh-add {}", path.display())),
    }
}

fn nothing(host: &Host) -> Unreachable {
    Unreachable {
        what: format!("{}: there is no key to log in with", endpoint(host)),
        hint: Some("set identity_file in the inventory, or load a key into the agent: ssh-add FILE".into()),
    }
}

/// Why nobody was let in.
#[derive(Debug, Default)]
pub(super) struct Denied {
    offered: Vec<String>,
    methods: Vec<String>,
    problems: Vec<String>,
    /// The connection ended meanwhile.
    pub cut: bool,
}

impl Denied {
    /// Whether the host said no.
    pub fn was_told(&self) -> bool {
        !self.methods.is_empty()
    }

    /// For people; `reason` is what the server said when it hung up.
    pub fn tell(&self, host: &Host, user: &str, reason: Option<&str>) -> Unreachable {
        let mut what = format!("{}: permission denied for the user {user:?}", endpoint(host));
        if let Some(reason) = reason.filter(|_| self.cut) {
            what += &format!(": {reason}");
        }
        what += &self.offered.iter().map(|offer| format!("\n  offered: {offer}")).collect::<String>();
        what += &self.problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>();
        if !self.methods.is_empty() {
            what += &format!("\n  the host would take: {}", self.methods.join(", "));
        }
        let hint = format!(
            "is {user:?} the right user (clouds make ubuntu, debian, admin or root), and is that key in its \
             ~/.ssh/authorized_keys? Give a machine that is just being made more time: --wait 5m"
        );
        Unreachable { what, hint: Some(hint) }
    }
}
