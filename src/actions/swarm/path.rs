//! Whether overlay networks reach a node: a node is ready as soon as it is commanded, and 4789/udp may be closed all the same.
//! What tells is 1 MiB over TCP each way between two containers. Nothing is asked for to try it: no registry, no image, and
//! of the host only its shell, coreutils and systemd.

use super::address::private;
use super::ports::rules;
use super::view::View;
use crate::actions::{Change, Does};
use crate::reads::docker::{Info, Node};
use crate::remote::Command;

/// The label of a node that says to which node its path was proven, by id. It is read with the list of nodes, for nothing.
const LABEL: &str = "skep.path";

/// What both ends have in common: a container on a network of their own.
const END: &str = include_str!("path/end.sh");

/// A node's way to another.
pub(super) struct Path<'a> {
    node: &'a Node,
    far: &'a Node,
    /// The host of the far node, and what its daemon says.
    far_host: String,
    far_info: &'a Info,
}

/// Whether a node has a path to prove.
pub(super) enum Way<'a> {
    /// It has not: it is proven, or there is nobody to prove it with.
    Settled,
    /// This one.
    Unproven(Path<'a>),
    /// One to this host, whose node is to be ready first: it was a moment ago, or its engine would not command.
    Later(String),
}

impl<'a> View<'a> {
    /// The way that the host's node has still to prove: to the leader, or where that takes no work, to the first manager
    /// that does. A proof counts for both its ends, and as long as the other node is in the swarm.
    pub(super) fn way(&self) -> Way<'a> {
        let Some((node, nodes)) = self.listed() else { return Way::Settled };
        let joined = |from: &Node, to: &Node| from.labels.get(LABEL) == Some(&to.id);
        let proven = nodes.iter().any(|other| other.id != node.id && (joined(node, other) || joined(other, node)));
        if proven || !takes_work(node) {
            return Way::Settled;
        }
        let managers = self.leader().into_iter().map(|(name, _)| name);
        let managers = managers.chain(self.managers.iter().map(|host| host.name.as_str()));
        let end = |name: &str| {
            let far_info = self.controls(name)?;
            let far = nodes.iter().find(|far| far.id == far_info.swarm.node_id && far.availability == "active")?;
            Some(Path { node, far, far_host: name.to_owned(), far_info })
        };
        chosen(managers.filter_map(end), node)
    }

    /// 1 MiB each way, and then the mark.
    pub(super) fn prove(&self, path: &Path<'_>, leader: &str) -> Vec<Change> {
        let host = self.host();
        let why = format!("it is not known whether overlay networks pass between {host} and {}", path.far_host);
        let name = format!("skep-path-{}", path.node.id.get(..12).unwrap_or(&path.node.id));
        let network = self.network(path);
        let run = format!("docker run --network {name}");
        let script = |end: &str| Command::sh(END.replace("@END@", end).replace("@NAME@", &name));
        let source = script(include_str!("path/far.sh").replace("@NETWORK@", &network).trim_end())
            .shown_as(format!("{network} {name} && {run} …"));
        let to = script(self.told(path, include_str!("path/near.sh")).trim_end())
            .shown_as(format!("{run} … (1 MiB each way over TCP; then all of this is removed)"));
        let mark = Command::new("docker")
            .args(["node", "update", "--label-add", &format!("{LABEL}={}", path.far.id), &path.node.id])
            .syntax(">/dev/null");
        let prove = Change::new(why, Does::Pipe { from: path.far_host.clone(), source, to, bytes: 0 });
        vec![prove, Change::run("overlay networks pass", mark).on(leader)]
    }

    /// As a `network` step would make one.
    fn network(&self, path: &Path<'_>) -> String {
        let mut line = "docker network create --driver overlay --attachable --internal".to_owned();
        if path.public() {
            line += " --opt encrypted";
        }
        let members = self.members.iter().map(|member| member.name.as_str());
        if let Some(mtu) = super::underlay(members, self.seen).filter(|mtu| *mtu != 1500) {
            line += &format!(" --opt com.docker.network.driver.mtu={mtu}");
        }
        line
    }

    /// The script that says what is the matter.
    fn told(&self, path: &Path<'_>, script: &str) -> String {
        let end = |host: &str, address: &str| format!("{host} ({address})");
        let pair = format!("{} and {}", end(self.host(), &path.node.address), end(&path.far_host, path.far_address()));
        let rules = path.far_address().parse().map_or("4789/udp", rules);
        script.replace("@PAIR@", &pair).replace("@RULES@", rules)
    }
}

impl Path<'_> {
    fn far_address(&self) -> &str {
        &self.far_info.swarm.node_addr
    }

    fn public(&self) -> bool {
        self.far_address().parse().is_ok_and(|address| !private(address))
    }
}

/// The other ends by their rank: to the first of them all others prove theirs.
fn chosen<'a>(mut ends: impl Iterator<Item = Path<'a>>, own: &Node) -> Way<'a> {
    match ends.next() {
        None => Way::Settled,
        Some(first) if first.far.id == own.id => Way::Settled,
        Some(first) if takes_work(first.far) => Way::Unproven(first),
        Some(first) => match ends.find(|path| path.far.id != own.id && takes_work(path.far)) {
            Some(next) => Way::Unproven(next),
            None => Way::Later(first.far_host),
        },
    }
}

/// A node that takes none cannot attach a container to an overlay network.
fn takes_work(node: &Node) -> bool {
    node.state == "ready" && node.availability == "active"
}
