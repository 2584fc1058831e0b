//! What a plain scalar means: YAML 1.2's core schema, cut down to what prints as it was written.

use serde_yaml::granit_parser::Tag;

use super::{Error, Value};

/// The value of an unquoted text.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::Str(text.to_owned())),
    }
}

/// A number, if the text is one that keeps its look.
pub(super) fn number(text: &str) -> Option<Value> {
    match text.parse::<i64>() {
        Ok(whole) if whole.to_string() == text => Some(Value::Int(whole)),
        _ => fraction(text).map(|number| Value::Float(number, text.to_owned())),
    }
}

fn fraction(text: &str) -> Option<f64> {
    match text.trim_start_matches(['-', '+']) {
        ".inf" | ".Inf" | ".INF" => Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ if looks_like_a_fraction(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// `[-+]? digits? . digits? ([eE] [-+]? digits)?` with a digit and a point or exponent: whole numbers are not its business.
fn looks_like_a_fraction(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(after)
        && !(whole.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
        && (mantissa.contains('.') || exponent.is_some())
}

/// A scalar's text, and whether it stood there without quotes.
pub(super) struct Styled<'a> {
    pub text: &'a str,
    pub plain: bool,
}

/// The value of a scalar, which a tag may say the type of.
pub(super) fn tagged(scalar: &Styled<'_>, tag: Option<&Tag>) -> Result<Value, Error> {
    let Some(tag) = tag else {
        return Ok(if scalar.plain { resolve(scalar.text) } else { Value::Str(scalar.text.to_owned()) });
    };
    let value = resolve(scalar.text);
    let is_core = tag.is_yaml_core_schema();
    match (tag.suffix(), &value) {
        ("str", _) if is_core => Ok(Value::Str(scalar.text.to_owned())),
        ("", _) if tag.handle() == "!" => Ok(Value::Str(scalar.text.to_owned())),
        ("null", Value::Null) | ("bool", Value::Bool(_)) | ("int", Value::Int(_)) | ("float", Value::Float(..))
            if is_core =>
        {
            Ok(value)
        }
        ("float", Value::Int(whole)) if is_core => Ok(Value::Float(*whole as f64, scalar.text.to_owned())),
        ("null" | "bool" | "int" | "float", _) if is_core => {
            Err(Error::new(format!("`{}` is no `!!{}`", scalar.text, tag.suffix())))
        }
        _ => Err(unknown_tag(tag)),
    }
}

/// A tag that means nothing here.
pub(super) fn unknown_tag(tag: &Tag) -> Error {
    let handle = if tag.is_yaml_core_schema() { "!!" } else { tag.handle() };
    let error = Error::new(format!("unknown tag `{handle}{}`", tag.suffix()));
    match tag.suffix() {
        "vault" => error.with_hint("Ansible's vault is not read here: keep secrets in a file of their own, made by `sops -d`, `age -d` or the like"),
        _ => error.with_hint("leave the tag out; text that begins with `!` needs quotes"),
    }
}
