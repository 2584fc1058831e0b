//! Cases for actions, in plain text: given these answers of a host, these changes.
//!
//! ```ignore
//! let case = Case::new(&["node1"]).answers("node1", &[Read::Machine], "id=debian\n…");
//! assert_eq!(case.plan(&action::<Shell>(json!("uptime"))), "always\n  uptime\n    $ uptime");
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Action, Ask, Change, Does, Plan, Target};
use crate::inventory::{Host, Inventory};
use crate::reads::{Part, Read, Readings, Seen, Store, Value, Wanted, parts};
use crate::remote::{Output, User};

/// What was read so far, of which hosts.
pub struct Case {
    /// The hosts, and which of them the job runs on: the first, unless said otherwise.
    pub target: Target,
    store: Store,
}

/// An action out of its parameters.
pub fn action<T: DeserializeOwned>(parameters: serde_json::Value) -> T {
    serde_json::from_value(parameters).expect("the parameters fit the action")
}

/// What is wrong with parameters that must not fit.
pub fn mistake<T: DeserializeOwned>(parameters: serde_json::Value) -> String {
    serde_json::from_value::<T>(parameters).err().expect("the parameters must not fit").to_string()
}

/// A host of that name, in those groups.
pub fn host(name: &str, groups: &[&str]) -> Arc<Host> {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Arc::new(Host { groups, ..Host::named(name) })
}

impl Case {
    /// Hosts by name, the job's first. `node1@managers,workers` puts a host into groups.
    pub fn new(hosts: &[&str]) -> Self {
        let hosts: Vec<Arc<Host>> = hosts.iter().map(|entry| parse_host(entry)).collect();
        let inventory = Arc::new(Inventory::of(hosts));
        let (host, owner) = (inventory.hosts[0].clone(), inventory.hosts[0].clone());
        let target = Target { host, owner, inventory, leader: None, folder: PathBuf::from("/playbooks"), tried: false };
        Self { target, store: Store::default() }
    }

    /// The same, with the job on another of its hosts.
    #[must_use]
    pub fn on(mut self, name: &str) -> Self {
        self.target.owner = self.target.inventory.host(name).expect("a host of the case").clone();
        self.at(name)
    }

    /// The same, where the step says `on`: another host runs it for the job's own.
    #[must_use]
    pub fn at(mut self, name: &str) -> Self {
        self.target.host = self.target.inventory.host(name).expect("a host of the case").clone();
        self
    }

    /// The same, where the job has made a change already.
    #[must_use]
    pub fn tried(mut self) -> Self {
        self.target.tried = true;
        self
    }

    /// The same, with a leader.
    #[must_use]
    pub fn leader(mut self, name: &str) -> Self {
        self.target.leader = Some(name.into());
        self
    }

    /// What `host` printed when asked for `reads`, which must make one part of a script.
    #[must_use]
    pub fn answers(self, host: &str, reads: &[Read], stdout: &str) -> Self {
        self.ended(host, reads, 0, stdout, "")
    }

    /// The same, with an exit code and standard error.
    #[must_use]
    pub fn ended(mut self, host: &str, reads: &[Read], code: i32, stdout: &str, stderr: &str) -> Self {
        let parts = parts(reads.iter().cloned());
        assert_eq!(parts.len(), 1, "{reads:?} make {} parts of a script", parts.len());
        let output = Output { code, stdout: stdout.into(), stderr: stderr.into() };
        for (read, seen) in understood(&parts[0], &output) {
            self.keep(host, read, seen);
        }
        self
    }

    /// What a read came to, without a script: that of the workstation, of a port, or one that could not be read.
    #[must_use]
    pub fn seen(mut self, host: &str, read: Read, seen: Seen<Value>) -> Self {
        self.keep(host, read, seen);
        self
    }

    fn keep(&mut self, host: &str, read: Read, seen: Seen<Value>) {
        let epoch = self.store.epoch();
        self.store.keep(Wanted { host: host.into(), user: User::root(), read }, seen, epoch, false);
    }

    /// Runs `with` on the readings of the case, everything read as root.
    pub fn readings<R>(&self, with: impl FnOnce(&Readings<'_>) -> R) -> R {
        with(&Readings::new(&self.store, &|_| User::root()))
    }

    /// What the action asks for and the case does not answer.
    pub fn missing(&self, action: &dyn Action) -> Vec<Ask> {
        self.readings(|seen| {
            let mut asks = action.reads(&self.target, seen);
            asks.retain(|ask| seen.get(&ask.host, &ask.read) == Seen::Unread("it was not read".into()));
            asks
        })
    }

    /// The plan, as text; it must not want a reading that the case lacks.
    pub fn plan(&self, action: &dyn Action) -> String {
        told(&self.decided(action))
    }

    /// The plan itself.
    pub fn decided(&self, action: &dyn Action) -> Plan {
        let missing = self.missing(action);
        assert!(missing.is_empty(), "the case does not answer {missing:#?}");
        self.readings(|seen| action.plan(&self.target, seen))
    }
}

fn parse_host(entry: &str) -> Arc<Host> {
    let (name, groups) = entry.split_once('@').unwrap_or((entry, ""));
    host(name, &groups.split(',').filter(|g| !g.is_empty()).collect::<Vec<_>>())
}

fn understood(part: &Part, output: &Output) -> Vec<(Read, Seen<Value>)> {
    let seen = (part.understand)(&part.reads, output);
    assert_eq!(seen.len(), part.reads.len(), "one answer for each read");
    part.reads.iter().cloned().zip(seen).collect()
}

/// A plan as a person would note it down.
pub fn told(plan: &Plan) -> String {
    match plan {
        Plan::Settled => "settled".into(),
        Plan::Change(changes) => format!("change\n{}", changes_told(changes)),
        Plan::Always(changes) => format!("always\n{}", changes_told(changes)),
        Plan::Wait(wait) if wait.then.is_empty() => format!("wait for {}", wait.what),
        Plan::Wait(wait) => format!("wait for {}, then\n{}", wait.what, changes_told(&wait.then)),
        Plan::Refused(no) => match &no.hint {
            Some(hint) => format!("refused: {}\nhint: {hint}", no.why),
            None => format!("refused: {}", no.why),
        },
    }
}

fn changes_told(changes: &[Change]) -> String {
    changes.iter().map(change_told).collect::<Vec<_>>().join("\n")
}

fn change_told(change: &Change) -> String {
    let on = change.on.as_ref().map(|host| format!(" [on {host}]")).unwrap_or_default();
    let removes = if change.removes { " (removes)" } else { "" };
    let mut text = format!("  {}{on}{removes}", change.why);
    for d in &change.differs {
        text += &format!("\n    {}: {} -> {}", d.field, d.is, d.asked);
    }
    for line in change.diff.iter().flat_map(|diff| diff.lines()) {
        text += &format!("\n    {line}");
    }
    format!("{text}\n    {}", does_told(&change.does))
}

fn does_told(does: &Does) -> String {
    match does {
        Does::Run(command) => format!("$ {command}"),
        Does::Put(put) => {
            format!("put {} mode {} owner {}", put.path, or_dash(put.mode.as_ref()), or_dash(put.owner.as_ref()))
        }
        Does::Send { to, .. } => format!("send | {to}"),
        Does::Pipe { from, source, to, .. } => format!("{from}: {source} | {to}"),
        Does::Generate { path, bytes, mode, owner } => {
            format!("generate {path}, {bytes} bytes, mode {mode} owner {}", or_dash(owner.as_ref()))
        }
        Does::Reconnect => "reconnect".into(),
        Does::Restart(command) => format!("restart by $ {command}"),
    }
}

fn or_dash(text: Option<&String>) -> &str {
    text.map_or("-", String::as_str)
}
