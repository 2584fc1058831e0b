//! Who: hosts, groups and patterns, from YAML and from Ansible's inventories.
//!
//! What is said of a host is laid over what its groups say, and a child group over its parents. Of groups equally deep, the one
//! with the higher `ansible_group_priority` wins, and of those the one whose name comes later: the order is Ansible's. `all` is
//! below everything. Nothing is lost on the way: [`Host::layers`] says who said what.

mod arguments;
mod connection;
mod from;
mod groups;
mod ini;
mod layers;
mod load;
mod names;
mod notes;
mod pattern;
mod pin;
mod range;
mod render;
mod resolve;
pub mod schema;
#[cfg(test)]
mod tests;
mod tree;
mod words;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::secret::Secret;
use crate::yaml::{Error, Node};

pub use layers::{From, Layer, Setting};
pub use pattern::{Pattern, PatternError};
pub use pin::Pin;
use render::Ground;

/// All hosts and groups that were written down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// The hosts, in the order they were first named.
    pub hosts: Vec<Arc<Host>>,
    /// The groups, those without hosts included, in the order they were first named; `all` is not among them.
    /// Hosts that are in no other group are in `ungrouped`.
    pub groups: Vec<Group>,
    /// What Ansible goes by and nothing here does, and other things that should be known and are no mistakes.
    pub notes: Vec<Error>,
    /// Where each host stands, by its name.
    places: HashMap<String, usize>,
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
    fn new(hosts: Vec<Arc<Host>>, groups: Vec<Group>, notes: Vec<Error>) -> Self {
        let places = hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect();
        Self { hosts, groups, notes, places }
    }

    /// These hosts, and the groups that they are in.
    pub fn of(hosts: Vec<Arc<Host>>) -> Self {
        let (mut places, mut groups): (HashMap<&str, usize>, Vec<Group>) = (HashMap::new(), Vec::new());
        for (name, host) in hosts.iter().flat_map(|host| host.groups.iter().map(move |name| (name, host))) {
            let place = *places.entry(name).or_insert_with(|| {
                groups.push(Group { name: name.clone(), hosts: Vec::new() });
                groups.len() - 1
            });
            groups[place].hosts.push(host.name.clone());
        }
        Self::new(hosts, groups, Vec::new())
    }

    /// A way to render what is said of hosts, with nothing but what the inventory says.
    pub fn templates(&self) -> Templates {
        let mut ground =
            Ground::new(self.groups.iter().map(|group| (group.name.clone(), group.hosts.clone())).collect());
        self.hosts.iter().for_each(|host| ground.add(&host.name, &host.groups, &resolve::strongest(&host.layers)));
        Templates(Arc::new(ground))
    }

    /// The host of a name.
    pub fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.hosts.get(*self.places.get(name)?)
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
    /// Options of `ssh` that say how it is reached, as Ansible's inventories have them: over ssh_config, under all of the above.
    pub ssh_arguments: Vec<String>,
    /// The groups it is in, `all` left out, in the inventory's order.
    pub groups: Vec<String>,
    /// Its variables: the host's own over its groups' over `all`'s.
    pub vars: Vec<(String, Node)>,
    /// All that is said of it, what something stronger hides included, from weak to strong.
    pub layers: Vec<Arc<Layer>>,
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
            ssh_arguments: Vec::new(),
            groups: Vec::new(),
            vars: Vec::new(),
            layers: Vec::new(),
        }
    }
}

/// Renders what is said of hosts.
pub struct Templates(Arc<Ground>);

impl Templates {
    /// A value of a host's.
    ///
    /// # Errors
    /// What is undefined, or wrong with an expression, at its place.
    pub fn rendered(&self, host: &Host, node: &Node) -> Result<Node, Error> {
        render::rendered(&self.0, &host.name, node)
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
