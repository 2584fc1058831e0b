//! What a host is reached by: its connection keys, checked.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::arguments::{self, Arguments};
use super::layers::Setting;
use super::names::SSH_ARGUMENTS;
use super::notes::Notes;
use super::render::is_template;
use super::{Host, Pin, Private};
use crate::secret::Secret;
use crate::vault::{Origin, Sealed, Vault};
use crate::yaml::{Error, Node, Value, from_node};

/// The connection keys that hold for one host, the strongest of each.
pub(super) struct Keys<'a> {
    pub settings: Vec<Setting>,
    /// Renders a template with what is said of the host.
    pub render: &'a dyn Fn(&Node) -> Result<Node, Error>,
    /// Opens what says of itself that it is a secret.
    pub opener: &'a Opener,
    pub errors: &'a mut Vec<Error>,
    pub notes: &'a mut Notes,
}

/// Opens secrets, each once for all the hosts that it is said of.
pub(super) struct Opener {
    /// Whether programs may be run and files be read for it.
    may_run: bool,
    vault: Vault,
}

impl Opener {
    /// Nothing is open yet.
    pub fn new(may_run: bool) -> Self {
        Self { may_run, vault: Vault::default() }
    }

    fn open(&self, node: &Node) -> Result<Secret, Error> {
        if let Some(known) = self.vault.get(&node.at) {
            return Ok(known);
        }
        let sealed = Sealed::read(node)?;
        if !self.may_run {
            return Err(Error::at(&node.at, "an inventory that is not read from a file opens no secret"));
        }
        let secret = match sealed.from {
            Origin::Prompt(_) => Err(Error::at(&node.at, "passwords are asked for by options, not by the inventory")
                .with_hint("`-k` asks for the one to log in with, `-K` for sudo's")),
            _ => sealed.open(&mut |_| None),
        }?;
        self.vault.keep(&node.at, secret.clone());
        Ok(secret)
    }
}

impl Keys<'_> {
    /// The host of a name that they are the keys of.
    pub fn host(mut self, name: &str) -> Host {
        Host {
            address: self.take("address").unwrap_or_else(|| name.to_owned()),
            port: self.port(),
            user: self.take("user"),
            password: self.secret("password"),
            identity_file: self.identity_file(),
            jump: self.take("jump"),
            host_keys: self.host_keys(),
            become_root: self.truth("become").unwrap_or(true),
            become_user: self.take("become_user").unwrap_or_else(|| "root".to_owned()),
            become_password: self.secret("become_password"),
            private_address: self.private(),
            ssh_arguments: self.arguments(),
            ..Host::named(name)
        }
    }

    fn setting(&mut self, key: &str) -> Option<Setting> {
        let index = self.settings.iter().position(|setting| setting.key == Some(key))?;
        let setting = self.settings.remove(index);
        let node = if is_template(&setting.node) { (self.render)(&setting.node) } else { Ok(setting.node.clone()) };
        let node = node.map_err(|error| self.errors.push(error)).ok()?;
        Some(Setting { node, ..setting }).filter(|setting| !setting.node.is_null())
    }

    fn node(&mut self, key: &str) -> Option<Node> {
        self.setting(key).map(|setting| setting.node)
    }

    /// Under Ansible's names a text may say what is a number or a truth here: INI and programs have little else.
    fn loose(&mut self, key: &str) -> Option<Node> {
        let rendered = self.settings.iter().any(|setting| setting.key == Some(key) && is_template(&setting.node));
        let setting = self.setting(key)?;
        let is_loose = rendered || setting.name.starts_with("ansible_");
        Some(if is_loose { loosened(setting.node) } else { setting.node })
    }

    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let node = self.node(key)?;
        from_node(&node).map_err(|error| self.errors.push(error)).ok()
    }

    fn truth(&mut self, key: &str) -> Option<bool> {
        let node = self.loose(key)?;
        from_node(&node).map_err(|error| self.errors.push(error)).ok()
    }

    fn port(&mut self) -> Option<u16> {
        let node = self.loose("port")?;
        let port = from_node(&node).map_err(|error| self.errors.push(error)).ok();
        if port == Some(0) {
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
        if Sealed::is(&node) {
            return self.opener.open(&node).map_err(|error| self.errors.push(error)).ok();
        }
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

    /// What `ssh` would be given beside the host: as far as it says how that is reached.
    fn arguments(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for key in SSH_ARGUMENTS {
            let Some(node) = self.node(key) else { continue };
            match arguments::read(&node) {
                Ok(Arguments { passed, others }) => {
                    all.extend(passed);
                    let is_new =
                        |place: &usize| !others[..*place].iter().any(|(option, _)| *option == others[*place].0);
                    let once = (0..others.len()).filter(is_new).map(|place| &others[place]);
                    once.for_each(|(option, at)| self.notes.option(option, key, at));
                }
                Err(error) => self.errors.push(error),
            }
        }
        all
    }

    fn private(&mut self) -> Option<Private> {
        let text: String = self.take("private_address")?;
        Some(text.parse::<IpAddr>().map_or(Private::Interface(text), Private::Address))
    }
}

/// A text as what it says: a number, or one of the words that are true or false to Ansible.
fn loosened(node: Node) -> Node {
    let text = node.scalar_text().unwrap_or_default().trim().to_lowercase();
    let value = match text.as_str() {
        "yes" | "on" | "y" | "t" | "true" => Value::Bool(true),
        "no" | "off" | "n" | "f" | "false" => Value::Bool(false),
        digits => digits.parse().map_or(node.value, Value::Int),
    };
    Node { value, ..node }
}

fn pin(node: &Node) -> Result<Pin, Error> {
    from_node::<String>(node)?.parse().map_err(|why| {
        Error::at(&node.at, format!("`host_key` {why}")).with_hint(
            "it is what `ssh-keyscan HOST` prints, or a line of known_hosts, without its first field: ssh-ed25519 AAAA…; \
             or the fingerprint, as `ssh-keygen -l` shows it: ssh-ed25519 SHA256:…",
        )
    })
}

/// `~/` is the home folder; what is relative is so to the inventory file.
fn expand_path(text: &str, inventory: &Path) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => inventory.parent().unwrap_or(Path::new("")).join(text),
    }
}
