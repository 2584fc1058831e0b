//! What Docker knows on a host. However many objects are asked for, one host answers them all with one call of `curl` to the
//! engine's socket (about 10 ms an object, where the `docker` command takes 50), or through the command where there is no curl.
//!
//! `Absent` is told from lists that were read whole (`GET /containers/json?all=1`) or from there being no Docker at all,
//! never from a 404 alone: an engine that is down or a socket that is denied is [`Seen::Unread`].

mod answers;
mod container;
mod containers;
mod engine;
mod image;
mod kept;
mod network;
mod node_tasks;
mod nodes;
mod script;
pub mod service;
mod services;
mod stack;
#[cfg(test)]
mod tests;
mod volume;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub use container::*;
pub use containers::Listed;
pub use engine::{Cluster, Engine, Flavour, Info, Member, Swarm};
pub use image::{Image, Layers, is_image, normal_reference};
pub use kept::{Kept, Use};
pub use network::{Network, Subnet, User};
pub use node_tasks::NodeTask;
pub use nodes::Node;
pub use service::OneService;
pub use services::Serving;
pub use stack::{Remains, Restart, Service, Stack, Task};
pub use volume::Volume;

use super::{Part, Read, Readings, Seen, Value};
use crate::remote::Output;
use answers::Answers;

/// One thing to look at through a host's Docker engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// The engine itself, and what it says about the swarm.
    Engine,
    /// A container, by name.
    Container(String),
    /// All containers at a glance.
    Containers,
    /// A network, by name. Workers know an overlay only while they use it.
    Network(String),
    /// An image, by reference or id.
    Image(String),
    /// The layers of every image: what need not be carried there.
    Layers,
    /// A volume, by name, with the containers that use it.
    Volume(String),
    /// The secrets of the swarm, but for what is in them. Absent where the host does not control one.
    Secrets,
    /// The configs of the swarm, but for what is in them. Absent where the host does not control one.
    Configs,
    /// Which services use which of them. Absent where the host does not control a swarm.
    Uses,
    /// The nodes of the swarm. Absent where the host does not control one.
    Nodes,
    /// All services at a glance. Absent where the host does not control a swarm.
    Services,
    /// A service, by name, on a host that controls its swarm.
    Service(String),
    /// A stack, by name, on a host that controls its swarm.
    Stack(String),
    /// What else there is of a stack, by its name. Absent where there is nothing.
    Remains(String),
    /// What is or was to run on a node, by its id. Absent where the host does not control a swarm.
    NodeTasks(String),
}

/// What a [`Look`] found; the variant is that of the look.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The engine.
    Engine(Box<Engine>),
    /// A container.
    Container(Box<Container>),
    /// All containers.
    Containers(Vec<Listed>),
    /// A network.
    Network(Network),
    /// An image.
    Image(Image),
    /// All layers.
    Layers(Layers),
    /// A volume.
    Volume(Volume),
    /// All secrets.
    Secrets(Vec<Kept>),
    /// All configs.
    Configs(Vec<Kept>),
    /// What each service uses of them.
    Uses(Vec<Use>),
    /// All nodes.
    Nodes(Vec<Node>),
    /// All services.
    Services(Vec<Serving>),
    /// A service.
    Service(Box<OneService>),
    /// A stack.
    Stack(Box<Stack>),
    /// What else there is of it.
    Remains(Remains),
    /// The tasks of a node.
    NodeTasks(Vec<NodeTask>),
}

/// The one part that answers all looks among the reads.
pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let looks: Vec<Look> = reads.iter().filter_map(look).cloned().collect();
    if looks.is_empty() {
        return Vec::new();
    }
    let script = script::script(&looks);
    vec![Part { script, reads: looks.into_iter().map(Read::Docker).collect(), understand, deadline: 10 }]
}

fn look(read: &Read) -> Option<&Look> {
    match read {
        Read::Docker(look) => Some(look),
        _ => None,
    }
}

fn understand(reads: &[Read], output: &Output) -> Vec<Seen<Value>> {
    let answers = Answers::read(output);
    reads.iter().filter_map(look).map(|look| found(look, &answers).map(Value::Docker)).collect()
}

fn found(look: &Look, answers: &Answers) -> Seen<Found> {
    if let Look::Engine = look {
        return engine::engine(answers).map(|found| Found::Engine(Box::new(found)));
    }
    let info = match engine::usable(answers) {
        Seen::Is(info) => info,
        Seen::Absent => return Seen::Absent,
        Seen::Unread(why) => return Seen::Unread(why),
    };
    match look {
        Look::Engine => Seen::Unread("it was answered above".into()),
        Look::Container(name) => {
            container::container(name, &info, answers).map(|found| Found::Container(Box::new(found)))
        }
        Look::Containers => containers::containers(answers).map(Found::Containers),
        Look::Network(name) => network::network(name, answers).map(Found::Network),
        Look::Image(reference) => image::image(reference, answers).map(Found::Image),
        Look::Layers => image::layers(answers).map(Found::Layers),
        Look::Volume(name) => volume::volume(name, answers).map(Found::Volume),
        Look::Secrets => kept::kept(script::SECRETS, &info, answers).map(Found::Secrets),
        Look::Configs => kept::kept(script::CONFIGS, &info, answers).map(Found::Configs),
        Look::Uses => kept::uses(script::USES, &info, answers).map(Found::Uses),
        Look::Nodes => nodes::nodes(&info, answers).map(Found::Nodes),
        Look::Services => services::services(&info, answers).map(Found::Services),
        Look::Service(name) => service::service(name, &info, answers).map(|found| Found::Service(Box::new(found))),
        Look::Stack(name) => stack::stack(name, &info, answers).map(|found| Found::Stack(Box::new(found))),
        Look::Remains(name) => stack::remains(name, &info, answers).map(Found::Remains),
        Look::NodeTasks(node) => node_tasks::node_tasks(node, &info, answers).map(Found::NodeTasks),
    }
}

/// A value that must not be shown, as something that can only be compared: environment values of containers.
pub fn fingerprint(value: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(value.as_bytes())[..8])
}

/// The same for `NAME=value` lines, by name.
fn fingerprints(lines: &[String]) -> BTreeMap<String, String> {
    let pairs = lines.iter().map(|line| line.split_once('=').unwrap_or((line, "")));
    pairs.map(|(name, value)| (name.to_owned(), fingerprint(value))).collect()
}

macro_rules! accessor {
    ($(#[$doc:meta])* $name:ident($($key:ident)?) -> $variant:ident($type:ty)) => {
        $(#[$doc])*
        pub fn $name(&self, host: &str $(, $key: &str)?) -> Seen<&'a $type> {
            self.value(host, &Read::Docker(Look::$variant $(($key.to_owned()))?), |value| match value {
                Value::Docker(Found::$variant(found)) => Some(found),
                _ => None,
            })
        }
    };
}

impl<'a> Readings<'a> {
    /// The engine of a host: absent where no Docker is installed.
    pub fn engine(&self, host: &str) -> Seen<&'a Engine> {
        self.value(host, &Read::Docker(Look::Engine), |value| match value {
            Value::Docker(Found::Engine(found)) => Some(&**found),
            _ => None,
        })
    }

    /// A container of a host.
    pub fn container(&self, host: &str, name: &str) -> Seen<&'a Container> {
        self.value(host, &Read::Docker(Look::Container(name.into())), |value| match value {
            Value::Docker(Found::Container(found)) => Some(&**found),
            _ => None,
        })
    }
    accessor! {
        /// A network that a host knows.
        network(name) -> Network(Network)
    }
    accessor! {
        /// An image of a host.
        image(reference) -> Image(Image)
    }
    accessor! {
        /// All layers of a host's images.
        layers() -> Layers(Layers)
    }
    accessor! {
        /// A volume of a host.
        volume(name) -> Volume(Volume)
    }
    accessor! {
        /// The swarm's secrets, as a host knows them.
        secrets() -> Secrets(Vec<Kept>)
    }
    accessor! {
        /// The swarm's configs, as a host knows them.
        configs() -> Configs(Vec<Kept>)
    }
    accessor! {
        /// What the swarm's services use of both.
        uses() -> Uses(Vec<Use>)
    }
    accessor! {
        /// The swarm's nodes, as a host knows them.
        nodes() -> Nodes(Vec<Node>)
    }

    accessor! {
        /// All services of the swarm, as a host that controls it knows them.
        services() -> Services(Vec<Serving>)
    }
    accessor! {
        /// What is or was to run on a node.
        node_tasks(node) -> NodeTasks(Vec<NodeTask>)
    }

    accessor! {
        /// What else there is of a stack.
        remains(name) -> Remains(Remains)
    }

    /// A service, as a host that controls its swarm knows it.
    pub fn service(&self, host: &str, name: &str) -> Seen<&'a OneService> {
        self.value(host, &Read::Docker(Look::Service(name.into())), |value| match value {
            Value::Docker(Found::Service(found)) => Some(&**found),
            _ => None,
        })
    }

    /// A stack, as a host that controls its swarm knows it.
    pub fn stack(&self, host: &str, name: &str) -> Seen<&'a Stack> {
        self.value(host, &Read::Docker(Look::Stack(name.into())), |value| match value {
            Value::Docker(Found::Stack(found)) => Some(&**found),
            _ => None,
        })
    }

    /// What the running daemon of a host says of itself: absent where no Docker is installed.
    pub fn daemon(&self, host: &str) -> Seen<&'a Info> {
        match self.engine(host) {
            Seen::Is(engine) => engine.daemon.as_ref(),
            Seen::Absent => Seen::Absent,
            Seen::Unread(why) => Seen::Unread(why),
        }
    }
}
