//! What is never shown of a text: the values of keys that are called like passwords.

use std::borrow::Cow;

/// The text with those values as stars. It is as long as it was, so places in it stay what they are; it may hide more than
/// the value (a comment behind it), for it must also do where the text is no YAML.
pub(super) fn hidden(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for (sign, letter) in text.match_indices([':', '=', ' ']) {
        if let Some(start) = key_before(text, sign).filter(|start| is_secret(&text[*start..sign])) {
            let (from, to) = match letter {
                ":" => value(text, start, sign + 1),
                "=" => assigned(text, start, sign + 1),
                _ => forgotten(text, start, sign + 1),
            };
            let stars = stars(&text[from..to]);
            shown.to_mut().replace_range(from..to, &stars);
        }
    }
    shown
}

/// From where to where the value goes in a line that its key begins and whose colon was forgotten: `password s3cret`.
fn forgotten(text: &str, key: usize, from: usize) -> (usize, usize) {
    let (start, end) = rest_of_line(text, from);
    let begins = text[line_of(text, key)..key].trim_matches([' ', '-', '"', '\'']).is_empty();
    if begins && !text[start..end].starts_with([':', '=']) { (start, end) } else { (from, from) }
}

/// Where the line begins that a place is in.
fn line_of(text: &str, place: usize) -> usize {
    text[..place].rfind('\n').map_or(0, |newline| newline + 1)
}

/// From where to where a line goes on behind a place and the spaces there.
fn rest_of_line(text: &str, from: usize) -> (usize, usize) {
    let end = text[from..].find('\n').map_or(text.len(), |length| from + length);
    (end - text[from..end].trim_start_matches(' ').len(), end)
}

/// From where to where the value of `key=value` goes: to the end of the line where it stands alone there, as in INI, else to the
/// end of the word. A comparison is none.
fn assigned(text: &str, key: usize, from: usize) -> (usize, usize) {
    let (start, end) = rest_of_line(text, from);
    let is_alone = text[line_of(text, key)..key].trim().is_empty();
    match text[start..].chars().next() {
        Some('=') => (from, from),
        _ if is_alone => (start, end),
        Some(quote @ ('"' | '\'')) => (from, quoted(&text[start..], quote).map_or(end, |length| start + length)),
        _ => (from, text[from..end].find(char::is_whitespace).map_or(end, |length| from + length)),
    }
}

/// Where the word in front of a colon begins.
fn key_before(text: &str, colon: usize) -> Option<usize> {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let before = text[..colon].trim_end_matches(' ').trim_end_matches(['"', '\'']);
    let start = before.trim_end_matches(word).len();
    (start < before.len()).then_some(start)
}

/// Whether a key is called like a password. Slips of the fingers are told of with their line, which may hold one all the same.
pub fn is_secret(key: &str) -> bool {
    let key = key.trim_end_matches([' ', '"', '\'']).to_lowercase();
    let (before, last) = key.rsplit_once(['_', '-']).unwrap_or(("", &key));
    let near = |name: &str, slips: usize| strsim::damerau_levenshtein(last, name) <= slips;
    last.ends_with("password")
        || ["pass", "passphrase"].contains(&last)
        || near("password", 2)
        || near("passwd", 1)
        || (!before.is_empty() && near("pass", 1))
}

/// From where to where the value of a key goes that begins at `key`.
fn value(text: &str, key: usize, from: usize) -> (usize, usize) {
    let line = line_of(text, key);
    let (start, _) = rest_of_line(text, from);
    let length = match text[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&text[start..], quote),
        Some(c) if text[line..key].contains('{') && !"[{".contains(c) => text[start..].find([',', '{', '}', '[', ']']),
        _ => Some(indented(&text[start..], key - line)),
    };
    (start, length.map_or(text.len(), |length| start + length))
}

/// Up to the quote that closes it; none where nothing does.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = c == '\'' && chars.peek().is_some_and(|(_, next)| *next == c);
        if c == quote && !doubled {
            return Some(at + 1);
        }
        if doubled || (quote == '"' && c == '\\') {
            chars.next();
        }
    }
    None
}

/// The rest of the line and the lines after it that stand further right than the key.
fn indented(text: &str, column: usize) -> usize {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default().len();
    let deeper = |line: &&str| line.trim().is_empty() || line.len() - line.trim_start_matches(' ').len() > column;
    first + lines.take_while(deeper).map(str::len).sum::<usize>()
}

fn stars(text: &str) -> String {
    let star = |c: char| if c == '\n' { "\n".to_owned() } else { "*".repeat(c.len_utf8()) };
    text.chars().map(star).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_passwords_are_stars_however_they_are_written() {
        for (text, shown) in [
            ("a: {become_password: s3 cret, port: 70000}", "a: {become_password: *******, port: 70000}"),
            ("a: {password: \"s,\\\"}\", port: 1}", "a: {password: *******, port: 1}"),
            ("ansible_ssh_pass: 'it''s'\nport: 1\n", "ansible_ssh_pass: *******\nport: 1\n"),
            ("- password: a: b\n  port: 1\n", "- password: ****\n  port: 1\n"),
            (
                "x:\n  passwd: |\n    s3cret\n\n    more\n  port: 1",
                "x:\n  passwd: *\n**********\n\n********\n  port: 1",
            ),
            ("a: {password: [x], port: 1}\nb: 1", "a: {password: *************\nb: 1"),
            ("a: {password: x\n y, port: 1}", "a: {password: *\n**, port: 1}"),
            ("{\"become_pass\":\"x\",\"port\":1}", "{\"become_pass\":***,\"port\":1}"),
            ("become_pasword: ä", "become_pasword: **"),
            ("web1 ansible_password=s3cret port=1", "web1 ansible_password=****** port=1"),
            ("web1 ansible_ssh_pass='s3 cret' a=1", "web1 ansible_ssh_pass=********* a=1"),
            ("[all:vars]\nansible_password = s3 cret\nport=1", "[all:vars]\nansible_password = *******\nport=1"),
            ("when: password == 'x'", "when: password == 'x'"),
            ("a: 1\n- become_password  s3 cret\nport: 1", "a: 1\n- become_password  *******\nport: 1"),
            ("password\npassword = x", "password\npassword = *"),
            ("password: \"never closed\nport: 1", "password: *************\n*******"),
            ("path: /x\npassive: true\ncompass: n\nclass: y", "path: /x\npassive: true\ncompass: n\nclass: y"),
        ] {
            assert_eq!(hidden(text), shown);
            assert_eq!(hidden(text).len(), text.len());
        }
    }
}
