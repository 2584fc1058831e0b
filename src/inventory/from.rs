//! `from:` — the hosts of a group out of the JSON that a command prints.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use minijinja::Value as Jinja;
use minijinja::value::{Serde, ValueKind};
use serde::Deserialize;
use serde_json::Value as Json;

use super::render::of_json;
use super::tree::Tree;
use crate::expr::{Unresolved, evaluate, told};
use crate::program::{PATIENCE, shell};
use crate::yaml::{At, Error, Node, Spanned, Value, from_node, nearest};

/// The mapping under `from`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    /// A line of shell that prints JSON.
    command: Spanned<String>,
    /// An expression over `json`: a list, or a mapping.
    hosts: Spanned<String>,
    /// Over `item` as well: what a host is called.
    name: Option<Spanned<String>>,
    /// Where it is reached.
    address: Option<Spanned<String>>,
    /// What else is said of it, each an expression.
    vars: Option<Node>,
}

/// Adds the hosts that a command tells of to a group.
pub(super) fn add(tree: &mut Tree, group: usize, node: &Node) {
    if let Err(error) = hosts(tree, group, node) {
        tree.errors.push(error);
    }
}

fn hosts(tree: &mut Tree, group: usize, node: &Node) -> Result<(), Error> {
    let from: From = from_node(node)?;
    let vars = from.vars.as_ref().map(expressions).transpose()?.unwrap_or_default();
    let named = from.name.as_ref().unwrap_or(&from.hosts).at.clone();
    let json = printed(tree, &from.command)?;
    let json = Jinja::from(Serde(json));
    let whole = Item { json: json.clone(), item: None, place: String::new() };
    let items = items(&whole.evaluate(&from.hosts)?, &from.hosts.at)?;
    let mut names = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let place = format!("item {} of {}", index + 1, items.len());
        let item = Item { json: json.clone(), item: Some(item.clone()), place };
        let name = item.name(&from)?;
        if !names.insert(name.clone()) {
            return Err(Error::at(&named, format!("two hosts are called `{name}` ({})", item.place)).with_hint(
                "a name must be one host's own: put something beside it, as in `name: item.name ~ '-' ~ item.id`",
            ));
        }
        let said = item.said(&from, &vars)?;
        tree.found(group, &Node::new(Value::Str(name), named.clone()), &said);
    }
    Ok(())
}

fn expressions(vars: &Node) -> Result<Vec<(Node, Spanned<String>)>, Error> {
    if vars.as_map().is_none() {
        return Err(Error::at(&vars.at, format!("`vars` is a mapping, not {}", vars.told())));
    }
    let one = |(key, value): &(Node, Node)| match value.as_str() {
        Some(text) => Ok((key.clone(), Spanned { value: text.to_owned(), at: value.at.clone() })),
        None => Err(Error::at(&value.at, "an expression is a text")
            .with_hint("a value that is the same for all hosts stands in the `vars` of the group")),
    };
    vars.entries().iter().map(one).collect()
}

/// What a command prints; the same one is run once.
fn printed(tree: &mut Tree, command: &Spanned<String>) -> Result<Json, Error> {
    let folder = folder(&command.at);
    if !tree.may_run {
        return Err(Error::at(&command.at, "an inventory that is not read from a file runs no command"));
    }
    let key = (folder.clone(), command.value.clone());
    if let Some(json) = tree.printed.get(&key) {
        return Ok(json.clone());
    }
    let failed = |why: String| {
        let hint = format!("it runs in {}, without input and for at most {} s", folder.display(), PATIENCE.as_secs());
        Error::at(&command.at, format!("this command {why}")).with_hint(hint)
    };
    let text = shell(&command.value, &folder).map_err(failed)?;
    let json: Json = serde_json::from_str(&text).map_err(|why| failed(format!("printed no JSON: {why}")))?;
    tree.printed.insert(key, json.clone());
    Ok(json)
}

/// The folder of the inventory.
fn folder(at: &At) -> PathBuf {
    let folder = at.source.path.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

/// The items of a list; of a mapping, each key with its value.
fn items(hosts: &Jinja, at: &At) -> Result<Vec<Jinja>, Error> {
    let entries = || hosts.try_iter().map_err(|_| Error::at(at, "this cannot be listed"));
    match hosts.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(entries()?.collect()),
        ValueKind::Map => {
            let pair = |key: Jinja| {
                let value = hosts.get_item(&key).unwrap_or_default();
                Jinja::from_pairs([("key", key), ("value", value)])
            };
            Ok(entries()?.map(pair).collect())
        }
        kind => Err(Error::at(at, format!("`hosts` is a list or a mapping, and this is {}", told(kind)))
            .with_hint("`json` is what the command prints")),
    }
}

/// One of the items, and what expressions see of it.
struct Item {
    json: Jinja,
    item: Option<Jinja>,
    place: String,
}

impl Item {
    fn evaluate(&self, text: &Spanned<String>) -> Result<Jinja, Error> {
        let names = [("json", Some(self.json.clone())), ("item", self.item.clone())];
        let context = Jinja::from_pairs(names.into_iter().filter_map(|(name, value)| Some((name, value?))));
        evaluate(&text.value, &text.at, &context).map_err(|why| match why {
            Unresolved::Undefined { error, .. } => self.explained(*error, &text.value),
            Unresolved::Invalid(error) => *error,
        })
    }

    /// A mistake with the item that shows it, and the keys that this has. Values are told of nowhere: they may be secret.
    fn explained(&self, mut error: Error, text: &str) -> Error {
        let (root, value, place) = match &self.item {
            Some(item) => ("item", item, format!(" ({})", self.place)),
            None => ("json", &self.json, String::new()),
        };
        error.message += &place;
        let keys: Vec<String> = match value.kind() {
            ValueKind::Map => value.try_iter().into_iter().flatten().map(|key| key.to_string()).collect(),
            _ => Vec::new(),
        };
        let part = text.split_once(&format!("{root}.")).map_or("", |(_, rest)| rest);
        let part = part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
        let known = keys.iter().map(String::as_str);
        let hint = match nearest(part, known).filter(|near| *near != part) {
            Some(near) => format!("did you mean `{root}.{near}`?"),
            None if keys.is_empty() => format!("`{root}` is {}", told(value.kind())),
            None => format!("`{root}` has: {}", keys.join(", ")),
        };
        Error { hint: error.hint.take().or(Some(hint)), ..error }
    }

    /// What is said; else the item itself where that is a text, its key, its name.
    fn name(&self, from: &From) -> Result<String, Error> {
        let at = &from.name.as_ref().unwrap_or(&from.hosts).at;
        let item = self.item.clone().unwrap_or_default();
        let value = match &from.name {
            Some(name) => self.evaluate(name)?,
            None if item.kind() == ValueKind::String => item,
            None => {
                let part = |key: &str| item.get_attr(key).ok().filter(|part| !part.is_undefined());
                part("key").or_else(|| part("name")).ok_or_else(|| {
                    self.explained(
                        Error::at(at, "`item.name` is undefined")
                            .with_hint("say what a host is called: `name: item.…`"),
                        "",
                    )
                })?
            }
        };
        let name = value.to_string();
        let is_name = matches!(value.kind(), ValueKind::String | ValueKind::Number)
            && !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || ":,[]*?!&/".contains(c));
        if is_name { Ok(name) } else { Err(self.no_name(&value, at)) }
    }

    fn no_name(&self, value: &Jinja, at: &At) -> Error {
        let what = match value.as_str() {
            Some(text) => format!("{text:?}"),
            None => told(value.kind()).to_owned(),
        };
        Error::at(at, format!("{what} cannot be a host's name ({})", self.place))
            .with_hint("a name is a text without spaces; a filter can make it one: `item.name | replace(' ', '-')`")
    }

    /// Its address and variables, each at the place of its expression.
    fn said(&self, from: &From, vars: &[(Node, Spanned<String>)]) -> Result<Vec<(Node, Node)>, Error> {
        let key = |at: &At| Node::new(Value::Str("address".into()), at.clone());
        let address = from.address.iter().map(|address| (key(&address.at), address));
        let vars = vars.iter().map(|(key, value)| (key.clone(), value));
        let one = |(key, text): (Node, &Spanned<String>)| Ok((key, of_json(&self.plain(text)?, &text.at)));
        address.chain(vars).map(one).collect()
    }

    fn plain(&self, text: &Spanned<String>) -> Result<Json, Error> {
        let value = self.evaluate(text)?;
        serde_json::to_value(&value).map_err(|_| Error::at(&text.at, "this value has no JSON form"))
    }
}
