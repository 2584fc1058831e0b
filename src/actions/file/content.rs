//! What is in a file.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{File, differs, settled_or};
use crate::actions::{Change, Does, Parcel, Plan, Put, Target};
use crate::event::Difference;
use crate::reads::{self, Readings, Seen};
use crate::secret::masked;

/// What should be in a file: its digest, and where the bytes come from.
pub(super) struct Wanted {
    pub(super) sha256: String,
    pub(super) size: u64,
    pub(super) parcel: Parcel,
}

impl Wanted {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        Self { sha256, size: bytes.len() as u64, parcel: Parcel::Bytes(bytes.to_vec()) }
    }

    /// Whether a secret that we were told of is in it.
    fn holds_secret(&self) -> bool {
        let text = |bytes| matches!(masked(&String::from_utf8_lossy(bytes)), Cow::Owned(_));
        matches!(&self.parcel, Parcel::Bytes(bytes) if text(bytes))
    }
}

impl File {
    /// What should be in it; nothing where only mode and owner are asked for.
    pub(super) fn wanted(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Wanted>, Plan> {
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

    pub(super) fn written(&self, there: Option<&reads::File>, wanted: &Wanted, diff: Option<String>) -> Plan {
        let Some(file) = there else {
            return Plan::Change(vec![self.put("it is not there", wanted, self.new_mode()).showing(diff)]);
        };
        if file.sha256.is_none() {
            return Plan::unread(&self.asked.path, "its content could not be read");
        }
        if file.sha256.as_ref() == Some(&wanted.sha256) {
            return settled_or(self.attributes(file));
        }
        // Where the lines are shown nobody needs a digest.
        let content = diff.is_none().then(|| self.content_differs(file, wanted));
        let differs = content.into_iter().chain(self.mode_differs(file)).chain(self.owner_differs(file)).collect();
        let put = self.put("its content differs", wanted, self.asked.mode.as_ref().map(|m| m.0.clone()));
        Plan::Change(vec![put.differing(differs).showing(diff)])
    }

    pub(super) fn put(&self, why: &str, wanted: &Wanted, mode: Option<String>) -> Change {
        let (path, content) = (self.asked.path.clone(), wanted.parcel.clone());
        Change::new(why, Does::Put(Put { path, content, mode, owner: self.asked.owner.clone() }))
    }

    /// An empty one is no value: power that went left the name without it.
    pub(super) fn generated(&self, bytes: usize, there: Option<&reads::File>) -> Plan {
        match there.filter(|file| file.size > 0) {
            Some(file) => settled_or(self.attributes(file)),
            None => Plan::Change(vec![self.made_up(bytes)]),
        }
    }

    fn made_up(&self, bytes: usize) -> Change {
        let (path, owner) = (self.asked.path.clone(), self.asked.owner.clone());
        let mode = self.asked.mode.as_ref().map_or("0600", |mode| &mode.0).to_owned();
        Change::new("it was never made up", Does::Generate { path, bytes, mode, owner })
    }

    pub(super) fn new_mode(&self) -> Option<String> {
        let fitting = if self.asked.secret || self.asked.carry.is_some() { "0600" } else { "0644" };
        Some(self.asked.mode.as_ref().map_or(fitting, |mode| &mode.0).to_owned())
    }

    /// Digest and size; of a secret not even those, for a short one could be found by its digest.
    fn content_differs(&self, file: &reads::File, wanted: &Wanted) -> Difference {
        if self.asked.secret || wanted.holds_secret() {
            return differs("content", "set".into(), "changed".into());
        }
        let told = |sha256: &str, size| format!("{} bytes, sha256 {}…", size, &sha256[..12.min(sha256.len())]);
        let is = told(file.sha256.as_deref().unwrap_or_default(), file.size);
        differs("content", is, told(&wanted.sha256, wanted.size))
    }
}
