//! `skep completions`.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Skep;

const EXAMPLES: &str = "\
Examples:
  skep completions bash > ~/.local/share/bash-completion/completions/skep
  skep completions zsh > ~/.zfunc/_skep
  skep completions fish > ~/.config/fish/completions/skep.fish";

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
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Skep::command(), "skep", &mut script);
        io::Write::write_all(&mut io::stdout(), &script)
    }
}
