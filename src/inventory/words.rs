//! The words of a line, as a shell parts them, each with its place.

/// A word without its quotes, and where it stands in the line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its characters, each with its byte in the line.
    letters: Vec<(usize, char)>,
    pub start: usize,
    pub end: usize,
}

impl Word {
    pub fn text(&self) -> String {
        self.letters.iter().map(|(_, letter)| *letter).collect()
    }

    /// What stands before and after the first `=`, and the byte of that in the line.
    pub fn pair(&self) -> Option<(String, usize, String)> {
        let place = self.letters.iter().position(|(_, letter)| *letter == '=')?;
        let text = |letters: &[(usize, char)]| letters.iter().map(|(_, letter)| *letter).collect();
        Some((text(&self.letters[..place]), self.letters[place].0, text(&self.letters[place + 1..])))
    }
}

/// Parts a line at white space. Quotes hold together, a backslash takes the next character as it is, and `#` begins a
/// comment, where there may be some, wherever it stands outside quotes: so do Ansible's own.
///
/// # Errors
/// In words, with the byte, what is never closed.
pub(super) fn words(line: &str, comments: bool) -> Result<Vec<Word>, (usize, &'static str)> {
    let (mut words, mut word): (Vec<Word>, Option<Word>) = (Vec::new(), None);
    let (mut letters, mut end) = (line.char_indices(), line.len());
    while let Some((at, letter)) = letters.next() {
        if comments && letter == '#' {
            end = at;
            break;
        }
        if letter.is_whitespace() {
            words.extend(word.take().map(|word| Word { end: at, ..word }));
            continue;
        }
        let this = word.get_or_insert_with(|| Word { start: at, ..Word::default() });
        match letter {
            '\\' => this.letters.push(letters.next().ok_or((at, "nothing comes after this backslash"))?),
            '\'' | '"' => quoted(&mut letters, letter, this).ok_or((at, "this quote is never closed"))?,
            _ => this.letters.push((at, letter)),
        }
    }
    words.extend(word.map(|word| Word { end, ..word }));
    Ok(words)
}

/// Up to the quote that closes it. Between double quotes a backslash is one unless it stands before another or a quote.
fn quoted(letters: &mut std::str::CharIndices<'_>, quote: char, word: &mut Word) -> Option<()> {
    loop {
        match letters.next()? {
            (_, letter) if letter == quote => return Some(()),
            (at, '\\') if quote == '"' => {
                let (next, escaped) = letters.next()?;
                word.letters.extend((!['\\', quote].contains(&escaped)).then_some((at, '\\')));
                word.letters.push((next, escaped));
            }
            letter => word.letters.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_as_a_shell_parts_them() {
        let texts =
            |line: &str| words(line, true).map(|words| words.iter().map(Word::text).collect::<Vec<_>>().join("|"));
        for (line, parted) in [
            ("web1  a=1\tb=2", "web1|a=1|b=2"),
            ("h a=\"x y\" b='c \"d\"' # not this", "h|a=x y|b=c \"d\""),
            (r#"h a="q\"q" b="n\n" c=d\ e"#, r#"h|a=q"q|b=n\n|c=d e"#),
            ("h a=x#y b=2", "h|a=x"),
            ("h ''", "h|"),
        ] {
            assert_eq!(texts(line), Ok(parted.to_owned()), "{line}");
        }
        assert_eq!(texts("h a='x"), Err((4, "this quote is never closed")));
        assert_eq!(texts("h a=\\"), Err((4, "nothing comes after this backslash")));
    }

    #[test]
    fn places_are_those_of_the_line() {
        let line = "h ä='x y'=z # c";
        let words = words(line, true).expect("it is well formed");
        assert_eq!((&line[words[1].start..words[1].end], words.len()), ("ä='x y'=z", 2));
        assert_eq!(words[1].pair(), Some(("ä".into(), 4, "x y=z".into())));
    }
}
