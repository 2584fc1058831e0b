//! What apt would choose of what it knows, and how much that is worth.

use super::LISTS;
use crate::reads::Probe;

/// What apt would install of these packages, `fresh` where its lists are from today and newer than every source that it is
/// told of, and `just` where they were brought up to date in the last ten minutes.
pub(in crate::actions) fn policy(packages: &[String]) -> Probe {
    let partial = format!("{LISTS}/partial");
    let newer = format!("find /etc/apt/sources.list /etc/apt/sources.list.d -newer {partial} 2>/dev/null");
    let of = |age: u32| format!("[ -n \"$(find {partial} -maxdepth 0 -mmin -{age})\" ] && [ -z \"$({newer})\" ]");
    let (fresh, just) = (of(1440), of(10));
    let line = format!("{fresh} && echo fresh; {just} && echo just; true");
    Probe::new(format!("export LC_ALL=C; apt-cache policy {} || exit; {line}", packages.join(" "))).within(60)
}

/// What apt would do about packages: what [`policy`] told.
#[derive(Debug, Default, PartialEq)]
pub(in crate::actions) struct Policy {
    /// Whether its lists are new enough to lean on.
    pub fresh: bool,
    /// Whether another look at its sources would hardly tell more.
    pub just: bool,
    /// By package: what it would install, and all the versions it knows, newest first.
    choices: Vec<(String, Option<String>, Vec<String>)>,
}

impl Policy {
    pub(in crate::actions) fn parse(text: &str) -> Self {
        let mut policy = Self::default();
        for line in text.lines() {
            policy.line(line);
        }
        policy
    }

    /// `hello:`, `  Candidate: 2.10-3`, ` *** 2.10-3 500`; further in stand the sources of a version.
    fn line(&mut self, line: &str) {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            return self.choices.push((name.to_owned(), None, Vec::new()));
        }
        let Some((_, candidate, versions)) = self.choices.last_mut().filter(|_| line.starts_with(' ')) else {
            self.fresh |= line == "fresh";
            self.just |= line == "just";
            return;
        };
        if let Some(version) = line.strip_prefix("  Candidate: ") {
            *candidate = Some(version.to_owned()).filter(|version| version != "(none)");
        }
        let version = line.strip_prefix(" *** ").or_else(|| line.strip_prefix("     "));
        let version = version.filter(|rest| !rest.starts_with(' ')).and_then(|rest| rest.split(' ').next());
        versions.extend(version.map(str::to_owned));
    }

    fn choice(&self, package: &str) -> Option<&(String, Option<String>, Vec<String>)> {
        self.choices.iter().find(|(name, ..)| name == package)
    }

    /// What it would install.
    pub(in crate::actions) fn candidate(&self, package: &str) -> Option<&str> {
        self.choice(package).and_then(|(_, candidate, _)| candidate.as_deref())
    }

    /// The versions that it knows, newest first.
    pub(in crate::actions) fn versions(&self, package: &str) -> impl Iterator<Item = &str> {
        self.choice(package).into_iter().flat_map(|(_, _, versions)| versions).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_would_choose_is_understood() {
        let text = "hello:\n  Installed: 2.9-1\n  Candidate: 2.10-3\n  Version table:\n     2.10-3 500\n        \
                    500 http://deb.debian.org/debian bookworm/main amd64 Packages\n     2.10-1 500 (phased 20%)\n *** 2.9-1 100\n        \
                    100 /var/lib/dpkg/status\nnone:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\nfresh\n";
        let policy = Policy::parse(text);
        assert_eq!((policy.fresh, policy.just), (true, false));
        assert_eq!(policy.candidate("hello"), Some("2.10-3"));
        assert!(policy.versions("hello").eq(["2.10-3", "2.10-1", "2.9-1"]));
        assert_eq!(
            (policy.candidate("none"), policy.candidate("other"), policy.versions("none").count()),
            (None, None, 0)
        );
    }

    /// How new the script finds lists of that many minutes, and a source that came that many before or after them.
    fn told(minutes: i64, source_after: i64) -> Policy {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, ago: i64| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            let date = format!("@{}", std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64 - ago * 60);
            assert!(std::process::Command::new("touch").arg("-d").arg(date).arg(&path).status().unwrap().success());
            path.to_str().unwrap().to_owned()
        };
        let (source, lists) = (at("sources.list.d", minutes - source_after), at("lists/partial", minutes));
        let line = policy(&["dpkg".into()]).line.replace("/etc/apt/sources.list.d", &source);
        let line = line.replace("/etc/apt/sources.list ", "").replace("/var/lib/apt/lists/partial", &lists);
        let output = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Policy::parse(&String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn lists_are_old_after_a_day_or_where_a_source_is_newer() {
        let age = |policy: &Policy| (policy.fresh, policy.just);
        assert_eq!(age(&told(1, -60)), (true, true));
        assert_eq!(age(&told(60, -60)), (true, false));
        assert_eq!(age(&told(1500, -60)), (false, false));
        assert_eq!(age(&told(5, 2)), (false, false));
        assert!(told(1, -60).candidate("dpkg").is_some(), "apt here knows dpkg itself");
    }
}
