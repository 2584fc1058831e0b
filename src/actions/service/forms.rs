//! Forms that only services take: ports, what they are given to read, and what is mounted, as Docker's flags have them.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor, value::MapAccessDeserializer};

use super::parameters::Parameters;
use crate::actions::values::{Text, mounted, ports};
use crate::expr::size;

/// Ports to publish: one, or those of a range.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "PublishSchema")]
pub struct Publish(pub(super) Vec<Port>);

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The port that is published.
    pub(super) published: u16,
    /// The port in the task's container.
    pub(super) target: u16,
    /// `tcp` (the default), `udp` or `sctp`.
    #[serde(default)]
    pub(super) protocol: Protocol,
    /// `ingress` (the default): every node leads to some task. `host`: each node with a task leads to that.
    #[serde(default)]
    pub(super) mode: PortMode,
}

/// What is spoken at a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
    Sctp,
}

/// Where a port is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PortMode {
    #[default]
    Ingress,
    Host,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum PublishSchema {
    Text(String),
    Map(Port),
}

impl Publish {
    pub(super) fn is_ingress(&self) -> bool {
        self.0.iter().any(|port| port.mode == PortMode::Ingress)
    }

    /// Understands `8080:80/udp`, ranges included.
    fn read(text: &str) -> Result<Self, String> {
        let known = ports(&[Text(text.into())]).ok_or("`ports` are written as \"8080:80\" or \"53:53/udp\"")?;
        let mut all = Vec::new();
        for (inner, outer) in known {
            let (target, protocol) = inner.split_once('/').unwrap_or((&inner, "tcp"));
            for (address, published) in outer {
                all.push(Port::read(text, &address, &published, target, protocol)?);
            }
        }
        Ok(Self(all))
    }
}

impl Port {
    /// Swarm publishes on all addresses, whatever a port says (moby#32299).
    fn read(text: &str, address: &str, published: &str, target: &str, protocol: &str) -> Result<Self, String> {
        if !address.is_empty() {
            return Err(format!(
                "a swarm binds a port to no address: {text} would be open to all who reach the hosts; leave it out (`skep forward` reaches \
                 services that publish nothing), or let a firewall close it"
            ));
        }
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            other => return Err(format!("{other} is no protocol: tcp, udp or sctp")),
        };
        let number = |port: &str| {
            port.parse().map_err(|_| format!("{text} does not say which port is published: 8080:{target}"))
        };
        Ok(Self { published: number(published)?, target: number(target)?, protocol, mode: PortMode::Ingress })
    }

    /// What no two ports of a service share.
    pub(super) fn key(published: u16, target: u16, protocol: &str) -> String {
        format!("{published}:{target}/{protocol}")
    }
}

impl Protocol {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl PortMode {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Host => "host",
        }
    }
}

impl<'de> Deserialize<'de> for Publish {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(PublishVisitor)
    }
}

struct PublishVisitor;

impl<'de> Visitor<'de> for PublishVisitor {
    type Value = Publish;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"8080:80\", or a mapping with published, target, protocol and mode")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Publish, E> {
        Publish::read(text).map_err(E::custom)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Publish, A::Error> {
        Port::deserialize(MapAccessDeserializer::new(map)).map(|port| Publish(vec![port]))
    }
}

/// A secret or a config that tasks can read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenMap {
    /// Its name in the swarm.
    pub(super) source: String,
    /// The file: the name of a secret in `/run/secrets`, the path of a config.
    pub(super) target: Option<String>,
    /// Whose file it is; root's where not given.
    pub(super) uid: Option<Text>,
    /// The group it has.
    pub(super) gid: Option<Text>,
    /// Its mode, octal; `"0444"` where not given.
    pub(super) mode: Option<Text>,
}

/// The same, or its name alone.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "GivenSchema")]
pub struct Given(pub(super) GivenMap);

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum GivenSchema {
    Name(String),
    Map(GivenMap),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(GivenVisitor)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name, or a mapping with source, target, uid, gid and mode")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Given, E> {
        named(Given(GivenMap { source: name.into(), target: None, uid: None, gid: None, mode: None }))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
        let map = GivenMap::deserialize(MapAccessDeserializer::new(map))?;
        match map.mode.as_ref().map(|Text(mode)| u32::from_str_radix(mode, 8)) {
            Some(Err(_)) => Err(A::Error::custom("`mode` is octal: \"0400\"")),
            _ => named(Given(map)),
        }
    }
}

/// It must say of which: the step that makes it may have been skipped.
fn named<E: Error>(given: Given) -> Result<Given, E> {
    if given.0.source.is_empty() {
        Err(E::custom("it names no secret or config: the name is empty"))
    } else {
        Ok(given)
    }
}

/// All that is mounted: the path in the container, and what `--mount` takes.
pub(super) fn mounts(asked: &Parameters) -> Result<Vec<(String, String)>, String> {
    let volumes = asked.volumes.iter().map(|line| volume(line));
    volumes.chain(asked.tmpfs.iter().map(|line| tmpfs(line))).collect()
}

/// `volume:/path`, `/folder:/path:ro`, `/path`
fn volume(line: &str) -> Result<(String, String), String> {
    let fits = |options: &str| !line.contains([',', '"']) && ["", "rw", "ro"].contains(&options);
    let mounted = mounted(line).filter(|(.., options)| fits(options));
    let (source, target, options) = mounted.ok_or_else(|| unfit("volumes", line))?;
    let kind = if source.starts_with('/') { "bind" } else { "volume" };
    Ok((target.to_owned(), mount(kind, source, target, options == "ro", 0)))
}

/// `/run`, `/tmp:size=64m`
fn tmpfs(line: &str) -> Result<(String, String), String> {
    let (target, options) = line.split_once(':').unwrap_or((line, "size=0"));
    let bytes = options.strip_prefix("size=").and_then(size).filter(|_| target.starts_with('/'));
    let bytes = bytes.ok_or_else(|| unfit("tmpfs", line))?;
    Ok((target.to_owned(), mount("tmpfs", "", target, false, bytes)))
}

fn unfit(key: &str, line: &str) -> String {
    format!("`{key}`: {line} is none of volume:/path, /folder:/path:ro (`volumes`), /run and /tmp:size=64m (`tmpfs`)")
}

/// As `--mount` takes it.
pub(super) fn mount(kind: &str, source: &str, target: &str, read_only: bool, bytes: i64) -> String {
    let mut text = format!("type={kind}");
    if !source.is_empty() {
        text += &format!(",source={source}");
    }
    text += &format!(",target={target}");
    if read_only {
        text += ",readonly";
    }
    if bytes > 0 {
        text += &format!(",tmpfs-size={bytes}");
    }
    text
}

/// As `--publish` takes it.
pub(super) fn publish(published: u16, target: u16, protocol: &str, mode: &str) -> String {
    format!("published={published},target={target},protocol={protocol},mode={mode}")
}

/// As `--secret` and `--config` take it.
pub(super) fn given(source: &str, target: &str, uid: &str, gid: &str, mode: u32) -> String {
    format!("source={source},target={target},uid={uid},gid={gid},mode={mode:04o}")
}
