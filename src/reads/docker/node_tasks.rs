//! What still runs on a node of a swarm.

use serde::Deserialize;

use super::answers::Answers;
use super::engine::Info;
use super::script::node_tasks_name;
use crate::reads::Seen;

/// A task of a service, on a node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeTask {
    /// Its name: `web.1`.
    pub name: String,
    /// What it does and since when, as people are told: `Running 3 minutes ago`.
    state: String,
}

/// The states that a task does not leave any more.
const ENDED: [&str; 6] = ["complete", "shutdown", "failed", "rejected", "remove", "orphaned"];

impl NodeTask {
    /// Whether it has not ended, whatever the swarm would like it to do.
    pub fn is_there(&self) -> bool {
        !ENDED.contains(&self.word().as_str())
    }

    /// The name of its service.
    pub fn service(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(service, _)| service)
    }

    /// Whether it has done what it was for.
    pub fn is_complete(&self) -> bool {
        self.word() == "complete"
    }

    fn word(&self) -> String {
        self.state.split(' ').next().unwrap_or_default().to_lowercase()
    }
}

pub(super) fn node_tasks(node: &str, info: &Info, answers: &Answers) -> Seen<Vec<NodeTask>> {
    if !info.swarm.control_available {
        return Seen::Absent;
    }
    let rows = match answers.list(&node_tasks_name(node)) {
        Ok(rows) => rows.iter(),
        Err(why) => return Seen::Unread(why),
    };
    match rows.map(|row| serde_json::from_value(row.clone())).collect() {
        Ok(tasks) => Seen::Is(tasks),
        Err(e) => Seen::Unread(format!("docker node ps was not understood: {e}")),
    }
}
