//! `vars_files`: variables of other files, in plain text or as a program decrypts them.

use std::path::Path;

use super::include::over;
use super::keys::Keys;
use super::load::Loader;
use super::scope::misnamed;
use super::{Var, Vars};
use crate::expr;
use crate::program;
use crate::schema::{FLAG, Key, TEXT, names};
use crate::secret::{self, SHORTEST, Secret};
use crate::yaml::{self, At, Error, Node, Value};

/// The keys of a file that a program prints.
pub(super) const KEYS: &[Key] = &[
    Key::new("command", TEXT, "a line of shell on this machine that prints a mapping: `sops -d secrets.yml`")
        .required(),
    Key::new("secret", FLAG, "whether each value is a secret: it is, unless this is `false`"),
];

impl Loader {
    /// The variables of a mapping: `vars`, `lookup`, and over them those of `vars_files`, the last file's first.
    pub(super) fn vars(&mut self, keys: &mut Keys<'_>) -> Vars {
        let here = keys.vars();
        let Some(list) = keys.take("vars_files") else { return here };
        if list.as_list().is_none() {
            let message = format!("`vars_files` is a list of files, this is {}", list.told());
            keys.wrong(Error::at(&list.at, message));
        }
        list.items().iter().fold(here, |vars, file| match self.file(file) {
            Ok(more) => over(&vars, &more),
            Err(error) => {
                self.errors.push(error);
                vars
            }
        })
    }

    fn file(&mut self, node: &Node) -> Result<Vars, Error> {
        if node.as_map().is_some() {
            return self.decrypted(node);
        }
        let name = node.scalar_text().ok_or_else(|| Error::at(&node.at, "this is a path, or `command: LINE`"))?;
        let folder = node.at.source.path.parent().unwrap_or(Path::new(""));
        let file = read(&folder.join(name.as_ref()), &node.at)?;
        self.errors.extend(expr::syntax_within(&file));
        self.named(&file)
    }

    /// What a program prints, `sops -d secrets.yml`: every value of it is a secret, unless it says `secret: false`.
    fn decrypted(&mut self, node: &Node) -> Result<Vars, Error> {
        let mut keys = Keys::of(node, "a file of variables");
        let (line, secret) = (keys.needed_text("command"), keys.flag("secret").unwrap_or(true));
        keys.unknown(names(KEYS));
        self.errors.extend(keys.errors);
        let Some(line) = line else { return Ok(Vars::default()) };
        let cannot = |why: &str| Error::at(&line.at, format!("`{}` {why}", line.value));
        let text = (self.run)(&line.value, folder(&line.at)).map_err(|why| cannot(&why))?;
        // Its lines must not be shown, and neither must the values of what it holds.
        let printed = yaml::parse("what it prints", text).map_err(|why| cannot(&unshown(&why)))?;
        let printed = printed.moved(&line.at);
        if secret {
            texts(&printed).iter().for_each(|text| secret::hide(&Secret::new(*text)));
        }
        self.named(&printed)
    }

    fn named(&mut self, file: &Node) -> Result<Vars, Error> {
        if file.as_map().is_none() && !file.is_null() {
            let error = Error::at(&file.at, format!("a file of variables is a mapping, this is {}", file.told()));
            return Err(error.with_hint("write `name: value`, a line for each"));
        }
        self.errors.extend(file.entries().iter().filter_map(|(key, _)| misnamed(key)));
        let pair = |(key, value): &(Node, Node)| Some((key.scalar_text()?.into_owned(), Var::Value(value.clone())));
        Ok(file.entries().iter().filter_map(pair).collect::<Vec<_>>().into())
    }
}

/// Reads a file that another one names.
pub(super) fn read(path: &Path, named_at: &At) -> Result<Node, Error> {
    yaml::read(path).map_err(|error| match error.at {
        None => error.or_at(named_at).with_hint("its path begins at the folder of the file that names it"),
        Some(_) => error,
    })
}

fn folder(at: &At) -> &Path {
    at.source.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a mistake is, without the line it stands in.
fn unshown(why: &Error) -> String {
    let line = why.at.as_ref().map(|at| at.source.text[..at.start].lines().count().max(1)).unwrap_or_default();
    format!("prints what is no YAML: line {line}: {}", why.message)
}

/// Every value that can be told from other words.
fn texts(node: &Node) -> Vec<&str> {
    match &node.value {
        Value::Str(text) if text.chars().count() >= SHORTEST => vec![text],
        Value::List(items) => items.iter().flat_map(texts).collect(),
        Value::Map(entries) => entries.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}

/// Runs a line of shell on this machine, in a folder, and gives what it prints.
pub(super) type Run = fn(&str, &Path) -> Result<String, String>;

/// As it is for a playbook that is a file.
pub(super) const RUN: Run = program::shell;
