//! What is otherwise in a file, line by line, where everybody may know: the one that is there and the one that is asked for
//! can be read by every user of the host, and none of them looks as if it held a secret.

use std::path::Path;

use super::content::Wanted;
use super::{File, FileKind};
use crate::actions::diff::{BYTES, unified};
use crate::actions::{Ask, Parcel, Target};
use crate::reads::{self, Read, Readings, Seen, WORKSTATION};

impl File {
    /// What else must be read, where something differs and may be shown: nobody pays for it where all is as asked.
    pub(super) fn compared(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let there = match self.there(&on.host.name, seen) {
            Seen::Is(file) => Some(file),
            Seen::Absent => None,
            Seen::Unread(_) => return Vec::new(),
        };
        let Ok(Some(wanted)) = self.wanted(on, seen) else { return Vec::new() };
        if !self.may_be_shown(there, &wanted) {
            return Vec::new();
        }
        let look = |path: &str, content| on.ask(Read::File { path: path.into(), content });
        let is = there.map(|_| look(&self.asked.path, true));
        let folders = self.folders().map(|folder| look(folder, false));
        let local = local(&wanted).map(|path| Ask { host: WORKSTATION.into(), read: Read::Text(path.into()) });
        is.into_iter().chain(local).chain(folders).collect()
    }

    /// The unified difference, if it may be shown.
    pub(super) fn diff(
        &self,
        there: Option<&reads::File>,
        wanted: &Wanted,
        on: &Target,
        seen: &Readings<'_>,
    ) -> Option<String> {
        if !(self.may_be_shown(there, wanted) && self.can_be_reached(on, seen)) {
            return None;
        }
        let content = || seen.content(&on.host.name, &self.asked.path).is()?.content.as_deref();
        let is = if there.is_some() { content()? } else { b"" };
        match &wanted.parcel {
            Parcel::Bytes(asked) => unified(is, asked),
            Parcel::File(path) => unified(is, seen.text(path).is()?.as_bytes()),
            Parcel::Context(_) => None,
        }
    }

    /// Whether everybody may read the file, as it is and as it is to be, and it is a short one.
    fn may_be_shown(&self, there: Option<&reads::File>, wanted: &Wanted) -> bool {
        let public = |mode: u32| mode & 0o004 != 0;
        let differs = |file: &reads::File| file.sha256.as_ref().is_some_and(|is| *is != wanted.sha256);
        let regular = |file: &reads::File| file.kind == FileKind::Regular && public(file.mode) && file.size <= BYTES;
        let asked = self.asked.mode.as_ref().is_none_or(|mode| public(mode.bits()));
        let asked = asked && !self.asked.secret && wanted.size <= BYTES;
        asked && there.is_none_or(|file| regular(file) && differs(file))
    }

    /// Whether the folders above let everybody through. What a link leads to is not looked at.
    fn can_be_reached(&self, on: &Target, seen: &Readings<'_>) -> bool {
        self.folders().all(|folder| match seen.file(&on.host.name, folder) {
            Seen::Is(folder) => folder.kind == FileKind::Folder && folder.mode & 0o001 != 0,
            Seen::Absent => true,
            Seen::Unread(_) => false,
        })
    }

    /// The folders above, from the nearest to `/`.
    fn folders(&self) -> impl Iterator<Item = &str> {
        Path::new(&self.asked.path).ancestors().skip(1).filter_map(Path::to_str)
    }
}

fn local(wanted: &Wanted) -> Option<&Path> {
    match &wanted.parcel {
        Parcel::File(path) => Some(path),
        Parcel::Bytes(_) | Parcel::Context(_) => None,
    }
}
