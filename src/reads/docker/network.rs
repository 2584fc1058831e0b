//! Networks, as one host knows them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answers::Answers;
use super::script::{NETWORKS, network_path};
use crate::reads::Seen;

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `swarm` or `local`.
    pub scope: String,
    /// `overlay`, `bridge`, …
    pub driver: String,
    /// Whether plain containers may join an overlay.
    pub attachable: bool,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether it has IPv6.
    #[serde(rename = "EnableIPv6")]
    pub ipv6: bool,
    #[serde(rename = "IPAM")]
    ipam: Ipam,
    /// Options of its driver.
    #[serde(deserialize_with = "super::network::nullable")]
    pub options: BTreeMap<String, String>,
    /// Its labels.
    #[serde(deserialize_with = "super::network::nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "super::network::nullable")]
    containers: BTreeMap<String, User>,
    #[serde(deserialize_with = "super::network::nullable")]
    services: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Ipam {
    config: Option<Vec<Subnet>>,
}

/// A range of addresses of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Subnet {
    /// In CIDR notation.
    pub subnet: String,
    /// The gateway in it.
    pub gateway: String,
}

/// A container in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct User {
    /// The container's name.
    pub name: String,
}

impl Network {
    /// Its ranges.
    pub fn subnets(&self) -> &[Subnet] {
        self.ipam.config.as_deref().unwrap_or_default()
    }

    /// The names of what uses it, as far as this host knows: its own containers and, on a manager, services.
    pub fn users(&self) -> Vec<&str> {
        // The load-balancer sandbox is the engine's own and goes when the others do.
        let containers =
            self.containers.iter().filter(|(key, _)| !key.starts_with("lb-")).map(|(_, c)| c.name.as_str());
        containers.chain(self.services.keys().map(String::as_str)).filter(|name| !name.is_empty()).collect()
    }
}

pub(super) fn network(name: &str, answers: &Answers) -> Seen<Network> {
    let named = |row: &serde_json::Value| row.get("Name").and_then(|n| n.as_str()) == Some(name);
    match answers.object(&network_path(name), named, NETWORKS, named) {
        Seen::Is(row) => match serde_json::from_value(row.clone()) {
            Ok(network) => Seen::Is(network),
            Err(e) => Seen::Unread(format!("docker network inspect was not understood: {e}")),
        },
        Seen::Absent => Seen::Absent,
        Seen::Unread(why) => Seen::Unread(why),
    }
}

/// Docker writes `null` for what is empty.
pub(super) fn nullable<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}
