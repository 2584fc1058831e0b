//! What the parser stumbles over, in plain words.

use serde_yaml::granit_parser::ErrorKind;

use super::{At, Error};

/// The parser's complaint at a place, as a mistake with a remedy.
pub(super) fn not_yaml(kind: &ErrorKind, at: &At) -> Error {
    match template_before(at) {
        Some(template) => unquoted_template(&template),
        None => with_remedy(kind, at),
    }
}

fn with_remedy(kind: &ErrorKind, at: &At) -> Error {
    let say = |message: &str, hint: &str| Error::at(at, message).with_hint(hint);
    match kind {
        ErrorKind::TabInIndentation | ErrorKind::TabInPlainScalar | ErrorKind::TabAtBlockScalarStart => tab(at),
        ErrorKind::MappingValueNotAllowed => stray_colon(at),
        ErrorKind::SimpleKeyExpected => no_colon(&line_from(at)),
        ErrorKind::InvalidColonPlacement => say("`:` cannot stand here", "is a `]` or `}` missing before it?"),
        ErrorKind::ExpectedFlowMappingSeparator => say(
            "a `,` or a `}` is missing before this",
            "is a `{` before it never closed? In braces, a text with `,`, `{` or `}` in it needs quotes",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator => say(
            "a `,` or a `]` is missing before this",
            "is a `[` before it never closed? In brackets, a text with `,`, `[` or `]` in it needs quotes",
        ),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            Error::at(at, format!("this `{open}` is closed by `{close}`"))
                .with_hint(format!("put a `{}` before the `{close}`", closes(*open)))
        }
        ErrorKind::UnclosedFlowCollection { open } => Error::at(at, format!("this `{open}` is never closed"))
            .with_hint(format!("put a `{}` where it ends", closes(*open))),
        ErrorKind::UnexpectedEofImplicitFlowMapping => {
            say("a value or a key is missing here", "is there a `,` too many?")
        }
        ErrorKind::ExpectedBlockSequenceEntry => say(
            "expected `- ` here, as in the list above",
            "begin the line as the list does, or indent it like the key that it belongs beside",
        ),
        ErrorKind::ExpectedBlockMappingKey => say(
            "expected a key here, as in the mapping above",
            "indent the line like the keys above, or put the value before it in quotes",
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => Error::at(
            &first(at, *character),
            format!("the invisible character U+{:04X} cannot stand here", u32::from(*character)),
        )
        .with_hint("take it out, or write it as an escape in double quotes"),
        ErrorKind::UnexpectedCharacter { character } => {
            Error::at(at, format!("text cannot begin with `{character}`")).with_hint("put the text in quotes")
        }
        ErrorKind::UnknownAnchor => say(
            "this alias names no anchor before it",
            "a text that begins with `*` needs quotes; an anchor is set by `&name`",
        ),
        ErrorKind::MissingAnchorOrAliasName => {
            say("a name is missing after `*` or `&`", "a text that begins with `*` or `&` needs quotes")
        }
        ErrorKind::UnclosedQuotedScalar => {
            say("this quote is never closed", "close it, or put the whole text in the other quotes")
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            Error::at(&line_from(at), "this stands behind the quote that ends the text")
                .with_hint("put the whole text in quotes, of the other kind: `'\"a b\" c'`")
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            say("nothing is open that this closes", "take it out, or put the text that it belongs to in quotes")
        }
        ErrorKind::InvalidBlockScalarHeader => {
            say("behind `|` or `>` no text may stand on the same line", "begin the text on the next line, indented")
        }
        ErrorKind::CommentNotSeparated => say("a comment needs a space before its `#`", "or put the text in quotes"),
        ErrorKind::UnknownQuotedScalarEscape => Error::at(&unknown_escape(at), "unknown escape in this text")
            .with_hint("in double quotes a backslash is written `\\\\`; in single quotes it stands for itself"),
        other => Error::at(at, other.to_string()),
    }
}

/// A colon that ends no key. It may be a text's, or the line above lacks its own: then the two lines are one text to the parser.
fn stray_colon(at: &At) -> Error {
    let error = Error::at(at, "`:` cannot stand here")
        .with_hint("check the indentation, or put the text in quotes if the colon belongs to it");
    match above_without_colon(at) {
        Some(above) => error.also(&above, "is a `:` missing here?"),
        None => error,
    }
}

/// What the line above the place says, if there is no colon in it nor in this line before the place.
fn above_without_colon(at: &At) -> Option<At> {
    let (above, line) = at.source.text[..at.start].rsplit_once('\n')?;
    let above = above.trim_end();
    let start = above.rfind('\n').map_or(0, |newline| newline + 1);
    let said = above[start..].trim_start_matches([' ', '-']);
    let lacks = !said.is_empty() && !said.starts_with('#') && ![said, line].iter().any(|text| text.contains(':'));
    lacks.then(|| At { start: above.len() - said.len(), end: above.len(), ..at.clone() })
}

/// A line of a mapping that has none. What follows the key may be a secret.
fn no_colon(at: &At) -> Error {
    let key = at.text().split(' ').next().unwrap_or_default();
    Error::at(at, "a `:` is missing here").with_hint(format!("write `{key}: …`"))
}

/// From the place to the end of its line.
fn line_from(at: &At) -> At {
    let line = at.source.text[at.start..].lines().next().unwrap_or_default();
    At { end: at.start + line.trim_end().len(), ..at.clone() }
}

/// The parser points at the value in front of the tab.
fn tab(at: &At) -> Error {
    let tab = at.source.text[at.start..].find('\t').map_or(at.start, |offset| at.start + offset);
    Error::at(&At { start: tab, end: tab, ..at.clone() }, "a tab stands where spaces are needed")
        .with_hint("YAML is indented with spaces only")
}

fn closes(open: char) -> char {
    if open == '{' { '}' } else { ']' }
}

/// The parser points at the value that a character stands in.
fn first(at: &At, character: char) -> At {
    let rest = &at.source.text[at.start..];
    let start = at.start + rest.find(character).unwrap_or_default();
    At { start, end: start, ..at.clone() }
}

/// The first escape that there is not, in the text in double quotes that begins at the place.
fn unknown_escape(at: &At) -> At {
    let mut letters = at.source.text[at.start..].char_indices();
    while let Some((offset, letter)) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        if let Some((_, escaped)) = escaped.filter(|(_, escaped)| !ESCAPES.contains(*escaped)) {
            let start = at.start + offset;
            return At { start, end: start + 1 + escaped.len_utf8(), ..at.clone() };
        }
    }
    at.clone()
}

/// What may stand behind a backslash in double quotes.
const ESCAPES: &str = "0abt\tnvfre \"/\\N_LPxuU\n\r";

/// What looks like an unquoted `{{ … }}` at the start of a value, on the line and before the place.
fn template_before(at: &At) -> Option<At> {
    let line_start = at.source.text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &at.source.text[line_start..at.start];
    let is_second = line.ends_with('{') && at.source.text[at.start..].starts_with('{');
    let braces = line.find("{{").or_else(|| is_second.then(|| line.len() - 1))?;
    let opens = line[..braces].trim_end().ends_with([':', '-']);
    opens.then(|| At { start: line_start + braces, end: line_start + braces + 2, ..at.clone() })
}

/// `key: {{ … }}` without quotes is a mapping to YAML.
pub(super) fn unquoted_template(at: &At) -> Error {
    Error::at(at, "a value that begins with `{{` must be in quotes")
        .with_hint("write `\"{{ … }}\"`: without quotes YAML takes the braces for a mapping")
}
