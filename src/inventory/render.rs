//! Templates in what a host is reached by, rendered with what is said of the host.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Enumerator, Object};
use minijinja::{Error as Fault, ErrorKind, Value as Jinja};

use super::layers::Setting;
use crate::expr::{self, Unresolved};
use crate::yaml::{At, Error, Hole, Node, Value};

/// So many variables one template may ask for, each as often as it is asked for: then it goes in a circle, or all but does.
const MOST: usize = 1_000;
/// So deep variables may stand in variables.
const DEEPEST: usize = 40;

/// What is known of all hosts while the inventory is made.
#[derive(Default)]
pub(super) struct Ground {
    hosts: HashMap<String, Arc<Of>>,
    groups: Vec<(String, Vec<String>)>,
}

/// What is known of one.
struct Of {
    name: String,
    groups: Vec<String>,
    vars: HashMap<String, Node>,
}

impl Ground {
    pub fn new(groups: Vec<(String, Vec<String>)>) -> Self {
        Self { groups, hosts: HashMap::new() }
    }

    /// Adds a host: the groups that it is in, and the strongest of all that is said of it.
    pub fn add(&mut self, name: &str, groups: &[String], settings: &[Setting]) {
        let vars = settings.iter().map(|setting| (setting.name.clone(), setting.node.clone())).collect();
        let of = Of { name: name.to_owned(), groups: groups.to_vec(), vars };
        self.hosts.insert(name.to_owned(), Arc::new(of));
    }
}

/// Whether there is anything to render in it.
pub(super) fn is_template(node: &Node) -> bool {
    expr::texts(node).iter().any(|(text, _)| Hole::of(text).is_some())
}

/// A value of a host's, its templates rendered.
pub(super) fn rendered(ground: &Arc<Ground>, host: &str, node: &Node) -> Result<Node, Error> {
    let Some(of) = ground.hosts.get(host) else { return Ok(node.clone()) };
    let view = View { ground: ground.clone(), of: of.clone(), way: Arc::default(), asked: Arc::default() };
    let names: Vec<&str> = of.vars.keys().map(String::as_str).chain(BUILTIN).collect();
    let result = expr::rendered(node, &Jinja::from_object(view));
    result.map_err(|why| why.suggest(names).error().clone())
}

/// Names that mean something without being variables.
const BUILTIN: [&str; 6] =
    ["inventory_hostname", "inventory_hostname_short", "group_names", "groups", "hostvars", "lookup"];

/// One host's variables, as templates see them.
#[derive(Clone)]
struct View {
    ground: Arc<Ground>,
    of: Arc<Of>,
    /// The variables that are being evaluated.
    way: Arc<Mutex<Vec<(String, String)>>>,
    asked: Arc<AtomicUsize>,
}

/// What it holds may be secret.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variables of {}", self.of.name)
    }
}

impl Object for View {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let of = &self.of;
        match key.as_str()? {
            "inventory_hostname" => Some(of.name.as_str().into()),
            "inventory_hostname_short" => Some(of.name.split('.').next().unwrap_or_default().into()),
            "group_names" => Some(of.groups.clone().into()),
            "groups" => Some(Jinja::from_pairs(self.ground.groups.iter().cloned())),
            "hostvars" => Some(Jinja::from_object(Everybody(self.clone()))),
            "lookup" => Some(Jinja::from_function(lookup)),
            name => of.vars.get(name).map(|node| self.variable(name, node)),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl View {
    fn variable(self: &Arc<Self>, name: &str, node: &Node) -> Jinja {
        if let Err(error) = self.enter(name, &node.at) {
            return Unresolved::from(error).into_fault().into();
        }
        let value = expr::to_jinja(node, &Jinja::from_dyn_object(self.clone()));
        self.way.lock().unwrap_or_else(PoisonError::into_inner).pop();
        value.unwrap_or_else(|error| error.into_fault().into())
    }

    fn enter(&self, name: &str, at: &At) -> Result<(), Error> {
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        let this = (self.of.name.clone(), name.to_owned());
        let again = way.contains(&this) || way.len() >= DEEPEST;
        if again || self.asked.fetch_add(1, Ordering::Relaxed) >= MOST {
            return Err(Error::at(at, format!("the variable `{name}` needs itself, or too many others")));
        }
        way.push(this);
        Ok(())
    }
}

/// `hostvars`: the variables of every host by its name.
#[derive(Debug)]
struct Everybody(Arc<View>);

impl Object for Everybody {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let of = self.0.ground.hosts.get(key.as_str()?)?;
        Some(Jinja::from_object(View { of: of.clone(), ..(*self.0).clone() }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// Ansible's `lookup('env', NAME)`: empty where it is not set. Nothing else can be looked up while an inventory is read.
fn lookup(kind: &str, name: &str) -> Result<String, Fault> {
    match kind {
        "env" => Ok(std::env::var(name).unwrap_or_default()),
        _ => Err(Fault::new(ErrorKind::InvalidOperation, "only `lookup('env', NAME)` is known here")),
    }
}

/// JSON as a value of the inventory, at the place that it is asked for.
pub(super) fn of_json(json: &serde_json::Value, at: &At) -> Node {
    use serde_json::Value as Json;
    let key = |text: &String| Node::new(Value::Str(text.clone()), at.clone());
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default(), number.to_string()),
        },
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|item| of_json(item, at)).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (key(name), of_json(value, at))).collect())
        }
    };
    Node::new(value, at.clone())
}
