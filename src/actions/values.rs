//! Forms that parameters of several actions take: words, text, sizes, durations, published ports, mounts.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::expr::size;

/// A command: a line, split into words as a shell would, or a list of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words(pub Vec<String>);

/// A scalar as text: `yes`, `7077` and `"7077"` alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, PartialOrd, Ord)]
pub struct Text(pub String);

/// One name or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Names(pub Vec<String>);

/// Bytes: a number, or one with `b`, `k`, `m` or `g` behind it, each 1024 times the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// As it was written.
    pub text: String,
    /// In bytes.
    pub bytes: i64,
}

/// A time: a number of seconds, or `500ms`, `30s`, `1m30s`, `2h`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// As Docker takes it.
    pub text: String,
    /// In nanoseconds, as Docker counts.
    pub nanos: i64,
}

struct Scalar;

impl Visitor<'_> for Scalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<String, E> {
        Ok(v.to_owned())
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<String, E> {
        Ok(v.to_string())
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<String, E> {
        Ok(v.to_string())
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<String, E> {
        Ok(v.to_string())
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<String, E> {
        Ok(v.to_string())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Scalar).map(Self)
    }
}

struct WordList;

impl<'de> Visitor<'de> for WordList {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command: a line or a list of words")
    }
    fn visit_str<E: Error>(self, line: &str) -> Result<Words, E> {
        shlex::split(line).map(Words).ok_or_else(|| E::custom(format!("a quote is not closed in: {line}")))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(Text(word)) = list.next_element()? {
            words.push(word);
        }
        Ok(Words(words))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordList)
    }
}

struct NameList;

impl<'de> Visitor<'de> for NameList {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a list of names")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
        Ok(Names(vec![name.to_owned()]))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            names.extend(Some(name).filter(|name| !names.contains(name)));
        }
        Ok(Names(names))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(NameList)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = d.deserialize_any(Scalar)?;
        let bytes = size(&text).ok_or_else(|| D::Error::custom(format!("{text} is not a size; write 512m or 2g")))?;
        Ok(Self { text, bytes })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = d.deserialize_any(Scalar)?;
        let text = if text.parse::<f64>().is_ok() { text + "s" } else { text };
        let nanos = span(&text).ok_or_else(|| D::Error::custom(format!("{text} is not a time; write 30s or 1m30s")))?;
        Ok(Self { text, nanos })
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(self.bytes)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(self.nanos)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a time of 292 years is no time-out")]
fn span(text: &str) -> Option<i64> {
    let (mut rest, mut nanos) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let units = [("ms", 1e6), ("us", 1e3), ("ns", 1.0), ("h", 3600e9), ("m", 60e9), ("s", 1e9)];
        let (unit, each) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        nanos += number * each;
    }
    Some(nanos as i64)
}

/// Published ports by container port: `8080/tcp` to `(address, port)`, either of them empty where any will do.
pub type Ports = BTreeMap<String, Vec<(String, String)>>;

/// Understands `[address:][port:]port[/protocol]`, ranges included, as `docker run -p` does.
pub fn ports(lines: &[Text]) -> Option<Ports> {
    let mut all = Ports::new();
    for Text(line) in lines {
        let (ports, protocol) = line.rsplit_once('/').unwrap_or((line, "tcp"));
        let (outer, inner) = ports.rsplit_once(':').unwrap_or(("", ports));
        let (address, outer) = outer.rsplit_once(':').unwrap_or(("", outer));
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let (inner, outer) = (range(inner)?, if outer.is_empty() { Vec::new() } else { range(outer)? });
        if !outer.is_empty() && inner.len() != outer.len() {
            return None;
        }
        for (at, port) in inner.iter().enumerate() {
            let outer = outer.get(at).map(u16::to_string).unwrap_or_default();
            all.entry(format!("{port}/{protocol}")).or_default().push((address.to_owned(), outer));
        }
    }
    Some(all)
}

/// Understands `volume:/path`, `/folder:/path:ro` and `/path`: source, target and options, empty where not given. A source is an
/// absolute folder, or a name as Docker takes it for a volume (its `RestrictedNamePattern`); a target is absolute.
pub fn mounted(line: &str) -> Option<(&str, &str, &str)> {
    let mut parts = line.splitn(3, ':');
    let (first, second) = (parts.next()?, parts.next());
    let (source, target) = second.map_or(("", first), |target| (first, target));
    let inner = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let named =
        source.len() > 1 && source.starts_with(|c: char| c.is_ascii_alphanumeric()) && source.chars().all(inner);
    let comes = second.is_none() || source.starts_with('/') || named;
    (comes && target.starts_with('/')).then(|| (source, target, parts.next().unwrap_or_default()))
}

fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| (first..=last).collect())
}

macro_rules! schema {
    ($type:ty, $name:literal, $($json:tt)+) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($json)+)
            }
            fn inline_schema() -> bool {
                true
            }
        }
    };
}

schema!(Words, "Words", { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": ["string", "number", "boolean"] } }] });
schema!(Names, "Names", { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] });
schema!(Text, "Text", { "type": ["string", "number", "boolean"] });
schema!(Size, "Size", { "type": ["string", "integer"] });
schema!(Span, "Span", { "type": ["string", "number"] });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_docker_takes_them_for() {
        assert_eq!(span("1m30s"), Some(90_000_000_000));
        assert_eq!(span("500ms"), Some(500_000_000));
        assert_eq!(span("1x"), None);
    }

    #[test]
    fn ports_are_read_like_docker_does() {
        let of = |line: &str| ports(&[Text(line.into())]).map(|all| format!("{all:?}"));
        assert_eq!(of("8080:80").as_deref(), Some(r#"{"80/tcp": [("", "8080")]}"#));
        assert_eq!(of("127.0.0.1:53:53/udp").as_deref(), Some(r#"{"53/udp": [("127.0.0.1", "53")]}"#));
        assert_eq!(of("[::1]:80:80").as_deref(), Some(r#"{"80/tcp": [("::1", "80")]}"#));
        assert_eq!(of("81-82:91-92").as_deref(), Some(r#"{"91/tcp": [("", "81")], "92/tcp": [("", "82")]}"#));
        assert_eq!(of("127.0.0.1::80").as_deref(), Some(r#"{"80/tcp": [("127.0.0.1", "")]}"#));
        assert_eq!(of("http"), None);
    }

    #[test]
    fn mounts_are_read_like_docker_does() {
        assert_eq!(mounted("data:/data"), Some(("data", "/data", "")));
        assert_eq!(mounted("/srv/web:/web:ro,z"), Some(("/srv/web", "/web", "ro,z")));
        assert_eq!(mounted("/scratch"), Some(("", "/scratch", "")));
        for wrong in ["data", "data:data", "./web:/web", "~/web:/web", "a:/web", ":/web", "/web:", ""] {
            assert_eq!(mounted(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_command_is_a_line_or_a_list() {
        let words = |json: serde_json::Value| serde_json::from_value::<Words>(json).map(|w| w.0);
        assert_eq!(words(serde_json::json!("sh -c 'a b'")).unwrap(), ["sh", "-c", "a b"]);
        assert_eq!(words(serde_json::json!(["sleep", 5])).unwrap(), ["sleep", "5"]);
        assert!(words(serde_json::json!("sh -c 'a")).is_err());
    }
}
