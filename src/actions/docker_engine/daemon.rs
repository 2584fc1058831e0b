//! The daemon's settings, and whether it runs with them.

use serde_json::{Map, Value as Json};

use super::{Change, Command, DockerEngine, Does, Plan, Read, Readings, Seen, Target, UNIT, Unit};
use crate::actions::diff::shown;
use crate::actions::systemd::begin;
use crate::actions::{Parcel, Put, apt};
use crate::event::Difference;
use crate::reads::File;

/// Where the daemon's settings are.
const SETTINGS: &str = "/etc/docker/daemon.json";

/// Settings with which a node cannot be in a swarm (docker/docs#16059, moby#50467), and what to set instead.
fn unfit(settings: &Map<String, Json>) -> Option<Plan> {
    let is = |key: &str, value: &Json| settings.get(key) == Some(value);
    let (name, instead) = match () {
        () if is("live-restore", &Json::Bool(true)) => ("live-restore", "live-restore: false"),
        () if is("firewall-backend", &"nftables".into()) => ("nftables", "firewall-backend: iptables"),
        () => return None,
    };
    Some(refused(&format!("a daemon with {name} cannot be in a swarm"), &format!("say `daemon: {{ {instead} }}`")))
}

pub(super) fn refused(why: &str, hint: &str) -> Plan {
    Plan::refused(why, format!("{hint}, or `swarm: false` where the host is for none"))
}

/// Always read: whoever edits it may stop the daemon from starting the next time, or from being in a swarm.
pub(super) fn read() -> Read {
    Read::File { path: SETTINGS.into(), content: true }
}

impl DockerEngine {
    /// Settings written, and the daemon enabled, started, and started again where it is older than its settings.
    pub(super) fn configured(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<Change>, Plan> {
        let unit = match seen.unit(&on.host.name, UNIT) {
            Seen::Is(unit) => unit,
            // Whoever started an engine without systemd keeps it as well.
            Seen::Absent => return self.settings(on, seen),
            Seen::Unread(why) => return Err(Plan::unread(UNIT, &why)),
        };
        let mut changes = self.settings(on, seen)?;
        let edited = seen.content(&on.host.name, SETTINGS).is().is_some_and(|file| unit.older_than(file.modified));
        let restart = match (changes.is_empty(), edited) {
            (false, _) => Some("the daemon is older than its settings".to_owned()),
            (true, true) => Some(format!("{SETTINGS} was edited, and the daemon does not know it")),
            (true, false) => self.outlived(on, seen),
        };
        changes.extend(started(unit, restart)?);
        Ok(changes)
    }

    /// The daemon is of another version than the package that is asked for and there: Debian's leaves the old one running.
    fn outlived(&self, on: &Target, seen: &Readings<'_>) -> Option<String> {
        // As the daemon writes it; of a package's whole version it tells but the beginning.
        let asked = self.version.as_ref()?.replace('~', "-");
        let runs = &seen.engine(&on.host.name).is()?.daemon.as_ref().is()?.server_version;
        let same = apt::matches(runs, &asked) || asked.contains(runs.as_str());
        (!same).then(|| format!("the daemon is {runs} still, and its package is not"))
    }

    /// What makes the settings as asked; nothing where they are.
    pub(super) fn settings(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<Change>, Plan> {
        let there = match seen.content(&on.host.name, SETTINGS) {
            Seen::Is(file) => Some(file),
            Seen::Absent => None,
            Seen::Unread(why) => return Err(Plan::unread(SETTINGS, &why)),
        };
        let is = there.map_or(Ok(Map::new()), parsed)?;
        let merged = merged(&is, &self.daemon);
        match unfit(&merged).filter(|_| self.swarm) {
            Some(refused) => Err(refused),
            None => Ok(written(there.is_none(), &is, &merged)),
        }
    }
}

fn written(new: bool, is: &Map<String, Json>, merged: &Map<String, Json>) -> Vec<Change> {
    let differs = differences(is, merged);
    if differs.is_empty() {
        return Vec::new();
    }
    let text = serde_json::to_string_pretty(&merged).unwrap_or_default() + "\n";
    let put = Put { path: SETTINGS.into(), content: Parcel::Bytes(text.into()), mode: None, owner: None };
    let folder = Change::run("there is no folder for settings", Command::new("mkdir").args(["-p", "/etc/docker"]));
    let put = Change::new("the daemon's settings differ", Does::Put(put)).differing(differs);
    new.then_some(folder).into_iter().chain([put]).collect()
}

fn started(unit: &Unit, restart: Option<String>) -> Result<Vec<Change>, Plan> {
    if unit.enabled.starts_with("masked") {
        return Err(Plan::refused(format!("{UNIT} is masked"), format!("systemctl unmask {UNIT}")));
    }
    let enable = Command::new("systemctl").args(["enable", UNIT]);
    let enable = (unit.enabled == "disabled").then(|| Change::run("it does not start with the machine", enable));
    let start = match unit.active.as_str() {
        "activating" | "reloading" | "deactivating" => None,
        "active" => restart.map(|why| Change::run(why, begin("restart", UNIT))),
        _ => Some(Change::run("the daemon is not started", begin("start", UNIT))),
    };
    Ok(enable.into_iter().chain(start).collect())
}

fn parsed(file: &File) -> Result<Map<String, Json>, Plan> {
    let unread = |why: &str| Plan::refused(format!("{SETTINGS}: {why}"), "mend it by hand, or remove it");
    // One that may not be read has no digest.
    let text = file.content.as_ref().filter(|_| file.sha256.is_some());
    let text = text.ok_or_else(|| unread("it is no regular file of at most 64 KiB that can be read"))?;
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(text).map_err(|e| unread(&e.to_string()))
}

/// What is asked for laid over what is; mappings within are merged too.
fn merged(is: &Map<String, Json>, asked: &Map<String, Json>) -> Map<String, Json> {
    let mut all = is.clone();
    for (key, value) in asked {
        let value = match (is.get(key), value) {
            (Some(Json::Object(is)), Json::Object(asked)) => Json::Object(merged(is, asked)),
            _ => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    all
}

fn differences(is: &Map<String, Json>, merged: &Map<String, Json>) -> Vec<Difference> {
    let differing = merged.iter().filter(|(key, value)| is.get(*key) != Some(value));
    differing.map(|(key, value)| difference(key, is.get(key), value)).collect()
}

/// The token of a logging driver and the password of a proxy are among the settings.
fn difference(key: &str, is: Option<&Json>, asked: &Json) -> Difference {
    let told = is.map(Json::to_string);
    let differs = shown(format!("daemon.{key}"), told.as_deref(), &asked.to_string());
    match told {
        Some(_) => differs,
        None => Difference { is: "not set".into(), ..differs },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_shown_without_tokens_and_passwords() {
        let told = |is: Option<Json>, asked: Json| {
            let Difference { field, is, asked } = difference("log-opts", is.as_ref(), &asked);
            format!("{field}: {is} -> {asked}")
        };
        let size = json!({"max-size": "1m"});
        assert_eq!(told(None, size.clone()), "daemon.log-opts: not set -> {\"max-size\":\"1m\"}");
        let token = json!({"splunk-token": "hunter2"});
        assert_eq!(told(Some(token.clone()), size), "daemon.log-opts: set -> changed");
        assert_eq!(told(None, token), "daemon.log-opts: not set -> set");
        let proxy = json!({"http-proxy": "http://bee:hunter2@proxy:3128"});
        assert_eq!(told(Some(proxy), json!({})), "daemon.log-opts: set -> changed");
    }
}
