//! `hostname`: what the machine is called.

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Change, Does, Object, Parcel, Plan, Put, Target};
use crate::event::Difference;
use crate::reads::{File, Read, Readings, Seen};
use crate::remote::Command;

/// The machine's name, now and after each start.
///
/// It is written to `/etc/hostname` and set, with or without systemd, and `/etc/hosts` gives it at 127.0.1.1, so that it can be
/// resolved without any server. Where cloud-init is there, it is told not to set the cloud's name again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct Hostname(Parameters);

/// The parameters of [`Hostname`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Letters, digits and hyphens: `node1`. A domain may follow: `node1.example.org`.
    name: String,
    /// Whether `/etc/hosts` gives it at 127.0.1.1, and no other name there.
    #[serde(default = "yes")]
    hosts: bool,
}

fn yes() -> bool {
    true
}

const NAME: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
/// The address at which Debian's machines know themselves (Debian Reference, section 5.1.1).
const OWN: &str = "127.0.1.1";
/// What cloud-init writes `/etc/hosts` from at each start where it manages that file, which then names this one.
const MASTER: &str = "/etc/cloud/templates/hosts.debian.tmpl";
const CLOUD: &str = "/etc/cloud/cloud.cfg.d";
const KEPT: &str = "/etc/cloud/cloud.cfg.d/99_skep_hostname.cfg";

/// The most bytes that Linux takes for a name.
const LONGEST: usize = 64;

impl TryFrom<Parameters> for Hostname {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        let fits = asked.name.len() <= LONGEST && asked.name.split('.').all(is_label);
        match fits {
            true => Ok(Self(asked)),
            false => Err(format!("{:?} is no machine's name: letters, digits and hyphens between them", asked.name)),
        }
    }
}

/// RFC 1123, section 2.1.
fn is_label(label: &str) -> bool {
    let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
}

impl Action for Hostname {
    fn describe(&self) -> String {
        format!("the machine is called {}", self.0.name)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "hostname", name: String::new() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let file = |path: &str| Read::File { path: path.into(), content: true };
        let cloud = Read::File { path: CLOUD.into(), content: false };
        let kept = matches!(seen.file(&on.host.name, CLOUD), Seen::Is(_)).then(|| file(KEPT));
        let hosts = self.0.hosts.then(|| file(HOSTS));
        let managed = || matches!(text(on, seen, HOSTS), Ok(Some(hosts)) if hosts.contains(MASTER));
        let master = (self.0.hosts && managed()).then(|| file(MASTER));
        let reads = [Read::Machine, file(NAME), cloud].into_iter().chain(hosts).chain(master).chain(kept);
        reads.map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        match self.changes(on, seen) {
            Ok(changes) if changes.is_empty() => Plan::Settled,
            Ok(changes) => Plan::Change(changes),
            Err(refused) => refused,
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        let container = "a container's name is set by who starts it: docker run --hostname";
        match said {
            _ if said.contains("must be root") => Some("let the step have `become: true`".into()),
            _ if said.contains("not permitted") || said.contains("Read-only") => Some(container.into()),
            _ => None,
        }
    }
}

impl Hostname {
    /// `/etc/hosts` comes after the name: sudo looks for the name that the machine has.
    fn changes(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<Change>, Plan> {
        let lasting = self.lasting(on, seen)?;
        let now = self.now(on, seen)?;
        let hosts = if self.0.hosts { self.hosts(on, seen)? } else { Vec::new() };
        let kept = self.kept(on, seen)?;
        Ok([lasting, now].into_iter().flatten().chain(hosts).chain(kept).collect())
    }

    /// What it is called after the next start.
    fn lasting(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Change>, Plan> {
        let there = text(on, seen, NAME)?;
        let is = there.as_deref().and_then(|text| text.lines().map(str::trim).find(|line| !line.starts_with('#')));
        let differs = || differs(NAME, is.unwrap_or("not there"), &self.0.name);
        let put = || put("it would have another name after a restart", NAME, format!("{}\n", self.0.name));
        Ok((is != Some(&self.0.name)).then(|| put().differing(vec![differs()])))
    }

    fn now(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Change>, Plan> {
        let is = match seen.machine(&on.host.name) {
            Seen::Is(machine) => &machine.hostname,
            Seen::Absent => return Err(Plan::unread("the machine", "it tells nothing")),
            Seen::Unread(why) => return Err(Plan::unread("the machine", &why)),
        };
        let set = || Change::run("it has another name", Command::new("hostname").arg(&self.0.name));
        Ok((*is != self.0.name).then(|| set().differing(vec![differs("name", is, &self.0.name)])))
    }

    /// The file, and what cloud-init would write it from: where user-data says `manage_etc_hosts`, no file on the machine
    /// takes that back.
    fn hosts(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<Change>, Plan> {
        let is = text(on, seen, HOSTS)?.unwrap_or_else(|| "127.0.0.1\tlocalhost\n".into());
        let master = if is.contains(MASTER) { text(on, seen, MASTER)? } else { None };
        let master = master.and_then(|is| self.known("cloud-init would write the cloud's name there", MASTER, &is));
        Ok(self.known("the name is not known there", HOSTS, &is).into_iter().chain(master).collect())
    }

    fn known(&self, why: &str, path: &str, is: &str) -> Option<Change> {
        let asked = self.names();
        let lines: Vec<&str> = is.lines().filter_map(own_names).collect();
        if lines.len() == 1 && lines[0].split_whitespace().eq(asked.split_whitespace()) {
            return None;
        }
        let told = if lines.is_empty() { "not there".into() } else { lines.join(", ") };
        let put = put(why, path, with_own(is, &format!("{OWN}\t{asked}")));
        Some(put.differing(vec![differs(OWN, &told, &asked)]))
    }

    /// The name, and what it is without its domain.
    fn names(&self) -> String {
        match self.0.name.split_once('.') {
            Some((short, _)) => format!("{} {short}", self.0.name),
            None => self.0.name.clone(),
        }
    }

    /// cloud-init would set the name, and some images' the line of `/etc/hosts` too, when the machine starts.
    fn kept(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Change>, Plan> {
        match seen.file(&on.host.name, CLOUD) {
            Seen::Is(_) => {}
            Seen::Absent => return Ok(None),
            Seen::Unread(why) => return Err(Plan::unread(CLOUD, &why)),
        }
        let hosts = if self.0.hosts { "manage_etc_hosts: false\n" } else { "" };
        let asked = format!("# Written by skep, which gives this machine its name.\npreserve_hostname: true\n{hosts}");
        let is = text(on, seen, KEPT)?;
        Ok((is.as_ref() != Some(&asked)).then(|| put("cloud-init would set the cloud's name again", KEPT, asked)))
    }
}

/// What stands at the machine's own address in a line of `/etc/hosts`.
fn own_names(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (address, names) = line.split_once(char::is_whitespace)?;
    (address == OWN).then(|| names.trim())
}

/// The same text with one line for its own address: where the first one stood, else behind that of localhost.
fn with_own(text: &str, own: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| own_names(line).is_some());
    let local = lines.iter().position(|line| line.split_whitespace().next() == Some("127.0.0.1"));
    lines.retain(|line| own_names(line).is_none());
    let at = first.unwrap_or_else(|| local.map_or(0, |at| at + 1));
    lines.insert(at, own);
    lines.join("\n") + "\n"
}

/// The text of a file; nothing where there is none.
fn text(on: &Target, seen: &Readings<'_>, path: &str) -> Result<Option<String>, Plan> {
    match seen.content(&on.host.name, path) {
        Seen::Is(File { content: Some(bytes), .. }) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
        Seen::Is(_) => Err(Plan::refused(format!("{path} is no regular file that can be read"), "mend it by hand")),
        Seen::Absent => Ok(None),
        Seen::Unread(why) => Err(Plan::unread(path, &why)),
    }
}

fn put(why: &str, path: &str, text: String) -> Change {
    let content = Parcel::Bytes(text.into());
    Change::new(why, Does::Put(Put { path: path.into(), content, mode: Some("0644".into()), owner: None }))
}

fn differs(field: &str, is: &str, asked: &str) -> Difference {
    Difference { field: field.into(), is: is.into(), asked: asked.into() }
}
