//! What can be known to be wrong without contacting anyone.

pub(super) mod names;
mod owners;
mod parts;
mod registers;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use owners::Owners;
use registers::Registers;

use super::scope::Asked;
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
        owners: Owners::default(),
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

/// Reads a playbook from a file and checks it.
///
/// # Errors
/// A file that cannot be read or is not YAML; every mistake, in the order of the text.
pub fn read(path: &Path, hosts: &[Arc<Host>], extra: &Vars) -> Result<Playbook, Errors> {
    let (playbook, errors) = read_all(path, hosts, extra)?;
    errors.or(playbook)
}

/// The same, where more may be said of a playbook that is wrong: what there is of it, and every mistake in it.
///
/// # Errors
/// A file that cannot be read or is not YAML.
pub fn read_all(path: &Path, hosts: &[Arc<Host>], extra: &Vars) -> Result<(Playbook, Errors), Errors> {
    let (playbook, Errors(mut errors)) = Playbook::load(&yaml::read(path)?, TABLE, files::RUN)?;
    playbook.learn(hosts);
    errors.extend(check(&playbook, hosts, extra).err().map(|more| more.0).unwrap_or_default());
    Ok((playbook, Errors(once(errors)).in_order()))
}

struct Check<'a> {
    world: Arc<Ground>,
    known: Arc<Known>,
    errors: Vec<Error>,
    /// What steps register.
    registers: Registers<'a>,
    /// What lookups define.
    looked_up: BTreeSet<&'a str>,
    owners: Owners<'a>,
}

/// A step as it was evaluated on one host.
struct Evaluated {
    host: Arc<Host>,
    /// The names that it asked for: where they mean the same, it is the same.
    names: BTreeSet<String>,
    /// What it owns, asked for with what parameters, and where, if not on the host itself.
    owns: Vec<(Object, u64, Option<String>)>,
}

/// So many different forms of a step are remembered.
const ALIKE: usize = 8;

/// What was asked for, for comparing.
fn digest(job: &Job) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{:?}", job.action).hash(&mut hasher);
    hasher.finish()
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
        self.variables(play, step, &hosts);
        if self.errors.len() == before {
            self.everywhere(play, step, &hosts);
        }
        self.registers.had_its_turn(step, &hosts);
    }

    /// Evaluates the step on each host, but for those that it cannot tell from one that it was evaluated on.
    fn everywhere(&mut self, play: &Play, step: &'a Step, hosts: &[Arc<Host>]) {
        let mut memo: Vec<Evaluated> = Vec::new();
        for host in hosts {
            let scope = Scope::new(&self.world, &self.known, host, play);
            let known = memo
                .iter()
                .position(|known| known.names.iter().all(|name| scope.means_the_same(name, &known.host, host)));
            let at = known.unwrap_or_else(|| {
                memo.push(self.evaluated(step, host, scope));
                memo.len() - 1
            });
            for (object, asked, on) in &memo[at].owns {
                self.owners.take(step, on.as_ref().unwrap_or(&host.name), object, *asked, &mut self.errors);
            }
            // Steps that are another thing on each host are not looked for.
            if memo.len() > ALIKE {
                memo.remove(0);
            }
        }
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

    /// Every name in the step's templates must mean something on each host.
    fn variables(&mut self, play: &Play, step: &Step, hosts: &[Arc<Host>]) {
        let Some(first) = hosts.first() else { return };
        let of = |world, known, host| Scope::new(world, known, host, play).in_step(step);
        let scope = of(&self.world, &self.known, first);
        let wanted = names::of_step(step).into_iter().filter(|(name, _)| !scope.knows_everywhere(name));
        for (name, at) in wanted {
            let lacks = |host: &&Arc<Host>| {
                !host.vars.iter().any(|(known, _)| *known == name) && !self.registers.has(&name, host)
            };
            let Some(host) = hosts.iter().find(lacks) else { continue };
            let error = self.registers.missing(&name, &at).unwrap_or_else(|| {
                let scope = of(&self.world, &self.known, host);
                let names =
                    scope.names().into_iter().chain(self.registers.on(host).map(str::to_owned)).collect::<Vec<_>>();
                names::undefined(&name, &at, names.iter().map(String::as_str), &scope)
            });
            self.errors.push(error);
        }
        let registered = self.registers.anywhere().collect::<BTreeSet<_>>();
        self.errors.extend(parts::missing(step, &scope, &registered));
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
    fn evaluated(&mut self, step: &'a Step, host: &Arc<Host>, scope: Scope) -> Evaluated {
        let asked = Asked::default();
        let jobs = match step.resolve(&Scope { asked: Some(asked.clone()), ..scope }) {
            Ok(jobs) => jobs,
            Err(error) => {
                self.unresolved(error);
                Vec::new()
            }
        };
        jobs.iter().for_each(|job| self.peers(step, host, job));
        let owns = jobs.into_iter().filter_map(|job| Some((job.action.object()?, digest(&job), job.on))).collect();
        let names = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
        Evaluated { host: host.clone(), names, owns }
    }

    fn unresolved(&mut self, error: Unresolved) {
        match error {
            Unresolved::Invalid(error) => self.errors.push(*error),
            Unresolved::Undefined { name, error } if !self.comes_later(&name) => self.errors.push(*error),
            Unresolved::Undefined { .. } => {}
        }
    }

    fn comes_later(&self, name: &str) -> bool {
        let root = name.split(['.', '[']).next().unwrap_or_default();
        // What `host('node1')` has, the template engine calls by no other name.
        let known_by_run = matches!(root, "facts" | "leader" | "hostvars") || name.starts_with("(...)");
        known_by_run || self.registers.all().any(|name| name == root) || self.looked_up.contains(root)
    }

    /// The hosts that parameters name must be there.
    fn peers(&mut self, step: &Step, host: &Arc<Host>, job: &Job) {
        let named = job.action.peers();
        if named.is_empty() {
            return;
        }
        let on = Target {
            host: host.clone(),
            hosts: self.world.inventory.hosts.clone(),
            leader: self.known.leader.clone(),
            folder: self.world.folder.clone(),
        };
        for (key, pattern) in named {
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
