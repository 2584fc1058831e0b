//! Volumes, as one host knows them, and the containers that use one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::answers::Answers;
use super::network::nullable;
use super::script::{VOLUMES, volume_path, volume_users_path};
use crate::reads::Seen;

/// A volume.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Volume {
    /// Its name, which is all that it goes by.
    pub name: String,
    /// `local`, or a plugin.
    #[serde(default)]
    pub driver: String,
    /// When it was made, as the engine writes it: tells it from a later one of the same name.
    #[serde(default)]
    pub created_at: String,
    /// Options of its driver.
    #[serde(default, deserialize_with = "nullable")]
    pub options: BTreeMap<String, String>,
    /// Its labels.
    #[serde(default, deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// The names of the containers that use it, running or not, or why they are not known.
    #[serde(skip, default = "unknown")]
    pub users: Result<Vec<String>, String>,
}

pub(super) fn volume(name: &str, answers: &Answers) -> Seen<Volume> {
    let named = |row: &Json| row.get("Name").and_then(Json::as_str) == Some(name);
    // The engine's list is an object around the list.
    let listed = |row: &Json| {
        let inner = row.get("Volumes").and_then(Json::as_array);
        named(row) || inner.into_iter().flatten().any(named)
    };
    let row = match answers.object(&volume_path(name), named, VOLUMES, listed) {
        Seen::Is(row) => row,
        Seen::Absent => return Seen::Absent,
        Seen::Unread(why) => return Seen::Unread(why),
    };
    match serde_json::from_value::<Volume>(row.clone()) {
        Ok(volume) => Seen::Is(Volume { users: users(name, answers), ..volume }),
        Err(e) => Seen::Unread(format!("docker volume inspect was not understood: {e}")),
    }
}

fn users(name: &str, answers: &Answers) -> Result<Vec<String>, String> {
    let rows = answers.list(&volume_users_path(name))?.iter();
    let names = rows.filter_map(|row| row.get("Names").and_then(Json::as_array)).flatten().filter_map(Json::as_str);
    Ok(names.map(|name| name.trim_start_matches('/').to_owned()).collect())
}

fn unknown() -> Result<Vec<String>, String> {
    Err("it was not asked for".into())
}
