//! What `register` keeps: always there once its step had its turn, whatever became of it.

use minijinja::Value as Jinja;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value as Json;

use super::Known;
use crate::event::Outcome;
use crate::remote::Output;

/// How one job of a step ended.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// How.
    pub outcome: Outcome,
    /// What its command, or what it looked at, has said.
    pub output: Option<&'a Output>,
    /// The loop's item; none where the step has no loop.
    pub item: Option<&'a Json>,
}

/// The parts of that by name.
pub(super) const PARTS: &[&str] = &["stdout", "stderr", "code", "json", "failed", "skipped", "changed", "results"];

/// What a job leaves for the steps after it.
#[derive(Serialize)]
struct Registered<'a> {
    /// Whether the step was not meant for this host.
    skipped: bool,
    /// Whether it failed; a step that is only looked at by others, or that may fail, is there all the same.
    failed: bool,
    /// Whether it had to do something.
    changed: bool,
    /// The exit code; null where nothing ran.
    code: Option<i32>,
    /// Standard output, without the white space at its end.
    stdout: String,
    /// The same of standard error.
    stderr: String,
    /// Standard output, where it is JSON; else null.
    json: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<Registered<'a>>>,
}

impl<'a> Registered<'a> {
    fn of(ending: &Ending<'a>) -> Self {
        let output = ending.output;
        Self {
            skipped: ending.outcome == Outcome::Skipped,
            failed: matches!(ending.outcome, Outcome::Failed | Outcome::Ignored | Outcome::Unreachable),
            changed: ending.outcome == Outcome::Changed,
            code: output.map(|output| output.code),
            stdout: output.map(Output::text).unwrap_or_default(),
            stderr: output.map(Output::errors).unwrap_or_default(),
            json: output.and_then(|output| serde_json::from_slice(&output.stdout).ok()),
            item: ending.item,
            results: None,
        }
    }

    /// All items of a loop together: what each has left, and the last one's output.
    fn together(results: Vec<Self>) -> Self {
        let any = |of: fn(&Self) -> bool| results.iter().any(of);
        let last = results.last();
        Self {
            skipped: results.iter().all(|one| one.skipped),
            failed: any(|one| one.failed),
            changed: any(|one| one.changed),
            code: last.and_then(|one| one.code),
            stdout: last.map(|one| one.stdout.clone()).unwrap_or_default(),
            stderr: last.map(|one| one.stderr.clone()).unwrap_or_default(),
            json: last.and_then(|one| one.json.clone()),
            item: None,
            results: Some(results),
        }
    }
}

/// The same of a single job, as a value for expressions.
pub(super) fn value(ending: &Ending<'_>) -> Jinja {
    Serde(&Registered::of(ending)).into()
}

impl Known {
    /// Keeps how a step ended on a host, for the steps after it: `skipped`, `failed`, `changed`, `stdout` and `stderr` without
    /// the white space at their end, `code`, and `json` where standard output is JSON; of a step with `loop` also
    /// `results`, one for each item, with its `item`.
    pub fn register(&mut self, host: &str, name: &str, looped: bool, endings: &[Ending<'_>]) {
        let mut each: Vec<Registered<'_>> = endings.iter().map(Registered::of).collect();
        let value = match (looped, each.pop()) {
            (false, Some(only)) => only,
            (_, last) => {
                each.extend(last);
                Registered::together(each)
            }
        };
        let value = serde_json::to_value(value).unwrap_or_default();
        self.registered.entry(host.to_owned()).or_default().insert(name.to_owned(), value);
    }

    /// Nobody can tell what is left by that name.
    pub fn forget(&mut self, host: &str, name: &str) {
        self.registered.get_mut(host).map(|kept| kept.remove(name));
    }
}
