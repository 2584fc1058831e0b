//! Stacks: services that were deployed together, and their tasks, as one of the swarm's managers knows them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::answers::Answers;
use super::engine::Info;
use super::fingerprints;
use super::network::nullable;
use super::script::{remains_path, stack_path, tasks_path};
use crate::reads::Seen;

/// A stack; without services there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// Its services.
    pub services: Vec<Service>,
    /// Their tasks, those of one slot from the newest on.
    pub tasks: Vec<Task>,
}

/// What else there is of a stack: what goes after its services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// The ids of its networks.
    pub networks: Vec<String>,
    /// The ids of its secrets.
    pub secrets: Vec<String>,
    /// The ids of its configs.
    pub configs: Vec<String>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Its name, that of the stack in front: `spark_master`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The image that it asks for.
    pub image: String,
    /// Fingerprints of the values of its environment, by name.
    pub env: BTreeMap<String, String>,
    /// How many tasks it has; nothing where each node has one.
    pub replicas: Option<u64>,
    /// Whether its tasks are to end well: those of a job, and those that no other follows.
    pub once: bool,
    /// When a task that has ended is followed by another.
    pub restart: Restart,
    /// `updating`, `paused`, `completed`, `rollback_started`, …; empty where it was never updated.
    pub update: String,
    /// What is said of that.
    pub message: String,
    /// How many seconds ago it was last asked to be otherwise, or an update of it ended; very many where nobody knows.
    pub age: u64,
}

/// When a task that has ended is followed by another: the condition of a restart policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// When it failed.
    OnFailure,
    /// Never.
    Never,
}

impl Restart {
    /// Of Docker's `RestartPolicy`.
    pub(super) fn of(policy: &BTreeMap<String, Json>) -> Self {
        match policy.get("Condition").and_then(Json::as_str) {
            Some("none") => Self::Never,
            Some("on-failure") => Self::OnFailure,
            _ => Self::Always,
        }
    }
}

/// A task: one container of a service, that is to run, runs, or has run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its service's name and its slot: `spark_master.1`, or the id of its node where each has one.
    pub name: String,
    /// Its node's name; empty while it has none.
    pub node: String,
    /// `Running`, `Shutdown`, `Ready`, `Accepted`, `Remove`.
    pub desired: String,
    /// `Running 3 minutes ago`.
    pub current: String,
    /// What went wrong.
    pub error: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Raw {
    id: String,
    name: String,
    updated_at: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    image: String,
    #[serde(deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    mode: BTreeMap<String, Json>,
    #[serde(deserialize_with = "nullable")]
    restart: BTreeMap<String, Json>,
    #[serde(deserialize_with = "nullable")]
    update: Update,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Update {
    state: String,
    message: String,
}

impl Task {
    /// The name of its service, without its slot.
    pub fn service(&self) -> &str {
        self.name.rsplit_once('.').map_or(self.name.as_str(), |(service, _)| service)
    }

    /// The first word of what it is at: `Running`, `Preparing`, `Failed`, `Rejected`, `Complete`, ….
    pub fn state(&self) -> &str {
        self.current.split(' ').next().unwrap_or_default()
    }

    /// For how many seconds it is at that; nothing where it is more than a minute or so.
    pub fn seconds(&self) -> Option<u64> {
        let words: Vec<&str> = self.current.split(' ').skip(1).collect();
        match words.as_slice() {
            [count, "second" | "seconds", "ago"] => count.parse().ok(),
            ["less", "than", "a", "second", "ago"] => Some(0),
            ["about", "a", "minute", "ago"] => Some(60),
            _ => None,
        }
    }
}

pub(super) fn stack(name: &str, info: &Info, answers: &Answers) -> Seen<Stack> {
    if !info.swarm.control_available {
        return Seen::Unread("the host does not control a swarm".into());
    }
    let services = match answers.rows::<Raw>(&stack_path(name)) {
        Ok(services) if services.is_empty() => return Seen::Absent,
        Ok(services) => services.into_iter().map(|raw| Service::of(raw, &info.system_time)).collect(),
        Err(why) => return Seen::Unread(why),
    };
    match answers.rows::<Task>(&tasks_path(name)) {
        Ok(tasks) => Seen::Is(Stack { services, tasks: tasks.into_iter().map(unquoted).collect() }),
        Err(why) => Seen::Unread(why),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Id {
    id: String,
}

/// Absent where nothing remains, or the host controls no swarm.
pub(super) fn remains(name: &str, info: &Info, answers: &Answers) -> Seen<Remains> {
    if !info.swarm.control_available {
        return Seen::Absent;
    }
    let ids = |sort| {
        let rows = answers.rows::<Id>(&remains_path(sort, name))?;
        Ok::<_, String>(rows.into_iter().map(|row| row.id).collect::<Vec<_>>())
    };
    let read =
        || Ok::<_, String>(Remains { networks: ids("network")?, secrets: ids("secret")?, configs: ids("config")? });
    match read() {
        Ok(remains) if remains == Remains::default() => Seen::Absent,
        Ok(remains) => Seen::Is(remains),
        Err(why) => Seen::Unread(why),
    }
}

/// The command puts what went wrong in quotes.
pub(super) fn unquoted(task: Task) -> Task {
    let error = task.error.trim_matches('"').to_owned();
    Task { error, ..task }
}

fn seconds(from: &str, to: &str) -> u64 {
    let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let between = time(from).zip(time(to)).map_or(i64::MAX, |(from, to)| (to - from).whole_seconds());
    u64::try_from(between).unwrap_or_default()
}

impl Service {
    pub(super) fn of(raw: Raw, now: &str) -> Self {
        let kind = |name: &str| raw.mode.get(name).filter(|mode| !mode.is_null());
        let number = |mode: Option<&Json>, key: &str| mode.and_then(|mode| mode.get(key)).and_then(Json::as_u64);
        let job = kind("ReplicatedJob");
        let restart = Restart::of(&raw.restart);
        Self {
            replicas: number(kind("Replicated"), "Replicas").or_else(|| number(job, "TotalCompletions")),
            once: job.or_else(|| kind("GlobalJob")).is_some() || restart == Restart::Never,
            restart,
            age: seconds(&raw.updated_at, now),
            id: raw.id,
            name: raw.name,
            labels: raw.labels,
            image: raw.image,
            env: fingerprints(&raw.env),
            update: raw.update.state,
            message: raw.update.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reads::docker::{Found, Look, understand};
    use crate::reads::{Read, Value};
    use crate::remote::Output;

    const UP: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"20.10.24\",\"SystemTime\":\"2026-01-01T00:01:00Z\",\"Swarm\":{\"LocalNodeState\":\"active\",\"NodeID\":\"n\",\"ControlAvailable\":true}}\n@skep 200 http://d/info\n";

    fn read(answers: &str) -> Seen<Value> {
        let output = Output { code: 0, stdout: format!("{UP}{answers}").into(), stderr: Vec::new() };
        understand(&[Read::Docker(Look::Stack("web".into()))], &output).remove(0)
    }

    #[test]
    fn a_stack_is_its_services_and_their_tasks() {
        let service = r#"{"Id":"s1","Name":"web_app","Labels":{"a":"b"},"Image":"app:1","Env":["T=s3cret"],"Mode":{"Replicated":{"Replicas":2}},"Restart":{"Condition":"any"},"Update":null}"#;
        let once = r#"{"Id":"s2","Name":"web_job","Labels":null,"Image":"app:1","Env":null,"Mode":{"Global":{}},"Restart":{"Condition":"none"},"Update":{"State":"paused","Message":"why"}}"#;
        let task = r#"{"id":"t","name":"web_app.1","node":"node1","desired":"Running","current":"Running 12 seconds ago","error":""}"#;
        let seen = read(&format!("{service}\n{once}\n\n@skep 200 stack:web\n{task}\n\n@skep 200 stack-tasks:web\n"));
        let Seen::Is(Value::Docker(Found::Stack(stack))) = &seen else { panic!("{seen:?}") };
        assert!(!format!("{stack:?}").contains("s3cret"));
        let told: Vec<_> =
            stack.services.iter().map(|s| (s.name.as_str(), s.replicas, s.once, s.update.as_str())).collect();
        assert_eq!(told, [("web_app", Some(2), false, ""), ("web_job", None, true, "paused")]);
        let task = &stack.tasks[0];
        assert_eq!((task.service(), task.state(), task.seconds()), ("web_app", "Running", Some(12)));
    }

    #[test]
    fn a_list_that_docker_cannot_give_is_no_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let docker = folder.path().join("docker");
        let stand_in = "#!/bin/sh\ncase $1 in info) echo '{\"ServerVersion\":\"28\",\"Swarm\":{\"LocalNodeState\":\"active\",\"NodeID\":\"n\",\"ControlAvailable\":true}}' ;; *) echo 'no quorum' >&2; exit 1 ;; esac\n";
        std::fs::write(&docker, stand_in).expect("a stand-in");
        std::fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
        let script = super::super::script::script(&[Look::Stack("web".into())]);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path"));
        // Without curl it is the command that answers.
        let script = script.replace("command -v curl", "false");
        let output = std::process::Command::new("sh").args(["-c", &script]).env("PATH", path).output().expect("sh");
        let output = Output { code: 0, stdout: output.stdout, stderr: output.stderr };
        let seen = understand(&[Read::Docker(Look::Stack("web".into()))], &output).remove(0);
        assert_eq!(seen, Seen::Unread("no quorum".into()));
    }

    #[test]
    fn a_stack_without_tasks_is_read() {
        let script = super::super::script::script(&[Look::Stack("web".into())]);
        assert!(!script.contains("stack ps"), "it fails where there are none: {script}");
    }

    #[test]
    fn a_stack_is_absent_only_if_its_services_were_listed() {
        assert_eq!(read("\n@skep 200 stack:web\n\n@skep 200 stack-tasks:web\n"), Seen::Absent);
        assert_eq!(
            read("Error: no quorum\n@skep 1 stack:web\n\n@skep 200 stack-tasks:web\n"),
            Seen::Unread("Error: no quorum".into())
        );
        assert_eq!(read(""), Seen::Unread("the host gave no answer".into()));
    }
}
