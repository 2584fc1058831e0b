//! A file, folder or link on a host: what it is, whose, and its digest.

use data_encoding::BASE64;

use super::{Part, Read, Readings, Seen, Value, lines};
use crate::remote::quote;

/// A thing in the file system, itself and not what a link leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// What it is.
    pub kind: FileKind,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner's name (`UNKNOWN` where the id has none) and id.
    pub user: (String, u32),
    /// Its group's name and id.
    pub group: (String, u32),
    /// Bytes.
    pub size: u64,
    /// When its content last changed, in seconds since 1970 by its host's clock.
    pub modified: f64,
    /// The SHA-256 of a regular file, in hexadecimal digits, where that or its content was asked for.
    pub sha256: Option<String>,
    /// What is in it, where that was asked for and is at most 64 KiB.
    pub content: Option<Vec<u8>>,
}

/// What a thing in the file system is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A symbolic link, and what it says.
    Link(String),
    /// A device, socket or pipe.
    Other,
}

const SCRIPT: &str = include_str!("file.sh");

/// How many seconds the digests of a host may take: what is read whole may be large.
const WHOLE: u32 = 120;

/// One part for all of which only the looks are wanted, and one for all digests: what has to wait for a large file is held to
/// another deadline. Each whose content is wanted has its own, for an output is capped.
pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let these = |which: fn(&Read) -> bool| reads.iter().filter(|read| which(read)).cloned().collect::<Vec<_>>();
    let light = part(these(|read| matches!(read, Read::File { content: false, .. })), 10);
    let digests = part(these(|read| matches!(read, Read::Digest(_))), WHOLE);
    let contents = these(|read| matches!(read, Read::File { content: true, .. }));
    let contents = contents.into_iter().filter_map(|read| part(vec![read], 10));
    light.into_iter().chain(digests).chain(contents).collect()
}

fn part(reads: Vec<Read>, deadline: u32) -> Option<Part> {
    let calls: String = reads.iter().map(call).collect();
    let understand = |reads: &[Read], output: &_| lines(reads, output, |_, line| parse(line));
    (!reads.is_empty()).then(|| Part { script: format!("{SCRIPT}{calls}"), reads, understand, deadline })
}

fn call(read: &Read) -> String {
    match read {
        Read::File { path, content: false } => format!("look {} looks\n", quote(path)),
        Read::File { path, content: true } => format!("look {} content\n", quote(path)),
        Read::Digest(path) => format!("look {} digest\n", quote(path)),
        _ => String::new(),
    }
}

fn parse(line: &str) -> Seen<Value> {
    if line == "absent" {
        return Seen::Absent;
    }
    if let Some(why) = line.strip_prefix("unread ") {
        return Seen::Unread(why.into());
    }
    match file(line) {
        Some(file) => Seen::Is(Value::File(Box::new(file))),
        None => Seen::Unread(format!("not understood: {line}")),
    }
}

fn file(line: &str) -> Option<File> {
    let mut words = line.split(' ');
    let mut next = || words.next();
    let (kind, mode) = (next()?, u32::from_str_radix(next()?, 8).ok()?);
    let (uid, gid) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (user, group) = ((next()?.to_owned(), uid), (next()?.to_owned(), gid));
    let (size, modified) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let sha256 = Some(next()?).filter(|s| s.len() == 64).map(str::to_owned);
    let content = bytes(next()?)?;
    let kind = match kind {
        "file" => FileKind::Regular,
        "folder" => FileKind::Folder,
        "link" => FileKind::Link(String::from_utf8_lossy(content.as_deref()?).into_owned()),
        _ => FileKind::Other,
    };
    let content = content.filter(|_| kind == FileKind::Regular);
    Some(File { kind, mode, user, group, size, modified, sha256, content })
}

/// `-` is not read, `=` is read and empty.
fn bytes(word: &str) -> Option<Option<Vec<u8>>> {
    match word {
        "-" => Some(None),
        "=" => Some(Some(Vec::new())),
        _ => BASE64.decode(word.as_bytes()).ok().map(Some),
    }
}

impl File {
    /// Whether it belongs to `owner`: `user` or `user:group`, names or numbers.
    pub fn owned_by(&self, owner: &str) -> bool {
        let is = |(name, id): &(String, u32), asked: &str| name == asked || id.to_string() == asked;
        let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
        is(&self.user, user) && group.is_none_or(|group| is(&self.group, group))
    }
}

impl<'a> Readings<'a> {
    /// A file without its content and digest.
    pub fn file(&self, host: &str, path: &str) -> Seen<&'a File> {
        self.value(host, &Read::File { path: path.into(), content: false }, as_file)
    }

    /// A file with its digest.
    pub fn digested(&self, host: &str, path: &str) -> Seen<&'a File> {
        self.value(host, &Read::Digest(path.into()), as_file)
    }

    /// A file with its content, where that is small enough.
    pub fn content(&self, host: &str, path: &str) -> Seen<&'a File> {
        self.value(host, &Read::File { path: path.into(), content: true }, as_file)
    }
}

fn as_file(value: &Value) -> Option<&File> {
    match value {
        Value::File(file) => Some(file),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reads::testing::{one, ran};

    fn look(path: &std::path::Path, content: bool) -> Seen<File> {
        let read = Read::File { path: path.to_str().unwrap().into(), content };
        one(read).map(|value| as_file(&value).unwrap().clone())
    }

    #[test]
    fn a_file_is_read_with_its_mode_owner_digest_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's a file");
        std::fs::write(&path, "hello\n").unwrap();
        let file = look(&path, true).is().unwrap();
        assert_eq!((file.kind, file.size), (FileKind::Regular, 6));
        assert_eq!(file.content.as_deref(), Some(&b"hello\n"[..]));
        assert_eq!(file.sha256.unwrap(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        let looks = look(&path, false).is().unwrap();
        assert_eq!((looks.size, looks.content, looks.sha256), (6, None, None), "it is not read for its looks");
    }

    #[test]
    fn only_who_asks_for_a_digest_waits_for_a_large_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        std::fs::write(&path, vec![0; 65537]).unwrap();
        let digest = |path: &std::path::Path| Read::Digest(path.to_str().unwrap().into());
        let digested = |path: &std::path::Path| one(digest(path)).map(|value| as_file(&value).unwrap().clone()).is();
        let whole = digested(&path).unwrap();
        assert_eq!((whole.size, whole.content, whole.sha256.map(|hash| hash.len())), (65537, None, Some(64)));
        assert_eq!(look(&path, true).is().map(|file| (file.content, file.sha256)), Some((None, None)));
        assert_eq!(digested(folder.path()).map(|file| (file.kind, file.sha256)), Some((FileKind::Folder, None)));
        let read = |content| Read::File { path: "/a".into(), content };
        let parts = crate::reads::parts([digest(&path), read(false), read(true), digest(folder.path())]);
        let told: Vec<(u32, usize)> = parts.iter().map(|part| (part.deadline, part.reads.len())).collect();
        assert_eq!(told, [(10, 1), (WHOLE, 2), (10, 1)]);
    }

    #[test]
    fn empty_files_folders_and_links_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("no where", &link).unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        assert_eq!(look(&link, true).is().unwrap().kind, FileKind::Link("no where".into()));
        assert_eq!(look(folder.path(), true).is().unwrap().kind, FileKind::Folder);
        assert_eq!(look(&empty, true).is().unwrap().content, Some(Vec::new()));
    }

    #[test]
    fn absent_is_said_only_where_the_folder_above_could_be_searched() {
        assert_eq!(look("/nowhere/at/all".as_ref(), false), Seen::Absent);
        assert_eq!(parse("unread permission denied in /root"), Seen::Unread("permission denied in /root".into()));
    }

    #[test]
    fn files_without_content_share_a_part_and_an_answer_cut_short_is_unread() {
        let read = |path: &str| Read::File { path: path.into(), content: false };
        let parts = crate::reads::parts([read("/"), read("/nowhere")]);
        assert_eq!(parts.len(), 1);
        assert_eq!(ran(&parts[0])[1], Seen::Absent);
        let cut = crate::remote::Output { stdout: b"absent\n".into(), ..Default::default() };
        let seen = (parts[0].understand)(&parts[0].reads, &cut);
        assert!(matches!(&seen[..], [Seen::Absent, Seen::Unread(_)]), "{seen:?}");
    }

    #[test]
    fn owners_are_names_or_numbers() {
        let file = file("file 644 0 33 root www-data 3 17.5 - -").unwrap();
        for owner in ["root", "0", "root:www-data", "0:33"] {
            assert!(file.owned_by(owner), "{owner}");
        }
        assert!(!file.owned_by("root:root") && !file.owned_by("33"));
    }
}
