//! Sessions over SSH, by russh.
//!
//! | file | what it knows |
//! |---|---|
//! | `connect` | from an address to a login, again until the machine is there |
//! | `tcp` | the socket, and what a host says before it speaks SSH |
//! | `hostkeys`, `trust` | which host keys are expected; what happens with others |
//! | `auth` | the keys we offer |
//! | `client` | our answers to what a server says of its own accord |
//! | `connection` | a login and its channels |
//! | `exec`, `output` | one command on one channel |
//! | `sudo` | how a command becomes another user's where sudo asks for a password |
//! | `session` | all that is done with one host |
//! | `dial` | connections from the host to somewhere else |

mod auth;
mod client;
mod connect;
mod connection;
mod dial;
mod exec;
mod hostkeys;
mod output;
mod session;
mod sudo;
mod tcp;
mod trust;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use russh::keys::PublicKey;
use tokio::time::Duration;

use super::{Connect, Live, Session, Unreachable};
use crate::inventory::Host;
use crate::secret::Secret;
use connect::Reach;
use sudo::Sudo;
use trust::Keeper;

/// Answers what only a person can. Its methods block; they are called away from the runtime's own threads, one at a time.
pub trait Asker: Send + Sync {
    /// Shows the keys of hosts that are not known yet in one table, and asks once whether to trust them all.
    fn trust(&self, keys: &[NewKey]) -> bool;

    /// Asks for the passphrase of a key file; none where the user gives none.
    fn passphrase(&self, file: &Path) -> Option<Secret>;
}

/// A host key that was not known.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The host's name in the inventory.
    pub host: String,
    /// Its address and port.
    pub address: String,
    /// `ssh-ed25519 SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    key: PublicKey,
}

impl NewKey {
    fn of(host: &Host, key: &PublicKey) -> Self {
        let fingerprint = trust::fingerprint(key);
        Self { host: host.name.clone(), address: endpoint(host), fingerprint, key: key.clone() }
    }
}

/// How to connect. The default is what `ssh` does for this user.
#[derive(Clone)]
pub struct Options {
    /// Host keys that are not known are accepted and recorded. Changed ones never are.
    pub accept_new_host_keys: bool,
    /// Answers questions; none where there is no terminal.
    pub asker: Option<Arc<dyn Asker>>,
    /// Where host keys are known from. The first one is where new ones are recorded.
    pub known_hosts: Vec<PathBuf>,
    /// The socket of an `ssh-agent`.
    pub agent: Option<PathBuf>,
    /// Key files for hosts without an `identity_file`; those that do not exist are passed over.
    pub identities: Vec<PathBuf>,
    /// The password to log in with, for hosts that have none of their own.
    pub password: Option<Secret>,
    /// What sudo's question is answered with, for hosts that have no password of their own for that.
    pub become_password: Option<Secret>,
}

impl Default for Options {
    fn default() -> Self {
        let folder = PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/".into())).join(".ssh");
        Self {
            accept_new_host_keys: false,
            asker: None,
            known_hosts: vec![folder.join("known_hosts"), "/etc/ssh/ssh_known_hosts".into()],
            agent: env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
            identities: ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| folder.join(name)).into(),
            password: None,
            become_password: None,
        }
    }
}

/// Opens sessions over SSH: one for a whole run, so that questions are asked once.
pub struct Ssh {
    reach: Arc<Reach>,
    become_password: Option<Secret>,
}

impl Ssh {
    /// Nothing is contacted yet.
    pub fn new(options: Options) -> Self {
        let keys = auth::Keys::new(options.agent, options.identities, options.asker.clone());
        let keeper = Keeper::new(options.accept_new_host_keys, options.asker, options.known_hosts);
        let become_password = options.become_password;
        Self { reach: Arc::new(Reach::new(Arc::new(keeper), keys)), become_password }
    }
}

#[async_trait]
impl Connect for Ssh {
    async fn check(&self, host: &Host) -> Result<(), Unreachable> {
        check(host)?;
        self.reach.keeper.keys(host)?;
        self.reach.keys.offers(host).await.map(drop)
    }

    async fn connect(&self, host: &Host, wait: Duration, note: Live) -> Result<Arc<dyn Session>, Unreachable> {
        no_jump(host)?;
        let sudo = Sudo::new(host, &login(host), self.become_password.as_ref());
        let session = session::Ssh::open(self.reach.clone(), host, sudo, wait, &note).await?;
        Ok(Arc::new(session))
    }
}

/// Whether the inventory says of `host` what can be used, as far as that shows from files alone: its pinned keys, its key
/// file, the way there.
///
/// # Errors
/// What is wrong with it.
pub fn check(host: &Host) -> Result<(), Unreachable> {
    no_jump(host)?;
    trust::pinned(host)?;
    host.identity_file.as_deref().map_or(Ok(()), auth::check_identity)
}

/// Going straight there instead would be something else than what was asked for.
fn no_jump(host: &Host) -> Result<(), Unreachable> {
    let Some(jump) = &host.jump else { return Ok(()) };
    Err(Unreachable {
        what: format!("{} is to be reached through {jump:?}, and jump hosts are not supported yet", host.name),
        hint: Some("run skep on the jump host, or give the host an address that can be reached from here".into()),
    })
}

/// `address:port`, for messages.
fn endpoint(host: &Host) -> String {
    if host.address.contains(':') {
        format!("[{}]:{}", host.address, host.port)
    } else {
        format!("{}:{}", host.address, host.port)
    }
}

/// Who logs in.
fn login(host: &Host) -> String {
    host.user.clone().unwrap_or_else(super::who::user)
}
