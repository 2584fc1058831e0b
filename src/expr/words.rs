//! What the template engine says, in plain words, and what to do about it.

use std::ops::Range;

use minijinja::{Error as Fault, ErrorKind};

use crate::yaml::nearest;

/// What a fault says, without any value.
pub fn words(fault: &Fault) -> String {
    let detail = fault.detail();
    match (fault.kind(), name(fault)) {
        (ErrorKind::UnknownFilter, Some(name)) => format!("there is no filter `{name}`"),
        (ErrorKind::UnknownTest, Some(name)) => format!("there is no test `{name}`"),
        (ErrorKind::UnknownFunction, Some(name)) => format!("there is no function `{name}`"),
        (ErrorKind::OutOfFuel, _) => "this template does not come to an end".to_owned(),
        _ => detail.map_or_else(|| fault.kind().to_string(), String::from),
    }
}

/// What is not known, where that is what is wrong.
fn name(fault: &Fault) -> Option<&str> {
    fault.detail()?.split(' ').find(|word| !matches!(*word, "filter" | "test"))
}

/// What to do about it.
pub(super) fn remedy(fault: &Fault, text: &str) -> Option<String> {
    match (fault.kind(), name(fault)) {
        (ErrorKind::UnknownFilter, Some(name)) => known(name, FILTERS),
        (ErrorKind::UnknownTest, Some(name)) => known(name, TESTS),
        (ErrorKind::SyntaxError, _) => slip(fault, text).map(str::to_owned),
        _ => None,
    }
}

/// The nearest of the names that there are.
fn known(written: &str, all: &[&'static str]) -> Option<String> {
    if let Some((_, hint)) = OTHERS.iter().find(|(theirs, _)| *theirs == written) {
        return Some((*hint).to_owned());
    }
    nearest(written, all.iter().copied()).map(|name| format!("did you mean `{name}`?"))
}

/// What is probably meant where an expression cannot be read.
fn slip(fault: &Fault, text: &str) -> Option<&'static str> {
    let said = fault.detail().unwrap_or_default();
    let rest = fault.range().and_then(|part| text.get(part.start..)).unwrap_or_default();
    let before = fault.range().and_then(|part| text.get(..part.start)).unwrap_or_default();
    let begins = |sign: &str| rest.starts_with(sign);
    match said {
        _ if begins("&&") || begins("& ") => Some("write `and`"),
        _ if begins("|") && before.ends_with('|') => Some("write `or`"),
        _ if begins("!") => Some("write `not`"),
        _ if begins("=") && !begins("==") => Some("`==` compares"),
        said if said.contains("expected end of variable block") => Some("`{{` ends with `}}`"),
        said if said.contains("end of input") && text.contains("{%") => {
            Some("`{%` ends with `%}`, `{% if … %}` with `{% endif %}`, `{% for … %}` with `{% endfor %}`")
        }
        said if said.starts_with("unknown statement") => Some(
            "there are `if`, `for`, `set`, `macro` and the like, each ended by its own `end…`, the innermost first",
        ),
        _ => None,
    }
}

/// The spot, where the engine points at the very end of what it has read.
pub(super) fn widened(fault: &Fault, text: &str, part: Range<usize>) -> Range<usize> {
    let at_the_end = part.start >= text.trim_end().len();
    match fault.kind() {
        ErrorKind::SyntaxError if at_the_end => {
            text.trim_end().char_indices().last().map_or(0, |(at, _)| at)..text.len()
        }
        _ => part,
    }
}

/// Filters and tests that other templates know, and what there is.
const OTHERS: &[(&str, &str)] = &[
    ("regex_replace", "there is `replace`, of a text by a text"),
    ("regex_search", "there is `in`: `'x' in text`"),
    ("to_nice_json", "there is `to_json`"),
    ("to_yaml", "there is `to_json`, which is YAML, too"),
    ("to_nice_yaml", "there is `to_json`, which is YAML, too"),
    ("from_yaml", "there is `from_json`"),
    ("mandatory", "leave it out: what is undefined is a mistake"),
    ("dict2items", "there is `items`"),
    ("combine", "there is `dict(a, b=…)`, or a mapping written out"),
    ("flatten", "there is `chain`"),
    ("ternary", "there is `a if condition else b`"),
    ("failed", "a step that has registered is asked for `.failed`"),
    ("succeeded", "a step that has registered is asked for `.failed`"),
    ("success", "a step that has registered is asked for `.failed`"),
    ("changed", "a step that has registered is asked for `.changed`"),
    ("skipped", "a step that has registered is asked for `.skipped`"),
    ("match", "there are `startingwith`, `endingwith` and `in`"),
    ("search", "there is `in`: `'x' in text`"),
];

/// Names that may be meant.
const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "b64decode",
    "b64encode",
    "basename",
    "batch",
    "bool",
    "bytes",
    "capitalize",
    "chain",
    "default",
    "dictsort",
    "dirname",
    "duration",
    "extract",
    "first",
    "float",
    "format",
    "from_json",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "quote",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "seconds",
    "select",
    "selectattr",
    "size",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "to_json",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Likewise.
const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suggested_is_there_and_what_is_foreign_is_not() {
        let says =
            |text: &str| crate::expr::ENGINE.compile_expression(text).and_then(|is| is.eval(())).map(|is| is.is_true());
        let is = |name: &str, kind: &str| says(&format!("'{name}' is {kind}")).unwrap_or_default();
        assert_eq!(FILTERS.iter().find(|name| !is(name, "filter")), None);
        assert_eq!(TESTS.iter().find(|name| !is(name, "test")), None);
        assert_eq!(OTHERS.iter().find(|(name, _)| is(name, "filter") || is(name, "test")), None);
    }
}
