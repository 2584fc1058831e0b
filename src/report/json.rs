//! One event a line, for programs.

use std::io::{self, Write};

use crate::event::{Event, Reporter};

/// Writes each event as one line of JSON and flushes it. The form is part of the command line's contract.
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Writes to `out`: standard output, on which there is nothing else then.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::story;

    #[test]
    fn each_event_is_one_line_and_the_last_one_ends_the_run() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out);
        for event in story::failing() {
            json.on_event(&event).expect("memory");
        }
        insta::assert_snapshot!(String::from_utf8(out).expect("UTF-8"));
    }
}
