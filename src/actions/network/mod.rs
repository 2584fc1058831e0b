//! `network`: a Docker network, made, kept as asked, or removed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cidr::{Cidr, same_net};
use super::swarm::{private, underlay};
use super::values::Text;
use super::{Action, Ask, Change, Object, Plan, Target, peers};
use crate::event::Difference;
use crate::reads::docker::{Look, Network as Found, Subnet};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, quote};

/// Makes a Docker network, or shows in what it differs from what is asked.
///
/// An overlay is made on a manager (`hosts: leader`) and belongs to the whole swarm. A worker does not list it until a
/// container there uses it; that is Docker's way, and `docker run --network` works all the same. A network that differs is
/// replaced only while nothing uses it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Network(Parameters);

impl std::ops::Deref for Network {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.0
    }
}

/// The parameters of [`Network`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Its name.
    name: String,
    /// `overlay` for a network across the swarm's hosts, `bridge` (the default) for one on a single host, or another driver.
    #[serde(default = "bridge")]
    driver: String,
    /// Whether containers that are not part of a service may join an overlay.
    #[serde(default)]
    attachable: bool,
    /// Ranges of addresses in CIDR notation, of a bridge one of each family; Docker chooses one where none is given.
    #[serde(default)]
    subnets: Vec<Cidr>,
    /// The address of the gateway in the first subnet.
    gateway: Option<IpAddr>,
    /// Whether an overlay's traffic between hosts is encrypted (IPsec; costs throughput). An overlay between hosts that meet
    /// on public addresses is refused without it: VXLAN has no authentication of its own.
    #[serde(default)]
    encrypted: bool,
    /// Whether it has no way out of the hosts.
    #[serde(default)]
    internal: bool,
    /// Whether it has IPv6 too; what `subnets` has of it needs this.
    #[serde(default)]
    ipv6: bool,
    /// Bytes that a packet of the network *below* may carry; Docker takes the overlay's own header off by itself. Without it, an
    /// overlay takes what the narrowest of the interfaces carries by which the swarm knows the hosts of the groups `managers`
    /// and `workers` (1460 on GCP, 1450 on Hetzner); one that is there and carries more differs.
    mtu: Option<u32>,
    /// Options of the driver.
    #[serde(default)]
    options: BTreeMap<String, Text>,
    /// Labels.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// `present` (the default) or `absent`.
    #[serde(default)]
    state: Presence,
}

/// Whether a thing is to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Presence {
    #[default]
    Present,
    Absent,
}

const MTU: &str = "com.docker.network.driver.mtu";

/// What most networks carry, and Docker takes where nothing else is said.
const USUAL: u32 = 1500;

fn bridge() -> String {
    "bridge".into()
}

impl TryFrom<Parameters> for Network {
    type Error = String;

    /// What Docker would refuse only after the network that is there has made way, or take without a word and not do.
    fn try_from(asked: Parameters) -> Result<Self, String> {
        match asked.mistake() {
            Some(mistake) => Err(mistake),
            None => Ok(Self(asked)),
        }
    }
}

impl Parameters {
    fn mistake(&self) -> Option<String> {
        let overlays = [("attachable", self.attachable), ("encrypted", self.encrypted)];
        if let Some((field, _)) = overlays.into_iter().find(|(_, asked)| *asked && self.driver != "overlay") {
            return Some(format!("`{field}` is for overlays: add `driver: overlay`, or leave it out"));
        }
        if let Some(six) = self.subnets.iter().find(|subnet| subnet.net.is_ipv6() && !self.ipv6) {
            return Some(format!("{} is of IPv6: add `ipv6: true`", six.text));
        }
        let of_ipv6 = self.subnets.iter().filter(|subnet| subnet.net.is_ipv6()).count();
        if self.driver == "bridge" && of_ipv6.max(self.subnets.len() - of_ipv6) > 1 {
            return Some("a bridge has one subnet of IPv4 and one of IPv6 at most".into());
        }
        let gateway = self.gateway?;
        match self.subnets.first() {
            None => Some("`gateway` needs `subnets`: it is an address in the first of them".into()),
            Some(first) if !first.net.contains(gateway) => {
                Some(format!("`gateway` {gateway} is not in {}", first.text))
            }
            Some(_) => None,
        }
    }
}

impl Action for Network {
    fn describe(&self) -> String {
        format!("network {} ({})", self.name, self.driver)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "network", name: self.name.clone() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut asks = vec![on.ask(Read::Docker(Look::Engine)), on.ask(Read::Docker(Look::Network(self.name.clone())))];
        if self.measured() {
            let both =
                |host: String| [Read::Machine, Read::Docker(Look::Engine)].map(|read| Ask { host: host.clone(), read });
            asks.extend(nodes(on).into_iter().flat_map(both));
        }
        if let Seen::Is(found) = seen.network(&on.host.name, &self.name)
            && self.may_go(found, on, seen)
        {
            asks.push(on.ask(Read::Probe(containers_on(found))));
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        match (seen.network(host, &self.name), self.state) {
            (Seen::Unread(why), _) => Plan::unread(&format!("network {} on {host}", self.name), &why),
            (Seen::Absent, Presence::Absent) => Plan::Settled,
            (_, Presence::Present) if self.open_to_all(on, seen) => self.refused(on),
            (Seen::Absent, Presence::Present) => self.make(on, seen),
            (Seen::Is(found), Presence::Absent) => match self.in_use(found, on, seen) {
                Some(refused) => refused,
                None => Plan::Change(vec![remove("it is to be absent", found)]),
            },
            (Seen::Is(found), Presence::Present) => self.compare(found, on, seen),
        }
    }
}

impl Network {
    fn overlay(&self) -> bool {
        self.driver == "overlay"
    }

    fn make(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Seen::Is(info) = seen.daemon(&on.host.name)
            && self.overlay()
            && info.swarm.local_node_state == "active"
            && !info.swarm.control_available
        {
            let why = format!(
                "{} does not control its swarm, and overlay networks are made where it is controlled",
                on.host.name
            );
            return Plan::refused(why, "let the step run there: `hosts: leader`");
        }
        Plan::Change(vec![Change::run("it is not there", self.create(self.underlay(on, seen)))])
    }

    /// An overlay whose packets go over the internet as they are.
    fn open_to_all(&self, on: &Target, seen: &Readings<'_>) -> bool {
        let address = seen.daemon(&on.host.name).is().and_then(|info| info.swarm.node_addr.parse().ok());
        self.overlay() && !self.encrypted && address.is_some_and(|address| !private(address))
    }

    fn refused(&self, on: &Target) -> Plan {
        let why = format!(
            "the swarm knows {} by a public address, and VXLAN has no authentication: anyone could send packets into {}",
            on.host.name, self.name
        );
        let hint = "ask for `encrypted: true` (and let IP protocol 50, ESP, pass between the hosts), or let them meet in a private network: `private_address` in the inventory";
        Plan::refused(why, hint)
    }

    /// Whether what lies below decides on the MTU.
    fn measured(&self) -> bool {
        self.overlay() && self.mtu.is_none() && !self.options.contains_key(MTU)
    }

    /// What a packet between the nodes may carry, where that is not the usual 1500.
    fn underlay(&self, on: &Target, seen: &Readings<'_>) -> Option<u32> {
        match self.measured() {
            true => underlay(nodes(on).iter().map(String::as_str), seen).filter(|mtu| *mtu != USUAL),
            false => self.mtu,
        }
    }

    fn may_go(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> bool {
        self.state == Presence::Absent || !self.all_differs(found, on, seen).is_empty()
    }

    fn all_differs(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Vec<Difference> {
        self.differs(found).into_iter().chain(self.too_wide(found, on, seen)).collect()
    }

    fn compare(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Plan {
        let differs = self.all_differs(found, on, seen);
        if differs.is_empty() {
            return Plan::Settled;
        }
        let fields = differs.iter().map(|d| format!("{} is {}, asked {}", d.field, d.is, d.asked)).collect::<Vec<_>>();
        if let Some(Plan::Refused(mut refusal)) = self.in_use(found, on, seen) {
            refusal.why = format!("{}; {}", fields.join(", "), refusal.why);
            return Plan::Refused(refusal);
        }
        let create = Change::run("it is to be as asked", self.create(self.underlay(on, seen)));
        Plan::Change(vec![remove("it differs, and nothing uses it", found).differing(differs), create])
    }

    /// A network that carries more than what lies below loses large packets without a word. One that carries less only
    /// takes more of them.
    fn too_wide(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Option<Difference> {
        let asked = self.underlay(on, seen).filter(|_| self.measured())?;
        let is = found.options.get(MTU).map_or(Some(USUAL), |mtu| mtu.parse().ok())?;
        let differs = || Difference { field: "mtu".into(), is: is.to_string(), asked: asked.to_string() };
        (is > asked).then(differs)
    }

    /// Docker lets a network go that only stopped containers are on, which can then not be started again.
    fn in_use(&self, found: &Found, on: &Target, seen: &Readings<'_>) -> Option<Plan> {
        let on_it = match seen.probe(&on.host.name, &containers_on(found)) {
            Seen::Is(output) if output.ok() => output.text(),
            Seen::Is(output) => return Some(Plan::unread("who is on the network", &output.errors())),
            Seen::Absent => String::new(),
            Seen::Unread(why) => return Some(Plan::unread("who is on the network", &why)),
        };
        let users: BTreeSet<&str> =
            found.users().into_iter().chain(on_it.lines().filter(|line| !line.is_empty())).collect();
        let users: Vec<&str> = users.into_iter().collect();
        let why = format!("network {} is used by {}", self.name, users.join(", "));
        let hint = "remove what uses it first, or ask for the network as it is";
        (!users.is_empty()).then(|| Plan::refused(why, hint))
    }

    fn differs(&self, found: &Found) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut field = |name: &str, is: String, asked: String| {
            if is != asked {
                all.push(Difference { field: name.into(), is, asked });
            }
        };
        field("driver", found.driver.clone(), self.driver.clone());
        field("internal", found.internal.to_string(), self.internal.to_string());
        field("ipv6", found.ipv6.to_string(), self.ipv6.to_string());
        if self.overlay() {
            field("attachable", found.attachable.to_string(), self.attachable.to_string());
            field("encrypted", found.options.contains_key("encrypted").to_string(), self.encrypted.to_string());
        }
        if self.other_subnets(found) {
            let is = found.subnets().iter().map(|s| s.subnet.as_str()).collect::<Vec<_>>().join(", ");
            field("subnets", is, self.subnets.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(", "));
        }
        if let Some(gateway) = self.gateway {
            let of = |subnet: &&Subnet| self.subnets.first().is_none_or(|asked| same_net(&asked.text, &subnet.subnet));
            let is = found.subnets().iter().find(of).map(|s| s.gateway.as_str()).unwrap_or_default();
            if is.parse() != Ok(gateway) {
                field("gateway", is.to_owned(), gateway.to_string());
            }
        }
        for (name, asked) in self.asked_options() {
            field(&format!("options.{name}"), is_or_none(found.options.get(&name)), asked);
        }
        for (name, Text(asked)) in &self.labels {
            field(&format!("labels.{name}"), is_or_none(found.labels.get(name)), asked.clone());
        }
        all
    }

    /// Whether one is not there, or one more is of a family that was asked for: of the other one Docker takes what is free.
    fn other_subnets(&self, found: &Found) -> bool {
        let is = || found.subnets().iter().map(|subnet| subnet.subnet.as_str());
        let asked = |is: &str| self.subnets.iter().any(|asked| same_net(&asked.text, is));
        let lacks = self.subnets.iter().any(|asked| !is().any(|is| same_net(&asked.text, is)));
        let of_family = |is: &str| self.subnets.iter().any(|asked| asked.net.is_ipv6() == is.contains(':'));
        lacks || is().any(|is| of_family(is) && !asked(is))
    }

    fn asked_options(&self) -> BTreeMap<String, String> {
        let mut options: BTreeMap<_, _> =
            self.options.iter().map(|(name, Text(v))| (name.clone(), v.clone())).collect();
        options.extend(self.mtu.map(|mtu| (MTU.to_owned(), mtu.to_string())));
        options
    }

    fn create(&self, mtu: Option<u32>) -> Command {
        let flags =
            [(self.attachable && self.overlay(), "--attachable"), (self.internal, "--internal"), (self.ipv6, "--ipv6")];
        let mut options = self.asked_options();
        options.extend(mtu.map(|mtu| (MTU.to_owned(), mtu.to_string())));
        let mut command = Command::new("docker").args(["network", "create", "--driver", &self.driver]);
        command = command.args(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag));
        command = command.args(self.subnets.iter().flat_map(|subnet| ["--subnet", &subnet.text]));
        command = command.args(self.gateway.iter().flat_map(|gateway| ["--gateway".to_owned(), gateway.to_string()]));
        if self.encrypted {
            command = command.args(["--opt", "encrypted"]);
        }
        command = command.args(options.iter().flat_map(|(k, v)| ["--opt".to_owned(), format!("{k}={v}")]));
        command = command.args(self.labels.iter().flat_map(|(k, Text(v))| ["--label".to_owned(), format!("{k}={v}")]));
        command.arg(&self.name)
    }
}

/// The job's host and those that may be nodes of its swarm.
fn nodes(on: &Target) -> Vec<String> {
    let nodes = peers(on, "managers:workers").unwrap_or_default();
    let names: BTreeSet<String> = nodes.iter().chain([&on.host]).map(|host| host.name.clone()).collect();
    names.into_iter().collect()
}

/// Containers of its host that are on it, running or not, one a line; tasks that have ended are no matter. A worker has an overlay only while it uses it.
fn containers_on(found: &Found) -> Probe {
    Probe::new(format!(
        "docker ps -a --filter network={} --format '{{{{if not (.Label \"com.docker.swarm.task.id\")}}}}{{{{.Names}}}}{{{{end}}}}'",
        quote(&found.id)
    ))
}

fn remove(why: &str, found: &Found) -> Change {
    Change::run(why, Command::new("docker").args(["network", "rm", &found.id])).removing()
}

fn is_or_none(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "none".into())
}
