//! Variables evaluated when an expression asks for them, each in its own scope, cycles found.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, Serde};
use minijinja::{Error as Fault, ErrorKind, State, Value as Jinja};

use super::facts::FactsOf;
use super::scope::{Held, Scope};
use crate::expr::{self, Unresolved};
use crate::inventory::{Host, Inventory};
use crate::vault::{self, Sealed};
use crate::yaml::{At, Error, Node};

/// So deep variables may refer to variables.
const DEPTH: usize = 40;

/// So many variables one template may come to ask for, those of the variables it asks for included: each is evaluated once on
/// a host, so this is more than there are.
const ASKED: usize = 10_000;

/// What a template has come to so far.
#[derive(Default)]
struct Way {
    /// The variables under way, outermost first: host and name.
    stack: Vec<(Option<String>, String)>,
    /// How many were evaluated.
    asked: usize,
}

/// A scope as the template engine sees it.
pub(super) struct Lazy {
    scope: Scope,
    way: Arc<Mutex<Way>>,
    /// What variables have come to.
    values: Mutex<HashMap<String, Jinja>>,
}

/// What it holds may be secret.
impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the variables")
    }
}

impl Object for Lazy {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        self.scope.note(name);
        self.builtin(name).or_else(|| self.variable(name))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Lazy {
    /// The root of a context.
    pub(super) fn context(scope: Scope) -> Jinja {
        Jinja::from_object(Self::new(scope, Arc::default()))
    }

    fn new(scope: Scope, way: Arc<Mutex<Way>>) -> Self {
        Self { scope, way, values: Mutex::default() }
    }

    fn variable(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        if let Some(held) = self.scope.extra(name) {
            return Some(self.evaluate(name, &held));
        }
        if let Some(kept) = self.scope.registered().and_then(|kept| kept.get(name)) {
            return Some(Serde(kept).into());
        }
        self.scope.variable(name).map(|held| self.evaluate(name, &held))
    }

    /// Once: of variables that are made of one another twice over, each would otherwise double the work.
    fn evaluate(self: &Arc<Self>, name: &str, held: &Held<'_>) -> Jinja {
        if let Some(value) = locked(&self.values).get(name) {
            return value.clone();
        }
        let at = match held {
            Held::Value(node) => &node.at,
            Held::Lookup(lookup) => &lookup.at,
        };
        if let Err(error) = self.enter(name, at) {
            return Unresolved::from(error).into_fault().into();
        }
        let context = Jinja::from_dyn_object(self.clone());
        let value = match held {
            Held::Value(node) if Sealed::is(node) => self.opened(name, node),
            Held::Value(node) => expr::to_jinja(vault::said_to_be_none(node).unwrap_or(node), &context),
            Held::Lookup(lookup) => lookup.value(name, &self.scope, &context),
        };
        locked(&self.way).stack.pop();
        let value = value.unwrap_or_else(|error| error.into_fault().into());
        locked(&self.values).insert(name.to_owned(), value.clone());
        value
    }

    fn opened(&self, name: &str, node: &Node) -> Result<Jinja, Unresolved> {
        let error = || Error::at(&node.at, format!("the secret `{name}` was not opened when the run began"));
        let secret = self.scope.world.vault.get(&node.at);
        secret.map(|secret| secret.expose().into()).ok_or_else(|| error().into())
    }

    fn enter(&self, name: &str, at: &At) -> Result<(), Error> {
        let Way { stack, asked } = &mut *locked(&self.way);
        let this = (self.scope.host.as_ref().map(|host| host.name.clone()), name.to_owned());
        if let Some(first) = stack.iter().position(|entry| *entry == this) {
            let mut way: Vec<_> = stack[first..].iter().map(|(_, name)| name.as_str()).collect();
            way.push(name);
            return Err(Error::at(at, format!("the variable `{name}` needs itself: {}", way.join(" → "))));
        }
        let too_much = match (stack.len() >= DEPTH, *asked >= ASKED) {
            (true, _) => format!("is nested too deep: more than {DEPTH} variables refer to each other"),
            (_, true) => format!("is one too many: this template has come to ask for {ASKED} variables"),
            _ => String::new(),
        };
        if !too_much.is_empty() {
            return Err(Error::at(at, format!("`{name}` {too_much}")));
        }
        *asked += 1;
        stack.push(this);
        Ok(())
    }

    fn builtin(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let scope = &self.scope;
        match name {
            "item" => scope.item.clone(),
            "leader" => scope.leader().map(Jinja::from),
            "play" => scope.play.as_ref().map(|(name, _)| name.as_str().into()),
            "playbook_dir" => Some(scope.world.folder.to_string_lossy().into_owned().into()),
            "groups" => Some(Jinja::from_object(Groups(scope.world.inventory.clone()))),
            "hostvars" => Some(Jinja::from_object(HostVars(self.clone()))),
            _ => self.of_host(name, scope.host.as_ref()?),
        }
    }

    fn of_host(self: &Arc<Self>, name: &str, host: &Arc<Host>) -> Option<Jinja> {
        match name {
            "inventory_hostname" => Some(host.name.as_str().into()),
            "host" => Some(Jinja::from_object(HostTold(self.clone(), host.clone()))),
            "index" => self.scope.index().map(Jinja::from),
            "facts" => Some(Jinja::from_object(FactsOf { scope: self.scope.clone(), host: host.clone() })),
            _ => None,
        }
    }
}

/// Every group with the names of its hosts, `all` among them.
#[derive(Debug)]
struct Groups(Arc<Inventory>);

impl Object for Groups {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let Inventory { hosts, .. } = &*self.0;
        match key.as_str()? {
            "all" => Some(hosts.iter().map(|host| host.name.as_str()).collect()),
            name => match self.0.group(name) {
                Some(group) => Some(group.hosts.iter().map(String::as_str).collect()),
                None => (name == "ungrouped").then(|| Jinja::from(Vec::<Jinja>::new())),
            },
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.groups.iter().map(|group| group.name.as_str());
        Enumerator::Values(["all"].into_iter().chain(names).map(Jinja::from).collect())
    }
}

const OF_HOST: [&str; 3] = ["name", "address", "groups"];

/// `host.name`, and so on; and as a function: `host('node2')` is what `hostvars.node2` is.
#[derive(Debug)]
struct HostTold(Arc<Lazy>, Arc<Host>);

impl Object for HostTold {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        match key.as_str()? {
            "name" => Some(self.1.name.as_str().into()),
            "address" => Some(self.1.address.as_str().into()),
            "groups" => Some(self.1.groups.clone().into()),
            other => {
                let error = Error::new(format!("`host` has no `{other}`")).did_you_mean(other, OF_HOST);
                let all = format!("it has: {}; the variables of a host are there by their names", OF_HOST.join(", "));
                let error = if error.hint.is_some() { error } else { error.with_hint(all) };
                Some(Unresolved::from(error).into_fault().into())
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&OF_HOST)
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, names: &[Jinja]) -> Result<Jinja, Fault> {
        let [name] = names else { return Err(Fault::new(ErrorKind::InvalidOperation, "`host` takes one name")) };
        let hosts = &self.0.scope.world.inventory.hosts;
        let of = Arc::new(HostVars(self.0.clone())).get_value(name);
        of.ok_or_else(|| {
            let names = hosts.iter().map(|host| host.name.as_str());
            let error = Error::new(format!("the inventory has no host `{name}`"));
            Unresolved::from(error.did_you_mean(&name.to_string(), names)).into_fault()
        })
    }
}

/// `hostvars[name]`: the variables of any host.
#[derive(Debug)]
struct HostVars(Arc<Lazy>);

impl Object for HostVars {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let Lazy { scope, way, .. } = &*self.0;
        let host = scope.world.host(key.as_str()?)?;
        Some(Jinja::from_object(Lazy::new(scope.of_host(host), way.clone())))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let hosts = &self.0.scope.world.inventory.hosts;
        Enumerator::Values(hosts.iter().map(|host| host.name.as_str().into()).collect())
    }
}

/// A panic elsewhere leaves what is there true.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
