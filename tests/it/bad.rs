//! The table of bad input: playbooks, inventories and command lines that are wrong, each with the message that it gets.
//!
//! `bad/CHAPTER.txt` holds the cases of a chapter: `=== what is wrong | arguments of skep`, then its files, each behind
//! `--- path`. Without arguments it is `check playbook.yml`; without an inventory, three hosts. In files, `22222` stands for
//! the port of a real sshd, which must see no connection.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;

use crate::support::sshd::Sshd;

/// What stands for the server's port; as long as any that the system gives away, so that carets stay where they are.
const PORT: &str = "22222";

/// One in group `managers`, two in `workers`.
const INVENTORY: &str = "all:\n  vars: { address: 127.0.0.1, port: 22222, identity_file: ~/.ssh/key }\n  children:\n    \
    managers: { hosts: { node1: } }\n    workers: { hosts: { \"node[2:3]\": } }\n";

const CHAPTERS: [(&str, &str); 14] = [
    ("yaml", include_str!("bad/yaml.txt")),
    ("keys", include_str!("bad/keys.txt")),
    ("types", include_str!("bad/types.txt")),
    ("actions", include_str!("bad/actions.txt")),
    ("expressions", include_str!("bad/expressions.txt")),
    ("names", include_str!("bad/names.txt")),
    ("hosts", include_str!("bad/hosts.txt")),
    ("includes", include_str!("bad/includes.txt")),
    ("lookups", include_str!("bad/lookups.txt")),
    ("secrets", include_str!("bad/secrets.txt")),
    ("selections", include_str!("bad/selections.txt")),
    ("inventories", include_str!("bad/inventories.txt")),
    ("ini", include_str!("bad/ini.txt")),
    ("programs", include_str!("bad/programs.txt")),
];

struct Case<'a> {
    what: &'a str,
    arguments: Vec<&'a str>,
    /// Each with the words behind its path: `executable`, `bytes`.
    files: Vec<(&'a str, &'a str, &'a str)>,
}

impl<'a> Case<'a> {
    fn all(chapter: &'a str) -> Vec<Self> {
        parts(chapter, "=== ").into_iter().map(|(head, body)| Self::of(head, body)).collect()
    }

    fn of(head: &'a str, body: &'a str) -> Self {
        let (what, arguments) = head.split_once(" | ").unwrap_or((head, "check playbook.yml"));
        let file = |(head, text): (&'a str, &'a str)| {
            let (path, kind) = head.split_once(" | ").unwrap_or((head, ""));
            (path, kind, text)
        };
        let files = parts(body, "--- ").into_iter().map(file).collect();
        Self { what, arguments: arguments.split(' ').collect(), files }
    }

    fn write(&self, folder: &Path, server: &Sshd) {
        way_in(folder, server);
        let inventory = ("inventory/hosts.yml", "", INVENTORY);
        let has_its_own = self.files.iter().any(|(path, ..)| path.starts_with("inventory"));
        for (path, kind, text) in self.files.iter().chain((!has_its_own).then_some(&inventory)) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = text.replace(PORT, &server.port.to_string());
            fs::write(&path, if *kind == "bytes" { bytes(&text) } else { text.into_bytes() }).unwrap();
            let mode = if *kind == "executable" { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// What skep says of it.
    fn told(&self, server: &Sshd) -> String {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path(), server);
        let told = self.refused(folder.path(), &self.arguments, server);
        // A run refuses whatever a check finds in a playbook.
        if let ["check", rest @ ..] = &self.arguments[..]
            && !rest.is_empty()
        {
            self.refused(folder.path(), &[&["run"], rest].concat(), server);
        }
        told.replace(&folder.path().display().to_string(), "/folder").replace(&server.port.to_string(), PORT)
    }

    fn refused(&self, folder: &Path, arguments: &[&str], server: &Sshd) -> String {
        let output = skep(folder, arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        let (code, what) = (output.status.code(), self.what);
        assert_eq!((code, &*output.stdout), (Some(2), &b""[..]), "{what}: {arguments:?}\n{errors}");
        assert_eq!(server.connections(), 0, "{what}: {arguments:?} made a connection\n{errors}");
        errors
    }
}

fn skep(folder: &Path, arguments: &[&str]) -> Output {
    let mut skep = Command::cargo_bin("skep").unwrap();
    skep.current_dir(folder).args(arguments).env_clear().env("HOME", folder).env("PATH", "/usr/bin:/bin");
    skep.timeout(Duration::from_secs(60)).output().unwrap()
}

/// The key that a run would log in with: without one, nobody would be contacted whatever the case.
fn way_in(folder: &Path, server: &Sshd) {
    fs::create_dir(folder.join(".ssh")).unwrap();
    fs::copy(server.identity(), folder.join(".ssh/key")).unwrap();
}

/// The parts of a text that begin with a mark at the start of a line, each with the rest of that line.
fn parts<'a>(text: &'a str, mark: &str) -> Vec<(&'a str, &'a str)> {
    let starts = text.match_indices(mark).map(|(at, _)| at).filter(|at| *at == 0 || text[..*at].ends_with('\n'));
    let starts: Vec<usize> = starts.chain([text.len()]).collect();
    let part = |pair: &[usize]| text[pair[0] + mark.len()..pair[1]].split_once('\n').unwrap_or_default();
    starts.windows(2).map(part).collect()
}

/// `\xff` is that byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    bytes
}

fn chapter(name: &str) {
    let server = Sshd::start();
    let (_, text) = CHAPTERS.iter().find(|(chapter, _)| *chapter == name).unwrap();
    let mut all = String::new();
    for case in Case::all(text) {
        let told = case.told(&server);
        all += &format!("=== {}: skep {}\n{}\n\n", case.what, case.arguments.join(" "), told.trim_end());
    }
    insta::assert_snapshot!(name, all);
}

macro_rules! chapters {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            chapter(stringify!($name));
        }
    )*};
}

chapters! {
    yaml keys types actions expressions names hosts includes lookups secrets selections inventories ini programs
}

#[test]
fn the_table_has_at_least_120_cases_each_with_a_name_of_its_own() {
    let cases: Vec<&str> = CHAPTERS.iter().flat_map(|(_, text)| Case::all(text)).map(|case| case.what).collect();
    let names: std::collections::HashSet<&str> = cases.iter().copied().collect();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    assert_eq!(names.len(), cases.len());
}

/// Else a server that saw nobody would say nothing.
#[test]
fn what_is_right_does_make_a_connection() {
    let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let playbook = "plays:\n- hosts: node1\n  steps:\n  - shell: \"true\"\n    changes: false\n";
    let case = Case { what: "nothing", arguments: Vec::new(), files: vec![("playbook.yml", "", playbook)] };
    case.write(folder.path(), &server);
    let output = skep(folder.path(), &["run", "playbook.yml", "--wait", "5s"]);
    assert!(server.connections() > 0, "{}", String::from_utf8_lossy(&output.stderr));
}
