//! The flags of `docker service create` and `update`, by the fields that they change.

use std::collections::{BTreeMap, BTreeSet};

use crate::remote::Command;

/// A field with one value, its flag, and what it is where nothing is asked for; without that, whatever it is.
const ONE: &[(&str, &str, Option<&str>)] = &[
    ("replicas", "--replicas", None),
    ("entrypoint", "--entrypoint", Some("")),
    ("hostname", "--hostname", Some("")),
    ("user", "--user", Some("")),
    ("workdir", "--workdir", Some("")),
    ("stop_timeout", "--stop-grace-period", Some("10s")),
    ("init", "--init", Some("false")),
    ("tty", "--tty", Some("false")),
    ("read_only", "--read-only", Some("false")),
    ("memory", "--limit-memory", Some("0")),
    ("cpus", "--limit-cpu", Some("0")),
    ("reserve.memory", "--reserve-memory", Some("0")),
    ("reserve.cpus", "--reserve-cpu", Some("0")),
    ("max_per_node", "--replicas-max-per-node", Some("0")),
    ("endpoint_mode", "--endpoint-mode", Some("vip")),
    ("update.parallelism", "--update-parallelism", Some("1")),
    ("update.delay", "--update-delay", Some("0s")),
    ("update.order", "--update-order", Some("stop-first")),
    ("update.failure_action", "--update-failure-action", Some("pause")),
    ("update.monitor", "--update-monitor", Some("5s")),
    ("update.max_failure_ratio", "--update-max-failure-ratio", Some("0")),
    ("rollback.parallelism", "--rollback-parallelism", Some("1")),
    ("rollback.delay", "--rollback-delay", Some("0s")),
    ("rollback.order", "--rollback-order", Some("stop-first")),
    ("rollback.failure_action", "--rollback-failure-action", Some("pause")),
    ("rollback.monitor", "--rollback-monitor", Some("5s")),
    ("rollback.max_failure_ratio", "--rollback-max-failure-ratio", Some("0")),
    ("restart.condition", "--restart-condition", Some("any")),
    ("restart.delay", "--restart-delay", Some("5s")),
    ("restart.max_attempts", "--restart-max-attempts", Some("0")),
    ("restart.window", "--restart-window", Some("0s")),
    ("healthcheck.command", "--health-cmd", Some("")),
    ("healthcheck.interval", "--health-interval", Some("0s")),
    ("healthcheck.timeout", "--health-timeout", Some("0s")),
    ("healthcheck.start_period", "--health-start-period", Some("0s")),
    ("healthcheck.retries", "--health-retries", Some("0")),
];

/// Fields of which there are many, by what stands in front of their names, and the flag, which `-add` and `-rm` end for an update.
const MANY: &[(&str, &str)] = &[
    ("env", "--env"),
    ("labels", "--label"),
    ("networks", "--network"),
    ("ports", "--publish"),
    ("volumes", "--mount"),
    ("secrets", "--secret"),
    ("configs", "--config"),
    ("constraints", "--constraint"),
    ("spread", "--placement-pref"),
];

/// What a field is where nothing is asked for: nothing where it is not there then, an error where that is left to others.
pub(super) fn without(field: &str) -> Result<Option<&'static str>, ()> {
    match (one(field), field) {
        (Some((_, without)), _) => without.map(Some).ok_or(()),
        (None, "command") => Ok(Some("")),
        (None, "mode" | "image" | "image.content") => Err(()),
        (None, _) => Ok(None),
    }
}

fn one(field: &str) -> Option<(&'static str, Option<&'static str>)> {
    ONE.iter().find(|(name, _, _)| *name == field).map(|(_, flag, without)| (*flag, *without))
}

fn many(field: &str) -> Option<(&'static str, &'static str, &str)> {
    let (prefix, key) = field.split_once('.')?;
    MANY.iter().find(|(name, _)| *name == prefix).map(|(name, flag)| (*name, *flag, key))
}

/// The flags for one that is made. Values of the environment come in the environment of `docker`, by their names.
pub(super) fn create(command: Command, field: &str, asked: &str) -> Command {
    match (one(field), many(field)) {
        (Some((flag, _)), _) => command.args(words(flag, asked)),
        (None, Some(("env", ..))) | (None, None) => command,
        (None, Some((prefix, flag, key))) => command.args([flag.to_owned(), added(prefix, key, asked)]),
    }
}

/// Whether a field goes without saying: no health check has no times either, and Docker takes both together for a mistake.
pub(super) fn is_implied(field: &str, health: Option<&str>) -> bool {
    health == Some("none") && field.starts_with("healthcheck.") && field != "healthcheck.command"
}

/// The flags that bring a field there; nothing asked for takes it away.
pub(super) fn update(command: Command, field: &str, is: Option<&str>, asked: Option<&str>) -> Command {
    if let (Some((flag, _)), Some(asked)) = (one(field), asked) {
        return command.args(words(flag, asked));
    }
    if let ("command", Some(asked)) = (field, asked) {
        return command.args(["--args", asked]);
    }
    let Some((prefix, flag, key)) = many(field) else { return command };
    // What has the same path, name or key takes the place of the old one; of these both would be there.
    let gone = is
        .filter(|_| SWEEPING.contains(&prefix) || asked.is_none())
        .map(|is| [format!("{flag}-rm"), removed(prefix, key, is)]);
    let new = asked.filter(|_| prefix != "env").map(|asked| [format!("{flag}-add"), added(prefix, key, asked)]);
    command.args(gone.into_iter().chain(new).flatten())
}

/// Those of which Docker takes away more than one by one flag: all of a source, and all ports of one in the container.
const SWEEPING: [&str; 3] = ["secrets", "configs", "ports"];

/// What would be taken away along with what is to go, and is to stay: the flag that adds it, and its value.
pub(super) fn swept<'a>(going: &BTreeMap<&str, &str>, there: &'a BTreeMap<String, String>) -> Vec<(String, &'a str)> {
    let sweeps = |field: &str, value: &str| {
        let (prefix, flag, key) = many(field).filter(|(prefix, ..)| SWEEPING.contains(prefix))?;
        Some((flag, removed(prefix, key, value)))
    };
    let swept: BTreeSet<_> = going.iter().filter_map(|(field, value)| sweeps(field, value)).collect();
    let stays = there.iter().filter(|(field, _)| !going.contains_key(field.as_str()));
    let back = |(field, value): (&'a String, &'a String)| {
        let (flag, _) = sweeps(field, value).filter(|sweep| swept.contains(sweep))?;
        Some((format!("{flag}-add"), value.as_str()))
    };
    stays.filter_map(back).collect()
}

/// A flag and its value; some flags are said, or not.
fn words(flag: &str, asked: &str) -> Vec<String> {
    match (flag, asked) {
        ("--health-cmd", "none") => vec!["--no-healthcheck".to_owned()],
        ("--init" | "--tty" | "--read-only", "true") => vec![flag.to_owned()],
        ("--init" | "--tty" | "--read-only", _) => vec![format!("{flag}={asked}")],
        _ => vec![flag.to_owned(), asked.to_owned()],
    }
}

/// What `-add` takes.
fn added(prefix: &str, key: &str, asked: &str) -> String {
    match prefix {
        "labels" => format!("{key}={asked}"),
        "networks" | "constraints" => key.to_owned(),
        "spread" => format!("spread={key}"),
        _ => asked.to_owned(),
    }
}

/// What `-rm` takes.
fn removed(prefix: &str, key: &str, is: &str) -> String {
    let part = |name: &str| is.split(',').find_map(|part| part.strip_prefix(name)).unwrap_or_default().to_owned();
    match prefix {
        "secrets" | "configs" => part("source="),
        "ports" => format!("target={},protocol={},mode={}", part("target="), part("protocol="), part("mode=")),
        "spread" => format!("spread={key}"),
        _ => key.to_owned(),
    }
}
