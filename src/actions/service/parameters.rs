//! What can be asked of a service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::forms::{Given, Publish};
use crate::actions::environment::unnamed;
use crate::actions::network::Presence;
use crate::actions::values::{Size, Span, Text, Words};

/// A service of the swarm. Its steps run where the swarm is commanded: `hosts: leader`.
///
/// One that is not as asked is brought there by `docker service update` with the very flags for what differs, which the plan shows
/// field by field; then it is waited for until every task runs. What its tasks end with is told, with the last lines that they
/// said. Where the swarm gives an update up, the step fails; the next run tries once more.
///
/// What skep has made is to be as it stands here in all that this page names: what somebody added by hand is taken away again, but
/// for labels, and for the number of tasks where `replicas` is not given. A service that was made by hand is compared in
/// the fields asked for only. Values of its environment are compared, and never shown.
///
/// Nothing is published unless `ports` say so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Service(Parameters);

impl std::ops::Deref for Service {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.0
    }
}

/// The parameters of [`Service`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Its name: others on its networks find it by that.
    pub(super) name: String,
    /// The image; not needed with `state: absent`.
    pub(super) image: Option<String>,
    /// `replicated` (the default), or `global`: one task on each node. One that is there in the other mode is removed, after
    /// asking, and made anew.
    #[serde(default)]
    pub(super) mode: Mode,
    /// How many tasks it has; 1 where not given, and then left to whoever scales it.
    pub(super) replicas: Option<u64>,
    /// Its arguments, a line or a list of words; the image's own where none are given.
    pub(super) command: Option<Words>,
    /// What runs in it, a line or a list of words, in place of the image's own.
    pub(super) entrypoint: Option<Words>,
    /// Variables of its environment. Whoever may ask the swarm can read their values: `secrets` are for what nobody may know.
    #[serde(default)]
    pub(super) env: BTreeMap<String, Text>,
    /// The overlay networks that it is on, by name.
    #[serde(default)]
    pub(super) networks: Vec<String>,
    /// Ports: `8080:80` or `53:53/udp` on every node of the swarm, for all who reach it. Or a mapping, with `mode: host`: on the
    /// nodes with a task alone. A swarm binds to no address, so one with an address is refused. They bypass ufw.
    #[serde(default)]
    pub(super) ports: Vec<Publish>,
    /// How it is found by its name: `vip` (the default), one address for all tasks, or `dnsrr`, an answer with the address of each.
    /// With `dnsrr` ports are published by `mode: host` only.
    pub(super) endpoint_mode: Option<EndpointMode>,
    /// Secrets, by name: each is a file in `/run/secrets`. Or mappings, with another name for the file, or an owner.
    #[serde(default)]
    pub(super) secrets: Vec<Given>,
    /// Configs, by name: each is a file in `/`. Or mappings, with `target`, its path.
    #[serde(default)]
    pub(super) configs: Vec<Given>,
    /// Volumes and folders of the node that a task is on: `volume:/path`, `/folder:/path:ro`.
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    /// File systems in memory: `/run`, `/tmp:size=64m`.
    #[serde(default)]
    pub(super) tmpfs: Vec<String>,
    /// The nodes that it may run on: `node.role==manager`, `node.labels.disk==ssd`.
    #[serde(default)]
    pub(super) constraints: Vec<String>,
    /// What its tasks are spread over: `node.labels.zone`.
    #[serde(default)]
    pub(super) spread: Vec<String>,
    /// The most tasks on one node.
    pub(super) max_per_node: Option<u64>,
    /// The most memory that a task may take: `512m`, `2g`.
    pub(super) memory: Option<Size>,
    /// The most processors that a task may take: `1.5`.
    pub(super) cpus: Option<f64>,
    /// What a node must have left for a task to go there.
    #[serde(default)]
    pub(super) reserve: Reserve,
    /// How tasks are replaced when it is updated.
    #[serde(default)]
    pub(super) update: Rollout,
    /// How they are when an update is taken back.
    #[serde(default)]
    pub(super) rollback: Rollout,
    /// What becomes of a task that has ended.
    #[serde(default)]
    pub(super) restart: Restart,
    /// How Docker can tell that a task works.
    #[serde(default)]
    pub(super) healthcheck: Healthcheck,
    /// Labels of the service. Others that it has are left alone.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, Text>,
    /// The name of each task to itself.
    pub(super) hostname: Option<String>,
    /// Who runs in it: `name`, `uid` or `uid:gid`.
    pub(super) user: Option<Text>,
    /// The folder it starts in.
    pub(super) workdir: Option<String>,
    /// Whether a small init runs in it and reaps what its processes leave behind.
    #[serde(default)]
    pub(super) init: bool,
    /// Whether it has a terminal. A shell without one ends at once.
    #[serde(default)]
    pub(super) tty: bool,
    /// Whether its root file system cannot be written.
    #[serde(default)]
    pub(super) read_only: bool,
    /// How long a task is given to stop before it is ended: `30s`; 10 s where not given.
    pub(super) stop_timeout: Option<Span>,
    /// Whether the nodes may pull with the login that the step's user has on this host (`registry_login`).
    #[serde(default)]
    pub(super) registry_auth: bool,
    /// Whether the registry is asked which image a tag means: `changed` (when the image is another), or `never`: each node takes the
    /// image that it has, or pulls the tag itself. That is the way for images that were carried; where the tag means another
    /// image on this host, the tasks are made anew.
    #[serde(default)]
    pub(super) resolve_image: Resolve,
    /// `present` (the default) or `absent`.
    #[serde(default)]
    pub(super) state: Presence,
}

/// Where its tasks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As many as are asked for.
    #[default]
    Replicated,
    /// One on each node.
    Global,
}

/// How it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointMode {
    /// By one address.
    Vip,
    /// By those of its tasks.
    Dnsrr,
}

/// When the registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resolve {
    /// When the image is another.
    #[default]
    Changed,
    /// Never.
    Never,
}

/// What a node must have left.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// Memory: `256m`.
    pub(super) memory: Option<Size>,
    /// Processors: `0.5`.
    pub(super) cpus: Option<f64>,
}

/// How tasks are replaced.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// How many at once; 1 where not given, 0 for all.
    pub(super) parallelism: Option<u64>,
    /// Between two of them: `10s`.
    pub(super) delay: Option<Span>,
    /// `stop-first` (the default) or `start-first`.
    pub(super) order: Option<String>,
    /// What is done when a task fails: `pause` (the default), `continue` or, for an update, `rollback`.
    pub(super) failure_action: Option<String>,
    /// How long a new task is watched for failing; 5 s where not given.
    pub(super) monitor: Option<Span>,
    /// The share of tasks that may fail: `0.2`.
    pub(super) max_failure_ratio: Option<f64>,
}

/// What becomes of a task that has ended.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// When another takes its place: `any` (the default), `on-failure`, or `none`: it runs once, and is settled when it has ended well.
    pub(super) condition: Option<String>,
    /// How long after; 5 s where not given.
    pub(super) delay: Option<Span>,
    /// How often at most; without end where not given.
    pub(super) max_attempts: Option<u64>,
    /// Over which time that is counted.
    pub(super) window: Option<Span>,
}

/// How Docker can tell that a task works.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Healthcheck {
    /// A line of shell, run in the container, or `none` to switch the image's own check off. It is healthy if the line ends with 0.
    #[serde(alias = "test")]
    pub(super) command: Option<String>,
    /// Between two checks; 30 s where not given.
    pub(super) interval: Option<Span>,
    /// How long one may take; 30 s where not given.
    pub(super) timeout: Option<Span>,
    /// How long failures do not count.
    pub(super) start_period: Option<Span>,
    /// How many failures in a row make it unhealthy; 3 where not given.
    pub(super) retries: Option<u32>,
}

impl TryFrom<Parameters> for Service {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        asked.mistake().map_or(Ok(Self(asked)), Err)
    }
}

/// Words that a field may be.
type Known = &'static [&'static str];

const ORDERS: Known = &["stop-first", "start-first"];
const CONDITIONS: Known = &["any", "on-failure", "none"];

impl Parameters {
    fn mistake(&self) -> Option<String> {
        [self.apart(), self.not_together(), self.unknown_word(), unnamed(&self.env), super::forms::mounts(self).err()]
            .into_iter()
            .flatten()
            .next()
    }

    /// What cannot be asked for, whatever else is.
    fn apart(&self) -> Option<String> {
        if self.state == Presence::Present && self.image.is_none() {
            return Some("missing key `image` in `service`".into());
        }
        let own = self.labels.keys().find(|name| name.starts_with("skep."));
        own.map(|name| format!("the label `{name}` cannot be given: those in `skep.` are skep's own"))
    }

    /// What cannot be asked for together.
    fn not_together(&self) -> Option<String> {
        if self.mode == Mode::Global && self.replicas.is_some() {
            return Some("one task on each node: `mode: global` takes no `replicas`".into());
        }
        let ingress = self.endpoint_mode == Some(EndpointMode::Dnsrr) && self.ports.iter().any(Publish::is_ingress);
        ingress.then(|| "with `endpoint_mode: dnsrr` ports are published by `mode: host` only".into())
    }

    fn unknown_word(&self) -> Option<String> {
        let (update, rollback) = (&self.update, &self.rollback);
        let words: [(&str, &Option<String>, Known); 5] = [
            ("update.order", &update.order, ORDERS),
            ("rollback.order", &rollback.order, ORDERS),
            ("update.failure_action", &update.failure_action, &["pause", "continue", "rollback"]),
            ("rollback.failure_action", &rollback.failure_action, &["pause", "continue"]),
            ("restart.condition", &self.restart.condition, CONDITIONS),
        ];
        let wrong =
            words.into_iter().find(|(_, word, known)| word.as_deref().is_some_and(|word| !known.contains(&word)));
        wrong.map(|(field, _, known)| format!("`{field}` is one of {}", known.join(", ")))
    }
}
