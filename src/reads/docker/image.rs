//! Images, told from one another by what is in them: stores of different engines give them different ids (moby#48401).

use std::collections::{BTreeMap, HashSet};

use serde_json::Value as Json;

use super::answers::Answers;
use super::fingerprint;
use super::fingerprints;
use super::script::{IMAGES, LAYERS, image_path};
use crate::reads::Seen;

/// An image on a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// Its id in this host's store.
    pub id: String,
    /// The names it goes by.
    pub tags: Vec<String>,
    /// Its names by digest: where it was pulled from or pushed to.
    pub digests: Vec<String>,
    /// The same for the same layers, architecture and configuration, in whatever store.
    pub content: String,
    /// The digests of its layers, uncompressed, base first.
    pub layers: Vec<String>,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// Bytes it takes in this host's store.
    pub size: u64,
    /// The fingerprints of its environment's values.
    pub env: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// For each image of a host the digests of its layers, base first.
pub type Layers = Vec<Vec<String>>;

/// What makes an image behave as it does; the rest of its configuration is its maker's diary.
const CONFIGURATION: [&str; 12] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "Shell",
    "ArgsEscaped",
];

pub(super) fn image(reference: &str, answers: &Answers) -> Seen<Image> {
    let wanted = normal_reference(reference);
    let listed = |row: &Json| {
        let names = ["RepoTags", "RepoDigests"].iter().filter_map(|key| row.get(key)?.as_array()).flatten();
        let named = names.filter_map(Json::as_str).any(|name| normal_reference(name) == wanted);
        named || row.get("Id").and_then(Json::as_str).is_some_and(|id| is_id(reference, id))
    };
    let found = |row: &Json| row.get("RootFS").is_some() && listed(row);
    answers.object(&image_path(reference), found, IMAGES, listed).map(understood)
}

fn is_id(reference: &str, id: &str) -> bool {
    id == reference || id.strip_prefix("sha256:") == Some(reference)
}

fn understood(row: &Json) -> Image {
    let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
    let list = |value: Option<&Json>| -> Vec<String> {
        value.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let config = row.get("Config");
    let labels = config.and_then(|config| config.get("Labels")).and_then(Json::as_object);
    Image {
        id: text(row.get("Id")),
        tags: list(row.get("RepoTags")),
        digests: list(row.get("RepoDigests")),
        content: content(row),
        layers: list(row.get("RootFS").and_then(|fs| fs.get("Layers"))),
        architecture: text(row.get("Architecture")),
        size: row.get("Size").and_then(Json::as_u64).unwrap_or_default(),
        env: fingerprints(&list(config.and_then(|config| config.get("Env")))),
        labels: labels.into_iter().flatten().map(|(key, value)| (key.clone(), text(Some(value)))).collect(),
    }
}

fn content(row: &Json) -> String {
    let config = CONFIGURATION.iter().filter_map(|key| Some((*key, sorted(row.get("Config")?.get(key)?)?)));
    let all = serde_json::json!({
        "layers": row.get("RootFS").and_then(|fs| fs.get("Layers")),
        "architecture": row.get("Architecture"),
        "config": config.collect::<BTreeMap<_, _>>(),
    });
    fingerprint(&all.to_string())
}

/// The same with keys in order and without what is empty: engines differ in whether they write it.
fn sorted(value: &Json) -> Option<Json> {
    match value {
        Json::Null | Json::Bool(false) => None,
        Json::String(text) if text.is_empty() => None,
        Json::Array(list) if list.is_empty() => None,
        Json::Object(map) => {
            let map: BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), sorted(v).unwrap_or(Json::Null))).collect();
            (!map.is_empty()).then(|| serde_json::json!(map))
        }
        other => Some(other.clone()),
    }
}

pub(super) fn layers(answers: &Answers) -> Seen<Layers> {
    let rows = match answers.list(LAYERS) {
        Ok(rows) => rows,
        Err(why) => return Seen::Unread(why),
    };
    let digests =
        |row: &Json| row.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
    let mut seen = HashSet::new();
    Seen::Is(rows.iter().map(digests).filter(|layers: &Vec<String>| seen.insert(layers.clone())).collect())
}

/// Whether a service has the image that is asked for: docker writes names out in full, and a registry may have said which image a tag means,
/// which is another one where it is not to be `asked`.
pub fn is_image(is: &str, asked: &str, registry_asked: bool) -> bool {
    let pinned = is.contains('@') && !asked.contains('@');
    let is = if pinned { is.split('@').next().unwrap_or(is) } else { is };
    (registry_asked || !pinned) && normal_reference(is) == normal_reference(asked)
}

/// A reference as `docker images` writes it: no `docker.io/library/`, and a tag where there is no digest.
pub fn normal_reference(reference: &str) -> String {
    let short = reference.strip_prefix("docker.io/").or_else(|| reference.strip_prefix("index.docker.io/"));
    let short = short.unwrap_or(reference);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    match last.split_once('@') {
        // With a digest, a tag says nothing more.
        Some((tagged, digest)) => {
            let folder = &short[..short.len() - last.len()];
            format!("{folder}{}@{digest}", tagged.split(':').next().unwrap_or(tagged))
        }
        None if last.contains(':') => short.to_owned(),
        None => format!("{short}:latest"),
    }
}
