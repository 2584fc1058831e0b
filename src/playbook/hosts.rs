//! Patterns of hosts at a step's turn.

use std::sync::Arc;

use super::{ResolveError, Scope};
use crate::inventory::Host;
use crate::yaml::{At, Error, Spanned};

impl Scope {
    /// The hosts of a play's or a step's pattern, in inventory order. `leader` among its terms is the host that the swarm is
    /// commanded from.
    ///
    /// # Errors
    /// A template that cannot be rendered, a leader that is not known yet, a name that no host and no group has, and a
    /// pattern that is malformed or names nobody.
    pub fn hosts(&self, pattern: &Spanned<String>) -> Result<Vec<Arc<Host>>, ResolveError> {
        let text = self.text(pattern)?;
        let mut chosen: Vec<Arc<Host>> = Vec::new();
        for term in terms(&text) {
            self.term(term, &pattern.at, &mut chosen)?;
        }
        let order = |host: &Arc<Host>| self.world.hosts.iter().position(|other| other.name == host.name);
        chosen.sort_by_key(order);
        Ok(chosen)
    }

    /// Where the scope's host stands among those of its step, from 0.
    pub(super) fn index(&self) -> Option<usize> {
        let name = &self.host.as_ref()?.name;
        let pattern = self.hosts.as_ref().or(self.play.as_ref().map(|(_, hosts)| hosts))?;
        let hosts = Self::without_host(&self.world, &self.known).hosts(pattern).ok()?;
        hosts.iter().position(|host| host.name == *name)
    }

    /// Adds, keeps or takes away the hosts of one term.
    fn term(&self, term: &str, at: &At, chosen: &mut Vec<Arc<Host>>) -> Result<(), ResolveError> {
        let (sign, name) = match term.split_at_checked(1) {
            Some((sign @ ("!" | "&"), name)) => (sign, name),
            _ => ("", term),
        };
        let named = self.named(name, at)?;
        let is_named = |host: &Arc<Host>| named.iter().any(|other| other.name == host.name);
        match sign {
            "!" => chosen.retain(|host| !is_named(host)),
            "&" => chosen.retain(is_named),
            _ => {
                let new: Vec<_> =
                    named.iter().filter(|host| !chosen.iter().any(|c| c.name == host.name)).cloned().collect();
                chosen.extend(new);
            }
        }
        Ok(())
    }

    fn named(&self, name: &str, at: &At) -> Result<Vec<Arc<Host>>, ResolveError> {
        if name == "leader" && !self.world.hosts.iter().any(|host| in_group(host, name)) {
            let leader = self.leader().ok_or_else(|| ResolveError::not_yet("leader").or_at(at))?;
            return Ok(self.world.host(&leader).into_iter().cloned().collect());
        }
        let (group, range) = match name.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
            Some((group, range)) => (group, Some(range)),
            None => (name, None),
        };
        let members: Vec<_> =
            self.world.hosts.iter().filter(|host| host.name == group || in_group(host, group)).cloned().collect();
        if members.is_empty() {
            return Err(self.nobody(group, at).into());
        }
        match range {
            None => Ok(members),
            Some(range) => some_of(&members, range)
                .ok_or_else(|| Error::at(at, format!("`{name}`: no such place in the group")).into()),
        }
    }

    fn nobody(&self, name: &str, at: &At) -> Error {
        let hosts = self.world.hosts.iter();
        let names: Vec<&str> =
            hosts.flat_map(|host| std::iter::once(&host.name).chain(&host.groups)).map(String::as_str).collect();
        let error = Error::at(at, format!("the inventory has no host and no group `{name}`"));
        error.did_you_mean(name, names.into_iter().chain(["all", "leader"]))
    }
}

/// The terms between `:` or `,`; a `:` in brackets belongs to a range.
fn terms(pattern: &str) -> Vec<&str> {
    let mut inside = false;
    let separates = |c: char| {
        inside = (inside || c == '[') && c != ']';
        !inside && matches!(c, ':' | ',')
    };
    pattern.split(separates).map(str::trim).filter(|term| !term.is_empty()).collect()
}

/// `0`, `-1`, `0:1` (both ends belong to it), `1:`, `:1` of a group's hosts.
fn some_of(members: &[Arc<Host>], range: &str) -> Option<Vec<Arc<Host>>> {
    let count = members.len();
    let place = |text: &str| -> Option<usize> {
        let number: i64 = text.trim().parse().ok()?;
        usize::try_from(if number < 0 { number + i64::try_from(count).ok()? } else { number }).ok()
    };
    let (first, last) = match range.split_once(':') {
        None => (place(range)?, place(range)?),
        Some((from, to)) => {
            let from = if from.is_empty() { 0 } else { place(from)? };
            (from, if to.is_empty() { count.checked_sub(1)? } else { place(to)? })
        }
    };
    members.get(first..last.checked_add(1)?).map(<[_]>::to_vec)
}

fn in_group(host: &Host, group: &str) -> bool {
    group == "all" || host.groups.iter().any(|name| name == group)
}
