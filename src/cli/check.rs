//! `skep check`: reads everything, contacts nobody.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::args::{Global, pair};
use super::hosts::tell_notes;
use super::run::extra;
use crate::inventory::Inventory;
use crate::playbook::{self, Playbook};
use crate::remote::ssh::{self, Options, Ssh};
use crate::report::plural;
use crate::yaml::Errors;

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
