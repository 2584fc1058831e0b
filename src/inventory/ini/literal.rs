//! Values as Python writes them: what Ansible makes of `5`, `True`, `'a'` and `['a', 5]` in an INI file.

use crate::yaml::{At, Node, Value};

/// The value that a text is in Python; none where it is no literal, which is then a text.
pub(super) fn value(text: &str, at: &At) -> Option<Value> {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), at, depth: 0 };
    let value = reader.value()?;
    reader.space();
    (reader.rest.is_empty() || reader.rest.starts_with('#')).then_some(value)
}

/// So deep lists may stand in lists.
const DEEPEST: usize = 40;

struct Reader<'a> {
    rest: &'a str,
    at: &'a At,
    depth: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn node(&mut self) -> Option<Node> {
        self.depth += 1;
        let value = (self.depth < DEEPEST).then(|| self.value())??;
        self.depth -= 1;
        Some(Node::new(value, self.at.clone()))
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.rest.chars().next()? {
            '[' => self.list("[", "]"),
            '(' => self.list("(", ")"),
            '{' => self.mapping(),
            '\'' | '"' | 'r' | 'R' | 'u' | 'U' => self.text(),
            'T' | 'F' | 'N' => self.word(),
            _ => self.number(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let words = [("True", Value::Bool(true)), ("False", Value::Bool(false)), ("None", Value::Null)];
        let (_, value) = words.into_iter().find(|(word, _)| self.eat(word))?;
        (!self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(value)
    }

    fn list(&mut self, open: &str, close: &str) -> Option<Value> {
        self.eat(open);
        let (mut items, mut commas) = (Vec::new(), 0);
        loop {
            self.space();
            if self.eat(close) {
                break;
            }
            (items.len() == commas).then(|| self.node())?.map(|item| items.push(item))?;
            self.space();
            commas += usize::from(self.eat(","));
        }
        // One value in parentheses without a comma is that value.
        let alone = open == "(" && commas == 0 && items.len() == 1;
        Some(if alone { items.remove(0).value } else { Value::List(items) })
    }

    fn mapping(&mut self) -> Option<Value> {
        self.eat("{");
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut ready = true;
        loop {
            self.space();
            if self.eat("}") {
                return Some(Value::Map(entries));
            }
            let key = ready.then(|| self.node())??;
            self.space();
            let (key, value) = (key.scalar_text()?.into_owned(), self.eat(":").then(|| self.node())??);
            entries.retain(|(known, _)| known.as_str() != Some(&key));
            entries.push((Node::new(Value::Str(key), self.at.clone()), value));
            self.space();
            ready = self.eat(",");
        }
    }

    /// Texts that stand side by side are one.
    fn text(&mut self) -> Option<Value> {
        let mut text = self.one_text()?;
        loop {
            self.space();
            if !self.rest.starts_with(['\'', '"']) {
                return Some(Value::Str(text));
            }
            text += &self.one_text()?;
        }
    }

    fn one_text(&mut self) -> Option<String> {
        let raw = self.eat("r") || self.eat("R");
        let _ = !raw && (self.eat("u") || self.eat("U"));
        let quote = self.rest.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
        let (mut text, mut letters) = (String::new(), self.rest.char_indices().skip(1));
        loop {
            match letters.next()? {
                (at, letter) if letter == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text);
                }
                (_, '\\') if raw => text.extend(['\\', letters.next()?.1]),
                (_, '\\') => escaped(&mut letters, &mut text)?,
                (_, letter) => text.push(letter),
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let ends = |c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c));
        let sign = usize::from(self.rest.starts_with(['-', '+']));
        let mut end = self.rest[sign..].find(ends).map_or(self.rest.len(), |end| end + sign);
        let is_hex = self.rest[sign..end].to_lowercase().starts_with("0x");
        if self.rest[..end].ends_with(['e', 'E']) && !is_hex && self.rest[end..].starts_with(['-', '+']) {
            end += 1 + self.rest[end + 1..].find(ends).unwrap_or(self.rest.len() - end - 1);
        }
        let value = number(&self.rest[..end])?;
        self.rest = &self.rest[end..];
        Some(value)
    }
}

/// What a backslash and the characters after it stand for.
fn escaped(letters: &mut impl Iterator<Item = (usize, char)>, text: &mut String) -> Option<()> {
    let (_, letter) = letters.next()?;
    let mut coded = |digits: usize| {
        let code: String = letters.by_ref().take(digits).map(|(_, digit)| digit).collect();
        u32::from_str_radix(&code, 16).ok().filter(|_| code.len() == digits).and_then(char::from_u32)
    };
    match letter {
        'n' => text.push('\n'),
        't' => text.push('\t'),
        'r' => text.push('\r'),
        '0' => text.push('\0'),
        '\\' | '\'' | '"' => text.push(letter),
        'x' => text.push(coded(2)?),
        'u' => text.push(coded(4)?),
        'U' => text.push(coded(8)?),
        _ => text.extend(['\\', letter]),
    }
    Some(())
}

/// `5`, `-5`, `1_000`, `0x1f`, `1.10`, `1e3`; `0755` is none, as in Python.
fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let well = |text: &str| !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let (digits, minus) = (unsigned.replace('_', ""), text.starts_with('-'));
    let based =
        |prefix: &str, base| digits.to_lowercase().strip_prefix(prefix).map(|rest| i64::from_str_radix(rest, base));
    let whole = based("0x", 16).or_else(|| based("0o", 8)).or_else(|| based("0b", 2)).unwrap_or_else(|| digits.parse());
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if !well(unsigned) || (padded && digits.bytes().any(|b| b != b'0')) {
        return None;
    }
    match whole {
        Ok(whole) => Some(Value::Int(if minus { -whole } else { whole })),
        Err(_)
            if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && !digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            let fraction: f64 = digits.parse().ok()?;
            Some(Value::Float(if minus { -fraction } else { fraction }, text.to_owned()))
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(node: &Value) -> String {
        match node {
            Value::Null => "None".into(),
            Value::Bool(truth) => format!("{truth}"),
            Value::Int(number) => format!("{number}"),
            Value::Float(number, text) => format!("{number}~{text}"),
            Value::Str(text) => format!("{text:?}"),
            Value::List(items) => {
                format!("[{}]", items.iter().map(|item| told(&item.value)).collect::<Vec<_>>().join(" "))
            }
            Value::Map(entries) => {
                let entry = |(key, value): &(Node, Node)| format!("{}:{}", told(&key.value), told(&value.value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn literals_are_pythons() {
        let at = At::made_by("test");
        for (text, is) in [
            ("5", "5"),
            ("-5 # five", "-5"),
            ("1_000", "1000"),
            ("0x1f", "31"),
            ("1.10", "1.1~1.10"),
            ("2e-1", "0.2~2e-1"),
            ("True", "true"),
            ("None", "None"),
            ("'5'", "\"5\""),
            (r#""a\n\x41\u00e4\d" 'b'"#, r#""a\nAä\\db""#),
            ("r'a\\n'", r#""a\\n""#),
            ("['a', 5, ]", "[\"a\" 5]"),
            ("(1,)", "[1]"),
            ("(1)", "1"),
            ("{'a': [1, 2], 5: None}", "{\"a\":[1 2] \"5\":None}"),
        ] {
            assert_eq!(value(text, &at).as_ref().map(told), Some(is.to_owned()), "{text}");
        }
        for text in [
            "", "yes", "true", "0755", "1.2.3", "a b", "5 6", "[1 2]", "[1,,2]", "{'a'}", "'x", "Truee", "_1",
            "10.0.0.1", "inf", "--5", "e5",
        ] {
            assert_eq!(value(text, &at), None, "{text}");
        }
    }
}
