//! An agent for a host that is to reach others: it signs for the doors it was lent for, once for each, and only on a connection
//! that the other end has proven to be its own.
//!
//! That proof is OpenSSH's `session-bind@openssh.com` (OpenSSH 8.9, its PROTOCOL.agent): the client hands on what the other
//! end has signed when they agreed on their keys. So whoever has got hold of the host can open with it the doors that are opened
//! anyhow, and no others; and an older client none.

mod wire;

use std::sync::Mutex;

use russh::keys::PublicKey;
use russh::keys::signature::Verifier;
use russh::keys::ssh_encoding::Decode as _;
use russh::keys::ssh_key::Signature;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::lock;
use crate::remote::Door;
use wire::{Bind, Login, Request, Sign};

/// No request is longer: OpenSSH's own agent takes as much (`AGENT_MAX_LEN`).
const LONGEST: usize = 256 << 10;

/// Lent for some doors.
pub(super) struct Agent {
    doors: Vec<Door>,
    /// Which of them were opened.
    opened: Mutex<Vec<usize>>,
}

/// To whom one connection leads, and which.
struct Bound {
    host_key: PublicKey,
    session: Vec<u8>,
}

impl Agent {
    pub fn new(doors: Vec<Door>) -> Self {
        Self { doors, opened: Mutex::default() }
    }

    /// Answers what is asked on one connection, until that ends.
    pub async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut bound = None;
        while let Ok(request) = read(&mut stream).await {
            let answer = self.answer(&request, &mut bound).await;
            if stream.write_all(&wire::string(&answer)).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, request: &[u8], bound: &mut Option<Bound>) -> Vec<u8> {
        let answer = match (wire::request(request), &bound) {
            (Some(Request::Bind(bind)), None) => {
                *bound = proven(&bind);
                bound.is_some().then(wire::success)
            }
            (Some(Request::Identities), Some(bound)) => Some(wire::identities(&self.keys(bound))),
            (Some(Request::Identities), None) => Some(wire::identities(&[])),
            (Some(Request::Sign(sign)), Some(bound)) => self.sign(&sign, bound).await,
            _ => None,
        };
        answer.unwrap_or_else(wire::failure)
    }

    /// What may be shown to who is at the other end.
    fn keys(&self, bound: &Bound) -> Vec<Vec<u8>> {
        let mut keys: Vec<_> =
            self.doors.iter().filter(|door| bound.leads_to(door)).map(|door| door.proof.public()).collect();
        keys.dedup();
        keys
    }

    async fn sign(&self, asked: &Sign, bound: &Bound) -> Option<Vec<u8>> {
        let login = wire::login(&asked.data)?;
        let fits = |door: &Door| bound.leads_to(door) && bound.is_of(&login) && opens(door, &login, &asked.key);
        let door = self.take(fits)?;
        let signed = door.proof.sign(asked.data.clone(), asked.flags).await;
        signed.map(wire::signed).map_err(|why| tracing::info!("nothing was signed for {}: {why}", door.address)).ok()
    }

    /// A door that was not opened yet. From now on it was.
    fn take(&self, fits: impl Fn(&Door) -> bool) -> Option<&Door> {
        let mut opened = lock(&self.opened);
        let (at, door) = self.doors.iter().enumerate().find(|(at, door)| !opened.contains(at) && fits(door))?;
        opened.push(at);
        Some(door)
    }
}

impl Bound {
    fn leads_to(&self, door: &Door) -> bool {
        PublicKey::from_openssh(&door.host_key).is_ok_and(|key| key.key_data() == self.host_key.key_data())
    }

    /// Whether it is a login on that connection; newer ones say themselves to whom.
    fn is_of(&self, login: &Login) -> bool {
        let host = login.host_key.as_deref();
        login.session == self.session && host.is_none_or(|host| Ok(host) == self.host_key.to_bytes().as_deref())
    }
}

/// Who logs in, with what.
fn opens(door: &Door, login: &Login, key: &[u8]) -> bool {
    let public = door.proof.public();
    login.user == door.user && login.key == public && key == public
}

/// Whether the other end has signed that it is on this connection. One that the agent was handed on over is none.
fn proven(bind: &Bind) -> Option<Bound> {
    let host_key = PublicKey::from_bytes(&bind.host_key).ok()?;
    let signature = Signature::decode(&mut bind.signature.as_slice()).ok()?;
    Verifier::verify(&host_key, &bind.session, &signature).ok()?;
    (!bind.forwarding).then(|| Bound { host_key, session: bind.session.clone() })
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    if length > LONGEST {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut request = vec![0; length];
    stream.read_exact(&mut request).await?;
    Ok(request)
}

#[cfg(test)]
mod tests;
