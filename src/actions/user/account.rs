//! What a host knows of a user and of groups.

use crate::reads::Probe;
use crate::remote::Output;

/// A user that there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub comment: String,
    pub home: String,
    pub shell: String,
    /// All groups, the first of them included.
    pub groups: Vec<String>,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub account: Option<Account>,
    /// Those of the groups asked about that there are, and their numbers.
    pub groups: Vec<(String, u32)>,
}

/// Asks for a user and for groups, wherever the host has them from. Only `end` says that what is not told is not there.
const LOOK: &str = "\
export LC_ALL=C
look() {
  entry=$(getent \"$1\" \"$2\"); code=$?
  [ \"$code\" = 0 ] || [ \"$code\" = 2 ] || { echo \"getent $1 ended with exit code $code\" >&2; exit 1; }
  [ \"$code\" = 2 ] || echo \"$1=$entry\"
  return \"$code\"
}
";

/// Names are letters, digits, `.`, `_` and `-`: nothing that a shell would heed.
pub(super) fn probe(name: &str, groups: &[String]) -> Probe {
    let groups: String = groups.iter().map(|group| format!("look group {group}\n")).collect();
    Probe::new(format!("{LOOK}look passwd {name} && echo \"groups=$(id -Gn {name})\"\n{groups}echo end"))
}

/// Understands what [`probe`] printed.
pub(super) fn understood(output: &Output) -> Result<Known, String> {
    let text = output.text();
    if !text.ends_with("end") {
        return Err(output.errors());
    }
    let mut known = Known::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match key {
            "passwd" => known.account = account(value),
            "group" => known.groups.extend(group(value)),
            _ => {
                let groups = value.split_whitespace().map(str::to_owned).collect();
                known.account.iter_mut().for_each(|account| account.groups.clone_from(&groups));
            }
        }
    }
    Ok(known)
}

/// `bob:x:1001:1001:Bob:/home/bob:/bin/sh`, as passwd(5) has it.
fn account(entry: &str) -> Option<Account> {
    let mut fields = entry.split(':').skip(2);
    let mut next = || fields.next();
    let (uid, gid) = (next()?.parse().ok()?, next()?.parse().ok()?);
    // adduser(8) leaves room for rooms and telephones.
    let comment = next()?.trim_end_matches(',').to_owned();
    let (home, shell) = (next()?.to_owned(), next()?.to_owned());
    Some(Account { uid, gid, comment, home, shell, groups: Vec::new() })
}

/// `sudo:x:27:bob`, as group(5) has it.
fn group(entry: &str) -> Option<(String, u32)> {
    let mut fields = entry.split(':');
    let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
    Some((name.to_owned(), number.parse().ok()?))
}

impl Known {
    /// The number of a group that there is.
    pub(super) fn group(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|(own, _)| own == name).map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reads::testing::one;
    use crate::reads::{Read, Seen, Value};

    fn look(name: &str, groups: &[&str]) -> Known {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        let Seen::Is(Value::Output(output)) = one(Read::Probe(probe(name, &groups))) else { panic!() };
        understood(&output).expect("it is understood")
    }

    #[test]
    fn the_real_script_finds_who_is_there_and_who_is_not() {
        let root = look("root", &["daemon", "no-such-group"]);
        let account = root.account.as_ref().expect("root");
        assert_eq!((account.uid, account.home.as_str(), account.groups[0].as_str()), (0, "/root", "root"));
        assert_eq!((root.group("daemon"), root.group("no-such-group")), (Some(1), None));
        assert_eq!(look("no-such-user", &["daemon"]).account, None);
    }

    #[test]
    fn an_answer_that_was_cut_short_says_nothing() {
        let cut = Output { code: 1, stdout: "passwd=bob:x:1:1::/:/bin/sh".into(), stderr: b"getent ended".into() };
        assert_eq!(understood(&cut), Err("getent ended".into()));
    }
}
