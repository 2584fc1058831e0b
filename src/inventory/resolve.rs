//! From the tree to hosts: what groups and hosts say, laid over each other.

use std::collections::HashMap;
use std::sync::Arc;

use super::connection::{Keys, Opener};
use super::groups::Groups;
use super::layers::{From, Layer, Setting};
use super::notes::Notes;
use super::render::{Ground, is_template, rendered};
use super::tree::{Draft, Named, Tree};
use super::{Group, Host, Inventory};
use crate::yaml::{Error, Errors, Node, Value};

/// Where hosts are that are in no group.
const UNGROUPED: &str = "ungrouped";

/// Makes the inventory; all mistakes at once. What it takes grows with the hosts and with what is said, and no faster.
pub(super) fn resolve(mut tree: Tree) -> Result<Inventory, Errors> {
    tree.errors.extend(same_names(&tree));
    let groups = Groups::of(&mut tree);
    let within = within(&mut tree, groups.above);
    let said = Said::of(&tree);
    let rank = |index: &usize| groups.rank.get(*index).copied().unwrap_or(usize::MAX);
    let (groups, mut notes) = (members(&tree, &within), Notes::default());
    let all = Group { name: "all".into(), hosts: tree.hosts.iter().map(|host| host.name().to_owned()).collect() };
    let mut ground =
        Ground::new([all].iter().chain(&groups).map(|group| (group.name.clone(), group.hosts.clone())).collect());
    let drafts = tree.hosts.iter().zip(&within).map(|(host, within)| {
        let mut order = within.clone();
        order.sort_by_key(rank);
        let layers = said.layers(host, &order);
        let names: Vec<String> = within.iter().map(|index| tree.groups[*index].name().to_owned()).collect();
        let settings = strongest(&layers);
        notes.host(layers.iter().map(|layer| &**layer));
        (Host { groups: names, layers, ..Host::named(host.name()) }, settings)
    });
    let drafts: Vec<(Host, Vec<Setting>)> = drafts.collect();
    // Templates are rare: without any, nothing need be known for them.
    let is_asked =
        |(_, settings): &(Host, Vec<Setting>)| settings.iter().any(|one| one.key.is_some() && is_template(&one.node));
    if drafts.iter().any(is_asked) {
        drafts.iter().for_each(|(host, settings)| ground.add(&host.name, &host.groups, settings));
    }
    let (ground, mut errors) = (Arc::new(ground), std::mem::take(&mut tree.errors));
    let opener = Opener::new(tree.may_run);
    let mut maker = Maker { ground, opener, errors: &mut errors, notes: &mut notes };
    let made = drafts.into_iter().map(|(host, settings)| Arc::new(maker.made(host, settings)));
    let hosts: Vec<Arc<Host>> = made.collect();
    let mut notes: Vec<Error> = tree.notes.into_iter().chain(notes.told()).collect();
    in_order(&mut errors);
    in_order(&mut notes);
    Errors(errors).or(Inventory::new(hosts, groups, notes))
}

/// As they stand in the files, each once.
fn in_order(errors: &mut Vec<Error>) {
    errors.sort_by_key(|error| error.at.as_ref().map(|at| (at.source.path.clone(), at.start)));
    errors.dedup();
}

fn same_names(tree: &Tree) -> Vec<Error> {
    let groups: HashMap<&str, &Draft> = tree.groups.iter().map(|group| (group.name(), group)).collect();
    let clashes = tree.hosts.iter().filter_map(|host| Some((host, groups.get(host.name())?)));
    let told = clashes.map(|(host, group)| {
        Error::at(&host.name.at, format!("a host and a group are both called `{}`", host.name()))
            .also(&group.name.at, "the group")
            .with_hint("rename one: a pattern could mean either")
    });
    told.collect()
}

/// The groups that each host is in, `all` left out, in the tree's order.
fn within(tree: &mut Tree, above: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut within: Vec<Vec<usize>> = vec![Vec::new(); tree.hosts.len()];
    for (group, above) in tree.groups.iter().zip(&above) {
        group.hosts.iter().for_each(|host| within[*host].extend(above));
    }
    for groups in &mut within {
        groups.sort_unstable();
        groups.dedup();
        ungrouped(tree, groups);
    }
    within
}

/// A host that is in no group is in `ungrouped`, and nobody else is.
fn ungrouped(tree: &mut Tree, groups: &mut Vec<usize>) {
    groups.retain(|group| tree.groups[*group].name() != UNGROUPED);
    if groups.is_empty() {
        let at = crate::yaml::At::made_by("<inventory>");
        groups.push(tree.draft(&Node::new(Value::Str(UNGROUPED.to_owned()), at)));
    }
}

/// What the groups say, each once for all its hosts.
struct Said {
    all: Option<usize>,
    groups: Vec<Arc<Layer>>,
    files: Vec<Arc<Layer>>,
}

impl Said {
    fn of(tree: &Tree) -> Self {
        let layer = |from, settings: &Vec<Setting>| Arc::new(Layer { from, settings: settings.clone() });
        let of_group = |group: &Draft| layer(From::Group(group.name().to_owned()), &group.settings);
        let of_files = |group: &Draft| layer(From::GroupVars(group.name().to_owned()), &group.files);
        let all = tree.groups.iter().position(|group| group.name() == "all");
        Self {
            all,
            groups: tree.groups.iter().map(of_group).collect(),
            files: tree.groups.iter().map(of_files).collect(),
        }
    }

    /// All that is said of a host, from weak to strong: what files say goes over what the inventory itself says.
    fn layers(&self, host: &Named, order: &[usize]) -> Vec<Arc<Layer>> {
        let (all, own) = (self.all.iter(), |from, settings: &Vec<Setting>| Layer { from, settings: settings.clone() });
        let groups = all.clone().chain(order).map(|index| self.groups[*index].clone());
        let files = all.chain(order).map(|index| self.files[*index].clone());
        let own = [own(From::Host, &host.settings), own(From::HostVars, &host.files)].map(Arc::new);
        groups.chain(files).chain(own).filter(|layer| !layer.settings.is_empty()).collect()
    }
}

/// The groups with their hosts, those without any included.
fn members(tree: &Tree, within: &[Vec<usize>]) -> Vec<Group> {
    let empty = |group: &Draft| Group { name: group.name().to_owned(), hosts: Vec::new() };
    let mut groups: Vec<Group> = tree.groups.iter().map(empty).collect();
    for (host, within) in tree.hosts.iter().zip(within) {
        within.iter().for_each(|index| groups[*index].hosts.push(host.name().to_owned()));
    }
    groups.retain(|group| group.name != "all");
    groups
}

/// Makes hosts of what is said of them.
struct Maker<'a> {
    ground: Arc<Ground>,
    opener: Opener,
    errors: &'a mut Vec<Error>,
    notes: &'a mut Notes,
}

impl Maker<'_> {
    /// One host, of the strongest of all that is said of it. What is called as Ansible calls it may also be asked for by that
    /// name.
    fn made(&mut self, host: Host, settings: Vec<Setting>) -> Host {
        let is_variable = |setting: &&Setting| {
            setting.key.is_none() || (setting.name.starts_with("ansible_") && !setting.is_secret())
        };
        let vars =
            settings.iter().filter(is_variable).map(|setting| (setting.name.clone(), setting.node.clone())).collect();
        let render = |node: &Node| rendered(&self.ground, &host.name, node);
        let (opener, errors, notes) = (&self.opener, &mut *self.errors, &mut *self.notes);
        let reached = Keys { settings, render: &render, opener, errors, notes }.host(&host.name);
        Host { groups: host.groups, layers: host.layers, vars, ..reached }
    }
}

/// The strongest of what sets the same, in the order in which it was first said.
pub(super) fn strongest(layers: &[Arc<Layer>]) -> Vec<Setting> {
    let (mut places, mut all): (HashMap<_, usize>, Vec<&Setting>) = (HashMap::new(), Vec::new());
    for setting in layers.iter().flat_map(|layer| &layer.settings) {
        match places.insert((setting.key.is_some(), setting.meaning()), all.len()) {
            Some(known) => {
                all[known] = setting;
                places.insert((setting.key.is_some(), setting.meaning()), known);
            }
            None => all.push(setting),
        }
    }
    all.into_iter().cloned().collect()
}
