//! What there is on a host that may be removed.

use std::collections::BTreeSet;

use crate::actions::works_as;
use crate::cli::{Failure, fleet};
use crate::inventory::Host;
use crate::remote::{Command, Session};

/// What was found on a host: ids and names.
#[derive(Debug, Default, PartialEq)]
pub struct Remains {
    /// Containers that skep made.
    pub containers: Vec<Thing>,
    /// Networks of this host that they are on.
    pub networks: Vec<Thing>,
    /// Volumes that they have.
    pub volumes: Vec<Thing>,
    /// Images that they are of, or that skep built.
    pub images: Vec<Thing>,
    /// Containers that somebody else made.
    pub others: Vec<Thing>,
    /// Networks of the swarm, wherever their containers are; only a manager sees them all.
    pub swarm_networks: Vec<Thing>,
    /// Services that skep made, of stacks and of none.
    pub served: Vec<Thing>,
    /// Networks of any stack.
    pub stack_networks: Vec<Thing>,
    /// Volumes on this host of any stack.
    pub stack_volumes: Vec<Thing>,
    services: Vec<Thing>,
    /// Networks of the swarm that services of others are on.
    other_networks: Vec<Thing>,
    /// Secrets that the swarm keeps and skep made.
    pub secrets: Vec<Thing>,
    /// Configs of that kind.
    pub configs: Vec<Thing>,
    /// Folders that playbooks keep their secrets in.
    pub files: Vec<Thing>,
    /// Docker's packages.
    pub packages: Vec<Thing>,
    /// Whether it is in a swarm.
    pub in_swarm: bool,
    /// Whether it may command one.
    pub manager: bool,
    /// Its own id in its swarm; empty where it has none, or cannot tell.
    pub node: String,
    /// The nodes of its swarm, where it is a manager.
    pub nodes: Vec<Thing>,
    /// Whether its swarm said what it runs.
    services_read: bool,
}

/// Something with an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// What removes it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The stack that it is of, where it is of one.
    pub of: String,
}

/// Looks at a host.
///
/// # Errors
/// Its Docker does not answer.
pub async fn look(host: &Host, session: &dyn Session) -> Result<Remains, Failure> {
    let command = Command::sh(include_str!("remains.sh")).by(works_as(host, None, None));
    Ok(read(&fleet::look(session, &command, "what its Docker has").await?.text()))
}

/// Reads its answer: a kind, an id and a name a line.
pub fn read(answer: &str) -> Remains {
    let mut seen = Remains::default();
    let mut local = Vec::new();
    for line in answer.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(kind), Some(id), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        match kind {
            "local" => add(&mut local, Thing::new(id, name)),
            "services" => seen.services_read = true,
            // Who cannot reach the managers says `pending`, and is in the swarm still.
            "is" => (seen.in_swarm, seen.manager) = (!matches!(id, "" | "inactive"), name == "true"),
            "self" => seen.node = id.to_owned(),
            _ => seen.add(kind, id, name),
        }
    }
    let attached = std::mem::take(&mut seen.networks);
    seen.networks = local.into_iter().filter(|network| attached.iter().any(|thing| thing.id == network.id)).collect();
    let (others, has) =
        (std::mem::take(&mut seen.other_networks), |all: &[Thing], id: &str| all.iter().any(|t| t.id == id));
    seen.swarm_networks.retain(|net| net.name != "ingress" && has(&attached, &net.id) && !has(&others, &net.id));
    seen
}

fn add(things: &mut Vec<Thing>, thing: Thing) {
    if !things.iter().any(|known| known.id == thing.id) {
        things.push(thing);
    }
}

impl Thing {
    fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.trim_start_matches('/').to_owned(), of: String::new() }
    }

    /// `STACK NAME`.
    fn of_stack(id: &str, names: &str) -> Self {
        let (stack, name) = names.split_once(' ').unwrap_or(("", names));
        Self { of: stack.to_owned(), ..Self::new(id, name) }
    }
}

impl Remains {
    fn add(&mut self, kind: &str, id: &str, name: &str) {
        let plain = match kind {
            "container" => &mut self.containers,
            "other" => &mut self.others,
            "image" => &mut self.images,
            "volume" => &mut self.volumes,
            "network" => &mut self.networks,
            "swarm" => &mut self.swarm_networks,
            "files" => &mut self.files,
            "service" => &mut self.services,
            "othernet" => &mut self.other_networks,
            "secret" => &mut self.secrets,
            "config" => &mut self.configs,
            "package" => &mut self.packages,
            "node" => &mut self.nodes,
            "stacked" => return add(&mut self.served, Thing::of_stack(id, name)),
            "served" => &mut self.served,
            "stacknet" => return add(&mut self.stack_networks, Thing::of_stack(id, name)),
            "stackvolume" => return add(&mut self.stack_volumes, Thing::of_stack(id, name)),
            _ => return,
        };
        add(plain, Thing::new(id, name));
    }

    /// Services that the swarm runs on: those that somebody else made, and ours unless they go.
    pub fn serves(&self, ours_go: bool) -> impl Iterator<Item = &str> {
        let stay = self.served.iter().filter(move |_| !ours_go);
        self.services.iter().chain(stay).map(|service| service.name.as_str())
    }

    /// The stacks that skep deployed.
    pub fn stacks(&self) -> impl Iterator<Item = &str> {
        self.served.iter().map(|service| service.of.as_str()).filter(|stack| !stack.is_empty())
    }

    /// Whether these are all the services that the swarm runs.
    pub fn knows_services(&self) -> bool {
        self.services_read
    }

    /// Whether it is a manager, even one that commands nothing for want of others.
    pub fn manages(&self) -> bool {
        self.in_swarm && self.manager
    }

    /// Whether its node is one of these. Nobody knows better where there are none, or where it cannot tell its own.
    pub fn is_of(&self, nodes: &BTreeSet<String>) -> bool {
        nodes.is_empty() || self.node.is_empty() || nodes.contains(&self.node)
    }

    /// Whether it is in a swarm.
    pub fn is_in_swarm(&self) -> bool {
        self.in_swarm
    }
}
