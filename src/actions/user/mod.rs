//! `user`: an account, its groups, and the keys that log into it.

mod account;
mod compare;
mod home;
mod keys;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Change, Does, Object, Plan, Target};
use crate::reads::{Read, Readings, Seen};
use crate::remote::Command;
use account::{Account, Known};
use keys::Key;

/// A user of the host, its groups, and the keys that log into it.
///
/// It is given no password: who logs in has one of its keys. Where nothing is said about a field, a user that is there keeps
/// it, and a new one gets the system's usual one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct User(Parameters);

/// The parameters of [`User`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// The name to log in with.
    name: String,
    /// `present` (the default) or `absent`: its home stays where it is.
    #[serde(default)]
    state: State,
    /// Its number.
    uid: Option<u32>,
    /// The group that its files belong to; made where it is not there. A new user has one of its own name.
    group: Option<String>,
    /// More groups that it is in; made where they are not there.
    groups: Option<Vec<String>>,
    /// Whether it may be in others than `groups` too.
    #[serde(default = "yes")]
    append: bool,
    /// What it gets when it logs in: `/bin/bash`.
    shell: Option<String>,
    /// Its home, absolute; `/home/NAME` for a new user. It is made where it is missing; what is in another one stays there.
    home: Option<String>,
    /// Whether a new one is for a service: with a low number, and a home only where `home` or `authorized_keys` is given.
    #[serde(default)]
    system: bool,
    /// Whose it is, in words.
    comment: Option<String>,
    /// Keys that log into it, each as a line of `authorized_keys`, with its options where it has any:
    /// `ssh-ed25519 AAAA… bob@laptop`.
    authorized_keys: Option<Vec<String>>,
    /// Whether no other key may log into it. Be sure to have your own among them.
    #[serde(default)]
    exclusive: bool,
}

fn yes() -> bool {
    true
}

/// What there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// The user.
    #[default]
    Present,
    /// No such user.
    Absent,
}

impl TryFrom<Parameters> for User {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        asked.names()?;
        let field = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains([':', '\n', '\0']));
        let path = |path: &Option<String>| path.as_ref().is_some_and(|path| !path.starts_with('/')) || field(path);
        match () {
            () if path(&asked.shell) => return Err("`shell` is an absolute path".into()),
            () if path(&asked.home) => return Err("`home` is an absolute path".into()),
            () if field(&asked.comment) => return Err("`comment` is one line without a colon".into()),
            () if !asked.append && asked.groups.is_none() => return Err("`append: false` goes with `groups`".into()),
            () if asked.exclusive && asked.authorized_keys.is_none() => {
                return Err("`exclusive` goes with `authorized_keys`".into());
            }
            () => {}
        }
        asked.keys()?;
        match asked.state == State::Absent && asked.says_more() {
            true => Err("a user that is to be absent has nothing but a `name`".into()),
            false => Ok(Self(asked)),
        }
    }
}

impl Parameters {
    fn names(&self) -> Result<(), String> {
        let groups = self.groups.iter().flatten().chain(&self.group);
        let wrong = groups.chain([&self.name]).find(|name| !is_name(name));
        let told = |name| format!("{name:?} is no name: letters, digits, `_`, `-` and `.`, and a letter first");
        wrong.map_or(Ok(()), |name| Err(told(name)))
    }

    /// What is wrong with a key is told without it: it may be a private one.
    fn keys(&self) -> Result<(), String> {
        let keys = self.authorized_keys.iter().flatten().enumerate();
        for (at, key) in keys.map(|(at, key)| (at + 1, key)) {
            if key.contains("PRIVATE KEY") {
                return Err(format!(
                    "key {at} of `authorized_keys` is a private one: the line is in the file that ends with .pub"
                ));
            }
            if Key::parse(key).is_none() || key.trim().lines().count() != 1 {
                return Err(format!(
                    "key {at} of `authorized_keys` is no public key, such as `ssh-ed25519 AAAA… bob@laptop`"
                ));
            }
        }
        Ok(())
    }

    fn says_more(&self) -> bool {
        let texts = [&self.group, &self.shell, &self.home, &self.comment];
        let lists = [&self.groups, &self.authorized_keys];
        self.uid.is_some() || texts.iter().any(|text| text.is_some()) || lists.iter().any(|list| list.is_some())
    }
}

fn is_name(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

impl Action for User {
    fn describe(&self) -> String {
        let keys = self.0.authorized_keys.as_ref().map_or(0, Vec::len);
        match (self.0.state, keys) {
            (State::Absent, _) => format!("no user {}", self.0.name),
            (State::Present, 0) => format!("user {}", self.0.name),
            (State::Present, 1) => format!("user {} and its key", self.0.name),
            (State::Present, keys) => format!("user {} and its {keys} keys", self.0.name),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "user", name: self.0.name.clone() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut reads = vec![Read::Probe(self.probe())];
        if let (State::Present, Ok(known)) = (self.0.state, self.known(on, seen)) {
            reads.extend(self.home_reads(known.account.as_ref()));
            reads.extend(self.0.shell.iter().map(|path| Read::File { path: path.clone(), content: false }));
        }
        reads.into_iter().map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let planned = self.known(on, seen).and_then(|known| match self.0.state {
            State::Present => self.present(&known, on, seen),
            State::Absent => self.absent(known.account.as_ref(), on),
        });
        match planned {
            Ok(changes) if changes.is_empty() => Plan::Settled,
            Ok(changes) => Plan::Change(changes),
            Err(refused) => refused,
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        let busy = || format!("end what runs as it first: loginctl terminate-user {}", self.0.name);
        match said {
            _ if said.contains("currently used by process") => Some(busy()),
            _ if said.contains("Permission denied") || said.contains("cannot lock") => {
                Some("only root may do that: let the step have `become: true`".into())
            }
            _ => None,
        }
    }
}

impl User {
    /// The groups that have to be there; that of its own name is asked about for a new user.
    fn probe(&self) -> crate::reads::Probe {
        let groups = self.0.groups.iter().flatten().chain(&self.0.group).chain([&self.0.name]);
        account::probe(&self.0.name, &groups.cloned().collect::<Vec<_>>())
    }

    fn known(&self, on: &Target, seen: &Readings<'_>) -> Result<Known, Plan> {
        let unread = |why: &str| Plan::unread(&format!("the user {}", self.0.name), why);
        match seen.probe(&on.host.name, &self.probe()) {
            Seen::Is(output) => account::understood(output).map_err(|why| unread(&why)),
            Seen::Absent => Err(unread("it was not told")),
            Seen::Unread(why) => Err(unread(&why)),
        }
    }

    fn absent(&self, account: Option<&Account>, on: &Target) -> Result<Vec<Change>, Plan> {
        let name = &self.0.name;
        let Some(account) = account else { return Ok(Vec::new()) };
        if account.uid == 0 || on.host.user.as_ref() == Some(name) {
            let whose = if account.uid == 0 { "root" } else { "who skep logs in as" };
            return Err(Plan::refused(format!("{name} is {whose} on {}", on.host.name), "it has to stay"));
        }
        Ok(vec![Change::run("the user is there", Command::new("userdel").arg(name)).removing()])
    }

    fn present(&self, known: &Known, on: &Target, seen: &Readings<'_>) -> Result<Vec<Change>, Plan> {
        self.has_shell(on, seen)?;
        let account = known.account.as_ref();
        let mut changes = self.new_groups(known);
        changes.extend(match account {
            None => Some(self.made(known)),
            Some(account) => self.changed(account, known, on),
        });
        let regroups = account.is_some_and(|account| self.regroups(account));
        changes.extend(self.homed(account, on, seen)?);
        changes.extend(self.keyed(account, on, seen)?);
        let here = regroups && on.host.user.as_ref() == Some(&self.0.name);
        changes.extend(here.then(|| Change::new("a login knows its groups from its start", Does::Reconnect)));
        Ok(changes)
    }

    /// A shell that is not there lets nobody in.
    fn has_shell(&self, on: &Target, seen: &Readings<'_>) -> Result<(), Plan> {
        let Some(shell) = &self.0.shell else { return Ok(()) };
        match seen.file(&on.host.name, shell) {
            Seen::Is(_) => Ok(()),
            Seen::Absent => {
                let hint = "install it in a step before, by `package`";
                Err(Plan::refused(format!("there is no {shell} on {}", on.host.name), hint))
            }
            Seen::Unread(why) => Err(Plan::unread(shell, &why)),
        }
    }

    fn new_groups(&self, known: &Known) -> Vec<Change> {
        let asked = self.0.group.iter().chain(self.0.groups.iter().flatten());
        let missing = asked.filter(|group| known.group(group).is_none());
        let add = |group: &String| {
            let system = self.0.system.then_some("--system");
            let add = Command::new("groupadd").args(system).arg(group);
            Change::run(format!("there is no group {group}"), add)
        };
        missing.map(add).collect()
    }

    fn made(&self, known: &Known) -> Change {
        let own = known.group(&self.0.name).map(|_| self.0.name.clone());
        let group = self.0.group.clone().or(own);
        let more = self.0.groups.clone().filter(|groups| !groups.is_empty()).map(|groups| groups.join(","));
        let options = [
            ("--uid", self.0.uid.map(|uid| uid.to_string())),
            ("--gid", group),
            ("--groups", more),
            ("--shell", self.0.shell.clone()),
            ("--comment", self.0.comment.clone()),
            ("--home-dir", Some(self.home(None))),
        ];
        let given = options.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?])).flatten();
        let home = if self.wants_home(None) { "--create-home" } else { "--no-create-home" };
        let add = Command::new("useradd").args(self.0.system.then_some("--system")).args(given).arg(home);
        Change::run("there is no such user", add.arg(&self.0.name))
    }
}
