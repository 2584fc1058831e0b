//! What a playbook looks like, as JSON Schema of draft 7: for editors. It is made of the very tables that its reader goes by, and
//! of the actions' own parameters. What it lets through may still be wrong: `skep check` knows more.

mod parameters;

use serde_json::{Map, Value, json};

use super::forms::{self, PART, WHOLE};
use super::load::{PLAY, PLAYBOOK};
pub use super::step::{LINE, OF_SOME, SAYING, STEP};
use super::{files, include, lookup};
use crate::actions::{Kind, TABLE};
use crate::schema::{Key, document, mapping, names, reference};
use crate::vault;

/// Of a playbook.
pub fn playbook() -> Value {
    let mut all = definitions();
    all.insert("play".into(), mapping(PLAY));
    document("A playbook of Skep", mapping(PLAYBOOK), all.into())
}

/// Of a file that a playbook includes.
pub fn steps() -> Value {
    document("Steps that a playbook of Skep includes", (forms::STEPS.json)(), definitions().into())
}

fn definitions() -> Map<String, Value> {
    let mut all = Map::new();
    let mut define = |name: &str, schema: Value| drop(all.insert(name.to_owned(), schema));
    define("step_or_include", either());
    define("step", step());
    define("include", mapping(include::KEYS));
    define("vars", forms::vars());
    define("value", value());
    define("secret", vault::schema());
    define("lookup", mapping(lookup::KEYS));
    define("vars_file", mapping(files::KEYS));
    define("template", json!({ "type": "string", "pattern": PART }));
    define("whole_template", json!({ "type": "string", "pattern": WHOLE }));
    TABLE.iter().for_each(|kind| all.extend(parameters::definitions(kind)));
    all
}

/// What has `include` is one, and then nothing else is expected of it.
fn either() -> Value {
    json!({
        "if": { "type": "object", "required": ["include"] },
        "then": reference("include"),
        "else": reference("step"),
    })
}

/// One action, and the keys that belong to it.
fn step() -> Value {
    let keys: Vec<Key> = STEP.iter().chain(LINE).chain(SAYING).copied().collect();
    let mut step = mapping(&keys);
    for kind in TABLE {
        step["properties"][kind.name] = parameters::of(kind);
    }
    let one: Vec<_> = TABLE.iter().map(needed).collect();
    step["oneOf"] = one.into();
    step["dependencies"] = OF_SOME.iter().flat_map(|(keys, has)| needs_one_of(keys, *has)).collect();
    // Never there, for then it were an include; but an editor offers what it finds here.
    step["properties"]["include"] = mapping(include::KEYS)["properties"]["include"].clone();
    step
}

/// Keys that want an action which has them.
fn needs_one_of(keys: &'static [Key], has: fn(&Kind) -> bool) -> impl Iterator<Item = (String, Value)> {
    let having: Vec<_> = TABLE.iter().filter(|kind| has(kind)).map(needed).collect();
    names(keys).map(move |key| (key.to_owned(), json!({ "anyOf": having })))
}

fn needed(kind: &Kind) -> Value {
    json!({ "required": [kind.name] })
}

/// A variable's: anything, but what says that it is a secret is one.
fn value() -> Value {
    json!({ "if": vault::is_sealed(), "then": reference("secret") })
}
