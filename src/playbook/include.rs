//! `include`: the steps of another file, as if they stood here.

use std::path::{Path, PathBuf};

use super::forms::{CONDITION, LOOKUPS, TEMPLATE, TEXTS, VARS};
use super::load::Loader;
use super::step::Inherited;
use super::{Step, Vars, files};
use crate::schema::{FLAG, Key, TEXT, names};
use crate::yaml::{At, Error, Hole, Node, Spanned};

/// The keys of an include.
pub(super) const KEYS: &[Key] = &[
    Key::new("include", TEXT, "a file that is a list of steps; the path begins at this file's folder").required(),
    Key::new("id", TEXT, "put before its steps' ids, with a `.` between"),
    Key::new("name", TEXT, "for who reads it"),
    Key::new("vars", VARS, "variables of its steps: under their own, over the play's"),
    Key::new("lookup", LOOKUPS, "variables of its steps that commands define which only look"),
    Key::new("hosts", TEMPLATE, "other hosts than the play's, where a step of the file says nothing itself"),
    Key::new("on", TEMPLATE, "run and read there, where a step of the file says nothing itself"),
    Key::new("when", CONDITION, "a condition, beside each step's own"),
    Key::new("tags", TEXTS, "added to those of its steps"),
    Key::new("become", FLAG, "whether its steps work as root, where they say nothing themselves"),
    Key::new("become_user", TEMPLATE, "who its steps work as, where they say nothing themselves"),
];

/// So many files deep.
const DEPTH: usize = 20;
/// So many steps in all.
const STEPS: usize = 10_000;

/// A file whose steps are being read.
pub(super) struct Reading {
    path: PathBuf,
    /// Where it was asked for.
    at: At,
}

impl Loader {
    /// The steps of a list, those of its includes among them.
    pub(super) fn steps(&mut self, nodes: &[Node], inherited: &Inherited) -> Vec<Step> {
        let mut steps = Vec::new();
        for node in nodes {
            match node.get("include") {
                Some(_) => steps.extend(self.include(node, inherited)),
                None => steps.extend(self.step(node, inherited)),
            }
        }
        steps
    }

    fn include(&mut self, node: &Node, inherited: &Inherited) -> Vec<Step> {
        let mut keys = super::keys::Keys::of(node, "an include");
        let file = keys.text("include");
        let id = keys.text("id");
        keys.text("name");
        let inner = Inherited {
            prefix: id.map_or_else(|| inherited.prefix.clone(), |id| format!("{}{}.", inherited.prefix, id.value)),
            vars: over(&inherited.vars, &keys.vars()),
            hosts: keys.template("hosts").or_else(|| inherited.hosts.clone()),
            on: keys.template("on").or_else(|| inherited.on.clone()),
            when: inherited.when.iter().cloned().chain(keys.condition("when")).collect(),
            tags: inherited.tags.iter().cloned().chain(keys.texts("tags")).collect(),
            become_root: keys.flag("become").or(inherited.become_root),
            become_user: keys.template("become_user").or_else(|| inherited.become_user.clone()),
        };
        keys.unknown(names(KEYS));
        self.errors.extend(keys.errors);
        file.map(|file| self.included(&file, &inner)).unwrap_or_default()
    }

    fn included(&mut self, file: &Spanned<String>, inherited: &Inherited) -> Vec<Step> {
        let read = self.enter(file).and_then(|path| files::read(&path, &file.at));
        let steps = match read.and_then(listed) {
            Ok(list) => self.steps(list.items(), inherited),
            Err(error) => {
                self.errors.push(error);
                Vec::new()
            }
        };
        self.reading.retain(|reading| reading.at != file.at);
        self.read += steps.len();
        steps
    }

    /// Begins with a file, unless that has no end.
    fn enter(&mut self, file: &Spanned<String>) -> Result<PathBuf, Error> {
        let folder = file.at.source.path.parent().unwrap_or(Path::new(""));
        let path = folder.join(&file.value);
        let known = path.canonicalize().unwrap_or_else(|_| path.clone());
        if Hole::of(&file.value).is_some() {
            let error = Error::at(&file.at, "the name of a file that is included cannot be a template");
            return Err(error.with_hint("include each of them, with a `when` of its own"));
        }
        if let Some(first) = self.reading.iter().position(|reading| reading.path == known) {
            let error = Error::at(&file.at, format!("`{}` includes itself", file.value));
            let way = &self.reading[first + 1..];
            return Err(way.iter().fold(error, |error, reading| error.also(&reading.at, "by way of this one")));
        }
        if self.reading.len() > DEPTH || self.read > STEPS {
            let message =
                format!("too much is included: {DEPTH} files deep and {STEPS} steps are the most there may be");
            return Err(Error::at(&file.at, message));
        }
        self.reading.push(Reading { path: known, at: file.at.clone() });
        Ok(path)
    }
}

impl Reading {
    /// The playbook itself.
    pub(super) fn begin(node: &Node) -> Vec<Self> {
        let path = &node.at.source.path;
        vec![Self { path: path.canonicalize().unwrap_or_else(|_| path.clone()), at: node.at.clone() }]
    }
}

fn listed(node: Node) -> Result<Node, Error> {
    if node.as_list().is_some() {
        return Ok(node);
    }
    let error = Error::at(&node.at, format!("a file that is included is a list of steps, this is {}", node.told()));
    Err(error.with_hint("plays stand in playbooks; leave out `steps:`, and begin with `- `"))
}

/// What is said nearer to a step wins.
pub(super) fn over(below: &Vars, above: &Vars) -> Vars {
    match (below.is_empty(), above.is_empty()) {
        (true, _) => above.clone(),
        (_, true) => below.clone(),
        _ => above.iter().chain(below.iter()).cloned().collect::<Vec<_>>().into(),
    }
}
