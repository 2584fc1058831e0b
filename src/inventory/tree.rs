//! The tree of groups as it is written, Ansible's forms included, put together from one file or several.

use std::collections::HashMap;

use super::layers::{Setting, put};
use super::names::{self, PRIORITY, canonical, differs};
use super::range::expand;
use crate::yaml::{Error, Node, Value};

/// A group as written.
#[derive(Debug)]
pub(super) struct Draft {
    pub name: Node,
    pub settings: Vec<Setting>,
    /// The hosts that stand in it, by their place in the tree.
    pub hosts: Vec<usize>,
    /// The groups below it, by theirs.
    pub children: Vec<usize>,
    /// Where it stands among groups equally deep.
    pub priority: i64,
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
    group_places: HashMap<String, usize>,
    host_places: HashMap<String, usize>,
}

impl Tree {
    /// Adds one document.
    pub(super) fn add(&mut self, root: &Node) {
        match &root.value {
            Value::Map(groups) => groups.iter().for_each(|(name, body)| self.top(name, body)),
            Value::Null => {}
            _ => self.errors.push(
                Error::at(&root.at, format!("an inventory is a mapping of groups, not {}", root.kind_name()))
                    .with_hint("begin with `all:` and put `hosts:` under it"),
            ),
        }
    }

    fn top(&mut self, name: &Node, body: &Node) {
        match name.as_str() {
            Some("_meta") => body
                .get("hostvars")
                .iter()
                .flat_map(|vars| vars.entries())
                .for_each(|(host, vars)| self.said_of(host, vars)),
            Some("hosts" | "vars" | "children") => self.errors.push(
                Error::at(&name.at, format!("`{}` cannot stand at the top", name.as_str().unwrap_or_default()))
                    .with_hint("put it under `all:`"),
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
            name if canonical(name).is_some() => put(&mut self.groups[index].settings, Setting::new(name, value)),
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
            let (settings, hosts, children) = (Vec::new(), Vec::new(), Vec::new());
            self.groups.push(Draft { name, settings, hosts, children, priority: 1 });
            self.groups.len() - 1
        })
    }

    fn vars(&mut self, index: usize, vars: &Node) {
        if vars.as_map().is_none() && !vars.is_null() {
            self.errors.push(Error::at(&vars.at, format!("`vars` is a mapping, not {}", vars.told())));
        }
        for (key, value) in vars.entries() {
            let name = key.scalar_text().unwrap_or_default();
            if name == PRIORITY {
                self.priority(index, value);
                continue;
            }
            self.errors.extend(names::wrong(key, value));
            put(&mut self.groups[index].settings, Setting::new(&name, value));
        }
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
            match expand(key.scalar_text().unwrap_or_default().as_ref()) {
                Ok(names) => names.into_iter().for_each(|name| self.member(index, name, key, vars)),
                Err(why) => self.errors.push(Error::at(&key.at, why)),
            }
        }
    }

    fn member(&mut self, group: usize, name: String, key: &Node, vars: &Node) {
        let name = Node::new(Value::Str(name), key.at.clone());
        let host = self.host(&name);
        self.groups[group].hosts.push(host);
        self.said_of(&name, vars);
    }

    fn children(&mut self, index: usize, children: &Node) {
        let one = children.as_str().is_some().then_some(children);
        for (name, body) in children.entries() {
            let child = self.group(name, body);
            self.groups[index].children.push(child);
        }
        for name in children.items().iter().chain(one) {
            let child = self.draft(name);
            self.groups[index].children.push(child);
        }
    }

    /// The place of a host, which is new where it was not named before.
    fn host(&mut self, name: &Node) -> usize {
        let text = name.as_str().unwrap_or_default().to_owned();
        *self.host_places.entry(text).or_insert_with(|| {
            self.hosts.push(Named { name: name.clone(), settings: Vec::new() });
            self.hosts.len() - 1
        })
    }

    fn said_of(&mut self, name: &Node, vars: &Node) {
        if vars.as_map().is_none() && !vars.is_null() {
            let message = format!("what is said of a host is a mapping, not {}", vars.told());
            return self.errors.push(Error::at(&vars.at, message));
        }
        let host = self.host(name);
        for (key, value) in vars.entries() {
            self.errors.extend(names::wrong(key, value));
            let new = Setting::new(&key.scalar_text().unwrap_or_default(), value);
            self.errors.extend(differs(&self.hosts[host].settings, &new));
            put(&mut self.hosts[host].settings, new);
        }
    }
}
