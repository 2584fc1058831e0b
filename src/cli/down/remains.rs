//! What there is to remove on a host, and the commands that do.

use crate::actions::works_as;
use crate::cli::{Failure, fleet};
use crate::event::Event;
use crate::inventory::Host;
use crate::remote::{Command, Session};

/// The stages of the way back, in their order: id and name.
pub const STAGES: [(&str, &str); 7] = [
    ("containers", "The containers are removed"),
    ("networks", "Their networks are removed"),
    ("workers", "The workers leave the swarm"),
    ("managers", "The managers leave the swarm"),
    ("volumes", "The volumes are removed"),
    ("images", "The images are removed"),
    ("files", "The secrets are removed"),
];

/// One thing to remove.
#[derive(Debug)]
pub struct Removal {
    /// When, as an index into [`STAGES`].
    pub stage: usize,
    /// What goes.
    pub why: String,
    /// The command, which names what was read by its id.
    pub command: Command,
}

impl Removal {
    fn new(stage: usize, why: impl Into<String>, command: Command) -> Self {
        Self { stage, why: why.into(), command }
    }

    /// The event that shows it.
    pub fn event(&self, host: &str) -> Event {
        Event::Change {
            step: STAGES[self.stage].0.into(),
            host: host.into(),
            on: None,
            why: self.why.clone(),
            command: self.command.masked(),
            differs: vec![],
            diff: None,
            after: None,
            removes: true,
        }
    }
}

/// What was found on a host: ids and names.
#[derive(Debug, Default, PartialEq)]
pub struct Remains {
    containers: Vec<Thing>,
    networks: Vec<Thing>,
    volumes: Vec<Thing>,
    images: Vec<Thing>,
    /// Networks of the swarm, wherever their containers are; only a manager sees them all.
    swarm_networks: Vec<Thing>,
    services: Vec<Thing>,
    /// Folders that playbooks keep their secrets in.
    files: Vec<Thing>,
    in_swarm: bool,
    manager: bool,
    /// Whether its swarm said what it runs.
    services_read: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Thing {
    id: String,
    name: String,
}

/// Looks at a host.
///
/// # Errors
/// Its Docker does not answer.
pub async fn look(host: &Host, session: &dyn Session) -> Result<Remains, Failure> {
    let command = Command::sh(include_str!("remains.sh")).by(works_as(host, None, None));
    Ok(read(&fleet::look(session, &command, "what its Docker has").await?.text()))
}

fn read(answer: &str) -> Remains {
    let mut seen = Remains::default();
    let mut local = Vec::new();
    for line in answer.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(kind), Some(id), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        let thing = Thing { id: id.to_owned(), name: name.trim_start_matches('/').to_owned() };
        match kind {
            "container" => add(&mut seen.containers, thing),
            "image" => add(&mut seen.images, thing),
            "volume" => add(&mut seen.volumes, thing),
            "network" => add(&mut seen.networks, thing),
            "local" => add(&mut local, thing),
            "swarm" => add(&mut seen.swarm_networks, thing),
            "files" => add(&mut seen.files, thing),
            "service" => add(&mut seen.services, thing),
            "services" => seen.services_read = true,
            "is" => (seen.in_swarm, seen.manager) = (id == "active", name == "true"),
            _ => {}
        }
    }
    let attached = std::mem::take(&mut seen.networks);
    seen.networks = local.into_iter().filter(|network| attached.iter().any(|thing| thing.id == network.id)).collect();
    seen.swarm_networks
        .retain(|network| network.name != "ingress" && attached.iter().any(|thing| thing.id == network.id));
    seen
}

fn add(things: &mut Vec<Thing>, thing: Thing) {
    if !things.iter().any(|known| known.id == thing.id) {
        things.push(thing);
    }
}

impl Remains {
    /// Services that somebody runs in the swarm: not ours to take away.
    pub fn services(&self) -> Vec<&str> {
        self.services.iter().map(|service| service.name.as_str()).collect()
    }

    /// Whether [`Remains::services`] are all that the swarm runs.
    pub fn knows_services(&self) -> bool {
        self.services_read
    }

    /// Whether it is a manager, even one that commands nothing for want of others.
    pub fn manages(&self) -> bool {
        self.in_swarm && self.manager
    }

    /// Whether it is in a swarm.
    pub fn is_in_swarm(&self) -> bool {
        self.in_swarm
    }

    /// What goes from this host. `leave` says whether the swarm goes too.
    pub fn removals(&self, leave: bool, volumes: bool, images: bool) -> Vec<Removal> {
        let docker = |words: &[&str], thing: &Thing| Command::new("docker").args(words.iter().copied()).arg(&thing.id);
        let mut removals: Vec<_> = self
            .containers
            .iter()
            .map(|thing| Removal::new(0, format!("container {}", thing.name), docker(&["rm", "--force"], thing)))
            .collect();
        let ours = self.swarm_networks.iter().filter(|_| self.manager);
        removals.extend(
            self.networks
                .iter()
                .chain(ours)
                .map(|thing| Removal::new(1, format!("network {}", thing.name), docker(&["network", "rm"], thing))),
        );
        if self.in_swarm && leave {
            let stage = if self.manager { 3 } else { 2 };
            let command = Command::new("docker").args(["swarm", "leave", "--force"]);
            removals.push(Removal::new(stage, "membership in the swarm", command));
        }
        removals.extend(self.volumes.iter().filter(|_| volumes).map(|thing| {
            Removal::new(4, format!("volume {} and its data", thing.name), docker(&["volume", "rm"], thing))
        }));
        removals.extend(
            self.images.iter().filter(|_| images).map(|thing| {
                Removal::new(5, format!("image {}", thing.name), docker(&["image", "rm", "--force"], thing))
            }),
        );
        removals.extend(self.files.iter().map(|thing| {
            let command = Command::new("rm").args(["-rf", "--"]).arg(&thing.id);
            Removal::new(6, format!("{}, with the secrets made up for the cluster", thing.id), command)
        }));
        removals
    }

    /// What stays, by name, where it is not removed too.
    pub fn stays(&self, volumes: bool, images: bool) -> Vec<String> {
        let named = |kind: &str, things: &[Thing], goes: bool| match things {
            things if goes || things.is_empty() => None,
            things => {
                let names: Vec<_> = things.iter().map(|thing| thing.name.as_str()).collect();
                // Images that a later build took the name from go with the others, and mean nothing to people.
                let names: Vec<_> = names.into_iter().filter(|name| *name != "<none>:<none>").collect();
                Some(format!("{kind} {}", names.join(" ")))
            }
        };
        [named("volumes", &self.volumes, volumes), named("images", &self.images, images)]
            .into_iter()
            .flatten()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGER: &str = "\
container c1 /spark-master
image sha256:i1 skep/spark_master:4.1.4
volume v1 v1
network n1 sparknet
network n0 bridge
container c2 /other
image sha256:i1 skep/spark_master:4.1.4
network n2 own
swarm n1 sparknet
swarm n9 ingress
local n2 own
local n3 docker_gwbridge
files /etc/skep /etc/skep
is active true";

    fn told(answer: &str, volumes: bool, images: bool) -> Vec<String> {
        let removals = read(answer).removals(true, volumes, images);
        removals.iter().map(|removal| format!("{} {}", STAGES[removal.stage].0, removal.command)).collect()
    }

    #[test]
    fn what_goes_is_named_by_its_id() {
        let expected = [
            "containers docker rm --force c1",
            "containers docker rm --force c2",
            "networks docker network rm n2",
            "networks docker network rm n1",
            "managers docker swarm leave --force",
            "files rm -rf -- /etc/skep",
        ];
        assert_eq!(told(MANAGER, false, false), expected);
        assert_eq!(read(MANAGER).stays(false, false), ["volumes v1", "images skep/spark_master:4.1.4"]);
        assert_eq!(read(MANAGER).stays(true, true), [] as [&str; 0]);
    }

    #[test]
    fn data_and_images_go_only_when_named() {
        let told = told(MANAGER, true, true);
        assert_eq!(told[5..7], ["volumes docker volume rm v1", "images docker image rm --force sha256:i1"]);
    }

    #[test]
    fn a_worker_leaves_networks_of_the_swarm_to_a_manager() {
        let worker = MANAGER.replace("active true", "active false");
        let told = told(&worker, false, false);
        assert_eq!(
            told[2..],
            ["networks docker network rm n2", "workers docker swarm leave --force", "files rm -rf -- /etc/skep"]
        );
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert_eq!(read(""), Remains::default());
        assert_eq!(read("is inactive false").removals(true, true, true).len(), 0);
        assert_eq!(read("is active true\nservice s1 shop").removals(false, true, true).len(), 0);
    }
}
