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

    /// Where the scope's host stands among those of its step, from 0.
    pub(super) fn index(&self) -> Option<usize> {
        let name = &self.host.as_ref()?.name;
        let pattern = self.hosts.as_ref().or(self.play.as_ref().map(|(_, hosts)| hosts))?;
        let hosts = Self::without_host(&self.world, &self.known).hosts(pattern).ok()?;
        hosts.iter().position(|host| host.name == *name)
    }
}

fn told(why: &PatternError, at: &At) -> Error {
    let why = why.to_string();
    match why.split_once("\n\nhint: ") {
        Some((message, hint)) => Error::at(at, message).with_hint(hint),
        None => Error::at(at, why),
    }
}
