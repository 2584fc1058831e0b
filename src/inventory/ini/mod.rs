//! Ansible's INI: hosts a line, `[group]`, `[group:vars]`, `[group:children]`.
//!
//! Connection keys have Ansible's names here: `port=8080` is a variable, as it is for Ansible.

mod literal;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::names::Dialect;
use super::tree::Tree;
use super::words::{Word, words};
use crate::yaml::{At, Error, Node, Source, Value};

/// Adds one file.
pub(super) fn add(tree: &mut Tree, path: &Path, text: String) {
    let source = Arc::new(Source { path: path.to_owned(), text });
    let known = tree.groups.iter().map(|group| group.name().to_owned());
    let declared = known.chain(["all", "ungrouped"].map(String::from)).collect();
    let group = At { source: source.clone(), start: 0, end: 0 };
    let section = Section { group: Node::new(Value::Str("ungrouped".into()), group), kind: Kind::Hosts };
    let mut reader = Reader { tree, source: source.clone(), section, declared, wanted: Vec::new() };
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let text = line.trim_start_matches('\u{feff}');
        let trimmed = text.trim();
        let begin = start + (line.len() - text.len()) + (text.len() - text.trim_start().len());
        if let Err(error) = reader.line(trimmed, begin) {
            reader.tree.errors.push(error);
            if trimmed == "---" {
                break;
            }
        }
        start += line.len();
    }
    reader.end();
}

struct Section {
    group: Node,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    Vars,
    Children,
}

struct Reader<'a> {
    tree: &'a mut Tree,
    source: Arc<Source>,
    section: Section,
    /// Groups that there are.
    declared: HashSet<String>,
    /// Groups that there must be, where they are named.
    wanted: Vec<Node>,
}

impl Reader<'_> {
    fn at(&self, start: usize, end: usize) -> At {
        At { source: self.source.clone(), start, end }
    }

    fn node(&self, text: &str, start: usize) -> Node {
        Node::new(Value::Str(text.to_owned()), self.at(start, start + text.len()))
    }

    fn line(&mut self, line: &str, start: usize) -> Result<(), Error> {
        if line.is_empty() || line.starts_with(['#', ';']) {
            return Ok(());
        }
        if let Some(inner) = section(line) {
            return self.open(inner, start + 1);
        }
        match self.section.kind {
            _ if line.starts_with('[') && line.ends_with(']') => Err(self.no_section(line, start)),
            Kind::Hosts => self.hosts(line, start),
            Kind::Vars => self.variable(line, start),
            Kind::Children => self.child(line, start),
        }
    }

    fn no_section(&self, line: &str, start: usize) -> Error {
        Error::at(&self.at(start, start + line.len()), "this is no section")
            .with_hint("write `[group]`, `[group:vars]` or `[group:children]`, without spaces")
    }

    /// Begins a section. That of variables does not make a group be there.
    fn open(&mut self, inner: &str, start: usize) -> Result<(), Error> {
        let (name, word) = inner.split_once(':').unwrap_or((inner, "hosts"));
        let group = self.node(name, start);
        let kind = match word {
            "hosts" => Kind::Hosts,
            "vars" => Kind::Vars,
            "children" => Kind::Children,
            _ => {
                let error =
                    Error::at(&self.node(word, start + name.len() + 1).at, format!("there is no section `:{word}`"));
                let error = error.with_hint("write `[group]`, `[group:vars]` or `[group:children]`");
                return Err(error.did_you_mean(word, ["hosts", "vars", "children"]));
            }
        };
        match kind {
            Kind::Vars => self.wanted.push(group.clone()),
            Kind::Hosts | Kind::Children => drop(self.declared.insert(name.to_owned())),
        }
        self.tree.draft(&group);
        self.section = Section { group, kind };
        Ok(())
    }

    fn hosts(&mut self, line: &str, start: usize) -> Result<(), Error> {
        let words = words(line, true).map_err(|(at, why)| Error::at(&self.at(start + at, start + at + 1), why))?;
        let Some((name, rest)) = words.split_first() else { return Ok(()) };
        let name = Node::new(Value::Str(name.text()), self.at(start + name.start, start + name.end));
        if name.as_str() == Some("---") {
            let error = Error::at(&name.at, "`---` begins a YAML file, and this one is read as INI");
            return Err(error.with_hint("let its name end with `.yml`"));
        }
        let vars: Result<Vec<_>, _> = rest.iter().map(|word| self.pair(word, start)).collect();
        let vars = vars?;
        let group = self.tree.draft(&self.section.group);
        self.tree.stands_in(group, &name, &vars, Dialect::Ansibles);
        Ok(())
    }

    fn pair(&self, word: &Word, start: usize) -> Result<(Node, Node), Error> {
        let Some((key, equals, value)) = word.pair() else {
            let error = Error::at(&self.at(start + word.start, start + word.end), "`key=value` is wanted here");
            return Err(error.with_hint("a value with spaces needs quotes: key=\"two words\""));
        };
        let key = Node::new(Value::Str(key), self.at(start + word.start, start + equals));
        let at = self.at(start + equals + 1, start + word.end);
        Ok((key, said(&value, at)))
    }

    fn variable(&mut self, line: &str, start: usize) -> Result<(), Error> {
        let Some((key, value)) = line.split_once('=') else {
            let error = Error::at(&self.at(start, start + line.len()), "`key = value` is wanted here");
            return Err(
                error.with_hint(format!("hosts stand under `[{}]`", self.section.group.as_str().unwrap_or_default()))
            );
        };
        let begin = start + key.len() + 1 + (value.len() - value.trim_start().len());
        let (key, value) = (self.node(key.trim(), start), value.trim());
        let value = said(value, self.at(begin, begin + value.len()));
        let group = self.tree.draft(&self.section.group);
        self.tree.group_says(group, &key, &value, Dialect::Ansibles);
        Ok(())
    }

    fn child(&mut self, line: &str, start: usize) -> Result<(), Error> {
        let name = line.split('#').next().unwrap_or_default().trim_end();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || ":]".contains(c)) {
            let error = Error::at(&self.at(start, start + name.len().max(1)), "the name of a group is wanted here");
            return Err(error.with_hint("one in each line, and nothing beside it"));
        }
        let child = self.node(name, start);
        self.wanted.push(child.clone());
        let parent = self.tree.draft(&self.section.group);
        self.tree.child(parent, &child);
        Ok(())
    }

    /// A group may be named before it is there, but it must come.
    fn end(self) {
        for name in self.wanted {
            let text = name.as_str().unwrap_or_default();
            if !self.declared.contains(text) {
                let error = Error::at(&name.at, format!("there is no group `{text}`"));
                let error = error.with_hint(format!("a line `[{text}]` makes one"));
                self.tree.errors.push(error.did_you_mean(text, self.declared.iter().map(String::as_str)));
            }
        }
    }
}

/// What stands between the brackets of a section's line; a comment may come after them.
fn section(line: &str) -> Option<&str> {
    let (inner, after) = line.strip_prefix('[')?.split_once(']')?;
    let after = after.trim_start();
    let (name, kind) = inner.split_once(':').unwrap_or((inner, "hosts"));
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    (is_name && is_word(kind) && (after.is_empty() || after.starts_with('#'))).then_some(inner)
}

/// A value: what it is in Python, else a text.
fn said(text: &str, at: At) -> Node {
    let value = literal::value(text, &at).unwrap_or_else(|| Value::Str(text.to_owned()));
    Node::new(value, at)
}
