//! A text to one [`Node`]: the parser's events put together, with anchors, merge keys and limits.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::error::floor_boundary;
use super::scalar::{self, Styled};
use super::{At, Error, Node, Source, Value, syntax};

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 100;
/// How many bytes of nodes aliases may copy in one text: enough for any honest file, too little for a "billion laughs".
const MAX_COPIED: usize = 32 << 20;

/// Parses one YAML (or JSON) document. An empty text is null.
///
/// # Errors
/// Text that is no YAML, more than one document, a key given twice, a key that is not a scalar, an unknown tag, and
/// what is nested or copied by aliases beyond reason. Each at its place.
pub fn parse(path: impl Into<PathBuf>, text: String) -> Result<Node, Error> {
    let source = Arc::new(Source { path: path.into(), text });
    Composer::new(&source).document()
}

type Spanned<'a> = (Event<'a>, Span);
type Entries = Vec<(Node, Node)>;

struct Composer<'a> {
    events: Parser<'a, StrInput<'a>>,
    source: &'a Arc<Source>,
    /// What each anchor names; nothing while it is still being read.
    anchors: HashMap<usize, Option<Node>>,
    copied: usize,
}

impl<'a> Composer<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        let mut options = Options::default();
        options.set_emit_comments(false);
        let events = Parser::new_from_str_with_options(&source.text, options);
        Self { events, source, anchors: HashMap::new(), copied: 0 }
    }

    fn document(mut self) -> Result<Node, Error> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root.unwrap_or_else(|| Node::new(Value::Null, self.at(&span)))),
                Event::DocumentStart(..) if root.is_some() => return Err(second_document(&self.at(&span))),
                Event::DocumentStart(..) => {
                    let first = self.next()?;
                    root = Some(self.node(first, 0)?);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Spanned<'a>, Error> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(why)) => Err(self.not_yaml(&why)),
            None => Err(Error::at(&self.place(self.source.text.len()), "the text ends too early")),
        }
    }

    fn node(&mut self, (event, span): Spanned<'a>, depth: usize) -> Result<Node, Error> {
        let at = self.at(&span);
        if depth > MAX_DEPTH {
            return Err(Error::at(&at, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar::tagged(&Styled { text: &text, plain: style == ScalarStyle::Plain }, tag.as_deref());
                self.keep(anchor, Node::new(value.map_err(|error| error.or_at(&self.tag_at(&span)))?, at))
            }
            Event::SequenceStart(style, anchor, tag) => {
                expect_tag(tag.as_deref(), "seq", &self.tag_at(&span))?;
                self.open(anchor);
                let list = self.list(at, style, depth)?;
                self.keep(anchor, list)
            }
            Event::MappingStart(style, anchor, tag) => {
                expect_tag(tag.as_deref(), "map", &self.tag_at(&span))?;
                self.open(anchor);
                let map = self.map(at, style, depth)?;
                self.keep(anchor, map)
            }
            Event::Alias(anchor) => self.alias(anchor, &at, depth),
            _ => Err(Error::at(&at, "expected a value here")),
        }
    }

    fn list(&mut self, start: At, style: StructureStyle, depth: usize) -> Result<Node, Error> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let last = items.last().map(|item: &Node| &item.at);
                return Ok(Node { at: self.whole(&start, style, &span, last), value: Value::List(items) });
            }
            items.push(self.node((event, span), depth + 1)?);
        }
    }

    fn map(&mut self, start: At, style: StructureStyle, depth: usize) -> Result<Node, Error> {
        let (mut entries, mut merged, mut seen) = (Entries::new(), Vec::new(), HashMap::new());
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let last = entries.last().map(|(_, value)| &value.at);
                let at = self.whole(&start, style, &span, last);
                merge(&mut entries, merged, &seen);
                return Ok(Node { at, value: Value::Map(entries) });
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key((event, span), depth)?;
            let next = self.next()?;
            let value = self.node(next, depth + 1)?;
            if is_merge {
                merged.extend(mergeable(value)?);
                continue;
            }
            if let Some(first) = seen.insert(key.as_str().unwrap_or_default().to_owned(), key.at.clone()) {
                return Err(given_twice(&key, &first));
            }
            entries.push((key, value));
        }
    }

    /// A key: any scalar, kept as the text it was written as.
    fn key(&mut self, (event, span): Spanned<'a>, depth: usize) -> Result<Node, Error> {
        if let Event::Scalar(text, style, 0, None) = &event
            && (*style != ScalarStyle::Plain || !span.is_empty())
        {
            return Ok(Node::new(Value::Str(text.clone().into_owned()), self.at(&span)));
        }
        let at = self.at(&span);
        let key = self.node((event, span), depth + 1)?;
        match key.scalar_text() {
            Some(text) => Ok(Node::new(Value::Str(text.into_owned()), key.at.clone())),
            None => Err(no_key(&key, &at, &self.source.text)),
        }
    }

    fn alias(&mut self, anchor: usize, at: &At, depth: usize) -> Result<Node, Error> {
        let Some(Some(node)) = self.anchors.get(&anchor) else {
            return Err(Error::at(at, format!("`{}` stands inside the very value that it names", at.text())));
        };
        let (size, height) = measure(node);
        self.copied += size;
        if self.copied > MAX_COPIED || depth + height > MAX_DEPTH {
            return Err(Error::at(at, "aliases of aliases make this text too large to be read"));
        }
        Ok(node.clone())
    }

    fn open(&mut self, anchor: usize) {
        self.anchors.insert(anchor, None);
    }

    fn keep(&mut self, anchor: usize, node: Node) -> Result<Node, Error> {
        if anchor > 0 {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        Ok(node)
    }

    /// From the first character of a list or mapping to its closing bracket, or else to the end of its last value.
    fn whole(&self, start: &At, style: StructureStyle, end: &Span, last: Option<&At>) -> At {
        match (style, last) {
            (StructureStyle::Block, Some(last)) => At { end: last.end.max(start.start), ..start.clone() },
            _ => start.until(&self.at(end)),
        }
    }

    fn at(&self, span: &Span) -> At {
        let Some(range) = span.byte_range() else { return self.place(self.source.text.len()) };
        let start = floor_boundary(&self.source.text, range.start);
        let end = floor_boundary(&self.source.text, range.end).max(start);
        At { source: Arc::clone(self.source), start, end }
    }

    fn place(&self, start: usize) -> At {
        let start = floor_boundary(&self.source.text, start);
        At { source: Arc::clone(self.source), start, end: start }
    }

    /// Where a value's tag stands, or else the value.
    fn tag_at(&self, span: &Span) -> At {
        self.at(&span.tag_span().unwrap_or(*span))
    }

    fn not_yaml(&self, why: &ScanError) -> Error {
        let start = why.marker().byte_offset().unwrap_or(self.source.text.len());
        syntax::not_yaml(why.kind(), &self.place(start))
    }
}

/// The mappings that a merge key brings in: one, or a list of them where the earlier ones win.
fn mergeable(value: Node) -> Result<Vec<Entries>, Error> {
    match value.value {
        Value::Map(entries) => Ok(vec![entries]),
        Value::List(items) => Ok(items.into_iter().map(mergeable).collect::<Result<Vec<_>, _>>()?.concat()),
        _ => Err(Error::at(&value.at, format!("`<<` takes a mapping or a list of them, not {}", value.told()))),
    }
}

/// Adds what merge keys bring in and the mapping does not say itself.
fn merge(entries: &mut Entries, merged: Vec<Entries>, own: &HashMap<String, At>) {
    let mut known: std::collections::HashSet<String> = own.keys().cloned().collect();
    for (key, value) in merged.into_iter().flatten() {
        if known.insert(key.as_str().unwrap_or_default().to_owned()) {
            entries.push((key, value));
        }
    }
}

/// The bytes that a copy of a node costs, and the levels it has.
fn measure(node: &Node) -> (usize, usize) {
    let inner: Vec<(usize, usize)> = match &node.value {
        Value::List(items) => items.iter().map(measure).collect(),
        Value::Map(entries) => entries.iter().flat_map(|(key, value)| [measure(key), measure(value)]).collect(),
        scalar => return (size_of::<Node>() + text_length(scalar), 0),
    };
    let size: usize = inner.iter().map(|(size, _)| size).sum();
    (size_of::<Node>() + size, 1 + inner.iter().map(|(_, height)| *height).max().unwrap_or(0))
}

fn text_length(value: &Value) -> usize {
    match value {
        Value::Str(text) | Value::Float(_, text) => text.len(),
        _ => 0,
    }
}

fn expect_tag(tag: Option<&Tag>, kind: &str, at: &At) -> Result<(), Error> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix() == kind) => Err(scalar::unknown_tag(tag).or_at(at)),
        _ => Ok(()),
    }
}

fn second_document(at: &At) -> Error {
    Error::at(at, "a second document begins here")
        .with_hint("one file holds one document: put the rest into a file of its own")
}

fn given_twice(key: &Node, first: &At) -> Error {
    Error::at(&key.at, format!("key `{}` is given twice", key.as_str().unwrap_or_default()))
        .also(first, "first given here")
        .with_hint("keep one of the two: a second one would silently win over the first")
}

fn no_key(key: &Node, at: &At, text: &str) -> Error {
    if key.is_null() {
        return Error::at(at, "a key is missing here");
    }
    let template = at.start > 0 && text[..at.start].ends_with('{') && text[at.start..].starts_with('{');
    if template {
        return syntax::unquoted_template(&At { start: at.start - 1, ..at.clone() });
    }
    Error::at(at, format!("a key must be text, not {}", key.kind_name()))
}
