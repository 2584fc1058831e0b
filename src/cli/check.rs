//! `skep check`: reads everything, contacts nobody.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{Global, pair};
use super::hosts::tell_notes;
use super::run::extra;
use super::{Failure, show};
use crate::inventory::Inventory;
use crate::playbook::{self, Playbook};
use crate::remote::ssh::{self, Options, Ssh};
use crate::report::plural;
use crate::yaml::{self, Errors};

const EXAMPLES: &str = "\
Examples:
  skep check                                        the inventory
  skep check playbooks/spark.yml -i inventory/lab.yml";

/// Read playbook and inventory, contact nobody, name every mistake at its line
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The playbook
    playbook: Option<PathBuf>,
    /// Give a variable a value, as for `run`
    #[arg(short = 'e', long = "extra-var", value_name = "KEY=VALUE", value_parser = pair)]
    extra: Vec<(String, String)>,
}

impl Check {
    /// Reads both, and names the mistakes of both.
    ///
    /// # Errors
    /// Every mistake.
    pub async fn run(&self, global: &Global) -> anyhow::Result<()> {
        let playbook = self.playbook.as_deref().map(Playbook::read).transpose();
        let inventory = Inventory::find(global.inventory.as_deref());
        let (playbook, inventory) = both(playbook, inventory)?;
        tell_notes(&inventory, global);
        self.tell_unread(global);
        if let Some(playbook) = &playbook {
            playbook::check(playbook, &inventory.hosts, &extra(&self.extra)?)?;
        }
        let options = Options { config: global.config(), hosts: inventory.hosts.clone(), ..Options::default() };
        let ssh = Ssh::new(options);
        for host in &inventory.hosts {
            ssh::check(host).map_err(Failure::unusable)?;
            ssh.settings(host).await.map_err(Failure::unusable)?;
        }
        writeln!(io::stdout(), "{}", found(playbook.as_ref(), &inventory))?;
        Ok(())
    }
}

impl Check {
    /// Ansible reads variables beside the playbook, too.
    fn tell_unread(&self, global: &Global) {
        let found = global.inventory.as_deref().unwrap_or(Path::new("inventory"));
        let read = if found.is_dir() { found.to_owned() } else { beside(found) };
        let same = |one: &Path, other: &Path| one.canonicalize().ok() == other.canonicalize().ok();
        for folder in self.playbook.as_deref().map(beside).into_iter().filter(|folder| !same(folder, &read)) {
            for name in ["group_vars", "host_vars"].iter().filter(|name| folder.join(name).is_dir()) {
                let path = folder.join(name);
                let note = yaml::Error::new(format!("`{}` is not read: it stands beside the playbook", path.display()));
                let note = note.with_hint("variables of hosts and groups belong beside the inventory");
                let _ = writeln!(io::stderr(), "{}\n", note.render_note(show::errors_in_colour(global)));
            }
        }
    }
}

/// The folder of a file.
fn beside(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
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

fn found(playbook: Option<&Playbook>, inventory: &Inventory) -> String {
    let hosts = plural(inventory.hosts.len(), "host");
    match playbook {
        Some(playbook) => format!("ok: {}, {}; {hosts}", playbook.name, plural(playbook.steps().count(), "step")),
        None => format!("ok: {hosts}"),
    }
}
