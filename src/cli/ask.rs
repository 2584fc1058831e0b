//! Questions, on the terminal only.

use std::io::{self, BufRead, Write};
use std::path::Path;

use super::Failure;
use super::show::{Terminal, can_ask};
use crate::remote::ssh::{Asker, NewKey};
use crate::secret::Secret;

/// Whoever sits at the terminal.
pub struct Person {
    terminal: Terminal,
}

impl Person {
    /// Asks on this terminal.
    pub fn new(terminal: Terminal) -> Self {
        Self { terminal }
    }

    /// Asks a question to be answered by yes or no, under some lines.
    pub fn agrees(&self, lines: &str, question: &str) -> bool {
        // A terminal that cannot be read from does not agree.
        self.terminal.suspend(|| answered(lines, question)).unwrap_or(false)
    }
}

impl Person {
    /// Asks whether these things may be removed or replaced.
    pub fn removes(&self, removals: &[String]) -> bool {
        let lines: String = removals.iter().map(|removal| format!("  {removal}\n")).collect();
        self.agrees(&lines, "Remove or replace this?")
    }
}

impl Asker for Person {
    fn trust(&self, keys: &[NewKey]) -> bool {
        let hosts = crate::report::plural(keys.len(), "host");
        let question = format!("These {hosts} are not known yet. Trust them, and remember their keys?");
        self.agrees(&table(keys), &question)
    }

    fn passphrase(&self, file: &Path) -> Option<Secret> {
        let question = format!("Passphrase of {}: ", file.display());
        let answer = self.terminal.suspend(|| rpassword::prompt_password(question));
        answer.ok().filter(|text| !text.is_empty()).map(Secret::new)
    }
}

fn table(keys: &[NewKey]) -> String {
    let width = |cell: fn(&NewKey) -> &str| keys.iter().map(|key| cell(key).chars().count()).max().unwrap_or(0);
    let (host, address) = (width(|key| &key.host), width(|key| &key.address));
    let line = |key: &NewKey| format!("  {:host$}  {:address$}  {}\n", key.host, key.address, key.fingerprint);
    keys.iter().map(line).collect()
}

/// Asks whether to go on with what was shown.
///
/// # Errors
/// There is no terminal to ask on, and nobody said `--yes`.
pub fn go_on(question: &str, yes: bool, terminal: &Terminal) -> anyhow::Result<bool> {
    if !yes && !can_ask() {
        let failure = Failure::bad_input("this removes things, and there is no terminal to ask on");
        return Err(failure.hint("say --yes if that is what you want").into());
    }
    Ok(yes || Person::new(terminal.clone()).agrees("", question))
}

fn answered(lines: &str, question: &str) -> io::Result<bool> {
    write!(io::stderr(), "{lines}{question} [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
