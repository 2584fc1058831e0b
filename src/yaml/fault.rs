//! What goes wrong while a struct is made of a node: serde's errors in plain words, before they have a place.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use super::{At, Error, Node};

/// A mistake on its way up to the place it belongs to.
#[derive(Debug)]
pub(super) struct Fault {
    error: Box<Error>,
    /// Whether the message still has to be told which mapping it speaks of.
    of_mapping: bool,
    /// A template's stand-in caused it: nobody's mistake.
    silent: bool,
    /// The entry or item it happened in has been noted as bad.
    noted: bool,
    /// The key that is not there, if that is what is wrong.
    missing: Option<&'static str>,
}

impl Fault {
    pub(super) fn new(error: Error) -> Self {
        Self { error: Box::new(error), of_mapping: false, silent: false, noted: false, missing: None }
    }

    fn of_mapping(error: Error) -> Self {
        Self { of_mapping: true, ..Self::new(error) }
    }

    /// The same at a place, unless it has one already; the innermost comes first and stays.
    pub(super) fn or_at(mut self, at: &At) -> Self {
        self.error.at.get_or_insert_with(|| at.clone());
        self
    }

    /// The same at what it is blamed on: the value, or of a mapping the key that the message begins with; `head` where a key is
    /// missing, for then nothing in the value is wrong.
    pub(super) fn or_in(self, value: &Node, head: &At) -> Self {
        let named = self.error.message.strip_prefix('`').and_then(|rest| rest.split_once('`'));
        let entry = named.and_then(|(key, _)| value.get(key)).map(|entry| entry.at.clone());
        let whole = if self.missing.is_some() || self.of_mapping { head } else { &value.at };
        self.or_at(&entry.unwrap_or_else(|| whole.clone()))
    }

    /// The same with the name of the mapping it speaks of, if it still wants one.
    pub(super) fn in_mapping(mut self, name: Option<&str>) -> Self {
        if let (true, Some(name)) = (std::mem::take(&mut self.of_mapping), name) {
            self.error.message.push_str(&format!(" in `{name}`"));
        }
        self
    }

    /// Whether it speaks of a value as a whole: nothing in it was blamed, and no key of it is missing.
    pub(super) fn is_general(&self) -> bool {
        self.error.at.is_none() && self.missing.is_none()
    }

    /// Whether it says that a key is missing which the mapping has: then the key was left out for another mistake.
    pub(super) fn misses_what_is_in(&self, mapping: &Node) -> bool {
        self.missing.is_some_and(|key| mapping.get(key).is_some())
    }

    /// The same as nobody's mistake, if a template's stand-in or what was left out caused it.
    pub(super) fn silent_if(self, caused: bool) -> Self {
        Self { silent: self.silent || caused, ..self }
    }

    /// The same with the remark that its innermost entry or item has been left out.
    pub(super) fn noted_if(self, noted: bool) -> Self {
        Self { noted: self.noted || noted, ..self }
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted
    }

    /// The mistake, unless it is nobody's.
    pub(super) fn blame(self) -> Option<Error> {
        (!self.silent).then(|| self.into_error())
    }

    pub(super) fn into_error(self) -> Error {
        *self.error
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Error::new(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found {}", Told(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found {length} items"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(unknown("value", variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::of_mapping(unknown("key", field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::of_mapping(Error::new(format!("missing key `{field}`"))) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::of_mapping(Error::new(format!("`{field}` is given twice, under two of its names")))
    }
}

fn unknown(what: &str, written: &str, expected: &'static [&'static str]) -> Error {
    let error = Error::new(format!("unknown {what} `{written}`")).did_you_mean(written, expected.iter().copied());
    match (&error.hint, expected) {
        (Some(_), _) => error,
        (None, []) => error.with_hint("nothing can be given here"),
        (None, all) => error.with_hint(format!("there are: {}", all.join(", "))),
    }
}

/// serde's "unexpected", in the words of our messages.
struct Told<'a>(Unexpected<'a>);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(truth) => write!(f, "`{truth}`"),
            Unexpected::Unsigned(number) => write!(f, "`{number}`"),
            Unexpected::Signed(number) => write!(f, "`{number}`"),
            Unexpected::Float(number) => write!(f, "`{number}`"),
            Unexpected::Str(text) => write!(f, "text `{text}`"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a mapping"),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            other => write!(f, "{other}"),
        }
    }
}
