//! Who: hosts, groups and patterns, from YAML.
//!
//! What is said of a host is laid over what its groups say, a child group over its parents, and of groups equally deep the
//! one that is written later wins. `all` is below everything.

mod load;
mod pattern;
mod pin;
mod range;
mod resolve;
#[cfg(test)]
mod tests;
mod tree;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::secret::Secret;
use crate::yaml::Node;

pub use pattern::{Pattern, PatternError};
pub use pin::Pin;

/// All hosts and groups that were written down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// The hosts, in the order they were first named.
    pub hosts: Vec<Arc<Host>>,
    /// The groups, in the order they were first named; `all` is not among them.
    pub groups: Vec<Group>,
}

/// Hosts that go by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The names of its hosts, those of the groups below it included, in the inventory's order.
    pub hosts: Vec<String>,
}

impl Inventory {
    /// These hosts, and the groups that they are in.
    pub fn of(hosts: Vec<Arc<Host>>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (group, host) in hosts.iter().flat_map(|host| host.groups.iter().map(move |group| (group, host))) {
            match groups.iter_mut().find(|known| known.name == *group) {
                Some(known) => known.hosts.push(host.name.clone()),
                None => groups.push(Group { name: group.clone(), hosts: vec![host.name.clone()] }),
            }
        }
        Self { hosts, groups }
    }

    /// The host of a name.
    pub fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The group of a name; `all` is none.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }
}

/// One machine, with what its groups and `vars` say about it already merged in.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The name it goes by, unique in the inventory.
    pub name: String,
    /// Where SSH connects: an address or a name that resolves; the host's name where none is given.
    pub address: String,
    /// SSH's port; what its configuration says, or 22, where none is given.
    pub port: Option<u16>,
    /// Who logs in; the workstation's user where none is given.
    pub user: Option<String>,
    /// The password to log in with.
    pub password: Option<Secret>,
    /// The private key to offer, `~` expanded.
    pub identity_file: Option<PathBuf>,
    /// Hosts to go through, as `ssh -J` takes them: names of the inventory, or `user@host:port`; `none` for none.
    pub jump: Option<String>,
    /// Pinned host keys.
    pub host_keys: Vec<Pin>,
    /// Whether commands run through sudo (default true; nothing is put in front where root logs in).
    pub become_root: bool,
    /// Who sudo becomes; `root` where none is given.
    pub become_user: String,
    /// What sudo's question for a password is answered with.
    pub become_password: Option<Secret>,
    /// How the other nodes reach it, where the inventory says so.
    pub private_address: Option<Private>,
    /// The groups it is in, `all` left out, in the inventory's order.
    pub groups: Vec<String>,
    /// Its variables: the host's own over its groups' over `all`'s.
    pub vars: Vec<(String, Node)>,
}

impl Host {
    /// A host of which nothing is known but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            address: name.into(),
            port: None,
            user: None,
            password: None,
            identity_file: None,
            jump: None,
            host_keys: Vec::new(),
            become_root: true,
            become_user: "root".into(),
            become_password: None,
            private_address: None,
            groups: Vec::new(),
            vars: Vec::new(),
        }
    }
}

/// The `private_address` (or `advertise`) of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Private {
    /// An address.
    Address(IpAddr),
    /// The address of a network interface.
    Interface(String),
}
