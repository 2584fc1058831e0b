//! What goes from a host, and the commands that take it away: a pure function of what was seen.

use std::collections::BTreeSet;

use clap::Args;

use super::remains::{Remains, Thing};
use super::swarm::Swarm;
use crate::actions::end_services;
use crate::event::Event;
use crate::remote::Command;

/// The stages of the way back, in their order: id and name.
pub const STAGES: [(&str, &str); 9] = [
    ("stacks", "The stacks and services are removed"),
    ("containers", "The containers are removed"),
    ("networks", "Their networks, secrets and configs are removed"),
    ("workers", "The workers leave the swarm"),
    ("managers", "The managers leave the swarm"),
    ("volumes", "The volumes are removed"),
    ("images", "The images are removed"),
    ("files", "The secrets in files are removed"),
    ("docker", "Docker is removed"),
];

/// The stages in which things of the swarm go, by any one of its managers.
pub const ONCE: [usize; 2] = [0, 2];

/// What leaves a swarm, as it is shown.
const LEAVE: &str =
    "docker swarm leave --force && docker ps -aq --filter label=com.docker.swarm.task.id | xargs -r docker rm -f";

/// Removes the containers of tasks that a host has left its swarm with: the engine removes some itself, a moment later, and nobody
/// the others.
const ORPHANS: &str = r#"
for i in $(seq 20); do
    left=$(docker ps -aq --filter label=com.docker.swarm.task.id) || exit
    [ -n "$left" ] || exit 0
    docker rm -f $left >/dev/null 2>&1
    sleep 0.5
done
echo "of the swarm's tasks are left:" $left >&2
exit 1
"#;

/// What goes only when it is named.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Also {
    /// Also remove the volumes of the containers and stacks, and the data in them
    #[arg(long)]
    pub volumes: bool,
    /// Also remove the images of the containers, and those that skep built
    #[arg(long)]
    pub images: bool,
    /// Also remove Docker's packages; with --volumes all that Docker keeps on the host, whoever made it
    #[arg(long)]
    pub docker: bool,
}

impl Also {
    /// As it is typed.
    pub fn flags(self) -> impl Iterator<Item = &'static str> {
        let all = [("--volumes", self.volumes), ("--images", self.images), ("--docker", self.docker)];
        all.into_iter().filter(|(_, said)| *said).map(|(flag, _)| flag)
    }
}

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

    /// Whether what comes after it on its host wants it done: an engine's data are nobody's only once it is gone.
    pub fn precedes(&self) -> bool {
        self.stage == STAGES.len() - 1
    }

    /// Whether the next run finds it no more once the containers and services are gone that led to it.
    pub fn is_forgotten(&self) -> bool {
        [2, 5, 6].contains(&self.stage) || self.precedes()
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

fn docker(words: &[&str], thing: &Thing) -> Command {
    Command::new("docker").args(words.iter().copied()).arg(&thing.id)
}

/// A container ends in its own time, for its volumes may stay; and one that does not end goes, too.
fn container(thing: &Thing) -> Removal {
    let command = docker(&["stop"], thing).syntax(">/dev/null; docker").args(["rm", "--force", &thing.id]);
    Removal::new(1, format!("container {}", thing.name), command)
}

impl Remains {
    /// What goes from this host, of the `stacks` too, given what becomes of the swarm. What is the swarm's own is on other hosts, too.
    pub fn removals(&self, stacks: &BTreeSet<String>, swarm: &Swarm, also: Also) -> Vec<Removal> {
        let leave = matches!(swarm, Swarm::Goes { nodes, .. } if self.is_of(nodes));
        let is_shared = matches!(swarm, Swarm::Shared(_));
        let volume = |thing: &Thing| {
            Removal::new(5, format!("volume {} and its data", thing.name), docker(&["volume", "rm"], thing))
        };
        let image = |thing: &Thing| {
            Removal::new(6, format!("image {}", thing.name), docker(&["image", "rm", "--force"], thing))
        };
        let mut removals = if is_shared { Vec::new() } else { self.served() };
        removals.extend(self.containers.iter().map(container));
        removals.extend(
            self.nets(stacks, is_shared)
                .map(|thing| Removal::new(2, format!("network {}", thing.name), docker(&["network", "rm"], thing))),
        );
        removals.extend(self.kept().filter(|_| matches!(swarm, Swarm::Serves(_)) && self.manager));
        removals.extend((self.in_swarm && leave).then(|| self.leave()));
        // A swarm that stays has services that stay, and they their data and images.
        let data = self.data(stacks).filter(|thing| !is_shared || self.volumes.contains(thing));
        removals.extend(data.filter(|_| also.volumes).map(volume));
        removals.extend(self.images.iter().filter(|_| also.images && !is_shared).map(image));
        removals.extend(self.files.iter().map(|thing| {
            let command = Command::new("rm").args(["-rf", "--"]).arg(&thing.id);
            Removal::new(7, format!("{}, with the secrets made up for the cluster", thing.id), command)
        }));
        // An engine that serves a swarm of others is not taken away under them.
        if also.docker && (leave || !self.in_swarm) {
            removals.extend(self.engine(also.volumes));
        }
        removals
    }

    /// The services of each stack at once, and those of none, and the end of their tasks: networks are in use until then.
    fn served(&self) -> Vec<Removal> {
        let stacks: BTreeSet<&str> = self.served.iter().map(|thing| thing.of.as_str()).collect();
        let removal = |stack: &str| {
            let services = self.served.iter().filter(|thing| thing.of == stack);
            let (ids, names): (Vec<_>, Vec<_>) = services.map(|one| (&*one.id, &*one.name)).unzip();
            let of = if stack.is_empty() { String::new() } else { format!("stack {stack}: ") };
            Removal::new(0, format!("{of}services {}", names.join(" ")), end_services(&ids))
        };
        stacks.into_iter().map(removal).collect()
    }

    /// Networks that nobody else is on; those of the swarm are a manager's to remove.
    fn nets<'a>(&'a self, stacks: &'a BTreeSet<String>, is_shared: bool) -> impl Iterator<Item = &'a Thing> {
        let of_stacks = self.stack_networks.iter().filter(|thing| stacks.contains(&thing.of));
        let known = |thing: &&Thing| !self.swarm_networks.iter().any(|other| other.id == thing.id);
        let ours =
            self.swarm_networks.iter().chain(of_stacks.filter(known)).filter(move |_| self.manager && !is_shared);
        self.networks.iter().chain(ours)
    }

    /// What skep had the swarm keep: it goes with a swarm that goes, and by name from one that stays.
    fn kept(&self) -> impl Iterator<Item = Removal> {
        let kinds = [("secret", &self.secrets), ("config", &self.configs)];
        kinds.into_iter().flat_map(|(kind, things)| {
            let removal =
                move |thing: &Thing| Removal::new(2, format!("{kind} {}", thing.name), docker(&[kind, "rm"], thing));
            things.iter().map(removal)
        })
    }

    fn data<'a>(&'a self, stacks: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Thing> {
        self.volumes.iter().chain(self.stack_volumes.iter().filter(|thing| stacks.contains(&thing.of)))
    }

    fn leave(&self) -> Removal {
        let stage = if self.manager { 4 } else { 3 };
        let why = "membership in the swarm, and what the swarm keeps: secrets, configs";
        Removal::new(stage, why, Command::sh(format!("docker swarm leave --force && {{ {ORPHANS} }}")).shown_as(LEAVE))
    }

    /// Removed and not purged: a purge of some packages takes the data along.
    fn engine(&self, data: bool) -> Vec<Removal> {
        if self.packages.is_empty() {
            return Vec::new();
        }
        let names: Vec<&str> = self.packages.iter().map(|thing| thing.name.as_str()).collect();
        let apt = "apt-get -y -o DPkg::Lock::Timeout=300 remove --allow-change-held-packages";
        let line =
            format!("apt-mark unhold {0} >/dev/null && DEBIAN_FRONTEND=noninteractive {apt} {0}", names.join(" "));
        let mut removals = vec![Removal::new(8, format!("Docker{}", self.others()), Command::sh(line))];
        if data {
            let command = Command::new("rm").args(["-rf", "--", "/var/lib/docker", "/var/lib/containerd"]);
            let why = "all that Docker kept on this host, whoever made it: images, volumes, containers";
            removals.push(Removal::new(8, why, command));
        }
        removals
    }

    fn others(&self) -> String {
        let others: Vec<_> = self.others.iter().map(|thing| thing.name.as_str()).collect();
        if others.is_empty() { String::new() } else { format!(", and with it what others run: {}", others.join(" ")) }
    }

    /// What stays, by name, where it is not removed too.
    pub fn stays(&self, stacks: &BTreeSet<String>, also: Also) -> Vec<String> {
        let volumes: Vec<_> = self.data(stacks).filter(|_| !also.volumes).map(|thing| thing.name.as_str()).collect();
        // Images that a later build took the name from go with the others, and mean nothing to people.
        let images = self.images.iter().filter(|thing| !also.images && thing.name != "<none>:<none>");
        let images: Vec<_> = images.map(|thing| thing.name.as_str()).collect();
        let named = |kind: &str, names: Vec<&str>| (!names.is_empty()).then(|| format!("{kind} {}", names.join(" ")));
        [named("volumes", volumes), named("images", images)].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::remains::read;
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

    const DATA: Also = Also { volumes: true, images: true, docker: false };

    fn goes(nodes: &[&str]) -> Swarm {
        Swarm::Goes {
            nodes: nodes.iter().map(|&id| id.to_owned()).collect(),
            strangers: Vec::new(),
            left_behind: Vec::new(),
        }
    }

    fn told(answer: &str, also: Also) -> Vec<String> {
        let seen = read(answer);
        let stacks = seen.stacks().map(str::to_owned).collect();
        let removals = seen.removals(&stacks, &goes(&[]), also);
        removals.iter().map(|removal| format!("{} {}", STAGES[removal.stage].0, removal.command)).collect()
    }

    #[test]
    fn what_goes_is_named_by_its_id() {
        let expected = [
            "containers docker stop c1 >/dev/null; docker rm --force c1",
            "containers docker stop c2 >/dev/null; docker rm --force c2",
            "networks docker network rm n2",
            "networks docker network rm n1",
            &format!("managers {LEAVE}"),
            "files rm -rf -- /etc/skep",
        ];
        assert_eq!(told(MANAGER, Also::default()), expected);
        let none = BTreeSet::new();
        assert_eq!(read(MANAGER).stays(&none, Also::default()), ["volumes v1", "images skep/spark_master:4.1.4"]);
        assert_eq!(read(MANAGER).stays(&none, DATA), [] as [&str; 0]);
    }

    #[test]
    fn data_and_images_go_only_when_named() {
        let told = told(MANAGER, DATA);
        assert_eq!(told[5..7], ["volumes docker volume rm v1", "images docker image rm --force sha256:i1"]);
    }

    #[test]
    fn a_worker_leaves_networks_of_the_swarm_to_a_manager() {
        let worker = MANAGER.replace("active true", "active false");
        let told = told(&worker, Also::default());
        assert_eq!(
            told[2..],
            ["networks docker network rm n2", &format!("workers {LEAVE}"), "files rm -rf -- /etc/skep"]
        );
    }

    /// As engines say it that were restarted meanwhile.
    #[test]
    fn who_has_lost_the_managers_is_in_the_swarm_still() {
        for (answer, stage) in
            [("is pending false", "workers"), ("is pending true", "managers"), ("is error false", "workers")]
        {
            let told = told(answer, Also::default());
            assert_eq!(told, [format!("{stage} {LEAVE}")], "{answer}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert_eq!(read(""), Remains::default());
        let all = Also { docker: true, ..DATA };
        assert_eq!(read("is inactive false").removals(&BTreeSet::new(), &goes(&[]), all).len(), 0);
        assert_eq!(read("is active true\nservice s1 shop").removals(&BTreeSet::new(), &Swarm::Unknown, all).len(), 0);
    }

    const STACKS: &str = "\
stacked s1 spark spark_master
stacked s2 spark spark_driver
stacked s3 web web_app
served s5 alone
service s9 shop
stacknet n1 spark spark_net
stacknet n9 others others_net
stackvolume spark_data spark spark_data
stackvolume others_data others others_data
package docker.io docker.io
package containerd containerd
other c9 somebodys
is active true
services read whole";

    #[test]
    fn a_stack_goes_by_the_ids_of_its_services_and_its_volumes_only_when_named() {
        let told = told(STACKS, Also { volumes: true, ..Also::default() });
        let expected = [
            "stacks docker service rm s5",
            "stacks docker service rm s1 s2",
            "stacks docker service rm s3",
            "networks docker network rm n1",
            &format!("managers {LEAVE}"),
            "volumes docker volume rm spark_data",
        ];
        assert_eq!(told, expected, "what is of a stack that skep did not deploy stays");
        let serves = |go| read(STACKS).serves(go).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(serves(true), ["shop"]);
        assert_eq!(serves(false), ["shop", "spark_master", "spark_driver", "web_app", "alone"]);
    }

    /// A worker of somebody else's, whose managers are in no inventory of ours.
    #[test]
    fn a_node_of_another_swarm_is_left_in_it() {
        let left = |nodes: &[&str]| {
            let seen = read("is active false\nself id9 self");
            !seen.removals(&BTreeSet::new(), &goes(nodes), Also::default()).is_empty()
        };
        assert_eq!((left(&["id1", "id9"]), left(&["id1", "id2"]), left(&[])), (true, false, true));
    }

    #[test]
    fn what_is_the_swarms_stays_where_hosts_are_in_it_that_stay() {
        let shared = Swarm::Shared(vec!["node2".into()]);
        let told = |answer: &str| {
            let removals = read(answer).removals(&["spark".to_owned()].into(), &shared, DATA).into_iter();
            removals.map(|removal| removal.command.masked()).collect::<Vec<_>>()
        };
        assert_eq!(told(STACKS), [] as [&str; 0]);
        let own = [
            "docker stop c1 >/dev/null; docker rm --force c1",
            "docker stop c2 >/dev/null; docker rm --force c2",
            "docker network rm n2",
            "docker volume rm v1",
            "rm -rf -- /etc/skep",
        ];
        assert_eq!(told(MANAGER), own);
    }

    /// In a swarm that stays with services of others.
    #[test]
    fn what_the_swarm_keeps_of_ours_goes_where_it_stays() {
        let answer = "swarm n1 ours\nswarm n2 both\nswarm n3 theirs\nserved s1 web\nnetwork n1 of\nnetwork n2 of\n\
            service s9 shop\nothernet n2 of\nothernet n3 of\nsecret x1 pass\nconfig y1 words\nis active true";
        let told = |swarm: &Swarm| {
            let removals = read(answer).removals(&BTreeSet::new(), swarm, DATA).into_iter();
            removals.filter(|one| one.stage == 2).map(|one| one.command.masked()).collect::<Vec<_>>()
        };
        let expected = ["docker network rm n1", "docker secret rm x1", "docker config rm y1"];
        assert_eq!(told(&Swarm::Serves(vec!["shop".into()])), expected);
        assert_eq!(told(&goes(&[])), expected[..1], "they go with it");
    }

    #[test]
    fn docker_goes_last_names_whom_it_takes_along_and_its_data_only_when_named() {
        let docker = |volumes, leave: bool| {
            let swarm = if leave { goes(&[]) } else { Swarm::Unknown };
            let also = Also { volumes, images: false, docker: true };
            let removals = read(STACKS).removals(&BTreeSet::new(), &swarm, also).into_iter();
            removals.filter(|one| one.stage == STAGES.len() - 1).map(|one| (one.why, one.command.wire())).collect()
        };
        let told: Vec<(String, String)> = docker(false, true);
        assert!(told.len() == 1 && told[0].0.ends_with("what others run: somebodys"), "{told:?}");
        assert!(told[0].1.starts_with("apt-mark unhold docker.io containerd "), "{told:?}");
        let told: Vec<(String, String)> = docker(true, true);
        assert!(told.len() == 2 && told[1].1 == "rm -rf -- /var/lib/docker /var/lib/containerd", "{told:?}");
        assert_eq!(docker(true, false), [], "not while it serves a swarm that stays");
    }
}
