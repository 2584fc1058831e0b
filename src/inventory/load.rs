//! Where an inventory comes from: a file, a folder of them, or a program that prints one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::Tree;
use super::{Inventory, resolve};
use crate::yaml::{Error, Errors, Node, parse, read};

impl Inventory {
    /// Loads what `-i` names; without it what `SKEP_INVENTORY` names, else the one file in `./inventory`.
    ///
    /// # Errors
    /// No inventory, several to choose from, and every mistake in it.
    pub fn find(given: Option<&Path>) -> Result<Self, Errors> {
        let from_environment = || std::env::var_os("SKEP_INVENTORY").filter(|path| !path.is_empty()).map(PathBuf::from);
        match given.map(Path::to_owned).or_else(from_environment) {
            Some(path) => Self::load(&path),
            None => Self::load(&only_file(Path::new("inventory"))?),
        }
    }

    /// Loads a file, a folder (all its `.yml` and `.yaml` files, in the order of their names) or an executable, which is run
    /// with `--list` and prints YAML or JSON.
    ///
    /// # Errors
    /// What cannot be read or run, and every mistake in it.
    pub fn load(path: &Path) -> Result<Self, Errors> {
        let mut tree = Tree::default();
        for file in if path.is_dir() { files(path)? } else { vec![path.to_owned()] } {
            match if is_executable(&file) { run(&file) } else { read(&file) } {
                Ok(root) => tree.add(&root),
                Err(error) => tree.errors.push(error),
            }
        }
        resolve::resolve(tree)
    }

    /// Reads an inventory from text.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, Errors> {
        let mut tree = Tree::default();
        tree.add(&parse(path, text.to_owned())?);
        resolve::resolve(tree)
    }
}

fn only_file(folder: &Path) -> Result<PathBuf, Error> {
    let mut files = if folder.is_dir() { files(folder)? } else { Vec::new() };
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

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let cannot = |why| Error::new(format!("cannot read `{}`: {why}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
        if is_yaml && !name.contains(".example.") && !name.starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A program: executable, and not a YAML or JSON file that only lost its mode on a foreign file system.
fn is_executable(path: &Path) -> bool {
    let is_data = path.extension().is_some_and(|kind| ["yml", "yaml", "json"].iter().any(|data| kind == *data));
    !is_data && path.is_file() && path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn run(program: &Path) -> Result<Node, Error> {
    let failed = |why: String| Error::new(format!("the inventory program `{}` failed: {why}", program.display()));
    let absolute = program.canonicalize().map_err(|why| failed(why.to_string()))?;
    let output = Command::new(absolute).arg("--list").output().map_err(|why| failed(why.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end())));
    }
    parse(program, String::from_utf8(output.stdout).map_err(|_| failed("it printed no UTF-8".to_owned()))?)
}
