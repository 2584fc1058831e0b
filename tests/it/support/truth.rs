//! What a plan promises, held against what the run after it did.

use std::collections::{BTreeMap, BTreeSet};

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

/// What is certain to be done is done, and nothing that was not announced: will ⊆ done ⊆ will ∪ may. A job that no earlier
/// step can touch ends as the plan says.
///
/// # Panics
/// Where that does not hold.
pub fn compare(planned: &Told, run: &Told) -> Compared {
    let open = |event: &&Value| !event["after"].is_null();
    let will: BTreeSet<Place> = planned.of("change").filter(|change| !open(change)).map(place).collect();
    let may: BTreeSet<Place> = planned.of("change").chain(planned.of("job_finished")).filter(open).map(place).collect();
    let done: BTreeSet<Place> = run.places().union(&run.ended("changed")).cloned().collect();
    let none: [&Place; 0] = [];
    assert_eq!(will.difference(&done).collect::<Vec<_>>(), none, "planned for certain, and not done");
    let spoken: BTreeSet<Place> = will.union(&may).cloned().collect();
    assert_eq!(done.difference(&spoken).collect::<Vec<_>>(), none, "done without having been planned");
    assert_eq!(Vec::from_iter(otherwise(planned, run)), [], "ended otherwise than was certain");
    Compared { will, may, done }
}

/// A job, how the plan was certain that it ends, and how it did.
type Otherwise = (Key, String, Option<String>);
type Key = (String, String, String);

fn otherwise(planned: &Told, run: &Told) -> impl Iterator<Item = Otherwise> {
    let ended: BTreeMap<Key, String> = run.of("job_finished").map(|job| (key(job), outcome(job))).collect();
    let certain = planned.of("job_finished").filter(|job| job["after"].is_null());
    let certain = certain.map(move |job| (key(job), outcome(job), ended.get(&key(job)).cloned()));
    certain.filter(|(_, said, is)| !fits(said, is.as_deref()))
}

fn key(job: &Value) -> Key {
    let (step, host) = place(job);
    (step, host, job["item"].to_string())
}

fn outcome(job: &Value) -> String {
    job["outcome"].as_str().unwrap_or_default().to_owned()
}

/// Whether a change comes true only the run can tell.
fn fits(said: &str, is: Option<&str>) -> bool {
    is == Some(said) || (said == "changed" && matches!(is, Some("failed" | "ignored")))
}
