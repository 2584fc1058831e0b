//! The nodes of a swarm, as one of its managers knows them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answers::Answers;
use super::engine::Info;
use super::network::nullable;
use super::script::NODES;
use crate::reads::Seen;

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its id, by which it is matched with a host: names lie.
    pub id: String,
    /// Its name.
    pub hostname: String,
    /// `manager` or `worker`, as asked for.
    pub role: String,
    /// `active`, `pause` or `drain`.
    pub availability: String,
    /// `ready`, `down`, `disconnected` or `unknown`.
    pub state: String,
    /// Why, where the engine says so.
    pub message: String,
    /// The address it is known by.
    pub address: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// A manager's reachability: `reachable`, `unreachable`; empty for a worker.
    pub reachability: String,
    /// Whether it leads the managers.
    pub leads: bool,
    /// The version of its engine.
    pub engine: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Raw {
    #[serde(rename = "ID")]
    id: String,
    spec: Spec,
    description: Description,
    status: Status,
    manager_status: Option<ManagerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    role: String,
    availability: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Description {
    hostname: String,
    engine: EngineVersion,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EngineVersion {
    engine_version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Status {
    state: String,
    message: String,
    addr: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ManagerStatus {
    leader: bool,
    reachability: String,
}

pub(super) fn nodes(info: &Info, answers: &Answers) -> Seen<Vec<Node>> {
    if !info.swarm.control_available {
        return Seen::Absent;
    }
    let rows = match answers.list(NODES) {
        Ok(rows) => rows.iter(),
        Err(why) => return Seen::Unread(why),
    };
    match rows.map(|row| serde_json::from_value::<Raw>(row.clone()).map(Node::from)).collect() {
        Ok(nodes) => Seen::Is(nodes),
        Err(e) => Seen::Unread(format!("docker node inspect was not understood: {e}")),
    }
}

impl From<Raw> for Node {
    fn from(raw: Raw) -> Self {
        let manager = raw.manager_status.unwrap_or_default();
        Self {
            id: raw.id,
            hostname: raw.description.hostname,
            role: raw.spec.role,
            availability: raw.spec.availability,
            state: raw.status.state,
            message: raw.status.message,
            address: raw.status.addr,
            labels: raw.spec.labels,
            reachability: manager.reachability,
            leads: manager.leader,
            engine: raw.description.engine.engine_version,
        }
    }
}
