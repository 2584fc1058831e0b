//! The end: how each host fared, what failed and what to do about it, and how to go on.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::fold::fold;
use super::journal::Place;
use super::lines::{Detail, Job, Told, grouped};
use super::log;
use super::plural;
use super::style::{Paint, elapsed};
use crate::event::{Event, Outcome, Reporter, Tally};
use crate::remote::quote;

/// What to type to go on from a failure.
#[derive(Clone, Debug, Default)]
pub struct GoOn {
    /// The command of this run, word by word, without the step that it began with.
    pub command: Vec<String>,
    /// The step that it was to begin with, where one was named.
    pub from: Option<String>,
    /// Where to begin instead of at a step that needs what one before it registers.
    pub begin: BTreeMap<String, String>,
    /// Whether it takes certain steps only: then it goes on with the same ones.
    pub chosen: bool,
    /// The journal, to look things up in.
    pub journal: Place,
}

/// Writes the closing table when the run ends.
pub struct Summary<W> {
    out: W,
    paint: Paint,
    detail: Detail,
    go_on: GoOn,
    plan: bool,
    steps: Vec<(String, String)>,
    failed: Vec<(String, Job)>,
    /// How, and who.
    lost: Vec<(String, Job)>,
    /// The step that each host was changed by last, and that has not ended.
    under_way: BTreeMap<String, String>,
    interrupted: bool,
}

impl<W: Write> Summary<W> {
    /// Writes to `out`.
    pub fn new(out: W, paint: Paint, detail: Detail, go_on: GoOn) -> Self {
        let (steps, failed, lost) = (vec![], vec![], vec![]);
        let under_way = BTreeMap::new();
        Self { out, paint, detail, go_on, plan: false, steps, failed, lost, under_way, interrupted: false }
    }

    fn finish(&mut self, hosts: &[Tally], ms: u64, code: u8) -> io::Result<()> {
        let changed: usize = hosts.iter().map(|tally| tally.changed).sum();
        let quiet = changed == 0 && code == 0 && self.detail == Detail::Steps;
        if !self.plan && !quiet {
            self.table(hosts)?;
        }
        self.failures()?;
        if !self.plan {
            let line = closing(hosts, ms, code);
            let line = if code == 0 { self.paint.good(&line) } else { self.paint.bad(&line) };
            writeln!(self.out, "\n{line}")?;
        }
        self.go_on(code)?;
        self.out.flush()
    }

    fn table(&mut self, hosts: &[Tally]) -> io::Result<()> {
        let rows = folded(hosts);
        let width = rows.iter().map(|row| console::measure_text_width(&row.0)).max().unwrap_or(0).max(4);
        let head = format!("{:width$}  ok  changed  failed  unreachable  skipped  time", "host");
        writeln!(self.out, "\n{}", self.paint.strong(&head))?;
        for (name, tally) in &rows {
            let pad = " ".repeat(width - console::measure_text_width(name));
            writeln!(self.out, "{name}{pad}  {}", self.row(tally))?;
        }
        Ok(())
    }

    fn row(&self, tally: &Tally) -> String {
        let cell = |count: usize, width: usize, outcome| {
            let text = format!("{count:>width$}");
            if count == 0 { self.paint.quiet(&text) } else { self.paint.by(outcome, &text) }
        };
        let cells = [
            cell(tally.unchanged, 2, Outcome::Unchanged),
            cell(tally.changed, 7, Outcome::Changed),
            cell(tally.failed, 6, Outcome::Failed),
            cell(usize::from(tally.unreachable), 11, Outcome::Unreachable),
            cell(tally.skipped, 7, Outcome::Skipped),
            elapsed(tally.ms),
        ];
        cells.join("  ")
    }

    fn failures(&mut self) -> io::Result<()> {
        let failed = alike(&self.failed, |step, who| format!("{}  {who}", self.name(step)));
        let lost = alike(&self.lost, |how, who| format!("{who}  {how}"));
        for (title, told) in failed.into_iter().chain(lost) {
            writeln!(self.out, "\n{:>11}  {title}", self.paint.bad("     failed"))?;
            told.lines(self.paint).iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
        }
        Ok(())
    }

    fn how_lost(&self, host: &str) -> String {
        let step = self.under_way.get(host);
        step.map_or("cannot be reached".to_owned(), |step| format!("lost in the middle of {}", self.name(step)))
    }

    /// The name of a step.
    fn name<'s>(&'s self, step: &'s str) -> &'s str {
        self.steps.iter().find(|(id, _)| id == step).map_or(step, |(_, name)| name)
    }

    fn go_on(&mut self, code: u8) -> io::Result<()> {
        if code == 0 || code == 10 || self.go_on.command.is_empty() {
            return Ok(());
        }
        let mut command: Vec<_> = self.go_on.command.iter().map(|word| quote(word).into_owned()).collect();
        let begin = |step: &String| self.go_on.begin.get(step).unwrap_or(step).clone();
        let from = self.failed.first().map(|(step, _)| begin(step));
        let from = from.filter(|_| !self.plan && self.lost.is_empty() && !self.interrupted);
        let from = from.or(self.go_on.from.clone()).filter(|_| !self.go_on.chosen);
        command.extend(from.into_iter().flat_map(|step| ["--from".to_owned(), step]));
        writeln!(self.out, "{}: {}", self.paint.hint("To go on"), command.join(" "))?;
        let journal = self.go_on.journal.get().map(|path| format!("Journal:  {}", path.display()));
        let log = self.go_on.journal.get().and_then(|path| log::of(path));
        let log = log.map(|path| format!("Printed:  {}", path.display()));
        journal.iter().chain(&log).try_for_each(|line| writeln!(self.out, "{}", self.paint.quiet(line)))
    }
}

/// A title and what is told, once for all jobs of a kind that have the same to tell.
fn alike(jobs: &[(String, Job)], title: impl Fn(&str, &str) -> String) -> Vec<(String, Told)> {
    let mut kinds: Vec<&str> = jobs.iter().map(|(kind, _)| kind.as_str()).collect();
    kinds.dedup();
    let of = |kind: &str| -> Vec<Job> {
        jobs.iter().filter(|(other, _)| other == kind).map(|(_, job)| job.clone()).collect()
    };
    let told = |kind: &str| -> Vec<(String, Told)> {
        grouped(&of(kind)).iter().map(|group| (title(kind, &who(group)), group[0].told.clone())).collect()
    };
    kinds.into_iter().flat_map(told).collect()
}

fn who(jobs: &[&Job]) -> String {
    fold(&jobs.iter().map(|job| job.host.as_str()).collect::<Vec<_>>())
}

/// One line for how it ended.
fn closing(hosts: &[Tally], ms: u64, code: u8) -> String {
    let changed: usize = hosts.iter().map(|tally| tally.changed).sum();
    let on = hosts.iter().filter(|tally| tally.changed > 0).count();
    let ignored: usize = hosts.iter().map(|tally| tally.ignored).sum();
    let forgiven = if ignored == 0 { String::new() } else { format!(", {} ignored", plural(ignored, "failure")) };
    let changes = format!("{} on {}{forgiven}", plural(changed, "change"), plural(on, "host"));
    let time = elapsed(ms);
    match code {
        0 if ignored > 0 => format!("Done: {changes} ({time})"),
        0 if changed == 0 && hosts.len() == 1 => format!("Nothing to do: 1 host is as asked ({time})"),
        0 if changed == 0 => format!("Nothing to do: {} are as asked ({time})", plural(hosts.len(), "host")),
        0 => format!("Done: {changes} ({time})"),
        130 => format!("Interrupted after {changes} ({time})"),
        _ => format!("Not all is as asked; {changes} ({time})"),
    }
}

/// Hosts that fared alike in one row, with the longest of their times.
fn folded(hosts: &[Tally]) -> Vec<(String, Tally)> {
    let mut groups: Vec<(Vec<&str>, Tally)> = Vec::new();
    let counts = |tally: &Tally| Tally { host: String::new(), ms: 0, ..tally.clone() };
    for tally in hosts {
        match groups.iter_mut().find(|(_, group)| counts(group) == counts(tally)) {
            Some((names, group)) => {
                names.push(&tally.host);
                group.ms = group.ms.max(tally.ms);
            }
            None => groups.push((vec![&tally.host], tally.clone())),
        }
    }
    groups.into_iter().map(|(names, tally)| (super::style::cut(&fold(&names), 40), tally)).collect()
}

impl<W: Write + Send> Reporter for Summary<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted { plan, .. } => self.plan = *plan,
            Event::StepStarted { step, name, .. } => self.steps.push((step.clone(), name.clone())),
            Event::Change { step, host, .. } => drop(self.under_way.insert(host.clone(), step.clone())),
            Event::JobFinished { step, host, outcome, .. } => {
                self.under_way.remove(host);
                let failed = Job::of(event).filter(|_| *outcome == Outcome::Failed);
                self.failed.extend(failed.map(|job| (step.clone(), job)));
            }
            Event::HostLost { host, why, hint } => {
                let told = Told { message: Some(why.clone()), hint: hint.clone(), ..Told::default() };
                let job = Job { host: host.clone(), item: None, outcome: Outcome::Unreachable, told, ms: 0 };
                self.lost.push((self.how_lost(host), job));
            }
            Event::Interrupted => self.interrupted = true,
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

    fn told(events: &[Event]) -> String {
        told_of(events, GoOn::default())
    }

    fn told_of(events: &[Event], go_on: GoOn) -> String {
        let mut out = Vec::new();
        let command = ["skep", "run", "my plays/spark.yml", "-i", "inventory/lab.yml"].map(Into::into).to_vec();
        let journal = std::sync::Arc::new(std::sync::OnceLock::from(std::path::PathBuf::from(
            ".skep/runs/20261123T031500Z-7f3a.jsonl",
        )));
        let go_on = GoOn { command, journal, ..go_on };
        let mut summary = Summary::new(&mut out, Paint::new(false), Detail::Steps, go_on);
        events.iter().for_each(|event| summary.on_event(event).expect("memory"));
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn failures_come_again_with_their_hints_and_the_way_on() {
        insta::assert_snapshot!(told(&story::failing()));
    }

    #[test]
    fn a_single_failed_step_is_where_to_go_on_from() {
        let mut events = story::failing();
        events.retain(|event| !matches!(event, Event::HostLost { .. }));
        assert!(told(&events).contains("To go on: skep run 'my plays/spark.yml' -i inventory/lab.yml --from swarm\n"));
    }

    #[test]
    fn a_failed_step_that_needs_what_one_before_it_registers_begins_there() {
        let mut events = story::failing();
        events.retain(|event| !matches!(event, Event::HostLost { .. }));
        let begin = BTreeMap::from([("swarm".to_owned(), "ready".to_owned())]);
        let told = told_of(&events, GoOn { begin, ..GoOn::default() });
        assert!(told.contains("inventory/lab.yml --from ready\n"), "{told}");
    }

    #[test]
    fn steps_that_were_chosen_are_chosen_again_and_a_first_one_stays_first() {
        let on = |go_on: GoOn, events: &[Event]| {
            let told = told_of(events, go_on);
            told.lines().find_map(|line| line.strip_prefix("To go on: ")).expect("a way on").to_owned()
        };
        let (chosen, from) = (true, Some("ready".to_owned()));
        let plain = "skep run 'my plays/spark.yml' -i inventory/lab.yml";
        let mut events = story::failing();
        assert_eq!(on(GoOn { from, ..GoOn::default() }, &events), format!("{plain} --from ready"));
        events.retain(|event| !matches!(event, Event::HostLost { .. }));
        assert_eq!(on(GoOn { chosen, ..GoOn::default() }, &events), plain);
    }

    #[test]
    fn nothing_to_do_is_one_line() {
        assert_eq!(told(&story::settled()), "\nNothing to do: 3 hosts are as asked (0.4 s)\n");
    }

    #[test]
    fn a_failure_that_was_to_be_ignored_is_not_called_nothing_to_do() {
        let tally = Tally { host: "node1".into(), ignored: 1, ..Tally::default() };
        assert_eq!(closing(&[tally], 400, 0), "Done: 0 changes on 0 hosts, 1 failure ignored (0.4 s)");
    }

    #[test]
    fn a_failure_that_was_to_be_ignored_is_not_told_again_nor_gone_on_from() {
        let mut events = story::failing();
        events.retain(|event| !matches!(event, Event::HostLost { .. }));
        let ignored = story::told("ready", "node2", Outcome::Ignored, Some("no clock is set"), 3);
        events.insert(6, ignored);
        let told = told(&events);
        assert!(told.contains("--from swarm\n") && !told.contains("no clock is set"), "{told}");
    }

    #[test]
    fn hosts_that_fared_alike_share_a_row() {
        insta::assert_snapshot!(told(&[
            story::started(2, false),
            story::finish(&[(1, 1), (0, 2), (0, 2)], 126_000, 0)
        ]));
    }
}
