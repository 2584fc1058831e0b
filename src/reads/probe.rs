//! Any line of shell that only looks.

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
}

impl Probe {
    /// A line with no environment of its own, which may take 10 s.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), environment: Vec::new(), seconds: 10 }
    }

    /// The same, where it may take longer: whoever is asked is elsewhere, or slow.
    #[must_use]
    pub fn within(self, seconds: u32) -> Self {
        Self { seconds, ..self }
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
    let exports: String = probe.environment.iter().map(|(k, v)| format!("export {k}={}\n", quote(v))).collect();
    Part {
        script: exports + &probe.line,
        reads: vec![Read::Probe(probe.clone())],
        understand: |_, output| vec![Seen::Is(Value::Output(output.clone()))],
        deadline: probe.seconds,
    }
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
