//! Other hosts that a parameter names.

use std::sync::Arc;

use super::{Refusal, Target};
use crate::inventory::{Group, Host, Inventory, Pattern, PatternError};

/// The host that the swarm is commanded from.
const LEADER: &str = "leader";

/// Groups that a playbook may name though no host is in them: a swarm may have no workers, and no leader yet.
const MAY_BE_EMPTY: [&str; 3] = ["managers", "workers", LEADER];

/// The hosts that a pattern of the inventory means, in inventory order; `leader` among its terms is the host that the swarm
/// is commanded from, nobody while there is none. Always of the whole inventory, whatever `--limit` says.
///
/// # Errors
/// A pattern that cannot be understood, a name that no host and no group has, and one that chooses nobody.
pub fn peers(on: &Target, pattern: &str) -> Result<Vec<Arc<Host>>, Refusal> {
    let parsed = Pattern::parse(pattern).map_err(|why| told(pattern, &why))?;
    let chosen = match known(on).select(&parsed) {
        Err(PatternError::Empty(_)) if may_be_nobody(pattern) => Vec::new(),
        chosen => chosen.map_err(|why| told(pattern, &why))?,
    };
    let named = |host: &&Arc<Host>| chosen.iter().any(|chosen| chosen.name == host.name);
    Ok(on.inventory.hosts.iter().filter(named).cloned().collect())
}

/// The names of those hosts but the job's own; none where the pattern is wrong, which [`peers`] tells.
pub fn others(on: &Target, pattern: Option<&str>) -> Vec<String> {
    let named = pattern.map(|pattern| peers(on, pattern).unwrap_or_default()).unwrap_or_default();
    named.iter().filter(|host| host.name != on.host.name).map(|host| host.name.clone()).collect()
}

/// The inventory, with the names that mean something here whoever is in it: the leader is a group of its own.
fn known(on: &Target) -> Inventory {
    let mut inventory = (*on.inventory).clone();
    if let Some(host) = inventory.hosts.iter_mut().find(|host| on.leader.as_deref() == Some(&host.name)) {
        Arc::make_mut(host).groups.push(LEADER.into());
    }
    for name in MAY_BE_EMPTY {
        if inventory.group(name).is_none() {
            inventory.groups.push(Group { name: name.into(), hosts: Vec::new() });
        }
    }
    inventory
}

/// What `!` and `&` leave may be nothing, as in a play's `hosts`.
fn may_be_nobody(pattern: &str) -> bool {
    pattern.contains(['!', '&', ':', ',']) || MAY_BE_EMPTY.contains(&pattern.trim())
}

fn told(pattern: &str, why: &PatternError) -> Refusal {
    let why = why.to_string();
    let (message, hint) =
        why.split_once("\n\nhint: ").unwrap_or((&why, "`skep hosts` shows the hosts and their groups"));
    let message =
        if message.contains(&format!("`{pattern}`")) { message.into() } else { format!("`{pattern}`: {message}") };
    Refusal { why: message, hint: Some(hint.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::Case;

    /// The names of the hosts, or what is wrong.
    fn named(pattern: &str) -> String {
        let case = Case::new(&["node1@managers", "node2@workers", "node3@workers"]).leader("node2");
        match peers(&case.target, pattern) {
            Ok(hosts) => hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" "),
            Err(wrong) => format!("{}; {}", wrong.why, wrong.hint.unwrap_or_default()),
        }
    }

    #[test]
    fn hosts_are_named_by_the_patterns_of_the_inventory() {
        let cases = [
            ("workers:managers", "node1 node2 node3"),
            ("node*", "node1 node2 node3"),
            ("all:!leader", "node1 node3"),
            ("workers[1], node1", "node1 node3"),
            ("workers:&managers", ""),
            ("leader", "node2"),
            ("wrokers", "no host or group is called `wrokers`; did you mean `workers`?"),
            ("workers[7]", "`workers[7]` chooses no host; `skep hosts` shows the hosts and their groups"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(named(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_swarm_may_have_no_workers() {
        assert_eq!(peers(&Case::new(&["node1@managers"]).target, "workers"), Ok(Vec::new()));
    }
}
