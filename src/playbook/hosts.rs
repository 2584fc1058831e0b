//! Patterns of hosts at a step's turn.

use std::sync::Arc;

use super::{Scope, Unresolved};
use crate::inventory::{Host, Pattern, PatternError};
use crate::yaml::{At, Error, Spanned};

impl Scope {
    /// The hosts of a play's or a step's pattern, in inventory order; `leader` is the host that the swarm is commanded from.
    /// What `!` and `&` take away may be all there is: `driver:!managers[0]` is nobody where the two are one.
    ///
    /// # Errors
    /// A template that cannot be rendered, a leader that is not known yet, and a pattern that is malformed, has a name that
    /// no host and no group has, or is a group without hosts.
    pub fn hosts(&self, pattern: &Spanned<String>) -> Result<Vec<Arc<Host>>, Unresolved> {
        let at = &pattern.at;
        let pattern = Pattern::parse(&self.text(pattern)?).map_err(|why| told(&why, at))?;
        if pattern.is_leader() && self.world.inventory.group("leader").is_none() {
            let leader = self.leader().ok_or_else(|| Unresolved::not_yet("leader").or_at(at).suggest(["leader"]))?;
            return Ok(self.world.host(&leader).into_iter().cloned().collect());
        }
        match self.world.inventory.select(&pattern) {
            Err(PatternError::Empty(text)) if text.contains(['!', '&']) => Ok(Vec::new()),
            chosen => Ok(chosen.map_err(|why| told(&why, at))?),
        }
    }

    /// The host that `on` means: `leader`, a name, or a pattern of one host.
    pub(super) fn place(&self, name: &str, at: &At) -> Result<String, Unresolved> {
        match name {
            "leader" => self.leader().ok_or_else(|| Unresolved::undefined("leader", at)),
            name if self.has_host(name) => Ok(name.to_owned()),
            name if name.contains(SIGNS) => Ok(self.only(name, at)?),
            name => Err(self.no_host(name, at).into()),
        }
    }

    fn only(&self, pattern: &str, at: &At) -> Result<String, Error> {
        let parsed = Pattern::parse(pattern).map_err(|why| told(&why, at))?;
        let hosts = self.world.inventory.select(&parsed).map_err(|why| told(&why, at))?;
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        match names.as_slice() {
            [name] => Ok((*name).to_owned()),
            names => Err(several(pattern, names, at)),
        }
    }

    /// Where the scope's host stands among those of its step, from 0.
    pub(super) fn index(&self) -> Option<usize> {
        let name = &self.host.as_ref()?.name;
        let pattern = self.hosts.as_ref().or(self.play.as_ref().map(|(_, hosts)| hosts))?;
        let hosts = Self::without_host(&self.world, &self.known).hosts(pattern).ok()?;
        hosts.iter().position(|host| host.name == *name)
    }
}

/// What a pattern is written with that a name has not.
const SIGNS: [char; 8] = [':', ',', '[', ']', '*', '?', '!', '&'];

/// How many names are told.
const TOLD: usize = 3;

fn several(pattern: &str, names: &[&str], at: &At) -> Error {
    let more = if names.len() > TOLD { ", …" } else { "" };
    let first = names[..names.len().min(TOLD)].join(", ");
    let error =
        Error::at(at, format!("`{pattern}` means {} hosts, and one is wanted here: {first}{more}", names.len()));
    error.with_hint("name one of them, or take one of a group: `managers[0]`")
}

fn told(why: &PatternError, at: &At) -> Error {
    let why = why.to_string();
    match why.split_once("\n\nhint: ") {
        Some((message, hint)) => Error::at(at, message).with_hint(hint),
        None => Error::at(at, why),
    }
}
