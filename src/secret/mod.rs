//! A value that never prints itself.

mod masks;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

pub use masks::{SHORTEST, hide, hide_plain, masked};

/// What stands where a secret would: in plans, logs, events and errors.
pub const MASK: &str = "••••••";

/// A password, token or key: shown as [`MASK`] by `Debug`, `Display` and serde, wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let token = Secret::new("SWMTKN-1-abc");
        let told = format!("{token} {token:?} {}", serde_json::to_string(&token).unwrap_or_default());
        assert!(!told.contains("SWMTKN"), "{told}");
        assert_eq!(token.expose(), "SWMTKN-1-abc");
    }
}
