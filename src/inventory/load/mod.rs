//! Where an inventory comes from: a file, a folder of them, or a program that prints one.

mod folder;
mod program;
mod vars;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::tree::Tree;
use super::{Inventory, ini, resolve};
use crate::yaml::{Error, Errors, parse};

impl Inventory {
    /// Loads what `-i` names; without it what `SKEP_INVENTORY` names, else the one file in `./inventory`.
    ///
    /// # Errors
    /// No inventory, several to choose from, and every mistake in it.
    pub fn find(given: Option<&Path>) -> Result<Self, Errors> {
        let from_environment = || std::env::var_os("SKEP_INVENTORY").filter(|path| !path.is_empty()).map(PathBuf::from);
        match given.map(Path::to_owned).or_else(from_environment) {
            Some(path) => Self::load(&path),
            None => Self::load(&only_one(Path::new("inventory"))?),
        }
    }

    /// Loads a file of YAML, JSON or Ansible's INI; an executable, which is run with `--list` and prints YAML or JSON; or a
    /// folder of all these, in the order of their names. `group_vars` and `host_vars` beside it or in it belong to it.
    ///
    /// # Errors
    /// What cannot be read or run, and every mistake in it.
    pub fn load(path: &Path) -> Result<Self, Errors> {
        let mut tree = Tree::that_runs();
        source(&mut tree, path, 0);
        vars::add(&mut tree, if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) });
        resolve::resolve(tree)
    }

    /// Reads an inventory from text, as it would be read from a file of that name; it runs nothing.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, Errors> {
        let mut tree = Tree::default();
        document(&mut tree, &path.into(), text.to_owned());
        resolve::resolve(tree)
    }
}

/// Folders deeper than this go in a circle.
const DEEPEST: usize = 20;

fn source(tree: &mut Tree, path: &Path, depth: usize) {
    if path.is_dir() && depth < DEEPEST {
        match folder::sources(path) {
            Ok(paths) => paths.iter().for_each(|path| source(tree, path, depth + 1)),
            Err(error) => tree.errors.push(error),
        }
    } else if is_executable(path) {
        program::add(tree, path);
    } else {
        match text(path) {
            Ok(text) => document(tree, path, text),
            Err(error) => tree.errors.push(error),
        }
    }
}

/// What is called `.yml`, `.yaml` or `.json` is that. What has no ending may be either, and its first line shows which.
fn document(tree: &mut Tree, path: &Path, text: String) {
    let is_yaml = is_data(path) || (path.extension().is_none() && looks_like_yaml(&text));
    if !is_yaml {
        return ini::add(tree, path, text);
    }
    match parse(path, text) {
        Ok(root) => tree.add(&root),
        Err(error) => tree.errors.push(error),
    }
}

fn is_data(path: &Path) -> bool {
    path.extension().is_some_and(|kind| ["yml", "yaml", "json"].iter().any(|data| kind == *data))
}

/// A mapping begins with a brace, or with a word, a colon and a space: no host of an INI file does.
fn looks_like_yaml(text: &str) -> bool {
    let lines = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim());
    let first = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with(['#', ';'])).unwrap_or_default();
    let is_key = |(key, after): (&str, &str)| !key.contains(' ') && (after.is_empty() || after.starts_with(' '));
    first.starts_with(['{', '%']) || first.starts_with("---") || first.split_once(':').is_some_and(is_key)
}

/// A program: executable, and not a YAML or JSON file that only lost its mode on a foreign file system.
fn is_executable(path: &Path) -> bool {
    !is_data(path) && path.is_file() && path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

/// The text of a file that may be encrypted, which is no mistake in it.
fn text(path: &Path) -> Result<String, Error> {
    let error = |why: String| Error::new(format!("cannot read `{}`: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|why| {
        error(why.to_string())
            .with_hint("is it there, and may you read it? A path begins at the folder that you are in")
    })?;
    let text = String::from_utf8(bytes).map_err(|_| error("it is not UTF-8".into()).with_hint("save it as UTF-8"))?;
    if text.starts_with("$ANSIBLE_VAULT;") {
        return Err(Error::new(format!("`{}` is encrypted by ansible-vault, which is not read here", path.display()))
            .with_hint("`ansible-vault decrypt` makes a text of it; passwords to log in and for sudo are also asked for: -k, -K"));
    }
    Ok(text)
}

fn only_one(folder: &Path) -> Result<PathBuf, Error> {
    let mut files = if folder.is_dir() { folder::sources(folder)? } else { Vec::new() };
    match (files.pop(), files.as_slice()) {
        (Some(file), []) => Ok(file),
        (None, _) => Err(Error::new("there is no inventory")
            .with_hint("copy `inventory/cloud.example.yml` to `inventory/cloud.yml` and put your machines in, or name a file: `-i FILE`")),
        (Some(last), others) => {
            let names: Vec<_> = others.iter().chain([&last]).map(|file| format!("`{}`", file.display())).collect();
            Err(Error::new(format!("there are several inventories: {}", names.join(", "))).with_hint("choose one: `-i FILE`"))
        }
    }
}
