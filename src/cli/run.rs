//! `skep run`, and what `plan` and `up` share with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::args::{Global, Selection};
use super::hosts::tell;
use super::show::can_ask;
use super::telling::Telling;
use super::world::World;
use super::{complete, list, panics};
use crate::engine::{self, Options, Order};
use crate::event::Code;
use crate::playbook::{self, Var, Vars};
use crate::remote::who::who;
use crate::report::{GoOn, Journal, Log, Many};
use crate::yaml;

const EXAMPLES: &str = "\
Examples:
  skep run playbooks/spark.yml -i inventory/lab.yml
  skep run playbooks/spark.yml --from swarm      go on from a step
  skep run playbooks/spark.yml --list            the steps, their hosts and tags
  skep run playbooks/spark.yml --limit node3     change this host only

A run that was cut is carried on by the same command: what is as asked already is left alone.";

/// Make hosts be as a playbook asks; what is as asked already is left alone
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// The playbook
    #[arg(add = complete::playbooks())]
    playbook: PathBuf,
    /// Show what would be done, without doing it (as `skep plan`)
    #[arg(long)]
    plan: bool,
    /// List the steps that would be taken
    #[arg(long)]
    list: bool,
    /// Let the first failure end the run for all hosts
    #[arg(long)]
    fail_fast: bool,
    /// Remove and replace without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    selection: Selection,
}

/// What `run`, `plan` and `up` have in common.
pub struct Doing {
    /// The command's name, and the playbook as the user named it, if he did.
    pub typed: Vec<String>,
    /// The playbook.
    pub playbook: PathBuf,
    /// Where `.skep/` is.
    pub project: PathBuf,
    /// Which part, on whom, with which values.
    pub selection: Selection,
    /// Only shown.
    pub plan: bool,
    /// The first failure ends it.
    pub fail_fast: bool,
    /// Without asking.
    pub yes: bool,
}

impl Run {
    /// Runs, shows or lists.
    ///
    /// # Errors
    /// Bad input.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        if self.list {
            return list::list(global, &self.playbook, &self.selection.whole()?).map(|()| Code::Settled);
        }
        let world = World::open(global)?;
        let (project, typed) = (project(&self.playbook), typed("run", &self.playbook));
        let Self { playbook, plan, fail_fast, yes, selection, .. } = self;
        let selection = selection.whole()?;
        Doing { typed, playbook, project, selection, plan, fail_fast, yes }.run(global, &world).await
    }
}

/// The words of a command on a playbook.
pub fn typed(command: &str, playbook: &Path) -> Vec<String> {
    vec!["skep".into(), command.into(), playbook.display().to_string()]
}

/// Where a playbook's `.skep/` is: in its folder, or beside that where it is called `playbooks`.
pub fn project(playbook: &Path) -> PathBuf {
    let folder = playbook.parent().unwrap_or(Path::new(""));
    let folder = if folder.ends_with("playbooks") { folder.parent().unwrap_or(folder) } else { folder };
    if folder.as_os_str().is_empty() { ".".into() } else { folder.to_owned() }
}

impl Doing {
    /// Does it, and tells of it.
    ///
    /// # Errors
    /// Bad input; nobody was contacted.
    pub async fn run(self, global: &Global, world: &World) -> anyhow::Result<Code> {
        let order = self.order(global, world)?;
        let options = self.options(world).await?;
        let journal = Journal::new(&self.project);
        panics::watch(&world.terminal, &journal.place());
        let (from, chosen) = (self.selection.from.clone(), !self.selection.step.is_empty());
        let go_on = GoOn { command: self.again(global), journal: journal.place(), from, begin: begin(&order), chosen };
        let log = Log::beside(journal.place());
        let kept = Many::default().with(journal).with(log);
        let telling = Telling::start(world.show.reporters(self.plan, go_on, &world.terminal), kept);
        let code = engine::run(&order, world.connect.clone(), options, telling.emit(), world.cancel()).await;
        telling.finish(world.show.paint);
        world.terminal.restore();
        Ok(Code::of(code))
    }

    fn order(&self, global: &Global, world: &World) -> anyhow::Result<Order> {
        let (inventory, extra) = (world.inventory.clone(), extra(&self.selection.extra)?);
        let playbook = Arc::new(playbook::read(&self.playbook, &inventory, &extra)?);
        tell(&playbook::strange(&playbook, &inventory, &extra), global);
        let ids = self.selection.steps().ids(&playbook)?;
        playbook::met(&playbook::needs(&playbook, &inventory.hosts, &extra), &ids)?;
        let vault = Arc::new(world.person.open(&playbook.sealed(&ids, &inventory.hosts)?)?);
        let steps = ids.into_iter().map(str::to_owned).collect();
        Ok(Order { playbook: playbook.clone(), steps, inventory, extra, vault })
    }

    async fn options(&self, world: &World) -> anyhow::Result<Options> {
        let limit = self.selection.limit.as_deref().map(|pattern| world.select(pattern)).transpose()?;
        world.check(limit.as_ref().unwrap_or(&world.inventory.hosts)).await?;
        let person = world.person.clone();
        let ask = move |removals: &[String]| can_ask() && person.removes(removals);
        Ok(Options {
            run: format!("{:06x}", rand::random::<u32>() & 0x00ff_ffff),
            who: who(),
            plan: self.plan,
            limit: limit.map(|hosts| hosts.iter().map(|host| host.name.clone()).collect()),
            forks: world.forks,
            wait: world.wait,
            fail_fast: self.fail_fast,
            yes: self.yes,
            ask: Arc::new(ask),
            batched: true,
        })
    }

    /// The command that goes on from here. Values given by `-e` may be secrets and CI keeps its logs: they are left out.
    fn again(&self, global: &Global) -> Vec<String> {
        let mut words = self.typed.clone();
        words.extend(global.way_in());
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        global.wait.iter().for_each(|wait| option("--wait", format!("{}s", wait.as_secs())));
        let Selection { step, until, tags, limit, extra, .. } = &self.selection;
        limit.iter().for_each(|pattern| option("--limit", pattern.clone()));
        tags.iter().for_each(|tag| option("--tags", tag.clone()));
        (!step.is_empty()).then(|| option("--step", step.join(",")));
        until.iter().for_each(|step| option("--until", step.clone()));
        extra.iter().for_each(|(key, _)| option("-e", format!("{key}=…")));
        let flags = [("--accept-new-host-keys", global.accept_new_host_keys), ("--fail-fast", self.fail_fast)];
        let flags = flags.into_iter().chain([("--yes", self.yes)]).filter(|(_, said)| *said);
        words.extend(flags.map(|(flag, _)| flag.to_owned()));
        words
    }
}

/// Where to begin again after a failure.
fn begin(order: &Order) -> BTreeMap<String, String> {
    let needs = playbook::needs(&order.playbook, &order.inventory.hosts, &order.extra);
    playbook::beginnings(&needs, &order.steps.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `-e` in the form of variables; values are YAML, so that `-e workers=2` is a number.
pub fn extra(pairs: &[(String, String)]) -> Result<Vars, yaml::Errors> {
    let value = |(key, value): &(String, String)| yaml::parse(format!("-e {key}"), value.clone());
    let nodes = pairs.iter().map(|pair| Ok((pair.0.clone(), Var::Value(value(pair)?))));
    Ok(Arc::new(nodes.collect::<Result<_, yaml::Errors>>()?))
}

#[cfg(test)]
impl Run {
    /// The playbook and the steps that are meant.
    pub fn chosen(self) -> Result<(PathBuf, Vec<String>), super::Failure> {
        Ok((self.playbook, self.selection.whole()?.step))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Skep;
    use super::*;

    #[test]
    fn the_way_on_has_all_that_was_said_but_the_values_of_variables() {
        let line = "skep run p.yml --wait 5m --limit a --step x y --yes --fail-fast -e k=secret -i inv.yml";
        let Skep { global, command: super::super::args::Command::Run(run) } = Skep::parse_from(line.split(' ')) else {
            panic!("another command")
        };
        let Run { playbook, plan, fail_fast, yes, selection, .. } = run;
        let (typed, project) = (typed("run", &playbook), project(&playbook));
        let selection = selection.whole().unwrap();
        let again = Doing { typed, playbook, project, selection, plan, fail_fast, yes }.again(&global).join(" ");
        let expected = "skep run p.yml -i inv.yml --wait 300s --limit a --step x,y -e k=… --fail-fast --yes";
        assert_eq!(again, expected);
    }

    #[test]
    fn the_journal_is_beside_the_folder_of_playbooks() {
        let told = |path: &str| project(Path::new(path)).display().to_string();
        assert_eq!(told("spark.yml"), ".");
        assert_eq!(told("playbooks/spark.yml"), ".");
        assert_eq!(told("/srv/shop/playbooks/spark.yml"), "/srv/shop");
        assert_eq!(told("deploy/spark.yml"), "deploy");
    }
}
