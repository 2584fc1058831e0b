//! Where and how a host is reached: what the inventory says, over what ssh's configuration says of it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use russh::MethodKind;
use tokio::time::Duration;

use super::config::{Answer, Standing, Tokens, keyword};
use super::hostkeys::place;
use crate::inventory::{Host, Pin};
use crate::secret::Secret;

/// Between two signs of life, and how many may be missed, where nothing is said.
const ALIVE: (Duration, usize) = (Duration::from_secs(15), 3);

const INTERVAL: &str = "ServerAliveInterval";
const COUNT: &str = "ServerAliveCountMax";

/// All that is needed to reach one host.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    /// The host's name in the inventory.
    pub name: String,
    /// An address, or a name that resolves where it is dialed from.
    pub address: String,
    pub port: u16,
    /// Who logs in.
    pub user: String,
    pub family: Family,
    pub way: Way,
    pub identity: Identity,
    /// How to log in, in this order.
    pub methods: Vec<MethodKind>,
    pub known: Known,
    pub patience: Patience,
    /// Variables that the host is asked to set for each command.
    pub environment: Vec<(String, String)>,
    pub password: Option<Secret>,
    /// Every value, and where it comes from.
    pub settings: Vec<Setting>,
}

/// `AddressFamily`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Family {
    #[default]
    Any,
    Four,
    Six,
}

impl Family {
    /// Whether an address is of it.
    pub fn has(self, address: &std::net::SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Four => address.is_ipv4(),
            Self::Six => address.is_ipv6(),
        }
    }
}

/// What lies between the workstation and a host.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Straight,
    /// A host that is logged in to, and dials from there.
    Through(Arc<Destination>),
    /// A program that speaks with it: as it is written, and what is run.
    Command(String, String),
}

/// What to log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub files: Vec<PathBuf>,
    /// Whether somebody named these files.
    pub named: bool,
    /// Whether nothing but these is offered.
    pub only: bool,
    pub certificates: Vec<PathBuf>,
    pub agent: Option<PathBuf>,
    /// Whether nothing may be asked.
    pub batch: bool,
}

/// How its host keys are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What it is called in `known_hosts`.
    pub host: String,
    /// What it is called there with its port.
    pub place: String,
    /// New keys go to the first one.
    pub user_files: Vec<PathBuf>,
    pub global_files: Vec<PathBuf>,
    pub pinned: Vec<Pin>,
    pub strict: Strict,
    /// Whether names are written hashed; as in the file's other lines where nothing says so.
    pub hash: Option<bool>,
}

impl Known {
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.user_files.iter().chain(&self.global_files)
    }
}

/// What to do with a key that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Strict {
    /// `yes`: refuse it.
    Refuse,
    #[default]
    Ask,
    /// `accept-new`.
    Accept,
}

/// How long it may take.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Patience {
    pub connect: Option<Duration>,
    pub attempts: u32,
    pub alive: (Duration, usize),
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The keyword of ssh_config(5) that says the same.
    pub keyword: Cow<'static, str>,
    /// The value, as a line of that file would have it.
    pub value: String,
    /// Who says so.
    pub from: From,
}

/// Who says what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The inventory.
    Inventory,
    /// An option of this call.
    Option,
    /// ssh_config(5).
    Config,
    /// Nobody.
    Default,
    /// ssh_config(5), which is not followed in this.
    Ignored,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inventory => "inventory",
            Self::Option => "option",
            Self::Config => "ssh_config",
            Self::Default => "default",
            Self::Ignored => "ssh_config, not honoured",
        })
    }
}

impl Destination {
    /// `address:port`, for messages.
    pub fn endpoint(&self) -> String {
        let address = if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        format!("{address}:{}", self.port)
    }

    /// Who logs in where, for messages.
    pub fn login(&self) -> String {
        format!("{}@{}", self.user, self.endpoint())
    }

    /// What tokens in a command to reach it stand for; `named` is the host as it was asked about.
    pub fn tokens(&self, named: &str) -> Tokens {
        let (host, alias, named) = (self.address.clone(), self.known.host.clone(), named.to_owned());
        Tokens { host, named, alias, port: self.port, user: self.user.clone(), jump: String::new() }
    }

    /// Says where a value comes from.
    pub fn set(&mut self, keyword: &'static str, value: &str, from: From) {
        self.settings.retain(|setting| setting.keyword != keyword);
        self.settings.push(Setting { keyword: keyword.into(), value: value.to_owned(), from });
    }

    /// What tells apart the connections to it: who logs in where, as whom it is known, and the way there.
    pub fn key(&self) -> String {
        let own = format!("{} {:?} {:?}", self.login(), self.known, self.identity);
        match &self.way {
            Way::Straight => own,
            Way::Through(hop) => format!("{own} through {}", hop.key()),
            Way::Command(_, command) => format!("{own} by {command}"),
        }
    }

    /// Lays the inventory over the configuration; the way is found elsewhere.
    pub fn of(host: &Host, answer: &Answer) -> Self {
        let mut layers = Layers { answer, settings: Vec::new() };
        let address = layers.address(&host.address);
        let port = layers.one("Port", host.port.map(|port| port.to_string()));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(22);
        let user = layers.one("User", host.user.clone()).unwrap_or_else(crate::remote::who::user);
        let alias = layers.one("HostKeyAlias", None);
        let jump = answer.said.one("ProxyJump").unwrap_or_default().to_owned();
        let named = host.address.clone();
        let tokens =
            Tokens { host: address.clone(), alias: alias.clone().unwrap_or(named.clone()), named, port, user, jump };
        Self {
            name: host.name.clone(),
            identity: layers.identity(host, &tokens),
            methods: layers.methods(),
            known: layers.known(host, &tokens, alias),
            family: layers.family(),
            patience: layers.patience(),
            environment: layers.environment(),
            way: Way::Straight,
            password: None,
            settings: layers.settings,
            user: tokens.user,
            address,
            port,
        }
    }
}

/// What somebody says, and what is said where nobody does.
struct Layers<'a> {
    answer: &'a Answer,
    settings: Vec<Setting>,
}

impl Layers<'_> {
    fn tell(&mut self, keyword: &'static str, value: &str, from: From) {
        self.settings.push(Setting { keyword: keyword.into(), value: value.into(), from });
    }

    fn source(&self, keyword: &str) -> From {
        source(self.answer, keyword)
    }

    /// The value of a keyword: the inventory's own, else the configuration's.
    fn one(&mut self, keyword: &'static str, own: Option<String>) -> Option<String> {
        let from = if own.is_some() { From::Inventory } else { self.source(keyword) };
        let value = own.or_else(|| self.answer.said.one(keyword).map(str::to_owned))?;
        self.tell(keyword, &value, from);
        Some(value)
    }

    /// The values of a keyword that may be given several times.
    fn all(&mut self, keyword: &'static str) -> Vec<String> {
        let from = self.source(keyword);
        let values = self.answer.said.all(keyword).to_vec();
        values.iter().for_each(|value| self.tell(keyword, value, from));
        values
    }

    fn is(&mut self, keyword: &'static str) -> bool {
        matches!(self.one(keyword, None).as_deref(), Some("yes" | "true"))
    }

    fn address(&mut self, asked: &str) -> String {
        let said = self.answer.said.one("Hostname").filter(|said| !said.eq_ignore_ascii_case(asked));
        let (address, from) = match said {
            Some(said) => (said.to_owned(), self.source("Hostname")),
            None => (asked.to_owned(), From::Inventory),
        };
        self.tell("Hostname", &address, from);
        address
    }

    fn identity(&mut self, host: &Host, tokens: &Tokens) -> Identity {
        let socket = self.one("IdentityAgent", None);
        let agent = agent(socket.as_deref(), tokens);
        let batch = self.is("BatchMode");
        if let Some(file) = &host.identity_file {
            self.tell("IdentityFile", &file.display().to_string(), From::Inventory);
            let certificates = self.paths("CertificateFile", tokens);
            return Identity { files: vec![file.clone()], named: true, only: true, certificates, agent, batch };
        }
        let named = self.source("IdentityFile") != From::Default;
        let files = self.paths("IdentityFile", tokens);
        let only = self.is("IdentitiesOnly");
        Identity { files, named, only, certificates: self.paths("CertificateFile", tokens), agent, batch }
    }

    fn paths(&mut self, keyword: &'static str, tokens: &Tokens) -> Vec<PathBuf> {
        let files = self.all(keyword).into_iter().filter(|file| file != "none");
        files.map(|file| tokens.path(&file)).collect()
    }

    fn methods(&mut self) -> Vec<MethodKind> {
        let all = [
            (MethodKind::PublicKey, "publickey", "PubkeyAuthentication"),
            (MethodKind::KeyboardInteractive, "keyboard-interactive", "KbdInteractiveAuthentication"),
            (MethodKind::Password, "password", "PasswordAuthentication"),
        ];
        let allowed = |(_, _, keyword): &&(MethodKind, &str, &str)| {
            !matches!(self.answer.said.one(keyword), Some("no" | "false"))
        };
        let allowed: Vec<_> = all.iter().filter(allowed).collect();
        for (_, _, keyword) in all {
            self.one(keyword, None);
        }
        let Some(order) = self.one("PreferredAuthentications", None) else {
            return allowed.iter().map(|(method, _, _)| *method).collect();
        };
        let named = order.split(',').filter_map(|word| allowed.iter().find(|(_, name, _)| *name == word));
        named.map(|(method, _, _)| *method).collect()
    }

    fn known(&mut self, host: &Host, tokens: &Tokens, alias: Option<String>) -> Known {
        let mut files = |keyword: &'static str| {
            let files = self.one(keyword, None).unwrap_or_default();
            let files = files.split_whitespace().filter(|file| *file != "none");
            files.map(|file| tokens.path(file)).collect()
        };
        let (user_files, global_files) = (files("UserKnownHostsFile"), files("GlobalKnownHostsFile"));
        let batch = matches!(self.answer.said.one("BatchMode"), Some("yes" | "true"));
        let strict = match self.one("StrictHostKeyChecking", None).as_deref() {
            Some("yes" | "true") => Strict::Refuse,
            Some("accept-new" | "no" | "false" | "off") => Strict::Accept,
            _ if batch => Strict::Refuse,
            _ => Strict::Ask,
        };
        let hash = self.one("HashKnownHosts", None).map(|hash| hash == "yes");
        // An alias stands without a port. Names are looked up in small letters.
        let alias = alias.map(|alias| alias.to_lowercase());
        let place = alias.clone().unwrap_or_else(|| place(&tokens.host, tokens.port));
        let name = alias.unwrap_or_else(|| tokens.host.clone());
        Known { host: name, place, user_files, global_files, pinned: host.host_keys.clone(), strict, hash }
    }

    fn family(&mut self) -> Family {
        match self.one("AddressFamily", None).as_deref() {
            Some("inet") => Family::Four,
            Some("inet6") => Family::Six,
            _ => Family::Any,
        }
    }

    fn patience(&mut self) -> Patience {
        let mut number = |keyword| self.one(keyword, None).and_then(|text| text.parse::<u64>().ok());
        let connect = number("ConnectTimeout").filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let attempts = number("ConnectionAttempts").map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX));
        Patience { connect, attempts, alive: self.alive() }
    }

    /// Where nobody asks for signs of life, we do: what is dead must be noticed.
    fn alive(&mut self) -> (Duration, usize) {
        let asked =
            self.answer.said.one(INTERVAL).and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
        match asked {
            Some(_) => drop(self.one(INTERVAL, None)),
            None => self.tell(INTERVAL, &ALIVE.0.as_secs().to_string(), From::Default),
        }
        let count = self.one(COUNT, None).and_then(|count| count.parse().ok());
        if count.is_none() {
            self.tell(COUNT, &ALIVE.1.to_string(), From::Default);
        }
        (asked.map_or(ALIVE.0, Duration::from_secs), count.unwrap_or(ALIVE.1))
    }

    fn environment(&mut self) -> Vec<(String, String)> {
        let mut set: Vec<(String, String)> = sendable().filter(|(name, _)| self.is_sent(name)).collect();
        self.all("SendEnv");
        let pairs = self.all("SetEnv");
        set.extend(
            pairs.iter().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), value.into())),
        );
        set
    }

    /// Commands speak C.UTF-8, whatever language we do.
    fn is_sent(&self, name: &str) -> bool {
        let patterns = self.answer.said.all("SendEnv").iter().flat_map(|patterns| patterns.split_whitespace());
        let foreign = name == "LANG" || name.starts_with("LC_");
        !foreign && patterns.into_iter().any(|pattern| super::hostkeys::glob(pattern, name))
    }
}

/// Who says what holds: the inventory by the options that it gives to `ssh`, or ssh_config.
pub(super) fn source(answer: &Answer, keyword: &str) -> From {
    let said = answer.said.all(keyword);
    match () {
        () if said != answer.without.all(keyword) => From::Inventory,
        () if said == answer.usual.all(keyword) => From::Default,
        () => From::Config,
    }
}

/// What is set and would matter, with whether it is too grave to go on. A keyword of a newer OpenSSH may matter.
pub(super) fn unhonoured(answer: &Answer) -> Vec<(Cow<'static, str>, String, bool)> {
    let set = answer.said.keywords().filter(|word| answer.said.all(word) != answer.usual.all(word));
    let standing = set.filter_map(|word| {
        let value = answer.said.all(word).join(" ");
        match keyword(word).map(|known| (known.name, known.standing)) {
            None => Some((word.to_owned().into(), value, false)),
            Some((name, Standing::Named)) => Some((name.into(), value, false)),
            Some((name, Standing::Refused)) => Some((name.into(), value, true)),
            Some((_, Standing::Honoured | Standing::Idle)) => None,
        }
    });
    standing.collect()
}

/// Our own environment, as far as it is text.
fn sendable() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The agent's socket: `SSH_AUTH_SOCK` where nothing is said.
fn agent(said: Option<&str>, tokens: &Tokens) -> Option<PathBuf> {
    match said {
        Some("none") => None,
        None | Some("SSH_AUTH_SOCK") => std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from),
        Some(path) => Some(tokens.path(path)),
    }
    .filter(|path| !path.as_os_str().is_empty())
}
