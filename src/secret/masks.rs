//! Secrets by their value: whoever prints need not know where one may have come into what is printed.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::BASE64;

use super::{MASK, Secret};

/// What is shorter would hide half of every text.
pub const SHORTEST: usize = 4;

/// From so many characters on a secret in plain text is hidden.
const PLAIN: usize = 8;

/// There is one list for the program, as there is one standard output.
static MASKS: LazyLock<RwLock<Masks>> = LazyLock::new(RwLock::default);

#[derive(Default)]
struct Masks {
    forms: Vec<String>,
    finder: Option<AhoCorasick>,
}

/// From now on [`masked`] hides this value, each of its lines, and the forms that they take in JSON, in a shell's quotes and
/// in base64.
pub fn hide(secret: &Secret) {
    let mut masks = MASKS.write().unwrap_or_else(PoisonError::into_inner);
    let value = secret.expose();
    let lines = value.lines().chain([value, value.trim()]).filter(|text| text.chars().count() >= SHORTEST);
    let new: Vec<String> = lines.flat_map(forms).filter(|form| !masks.forms.contains(form)).collect();
    if new.is_empty() {
        return;
    }
    masks.forms.extend(new);
    masks.forms.sort();
    masks.forms.dedup();
    // It can only fail for want of memory; what was hidden stays so.
    let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&masks.forms);
    masks.finder = finder.ok().or(masks.finder.take());
}

/// The same of what anybody can read who has the file, and where a word as `ubuntu` would be hidden everywhere: not of what is
/// short. Whether it is hidden now.
pub fn hide_plain(secret: &Secret) -> bool {
    let is_long = secret.expose().chars().count() >= PLAIN;
    if is_long {
        hide(secret);
    }
    is_long
}

/// The text with every secret masked.
pub fn masked(text: &str) -> Cow<'_, str> {
    let masks = MASKS.read().unwrap_or_else(PoisonError::into_inner);
    match &masks.finder {
        Some(finder) if finder.is_match(text) => Cow::Owned(replaced(finder, text)),
        _ => Cow::Borrowed(text),
    }
}

fn replaced(finder: &AhoCorasick, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    finder.replace_all_with(text, &mut shown, |_, _, shown| {
        shown.push_str(MASK);
        true
    });
    shown
}

fn forms(text: &str) -> Vec<String> {
    let json = serde_json::to_string(text).unwrap_or_default();
    let debug = format!("{text:?}");
    let inner = |quoted: &str| quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let shell = text.replace('\'', r"'\''");
    let mut forms = vec![text.to_owned(), inner(&json), inner(&debug), shell, BASE64.encode(text.as_bytes())];
    // With the line's end that most programs put behind it.
    forms.push(BASE64.encode(format!("{text}\n").as_bytes()));
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_all_its_forms() {
        hide(&Secret::new("it's \"top\" sécret"));
        for text in [
            "it's \"top\" sécret",
            r#"it's \"top\" sécret"#,
            r#"it'\''s "top" sécret"#,
            &BASE64.encode("it's \"top\" sécret".as_bytes()),
            &BASE64.encode("it's \"top\" sécret\n".as_bytes()),
        ] {
            assert_eq!(masked(&format!("<{text}>")), format!("<{MASK}>"), "{text}");
        }
        assert_eq!(masked("it's top secret"), "it's top secret");
    }

    #[test]
    fn each_line_of_a_secret_is_one_and_the_longest_counts() {
        hide(&Secret::new("-----BEGIN KEY-----\nabcdef\nxyz\n-----END KEY-----\n"));
        hide(&Secret::new("abcdefgh"));
        assert_eq!(masked("a abcdef b"), format!("a {MASK} b"));
        assert_eq!(masked("abcdefgh"), MASK);
        assert_eq!(masked("xyz"), "xyz", "too short to be told from other words");
    }
}
