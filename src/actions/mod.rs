//! What can be asked for: one file per action, listed in one table.
//!
//! To add one: write its file, and its row in [`TABLE`]. Its parameters are a struct that denies unknown fields; the doc
//! comments of that struct are the user's reference page.

mod apt;
mod cidr;
pub mod container;
mod diff;
mod docker;
mod docker_engine;
mod environment;
mod file;
mod hidden;
pub mod hints;
mod hostname;
mod image;
mod kept;
mod line;
mod network;
mod node;
mod package;
mod peers;
pub mod put;
mod ready;
mod reboot;
mod registry;
mod registry_login;
mod service;
mod shell;
mod slow;
mod stack;
mod swarm;
mod systemd;
mod tasks;
#[cfg(test)]
pub mod testing;
mod user;
mod values;
mod volume;
mod wait_for;

pub use peers::peers;
pub use tasks::end_services;

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use crate::event::Difference;
use crate::inventory::{Host, Inventory};
use crate::reads::context::Context;
use crate::reads::{Read, Readings};
use crate::remote::{Command, User};
use crate::yaml::{self, Node};

/// What an action does, as pure functions of what was asked and what was read.
pub trait Action: Debug + Send + Sync {
    /// In a few words, for people: `network sparknet (overlay)`.
    fn describe(&self) -> String;

    /// What it owns on its host. Two steps may not own the same one with different parameters.
    fn object(&self) -> Option<Object> {
        None
    }

    /// What must be read to plan. Asked again, with what was read so far, until it wants nothing new.
    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask>;

    /// Compares what was read with what was asked.
    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan;

    /// What `register` keeps, and what a settled step shows: the output of a read.
    fn shows(&self, _on: &Target, _seen: &Readings<'_>) -> Option<crate::remote::Output> {
        None
    }

    /// What `register` keeps, of one that knows it before its change is made, too: a name.
    fn leaves(&self, _on: &Target, _seen: &Readings<'_>) -> Option<crate::remote::Output> {
        None
    }

    /// What to do about a change that failed, given what it said last.
    fn hint(&self, _said: &str) -> Option<String> {
        None
    }

    /// The parameters that name other hosts, each with its pattern: what is wrong with one is a mistake of the playbook.
    fn peers(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// What it sends or builds from of this machine: what is not there is a mistake of the playbook.
    fn sends(&self) -> Vec<Sent> {
        Vec::new()
    }

    /// What is wrong with what is in those files, as far as that can be known here: `read` gives the text of one, the folder is
    /// [`Target::folder`].
    fn wrong(&self, _folder: &Path, _read: &dyn Fn(&Path) -> Option<String>) -> Option<yaml::Error> {
        None
    }

    /// How long its rounds may take together, where the step does not say.
    fn timeout(&self) -> Duration {
        Duration::from_secs(600)
    }

    /// Takes the step keys that `shell` and `docker` know.
    fn set_line(&mut self, _line: LineOptions) {}

    /// A local file that is to be rendered with the step's variables before planning; relative to [`Target::folder`].
    fn template(&self) -> Option<&str> {
        None
    }

    /// Takes what [`Action::template`] came to.
    fn set_rendered(&mut self, _text: String) {}
}

/// A file or folder of this machine that parameters name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The parameters that its path is made of, the one that names it last: `build.context`.
    pub named_by: &'static [&'static str],
    /// Where, relative to [`Target::folder`].
    pub path: PathBuf,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// What to do where something took too long.
pub const LONGER: &str = "give the step a longer `timeout:` if it only needs more time";

/// The step keys that `shell` and `docker` know beside their parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineOptions {
    /// `changes: false` declares a read.
    pub changes: Option<bool>,
    /// Settled where this path exists.
    pub creates: Option<String>,
    /// Settled where this line of shell ends with 0.
    pub unless: Option<String>,
    /// The step's environment.
    pub environment: Vec<(String, String)>,
    /// The step's `timeout`, which is also that of a line that only looks.
    pub timeout: Option<Duration>,
}

/// A thing on a host that one step owns: `container spark-master`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// The sort of thing.
    pub kind: &'static str,
    /// Its name among those.
    pub name: String,
}

/// A read on the job's own host or on a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The host's name, or [`crate::reads::WORKSTATION`].
    pub host: String,
    /// What.
    pub read: Read,
}

/// Where a job runs, and whom it may look at.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host where the job runs: its owner, unless the step says `on`.
    pub host: Arc<Host>,
    /// The host whose job it is.
    pub owner: Arc<Host>,
    /// The whole inventory.
    pub inventory: Arc<Inventory>,
    /// The host that the swarm is commanded from, once one is known.
    pub leader: Option<String>,
    /// The folder that local paths are relative to: the playbook's.
    pub folder: PathBuf,
    /// Whether this job has made a change already: what fails after that would fail again.
    pub tried: bool,
}

impl Target {
    /// A read on the job's own host.
    pub fn ask(&self, read: Read) -> Ask {
        Ask { host: self.host.name.clone(), read }
    }

    /// The hosts of a group, in inventory order.
    pub fn group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Arc<Host>> {
        self.inventory.hosts.iter().filter(move |host| group == "all" || host.groups.iter().any(|g| g == group))
    }
}

/// What an action answers.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// As asked.
    Settled,
    /// Not as asked; these would make it so. They run in order; the first that fails ends them.
    Change(Vec<Change>),
    /// Cannot be known beforehand; its exit codes decide. A bare shell line.
    Always(Vec<Change>),
    /// Cannot be told yet.
    Wait(Wait),
    /// Cannot be done.
    Refused(Refusal),
}

/// What is waited for.
#[derive(Debug, Default, PartialEq)]
pub struct Wait {
    /// `node1 to start the swarm`: ends the sentence "waiting for …".
    pub what: String,
    /// The hosts it depends on: if they are all lost, waiting is over.
    pub on: Vec<String>,
    /// Whether nothing but those hosts' own part of this very step can bring it about.
    pub by_step: bool,
    /// What would be done then, as far as it can be told: for a plan.
    pub then: Vec<Change>,
    /// What to do about it, should it never come; otherwise a longer time is advised.
    pub hint: Option<String>,
}

/// Why a job cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is the matter, and where.
    pub why: String,
    /// What to do about it, with the exact command where there is one.
    pub hint: Option<String>,
}

impl Plan {
    /// Refuses, with a hint.
    pub fn refused(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused(Refusal { why: why.into(), hint: Some(hint.into()) })
    }

    /// Refuses because something could not be read.
    pub fn unread(what: &str, why: &str) -> Self {
        Self::Refused(Refusal { why: format!("cannot read {what}: {why}"), hint: None })
    }
}

/// One command, and why.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// What is not as asked: `the image is not here`.
    pub why: String,
    /// What would make it so.
    pub does: Does,
    /// The host it runs on, where that is not the job's own.
    pub on: Option<String>,
    /// Field by field, what is and what is asked for.
    pub differs: Vec<Difference>,
    /// Line by line, what is otherwise in a file, where that is nobody's secret.
    pub diff: Option<String>,
    /// Whether it removes or replaces something that a person may miss: asked about first.
    pub removes: bool,
    /// How long it may take.
    pub deadline: Duration,
}

impl Change {
    /// A command on the job's host.
    pub fn run(why: impl Into<String>, command: Command) -> Self {
        Self::new(why, Does::Run(command))
    }

    /// Any doing on the job's host.
    pub fn new(why: impl Into<String>, does: Does) -> Self {
        let deadline = Duration::from_secs(1800);
        Self { why: why.into(), does, on: None, differs: Vec::new(), diff: None, removes: false, deadline }
    }

    /// The same on another host.
    #[must_use]
    pub fn on(mut self, host: impl Into<String>) -> Self {
        self.on = Some(host.into());
        self
    }

    /// The same, with the fields that differ.
    #[must_use]
    pub fn differing(mut self, differs: Vec<Difference>) -> Self {
        self.differs = differs;
        self
    }

    /// The same, with what is otherwise in a file.
    #[must_use]
    pub fn showing(mut self, diff: Option<String>) -> Self {
        self.diff = diff;
        self
    }

    /// The same, known to remove or replace something.
    #[must_use]
    pub fn removing(mut self) -> Self {
        self.removes = true;
        self
    }
}

/// What a change does. Commands without a user of their own run as the step's.
#[derive(Debug, PartialEq)]
pub enum Does {
    /// Runs a command.
    Run(Command),
    /// Writes a file, all of it or nothing: beside the old one, then in its place.
    Put(Put),
    /// Streams something from the workstation into a command.
    Send {
        /// What is sent.
        parcel: Parcel,
        /// What reads it on standard input.
        to: Command,
    },
    /// Streams one command's output into another's input: a join token, an image. What is much goes straight from host to host,
    /// where those reach each other; all else through the workstation's memory.
    Pipe {
        /// The host it comes from.
        from: String,
        /// What prints it.
        source: Command,
        /// What reads it on standard input, on the change's host.
        to: Command,
        /// About how many bytes it is at most; 0 where it is little, or nobody knows.
        bytes: u64,
    },
    /// Makes a value up on the host where the file is not there yet: random, mode 0600 or as said.
    Generate {
        /// The file.
        path: String,
        /// Random bytes, written as hexadecimal digits.
        bytes: usize,
        /// Its mode, octal.
        mode: String,
        /// `user` or `user:group`, names or numbers.
        owner: Option<String>,
    },
    /// Logs in anew: a group was joined.
    Reconnect,
    /// Runs a command that restarts the machine, and waits until it answers with another boot than before.
    Restart(Command),
}

impl Does {
    /// What is done, as people may see it.
    pub fn masked(&self) -> String {
        match self {
            Self::Run(command) | Self::Restart(command) => command.masked(),
            Self::Put(put) => format!("write {} ({})", put.path, put.content),
            Self::Send { parcel, to } => format!("{} <{parcel}", to.masked()),
            Self::Pipe { from, source, to, .. } => format!("[{from}] {} | {}", source.masked(), to.masked()),
            Self::Generate { path, bytes, .. } => format!("make up {bytes} random bytes in {path}"),
            Self::Reconnect => "log in anew".into(),
        }
    }
}

/// A file to write.
#[derive(Debug, PartialEq)]
pub struct Put {
    /// Where, absolute.
    pub path: String,
    /// What.
    pub content: Parcel,
    /// Its mode, octal; the old file's, or 0644.
    pub mode: Option<String>,
    /// `user` or `user:group`; the old file's, or who writes.
    pub owner: Option<String>,
}

/// Bytes that the workstation has.
#[derive(Clone, Debug, PartialEq)]
pub enum Parcel {
    /// These.
    Bytes(Vec<u8>),
    /// Those of a file.
    File(PathBuf),
    /// What an image is built from, as a tar archive.
    Context(Context),
}

impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Context(context) => write!(f, "{}", context.folder.display()),
        }
    }
}

/// A row of the table of actions.
#[derive(Debug)]
pub struct Kind {
    /// The YAML key, which is the file's stem.
    pub name: &'static str,
    /// Reads parameters that have no holes left.
    pub parse: fn(&Node) -> Result<Box<dyn Action>, yaml::Error>,
    /// Reads parameters while their templates are not rendered: every mistake that can be known already, and the action
    /// where its parameters can be known as a whole.
    pub check: Check,
    /// The JSON schema of the parameters.
    pub schema: fn() -> Schema,
    /// Whether `changes`, `creates`, `unless` and `retries` belong to it.
    pub line: bool,
    /// Whether `register` belongs to it: it has more to say than that all is as asked.
    pub says: bool,
}

/// What [`Kind::check`] answers, given the parameters and the action's name.
pub type Check = fn(&Node, &str) -> Result<Option<Box<dyn Action>>, Vec<yaml::Error>>;

/// Every action.
pub const TABLE: &[Kind] = &[
    saying_row::<kept::Config>("config"),
    row::<container::Container>("container"),
    row::<image::Image>("image"),
    row::<hostname::Hostname>("hostname"),
    row::<network::Network>("network"),
    row::<node::Node>("node"),
    line_row::<docker::Docker>("docker"),
    row::<docker_engine::DockerEngine>("docker_engine"),
    row::<file::File>("file"),
    row::<package::Package>("package"),
    row::<ready::Ready>("ready"),
    row::<reboot::Reboot>("reboot"),
    row::<registry::Registry>("registry"),
    row::<registry_login::RegistryLogin>("registry_login"),
    saying_row::<kept::Secret>("secret"),
    row::<service::Service>("service"),
    line_row::<shell::Shell>("shell"),
    row::<stack::Stack>("stack"),
    row::<swarm::Swarm>("swarm"),
    row::<systemd::Systemd>("systemd"),
    row::<user::User>("user"),
    row::<volume::Volume>("volume"),
    row::<wait_for::WaitFor>("wait_for"),
];

/// The action of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    TABLE.iter().find(|kind| kind.name == name)
}

const fn row<T: Action + DeserializeOwned + JsonSchema + 'static>(name: &'static str) -> Kind {
    Kind { name, parse: parse::<T>, check: check::<T>, schema: schema::<T>, line: false, says: false }
}

const fn saying_row<T: Action + DeserializeOwned + JsonSchema + 'static>(name: &'static str) -> Kind {
    Kind { says: true, ..row::<T>(name) }
}

const fn line_row<T: Action + DeserializeOwned + JsonSchema + 'static>(name: &'static str) -> Kind {
    Kind { line: true, ..saying_row::<T>(name) }
}

fn parse<T: Action + DeserializeOwned + 'static>(node: &Node) -> Result<Box<dyn Action>, yaml::Error> {
    Ok(Box::new(yaml::from_node::<T>(node)?))
}

fn check<T: Action + DeserializeOwned + 'static>(
    node: &Node,
    name: &str,
) -> Result<Option<Box<dyn Action>>, Vec<yaml::Error>> {
    Ok(yaml::check_with_holes::<T>(node, Some(name))?.map(|action| Box::new(action) as Box<dyn Action>))
}

fn schema<T: JsonSchema>() -> Schema {
    schemars::SchemaGenerator::default().into_root_schema_for::<T>()
}

/// The user that works for a step on a host: root through sudo, unless the host or the step says otherwise.
pub fn works_as(host: &Host, step_become: Option<bool>, step_user: Option<&str>) -> User {
    match step_become.unwrap_or(host.become_root) || step_user.is_some() {
        true => User::Sudo(step_user.unwrap_or(&host.become_user).to_owned()),
        false => User::Login,
    }
}
