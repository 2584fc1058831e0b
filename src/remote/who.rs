//! Who calls `skep`: told to others who wait for a lock, and logs in where the inventory names nobody.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

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
        // The owner of our own entry in /proc is who we are.
        let uid = fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or_default();
        let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
        named(&known, uid).unwrap_or_else(|| format!("uid {uid}"))
    })
}

/// The name of a user, in the form of passwd(5).
fn named(passwd: &str, uid: u32) -> Option<String> {
    let entries = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let ours = |entry: &Vec<&str>| entry.get(2).and_then(|id| id.parse().ok()) == Some(uid) && !entry[0].is_empty();
    entries.into_iter().find(ours).map(|entry| entry[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n+::::::\nann:x:1000:1000::/home/ann:/bin/sh\n:x:7:7:::\n";
        assert_eq!(named(passwd, 0).as_deref(), Some("root"));
        assert_eq!(named(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!((named(passwd, 100), named(passwd, 7)), (None, None));
    }
}
