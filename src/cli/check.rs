//! `skep check`: reads everything, contacts nobody.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::args::{Global, Selection};
use super::run::extra;
use super::{Failure, complete};
use crate::inventory::{Inventory, Pattern};
use crate::playbook::{self, Playbook, Vars};
use crate::remote::refusal::parted;
use crate::remote::ssh::{self, Options, Ssh};
use crate::report::plural;
use crate::yaml::{Error, Errors};

const EXAMPLES: &str = "\
Examples:
  skep check                                        the inventory
  skep check playbooks/spark.yml -i inventory/lab.yml
  skep check playbooks/spark.yml --from swarm --limit workers    also whether these can be taken";

/// Read playbook and inventory, contact nobody, name every mistake at its line
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The playbook
    #[arg(add = complete::playbooks())]
    playbook: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
}

impl Check {
    /// Reads both, and names the mistakes of both and of what is picked.
    ///
    /// # Errors
    /// Every mistake.
    pub async fn run(self, global: &Global) -> anyhow::Result<()> {
        let playbook = self.playbook.as_deref().map(Playbook::read).transpose();
        let inventory = Inventory::find(global.inventory.as_deref());
        let (playbook, inventory) = both(playbook, inventory)?;
        let picked = self.selection.whole()?;
        let extra = extra(&picked.extra)?;
        let (steps, hosts) = picks(&picked, &extra, playbook.as_ref(), &inventory)?;
        let options = Options { config: global.config(), hosts: inventory.hosts.clone(), ..Options::default() };
        let ssh = Ssh::new(options);
        for host in &inventory.hosts {
            ssh::check(host).map_err(Failure::unusable)?;
            ssh.settings(host).await.map_err(Failure::unusable)?;
        }
        writeln!(io::stdout(), "{}", found(playbook.as_ref(), steps, &inventory, hosts))?;
        Ok(())
    }
}
fn both<A, B>(first: Result<A, Errors>, second: Result<B, Errors>) -> Result<(A, B), Errors> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(Errors(mut mistakes)), Err(Errors(more))) => {
            mistakes.extend(more);
            Err(Errors(mistakes))
        }
        (Err(mistakes), Ok(_)) | (Ok(_), Err(mistakes)) => Err(mistakes),
    }
}

/// How many steps and hosts are picked.
///
/// # Errors
/// Every mistake of the playbook, and everything that means nothing.
fn picks(
    picked: &Selection,
    extra: &Vars,
    playbook: Option<&Playbook>,
    inventory: &Inventory,
) -> Result<(usize, usize), Errors> {
    let mut wrong = Vec::new();
    let hosts = limited(picked, inventory).unwrap_or_else(|error| noted(&mut wrong, error.into()));
    let mut steps = 0;
    if let Some(playbook) = playbook {
        steps = taken(picked, extra, playbook, inventory).unwrap_or_else(|errors| noted(&mut wrong, errors));
        playbook::check(playbook, &inventory.hosts, extra).unwrap_or_else(|errors| noted(&mut wrong, errors));
    } else if !picked.steps().is_all() {
        let error = Error::new("steps are picked, and there is no playbook");
        wrong.push(error.with_hint("name it: `skep check PLAYBOOK`"));
    }
    Errors(wrong).or((steps, hosts))
}

fn noted<T: Default>(wrong: &mut Vec<Error>, Errors(more): Errors) -> T {
    wrong.extend(more);
    T::default()
}

fn limited(picked: &Selection, inventory: &Inventory) -> Result<usize, Error> {
    let Some(limit) = &picked.limit else { return Ok(inventory.hosts.len()) };
    let chosen = Pattern::parse(limit).and_then(|pattern| inventory.select(&pattern));
    chosen.map(|hosts| hosts.len()).map_err(|why| {
        let text = why.to_string();
        let (what, hint) = parted(&text);
        Error { hint: hint.map(str::to_owned), ..Error::new(format!("`--limit {limit}`: {what}")) }
    })
}

fn taken(picked: &Selection, extra: &Vars, playbook: &Playbook, inventory: &Inventory) -> Result<usize, Errors> {
    let ids = picked.steps().ids(playbook)?;
    playbook::met(&playbook::needs(playbook, &inventory.hosts, extra), &ids)?;
    Ok(ids.len())
}

fn found(playbook: Option<&Playbook>, steps: usize, inventory: &Inventory, hosts: usize) -> String {
    let hosts = of(hosts, inventory.hosts.len(), "host");
    match playbook {
        Some(playbook) => format!("ok: {}, {}; {hosts}", playbook.name, of(steps, playbook.steps().count(), "step")),
        None => format!("ok: {hosts}"),
    }
}

/// `3 steps`, or `2 of 3 steps`.
fn of(picked: usize, all: usize, noun: &str) -> String {
    let all_of_them = plural(all, noun);
    if picked == all { all_of_them } else { format!("{picked} of {all_of_them}") }
}
