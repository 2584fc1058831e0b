//! Variables evaluated when an expression asks for them, each in its own scope, cycles found.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object, Serde};

use super::scope::Scope;
use crate::expr::{self, Unresolved};
use crate::inventory::Host;
use crate::yaml::{At, Error, Node};

/// So deep variables may refer to variables.
const DEPTH: usize = 40;

/// The variables under way, outermost first: host and name.
type UnderWay = Arc<Mutex<Vec<(Option<String>, String)>>>;

/// A scope as the template engine sees it.
pub(super) struct Lazy {
    scope: Scope,
    under_way: UnderWay,
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
        self.builtin(name).or_else(|| self.variable(name))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Lazy {
    /// The root of a context.
    pub(super) fn context(scope: Scope) -> Jinja {
        Jinja::from_object(Self { scope, under_way: UnderWay::default() })
    }

    fn variable(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        if let Some(node) = self.scope.extra(name) {
            return Some(self.evaluate(name, node));
        }
        if let Some(kept) = self.scope.registered().and_then(|kept| kept.get(name)) {
            return Some(Serde(kept).into());
        }
        self.scope.variable(name).map(|node| self.evaluate(name, node))
    }

    fn evaluate(self: &Arc<Self>, name: &str, node: &Node) -> Jinja {
        if let Err(error) = self.enter(name, &node.at) {
            return Unresolved::from(error).into_fault().into();
        }
        let value = expr::to_jinja(node, &Jinja::from_dyn_object(self.clone()));
        self.stack().pop();
        value.unwrap_or_else(|error| error.into_fault().into())
    }

    fn enter(&self, name: &str, at: &At) -> Result<(), Error> {
        let mut stack = self.stack();
        let this = (self.scope.host.as_ref().map(|host| host.name.clone()), name.to_owned());
        if let Some(first) = stack.iter().position(|entry| *entry == this) {
            let mut way: Vec<_> = stack[first..].iter().map(|(_, name)| name.as_str()).collect();
            way.push(name);
            return Err(Error::at(at, format!("the variable `{name}` needs itself: {}", way.join(" → "))));
        }
        if stack.len() >= DEPTH {
            return Err(Error::at(
                at,
                format!("`{name}` is nested too deep: more than {DEPTH} variables refer to each other"),
            ));
        }
        stack.push(this);
        Ok(())
    }

    fn stack(&self) -> std::sync::MutexGuard<'_, Vec<(Option<String>, String)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn builtin(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let scope = &self.scope;
        match name {
            "item" => scope.item.clone(),
            "leader" => scope.leader().map(Jinja::from),
            "play" => scope.play.as_ref().map(|(name, _)| name.as_str().into()),
            "playbook_dir" => Some(scope.world.folder.to_string_lossy().into_owned().into()),
            "groups" => Some(groups(scope)),
            "hostvars" => Some(Jinja::from_object(HostVars(self.clone()))),
            _ => self.of_host(name, scope.host.as_ref()?),
        }
    }

    fn of_host(&self, name: &str, host: &Arc<Host>) -> Option<Jinja> {
        match name {
            "inventory_hostname" => Some(host.name.as_str().into()),
            "host" => Some(told(host)),
            "index" => self.scope.index().map(Jinja::from),
            "facts" => Some(self.facts(host)),
            _ => None,
        }
    }

    /// Facts that were not read are an error even where Jinja would be lenient, as in `map(attribute='facts.cores')`.
    fn facts(&self, host: &Host) -> Jinja {
        match self.scope.known.facts.get(&host.name) {
            Some(facts) => Serde(facts).into(),
            None => Unresolved::not_yet("facts").into_fault().into(),
        }
    }
}

fn told(host: &Host) -> Jinja {
    Jinja::from_pairs([
        ("name", Jinja::from(host.name.as_str())),
        ("address", host.address.as_str().into()),
        ("groups", host.groups.clone().into()),
    ])
}

/// Every group with the names of its hosts, `all` among them.
fn groups(scope: &Scope) -> Jinja {
    let hosts = &scope.world.inventory.hosts;
    let members = |group: &str| -> Vec<String> {
        hosts.iter().filter(|h| group == "all" || h.groups.iter().any(|g| g == group)).map(|h| h.name.clone()).collect()
    };
    let mut names = vec!["all"];
    for group in hosts.iter().flat_map(|host| &host.groups) {
        if !names.contains(&group.as_str()) {
            names.push(group);
        }
    }
    Jinja::from_pairs(names.into_iter().map(|group| (group, Jinja::from(members(group)))))
}

/// `hostvars[name]`: the variables of any host.
#[derive(Debug)]
struct HostVars(Arc<Lazy>);

impl Object for HostVars {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let Lazy { scope, under_way } = &*self.0;
        let host = scope.world.host(key.as_str()?)?;
        Some(Jinja::from_object(Lazy { scope: scope.of_host(host), under_way: under_way.clone() }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let hosts = &self.0.scope.world.inventory.hosts;
        Enumerator::Values(hosts.iter().map(|host| host.name.as_str().into()).collect())
    }
}
