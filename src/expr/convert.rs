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
    Into { at, left: super::LARGEST }.value(value)
}

/// A value on its way, and how many bytes more it may take: a few lines of lists in lists can mean more than any memory holds.
struct Into<'a> {
    at: &'a At,
    left: usize,
}

impl Into<'_> {
    fn value(&mut self, value: &Jinja) -> Result<Value, Error> {
        let text = value.as_str().unwrap_or_default();
        self.left = self.left.checked_sub(text.len() + size_of::<Node>()).ok_or_else(|| super::too_large(self.at))?;
        Ok(match value.kind() {
            ValueKind::None => Value::Null,
            ValueKind::Bool => Value::Bool(value.is_true()),
            ValueKind::Number => number(value),
            ValueKind::String => Value::Str(text.to_owned()),
            ValueKind::Seq | ValueKind::Iterable => Value::List(self.list(value)?),
            ValueKind::Map => Value::Map(self.map(value)?),
            kind => return Err(Error::at(self.at, format!("a template may not yield {}", told(kind)))),
        })
    }

    fn list(&mut self, value: &Jinja) -> Result<Vec<Node>, Error> {
        let items = value.try_iter().map_err(|_| Error::at(self.at, "this cannot be listed"))?;
        items.map(|item| self.node(&item)).collect()
    }

    fn map(&mut self, value: &Jinja) -> Result<Vec<(Node, Node)>, Error> {
        let no_entry = || Error::at(self.at, "this mapping cannot be listed");
        let entries = value.try_iter().map_err(|_| no_entry())?.map(|key| match value.get_item(&key) {
            Ok(inner) => Ok((key, inner)),
            Err(_) => Err(no_entry()),
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut pair = |(key, inner): (Jinja, Jinja)| {
            Ok((Node::new(Value::Str(key.to_string()), self.at.clone()), self.node(&inner)?))
        };
        entries.into_iter().map(&mut pair).collect()
    }

    fn node(&mut self, value: &Jinja) -> Result<Node, Error> {
        Ok(Node::new(self.value(value)?, self.at.clone()))
    }
}

fn number(value: &Jinja) -> Value {
    match (value.is_integer(), value.as_i64(), f64::try_from(value.clone())) {
        (true, Some(whole), _) => Value::Int(whole),
        (_, _, Ok(number)) => Value::Float(number, value.to_string()),
        _ => Value::Str(value.to_string()),
    }
}
