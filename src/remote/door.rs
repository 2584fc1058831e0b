//! How one host lets another in as it has let us in, without our key.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;

/// How a host has let us in.
#[derive(Clone)]
pub struct Door {
    /// Where it was reached: an address or a name.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Who logged in.
    pub user: String,
    /// The key that it has shown, as it stands in `known_hosts` behind the name: `ssh-ed25519 AAAA…`.
    pub host_key: String,
    /// What let us in.
    pub proof: Arc<dyn Proof>,
}

/// A key that let us in, or what holds it.
#[async_trait]
pub trait Proof: Send + Sync {
    /// Its public half, or its certificate, as it is sent (RFC 4253 section 6.6).
    fn public(&self) -> Vec<u8>;

    /// Signs `data`. `flags` are those of a request to an agent, which say how RSA signs (draft-ietf-sshm-ssh-agent, section 3.6.1).
    ///
    /// # Errors
    /// Why it does not, for people.
    async fn sign(&self, data: Vec<u8>, flags: u32) -> Result<Vec<u8>, String>;
}

/// An agent that a host may ask, on a connection of its own: for commands that are to open doors ([`Session::lend`]).
///
/// [`Session::lend`]: super::Session::lend
pub struct Lent(pub(super) Box<dyn Any + Send + Sync>);
