//! Containers, in Docker's own words; environment values only as fingerprints.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::answers::Answers;
use super::engine::Info;
use super::fingerprints;
use super::network::nullable;
use super::script::{CONTAINERS, container_path};
use crate::reads::Seen;

/// A container, running or not.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name, without the slash that Docker puts in front.
    #[serde(deserialize_with = "unslashed")]
    pub name: String,
    /// The id of the image it was made from.
    pub image: String,
    /// How it is.
    pub state: State,
    /// How often its restart policy started it again.
    pub restart_count: u64,
    /// What it was made with.
    pub config: Config,
    /// What it asks of the host.
    pub host_config: HostConfig,
    /// Where it is attached.
    network_settings: NetworkSettings,
    #[serde(deserialize_with = "nullable")]
    mounts: Vec<Mount>,
    /// How long it has been up, by its host's clock.
    #[serde(skip)]
    pub up: Option<Duration>,
    #[serde(skip)]
    ended_at_once: bool,
    /// When its process last started, and when that was looked at, in seconds since 1970 by its host's clock.
    #[serde(skip)]
    since: Option<(f64, f64)>,
}

/// How a container is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub status: String,
    /// How its process ended the last time.
    pub exit_code: i64,
    /// Why it could not start.
    pub error: String,
    /// Whether the kernel ended it for want of memory.
    #[serde(rename = "OOMKilled")]
    pub oom: bool,
    started_at: String,
    finished_at: String,
    /// What its health check says, where it has one.
    pub health: Option<Health>,
}

/// What a health check says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    #[serde(deserialize_with = "nullable")]
    log: Vec<Check>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Check {
    output: String,
}

/// What a container was made with.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// Its name to itself and to its networks.
    pub hostname: String,
    /// Who runs in it.
    pub user: String,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub open_stdin: bool,
    /// The fingerprints of its environment's values.
    #[serde(deserialize_with = "environment")]
    pub env: BTreeMap<String, String>,
    /// Its arguments.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// What runs in it.
    #[serde(deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// The image, as it was asked for.
    pub image: String,
    /// Where it starts.
    pub working_dir: String,
    /// Its labels and its image's.
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// Seconds it is given to stop.
    pub stop_timeout: Option<i64>,
    /// Its health check.
    pub healthcheck: Option<Healthcheck>,
}

/// A health check; times in nanoseconds, as Docker counts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["CMD-SHELL", line]`, `["CMD", words…]` or `["NONE"]`.
    #[serde(deserialize_with = "nullable")]
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// How long one may take.
    pub timeout: i64,
    /// How long failures do not count.
    pub start_period: i64,
    /// How many failures make it unhealthy.
    pub retries: i64,
}

/// What a container asks of its host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// `source:target[:options]`.
    #[serde(deserialize_with = "nullable")]
    pub binds: Vec<String>,
    /// The network it was made in.
    pub network_mode: String,
    /// By container port (`8080/tcp`), where it is published.
    #[serde(deserialize_with = "nullable")]
    pub port_bindings: BTreeMap<String, Option<Vec<Binding>>>,
    /// When it is started again.
    pub restart_policy: Restart,
    /// Bytes of memory; 0: no limit.
    pub memory: i64,
    /// Billionths of a processor; 0: no limit.
    pub nano_cpus: i64,
    /// Bytes of `/dev/shm`.
    pub shm_size: i64,
    /// `name:address`.
    #[serde(deserialize_with = "nullable")]
    pub extra_hosts: Vec<String>,
    /// Capabilities beside Docker's usual ones.
    #[serde(deserialize_with = "nullable")]
    pub cap_add: Vec<String>,
    /// Whether its root file system cannot be written.
    pub readonly_rootfs: bool,
    /// Path and options.
    #[serde(deserialize_with = "nullable")]
    pub tmpfs: BTreeMap<String, String>,
    /// Whether a small init reaps its children.
    pub init: Option<bool>,
    /// Where its output goes.
    pub log_config: Log,
}

/// Where a port is published on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Binding {
    /// The host's address; empty: all.
    pub host_ip: String,
    /// The host's port.
    pub host_port: String,
}

/// A restart policy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Restart {
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub name: String,
    /// Of `on-failure`.
    pub maximum_retry_count: i64,
}

/// A logging driver.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Log {
    /// `json-file`, `local`, `journald`, …
    #[serde(rename = "Type")]
    pub driver: String,
    /// Its options.
    #[serde(rename = "Config", deserialize_with = "nullable")]
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    #[serde(deserialize_with = "nullable")]
    networks: BTreeMap<String, Attachment>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mount {
    #[serde(rename = "Type")]
    kind: String,
    name: String,
}

/// How a container is attached to a network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attachment {
    /// The names it answers to beside its own; engines before 25 add its short id.
    #[serde(deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    #[serde(rename = "IPAMConfig", deserialize_with = "nullable")]
    ipam: AskedAddress,
    /// The network's id; empty where it was never attached.
    #[serde(rename = "NetworkID")]
    pub network: String,
    /// Empty while it is not attached.
    #[serde(rename = "EndpointID")]
    pub endpoint: String,
    /// Its address.
    #[serde(rename = "IPAddress")]
    pub address: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct AskedAddress {
    #[serde(rename = "IPv4Address")]
    v4: String,
}

impl Attachment {
    /// The address that was asked for; empty: any.
    pub fn asked_address(&self) -> &str {
        &self.ipam.v4
    }
}

impl Health {
    /// What the last check said.
    pub fn last(&self) -> &str {
        self.log.last().map_or("", |check| check.output.trim())
    }
}

impl Container {
    /// Its networks by name.
    pub fn networks(&self) -> &BTreeMap<String, Attachment> {
        &self.network_settings.networks
    }

    /// Whether it has a volume that Docker made a name for: nobody would find what is in it again.
    pub fn has_anonymous_volume(&self) -> bool {
        let made_up = |name: &str| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        self.mounts.iter().any(|mount| mount.kind == "volume" && made_up(&mount.name))
    }

    /// Whether its process runs.
    pub fn running(&self) -> bool {
        self.state.status == "running"
    }

    /// Whether it has ended, within 10 s of its start and in the last minute.
    pub fn ended_at_once(&self) -> bool {
        self.ended_at_once
    }

    /// Whether that time, in seconds since 1970 by its host's clock, has come after its process last started. What lies in
    /// the future has not come.
    pub fn started_before(&self, time: f64) -> bool {
        self.since.is_some_and(|(start, now)| start < time && time <= now)
    }

    fn timed(mut self, info: &Info) -> Self {
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        // What never got to run has ended, as its engine writes it down, a moment before it started.
        let between =
            |from: &str, to: &str| Duration::try_from((time(to)? - time(from)?).max(time::Duration::ZERO)).ok();
        let (start, end, now) = (&self.state.started_at, &self.state.finished_at, &info.system_time);
        let within =
            |from: &str, to: &str, seconds| between(from, to).is_some_and(|d| d < Duration::from_secs(seconds));
        self.ended_at_once = self.state.status == "exited" && within(start, end, 10) && within(end, now, 60);
        #[expect(clippy::cast_precision_loss, reason = "microseconds are enough")]
        let seconds = |text: &str| time(text).map(|time| time.unix_timestamp_nanos() as f64 / 1e9);
        self.since = seconds(start).zip(seconds(now));
        self.up = if self.running() { between(start, now).or(Some(Duration::ZERO)) } else { None };
        self
    }
}

pub(super) fn container(name: &str, info: &Info, answers: &Answers) -> Seen<Container> {
    let slashed = format!("/{name}");
    let found = |row: &Json| row.get("Name").and_then(Json::as_str) == Some(&slashed);
    let listed = |row: &Json| {
        let names = row.get("Names").and_then(Json::as_array).into_iter().flatten();
        names.filter_map(Json::as_str).flat_map(|names| names.split(',')).any(|name| name == slashed)
    };
    let row = match answers.object(&container_path(name), found, CONTAINERS, listed) {
        Seen::Is(row) => row,
        Seen::Absent => return Seen::Absent,
        Seen::Unread(why) => return Seen::Unread(why),
    };
    match serde_json::from_value::<Container>(row.clone()) {
        Ok(found) => Seen::Is(found.timed(info)),
        Err(e) => Seen::Unread(format!("docker inspect was not understood: {e}")),
    }
}

fn unslashed<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    String::deserialize(d).map(|name| name.trim_start_matches('/').to_owned())
}

fn environment<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    nullable(d).map(|lines: Vec<String>| fingerprints(&lines))
}
