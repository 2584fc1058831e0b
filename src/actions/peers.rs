//! Other hosts that a parameter names.

use std::sync::Arc;

use super::Target;
use crate::inventory::Host;

/// The hosts that `words` names, in inventory order: hosts, groups, `group[0]`, `leader`, several of them with `:` between.
/// Always of the whole inventory, whatever `--limit` says.
pub fn peers(on: &Target, words: &str) -> Vec<Arc<Host>> {
    let parts: Vec<&str> = words.split([':', ',']).map(str::trim).collect();
    let named = |host: &&Arc<Host>| parts.iter().any(|part| means(on, part, &host.name));
    on.hosts.iter().filter(named).cloned().collect()
}

fn means(on: &Target, part: &str, name: &str) -> bool {
    if part == "leader" {
        return on.leader.as_deref() == Some(name);
    }
    match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
        Some((group, index)) => index.parse().is_ok_and(|at| on.group(group).nth(at).is_some_and(|h| h.name == name)),
        None => part == name || on.group(part).any(|host| host.name == name),
    }
}
