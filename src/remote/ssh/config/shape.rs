//! Which hosts a configuration cannot tell apart, so that `ssh` need not be asked about each.
//!
//! This is no evaluator: it only looks for what can make a difference, and where it is not sure, `ssh` is asked.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::hostkeys::{glob, listed};

/// The deepest chain of `Include`s, as in OpenSSH.
const DEEPEST: usize = 16;

/// Keywords whose tokens `ssh -G` leaves as they are; in the values of others it puts what is one host's own.
const AS_WRITTEN: [&str; 6] =
    ["identityfile", "certificatefile", "proxycommand", "controlpath", "localcommand", "remotecommand"];

/// Whether options mean the same for all hosts: no other file is read, and no value is a host's own or made from its name.
pub(super) fn are_the_same_for_all(options: &[String]) -> bool {
    let is_own = |option: &String| {
        let word = option.split(['=', ' ']).next().unwrap_or_default().to_lowercase();
        option == "-F" || word == "hostname" || (option.contains('%') && !AS_WRITTEN.contains(&word.as_str()))
    };
    !options.iter().any(is_own)
}

/// What in a configuration depends on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The patterns of each `Host` line.
    blocks: Vec<Vec<String>>,
    /// Whether only `ssh` can say: there is a `Match`, or a value made from the host's name.
    opaque: bool,
}

impl Shape {
    /// Reads the files as far as is needed. `home` is the folder of the user's own one, `system` that of the system's.
    pub fn read(files: &[PathBuf], home: &Path, system: &Path) -> Self {
        let mut shape = Self::default();
        for file in files {
            let base = if file.starts_with(system) { system } else { home };
            shape.file(file, base, 0);
        }
        shape
    }

    /// Hosts with the same one are told the same; nothing where each is to be asked about.
    pub fn class(&self, host: &str) -> Option<Vec<bool>> {
        let matches = |patterns: &Vec<String>| chosen(patterns, host);
        (!self.opaque).then(|| self.blocks.iter().map(matches).collect())
    }

    fn file(&mut self, file: &Path, base: &Path, depth: usize) {
        let text = fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().for_each(|line| self.line(line, base, depth));
    }

    fn line(&mut self, line: &str, base: &Path, depth: usize) {
        let line = line.trim();
        let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
        let rest = line[end..].trim_start_matches(|c: char| c.is_whitespace() || c == '=');
        match line[..end].to_lowercase().as_str() {
            "host" if rest.contains(['"', '#']) => self.opaque = true,
            "host" => self.blocks.push(rest.split_whitespace().map(str::to_owned).collect()),
            "match" => self.opaque |= !rest.trim().eq_ignore_ascii_case("all"),
            "canonicalizehostname" | "hostname" => self.opaque = true,
            "include" => rest.split_whitespace().for_each(|path| self.include(path, base, depth)),
            word => self.opaque |= rest.contains('%') && !AS_WRITTEN.contains(&word),
        }
    }

    fn include(&mut self, path: &str, base: &Path, depth: usize) {
        let odd = |path: &str| path.contains(['"', '%', '$', '[', '?', '#']);
        let path = match (path.strip_prefix("~/"), super::tokens::home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => base.join(path),
        };
        let (folder, name) = (path.parent().unwrap_or(base), path.file_name().unwrap_or_default().to_string_lossy());
        if depth >= DEEPEST || odd(&path.to_string_lossy()) || folder.to_string_lossy().contains('*') {
            self.opaque = true;
        } else if name.contains('*') {
            let pattern = [name.into_owned()];
            let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let mut files: Vec<_> = entries.filter(|file| named(file, &pattern)).collect();
            files.sort();
            files.iter().for_each(|file| self.file(file, base, depth + 1));
        } else {
            self.file(&path, base, depth + 1);
        }
    }
}

/// Whether a `Host` line means that host: letter by letter, unlike a line of known_hosts.
fn chosen(patterns: &[String], host: &str) -> bool {
    let no = |pattern: &String| pattern.strip_prefix('!').is_some_and(|pattern| glob(pattern, host));
    !patterns.iter().any(no) && patterns.iter().any(|pattern| glob(pattern, host))
}

fn named(file: &Path, pattern: &[String]) -> bool {
    file.file_name().is_some_and(|name| listed(pattern, &name.to_string_lossy().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(files: &[(&str, &str)]) -> Shape {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Shape::read(&[folder.path().join("config")], folder.path(), Path::new("/etc/ssh"))
    }

    #[test]
    fn hosts_of_the_same_blocks_are_one_class() {
        let shape = shape(&[
            ("config", "# Match host x\nInclude more-*\nHost=*\n User ann\nMatch all\nHost web* !web9\n Port 2222\n"),
            ("more-a", "host db\n"),
            ("more-b", "HOST 10.0.0.?\n"),
        ]);
        assert_eq!(shape.class("one"), shape.class("two"));
        assert_eq!(shape.class("one"), shape.class("web9"));
        assert_eq!(shape.class("web1"), shape.class("web2"));
        assert_ne!(shape.class("web1"), shape.class("WEB2"), "letters of both sizes are told apart");
        let classes = ["one", "web1", "db", "10.0.0.7"].map(|host| shape.class(host).expect("known"));
        assert!(classes.iter().enumerate().all(|(at, class)| !classes[..at].contains(class)), "{classes:?}");
    }

    #[test]
    fn what_only_ssh_can_tell_is_left_to_it() {
        for text in [
            "Match exec true",
            "HostName %h.lan",
            "CanonicalizeHostname yes",
            "UserKnownHostsFile ~/%k",
            "IdentityAgent ~/.agents/%h",
            "Include ${X}/y",
            "Host \"a b\"",
        ] {
            assert_eq!(shape(&[("config", text)]).class("one"), None, "{text}");
        }
        assert!(shape(&[("config", "Include config")]).class("one").is_none(), "it includes itself");
    }
}
