//! Templates that are not rendered yet.

use super::{At, Error, Node, Value};

/// What a text with a template in it may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// One single `{{ … }}`: it keeps the type of its value, so anything.
    Anything,
    /// Template and text mixed: a scalar.
    Scalar,
}

impl Hole {
    /// Whether a text is a template: it holds `{{` or `{%`.
    pub fn of(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match inner {
            Some(inner) if !inner.contains("}}") && !inner.contains("{{") => Some(Self::Anything),
            _ => (text.contains("{{") || text.contains("{%")).then_some(Self::Scalar),
        }
    }
}

/// Whether any text in a node is a template.
pub(super) fn has_hole(node: &Node) -> bool {
    let inside = node.items().iter().chain(node.entries().iter().map(|(_, value)| value));
    node.as_str().and_then(Hole::of).is_some() || inside.into_iter().any(has_hole)
}

/// Makes a new node of an old one by giving each text in it (not the keys) to a function, with its place.
///
/// # Errors
/// The first error of that function; it is located at the text if it names no place itself.
pub fn map_strings(node: &Node, render: &mut impl FnMut(&str, &At) -> Result<Value, Error>) -> Result<Node, Error> {
    let value = match &node.value {
        Value::Str(text) => render(text, &node.at).map_err(|error| error.or_at(&node.at))?,
        Value::List(items) => {
            Value::List(items.iter().map(|item| map_strings(item, render)).collect::<Result<_, _>>()?)
        }
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), map_strings(value, render)?)))
                .collect::<Result<_, Error>>()?,
        ),
        scalar => scalar.clone(),
    };
    Ok(Node::new(value, node.at.clone()))
}
