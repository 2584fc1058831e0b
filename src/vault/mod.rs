//! Keep: where secrets come from. A variable that is one says so, and where its value is kept: never in the file itself.
//!
//! ```yaml
//! token: { secret: true, env: SPARK_TOKEN }
//! token: { secret: true, command: pass show spark }
//! token: { secret: true, file: ~/.spark-token }
//! token: { secret: true, prompt: Token of the cluster }
//! ```

mod plain;

use std::collections::HashMap;
use std::env::VarError;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::program::shell;
use crate::schema::{Key, TEXT, mapping, names};
use crate::secret::{self, SHORTEST, Secret};
use crate::yaml::{At, Error, Node, Value};

pub use plain::{in_plain_text, is_plain, said_to_be_none};

/// Where a secret's value is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment.
    Env(String),
    /// What a line of shell prints on this machine, without the end of its last line.
    Command(String),
    /// A file on this machine, without the end of its last line; relative to the file that names it.
    File(PathBuf),
    /// Whoever sits at the terminal.
    Prompt(String),
}

/// A variable that is a secret.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Where it stands.
    pub at: At,
    /// Where its value is kept.
    pub from: Origin,
}

/// The keys of a secret beside `secret: true`; one of them is there.
pub const KEYS: &[Key] = &[
    Key::new("env", TEXT, "a variable of the environment that holds it"),
    Key::new("command", TEXT, "a line of shell that prints it on this machine, before anybody is contacted"),
    Key::new("file", TEXT, "a file on this machine that holds it"),
    Key::new("prompt", TEXT, "what whoever sits at the terminal is asked"),
];
const FORM: &str = "a secret says where it is kept: `env: NAME`, `command: LINE`, `file: PATH` or `prompt: QUESTION`";

impl Sealed {
    /// Whether a value says of itself that it is a secret.
    pub fn is(node: &Node) -> bool {
        matches!(node.get("secret").map(|flag| &flag.value), Some(Value::Bool(true)))
    }

    /// Reads one.
    ///
    /// # Errors
    /// A secret that does not say where it is kept, in two places, or in plain text.
    pub fn read(node: &Node) -> Result<Self, Error> {
        let strange = node.entries().iter().find(|(key, _)| !matches!(key.as_str(), Some("secret")) && !is_key(key));
        if let Some((key, _)) = strange {
            return Err(wrong_key(key));
        }
        let mut said = node.entries().iter().filter(|(key, _)| is_key(key));
        let (Some((key, value)), None) = (said.next(), said.next()) else {
            return Err(Error::at(&node.at, "a secret is kept in one place").with_hint(FORM));
        };
        let text = value.scalar_text().filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| Error::at(&value.at, format!("this is a text, not {}", value.told())))?;
        Ok(Self { at: node.at.clone(), from: origin(key.as_str().unwrap_or_default(), text.into_owned(), &value.at) })
    }

    /// The value; `ask` answers prompts.
    ///
    /// # Errors
    /// It is not there, is empty, or so short that to hide it would hide half of every text.
    pub fn open(&self, ask: &mut dyn FnMut(&str) -> Option<Secret>) -> Result<Secret, Error> {
        let value = self.value(ask).map_err(|why| self.lacks(&why))?;
        let value = value.strip_suffix('\n').unwrap_or(&value);
        let value = value.strip_suffix('\r').unwrap_or(value);
        if value.chars().count() < SHORTEST {
            let error = self.lacks(&format!("it has fewer than {SHORTEST} characters, which cannot be hidden"));
            return Err(error.with_hint(
                "it needs a longer one: what is so short is part of many a text, and would be masked there",
            ));
        }
        let value = Secret::new(value);
        secret::hide(&value);
        Ok(value)
    }

    fn value(&self, ask: &mut dyn FnMut(&str) -> Option<Secret>) -> Result<String, String> {
        match &self.from {
            Origin::Env(name) => std::env::var(name).map_err(|why| match why {
                VarError::NotPresent => format!("${name} is not set"),
                VarError::NotUnicode(_) => format!("${name} is no UTF-8"),
            }),
            Origin::Command(line) => shell(line, self.folder()).map_err(|why| format!("`{line}` {why}")),
            Origin::File(path) => {
                std::fs::read_to_string(path).map_err(|why| format!("cannot read {}: {why}", path.display()))
            }
            Origin::Prompt(question) => {
                ask(question).map(|secret| secret.expose().to_owned()).ok_or_else(|| "nobody answered".to_owned())
            }
        }
    }

    fn lacks(&self, why: &str) -> Error {
        Error::at(&self.at, format!("this secret cannot be had: {why}")).with_hint(self.remedy())
    }

    fn remedy(&self) -> String {
        match &self.from {
            Origin::Env(name) => format!("set it where skep is called: `export {name}=…`, or `{name}=… skep …`"),
            Origin::Command(_) => {
                "try that line yourself, in the folder of the file that names it: it must end with 0 and \
                print the secret alone"
                    .into()
            }
            Origin::File(_) => {
                "put the secret there, alone and readable by you; a path begins at the folder of the file \
                that names it"
                    .into()
            }
            Origin::Prompt(_) => {
                "call skep at a terminal; `env`, `command` or `file` in place of `prompt` need nobody \
                there"
                    .into()
            }
        }
    }

    fn folder(&self) -> &Path {
        folder(&self.at)
    }
}

/// What a secret looks like, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = mapping(KEYS);
    schema["properties"]["secret"] =
        json!({ "const": true, "description": "what is kept elsewhere, and shown nowhere" });
    schema["oneOf"] = names(KEYS).map(|key| json!({ "required": [key] })).collect();
    schema["required"] = json!(["secret"]);
    schema
}

/// What says of itself that it is one, for editors.
pub fn is_sealed() -> serde_json::Value {
    json!({ "type": "object", "properties": { "secret": { "const": true } }, "required": ["secret"] })
}

fn is_key(key: &Node) -> bool {
    key.as_str().is_some_and(|key| names(KEYS).any(|name| name == key))
}

fn wrong_key(key: &Node) -> Error {
    let name = key.scalar_text().unwrap_or_default();
    match name.as_ref() {
        "value" => Error::at(&key.at, "a secret in plain text").with_hint(FORM),
        name => Error::at(&key.at, format!("unknown key `{name}` in a secret"))
            .with_hint(FORM)
            .did_you_mean(name, names(KEYS)),
    }
}

fn origin(key: &str, text: String, at: &At) -> Origin {
    match key {
        "env" => Origin::Env(text),
        "command" => Origin::Command(text),
        "file" => Origin::File(home(&text).unwrap_or_else(|| folder(at).join(&text))),
        _ => Origin::Prompt(text),
    }
}

fn home(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(text.strip_prefix("~/")?))
}

fn folder(at: &At) -> &Path {
    at.source.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The secrets of a run that were opened, by where they stand.
#[derive(Debug, Default)]
pub struct Vault {
    kept: Mutex<HashMap<(PathBuf, usize), Secret>>,
    /// What any other is.
    stand_in: Option<Secret>,
}

impl Vault {
    /// One in which any secret is this one: what a secret is, is no mistake of a playbook.
    pub fn standing_in(secret: Secret) -> Self {
        Self { stand_in: Some(secret), ..Self::default() }
    }

    /// Keeps the value of a secret.
    pub fn keep(&self, at: &At, secret: Secret) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(place(at), secret);
    }

    /// The value of the secret that stands there, if it was opened.
    pub fn get(&self, at: &At) -> Option<Secret> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&place(at)).or(self.stand_in.as_ref()).cloned()
    }
}

fn place(at: &At) -> (PathBuf, usize) {
    (at.source.path.clone(), at.start)
}
