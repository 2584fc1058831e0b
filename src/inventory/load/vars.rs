//! `group_vars` and `host_vars`: what is said of groups and hosts in files of their own, beside the inventory.
//!
//! Connection keys have Ansible's names here, as in its INI.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{folder, text};
use crate::inventory::layers::{Setting, put};
use crate::inventory::names::{self, Dialect, PRIORITY};
use crate::inventory::tree::Tree;
use crate::yaml::{Error, Node, parse};

/// The endings that such a file may have. The first that is there is taken, and the others are not.
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];

/// Adds those of a folder.
pub(super) fn add(tree: &mut Tree, folder: &Path) {
    let groups: Vec<String> = ["all", "ungrouped"].map(String::from).into();
    let more = tree.groups.iter().map(|group| group.name().to_owned()).filter(|name| !groups.contains(name));
    let groups: Vec<String> = groups.iter().cloned().chain(more).collect();
    let hosts = tree.hosts.iter().map(|host| host.name().to_owned()).collect();
    for (kind, names) in [("group_vars", groups), ("host_vars", hosts)] {
        let folder = folder.join(kind);
        if folder.is_dir() {
            match folder::entries(&folder) {
                Ok(there) => {
                    Kind { folder, is_group: kind == "group_vars" }.add(tree, &names, there.into_iter().collect())
                }
                Err(error) => tree.errors.push(error),
            }
        }
    }
}

struct Kind {
    folder: PathBuf,
    is_group: bool,
}

impl Kind {
    fn add(&self, tree: &mut Tree, names: &[String], mut there: BTreeSet<String>) {
        for name in names {
            let files = ENDINGS.iter().map(|ending| format!("{name}{ending}")).find(|file| there.contains(file));
            let Some(file) = files else { continue };
            there.remove(&file);
            let (mut settings, mut found) = (Vec::new(), Vec::new());
            gather(tree, &self.folder.join(file), &mut found);
            found.iter().for_each(|file| read(tree, file, &mut settings));
            if self.is_group { tree.group_files(name, settings) } else { tree.host_files(name, settings) }
        }
        let unread = there.iter().filter(|file| !file.starts_with('.') && !file.ends_with('~'));
        tree.notes.extend(unread.map(|file| self.unread(file, names)));
    }

    /// Why a file is not read: another one comes before it, or it is nobody's.
    fn unread(&self, file: &str, names: &[String]) -> Error {
        let (path, kind) = (self.folder.join(file), if self.is_group { "group" } else { "host" });
        let stem = ENDINGS.iter().skip(1).find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
        let error = Error::new(format!("`{}` is not read: there is no {kind} `{stem}`", path.display()));
        if names.iter().any(|name| name == stem) {
            return Error::new(format!("`{}` is not read: another file of `{stem}` comes before it", path.display()))
                .with_hint(format!("a folder `{stem}` may hold several"));
        }
        error.did_you_mean(stem, names.iter().map(String::as_str))
    }
}

/// The files of a name: itself, or all that a folder of that name holds, further folders included.
fn gather(tree: &mut Tree, path: &Path, found: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        return found.push(path.to_owned());
    }
    let names = folder::entries(path).map_err(|error| tree.errors.push(error)).unwrap_or_default();
    for name in names.into_iter().filter(|name| !name.starts_with('.') && !name.ends_with('~')) {
        let path = path.join(&name);
        let ending = path.extension().map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
        if path.is_dir() && ending.is_empty() {
            gather(tree, &path, found);
        } else if path.is_file() && ENDINGS.contains(&ending.as_str()) {
            found.push(path);
        }
    }
}

fn read(tree: &mut Tree, file: &Path, settings: &mut Vec<Setting>) {
    let root = match text(file).and_then(|text| parse(file, text)) {
        Ok(root) => root,
        Err(error) => return tree.errors.push(error),
    };
    if root.as_map().is_none() && !root.is_null() {
        let error = Error::at(&root.at, format!("variables are a mapping, not {}", root.told()));
        return tree.errors.push(error.with_hint("write `name: value`, one in each line"));
    }
    root.entries().iter().for_each(|(key, value)| says(tree, settings, key, value));
}

fn says(tree: &mut Tree, settings: &mut Vec<Setting>, key: &Node, value: &Node) {
    let name = key.scalar_text().unwrap_or_default();
    if name == PRIORITY {
        let error = Error::at(&key.at, format!("`{PRIORITY}` does not count here"));
        return tree.errors.push(error.with_hint("it stands in the inventory itself, in the `vars` of the group"));
    }
    tree.errors.extend(names::wrong(key, value, Dialect::Ansibles));
    put(settings, Setting::new(key, value, Dialect::Ansibles));
}
