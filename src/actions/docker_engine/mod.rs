//! `docker_engine`: a Docker engine that is installed, configured, started and answering.

mod daemon;
mod install;
mod key;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Change, Does, Object, Plan, Refusal, Target, Wait, apt, hints};
use crate::reads::docker::{Engine, Flavour, Look};
use crate::reads::{Package, Probe, Read, Readings, Seen, Unit, is_late};
use crate::remote::{Command, quote};

/// Installs a Docker engine where there is none that satisfies, and keeps it configured and running.
///
/// An engine that is already there is left alone, wherever it came from, unless `version` says otherwise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DockerEngine {
    /// Where packages come from.
    source: Source,
    /// The version to have: `27`, `27.5`, `27.5.1` or a package's whole version. Any will do where none is given.
    version: Option<String>,
    /// Docker's channel: `stable` or `test`.
    channel: String,
    /// Settings of the daemon, merged into `/etc/docker/daemon.json`. A change restarts the daemon, and so does one that
    /// somebody else made and that the daemon does not know yet.
    daemon: serde_json::Map<String, serde_json::Value>,
    /// Whether the host is for a swarm. Settings with which it cannot be in one are refused then: `live-restore`, and
    /// nftables as `firewall-backend`.
    swarm: bool,
    /// Users of the host who may use Docker without sudo: members of the group `docker`. That makes them root in effect.
    users: Vec<String>,
    /// Whether the packages are held: an unattended upgrade would stop the daemon and what runs on it.
    hold: bool,
    /// Docker's package repository, or a mirror of it; the system's name (`debian`, `ubuntu`) is put behind it.
    repository: String,
    /// The fingerprint of the key that signs the repository.
    fingerprint: String,
}

/// Where packages come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Source {
    /// Docker's own packages, from its repository.
    #[default]
    DockerCe,
    /// The packages that Debian or Ubuntu makes.
    Distribution,
}

impl Default for DockerEngine {
    fn default() -> Self {
        Self {
            source: Source::default(),
            version: None,
            channel: "stable".into(),
            daemon: serde_json::Map::new(),
            swarm: true,
            users: Vec::new(),
            hold: true,
            repository: "https://download.docker.com/linux".into(),
            // Published at https://docs.docker.com/engine/install/debian/.
            fingerprint: "9DC858229FC7DD38854AE2D88D81803C0EBFCD88".into(),
        }
    }
}

const UNIT: &str = "docker.service";

/// What either source installs, and what is held.
const PACKAGES: &[&str] = &[
    "docker-ce",
    "docker-ce-cli",
    "containerd.io",
    "docker-buildx-plugin",
    "docker-compose-plugin",
    "docker.io",
    "docker-cli",
    "docker-buildx",
    "containerd",
];

/// Installed along with an engine, and not held: by it a join token reaches the daemon without being an argument, which
/// `ps` would show, and reads come from the daemon's socket in a tenth of the time that its command takes.
const ALONG: &str = "curl";

impl Source {
    /// The engine's own package comes first; the rest is installed where apt knows it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::DockerCe => &PACKAGES[..5],
            Self::Distribution => &PACKAGES[5..8],
        }
    }

    fn engine(self) -> &'static str {
        self.packages()[0]
    }
}

impl Action for DockerEngine {
    fn describe(&self) -> String {
        match self.source {
            Source::DockerCe => "Docker engine".into(),
            Source::Distribution => "Docker engine (the distribution's)".into(),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "docker_engine", name: String::new() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut reads = vec![Read::Docker(Look::Engine), Read::Unit(UNIT.into())];
        reads.extend(PACKAGES.iter().map(|name| Read::Package((*name).into())));
        reads.push(daemon::read());
        reads.extend(self.users.iter().map(|user| Read::Probe(groups_of(user))));
        if matches!(self.lacks(on, seen), Ok(Some(_))) {
            reads.extend(self.install_reads(on, seen));
        }
        reads.into_iter().map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(wait) = coming_up(on, seen) {
            return Plan::Wait(wait);
        }
        let planned = match self.lacks(on, seen) {
            Ok(None) => self.kept(on, seen),
            Ok(Some(why)) => self.installed(on, seen, &why),
            Err(refusal) => Err(Plan::Refused(refusal)),
        };
        planned.unwrap_or_else(|other| other)
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::apt(said)
    }
}

/// A host that has just been powered on: its socket is there before its daemon, and whoever asks there gets no answer so far.
fn coming_up(on: &Target, seen: &Readings<'_>) -> Option<Wait> {
    let Seen::Unread(why) = seen.engine(&on.host.name) else { return None };
    let unit = seen.unit(&on.host.name, UNIT).is()?;
    let comes = is_late(&why) && !["active", "failed"].contains(&&*unit.active);
    comes.then(|| Wait { what: format!("the Docker daemon to come up ({}): {why}", unit.active), ..Wait::default() })
}

impl DockerEngine {
    /// Why something has to be installed; nothing where the engine that is there will do.
    fn lacks(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<String>, Refusal> {
        let engine = match seen.engine(&on.host.name) {
            Seen::Is(engine) => Some(engine),
            Seen::Absent => None,
            Seen::Unread(why) => return Err(unread("what Docker is installed", &why)),
        };
        if let Some(refusal) = engine.and_then(|engine| unusable(engine.flavour)) {
            return Err(refusal);
        }
        let package = self.package(on, seen)?;
        match (package, engine.and_then(|engine| engine.daemon.as_ref().is())) {
            (Some((name, package)), _) if !package.installed() => Ok(Some(format!("{name} is {}", package.status))),
            (None, None) => Ok(Some("no Docker engine is installed".into())),
            // Newer distributions keep the command in a package of its own.
            (Some(_), None) if engine.is_none() => Ok(Some("there is no docker command".into())),
            (Some((name, package)), _) => self.other_version(name, &package.version),
            (None, Some(daemon)) => self.other_version("the engine", &daemon.server_version),
        }
    }

    /// The package that the engine here came from, if any.
    fn package<'a>(&self, on: &Target, seen: &Readings<'a>) -> Result<Option<(&'static str, &'a Package)>, Refusal> {
        for source in [Source::DockerCe, Source::Distribution] {
            match seen.package(&on.host.name, source.engine()) {
                Seen::Is(package) if package.status != "config-files" => return Ok(Some((source.engine(), package))),
                Seen::Is(_) | Seen::Absent => {}
                Seen::Unread(why) => return Err(unread("which packages are installed", &why)),
            }
        }
        Ok(None)
    }

    /// Another version is asked for: a reason to install, unless that would put another source's engine in its place.
    fn other_version(&self, name: &str, version: &str) -> Result<Option<String>, Refusal> {
        let Some(asked) = self.version.as_ref().filter(|asked| !apt::matches(version, asked)) else { return Ok(None) };
        let why = format!("{name} {version} is installed, and {asked} is asked for");
        if name == self.source.engine() {
            return Ok(Some(why));
        }
        let hint = format!("remove it first (apt-get remove {name}), or ask for its own source and version");
        Err(Refusal { why, hint: Some(hint) })
    }

    /// What an engine that is installed still lacks: settings, being started, members of its group, being held.
    fn kept(&self, on: &Target, seen: &Readings<'_>) -> Result<Plan, Plan> {
        let mut changes = self.configured(on, seen)?;
        changes.extend(self.held(on, seen));
        changes.extend(self.members(on, seen)?);
        match changes.is_empty() {
            true => Ok(self.answering(seen.engine(&on.host.name))),
            false => Ok(Plan::Change(changes)),
        }
    }

    /// Settled is an engine that answers, not one that was started; and what it runs with may be on its command line.
    fn answering(&self, engine: Seen<&Engine>) -> Plan {
        match engine.map(|engine| engine.daemon.as_ref()) {
            Seen::Is(Seen::Is(info)) if self.swarm && info.live_restore_enabled => daemon::refused(
                "a daemon with live-restore cannot be in a swarm",
                "it was started with --live-restore: see systemctl cat docker",
            ),
            Seen::Is(Seen::Is(_)) => Plan::Settled,
            Seen::Is(Seen::Unread(why)) => {
                let what = format!("the Docker daemon to answer: {why}");
                Plan::Wait(Wait { what, ..Wait::default() })
            }
            Seen::Is(Seen::Absent) | Seen::Absent => Plan::unread("the Docker daemon", "it is not there"),
            Seen::Unread(why) => Plan::unread("the Docker daemon", &why),
        }
    }

    fn held(&self, on: &Target, seen: &Readings<'_>) -> Option<Change> {
        let loose = |name: &&&str| {
            let package = seen.package(&on.host.name, name).is();
            package.is_some_and(|package| package.installed() && !package.held)
        };
        let loose: Vec<String> = PACKAGES.iter().filter(loose).map(|name| (*name).to_owned()).collect();
        let why = "an upgrade by itself would stop the daemon";
        (self.hold && !loose.is_empty()).then(|| Change::run(why, apt::hold(&loose)))
    }

    fn members(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<Change>, Plan> {
        let mut changes = Vec::new();
        for user in &self.users {
            if !is_member(user, on, seen)? {
                let add = Command::new("usermod").args(["-aG", "docker", "--"]).arg(user);
                changes.push(Change::run(format!("{user} is not in the group docker"), add));
                changes.extend(
                    (on.host.user.as_ref() == Some(user))
                        .then(|| Change::new("a login knows its groups from its start", Does::Reconnect)),
                );
            }
        }
        Ok(changes)
    }
}

fn groups_of(user: &str) -> Probe {
    Probe::new(format!("id -nG -- {}", quote(user)))
}

fn is_member(user: &str, on: &Target, seen: &Readings<'_>) -> Result<bool, Plan> {
    match seen.probe(&on.host.name, &groups_of(user)) {
        Seen::Is(output) if output.ok() => Ok(output.text().split_whitespace().any(|group| group == "docker")),
        Seen::Is(output) => Err(Plan::unread(&format!("the groups of {user}"), &output.errors())),
        Seen::Absent => Err(Plan::unread(&format!("the groups of {user}"), "there are none")),
        Seen::Unread(why) => Err(Plan::unread(&format!("the groups of {user}"), &why)),
    }
}

fn unusable(flavour: Flavour) -> Option<Refusal> {
    let (what, hint) = match flavour {
        Flavour::Docker => return None,
        Flavour::Snap => ("Docker's snap: it is confined", "remove it first: snap remove docker"),
        Flavour::Podman => ("podman-docker, which has no swarms", "remove it first: apt-get remove podman-docker"),
        Flavour::Rootless => (
            "a rootless Docker, whose overlay networks do not reach other hosts",
            "remove it first: dockerd-rootless-setuptool.sh uninstall",
        ),
    };
    Some(Refusal { why: format!("what is installed is {what}"), hint: Some(hint.into()) })
}

fn unread(what: &str, why: &str) -> Refusal {
    Refusal { why: format!("cannot read {what}: {why}"), hint: None }
}
