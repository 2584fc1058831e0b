//! Who says what of a host: the layers that its variables are laid over each other from.

use std::fmt;

use super::names::Dialect;
use crate::yaml::{At, Node};

/// What one place says of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The place.
    pub from: From,
    /// What is said there.
    pub settings: Vec<Setting>,
}

/// A place in the inventory that says something of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A group that it is in.
    Group(String),
    /// The `group_vars` of a group that it is in.
    GroupVars(String),
    /// The host itself.
    Host,
    /// Its `host_vars`.
    HostVars,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group {name}"),
            Self::GroupVars(name) => write!(f, "group_vars of {name}"),
            Self::Host => f.write_str("host"),
            Self::HostVars => f.write_str("host_vars"),
        }
    }
}

/// A variable or a connection key, as it is written.
#[derive(Clone, PartialEq)]
pub struct Setting {
    /// Its name there.
    pub name: String,
    /// The connection key that it is.
    pub key: Option<&'static str>,
    /// Its value.
    pub node: Node,
    /// Where its name stands.
    pub at: At,
    pub(super) dialect: Dialect,
}

/// What it holds may be secret.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.name, self.node.at)
    }
}

impl Setting {
    pub(super) fn new(name: &Node, node: &Node, dialect: Dialect) -> Self {
        let text = name.scalar_text().unwrap_or_default().into_owned();
        Self { key: dialect.key(&text), name: text, node: node.clone(), at: name.at.clone(), dialect }
    }

    /// What it sets, under whichever of its names.
    pub fn meaning(&self) -> &str {
        self.key.unwrap_or(&self.name)
    }

    /// Whether nobody may see its value.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.key, Some("password" | "become_password"))
    }

    /// Whether the two set the same.
    pub(super) fn means(&self, other: &Self) -> bool {
        self.key == other.key && self.meaning() == other.meaning()
    }
}

/// Sets it, over what was set before.
pub(super) fn put(settings: &mut Vec<Setting>, new: Setting) {
    match settings.iter_mut().find(|known| known.means(&new)) {
        Some(known) => *known = new,
        None => settings.push(new),
    }
}
