//! What Tab offers: the steps and tags of the playbook in the line that is being typed, the hosts and groups of its inventory.
//!
//! Whatever cannot be read offers nothing: who types has not finished, and is told what is wrong when he has.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::Shells;

use super::args::Skep;
use crate::inventory::Inventory;
use crate::playbook::Playbook;

/// Set by the scripts that `skep completions` prints.
const ASKED: &str = "SKEP_COMPLETE";
/// What a pattern of hosts puts between names.
const BETWEEN: [char; 4] = [':', ',', '&', '!'];

/// Answers a shell that asks what may come next, and ends there; does nothing where none asks.
pub fn answer() {
    CompleteEnv::with_factory(Skep::command).var(ASKED).complete();
}

/// The script that makes a shell ask. `skep` is looked for on the path at every Tab: an update needs no new script.
///
/// # Errors
/// No such shell.
pub fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| std::io::Error::other(format!("no shell {shell}")))?;
    shell.write_registration(ASKED, "skep", "skep", "skep", &mut script)?;
    Ok(script)
}

/// The ids of the playbook's steps.
pub fn steps() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let playbook = playbook();
        let steps = playbook.iter().flat_map(Playbook::steps);
        let ids = steps.map(|step| CompletionCandidate::new(&step.id).help(Some(step.name.clone().into())));
        fitting(ids, typed)
    })
}

/// The tags of its steps.
pub fn tags() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let playbook = playbook();
        let mut tags: Vec<&String> = playbook.iter().flat_map(Playbook::steps).flat_map(|step| &step.tags).collect();
        tags.sort();
        tags.dedup();
        fitting(tags.into_iter().map(CompletionCandidate::new), typed)
    })
}

/// The groups and hosts of the inventory, for the last name of a pattern.
pub fn hosts() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let typed = typed.to_string_lossy();
        let name = typed.rfind(BETWEEN).map_or(0, |at| at + 1);
        let Ok(inventory) = Inventory::find(inventory().as_deref()) else { return Vec::new() };
        let groups = inventory.groups.iter().map(|group| (&group.name, format!("group of {}", group.hosts.len())));
        let hosts = inventory.hosts.iter().map(|host| (&host.name, host.address.clone()));
        let all = ("all".to_owned(), "every host".to_owned());
        let named = groups.chain(hosts).map(|(name, help)| (name.clone(), help));
        let named = std::iter::once(all)
            .chain(named)
            .map(|(name, help)| CompletionCandidate::new(name).help(Some(help.into())));
        let fitting = fitting(named, OsStr::new(&typed[name..])).into_iter();
        fitting.map(|candidate| candidate.add_prefix(&typed[..name])).collect()
    })
}

/// Playbooks: where nothing is typed yet those of the folder that is called so.
pub fn playbooks() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let first = if typed.is_empty() { in_folder(Path::new("playbooks")) } else { Vec::new() };
        let first = first.into_iter().map(CompletionCandidate::new);
        let files = PathCompleter::file().filter(|path| path.is_dir() || is_yaml(path));
        first.chain(files.complete(typed)).collect()
    })
}

fn fitting(all: impl Iterator<Item = CompletionCandidate>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    all.filter(|candidate| candidate.get_value().to_string_lossy().starts_with(&*typed)).collect()
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| is_yaml(path)).collect();
    paths.sort();
    paths
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml")
}

/// The playbook of the line: the one that it names, or that its command stands for; else the only one there is.
fn playbook() -> Option<Playbook> {
    let (command, matches) = line()?;
    let named = matches.try_get_one::<PathBuf>("playbook").ok().flatten().cloned();
    let path =
        named.filter(|path| path.is_file()).or_else(|| match (command.as_str(), in_folder(Path::new("playbooks"))) {
            ("up", _) => Some("playbooks/spark.yml".into()),
            (_, only) => <[PathBuf; 1]>::try_from(only).ok().map(|[only]| only),
        });
    match (path.filter(|path| path.is_file()), command.as_str()) {
        (None, "up") => super::shipped::read(),
        (path, _) => Playbook::read(&path?).ok(),
    }
}

/// The inventory that the line names; else the usual one is looked for.
fn inventory() -> Option<PathBuf> {
    line().and_then(|(_, matches)| matches.try_get_one::<PathBuf>("inventory").ok().flatten().cloned())
}

/// The command that is being typed, as far as it can be understood: it is behind the first `--`, as the shell has it.
fn line() -> Option<(String, ArgMatches)> {
    let words = env::args_os().skip_while(|word| word != "--").skip(1);
    let matches = Skep::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    let (command, matches) = matches.subcommand()?;
    Some((command.to_owned(), matches.clone()))
}
