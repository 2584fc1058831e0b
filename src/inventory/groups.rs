//! How groups stand to each other: who is above whom, and whose word weighs more.

use super::tree::{Draft, Tree};
use crate::yaml::Error;

/// The groups of a tree, each by its place there.
pub(super) struct Groups {
    /// Of each group: itself and those above it, `all` left out, in the order of the tree.
    pub above: Vec<Vec<usize>>,
    /// Of each group: how much its word weighs; `all`'s the least.
    pub rank: Vec<usize>,
}

impl Groups {
    /// Puts them in order: by depth, then by priority, then by name, as Ansible does. Who is his own descendant is a mistake.
    pub fn of(tree: &mut Tree) -> Self {
        let parents = parents(tree);
        let sorted = sorted(tree, &parents);
        let all = place(tree, "all");
        let (mut above, mut depth) = (vec![Vec::new(); parents.len()], vec![0; parents.len()]);
        for index in sorted {
            let mut way: Vec<usize> = parents[index].iter().flat_map(|parent| above[*parent].clone()).collect();
            way.extend((all != Some(index)).then_some(index));
            way.sort_unstable();
            way.dedup();
            above[index] = way;
            let deepest = parents[index].iter().map(|parent| depth[*parent] + 1).max();
            depth[index] = deepest.unwrap_or(usize::from(all != Some(index)));
        }
        Self { above, rank: ranks(tree, &depth) }
    }
}

fn place(tree: &Tree, name: &str) -> Option<usize> {
    tree.groups.iter().position(|group| group.name() == name)
}

fn ranks(tree: &Tree, depth: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..depth.len()).collect();
    order.sort_by_key(|index| (depth[*index], tree.groups[*index].priority, tree.groups[*index].name()));
    let mut rank = vec![0; depth.len()];
    order.into_iter().enumerate().for_each(|(weight, index)| rank[index] = weight);
    rank
}

/// Whose children each group is. `all` is above whoever has nobody else above him.
fn parents(tree: &Tree) -> Vec<Vec<usize>> {
    let mut parents = vec![Vec::new(); tree.groups.len()];
    for (parent, group) in tree.groups.iter().enumerate() {
        group.children.iter().for_each(|(child, _)| parents[*child].push(parent));
    }
    if let Some(all) = place(tree, "all") {
        let orphans = (0..parents.len()).filter(|index| *index != all && parents[*index].is_empty());
        orphans.collect::<Vec<_>>().into_iter().for_each(|index| parents[index].push(all));
    }
    parents
}

/// The groups, parents before children. Those of which nobody can come first go in a circle.
fn sorted(tree: &mut Tree, parents: &[Vec<usize>]) -> Vec<usize> {
    let mut children = vec![Vec::new(); parents.len()];
    for (child, above) in parents.iter().enumerate() {
        above.iter().for_each(|parent| children[*parent].push(child));
    }
    let sorted = peeled(parents, &children);
    let from_below = peeled(&children, parents);
    let is_known = flags(parents.len(), sorted.iter().chain(&from_below));
    let mut told = is_known.clone();
    for start in (0..told.len()).filter(|index| !is_known[*index]) {
        let circle = circle(&children, &is_known, start);
        if circle.iter().any(|index| !told[*index]) {
            circle.iter().for_each(|index| told[*index] = true);
            tree.errors.extend(in_a_circle(&tree.groups, &circle));
        }
    }
    sorted
}

/// A circle that is come to from one that goes in one or leads to one; it begins with the group that was named first.
fn circle(children: &[Vec<usize>], is_known: &[bool], start: usize) -> Vec<usize> {
    let (mut way, mut next) = (Vec::new(), Some(start));
    while let Some(index) = next.filter(|index| !way.contains(index)) {
        way.push(index);
        next = children[index].iter().copied().find(|child| !is_known[*child]);
    }
    let begin = way.iter().position(|index| Some(*index) == next).unwrap_or(way.len());
    let mut circle = way.split_off(begin);
    let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or_default();
    circle.rotate_left(first);
    circle
}

/// Told once, at each place where one of them is put below another.
fn in_a_circle(groups: &[Draft], circle: &[usize]) -> Option<Error> {
    let next = |at: usize| circle[(at + 1) % circle.len()];
    let edge = |at: usize| groups[circle[at]].children.iter().find(|(child, _)| *child == next(at)).map(|(_, at)| at);
    let names: Vec<&str> = (0..=circle.len()).map(|at| groups[circle[at % circle.len()]].name()).collect();
    let below = |at: usize| format!("`{}` is below `{}`", names[at + 1], names[at]);
    let last = circle.len().checked_sub(1)?;
    let error = Error::at(edge(last)?, format!("groups go in a circle: {}", names.join(" → ")));
    let error = error.with_hint(format!("take `{}` out of the `children` of `{}`", names[0], names[last]));
    let others = (0..last).filter_map(|at| Some((edge(at)?, below(at))));
    Some(others.fold(error, |error, (at, label)| error.also(at, label)))
}

/// Takes away, again and again, who has nobody (left) before him.
fn peeled(before: &[Vec<usize>], after: &[Vec<usize>]) -> Vec<usize> {
    let mut open: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut sorted: Vec<usize> = (0..open.len()).filter(|index| open[*index] == 0).collect();
    let mut next = 0;
    while let Some(index) = sorted.get(next).copied() {
        next += 1;
        for follower in &after[index] {
            open[*follower] -= 1;
            sorted.extend((open[*follower] == 0).then_some(*follower));
        }
    }
    sorted
}

fn flags<'a>(count: usize, set: impl Iterator<Item = &'a usize>) -> Vec<bool> {
    let mut flags = vec![false; count];
    set.for_each(|index| flags[*index] = true);
    flags
}
