//! Nodes out: to JSON, and to what expressions work on.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Node, Value};

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(to)
    }
}

/// A fraction that would not print as it was written (`1.10`) goes out as text, so that no version loses its zero.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => to.serialize_unit(),
            Value::Bool(truth) => to.serialize_bool(*truth),
            Value::Int(number) => to.serialize_i64(*number),
            Value::Float(number, text) if prints_as(*number, text) => to.serialize_f64(*number),
            Value::Float(_, text) | Value::Str(text) => to.serialize_str(text),
            Value::List(items) => to.collect_seq(items),
            Value::Map(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Whether a fraction's own look is the text it was written as.
pub(super) fn prints_as(number: f64, text: &str) -> bool {
    number.is_finite() && format!("{number:?}") == text
}

impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> Self {
        use serde_json::Value as Json;
        match &node.value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Int(number) => Json::from(*number),
            Value::Float(number, text) if prints_as(*number, text) => Json::from(*number),
            Value::Float(_, text) | Value::Str(text) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Json::from).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), Json::from(value)))
                .collect(),
        }
    }
}
