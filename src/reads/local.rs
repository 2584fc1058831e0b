//! What is read on the workstation: files and folders that are sent from there.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::context::Context;
use super::{Read, Readings, Seen, Value, WORKSTATION};

/// A file on the workstation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// Answers a read of the workstation. It blocks while it reads.
pub fn answer(read: &Read) -> Seen<Value> {
    match read {
        Read::Local(path) => seen(path, file(path).map(Value::Local)),
        Read::Text(path) => seen(path, fs::read_to_string(path).map(Value::Text)),
        Read::Context(context) => seen(&context.folder, context.digest().map(Value::Context)),
        _ => Seen::Unread("the workstation is not asked that".into()),
    }
}

fn seen<T>(path: &Path, result: io::Result<T>) -> Seen<T> {
    match result {
        Ok(value) => Seen::Is(value),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Seen::Absent,
        Err(e) => Seen::Unread(format!("{}: {e}", path.display())),
    }
}

fn file(path: &Path) -> io::Result<Local> {
    let mut file = fs::File::open(path)?;
    let mut digest = Sha256::new();
    let size = io::copy(&mut file, &mut digest)?;
    Ok(Local { sha256: data_encoding::HEXLOWER.encode(&digest.finalize()), size })
}

impl<'a> Readings<'a> {
    /// A file on the workstation.
    pub fn local(&self, path: &Path) -> Seen<&'a Local> {
        self.value(WORKSTATION, &Read::Local(path.into()), |value| match value {
            Value::Local(local) => Some(local),
            _ => None,
        })
    }

    /// The text of a file on the workstation.
    pub fn text(&self, path: &Path) -> Seen<&'a str> {
        self.value(WORKSTATION, &Read::Text(path.into()), |value| match value {
            Value::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// The digest of what an image is built from.
    pub fn context(&self, context: &Context) -> Seen<&'a str> {
        self.value(WORKSTATION, &Read::Context(context.clone()), |value| match value {
            Value::Context(digest) => Some(&**digest),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_file_is_digested_and_a_missing_one_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(answer(&Read::Local(path.clone())), Seen::Absent);
        fs::write(&path, "hello\n").unwrap();
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".into();
        assert_eq!(answer(&Read::Local(path)), Seen::Is(Value::Local(Local { sha256, size: 6 })));
        assert!(matches!(answer(&Read::Local(folder.path().into())), Seen::Unread(_)));
    }
}
