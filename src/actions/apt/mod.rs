//! apt and dpkg as commands: never asking, waiting for every lock, and keeping their own error text.

mod policy;

use super::ready::locked;
use super::{Change, Plan, Target};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, Output, quote};
pub(super) use policy::{Policy, policy};

/// Where apt keeps what it knows of its sources.
const LISTS: &str = "/var/lib/apt/lists";

/// `apt-get` with what holds for every call.
fn get() -> Command {
    quiet(Command::new("apt-get")).syntax("-y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3")
}

/// Nothing asks, and nothing restarts services of its own accord.
fn quiet(command: Command) -> Command {
    let quiet = [("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_SUSPEND", "1"), ("LC_ALL", "C")];
    quiet.iter().fold(command, |command, (name, value)| command.env(*name, *value))
}

/// Tries again as long as somebody holds one of the locks; else the other command decides.
fn until_free(command: &str, locks: &[&str], otherwise: &str) -> String {
    let held = |lock: &&str| format!("grep -qs \":$(stat -c %i {lock}) \" /proc/locks");
    let held: Vec<String> = locks.iter().map(held).collect();
    format!("until {command}; do {} || {otherwise}; sleep 1; done", held.join(" || "))
}

/// `DPkg::Lock::Timeout` does not cover the lists: whoever holds their lock is waited for here. A source that cannot be reached
/// is an error, or it would seem that nothing is known there; what the others told counts all the same.
pub(super) fn update() -> Command {
    let update = get().syntax("-o APT::Update::Error-Mode=any update");
    quiet(Command::sh(until_free(&update.masked(), &[&format!("{LISTS}/lock")], "exit 1")))
}

/// Installs, keeping settings that were edited. A held package or an older version is what was asked for by its version.
pub(super) fn install(packages: &[String], pinned: bool) -> Command {
    let asked: &[&str] = if pinned { &["--allow-change-held-packages", "--allow-downgrades"] } else { &[] };
    let keep = "install --no-install-recommends -o Dpkg::Options::=--force-confold";
    get().syntax(keep).args(asked.iter().copied()).args(packages)
}

/// Installs as an administrator would who wants nothing removed for it: settings that were edited are kept.
pub(super) fn add(options: &[&str], packages: &[String]) -> Command {
    let keep = "install --no-remove -o Dpkg::Options::=--force-confold";
    get().syntax(keep).args(options.iter().copied()).args(packages)
}

/// Removes packages; their settings stay.
pub(super) fn remove(packages: &[String]) -> Command {
    get().args(["remove", "--allow-change-held-packages"]).args(packages)
}

/// Tells what [`remove`] would do.
pub(super) fn removal(packages: &[String]) -> Probe {
    Probe::new(format!("export LC_ALL=C; {} --simulate", remove(packages).masked())).within(60)
}

/// Carries on what a run that was cut left half done. dpkg itself waits for no lock.
fn repair() -> Command {
    let fix = format!("{{ {}; exit; }}", get().args(["--fix-broken", "install"]).masked());
    let locks = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];
    quiet(Command::sh(until_free("dpkg --force-confold --configure -a", &locks, &fix)))
}

pub(super) fn hold(packages: &[String]) -> Command {
    Command::new("apt-mark").arg("hold").args(packages)
}

pub(super) fn unhold(packages: &[String]) -> Command {
    Command::new("apt-mark").arg("unhold").args(packages)
}

/// Prints what dpkg left half done: packages by `dpkg --audit`, and its journal.
fn audit() -> Probe {
    Probe::new("export LC_ALL=C; dpkg --audit; [ $? -le 1 ] && ls /var/lib/dpkg/updates")
}

/// What must be known before any package is touched.
pub(super) fn guards() -> [Read; 2] {
    [Read::Locks, Read::Probe(audit())]
}

/// Whoever holds a lock is waited for, and what a run that was cut left half done comes first.
pub(super) fn guarded(on: &Target, seen: &Readings<'_>) -> Result<Option<Change>, Plan> {
    if let Some(wait) = locked(seen.locks(&on.host.name)) {
        return Err(wait);
    }
    let cut = was_cut(seen.probe(&on.host.name, &audit())).map_err(|why| Plan::unread("dpkg's state", &why))?;
    Ok(cut.then(|| Change::run("a former run was cut in the middle", repair())))
}

/// Brings apt's lists up to date where they are old.
pub(super) fn refreshed(fresh: bool) -> Option<Change> {
    (!fresh).then(|| Change::run("apt's lists are old", update()))
}

/// Whether a former run was cut.
fn was_cut(seen: Seen<&Output>) -> Result<bool, String> {
    match seen {
        Seen::Is(output) if output.ok() => Ok(!output.text().is_empty()),
        Seen::Is(output) => Err(output.errors()),
        Seen::Absent => Err("there is no dpkg".into()),
        Seen::Unread(why) => Err(why),
    }
}

/// What apt could install, and `fresh` where its lists are from today and newer than the repository's entry; `new`, where
/// they were brought up to date in these minutes and no source was added since.
pub(super) fn candidates(packages: &[&str], sources: &str) -> Probe {
    let within = |minutes: u16| format!("[ -n \"$(find {LISTS}/partial -maxdepth 0 -mmin -{minutes})\" ]");
    let fresh = format!("[ ! {sources} -nt {LISTS}/partial ] && {} && echo fresh", within(1440));
    let edited = format!("find /etc/apt/sources.list /etc/apt/sources.list.d -newer {LISTS}/partial 2>/dev/null");
    let fresh = format!("{fresh} && {} && [ -z \"$({edited})\" ] && echo new", within(10));
    // Where its lists are new, it sorts them first.
    Probe::new(format!("export LC_ALL=C; apt-cache madison {} || exit; {fresh}; true", packages.join(" "))).within(60)
}

/// What apt knows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    /// Whether its lists are new enough to lean on.
    pub fresh: bool,
    /// Whether they were brought up to date just now: what they lack is not there.
    pub new: bool,
    /// Package and version, newest first.
    pub versions: Vec<(String, String)>,
}

impl Known {
    /// ` docker.io | 20.10.24+dfsg1-1 | http://deb.debian.org/debian bookworm/main amd64 Packages`
    pub(super) fn parse(text: &str) -> Self {
        let version = |line: &str| {
            let mut columns = line.split('|').map(str::trim);
            Some((columns.next()?.to_owned(), columns.next()?.to_owned()))
        };
        let is = |word: &str| text.lines().any(|line| line == word);
        Self { fresh: is("fresh"), new: is("new"), versions: text.lines().filter_map(version).collect() }
    }

    pub(super) fn of<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a str> {
        self.versions.iter().filter(move |(name, _)| name == package).map(|(_, version)| version.as_str())
    }
}

/// Whether a version is the one asked for: whole, or its upstream part up to a dot (`27.5` is 5:27.5.1-1~debian).
pub(super) fn matches(version: &str, asked: &str) -> bool {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let rest = upstream.strip_prefix(asked);
    version == asked || rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Prints the paths of entries for a repository that name another keyring than `keyring`: apt would read neither
/// (`Conflicting values set for option Signed-By`). Those of `own` are not meant.
pub(super) fn conflicting(repository: &str, keyring: &str, own: &str) -> Probe {
    let entry = format!("grep -v '^[[:space:]]*#' \"$f\" | grep -qF {}", quote(repository));
    let other = format!("[ \"$f\" != {own} ] && {entry} && ! grep -qF {keyring} \"$f\"");
    let files = "/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources";
    Probe::new(format!("for f in {files}; do [ -f \"$f\" ] && {other} && echo \"$f\"; done; true"))
}

/// Prints a file from the web; apt fetches it, for curl may be missing.
pub(super) fn fetch(url: &str) -> Probe {
    let options = "-o Acquire::Retries=3 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20";
    let fetch = format!("/usr/lib/apt/apt-helper {options} download-file {} \"$to\"", quote(url));
    let line = format!("export LC_ALL=C; to=$(mktemp) || exit; trap 'rm -f \"$to\"' EXIT; {fetch} >&2 && cat \"$to\"");
    Probe::new(line).within(100)
}

/// As a case's host answers where nothing is in the way, or with other words for locks and for what was left half done.
#[cfg(test)]
pub(super) fn case(case: super::testing::Case, locks: &str, half_done: &str) -> super::testing::Case {
    case.answers("node1", &[Read::Locks], locks).answers("node1", &[Read::Probe(audit())], half_done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_match_whole_or_up_to_a_part() {
        let full = "5:27.5.1-1~debian.12~bookworm";
        for asked in [full, "27", "27.5", "27.5.1"] {
            assert!(matches(full, asked), "{asked}");
        }
        for asked in ["2", "27.5.10", "7.5", "28"] {
            assert!(!matches(full, asked), "{asked}");
        }
        assert!(matches("20.10.24+dfsg1-1+deb12u1", "20.10.24"));
    }

    #[test]
    fn every_call_waits_for_locks_and_asks_nothing() {
        let command = install(&["docker.io".into()], false);
        let options = "-y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3";
        let keep = "--no-install-recommends -o Dpkg::Options::=--force-confold";
        assert_eq!(command.masked(), format!("apt-get {options} install {keep} docker.io"));
        for command in [command, update(), repair()] {
            assert!(command.wire().contains("export DEBIAN_FRONTEND=noninteractive"), "{}", command.wire());
        }
    }

    #[test]
    fn who_holds_a_lock_is_waited_for_and_a_failure_without_one_is_left_to_the_other_command() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("lock").to_str().unwrap().to_owned();
        let sh = |line: &str| std::process::Command::new("sh").arg("-c").arg(line).status().unwrap().success();
        assert!(sh(&format!("touch {lock}; flock {lock} sleep 1 & sleep 0.2")));
        assert!(sh(&until_free(&format!("flock -n {lock} true"), &["/no/where", &lock], "exit 1")), "it did not wait");
        assert!(sh(&until_free("false", &[&lock], "exit 0")) && !sh(&until_free("false", &[&lock], "exit 1")));
    }

    #[test]
    fn entries_with_another_keyring_are_found_and_those_with_ours_are_not() {
        let apt = tempfile::tempdir().unwrap();
        let parts = apt.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        let site = "https://download.docker.com/linux";
        for (file, text) in [
            ("gpg.list", format!("deb [signed-by=/x/docker.gpg] {site}/debian bookworm stable\n")),
            ("bare.sources", format!("Types: deb\nURIs: {site}/debian\n")),
            ("same.list", format!("deb [signed-by=/x/docker.asc] {site}/debian bookworm stable\n")),
            ("comment.list", format!(" # deb {site}/debian bookworm stable\n")),
            ("docker.sources", format!("URIs: {site}/debian\nSigned-By: /x/old.asc\n")),
        ] {
            std::fs::write(parts.join(file), text).unwrap();
        }
        let own = parts.join("docker.sources");
        let line = conflicting(site, "/x/docker.asc", own.to_str().unwrap()).line;
        let line = line.replace("/etc/apt", apt.path().to_str().unwrap());
        let output = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        let found: Vec<&str> = found.lines().filter_map(|line| line.rsplit('/').next()).collect();
        assert_eq!(found, ["gpg.list", "bare.sources"]);
    }

    #[test]
    fn candidates_are_understood() {
        let text = " docker-ce | 5:27.5.1-1~d | https://x\n docker-ce | 5:27.5.0-1~d | https://x\nfresh\n";
        let known = Known::parse(text);
        assert!(known.fresh && known.of("docker-ce").eq(["5:27.5.1-1~d", "5:27.5.0-1~d"]));
    }
}
