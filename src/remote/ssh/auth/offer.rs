//! One key, or certificate, and how it signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{self, Signature};
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};

use super::agent;
use crate::remote::Proof;
use crate::remote::ssh::client::{Client, Facts};
use crate::remote::ssh::trust::fingerprint;

/// Flags of an agent's request: how RSA signs (draft-ietf-sshm-ssh-agent, section 3.6.1).
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// One way to prove who we are.
#[derive(Clone)]
pub(in super::super) enum Offer {
    /// A key from a file.
    Key(PathBuf, Arc<PrivateKey>),
    /// A key, or a certificate, that the agent at that socket holds.
    Agent(PathBuf, Box<AgentIdentity>),
    /// A certificate from a file, for what signs.
    Certificate(PathBuf, Box<Certificate>, Signer),
}

/// What to offer, best first.
#[derive(Default)]
pub(in super::super) struct Offers {
    pub list: Vec<Offer>,
    /// How many keys of the agent have no room among them.
    pub left_out: usize,
    /// Why a file that was named is not among them.
    pub problems: Vec<String>,
}

/// What signs for a certificate: certificates hold no private key, and agents do not know those that lie in files.
#[derive(Clone)]
pub(in super::super) enum Signer {
    Key(Arc<PrivateKey>),
    Agent(PathBuf, Box<AgentIdentity>),
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in super::super) struct Unsigned(String);

impl From<russh::SendError> for Unsigned {
    fn from(error: russh::SendError) -> Self {
        Self(error.to_string())
    }
}

/// The same in a login: the time that an agent takes, which may wait for a person, is not the host's.
struct Signing<'a>(Signer, &'a Facts);

impl russh::Signer for Signing<'_> {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        self.1.while_asking(self.0.sign(hash, data)).await.map_err(Unsigned)
    }
}

impl Signer {
    /// What was signed, with the signature behind it.
    async fn sign(&self, hash: Option<HashAlg>, data: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Self::Key(key) => sign(key, hash, data).map_err(|error| error.to_string()),
            Self::Agent(socket, identity) => agent::sign(socket, identity, hash, data).await,
        }
    }
}

/// Another host logs in with it, as we did.
#[async_trait]
impl Proof for Offer {
    fn public(&self) -> Vec<u8> {
        let bytes = match self {
            Self::Key(_, key) => key.public_key().to_bytes(),
            Self::Agent(_, identity) => match &**identity {
                AgentIdentity::PublicKey { key, .. } => key.to_bytes(),
                AgentIdentity::Certificate { certificate, .. } => certificate.to_bytes(),
            },
            Self::Certificate(_, certificate, _) => certificate.to_bytes(),
        };
        bytes.unwrap_or_default()
    }

    async fn sign(&self, data: Vec<u8>, flags: u32) -> Result<Vec<u8>, String> {
        let hash = match (self.public_key().algorithm().is_rsa(), flags) {
            (false, _) => None,
            (true, flags) if flags & RSA_SHA2_512 != 0 => Some(HashAlg::Sha512),
            (true, flags) if flags & RSA_SHA2_256 != 0 => Some(HashAlg::Sha256),
            (true, _) => return Err("it asks for a signature by SHA-1".into()),
        };
        let length = data.len();
        let mut signed = self.signer().sign(hash, data).await?;
        Ok(signed.split_off(length))
    }
}

/// Puts the signature behind what is signed (RFC 4252 section 7). RSA signs with SHA-2 where `hash` says so.
fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut data: Vec<u8>) -> Result<Vec<u8>, ssh_key::Error> {
    let signature: Signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&data)?,
        pair => pair.try_sign(&data)?,
    };
    let mut blob = Vec::new();
    signature.encode(&mut blob)?;
    blob.as_slice().encode(&mut data)?;
    Ok(data)
}

impl Offer {
    /// Whether that is its key.
    pub fn is_of(&self, key: &PublicKey) -> bool {
        self.public_key().key_data() == key.key_data()
    }

    /// Whether it is one already.
    pub fn is_certificate(&self) -> bool {
        match self {
            Self::Key(..) => false,
            Self::Agent(_, identity) => matches!(**identity, AgentIdentity::Certificate { .. }),
            Self::Certificate(..) => true,
        }
    }

    fn public_key(&self) -> PublicKey {
        match self {
            Self::Key(_, key) => key.public_key().clone(),
            Self::Agent(_, identity) => identity.public_key().into_owned(),
            Self::Certificate(_, certificate, _) => certificate.public_key().clone().into(),
        }
    }

    /// A certificate of this key.
    pub fn certified(&self, file: &Path, certificate: Certificate) -> Self {
        Self::Certificate(file.into(), certificate.into(), self.signer())
    }

    fn signer(&self) -> Signer {
        match self {
            Self::Key(_, key) => Signer::Key(key.clone()),
            Self::Agent(socket, identity) => Signer::Agent(socket.clone(), identity.clone()),
            Self::Certificate(_, _, signer) => signer.clone(),
        }
    }

    /// Whether a person must touch something each time that it signs.
    pub fn needs_touch(&self) -> bool {
        self.public_key().algorithm().as_str().starts_with("sk-")
    }

    /// For people.
    pub fn describe(&self) -> String {
        let of = fingerprint(&self.public_key());
        match self {
            Self::Key(path, _) => format!("{} ({of})", path.display()),
            Self::Agent(_, identity) => format!("the agent's {:?} ({of})", identity.comment()),
            Self::Certificate(path, certificate, _) => {
                format!(
                    "{} ({of}), a certificate {:?} for {}",
                    path.display(),
                    certificate.key_id(),
                    named(certificate)
                )
            }
        }
    }

    /// Offers it.
    pub async fn make(&self, handle: &mut Handle<Client>, user: &str, facts: &Facts) -> Result<AuthResult, String> {
        let hash = rsa_hash(handle, self.public_key().algorithm().is_rsa()).await;
        match self {
            Self::Key(_, key) => {
                let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
                handle.authenticate_publickey(user, key).await.map_err(|error| error.to_string())
            }
            Self::Agent(socket, identity) => {
                let mut signer = Signing(Signer::Agent(socket.clone(), identity.clone()), facts);
                match &**identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        handle.authenticate_publickey_with(user, key.clone(), hash, &mut signer).await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        handle.authenticate_certificate_with(user, certificate.clone(), hash, &mut signer).await
                    }
                }
                .map_err(|error| error.to_string())
            }
            Self::Certificate(_, certificate, signer) => {
                let certificate = (**certificate).clone();
                let mut signer = Signing(signer.clone(), facts);
                let made = handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await;
                made.map_err(|error| error.to_string())
            }
        }
    }
}

/// Whom a certificate lets in.
fn named(certificate: &Certificate) -> String {
    match certificate.valid_principals() {
        [] => "everybody".into(),
        users => users.join(", "),
    }
}

/// Only RSA has a choice; asking which one the server likes may take a second.
async fn rsa_hash(handle: &Handle<Client>, is_rsa: bool) -> Option<HashAlg> {
    if !is_rsa {
        return None;
    }
    handle.best_supported_rsa_hash().await.ok().flatten().flatten().or(Some(HashAlg::Sha256))
}
