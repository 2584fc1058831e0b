//! What can be known to be wrong without contacting anyone.

mod names;
mod parts;
mod registers;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use registers::Registers;

use super::{Ground, Job, Known, Play, Playbook, Scope, Step, Var, Vars, facts, files, scope, step};
use crate::actions::{Object, TABLE, Target, peers};
use crate::expr::Unresolved;
use crate::inventory::Host;
use crate::reads::Machine;
use crate::secret::Secret;
use crate::vault::Vault;
use crate::yaml::{self, Error, Errors, Spanned};

/// Checks a playbook that was loaded against every host of an inventory and the variables of `-e`: parameters, variables,
/// patterns, expressions as far as they do not depend on the machines, and that no two steps own the same thing.
///
/// Facts are guessed: what a machine has is no mistake of the playbook.
///
/// # Errors
/// Every mistake, in the order of the text.
pub fn check(playbook: &Playbook, hosts: &[Arc<Host>], extra: &Vars) -> Result<(), Errors> {
    let (vault, errors) = stand_ins(playbook, hosts);
    let world = Ground::keeping(playbook, hosts.to_vec(), extra.clone(), Arc::new(vault));
    let mut check = Check {
        known: Arc::new(guessed(hosts)),
        world,
        errors,
        registers: Registers::of(playbook),
        looked_up: looked_up(playbook),
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

/// Reads a playbook from a file and checks it: all that is wrong at once, though what was wrong in reading it may hide some.
///
/// # Errors
/// A file that cannot be read or is not YAML; every mistake, in the order of the text.
pub fn read(path: &Path, hosts: &[Arc<Host>], extra: &Vars) -> Result<Playbook, Errors> {
    let (playbook, Errors(mut errors)) = Playbook::load(&yaml::read(path)?, TABLE, files::RUN)?;
    errors.extend(check(&playbook, hosts, extra).err().map(|more| more.0).unwrap_or_default());
    Errors(once(errors)).in_order().or(playbook)
}

struct Check<'a> {
    world: Arc<Ground>,
    known: Arc<Known>,
    errors: Vec<Error>,
    /// What steps register.
    registers: Registers<'a>,
    /// What lookups define.
    looked_up: BTreeSet<&'a str>,
    /// The step that owns a thing on a host, and with what parameters.
    owners: HashMap<(String, Object), (&'a Step, String)>,
}

impl<'a> Check<'a> {
    fn step(&mut self, play: &Play, step: &'a Step) {
        let before = self.errors.len();
        let wrong = (step.action.check)(&step.params, step.action.name).err().unwrap_or_default();
        self.errors.extend(wrong.into_iter().map(|error| step::misplaced(error, step)));
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
        self.registers.had_its_turn(step, &hosts);
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
        names.extend(self.registers.on(scope).map(str::to_owned));
        for (name, at) in names::of_step(step).into_iter().filter(|(name, _)| !names.contains(name)) {
            let known = names.iter().map(String::as_str);
            let error = self.registers.missing(&name, &at);
            self.errors.push(error.unwrap_or_else(|| names::undefined(&name, &at, known, scope)));
        }
        let registered = self.registers.on(scope).collect::<BTreeSet<_>>();
        self.errors.extend(parts::missing(step, scope, &registered));
    }

    /// The defaults may use whatever is set anywhere.
    fn defaults(&mut self, playbook: &Playbook) {
        let plays = playbook.plays.iter().map(|play| &play.vars);
        let layers = plays.chain(playbook.steps().map(|step| &step.vars)).chain([&self.world.extra, &playbook.vars]);
        let mut names: BTreeSet<String> = layers.flat_map(|vars| vars.iter().map(|(name, _)| name.clone())).collect();
        names.extend(self.world.inventory.hosts.iter().flat_map(|host| host.vars.iter().map(|(name, _)| name.clone())));
        names.extend(self.registers.all().chain(scope::BUILTIN.iter().copied()).map(str::to_owned));
        for (name, at) in names::of_vars(&playbook.vars) {
            if !names.contains(&name) {
                let known = names.iter().map(String::as_str);
                self.errors.push(names::undefined(&name, &at, known, &self.scope()));
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
        // What `host('node1')` has, the template engine calls by no other name.
        let known_by_run = matches!(root, "facts" | "leader" | "hostvars") || name.starts_with("(...)");
        known_by_run || self.registers.all().any(|name| name == root) || self.looked_up.contains(root)
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
    fn told(self) -> Errors {
        Errors(once(self.errors)).in_order()
    }
}

/// What a secret is, is no mistake of the playbook: any text stands for it.
fn stand_ins(playbook: &Playbook, hosts: &[Arc<Host>]) -> (Vault, Vec<Error>) {
    let vault = Vault::default();
    let ids: Vec<&str> = playbook.steps().map(|step| step.id.as_str()).collect();
    match playbook.sealed(&ids, hosts) {
        Ok(sealed) => {
            sealed.iter().for_each(|sealed| vault.keep(&sealed.at, Secret::new("secret")));
            (vault, Vec::new())
        }
        Err(Errors(errors)) => (vault, errors),
    }
}

fn once(errors: Vec<Error>) -> Vec<Error> {
    let mut once: Vec<Error> = Vec::new();
    for error in errors {
        let same = |other: &Error| other.at == error.at && other.message == error.message;
        if !once.iter().any(same) {
            once.push(error);
        }
    }
    once
}

fn looked_up(playbook: &Playbook) -> BTreeSet<&str> {
    let layers = playbook.plays.iter().map(|play| &play.vars).chain(playbook.steps().map(|step| &step.vars));
    let all = layers.chain([&playbook.vars]).flat_map(|vars| vars.iter());
    all.filter(|(_, var)| matches!(var, Var::Lookup(_))).map(|(name, _)| name.as_str()).collect()
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
