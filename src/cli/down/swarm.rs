//! What becomes of the swarm: it goes only where somebody who knows says that nobody else uses it.

use std::io::{self, Write};

use super::Seen;
use super::remains::Remains;
use crate::report::Paint;

/// What becomes of the swarm.
#[derive(Debug, PartialEq)]
pub enum Swarm {
    /// It is left by all.
    Goes,
    /// It runs what somebody else made.
    Serves(Vec<String>),
    /// Who would know what it runs could not be asked.
    Unknown,
}

impl Swarm {
    /// It goes where a manager says that it runs nothing but what goes, or where every host was seen and none commands it.
    pub fn of(seen: &[Seen], whole: bool) -> Self {
        let remains = || seen.iter().map(|seen| &seen.remains);
        // What runs goes by a manager that may be changed.
        let goes = seen.iter().any(|seen| seen.meant && seen.remains.knows_services());
        let mut services: Vec<_> = remains().flat_map(|remains| remains.serves(goes)).map(str::to_owned).collect();
        services.sort_unstable();
        services.dedup();
        let known = remains().any(Remains::knows_services) || (whole && !remains().any(Remains::manages));
        match (services.is_empty(), known || !remains().any(Remains::is_in_swarm)) {
            (false, _) => Self::Serves(services),
            (true, true) => Self::Goes,
            (true, false) => Self::Unknown,
        }
    }

    /// Says why it stays, where it does.
    pub fn tell(&self, paint: Paint) {
        let (text, hint) = match self {
            Self::Goes => return,
            Self::Serves(services) => {
                let hint = format!("to let it go too, first docker service rm {}", services.join(" "));
                (format!("The swarm stays: it runs services ({})", services.join(", ")), hint)
            }
            Self::Unknown => {
                let hint = "run it again when a manager answers; to let it go all the same, on each host: docker swarm leave --force";
                ("The swarm stays: no manager could be asked what it runs".to_owned(), hint.to_owned())
            }
        };
        let _ = writeln!(io::stderr(), "{text}\n\n{} {hint}", paint.hint("hint:"));
    }
}
