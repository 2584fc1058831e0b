//! `docs/actions.md` is what the actions' own doc comments say: made from the JSON schemas of their parameters.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};
use skep::actions::{Kind, TABLE};
use skep::inventory::schema::{inventory, keys};
use skep::playbook::facts::FACTS;
use skep::playbook::schema;
use skep::remote::ssh::{KEYWORDS, Standing};
use skep::schema::Key;

const HEAD: &str = "\
<!-- Made from the doc comments of src/actions; scripts/pages makes it anew. -->
# The actions

A step has exactly one of these keys. Parameters without \"required\" may be left out.
";

#[test]
fn the_page_of_the_actions_is_what_the_code_says() {
    is_written("docs/actions.md", |_| page());
}

#[test]
fn the_table_of_sshs_keywords_is_what_the_code_says() {
    is_written("docs/ssh.md", |there| {
        let rows = KEYWORDS.iter().map(|keyword| {
            let standing = match keyword.standing {
                Standing::Honoured => "honoured",
                Standing::Idle => "no bearing",
                Standing::Named => "named",
                Standing::Refused => "refused",
            };
            format!("| {} | {standing} | {} |\n", keyword.name, keyword.note)
        });
        with_table(
            there,
            "src/remote/ssh/config/keywords.rs",
            &format!("| keyword | is | |\n|---|---|---|\n{}", rows.collect::<String>()),
        )
    });
}

#[test]
fn the_table_of_facts_is_what_the_code_says() {
    is_written("docs/playbook.md", |there| {
        let rows = FACTS.iter().map(|fact| format!("| `facts.{}` | {} |\n", fact.name, fact.doc));
        with_table(there, "src/playbook/facts.rs", &format!("| fact | is |\n|---|---|\n{}", rows.collect::<String>()))
    });
}

#[test]
fn the_table_of_an_inventorys_keys_is_what_the_code_says() {
    is_written("docs/inventory.md", |there| {
        let row = |(key, theirs): (&Key, &[&str])| {
            let theirs = theirs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("| `{}` | {} | {} | {theirs} |\n", key.name, key.form.told, key.doc)
        };
        let table =
            format!("| key | form | is | for Ansible |\n|---|---|---|---|\n{}", keys().map(row).collect::<String>());
        with_table(there, "src/inventory/names.rs", &table)
    });
}

#[test]
fn the_table_of_a_steps_keys_is_what_the_code_says() {
    let rows = |keys: &[Key], of: &str| -> String {
        let row = |key: &Key| format!("| `{}` | {} | {of}{} |\n", key.name, key.form.told, key.doc);
        keys.iter().map(row).collect()
    };
    let of_some = schema::OF_SOME.map(|(keys, has)| rows(keys, &format!("of {} only: ", those(has)))).concat();
    is_written("docs/playbook.md", |there| {
        let table = format!("| key | form | means |\n|---|---|---|\n{ACTION}{}{of_some}", rows(schema::STEP, ""));
        with_table(there, "src/playbook/step.rs", &table)
    });
}

/// The actions of which that is true: `a`, `b` and `c`.
fn those(has: fn(&Kind) -> bool) -> String {
    let names: Vec<_> = TABLE.iter().filter(|kind| has(kind)).map(|kind| format!("`{}`", kind.name)).collect();
    let (last, others) = names.split_last().expect("some have it");
    format!("{} and {last}", others.join(", "))
}

const ACTION: &str =
    "| an action | its parameters | `container:`, `file:`, `shell:` …: exactly one of [the actions](actions.md) |\n";

#[test]
fn the_schemas_are_what_the_code_says() {
    is_written("schemas/playbook.json", |_| format!("{:#}\n", schema::playbook()));
    is_written("schemas/steps.json", |_| format!("{:#}\n", schema::steps()));
    is_written("schemas/inventory.json", |_| format!("{:#}\n", inventory()));
}

/// The page with this table behind the mark that names where it is from; all around it is written by hand.
fn with_table(there: &str, from: &str, table: &str) -> String {
    let (before, after) = there.split_once(from).expect("a mark");
    let (mark, after) = after.split_once("-->\n").expect("its end");
    let by_hand = after.trim_start_matches('\n').lines().skip_while(|line| line.starts_with('|'));
    let by_hand: String = by_hand.map(|line| format!("{line}\n")).collect();
    format!("{before}{from}{mark}-->\n\n{table}{by_hand}")
}

fn is_written(name: &str, page: impl Fn(&str) -> String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("SKEP_WRITE_PAGES").is_some() {
        std::fs::write(&file, page(&read())).unwrap();
    }
    let there = read();
    assert!(there == page(&there), "{name} is not what the code says.\n\nhint: scripts/pages");
}

fn page() -> String {
    let mut kinds: Vec<_> = TABLE.iter().collect();
    kinds.sort_by_key(|kind| kind.name);
    kinds.into_iter().fold(HEAD.to_owned(), |page, kind| page + &chapter(kind))
}

fn chapter(kind: &Kind) -> String {
    let schema = (kind.schema)().to_value();
    let mut text = format!("\n## {}\n{}", kind.name, paragraph(&schema));
    if kind.line {
        text += "\nIts steps also take `changes`, `creates`, `unless`, `retries` and `register`.\n";
    }
    parameters(&schema, &schema, &mut text);
    for (name, part) in schema["$defs"].as_object().unwrap_or(&Map::new()) {
        if part["properties"].is_object() {
            let _ = write!(text, "\n### {}: {name}\n{}", kind.name, paragraph(part));
            parameters(&schema, part, &mut text);
        }
    }
    text
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

fn paragraph(schema: &Value) -> String {
    if description(schema).is_empty() { String::new() } else { format!("\n{}\n", description(schema)) }
}

fn parameters(root: &Value, schema: &Value, text: &mut String) {
    let Some(properties) = schema["properties"].as_object() else { return };
    *text += "\n| parameter | form | is |\n|---|---|---|\n";
    for (name, property) in properties {
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name.as_str()));
        let form = form(root, property) + if required { ", required" } else { "" };
        let _ = writeln!(text, "| `{name}` | {} | {} |", cell(&form), cell(&meaning(property)));
    }
}

/// The description, and what holds where nothing is said, unless the description tells.
fn meaning(property: &Value) -> String {
    let said = description(property);
    let default = match &property["default"] {
        Value::Null | Value::Bool(false) | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) if text.is_empty() => None,
        default => Some(word(default)),
    };
    match default.filter(|_| !said.contains("default")) {
        Some(default) => format!("{said} Default: {default}."),
        None => said.to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a value looks like, in a few words.
fn form(root: &Value, schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        let part = &root["$defs"][name];
        return if part["properties"].is_object() { name.to_owned() } else { form(root, part) };
    }
    if let Some(choices) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        return either(choices.iter().map(|choice| form(root, choice)));
    }
    if let Some(words) = schema["enum"].as_array() {
        return either(words.iter().map(word));
    }
    match (&schema["const"], &schema["type"]) {
        (Value::Null, Value::Array(kinds)) => either(kinds.iter().map(|kind| plain(root, schema, kind))),
        (Value::Null, kind) => plain(root, schema, kind),
        (constant, _) => word(constant),
    }
}

fn word(value: &Value) -> String {
    if value.is_null() { String::new() } else { format!("`{}`", value.as_str().unwrap_or(&value.to_string())) }
}

fn plain(root: &Value, schema: &Value, kind: &Value) -> String {
    match kind.as_str().unwrap_or("any") {
        "null" => String::new(),
        "array" => format!("list of {}", form(root, &schema["items"])),
        "object" => match &schema["additionalProperties"] {
            values @ Value::Object(_) => format!("map to {}", form(root, values)),
            _ => "map".to_owned(),
        },
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    }
}

fn either(forms: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for form in forms.filter(|form| !form.is_empty()) {
        if !all.contains(&form) {
            all.push(form);
        }
    }
    let any = ["text", "number", "true or false"].map(String::from);
    if any.iter().all(|one| all.contains(one)) {
        all.retain(|one| !any.contains(one));
        all.insert(0, "scalar".to_owned());
    }
    all.join(" or ")
}

#[test]
fn forms_are_told_in_words() {
    let root = serde_json::json!({"$defs": {
        "State": {"oneOf": [{"const": "present", "type": "string"}, {"const": "absent", "type": "string"}]},
        "Part": {"properties": {"x": {}}},
    }});
    let form = |schema: Value| form(&root, &schema);
    assert_eq!(form(serde_json::json!({"$ref": "#/$defs/State"})), "`present` or `absent`");
    assert_eq!(form(serde_json::json!({"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]})), "Part");
    assert_eq!(form(serde_json::json!({"type": ["string", "null"]})), "text");
    assert_eq!(form(serde_json::json!({"type": "array", "items": {"type": "integer"}})), "list of whole number");
    assert_eq!(form(serde_json::json!({"type": "object", "additionalProperties": {"type": "string"}})), "map to text");
}
