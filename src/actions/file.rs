//! `file`: a file or folder with this content, mode and owner.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use sha2::{Digest, Sha256};

use super::{Action, Ask, Change, Does, Object, Parcel, Plan, Put, Target, Wait};
use crate::event::Difference;
use crate::reads::{self, FileKind, Read, Readings, Seen, WORKSTATION};
use crate::remote::{Command, quote};

/// A file or folder on the host.
///
/// One of `content`, `template`, `src`, `generate` and `carry` says what is in it. It is written beside the old one and then
/// put in its place, so that nobody ever reads half of it. The folders that it is in are made where they are missing.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct File {
    asked: Parameters,
    rendered: Option<String>,
}

/// The parameters of [`File`].
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Where, absolute: `/etc/motd`.
    path: String,
    /// What is in it, as it stands here.
    content: Option<String>,
    /// A local file that is rendered with the step's variables; relative to the playbook's folder.
    template: Option<String>,
    /// A local file that is copied as it is; relative to the playbook's folder.
    src: Option<String>,
    /// A value that is made up once, on the host itself, if the file is not there yet: `generate: {}`.
    generate: Option<Generate>,
    /// Another host that has this very file, by its name, `leader` or `GROUP[N]`: it is copied from there through memory.
    carry: Option<String>,
    /// What it should be.
    #[serde(default)]
    state: State,
    /// Permission bits in octal digits: `0644`. Where none are given a file keeps those it has; a new one gets 0644, a
    /// secret or made-up one 0600.
    mode: Option<Mode>,
    /// `user` or `user:group`, names or numbers. Where none is given a file keeps its owner; a new one belongs to who works.
    owner: Option<String>,
    /// Whether what is in it is nobody's business: neither it nor its digest is shown, and a new file gets mode 0600.
    #[serde(default)]
    secret: bool,
}

/// What there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// A regular file.
    #[default]
    File,
    /// A folder; those above it are made too.
    Directory,
    /// Nothing. A folder is removed with all that is in it.
    Absent,
}

/// How a value is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Generate {
    /// Random bytes, written as twice as many hexadecimal digits.
    bytes: usize,
}

impl Default for Generate {
    fn default() -> Self {
        Self { bytes: 32 }
    }
}

/// Permission bits, as octal digits.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
struct Mode(String);

impl Mode {
    fn bits(&self) -> u32 {
        // Only octal digits ever become a `Mode`.
        u32::from_str_radix(&self.0, 8).unwrap_or(0o644)
    }

    fn of(bits: u32) -> Self {
        Self(format!("{bits:04o}"))
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ModeVisitor)
    }
}

struct ModeVisitor;

impl Visitor<'_> for ModeVisitor {
    type Value = Mode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permission bits in octal digits, such as 0644")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Mode, E> {
        let octal = text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        match text.trim_start_matches("0o") {
            digits if (3..=4).contains(&digits.len()) && octal => Ok(Mode(digits.to_owned())),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    /// The digits of `mode: 644` are meant as they look.
    fn visit_u64<E: de::Error>(self, digits: u64) -> Result<Mode, E> {
        self.visit_str(&digits.to_string())
    }

    fn visit_i64<E: de::Error>(self, digits: i64) -> Result<Mode, E> {
        self.visit_str(&digits.to_string())
    }
}

impl TryFrom<Parameters> for File {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        if !asked.path.starts_with('/') {
            return Err(format!("`path` must be absolute, and {} is not", asked.path));
        }
        let contents = [
            asked.content.is_some(),
            asked.template.is_some(),
            asked.src.is_some(),
            asked.generate.is_some(),
            asked.carry.is_some(),
        ];
        match (asked.state, contents.iter().filter(|given| **given).count()) {
            (State::File, 0 | 1) | (State::Directory | State::Absent, 0) => Ok(Self { asked, rendered: None }),
            (State::File, _) => Err("`file` takes one of `content`, `template`, `src`, `generate` and `carry`".into()),
            _ => Err("a `state` other than `file` has no content".into()),
        }
    }
}

impl Action for File {
    fn describe(&self) -> String {
        match self.asked.state {
            State::File => format!("file {}", self.asked.path),
            State::Directory => format!("folder {}", self.asked.path),
            State::Absent => format!("no {}", self.asked.path),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "file", name: self.asked.path.clone() })
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let look = |path: &str| Read::File { path: path.into(), content: false };
        let there = on.ask(look(&self.asked.path));
        let here = self.local(on).map(|path| Ask { host: WORKSTATION.into(), read: Read::Local(path) });
        let source = self.source(on).map(|host| Ask { host, read: look(&self.asked.path) });
        let new = self.asked.state == State::File && seen.file(&on.host.name, &self.asked.path) == Seen::Absent;
        let above = new.then(|| on.ask(look(self.above())));
        [Some(there), here, source, above].into_iter().flatten().collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let there = match seen.file(&on.host.name, &self.asked.path) {
            Seen::Is(file) => Some(file),
            Seen::Absent => None,
            Seen::Unread(why) => return Plan::unread(&self.asked.path, &why),
        };
        match self.asked.state {
            State::Absent => self.removed(there),
            State::Directory => self.folder(there),
            State::File => self.with_folder(self.file(there, on, seen), on, seen),
        }
    }

    fn template(&self) -> Option<&str> {
        self.asked.template.as_deref()
    }

    fn set_rendered(&mut self, text: String) {
        self.rendered = Some(text);
    }
}

/// What should be in a file: its digest, and where the bytes come from.
struct Wanted {
    sha256: String,
    size: u64,
    parcel: Parcel,
}

impl File {
    fn local(&self, on: &Target) -> Option<PathBuf> {
        self.asked.src.as_ref().map(|src| on.folder.join(src))
    }

    /// The folder it is in.
    fn above(&self) -> &str {
        self.asked.path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above })
    }

    /// Makes the folders above first, where they are missing.
    fn with_folder(&self, plan: Plan, on: &Target, seen: &Readings<'_>) -> Plan {
        match plan {
            Plan::Change(mut changes) if seen.file(&on.host.name, self.above()) == Seen::Absent => {
                let make = Command::new("mkdir").args(["-p", "--"]).arg(self.above());
                changes.insert(0, Change::run(format!("{} is not there", self.above()), make));
                Plan::Change(changes)
            }
            plan => plan,
        }
    }

    /// The host it is carried from: `leader`, `GROUP[N]` or a name.
    fn source(&self, on: &Target) -> Option<String> {
        let from = self.asked.carry.as_deref()?;
        if from == "leader" {
            return on.leader.clone();
        }
        match from.strip_suffix(']').and_then(|from| from.split_once('[')) {
            Some((group, n)) => on.group(group).nth(n.parse().ok()?).map(|host| host.name.clone()),
            None => on.hosts.iter().find(|host| host.name == from).map(|host| host.name.clone()),
        }
    }

    /// Carries it over where the digests differ; waits where the other host has none yet.
    fn carried(&self, from: &str, there: Option<&reads::File>, on: &Target, seen: &Readings<'_>) -> Plan {
        let Some(source) = self.source(on) else {
            return Plan::refused(format!("there is no host {from}"), "`carry` takes a host, `leader` or `GROUP[N]`");
        };
        let wanted = match seen.file(&source, &self.asked.path) {
            Seen::Is(file) => file.sha256.as_ref(),
            Seen::Absent => return self.not_yet(source),
            Seen::Unread(why) => return Plan::unread(&format!("{} on {source}", self.asked.path), &why),
        };
        if wanted.is_none() || there.is_some_and(|file| file.sha256.is_none()) {
            return Plan::unread(&self.asked.path, "its content could not be read");
        }
        match there.filter(|file| file.sha256.as_ref() == wanted) {
            Some(file) => settled_or(self.attributes(file)),
            None => Plan::Change(vec![self.pipe(source)]),
        }
    }

    fn not_yet(&self, source: String) -> Plan {
        let what = format!("{source} to have {}", self.asked.path);
        Plan::Wait(Wait { what, on: vec![source.clone()], by_step: false, then: vec![self.pipe(source)] })
    }

    /// Written beside the old one, readable by its owner alone until it is whole.
    fn pipe(&self, from: String) -> Change {
        let (path, new) = (quote(&self.asked.path), format!("{}.skep-new", self.asked.path));
        let new = quote(&new);
        let owner = self.asked.owner.as_ref().map(|owner| format!(" && chown {} -- {new}", quote(owner)));
        let mode = self.asked.mode.as_ref().map_or("0600", |mode| &mode.0);
        let own = owner.unwrap_or_default();
        let to = Command::sh(format!("umask 077; cat >{new}{own} && chmod {mode} -- {new} && mv -f -- {new} {path}"));
        let source = Command::new("cat").arg("--").arg(&self.asked.path);
        Change::new(format!("it is not {from}'s"), Does::Pipe { from, source, to })
    }

    fn removed(&self, there: Option<&reads::File>) -> Plan {
        let Some(there) = there else { return Plan::Settled };
        let (what, command) = match there.kind {
            FileKind::Folder => ("the folder", Command::new("rm").arg("-r")),
            _ => ("it", Command::new("rm")),
        };
        let command = command.args(["-f", "--"]).arg(&self.asked.path);
        Plan::Change(vec![Change::run(format!("{what} is there"), command).removing()])
    }

    fn folder(&self, there: Option<&reads::File>) -> Plan {
        match there {
            None => Plan::Change(self.made_folder()),
            Some(file) if file.kind == FileKind::Folder => settled_or(self.attributes(file)),
            Some(file) => self.in_the_way(file, "a folder"),
        }
    }

    fn made_folder(&self) -> Vec<Change> {
        let command = Command::new("mkdir").args(["-p", "--"]).arg(&self.asked.path);
        let mode = self.asked.mode.as_ref().map(|mode| self.chmod(mode));
        let owner = self.asked.owner.as_ref().map(|owner| self.chown(owner));
        let made = Change::run("the folder is not there", command);
        let rest = mode.into_iter().chain(owner).map(|command| Change::run("the folder is new", command));
        std::iter::once(made).chain(rest).collect()
    }

    fn file(&self, there: Option<&reads::File>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(other) = there.filter(|file| file.kind != FileKind::Regular) {
            return self.in_the_way(other, "a regular file");
        }
        if let Some(Generate { bytes }) = self.asked.generate {
            let made = || Plan::Change(vec![self.generated(bytes)]);
            return there.map_or_else(made, |file| settled_or(self.attributes(file)));
        }
        if let Some(from) = &self.asked.carry {
            return self.carried(from, there, on, seen);
        }
        match self.wanted(on, seen) {
            Err(refused) => refused,
            Ok(Some(wanted)) => self.written(there, &wanted),
            Ok(None) => match there {
                Some(file) => settled_or(self.attributes(file)),
                None => self.written(None, &Wanted::of(b"")),
            },
        }
    }

    /// What should be in it; nothing where only mode and owner are asked for.
    fn wanted(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Wanted>, Plan> {
        if self.asked.template.is_some() && self.rendered.is_none() {
            return Err(Plan::unread("the template", "it was not rendered"));
        }
        let Some(path) = self.local(on) else {
            return Ok(self.rendered.as_ref().or(self.asked.content.as_ref()).map(|text| Wanted::of(text.as_bytes())));
        };
        match seen.local(&path) {
            Seen::Is(local) => {
                let (sha256, size) = (local.sha256.clone(), local.size);
                Ok(Some(Wanted { sha256, size, parcel: Parcel::File(path) }))
            }
            Seen::Absent => Err(Plan::refused(
                format!("there is no file {}", path.display()),
                "`src` is relative to the playbook's folder",
            )),
            Seen::Unread(why) => Err(Plan::unread(&path.display().to_string(), &why)),
        }
    }

    fn written(&self, there: Option<&reads::File>, wanted: &Wanted) -> Plan {
        let Some(file) = there else {
            return Plan::Change(vec![self.put("it is not there", wanted, self.new_mode())]);
        };
        if file.sha256.is_none() {
            return Plan::unread(&self.asked.path, "its content could not be read");
        }
        if file.sha256.as_ref() == Some(&wanted.sha256) {
            return settled_or(self.attributes(file));
        }
        let mut differs = vec![self.content_differs(file, wanted)];
        differs.extend(self.mode_differs(file).into_iter().chain(self.owner_differs(file)));
        let put = self.put("its content differs", wanted, self.asked.mode.as_ref().map(|m| m.0.clone()));
        Plan::Change(vec![put.differing(differs)])
    }

    fn put(&self, why: &str, wanted: &Wanted, mode: Option<String>) -> Change {
        let (path, content) = (self.asked.path.clone(), wanted.parcel.clone());
        Change::new(why, Does::Put(Put { path, content, mode, owner: self.asked.owner.clone() }))
    }

    fn generated(&self, bytes: usize) -> Change {
        let (path, owner) = (self.asked.path.clone(), self.asked.owner.clone());
        let mode = self.asked.mode.as_ref().map_or("0600", |mode| &mode.0).to_owned();
        Change::new("it was never made up", Does::Generate { path, bytes, mode, owner })
    }

    fn new_mode(&self) -> Option<String> {
        let fitting = if self.asked.secret { "0600" } else { "0644" };
        Some(self.asked.mode.as_ref().map_or(fitting, |mode| &mode.0).to_owned())
    }

    /// What has to be done for mode and owner alone.
    fn attributes(&self, file: &reads::File) -> Vec<Change> {
        let mode = self.asked.mode.as_ref().zip(self.mode_differs(file));
        let owner = self.asked.owner.as_ref().zip(self.owner_differs(file));
        // chown(2) clears the set-id bits, so the mode comes last.
        let owner = owner.map(|(owner, d)| Change::run("its owner differs", self.chown(owner)).differing(vec![d]));
        let mode = mode.map(|(mode, d)| Change::run("its mode differs", self.chmod(mode)).differing(vec![d]));
        owner.into_iter().chain(mode).collect()
    }

    fn mode_differs(&self, file: &reads::File) -> Option<Difference> {
        let asked = self.asked.mode.as_ref().filter(|mode| mode.bits() != file.mode)?;
        Some(differs("mode", Mode::of(file.mode).0, Mode::of(asked.bits()).0))
    }

    fn owner_differs(&self, file: &reads::File) -> Option<Difference> {
        let asked = self.asked.owner.as_ref().filter(|owner| !file.owned_by(owner))?;
        Some(differs("owner", format!("{}:{}", file.user.0, file.group.0), asked.clone()))
    }

    /// Digest and size; of a secret not even those, for a short one could be found by its digest.
    fn content_differs(&self, file: &reads::File, wanted: &Wanted) -> Difference {
        if self.asked.secret {
            return differs("content", "set".into(), "changed".into());
        }
        let told = |sha256: &str, size| format!("{} bytes, sha256 {}…", size, &sha256[..12.min(sha256.len())]);
        let is = told(file.sha256.as_deref().unwrap_or_default(), file.size);
        differs("content", is, told(&wanted.sha256, wanted.size))
    }

    fn chmod(&self, mode: &Mode) -> Command {
        Command::new("chmod").arg(&mode.0).arg("--").arg(&self.asked.path)
    }

    fn chown(&self, owner: &str) -> Command {
        Command::new("chown").arg(owner).arg("--").arg(&self.asked.path)
    }

    fn in_the_way(&self, file: &reads::File, asked: &str) -> Plan {
        let path = &self.asked.path;
        let (what, hint) = match &file.kind {
            FileKind::Link(to) => (format!("a link to {to}"), "name what it leads to, or remove the link first"),
            FileKind::Folder => ("a folder".into(), "name a file in it, or remove the folder first"),
            FileKind::Regular => ("a regular file".into(), "remove it first: `state: absent`"),
            FileKind::Other => ("a device, socket or pipe".into(), "choose another path"),
        };
        Plan::refused(format!("{path} is {what}, and {asked} is asked for"), hint)
    }
}

fn settled_or(changes: Vec<Change>) -> Plan {
    if changes.is_empty() { Plan::Settled } else { Plan::Change(changes) }
}

fn differs(field: &str, is: String, asked: String) -> Difference {
    Difference { field: field.into(), is, asked }
}

impl Wanted {
    fn of(bytes: &[u8]) -> Self {
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        Self { sha256, size: bytes.len() as u64, parcel: Parcel::Bytes(bytes.to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};
    use crate::reads::{Local, Value};

    const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    /// What is planned for `/etc/motd` where this is what its host says of it.
    fn planned(parameters: serde_json::Value, there: &str) -> String {
        planned_with(Case::new(&["node1"]), parameters, there)
    }

    fn planned_with(case: Case, mut parameters: serde_json::Value, there: &str) -> String {
        parameters["path"] = json!("/etc/motd");
        let read = |path: &str| [Read::File { path: path.into(), content: false }];
        let etc = "folder 755 0 0 root root 4096 17.5 - -\n";
        let case = case.answers("node1", &read("/etc"), etc).answers("node1", &read("/etc/motd"), there);
        case.plan(&action::<File>(parameters))
    }

    fn hello(mode: &str) -> String {
        format!("file {mode} 0 0 root root 6 17.5 {HELLO} -\n")
    }

    #[test]
    fn a_file_that_is_not_there_is_written() {
        let put = "change\n  it is not there\n    put /etc/motd mode 0644 owner -";
        assert_eq!(planned(json!({"content": "hello\n"}), "absent\n"), put);
        let put = "change\n  it is not there\n    put /etc/motd mode 0600 owner app:app";
        assert_eq!(planned(json!({"content": "x", "secret": true, "owner": "app:app"}), "absent\n"), put);
    }

    #[test]
    fn the_same_content_mode_and_owner_are_settled() {
        let asked = json!({"content": "hello\n", "mode": "0644", "owner": "root:0"});
        assert_eq!(planned(asked, &hello("644")), "settled");
        assert_eq!(planned(json!({"content": "hello\n"}), &hello("640")), "settled");
    }

    #[test]
    fn a_difference_is_shown_and_a_secret_is_not() {
        let plan = planned(json!({"content": "hi", "mode": "0600"}), &hello("644"));
        let content = "content: 6 bytes, sha256 5891b5b522d5… -> 2 bytes, sha256 8f434346648f…";
        let put = "put /etc/motd mode 0600 owner -";
        assert_eq!(plan, format!("change\n  its content differs\n    {content}\n    mode: 0644 -> 0600\n    {put}"));
        let plan = planned(json!({"content": "hi", "secret": true}), &hello("600"));
        assert_eq!(
            plan,
            "change\n  its content differs\n    content: set -> changed\n    put /etc/motd mode - owner -"
        );
    }

    #[test]
    fn mode_and_owner_alone_are_set_without_writing() {
        let plan = planned(json!({"content": "hello\n", "mode": 600, "owner": "app"}), &hello("644"));
        let owner = "  its owner differs\n    owner: root:root -> app\n    $ chown app -- /etc/motd";
        let mode = "  its mode differs\n    mode: 0644 -> 0600\n    $ chmod 600 -- /etc/motd";
        assert_eq!(plan, format!("change\n{owner}\n{mode}"));
    }

    #[test]
    fn a_value_is_made_up_once() {
        let made = "change\n  it was never made up\n    generate /etc/motd, 16 bytes, mode 0600 owner -";
        assert_eq!(planned(json!({"generate": {"bytes": 16}}), "absent\n"), made);
        assert_eq!(planned(json!({"generate": {}}), &hello("600")), "settled");
    }

    #[test]
    fn a_local_file_is_compared_by_its_digest() {
        let src = || PathBuf::from("/playbooks/motd");
        let case = |seen| Case::new(&["node1"]).seen(WORKSTATION, Read::Local(src()), seen);
        let is = Seen::Is(Value::Local(Local { sha256: HELLO.into(), size: 6 }));
        assert_eq!(planned_with(case(is), json!({"src": "motd"}), &hello("644")), "settled");
        let no = "refused: there is no file /playbooks/motd\nhint: `src` is relative to the playbook's folder";
        assert_eq!(planned_with(case(Seen::Absent), json!({"src": "motd"}), &hello("644")), no);
    }

    #[test]
    fn missing_folders_are_made_first() {
        let read = |path: &str| [Read::File { path: path.into(), content: false }];
        let case = Case::new(&["node1"]).answers("node1", &read("/opt/a/b"), "absent\n");
        let case = case.answers("node1", &read("/opt/a"), "absent\n");
        let plan = case.plan(&action::<File>(json!({"path": "/opt/a/b", "content": "x"})));
        let first = "change\n  /opt/a is not there\n    $ mkdir -p -- /opt/a\n  it is not there\n";
        assert!(plan.starts_with(first), "{plan}");
    }

    #[test]
    fn a_file_is_carried_from_the_host_that_has_it() {
        let read = || [Read::File { path: "/etc/motd".into(), content: false }];
        let case = |source: &str| Case::new(&["node1", "node2@managers"]).answers("node2", &read(), source);
        let asked = || json!({"carry": "managers[0]", "owner": "10185"});
        let to = "umask 077; cat >/etc/motd.skep-new && chown 10185 -- /etc/motd.skep-new && \
                  chmod 0600 -- /etc/motd.skep-new && mv -f -- /etc/motd.skep-new /etc/motd";
        let pipe = format!("  it is not node2's\n    node2: cat -- /etc/motd | {to}");
        assert_eq!(planned_with(case(&hello("600")), asked(), "absent\n"), format!("change\n{pipe}"));
        let waits = format!("wait for node2 to have /etc/motd, then\n{pipe}");
        assert_eq!(planned_with(case("absent\n"), asked(), "absent\n"), waits);
        let same = format!("file 600 10185 0 UNKNOWN root 6 17.5 {HELLO} -\n");
        assert_eq!(planned_with(case(&hello("600")), asked(), &same), "settled");
    }

    #[test]
    fn a_template_is_what_it_was_rendered_to() {
        let mut asked: File = action(json!({"path": "/etc/motd", "template": "motd.j2"}));
        assert_eq!(asked.template(), Some("motd.j2"));
        let read = Read::File { path: "/etc/motd".into(), content: false };
        let case = Case::new(&["node1"]).answers("node1", &[read], &hello("644"));
        assert_eq!(case.plan(&asked), "refused: cannot read the template: it was not rendered");
        asked.set_rendered("hello\n".into());
        assert_eq!(case.plan(&asked), "settled");
    }

    #[test]
    fn folders_are_made_and_removed() {
        let folder = "folder 755 0 0 root root 4096 17.5 - -\n";
        let made = "change\n  the folder is not there\n    $ mkdir -p -- /etc/motd\n  the folder is new\n    $ chmod 0700 -- /etc/motd";
        assert_eq!(planned(json!({"state": "directory", "mode": "0700"}), "absent\n"), made);
        assert_eq!(planned(json!({"state": "directory"}), folder), "settled");
        assert_eq!(planned(json!({"state": "absent"}), "absent\n"), "settled");
        let removed = "change\n  the folder is there (removes)\n    $ rm -r -f -- /etc/motd";
        assert_eq!(planned(json!({"state": "absent"}), folder), removed);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let link = "link 777 0 0 root root 9 17.5 - L3J1bi9tb3Rk\n";
        let plan = planned(json!({"content": "x"}), link);
        assert!(
            plan.starts_with("refused: /etc/motd is a link to /run/motd, and a regular file is asked for"),
            "{plan}"
        );
        let plan = planned(json!({"content": "x"}), "unread permission denied in /etc\n");
        assert_eq!(plan, "refused: cannot read /etc/motd: permission denied in /etc");
    }

    #[test]
    fn mistakes_are_named() {
        let told = |parameters| mistake::<File>(parameters);
        assert!(told(json!({"path": "motd"})).contains("`path` must be absolute"));
        assert!(told(json!({"path": "/a", "content": "x", "src": "y"})).contains("takes one of"));
        assert!(told(json!({"path": "/a", "state": "absent", "content": "x"})).contains("has no content"));
        assert!(told(json!({"path": "/a", "mode": "0888"})).contains("octal digits"));
        assert!(told(json!({"path": "/a", "mod": "0644"})).contains("unknown field `mod`"));
    }
}
