//! `host_key`: the keys that a host must show.

use std::str::FromStr;

use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, PublicKey};

/// A host key that the inventory pins: nothing else is taken for this host, whatever `known_hosts` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The key: a line of `known_hosts` without its first field (`ssh-ed25519 AAAA…`).
    Key(Box<PublicKey>),
    /// The fingerprint of one, as `ssh-keygen -l` shows it (`SHA256:…`), and its type where that stands before it.
    Fingerprint(Option<Algorithm>, Fingerprint),
}

impl FromStr for Pin {
    type Err = String;

    /// # Errors
    /// Why it is none of the two: ends a sentence that begins with what it is.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (kind, print) = text.split_once(' ').map_or((None, text), |(kind, print)| (Some(kind), print));
        if !print.starts_with("SHA256:") {
            return PublicKey::from_openssh(text).map(|key| Self::Key(key.into())).map_err(|_| no_key(print));
        }
        let kind = kind.map(str::parse).transpose().map_err(|_| "is of no type that is known".to_owned())?;
        print
            .trim()
            .parse()
            .map(|print| Self::Fingerprint(kind, print))
            .map_err(|_| "is not a whole fingerprint".into())
    }
}

/// Why what is behind the first word of a text is no key: what the library says of it helps nobody.
fn no_key(rest: &str) -> String {
    match PublicKey::from_openssh(rest) {
        Ok(_) => "has a word too many before the key: the host's name, as in known_hosts".into(),
        Err(_) => "is not a whole public key".into(),
    }
}
