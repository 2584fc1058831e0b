//! Sessions over SSH, by russh.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | what ssh's own configuration says, as `ssh -G` tells it |
//! | `destination`, `book` | where and how a host is reached; those of a run, found once |
//! | `connect` | from a destination to a login, again until the machine is there |
//! | `way` | the stream to it: straight, through other hosts, by a program |
//! | `tcp` | the socket, and what a host says before it speaks SSH |
//! | `hostkeys`, `trust` | which host keys are expected; what happens with others |
//! | `auth` | keys, certificates, passwords: how we log in |
//! | `agent` | how a host logs in to another one as we did |
//! | `client` | our answers to what a server says of its own accord |
//! | `connection` | a login and its channels |
//! | `exec`, `output` | one command on one channel |
//! | `sudo` | how a command becomes another user's where sudo asks for a password |
//! | `session` | all that is done with one host |
//! | `dial` | connections from the host to somewhere else |

mod agent;
mod auth;
mod book;
mod client;
mod config;
mod connect;
mod connection;
mod destination;
mod dial;
mod exec;
mod hostkeys;
mod output;
mod session;
mod sudo;
mod tcp;
mod trust;
mod watched;
mod way;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use russh::keys::PublicKey;
use tokio::time::Duration;

use super::{Connect, Live, Session, Unreachable};
use crate::inventory::Host;
use crate::secret::Secret;
pub use config::{Config, KEYWORDS, Keyword, Standing};
use connect::Reach;
use destination::{Destination, Way};
pub use destination::{From, Setting};
use sudo::Sudo;

/// Answers what only a person can. Its methods block; they are called away from the runtime's own threads, one at a time.
pub trait Asker: Send + Sync {
    /// Shows the keys of hosts that are not known yet in one table, and asks once whether to trust them all.
    fn trust(&self, keys: &[NewKey]) -> bool;

    /// Asks for the passphrase of a key file; none where the user gives none.
    fn passphrase(&self, file: &Path) -> Option<Secret>;

    /// Asks what a host asks before it lets us in; what is typed is shown only if `echo`.
    fn answer(&self, question: &str, echo: bool) -> Option<Secret>;
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
    fn of(to: &Destination, key: &PublicKey) -> Self {
        let fingerprint = trust::fingerprint(key);
        Self { host: to.name.clone(), address: to.endpoint(), fingerprint, key: key.clone() }
    }
}

/// How to connect. The default is what `ssh` does for this user.
#[derive(Clone)]
pub struct Options {
    /// Host keys that are not known are accepted and recorded. Changed ones never are.
    pub accept_new_host_keys: bool,
    /// Answers questions; none where there is no terminal.
    pub asker: Option<Arc<dyn Asker>>,
    /// The configuration of `ssh` that holds where the inventory says nothing.
    pub config: Config,
    /// The inventory's hosts: who goes through one of them goes as that says.
    pub hosts: Vec<Arc<Host>>,
    /// Without a configuration: where host keys are known from. The first one is where new ones are recorded.
    pub known_hosts: Vec<PathBuf>,
    /// Without a configuration: the socket of an `ssh-agent`.
    pub agent: Option<PathBuf>,
    /// Without a configuration: key files for hosts without an `identity_file`; those that do not exist are passed over.
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
            config: Config::Users,
            hosts: Vec::new(),
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
        Self { reach: Arc::new(Reach::new(&options)), become_password: options.become_password }
    }

    /// Where and how `host` is reached: each value, and who says so. Contacts nobody.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn settings(&self, host: &Host) -> Result<Vec<Setting>, Unreachable> {
        let found = self.reach.book.find(host).await.map_err(|why| named(host, why))?;
        Ok(found.settings.clone())
    }
}

#[async_trait]
impl Connect for Ssh {
    async fn check(&self, host: &Host) -> Result<(), Unreachable> {
        self.check_all(host).await.map_err(|why| named(host, why))
    }

    async fn connect(&self, host: &Host, wait: Duration, note: Live) -> Result<Arc<dyn Session>, Unreachable> {
        let to = self.reach.book.find(host).await?;
        let sudo = Sudo::new(host, &to.user, self.become_password.as_ref());
        let session = session::Ssh::open(self.reach.clone(), to, sudo, wait, &note).await?;
        Ok(Arc::new(session))
    }
}

impl Ssh {
    async fn check_all(&self, host: &Host) -> Result<(), Unreachable> {
        check(host)?;
        let mut to = self.reach.book.find(host).await?;
        loop {
            self.reach.keeper.keys(&to)?;
            self.reach.keys.offers(&to).await?;
            let Way::Through(hop) = &to.way else { return Ok(()) };
            to = hop.clone();
        }
    }
}

/// What a thread that panicked left behind is still true enough.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which of many hosts it is.
fn named(host: &Host, why: Unreachable) -> Unreachable {
    if why.what.contains(&host.name) {
        return why;
    }
    Unreachable { what: format!("{}: {}", host.name, why.what), ..why }
}

/// Whether the key file that the inventory names for `host` can be used, as far as that shows from the file alone.
///
/// # Errors
/// What is wrong with it.
pub fn check(host: &Host) -> Result<(), Unreachable> {
    host.identity_file.as_deref().map_or(Ok(()), auth::check_identity)
}
