//! Say: expressions and templates. The only place that touches the template engine's environment.
//!
//! Undefined is always an error. Booleans print as YAML writes them, lists and mappings as JSON. Errors stand at the very
//! place in the YAML and never show a value: it may be a secret.

mod compiled;
mod convert;
pub mod duration;
mod filters;
mod size;
mod unresolved;
mod words;

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error as Fault, ErrorKind, Output, State, UndefinedBehavior, Value as Jinja};

use crate::yaml::{At, Error, Hole, Node, Value, map_strings};

pub use compiled::learn;
pub use convert::to_jinja;
pub use filters::to_json;
pub use size::size;
pub use unresolved::Unresolved;
pub use words::words;

/// Names that the language of a playbook gives a meaning: they cannot be variables.
pub const BUILTIN: &[&str] =
    &["facts", "groups", "host", "hostvars", "index", "inventory_hostname", "item", "leader", "play", "playbook_dir"];

/// So many instructions one template may take: a mistake ends, instead of running for ever.
const FUEL: u64 = 1_000_000;

/// So many bytes a value may come to: more than any command or file of a step needs.
pub const LARGEST: usize = 16 << 20;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_debug(true); // Keeps the place of an error; what else it keeps holds values and is never shown.
    engine.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder().trim_blocks(true).keep_trailing_newline(true).build();
    engine.set_syntax(syntax.expect("the delimiters are Jinja's own"));
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_formatter(print);
    filters::add_to(&mut engine);
    engine
}

fn print(out: &mut Output, state: &mut State, value: &Jinja) -> Result<(), Fault> {
    match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => Err(Fault::new(
            ErrorKind::InvalidOperation,
            "null cannot be put into text: use the filter `default('', true)`",
        )),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => Ok(out.write_str(&filters::to_json(value)?)?),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Checks that a text is a well-formed template.
pub fn syntax(text: &str, at: &At) -> Result<(), Error> {
    match Template::of(text) {
        Template::Plain => Ok(()),
        Template::Single(inner) => {
            ENGINE.compile_expression(inner).map(drop).map_err(|fault| malformed(&fault, inner, at))
        }
        Template::Mixed => ENGINE.template_from_str(text).map(drop).map_err(|fault| malformed(&fault, text, at)),
    }
}

/// The same for every text in a node.
pub fn syntax_within(node: &Node) -> Vec<Error> {
    texts(node).into_iter().filter_map(|(text, at)| syntax(text, at).err()).collect()
}

/// Checks that a text is a well-formed bare expression.
pub fn condition_syntax(text: &str, at: &At) -> Result<(), Error> {
    if Hole::of(text).is_some() {
        return Err(
            Error::at(at, "a condition is a bare expression").with_hint("leave the braces out: `when: swarm_wanted`")
        );
    }
    ENGINE.compile_expression(text).map(drop).map_err(|fault| malformed(&fault, text, at))
}

/// Every text in a node, keys left out.
pub fn texts(node: &Node) -> Vec<(&str, &At)> {
    match &node.value {
        Value::Str(text) => vec![(text, &node.at)],
        Value::List(items) => items.iter().flat_map(texts).collect(),
        Value::Map(entries) => entries.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}

/// The variables that a text needs from outside, in the order of their names. Nothing where the text asks whether something
/// is defined: then it may be undefined.
pub fn needs(text: &str) -> Vec<String> {
    let names = match Template::of(text) {
        Template::Plain => return Vec::new(),
        Template::Single(inner) => return condition_needs(inner),
        Template::Mixed => ENGINE.template_from_str(text).map(|template| template.undeclared_variables(false)),
    };
    certain(text, names.unwrap_or_default())
}

/// The same of a bare expression.
pub fn condition_needs(text: &str) -> Vec<String> {
    certain(text, ENGINE.compile_expression(text).map(|expr| expr.undeclared_variables(false)).unwrap_or_default())
}

/// The same with the parts that are asked for by name: `facts.cores`.
pub fn paths(text: &str, is_condition: bool) -> Vec<String> {
    let names = match Template::of(text) {
        _ if is_condition => ENGINE.compile_expression(text).map(|expr| expr.undeclared_variables(true)),
        Template::Plain => return Vec::new(),
        Template::Single(inner) => ENGINE.compile_expression(inner).map(|expr| expr.undeclared_variables(true)),
        Template::Mixed => ENGINE.template_from_str(text).map(|template| template.undeclared_variables(true)),
    };
    certain(text, names.unwrap_or_default())
}

fn certain(text: &str, names: HashSet<String>) -> Vec<String> {
    if text.contains("default") || text.contains("defined") {
        return Vec::new();
    }
    let global = |name: &String| ENGINE.globals().any(|(global, _)| global == name);
    names.into_iter().filter(|name| !global(name)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Renders a text: one that is a single `{{ … }}` keeps the type of its value.
pub fn render(text: &str, at: &At, context: &Jinja) -> Result<Jinja, Unresolved> {
    match Template::of(text) {
        Template::Plain => Ok(text.into()),
        Template::Single(inner) => evaluate(inner, at, context),
        Template::Mixed => render_text(text, at, context).map(Jinja::from),
    }
}

/// Renders every text in a node.
pub fn rendered(node: &Node, context: &Jinja) -> Result<Node, Unresolved> {
    let mut kept = None;
    let node = map_strings(node, &mut |text, at| {
        let value = render(text, at, context).and_then(|value| match text_unchanged(text, &value) {
            true => Ok(Value::Str(text.to_owned())),
            false => Ok(convert::to_yaml(&value, at)?),
        });
        value.map_err(|error| {
            let shown = error.error().clone();
            kept = Some(error);
            shown
        })
    });
    node.map_err(|error| kept.unwrap_or_else(|| error.into()))
}

fn text_unchanged(text: &str, value: &Jinja) -> bool {
    value.as_str() == Some(text)
}

/// Renders a text to a text, whatever it is made of.
pub fn render_text(text: &str, at: &At, context: &Jinja) -> Result<String, Unresolved> {
    let rendered = compiled::render(text, context).map_err(|fault| Unresolved::of(fault, text, at))?;
    if rendered.len() > LARGEST { Err(too_large(at).into()) } else { Ok(rendered) }
}

/// The value of a bare expression; undefined is an error.
pub fn evaluate(text: &str, at: &At, context: &Jinja) -> Result<Jinja, Unresolved> {
    let value = compiled::expression(text).and_then(|expression| expression.eval(context.clone()));
    match value.map_err(|fault| Unresolved::of(fault, text, at))? {
        value if value.is_undefined() => Err(Unresolved::undefined(text.trim(), &place(at, text, Some(0..text.len())))),
        value if value.as_str().is_some_and(|text| text.len() > LARGEST) => Err(too_large(at).into()),
        value => Ok(value),
    }
}

fn too_large(at: &At) -> Error {
    Error::at(at, format!("this comes to more than {} MiB", LARGEST >> 20))
        .with_hint("a variable that holds others several times over grows with each of them")
}

/// Whether a condition holds: anything but true and false is an error.
pub fn holds(text: &str, at: &At, context: &Jinja) -> Result<bool, Unresolved> {
    let value = evaluate(text, at, context)?;
    match value.kind() {
        ValueKind::Bool => Ok(value.is_true()),
        kind => Err(Error::at(at, format!("a condition is true or false, this one is {}", told(kind)))
            .with_hint("compare it (`name == 'x'`, `list | length > 0`), or convert text with the filter `bool`")
            .into()),
    }
}

/// A kind of value in the words of messages.
pub fn told(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::None => "null",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a mapping",
        _ => "something else",
    }
}

/// What a text is.
enum Template<'a> {
    Plain,
    /// One `{{ … }}` and nothing else: the expression in it.
    Single(&'a str),
    Mixed,
}

impl<'a> Template<'a> {
    fn of(text: &'a str) -> Self {
        match Hole::of(text) {
            None if text.contains("{#") => Self::Mixed,
            None => Self::Plain,
            // A last line that ends is a text, as `content: |` has it.
            Some(_) if text.ends_with('\n') => Self::Mixed,
            Some(Hole::Scalar) => Self::Mixed,
            Some(Hole::Anything) => {
                let text = text.trim();
                let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(text);
                Self::Single(inner.strip_prefix('-').unwrap_or(inner).strip_suffix('-').unwrap_or(inner))
            }
        }
    }
}

fn malformed(fault: &Fault, text: &str, at: &At) -> Error {
    let part = fault.range().map(|part| words::widened(fault, text, part));
    let error = Error::at(&place(at, text, part), format!("malformed template: {}", words(fault)));
    match words::remedy(fault, text) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The place of a part of a template; the whole scalar where it cannot be told.
pub fn place(at: &At, template: &str, part: Option<Range<usize>>) -> At {
    let part = part.map(|part| part.start.min(template.len())..part.end.min(template.len()));
    part.and_then(|part| at.inside(template, part)).unwrap_or_else(|| at.clone())
}

/// The place of a name in a template, where it can be found; else the whole scalar.
pub fn place_of_name(at: &At, name: &str) -> At {
    let text = at.text();
    let braced = text.contains("{{") || text.contains("{%");
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let whole = |&(start, _): &(usize, &str)| {
        (!braced || is_code(&text[..start]))
            && !text[..start].ends_with(inside)
            && !text[start + name.len()..].starts_with(|c| inside(c) && c != '.')
    };
    match text.match_indices(name).find(whole) {
        Some((start, _)) => {
            At { source: at.source.clone(), start: at.start + start, end: at.start + start + name.len() }
        }
        None => at.clone(),
    }
}

/// Whether what comes next stands in braces.
fn is_code(before: &str) -> bool {
    let last = |sign: &str| before.rfind(sign);
    match [last("{{"), last("{%")].into_iter().max().flatten() {
        Some(open) => [last("}}"), last("%}")].into_iter().max().flatten().is_none_or(|close| close < open),
        None => false,
    }
}
