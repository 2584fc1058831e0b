//! Secrets that nobody called so: by the name they go by, or by their own look.

use crate::secret::{self, SHORTEST, Secret};
use crate::yaml::{Error, Hole, Node, Value};

/// What a name ends with that is a secret's.
const NAMES: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "credential", "credentials"];
/// The same of the last two words, where one alone may be another thing.
const PAIRS: &[&str] = &["api_key", "private_key", "access_key", "secret_key", "auth_key", "encryption_key"];
/// How tokens begin that say of themselves whose they are, and how long they are at least.
const LOOKS: &[(&str, usize)] = &[
    ("-----BEGIN ", 64),
    ("AKIA", 20),
    ("ghp_", 40),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 24),
    ("xoxp-", 24),
    ("SWMTKN-1-", 60),
    ("AGE-SECRET-KEY-1", 60),
    ("dckr_pat_", 30),
    ("hvs.", 24),
];

/// Whether a value that goes by a name is a secret that anybody can read. What is rendered, a path, a word such as `none`,
/// and what is too short to be one are not.
pub fn is_plain(name: &str, node: &Node) -> bool {
    let Value::Str(text) = &node.value else { return false };
    // What a program has decrypted stands where its command does.
    if Hole::of(text).is_some() || !is_written(node, text) {
        return false;
    }
    looks_like_one(text) || (is_named(name) && may_be_one(text))
}

/// The value of `{ secret: false, value: … }`: called like a secret, and none.
pub fn said_to_be_none(node: &Node) -> Option<&Node> {
    let says = |flag: &Node| matches!(flag.value, Value::Bool(false));
    node.get("secret").filter(|flag| says(flag) && node.entries().len() == 2)?;
    node.get("value")
}

/// The mistake; the value is hidden from now on, for the line that it stands in is shown. A variable can say where it is kept.
pub fn in_plain_text(name: &str, node: &Node, is_variable: bool) -> Error {
    node.as_str().into_iter().for_each(|text| secret::hide(&Secret::new(text)));
    let error = Error::at(&node.at, format!("`{name}` looks like a secret in plain text"));
    error.with_hint(match is_variable {
        true => format!(
            "say where it is kept: `{name}: {{ secret: true, env: NAME }}`, or `command: LINE`, `file: PATH`, `prompt: QUESTION`; \
             `{{ secret: false, value: … }}` says that it is none"
        ),
        false => "let a variable say where it is kept, `vars: { kept: { secret: true, env: NAME } }`, and write `\"{{ kept }}\"` \
                  here"
            .to_owned(),
    })
}

fn is_written(node: &Node, text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    node.at.text().contains(first)
}

/// Whether something is called like a secret, in the last word of its name.
fn is_named(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let joined = |pair: &str| name.ends_with(pair) || name.ends_with(&pair.replace('_', ""));
    NAMES.iter().any(|end| name.ends_with(end)) || PAIRS.iter().any(|pair| joined(pair))
}

fn may_be_one(text: &str) -> bool {
    let is_path = text.starts_with('/') || text.starts_with("~/") || text.starts_with("./");
    text.chars().count() >= SHORTEST && !is_path && !text.trim().contains(char::is_whitespace)
}

fn looks_like_one(text: &str) -> bool {
    let text = text.trim();
    let is_key =
        |start: &str| start != "-----BEGIN " || text.lines().next().is_some_and(|line| line.contains("PRIVATE KEY"));
    LOOKS.iter().any(|(start, least)| text.starts_with(start) && text.len() >= *least && is_key(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn plain(text: &str) -> bool {
        let node = yaml::parse("x", text.to_owned()).expect("it is YAML");
        let (key, value) = &node.entries()[0];
        is_plain(key.as_str().expect("a name"), value)
    }

    #[test]
    fn what_is_called_or_looks_like_a_secret_is_one() {
        for text in [
            "db_password: hunter22",
            "POSTGRES_PASSWORD: 'hunter22'",
            "token: abcdef",
            "api-key: abcdef",
            "awsSecretAccessKey: abcdef",
            "other: AKIAIOSFODNN7EXAMPLE",
            "other: SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv-8vxv8rssmk743ojnwacrr2e7c",
            "other: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2g\n",
        ] {
            assert!(plain(text), "{text}");
        }
    }

    #[test]
    fn what_is_rendered_kept_elsewhere_or_says_nothing_is_none() {
        for text in [
            "password: '{{ kept }}'",
            "token: /run/secrets/token",
            "password: ''",
            "password: no",
            "token: 12",
            "tokens: abcdef",
            "password_file: abcdef",
            "key: abcdefgh",
            "primary_key: abcdefgh",
            "passwords: abcdef",
            "secret: true",
            "token: { secret: false, value: changeme }",
            "password: ask the one who runs it",
            "other: |\n  -----BEGIN CERTIFICATE-----\n  b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2g\n",
        ] {
            assert!(!plain(text), "{text}");
        }
    }
}
