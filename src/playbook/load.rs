//! From a file to a [`Playbook`], every mistake at its place and all of them at once.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::keys::Keys;
use super::{Play, Playbook, Serial, Step, step};
use crate::actions::{Kind, TABLE};
use crate::yaml::{self, Error, Errors, Node, Value};

const PLAYBOOK: &[&str] = &["name", "vars", "plays"];
const PLAY: &[&str] = &["name", "hosts", "vars", "steps", "serial", "become", "become_user", "tags"];

impl Playbook {
    /// Reads a playbook from a file.
    ///
    /// # Errors
    /// A file that cannot be read or is not YAML, and every mistake in it, in the order of the text.
    pub fn read(path: &Path) -> Result<Self, Errors> {
        Self::from_node(&yaml::read(path)?)
    }

    /// Reads a playbook from a text; `path` says which folder its local paths are relative to.
    ///
    /// # Errors
    /// As [`Playbook::read`].
    pub fn parse(path: &Path, text: String) -> Result<Self, Errors> {
        Self::from_node(&yaml::parse(path, text)?)
    }

    fn from_node(node: &Node) -> Result<Self, Errors> {
        Self::with_actions(node, TABLE)
    }

    /// The same with other actions than those that ship.
    pub(super) fn with_actions(node: &Node, table: &'static [Kind]) -> Result<Self, Errors> {
        if let Value::List(_) = node.value {
            let error = Error::at(&node.at, "a playbook is a mapping with the key `plays`, this is a list");
            return Err(error
                .with_hint("write `plays:` above the plays, and `steps:` where Ansible has `tasks:`")
                .into());
        }
        let mut loader = Loader { table, errors: Vec::new() };
        let mut playbook = loader.playbook(node);
        name_the_nameless(&mut playbook);
        loader.errors.extend(duplicate_ids(&playbook));
        loader.errors.sort_by_key(|error| error.at.as_ref().map(|at| at.start));
        Errors(loader.errors).or(playbook)
    }
}

struct Loader {
    table: &'static [Kind],
    errors: Vec<Error>,
}

impl Loader {
    fn playbook(&mut self, node: &Node) -> Playbook {
        let mut keys = Keys::of(node, "a playbook");
        let path = &node.at.source.path;
        let name = keys.text("name").map(|name| name.value);
        let playbook = Playbook {
            name: name.unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned()),
            vars: keys.vars(),
            plays: keys.required_list("plays").iter().map(|play| self.play(play)).collect(),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            source: node.at.source.clone(),
        };
        keys.unknown(PLAYBOOK);
        self.errors.extend(keys.errors);
        playbook
    }

    fn play(&mut self, node: &Node) -> Play {
        let mut keys = Keys::of(node, "a play");
        let hosts = keys.required_template("hosts");
        let inherited = step::Inherited {
            tags: keys.texts("tags"),
            become_root: keys.flag("become"),
            become_user: keys.template("become_user"),
        };
        let play = Play {
            name: keys.text("name").map_or_else(|| hosts.value.clone(), |name| name.value),
            at: node.at.clone(),
            hosts,
            vars: keys.vars(),
            serial: serial(&mut keys),
            steps: keys.required_list("steps").iter().filter_map(|step| self.step(step, &inherited)).collect(),
        };
        keys.unknown(PLAY);
        self.errors.extend(keys.errors);
        play
    }

    fn step(&mut self, node: &Node, inherited: &step::Inherited) -> Option<Step> {
        let mut keys = Keys::of(node, "a step");
        let step = step::load(&mut keys, self.table, inherited);
        self.errors.extend(keys.errors);
        step
    }
}

/// `serial: 2` or `serial: 50%`.
fn serial(keys: &mut Keys<'_>) -> Option<Serial> {
    let node = keys.take("serial")?;
    let text = node.scalar_text().unwrap_or_default();
    let (digits, of): (_, fn(usize) -> Serial) = match text.strip_suffix('%') {
        Some(percent) => (percent, Serial::Percent),
        None => (text.as_ref(), Serial::Count),
    };
    let serial = digits.parse().ok().filter(|number| *number > 0).map(of);
    if matches!(serial, None | Some(Serial::Percent(101..))) {
        keys.wrong(Error::at(
            &node.at,
            format!("`serial` is a number of hosts or a share (`2`, `50%`), this is {}", node.told()),
        ));
    }
    serial
}

/// A step with neither id nor name goes by its action's name, numbered from the second on.
fn name_the_nameless(playbook: &mut Playbook) {
    let mut taken: HashSet<String> = playbook.steps().map(|step| step.id.clone()).collect();
    for step in playbook.plays.iter_mut().flat_map(|play| &mut play.steps).filter(|step| step.id.is_empty()) {
        let name = step.action.name;
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|id| !taken.contains(id));
        step.id = free.unwrap_or_default();
        taken.insert(step.id.clone());
    }
}

/// Ids are how a person and `--step` name a step: each is there once.
fn duplicate_ids(playbook: &Playbook) -> Vec<Error> {
    let mut seen: HashMap<&str, &Step> = HashMap::new();
    let mut errors = Vec::new();
    for step in playbook.steps() {
        match seen.get(step.id.as_str()) {
            None => drop(seen.insert(&step.id, step)),
            Some(first) => errors.push(
                Error::at(&step.named_at, format!("two steps have the id `{}`", step.id))
                    .also(&first.named_at, "the first is here")
                    .with_hint("give one of them another name, or an `id:` of its own"),
            ),
        }
    }
    errors
}
