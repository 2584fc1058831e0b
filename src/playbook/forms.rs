//! What is written behind the keys of a playbook.

use serde_json::{Value, json};

use crate::schema::{Form, TEXT, reference};

/// A text that may hold `{{ … }}`.
pub(super) const TEMPLATE: Form = Form { told: "text or template", json: TEXT.json };
/// A bare expression. What begins with `{{` is none.
pub(super) const CONDITION: Form = Form { told: "expression", json: condition };
pub(super) const ID: Form = Form { told: "letters, digits, `-`, `_` and `.`", json: id };
/// What a variable is called.
pub(super) const NAME: Form = Form { told: "name of a variable", json: name };
pub(super) const COUNT: Form = Form { told: "whole number", json: || json!({ "type": "integer", "minimum": 0 }) };
pub(super) const DURATION: Form = Form { told: "time", json: duration };
pub(super) const TEXTS: Form = Form { told: "text or list of them", json: texts };
pub(super) const ITEMS: Form = Form { told: "list or template", json: items };
pub(super) const SERIAL: Form = Form { told: "number, share or list of them", json: serial };
pub(super) const VARS: Form = Form { told: "map", json: || reference("vars") };
pub(super) const LOOKUPS: Form = Form { told: "map", json: lookups };
pub(super) const FILES: Form = Form { told: "list of files", json: files };
pub(super) const ENVIRONMENT: Form = Form { told: "map to text", json: environment };
pub(super) const PLAYS: Form = Form { told: "list of plays", json: || list("play") };
pub(super) const STEPS: Form = Form { told: "list of steps", json: || list("step_or_include") };

/// A text that is one single `{{ … }}`: it may become anything.
pub(super) const WHOLE: &str = r"^\s*\{\{((?!\{\{|\}\})[\s\S])*\}\}\s*$";
/// A text that has a template in it.
pub(super) const PART: &str = r"\{[{%]";

const LASTING: &str = r"^\s*([0-9]+|([0-9]+(ms|s|min|m|h))+)\s*$";
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

fn list(of: &str) -> Value {
    json!({ "type": "array", "items": reference(of) })
}

fn condition() -> Value {
    json!({ "type": ["string", "boolean"], "pattern": r"^(?!\s*\{[{%])[\s\S]*\S" })
}

/// All but white space and the signs of ASCII that are none of the three: letters are those of any language.
fn id() -> Value {
    json!({ "type": ["string", "number", "boolean"], "pattern": r"^[^\s!-,/:-@\[-^`{-~]+$" })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": VARIABLE })
}

fn duration() -> Value {
    json!({ "type": ["string", "integer"], "pattern": LASTING, "minimum": 0 })
}

fn texts() -> Value {
    let text = json!({ "type": ["string", "number", "boolean"] });
    json!({ "anyOf": [text, { "type": "array", "items": text }] })
}

fn items() -> Value {
    json!({ "type": ["array", "string"], "pattern": PART })
}

fn serial() -> Value {
    let size =
        json!({ "type": ["integer", "string"], "minimum": 1, "pattern": "^0*[1-9][0-9]*$|^0*([1-9][0-9]?|100)%$" });
    json!({ "anyOf": [size, { "type": "array", "items": size, "minItems": 1 }] })
}

fn named(value: &Value) -> Value {
    json!({ "type": ["object", "null"], "propertyNames": { "pattern": VARIABLE }, "additionalProperties": value })
}

/// Variables. One that says of itself that it is a secret says where it is kept.
pub(super) fn vars() -> Value {
    named(&reference("value"))
}

fn lookups() -> Value {
    named(&json!({ "anyOf": [(TEXT.json)(), reference("lookup")] }))
}

fn files() -> Value {
    json!({ "type": "array", "items": { "anyOf": [(TEXT.json)(), reference("vars_file")] } })
}

fn environment() -> Value {
    json!({ "type": ["object", "null"], "additionalProperties": { "type": ["string", "number", "boolean", "null"] } })
}
