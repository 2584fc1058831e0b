//! `${NAME}` in a Compose file, as Docker reads it:
//! <https://docs.docker.com/reference/compose-file/interpolation/>.

use std::collections::BTreeMap;

use crate::yaml::{At, Error, Node, Value, map_strings, nearest};

/// Keys whose values are numbers or booleans, also where a variable stands for them.
const TYPED: &[&str] = &[
    "replicas",
    "retries",
    "parallelism",
    "max_attempts",
    "published",
    "target",
    "tty",
    "stdin_open",
    "read_only",
    "init",
    "external",
    "attachable",
    "internal",
    "pids",
    "max_replicas_per_node",
    "max_failure_ratio",
    "nocopy",
    "size",
];

/// The node with every variable in its texts in its place.
///
/// # Errors
/// A variable that nothing stands for, and what is malformed, at its place.
pub(super) fn interpolated(node: &Node, variables: &BTreeMap<String, String>) -> Result<Node, Error> {
    let with = |text: &str, at: &At| text_with(text, at, variables);
    match &node.value {
        Value::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                let new = interpolated(value, variables)?;
                let new = match key.as_str() {
                    Some("mode") => octal(new),
                    Some(key) if TYPED.contains(&key) && new != *value => typed(new),
                    _ => new,
                };
                Ok((key.clone(), new))
            };
            Ok(Node::new(Value::Map(entries.iter().map(entry).collect::<Result<_, Error>>()?), node.at.clone()))
        }
        Value::List(items) => {
            let items = items.iter().map(|item| interpolated(item, variables)).collect::<Result<_, Error>>()?;
            Ok(Node::new(Value::List(items), node.at.clone()))
        }
        _ => map_strings(node, &mut |text, at| with(text, at).map(Value::Str)),
    }
}

/// Permission bits, `0400`, are a number to Docker, and text here.
fn octal(node: Node) -> Node {
    let bits = node.as_str().and_then(|text| text.strip_prefix('0')).and_then(|bits| i64::from_str_radix(bits, 8).ok());
    bits.map_or(node.clone(), |bits| Node::new(Value::Int(bits), node.at))
}

/// The scalar that a text would have been, had it stood there.
fn typed(node: Node) -> Node {
    let value = match node.as_str() {
        Some("true") => Value::Bool(true),
        Some("false") => Value::Bool(false),
        Some(text) => match text.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => return node,
        },
        None => return node,
    };
    Node::new(value, node.at)
}

fn text_with(text: &str, at: &At, variables: &BTreeMap<String, String>) -> Result<String, Error> {
    let (mut made, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        made.push_str(before);
        let (value, further) = one(after, at, variables)?;
        made.push_str(&value);
        rest = further;
    }
    Ok(made + rest)
}

/// What comes after a `$`: what it stands for, and the text behind it.
fn one<'a>(after: &'a str, at: &At, variables: &BTreeMap<String, String>) -> Result<(String, &'a str), Error> {
    if let Some(rest) = after.strip_prefix('$') {
        return Ok(("$".into(), rest));
    }
    if let Some(rest) = after.strip_prefix('{') {
        let end = closing(rest).ok_or_else(|| malformed(at))?;
        return Ok((braced(&rest[..end], at, variables)?, &rest[end + 1..]));
    }
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
    if end == 0 {
        return Err(malformed(at));
    }
    Ok((known(&after[..end], at, variables)?, &after[end..]))
}

/// Where the brace closes; a default may have variables of its own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(place, letter)| match letter {
        '{' => {
            depth += 1;
            None
        }
        '}' if depth == 0 => Some(place),
        '}' => {
            depth -= 1;
            None
        }
        _ => None,
    })
}

/// `NAME`, `NAME:-default`, `NAME-default`, `NAME:?why`, `NAME?why`, `NAME:+value`, `NAME+value`.
fn braced(inner: &str, at: &At, variables: &BTreeMap<String, String>) -> Result<String, Error> {
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, how) = inner.split_at(end);
    let set = variables.get(name);
    let filled = set.filter(|value| !value.is_empty());
    let (is_strict, how) = how.strip_prefix(':').map_or((false, how), |how| (true, how));
    let value = if is_strict { filled } else { set };
    let mut chars = how.chars();
    match (chars.next(), chars.as_str()) {
        (None, _) if !name.is_empty() => known(name, at, variables),
        (Some('-'), default) => value.map_or_else(|| text_with(default, at, variables), |value| Ok(value.clone())),
        (Some('+'), other) => value.map_or(Ok(String::new()), |_| text_with(other, at, variables)),
        (Some('?'), why) => value.cloned().ok_or_else(|| lacks(name, at, variables).with_hint(why.to_owned())),
        _ => Err(malformed(at)),
    }
}

fn known(name: &str, at: &At, variables: &BTreeMap<String, String>) -> Result<String, Error> {
    variables.get(name).cloned().ok_or_else(|| lacks(name, at, variables))
}

fn lacks(name: &str, at: &At, variables: &BTreeMap<String, String>) -> Error {
    let error = Error::at(at, format!("nothing stands for `${{{name}}}`"));
    match nearest(name, variables.keys().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `${{{near}}}`?")),
        None => error.with_hint(format!(
            "put it into `variables` of the step, or say what holds without it: `${{{name}:-default}}`"
        )),
    }
}

fn malformed(at: &At) -> Error {
    Error::at(at, "malformed variable").with_hint("write `${NAME}`; a dollar sign itself is `$$`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    fn made(text: &str) -> String {
        let variables = [("A", "1"), ("E", ""), ("N", "x y")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let node = parse("stack.yml", text.to_owned()).expect("it is YAML");
        match interpolated(&node, &variables.into()) {
            Ok(node) => serde_json::to_string(&node).expect("it is JSON"),
            Err(error) => format!("{}; {}", error.message, error.hint.unwrap_or_default()),
        }
    }

    #[test]
    fn variables_stand_for_what_docker_takes_them_for() {
        for (text, expected) in [
            ("a: x${A}y$A-$$A", r#"{"a":"x1y1-$A"}"#),
            ("a: ${E:-d}${E-d}${Z-d}", r#"{"a":"dd"}"#),
            ("a: ${Z:-${A}}", r#"{"a":"1"}"#),
            ("a: ${A:+yes}${Z:+yes}${E:+no}", r#"{"a":"yes"}"#),
            ("deploy: { replicas: \"${A}\" }", r#"{"deploy":{"replicas":1}}"#),
            ("tty: ${Z:-true}", r#"{"tty":true}"#),
            ("environment: { P: \"${A}\" }", r#"{"environment":{"P":"1"}}"#),
            ("mode: 0400\ndeploy: { mode: global }", r#"{"mode":256,"deploy":{"mode":"global"}}"#),
            ("replicas: \"2\"", r#"{"replicas":"2"}"#),
        ] {
            assert_eq!(made(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_for_nothing_is_a_mistake() {
        assert_eq!(made("a: ${Z:?say Z}"), "nothing stands for `${Z}`; say Z");
        assert!(made("a: $Q").starts_with("nothing stands for `${Q}`; put it into `variables`"));
        assert!(made("a: ${A!}").starts_with("malformed variable"));
        assert!(made("a: cost $").starts_with("malformed variable"));
        assert!(made("a: ${A").starts_with("malformed variable"));
    }
}
