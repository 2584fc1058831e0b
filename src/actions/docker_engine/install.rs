//! From no engine to one: each round plans what can be told from what was read, and the next one goes on from there.

use super::{ALONG, Change, Command, DockerEngine, Does, Plan, Read, Readings, Seen, Source, Target, key};
use crate::actions::apt::{self, Known};
use crate::actions::{Parcel, Put};
use crate::reads::{Machine, Probe};

const KEYRING: &str = "/etc/apt/keyrings/docker.asc";
const SOURCES: &str = "/etc/apt/sources.list.d/docker.sources";

impl DockerEngine {
    pub(super) fn install_reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Read> {
        let mut reads = vec![Read::Machine, Read::Probe(self.candidates())];
        reads.extend(apt::guards());
        if self.source == Source::DockerCe {
            let file = |path: &str| Read::File { path: path.into(), content: true };
            reads.extend([file(KEYRING), file(SOURCES), Read::Package("ca-certificates".into())]);
            reads.push(Read::Probe(self.other_entries()));
            reads.extend(self.download(on, seen).map(Read::Probe));
        }
        reads
    }

    /// The changes that bring an engine nearer.
    pub(super) fn installed(&self, on: &Target, seen: &Readings<'_>, why: &str) -> Result<Plan, Plan> {
        let mended = apt::guarded(on, seen)?;
        self.no_other_entry(on, seen)?;
        let known = self.known(on, seen)?;
        let mut changes: Vec<Change> = mended.into_iter().collect();
        let fits = self.versions(&known).next().is_some();
        // What today's lists lack may have been published since.
        let known = Known { fresh: known.fresh && (fits || known.new), ..known };
        match self.source {
            Source::DockerCe => changes.extend(self.repository(on, seen, &known)?),
            Source::Distribution => changes.extend(apt::refreshed(known.fresh)),
        }
        if fits {
            changes.extend(self.settings(on, seen)?);
            changes.extend(self.packages(&known, why)?);
        } else if known.fresh && changes.is_empty() {
            return Err(self.no_candidate(&known, on));
        }
        Ok(Plan::Change(changes))
    }

    pub(super) fn candidates(&self) -> Probe {
        apt::candidates(&[self.source.packages(), &[ALONG]].concat(), SOURCES)
    }

    pub(super) fn other_entries(&self) -> Probe {
        apt::conflicting(self.repository.trim_end_matches('/'), KEYRING, SOURCES)
    }

    /// An entry for the same repository that names another keyring stops apt altogether.
    fn no_other_entry(&self, on: &Target, seen: &Readings<'_>) -> Result<(), Plan> {
        if self.source == Source::Distribution {
            return Ok(());
        }
        let found = match seen.probe(&on.host.name, &self.other_entries()) {
            Seen::Is(output) => output.text(),
            Seen::Absent => String::new(),
            Seen::Unread(why) => return Err(Plan::unread("apt's sources", &why)),
        };
        let Some(path) = found.lines().next() else { return Ok(()) };
        let why = format!("{path} has Docker's repository already, with another keyring than {KEYRING}");
        let hint = format!(
            "apt reads neither where both are there; remove that one: sudo rm {path} (of several entries, its line)"
        );
        Err(Plan::refused(why, hint))
    }

    fn known(&self, on: &Target, seen: &Readings<'_>) -> Result<Known, Plan> {
        match seen.probe(&on.host.name, &self.candidates()) {
            Seen::Is(output) if output.ok() => Ok(Known::parse(&output.text())),
            Seen::Is(output) => Err(Plan::unread("what apt can install", &output.errors())),
            Seen::Absent => Err(Plan::unread("what apt can install", "there is no apt")),
            Seen::Unread(why) => Err(Plan::unread("what apt can install", &why)),
        }
    }

    /// The versions of the engine that would do, newest first.
    fn versions<'a>(&'a self, known: &'a Known) -> impl Iterator<Item = &'a str> {
        let fits = |version: &&str| self.version.as_ref().is_none_or(|asked| apt::matches(version, asked));
        known.of(self.source.engine()).filter(fits)
    }

    fn no_candidate(&self, known: &Known, on: &Target) -> Plan {
        let engine = self.source.engine();
        let others: Vec<&str> = known.of(engine).take(5).collect();
        let asked = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let why = format!("apt knows no package {engine}{asked} on {}", on.host.name);
        match others.is_empty() {
            true => Plan::refused(why, "see what this tells there: sudo apt-get update"),
            false => Plan::refused(why, format!("set `version` to one it knows: {}", others.join(", "))),
        }
    }

    /// Engine and command in the version asked for, the rest as it comes.
    fn packages(&self, known: &Known, why: &str) -> Result<Vec<Change>, Plan> {
        let pin = self.version.as_ref().and_then(|_| self.versions(known).next());
        let own = [self.source.engine(), "docker-ce-cli", "docker-cli"];
        let named = |name: &&&str| known.of(name).next().is_some();
        let names: Vec<String> = self.source.packages().iter().filter(named).map(|name| (*name).to_owned()).collect();
        let versioned =
            |name: &String| match pin.filter(|pin| own.contains(&name.as_str()) && known.of(name).any(|v| v == *pin)) {
                Some(pin) => format!("{name}={pin}"),
                None => name.clone(),
            };
        let along = known.of(ALONG).next().map(|_| ALONG.to_owned());
        let packages: Vec<String> = names.iter().map(versioned).chain(along).collect();
        let install = Change::run(why, apt::install(&packages, pin.is_some()));
        let hold = Change::run("an upgrade by itself would stop the daemon", apt::hold(&names));
        Ok(std::iter::once(install).chain(self.hold.then_some(hold)).collect())
    }

    /// Docker's repository, trusted by no key but the one with the published fingerprint.
    fn repository(&self, on: &Target, seen: &Readings<'_>, known: &Known) -> Result<Vec<Change>, Plan> {
        let machine = match seen.machine(&on.host.name) {
            Seen::Is(machine) => machine,
            Seen::Absent => return Err(Plan::unread("the machine", "it tells nothing")),
            Seen::Unread(why) => return Err(Plan::unread("the machine", &why)),
        };
        if !self.can_fetch(on, seen) {
            let install = apt::install(&["ca-certificates".into()], false);
            let why = "without authorities no web server can be trusted";
            return Ok(apt::refreshed(known.fresh).into_iter().chain([Change::run(why, install)]).collect());
        }
        let (keyring, sources) = (content(on, seen, KEYRING)?, content(on, seen, SOURCES)?);
        let mut changes = Vec::new();
        if !keyring.as_ref().is_some_and(|text| self.trusted(text)) {
            let folder = Command::new("mkdir").args(["-p", "/etc/apt/keyrings"]);
            changes.push(Change::run("there may be no folder for keys", folder));
            changes.push(put("Docker's key is not here", KEYRING, self.fetched(on, seen)?));
        }
        let entry = self.entry(machine);
        if sources.as_ref() != Some(&entry) {
            changes.push(put("Docker's repository is not known", SOURCES, entry));
        }
        let update = Change::run("the repository is new", apt::update());
        Ok(match changes.is_empty() {
            true => apt::refreshed(known.fresh).into_iter().collect(),
            false => changes.into_iter().chain([update]).collect(),
        })
    }

    fn can_fetch(&self, on: &Target, seen: &Readings<'_>) -> bool {
        let authorities = seen.package(&on.host.name, "ca-certificates").is();
        !self.repository.starts_with("https:") || authorities.is_some_and(|package| package.installed())
    }

    /// What downloads the key, where that is needed and can be done.
    fn download(&self, on: &Target, seen: &Readings<'_>) -> Option<Probe> {
        let keyring = content(on, seen, KEYRING).ok()?;
        let machine = seen.machine(&on.host.name).is()?;
        let needed = !keyring.is_some_and(|text| self.trusted(&text)) && self.can_fetch(on, seen);
        needed.then(|| apt::fetch(&format!("{}/gpg", self.site(machine))))
    }

    /// The key, once its fingerprint was found to be the published one.
    fn fetched(&self, on: &Target, seen: &Readings<'_>) -> Result<String, Plan> {
        let Some(download) = self.download(on, seen) else {
            return Err(Plan::unread("Docker's key", "it was not fetched"));
        };
        let text = match seen.probe(&on.host.name, &download) {
            Seen::Is(output) if output.ok() => output.text() + "\n",
            Seen::Is(output) => {
                return Err(Plan::refused(
                    format!("Docker's key cannot be fetched: {}", output.errors()),
                    self.fetch_hint(),
                ));
            }
            Seen::Absent => return Err(Plan::unread("Docker's key", "it is not there")),
            Seen::Unread(why) => return Err(Plan::unread("Docker's key", &why)),
        };
        match self.trusted(&text) {
            true => Ok(text),
            false => Err(self.wrong_key(&text)),
        }
    }

    fn fetch_hint(&self) -> String {
        format!("the host must reach {}; or set `source: distribution`, or `repository` to a mirror", self.repository)
    }

    fn wrong_key(&self, text: &str) -> Plan {
        let found = match key::fingerprints(text) {
            Some(found) => format!("has the fingerprint {}", found.join(" and ")),
            None => "is no key at all".into(),
        };
        let why = format!("what {} gives as its key {found}, and not {}", self.repository, self.fingerprint);
        Plan::refused(
            why,
            "it was not trusted. Someone between the host and the server may have changed it: a proxy, a portal",
        )
    }

    fn trusted(&self, keyring: &str) -> bool {
        let asked = self.fingerprint.replace(' ', "").to_uppercase();
        key::fingerprints(keyring).is_some_and(|found| found == [asked])
    }

    fn site(&self, machine: &Machine) -> String {
        format!("{}/{}", self.repository.trim_end_matches('/'), machine.id)
    }

    /// The repository's entry, as sources.list(5) describes deb822.
    fn entry(&self, machine: &Machine) -> String {
        format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\nArchitectures: {}\nSigned-By: {KEYRING}\n",
            self.site(machine),
            machine.codename,
            self.channel,
            machine.architecture
        )
    }
}

/// The text of a file; nothing where there is none.
fn content(on: &Target, seen: &Readings<'_>, path: &str) -> Result<Option<String>, Plan> {
    match seen.content(&on.host.name, path) {
        Seen::Is(file) => Ok(Some(String::from_utf8_lossy(file.content.as_deref().unwrap_or_default()).into_owned())),
        Seen::Absent => Ok(None),
        Seen::Unread(why) => Err(Plan::unread(path, &why)),
    }
}

fn put(why: &str, path: &str, text: String) -> Change {
    let (content, mode) = (Parcel::Bytes(text.into()), Some("0644".into()));
    Change::new(why, Does::Put(Put { path: path.into(), content, mode, owner: None }))
}
