//! Bytes to values that know their file, line and column. The only place that touches the YAML crate.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A text that was read: its name for messages, and its content for the line under a mistake.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as the user named it; `<command line>` and the like where there is none.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// A place in a [`Source`].
#[derive(Clone, PartialEq, Eq)]
pub struct At {
    /// The text.
    pub source: Arc<Source>,
    /// Bytes from the start of the text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}..{}", self.source.path.display(), self.start, self.end)
    }
}

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
    /// A whole number.
    Int(i64),
    /// A number with a fraction, and its text as written.
    Float(f64, String),
    /// Everything else that is a scalar.
    Str(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order it was written; keys are strings.
    Map(Vec<(Node, Node)>),
}

/// What is wrong with a text, where, and what would be right.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub at: Option<At>,
    /// What would be right.
    pub hint: Option<String>,
}

/// Reads a value out of a node.
///
/// # Errors
/// At the innermost node that does not fit.
pub fn from_node<T: serde::de::DeserializeOwned>(_node: &Node) -> Result<T, Error> {
    Err(Error { message: "not written yet".into(), at: None, hint: None })
}
