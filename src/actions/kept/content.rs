//! What is to be in a secret or config, and how it gets there: on standard input, never in an argument.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{Generate, Kept, Sort};
use crate::actions::hidden::Hidden;
use crate::actions::{Change, Does, Parcel, Plan, Target};
use crate::reads::{Readings, Seen};
use crate::remote::Command;

/// What is to be in it.
pub(super) enum Content {
    /// A text that is known here.
    Text(Hidden),
    /// A file of this machine: its digest, and where it is.
    File { sha256: String, size: u64, path: PathBuf },
    /// What the manager makes up.
    MadeUp(Generate),
}

impl<P> Kept<P> {
    /// What is to be in it; nothing where it is to be absent.
    pub(super) fn content(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Content>, Plan> {
        if self.asked.template.is_some() && self.rendered.is_none() {
            return Err(Plan::unread("the template", "it was not rendered"));
        }
        let Some(path) = self.local(on) else {
            let text = self.rendered.as_ref().or(self.asked.content.as_ref()).cloned().map(Content::Text);
            return Ok(text.or(self.asked.generate.map(Content::MadeUp)));
        };
        match seen.local(&path) {
            Seen::Is(local) => Ok(Some(Content::File { sha256: local.sha256.clone(), size: local.size, path })),
            Seen::Absent => Err(Plan::refused(
                format!("there is no file {}", path.display()),
                "`src` is relative to the playbook's folder",
            )),
            Seen::Unread(why) => Err(Plan::unread(&path.display().to_string(), &why)),
        }
    }
}

impl Content {
    /// Its plain digest, which is kept nowhere.
    pub(super) fn sha256(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(HEXLOWER.encode(&Sha256::digest(text.expose().as_bytes()))),
            Self::File { sha256, .. } => Some(sha256.clone()),
            Self::MadeUp(_) => None,
        }
    }

    /// A swarm keeps nothing that is empty, nor what is too large.
    pub(super) fn unfit(&self, name: &str, sort: Sort) -> Option<Plan> {
        let bytes = match self {
            Self::Text(text) => text.expose().len() as u64,
            Self::File { size, .. } => *size,
            Self::MadeUp(how) => 2 * u64::from(how.bytes),
        };
        let (word, most) = (sort.word(), sort.most());
        match bytes {
            0 => Some(Plan::refused(
                format!("{word} {name} would be empty, and a swarm keeps none that is"),
                "give it a content, or `state: absent`",
            )),
            bytes if bytes > most * 1024 => Some(Plan::refused(
                format!("{word} {name} would have {bytes} bytes, and a swarm takes {most} KiB at most"),
                "let `file` put what is so large on the hosts, and mount it",
            )),
            _ => None,
        }
    }

    /// `create` is given it on standard input.
    pub(super) fn into(self, why: &str, create: Command) -> Change {
        match self {
            Self::Text(text) => Change::run(why, create.stdin(text.expose().as_bytes())),
            Self::File { path, .. } => Change::new(why, Does::Send { parcel: Parcel::File(path), to: create }),
            Self::MadeUp(how) => Change::run(why, made_up(how.bytes, &create)),
        }
    }
}

/// The digits are in a variable of the shell alone, which neither an argument nor the environment shows: `printf` is the shell's own.
fn made_up(bytes: u32, create: &Command) -> Command {
    let random = format!("head -c {bytes} /dev/urandom | od -An -v -tx1 | tr -d ' \\n'");
    Command::sh(format!(
        "v=$({random}) || exit 1\n[ ${{#v}} -eq {} ] || {{ echo 'no random bytes could be had' >&2; exit 1; }}\n\
         printf %s \"$v\" | {}",
        2 * u64::from(bytes),
        create.wire()
    ))
    .shown_as(format!("{random} | {}", create.masked()))
}
