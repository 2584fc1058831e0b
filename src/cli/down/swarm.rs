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
        Self::Goes { nodes, strangers }
    }

    /// Says why it stays, where it does.
    pub fn tell(&self, paint: Paint) {
        let (text, hint) = match self {
            Self::Goes { strangers, .. } if strangers.is_empty() => return,
            Self::Goes { strangers, .. } => {
                let hint = "if they are to leave that one: docker swarm leave --force there";
                (format!("In another swarm, and left there: {}", strangers.join(", ")), hint.to_owned())
            }
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
        let _ = writeln!(io::stderr(), "{text}\n\n{} {hint}", paint.hint("hint:"));
    }
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
