//! What a plan promises, held against what the run after it did.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cluster::{Place, Told, place};

/// What was compared.
pub struct Compared {
    /// What would certainly be done.
    pub will: BTreeSet<Place>,
    /// What might be.
    pub may: BTreeSet<Place>,
    /// What was.
    pub done: BTreeSet<Place>,
}

/// What is certain to be done is done, and nothing that was not announced: will ⊆ done ⊆ will ∪ may.
///
/// # Panics
/// Where that does not hold.
pub fn compare(planned: &Told, done: &Told) -> Compared {
    let open = |event: &&Value| !event["after"].is_null();
    let will: BTreeSet<Place> = planned.of("change").filter(|change| !open(change)).map(place).collect();
    let may: BTreeSet<Place> = planned.of("change").chain(planned.of("job_finished")).filter(open).map(place).collect();
    let done: BTreeSet<Place> = done.places().union(&done.ended("changed")).cloned().collect();
    let none: [&Place; 0] = [];
    assert_eq!(will.difference(&done).collect::<Vec<_>>(), none, "planned for certain, and not done");
    let spoken: BTreeSet<Place> = will.union(&may).cloned().collect();
    assert_eq!(done.difference(&spoken).collect::<Vec<_>>(), none, "done without having been planned");
    Compared { will, may, done }
}
