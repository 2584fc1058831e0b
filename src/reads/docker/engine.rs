//! The engine of a host, and what it says about the swarm that the host is in.

use serde::Deserialize;
use serde_json::Value as Json;

use super::answers::Answers;
use super::script::INFO;
use crate::reads::Seen;

/// What is installed as Docker, and whether it works.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// Where the `docker` command really is, links followed; empty where there is only a socket.
    pub binary: String,
    /// What it is.
    pub flavour: Flavour,
    /// What the daemon says of itself; [`Seen::Unread`] says why it does not answer.
    pub daemon: Seen<Info>,
}

/// What calls itself Docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Docker, from packages.
    Docker,
    /// Ubuntu's snap: confined, it sees neither `/var/tmp` nor the daemon settings of `/etc/docker`.
    Snap,
    /// `podman-docker`: another program under the same name, without swarms.
    Podman,
    /// A daemon that runs without root: overlay networks do not work across hosts.
    Rootless,
}

/// `docker info`, as far as it decides anything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// The engine's own id. Clones of a machine share it.
    #[serde(rename = "ID")]
    pub id: String,
    /// The version of the daemon.
    pub server_version: String,
    /// How it stores images and containers: `overlay2`, `overlayfs`.
    pub driver: String,
    driver_status: Option<Vec<Vec<String>>>,
    /// Where it keeps its data.
    pub docker_root_dir: String,
    /// The machine's architecture as the kernel names it: `x86_64`.
    pub architecture: String,
    /// The host's name as the engine knows it.
    pub name: String,
    /// Processors.
    #[serde(rename = "NCPU")]
    pub cpus: u64,
    /// Bytes of memory.
    pub mem_total: u64,
    /// The host's clock, as RFC 3339.
    pub system_time: String,
    /// Whether containers outlive the daemon; such a daemon cannot be in a swarm.
    pub live_restore_enabled: bool,
    security_options: Option<Vec<String>>,
    /// The swarm this host is in, as it sees it.
    pub swarm: Swarm,
}

/// The swarm as one host sees it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Swarm {
    /// This host's node id; empty in no swarm.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// The address it advertises.
    pub node_addr: String,
    /// `inactive`, `pending`, `active`, `error` or `locked`.
    pub local_node_state: String,
    /// Whether it is a manager and the managers have a quorum.
    pub control_available: bool,
    /// Why the state is `error` or `pending`.
    pub error: String,
    /// The managers it knows.
    pub remote_managers: Option<Vec<Member>>,
    /// The cluster; managers know it, workers do not.
    pub cluster: Option<Cluster>,
}

/// A manager that a node knows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Member {
    /// Its node id.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// Its address and port.
    pub addr: String,
}

/// What managers know of their swarm.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cluster {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Where overlay networks take their subnets from.
    pub default_addr_pool: Option<Vec<String>>,
    /// The prefix length of each.
    pub subnet_size: Option<u8>,
    /// The UDP port of the data path.
    pub data_path_port: Option<u16>,
}

impl Info {
    /// Whether images live in containerd's store: layers left out of an archive are missed there.
    pub fn containerd_store(&self) -> bool {
        self.driver_status.iter().flatten().flatten().any(|value| value.starts_with("io.containerd.snapshotter"))
    }

    fn rootless(&self) -> bool {
        self.security_options.iter().flatten().any(|option| option == "name=rootless")
    }
}

impl Swarm {
    /// Whether the host is in no swarm, nor on its way into one.
    pub fn inactive(&self) -> bool {
        self.local_node_state == "inactive" || self.local_node_state.is_empty()
    }

    /// Whether the swarm can be commanded here: a manager without a quorum says so in its error alone.
    pub fn controls(&self) -> bool {
        self.control_available && self.error.is_empty()
    }
}

pub(super) fn engine(answers: &Answers) -> Seen<Engine> {
    if answers.get("docker").is_some() {
        return Seen::Absent;
    }
    if !answers.whole && answers.binary.is_empty() {
        return Seen::Unread(answers.list(INFO).err().unwrap_or_else(|| "the host gave no answer".into()));
    }
    let daemon = info(answers);
    let flavour = match &daemon {
        _ if answers.binary.starts_with("/snap/") || answers.binary.ends_with("/snap") => Flavour::Snap,
        _ if answers.get("podman").is_some() => Flavour::Podman,
        Seen::Is(info) if info.rootless() => Flavour::Rootless,
        _ => Flavour::Docker,
    };
    Seen::Is(Engine { binary: answers.binary.clone(), flavour, daemon })
}

fn info(answers: &Answers) -> Seen<Info> {
    let row = match answers.list(INFO) {
        Ok([row, ..]) => row,
        Ok([]) => return Seen::Unread(answers.get(INFO).map_or_else(String::new, |answer| answer.why())),
        Err(why) => return Seen::Unread(why),
    };
    // The command prints what it knows about itself, and exits with 0, where the daemon does not answer.
    let errors = row.get("ServerErrors").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    let errors = errors.collect::<Vec<_>>().join("\n");
    match serde_json::from_value::<Info>(row.clone()) {
        _ if !errors.is_empty() => Seen::Unread(errors),
        Ok(info) if info.server_version.is_empty() => Seen::Unread("the daemon does not answer".into()),
        Ok(info) => Seen::Is(info),
        Err(e) => Seen::Unread(format!("docker info was not understood: {e}")),
    }
}

/// The daemon that other looks lean on.
pub(super) fn usable(answers: &Answers) -> Seen<Info> {
    match engine(answers) {
        Seen::Is(engine) => engine.daemon,
        Seen::Absent => Seen::Absent,
        Seen::Unread(why) => Seen::Unread(why),
    }
}
