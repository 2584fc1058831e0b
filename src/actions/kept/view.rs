//! What is asked for beside what the swarm has.

use super::content::Content;
use super::{Asked, Kept, Presence, Sort, Sorted, Text};
use crate::actions::diff::shown;
use crate::actions::{Change, Plan, Target, slow};
use crate::event::Difference;
use crate::reads::docker::{Info, Kept as Found, Use};
use crate::reads::{Readings, Seen};
use crate::remote::Command;
use crate::secret::Secret;

/// Its digest.
const DIGEST: &str = "skep.digest";
/// What it is a version of.
const NAME: &str = "skep.name";
/// How many versions stay where nothing is said.
const KEEP: u32 = 3;

/// What is asked for, and what was read.
pub(super) struct View<'a> {
    sort: Sort,
    asked: &'a Asked,
    host: &'a str,
    seen: &'a Readings<'a>,
    list: &'a [Found],
    content: Option<Content>,
    digest: Option<String>,
    /// Its name in the swarm: with a version.
    name: String,
}

impl<'a> View<'a> {
    /// # Errors
    /// What can be said without comparing anything.
    pub(super) fn new<P: Sorted>(kept: &'a Kept<P>, on: &'a Target, seen: &'a Readings<'a>) -> Result<Self, Plan> {
        let (sort, asked, host) = (P::SORT, &kept.asked, on.host.name.as_str());
        let content = kept.content(on, seen)?;
        if let Some(refused) = content.as_ref().and_then(|content| content.unfit(&asked.name, sort)) {
            return Err(refused);
        }
        let (info, list) = listed(sort, asked, host, seen)?;
        let sha256 = content.as_ref().and_then(Content::sha256);
        let digest = sha256.map(|sha256| digest(&sha256, sort, asked, host, info)).transpose()?;
        let name = match digest.as_ref().filter(|_| asked.versioned) {
            Some(digest) => format!("{}-{}", asked.name, &digest[..8]),
            None => asked.name.clone(),
        };
        Ok(Self { sort, asked, host, seen, list, content, digest, name })
    }

    /// Its name in the swarm, where it is to be there.
    pub(super) fn into_name(self) -> Option<String> {
        (self.asked.state == Presence::Present).then_some(self.name)
    }

    /// Whether something may be removed: then who uses it must be known.
    pub(super) fn removes(&self) -> bool {
        !self.in_the_way().is_empty() || self.found().is_none() && !self.old().is_empty()
    }

    pub(super) fn plan(self) -> Plan {
        let uses: &[Use] = match self.removes().then(|| self.seen.uses(self.host)) {
            None => &[],
            Some(Seen::Is(uses)) => uses,
            Some(Seen::Absent) => return elsewhere(self.sort, self.host),
            Some(Seen::Unread(why)) => {
                return Plan::unread(&format!("which services use {} {}", self.sort.word(), self.name), &why);
            }
        };
        let held = self.held(uses);
        match self.asked.state {
            _ if !held.is_empty() => self.used(&held, uses),
            Presence::Absent => self.absent(),
            Presence::Present => self.present(uses),
        }
    }

    fn absent(&self) -> Plan {
        match self.in_the_way().as_slice() {
            [] => Plan::Settled,
            all => Plan::Change(vec![self.remove("it is to be absent", all)]),
        }
    }

    fn present(self, uses: &[Use]) -> Plan {
        let (replaced, old) = (self.replaced(uses), self.unused(uses));
        let first = replaced
            .first()
            .map(|found| self.remove("it differs, and nothing uses it", &replaced).differing(self.differs(found)));
        let new = !replaced.is_empty() || self.found().is_none();
        // Beside a new one only: whoever changed nothing is asked about nothing.
        let prune = (new && !old.is_empty()).then(|| self.remove(&self.too_many(&old), &old));
        let why = match (&first, self.asked.versioned) {
            (Some(_), _) => "it is to be as asked",
            (None, true) => "there is no version with this content",
            (None, false) => "it is not there",
        };
        let (create, content) = (self.create(), self.content);
        let made = content.filter(|_| new).map(|content| content.into(why, create));
        let changes: Vec<Change> = first.into_iter().chain(made).chain(prune).collect();
        if changes.is_empty() { Plan::Settled } else { Plan::Change(changes) }
    }

    fn found(&self) -> Option<&'a Found> {
        self.list.iter().find(|found| found.name == self.name)
    }

    /// What must go before it is as asked.
    fn in_the_way(&self) -> Vec<&'a Found> {
        let own = |found: &&Found| found.name == self.name;
        match (self.asked.state, self.asked.versioned) {
            (Presence::Absent, true) => self.versions(),
            (Presence::Absent, false) => self.list.iter().filter(own).collect(),
            (Presence::Present, _) => {
                self.found().filter(|found| !self.differs(found).is_empty()).into_iter().collect()
            }
        }
    }

    /// The same where it can go. A version that a service uses keeps its labels: those that are asked for come with the next content.
    fn replaced(&self, uses: &[Use]) -> Vec<&'a Found> {
        let mut all = self.in_the_way();
        if self.asked.state == Presence::Present && self.asked.versioned {
            all.retain(|found| self.other_content(found) || users(&[*found], uses).is_empty());
        }
        all
    }

    /// What must go and cannot: a service holds on to it.
    fn held(&self, uses: &[Use]) -> Vec<&'a Found> {
        self.replaced(uses).into_iter().filter(|found| !users(&[*found], uses).is_empty()).collect()
    }

    fn other_content(&self, found: &Found) -> bool {
        self.digest.as_ref().is_some_and(|digest| found.labels.get(DIGEST) != Some(digest))
    }

    /// All that are a version of it.
    fn versions(&self) -> Vec<&'a Found> {
        let own = |found: &&Found| found.labels.get(NAME) == Some(&self.asked.name);
        self.list.iter().filter(own).collect()
    }

    /// Versions beyond those that stay, used or not.
    fn old(&self) -> Vec<&'a Found> {
        if self.asked.state == Presence::Absent || !self.asked.versioned {
            return Vec::new();
        }
        let mut others = self.versions();
        others.retain(|found| found.name != self.name);
        others.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        let others_stay = self.asked.keep.unwrap_or(KEEP).saturating_sub(1);
        others.into_iter().skip(others_stay as usize).collect()
    }

    fn unused(&self, uses: &[Use]) -> Vec<&'a Found> {
        self.old().into_iter().filter(|found| users(&[*found], uses).is_empty()).collect()
    }

    fn too_many(&self, old: &[&Found]) -> String {
        let names: Vec<&str> = old.iter().map(|found| found.name.as_str()).collect();
        let keep = self.asked.keep.unwrap_or(KEEP);
        format!("nothing uses {}, and {keep} are kept", names.join(", "))
    }

    fn differs(&self, found: &Found) -> Vec<Difference> {
        let content = self.other_content(found).then(|| {
            let is = if found.labels.contains_key(DIGEST) { "set" } else { "unknown" };
            Difference { field: "content".into(), is: is.into(), asked: "changed".into() }
        });
        let label = |(name, Text(asked)): (&String, &Text)| {
            let is = found.labels.get(name);
            (is != Some(asked)).then(|| shown(format!("labels.{name}"), is.map(String::as_str), asked))
        };
        content.into_iter().chain(self.asked.labels.iter().filter_map(label)).collect()
    }

    fn create(&self) -> Command {
        let word = self.sort.word();
        let base = self.asked.versioned.then(|| format!("{NAME}={}", self.asked.name));
        let labels = self.asked.labels.iter().map(|(name, Text(value))| format!("{name}={value}")).chain(base);
        let mut command = Command::new("docker").args([word, "create"]);
        command = command.args(labels.flat_map(|label| ["--label".to_owned(), label]));
        if let Some(digest) = &self.digest {
            // Slow as it is, nobody need have it.
            command = command.arg("--label").secret(Secret::new(format!("{DIGEST}={digest}")));
        }
        command.arg(&self.name).arg("-")
    }

    fn remove(&self, why: &str, all: &[&Found]) -> Change {
        let ids = all.iter().map(|found| found.id.as_str());
        Change::run(why, Command::new("docker").args([self.sort.word(), "rm"]).args(ids)).removing()
    }

    /// A service holds on to what it uses, by the name that this has in the swarm.
    fn used(&self, held: &[&Found], uses: &[Use]) -> Plan {
        let (word, name, who) = (self.sort.word(), &self.asked.name, users(held, uses).join(", "));
        let Some(found) = held.first().filter(|_| self.asked.state == Presence::Present && !self.asked.versioned)
        else {
            let gone: String = held.iter().map(|found| format!("--{word}-rm {} ", found.name)).collect();
            return Plan::refused(
                format!("{word} {name} is used by {who}"),
                format!("let the services go without it first: docker service update {gone}SERVICE"),
            );
        };
        let differs: Vec<String> =
            self.differs(found).iter().map(|d| format!("{} is {}, asked {}", d.field, d.is, d.asked)).collect();
        Plan::refused(
            format!("{word} {name} is used by {who}, and a swarm lets none be changed: {}", differs.join("; ")),
            format!(
                "let the services take a new one: put a version into its name (`name: {name}_{{{{ version }}}}`), or ask for `versioned: true`"
            ),
        )
    }
}

/// The names of the services that use one of them.
fn users<'a>(all: &[&Found], uses: &'a [Use]) -> Vec<&'a str> {
    let used = |one: &&Use| all.iter().any(|found| one.ids.contains(&found.id));
    uses.iter().filter(used).map(|one| one.service.as_str()).collect()
}

/// The engine that commands the swarm, and all that the swarm has.
fn listed<'a>(sort: Sort, asked: &Asked, host: &str, seen: &Readings<'a>) -> Result<(&'a Info, &'a [Found]), Plan> {
    let info = match seen.daemon(host) {
        Seen::Is(info) => info,
        // Where there is no swarm it has no secret.
        Seen::Absent if asked.state == Presence::Absent => return Err(Plan::Settled),
        Seen::Absent => {
            return Err(Plan::refused(format!("{host} has no Docker"), "put a `docker_engine` step before it"));
        }
        Seen::Unread(why) => return Err(Plan::unread(&format!("Docker on {host}"), &why)),
    };
    let list = match sort {
        Sort::Secret => seen.secrets(host),
        Sort::Config => seen.configs(host),
    };
    match list {
        Seen::Is(list) => Ok((info, list)),
        Seen::Absent if info.swarm.inactive() && asked.state == Presence::Absent => Err(Plan::Settled),
        Seen::Absent => Err(elsewhere(sort, host)),
        Seen::Unread(why) => Err(Plan::unread(&format!("the {}s of the swarm on {host}", sort.word()), &why)),
    }
}

fn elsewhere(sort: Sort, host: &str) -> Plan {
    Plan::refused(
        format!("{host} does not control a swarm, and {}s are kept where it is controlled", sort.word()),
        "let the step run there, after a `swarm` step: `hosts: leader`",
    )
}

/// No two swarms, and no two names in one, share a salt.
fn digest(sha256: &str, sort: Sort, asked: &Asked, host: &str, info: &Info) -> Result<String, Plan> {
    let cluster = info.swarm.cluster.as_ref().map(|cluster| cluster.id.as_str()).filter(|id| !id.is_empty());
    let cluster =
        cluster.ok_or_else(|| Plan::unread(&format!("the swarm's id on {host}"), "the engine does not say it"))?;
    Ok(slow::digest(sha256.as_bytes(), &[cluster, sort.word(), &asked.name]))
}
