//! Any line of shell that only looks.

use std::time::Duration;

use super::{Part, Read, Readings, Seen, Value};
use crate::remote::{Output, quote};

/// A line of shell that only looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Probe {
    /// The line, run by `sh` with nothing on its standard input.
    pub line: String,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Seconds it may take.
    pub seconds: u32,
    /// Whether somebody elsewhere is asked, who is not to be asked more often than need be.
    pub elsewhere: bool,
}

impl Probe {
    /// A line with no environment of its own, which may take 10 s.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), environment: Vec::new(), seconds: 10, elsewhere: false }
    }

    /// The same, where it may take longer: whoever is asked is elsewhere, or slow.
    #[must_use]
    pub fn within(self, seconds: u32) -> Self {
        Self { seconds, ..self }
    }

    /// The same, where it asks somebody elsewhere: once a run has changed something, it waits for the step that needs it.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        Self { elsewhere: true, ..self }
    }

    /// The same, where a playbook says so: in whole seconds, and at least one.
    #[must_use]
    pub fn allowed(self, time: Option<Duration>) -> Self {
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1);
        Self { seconds: time.map_or(self.seconds, seconds), ..self }
    }
}

/// One part for each probe: nobody knows what a line prints, so none can share.
pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let probe = |read: &Read| match read {
        Read::Probe(probe) => Some(part(probe)),
        _ => None,
    };
    reads.iter().filter_map(probe).collect()
}

fn part(probe: &Probe) -> Part {
    Part {
        script: probe.line.clone(),
        reads: vec![Read::Probe(probe.clone())],
        understand: |_, output| vec![Seen::Is(Value::Output(output.clone()))],
        deadline: probe.seconds,
    }
}

/// Sets the environment of a part. Its values may be secrets: they must not come into an argument that `ps` shows.
pub(super) fn exports(part: &Part) -> String {
    let probes = part.reads.iter().filter_map(|read| match read {
        Read::Probe(probe) => Some(&probe.environment),
        _ => None,
    });
    probes.flatten().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect()
}

impl<'a> Readings<'a> {
    /// How a probe ended.
    pub fn probe(&self, host: &str, probe: &Probe) -> Seen<&'a Output> {
        self.value(host, &Read::Probe(probe.clone()), |value| match value {
            Value::Output(output) => Some(output),
            _ => None,
        })
    }
}
