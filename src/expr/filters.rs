//! What expressions know beside Jinja's own filters.

use std::io::{self, Write};

use data_encoding::BASE64;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error as Fault, ErrorKind, Value as Jinja};

use super::{duration, size};

/// Adds them.
pub(super) fn add_to(engine: &mut Environment<'static>) {
    engine.add_filter("to_json", |value: &Jinja| to_json(value));
    engine.add_filter("from_json", |text: &str| from_json(text));
    engine.add_filter("quote", |text: &Jinja| quote(&text.to_string()));
    engine.add_filter("basename", |path: &str| file_name(path).to_owned());
    engine.add_filter("dirname", |path: &str| {
        path.trim_end_matches('/').rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
    });
    engine.add_filter("b64encode", |text: &str| BASE64.encode(text.as_bytes()));
    engine.add_filter("b64decode", |text: &str| b64decode(text));
    engine.add_filter("extract", |key: &Jinja, container: &Jinja| container.get_item(key));
    engine.add_filter("bool", |value: &Jinja| truth(value));
    engine.add_filter("seconds", |text: &Jinja| seconds(&text.to_string()));
    engine.add_filter("bytes", |text: &Jinja| bytes(&text.to_string()));
    engine.add_filter("duration", |seconds: u64| duration::lasting(seconds));
    engine.add_filter("size", |bytes: u64| size::sized(bytes));
    engine.add_filter("string", |value: &Jinja| plain(value));
    engine.add_filter("join", |items: &Jinja, between: Option<&str>| join(items, between.unwrap_or_default()));
}

/// A value as JSON, on one line.
///
/// # Errors
/// One that has no JSON form, or too long a one.
pub fn to_json(value: &Jinja) -> Result<String, Fault> {
    let mut json = Bounded(Vec::new());
    match serde_json::to_writer(&mut json, value) {
        Ok(()) => String::from_utf8(json.0).map_err(|_| invalid("this value has no JSON form")),
        Err(why) if why.is_io() => Err(invalid("as JSON this is longer than any step needs")),
        Err(_) => Err(invalid("this value has no JSON form")),
    }
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.len() + bytes.len() > super::LARGEST {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn from_json(text: &str) -> Result<Jinja, Fault> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| invalid("this text is not JSON"))?;
    Ok(Jinja::from(minijinja::value::Serde(value)))
}

fn quote(text: &str) -> Result<String, Fault> {
    let quoted = shlex::try_quote(text).map_err(|_| invalid("a text with a NUL cannot be an argument"))?;
    Ok(quoted.into_owned())
}

fn file_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn b64decode(text: &str) -> Result<String, Fault> {
    let bytes = BASE64.decode(text.trim().as_bytes()).map_err(|_| invalid("this text is not base64"))?;
    String::from_utf8(bytes).map_err(|_| invalid("what was decoded is not text"))
}

/// `-e x=yes` and the environment give text: the words of YAML and shells for true and false. Jinja's own `bool` calls every
/// text that is not empty true, `"false"` among them.
fn truth(value: &Jinja) -> Result<bool, Fault> {
    let Some(text) = value.as_str() else { return Ok(value.is_true()) };
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err(invalid("this text is neither true nor false")),
    }
}

/// `1h30m`, in seconds.
fn seconds(text: &str) -> Result<u64, Fault> {
    duration::duration(text).map(|time| time.as_secs()).map_err(invalid)
}

/// `1.5g`, in bytes.
fn bytes(text: &str) -> Result<i64, Fault> {
    size::size(text).ok_or_else(|| invalid("this is not a size; write 512m or 2g"))
}

/// As it stands in a text, where Jinja's own would write `True`.
fn plain(value: &Jinja) -> Result<String, Fault> {
    match value.kind() {
        ValueKind::Bool => Ok(value.is_true().to_string()),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => to_json(value),
        _ => Ok(value.to_string()),
    }
}

fn join(items: &Jinja, between: &str) -> Result<String, Fault> {
    Ok(items.try_iter()?.map(|item| plain(&item)).collect::<Result<Vec<_>, _>>()?.join(between))
}

fn invalid(what: &'static str) -> Fault {
    Fault::new(ErrorKind::InvalidOperation, what)
}
