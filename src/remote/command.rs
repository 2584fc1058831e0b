//! A command as a value: pure, quoted in one place, with a form for the wire and one for people.

use std::borrow::Cow;
use std::fmt;

use crate::secret::{MASK, Secret};

/// Who runs a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub enum User {
    /// The user that logged in.
    #[default]
    Login,
    /// Root, or another, through sudo; nothing is put in front where that user logged in.
    Sudo(String),
}

impl User {
    /// Root through sudo.
    pub fn root() -> Self {
        Self::Sudo("root".into())
    }
}

/// One word of a command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// Quoted on the wire, shown as it is.
    Plain(String),
    /// Quoted on the wire, never shown.
    Secret(Secret),
    /// Shell syntax that stays as it is: a pipe, a redirection.
    Syntax(String),
}

/// A command line, its environment and its standard input.
#[derive(Clone, PartialEq)]
pub struct Command {
    words: Vec<Word>,
    environment: Vec<(String, Word)>,
    stdin: Vec<u8>,
    user: User,
    shown: Option<String>,
    within: Option<(String, String)>,
}

impl Command {
    /// A program, to be found on the host's `PATH`.
    pub fn new(program: impl Into<String>) -> Self {
        let words = vec![Word::Plain(program.into())];
        Self { words, environment: Vec::new(), stdin: Vec::new(), user: User::Login, shown: None, within: None }
    }

    /// A line of POSIX shell, shown and run as it was typed.
    pub fn sh(line: impl Into<String>) -> Self {
        let words = vec![Word::Syntax(line.into())];
        Self { words, environment: Vec::new(), stdin: Vec::new(), user: User::Login, shown: None, within: None }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(Word::Plain(word.into()));
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(words.into_iter().map(|word| Word::Plain(word.into())));
        self
    }

    /// An argument that nobody gets to see here. The host's `ps` shows it: prefer standard input where the tool allows it.
    #[must_use]
    pub fn secret(mut self, word: Secret) -> Self {
        self.words.push(Word::Secret(word));
        self
    }

    /// Shell syntax between arguments: `|`, `>file`, `&&`.
    #[must_use]
    pub fn syntax(mut self, text: impl Into<String>) -> Self {
        self.words.push(Word::Syntax(text.into()));
        self
    }

    /// A variable of its environment. Its value is never shown.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), Word::Plain(value.into())));
        self
    }

    /// What it reads on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Shown to people as this line: the one that a script stands for, with what is secret in it masked.
    #[must_use]
    pub fn shown_as(mut self, line: impl Into<String>) -> Self {
        self.shown = Some(line.into());
        self
    }

    /// Who runs it.
    #[must_use]
    pub fn by(mut self, user: User) -> Self {
        self.user = user;
        self
    }

    /// The same with script before and after it on the wire, of which people see nothing: a lock.
    #[must_use]
    pub fn within(mut self, before: String, after: String) -> Self {
        self.within = Some((before, after));
        self
    }

    /// Who runs it.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What it reads on standard input.
    pub fn input(&self) -> &[u8] {
        &self.stdin
    }

    /// The script for `sh` on the host: variables exported, then the line, every word quoted.
    pub fn wire(&self) -> String {
        let mut script = String::new();
        for (name, value) in &self.environment {
            script += &format!("export {name}={}\n", value.wire());
        }
        script += &self.joined(Word::wire);
        match &self.within {
            Some((before, after)) => format!("{before}{script}{after}"),
            None => script,
        }
    }

    /// The line as people may see it: secrets masked, environment left out.
    pub fn masked(&self) -> String {
        self.shown.clone().unwrap_or_else(|| self.joined(Word::masked))
    }

    fn joined<'a>(&'a self, form: impl Fn(&'a Word) -> Cow<'a, str>) -> String {
        self.words.iter().map(form).collect::<Vec<_>>().join(" ")
    }
}

impl Word {
    fn wire(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => quote(text),
            Self::Secret(secret) => quote(secret.expose()),
            Self::Syntax(text) => text.into(),
        }
    }

    fn masked(&self) -> Cow<'_, str> {
        match self {
            Self::Secret(_) => MASK.into(),
            Self::Plain(_) | Self::Syntax(_) => self.wire(),
        }
    }
}

/// Quotes one word for a POSIX shell. A NUL byte, which no argument can carry, is dropped.
pub fn quote(word: &str) -> Cow<'_, str> {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted,
        Err(_) => shlex::try_quote(&word.replace('\0', "")).map_or_else(|_| "''".into(), |q| q.into_owned().into()),
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_secrets_masked() {
        let command = Command::new("docker").args(["run", "--label", "a b"]).secret(Secret::new("s3cret"));
        assert_eq!(command.wire(), "docker run --label 'a b' s3cret");
        assert_eq!(command.masked(), format!("docker run --label 'a b' {MASK}"));
    }

    #[test]
    fn environment_values_are_sent_but_never_shown() {
        let command = Command::sh("env | sort").env("TOKEN", "a'b");
        assert_eq!(command.wire(), "export TOKEN=\"a'b\"\nenv | sort");
        assert!(!command.masked().contains("TOKEN"));
    }
}
