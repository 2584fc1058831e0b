//! Facts: what expressions may know of a machine without asking. One table says which there are, and what each is.

use std::fmt;
use std::sync::Arc;

use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object, Serde};
use serde_json::{Value as Json, json};

use super::scope::Scope;
use crate::actions::works_as;
use crate::expr::Unresolved;
use crate::inventory::Host;
use crate::reads::docker::{Found, Info, Look};
use crate::reads::{Machine, Read, Seen, Value, Wanted};
use crate::yaml::Error;

/// One thing that is known of every machine.
pub struct Fact {
    /// Its name: `facts.NAME`.
    pub name: &'static str,
    /// What it is, for the reference page.
    pub doc: &'static str,
    of: Of,
}

/// Where a fact is read.
enum Of {
    /// It stays as it is until the machine restarts.
    Machine(fn(&Machine) -> Json),
    /// It may change with every step; what a machine without an engine has instead is nothing: an empty text.
    Engine(fn(&Info) -> &str),
}

/// All of them.
pub const FACTS: &[Fact] = &[
    machine("os", "`debian`, `ubuntu`: `ID` of os-release(5)", |machine| json!(machine.id)),
    machine("os_version", "`12`, `24.04`: a text", |machine| json!(machine.version)),
    machine("codename", "`bookworm`, `noble`", |machine| json!(machine.codename)),
    machine("architecture", "`amd64`, `arm64`: as dpkg says it", |machine| json!(machine.architecture)),
    machine("hostname", "the machine's name for itself", |machine| json!(machine.hostname)),
    machine("cores", "its processors", |machine| json!(machine.cores)),
    machine("memory_mib", "its memory in MiB, or what its control group lets it have", |machine| json!(machine.memory)),
    machine("addresses", "its addresses, that of the default route first", |machine| json!(addresses(machine))),
    machine("boot_id", "differs after each start", |machine| json!(machine.boot_id)),
    engine("docker_version", "the version of its Docker Engine", |info| &info.server_version),
    engine("swarm_state", "`inactive`, `pending`, `active`, `locked`, `error`", |info| &info.swarm.local_node_state),
    engine("node_id", "its id in the swarm that it is in", |info| &info.swarm.node_id),
];

const fn machine(name: &'static str, doc: &'static str, of: fn(&Machine) -> Json) -> Fact {
    Fact { name, doc, of: Of::Machine(of) }
}

const fn engine(name: &'static str, doc: &'static str, of: fn(&Info) -> &str) -> Fact {
    Fact { name, doc, of: Of::Engine(of) }
}

impl Fact {
    /// Whether it may change while a run lasts: then it is read each time, where the others are remembered.
    pub fn changes(&self) -> bool {
        matches!(self.of, Of::Engine(_))
    }
}

/// What a machine says of itself, as [`super::Known`] keeps it.
pub fn of_machine(machine: &Machine) -> Json {
    let of = |fact: &Fact| match fact.of {
        Of::Machine(of) => Some((fact.name.to_owned(), of(machine))),
        Of::Engine(_) => None,
    };
    FACTS.iter().filter_map(of).collect::<serde_json::Map<_, _>>().into()
}

/// The reading that the facts of a host come from which stay.
pub fn reading(host: &Host) -> Wanted {
    wanted(host, Read::Machine)
}

fn wanted(host: &Host, read: Read) -> Wanted {
    Wanted { host: host.name.clone(), user: works_as(host, None, None), read }
}

fn addresses(machine: &Machine) -> Vec<String> {
    let up = machine.interfaces.iter().filter(|interface| interface.up);
    let all = up.flat_map(|interface| &interface.addresses).map(|(address, _)| *address);
    let rest = all.filter(|address| Some(*address) != machine.source && !address.is_loopback());
    machine.source.into_iter().chain(rest).map(|address| address.to_string()).collect()
}

/// `facts` of one host.
pub(super) struct FactsOf {
    pub scope: Scope,
    pub host: Arc<Host>,
}

impl fmt::Debug for FactsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the facts of {}", self.host.name)
    }
}

impl Object for FactsOf {
    /// What is not known is an error even where Jinja would be lenient, as in `map(attribute='facts.cores')`.
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str()?;
        let known = FACTS.iter().find(|fact| fact.name == name);
        let value = known.ok_or_else(|| unknown(name)).and_then(|fact| self.value(fact));
        Some(value.unwrap_or_else(|why| why.into_fault().into()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(FACTS.iter().map(|fact| fact.name.into()).collect())
    }
}

impl FactsOf {
    fn value(&self, fact: &Fact) -> Result<Jinja, Unresolved> {
        match fact.of {
            Of::Machine(_) => Ok(Serde(self.machine()?[fact.name].clone()).into()),
            Of::Engine(of) => match self.scope.look(&wanted(&self.host, Read::Docker(Look::Engine))) {
                None => Err(Unresolved::not_yet("facts")),
                Some(seen) => self.engine(fact, of, seen),
            },
        }
    }

    fn machine(&self) -> Result<Json, Unresolved> {
        if let Some(known) = self.scope.known.facts.get(&self.host.name) {
            return Ok(known.clone());
        }
        match self.scope.look(&reading(&self.host)) {
            Some(Seen::Unread(why)) => Err(unread("facts", &self.host, &why)),
            _ => Err(Unresolved::not_yet("facts")),
        }
    }

    fn engine(&self, fact: &Fact, of: fn(&Info) -> &str, seen: Seen<Value>) -> Result<Jinja, Unresolved> {
        let daemon = match seen {
            Seen::Is(Value::Docker(Found::Engine(engine))) => engine.daemon,
            Seen::Unread(why) => Seen::Unread(why),
            _ => Seen::Absent,
        };
        match daemon {
            Seen::Is(info) => Ok(of(&info).into()),
            Seen::Absent => Ok("".into()),
            Seen::Unread(why) => Err(unread(&format!("facts.{}", fact.name), &self.host, &why)),
        }
    }
}

/// An earlier step may mend it: in a plan it is not known yet.
fn unread(name: &str, host: &Host, why: &str) -> Unresolved {
    let error = Error::new(format!("cannot read `{name}` of {}: {why}", host.name));
    Unresolved::Undefined { name: name.to_owned(), error: error.into() }
}

fn unknown(name: &str) -> Unresolved {
    let names = FACTS.iter().map(|fact| fact.name);
    let all = format!("the facts are: {}", names.clone().collect::<Vec<_>>().join(", "));
    Error::new(format!("there is no fact `{name}`")).with_hint(all).did_you_mean(name, names).into()
}
