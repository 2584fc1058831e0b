//! What can be known to be wrong without contacting anyone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Ground, Job, Known, Play, Playbook, Scope, Step, Vars, facts, scope};
use crate::actions::{Object, Target, peers};
use crate::expr::{self, Unresolved};
use crate::inventory::Host;
use crate::reads::Machine;
use crate::yaml::{At, Error, Errors, Node, Spanned};

/// Checks a playbook that was loaded against every host of an inventory and the variables of `-e`: parameters, variables,
/// patterns, expressions as far as they do not depend on the machines, and that no two steps own the same thing.
///
/// Facts are guessed: what a machine has is no mistake of the playbook.
///
/// # Errors
/// Every mistake, in the order of the text.
pub fn check(playbook: &Playbook, hosts: &[Arc<Host>], extra: &Vars) -> Result<(), Errors> {
    let world = Ground::new(playbook, hosts.to_vec(), extra.clone());
    let mut check = Check {
        known: Arc::new(guessed(hosts)),
        world,
        errors: Vec::new(),
        registered: BTreeSet::new(),
        owners: HashMap::new(),
    };
    for play in &playbook.plays {
        check.placed(&play.hosts);
        for step in &play.steps {
            check.step(play, step);
        }
    }
    check.defaults(playbook);
    check.told().or(())
}

struct Check<'a> {
    world: Arc<Ground>,
    known: Arc<Known>,
    errors: Vec<Error>,
    /// What earlier steps register.
    registered: BTreeSet<&'a str>,
    /// The step that owns a thing on a host, and with what parameters.
    owners: HashMap<(String, Object), (&'a Step, String)>,
}

impl<'a> Check<'a> {
    fn step(&mut self, play: &Play, step: &'a Step) {
        let before = self.errors.len();
        self.errors.extend((step.action.check)(&step.params, step.action.name).err().unwrap_or_default());
        let pattern = step.hosts.as_ref();
        let hosts = match pattern {
            Some(pattern) => self.placed(pattern),
            None => self.scope().hosts(&play.hosts).unwrap_or_default(),
        };
        for host in &hosts {
            let scope = Scope::new(&self.world, &self.known, host, play).in_step(step);
            self.variables(step, &scope);
        }
        let sound = self.errors.len() == before;
        for host in hosts.iter().filter(|_| sound) {
            self.evaluated(play, step, host);
        }
        self.registered.extend(step.register.as_deref());
    }

    fn scope(&self) -> Scope {
        Scope::without_host(&self.world, &self.known)
    }

    /// The hosts of a pattern; none where it is a mistake.
    fn placed(&mut self, pattern: &Spanned<String>) -> Vec<Arc<Host>> {
        match self.scope().hosts(pattern) {
            Ok(hosts) => hosts,
            Err(error) => {
                self.errors.push(error.error().clone());
                Vec::new()
            }
        }
    }

    /// Every name in the step's templates must mean something on this host.
    fn variables(&mut self, step: &Step, scope: &Scope) {
        let mut names: BTreeSet<String> = scope.names().into_iter().collect();
        names.extend(self.registered.iter().map(|name| (*name).to_owned()));
        let wanted = step_needs(step);
        for (name, at) in wanted.into_iter().filter(|(name, _)| !names.contains(name)) {
            self.errors.push(undefined(&name, &at, &names, scope));
        }
    }

    /// The defaults may use whatever is set anywhere.
    fn defaults(&mut self, playbook: &Playbook) {
        let plays = playbook.plays.iter().map(|play| &play.vars);
        let layers = plays.chain(playbook.steps().map(|step| &step.vars)).chain([&self.world.extra, &playbook.vars]);
        let mut names: BTreeSet<String> = layers.flat_map(|vars| vars.iter().map(|(name, _)| name.clone())).collect();
        names.extend(self.world.inventory.hosts.iter().flat_map(|host| host.vars.iter().map(|(name, _)| name.clone())));
        names.extend(self.registered.iter().copied().chain(scope::BUILTIN.iter().copied()).map(str::to_owned));
        for (name, at) in playbook.vars.iter().flat_map(|(_, node)| node_needs(node)) {
            if !names.contains(&name) {
                self.errors.push(undefined(&name, &at, &names, &self.scope()));
            }
        }
    }

    /// Evaluates the step as a run would. What only a run can know is no mistake.
    fn evaluated(&mut self, play: &Play, step: &'a Step, host: &Arc<Host>) {
        match step.resolve(&Scope::new(&self.world, &self.known, host, play)) {
            Ok(jobs) => jobs.iter().for_each(|job| {
                self.owned(step, host, job);
                self.peers(step, host, job);
            }),
            Err(Unresolved::Invalid(error)) => self.errors.push(*error),
            Err(Unresolved::Undefined { name, error }) if !self.comes_later(&name) => self.errors.push(*error),
            Err(Unresolved::Undefined { .. }) => {}
        }
    }

    fn comes_later(&self, name: &str) -> bool {
        let root = name.split(['.', '[']).next().unwrap_or_default();
        matches!(root, "facts" | "leader" | "hostvars") || self.registered.contains(root)
    }

    /// One object, one step.
    fn owned(&mut self, step: &'a Step, host: &Host, job: &Job) {
        let Some(object) = job.action.object() else { return };
        let told = match object.name.as_str() {
            "" => object.kind.to_owned(),
            name => format!("{} `{name}`", object.kind),
        };
        let place = job.on.clone().unwrap_or_else(|| host.name.clone());
        let asked = format!("{:?}", job.action);
        let (first, before) = self.owners.entry((place, object)).or_insert((step, asked.clone()));
        if first.id != step.id && *before != asked {
            let message = format!("two steps own {told} on the same host and ask for different things");
            let error = Error::at(&step.named_at, message).also(&first.named_at, "the first is here");
            self.errors
                .push(error.with_hint(
                    "each run would change it twice: make one step of them, or let each have its own hosts",
                ));
        }
    }

    /// The hosts that parameters name must be there.
    fn peers(&mut self, step: &Step, host: &Arc<Host>, job: &Job) {
        let on = Target {
            host: host.clone(),
            hosts: self.world.inventory.hosts.clone(),
            leader: self.known.leader.clone(),
            folder: self.world.folder.clone(),
        };
        for (key, pattern) in job.action.peers() {
            if let Err(wrong) = peers(&on, pattern) {
                let at = step.params.get(key).map_or(&step.at, |node| &node.at);
                let error = Error::at(at, wrong.why);
                self.errors.push(match wrong.hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                });
            }
        }
    }

    /// Every mistake once, in the order of the text.
    fn told(mut self) -> Errors {
        self.errors.sort_by_key(|error| error.at.as_ref().map(|at| at.start));
        let mut once: Vec<Error> = Vec::new();
        for error in self.errors {
            let same = |other: &Error| other.at == error.at && other.message == error.message;
            if !once.iter().any(same) {
                once.push(error);
            }
        }
        Errors(once)
    }
}

/// A middling machine everywhere.
fn guessed(hosts: &[Arc<Host>]) -> Known {
    let machine = Machine { cores: 4, memory: 8192, source: Some([192, 0, 2, 1].into()), ..Machine::default() };
    let facts = facts::of_machine(&machine);
    let managers = hosts.iter().find(|host| host.groups.iter().any(|group| group == "managers"));
    Known {
        leader: managers.or(hosts.first()).map(|host| host.name.clone()),
        facts: hosts.iter().map(|host| (host.name.clone(), facts.clone())).collect(),
        ..Known::default()
    }
}

fn undefined(name: &str, at: &At, names: &BTreeSet<String>, scope: &Scope) -> Error {
    let place = expr::place_of_name(at, name);
    let all = scope.host.as_ref().filter(|_| scope.set_for_others(name));
    let message = match all {
        Some(host) => format!("`{name}` is undefined on {}", host.name),
        None => format!("`{name}` is undefined"),
    };
    Error::at(&place, message).did_you_mean(name, names.iter().map(String::as_str))
}

/// The names that a step's templates need from outside, each with its template's place.
pub(super) fn step_needs(step: &Step) -> Vec<(String, At)> {
    let texts = [&step.on, &step.creates, &step.unless, &step.become_user].into_iter().flatten();
    let of_texts = texts.flat_map(|text| expr::needs(&text.value).into_iter().map(|name| (name, text.at.clone())));
    let condition =
        step.when.iter().flat_map(|when| expr::condition_needs(&when.value).into_iter().map(|n| (n, when.at.clone())));
    let vars = step.vars.iter().chain(&step.environment).map(|(_, node)| node);
    let nodes = vars.chain(&step.loop_over).chain([&step.params]).flat_map(node_needs);
    of_texts.chain(condition).chain(nodes).collect()
}

pub(super) fn node_needs(node: &Node) -> Vec<(String, At)> {
    let texts = expr::texts(node).into_iter();
    texts.flat_map(|(text, at)| expr::needs(text).into_iter().map(|name| (name, at.clone()))).collect()
}
