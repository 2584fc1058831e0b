//! All services of a swarm at a glance, as one of its managers lists them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::answers::Answers;
use super::engine::Info;
use super::network::nullable;
use super::script::{SERVICES, SERVICES_ASKED, STACK};
use super::stack::Restart;
use crate::reads::Seen;

/// A service, and how many of its tasks run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// Its name.
    pub name: String,
    /// The stack that it is of; empty where of none.
    pub stack: String,
    /// The image that it asks for.
    pub image: String,
    /// `replicated`, `global`, `replicated job` or `global job`.
    pub mode: String,
    /// How many tasks run.
    pub running: u64,
    /// How many are asked for.
    pub desired: u64,
    /// What else is said of these: `max 1 per node`, `1/1 completed`.
    pub note: String,
    /// `updating`, `paused`, `completed`, `rollback_started`, …; empty where it was never updated.
    pub update: String,
    /// The ports at which every node answers for it: `8080->80/tcp`.
    pub ports: Vec<String>,
    /// When a task that has ended is followed by another.
    pub restart: Restart,
}

impl Serving {
    /// Whether as much runs as is asked for; tasks of a job, and those that none follows, end when they have done their work.
    pub fn is_whole(&self) -> bool {
        self.mode.ends_with("job") || self.restart == Restart::Never || self.running >= self.desired
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Row {
    name: String,
    mode: String,
    replicas: String,
    image: String,
    ports: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    name: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    update: Update,
    #[serde(deserialize_with = "nullable")]
    restart: BTreeMap<String, Json>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Update {
    state: String,
}

pub(super) fn services(info: &Info, answers: &Answers) -> Seen<Vec<Serving>> {
    if !info.swarm.control_available {
        return Seen::Absent;
    }
    match read(answers) {
        Ok(services) => Seen::Is(services),
        Err(why) => Seen::Unread(why),
    }
}

fn read(answers: &Answers) -> Result<Vec<Serving>, String> {
    let asked: Vec<Asked> = answers.rows(SERVICES_ASKED)?;
    let mut asked: BTreeMap<String, Asked> = asked.into_iter().map(|asked| (asked.name.clone(), asked)).collect();
    let listed: Vec<Row> = answers.rows(SERVICES)?;
    listed
        .into_iter()
        .map(|row| {
            let asked = asked.remove(&row.name).unwrap_or_default();
            Serving::of(row, asked)
        })
        .collect()
}

impl Serving {
    /// `2/3` and `0/1 (1/1 completed)` are what Docker prints of its tasks.
    fn of(row: Row, mut asked: Asked) -> Result<Self, String> {
        let (counts, note) = row.replicas.split_once(' ').unwrap_or((&row.replicas, ""));
        let counts = counts.split_once('/').and_then(|(is, of)| Some((is.parse().ok()?, of.parse().ok()?)));
        let (running, desired) = counts.ok_or_else(|| format!("{} has {:?} tasks", row.name, row.replicas))?;
        let note = note.trim_matches(['(', ')']).to_owned();
        let stack = asked.labels.remove(STACK).unwrap_or_default();
        // Docker writes `*:8080->80/tcp, *:8443->443/tcp`.
        let ports = row.ports.split(", ").filter(|port| !port.is_empty());
        let ports = ports.map(|port| port.trim_start_matches("*:").to_owned()).collect();
        let Row { name, mode, image, .. } = row;
        let restart = Restart::of(&asked.restart);
        Ok(Self { name, stack, image, mode, running, desired, note, update: asked.update.state, ports, restart })
    }
}
