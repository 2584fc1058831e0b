//! Nodes to structs, each mistake located at the innermost node it can be blamed on.

use std::cell::RefCell;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::fault::Fault;
use super::holes::has_hole;
use super::{Error, Hole, Node, Value, scalar, ser, spanned};

/// Makes a `T` of a node.
///
/// A text is also taken from a number or a boolean, as it was written; nothing else is converted.
///
/// # Errors
/// An unknown or missing key, a wrong type, a number out of range: at the innermost node that is wrong.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Error> {
    read(De { node, name: None, is_key: false, holes: None }).map_err(Fault::into_error)
}

/// The same for a mapping that goes by a name: `unknown key … in `container``.
///
/// # Errors
/// As [`from_node`].
pub fn from_node_named<T: DeserializeOwned>(node: &Node, name: &str) -> Result<T, Error> {
    read(De { node, name: Some(name), is_key: false, holes: None }).map_err(Fault::into_error)
}

/// Makes a `T` and gives a mistake without a place the whole node's.
pub(super) fn read<'a, T: DeserializeOwned>(from: De<'a>) -> Result<T, Fault> {
    T::deserialize(from).map_err(|fault| from.judged(fault).or_in(from.node, &from.node.at).in_mapping(from.name))
}

/// What is already known while a text with templates is read again and again until all its mistakes are found.
#[derive(Default)]
pub(super) struct Known<'a> {
    /// Entries and items that are left out: they are wrong, or a template stands in their way.
    left_out: RefCell<Vec<&'a Node>>,
}

impl<'a> Known<'a> {
    pub(super) fn leave_out(&self, node: &'a Node) {
        self.left_out.borrow_mut().push(node);
    }

    fn any(&self) -> bool {
        !self.left_out.borrow().is_empty()
    }

    pub(super) fn has(&self, node: &Node) -> bool {
        self.left_out.borrow().iter().any(|other| std::ptr::eq(*other, node))
    }
}

/// One node on its way into a value.
#[derive(Clone, Copy)]
pub(super) struct De<'a> {
    pub(super) node: &'a Node,
    /// The key it stands under, for messages.
    pub(super) name: Option<&'a str>,
    /// Whether it is itself a key: then its text may be a number.
    pub(super) is_key: bool,
    /// Templates are let through, and what is known about the rest.
    pub(super) holes: Option<&'a Known<'a>>,
}

impl<'a> De<'a> {
    fn hole(&self) -> Option<Hole> {
        self.holes.and(self.node.as_str()).and_then(Hole::of)
    }

    fn expected(&self, what: &str) -> Fault {
        let error = Error::at(&self.node.at, format!("expected {what}, found {}", self.node.told()));
        Fault::new(match (what, self.node.as_str()) {
            ("true or false", Some("yes" | "Yes" | "on" | "On" | "y")) => error.with_hint("write `true`"),
            ("true or false", Some("no" | "No" | "off" | "Off" | "n")) => error.with_hint("write `false`"),
            ("a mapping", Some(text)) if text.contains('=') => {
                error.with_hint("where Ansible takes `key=value`, this is `{ key: value }`")
            }
            ("a list", Some(text)) if !text.contains('\n') => error.with_hint(format!("write `[{text}]`")),
            _ => error,
        })
    }

    /// A whole number within a type's bounds; for a template, one.
    fn whole(&self, least: i128, most: i128) -> Result<i64, Fault> {
        if self.hole().is_some() {
            return Ok(1);
        }
        match self.number() {
            Some(Value::Int(number)) if (least..=most).contains(&number.into()) => Ok(number),
            Some(Value::Int(_)) => Err(self.expected(&format!("a whole number from {least} to {most}"))),
            _ => Err(self.expected("a whole number")),
        }
    }

    fn fraction(&self) -> Result<f64, Fault> {
        match self.number() {
            _ if self.hole().is_some() => Ok(1.0),
            Some(Value::Int(number)) => Ok(number as f64),
            Some(Value::Float(number, _)) => Ok(number),
            _ => Err(self.expected("a number")),
        }
    }

    fn number(&self) -> Option<Value> {
        match &self.node.value {
            Value::Str(text) if self.is_key => scalar::number(text),
            Value::Int(_) | Value::Float(..) => Some(self.node.value.clone()),
            _ => None,
        }
    }

    /// Lets a visitor look at a scalar; what it says about a template's stand-in is nobody's mistake.
    fn told<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| fault.or_at(&self.node.at).silent_if(self.hole().is_some()))
    }

    fn list<V: Visitor<'a>>(self, items: &'a [Node], visitor: V) -> Result<V::Value, Fault> {
        let mut items = Items { left: items.iter(), of: self };
        let value = visitor.visit_seq(&mut items)?;
        match items.left.next() {
            Some(extra) => Err(Fault::new(Error::at(
                &extra.at,
                format!("only {} items can be given here", position(self.node, extra)),
            ))),
            None => Ok(value),
        }
    }

    fn map<V: Visitor<'a>>(self, entries: &'a [(Node, Node)], visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Entries { left: entries.iter(), value: None, of: self }).map_err(|fault| {
            let follows = self.holes.is_some() && fault.misses_what_is_in(self.node);
            fault.in_mapping(self.name).silent_if(follows)
        })
    }
}

fn position(list: &Node, item: &Node) -> usize {
    list.items().iter().position(|other| std::ptr::eq(other, item)).unwrap_or_default()
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ident,)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = self.whole($type::MIN as i128, $type::MAX as i128)?;
            // The bounds were checked just above.
            self.told(visitor.$visit(number as $type))
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.node.scalar_text() {
                Some(text) => self.told(visitor.visit_str(&text)),
                None => Err(self.expected("text")),
            }
        }
    )*};
}

impl<'a> Deserializer<'a> for De<'a> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => self.told(visitor.visit_unit()),
            Value::Bool(truth) => self.told(visitor.visit_bool(*truth)),
            Value::Int(number) if *number >= 0 => self.told(visitor.visit_u64(number.unsigned_abs())),
            Value::Int(number) => self.told(visitor.visit_i64(*number)),
            Value::Float(number, text) if ser::prints_as(*number, text) => self.told(visitor.visit_f64(*number)),
            Value::Float(_, text) | Value::Str(text) => self.told(visitor.visit_str(text)),
            Value::List(items) => self.list(items, visitor),
            Value::Map(entries) => self.map(entries, visitor),
        }
    }

    whole_numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    forward_to_deserialize_any! { <V: Visitor<'a>> i128 u128 bytes byte_buf }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Bool(truth) => self.told(visitor.visit_bool(*truth)),
            _ if self.hole().is_some() => self.told(visitor.visit_bool(true)),
            _ => Err(self.expected("true or false")),
        }
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.fraction()?;
        self.told(visitor.visit_f64(number))
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f32(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.is_null() || self.hole().is_some() {
            true => self.told(visitor.visit_unit()),
            false => Err(self.expected("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match name {
            spanned::NODE => spanned::hand_over(self.node.clone()),
            spanned::PLACE => spanned::hand_over(Node::new(Value::Null, self.node.at.clone())),
            _ => {}
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::List(items) => self.list(items, visitor),
            _ if self.hole() == Some(Hole::Anything) => self.told(self.list(&[], visitor)),
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Map(entries) => self.map(entries, visitor),
            _ if self.hole() == Some(Hole::Anything) => self.told(self.map(&[], visitor)),
            _ => Err(self.expected("a mapping")),
        }
    }

    /// `ready:` with nothing behind it is `ready: {}`.
    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if self.node.is_null() { self.map(&[], visitor) } else { self.deserialize_map(visitor) }
    }

    /// A variant without content is its name; one with content is a mapping of one key.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            _ if self.hole().is_some() => {
                let first = names.first().copied().unwrap_or_default();
                self.told(visitor.visit_enum(first.into_deserializer()))
            }
            Value::Map(entries) => match entries.as_slice() {
                [(key, value)] => {
                    visitor.visit_enum(Variant { key: self.key(key), content: Some(self.under(key, value)) })
                }
                _ => Err(self.expected(&format!("one of {}", names.join(", ")))),
            },
            Value::Null | Value::List(_) => Err(self.expected(&format!("one of {}", names.join(", ")))),
            _ => visitor.visit_enum(Variant { key: self.key(self.node), content: None }),
        }
    }
}

impl<'a> De<'a> {
    fn key(self, node: &'a Node) -> De<'a> {
        De { node, name: None, is_key: true, holes: None }
    }

    fn under(self, key: &'a Node, value: &'a Node) -> De<'a> {
        De { node: value, name: key.as_str(), is_key: false, holes: self.holes }
    }

    /// Reads what stands in a list or mapping; a mistake without a place gets this one, and is noted where it is innermost.
    fn inner<T: DeserializeSeed<'a>>(self, seed: T, blame: &'a Node) -> Result<T::Value, Fault> {
        seed.deserialize(self).map_err(|fault| {
            let fault = self.judged(fault).or_in(self.node, &blame.at).in_mapping(self.name);
            self.note(fault)
        })
    }

    /// What is said of a value as a whole is nobody's mistake while a template stands in it or something was left out.
    fn judged(&self, fault: Fault) -> Fault {
        let unsure = self.holes.is_some_and(|known| known.any() || has_hole(self.node));
        let general = fault.is_general();
        fault.silent_if(unsure && general)
    }

    fn note(self, fault: Fault) -> Fault {
        if let (false, Some(known)) = (fault.is_noted(), self.holes) {
            known.leave_out(self.node);
        }
        fault.noted_if(self.holes.is_some())
    }

    fn left_out(&self, node: &Node) -> bool {
        self.holes.is_some_and(|known| known.has(node))
    }
}

/// The items of a list that are still to be read.
struct Items<'a> {
    left: std::slice::Iter<'a, Node>,
    of: De<'a>,
}

impl<'a> de::SeqAccess<'a> for Items<'a> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let of = self.of;
        let Some(node) = self.left.by_ref().find(|node| !of.left_out(node)) else { return Ok(None) };
        De { node, is_key: false, ..of }.inner(seed, node).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// The entries of a mapping that are still to be read.
struct Entries<'a> {
    left: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a (Node, Node)>,
    of: De<'a>,
}

impl<'a> de::MapAccess<'a> for Entries<'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let of = self.of;
        self.value = self.left.by_ref().find(|(_, value)| !of.left_out(value));
        let Some((key, value)) = self.value else { return Ok(None) };
        let read = seed.deserialize(of.key(key));
        // What is wrong with a key takes its value out with it.
        read.map(Some).map_err(|fault| of.under(key, value).note(fault.or_at(&key.at).in_mapping(of.name)))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.value.take() else {
            return Err(Fault::custom("a value was asked for before its key"));
        };
        // What is missing in a mapping is shown at the key that the mapping stands under.
        self.of.under(key, value).inner(seed, key)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// A variant of an enum: its name, and its content where it is written as a mapping.
struct Variant<'a> {
    key: De<'a>,
    content: Option<De<'a>>,
}

impl<'a> de::EnumAccess<'a> for Variant<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = seed.deserialize(self.key).map_err(|fault| fault.or_at(&self.key.node.at))?;
        Ok((name, self))
    }
}

impl<'a> Variant<'a> {
    fn content(&self) -> Result<De<'a>, Fault> {
        let name = self.key.node.as_str().unwrap_or_default();
        self.content.ok_or_else(|| {
            let error = Error::at(&self.key.node.at, format!("`{name}` needs something with it"));
            Fault::new(error.with_hint(format!("write `{name}: …`")))
        })
    }
}

impl<'a> de::VariantAccess<'a> for Variant<'a> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            Some(content) if !content.node.is_null() => Err(content.expected("nothing")),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Fault> {
        let content = self.content()?;
        content.inner(seed, self.key.node)
    }

    fn tuple_variant<V: Visitor<'a>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.content()?.deserialize_struct("", names, visitor).map_err(|fault| fault.or_at(&self.key.node.at))
    }
}
