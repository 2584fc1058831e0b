//! What a swarm keeps for its services: secrets and configs, never what is in them, and which services use them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answers::Answers;
use super::engine::Info;
use super::network::nullable;
use crate::reads::Seen;

/// A secret or a config.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, as the engine writes it: the later, the greater.
    pub created_at: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What a service uses of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Use {
    /// The service's name.
    pub service: String,
    /// The ids of its secrets and configs.
    pub ids: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Raw {
    #[serde(rename = "ID")]
    id: String,
    created_at: String,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    name: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawUse {
    name: String,
    #[serde(deserialize_with = "nullable")]
    secrets: Vec<SecretOf>,
    #[serde(deserialize_with = "nullable")]
    configs: Vec<ConfigOf>,
}

#[derive(Deserialize)]
struct SecretOf {
    #[serde(rename = "SecretID")]
    id: String,
}

#[derive(Deserialize)]
struct ConfigOf {
    #[serde(rename = "ConfigID")]
    id: String,
}

/// All that are in a list.
pub(super) fn kept(list: &str, info: &Info, answers: &Answers) -> Seen<Vec<Kept>> {
    rows(list, info, answers, |raw: Raw| Kept {
        id: raw.id,
        name: raw.spec.name,
        created_at: raw.created_at,
        labels: raw.spec.labels,
    })
}

pub(super) fn uses(list: &str, info: &Info, answers: &Answers) -> Seen<Vec<Use>> {
    rows(list, info, answers, |raw: RawUse| {
        let secrets = raw.secrets.into_iter().map(|secret| secret.id);
        Use { service: raw.name, ids: secrets.chain(raw.configs.into_iter().map(|config| config.id)).collect() }
    })
}

fn rows<R: DeserializeOwned, T>(list: &str, info: &Info, answers: &Answers, of: fn(R) -> T) -> Seen<Vec<T>> {
    if !info.swarm.control_available {
        return Seen::Absent;
    }
    let rows = match answers.list(list) {
        Ok(rows) => rows.iter(),
        Err(why) => return Seen::Unread(why),
    };
    match rows.map(|row| serde_json::from_value::<R>(row.clone()).map(of)).collect() {
        Ok(all) => Seen::Is(all),
        Err(e) => Seen::Unread(format!("the swarm's {} were not understood: {e}", list.trim_start_matches('/'))),
    }
}
