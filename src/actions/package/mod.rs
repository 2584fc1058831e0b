//! `package`: packages of the distribution that are installed, at their newest, or gone.

mod install;
mod remove;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use super::apt;
use super::values::Names;
use super::{Action, Ask, Change, Object, Plan, Target, hints};
use crate::event::Difference;
use crate::reads::{Read, Readings, Seen};
use install::Missing;

/// Packages of Debian or Ubuntu, by apt.
///
/// Its lists are brought up to date where that is needed: they are older than a day or than a source that was added, or do not
/// know a package that is asked for. Whoever holds a lock of the package manager is waited for, and what a run that was cut
/// left half done is completed first. Nothing is removed to make room for what is installed: where that would have to be, the
/// step fails and says so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Package(Parameters);

/// The parameters of [`Package`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Its name, or a list of several, which are installed together.
    name: Names,
    /// `present` (the default); `latest`, in the version that apt would choose; or `absent`: what depends on it goes too, and
    /// is shown before, but settings stay.
    #[serde(default)]
    state: State,
    /// The version to have, of one package: its upstream part as far as it matters (`2.10`), or the whole of it. An older one
    /// takes the place of a newer one too. Any will do where none is given.
    version: Option<String>,
    /// Whether it is held, so that no upgrade but this step's changes it. Where nothing is said, what somebody held stays so.
    hold: Option<bool>,
    /// Whether what it recommends is installed along with it. Where nothing is said, apt's own settings decide.
    recommends: Option<bool>,
}

/// What there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is installed.
    #[default]
    Present,
    /// It is installed, and apt has no newer one.
    Latest,
    /// It is not installed.
    Absent,
}

impl TryFrom<Parameters> for Package {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        let names = &asked.name.0;
        if names.is_empty() {
            return Err("`name` is an empty list".into());
        }
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(format!("{name:?} is no package's name: small letters, digits, `+`, `-` and `.`"));
        }
        match (&asked.version, asked.state) {
            (Some(_), State::Latest | State::Absent) => Err("`version` goes with `state: present` alone".into()),
            (Some(_), State::Present) if names.len() > 1 => Err("`version` is for one package, not for several".into()),
            (Some(version), _) if !is_version(version) => Err(format!("{version:?} is no package's version")),
            _ if asked.state == State::Absent && asked.hold.is_some() => Err("what is absent cannot be held".into()),
            _ => Ok(Self(asked)),
        }
    }
}

fn is_name(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    first && name.len() > 1 && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

fn is_version(version: &str) -> bool {
    let first = version.starts_with(|c: char| c.is_ascii_digit());
    first && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-' | b'~' | b':'))
}

impl Action for Package {
    fn describe(&self) -> String {
        let what = if self.names().len() == 1 { "package" } else { "packages" };
        let names = self.names().join(", ");
        match (self.0.state, &self.0.version) {
            (State::Absent, _) => format!("no {what} {names}"),
            (State::Latest, _) => format!("{what} {names} (latest)"),
            (State::Present, Some(version)) => format!("{what} {names} {version}"),
            (State::Present, None) => format!("{what} {names}"),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "package", name: self.names().join(", ") })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut reads: Vec<Read> = self.names().iter().map(|name| Read::Package(name.clone())).collect();
        let there = self.installed(on, seen).unwrap_or_default();
        match self.0.state {
            State::Absent => reads.extend(self.removal_reads(&there)),
            State::Latest => reads.extend(self.install_reads()),
            State::Present if there.iter().any(|one| !self.will_do(one)) => reads.extend(self.install_reads()),
            State::Present => {}
        }
        reads.into_iter().map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let planned = self.installed(on, seen).and_then(|there| match self.0.state {
            State::Absent => self.removed(&there, on, seen),
            State::Present if there.iter().all(|one| self.will_do(one)) => Ok(self.marked(&there)),
            State::Present | State::Latest => self.added(&there, on, seen),
        });
        planned.unwrap_or_else(|other| other)
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::packages(said)
    }
}

/// A package as it is.
struct There<'a> {
    name: &'a str,
    /// dpkg's word, where it is anything at all.
    status: Option<&'a str>,
    version: &'a str,
    held: bool,
}

impl There<'_> {
    fn whole(&self) -> bool {
        self.status == Some("installed")
    }

    fn told(&self) -> String {
        match self.status {
            Some("installed") => self.version.to_owned(),
            Some(status) => status.to_owned(),
            None => "not installed".into(),
        }
    }
}

impl Package {
    fn names(&self) -> &[String] {
        &self.0.name.0
    }

    /// What is there of each of them. Settings that were left behind are nothing.
    fn installed<'a>(&'a self, on: &Target, seen: &Readings<'a>) -> Result<Vec<There<'a>>, Plan> {
        let there = |name: &'a String| match seen.package(&on.host.name, name) {
            Seen::Is(package) if package.status != "config-files" => {
                let (status, version) = (Some(package.status.as_str()), package.version.as_str());
                Ok(There { name, status, version, held: package.held })
            }
            Seen::Is(_) | Seen::Absent => Ok(There { name, status: None, version: "", held: false }),
            Seen::Unread(why) => Err(Plan::unread("which packages are installed", &why)),
        };
        self.names().iter().map(there).collect()
    }

    /// Whether what is installed will do, whatever else apt may have.
    fn will_do(&self, there: &There<'_>) -> bool {
        there.whole() && self.0.version.as_ref().is_none_or(|asked| apt::matches(there.version, asked))
    }

    /// All are installed: only whether they are held may differ.
    fn marked(&self, there: &[There<'_>]) -> Plan {
        let changes: Vec<Change> = self.unheld(there).into_iter().chain(self.held(there, &[])).collect();
        if changes.is_empty() { Plan::Settled } else { Plan::Change(changes) }
    }

    fn unheld(&self, there: &[There<'_>]) -> Option<Change> {
        let held: Vec<String> = there.iter().filter(|one| one.held).map(|one| one.name.to_owned()).collect();
        let loosen = self.0.hold == Some(false) && !held.is_empty();
        loosen.then(|| Change::run(format!("{} is held", held.join(", ")), apt::unhold(&held)))
    }

    /// apt forgets that a package was held when it installs another version of it.
    fn held(&self, there: &[There<'_>], missing: &[Missing<'_>]) -> Option<Change> {
        let installs = |one: &There<'_>| missing.iter().any(|missing| missing.is.name == one.name);
        let wanted = |one: &There<'_>| self.0.hold.unwrap_or(one.held);
        let loose = there.iter().filter(|one| wanted(one) && (!one.held || installs(one)));
        let loose: Vec<String> = loose.map(|one| one.name.to_owned()).collect();
        let why = "an upgrade by itself would change it";
        (!loose.is_empty()).then(|| Change::run(why, apt::hold(&loose)))
    }
}

fn differs(name: &str, is: String, asked: String) -> Difference {
    Difference { field: name.into(), is, asked }
}
