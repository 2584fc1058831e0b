//! The tree of groups as it is written, Ansible's forms included, put together from one file or several.

use std::collections::HashMap;
use std::path::PathBuf;

use super::from;
use super::layers::{Setting, put};
use super::names::{self, Dialect, PRIORITY, differs};
use super::range;
use crate::yaml::{At, Error, Node, Value};

/// A group as written.
#[derive(Debug)]
pub(super) struct Draft {
    pub name: Node,
    pub settings: Vec<Setting>,
    /// The hosts that stand in it, by their place in the tree.
    pub hosts: Vec<usize>,
    /// The groups below it, by theirs, each with where that is said.
    pub children: Vec<(usize, At)>,
    /// Where it stands among groups equally deep.
    pub priority: i64,
    /// What `group_vars` says.
    pub files: Vec<Setting>,
}

impl Draft {
    pub fn name(&self) -> &str {
        self.name.as_str().unwrap_or_default()
    }
}

/// A host where it was first named, with what is said of it alone.
#[derive(Debug)]
pub(super) struct Named {
    pub name: Node,
    pub settings: Vec<Setting>,
    /// What `host_vars` says.
    pub files: Vec<Setting>,
}

impl Named {
    pub fn name(&self) -> &str {
        self.name.as_str().unwrap_or_default()
    }
}

/// Everything as written, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub groups: Vec<Draft>,
    pub hosts: Vec<Named>,
    pub errors: Vec<Error>,
    /// What is no mistake, and should be known.
    pub notes: Vec<Error>,
    /// Whether commands of the inventory are run.
    pub may_run: bool,
    /// What commands printed, by folder and line: the same one is run once.
    pub printed: HashMap<(PathBuf, String), serde_json::Value>,
    dialect: Dialect,
    group_places: HashMap<String, usize>,
    host_places: HashMap<String, usize>,
}

impl Tree {
    /// One whose commands are run.
    pub(super) fn that_runs() -> Self {
        Self { may_run: true, ..Self::default() }
    }

    /// Adds one document.
    pub(super) fn add(&mut self, root: &Node) {
        self.dialect = Dialect::of(root);
        match &root.value {
            Value::Map(groups) => {
                groups.iter().for_each(|(name, body)| self.top(name, body));
                let vars = root.get("_meta").and_then(|meta| meta.get("hostvars"));
                let told = vars.iter().flat_map(|vars| vars.entries());
                told.for_each(|(host, vars)| self.said_of(host.as_str().unwrap_or_default(), vars, self.dialect));
            }
            Value::Null => {}
            _ => self.errors.push(
                Error::at(&root.at, format!("an inventory is a mapping of groups, not {}", root.kind_name()))
                    .with_hint("begin with `all:` and put `hosts:` under it"),
            ),
        }
    }

    fn top(&mut self, name: &Node, body: &Node) {
        match name.as_str() {
            // What stands there is of hosts that the groups name.
            Some("_meta") => {}
            Some("hosts" | "vars" | "children") => self.errors.push(
                Error::at(&name.at, format!("`{}` cannot stand at the top", name.as_str().unwrap_or_default()))
                    .with_hint("put it under `all:`"),
            ),
            Some("plugin") if body.as_str().is_some() => self.errors.push(
                Error::at(&body.at, format!("`{}` is a plugin of Ansible's, which is not known here", body.as_str().unwrap_or_default()))
                    .with_hint("a program that runs `ansible-inventory -i FILE --list` is an inventory: `--list` is what it is asked for"),
            ),
            _ => drop(self.group(name, body)),
        }
    }

    fn group(&mut self, name: &Node, body: &Node) -> usize {
        let index = self.draft(name);
        if body.as_list().is_some() {
            self.members(index, body);
        } else if body.as_map().is_none() && !body.is_null() {
            self.errors.push(Error::at(&body.at, format!("a group is a mapping, not {}", body.told())));
        }
        body.entries().iter().for_each(|(key, value)| self.part(index, key, value));
        index
    }

    fn part(&mut self, index: usize, key: &Node, value: &Node) {
        match key.as_str().unwrap_or_default() {
            "hosts" => self.members(index, value),
            "children" => self.children(index, value),
            "vars" => self.vars(index, value),
            "from" => from::add(self, index, value),
            name if Dialect::Ours.key(name).is_some() => self.group_says(index, key, value, self.dialect),
            name => {
                let error = Error::at(&key.at, format!("unknown key `{name}` in a group"));
                self.errors.push(error.did_you_mean(name, names::of_groups()));
            }
        }
    }

    /// The place of a group, which is new where it was not named before.
    pub(super) fn draft(&mut self, name: &Node) -> usize {
        let text = name.scalar_text().unwrap_or_default().into_owned();
        *self.group_places.entry(text).or_insert_with_key(|text| {
            let name = Node::new(Value::Str(text.clone()), name.at.clone());
            let (settings, files, hosts, children) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            self.groups.push(Draft { name, settings, hosts, children, priority: 1, files });
            self.groups.len() - 1
        })
    }

    fn vars(&mut self, index: usize, vars: &Node) {
        if vars.as_map().is_none() && !vars.is_null() {
            self.errors.push(Error::at(&vars.at, format!("`vars` is a mapping, not {}", vars.told())));
        }
        vars.entries().iter().for_each(|(key, value)| self.group_says(index, key, value, self.dialect));
    }

    /// One thing that a group says of its hosts.
    pub(super) fn group_says(&mut self, index: usize, key: &Node, value: &Node, dialect: Dialect) {
        let name = key.scalar_text().unwrap_or_default();
        if name == PRIORITY {
            return self.priority(index, value);
        }
        self.errors.extend(names::wrong(key, value, dialect));
        put(&mut self.groups[index].settings, Setting::new(key, value, dialect));
    }

    fn priority(&mut self, index: usize, value: &Node) {
        match value.scalar_text().and_then(|text| text.parse().ok()) {
            Some(priority) => self.groups[index].priority = priority,
            None => self.errors.push(Error::at(&value.at, format!("`{PRIORITY}` is a whole number"))),
        }
    }

    /// Hosts: a mapping with what is said of each, a list of names, or one name.
    fn members(&mut self, index: usize, hosts: &Node) {
        let nothing = |at: &Node| Node::new(Value::Null, at.at.clone());
        let named: Vec<(Node, Node)> = match &hosts.value {
            Value::Map(entries) => entries.clone(),
            Value::List(names) => names.iter().map(|name| (name.clone(), nothing(name))).collect(),
            Value::Str(_) => vec![(hosts.clone(), nothing(hosts))],
            Value::Null => Vec::new(),
            _ => return self.errors.push(Error::at(&hosts.at, format!("`hosts` is a mapping, not {}", hosts.told()))),
        };
        for (key, vars) in &named {
            if vars.as_map().is_none() && !vars.is_null() {
                self.errors.push(no_mapping(vars));
            }
            let key = Node::new(Value::Str(key.scalar_text().unwrap_or_default().into_owned()), key.at.clone());
            self.stands_in(index, &key, vars.entries(), self.dialect);
        }
    }

    /// Hosts that stand in a group: one, or those of a range, with their port behind a colon; and what is said of them there.
    pub(super) fn stands_in(&mut self, group: usize, key: &Node, vars: &[(Node, Node)], dialect: Dialect) {
        let (pattern, port) = range::parted(key.as_str().unwrap_or_default());
        let names = match range::expand(pattern) {
            Ok(names) => names,
            Err(why) => return self.errors.push(Error::at(&key.at, why)),
        };
        if pattern.contains(':') && !pattern.contains('[') && pattern.parse::<std::net::Ipv6Addr>().is_err() {
            let error = Error::at(&key.at, format!("`{pattern}` is no host's name"));
            return self.errors.push(error.with_hint("behind a colon stands a port, from 1 to 65535"));
        }
        for name in names {
            let count = self.hosts.len();
            let host = self.host(&Node::new(Value::Str(name), key.at.clone()));
            self.groups[group].hosts.push(host);
            if let Some(port) = port.filter(|_| host == count) {
                let port = Node::new(Value::Int(port.into()), key.at.clone());
                let name = Node::new(Value::Str("ansible_port".to_owned()), key.at.clone());
                self.hosts[host].settings.push(Setting::new(&name, &port, Dialect::Ansibles));
            }
            vars.iter().for_each(|(key, value)| self.host_says(host, key, value, dialect));
        }
    }

    /// A host that a command told of.
    pub(super) fn found(&mut self, group: usize, name: &Node, vars: &[(Node, Node)]) {
        let host = self.host(name);
        self.groups[group].hosts.push(host);
        vars.iter().for_each(|(key, value)| self.host_says(host, key, value, self.dialect));
    }

    fn children(&mut self, index: usize, children: &Node) {
        let one = children.as_str().is_some().then_some(children);
        for (name, body) in children.entries() {
            let child = self.group(name, body);
            self.groups[index].children.push((child, name.at.clone()));
        }
        children.items().iter().chain(one).for_each(|name| self.child(index, name));
    }

    /// A group that stands below another one.
    pub(super) fn child(&mut self, parent: usize, name: &Node) {
        let child = self.draft(name);
        self.groups[parent].children.push((child, name.at.clone()));
    }

    /// The place of a host, which is new where it was not named before.
    fn host(&mut self, name: &Node) -> usize {
        let text = name.as_str().unwrap_or_default().to_owned();
        *self.host_places.entry(text).or_insert_with(|| {
            self.hosts.push(Named { name: name.clone(), settings: Vec::new(), files: Vec::new() });
            self.hosts.len() - 1
        })
    }

    /// What is said of a host that is there; of others it is no matter.
    pub(super) fn said_of(&mut self, name: &str, vars: &Node, dialect: Dialect) {
        if vars.as_map().is_none() && !vars.is_null() {
            return self.errors.push(no_mapping(vars));
        }
        if let Some(host) = self.host_places.get(name).copied() {
            vars.entries().iter().for_each(|(key, value)| self.host_says(host, key, value, dialect));
        }
    }

    /// What `group_vars` says of a group, which need not be written down for that.
    pub(super) fn group_files(&mut self, name: &str, settings: Vec<Setting>) {
        let index = self.draft(&Node::new(Value::Str(name.to_owned()), At::made_by("group_vars")));
        self.groups[index].files = settings;
    }

    /// What `host_vars` says of a host.
    pub(super) fn host_files(&mut self, name: &str, settings: Vec<Setting>) {
        if let Some(host) = self.host_places.get(name).copied() {
            self.hosts[host].files = settings;
        }
    }

    /// One thing that is said of a host alone.
    fn host_says(&mut self, host: usize, key: &Node, value: &Node, dialect: Dialect) {
        self.errors.extend(names::wrong(key, value, dialect));
        let new = Setting::new(key, value, dialect);
        match differs(&self.hosts[host].settings, &new) {
            Some((true, mistake)) => self.errors.push(mistake),
            Some((false, note)) => self.notes.push(note),
            None => {}
        }
        put(&mut self.hosts[host].settings, new);
    }
}

fn no_mapping(vars: &Node) -> Error {
    Error::at(&vars.at, format!("what is said of a host is a mapping, not {}", vars.told()))
}
