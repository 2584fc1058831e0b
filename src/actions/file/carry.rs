//! A file that another host has, copied from there through memory.

use super::{File, FileKind, settled_or};
use crate::actions::peers::{others, peers};
use crate::actions::put::put;
use crate::actions::{Change, Does, Plan, Target, Wait};
use crate::reads::{self, Readings, Seen};
use crate::remote::Command;

impl File {
    /// The other hosts that it may be carried from.
    pub(super) fn sources(&self, on: &Target) -> Vec<String> {
        others(on, self.asked.carry.as_deref())
    }

    /// Carries it over where the digests differ; waits where no other host has it yet.
    pub(super) fn carried(&self, there: Option<&reads::File>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(Err(refusal)) = self.asked.carry.as_deref().map(|from| peers(on, from)) {
            return Plan::Refused(refusal);
        }
        let sources = self.sources(on);
        for source in &sources {
            match self.there(source, seen) {
                Seen::Is(theirs) => return self.like(source, theirs, there),
                Seen::Absent => {}
                Seen::Unread(why) => return Plan::unread(&format!("{} on {source}", self.asked.path), &why),
            }
        }
        match (there, sources.first()) {
            (Some(file), None) => settled_or(self.attributes(file)),
            (None, None) => {
                let from = self.asked.carry.as_deref().unwrap_or_default();
                Plan::refused(format!("`carry: {from}` names no other host"), "name the host that has the file")
            }
            (_, Some(first)) => {
                let what = format!("{} to have {}", sources.join(" or "), self.asked.path);
                let then = vec![self.pipe(first, 0, there)];
                Plan::Wait(Wait { what, on: sources, then, ..Wait::default() })
            }
        }
    }

    fn like(&self, source: &str, theirs: &reads::File, there: Option<&reads::File>) -> Plan {
        let path = &self.asked.path;
        if theirs.kind != FileKind::Regular {
            return Plan::refused(format!("{path} on {source} is no regular file"), "carry what it leads to, or holds");
        }
        if theirs.sha256.is_none() || there.is_some_and(|file| file.sha256.is_none()) {
            return Plan::unread(path, "its content could not be read");
        }
        match there.filter(|file| file.sha256 == theirs.sha256) {
            Some(file) => settled_or(self.attributes(file)),
            None => Plan::Change(vec![self.pipe(source, theirs.size, there)]),
        }
    }

    /// The size tells a whole file from one whose source failed or was cut, for the input of both just ends.
    fn pipe(&self, from: &str, size: u64, there: Option<&reads::File>) -> Change {
        let (path, asked) = (&self.asked.path, self.asked.mode.as_ref().map(|mode| mode.0.clone()));
        let mode = if there.is_some() { asked } else { self.new_mode() };
        let to = put(path, mode.as_deref(), self.asked.owner.as_deref(), size);
        let source = Command::new("cat").arg("--").arg(path);
        Change::new(format!("it is not {from}'s"), Does::Pipe { from: from.into(), source, to, bytes: size })
    }
}
