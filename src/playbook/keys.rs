//! A mapping taken apart key by key. What is wrong is collected, so that all mistakes of a file show at once.

use std::sync::Arc;
use std::time::Duration;

use super::{Lookup, Var, Vars, foreign};
use crate::expr::duration::of_node;
use crate::expr::{self, condition_syntax, syntax};
use crate::vault::Sealed;
use crate::yaml::{At, Error, Node, Spanned, Value, nearest};

/// What is left of a mapping, and what was wrong with the rest.
pub(super) struct Keys<'a> {
    /// What the mapping is, for messages: `a step`.
    pub(super) what: &'static str,
    pub(super) at: At,
    is_mapping: bool,
    left: Vec<&'a (Node, Node)>,
    pub(super) errors: Vec<Error>,
}

impl<'a> Keys<'a> {
    /// Begins with a mapping; anything else is a mistake.
    pub(super) fn of(node: &'a Node, what: &'static str) -> Self {
        let is_mapping = node.as_map().is_some();
        let mut keys =
            Self { what, at: node.at.clone(), is_mapping, left: node.entries().iter().collect(), errors: Vec::new() };
        if !is_mapping {
            keys.errors.push(Error::at(&node.at, format!("{what} is a mapping, this is {}", node.told())));
        }
        keys
    }

    /// Takes the value of a key.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Node> {
        self.take_entry(key).map(|(_, value)| value)
    }

    fn take_entry(&mut self, key: &str) -> Option<(&'a Node, &'a Node)> {
        let index = self.left.iter().position(|(k, _)| k.as_str() == Some(key))?;
        let (key, value) = self.left.remove(index);
        Some((key, value))
    }

    /// What was not taken.
    pub(super) fn left(&self) -> &[&'a (Node, Node)] {
        &self.left
    }

    /// Notes a mistake.
    pub(super) fn wrong(&mut self, error: Error) {
        self.errors.push(error);
    }

    fn misfit(&mut self, key: &str, wants: &str, node: &Node) {
        let error = match node.as_str() {
            Some(text) if text.trim().is_empty() => Error::at(&node.at, format!("`{key}` is {wants}, this is empty")),
            _ => Error::at(&node.at, format!("`{key}` is {wants}, this is {}", node.told())),
        };
        self.wrong(match foreign::form(key, node) {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }

    /// Text that is not a template.
    pub(super) fn text(&mut self, key: &str) -> Option<Spanned<String>> {
        let node = self.take(key)?;
        match node.scalar_text() {
            Some(text) if !text.trim().is_empty() => Some(Spanned { value: text.into_owned(), at: node.at.clone() }),
            _ => {
                self.misfit(key, "a text", node);
                None
            }
        }
    }

    /// The same; a mistake where it is not there.
    pub(super) fn needed_text(&mut self, key: &str) -> Option<Spanned<String>> {
        if !self.has(key) {
            self.missing(key);
        }
        self.text(key)
    }

    /// The place of its first line: what a mistake of the whole mapping points at.
    pub(super) fn head(&self) -> At {
        let line = self.at.text().lines().next().unwrap_or_default().trim_end().len();
        At { end: self.at.start + line, ..self.at.clone() }
    }

    fn missing(&mut self, key: &str) {
        // Whoever wrote another word for it need not be told twice.
        let meant = |written: &str| foreign::means(written, key) || nearest(written, [key]).is_some();
        let is_meant = self.left.iter().any(|(written, _)| written.as_str().is_some_and(meant));
        if self.is_mapping && !is_meant {
            self.wrong(Error::at(&self.head(), format!("the key `{key}` is missing in {}", self.what)));
        }
    }

    /// Text that must be there and may be a template; where it is not, the mistake is noted and any text will do.
    pub(super) fn required_template(&mut self, key: &str) -> Spanned<String> {
        if !self.has(key) {
            self.missing(key);
        }
        self.template(key).unwrap_or_else(|| Spanned { value: "all".into(), at: self.at.clone() })
    }

    /// The same; nothing where it is not there.
    pub(super) fn needed_template(&mut self, key: &str) -> Option<Spanned<String>> {
        if !self.has(key) {
            self.missing(key);
        }
        self.template(key)
    }

    fn has(&self, key: &str) -> bool {
        self.left.iter().any(|(k, _)| k.as_str() == Some(key))
    }

    /// Text that may be a template.
    pub(super) fn template(&mut self, key: &str) -> Option<Spanned<String>> {
        let text = self.text(key)?;
        self.errors.extend(syntax(&text.value, &text.at).err());
        Some(text)
    }

    /// A bare expression.
    pub(super) fn condition(&mut self, key: &str) -> Option<Spanned<String>> {
        let text = self.text(key)?;
        self.errors.extend(condition_syntax(&text.value, &text.at).err());
        Some(text)
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.take(key)?;
        if let Value::Bool(flag) = node.value {
            return Some(flag);
        }
        self.misfit(key, "true or false", node);
        None
    }

    /// A whole number from zero.
    pub(super) fn count(&mut self, key: &str) -> Option<usize> {
        let node = self.take(key)?;
        match node.value {
            Value::Int(number) if number >= 0 => usize::try_from(number).ok(),
            _ => {
                self.misfit(key, "a whole number from 0", node);
                None
            }
        }
    }

    /// A list of texts, or one text.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let items = node.as_list().unwrap_or(std::slice::from_ref(node));
        let texts: Vec<_> = items.iter().filter_map(|item| item.scalar_text().map(String::from)).collect();
        if texts.len() < items.len() {
            self.misfit(key, "a list of texts", node);
        }
        texts
    }

    /// A list that must be there.
    pub(super) fn required_list(&mut self, key: &str) -> &'a [Node] {
        let Some(node) = self.take(key) else {
            self.missing(key);
            return &[];
        };
        if node.as_list().is_none() {
            self.misfit(key, "a list", node);
        }
        node.items()
    }

    /// A mapping of names to anything.
    pub(super) fn mapping(&mut self, key: &str) -> Vec<(String, Node)> {
        let Some(node) = self.take(key) else { return Vec::new() };
        if node.as_map().is_none() && !node.is_null() {
            self.misfit(key, "a mapping", node);
        }
        let entries = node.entries().iter();
        entries.filter_map(|(key, value)| Some((key.scalar_text()?.into_owned(), value.clone()))).collect()
    }

    /// How long: `90`, `30s`, `10m`.
    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        let node = self.take(key)?;
        let told = |form| Error::at(&node.at, format!("`{key}` is {} here", node.told())).with_hint(form);
        of_node(node).map_err(|form| self.wrong(told(form))).ok()
    }

    /// Variables, those of `vars` and those of `lookup`: names that can be used in expressions, well-formed templates.
    pub(super) fn vars(&mut self) -> Vars {
        let values = self.named("vars").into_iter().map(|(name, node)| (name, Var::Value(node)));
        let mut vars: Vec<(String, Var)> = values.collect();
        for (name, node) in self.named("lookup") {
            let first = vars.iter().find(|(known, _)| *known == name).map(|(_, var)| var.at().clone());
            if let Some(first) = first {
                let error = Error::at(&node.at, format!("`{name}` is both a variable and a lookup"));
                self.errors.push(error.also(&first, "the variable"));
            }
            vars.extend(Lookup::load(&node, &mut self.errors).map(|lookup| (name, Var::Lookup(lookup))));
        }
        let (sealed, open): (Vec<_>, Vec<_>) =
            vars.iter().filter_map(|(_, var)| var.node()).partition(|node| Sealed::is(node));
        self.errors.extend(open.into_iter().flat_map(expr::syntax_within));
        self.errors.extend(sealed.into_iter().filter_map(|node| Sealed::read(node).err()));
        Arc::new(vars)
    }

    /// A mapping whose keys can be used in expressions.
    fn named(&mut self, key: &str) -> Vec<(String, Node)> {
        let node = self.left.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, node)| node);
        let names = node.map_or(&[][..], Node::entries).iter().map(|(key, _)| key);
        self.errors.extend(names.filter_map(super::scope::misnamed).collect::<Vec<_>>());
        self.mapping(key)
    }

    /// Everything left is unknown.
    pub(super) fn unknown(&mut self, known: impl Iterator<Item = &'static str> + Clone) {
        for (key, _) in std::mem::take(&mut self.left) {
            let written = key.scalar_text().unwrap_or_default().into_owned();
            let error = Error::at(&key.at, format!("unknown key `{written}` in {}", self.what));
            self.wrong(match (foreign::key(&written, self.what), nearest(&written, known.clone())) {
                (Some(hint), _) => error.with_hint(hint),
                (None, Some(_)) => error.did_you_mean(&written, known.clone()),
                (None, None) => {
                    error.with_hint(format!("{} has: {}", self.what, known.clone().collect::<Vec<_>>().join(", ")))
                }
            });
        }
    }
}
