//! A user's home, and the keys in it.

use super::keys::{self, Key};
use super::{Account, Plan, Target, User};
use crate::actions::{Change, Does, Parcel, Put};
use crate::reads::{File, FileKind, Read, Readings, Seen};
use crate::remote::{Command, quote};

/// Permission bits with which sshd heeds no key: others could write.
const OPEN: u32 = 0o022;

/// The numbers that people have; others are services' (login.defs(5), Debian's UID_MIN and UID_MAX).
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60000;

/// The files that matter, by their paths.
struct Places {
    home: String,
    folder: String,
    keys: String,
}

impl Places {
    fn of(home: &str) -> Self {
        let home = home.trim_end_matches('/');
        Self { home: home.into(), folder: format!("{home}/.ssh"), keys: format!("{home}/.ssh/authorized_keys") }
    }
}

impl User {
    /// Where the home is, or will be.
    pub(super) fn home<'a>(&'a self, account: Option<&'a Account>) -> String {
        let is = account.map(|account| account.home.clone());
        self.0.home.clone().or(is).unwrap_or_else(|| format!("/home/{}", self.0.name))
    }

    /// People have a home; a service has one where something is to be in it.
    pub(super) fn wants_home(&self, account: Option<&Account>) -> bool {
        let keys = self.0.authorized_keys.as_ref().is_some_and(|keys| !keys.is_empty());
        let person = account.map_or(!self.0.system, |account| PEOPLE.contains(&account.uid));
        self.0.home.is_some() || keys || person
    }

    pub(super) fn home_reads(&self, account: Option<&Account>) -> Vec<Read> {
        let places = Places::of(&self.home(account));
        let look = |path: String, content| Read::File { path, content };
        let home = self.wants_home(account).then(|| look(places.home, false));
        let keys = self.0.authorized_keys.iter();
        let keys = keys.flat_map(|_| [look(places.folder.clone(), false), look(places.keys.clone(), true)]);
        home.into_iter().chain(keys).collect()
    }

    /// The home, where it is missing. useradd makes that of a new user.
    pub(super) fn homed(
        &self,
        account: Option<&Account>,
        on: &Target,
        seen: &Readings<'_>,
    ) -> Result<Option<Change>, Plan> {
        if account.is_none() || !self.wants_home(account) {
            return Ok(None);
        }
        let Places { home, .. } = Places::of(&self.home(account));
        let there = file(seen.file(&on.host.name, &home), &home)?;
        Ok(there.is_none().then(|| Change::run(format!("{home} is not there"), made(&home, &self.0.name))))
    }

    /// The keys, in a folder and a file that sshd heeds.
    pub(super) fn keyed(
        &self,
        account: Option<&Account>,
        on: &Target,
        seen: &Readings<'_>,
    ) -> Result<Vec<Change>, Plan> {
        let Some(asked) = &self.0.authorized_keys else { return Ok(Vec::new()) };
        let places = Places::of(&self.home(account));
        let look = |path: &str, content: bool| {
            let seen = if content { seen.content(&on.host.name, path) } else { seen.file(&on.host.name, path) };
            file(seen, path)
        };
        let (folder, there) = (look(&places.folder, false)?, look(&places.keys, true)?);
        let asked: Vec<Key> = asked.iter().filter_map(|line| Key::parse(line)).collect();
        if asked.is_empty() && there.is_none() {
            return Ok(Vec::new());
        }
        regular(&places, folder, there)?;
        if self.wants_home(account) && account.is_some() {
            self.heeded(&places.home, look(&places.home, false)?)?;
        }
        let folder = self.folder(&places.folder, folder);
        Ok(folder.into_iter().chain(self.file(&places.keys, there, &asked)?).collect())
    }

    /// Where the home is somebody else's, no key in it counts; what to do about that is for a person to say.
    fn heeded(&self, path: &str, home: Option<&File>) -> Result<(), Plan> {
        // Where a link leads is not known here.
        let home = home.filter(|home| home.kind == FileKind::Folder && !self.owns(home));
        let Some(home) = home else { return Ok(()) };
        let (owner, mode) = (&home.user.0, home.mode);
        let why = format!("sshd heeds no keys in {path}: it is {owner}'s, with mode {mode:04o}");
        let hint =
            format!("if it is meant to be {name}'s: chown {name}: {path}; chmod go-w {path}", name = self.0.name);
        Err(Plan::refused(why, hint))
    }

    /// As sshd wants it (StrictModes): the user's or root's, and nobody else may write.
    fn owns(&self, file: &File) -> bool {
        (file.owned_by(&self.0.name) || file.owned_by("0")) && file.mode & OPEN == 0
    }

    fn folder(&self, path: &str, there: Option<&File>) -> Option<Change> {
        let why = match there {
            None => "there is no folder for keys",
            Some(folder) if !self.owns(folder) => "sshd heeds no keys in a folder that others may write",
            Some(_) => return None,
        };
        let (name, path) = (&self.0.name, quote(path));
        let make = format!("install -d -m 0700 -o {name} -g \"$(id -g {name})\" -- {path}");
        Some(Change::run(why, Command::sh(make)))
    }

    fn file(&self, path: &str, there: Option<&File>, asked: &[Key]) -> Result<Option<Change>, Plan> {
        let is = there
            .map(|file| file.content.as_deref().ok_or_else(|| Plan::unread(path, "it is too long")))
            .transpose()?;
        let is = String::from_utf8_lossy(is.unwrap_or_default());
        let name = &self.0.name;
        if let Some(rewrite) = keys::rewrite(&is, asked, self.0.exclusive) {
            let content = Parcel::Bytes(rewrite.text.into());
            let put = Put { path: path.into(), content, mode: Some("0600".into()), owner: Some(format!("{name}:")) };
            let change = Change::new("its keys differ", Does::Put(put)).differing(rewrite.differs);
            return Ok(Some(if rewrite.removes { change.removing() } else { change }));
        }
        let path = quote(path);
        let own = Command::sh(format!("chown {name}: -- {path} && chmod 0600 -- {path}"));
        let why = "sshd heeds no keys in a file that others may write";
        Ok(there.filter(|file| !self.owns(file)).map(|_| Change::run(why, own)))
    }
}

/// Makes a folder `$t` in `$d`, gone however the script ends. Where power ended it, it goes with the next that is made there:
/// who makes one has the host's lock, so nobody else is at it.
const TEMPORARY: &str = "t=; trap 'rm -r -f -- \"$t\"' EXIT; trap 'exit 1' HUP INT TERM\n\
    rm -r -f -- \"$d\"/.skep.??????\n\
    t=$(mktemp -d \"$d/.skep.XXXXXX\")\n";

/// Makes a home with what each home begins with. It has its name only when it is whole and its owner's: one that was cut
/// before would stay root's, for a home that is there is left alone.
fn made(home: &str, name: &str) -> Command {
    let script = format!(
        "set -e\np={}\nd=$(dirname -- \"$p\")\nmkdir -p -- \"$d\"\n{TEMPORARY}\
         [ ! -d /etc/skel ] || cp -R /etc/skel/. \"$t\"\n\
         chown -R {name}: -- \"$t\"\nchmod 0750 -- \"$t\"\nmv -T -- \"$t\" \"$p\"",
        quote(home)
    );
    Command::sh(script).shown_as(format!("make {home} out of /etc/skel"))
}

/// What a link leads to may be anybody's: it is root who would write there.
fn regular(places: &Places, folder: Option<&File>, keys: Option<&File>) -> Result<(), Plan> {
    let wrong = |path: &str, asked: &str| {
        let hint = "keys are written by root, so nothing else may stand in that place: look at it, and remove it";
        Err(Plan::refused(format!("{path} is no {asked}"), hint))
    };
    match (folder, keys) {
        (Some(folder), _) if folder.kind != FileKind::Folder => wrong(&places.folder, "folder"),
        (_, Some(keys)) if keys.kind != FileKind::Regular => wrong(&places.keys, "regular file"),
        _ => Ok(()),
    }
}

fn file<'a>(seen: Seen<&'a File>, path: &str) -> Result<Option<&'a File>, Plan> {
    match seen {
        Seen::Is(file) => Ok(Some(file)),
        Seen::Absent => Ok(None),
        Seen::Unread(why) => Err(Plan::unread(path, &why)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::Command as Process;

    use super::*;

    /// Makes a home where `chown` is this, and says whether that went well.
    fn makes(home: &Path, chown: &str) -> bool {
        let script = made(home.to_str().expect("utf-8"), "bob").wire();
        let mut sh = Process::new("sh");
        sh.arg("-c").arg(format!("chown() {{ {chown}; }}\n{script}")).status().expect("sh").success()
    }

    #[test]
    fn a_home_that_was_cut_while_it_was_made_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (above, home) = (folder.path().join("people"), folder.path().join("people/it's bob"));
        let count = || std::fs::read_dir(&above).expect("list").count();
        assert!(!makes(&home, "kill -KILL $$") && !home.exists() && count() == 1);
        assert!(!makes(&home, "return 1") && !home.exists() && count() == 0);
        assert!(makes(&home, "[ \"$*\" = \"-R bob: -- $t\" ] && [ ! -e \"$p\" ]") && count() == 1);
        assert_eq!(std::fs::metadata(&home).expect("metadata").permissions().mode() & 0o777, 0o750);
    }
}
