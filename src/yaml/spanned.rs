//! Places, and whole nodes, carried into structs.
//!
//! serde has no way to hand over a place, so it goes around: [`de`](super::de) puts the node aside and calls the visitor,
//! which takes it at once, on the same thread and before anything else is read.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::{At, Node};

/// The names by which the deserializer knows that a visitor wants more than the value.
pub(super) const PLACE: &str = "$skep::yaml::Spanned";
/// The same for a whole node.
pub(super) const NODE: &str = "$skep::yaml::Node";

thread_local! {
    static HANDED_OVER: RefCell<Option<Node>> = const { RefCell::new(None) };
}

/// Puts aside what the visitor is about to take.
pub(super) fn hand_over(node: Node) {
    HANDED_OVER.with_borrow_mut(|slot| *slot = Some(node));
}

fn take<E: de::Error>() -> Result<Node, E> {
    HANDED_OVER.take().ok_or_else(|| E::custom("a place can only be told by `yaml::from_node`"))
}

/// A value that knows where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub at: At,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(to)
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Place<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Place<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
                let Node { at, .. } = take()?;
                Ok(Spanned { value: T::deserialize(inner)?, at })
            }
        }
        from.deserialize_newtype_struct(PLACE, Place(PhantomData))
    }
}

/// Only through [`from_node`](super::from_node): the node as it stands, templates and all.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Whole;
        impl<'de> Visitor<'de> for Whole {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Node, D::Error> {
                take()
            }
        }
        from.deserialize_newtype_struct(NODE, Whole)
    }
}

impl JsonSchema for Node {
    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::from(true)
    }
}
