//! Mode and owner of a file or folder.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::{File, differs};
use crate::actions::Change;
use crate::event::Difference;
use crate::reads::{self, FileKind};
use crate::remote::Command;

/// Permission bits, as octal digits.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub(super) struct Mode(pub(super) String);

impl Mode {
    pub(super) fn bits(&self) -> u32 {
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
        match (3..=4).contains(&text.len()) && octal {
            true => Ok(Mode(text.to_owned())),
            false => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
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

impl File {
    /// What has to be done for mode and owner alone.
    pub(super) fn attributes(&self, file: &reads::File) -> Vec<Change> {
        let mode = self.asked.mode.as_ref().zip(self.mode_differs(file));
        let owner = self.asked.owner.as_ref().zip(self.owner_differs(file));
        let folder = file.kind == FileKind::Folder;
        // chown(2) clears the set-id bits, so the mode comes last.
        let owner = owner.map(|(owner, d)| Change::run("its owner differs", self.chown(owner)).differing(vec![d]));
        let mode = mode.map(|(mode, d)| Change::run("its mode differs", self.chmod(mode, folder)).differing(vec![d]));
        owner.into_iter().chain(mode).collect()
    }

    pub(super) fn mode_differs(&self, file: &reads::File) -> Option<Difference> {
        let asked = self.asked.mode.as_ref().filter(|mode| mode.bits() != file.mode)?;
        Some(differs("mode", Mode::of(file.mode).0, Mode::of(asked.bits()).0))
    }

    pub(super) fn owner_differs(&self, file: &reads::File) -> Option<Difference> {
        let asked = self.asked.owner.as_ref().filter(|owner| !file.owned_by(owner))?;
        Some(differs("owner", format!("{}:{}", file.user.0, file.group.0), asked.clone()))
    }

    /// Of a folder, chmod clears the set-id bits only where five digits say so: one may have them from the folder above (GNU
    /// Coreutils, "Directory Setuid and Setgid").
    pub(super) fn chmod(&self, mode: &Mode, folder: bool) -> Command {
        let digits = if folder { format!("{:0>5}", mode.0) } else { mode.0.clone() };
        Command::new("chmod").arg(digits).arg("--").arg(&self.asked.path)
    }

    pub(super) fn chown(&self, owner: &str) -> Command {
        Command::new("chown").arg(owner).arg("--").arg(&self.asked.path)
    }
}
