//! The keys that a user may log in with: lines of `authorized_keys`, as sshd(8) describes them.

use data_encoding::BASE64;

use crate::event::Difference;

/// A key, and what it may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    options: String,
    kind: String,
    blob: String,
    comment: String,
}

impl Key {
    /// Understands one line; what is no key is nothing.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (first, rest) = word(line)?;
        let (options, kind, rest) = match is_kind(first) {
            true => ("", first, rest),
            false => word(rest).map(|(kind, rest)| (first, kind, rest))?,
        };
        let (blob, comment) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let key = [options, kind, blob, comment.trim()].map(str::to_owned);
        let [options, kind, blob, comment] = key;
        (is_kind(&kind) && names(&blob, &kind)).then_some(Self { options, kind, blob, comment })
    }

    fn line(&self) -> String {
        let words = [&self.options, &self.kind, &self.blob, &self.comment];
        words.into_iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// Enough of it to know it by.
    fn told(&self) -> String {
        let end = &self.blob[self.blob.len().saturating_sub(12)..];
        format!("{} …{end} {}", self.kind, self.comment).trim_end().to_owned()
    }

    /// What is said about a key is no difference; what it may be used for is one.
    fn same(&self, other: &Self) -> bool {
        self.blob == other.blob && self.options == other.options
    }
}

/// The first word, and what follows; a blank between quotes ends none.
fn word(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.char_indices().find(|(at, c)| {
        quoted ^= *c == '"' && !text[..*at].ends_with('\\');
        c.is_whitespace() && !quoted
    });
    let (end, _) = end?;
    Some((&text[..end], text[end..].trim_start()))
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|begin| word.starts_with(begin))
}

/// Whether a key names its own kind, as RFC 4253 section 6.6 says.
fn names(blob: &str, kind: &str) -> bool {
    let Ok(bytes) = BASE64.decode(blob.as_bytes()) else { return false };
    bytes.get(..4).is_some_and(|length| length == (kind.len() as u32).to_be_bytes())
        && bytes.get(4..4 + kind.len()) == Some(kind.as_bytes())
}

/// What makes a file hold the keys that are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewrite {
    /// All of its text.
    pub text: String,
    /// Key by key.
    pub differs: Vec<Difference>,
    /// Whether somebody's key goes.
    pub removes: bool,
}

/// How the text of a file has to change; nothing where it has not. Others' keys stay, unless only those asked for may.
pub(super) fn rewrite(is: &str, asked: &[Key], exclusive: bool) -> Option<Rewrite> {
    let there: Vec<Key> = is.lines().filter_map(Key::parse).collect();
    let of = |keys: &[Key], key: &Key| keys.iter().find(|other| other.blob == key.blob).cloned();
    let missing = asked.iter().filter(|key| !there.iter().any(|other| other.same(key)));
    let missing: Vec<Difference> = missing.map(|key| differs(of(&there, key).as_ref(), Some(key))).collect();
    let others = there.iter().filter(|key| exclusive && of(asked, key).is_none());
    let others: Vec<Difference> = others.map(|key| differs(Some(key), None)).collect();
    // The same key twice, once without its limits, is open: the first line that fits is heeded.
    let loose = there.iter().filter(|key| of(asked, key).is_some_and(|asked| !asked.same(key)));
    if missing.is_empty() && others.is_empty() && loose.count() == 0 {
        return None;
    }
    let kept = |line: &&str| match Key::parse(line) {
        Some(key) => of(asked, &key).map_or(!exclusive, |asked| asked.same(&key)),
        None => !exclusive,
    };
    let mut lines: Vec<String> = is.lines().filter(kept).map(str::to_owned).collect();
    let new = asked.iter().filter(|key| !lines.iter().filter_map(|line| Key::parse(line)).any(|other| other.same(key)));
    let new: Vec<String> = new.map(Key::line).collect();
    lines.extend(new);
    let removes = !others.is_empty();
    let text = lines.iter().map(|line| format!("{line}\n")).collect();
    Some(Rewrite { text, differs: missing.into_iter().chain(others).collect(), removes })
}

fn differs(is: Option<&Key>, asked: Option<&Key>) -> Difference {
    let told = |key: &Key| if key.options.is_empty() { key.told() } else { format!("{} {}", key.options, key.told()) };
    let is = is.map_or("not there".into(), told);
    Difference { field: "key".into(), is, asked: asked.map_or("not there".into(), told) }
}

#[cfg(test)]
pub(super) mod testing {
    use super::BASE64;

    /// A line of a key whose number is this.
    pub fn line(number: u8, comment: &str) -> String {
        let kind = b"ssh-ed25519";
        let blob = [&11u32.to_be_bytes()[..], kind, &32u32.to_be_bytes(), &[number; 32]].concat();
        format!("ssh-ed25519 {} {comment}", BASE64.encode(&blob)).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::line;
    use super::*;

    fn keys(lines: &[String]) -> Vec<Key> {
        lines.iter().map(|line| Key::parse(line).expect("a key")).collect()
    }

    fn text(is: &[String], asked: &[String], exclusive: bool) -> Option<String> {
        rewrite(&(is.join("\n") + "\n"), &keys(asked), exclusive).map(|rewrite| rewrite.text)
    }

    #[test]
    fn keys_are_told_from_what_is_none() {
        let key = line(1, "bob@home");
        assert_eq!(Key::parse(&key).unwrap().line(), key);
        let limited = format!("from=\"10.0.0.1, x y\",command=\"echo \\\"a b\\\"\" {key}");
        let parsed = Key::parse(&limited).unwrap();
        assert_eq!((parsed.line(), parsed.comment.as_str()), (limited, "bob@home"));
        let blob = key.split(' ').nth(1).unwrap();
        for wrong in ["", "# x", "ssh-ed25519", "ssh-ed25519 AAAA", &format!("ssh-rsa {blob}"), &blob[..20]] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_real_key_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made =
            std::process::Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-N", "", "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
        assert!(Key::parse(&public).is_some() && Key::parse(&std::fs::read_to_string(path).unwrap()).is_none());
    }

    #[test]
    fn missing_keys_are_added_and_others_stay() {
        let (one, two) = (line(1, "one"), line(2, "two"));
        let is = ["# mine".to_owned(), one.clone()];
        assert_eq!(text(&is, &[line(1, "another comment")], false), None);
        assert_eq!(text(&is, &[], false), None);
        assert_eq!(text(&is, std::slice::from_ref(&two), false), Some(format!("# mine\n{one}\n{two}\n")));
    }

    #[test]
    fn limits_that_differ_are_set_and_a_line_without_them_goes() {
        let (open, limited) = (line(1, "one"), format!("from=\"10.0.0.1\" {}", line(1, "one")));
        let asked = [limited.clone()];
        let rewritten = rewrite(&open, &keys(&asked), false).unwrap();
        assert_eq!((rewritten.text, rewritten.removes), (format!("{limited}\n"), false));
        assert!(rewritten.differs[0].asked.starts_with("from=\"10.0.0.1\" ssh-ed25519 …"), "{:?}", rewritten.differs);
        assert_eq!(text(&[limited.clone(), open], &asked, false), Some(format!("{limited}\n")));
        assert_eq!(text(&[limited], &asked, false), None);
    }

    #[test]
    fn where_only_those_asked_for_may_be_there_others_go() {
        let (one, two) = (line(1, "one"), line(2, "two"));
        let rewritten = rewrite(&format!("# x\n{one}\n{two}\n"), &keys(std::slice::from_ref(&one)), true).unwrap();
        assert_eq!((rewritten.text, rewritten.removes), (format!("{one}\n"), true));
        assert_eq!((rewritten.differs.len(), rewritten.differs[0].asked.as_str()), (1, "not there"));
        assert_eq!(text(&["# x".into(), one.clone()], &[one], true), None);
    }
}
