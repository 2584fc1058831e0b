//! `skep schema`.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use crate::{inventory, playbook};

const EXAMPLES: &str = "\
Examples:
  skep schema playbook > playbook.schema.json
  # yaml-language-server: $schema=playbook.schema.json       (the first line of a playbook, for editors that know it)";

/// Print the JSON Schema of a kind of file, for editors
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Schema {
    /// The kind: a playbook, an inventory in YAML, or a file of steps that a playbook includes
    #[arg(value_enum)]
    of: Of,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Of {
    // Without doc comments, as `Form`.
    Playbook,
    Inventory,
    Steps,
}

impl Schema {
    /// Prints it.
    ///
    /// # Errors
    /// Standard output is gone.
    pub fn run(&self) -> io::Result<()> {
        let schema = match self.of {
            Of::Playbook => playbook::schema::playbook(),
            Of::Inventory => inventory::schema::inventory(),
            Of::Steps => playbook::schema::steps(),
        };
        writeln!(io::stdout(), "{schema:#}")
    }
}
