//! `skep hosts --vars`: each variable of a host, its value, who says so, and over whom.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::Hosts;
use crate::cli::run::extra;
use crate::inventory::{Host, Inventory, Setting, Templates};
use crate::playbook::{Ground, Known, Play, Playbook, Scope, Var, Vars};
use crate::report::Paint;
use crate::secret::MASK;
use crate::vault::Sealed;
use crate::yaml::{At, Node, Value, is_secret};

/// One place that sets a variable.
struct Set {
    /// What it sets: a connection key has several names, and a variable may be called like one.
    what: (bool, String),
    name: String,
    /// Where it counts: everywhere, or in one play or step only.
    within: Option<String>,
    level: String,
    node: Node,
}

/// A variable with all places that set it, the strongest last.
struct Variable {
    sets: Vec<Set>,
    value: String,
}

/// The playbook that variables are shown for, if any, and those of `-e`.
pub(super) struct Book {
    templates: Templates,
    playbook: Option<(Playbook, Arc<Ground>)>,
    extra: Vars,
}

impl Book {
    /// # Errors
    /// Every mistake in the playbook, and values of `-e` that are no YAML.
    pub fn open(options: &Hosts, inventory: &Arc<Inventory>) -> anyhow::Result<Self> {
        let playbook = options.playbook.as_deref().map(Playbook::read).transpose()?;
        let extra = extra(&options.extra)?;
        let with_ground = |playbook| {
            let ground = Ground::new(&playbook, inventory.clone(), extra.clone());
            (playbook, ground)
        };
        Ok(Self { templates: inventory.templates(), playbook: playbook.map(with_ground), extra })
    }

    /// All that sets a variable of a host, from weak to strong.
    fn sets(&self, host: &Host) -> Vec<Set> {
        let set = |level: &str, within: bool| {
            let level = level.to_owned();
            move |(name, var): &(String, Var)| Set::new(name, &written(var), &level, within)
        };
        let mut sets: Vec<Set> = Vec::new();
        sets.extend(self.playbook.iter().flat_map(|(book, _)| book.vars.iter()).map(set("playbook", false)));
        for layer in &host.layers {
            let level = layer.from.to_string();
            sets.extend(layer.settings.iter().map(|setting| Set::of(setting, &level)));
        }
        for play in self.plays(host) {
            sets.extend(play.vars.iter().map(set(&format!("play {}", play.name), true)));
            for step in &play.steps {
                sets.extend(step.vars.iter().map(set(&format!("step {}", step.id), true)));
            }
        }
        sets.extend(self.extra.iter().map(set("-e", false)));
        sets
    }

    /// The plays that are for a host, as far as that is known before a run.
    fn plays(&self, host: &Host) -> Vec<&Play> {
        let Some((playbook, ground)) = &self.playbook else { return Vec::new() };
        let scope = Scope::without_host(ground, &Arc::default());
        let is_for = |play: &&Play| match scope.hosts(&play.hosts) {
            Ok(hosts) => hosts.iter().any(|one| one.name == host.name),
            Err(_) => true,
        };
        playbook.plays.iter().filter(is_for).collect()
    }

    /// A value as it will be where that can be told by now, else as it is written.
    fn value(&self, host: &Arc<Host>, set: &Set, secrets: &[String]) -> String {
        if set.is_hidden() {
            return MASK.to_owned();
        }
        let in_book = self.playbook.as_ref().and_then(|(playbook, ground)| {
            let play = playbook.plays.first()?;
            Scope::new(ground, &Arc::new(Known::default()), host, play).render(&set.node).ok()
        });
        let rendered = in_book.or_else(|| self.templates.rendered(host, &set.node).ok());
        let value = shown(rendered.as_ref().unwrap_or(&set.node));
        // A value that is made of a password is shown as it is written.
        if secrets.iter().any(|secret| value.contains(secret)) { shown(&set.node) } else { value }
    }

    /// The texts that nobody may see, wherever they are put.
    fn secrets(&self, host: &Host, variables: &[Variable]) -> Vec<String> {
        let sets = variables.iter().flat_map(|variable| &variable.sets).filter(|set| set.is_hidden());
        let texts = sets.map(|set| self.templates.rendered(host, &set.node).unwrap_or_else(|_| set.node.clone()));
        texts.map(|node| shown(&node)).filter(|text| text.len() > 2).collect()
    }

    /// The variables of a host, by name: those of one play or step beside those that hold everywhere.
    fn variables(&self, host: &Arc<Host>) -> Vec<Variable> {
        let sets = self.sets(host);
        let strongest = |name: &str| self.extra.iter().any(|(extra, _)| extra == name);
        let mut variables: Vec<Variable> = Vec::new();
        for set in sets.into_iter().filter(|set| set.within.is_none() || !strongest(&set.name)) {
            match variables.iter_mut().find(|known| known.is(&set)) {
                Some(known) => known.sets.push(set),
                None => variables.push(Variable { sets: vec![set], value: String::new() }),
            }
        }
        variables.sort_by(|one, other| one.name().cmp(other.name()));
        let secrets = self.secrets(host, &variables);
        for variable in &mut variables {
            variable.value = variable.sets.last().map(|set| self.value(host, set, &secrets)).unwrap_or_default();
        }
        variables
    }
}

impl Set {
    fn new(name: &str, node: &Node, level: &str, within: bool) -> Self {
        let within = within.then(|| level.to_owned());
        Self {
            what: (false, name.to_owned()),
            name: name.to_owned(),
            within,
            level: level.to_owned(),
            node: node.clone(),
        }
    }

    fn of(setting: &Setting, level: &str) -> Self {
        let what = (setting.key.is_some(), setting.meaning().to_owned());
        Self { what, ..Self::new(&setting.name, &setting.node, level, false) }
    }
}

impl Set {
    /// Whether it is a secret, or called like one.
    fn is_hidden(&self) -> bool {
        is_hidden(&self.name) || Sealed::is(&self.node)
    }
}

/// What stands there: a value, or the command that says it.
fn written(var: &Var) -> Node {
    match var {
        Var::Value(node) => node.clone(),
        Var::Lookup(lookup) => Node::new(Value::Str(format!("$ {}", lookup.line.value)), lookup.at.clone()),
    }
}

impl Variable {
    fn is(&self, set: &Set) -> bool {
        self.sets.iter().any(|known| known.what == set.what && known.within == set.within)
    }

    fn name(&self) -> &str {
        self.sets.last().map(|set| set.name.as_str()).unwrap_or_default()
    }
}

/// Whether a variable is called like something secret.
fn is_hidden(name: &str) -> bool {
    let lower = name.to_lowercase();
    is_secret(name) || ["token", "secret", "private_key", "api_key"].iter().any(|word| lower.contains(word))
}

/// One line, however long the value is.
fn shown(node: &Node) -> String {
    match node.scalar_text() {
        Some(text) if !text.is_empty() && !text.contains(['\n', '\t']) => text.into_owned(),
        _ => serde_json::to_string(node).unwrap_or_default(),
    }
}

/// `group web, inventory/hosts.yml:12`.
fn place(set: &Set) -> String {
    match file(&set.node.at) {
        Some((file, line)) => format!("{}, {file}:{line}", set.level),
        None => set.level.clone(),
    }
}

/// Where it stands, if that is a file.
fn file(at: &At) -> Option<(String, usize)> {
    let path = at.source.path.to_string_lossy().into_owned();
    (!path.starts_with("-e ") && !path.starts_with('<')).then(|| (path, at.line_column().0))
}

/// Prints a table for each host.
///
/// # Errors
/// Standard output is gone.
pub(super) fn told(out: &mut impl Write, book: &Book, hosts: &[Arc<Host>], paint: Paint) -> io::Result<()> {
    for host in hosts {
        let variables = book.variables(host);
        let width = |cell: fn(&Variable) -> &str| {
            variables.iter().map(|variable| console::measure_text_width(cell(variable))).max().unwrap_or(0)
        };
        let (name, value) = (width(Variable::name), width(|variable| &variable.value).min(50));
        writeln!(out, "{}", paint.strong(&host.name))?;
        for variable in &variables {
            let pad = value.saturating_sub(console::measure_text_width(&variable.value));
            let (last, over) = variable.sets.split_last().map(|(last, over)| (place(last), over)).unwrap_or_default();
            write!(out, "  {:name$}  {}{}  {last}", variable.name(), variable.value, " ".repeat(pad))?;
            let over: Vec<String> = over.iter().rev().map(place).collect();
            let over =
                if over.is_empty() { String::new() } else { paint.quiet(&format!("  over {}", over.join("; "))) };
            writeln!(out, "{over}")?;
        }
    }
    Ok(())
}

/// The same for programs: a host after the other.
pub(super) fn as_json(book: &Book, hosts: &[Arc<Host>]) -> Json {
    let from = |set: &Set| {
        let (file, line) = file(&set.node.at).unzip();
        json!({"level": set.level, "file": file, "line": line})
    };
    let one = |variable: Variable| {
        let (last, over) = variable.sets.split_last()?;
        let over: Vec<Json> = over.iter().rev().map(from).collect();
        Some(json!({"name": variable.name(), "value": variable.value, "from": from(last), "over": over}))
    };
    let of = |host: &Arc<Host>| {
        let vars: Vec<Json> = book.variables(host).into_iter().filter_map(one).collect();
        json!({"name": host.name, "vars": vars})
    };
    hosts.iter().map(of).collect()
}
