//! A parameter that nobody gets to see: a password, what is in a secret.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer};

use super::values::Text;
use crate::secret::{MASK, Secret};

/// A text that is never shown. [`fmt::Debug`] tells two of them apart, for a check that compares what two steps ask for, by a
/// digest whose key is made up by each process and kept nowhere: nothing can be found by it.
#[derive(Clone, PartialEq)]
pub struct Hidden(Secret);

static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Hidden {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Secret::new(text))
    }

    /// The text itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MASK} {:016x}", KEY.hash_one(self.expose()))
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Text::deserialize(d).map(|Text(text)| Self::new(text))
    }
}

impl JsonSchema for Hidden {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Text::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Text::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_can_be_told_apart_and_none_is_shown() {
        let told = |text: &str| format!("{:?}", Hidden::new(text));
        assert_eq!(told("hunter2"), told("hunter2"));
        assert_ne!(told("hunter2"), told("hunter3"));
        assert!(!told("hunter2").contains("hunter"));
    }
}
