//! What keys are called: ours, Ansible's, and what is written by a slip of the fingers.

use super::layers::Setting;
use super::schema::{CHILDREN, FROM, HOSTS, LINE, PINS, PORT, TEXT, TRUTH, VARS};
use crate::schema::{Key, names};
use crate::yaml::{Error, Node};

/// What a key of a host, a group or `vars` is called here, and by Ansible.
pub(super) const CONNECTION: [(Key, &[&str]); 14] = [
    (
        Key::new("address", TEXT, "where SSH connects; the host's name by default"),
        &["ansible_host", "ansible_ssh_host"],
    ),
    (
        Key::new("port", PORT, "SSH's port; what ssh's configuration says, or 22, by default"),
        &["ansible_port", "ansible_ssh_port"],
    ),
    (Key::new("user", TEXT, "who logs in; who you are by default"), &["ansible_user", "ansible_ssh_user"]),
    (
        Key::new("password", LINE, "what is logged in with; better asked for: `-k`"),
        &["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"],
    ),
    (
        Key::new("identity_file", TEXT, "the private key to offer; relative to this file"),
        &["ansible_ssh_private_key_file", "ansible_private_key_file"],
    ),
    (Key::new("jump", TEXT, "hosts to go through: names of the inventory, or `user@host:port`; `none` for none"), &[]),
    (
        Key::new(
            "host_key",
            PINS,
            "its own key, as in known_hosts, or the fingerprint of that: `ssh-ed25519 SHA256:…`",
        ),
        &[],
    ),
    (Key::new("become", TRUTH, "whether commands run as root, through sudo: they do by default"), &["ansible_become"]),
    (Key::new("become_user", TEXT, "who sudo becomes; root by default"), &["ansible_become_user"]),
    (
        Key::new(
            "become_password",
            LINE,
            "what sudo's question for a password is answered with; better asked for: `-K`",
        ),
        &["ansible_become_password", "ansible_become_pass"],
    ),
    (
        Key::new("private_address", TEXT, "how the other nodes reach it: an address, or the interface that has it"),
        &["advertise"],
    ),
    // Options of `ssh`, of which there are none of ours: ssh_config says the same.
    (Key::new(SSH_ARGUMENTS[0], TEXT, "options as for `ssh`, for Ansible's inventories"), &[SSH_ARGUMENTS[0]]),
    (Key::new(SSH_ARGUMENTS[1], TEXT, "the same"), &[SSH_ARGUMENTS[1]]),
    (Key::new(SSH_ARGUMENTS[2], TEXT, "the same"), &[SSH_ARGUMENTS[2]]),
];

/// What else may stand in a group.
pub(super) const GROUP: &[Key] = &[
    Key::new("hosts", HOSTS, "its hosts, each with what is said of it alone; `node[1:3]` are three"),
    Key::new("children", CHILDREN, "the groups below it"),
    Key::new("vars", VARS, "how its hosts are reached, and variables of theirs"),
    Key::new("from", FROM, "hosts that a command prints as JSON"),
];

/// In the order in which Ansible gives them to `ssh`, to which the first word counts.
pub(super) const SSH_ARGUMENTS: [&str; 3] = ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

fn speaks_ansible(node: &Node) -> bool {
    let is_theirs = |(key, value): &(Node, Node)| {
        key.as_str().is_some_and(|key| key.starts_with("ansible_") && key != PRIORITY) || speaks_ansible(value)
    };
    node.entries().iter().any(is_theirs) || node.items().iter().any(speaks_ansible)
}

/// The number that Ansible orders groups of one depth by; it is no variable.
pub(super) const PRIORITY: &str = "ansible_group_priority";

/// Whose names connection keys have in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Ours, and Ansible's.
    #[default]
    Ours,
    /// The same, in a text that has some of Ansible's: what other tools call a connection key may well be a variable there.
    Mixed,
    /// Ansible's alone: the text is of a form that only Ansible has, and there `port` and `user` are variables like any other.
    Ansibles,
}

impl Dialect {
    /// That of a text in YAML or JSON.
    pub fn of(node: &Node) -> Self {
        if speaks_ansible(node) { Self::Mixed } else { Self::Ours }
    }

    /// The connection key that a name means.
    pub fn key(self, name: &str) -> Option<&'static str> {
        let is_ours = |ours: &Key| self != Self::Ansibles && ours.name == name;
        CONNECTION.iter().find(|(ours, theirs)| is_ours(ours) || theirs.contains(&name)).map(|(ours, _)| ours.name)
    }
}

/// What may stand in a group.
pub(super) fn of_groups() -> impl Iterator<Item = &'static str> {
    let keys = CONNECTION.iter().map(|(ours, _)| ours.name).filter(|key| !SSH_ARGUMENTS.contains(key));
    names(GROUP).chain(keys)
}

/// What is wrong with the name that something is set by, if anything.
pub(super) fn wrong(key: &Node, value: &Node, dialect: Dialect) -> Option<Error> {
    unheeded(key, value).or_else(|| match dialect {
        Dialect::Ours => misspelt(key),
        Dialect::Mixed => misspelt(key).filter(|_| key.as_str().is_some_and(|name| meant(name).is_none())),
        Dialect::Ansibles => misspelt(key).filter(|_| key.as_str().is_some_and(|name| name.starts_with("ansible"))),
    })
}

/// What Ansible would reach the host by, and nobody does here, but for values that change nothing: to pass over it would be
/// to go another way.
pub(super) const UNHEEDED: [(&str, &[&str], &str); 3] = [
    ("ansible_ssh_executable", &["ssh"], "leave it out: skep speaks SSH itself"),
    (
        "ansible_connection",
        &["ssh", "smart", "paramiko"],
        "every host is reached by SSH: leave this out, or the host, where it is this machine",
    ),
    ("ansible_become_method", &["sudo"], "leave it out: root is become through sudo"),
];

fn unheeded(key: &Node, value: &Node) -> Option<Error> {
    let (name, harmless, hint) = UNHEEDED.iter().find(|(name, ..)| key.as_str() == Some(name))?;
    let harmless = harmless.contains(&value.as_str().unwrap_or_default());
    (!harmless).then(|| Error::at(&key.at, format!("`{name}` is not heeded here")).with_hint(*hint))
}

/// What others call a connection key.
pub(super) const OTHERWISE: [(&str, &str); 14] = [
    ("username", "user"),
    ("ssh_user", "user"),
    ("ssh_port", "port"),
    ("ssh_host", "address"),
    ("passwd", "password"),
    ("ssh_password", "password"),
    ("keyfile", "identity_file"),
    ("key_file", "identity_file"),
    ("ssh_key", "identity_file"),
    ("private_key", "identity_file"),
    ("proxy_jump", "jump"),
    ("proxyjump", "jump"),
    ("sudo", "become"),
    ("sudo_password", "become_password"),
];

/// The key that another tool's name means, or a short one whose letters were swapped: `prot`.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase().replace('-', "_");
    let letters = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let swapped = |ours: &&str| ours.len() <= 5 && letters(ours) == letters(&lower);
    let ours = CONNECTION.iter().map(|(ours, _)| ours.name).find(swapped);
    ours.or_else(|| OTHERWISE.iter().find(|(theirs, _)| *theirs == lower).map(|(_, ours)| *ours))
}

/// A variable that is all but called like a connection key is meant to be one: `adress` would connect to the host's name
/// and say nothing. Short keys are left out (`users` and `ports` are fine variables), and so is what differs more than a slip
/// of the fingers does: `addresses`.
fn misspelt(key: &Node) -> Option<Error> {
    let name = key.as_str().filter(|name| Dialect::Ours.key(name).is_none())?;
    if let Some(near) = meant(name) {
        return Some(unknown(key, near));
    }
    let long = CONNECTION
        .iter()
        .flat_map(|(ours, theirs)| theirs.iter().copied().chain([ours.name]))
        .filter(|known| known.len() > 5);
    let slips = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase().replace('-', "_"), known);
    long.into_iter().find(|known| slips(known) < 2).map(|near| unknown(key, near))
}

fn unknown(key: &Node, near: &str) -> Error {
    let error = Error::at(&key.at, format!("unknown key `{}`", key.as_str().unwrap_or_default()));
    error.with_hint(format!("did you mean `{near}`? A variable needs a name that cannot be taken for it"))
}

/// A host may be named in several groups, but what is said of it must not differ: in one text that is a mistake. In Ansible's
/// forms and in several files the later one holds, and it is a note.
pub(super) fn differs(known: &[Setting], new: &Setting) -> Option<(bool, Error)> {
    let first = known.iter().find(|known| known.means(new) && known.node.value != new.node.value)?;
    let is_mistake = new.dialect != Dialect::Ansibles && first.node.at.source == new.node.at.source;
    let what = if is_mistake { "" } else { ", and this one holds" };
    (first.node.at != new.node.at).then(|| {
        let error =
            Error::at(&new.node.at, format!("`{}` of this host was given differently before{what}", new.meaning()))
                .also(&first.node.at, "first given here")
                .with_hint("say it in one place; in the other groups the host's name is enough");
        (is_mistake, error)
    })
}
