//! What can be asked of a container.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::mistakes::mistake;
use crate::actions::values::{Ports, Size, Span, Text, Words, ports};

/// Runs a container, or removes one.
///
/// It is settled if it was made with the same parameters from the same image and is healthy or, without a health check, has
/// been up for 5 seconds. Where it differs, the difference is shown field by field and a new one takes its place, once Docker
/// has made one like it, without a name, that never runs: what it refuses is told while the old one is still there. Volumes are
/// never removed. A container that was not made by `skep` is compared in the fields asked for only. One that lost its
/// overlay network (Docker does not mend that by itself) is made anew.
///
/// Before it replaces one, `skep` asks. It does not where nothing can be missed: the container never ran; or it lost its
/// network and is dead, was made with the same parameters and has no volume without a name. What it wrote elsewhere than to its
/// volumes goes with it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Parameters")]
pub struct Container(Parameters);

impl std::ops::Deref for Container {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.0
    }
}

/// Runs a container, or removes one.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Its name.
    #[serde(skip_serializing)]
    pub(super) name: String,
    /// The image it is made from; not needed with `state: absent`.
    #[serde(skip_serializing)]
    pub(super) image: Option<String>,
    /// `running` (the default) or `absent`.
    #[serde(default, skip_serializing)]
    pub(super) state: Wanted,
    /// Its arguments, a line or a list of words; the image's own where none are given.
    pub(super) command: Option<Words>,
    /// What runs in it, a line or a list of words, in place of the image's own.
    pub(super) entrypoint: Option<Words>,
    /// Its name to itself and, on networks of its own, to others.
    pub(super) hostname: Option<String>,
    /// The networks it is attached to: names, or mappings with `name`, `aliases` and `ip`. Docker's default bridge where none are given.
    #[serde(default)]
    pub(super) networks: Vec<Attach>,
    /// Ports published on the host, as `docker run -p` takes them: `8080:8080`, `127.0.0.1:8080:8080`, `53:53/udp`. They bypass ufw.
    #[serde(default)]
    pub(super) ports: Vec<Text>,
    /// Variables of its environment. Their values are never shown, nor visible in the host's process list, but for those that `docker` itself
    /// would heed (`PATH`, `DOCKER_HOST`): these are in its arguments while it runs.
    #[serde(default)]
    pub(super) env: BTreeMap<String, Text>,
    /// Files on the host with more of them, a `NAME=value` a line. They are read when the container is made.
    #[serde(default)]
    pub(super) env_files: Vec<String>,
    /// Volumes and folders of the host: `volume:/path`, `/folder:/path:ro`; all paths are absolute.
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    /// File systems in memory: `/run`, `/tmp:size=64m`.
    #[serde(default)]
    pub(super) tmpfs: Vec<String>,
    /// When it is started again: `no` (the default), `always`, `unless-stopped`, `on-failure` or `on-failure:3`.
    pub(super) restart: Option<String>,
    /// Files of the host that it reads when it starts, absolute: it is restarted where one of them has changed since.
    #[serde(default, skip_serializing)]
    pub(super) restart_if_newer: Vec<String>,
    /// Labels.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, Text>,
    /// The most memory it may take: `512m`, `2g`.
    pub(super) memory: Option<Size>,
    /// The most processors it may take: `1.5`.
    pub(super) cpus: Option<f64>,
    /// The size of its `/dev/shm`: `64m`.
    pub(super) shm_size: Option<Size>,
    /// How Docker can tell that it works.
    pub(super) healthcheck: Option<Healthcheck>,
    /// Who runs in it: `name`, `uid` or `uid:gid`.
    pub(super) user: Option<Text>,
    /// More lines for its `/etc/hosts`: `name:address`, or `name:host-gateway` for the host that it runs on.
    #[serde(default)]
    pub(super) extra_hosts: Vec<String>,
    /// Whether it has a terminal. A shell without one ends at once.
    #[serde(default)]
    pub(super) tty: bool,
    /// Whether its standard input stays open.
    #[serde(default)]
    pub(super) stdin: bool,
    /// Whether a small init runs in it and reaps what its processes leave behind.
    #[serde(default)]
    pub(super) init: bool,
    /// Where its output goes.
    pub(super) log: Option<Log>,
    /// How long it is given to stop before it is ended: `30s`.
    pub(super) stop_timeout: Option<Span>,
    /// Capabilities beside Docker's usual ones: `NET_ADMIN`.
    #[serde(default)]
    pub(super) cap_add: Vec<String>,
    /// Whether its root file system cannot be written.
    #[serde(default)]
    pub(super) read_only: bool,
    /// The folder it starts in, absolute.
    pub(super) workdir: Option<String>,
}

/// What a container is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// There, and running.
    #[default]
    Running,
    /// Not there.
    Absent,
}

/// A network to attach to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(with = "AttachSchema")]
pub struct Attach {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) ip: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AttachMap {
    /// The network's name.
    name: String,
    /// More names that it answers to there.
    #[serde(default)]
    aliases: Vec<String>,
    /// Its address there; the network must have a subnet that was asked for.
    ip: Option<String>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum AttachSchema {
    Name(String),
    Map(AttachMap),
}

impl<'de> Deserialize<'de> for Attach {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(AttachVisitor)
    }
}

struct AttachVisitor;

impl<'de> serde::de::Visitor<'de> for AttachVisitor {
    type Value = Attach;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a network's name, or a mapping with name, aliases and ip")
    }
    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Attach, E> {
        Ok(Attach { name: name.into(), aliases: Vec::new(), ip: None })
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Attach, A::Error> {
        let AttachMap { name, aliases, ip } =
            AttachMap::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Attach { name, aliases, ip })
    }
}

/// How Docker can tell that a container works.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Healthcheck {
    /// A line of shell, run in the container (Docker calls it the test), or `none` to switch the image's own check off. It is healthy if the line ends with 0.
    #[serde(alias = "test")]
    pub(super) command: String,
    /// Between two checks; 30 s where not given.
    pub(super) interval: Option<Span>,
    /// How long one may take; 30 s where not given.
    pub(super) timeout: Option<Span>,
    /// How long failures do not count.
    pub(super) start_period: Option<Span>,
    /// How many failures in a row make it unhealthy; 3 where not given.
    pub(super) retries: Option<u32>,
}

/// Where a container's output goes.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `json-file`, `local`, `journald`, …
    pub(super) driver: String,
    /// Its options: `max-size: 10m`, `max-file: 3`.
    #[serde(default)]
    pub(super) options: BTreeMap<String, Text>,
}

impl TryFrom<Parameters> for Container {
    type Error = String;

    fn try_from(mut asked: Parameters) -> Result<Self, String> {
        asked.networks.iter_mut().for_each(Attach::named_as_kept);
        match mistake(&asked) {
            Some(mistake) => Err(mistake),
            None => Ok(Self(asked)),
        }
    }
}

impl Attach {
    /// Docker takes `default` for its bridge, and keeps the endpoint under that name alone.
    fn named_as_kept(&mut self) {
        if self.name == "default" {
            self.name = "bridge".into();
        }
    }
}

impl Container {
    pub(super) fn ports(&self) -> Ports {
        ports(&self.ports).unwrap_or_default()
    }

    /// The host's ports that it publishes.
    pub(super) fn published_ports(&self) -> Vec<String> {
        let all = self.ports().into_values().flatten().map(|(_, port)| port);
        all.filter(|port| !port.is_empty()).collect()
    }

    /// What two containers share that were made with the same parameters. Of the image only its content matters, which is compared itself.
    pub(super) fn digest(&self) -> String {
        let text = serde_json::to_string(&self.0).unwrap_or_default();
        data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8])
    }
}
