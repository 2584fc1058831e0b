//! A Compose file: what its services ask for, and the text that `docker stack deploy` is given.
//!
//! The format: <https://docs.docker.com/reference/compose-file/legacy-versions/>, of which a swarm takes what is under `deploy`, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value as Json, json};

use super::interpolate::interpolated;
use crate::reads::docker::fingerprint;
use crate::yaml::{Error, Node, parse};

/// What the file asks for.
pub(super) struct Compose {
    /// Its services, by name.
    pub services: Vec<Service>,
    document: Json,
}

/// A service of it.
pub(super) struct Service {
    /// Its name in the file.
    pub name: String,
    /// Its image.
    pub image: String,
    /// How many tasks it has, where the file says so.
    pub replicas: Option<u64>,
    /// All that it asks for, by the way to each value: `deploy.replicas`. Values of the environment as fingerprints.
    pub fields: BTreeMap<String, String>,
    /// Those of the environment alone.
    pub env: BTreeMap<String, String>,
}

/// Parts of the file that services refer to, and that belong to what they ask for.
const SHARED: [&str; 4] = ["networks", "volumes", "configs", "secrets"];
/// Keys that a swarm has no use for: `docker compose` reads them.
const UNUSED: [&str; 2] = ["build", "depends_on"];

impl Compose {
    /// Reads one; `variables` are what `${NAME}` stands for.
    ///
    /// # Errors
    /// What is no YAML, is asked for and would be passed over, or stands for nothing, at its place.
    pub fn read(path: &Path, text: String, variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let root = interpolated(&parse(path, text)?, variables)?;
        let services = root.get("services").filter(|services| services.as_map().is_some());
        let services = services.ok_or_else(|| Error::at(&root.at, "a Compose file has `services`, a mapping"))?;
        for shared in ["secrets", "configs"] {
            root.get(shared)
                .map(Node::entries)
                .unwrap_or_default()
                .iter()
                .try_for_each(|entry| elsewhere(shared, entry))?;
        }
        services.entries().iter().try_for_each(|(name, service)| sound(name, service))?;
        let mut document = serde_json::to_value(&root).unwrap_or_default();
        document.as_object_mut().map(|root| root.remove("name"));
        let services = document["services"].as_object_mut().into_iter().flatten();
        services.for_each(|(_, service)| {
            UNUSED.iter().for_each(|key| drop(service.as_object_mut().map(|s| s.remove(*key))));
            service.get_mut("environment").into_iter().for_each(as_written);
        });
        let services = document["services"].as_object().into_iter().flatten();
        let services = services.map(|(name, service)| Service::of(name, service, &document)).collect();
        Ok(Self { services, document })
    }

    /// The file with what `labels` says of each service: the value of a label of its own, and of its containers' where there is one.
    pub fn labelled(&self, label: &str, labels: impl Fn(&str) -> (String, Option<String>)) -> String {
        let mut document = self.document.clone();
        for (name, service) in document["services"].as_object_mut().into_iter().flatten() {
            let (own, image) = labels(name);
            put(&mut service["deploy"], label, own);
            image.into_iter().for_each(|image| put(service, "skep.image", image));
        }
        if document.get("version").is_none() {
            document["version"] = json!("3.8");
        }
        escaped(document).to_string()
    }
}

impl Service {
    fn of(name: &str, service: &Json, document: &Json) -> Self {
        let env: BTreeMap<String, String> =
            pairs(&service["environment"]).into_iter().map(|(name, value)| (name, fingerprint(&value))).collect();
        let mut fields = BTreeMap::new();
        for (key, value) in service.as_object().into_iter().flatten().filter(|(key, _)| *key != "environment") {
            flat(key, value, &mut fields);
        }
        fields.extend(env.iter().map(|(name, value)| (format!("environment.{name}"), value.clone())));
        for part in SHARED {
            for used in used(&service[part]) {
                flat(&format!("{part}({used})"), &document[part][&used], &mut fields);
            }
        }
        Self {
            name: name.to_owned(),
            image: service["image"].as_str().unwrap_or_default().to_owned(),
            replicas: service["deploy"]["replicas"].as_u64().or(match service["deploy"]["mode"].as_str() {
                None | Some("replicated") => Some(1),
                _ => None,
            }),
            fields,
            env,
        }
    }
}

/// What would not be as it says, or would be passed over in silence.
fn sound(name: &Node, service: &Node) -> Result<(), Error> {
    let told = name.scalar_text().unwrap_or_default();
    if service.get("image").and_then(Node::scalar_text).is_none_or(|image| image.is_empty()) {
        let error = Error::at(&name.at, format!("service `{told}` has no `image`"));
        return Err(error.with_hint("a swarm builds nothing: make the image with the action `image`, and name it here"));
    }
    if let Some((key, _)) = service.entry("env_file") {
        let error = Error::at(&key.at, "`env_file` is read where docker runs, and the file is not there");
        return Err(error.with_hint("write the values under `environment`, as `${NAME}` with `variables` of the step"));
    }
    if let Some(name) = service.get("environment").and_then(without_value) {
        let error = Error::at(&name.at, "a variable without a value would be taken from where docker runs");
        let told = name.scalar_text().unwrap_or_default();
        return Err(error.with_hint(format!("write its value, or `${{{told}}}` with `variables` of the step")));
    }
    let ports = service.get("ports").map(Node::items).unwrap_or_default();
    ports.iter().try_for_each(open_to_all)
}

/// The first name with nothing behind it.
fn without_value(environment: &Node) -> Option<&Node> {
    let of_mapping = environment.entries().iter().find(|(_, value)| value.is_null()).map(|(name, _)| name);
    let has_none = |line: &&Node| line.scalar_text().is_some_and(|text| !text.contains('='));
    of_mapping.or_else(|| environment.items().iter().find(has_none))
}

/// Docker writes `1.0` as `1`, where it is a number.
fn as_written(environment: &mut Json) {
    for value in environment.as_object_mut().into_iter().flat_map(|map| map.values_mut()).filter(|v| !v.is_string()) {
        *value = json!(value.to_string());
    }
}

/// Swarm publishes on all addresses, whatever a port says (moby#32299).
fn open_to_all(port: &Node) -> Result<(), Error> {
    let text = port.scalar_text().unwrap_or_default();
    let bound = text.contains('[') || text.split('/').next().is_some_and(|ports| ports.split(':').count() > 2);
    if !bound && port.get("host_ip").is_none() {
        return Ok(());
    }
    let error =
        Error::at(&port.at, "a swarm binds a port to no address: this would be open to all who reach the hosts");
    Err(error.with_hint(
        "leave `ports` out: `skep forward` reaches services that publish nothing; or let a firewall close it",
    ))
}

fn elsewhere(what: &str, (name, about): &(Node, Node)) -> Result<(), Error> {
    let Some((key, _)) = about.entry("file").or_else(|| about.entry("environment")) else { return Ok(()) };
    let (one, name) = (what.trim_end_matches('s'), name.scalar_text().unwrap_or_default());
    let error = Error::at(&key.at, format!("this {one} would be read where docker runs, and it is not there"));
    Err(error.with_hint(format!(
        "make it by a step before, `{one}: {{ name: {name}, src: … }}`, and say `external: true` here"
    )))
}

/// `NAME=value` lines or a mapping.
fn pairs(environment: &Json) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match environment {
        Json::Object(map) => map.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        Json::Array(lines) => lines
            .iter()
            .filter_map(Json::as_str)
            .map(|line| line.split_once('=').unwrap_or((line, "")))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

/// What a service refers to: `[a, { source: b }]`, `a:/path`, or a mapping.
fn used(list: &Json) -> BTreeSet<String> {
    let one = |item: &Json| {
        let text = item.as_str().or_else(|| item.get("source").and_then(Json::as_str))?;
        Some(text.split(':').next().unwrap_or_default().to_owned())
    };
    match list {
        Json::Object(map) => map.keys().cloned().collect(),
        Json::Array(items) => items.iter().filter_map(one).collect(),
        _ => BTreeSet::new(),
    }
}

/// Each value by its way; a list is one value.
fn flat(way: &str, value: &Json, fields: &mut BTreeMap<String, String>) {
    match value {
        Json::Object(map) => map.iter().for_each(|(key, value)| flat(&format!("{way}.{key}"), value, fields)),
        Json::Null => {}
        Json::String(text) => drop(fields.insert(way.to_owned(), text.clone())),
        value => drop(fields.insert(way.to_owned(), value.to_string())),
    }
}

/// Adds a label, however the others are written.
fn put(to: &mut Json, label: &str, value: String) {
    if to.is_null() {
        *to = json!({});
    }
    let Some(to) = to.as_object_mut() else { return };
    match to.entry("labels").or_insert_with(|| json!({})) {
        Json::Array(lines) => lines.push(json!(format!("{label}={value}"))),
        Json::Object(map) => drop(map.insert(label.to_owned(), json!(value))),
        other => *other = json!({ label: value }),
    }
}

/// `$` stands for itself by now: docker looks for variables once more.
fn escaped(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(text.replace('$', "$$")),
        Json::Array(items) => items.into_iter().map(escaped).collect(),
        Json::Object(map) => Json::Object(map.into_iter().map(|(key, value)| (key, escaped(value))).collect()),
        other => other,
    }
}
