//! Lines for pipes and CI.

use std::io::{self, Write};

use super::lines::{Detail, Lines};
use super::style::Paint;
use crate::event::{Event, Reporter};

/// Writes what happens line by line, what begins and what is waited for included, since nothing else shows it.
pub struct Plain<W> {
    out: W,
    lines: Lines,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub fn new(out: W, paint: Paint, detail: Detail) -> Self {
        Self { out, lines: Lines::new(paint, detail, true) }
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        for line in self.lines.of(event) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::story;

    fn told(events: &[Event], detail: Detail) -> String {
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out, Paint::new(false), detail);
        events.iter().for_each(|event| plain.on_event(event).expect("memory"));
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_run_that_fails_says_who_what_and_what_to_do() {
        insta::assert_snapshot!(told(&story::failing(), Detail::Steps));
    }

    #[test]
    fn a_run_with_nothing_to_do_is_quiet() {
        insta::assert_snapshot!(told(&story::settled(), Detail::Steps));
    }

    #[test]
    fn verbose_shows_every_line_of_output() {
        insta::assert_snapshot!(told(&story::failing(), Detail::Everything));
    }
}
