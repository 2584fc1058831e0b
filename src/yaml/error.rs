//! What is wrong in a text, shown with its line and a caret.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::hide::hidden;
use super::{At, Source};

/// A mistake in what was read.
///
/// `Display` shows it as rustc would, without colour: the message, the place, the line with a caret, and the hint. What looks
/// like a password in that line is hidden.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub at: Option<At>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other places that belong to it, each with what is there (`first given here`).
    pub also: Vec<(At, String)>,
}

impl Error {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, hint: None, also: Vec::new() }
    }

    /// A mistake at a place.
    pub fn at(at: &At, message: impl Into<String>) -> Self {
        Self { at: Some(at.clone()), ..Self::new(message) }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with a suggestion, if one of the candidates is near to what was written.
    #[must_use]
    pub fn did_you_mean<'a>(self, written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(written, candidates) {
            Some(name) => self.with_hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// The same with one more place.
    #[must_use]
    pub fn also(mut self, at: &At, label: impl Into<String>) -> Self {
        self.also.push((at.clone(), label.into()));
        self
    }

    /// The same at a place, unless it has one already.
    #[must_use]
    pub fn or_at(self, at: &At) -> Self {
        Self { at: self.at.or_else(|| Some(at.clone())), ..self }
    }

    /// The text for a person, in colour or without.
    pub fn render(&self, colour: bool) -> String {
        self.render_as(Level::ERROR, colour)
    }

    /// The same of what is no mistake, and should be known.
    pub fn render_note(&self, colour: bool) -> String {
        self.render_as(Level::NOTE, colour)
    }

    fn render_as(&self, level: Level<'_>, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = renderer.render(&[self.report(level)]);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n\nhint: {hint}"));
        }
        text
    }

    fn report<'a>(&'a self, level: Level<'a>) -> Group<'a> {
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        let Some(at) = &self.at else { return group };
        let here = self.also.iter().filter(|(other, _)| other.source == at.source);
        let mut snippet = snippet(&at.source).annotation(AnnotationKind::Primary.span(first_line(at)));
        for (other, label) in here {
            snippet = snippet.annotation(AnnotationKind::Context.span(first_line(other)).label(label.as_str()));
        }
        group = group.element(snippet);
        for (other, label) in self.also.iter().filter(|(other, _)| other.source != at.source) {
            let there = AnnotationKind::Context.span(first_line(other)).label(label.as_str());
            group = group.element(self::snippet(&other.source).annotation(there));
        }
        group
    }
}

fn snippet(source: &Source) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(hidden(&source.text)).path(source.path.to_string_lossy().into_owned())
}

/// The part of a place that is on its first line: a caret under twenty lines helps nobody.
fn first_line(at: &At) -> Range<usize> {
    let text = &at.source.text;
    let start = floor_boundary(text, at.start);
    let end = floor_boundary(text, at.end).max(start);
    let line = text[start..end].split(['\n', '\r']).next().unwrap_or_default();
    start..start + line.len()
}

pub(super) fn floor_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Error {}

/// Every mistake that was found, in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Errors(pub Vec<Error>);

impl Errors {
    /// `Ok` if there are none.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Errors> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// In the order of the text; the file whose mistakes came first is told of first.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let path = |error: &Error| error.at.as_ref().map(|at| at.source.path.clone());
        let mut files = Vec::new();
        for error in &self.0 {
            if !files.contains(&path(error)) {
                files.push(path(error));
            }
        }
        let place = |error: &Error| files.iter().position(|file| *file == path(error));
        self.0.sort_by_key(|error| (place(error), error.at.as_ref().map(|at| at.start)));
        self
    }

    /// The text for a person, in colour or without: one after the other with a blank line between.
    pub fn render(&self, colour: bool) -> String {
        self.0.iter().map(|error| error.render(colour)).collect::<Vec<_>>().join("\n\n")
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Errors {}

/// The candidate that was probably meant: at most a third of the letters are wrong, and never all of them.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = written.chars().count();
    let allowed = (letters / 3).max(1).min(letters.saturating_sub(1));
    let distance = |name: &'a str| (strsim::damerau_levenshtein(&written.to_lowercase(), &name.to_lowercase()), name);
    candidates
        .into_iter()
        .map(distance)
        .filter(|(wrong, _)| *wrong <= allowed)
        .min_by_key(|(wrong, _)| *wrong)
        .map(|(_, name)| name)
}
