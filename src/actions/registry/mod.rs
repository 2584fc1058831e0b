//! `registry`: a registry that every node can pull from, for those who have none.

mod certificate;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddrV4};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::container::Container;
use super::network::Presence;
use super::swarm::private;
use super::{Action, Ask, Object, Plan, Refusal, Target, Wait, hints, peers};
use crate::reads::{Machine, Port, Read, Readings, Seen};

/// A registry on one host, and what its nodes need to pull from it and push to it. The step runs on all of them: `hosts: all`.
///
/// On `host` it is a container (`docker run`, started again with the engine) that listens on the private address alone, with its
/// images in the volume of its name. It speaks TLS: that host makes a key, which never leaves it, and a certificate for ten years; every
/// host of the step gets the certificate into `/etc/docker/certs.d/ADDRESS/ca.crt`, and must then reach the port. So no engine has
/// to be told of an insecure registry, and none is restarted. A certificate with less than 30 days to go is made anew.
///
/// It is no service of the swarm because a service can be bound to no address: it would be open to all who reach the
/// hosts. It asks for no password: whoever is in the private network may push. Name images by its address:
/// `10.0.0.5:5000/app:1`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Registry {
    asked: Parameters,
    address: SocketAddrV4,
    container: Container,
}

/// The parameters of [`Registry`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// The host that it runs on: a pattern, of which the first host is taken.
    #[serde(default = "host")]
    host: String,
    /// Where it listens, `10.0.0.5:5000`: a private address of that host, and a port. Names of images begin with this.
    address: String,
    /// The name of its container, and of the volume with its images.
    #[serde(default = "name")]
    name: String,
    /// The image that it runs: the CNCF's registry (`registry:2`), or one that takes the same variables and port.
    #[serde(default = "image")]
    image: String,
    /// `present` (the default) or `absent`: then the container goes, its certificate, and the trust in that. The volume stays.
    #[serde(default)]
    state: Presence,
}

fn host() -> String {
    "managers[0]".into()
}

fn name() -> String {
    "registry".into()
}

fn image() -> String {
    "registry:2".into()
}

impl TryFrom<Parameters> for Registry {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        let given = &asked.address;
        let address: SocketAddrV4 = given
            .parse()
            .map_err(|_| format!("`address` is an address and a port, 10.0.0.5:5000, and {given} is not"))?;
        if !private(IpAddr::V4(*address.ip())) {
            return Err(format!(
                "`address`: {} is in no private network, and whoever reaches a registry without a password may fill it",
                address.ip()
            ));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if asked.name.is_empty() || !asked.name.chars().all(is_name) {
            return Err(format!("`name`: a container cannot be called {}", asked.name));
        }
        let container = asked.container(address)?;
        Ok(Self { asked, address, container })
    }
}

impl Parameters {
    /// As a playbook would ask for it.
    fn container(&self, address: SocketAddrV4) -> Result<Container, String> {
        let (name, folder) = (&self.name, self.folder());
        let asked = match self.state {
            Presence::Absent => json!({ "name": name, "state": "absent" }),
            Presence::Present => json!({
                "name": name, "image": self.image, "restart": "unless-stopped", "ports": [format!("{address}:5000")],
                "volumes": [format!("{name}:/var/lib/registry"), format!("{folder}:/certs:ro")],
                "restart_if_newer": [self.pem()],
                "log": { "driver": "json-file", "options": { "max-size": "10m", "max-file": 3 } },
                "env": {
                    "REGISTRY_HTTP_ADDR": ":5000",
                    "REGISTRY_HTTP_TLS_CERTIFICATE": "/certs/tls.pem",
                    "REGISTRY_HTTP_TLS_KEY": "/certs/tls.pem",
                    "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/var/lib/registry",
                    "REGISTRY_STORAGE_DELETE_ENABLED": true,
                },
            }),
        };
        serde_json::from_value(asked).map_err(|wrong| wrong.to_string())
    }

    /// Where its key and certificate are, on its host.
    fn folder(&self) -> String {
        format!("/var/lib/skep/{}", self.name)
    }

    /// Both in one file, so that none is ever there without the other.
    fn pem(&self) -> String {
        format!("{}/tls.pem", self.folder())
    }
}

impl Action for Registry {
    fn describe(&self) -> String {
        let no = if self.asked.state == Presence::Absent { "no " } else { "" };
        format!("{no}registry at {}", self.address)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "registry at", name: self.address.to_string() })
    }

    fn peers(&self) -> Vec<(&'static str, &str)> {
        vec![("host", self.asked.host.as_str())]
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let Ok(keeper) = self.keeper(on) else { return Vec::new() };
        let mut asks = vec![on.ask(self.trust())];
        if keeper == on.host.name {
            asks.extend(self.container.reads(on, seen));
        }
        match self.asked.state {
            Presence::Absent if keeper == on.host.name => asks.push(on.ask(self.key())),
            Presence::Absent => {}
            Presence::Present => asks.extend(self.present_reads(&keeper, on, seen)),
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let keeper = match self.keeper(on) {
            Ok(keeper) => keeper,
            Err(refusal) => return Plan::Refused(refusal),
        };
        match self.asked.state {
            Presence::Absent => self.absent(&keeper, on, seen),
            Presence::Present => self.present(&keeper, on, seen),
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::docker(said)
    }
}

impl Registry {
    /// The name of the host that it runs on.
    fn keeper(&self, on: &Target) -> Result<String, Refusal> {
        let named = peers(on, &self.asked.host)?;
        let first = named.first().map(|host| host.name.clone());
        first.ok_or_else(|| Refusal { why: format!("`{}` chooses no host", self.asked.host), hint: None })
    }

    fn present_reads(&self, keeper: &str, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut asks = vec![Ask { host: keeper.to_owned(), read: Read::Probe(self.certificate_look()) }];
        if keeper == on.host.name {
            asks.push(on.ask(Read::Machine));
        }
        let certificate = self.certificate(keeper, seen).ok().flatten();
        if certificate.is_some_and(|certificate| self.trusts(&certificate, on, seen) == Ok(true)) {
            asks.push(on.ask(Read::Port { address: self.address.ip().to_string(), port: self.address.port() }));
        }
        asks
    }

    fn present(&self, keeper: &str, on: &Target, seen: &Readings<'_>) -> Plan {
        let certificate = match self.certificate(keeper, seen) {
            Ok(certificate) => certificate,
            Err(refused) => return refused,
        };
        if keeper == on.host.name {
            return self.kept(keeper, certificate, on, seen);
        }
        match certificate {
            Some(certificate) => self.used(keeper, &certificate, on, seen),
            None => Plan::Wait(Wait {
                what: format!("the certificate of the registry on {keeper}"),
                on: vec![keeper.to_owned()],
                by_step: true,
                then: vec![self.give(keeper, "it does not trust the registry")],
            }),
        }
    }

    /// On the host that it runs on.
    fn kept(&self, keeper: &str, certificate: Option<String>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(refused) = self.elsewhere(seen.machine(keeper), keeper) {
            return refused;
        }
        let (runs, is_new) = (self.container.plan(on, seen), certificate.is_none());
        let changes = match runs {
            Plan::Change(changes) => changes,
            Plan::Settled => Vec::new(),
            other if is_new => return self.made_first(other, keeper),
            other => return other,
        };
        match certificate {
            None => {
                let give = self.give(keeper, "it does not trust the registry");
                Plan::Change([self.make()].into_iter().chain(changes).chain([give]).collect())
            }
            Some(_) if !changes.is_empty() => Plan::Change(changes),
            Some(certificate) => self.used(keeper, &certificate, on, seen),
        }
    }

    /// A container that waits for what its certificate has to do with gets that first.
    fn made_first(&self, plan: Plan, keeper: &str) -> Plan {
        match plan {
            Plan::Refused(refusal) => Plan::Refused(refusal),
            _ => Plan::Change(vec![self.make(), self.give(keeper, "it does not trust the registry")]),
        }
    }

    /// Where it is pulled from.
    fn used(&self, keeper: &str, certificate: &str, on: &Target, seen: &Readings<'_>) -> Plan {
        match self.trusts(certificate, on, seen) {
            Ok(true) => {}
            Ok(false) => return Plan::Change(vec![self.give(keeper, "it does not trust the registry")]),
            Err(why) => return Plan::unread(&self.trust_path(), &why),
        }
        let (ip, port) = (self.address.ip().to_string(), self.address.port());
        let why = match seen.port(&on.host.name, &ip, port) {
            Seen::Is(Port::Open) => return Plan::Settled,
            Seen::Is(other) => other.to_string(),
            Seen::Absent => "nobody looked".to_owned(),
            Seen::Unread(why) => {
                return Plan::unread(&format!("what answers at {} from {}", self.address, on.host.name), &why);
            }
        };
        Plan::Wait(Wait {
            what: format!("the registry at {} to answer ({why})", self.address),
            on: vec![keeper.to_owned()],
            by_step: false,
            then: Vec::new(),
        })
    }

    /// Docker would say so, too, but after the image was pulled, and the container made.
    fn elsewhere(&self, machine: Seen<&Machine>, keeper: &str) -> Option<Plan> {
        let machine = match machine {
            Seen::Is(machine) => machine,
            Seen::Absent => return Some(Plan::unread(&format!("the addresses of {keeper}"), "it was not looked at")),
            Seen::Unread(why) => return Some(Plan::unread(&format!("the addresses of {keeper}"), &why)),
        };
        let ip = IpAddr::V4(*self.address.ip());
        let all = machine.interfaces.iter().flat_map(|nic| nic.addresses.iter().map(|(address, _)| *address));
        let own: Vec<IpAddr> = all.filter(|address| address.is_ipv4() && private(*address)).collect();
        let listed = own.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        (!own.contains(&ip)).then(|| {
            Plan::refused(
                format!("the registry is to listen at {ip}, and {keeper} has no such address"),
                format!("say `address` with one of its own ({listed}), or `host` with the host that has it"),
            )
        })
    }

    fn absent(&self, keeper: &str, on: &Target, seen: &Readings<'_>) -> Plan {
        let mut changes = Vec::new();
        if keeper == on.host.name {
            match self.container.plan(on, seen) {
                Plan::Change(gone) => changes.extend(gone),
                Plan::Settled => {}
                other => return other,
            }
        }
        let own = (keeper == on.host.name).then(|| (self.asked.pem(), "its key is of no more use"));
        for (path, why) in [(self.trust_path(), "nothing is to be trusted there any more")].into_iter().chain(own) {
            match seen.file(&on.host.name, &path) {
                Seen::Is(_) => changes.push(certificate::forget(&path, why)),
                Seen::Absent => {}
                Seen::Unread(why) => return Plan::unread(&path, &why),
            }
        }
        if changes.is_empty() { Plan::Settled } else { Plan::Change(changes) }
    }
}
