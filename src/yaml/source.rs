//! Texts and places in them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Node, parse};

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

impl At {
    /// The start of a text that is no file: for values that the command line or the program itself made.
    pub fn made_by(name: &str) -> Self {
        let source = Source { path: PathBuf::from(name), text: String::new() };
        Self { source: Arc::new(source), start: 0, end: 0 }
    }

    /// What is written there; empty where the place is not inside the text.
    pub fn text(&self) -> &str {
        self.source.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Line and column of its first character, both from one; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// From the start of this place to the end of another one of the same text.
    pub fn until(&self, last: &At) -> At {
        At { end: last.end.max(self.start), ..self.clone() }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.path.display())
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}..{}", self.source.path.display(), self.start, self.end)
    }
}

/// What to look at where a file cannot be read.
const WHERE: &str = "is it there, and may you read it? A path begins at the folder that you are in";

/// Reads and parses a file.
///
/// # Errors
/// A file that cannot be read or is not UTF-8, and whatever [`parse`] says about its text.
pub fn read(path: &Path) -> Result<Node, Error> {
    let cannot = |why| Error::new(format!("cannot read `{}`: {why}", path.display())).with_hint(WHERE);
    let bytes = std::fs::read(path).map_err(cannot)?;
    parse(path, decode(path, bytes)?)
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|why| {
        let good = why.utf8_error().valid_up_to();
        let line = why.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::new(format!("`{}` is not UTF-8: line {line} holds a byte that no character begins with", path.display()))
            .with_hint("save the file as UTF-8")
    })
}
