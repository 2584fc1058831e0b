//! `ansible_ssh_common_args` and its like: options of `ssh`. Those that say how a host is reached are asked about as OpenSSH
//! understands them (`ssh -G`); the others are named.

use super::words::{Word, words};
use crate::expr::place;
use crate::yaml::{At, Error, Node};

/// Options that say how a host is reached, and have a value.
const WITH_VALUE: &str = "bBcFiIJlmopPS";
/// Those that have none.
const WITHOUT: &str = "46aACkKqxXY";
/// Options that have a value and mean something else.
const OTHERS: &str = "DLRWweEOQ";
/// Those that have none.
const PLAIN: &str = "fNnstTvVgGMy12";

/// What stands in one value.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// The words for `ssh -G`.
    pub passed: Vec<String>,
    /// The options that have no bearing, each with its place.
    pub others: Vec<(String, At)>,
}

/// Reads one value.
///
/// # Errors
/// What is no option, at its place.
pub(super) fn read(node: &Node) -> Result<Arguments, Error> {
    let Some(text) = node.as_str() else {
        return Err(Error::at(&node.at, format!("options of `ssh` are a text, not {}", node.kind_name())));
    };
    let spot = |from, to| place(&node.at, text, Some(from..to));
    let words = words(text, false).map_err(|(at, why)| Error::at(&spot(at, at + 1), why))?;
    let (mut arguments, mut words) = (Arguments::default(), words.iter());
    while let Some(word) = words.next() {
        let (letters, at) = (word.text(), spot(word.start, word.end));
        let options = letters.strip_prefix('-').filter(|rest| !rest.is_empty() && *rest != "-");
        let options = options.ok_or_else(|| no_option(&letters, &at))?;
        arguments.word(options, &at, &mut words.by_ref().map(Word::text))?;
    }
    Ok(arguments)
}

fn no_option(word: &str, at: &At) -> Error {
    Error::at(at, format!("`{word}` is no option: `ssh` would take it for the host"))
        .with_hint("a value with spaces needs quotes: -o ProxyCommand=\"ssh -W %h:%p bastion\"")
}

impl Arguments {
    /// Options without a value may share a word; one with a value has the rest of it, or the next one.
    fn word(&mut self, options: &str, at: &At, next: &mut impl Iterator<Item = String>) -> Result<(), Error> {
        for (place, option) in options.char_indices() {
            let name = format!("-{option}");
            if WITHOUT.contains(option) {
                self.passed.push(name);
            } else if PLAIN.contains(option) {
                self.others.push((name, at.clone()));
            } else {
                return self.with_value(name, &options[place + option.len_utf8()..], at, next);
            }
        }
        Ok(())
    }

    fn with_value(
        &mut self,
        name: String,
        rest: &str,
        at: &At,
        next: &mut impl Iterator<Item = String>,
    ) -> Result<(), Error> {
        let (is_passed, is_other) = (WITH_VALUE.contains(&name[1..]), OTHERS.contains(&name[1..]));
        if !is_passed && !is_other {
            return Err(Error::at(at, format!("`ssh` has no option `{name}`")).with_hint("see ssh(1)"));
        }
        let value = if rest.is_empty() { next.next() } else { Some(rest.to_owned()) };
        let value = value.ok_or_else(|| Error::at(at, format!("the option `{name}` wants a value")))?;
        match is_passed {
            true => self.passed.extend([name, value]),
            false => self.others.push((name, at.clone())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_parted_as_ssh_parts_them() {
        let node = |text: &str| crate::yaml::parse("x", format!("'{text}'")).expect("it is YAML");
        for (text, passed, named_there) in [
            (
                "-o ProxyCommand=\"ssh -W %h:%p -q gate\" -oPort=22",
                "-o|ProxyCommand=ssh -W %h:%p -q gate|-o|Port=22",
                "",
            ),
            ("-4Cp2222 -J a,b -F x", "-4|-C|-p|2222|-J|a,b|-F|x", ""),
            ("-vvv -W x:22 -L 1:b:2 -A", "-A", "-v|-v|-v|-W|-L"),
            ("  ", "", ""),
            ("-o a=#x", "-o|a=#x", ""),
        ] {
            let Arguments { passed: is, others } = read(&node(text)).expect("it is well formed");
            let named: Vec<_> = others.into_iter().map(|(option, _)| option).collect();
            assert_eq!((is.join("|").as_str(), named.join("|").as_str()), (passed, named_there), "{text}");
        }
        for (text, why, spot) in [
            ("-4 gate", "`gate` is no option", "gate"),
            ("-4 -z", "`ssh` has no option `-z`", "-z"),
            ("-4 -o", "the option `-o` wants a value", "-o"),
            ("-4 --", "`--` is no option", "--"),
            ("-4 \"x", "this quote is never closed", "\""),
        ] {
            let error = read(&node(text)).expect_err(text);
            assert!(error.message.starts_with(why), "{text}: {}", error.message);
            assert_eq!(error.at.map(|at| at.text().to_owned()).as_deref(), Some(spot), "{text}");
        }
    }
}
