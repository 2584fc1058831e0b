//! The parameters of an action, with room for templates: `Kind::schema` says what they are once all of these are rendered.

use serde_json::{Map, Value, json};

use crate::actions::Kind;
use crate::schema::{described, reference};

/// What says nothing to who writes YAML.
const FOR_RUST: [&str; 5] = ["$schema", "title", "$defs", "format", "writeOnly"];

/// What may stand behind the action's name.
pub(super) fn of(kind: &Kind) -> Value {
    let schema = (kind.schema)().to_value();
    let doc = schema["description"].as_str().unwrap_or_default();
    described(doc, json!({ "anyOf": [reference(&name_of(kind)), reference("whole_template")] }))
}

/// The parameters, and the parts that they are made of.
pub(super) fn definitions(kind: &Kind) -> Vec<(String, Value)> {
    let mut schema = (kind.schema)().to_value();
    let parts = schema.as_object_mut().and_then(|all| all.remove("$defs")).unwrap_or_default();
    let parts = parts.as_object().cloned().unwrap_or_default();
    let open = Open { prefix: format!("{}.", name_of(kind)), parts: &parts };
    if let Value::Object(all) = &mut schema {
        all.remove("description");
    }
    let root = (name_of(kind), open.within(&schema));
    let parts = parts.iter().map(|(name, part)| (open.named(name), open.within(part)));
    [root].into_iter().chain(parts).collect()
}

fn name_of(kind: &Kind) -> String {
    format!("action.{}", kind.name)
}

/// What schemas of one action become.
struct Open<'a> {
    /// Before the names of its parts: other actions have parts of the same name.
    prefix: String,
    parts: &'a Map<String, Value>,
}

impl Open<'_> {
    fn named(&self, part: &str) -> String {
        format!("{}{part}", self.prefix)
    }

    /// A value, or a template that comes to it.
    fn value(&self, schema: &Value) -> Value {
        let mut inner = self.within(schema);
        if takes_texts(&inner) {
            return inner;
        }
        let hole = if self.is_whole(schema) { "whole_template" } else { "template" };
        let mut all = Map::new();
        for note in ["description", "default"] {
            all.extend(inner.as_object_mut().and_then(|inner| inner.remove_entry(note)));
        }
        all.insert("anyOf".into(), json!([inner, reference(hole)]));
        all.into()
    }

    /// The same schema, with room for templates in all that it is made of.
    fn within(&self, schema: &Value) -> Value {
        let Value::Object(all) = schema else { return schema.clone() };
        let opened = all.iter().filter(|(key, _)| !FOR_RUST.contains(&key.as_str()));
        let opened = opened.map(|(key, value)| (key.clone(), self.part(key, value)));
        let mut opened: Map<String, Value> = opened.collect();
        if let Some(kind) = opened.get("type").map(|kind| taken(kind, all)) {
            opened.insert("type".into(), kind);
        }
        opened.into()
    }

    fn part(&self, key: &str, value: &Value) -> Value {
        match (key, value) {
            ("properties", Value::Object(all)) => {
                all.iter().map(|(name, one)| (name.clone(), self.value(one))).collect()
            }
            ("items" | "additionalProperties", _) => self.value(value),
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) => all.iter().map(|one| self.within(one)).collect(),
            ("$ref", Value::String(path)) => {
                let name = path.strip_prefix("#/$defs/").unwrap_or(path);
                format!("#/definitions/{}", self.named(name)).into()
            }
            _ => value.clone(),
        }
    }

    /// Whether it is a list or a mapping: then nothing but one single template comes to it.
    fn is_whole(&self, schema: &Value) -> bool {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.parts.get(name).is_some_and(|part| self.is_whole(part));
        }
        if let Some(all) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
            return all.iter().all(|one| self.is_whole(one));
        }
        kinds(&schema["type"]).all(|kind| ["object", "array", "null"].contains(&kind)) && !schema["type"].is_null()
    }
}

fn kinds(kind: &Value) -> impl Iterator<Item = &str> {
    let one = kind.as_str();
    kind.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_str).chain(one)
}

/// A text is also taken from a number or a truth, and a mapping that needs nothing may be left empty: `ready:`.
fn taken(kind: &Value, of: &Map<String, Value>) -> Value {
    let all: Vec<&str> = kinds(kind).collect();
    let narrow = ["enum", "const", "pattern"].iter().any(|key| of.contains_key(*key));
    let needs_nothing = of.contains_key("properties") && !of.contains_key("required");
    let more: &[&str] = match () {
        () if all.contains(&"string") && !narrow => &["number", "boolean"],
        () if all == ["object"] && needs_nothing => &["null"],
        () => return kind.clone(),
    };
    let more = more.iter().filter(|kind| !all.contains(kind));
    json!(all.iter().chain(more).collect::<Vec<_>>())
}

/// Whether it takes any text as it is, one with a template among them.
fn takes_texts(schema: &Value) -> bool {
    let Value::Object(all) = schema else { return true };
    let narrow = ["enum", "const", "pattern", "$ref"].iter().any(|key| all.contains_key(*key));
    let choices = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array());
    match (choices, all.get("type")) {
        (Some(choices), _) => choices.iter().any(takes_texts),
        (None, Some(kind)) => !narrow && kinds(kind).any(|kind| kind == "string"),
        (None, None) => !narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_fit_where_something_can_come_of_them() {
        let parts = json!({ "Part": { "type": "object", "properties": { "x": { "type": "integer" } } } });
        let open = Open { prefix: "a.".into(), parts: parts.as_object().expect("a mapping") };
        let part = json!({ "template": "#/definitions/template", "whole": "#/definitions/whole_template" });
        let either = |one: Value, hole: &str| json!({ "anyOf": [one, { "$ref": part[hole] }] });
        let number = json!({ "type": "integer" });
        assert_eq!(open.value(&number), either(number.clone(), "template"));
        let said = json!({ "description": "A.", "type": "boolean" });
        assert_eq!(open.value(&said)["description"], "A.", "an editor looks for it outside");
        let words = json!({ "type": "string", "enum": ["a", "b"] });
        assert_eq!(open.value(&words), either(words.clone(), "template"));
        assert_eq!(open.value(&json!({ "type": "string" })), json!({ "type": ["string", "number", "boolean"] }));
        let list = json!({ "type": "array", "items": number });
        let inner = json!({ "type": "array", "items": either(number.clone(), "template") });
        assert_eq!(open.value(&list), either(inner, "whole"));
        let named = json!({ "$ref": "#/$defs/Part" });
        assert_eq!(open.value(&named), either(json!({ "$ref": "#/definitions/a.Part" }), "whole"));
        let empty = &open.within(&parts["Part"])["type"];
        assert_eq!(*empty, json!(["object", "null"]), "a mapping that needs nothing may be left empty");
    }
}
