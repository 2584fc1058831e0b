//! Where a part of a text stands in the YAML that the text was written in: behind escapes, over folded lines, indented.

use std::ops::Range;

use super::At;

impl At {
    /// The place of a part of what is written here, given what that is once it is read, or a piece of it. Nothing where it
    /// cannot be found.
    ///
    /// White space may be written in many ways; all else stands in its order. So only that is looked at.
    pub fn inside(&self, read: &str, part: Range<usize>) -> Option<At> {
        let raw = self.text();
        let is_part = !part.is_empty() && read.get(part.clone()).is_some();
        if let (true, Some(offset)) = (is_part, raw.find(read)) {
            let start = self.start + offset;
            return Some(At { start: start + part.start, end: start + part.end, ..self.clone() });
        }
        // A text in a block may begin with a quote, too, that is none.
        let found =
            [Escapes::of_quote(raw), Escapes::None].into_iter().find_map(|escapes| spot(raw, escapes, read, &part))?;
        Some(At { start: self.start + found.start, end: self.start + found.end, ..self.clone() })
    }
}

/// The bytes of a raw scalar that a part of what it reads as is written in.
fn spot(raw: &str, escapes: Escapes, read: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let written = written(raw, escapes);
    let wanted: Vec<(usize, char)> = read.char_indices().filter(|(_, letter)| !is_space(*letter)).collect();
    let letters: Vec<char> = wanted.iter().map(|(_, letter)| *letter).collect();
    let fits = |from: &usize| written[*from..].iter().map(|(_, letter)| letter).take(letters.len()).eq(&letters);
    let from = (0..=written.len().checked_sub(letters.len())?).find(fits)?;
    let pairs = wanted.iter().zip(&written[from..]);
    let mut spots = pairs.filter(|((at, _), _)| part.contains(at)).map(|(_, (at, _))| at);
    let first = spots.next()?;
    Some(first.start..spots.next_back().unwrap_or(first).end)
}

/// How a character may be written that cannot stand for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Backslash,
    /// `''` is one.
    Doubled,
    None,
}

impl Escapes {
    fn of_quote(raw: &str) -> Self {
        match raw.chars().next() {
            Some('"') => Self::Backslash,
            Some('\'') => Self::Doubled,
            _ => Self::None,
        }
    }
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// The characters that a raw scalar holds beside white space, each with where it is written; its quotes among them.
fn written(raw: &str, escapes: Escapes) -> Vec<(Range<usize>, char)> {
    let (mut found, mut at) = (Vec::new(), usize::from(escapes != Escapes::None));
    while let Some(letter) = raw[at..].chars().next() {
        let (length, letter) = match (escapes, letter) {
            (Escapes::Backslash, '\\') => escaped(&raw[at..]),
            (Escapes::Doubled, '\'') if raw[at..].starts_with("''") => (2, letter),
            _ => (letter.len_utf8(), letter),
        };
        if !is_space(letter) {
            found.push((at..at + length, letter));
        }
        at += length;
    }
    found
}

/// How long an escape is, and what it stands for.
fn escaped(text: &str) -> (usize, char) {
    let Some(kind) = text[1..].chars().next() else { return (1, '\\') };
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    let code = text.get(2..2 + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let letter = match kind {
        'x' | 'u' | 'U' => code.and_then(char::from_u32).unwrap_or(kind),
        'n' | 't' => ' ',
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        other => other,
    };
    let length = if code.is_some() { 2 + digits } else { 1 + kind.len_utf8() };
    (length, letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Node, parse};

    /// The value under `a`.
    fn value(text: &str) -> Node {
        let node = parse("test", text.to_owned()).unwrap_or_else(|error| panic!("{error}"));
        node.get("a").expect("it is there").clone()
    }

    /// Where a word of the value stands, as line, column and what is written there.
    fn spot(text: &str, word: &str) -> (usize, usize, String) {
        let node = value(text);
        let read = node.as_str().expect("a text");
        let start = read.find(word).expect("it is in the text");
        let at = node.at.inside(read, start..start + word.len()).expect("it is found");
        let (line, column) = at.line_column();
        (line, column, at.text().to_owned())
    }

    #[test]
    fn a_word_is_found_however_its_text_is_written() {
        for (text, place) in [
            ("a: x word y", (1, 6)),
            ("a: \"x \\\"\\t word y\"", (1, 12)),
            ("a: \"\\x41\\u00e4\\\n   word\"", (2, 4)),
            ("a: 'it''s word'", (1, 11)),
            ("a: x\n  y\n\n  z word", (4, 5)),
            ("a: |\n  x\n   y word\n", (3, 6)),
            ("a: >-\n   x\n\n    y\n   z word\n", (5, 6)),
            ("a: |2 # word\n    ä word\n", (2, 7)),
        ] {
            assert_eq!(spot(text, "word"), (place.0, place.1, "word".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_piece_of_the_text_is_enough_and_what_is_not_there_is_nowhere() {
        let node = value("a: \"\\\"{{ one | two }}\"");
        assert_eq!(node.at.inside(" one | two ", 7..10).map(|at| at.text().to_owned()), Some("two".into()));
        assert_eq!(node.at.inside("other", 0..5), None);
        assert_eq!(node.at.inside("", 0..0), None);
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_was_meant(words in prop::collection::vec("[a-z]{1,6}|ä|'|\\{\\{", 1..12), style in 0..4) {
            let number = words.len() / 2;
            let text = match style {
                0 => format!("a: '{}'", words.join(" ").replace('\'', "''")),
                1 => format!("a: \"{}\"", words.join("\\t")),
                2 => format!("a: |\n  {}\n", words.join("\n  ")),
                _ => format!("a: >\n  {}\n", words.join("\n  ")),
            };
            let node = value(&text);
            let read = node.as_str().unwrap_or_default();
            let start = words[..number].iter().map(|word| word.len() + 1).sum::<usize>();
            let end = start + words[number].len();
            prop_assert_eq!(&read[start..end], words[number].as_str());
            let at = node.at.inside(read, start..end).expect("it is found");
            prop_assert_eq!(at.text().replace("''", "'"), words[number].clone());
        }
    }
}
