//! Between YAML's values and the template engine's.

use minijinja::Value as Jinja;
use minijinja::value::ValueKind;

use super::{Unresolved, render, told};
use crate::yaml::{At, Error, Node, Value};

/// A node as a value for expressions, its templates rendered.
pub fn to_jinja(node: &Node, context: &Jinja) -> Result<Jinja, Unresolved> {
    Ok(match &node.value {
        Value::Null => Jinja::from(()),
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number, text) if number.to_string() == *text => (*number).into(),
        // `1.10` is a version more often than a number: text keeps it as it was written.
        Value::Float(_, text) => text.as_str().into(),
        Value::Str(text) => render(text, &node.at, context)?,
        Value::List(items) => items.iter().map(|item| to_jinja(item, context)).collect::<Result<Vec<_>, _>>()?.into(),
        Value::Map(entries) => {
            let pair = |(key, value): &(Node, Node)| {
                Ok((key.scalar_text().unwrap_or_default().into_owned(), to_jinja(value, context)?))
            };
            Jinja::from_pairs(entries.iter().map(pair).collect::<Result<Vec<(String, Jinja)>, Unresolved>>()?)
        }
    })
}

/// What an expression came to, as a node at the template's place.
pub(super) fn to_yaml(value: &Jinja, at: &At) -> Result<Value, Error> {
    Ok(match value.kind() {
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => number(value),
        ValueKind::String => Value::Str(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Seq | ValueKind::Iterable => Value::List(list(value, at)?),
        ValueKind::Map => Value::Map(map(value, at)?),
        kind => return Err(Error::at(at, format!("a template may not yield {}", told(kind)))),
    })
}

fn number(value: &Jinja) -> Value {
    match (value.is_integer(), value.as_i64(), f64::try_from(value.clone())) {
        (true, Some(whole), _) => Value::Int(whole),
        (_, _, Ok(number)) => Value::Float(number, value.to_string()),
        _ => Value::Str(value.to_string()),
    }
}

fn list(value: &Jinja, at: &At) -> Result<Vec<Node>, Error> {
    let items = value.try_iter().map_err(|_| Error::at(at, "this cannot be listed"))?;
    items.map(|item| node(&item, at)).collect()
}

fn map(value: &Jinja, at: &At) -> Result<Vec<(Node, Node)>, Error> {
    let no_entry = || Error::at(at, "this mapping cannot be listed");
    let keys = value.try_iter().map_err(|_| no_entry())?;
    keys.map(|key| {
        let inner = value.get_item(&key).map_err(|_| no_entry())?;
        Ok((Node::new(Value::Str(key.to_string()), at.clone()), node(&inner, at)?))
    })
    .collect()
}

/// The same as a node.
pub(super) fn node(value: &Jinja, at: &At) -> Result<Node, Error> {
    Ok(Node::new(to_yaml(value, at)?, at.clone()))
}
