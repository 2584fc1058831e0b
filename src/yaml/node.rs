//! A YAML value with its place.

use std::borrow::Cow;

use super::At;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub at: At,
}

/// A YAML value. Scalars keep the text they were written as, so that `1.10` stays `1.10`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, written as it would be printed.
    Int(i64),
    /// A number with a fraction, and its text as written.
    Float(f64, String),
    /// Everything else that is a scalar.
    Str(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order it was written; keys are strings ([`Value::Str`]).
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// A value at a place.
    pub fn new(value: Value, at: At) -> Self {
        Self { value, at }
    }

    /// The same with one place for all of it: where the text it stands in must not be shown.
    #[must_use]
    pub fn moved(&self, at: &At) -> Self {
        let value = match &self.value {
            Value::List(items) => Value::List(items.iter().map(|item| item.moved(at)).collect()),
            Value::Map(entries) => {
                Value::Map(entries.iter().map(|(key, value)| (key.moved(at), value.moved(at))).collect())
            }
            scalar => scalar.clone(),
        };
        Self::new(value, at.clone())
    }

    /// The value under a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and the value under it, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.entries().iter().find(|(name, _)| name.as_str() == Some(key)).map(|(name, value)| (name, value))
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        self.as_map().unwrap_or_default()
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        self.as_list().unwrap_or_default()
    }

    /// The text, if this is text (a number is not).
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, if this is a mapping.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether nothing is written there.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text of a scalar as it was written (`1.10`, `True`), without its quotes; nothing for null, lists and mappings.
    pub fn scalar_text(&self) -> Option<Cow<'_, str>> {
        match &self.value {
            Value::Str(text) | Value::Float(_, text) => Some(Cow::Borrowed(text)),
            Value::Int(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(truth) => Some(self.bool_text(*truth)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    fn bool_text(&self, truth: bool) -> Cow<'_, str> {
        let plain = if truth { "true" } else { "false" };
        let written = self.at.text();
        Cow::Borrowed(if written.eq_ignore_ascii_case(plain) { written } else { plain })
    }

    /// What kind of value it is, in the words of messages.
    pub fn kind_name(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) => "a whole number",
            Value::Float(..) => "a number",
            Value::Str(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The value in the words of messages: its kind, and its text where that is short.
    pub fn told(&self) -> String {
        match (&self.value, self.scalar_text()) {
            (Value::Str(text), _) if text.chars().count() > 40 || text.contains('\n') => "a longer text".to_owned(),
            (Value::Str(text), _) => format!("text `{text}`"),
            (_, Some(text)) => format!("`{text}`"),
            _ => self.kind_name().to_owned(),
        }
    }
}
