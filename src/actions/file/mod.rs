//! `file`: a file or folder with this content, mode and owner.

mod attributes;
mod carry;
mod content;
mod shown;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use schemars::JsonSchema;

use super::{Action, Ask, Change, Object, Plan, Sent, Target, hints};
use crate::event::Difference;
use crate::reads::{self, FileKind, Read, Readings, Seen, WORKSTATION};
use crate::remote::Command;
use attributes::Mode;
use content::Wanted;

/// A file or folder on the host.
///
/// One of `content`, `template`, `src`, `generate` and `carry` says what is in it. It is written beside the old one and then
/// put in its place, so that nobody ever reads half of it. The folders that it is in are made where they are missing.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct File {
    asked: Parameters,
    rendered: Option<String>,
}

/// The parameters of [`File`].
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Where, absolute: `/etc/motd`.
    path: String,
    /// What is in it, as it stands here.
    content: Option<String>,
    /// A local file that is rendered with the step's variables; relative to the playbook's folder.
    template: Option<String>,
    /// A local file that is copied as it is; relative to the playbook's folder.
    src: Option<String>,
    /// A value that is made up once, on the host itself, if the file is not there yet: `generate: {}`.
    generate: Option<Generate>,
    /// The first of these other hosts that has this very file, such as `managers[0]` or `leader`: it is copied from there, and
    /// stays on no other machine.
    carry: Option<String>,
    /// What it should be.
    #[serde(default)]
    state: State,
    /// Permission bits in octal digits: `0644`. Where none are given a file keeps those it has; a new one gets 0644, a
    /// secret, made-up or carried one 0600.
    mode: Option<Mode>,
    /// `user` or `user:group`, names or numbers. Where none is given a file keeps its owner; a new one belongs to who works.
    owner: Option<String>,
    /// Whether what is in it is nobody's business: neither it nor its digest is shown, and a new file gets mode 0600.
    #[serde(default)]
    secret: bool,
}

/// What there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// A regular file.
    #[default]
    File,
    /// A folder; those above it are made too.
    Directory,
    /// Nothing. A folder is removed with all that is in it.
    Absent,
}

/// How a value is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Generate {
    /// Random bytes, written as twice as many hexadecimal digits.
    bytes: usize,
}

impl Default for Generate {
    fn default() -> Self {
        Self { bytes: 32 }
    }
}

impl TryFrom<Parameters> for File {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        if !asked.path.starts_with('/') {
            return Err(format!("`path` must be absolute, and {} is not", asked.path));
        }
        if asked.generate.is_some_and(|generate| generate.bytes == 0) {
            return Err("`generate` makes up at least one byte".into());
        }
        let contents = [
            asked.content.is_some(),
            asked.template.is_some(),
            asked.src.is_some(),
            asked.generate.is_some(),
            asked.carry.is_some(),
        ];
        match (asked.state, contents.iter().filter(|given| **given).count()) {
            (State::File, 0 | 1) | (State::Directory | State::Absent, 0) => Ok(Self { asked, rendered: None }),
            (State::File, _) => Err("`file` takes one of `content`, `template`, `src`, `generate` and `carry`".into()),
            _ => Err("a `state` other than `file` has no content".into()),
        }
    }
}

impl Action for File {
    fn describe(&self) -> String {
        match self.asked.state {
            State::File => format!("file {}", self.asked.path),
            State::Directory => format!("folder {}", self.asked.path),
            State::Absent => format!("no {}", self.asked.path),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "file", name: self.asked.path.clone() })
    }

    fn peers(&self) -> Vec<(&'static str, &str)> {
        self.asked.carry.iter().map(|from| ("carry", from.as_str())).collect()
    }

    fn sends(&self) -> Vec<Sent> {
        let sent = |src: &String| Sent { named_by: &["src"], path: src.into(), is_folder: false };
        self.asked.src.iter().map(sent).collect()
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let look = |path: &str| Read::File { path: path.into(), content: false };
        let there = on.ask(self.look());
        let here = self.local(on).map(|path| Ask { host: WORKSTATION.into(), read: Read::Local(path) });
        let sources = self.sources(on).into_iter().map(|host| Ask { host, read: self.look() });
        let new = self.asked.state == State::File && self.there(&on.host.name, seen) == Seen::Absent;
        let above = new.then(|| on.ask(look(self.above())));
        let asks = [Some(there), here, above].into_iter().flatten().chain(sources);
        asks.chain(self.compared(on, seen)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let there = match self.there(&on.host.name, seen) {
            Seen::Is(file) => Some(file),
            Seen::Absent => None,
            Seen::Unread(why) => return Plan::unread(&self.asked.path, &why),
        };
        match self.asked.state {
            State::Absent => self.removed(there),
            State::Directory => self.folder(there),
            State::File => self.with_folder(self.file(there, on, seen), on, seen),
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::files(said, self.above())
    }

    fn template(&self) -> Option<&str> {
        self.asked.template.as_deref()
    }

    fn set_rendered(&mut self, text: String) {
        self.rendered = Some(text);
    }
}

impl File {
    fn local(&self, on: &Target) -> Option<PathBuf> {
        self.asked.src.as_ref().map(|src| on.folder.join(src))
    }

    /// Whether it is told by its digest: only then is it read whole.
    fn is_compared(&self) -> bool {
        let Parameters { content, template, src, carry, .. } = &self.asked;
        [content, template, src, carry].into_iter().any(Option::is_some)
    }

    fn look(&self) -> Read {
        let path = self.asked.path.clone();
        if self.is_compared() { Read::Digest(path) } else { Read::File { path, content: false } }
    }

    /// What is there on a host: what [`Self::look`] came to.
    fn there<'a>(&self, host: &str, seen: &Readings<'a>) -> Seen<&'a reads::File> {
        let path = &self.asked.path;
        if self.is_compared() { seen.digested(host, path) } else { seen.file(host, path) }
    }

    /// The folder it is in.
    fn above(&self) -> &str {
        self.asked.path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above })
    }

    /// Makes the folders above first, where they are missing.
    fn with_folder(&self, plan: Plan, on: &Target, seen: &Readings<'_>) -> Plan {
        match plan {
            Plan::Change(mut changes) if seen.file(&on.host.name, self.above()) == Seen::Absent => {
                let make = Command::new("mkdir").args(["-p", "--"]).arg(self.above());
                changes.insert(0, Change::run(format!("{} is not there", self.above()), make));
                Plan::Change(changes)
            }
            plan => plan,
        }
    }

    fn removed(&self, there: Option<&reads::File>) -> Plan {
        let Some(there) = there else { return Plan::Settled };
        let (what, command) = match there.kind {
            FileKind::Folder => ("the folder", Command::new("rm").arg("-r")),
            _ => ("it", Command::new("rm")),
        };
        let command = command.args(["-f", "--"]).arg(&self.asked.path);
        Plan::Change(vec![Change::run(format!("{what} is there"), command).removing()])
    }

    fn folder(&self, there: Option<&reads::File>) -> Plan {
        match there {
            None => Plan::Change(self.made_folder()),
            Some(file) if file.kind == FileKind::Folder => settled_or(self.attributes(file)),
            Some(file) => self.in_the_way(file, "a folder"),
        }
    }

    fn made_folder(&self) -> Vec<Change> {
        let command = Command::new("mkdir").args(["-p", "--"]).arg(&self.asked.path);
        let mode = self.asked.mode.as_ref().map(|mode| self.chmod(mode, true));
        let owner = self.asked.owner.as_ref().map(|owner| self.chown(owner));
        let made = Change::run("the folder is not there", command);
        let rest = mode.into_iter().chain(owner).map(|command| Change::run("the folder is new", command));
        std::iter::once(made).chain(rest).collect()
    }

    fn file(&self, there: Option<&reads::File>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(other) = there.filter(|file| file.kind != FileKind::Regular) {
            return self.in_the_way(other, "a regular file");
        }
        if let Some(Generate { bytes }) = self.asked.generate {
            return self.generated(bytes, there);
        }
        if self.asked.carry.is_some() {
            return self.carried(there, on, seen);
        }
        match self.wanted(on, seen) {
            Err(refused) => refused,
            Ok(Some(wanted)) => self.written(there, &wanted, self.diff(there, &wanted, on, seen)),
            Ok(None) => match there {
                Some(file) => settled_or(self.attributes(file)),
                None => self.written(None, &Wanted::of(b""), None),
            },
        }
    }

    fn in_the_way(&self, file: &reads::File, asked: &str) -> Plan {
        let path = &self.asked.path;
        let (what, hint) = match &file.kind {
            FileKind::Link(to) => (format!("a link to {to}"), "name what it leads to, or remove the link first"),
            FileKind::Folder => ("a folder".into(), "name a file in it, or remove the folder first"),
            FileKind::Regular => ("a regular file".into(), "remove it first: `state: absent`"),
            FileKind::Other => ("a device, socket or pipe".into(), "choose another path"),
        };
        Plan::refused(format!("{path} is {what}, and {asked} is asked for"), hint)
    }
}

fn settled_or(changes: Vec<Change>) -> Plan {
    if changes.is_empty() { Plan::Settled } else { Plan::Change(changes) }
}

fn differs(field: &str, is: String, asked: String) -> Difference {
    Difference { field: field.into(), is, asked }
}
