//! Events to lines of text: what scrolls by on a terminal, and all there is in a pipe.

use std::collections::BTreeSet;

use super::fold::fold;
use super::style::{Paint, VERB, cut, diff, diff_counts, elapsed, fields, tame, word};
use crate::event::{Event, Outcome};

/// The most columns of a command that is being run; the plan, the journal and `-v` have it whole.
const COMMAND: usize = 160;
/// The most columns of a loop's items.
const ITEMS: usize = 60;
/// How much is shown of what a change said.
const SAID: usize = 5;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Each step, who changed, what failed.
    Steps,
    /// Also every command, every line of output, every connection (`-v`).
    Everything,
}

/// Remembers what a line needs to know, and makes lines.
pub(super) struct Lines {
    paint: Paint,
    detail: Detail,
    /// Whether nothing else shows what is under way.
    alone: bool,
    /// Whether nothing is done: then the plan tells of the steps.
    plan: bool,
    hosts: Vec<String>,
    lost: Vec<String>,
    waits: Vec<(String, String)>,
    name: String,
    jobs: Vec<Job>,
}

/// A job that ended.
#[derive(Clone)]
pub(super) struct Job {
    pub host: String,
    pub item: Option<String>,
    pub outcome: Outcome,
    pub told: Told,
    pub ms: u64,
}

/// What a job that ended has to say. Jobs that say the same are shown as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    pub message: Option<String>,
    pub command: Option<String>,
    pub stderr: Option<String>,
    pub hint: Option<String>,
}

impl Lines {
    pub fn new(paint: Paint, detail: Detail, alone: bool) -> Self {
        let (hosts, lost, waits, jobs) = (vec![], vec![], vec![], vec![]);
        Self { paint, detail, alone, plan: false, hosts, lost, waits, name: String::new(), jobs }
    }

    /// What is to be said about an event: often nothing.
    pub fn of(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::RunStarted { run, playbook, hosts, steps, plan } => {
                self.hosts.clone_from(hosts);
                self.plan = *plan;
                self.title(run, playbook, *steps, *plan)
            }
            Event::HostConnecting { host, waiting: Some(waiting) } => self.waits(host, waiting),
            Event::HostConnected { host, ms } => self.everything("connected", host, &format!("in {}", elapsed(*ms))),
            Event::Looked { host, readings, ms } => {
                self.everything("looked", host, &format!("{readings} readings in {}", elapsed(*ms)))
            }
            Event::HostLost { host, why, hint } => self.lost(host, why, hint.as_deref()),
            Event::StepStarted { name, .. } => {
                let lines = self.step();
                self.name.clone_from(name);
                lines
            }
            Event::JobWaiting { host, waiting, .. } => self.waits(host, waiting),
            Event::Change { .. } | Event::JobFinished { .. } if self.plan => vec![],
            Event::Change { host, command, .. } => {
                let mut lines = self.differs(host, event);
                lines.extend(if self.alone {
                    self.change(host, command)
                } else {
                    self.everything("run", host, command)
                });
                lines
            }
            Event::Line { host, line, .. } => self.everything("", host, &format!("| {}", tame(line))),
            Event::JobFinished { .. } => {
                self.jobs.extend(Job::of(event));
                vec![]
            }
            Event::StepFinished { .. } | Event::RunFinished { .. } => self.step(),
            Event::Interrupted => {
                vec![self.verb(Outcome::Failed, "interrupted") + "  nothing new starts, what runs is ended"]
            }
            Event::JobStarted { .. }
            | Event::HostConnecting { .. }
            | Event::ChangeFinished { .. }
            | Event::Output { .. } => vec![],
        }
    }

    fn title(&self, run: &str, playbook: &str, steps: usize, plan: bool) -> Vec<String> {
        let steps = super::plural(steps, "step");
        let mut line = format!("{}: {steps} on {}", self.paint.strong(playbook), fold(&self.hosts));
        line += if plan { ", only shown" } else { "" };
        if self.detail == Detail::Everything {
            line += &self.paint.quiet(&format!(" (run {run})"));
        }
        vec![line]
    }

    fn everything(&self, verb: &str, host: &str, rest: &str) -> Vec<String> {
        if self.detail < Detail::Everything {
            return vec![];
        }
        vec![self.paint.quiet(&format!("{verb:>VERB$}  {host} {rest}"))]
    }

    fn change(&self, host: &str, command: &str) -> Vec<String> {
        let first = command.lines().next().unwrap_or_default();
        let first = if self.detail == Detail::Everything { first.to_owned() } else { cut(first, COMMAND) };
        vec![self.paint.quiet(&format!("{:>VERB$}  {host}: {first}", "run"))]
    }

    /// What is not as asked, field by field, before it is made so; of a file how many lines, or which.
    fn differs(&self, host: &str, event: &Event) -> Vec<String> {
        let Event::Change { differs, diff: lines, .. } = event else { return vec![] };
        let (mut told, lines) = (fields(differs, self.paint), lines.as_deref());
        told.extend(match self.detail {
            Detail::Steps => diff_counts(lines).into_iter().collect(),
            Detail::Everything => diff(lines, usize::MAX, self.paint),
        });
        told.iter().map(|line| format!("{:>VERB$}  {host}: {line}", "differs")).collect()
    }

    /// Says once what a host waits for.
    fn waits(&mut self, host: &str, waiting: &str) -> Vec<String> {
        let wait = (host.to_owned(), waiting.to_owned());
        if self.waits.contains(&wait) || !(self.alone || self.detail == Detail::Everything) {
            return vec![];
        }
        self.waits.push(wait);
        vec![self.paint.quiet(&format!("{:>VERB$}  {host}: {waiting}", "waiting"))]
    }

    fn lost(&mut self, host: &str, why: &str, hint: Option<&str>) -> Vec<String> {
        self.lost.push(host.to_owned());
        let told = Told { message: Some(why.to_owned()), hint: hint.map(Into::into), ..Told::default() };
        let mut lines = vec![format!("{}  {host}", self.verb(Outcome::Unreachable, "unreachable"))];
        lines.extend(told.lines(self.paint));
        lines
    }

    /// Tells of the step that ended: who changed or failed; nobody by name where all is as asked.
    fn step(&mut self) -> Vec<String> {
        self.waits.clear();
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain(|job| job.outcome != Outcome::Unreachable || !self.lost.contains(&job.host));
        let news = |outcome| !matches!(outcome, Outcome::Unchanged | Outcome::Skipped);
        let quiet = self.detail == Detail::Steps && jobs.iter().any(|job| news(job.outcome));
        let groups = grouped(&jobs);
        let shown = groups.iter().filter(|group| !quiet || news(group[0].outcome) || group[0].told.message.is_some());
        let loops = items(jobs.iter()).len() > 1;
        shown.flat_map(|group| self.group(group, loops)).collect()
    }

    fn group(&self, jobs: &[&Job], loops: bool) -> Vec<String> {
        let outcome = jobs[0].outcome;
        let mut line = format!("{}  {}", self.verb(outcome, word(outcome)), self.name);
        line += &self.who(jobs, loops);
        let mut lines = vec![line];
        match (outcome, self.detail) {
            (Outcome::Skipped, Detail::Steps) => {}
            (Outcome::Changed, Detail::Steps) => lines.extend(jobs[0].told.ended(SAID).lines(self.paint)),
            _ => lines.extend(jobs[0].told.lines(self.paint)),
        }
        lines
    }

    fn who(&self, jobs: &[&Job], loops: bool) -> String {
        let hosts: BTreeSet<_> = jobs.iter().map(|job| job.host.as_str()).collect();
        let quiet = matches!(jobs[0].outcome, Outcome::Unchanged | Outcome::Skipped);
        let longest = jobs.iter().map(|job| job.ms).max().unwrap_or_default();
        let everybody = quiet && hosts.len() == self.hosts.len();
        let mut text =
            if everybody { String::new() } else { format!("  {}", fold(&hosts.into_iter().collect::<Vec<_>>())) };
        if loops {
            text += &format!(": {}", cut(&items(jobs.iter().copied()).join(", "), ITEMS));
        }
        text += &if longest < 1000 { String::new() } else { format!(" ({})", elapsed(longest)) };
        if quiet { self.paint.quiet(&text) } else { text }
    }

    fn verb(&self, outcome: Outcome, text: &str) -> String {
        self.paint.by(outcome, &format!("{text:>VERB$}"))
    }
}

impl Job {
    /// The end of a job, if the event is one.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::JobFinished { host, item, outcome, message, command, stderr, hint, ms, .. } = event else {
            return None;
        };
        let (message, command, stderr, hint) = (message.clone(), command.clone(), stderr.clone(), hint.clone());
        let told = Told { message, command, stderr, hint };
        Some(Self { host: host.clone(), item: item.clone(), outcome: *outcome, told, ms: *ms })
    }
}

/// The items of a loop that jobs are for, each once.
pub(super) fn items<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<&'a str> {
    let mut items: Vec<&str> = Vec::new();
    for item in jobs.filter_map(|job| job.item.as_deref()) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

impl Told {
    /// The same with the last `most` lines of its message.
    fn ended(&self, most: usize) -> Self {
        let message = self.message.as_ref().map(|message| {
            let lines: Vec<&str> = message.lines().collect();
            lines[lines.len().saturating_sub(most)..].join("\n")
        });
        Self { message, ..self.clone() }
    }

    /// What happened, the command, the end of its standard error, a blank line, what to do.
    pub fn lines(&self, paint: Paint) -> Vec<String> {
        let mut lines: Vec<String> = self.message.iter().flat_map(|text| text.lines()).map(tame).collect();
        lines.extend(self.command.iter().map(|command| paint.quiet(&format!("$ {command}"))));
        lines.extend(
            self.stderr.iter().flat_map(|text| text.lines()).map(|line| paint.quiet(&format!("| {}", tame(line)))),
        );
        if let Some(hint) = &self.hint {
            lines.push(String::new());
            lines.extend(hint_lines(hint, paint));
        }
        lines.into_iter().map(|line| indented(&line)).collect()
    }
}

fn hint_lines(hint: &str, paint: Paint) -> Vec<String> {
    let mut lines = hint.lines();
    let first = format!("{} {}", paint.hint("hint:"), lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("      {line}"))).collect()
}

fn indented(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{:VERB$}  {line}", "") }
}

/// Jobs that ended alike and say the same, together: failures last, where the eye is.
pub(super) fn grouped(jobs: &[Job]) -> Vec<Vec<&Job>> {
    let mut groups: Vec<Vec<&Job>> = Vec::new();
    for job in jobs {
        match groups.iter_mut().find(|group| group[0].outcome == job.outcome && group[0].told == job.told) {
            Some(group) => group.push(job),
            None => groups.push(vec![job]),
        }
    }
    groups.sort_by_key(|group| matches!(group[0].outcome, Outcome::Failed | Outcome::Unreachable));
    groups
}
