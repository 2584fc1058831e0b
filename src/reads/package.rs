//! Packages of dpkg.

use super::{Part, Read, Readings, Seen, Value};
use crate::remote::{Output, quote};

/// A package that dpkg knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its version; empty where only its settings are left.
    pub version: String,
    /// dpkg's word for its state: `installed`, `half-configured`, `config-files`, …
    pub status: String,
    /// Whether it is held at its version.
    pub held: bool,
}

impl Package {
    /// Whether it is installed, wholly.
    pub fn installed(&self) -> bool {
        self.status == "installed"
    }
}

/// All packages are listed, those asked for are shown; `whole` says that the list was read to its end. Each line begins with
/// a blank, so that ` name ` finds the name and not the end of another.
pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let reads: Vec<Read> = reads.iter().filter(|read| name(read).is_some()).cloned().collect();
    if reads.is_empty() {
        return Vec::new();
    }
    let wanted: String = reads.iter().filter_map(name).map(|n| format!(" -e {}", quote(&format!(" {n} ")))).collect();
    let format = " ${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\\n";
    let script = format!(
        "export LC_ALL=C\nlist=$(dpkg-query -W -f '{format}') || exit\n\
         printf '%s\\n' \"$list\" | grep -F{wanted}\necho whole\n"
    );
    vec![Part { script, reads, understand, deadline: 10 }]
}

fn name(read: &Read) -> Option<&str> {
    match read {
        Read::Package(name) => Some(name),
        _ => None,
    }
}

fn understand(reads: &[Read], output: &Output) -> Vec<Seen<Value>> {
    let text = output.text();
    let answer = |read: &Read| match text.lines().last() {
        Some("whole") => package(name(read).unwrap_or_default(), &text),
        _ => Seen::Unread(format!("dpkg's list could not be read: {}", output.errors())),
    };
    reads.iter().map(answer).collect()
}

/// dpkg keeps a line for what was once removed, and for foreign architectures: the best line counts.
fn package(name: &str, text: &str) -> Seen<Value> {
    let lines = text.lines().filter_map(|line| line.trim_start().split_once(' ')).filter(|(n, _)| *n == name);
    let known = lines.filter_map(|(_, state)| parse(state)).filter(|package| package.status != "not-installed");
    known.max_by_key(Package::installed).map_or(Seen::Absent, |package| Seen::Is(Value::Package(package)))
}

fn parse(state: &str) -> Option<Package> {
    let mut words = state.splitn(3, ' ');
    let (want, status) = (words.next()?, words.next()?);
    let version = words.next().unwrap_or_default().trim().to_owned();
    Some(Package { version, status: status.to_owned(), held: want == "hold" })
}

impl<'a> Readings<'a> {
    /// A package.
    pub fn package(&self, host: &str, name: &str) -> Seen<&'a Package> {
        self.value(host, &Read::Package(name.into()), |value| match value {
            Value::Package(package) => Some(package),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reads::testing::ran;

    fn read(name: &str) -> Read {
        Read::Package(name.into())
    }

    #[test]
    fn the_real_list_has_what_is_installed_and_lacks_what_is_not() {
        let parts = crate::reads::parts([read("dpkg"), read("no-such-package"), read("dpk")]);
        let seen = ran(&parts[0]);
        assert!(matches!(&seen[0], Seen::Is(Value::Package(p)) if p.installed() && !p.version.is_empty()), "{seen:?}");
        assert_eq!(seen[1..], [Seen::Absent, Seen::Absent]);
    }

    #[test]
    fn a_list_that_was_not_read_whole_says_nothing() {
        let output = Output { code: 2, stdout: b"dpkg install installed 1.21".into(), stderr: b"corrupt".into() };
        assert_eq!(
            understand(&[read("dpkg")], &output),
            [Seen::Unread("dpkg's list could not be read: corrupt".into())]
        );
    }

    #[test]
    fn holds_and_left_over_settings_are_seen() {
        let text = "docker.io hold installed 20.10.24\ncurl deinstall config-files 7.88\nwhole";
        let output = Output { stdout: text.into(), ..Output::default() };
        let seen = understand(&[read("docker.io"), read("curl")], &output);
        let is = |version: &str, status: &str, held| {
            Seen::Is(Value::Package(Package { version: version.into(), status: status.into(), held }))
        };
        assert_eq!(seen, [is("20.10.24", "installed", true), is("7.88", "config-files", false)]);
    }
}
