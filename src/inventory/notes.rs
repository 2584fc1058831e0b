//! What Ansible goes by and nothing here does: named by `skep check` and `skep hosts`, so that nothing is dropped in silence.

use std::collections::BTreeMap;

use super::layers::{Layer, Setting};
use super::names::{Dialect, meant};
use crate::expr;
use crate::secret::{self, Secret};
use crate::vault;
use crate::yaml::{At, Error};

/// Notes about keys, each once, with the hosts that it is about.
#[derive(Default)]
pub(super) struct Notes(BTreeMap<(String, String), (At, usize)>);

impl Notes {
    /// Looks at all that is said of one host.
    pub fn host<'a>(&mut self, layers: impl Iterator<Item = &'a Layer>) {
        let mut seen: Vec<(String, String)> = Vec::new();
        for setting in layers.flat_map(|layer| &layer.settings) {
            let Some(why) = of(setting).or_else(|| plain(setting)) else { continue };
            let key = (setting.name.clone(), why);
            if !seen.contains(&key) {
                self.0.entry(key.clone()).or_insert_with(|| (setting.at.clone(), 0)).1 += 1;
                seen.push(key);
            }
        }
    }

    /// An option of `ssh` that has no bearing here.
    pub fn option(&mut self, option: &str, key: &str, at: &At) {
        let why = format!("in `{key}` has no bearing here: it does not say how a host is reached");
        self.0.entry((option.to_owned(), why)).or_insert_with(|| (at.clone(), 0)).1 += 1;
    }

    /// All of them, as they are told.
    pub fn told(self) -> impl Iterator<Item = Error> {
        self.0.into_iter().map(|((name, why), (at, count))| {
            let hosts = if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") };
            Error::at(&at, format!("`{name}` {why} ({hosts})"))
        })
    }
}

/// Why nothing goes by a setting; nothing where something does.
fn of(setting: &Setting) -> Option<String> {
    let name = setting.name.as_str();
    let is_theirs = name.starts_with("ansible_");
    match (setting.key, setting.dialect) {
        (None, _) if is_theirs => without(name).map(str::to_owned),
        (None, _) if expr::BUILTIN.contains(&name) => {
            Some("has a meaning of its own in a playbook, which goes before: there it needs another name".to_owned())
        }
        (None, Dialect::Ansibles) => Dialect::Ours.key(name).map(|key| {
            format!("is a variable here, as it is for Ansible: what a host is reached by is `{}`", theirs(key))
        }),
        (None, Dialect::Mixed) => {
            meant(name).map(|key| format!("is a variable: what a host is reached by is `{}`", theirs(key)))
        }
        (Some(key), Dialect::Mixed) if ["address", "port", "user", "password"].contains(&name) => {
            Some(format!("says how a host is reached, as `{}` does: a variable needs another name", theirs(key)))
        }
        _ => None,
    }
}

/// A secret that anybody can read who has the file: no mistake in an inventory as Ansible's users have it, and to be known.
fn plain(setting: &Setting) -> Option<String> {
    let Setting { name, node, .. } = setting;
    let is_plain = vault::is_plain(name, node) || (setting.is_secret() && vault::is_plain("password", node));
    // The line that it stands in is shown.
    let is_hidden = is_plain && secret::hide_plain(&Secret::new(node.as_str()?));
    is_hidden.then(|| {
        format!("looks like a secret in plain text: `{name}: {{ secret: true, command: LINE }}` keeps it elsewhere")
    })
}

/// What Ansible calls a key that it has; what has none is called by ours.
fn theirs(key: &str) -> String {
    match key {
        "address" => "ansible_host".to_owned(),
        "identity_file" => "ansible_ssh_private_key_file".to_owned(),
        "jump" | "host_key" | "private_address" => key.to_owned(),
        key => format!("ansible_{key}"),
    }
}

/// Why a name of Ansible's has no counterpart.
fn without(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("ansible_")?;
    let has = |part: &str| name.contains(part);
    Some(match name {
        // Values that would go another way are mistakes, and these are not.
        "connection" | "become_method" | "ssh_executable" => return None,
        _ if name.ends_with("_interpreter") => "has no counterpart: no Python is needed on a host",
        _ if has("pipelining") => "has no counterpart: commands never come as files",
        _ if has("scp") || has("sftp") || has("transfer") => {
            "has no counterpart: files go over a host's one connection"
        }
        _ if has("control_path") || has("persistent") => "has no counterpart: each host has one connection",
        _ if has("host_key_checking") => {
            "has no counterpart: host keys are always checked (`host_key`, --accept-new-host-keys)"
        }
        _ if has("retries") || has("timeout") => "has no counterpart: `--wait` says how long a host may take",
        _ if has("shell") || has("remote_tmp") || has("use_tty") => "has no counterpart: commands run in `sh`",
        "become_flags" | "become_exe" => "has no counterpart: it is `sudo` that is run, with flags of its own",
        _ if has("passphrase") => "has no counterpart: the passphrase of a key is asked for",
        _ => "is a variable like any other: nothing goes by it",
    })
}
