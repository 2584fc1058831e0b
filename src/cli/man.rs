//! `skep man`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use super::args::Skep;

const EXAMPLES: &str = "\
Examples:
  skep man | man -l -
  skep man exec | man -l -
  skep man > /usr/local/share/man/man1/skep.1";

/// Print the manual page, of skep or of one of its commands
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Man {
    /// The command
    command: Option<String>,
}

impl Man {
    /// Prints it.
    ///
    /// # Errors
    /// There is no such command, or standard output is gone.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut skep = Skep::command();
        skep.build();
        let page = match &self.command {
            None => skep,
            Some(name) => named(&skep, name)?,
        };
        let mut text = Vec::new();
        Page::new(page).render(&mut text)?;
        io::stdout().write_all(&text)?;
        Ok(())
    }
}

fn named(skep: &clap::Command, name: &str) -> anyhow::Result<clap::Command> {
    let known = skep.get_subcommands().find(|command| command.get_name() == name).cloned();
    known.ok_or_else(|| super::Failure::bad_input(format!("there is no command `{name}`")).into())
}
