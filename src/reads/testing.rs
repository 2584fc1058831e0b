//! Runs the real scripts of reads, here, with `sh`.

use std::process::{Command, Stdio};

use super::{Part, Read, Seen, Value, parts};
use crate::remote::Output;

/// Runs a part's script and understands what it printed.
pub fn ran(part: &Part) -> Vec<Seen<Value>> {
    let mut sh = Command::new("sh");
    let ran = sh.arg("-c").arg(&part.script).stdin(Stdio::null()).output().expect("sh runs");
    let output = Output { code: ran.status.code().unwrap_or(-1), stdout: ran.stdout, stderr: ran.stderr };
    (part.understand)(&part.reads, &output)
}

/// Answers one read by its real script.
pub fn one(read: Read) -> Seen<Value> {
    let parts = parts([read]);
    assert_eq!(parts.len(), 1, "one read makes one part");
    ran(&parts[0]).remove(0)
}
