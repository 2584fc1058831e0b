//! From a package that is missing, or another version, to the one that is asked for.

use super::{Change, Package, Plan, Read, Readings, Seen, State, Target, There, differs};
use crate::actions::apt::{self, Policy};

/// A package that is to be installed, and as which version, where that matters or can be told.
pub(super) struct Missing<'a> {
    pub(super) is: &'a There<'a>,
    version: Option<String>,
}

impl Package {
    pub(super) fn install_reads(&self) -> Vec<Read> {
        apt::guards().into_iter().chain([Read::Probe(apt::policy(self.names()))]).collect()
    }

    pub(super) fn added(&self, there: &[There<'_>], on: &Target, seen: &Readings<'_>) -> Result<Plan, Plan> {
        let policy = self.policy(on, seen)?;
        let missing: Vec<Missing<'_>> = there.iter().filter_map(|one| self.missing(one, &policy)).collect();
        self.held_by_others(&missing)?;
        let unknown: Vec<&str> = there.iter().map(|one| one.name).filter(|name| !self.known(name, &policy)).collect();
        if policy.fresh && policy.just && !unknown.is_empty() {
            return Err(self.no_candidate(unknown[0], &policy, on));
        }
        let update = updated(&policy, &unknown);
        if missing.is_empty() && update.is_none() {
            return Ok(self.marked(there));
        }
        let mut changes: Vec<Change> = apt::guarded(on, seen)?.into_iter().chain(update).collect();
        changes.extend(self.unheld(there));
        // A version that apt does not know yet cannot be asked for.
        let can = self.0.version.is_none() || unknown.is_empty();
        changes.extend((can && !missing.is_empty()).then(|| self.install(&missing)));
        changes.extend(self.held(there, &missing).filter(|_| can));
        Ok(Plan::Change(changes))
    }

    fn policy(&self, on: &Target, seen: &Readings<'_>) -> Result<Policy, Plan> {
        match seen.probe(&on.host.name, &apt::policy(self.names())) {
            Seen::Is(output) if output.ok() => Ok(Policy::parse(&output.text())),
            Seen::Is(output) => Err(Plan::unread("what apt can install", &output.errors())),
            Seen::Absent => Err(Plan::unread("what apt can install", "there is no apt")),
            Seen::Unread(why) => Err(Plan::unread("what apt can install", &why)),
        }
    }

    /// The version to install of a package: of those that would do the newest, else apt's own choice.
    fn choice<'p>(&self, name: &str, policy: &'p Policy) -> Option<&'p str> {
        match &self.0.version {
            Some(asked) => policy.versions(name).find(|version| apt::matches(version, asked)),
            None => policy.candidate(name),
        }
    }

    fn known(&self, name: &str, policy: &Policy) -> bool {
        self.choice(name, policy).is_some()
    }

    fn missing<'a>(&self, is: &'a There<'a>, policy: &Policy) -> Option<Missing<'a>> {
        let choice = self.choice(is.name, policy);
        let newest = self.0.state != State::Latest || choice.is_none_or(|choice| choice == is.version);
        let missing = !self.will_do(is) || !newest;
        missing.then(|| Missing { is, version: choice.map(str::to_owned) })
    }

    /// Somebody wants a package to stay as it is; that a step wants its newest version says nothing about that.
    fn held_by_others(&self, missing: &[Missing<'_>]) -> Result<(), Plan> {
        let held = missing.iter().find(|one| one.is.held && one.is.whole());
        let Some(Missing { is, version }) = held.filter(|_| self.0.hold.is_none() && self.0.version.is_none()) else {
            return Ok(());
        };
        let why =
            format!("{} is held at {}, and there is {}", is.name, is.version, version.as_deref().unwrap_or("more"));
        let hint = "say `hold: true` if only this step is to change it, or `hold: false` if anything may";
        Err(Plan::refused(why, hint))
    }

    fn install(&self, missing: &[Missing<'_>]) -> Change {
        let named = |one: &Missing<'_>| match one.version.as_ref().filter(|_| self.0.version.is_some()) {
            Some(version) => format!("{}={version}", one.is.name),
            None => one.is.name.to_owned(),
        };
        let names: Vec<String> = missing.iter().map(named).collect();
        let why: Vec<String> = missing.iter().map(|one| self.why(one)).collect();
        let asked = |one: &Missing<'_>| one.version.clone().unwrap_or_else(|| "installed".into());
        let differs = missing.iter().map(|one| differs(one.is.name, one.is.told(), asked(one)));
        Change::run(why.join(", "), apt::add(&self.options(), &names)).differing(differs.collect())
    }

    fn why(&self, missing: &Missing<'_>) -> String {
        let There { name, version, .. } = missing.is;
        match (missing.is.status, &self.0.version) {
            (None, _) => format!("{name} is not installed"),
            (Some("installed"), Some(asked)) => format!("{name} {version} is installed, and {asked} is asked for"),
            (Some("installed"), None) => format!("{name} {version} is not the newest"),
            (Some(status), _) => format!("{name} is {status}"),
        }
    }

    fn options(&self) -> Vec<&'static str> {
        let recommends = self.0.recommends.map(|with| match with {
            true => "--install-recommends",
            false => "--no-install-recommends",
        });
        let held = (self.0.hold.is_some() || self.0.version.is_some()).then_some("--allow-change-held-packages");
        let older = self.0.version.is_some().then_some("--allow-downgrades");
        [recommends, held, older].into_iter().flatten().collect()
    }

    fn no_candidate(&self, name: &str, policy: &Policy, on: &Target) -> Plan {
        let version = self.0.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let why = format!("apt knows no package {name}{version} on {}", on.host.name);
        let others: Vec<&str> = policy.versions(name).take(5).collect();
        match others.is_empty() {
            true => Plan::refused(
                why,
                format!(
                    "see there whether the name is right (apt-cache search {name}), and what `apt-get update` says"
                ),
            ),
            false => Plan::refused(why, format!("set `version` to one it knows: {}", others.join(", "))),
        }
    }
}

/// Brings apt's lists up to date where they are old, or know less than what is asked for.
fn updated(policy: &Policy, unknown: &[&str]) -> Option<Change> {
    let unknown = unknown.first().map(|name| Change::run(format!("apt does not know {name} yet"), apt::update()));
    apt::refreshed(policy.fresh).or(unknown)
}
