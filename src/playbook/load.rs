//! From a file to a [`Playbook`], every mistake at its place and all of them at once.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::forms::{FILES, LOOKUPS, PLAYS, SERIAL, STEPS, TEMPLATE, TEXTS, VARS};
use super::include::Reading;
use super::keys::Keys;
use super::{Play, Playbook, Serial, Step, files, step};
use crate::actions::{Kind, TABLE};
use crate::schema::{FLAG, Key, TEXT, names};
use crate::yaml::{self, Error, Errors, Node};

/// The keys of a playbook.
pub(super) const PLAYBOOK: &[Key] = &[
    Key::new("name", TEXT, "what is shown; the file's name by default"),
    Key::new("vars", VARS, "variables: defaults, over which the inventory's win"),
    Key::new("vars_files", FILES, "files of variables; the last one wins, and each wins over `vars`"),
    Key::new("lookup", LOOKUPS, "variables that commands define which only look"),
    Key::new("plays", PLAYS, "what is to be done, one play after the other").required(),
];

/// The keys of a play.
pub(super) const PLAY: &[Key] = &[
    Key::new("name", TEXT, "what is shown; its hosts by default"),
    Key::new("hosts", TEMPLATE, "a host, a group, `a:b`, `a:&b`, `a:!b`, `web*`, `web[0]`, `web[1:]`, `all`, `leader`")
        .required(),
    Key::new("vars", VARS, "variables of its steps, over the inventory's"),
    Key::new("vars_files", FILES, "files of variables; the last one wins, and each wins over `vars`"),
    Key::new("lookup", LOOKUPS, "variables that commands define which only look"),
    Key::new("steps", STEPS, "one action after the other; each ends on all hosts before the next begins").required(),
    Key::new("serial", SERIAL, "batch by batch, each through all steps: so many hosts, or a share of them (`50%`)"),
    Key::new("become", FLAG, "whether its steps work as root, through sudo"),
    Key::new("become_user", TEMPLATE, "who its steps work as, through sudo"),
    Key::new("tags", TEXTS, "of all its steps; `--tags` chooses by them"),
];

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
        Self::with(node, TABLE, files::RUN)
    }

    /// The same with other actions than those that ship, and programs run in another way.
    pub(super) fn with(node: &Node, table: &'static [Kind], run: files::Run) -> Result<Self, Errors> {
        let (playbook, errors) = Self::load(node, table, run)?;
        errors.in_order().or(playbook)
    }

    /// What there is of it, and every mistake in it.
    pub(super) fn load(node: &Node, table: &'static [Kind], run: files::Run) -> Result<(Self, Errors), Errors> {
        if node.as_map().is_none() {
            let message = format!("a playbook is a mapping with the key `plays`, this is {}", node.told());
            let error = Error::at(&node.at, message);
            return Err(error
                .with_hint("write `plays:` above the plays, and `steps:` where Ansible has `tasks:`")
                .into());
        }
        let mut loader =
            Loader { table, run, errors: Vec::new(), reading: Reading::begin(node), read: 0, broken: Vec::new() };
        let mut playbook = loader.playbook(node);
        name_the_nameless(&mut playbook);
        loader.errors.extend(duplicate_ids(&playbook));
        Ok((playbook, Errors(loader.errors)))
    }
}

pub(super) struct Loader {
    table: &'static [Kind],
    pub(super) run: files::Run,
    pub(super) errors: Vec<Error>,
    /// The files under way, outermost first.
    pub(super) reading: Vec<Reading>,
    /// How many steps were included.
    pub(super) read: usize,
    /// What steps register that cannot be read.
    broken: Vec<String>,
}

impl Loader {
    fn playbook(&mut self, node: &Node) -> Playbook {
        let mut keys = Keys::of(node, "a playbook");
        let path = &node.at.source.path;
        let name = keys.text("name").map(|name| name.value);
        let playbook = Playbook {
            name: name.unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned()),
            vars: self.vars(&mut keys),
            plays: keys.required_list("plays").iter().map(|play| self.play(play)).collect(),
            broken: std::mem::take(&mut self.broken),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            source: node.at.source.clone(),
        };
        keys.unknown(names(PLAYBOOK));
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
            ..step::Inherited::default()
        };
        let play = Play {
            name: keys.text("name").map_or_else(|| hosts.value.clone(), |name| name.value),
            at: node.at.clone(),
            hosts,
            vars: self.vars(&mut keys),
            serial: serial(&mut keys),
            steps: self.steps(keys.required_list("steps"), &inherited),
        };
        keys.unknown(names(PLAY));
        self.errors.extend(keys.errors);
        play
    }

    pub(super) fn step(&mut self, node: &Node, inherited: &step::Inherited) -> Option<Step> {
        let mut keys = Keys::of(node, "a step");
        let step = step::load(&mut keys, self.table, inherited);
        self.errors.extend(keys.errors);
        if step.is_none() {
            self.broken.extend(node.get("register").and_then(Node::scalar_text).map(String::from));
        }
        step
    }
}

/// `serial: 2`, `serial: 50%`, or a list of them.
fn serial(keys: &mut Keys<'_>) -> Vec<Serial> {
    let Some(node) = keys.take("serial") else { return Vec::new() };
    let sizes = node.as_list().unwrap_or(std::slice::from_ref(node));
    if sizes.is_empty() {
        keys.wrong(Error::at(&node.at, "`serial` has at least one size in its list"));
    }
    let wrong = |size: &Node| {
        let message = format!("`serial` is a number of hosts or a share (`2`, `50%`), this is {}", size.told());
        Error::at(&size.at, message)
            .with_hint("or a list of them: `serial: [1, 3, 50%]`, the last for all that are left")
    };
    let sizes = sizes.iter().map(|size| size_of_batch(size).ok_or_else(|| wrong(size)));
    sizes.filter_map(|size| size.map_err(|error| keys.wrong(error)).ok()).collect()
}

fn size_of_batch(node: &Node) -> Option<Serial> {
    let text = node.scalar_text()?;
    let number = |digits: &str| digits.parse().ok().filter(|number| *number > 0);
    match text.strip_suffix('%') {
        Some(percent) => number(percent).filter(|percent| *percent <= 100).map(Serial::Percent),
        None => number(&text).map(Serial::Count),
    }
}

/// A step with neither id nor name goes by its action's name, numbered from the second on.
fn name_the_nameless(playbook: &mut Playbook) {
    let mut taken: HashSet<String> = playbook.steps().map(|step| step.id.clone()).collect();
    for step in playbook.plays.iter_mut().flat_map(|play| &mut play.steps).filter(|step| step.id.is_empty()) {
        let name = format!("{}{}", step.within, step.action.name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|id| !taken.contains(id));
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
                    .with_hint(other_id(first, step)),
            ),
        }
    }
    errors
}

fn other_id(first: &Step, step: &Step) -> &'static str {
    match first.at == step.at {
        true => "give one of the includes an `id:`: it is put before the ids of its steps",
        false => "give one of them another name, or an `id:` of its own",
    }
}
