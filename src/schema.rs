//! Keys as data: what each is called, what is written behind it, and what it means. Who takes a mapping apart has the names from
//! here; pages and editors are told from the same.

use serde_json::{Map, Value, json};

/// A key of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What it is called.
    pub name: &'static str,
    /// What is written behind it.
    pub form: Form,
    /// What it means, for people.
    pub doc: &'static str,
    /// Whether it must be there.
    pub required: bool,
}

/// What is written behind a key.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// In a few words.
    pub told: &'static str,
    /// The same as JSON Schema.
    pub json: fn() -> Value,
}

impl Key {
    /// A key that may be left out.
    pub const fn new(name: &'static str, form: Form, doc: &'static str) -> Self {
        Self { name, form, doc, required: false }
    }

    /// The same, and it must be there.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// A text, or a number or truth as it is written.
pub const TEXT: Form = Form { told: "text", json: text };
/// A truth, and nothing that only looks like one.
pub const FLAG: Form = Form { told: "true or false", json: || json!({ "type": "boolean" }) };

fn text() -> Value {
    json!({ "type": ["string", "number", "boolean"], "pattern": "\\S" })
}

/// What keys are called.
pub fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|key| key.name)
}

/// Each key with what may stand behind it.
pub fn properties(keys: &[Key]) -> Map<String, Value> {
    keys.iter().map(|key| (key.name.to_owned(), described(key.doc, (key.form.json)()))).collect()
}

/// A mapping with these keys and no others.
pub fn mapping(keys: &[Key]) -> Value {
    let required: Vec<_> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "type": "object",
        "properties": properties(keys),
        "required": required,
        "additionalProperties": false,
    })
}

/// A schema with what it means. Beside a reference nothing else counts in draft 7, so that one moves in.
pub fn described(doc: &str, schema: Value) -> Value {
    let mut all = Map::from_iter([("description".to_owned(), doc.into())]);
    match schema {
        Value::Object(schema) if !schema.contains_key("$ref") => all.extend(schema),
        reference => drop(all.insert("allOf".into(), json!([reference]))),
    }
    all.into()
}

/// What is defined under that name.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

/// A whole schema of draft 7: what it is of, what that looks like, and what that refers to.
pub fn document(title: &str, body: Value, definitions: Value) -> Value {
    let mut all = Map::from_iter([
        ("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#")),
        ("title".to_owned(), title.into()),
    ]);
    all.extend(body.as_object().cloned().unwrap_or_default());
    all.insert("definitions".into(), definitions);
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_has_its_keys_and_no_others() {
        let keys =
            [Key::new("a", FLAG, "A.").required(), Key::new("b", Form { told: "b", json: || reference("b") }, "B.")];
        let expected = json!({
            "type": "object",
            "properties": {
                "a": { "description": "A.", "type": "boolean" },
                "b": { "description": "B.", "allOf": [{ "$ref": "#/definitions/b" }] },
            },
            "required": ["a"],
            "additionalProperties": false,
        });
        assert_eq!(mapping(&keys), expected);
    }
}
