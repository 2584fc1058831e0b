//! Who holds the package manager's locks.

use super::{Part, Read, Readings, Seen, Value};
use crate::remote::Output;

/// A lock of apt or dpkg that someone holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The lock's file.
    pub path: String,
    /// The process that holds it.
    pub process: u32,
    /// Its command line.
    pub command: String,
}

pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let part = || Part {
        script: include_str!("locks.sh").into(),
        reads: vec![Read::Locks],
        understand: |_, output| vec![understand(output)],
        deadline: 10,
    };
    reads.contains(&Read::Locks).then(part).into_iter().collect()
}

fn understand(output: &Output) -> Seen<Value> {
    let text = output.text();
    match text.strip_suffix("end") {
        Some(held) => Seen::Is(Value::Locks(held.lines().filter_map(lock).collect())),
        None => Seen::Unread(format!("the package manager's locks could not be read: {}", output.errors())),
    }
}

fn lock(line: &str) -> Option<Lock> {
    let mut words = line.splitn(3, ' ');
    let (path, process) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    Some(Lock { path, process, command: words.next().unwrap_or_default().trim().to_owned() })
}

impl<'a> Readings<'a> {
    /// The package manager's locks that are held.
    pub fn locks(&self, host: &str) -> Seen<&'a [Lock]> {
        self.value(host, &Read::Locks, |value| match value {
            Value::Locks(locks) => Some(&**locks),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Seen<Value> {
        understand(&Output { stdout: text.into(), ..Output::default() })
    }

    #[test]
    fn holders_are_named() {
        let lock = Lock { path: "/var/lib/dpkg/lock".into(), process: 7, command: "apt-get -y upgrade".into() };
        assert_eq!(answer("/var/lib/dpkg/lock 7 apt-get -y upgrade \nend\n"), Seen::Is(Value::Locks(vec![lock])));
        assert_eq!(answer("end\n"), Seen::Is(Value::Locks(Vec::new())));
        assert!(matches!(answer(""), Seen::Unread(_)));
    }
}
