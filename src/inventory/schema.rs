//! What an inventory in YAML looks like, as JSON Schema of draft 7: for editors. It is made of the very tables that its reader
//! goes by. What it lets through may still be wrong: `skep check` knows more.

use serde_json::{Map, Value, json};

use super::names::{CONNECTION, GROUP, OTHERWISE, PRIORITY, SSH_ARGUMENTS, UNHEEDED};
use crate::schema::{Form, Key, document, properties, reference};
use crate::vault;

/// One without a value says nothing, which goes for all of these.
pub(super) const TEXT: Form =
    Form { told: "text", json: || json!({ "type": ["string", "number", "boolean", "null"] }) };
pub(super) const PORT: Form = Form { told: "1 to 65535", json: port };
pub(super) const LINE: Form = Form { told: "one line of text", json: line };
pub(super) const PINS: Form = Form { told: "text or list of them", json: pins };
pub(super) const TRUTH: Form = Form { told: "true or false", json: || json!({ "type": ["boolean", "null"] }) };
pub(super) const HOSTS: Form = Form { told: "map of hosts", json: hosts };
pub(super) const CHILDREN: Form = Form { told: "map of groups", json: children };
pub(super) const FROM: Form = Form { told: "map", json: from };
pub(super) const VARS: Form = Form { told: "map", json: || reference("says") };

/// The keys that say how a host is reached, each with what Ansible calls it.
pub fn keys() -> impl Iterator<Item = (&'static Key, &'static [&'static str])> {
    CONNECTION.iter().filter(|(key, _)| !SSH_ARGUMENTS.contains(&key.name)).map(|(key, theirs)| (key, *theirs))
}

/// Of an inventory.
pub fn inventory() -> Value {
    let definitions = json!({
        "group": group(),
        "says": says(),
        "value": { "if": vault::is_sealed(), "then": reference("secret") },
        "secret": vault::schema(),
    });
    document("An inventory of Skep", top(), definitions)
}

/// The groups. What belongs into one of them may not stand beside them.
fn top() -> Value {
    let mut top = json!({
        "type": ["object", "null"],
        "properties": {
            "all": { "description": "the group that every host is in", "allOf": [reference("group")] },
            "_meta": { "description": "what a program says of hosts", "type": ["object", "null"] },
            "plugin": { "not": { "type": "string" } },
        },
        "additionalProperties": reference("group"),
    });
    for key in GROUP {
        top["properties"][key.name] = false.into();
    }
    top
}

fn group() -> Value {
    let mut keys = properties(GROUP);
    keys.extend(connection());
    json!({
        "type": ["object", "array", "null"],
        "items": name(),
        "properties": keys,
        "additionalProperties": false,
    })
}

/// What is said of hosts: how they are reached, and variables of any name but those that are taken for a slip.
fn says() -> Value {
    let mut keys = connection();
    keys.insert(PRIORITY.into(), json!({ "type": ["integer", "string"], "pattern": "^[+-]?[0-9]+$" }));
    keys.extend(UNHEEDED.iter().map(|(name, harmless, _)| ((*name).to_owned(), unheeded(harmless))));
    keys.extend(OTHERWISE.iter().map(|(name, _)| ((*name).to_owned(), false.into())));
    json!({ "type": ["object", "null"], "properties": keys, "additionalProperties": reference("value") })
}

fn unheeded(harmless: &[&str]) -> Value {
    let nothing = harmless.contains(&"").then_some(Value::Null);
    json!({ "enum": harmless.iter().map(|word| json!(word)).chain(nothing).collect::<Vec<_>>() })
}

/// The connection keys under all their names.
fn connection() -> Map<String, Value> {
    let named = CONNECTION.iter().flat_map(|(ours, theirs)| {
        let theirs = theirs.iter().map(|name| Key { name, form: of_theirs(name, ours.form), ..*ours });
        theirs.chain([*ours])
    });
    properties(&named.collect::<Vec<_>>())
}

/// Under Ansible's names a text may say what is a number or a truth here.
fn of_theirs(name: &str, form: Form) -> Form {
    match form.told {
        _ if !name.starts_with("ansible_") => form,
        told if told == PORT.told => Form { told, json: loose_port },
        told if told == TRUTH.told => Form { told, json: loose_truth },
        _ => form,
    }
}

/// As `from` reads it: a command, and expressions over what it prints.
fn from() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "command": text, "hosts": text, "name": text, "address": text,
            "vars": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
        },
        "required": ["command", "hosts"],
        "additionalProperties": false,
    })
}

fn port() -> Value {
    json!({ "type": ["integer", "null"], "minimum": 1, "maximum": 65535 })
}

fn loose_port() -> Value {
    json!({ "type": ["integer", "string", "null"], "minimum": 1, "maximum": 65535, "pattern": r"^\s*[0-9]+\s*$" })
}

fn loose_truth() -> Value {
    let words =
        r"^\s*([Yy]([Ee][Ss])?|[Oo][Nn]|[Tt]([Rr][Uu][Ee])?|[Nn][Oo]?|[Oo][Ff][Ff]|[Ff]([Aa][Ll][Ss][Ee])?)\s*$";
    json!({ "type": ["boolean", "string", "null"], "pattern": words })
}

fn line() -> Value {
    let written = json!({ "type": ["string", "number", "boolean", "null"], "pattern": r"^[^\n\r]*$" });
    json!({ "anyOf": [written, reference("secret")] })
}

fn pins() -> Value {
    json!({ "type": ["string", "array", "null"], "items": { "type": "string" } })
}

/// A mapping, a list of names, or one name.
fn hosts() -> Value {
    json!({ "type": ["object", "array", "string", "null"], "items": name(), "additionalProperties": reference("says") })
}

fn children() -> Value {
    json!({ "type": ["object", "array", "string", "null"], "items": name(), "additionalProperties": reference("group") })
}

fn name() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}
