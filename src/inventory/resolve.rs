//! From the tree to hosts: groups' variables laid over each other, connection keys taken out and checked.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::tree::{Tree, Var, put};
use super::{Group, Host, Inventory, Pin, Private};
use crate::secret::Secret;
use crate::yaml::{Error, Errors, Node, from_node};

/// Makes the inventory; all mistakes at once.
pub(super) fn resolve(mut tree: Tree) -> Result<Inventory, Errors> {
    tree.errors.extend(same_names(&tree));
    let depths: Vec<usize> = (0..tree.groups.len()).map(|index| depth(&mut tree, index, &mut Vec::new())).collect();
    let members: Vec<Vec<String>> = (0..tree.groups.len()).map(|index| members(&tree, index, 0)).collect();
    let mut order: Vec<usize> = (0..tree.groups.len()).collect();
    order.sort_by_key(|index| depths[*index]);
    let mut errors = std::mem::take(&mut tree.errors);
    let hosts = tree.hosts.iter().map(|(name, own)| {
        let text = name.as_str().unwrap_or_default();
        let is_in =
            |index: &usize| group_name(&tree, *index) == "all" || members[*index].iter().any(|host| host == text);
        let mut vars: Vec<Var> = Vec::new();
        let layers = order.iter().filter(|index| is_in(index)).flat_map(|index| &tree.groups[*index].vars);
        layers.chain(own).for_each(|(key, value)| put(&mut vars, key, value));
        let groups =
            (0..tree.groups.len()).filter(|index| is_in(index)).map(|index| group_name(&tree, index).to_owned());
        Arc::new(host(text, vars, groups.filter(|group| group != "all").collect(), &mut errors))
    });
    let hosts: Vec<Arc<Host>> = hosts.collect();
    let groups = tree.groups.iter().zip(&members).filter(|(group, _)| group.name.as_str() != Some("all"));
    let groups = groups
        .map(|(group, hosts)| Group { name: group.name.as_str().unwrap_or_default().to_owned(), hosts: hosts.clone() });
    let inventory = Inventory { hosts, groups: groups.collect() };
    errors.sort_by_key(|error| error.at.as_ref().map(|at| (at.source.path.clone(), at.start)));
    errors.dedup();
    Errors(errors).or(inventory)
}

fn group_name(tree: &Tree, index: usize) -> &str {
    tree.groups[index].name.as_str().unwrap_or_default()
}

fn same_names(tree: &Tree) -> Vec<Error> {
    let clash = |(host, _): &(Node, Vec<Var>)| {
        let group = tree.groups.iter().find(|group| group.name.as_str() == host.as_str())?;
        let message = format!("a host and a group are both called `{}`", host.as_str().unwrap_or_default());
        Some(
            Error::at(&host.at, message)
                .also(&group.name.at, "the group")
                .with_hint("rename one: a pattern could mean either"),
        )
    };
    tree.hosts.iter().filter_map(clash).collect()
}

/// How far below `all` a group stands: the longest way. A way that comes back to itself is a mistake.
fn depth(tree: &mut Tree, index: usize, below: &mut Vec<usize>) -> usize {
    if below.contains(&index) {
        let name = &tree.groups[index].name;
        let message = format!("group `{}` is its own descendant", name.as_str().unwrap_or_default());
        tree.errors
            .push(Error::at(&name.at, message).with_hint("take it out of the `children` of one of its descendants"));
        return 0;
    }
    below.push(index);
    let name = group_name(tree, index).to_owned();
    let is_parent = |parent: &usize| tree.groups[*parent].children.iter().any(|child| child.as_str() == Some(&name));
    let parents: Vec<usize> = (0..tree.groups.len()).filter(is_parent).collect();
    let depth = parents.into_iter().map(|parent| depth(tree, parent, below) + 1).max();
    below.pop();
    depth.unwrap_or(usize::from(name != "all"))
}

/// The hosts of a group and of the groups below it.
fn members(tree: &Tree, index: usize, level: usize) -> Vec<String> {
    let mut names = tree.groups[index].hosts.clone();
    let children = tree.groups[index].children.iter().filter(|_| level < tree.groups.len());
    for child in children.filter_map(|child| tree.groups.iter().position(|group| group.name.as_str() == child.as_str()))
    {
        names.extend(members(tree, child, level + 1));
    }
    names.sort_by_key(|name| tree.hosts.iter().position(|(host, _)| host.as_str() == Some(name)));
    names.dedup();
    names
}

/// The connection keys of one host, taken out of its variables.
struct Keys<'a> {
    vars: Vec<Var>,
    errors: &'a mut Vec<Error>,
}

impl Keys<'_> {
    fn node(&mut self, key: &str) -> Option<Node> {
        let index = self.vars.iter().position(|(name, _)| name == key)?;
        Some(self.vars.remove(index).1).filter(|node| !node.is_null())
    }

    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let node = self.node(key)?;
        from_node(&node).map_err(|error| self.errors.push(error)).ok()
    }

    fn port(&mut self) -> Option<u16> {
        let node = self.vars.iter().find(|(name, _)| name == "port").map(|(_, node)| node.clone());
        let port = self.take("port");
        if let (Some(0), Some(node)) = (port, node) {
            self.errors.push(Error::at(&node.at, "a port is a number from 1 to 65535"));
        }
        port
    }

    fn identity_file(&mut self) -> Option<PathBuf> {
        let node = self.node("identity_file")?;
        let text: String = from_node(&node).map_err(|error| self.errors.push(error)).ok()?;
        Some(expand_path(&text, &node.at.source.path))
    }

    /// Digits are a password, too. It is sent as one line: more of them would be taken for more answers.
    fn secret(&mut self, key: &str) -> Option<Secret> {
        let node = self.node(key)?;
        let text = node.scalar_text().filter(|text| !text.contains(['\n', '\r', '\0']));
        if text.is_none() {
            self.errors.push(Error::at(&node.at, format!("`{key}` is one line of text")));
        }
        text.map(Secret::new)
    }

    fn host_keys(&mut self) -> Vec<Pin> {
        let Some(node) = self.node("host_key") else { return Vec::new() };
        let lines = node.as_list().map_or_else(|| vec![node.clone()], <[Node]>::to_vec);
        let pins = lines.iter().map(pin);
        pins.filter_map(|pin| pin.map_err(|error| self.errors.push(error)).ok()).collect()
    }

    fn private(&mut self) -> Option<Private> {
        let text: String = self.take("private_address")?;
        Some(text.parse::<IpAddr>().map_or(Private::Interface(text), Private::Address))
    }
}

fn pin(node: &Node) -> Result<Pin, Error> {
    from_node::<String>(node)?.parse().map_err(|why| {
        Error::at(&node.at, format!("`host_key` is no public key: {why}")).with_hint(
            "it is a line of known_hosts without its first field, ssh-ed25519 AAAA…, or a fingerprint: ssh-ed25519 SHA256:…",
        )
    })
}

fn host(name: &str, vars: Vec<Var>, groups: Vec<String>, errors: &mut Vec<Error>) -> Host {
    let mut keys = Keys { vars, errors };
    Host {
        name: name.to_owned(),
        address: keys.take("address").unwrap_or_else(|| name.to_owned()),
        port: keys.port(),
        user: keys.take("user"),
        password: keys.secret("password"),
        identity_file: keys.identity_file(),
        jump: keys.take("jump"),
        host_keys: keys.host_keys(),
        become_root: keys.take("become").unwrap_or(true),
        become_user: keys.take("become_user").unwrap_or_else(|| "root".to_owned()),
        become_password: keys.secret("become_password"),
        private_address: keys.private(),
        groups,
        vars: keys.vars,
    }
}

/// `~/` is the home folder; what is relative is so to the inventory file.
fn expand_path(text: &str, inventory: &Path) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => inventory.parent().unwrap_or(Path::new("")).join(text),
    }
}
