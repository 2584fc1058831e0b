//! Who calls `skep`: told to others who wait for a lock, and logs in where the inventory names nobody.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// `ann@desk`.
pub fn who() -> String {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match machine.trim() {
        "" => user(),
        machine => format!("{}@{machine}", user()),
    }
}

/// The login name: as the session says, else as the system knows the user, else the number.
pub fn user() -> String {
    let said = ["LOGNAME", "USER"].into_iter().filter_map(|name| env::var(name).ok()).find(|name| !name.is_empty());
    said.unwrap_or_else(|| {
        let uid = uid();
        field(&passwd(), uid, 0).unwrap_or_else(|| format!("uid {uid}"))
    })
}

/// The number of who calls: the owner of our own entry in /proc.
pub fn uid() -> u32 {
    fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or_default()
}

/// The folder of who calls, where the system's own list has him.
pub fn home() -> Option<PathBuf> {
    field(&passwd(), uid(), 5).map(PathBuf::from)
}

/// The folder of a user of that name, where the system's own list has him.
pub fn home_of(name: &str) -> Option<PathBuf> {
    let known = passwd();
    let entry = known.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    entry.split(':').nth(4).filter(|field| !field.is_empty()).map(PathBuf::from)
}

fn passwd() -> String {
    fs::read_to_string("/etc/passwd").unwrap_or_default()
}

/// A field of a user's line, in the form of passwd(5).
fn field(passwd: &str, uid: u32, at: usize) -> Option<String> {
    let entries = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let ours = |entry: &Vec<&str>| entry.get(2).and_then(|id| id.parse().ok()) == Some(uid) && !entry[0].is_empty();
    let entry = entries.into_iter().find(ours)?;
    entry.get(at).filter(|field| !field.is_empty()).map(|field| (*field).to_owned())
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n+::::::\nann:x:1000:1000::/home/ann:/bin/sh\n:x:7:7:::\n";
        let named = |uid, at| field(passwd, uid, at);
        assert_eq!((named(0, 0).as_deref(), named(0, 5).as_deref()), (Some("root"), Some("/root")));
        assert_eq!(named(1000, 0).as_deref(), Some("ann"));
        assert_eq!((named(100, 0), named(7, 0)), (None, None));
    }
}
