//! Why an expression has no value.

use minijinja::{Error as Fault, ErrorKind};

use super::words::remedy;
use super::{place, words};
use crate::yaml::{At, Error};

/// Why a step cannot be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unresolved {
    /// A value is not known. Ahead of a step's turn it may only not be known *yet*: what it depends on was not read or not
    /// run so far.
    #[error("{error}")]
    Undefined {
        /// As the expression has it: `facts`, `deployed.stdout`.
        name: String,
        /// For people, at its place.
        error: Box<Error>,
    },
    /// It is wrong whenever it is looked at.
    #[error("{0}")]
    Invalid(Box<Error>),
}

impl Unresolved {
    /// A name that has no value, at its place.
    pub fn undefined(name: &str, at: &At) -> Self {
        let error = Box::new(Error::at(at, format!("`{name}` is undefined")));
        Self::Undefined { name: name.to_owned(), error }
    }

    /// A value that an expression may ask for, but nothing has come to know so far.
    pub fn not_yet(name: &str) -> Self {
        let error = Box::new(Error::new(format!("`{name}` is not known yet")));
        Self::Undefined { name: name.to_owned(), error }
    }

    /// The same at `place`, where it has none of its own.
    pub fn or_at(mut self, place: &At) -> Self {
        let (Self::Undefined { error, .. } | Self::Invalid(error)) = &mut self;
        error.at.get_or_insert_with(|| place.clone());
        self
    }

    /// What a template's fault means, at its place. A fault that came from a variable's own template keeps that place.
    pub fn of(fault: Fault, template: &str, at: &At) -> Self {
        if let Some(inner) = std::error::Error::source(&fault).and_then(|source| source.downcast_ref::<Self>()) {
            return inner.clone().or_at(&place(at, template, fault.range()));
        }
        let at = place(at, template, fault.range());
        let words = words(&fault);
        match (fault.kind(), words.strip_prefix('`').and_then(|rest| rest.split_once('`'))) {
            (ErrorKind::UndefinedError, Some((name, _))) => Self::undefined(name, &at),
            (ErrorKind::UndefinedError, None) => Self::undefined(template.trim(), &at),
            _ => match remedy(&fault, template) {
                Some(hint) => Error::at(&at, words).with_hint(hint).into(),
                None => Error::at(&at, words).into(),
            },
        }
    }

    /// The error for people.
    pub fn error(&self) -> &Error {
        match self {
            Self::Undefined { error, .. } | Self::Invalid(error) => error,
        }
    }

    /// The same with the nearest of the known names.
    #[must_use]
    pub fn suggest<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        if let Self::Undefined { name, error } = &mut self
            && error.hint.is_none()
        {
            let first = name.split(['.', '[']).next().unwrap_or_default();
            **error = match names.into_iter().collect::<Vec<_>>() {
                names if names.contains(&first) => error.as_ref().clone().with_hint(unknown_yet(first)),
                names => error.as_ref().clone().did_you_mean(first, names),
            };
        }
        self
    }

    /// Carries it through the template engine.
    pub fn into_fault(self) -> Fault {
        Fault::new(ErrorKind::InvalidOperation, "a variable cannot be evaluated").with_source(self)
    }
}

/// Why a name that is right may have no value.
fn unknown_yet(name: &str) -> &'static str {
    match name {
        "host" | "inventory_hostname" | "index" => "where hosts are chosen there is none yet",
        "item" => "`item` is there in a step with `loop`",
        "leader" => "the leader is known once a manager was read that controls the swarm",
        "facts" => "facts are read from a host when the run begins; this one was not read",
        "hostvars" => "`hostvars` has the inventory's hosts by name",
        _ => "not every value has every part: a filter `default(…)` says what holds otherwise",
    }
}

impl From<Error> for Unresolved {
    fn from(error: Error) -> Self {
        Self::Invalid(Box::new(error))
    }
}
