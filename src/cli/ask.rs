//! Questions, on the terminal only.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::Failure;
use super::args::{Form, Global};
use super::show::can_ask;
use super::signals::Cancel;
use super::terminal::Terminal;
use crate::remote::ssh::{Asker, NewKey};
use crate::secret::Secret;
use crate::vault::{Sealed, Vault};
use crate::yaml::Errors;

/// Whoever sits at the terminal.
#[derive(Clone)]
pub struct Person {
    terminal: Terminal,
    cancel: Cancel,
}

/// How soon a Ctrl-C ends a question.
const SOON: Duration = Duration::from_millis(50);

impl Person {
    /// Asks on this terminal, until `cancel`.
    pub fn new(terminal: Terminal, cancel: Cancel) -> Self {
        Self { terminal, cancel }
    }

    /// Asks a question to be answered by yes or no, under some lines.
    pub fn agrees(&self, lines: &str, question: &str) -> bool {
        // A terminal that cannot be read from does not agree.
        self.terminal.suspend(|| self.answered(lines, question))
    }

    /// Asks whether these things may be removed or replaced.
    pub fn removes(&self, removals: &[String]) -> bool {
        let lines: String = removals.iter().map(|removal| format!("  {removal}\n")).collect();
        self.agrees(&lines, "Remove or replace this?")
    }

    /// Asks for the passwords that the options name: the one to log in with, and sudo's.
    ///
    /// # Errors
    /// There is no terminal to ask on, nothing was answered, or Ctrl-C was.
    pub fn passwords(&self, global: &Global) -> Result<(Option<Secret>, Option<Secret>), Failure> {
        if global.asking().next().is_some() && !can_ask() {
            let failure = Failure::bad_input("there is no terminal to ask for a password on");
            return Err(failure.hint(
                "say it in the inventory: password, become_password; the inventory may be a program that \
                takes them from where they are kept",
            ));
        }
        let login = global.ask_pass.then(|| self.password("Password to log in with: ", None)).transpose()?;
        let same = login.as_ref().map_or("", |_| ", if it is another one");
        let sudo = || self.password(&format!("Password for sudo{same}: "), login.as_ref());
        Ok((login.clone(), global.ask_become_pass.then(sudo).transpose()?))
    }

    /// Opens secrets; whoever sits at the terminal is asked for those that nothing else keeps.
    ///
    /// # Errors
    /// Every one that cannot be had; Ctrl-C.
    pub fn open(&self, sealed: &[Sealed]) -> anyhow::Result<Vault> {
        let (vault, mut errors) = (Vault::default(), Vec::new());
        for one in sealed {
            match one.open(&mut |question| self.hidden(question)) {
                Ok(secret) => vault.keep(&one.at, secret),
                Err(_) if *self.cancel.borrow() => return Err(Failure::interrupted().into()),
                Err(error) => errors.push(error),
            }
        }
        Ok(Errors(errors).in_order().or(vault)?)
    }

    /// The answer to a question, which is not shown as it is typed.
    fn hidden(&self, question: &str) -> Option<Secret> {
        let question = format!("{question}: ");
        let ask = || self.awaited(move || rpassword::prompt_password(question).ok());
        can_ask().then(|| self.terminal.suspend(ask)).flatten().and_then(secret)
    }

    /// Asks for a password without showing it. An empty answer means the `usual` one.
    fn password(&self, question: &str, usual: Option<&Secret>) -> Result<Secret, Failure> {
        let question = question.to_owned();
        let answer = self.terminal.suspend(|| self.awaited(move || Some(rpassword::prompt_password(question))));
        match answer {
            Some(Ok(text)) if !text.is_empty() => Ok(Secret::new(text)),
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::interrupted()),
            Some(_) => usual.cloned().ok_or_else(|| Failure::bad_input("no password was given")),
            None => Err(Failure::interrupted()),
        }
    }

    fn answered(&self, lines: &str, question: &str) -> bool {
        let question = format!("{lines}{question} [y/N] ");
        let answer = self.awaited(move || line(&question)).unwrap_or_default();
        matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// What `read` comes to, or nothing once the run is to end. A terminal that is being read cannot be let go: the thread
    /// that does is left behind.
    fn awaited<T: Send + 'static>(&self, read: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(read()));
        loop {
            match told.recv_timeout(SOON) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if !*self.cancel.borrow() => {}
                Err(_) => break,
            }
        }
        self.terminal.show_typing();
        let _ = writeln!(io::stderr());
        None
    }
}

impl Asker for Person {
    fn trust(&self, keys: &[NewKey]) -> bool {
        let question = match keys.len() {
            1 => "This host is not known yet. Trust it, and remember its key?".to_owned(),
            many => format!("These {many} hosts are not known yet. Trust them, and remember their keys?"),
        };
        self.agrees(&table(keys), &question)
    }

    fn passphrase(&self, file: &Path) -> Option<Secret> {
        let question = format!("Passphrase of {}: ", file.display());
        self.terminal.suspend(|| self.awaited(move || rpassword::prompt_password(question).ok())).and_then(secret)
    }

    fn answer(&self, question: &str, echo: bool) -> Option<Secret> {
        let question = format!("{question} ");
        let read = move || match echo {
            true => line(&question),
            false => rpassword::prompt_password(question).ok(),
        };
        self.terminal.suspend(|| self.awaited(read)).and_then(secret)
    }
}

fn secret(text: String) -> Option<Secret> {
    Some(text).filter(|text| !text.is_empty()).map(Secret::new)
}

/// Asks, and reads a line that is seen as it is typed.
fn line(question: &str) -> Option<String> {
    write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush()).ok()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).ok()?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn table(keys: &[NewKey]) -> String {
    let width = |cell: fn(&NewKey) -> &str| keys.iter().map(|key| cell(key).chars().count()).max().unwrap_or(0);
    let (host, address) = (width(|key| &key.host), width(|key| &key.address));
    let line = |key: &NewKey| format!("  {:host$}  {:address$}  {}\n", key.host, key.address, key.fingerprint);
    keys.iter().map(line).collect()
}

/// Whether somebody can be asked, or need not be.
///
/// # Errors
/// There is no terminal to ask on, or a program reads what is told, and nobody said `--yes`.
pub fn may_ask(yes: bool, form: Form) -> anyhow::Result<()> {
    if yes || (can_ask() && form != Form::Json) {
        return Ok(());
    }
    let failure = Failure::bad_input("this removes things, and there is no terminal to ask on");
    Err(failure.hint("look at it with --plan; say --yes if that is what you want").into())
}
