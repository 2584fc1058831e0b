//! One service: what it is asked to be, as one of the swarm's managers knows it, and its tasks.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::answers::Answers;
use super::engine::Info;
use super::network::nullable;
use super::script::{SERVICE_NETWORKS, service_path, service_tasks_path};
use super::stack::{Raw as Row, Service, Stack, unquoted};
use super::{Task, fingerprints};
use crate::reads::Seen;

/// A service by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OneService {
    /// It and its tasks, as if it were all of a stack.
    pub own: Stack,
    /// What it is asked to be.
    pub spec: Spec,
    /// The names of the networks, by id.
    pub networks: BTreeMap<String, String>,
}

/// What a service is asked to be, in the words of Docker's API; values of its environment as fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own: https://docs.docker.com/reference/api/engine/, Service")]
pub struct Spec {
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    pub task_template: Template,
    #[serde(deserialize_with = "nullable")]
    pub mode: Mode,
    #[serde(deserialize_with = "nullable")]
    pub update_config: Rollout,
    #[serde(deserialize_with = "nullable")]
    pub rollback_config: Rollout,
    #[serde(deserialize_with = "nullable")]
    pub endpoint_spec: Endpoint,
    #[serde(deserialize_with = "nullable")]
    pub networks: Vec<Attached>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Template {
    pub container_spec: Contained,
    #[serde(deserialize_with = "nullable")]
    pub resources: Resources,
    #[serde(deserialize_with = "nullable")]
    pub restart_policy: Restart,
    #[serde(deserialize_with = "nullable")]
    pub placement: Placement,
    #[serde(deserialize_with = "nullable")]
    pub networks: Vec<Attached>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Contained {
    pub image: String,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub args: Vec<String>,
    pub hostname: String,
    #[serde(deserialize_with = "unseen")]
    pub env: BTreeMap<String, String>,
    pub dir: String,
    pub user: String,
    #[serde(rename = "TTY")]
    pub tty: bool,
    #[serde(deserialize_with = "nullable")]
    pub init: bool,
    pub read_only: bool,
    #[serde(deserialize_with = "nullable")]
    pub mounts: Vec<Mounted>,
    #[serde(deserialize_with = "nullable")]
    pub stop_grace_period: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    pub healthcheck: Health,
    #[serde(deserialize_with = "nullable")]
    pub secrets: Vec<Given>,
    #[serde(deserialize_with = "nullable")]
    pub configs: Vec<Given>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Mounted {
    #[serde(rename = "Type")]
    pub kind: String,
    pub source: String,
    pub target: String,
    pub read_only: bool,
    #[serde(deserialize_with = "nullable")]
    pub tmpfs_options: Tmpfs,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Tmpfs {
    pub size_bytes: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Health {
    #[serde(deserialize_with = "nullable")]
    pub test: Vec<String>,
    pub interval: i64,
    pub timeout: i64,
    pub start_period: i64,
    pub retries: u32,
}

/// A secret or a config that it is given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Given {
    #[serde(deserialize_with = "nullable")]
    pub file: GivenFile,
    #[serde(alias = "SecretName", alias = "ConfigName")]
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct GivenFile {
    pub name: String,
    #[serde(rename = "UID")]
    pub uid: String,
    #[serde(rename = "GID")]
    pub gid: String,
    pub mode: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Resources {
    #[serde(deserialize_with = "nullable")]
    pub limits: Amount,
    #[serde(deserialize_with = "nullable")]
    pub reservations: Amount,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Amount {
    #[serde(rename = "NanoCPUs")]
    pub nano_cpus: i64,
    pub memory_bytes: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Restart {
    pub condition: String,
    #[serde(deserialize_with = "nullable")]
    pub delay: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    pub max_attempts: u64,
    #[serde(deserialize_with = "nullable")]
    pub window: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Placement {
    #[serde(deserialize_with = "nullable")]
    pub constraints: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub preferences: Vec<Preference>,
    pub max_replicas: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Preference {
    #[serde(deserialize_with = "nullable")]
    pub spread: Spread,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Spread {
    pub spread_descriptor: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Attached {
    pub target: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Mode {
    pub replicated: Option<Replicated>,
    #[serde(deserialize_with = "there")]
    pub global: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Replicated {
    pub replicas: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Rollout {
    pub parallelism: Option<u64>,
    pub delay: i64,
    pub failure_action: String,
    pub monitor: Option<i64>,
    pub max_failure_ratio: f64,
    pub order: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Endpoint {
    pub mode: String,
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<Published>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own")]
pub struct Published {
    pub protocol: String,
    pub target_port: u16,
    pub published_port: u16,
    pub publish_mode: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SpecRow {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    id: String,
    name: String,
}

/// What its values are is nobody's business; that they are others is.
fn unseen<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    nullable::<D, Vec<String>>(d).map(|lines| fingerprints(&lines))
}

/// An empty object says yes.
fn there<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    Ok(Option::<serde_json::Value>::deserialize(d)?.is_some())
}

pub(super) fn service(name: &str, info: &Info, answers: &Answers) -> Seen<OneService> {
    if !info.swarm.control_available {
        return Seen::Unread("the host does not control a swarm".into());
    }
    match read(name, info, answers) {
        Ok(Some(service)) => Seen::Is(service),
        Ok(None) => Seen::Absent,
        Err(why) => Seen::Unread(why),
    }
}

/// Nothing where the services were listed and it is none of them.
fn read(name: &str, info: &Info, answers: &Answers) -> Result<Option<OneService>, String> {
    let path = service_path(name);
    let Some(SpecRow { spec }) = answers.rows(&path)?.pop() else { return Ok(None) };
    let rows = answers.rows::<Row>(&path)?;
    let services = rows.into_iter().map(|row| Service::of(row, &info.system_time)).collect();
    let tasks = answers.rows::<Task>(&service_tasks_path(name))?.into_iter().map(unquoted).collect();
    let networks = answers.rows::<Named>(SERVICE_NETWORKS)?.into_iter().map(|named| (named.id, named.name)).collect();
    Ok(Some(OneService { own: Stack { services, tasks }, spec, networks }))
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
        understand(&[Read::Docker(Look::Service("web".into()))], &output).remove(0)
    }

    #[test]
    fn a_service_is_told_without_what_its_environment_says() {
        let row = r#"{"Id":"s1","Name":"web","Spec":{"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"app:1","Env":["T=s3cret"],"Init":null}},"Mode":{"Global":{}}}}"#;
        let task = r#"{"id":"t","name":"web.n","node":"node1","desired":"Running","current":"Running 12 seconds ago","error":""}"#;
        let seen = read(&format!(
            "{row}\n\n@skep 200 service:web\n{task}\n\n@skep 200 service-tasks:web\n{{\"Id\":\"i\",\"Name\":\"n\"}}\n\n@skep 200 service-networks\n"
        ));
        let Seen::Is(Value::Docker(Found::Service(found))) = &seen else { panic!("{seen:?}") };
        assert!(!format!("{found:?}").contains("s3cret"));
        let (own, contained) = (&found.own, &found.spec.task_template.container_spec);
        assert_eq!((own.services[0].id.as_str(), own.tasks.len(), contained.image.as_str()), ("s1", 1, "app:1"));
        assert!(found.spec.mode.global && contained.env.contains_key("T"));
    }

    #[test]
    fn it_is_absent_only_if_the_services_were_listed() {
        let others = "\n@skep 200 service-tasks:web\n\n@skep 200 service-networks\n";
        assert_eq!(read(&format!("\n@skep 200 service:web\n{others}")), Seen::Absent);
        let unread = Seen::Unread("Error: no quorum".into());
        assert_eq!(read(&format!("Error: no quorum\n@skep 1 service:web\n{others}")), unread);
    }

    /// The list begins with others of like names, and inspect takes what begins like an id.
    #[test]
    fn only_the_very_name_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let docker = folder.path().join("docker");
        let stand_in = "#!/bin/sh\ncase $1$2 in servicels) echo 'id1 web2'; echo 'id2 web' ;; serviceinspect) echo \"$*\" ;; *) exit 1 ;; esac\n";
        std::fs::write(&docker, stand_in).expect("a stand-in");
        std::fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path"));
        let script = super::super::script::script(&[Look::Service("web".into())]);
        let script = script.replace("command -v curl", "false");
        let output = std::process::Command::new("sh").args(["-c", &script]).env("PATH", path).output().expect("sh");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(" id2\n") && !said.contains("id1"), "{said}");
    }
}
