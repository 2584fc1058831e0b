//! What is sent from this machine must be there.

use std::path::{Path, PathBuf};

use crate::actions::Sent;
use crate::playbook::{Job, Step};
use crate::yaml::{At, Error, Hole, Node};

/// What is not there of all that a job sends. What a template makes of a path may be something else in a run.
pub(super) fn missing(step: &Step, job: &Job, folder: &Path) -> Vec<Error> {
    let (mut gone, mut errors) = (Vec::<PathBuf>::new(), Vec::new());
    for sent in job.action.sends().iter().filter(|sent| !is_made(step, sent)) {
        let path = folder.join(&sent.path);
        // Of what is in a folder that is not there, nothing need be said.
        if let Some(why) = wrong(&path, sent.is_folder).filter(|_| !gone.iter().any(|gone| path.starts_with(gone))) {
            errors.push(Error::at(place(step, sent), why).with_hint(begin(sent)));
            gone.push(path);
        }
    }
    errors
}

fn begin(sent: &Sent) -> &'static str {
    match sent.named_by {
        [_] => "the path begins at the playbook's folder",
        _ => "`dockerfile` begins at `context`, and that at the playbook's folder",
    }
}

fn wrong(path: &Path, is_folder: bool) -> Option<String> {
    let told = path.display();
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() == is_folder => None,
        Ok(_) if is_folder => Some(format!("`{told}` is no folder")),
        Ok(_) => Some(format!("`{told}` is a folder, and a file is wanted here")),
        Err(why) => Some(format!("cannot read `{told}`: {why}")),
    }
}

fn is_made(step: &Step, sent: &Sent) -> bool {
    let made = |node: &Node| node.as_str().is_some_and(|text| Hole::of(text).is_some());
    sent.named_by.iter().filter_map(|key| parameter(step, key)).any(made) || made(&step.params)
}

/// Where the path is said, or the nearest that is said of it.
fn place<'a>(step: &'a Step, sent: &Sent) -> &'a At {
    let mut said = sent.named_by.iter().rev().filter_map(|key| parameter(step, key));
    said.next().map_or(&step.params.at, |node| &node.at)
}

/// `build.context` is `context` in `build`.
fn parameter<'a>(step: &'a Step, key: &str) -> Option<&'a Node> {
    key.split('.').try_fold(&step.params, |node, key| node.get(key))
}
