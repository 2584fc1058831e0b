//! What becomes of the swarm: it goes only where somebody who knows says that nobody else uses it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::Seen;
use super::remains::Remains;
use crate::report::Paint;

/// What becomes of the swarm.
#[derive(Debug, PartialEq)]
pub enum Swarm {
    /// It is left by all: by those whose nodes a manager lists, where there is one; else nobody knows better.
    Goes {
        /// The ids of its nodes.
        nodes: BTreeSet<String>,
        /// Hosts that are in another one.
        strangers: Vec<String>,
        /// Nodes that no host is that answered: what runs there goes on.
        left_behind: Vec<String>,
    },
    /// It runs what somebody else made.
    Serves(Vec<String>),
    /// Who would know what it runs could not be asked.
    Unknown,
    /// Hosts are in it on which nothing may be removed, and without its managers they would be in none.
    Shared(Vec<String>),
}

impl Swarm {
    /// It goes where a manager says that it runs nothing but what goes, or where every host was seen and none commands it.
    pub fn of(seen: &[Seen], whole: bool, lost: &[String]) -> Self {
        let beyond = beyond(seen, lost);
        if seen.iter().any(|seen| seen.meant && seen.remains.manages()) && !beyond.is_empty() {
            return Self::Shared(beyond);
        }
        let remains = || seen.iter().map(|seen| &seen.remains);
        // What runs goes by a manager that may be changed.
        let goes = seen.iter().any(|seen| seen.meant && seen.remains.knows_services());
        let mut services: Vec<_> = remains().flat_map(|remains| remains.serves(goes)).map(str::to_owned).collect();
        services.sort_unstable();
        services.dedup();
        let known = remains().any(Remains::knows_services) || (whole && !remains().any(Remains::manages));
        match (services.is_empty(), known || !remains().any(Remains::is_in_swarm)) {
            (false, _) => Self::Serves(services),
            (true, true) => Self::goes(seen),
            (true, false) => Self::Unknown,
        }
    }

    fn goes(seen: &[Seen]) -> Self {
        let nodes = nodes(seen);
        let is_strange = |seen: &&Seen| seen.meant && seen.remains.is_in_swarm() && !seen.remains.is_of(&nodes);
        let strangers = seen.iter().filter(is_strange).map(|seen| seen.host.name.clone()).collect();
        Self::Goes { nodes, strangers, left_behind: left_behind(seen) }
    }

    /// Says why it stays, where it does, and whom it leaves behind, where it goes.
    pub fn tell(&self, paint: Paint) {
        for (text, hint) in self.told() {
            let _ = writeln!(io::stderr(), "{text}\n\n{} {hint}", paint.hint("hint:"));
        }
    }

    fn told(&self) -> Vec<(String, String)> {
        let told = match self {
            Self::Goes { strangers, left_behind, .. } => return going(strangers, left_behind),
            Self::Serves(services) => {
                let hint = format!("to let it go too, first docker service rm {}", services.join(" "));
                (format!("The swarm stays: it runs services ({})", services.join(", ")), hint)
            }
            Self::Shared(hosts) => {
                let hint = "without --limit the swarm goes, with its services and networks; workers may leave it alone";
                (
                    format!("The swarm stays: {} may be in it, and --limit leaves them out", hosts.join(", ")),
                    hint.to_owned(),
                )
            }
            Self::Unknown => {
                let hint = "run it again when a manager answers; to let it go all the same, on each host: docker swarm leave --force";
                ("The swarm stays: no manager could be asked what it runs".to_owned(), hint.to_owned())
            }
        };
        vec![told]
    }
}

fn going(strangers: &[String], left_behind: &[String]) -> Vec<(String, String)> {
    let told = |what: &str, who: &[String], hint: &str| {
        (!who.is_empty()).then(|| (format!("{what}: {}", who.join(", ")), hint.to_owned()))
    };
    let strange = told(
        "In another swarm, and left there",
        strangers,
        "if they are to leave that one: docker swarm leave --force there",
    );
    let behind = told(
        "Nodes of the swarm that no host is which answered, and that nobody commands any more then",
        left_behind,
        "what runs on them goes on; to end it: docker swarm leave --force there",
    );
    strange.into_iter().chain(behind).collect()
}

fn left_behind(seen: &[Seen]) -> Vec<String> {
    let is_seen = |id: &str| seen.iter().any(|seen| seen.remains.node == id);
    let nodes = seen.iter().flat_map(|seen| &seen.remains.nodes).filter(|node| !is_seen(&node.id));
    let names: BTreeSet<String> = nodes.map(|node| node.name.clone()).collect();
    names.into_iter().collect()
}

/// Hosts on which nothing may be removed and that are in a swarm, or may be: of those that are `lost` nobody knows.
fn beyond(seen: &[Seen], lost: &[String]) -> Vec<String> {
    let nodes = nodes(seen);
    let stay = seen.iter().filter(|seen| !seen.meant && seen.remains.is_in_swarm() && seen.remains.is_of(&nodes));
    stay.map(|seen| seen.host.name.clone()).chain(lost.iter().cloned()).collect()
}

/// The ids of the nodes that managers list.
fn nodes(seen: &[Seen]) -> BTreeSet<String> {
    seen.iter().flat_map(|seen| &seen.remains.nodes).map(|node| node.id.clone()).collect()
}
