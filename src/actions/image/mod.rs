//! `image`: an image that a host has: pulled, built, loaded, or carried from a host that has it.

mod build;
mod carry;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::Text;
use super::{Action, Ask, Change, Does, Object, Parcel, Plan, Sent, Target, hints};
use crate::reads::docker::{Image as Found, Look, normal_reference};
use crate::reads::{Read, Readings, Seen};
use crate::remote::Command;

/// Sees to it that a host has an image.
///
/// One way is taken: `pull: true`, else `build`, else `load`, else `carry`, else it is pulled. A host that has it (the same
/// layers and configuration) gets nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Image(Parameters);

impl std::ops::Deref for Image {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.0
    }
}

/// The parameters of [`Image`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Its name, with a tag: `registry.example/spark:4.1`.
    name: String,
    /// Pull it from its registry, if it is not there, or is another than the hosts of `carry` have.
    #[serde(default)]
    pull: bool,
    /// Build it, again only if the files, the arguments or the base image changed.
    build: Option<Build>,
    /// Load it from an archive on the workstation (`docker save`), if it is not there; the path is relative to the playbook's folder.
    load: Option<PathBuf>,
    /// Carry it from the first of these hosts that has it, without a registry: `managers[0]`. It is read there once for all who
    /// lack the same of it, and goes straight from host to host (docs/ssh.md), or through the workstation to those that cannot be
    /// reached from there; layers that a host has already are left out where its engine allows that. With `pull: true` it comes
    /// from the registry, and is the one that they have.
    carry: Option<String>,
    /// Push it to its registry after that, if that does not have it.
    #[serde(default)]
    push: bool,
    /// The platform, where a registry has several: `linux/arm64`.
    platform: Option<String>,
}

/// How an image is built.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The folder on the workstation that is sent, relative to the playbook's. What `DOCKERFILE.dockerignore` names
    /// in it is left out, or where there is no such file, what `.dockerignore` names.
    context: PathBuf,
    /// The Dockerfile in it.
    #[serde(default = "dockerfile")]
    dockerfile: String,
    /// Build arguments. They can be read in the image's history: nothing secret.
    #[serde(default)]
    args: BTreeMap<String, Text>,
    /// A file with certificates, put beside the Dockerfile as `skep-ca.crt`; left out if empty.
    #[serde(default)]
    ca_file: String,
    /// The stage to build; the last where not given.
    target: Option<String>,
    /// The network of the build's own commands, such as `host`.
    network: Option<String>,
}

fn dockerfile() -> String {
    "Dockerfile".into()
}

impl TryFrom<Parameters> for Image {
    type Error = String;

    /// What is built, saved or pushed goes by a tag: `docker load` finds no name by digest in an archive, and a push makes one.
    fn try_from(asked: Parameters) -> Result<Self, String> {
        let made = match asked.way() {
            _ if asked.push => Some("pushed"),
            Way::Build(_) => Some("built"),
            Way::Carry(_) => Some("carried"),
            Way::Pull | Way::Load(_) => None,
        };
        match made.filter(|_| asked.name.contains('@')) {
            Some(made) => Err(format!(
                "an image is not {made} by a digest: name it by a tag, or pull `{}` on each host that is to have it",
                asked.name
            )),
            None => Ok(Self(asked)),
        }
    }
}

impl Action for Image {
    fn describe(&self) -> String {
        format!("image {}", self.name)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "image", name: normal_reference(&self.name) })
    }

    fn peers(&self) -> Vec<(&'static str, &str)> {
        self.carry.iter().map(|from| ("carry", from.as_str())).collect()
    }

    fn sends(&self) -> Vec<Sent> {
        match self.way() {
            Way::Build(build) => build.sends(),
            Way::Load(path) => vec![Sent { named_by: &["load"], path: path.clone(), is_folder: false }],
            Way::Pull | Way::Carry(_) => Vec::new(),
        }
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut asks = vec![on.ask(image(&self.name))];
        match self.way() {
            Way::Build(build) => asks.extend(build.reads(on, seen)),
            Way::Carry(_) => asks.extend(self.carry_reads(on, seen)),
            Way::Pull => asks.extend(self.pull_reads(on)),
            Way::Load(_) => {}
        }
        if self.push {
            asks.extend(self.push_reads(on));
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let found = match seen.image(&on.host.name, &self.name) {
            Seen::Is(found) => Some(found),
            Seen::Absent => None,
            Seen::Unread(why) => return Plan::unread(&format!("image {} on {}", self.name, on.host.name), &why),
        };
        let plan = match (self.way(), found) {
            (Way::Build(build), found) => build.plan(&self.name, found, on, seen),
            (Way::Carry(from), found) => self.carry_plan(from, found, on, seen),
            (Way::Pull, found) => self.pull_plan(found, on, seen),
            (Way::Load(_), Some(_)) => Plan::Settled,
            (Way::Load(path), None) => Plan::Change(vec![load(&on.folder.join(path))]),
        };
        if self.push { self.pushed(plan, found, on, seen) } else { plan }
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::docker(said)
    }
}

/// Where an image comes from.
enum Way<'a> {
    Pull,
    Build(&'a Build),
    Load(&'a PathBuf),
    Carry(&'a str),
}

fn image(name: &str) -> Read {
    Read::Docker(Look::Image(name.into()))
}

fn load(path: &std::path::Path) -> Change {
    let to = Command::new("docker").args(["load", "-q"]);
    Change::new("it is not here", Does::Send { parcel: Parcel::File(path.into()), to })
}

impl Parameters {
    fn way(&self) -> Way<'_> {
        match (&self.build, &self.load, &self.carry) {
            _ if self.pull => Way::Pull,
            (Some(build), _, _) => Way::Build(build),
            (None, Some(path), _) => Way::Load(path),
            (None, None, Some(from)) => Way::Carry(from),
            (None, None, None) => Way::Pull,
        }
    }
}
