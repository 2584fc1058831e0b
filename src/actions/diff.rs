//! What differs between two texts, line by line: never where one of them holds a secret, or looks as if it did.

use std::borrow::Cow;

use similar::TextDiff;

use crate::event::Difference;
use crate::secret::masked;

/// The most bytes and the most lines of a text that is compared: more is no reading for people, and slow.
pub const BYTES: u64 = 64 << 10;
const LINES: usize = 4000;
/// The most lines of a difference, and the most characters of a line.
const SHOWN: usize = 200;
const WIDTH: usize = 500;
/// Words in the names of what is nobody's business, without what joins words: `api_key`, `api-key` and `ApiKey` are one.
const SECRETS: &[&str] =
    &["passw", "passphrase", "secret", "token", "credential", "apikey", "privatekey", "accesskey", "presharedkey"];
/// How such a name may end, too.
const ENDS: &[&str] = &["pass", "psk"];
/// How such a name ends where a blank is all that parts it from its value.
const ENDINGS: &[&str] = &["password", "passwd", "passphrase", "pass", "secret", "token", "key", "psk"];

/// The unified difference, without a head; nothing where one of them is not text, too long, or may hold a secret.
pub fn unified(is: &[u8], asked: &[u8]) -> Option<String> {
    let (is, asked) = (text(is)?, text(asked)?);
    let diff = TextDiff::from_lines(is, asked).unified_diff().context_radius(3).to_string();
    Some(shortened(&diff)).filter(|diff| !diff.is_empty())
}

fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    let short = bytes.len() as u64 <= BYTES && text.lines().count() <= LINES;
    let known = || matches!(masked(text), Cow::Owned(_));
    (short && !text.lines().any(may_be_secret) && !known()).then_some(text)
}

/// What differs: the options of a mount, a label, a command line. Where a value is a secret, or looks like one, only that it is
/// another: the mask knows what this run was given, and not what was there before.
pub(super) fn shown(field: String, is: Option<&str>, asked: &str) -> Difference {
    let hidden = is.is_some_and(|is| holds_secret(&field, is)) || holds_secret(&field, asked);
    let (is, asked) = match (is, hidden) {
        (None, true) => ("none", "set"),
        (Some(_), true) => ("set", "changed"),
        (is, false) => (is.unwrap_or("none"), asked),
    };
    Difference { field, is: is.into(), asked: asked.into() }
}

/// Whether that is a value of this run that is hidden, or one that is called like a secret: by its field, within itself, or by
/// the word in front of it, as in `--requirepass hunter2`.
fn holds_secret(field: &str, value: &str) -> bool {
    let between = |c: char| c.is_whitespace() || "\"',[]".contains(c);
    let words: Vec<&str> = value.split(between).filter(|word| !word.is_empty()).collect();
    matches!(masked(value), Cow::Owned(_))
        || may_be_secret(&format!("{field}={value}"))
        || words.windows(2).any(|pair| may_be_secret(&pair.join(" ")))
}

/// Whether a line gives a value to something that is called like a secret, is part of a private key, or has a password in an
/// address. That a text speaks of passwords, as sshd's configuration does, is no secret.
pub(super) fn may_be_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    let named = |(at, _): (usize, &str)| is_called_secret(&line[..at]);
    line.contains("private key-----")
        || line.match_indices([':', '=']).any(named)
        || begins_with_secret(&line)
        || has_password_in_address(&line)
}

/// Whether the last name in front of a `:` or `=` is a secret's.
fn is_called_secret(before: &str) -> bool {
    let name = before.trim_end_matches([' ', '\t', '"', '\'']);
    let name = name.rsplit(|c: char| c.is_whitespace() || "\"'{,;".contains(c)).next().unwrap_or_default();
    let name = name.replace(['-', '_'], "");
    ENDS.iter().any(|end| name.ends_with(end)) || SECRETS.iter().any(|word| name.contains(word))
}

/// `requirepass hunter2`
fn begins_with_secret(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let secret = |word: &str| ENDINGS.iter().any(|end| word.ends_with(end));
    words.next().is_some_and(secret) && words.next().is_some()
}

/// `postgres://app:hunter2@db/app`
fn has_password_in_address(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let place = rest.split(['/', ' ', '"', '\'']).next().unwrap_or_default();
        place.split_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

fn shortened(diff: &str) -> String {
    let lines: Vec<String> = diff.lines().take(SHOWN).map(narrow).collect();
    match diff.lines().count().saturating_sub(SHOWN) {
        0 => lines.join("\n"),
        more => format!("{}\n… {more} more lines", lines.join("\n")),
    }
}

fn narrow(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Secret, hide};

    #[test]
    fn lines_that_go_and_come_are_told_with_those_around_them() {
        let diff = unified(b"one\ntwo\nthree\n", b"one\n2\nthree").expect("a difference");
        assert_eq!(diff, "@@ -1,3 +1,3 @@\n one\n-two\n-three\n+2\n+three\n\\ No newline at end of file");
        assert_eq!(unified(b"the same\n", b"the same\n"), None);
    }

    #[test]
    fn what_no_person_reads_is_not_compared() {
        let long = "x\n".repeat(LINES + 1);
        for other in [&b"\xff"[..], b"a\0b", long.as_bytes(), &vec![b'x'; BYTES as usize + 1]] {
            assert_eq!(unified(b"text\n", other), None);
            assert_eq!(unified(other, b"text\n"), None);
        }
    }

    #[test]
    fn where_a_secret_may_be_nothing_is_shown() {
        for line in [
            "password: hunter2",
            "\"db_password\" : \"hunter2\"",
            "{a: 1, secret: x}",
            "export AWS_SECRET_ACCESS_KEY=x",
            "//registry/:_authToken=x",
            "ansible_become_pass=x",
            "requirepass hunter2",
            "PrivateKey = x",
            "PresharedKey=x",
            "pre-shared-key: x",
            "api-key: x",
            "AWS-Access-Key: x",
            "    psk=\"x\"",
            "wpa-psk x",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "url = postgres://app:hunter2@db/app",
        ] {
            assert!(may_be_secret(line), "{line}");
            assert_eq!(unified(b"a\n", format!("b\n{line}\n").as_bytes()), None);
            assert_eq!(unified(format!("b\n{line}\n").as_bytes(), b"a\n"), None);
        }
        for line in ["PasswordAuthentication no", "# ask for a password", "https://a.example/@b"] {
            assert!(!may_be_secret(line), "{line}");
        }
    }

    #[test]
    fn where_a_secret_is_that_we_were_told_of_nothing_is_shown() {
        assert!(unified(b"a\n", b"the 0verheard one\n").is_some());
        hide(&Secret::new("0verheard"));
        assert_eq!(unified(b"a\n", b"the 0verheard one\n"), None);
    }

    #[test]
    fn a_long_difference_is_shortened_and_says_by_how_much() {
        let diff = unified(b"", "a line\n".repeat(300).as_bytes()).expect("a difference");
        assert_eq!((diff.lines().count(), diff.lines().last()), (SHOWN + 1, Some("… 101 more lines")));
        let wide = unified(b"", "é".repeat(1000).as_bytes()).expect("a difference");
        assert!(wide.lines().nth(1).is_some_and(|line| line.chars().count() == WIDTH + 1 && line.ends_with('…')));
    }
}
