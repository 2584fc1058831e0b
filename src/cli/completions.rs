//! `skep completions`.

use std::io;

use clap::{Args, ValueEnum as _};
use clap_complete::Shell;

use super::complete;

const EXAMPLES: &str = "\
Examples:
  skep completions bash > ~/.local/share/bash-completion/completions/skep
  skep completions zsh > ~/.zfunc/_skep
  skep completions fish > ~/.config/fish/completions/skep.fish

Tab then offers commands and options, and what the files of the line have: steps, tags, hosts, groups.";

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    ///
    /// # Errors
    /// Standard output is gone.
    pub fn run(&self) -> io::Result<()> {
        let name = self.shell.to_possible_value().map(|shell| shell.get_name().to_owned());
        io::Write::write_all(&mut io::stdout(), &complete::script(&name.unwrap_or_default())?)
    }
}
