//! The folder that an image is built from, on the workstation: which files are sent, and one digest of them all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// What an image is built from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Context {
    /// The folder, absolute.
    pub folder: PathBuf,
    /// The Dockerfile in it. What `DOCKERFILE.dockerignore` names is left out, or where there is none, what
    /// `.dockerignore` names: so that several images can be built from one folder, each again only for its own files
    /// (<https://docs.docker.com/build/concepts/context/#filename-and-location>).
    pub dockerfile: String,
    /// Further files: name in the archive, and where they are.
    pub extra: Vec<(String, PathBuf)>,
}

/// A file, folder or link of a build context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the archive, with `/` between folders.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Context {
    /// All entries that are not left out, the Dockerfile in any case, and the extra ones, by name.
    ///
    /// # Errors
    /// A folder or an ignore file cannot be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let ignore = self.ignore()?;
        let mut all = Vec::new();
        walk(&self.folder, "", &ignore, &mut all)?;
        let dockerfile = (self.dockerfile.clone(), self.folder.join(&self.dockerfile));
        for (name, path) in self.extra.iter().chain([&dockerfile]) {
            all.retain(|entry| entry.name != *name);
            all.push(Entry { name: name.clone(), path: path.clone() });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Where what is sent of an entry is: what is put in from outside the folder may be a link to what is meant.
    ///
    /// # Errors
    /// It is a link to nothing.
    pub fn source(&self, entry: &Entry) -> io::Result<PathBuf> {
        match entry.path.starts_with(&self.folder) {
            true => Ok(entry.path.clone()),
            false => entry.path.canonicalize(),
        }
    }

    /// One SHA-256 of all that is sent: names, modes as the archive has them, and contents; times and owners do not count.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn digest(&self) -> io::Result<String> {
        let mut digest = Sha256::new();
        for entry in self.entries()? {
            let path = self.source(&entry)?;
            let about = fs::symlink_metadata(&path)?;
            digest.update(format!("{}\0{:o}\0", entry.name, mode(&about)));
            digest.update(content(&path, &about)?);
        }
        Ok(HEXLOWER.encode(&digest.finalize()))
    }

    fn ignore(&self) -> io::Result<Ignore> {
        for name in [format!("{}.dockerignore", self.dockerfile), ".dockerignore".to_owned()] {
            match fs::read_to_string(self.folder.join(name)) {
                Ok(text) => return Ok(Ignore::parse(&text)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Ignore::parse(""))
    }
}

fn walk(folder: &Path, above: &str, ignore: &Ignore, all: &mut Vec<Entry>) -> io::Result<()> {
    for child in fs::read_dir(folder)? {
        let child = child?;
        let name = format!("{above}{}", child.file_name().to_string_lossy());
        let ignored = ignore.leaves_out(&name);
        if child.file_type()?.is_dir() && (!ignored || ignore.has_exceptions) {
            walk(&child.path(), &format!("{name}/"), ignore, all)?;
        }
        if !ignored {
            all.push(Entry { name, path: child.path() });
        }
    }
    Ok(())
}

/// Its kind, and the mode that it is sent with: whoever has another umask sends the same.
fn mode(about: &fs::Metadata) -> u32 {
    let mode = about.permissions().mode();
    let sent = match () {
        () if about.is_symlink() => 0o777,
        () if about.is_dir() || mode & 0o100 != 0 => 0o755,
        () => 0o644,
    };
    (mode & 0o170_000) | sent
}

/// The digest of what an entry holds, which has the same length for all: no content can pretend to be two entries.
fn content(path: &Path, about: &fs::Metadata) -> io::Result<Vec<u8>> {
    let mut digest = Sha256::new();
    if about.is_symlink() {
        digest.update(fs::read_link(path)?.to_string_lossy().as_bytes());
    } else if about.is_file() {
        io::copy(&mut fs::File::open(path)?, &mut digest)?;
    }
    Ok(digest.finalize().to_vec())
}

/// What a `.dockerignore` says: the last pattern that matches a path, or a folder above it, decides.
struct Ignore {
    patterns: Vec<(bool, Vec<String>)>,
    has_exceptions: bool,
}

impl Ignore {
    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pattern = |line: &str| {
            let (leaves_out, line) = line.strip_prefix('!').map_or((true, line), |rest| (false, rest.trim()));
            let parts = line.split('/').filter(|part| !part.is_empty() && *part != ".");
            (leaves_out, parts.map(str::to_owned).collect())
        };
        let patterns: Vec<(bool, Vec<String>)> = lines.map(pattern).collect();
        let has_exceptions = patterns.iter().any(|(leaves_out, _)| !leaves_out);
        Self { patterns, has_exceptions }
    }

    fn leaves_out(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        let within = |pattern: &[String]| (1..=parts.len()).any(|n| path_matches(pattern, &parts[..n]));
        self.patterns.iter().rev().find(|(_, pattern)| within(pattern)).is_some_and(|(leaves_out, _)| *leaves_out)
    }
}

/// `**` stands for any number of folders, also none.
fn path_matches(pattern: &[String], parts: &[&str]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => (0..=parts.len()).any(|n| path_matches(rest, &parts[n..])),
        (Some((first, rest)), Some((part, parts))) => {
            part_matches(&first.chars().collect::<Vec<_>>(), &part.chars().collect::<Vec<_>>())
                && path_matches(rest, parts)
        }
        _ => false,
    }
}

/// `*`, `?` and `[a-z]` within one name, as Go's `filepath.Match` takes them.
fn part_matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=name.len()).any(|n| part_matches(rest, &name[n..])),
        (['?', rest @ ..], [_, name @ ..]) => part_matches(rest, name),
        (['[', rest @ ..], [c, name @ ..]) => match rest.iter().position(|c| *c == ']') {
            Some(end) => class_has(&rest[..end], *c) && part_matches(&rest[end + 1..], name),
            None => false,
        },
        (['\\', p, rest @ ..], [c, name @ ..]) | ([p, rest @ ..], [c, name @ ..]) => p == c && part_matches(rest, name),
        _ => false,
    }
}

fn class_has(class: &[char], c: char) -> bool {
    match class {
        ['^', rest @ ..] => !class_has(rest, c),
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&c) || class_has(rest, c),
        [one, rest @ ..] => *one == c || class_has(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn context(folder: &tempfile::TempDir, dockerfile: &str) -> Context {
        Context { folder: folder.path().into(), dockerfile: dockerfile.into(), extra: Vec::new() }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let ignore =
            Ignore::parse("# comment\n*.log\n!keep.log\n/build\n**/cache\ndocs/*.md\n!docs/README.md\n[a-c]?.txt\n");
        for out in ["a.log", "build", "build/x/y", "x/cache", "cache", "x/cache/y", "docs/a.md", "b1.txt"] {
            assert!(ignore.leaves_out(out), "{out}");
        }
        for sent in ["keep.log", "x/a.log", "builds", "docs/README.md", "d1.txt", "docs/a/b.md"] {
            assert!(!ignore.leaves_out(sent), "{sent}");
        }
    }

    fn names(context: &Context) -> Vec<String> {
        context.entries().unwrap().into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn entries_honour_the_ignore_file_and_carry_the_extra_ones() {
        let folder = folder(&["Dockerfile", "out/keep", "out/drop", "a.log"]);
        fs::write(folder.path().join(".dockerignore"), "*.log\nout\n!out/keep\n").unwrap();
        let mut context = context(&folder, "Dockerfile");
        assert_eq!(names(&context), [".dockerignore", "Dockerfile", "out/keep"]);
        context.extra.push(("ca.crt".to_owned(), folder.path().join("a.log")));
        assert_eq!(names(&context), [".dockerignore", "Dockerfile", "ca.crt", "out/keep"]);
    }

    #[test]
    fn a_dockerfile_with_an_ignore_file_of_its_own_is_sent_with_what_that_leaves() {
        let folder = folder(&["Dockerfile_a", "Dockerfile_b", "a", "b"]);
        fs::write(folder.path().join(".dockerignore"), "a\n").unwrap();
        fs::write(folder.path().join("Dockerfile_a.dockerignore"), "*\n!a\n").unwrap();
        assert_eq!(names(&context(&folder, "Dockerfile_a")), ["Dockerfile_a", "a"]);
        let all = [".dockerignore", "Dockerfile_a", "Dockerfile_a.dockerignore", "Dockerfile_b", "b"];
        assert_eq!(names(&context(&folder, "Dockerfile_b")), all);
    }

    #[test]
    fn the_digest_follows_content_and_mode_and_not_what_is_left_out() {
        let folder = folder(&["Dockerfile", "a.log"]);
        fs::write(folder.path().join(".dockerignore"), "*.log\n").unwrap();
        let now = || context(&folder, "Dockerfile").digest().unwrap();
        let first = now();
        fs::write(folder.path().join("a.log"), "other").unwrap();
        assert_eq!(now(), first);
        fs::set_permissions(folder.path().join("Dockerfile"), fs::Permissions::from_mode(0o755)).unwrap();
        let executable = now();
        assert_ne!(executable, first);
        fs::write(folder.path().join("Dockerfile"), "FROM scratch").unwrap();
        assert_ne!(now(), executable);
    }

    #[test]
    fn the_digest_is_the_same_under_another_umask() {
        let folder = folder(&["Dockerfile", "bin/run"]);
        let with = |name: &str, mode| {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
            context(&folder, "Dockerfile").digest().unwrap()
        };
        let modes = |file, program| (with("Dockerfile", file), with("bin", program), with("bin/run", program)).2;
        let usual = modes(0o644, 0o755);
        assert_eq!(modes(0o600, 0o700), usual);
        assert_eq!(modes(0o664, 0o775), usual);
        assert_ne!(with("bin/run", 0o644), usual);
    }

    #[test]
    fn what_a_link_from_outside_means_is_sent_and_so_it_is_digested() {
        let (folder, outside) = (folder(&["Dockerfile"]), folder(&["ca-1.pem"]));
        std::os::unix::fs::symlink("ca-1.pem", outside.path().join("ca.pem")).unwrap();
        let mut context = context(&folder, "Dockerfile");
        context.extra.push(("ca.crt".to_owned(), outside.path().join("ca.pem")));
        let first = context.digest().unwrap();
        fs::write(outside.path().join("ca-1.pem"), "another").unwrap();
        assert_ne!(context.digest().unwrap(), first);
        fs::remove_file(outside.path().join("ca-1.pem")).unwrap();
        assert_eq!(context.digest().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
