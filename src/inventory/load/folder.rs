//! Which entries of a folder are inventories.

use std::path::{Path, PathBuf};

use crate::yaml::Error;

/// What Ansible passes over, by the end of its name.
const PASSED_OVER: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// Folders that hold something else.
const OTHERS: [&str; 3] = ["group_vars", "host_vars", "vars_plugins"];

/// Files, programs and folders of the same kind, in the order of their names.
pub(super) fn sources(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(folder)?.into_iter().filter(|name| is_source(name)).map(|name| folder.join(name)).collect())
}

fn is_source(name: &str) -> bool {
    let other = OTHERS.contains(&name) || PASSED_OVER.iter().any(|end| name.ends_with(end));
    !other && !name.starts_with('.') && !name.contains(".example.")
}

/// The names of what is in a folder, sorted.
pub(super) fn entries(folder: &Path) -> Result<Vec<String>, Error> {
    let cannot = |why| Error::new(format!("cannot read `{}`: {why}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    names.sort();
    Ok(names)
}
