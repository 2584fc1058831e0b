//! What expressions can see, for one host at one step.
//!
//! From weak to strong: the playbook's variables (defaults), the inventory's, the play's, the step's, what earlier steps
//! registered, and `-e`. [`expr::BUILTIN`] names belong to the language and cannot be variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value as Jinja;

use super::lazy::Lazy;
use super::{Lookup, Play, Playbook, Step, Var, Vars};
use crate::expr::{self, BUILTIN, Unresolved};
use crate::inventory::{Host, Inventory};
use crate::reads::{Look, Seen, Value, Wanted};
use crate::vault::Vault;
use crate::yaml::{At, Error, Node, Source, Spanned, Value as Yaml};

/// What holds for a whole run.
pub struct Ground {
    pub(super) inventory: Arc<Inventory>,
    pub(super) defaults: Vars,
    pub(super) extra: Vars,
    pub(super) folder: PathBuf,
    pub(super) vault: Arc<Vault>,
}

impl Ground {
    /// A playbook and the whole inventory it is used with; `extra` are the variables of `-e`, which win over all others.
    pub fn new(playbook: &Playbook, inventory: Arc<Inventory>, extra: Vars) -> Arc<Self> {
        Self::keeping(playbook, inventory, extra, Arc::default())
    }

    /// The same with secrets that were opened.
    pub fn keeping(playbook: &Playbook, inventory: Arc<Inventory>, extra: Vars, vault: Arc<Vault>) -> Arc<Self> {
        let (defaults, folder) = (playbook.vars.clone(), playbook.folder.clone());
        Arc::new(Self { inventory, defaults, extra, folder, vault })
    }

    pub(super) fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.inventory.host(name)
    }
}

/// What a run has found out so far: grows from step to step. A snapshot goes into each [`Scope`].
#[derive(Clone, Default)]
pub struct Known {
    /// The host that the swarm is commanded from.
    pub leader: Option<String>,
    /// Host by host, what the engine read of the machine: `cores`, `memory_mib`, ….
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Host by host, what `register` kept.
    pub registered: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

/// What expressions can see. Cheap to clone.
#[derive(Clone)]
pub struct Scope {
    pub(super) world: Arc<Ground>,
    pub(super) known: Arc<Known>,
    pub(super) host: Option<Arc<Host>>,
    pub(super) play: Option<(String, Spanned<String>)>,
    pub(super) hosts: Option<Spanned<String>>,
    pub(super) play_vars: Vars,
    pub(super) step_vars: Vars,
    pub(super) item: Option<Jinja>,
    pub(super) sight: Option<Arc<dyn Look>>,
    /// Notes the names that are asked for.
    pub(super) asked: Option<Asked>,
}

/// The names that expressions have asked for of their own host.
pub(super) type Asked = Arc<Mutex<BTreeSet<String>>>;

impl Scope {
    /// The scope of a host in a play; [`Step::resolve`] adds what belongs to the step.
    pub fn new(world: &Arc<Ground>, known: &Arc<Known>, host: &Arc<Host>, play: &Play) -> Self {
        let of_play = Self { play_vars: play.vars.clone(), ..Self::without_host(world, known) };
        Self { host: Some(host.clone()), play: Some((play.name.clone(), play.hosts.clone())), ..of_play }
    }

    /// The scope of patterns: no host, so of the inventory's variables only those that are the same for all hosts.
    pub fn without_host(world: &Arc<Ground>, known: &Arc<Known>) -> Self {
        let (world, known) = (world.clone(), known.clone());
        let none = Vars::default();
        let (play_vars, step_vars) = (none.clone(), none);
        Self {
            world,
            known,
            host: None,
            play: None,
            hosts: None,
            play_vars,
            step_vars,
            item: None,
            sight: None,
            asked: None,
        }
    }

    /// The same, where expressions may look at hosts; without it nothing that must be read is known.
    #[must_use]
    pub fn seeing(self, sight: Arc<dyn Look>) -> Self {
        Self { sight: Some(sight), ..self }
    }

    /// Notes that a name was asked for.
    pub(super) fn note(&self, name: &str) {
        if let Some(asked) = &self.asked {
            asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
    }

    pub(super) fn look(&self, wanted: &Wanted) -> Option<Seen<Value>> {
        // What is read of a host is its own.
        self.note("host");
        self.sight.as_ref()?.look(wanted)
    }

    /// The same host with nothing of play and step: what others see of it.
    pub(super) fn of_host(&self, host: &Arc<Host>) -> Self {
        let bare = Self::without_host(&self.world, &self.known);
        Self { host: Some(host.clone()), sight: self.sight.clone(), ..bare }
    }

    pub(super) fn in_step(&self, step: &Step) -> Self {
        Self { step_vars: step.vars.clone(), hosts: step.hosts.clone(), ..self.clone() }
    }

    pub(super) fn with_item(&self, item: Option<Jinja>) -> Self {
        Self { item, ..self.clone() }
    }

    fn context(&self) -> Jinja {
        Lazy::context(self.clone())
    }

    /// Renders every text in a node.
    ///
    /// # Errors
    /// What is undefined, or wrong with an expression, at its place.
    pub fn render(&self, node: &Node) -> Result<Node, Unresolved> {
        expr::rendered(node, &self.context()).map_err(|error| self.suggest(error))
    }

    /// Renders a text to a text.
    ///
    /// # Errors
    /// As [`Scope::render`], and a value that is no scalar.
    pub fn text(&self, text: &Spanned<String>) -> Result<String, Unresolved> {
        self.scalar(&Node::new(crate::yaml::Value::Str(text.value.clone()), text.at.clone()))
    }

    pub(super) fn scalar(&self, node: &Node) -> Result<String, Unresolved> {
        let node = self.render(node)?;
        let text = node.scalar_text().map(String::from);
        text.ok_or_else(|| Error::at(&node.at, format!("a text is wanted here, this is {}", node.kind_name())).into())
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// As [`Scope::render`], and a condition that is neither true nor false.
    pub fn holds(&self, condition: &Spanned<String>) -> Result<bool, Unresolved> {
        expr::holds(&condition.value, &condition.at, &self.context()).map_err(|error| self.suggest(error))
    }

    pub(super) fn value(&self, node: &Node) -> Result<Jinja, Unresolved> {
        expr::to_jinja(node, &self.context()).map_err(|error| self.suggest(error))
    }

    /// Renders a local file, its path relative to the playbook's folder.
    pub(super) fn render_file(&self, file: &str, at: &At) -> Result<String, Unresolved> {
        let path = self.world.folder.join(file);
        let text = std::fs::read_to_string(&path)
            .map_err(|why| Error::at(at, format!("cannot read the template {}: {why}", path.display())))?;
        let end = text.len();
        let source = Arc::new(Source { path, text: text.clone() });
        let rendered = expr::render_text(&text, &At { source, start: 0, end }, &self.context());
        rendered.map_err(|error| self.suggest(error))
    }

    pub(super) fn leader(&self) -> Option<String> {
        self.known.leader.clone()
    }

    pub(super) fn has_host(&self, name: &str) -> bool {
        self.world.host(name).is_some()
    }

    pub(super) fn no_host(&self, name: &str, at: &At) -> Error {
        let names = self.world.inventory.hosts.iter().map(|host| host.name.as_str());
        let error = Error::at(at, format!("the inventory has no host `{name}`"));
        match name == "all" || self.world.inventory.group(name).is_some() {
            true => error.with_hint(format!("it is a group: one of its hosts is `{name}[0]`")),
            false => error.did_you_mean(name, names),
        }
    }

    fn suggest(&self, error: Unresolved) -> Unresolved {
        let names = self.names();
        error.suggest(names.iter().map(String::as_str))
    }

    /// Whether a name means something on every host.
    pub(super) fn knows_everywhere(&self, name: &str) -> bool {
        let mut layers = [&self.world.extra, &self.step_vars, &self.play_vars, &self.world.defaults].into_iter();
        BUILTIN.contains(&name) || layers.any(|vars| held(vars, name).is_some())
    }

    /// Whether what a name means on two hosts is the same.
    pub(super) fn means_the_same(&self, name: &str, one: &Host, other: &Host) -> bool {
        match name {
            "host" | "index" | "inventory_hostname" => false,
            "facts" => self.known.facts.get(&one.name) == self.known.facts.get(&other.name),
            _ => {
                let kept = |host: &Host| self.known.registered.get(&host.name)?.get(name);
                find(&one.vars, name).map(|node| &node.value) == find(&other.vars, name).map(|node| &node.value)
                    && kept(one) == kept(other)
            }
        }
    }

    /// Every name that means something here.
    pub(super) fn names(&self) -> Vec<String> {
        let layers = [&self.world.extra, &self.step_vars, &self.play_vars, &self.world.defaults];
        let vars = layers.into_iter().flat_map(|vars| vars.iter().map(|(name, _)| name.clone()));
        let host = self.host.iter().flat_map(|host| host.vars.iter().map(|(name, _)| name.clone()));
        let registered = self.registered().into_iter().flat_map(|kept| kept.keys().cloned());
        vars.chain(host).chain(registered).chain(BUILTIN.iter().map(|name| (*name).to_owned())).collect()
    }

    /// Whether the inventory sets a variable for some host.
    pub(super) fn set_for_others(&self, name: &str) -> bool {
        self.world.inventory.hosts.iter().any(|host| find(&host.vars, name).is_some())
    }

    pub(super) fn registered(&self) -> Option<&BTreeMap<String, serde_json::Value>> {
        self.known.registered.get(&self.host.as_ref()?.name)
    }

    /// Where a variable is set: the strongest place wins. What is registered stands between `-e` and the step.
    pub(super) fn variable(&self, name: &str) -> Option<Held<'_>> {
        let strong = [&self.step_vars, &self.play_vars].into_iter().find_map(|vars| held(vars, name));
        let of_inventory = || self.of_inventory(name).map(Held::Value);
        strong.or_else(of_inventory).or_else(|| held(&self.world.defaults, name))
    }

    pub(super) fn extra(&self, name: &str) -> Option<Held<'_>> {
        held(&self.world.extra, name)
    }

    fn of_inventory(&self, name: &str) -> Option<&Node> {
        if let Some(host) = &self.host {
            return find(&host.vars, name);
        }
        let mut values = self.world.inventory.hosts.iter().map(|host| find(&host.vars, name));
        let first = values.next()??;
        values.all(|value| value.is_some_and(|value| value.value == first.value)).then_some(first)
    }
}

/// What a variable is, wherever it is set.
pub(super) enum Held<'a> {
    Value(&'a Node),
    Lookup(&'a Lookup),
}

fn held<'a>(vars: &'a [(String, Var)], name: &str) -> Option<Held<'a>> {
    vars.iter().find(|(known, _)| known == name).map(|(_, var)| match var {
        Var::Value(node) => Held::Value(node),
        Var::Lookup(lookup) => Held::Lookup(lookup),
    })
}

fn find<'a>(vars: &'a [(String, Node)], name: &str) -> Option<&'a Node> {
    vars.iter().find(|(var, _)| var == name).map(|(_, node)| node)
}

/// Why a name cannot be a variable's, if it cannot.
pub fn unusable(name: &str) -> Option<String> {
    misnamed(&Node::new(Yaml::Str(name.to_owned()), At::made_by("<name>"))).map(|error| error.message)
}

/// What is wrong with a variable's name, if anything.
pub(super) fn misnamed(key: &Node) -> Option<Error> {
    let name = key.scalar_text().unwrap_or_default();
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if BUILTIN.contains(&name.as_ref()) {
        return Some(Error::at(&key.at, format!("`{name}` has a meaning of its own and cannot be a variable")));
    }
    if name.is_empty() || !name.chars().all(letters) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let error = Error::at(&key.at, format!("`{name}` cannot be used as a variable"));
        return Some(error.with_hint("a name is made of letters, digits and `_`, and does not begin with a digit"));
    }
    None
}
