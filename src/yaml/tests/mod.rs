//! What is read, and the texts that people see.

mod mistakes;
mod properties;
mod structs;
mod values;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Container {
    image: String,
    #[serde(default)]
    ports: Vec<String>,
    port: Option<u16>,
    #[serde(default)]
    restart: Restart,
    #[serde(default)]
    limits: BTreeMap<String, f64>,
    #[serde(default)]
    tty: bool,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Restart {
    #[default]
    Never,
    UnlessStopped,
    OnFailure(u8),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    container: Option<Container>,
    #[serde(default)]
    others: Vec<Container>,
}

fn node(text: &str) -> Node {
    parse("play.yml", text.to_owned()).unwrap_or_else(|error| panic!("{error}"))
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    from_node(&node(text)).unwrap_or_else(|error| panic!("{error}"))
}
