//! From a package that is there to none.

use super::{Change, Difference, Package, Plan, Read, Readings, Seen, Target, There, differs};
use crate::actions::apt;

/// A package that apt would remove: `Remv hello [2.10-3]`.
struct Goes {
    name: String,
    version: String,
}

impl Package {
    pub(super) fn removal_reads(&self, there: &[There<'_>]) -> Vec<Read> {
        match present(there).as_slice() {
            [] => Vec::new(),
            names => apt::guards().into_iter().chain([Read::Probe(apt::removal(names))]).collect(),
        }
    }

    /// Each package that goes is named: those asked for, and those that cannot be without them.
    pub(super) fn removed(&self, there: &[There<'_>], on: &Target, seen: &Readings<'_>) -> Result<Plan, Plan> {
        let names = present(there);
        if names.is_empty() {
            return Ok(Plan::Settled);
        }
        let mended = apt::guarded(on, seen)?;
        let removal = match &mended {
            // apt tells nothing before that is done.
            Some(_) => None,
            None => Some(removal(&names, there, on, seen)?),
        };
        Ok(Plan::Change(mended.into_iter().chain(removal).collect()))
    }
}

/// Those of which there is anything.
fn present(there: &[There<'_>]) -> Vec<String> {
    there.iter().filter(|one| one.status.is_some()).map(|one| one.name.to_owned()).collect()
}

fn removal(names: &[String], there: &[There<'_>], on: &Target, seen: &Readings<'_>) -> Result<Change, Plan> {
    let goes = match seen.probe(&on.host.name, &apt::removal(names)) {
        Seen::Is(output) if output.ok() => output.text().lines().filter_map(goes).collect::<Vec<_>>(),
        Seen::Is(output) => return Err(cannot(names, &output.errors())),
        Seen::Absent => return Err(Plan::unread("what apt would remove", "there is no apt")),
        Seen::Unread(why) => return Err(Plan::unread("what apt would remove", &why)),
    };
    let asked = |gone: &&Goes| there.iter().any(|one| one.name == gone.name);
    let (asked, along): (Vec<&Goes>, Vec<&Goes>) = goes.iter().partition(asked);
    let differs: Vec<Difference> = asked
        .iter()
        .map(|gone| differs(&gone.name, gone.version.clone(), "absent".into()))
        .chain(along.iter().map(|gone| differs(&gone.name, gone.version.clone(), "absent too".into())))
        .collect();
    let all: Vec<String> = goes.iter().map(|gone| gone.name.clone()).collect();
    Ok(Change::run(why(names, &along), apt::remove(&all)).differing(differs).removing())
}

fn why(names: &[String], along: &[&Goes]) -> String {
    let is = if names.len() == 1 { "is" } else { "are" };
    let with = match along.len() {
        0 => String::new(),
        1 => format!(", and {} needs it", along[0].name),
        more => format!(", and {more} others need it"),
    };
    format!("{} {is} installed{with}", names.join(", "))
}

fn goes(line: &str) -> Option<Goes> {
    let mut words = line.strip_prefix("Remv ")?.split(' ');
    let (name, version) = (words.next()?, words.next()?);
    Some(Goes { name: name.to_owned(), version: version.trim_matches(['[', ']']).to_owned() })
}

fn cannot(names: &[String], said: &str) -> Plan {
    let why = said.lines().filter_map(|line| line.strip_prefix("E: ")).next_back().unwrap_or(said);
    let hint = match said.contains("Essential packages") {
        true => "the system cannot be without it",
        false => "see there what is in the way: sudo apt-get --simulate remove NAME",
    };
    Plan::refused(format!("apt would not remove {}: {why}", names.join(", ")), hint)
}
