//! `skep check`: reads everything, contacts nobody.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::args::{Global, Selection};
use super::hosts::{tell, tell_notes};
use super::run::extra;
use super::{Failure, complete};
use crate::inventory::{Inventory, Pattern};
use crate::playbook::{self, Playbook, Vars};
use crate::remote::refusal::parted;
use crate::remote::ssh::{self, Options, Ssh};
use crate::report::plural;
use crate::yaml::{self, Error, Errors};

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
        let picked = self.selection.clone().whole()?;
        let extra = extra(&picked.extra)?;
        let inventory = match Inventory::find(global.inventory.as_deref()) {
            Ok(inventory) => Arc::new(inventory),
            Err(mistakes) => return Err(self.without_hosts(mistakes).into()),
        };
        tell_notes(&inventory, global);
        self.tell_unread(global);
        let read = |path| playbook::read_all(path, &inventory, &extra);
        let (playbook, mistakes) = self.playbook.as_deref().map(read).transpose()?.unzip();
        playbook.iter().for_each(|playbook| tell(&playbook::strange(playbook, &inventory, &extra), global));
        let (steps, hosts) = picks(&picked, &extra, playbook.as_ref(), &inventory, mistakes)?;
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

impl Check {
    /// Without hosts there is no more to say of the playbook than what is wrong in its own text.
    fn without_hosts(&self, Errors(mut mistakes): Errors) -> Errors {
        let playbook = self.playbook.as_deref().and_then(|path| Playbook::read(path).err());
        mistakes.splice(0..0, playbook.map(|more| more.0).unwrap_or_default());
        Errors(mistakes)
    }

    /// Ansible reads variables beside the playbook, too.
    fn tell_unread(&self, global: &Global) {
        let found = global.inventory.as_deref().unwrap_or(Path::new("inventory"));
        let read = if found.is_dir() { found.to_owned() } else { beside(found) };
        let same = |one: &Path, other: &Path| one.canonicalize().ok() == other.canonicalize().ok();
        let mut notes = Vec::new();
        for folder in self.playbook.as_deref().map(beside).into_iter().filter(|folder| !same(folder, &read)) {
            for name in ["group_vars", "host_vars"].iter().filter(|name| folder.join(name).is_dir()) {
                let path = folder.join(name);
                let note = yaml::Error::new(format!("`{}` is not read: it stands beside the playbook", path.display()));
                notes.push(note.with_hint("variables of hosts and groups belong beside the inventory"));
            }
        }
        tell(&notes, global);
    }
}

/// The folder of a file.
fn beside(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
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
    mistakes: Option<Errors>,
) -> Result<(usize, usize), Errors> {
    let mut wrong = mistakes.map(|mistakes| mistakes.0).unwrap_or_default();
    let hosts = limited(picked, inventory).unwrap_or_else(|error| noted(&mut wrong, error.into()));
    let mut steps = 0;
    if let Some(playbook) = playbook {
        steps = taken(picked, extra, playbook, inventory).unwrap_or_else(|errors| noted(&mut wrong, errors));
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
