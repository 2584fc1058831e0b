//! What would be done: step by step, why, and with which commands; and in a line how it is with the rest.

mod step;

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::lines::Detail;
use super::plural;
use super::style::{Paint, elapsed};
use crate::event::{Event, Reporter, Tally};
use step::{Manner, Step, What};

/// Collects a plan and writes it when the run ends, so that it can go to a pipe while progress shows on the terminal.
pub struct Plan<W> {
    out: W,
    paint: Paint,
    detail: Detail,
    hosts: usize,
    lost: Vec<String>,
    steps: Vec<Step>,
}

impl<W: Write> Plan<W> {
    /// Writes to `out`.
    pub fn new(out: W, paint: Paint, detail: Detail) -> Self {
        Self { out, paint, detail, hosts: 0, lost: vec![], steps: vec![] }
    }

    /// A step that is taken batch by batch is shown once.
    fn begin(&mut self, id: &str, name: &str) {
        if self.step(id).is_none() {
            self.steps.push(Step::new(id, name));
        }
    }

    fn step(&mut self, id: &str) -> Option<&mut Step> {
        self.steps.iter_mut().find(|known| known.id == id)
    }

    /// Steps with something to read are paragraphs; those between them are a line each.
    fn finish(&mut self, hosts: &[Tally], ms: u64, code: u8) -> io::Result<()> {
        let manner = Manner { paint: self.paint, detail: self.detail, hosts: self.hosts, lost: &self.lost };
        let mut before_is_short = false;
        for step in &self.steps {
            let lines = step.lines(manner);
            if !(lines.is_empty() || before_is_short && step.is_short()) {
                writeln!(self.out)?;
            }
            before_is_short = step.is_short() && (before_is_short || !lines.is_empty());
            lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
        }
        writeln!(self.out, "\n{}", self.closing(hosts, ms, code))?;
        self.out.flush()
    }

    fn closing(&self, hosts: &[Tally], ms: u64, code: u8) -> String {
        let (will, may, time) = (self.count(false), self.count(true), elapsed(ms));
        let on = plural(self.touched(), "host");
        let open = match self.steps.iter().filter(|step| step.is_open()).count() {
            0 => String::new(),
            open => format!("; {} cannot be told yet", plural(open, "step")),
        };
        match (will, may) {
            (0, 0) if code == 0 && open.is_empty() => {
                let are = if hosts.len() == 1 { "host is" } else { "hosts are" };
                self.paint.good(&format!("Nothing to do: {} {are} as asked ({time})", hosts.len()))
            }
            (0, 0) => format!("No change could be planned{open} ({time})"),
            (will, 0) => format!("{} on {on}{open} ({time})", plural(will, "change")),
            (0, may) => {
                format!("{} on {on}, each of which may turn out needless{open} ({time})", plural(may, "change"))
            }
            (will, may) => {
                format!("{} on {on}: {will} will be made, {may} may{open} ({time})", plural(will + may, "change"))
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &(Vec<String>, What)> {
        self.steps.iter().flat_map(|step| &step.changes)
    }

    /// How many changes there would be: those that may be, or those that will.
    fn count(&self, may: bool) -> usize {
        self.all().filter(|(_, what)| what.after.is_some() == may).map(|(hosts, _)| hosts.len()).sum()
    }

    fn touched(&self) -> usize {
        self.all().flat_map(|(hosts, _)| hosts).collect::<BTreeSet<_>>().len()
    }
}

impl<W: Write + Send> Reporter for Plan<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted { hosts, .. } => self.hosts = hosts.len(),
            Event::HostLost { host, .. } => self.lost.push(host.clone()),
            Event::StepStarted { step, name, .. } => self.begin(step, name),
            Event::Change { step, .. } => self.step(step).into_iter().for_each(|step| step.change(event)),
            Event::JobFinished { step, .. } => self.step(step).into_iter().for_each(|step| step.ended(event)),
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
        let mut plan = Plan::new(&mut out, Paint::new(colour), Detail::Steps);
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
    fn where_nothing_is_to_be_done_each_step_is_a_line() {
        insta::assert_snapshot!(told(&story::settled(), false));
    }

    #[test]
    fn whoever_is_as_asked_waits_or_cannot_be_told_has_his_line() {
        insta::assert_snapshot!(told(&story::planned_in_part(), false));
    }

    #[test]
    fn a_long_difference_is_shortened_unless_all_is_asked_for() {
        let told = |detail| {
            let mut out = Vec::new();
            let mut plan = Plan::new(&mut out, Paint::new(false), detail);
            story::rewritten(300).iter().for_each(|event| plan.on_event(event).expect("memory"));
            String::from_utf8(out).expect("UTF-8")
        };
        let (short, all) = (told(Detail::Steps), told(Detail::Everything));
        assert!(short.lines().count() < 40 && short.contains("… more lines, shown with -v"), "{short}");
        assert!(all.lines().count() > 300 && !all.contains("-v"), "{all}");
    }

    #[test]
    fn a_step_that_is_taken_batch_by_batch_is_shown_once() {
        let mut events = story::settled();
        let again: Vec<Event> =
            events[1..].iter().filter(|event| !matches!(event, Event::RunFinished { .. })).cloned().collect();
        events.splice(1..1, again);
        assert_eq!(told(&events, false), told(&story::settled(), false));
    }
}
