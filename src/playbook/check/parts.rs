//! Parts of what the language itself defines: `facts.cores`, `groups.workers`, `seen.stdout`. Which there are is known beforehand.

use std::collections::BTreeSet;

use crate::expr;
use crate::playbook::facts::FACTS;
use crate::playbook::scope::Held;
use crate::playbook::texts::Text;
use crate::playbook::{Scope, Step, registered};
use crate::yaml::{At, Error};

/// The parts that the step's templates ask for and that there are not.
pub(super) fn missing(step: &Step, scope: &Scope, registered: &BTreeSet<&str>) -> Vec<Error> {
    let named = scope.names();
    let is_registered = |root: &str| registered.contains(root) && !named.iter().any(|name| name == root);
    let wrong = |(path, at): (String, At)| {
        let mut parts = path.split('.');
        let (root, part) = (parts.next()?, parts.next()?);
        match root {
            "facts" => unknown("fact", &path, &at, FACTS.iter().map(|fact| fact.name)),
            "groups" => unknown("group", &path, &at, groups(scope).iter().map(String::as_str)),
            root if is_registered(root) || is_lookup(root, scope) => output(root, part, &at),
            _ => None,
        }
    };
    step.all_texts().flat_map(Text::paths).filter_map(wrong).collect()
}

fn unknown<'a>(what: &str, path: &str, at: &At, all: impl Iterator<Item = &'a str>) -> Option<Error> {
    let (all, part): (Vec<&str>, _) = (all.collect(), path.split('.').nth(1)?);
    let error = Error::at(&expr::place_of_name(at, path), format!("there is no {what} `{part}`"));
    let error = error.with_hint(format!("the {what}s are: {}", all.join(", ")));
    (!all.contains(&part)).then(|| error.did_you_mean(part, all))
}

fn groups(scope: &Scope) -> Vec<String> {
    let known = scope.world.inventory.groups.iter().map(|group| group.name.clone());
    ["all", "ungrouped"].map(String::from).into_iter().chain(known.filter(|name| name != "ungrouped")).collect()
}

fn is_lookup(root: &str, scope: &Scope) -> bool {
    scope.extra(root).is_none() && matches!(scope.variable(root), Some(Held::Lookup(_)))
}

/// What a command has left.
fn output(root: &str, part: &str, at: &At) -> Option<Error> {
    let all = registered::PARTS;
    let error =
        Error::at(&expr::place_of_name(at, &format!("{root}.{part}")), format!("`{root}` has no part `{part}`"));
    let error = error.with_hint(format!("it has: {}", all.join(", ")));
    let error = match part {
        "rc" => error.with_hint("an exit code is `.code` here"),
        "stdout_lines" => error.with_hint("`.stdout` is a text; its lines are `.stdout | lines`"),
        "stat" => error.with_hint("what a command prints is `.stdout`"),
        _ => error.did_you_mean(part, all.iter().copied()),
    };
    (!all.contains(&part)).then_some(error)
}
