//! What would be done: step by step, why, and with which commands.

use std::io::{self, Write};

use super::fold::fold;
use super::plural;
use super::style::{Paint, VERB, elapsed, fields};
use crate::event::{Difference, Event, Reporter, Tally};

/// Collects a plan and writes it when the run ends, so that it can go to a pipe while progress shows on the terminal.
pub struct Plan<W> {
    out: W,
    paint: Paint,
    steps: Vec<Step>,
}

struct Step {
    id: String,
    name: String,
    changes: Vec<(Vec<String>, What)>,
}

/// A change without the host it is for: equal ones are shown as one.
#[derive(PartialEq)]
struct What {
    on: Option<String>,
    why: String,
    command: String,
    differs: Vec<Difference>,
    after: Option<String>,
    removes: bool,
}

impl<W: Write> Plan<W> {
    /// Writes to `out`.
    pub fn new(out: W, paint: Paint) -> Self {
        Self { out, paint, steps: vec![] }
    }

    fn change(&mut self, event: &Event) {
        let Event::Change { step, host, on, why, command, differs, after, removes } = event else { return };
        let (on, why, command) = (on.clone(), why.clone(), command.clone());
        let what = What { on, why, command, differs: differs.clone(), after: after.clone(), removes: *removes };
        let Some(step) = self.steps.iter_mut().rev().find(|known| known.id == *step) else { return };
        match step.changes.iter_mut().find(|(_, known)| *known == what) {
            Some((hosts, _)) => hosts.push(host.clone()),
            None => step.changes.push((vec![host.clone()], what)),
        }
    }

    fn finish(&mut self, hosts: &[Tally], ms: u64, code: u8) -> io::Result<()> {
        for step in self.steps.iter().filter(|step| !step.changes.is_empty()) {
            writeln!(self.out, "\n{} {}", self.paint.strong(&step.name), self.paint.quiet(&format!("({})", step.id)))?;
            for (names, what) in &step.changes {
                what.lines(names, self.paint).iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
            }
        }
        writeln!(self.out, "\n{}", self.closing(hosts, ms, code))?;
        self.out.flush()
    }

    fn closing(&self, hosts: &[Tally], ms: u64, code: u8) -> String {
        let all = || self.steps.iter().flat_map(|step| &step.changes);
        let count = |may: bool| {
            all().filter(|(_, what)| what.after.is_some() == may).map(|(hosts, _)| hosts.len()).sum::<usize>()
        };
        let (will, may, time) = (count(false), count(true), elapsed(ms));
        let mut touched: Vec<&str> = all().flat_map(|(hosts, _)| hosts.iter().map(String::as_str)).collect();
        touched.sort_unstable();
        touched.dedup();
        let on = plural(touched.len(), "host");
        match (will, may) {
            (0, 0) if code == 0 && hosts.len() == 1 => {
                self.paint.good(&format!("Nothing to do: 1 host is as asked ({time})"))
            }
            (0, 0) if code == 0 => {
                self.paint.good(&format!("Nothing to do: {} hosts are as asked ({time})", hosts.len()))
            }
            (0, 0) => format!("No change could be planned ({time})"),
            (will, 0) => format!("{} on {on} ({time})", plural(will, "change")),
            (0, may) => format!("{} on {on}, each of which may turn out needless ({time})", plural(may, "change")),
            (will, may) => format!("{} on {on}: {will} will be made, {may} may ({time})", plural(will + may, "change")),
        }
    }
}

impl What {
    fn lines(&self, hosts: &[String], paint: Paint) -> Vec<String> {
        let sure = if self.after.is_none() { "will" } else { "may" };
        let after = self.after.as_ref().map_or(String::new(), |step| format!(", after {step}"));
        let verb = paint.change(&format!("{sure:>VERB$}"));
        let removes = if self.removes { format!(" {}", paint.bad("(removes or replaces)")) } else { String::new() };
        let mut lines = vec![format!("{verb}{}  {}: {}{removes}", paint.quiet(&after), fold(hosts), self.why)];
        lines.extend(fields(&self.differs, paint).iter().map(|field| format!("{:VERB$}  {field}", "")));
        let on = self.on.as_ref().map_or(String::new(), |host| format!("on {host} "));
        let command = self.command.replace('\n', &format!("\n{:VERB$}    ", ""));
        lines.push(format!("{:VERB$}  {}", "", paint.quiet(&format!("{on}$ {command}"))));
        lines
    }
}

impl<W: Write + Send> Reporter for Plan<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::StepStarted { step, name, .. } => {
                self.steps.push(Step { id: step.clone(), name: name.clone(), changes: vec![] });
            }
            Event::Change { .. } => self.change(event),
            Event::RunFinished { hosts, ms, code } => return self.finish(hosts, *ms, *code),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::story;

    fn told(events: &[Event], colour: bool) -> String {
        let mut out = Vec::new();
        let mut plan = Plan::new(&mut out, Paint::new(colour));
        events.iter().for_each(|event| plan.on_event(event).expect("memory"));
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_plan_says_why_what_and_how_certain() {
        insta::assert_snapshot!(told(&story::planned(), false));
    }

    #[test]
    fn colour_marks_what_would_change() {
        insta::assert_snapshot!(told(&story::planned(), true).replace('\u{1b}', "␛"));
    }

    #[test]
    fn nothing_to_do_is_one_line() {
        assert_eq!(told(&story::settled(), false), "\nNothing to do: 3 hosts are as asked (0.4 s)\n");
    }
}
