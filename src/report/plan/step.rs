//! One step of a plan: what would be done, and how it is with those to whom nothing would.

use std::collections::BTreeSet;

use crate::event::{Difference, Event, Outcome};
use crate::report::fold::fold;
use crate::report::lines::{Detail, Job, items};
use crate::report::style::{Paint, VERB, cut, diff, fields, tame, word};

/// The most lines of a difference in a file; `-v` shows all that was told of it.
const DIFF: usize = 24;
/// The most columns of a loop's items.
const ITEMS: usize = 60;

/// A step, and all that was told of it.
pub(super) struct Step {
    pub id: String,
    name: String,
    /// Changes without their hosts: equal ones are shown as one.
    pub changes: Vec<(Vec<String>, What)>,
    ends: Vec<(Vec<Job>, End)>,
}

/// A change without the host it is for.
#[derive(PartialEq)]
pub(super) struct What {
    on: Option<String>,
    why: String,
    command: String,
    differs: Vec<Difference>,
    diff: Option<String>,
    pub after: Option<String>,
    removes: bool,
}

/// How jobs ended that would change nothing, or have more to say than that.
#[derive(PartialEq)]
struct End {
    verb: &'static str,
    outcome: Outcome,
    /// Whether what is to be done cannot be told yet.
    open: bool,
    /// What comes behind the hosts, where what is shown may be otherwise by then.
    again: String,
    message: Vec<String>,
}

/// How a plan is written.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    pub paint: Paint,
    pub detail: Detail,
    /// How many hosts the run has: a step that is the same on all of them names none.
    pub hosts: usize,
    /// Those that were lost, which is told once.
    pub lost: &'a [String],
}

impl Step {
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), changes: vec![], ends: vec![] }
    }

    pub fn change(&mut self, event: &Event) {
        let Event::Change { host, on, why, command, differs, diff, after, removes, .. } = event else { return };
        let (on, why, command, differs) = (on.clone(), why.clone(), command.clone(), differs.clone());
        let what = What { on, why, command, differs, diff: diff.clone(), after: after.clone(), removes: *removes };
        match self.changes.iter_mut().find(|(_, known)| *known == what) {
            Some((hosts, _)) => hosts.push(host.clone()),
            None => self.changes.push((vec![host.clone()], what)),
        }
    }

    pub fn ended(&mut self, event: &Event) {
        let (Some(job), Some(end)) = (Job::of(event), End::of(event)) else { return };
        match self.ends.iter_mut().find(|(_, known)| *known == end) {
            Some((jobs, _)) => jobs.push(job),
            None => self.ends.push((vec![job], end)),
        }
    }

    /// A step that has nothing to show but how it is: a line for each way it is.
    pub fn is_short(&self) -> bool {
        self.changes.is_empty() && self.ends.iter().all(|(_, end)| end.is_short())
    }

    /// Whether it cannot be told on some host what it would do.
    pub fn is_open(&self) -> bool {
        self.ends.iter().any(|(_, end)| end.open)
    }

    pub fn lines(&self, manner: Manner<'_>) -> Vec<String> {
        let ends = self.ends.iter().filter(|(jobs, end)| !end.is_told_elsewhere(jobs, manner.lost));
        if self.is_short() {
            return ends.map(|(jobs, end)| self.short(jobs, end, manner)).collect();
        }
        let id = manner.paint.quiet(&format!("({})", self.id));
        let mut lines = vec![format!("{} {id}", manner.paint.strong(&self.name))];
        let (waits, ends): (Vec<_>, Vec<_>) = ends.partition(|(_, end)| end.verb == "waits");
        lines.extend(waits.into_iter().flat_map(|(jobs, end)| self.end(jobs, end, manner)));
        lines.extend(self.changes.iter().flat_map(|(hosts, what)| what.lines(hosts, manner)));
        lines.extend(ends.into_iter().flat_map(|(jobs, end)| self.end(jobs, end, manner)));
        lines
    }

    /// The step and its end in one line.
    fn short(&self, jobs: &[Job], end: &End, manner: Manner<'_>) -> String {
        let hosts = hosts(jobs);
        let everybody = hosts.len() == manner.hosts && self.ends.len() == 1;
        let who = if everybody { String::new() } else { format!("  {}", self.who(jobs)) };
        let said = end.message.first().map_or(String::new(), |message| format!(": {message}"));
        let rest = manner.paint.quiet(&format!("({}){who}{}{said}", self.id, end.again));
        format!("{}  {} {rest}", end.verb(manner.paint), self.name)
    }

    fn end(&self, jobs: &[Job], end: &End, manner: Manner<'_>) -> Vec<String> {
        let (verb, who) = (end.verb(manner.paint), self.who(jobs) + &end.again);
        let quiet = |text: &str| if end.is_grave() { text.to_owned() } else { manner.paint.quiet(text) };
        match end.message.as_slice() {
            [] => vec![format!("{verb}  {}", quiet(&who))],
            [one] => vec![format!("{verb}  {}", quiet(&format!("{who}: {one}")))],
            many => {
                let said = many.iter().map(|line| format!("{:VERB$}  {line}", ""));
                std::iter::once(format!("{verb}  {who}")).chain(said).collect()
            }
        }
    }

    /// The hosts, and of a loop the items, where not all of them are alike.
    fn who(&self, jobs: &[Job]) -> String {
        let hosts = fold(&hosts(jobs).into_iter().collect::<Vec<_>>());
        let items = items(jobs.iter());
        let alike = self.changes.is_empty() && self.ends.len() == 1;
        match items.is_empty() || alike {
            true => hosts,
            false => format!("{hosts} ({})", cut(&items.join(", "), ITEMS)),
        }
    }
}

fn hosts(jobs: &[Job]) -> BTreeSet<&str> {
    jobs.iter().map(|job| job.host.as_str()).collect()
}

impl End {
    /// Who would change something says so by his changes, unless he waits for something first.
    fn of(event: &Event) -> Option<Self> {
        let Event::JobFinished { outcome, message, open, .. } = event else { return None };
        let message = message.as_deref();
        let (verb, message) = match message.and_then(|message| message.strip_prefix("would wait ")) {
            Some(what) => ("waits", Some(what)),
            None if *outcome == Outcome::Changed => return None,
            None => (if *open { "may" } else { word(*outcome) }, message),
        };
        let outcome = if *open { Outcome::Changed } else { *outcome };
        let end = Self { verb, outcome, open: *open, again: again(event), message: vec![] };
        // All of a failure is told at the end.
        let most = if end.is_grave() { 1 } else { usize::MAX };
        let message = message.into_iter().flat_map(str::lines).take(most).map(tame).collect();
        Some(Self { message, ..end })
    }

    fn verb(&self, paint: Paint) -> String {
        paint.by(self.outcome, &format!("{:>VERB$}", self.verb))
    }

    fn is_short(&self) -> bool {
        matches!(self.outcome, Outcome::Unchanged | Outcome::Skipped) && self.message.len() < 2
    }

    fn is_grave(&self) -> bool {
        matches!(self.outcome, Outcome::Failed | Outcome::Unreachable | Outcome::Ignored)
    }

    /// What hosts are lost is told at the end.
    fn is_told_elsewhere(&self, jobs: &[Job], lost: &[String]) -> bool {
        self.outcome == Outcome::Unreachable && jobs.iter().all(|job| lost.contains(&job.host))
    }
}

/// What a settled read shows may be otherwise by its turn.
fn again(event: &Event) -> String {
    match event {
        Event::JobFinished { outcome: Outcome::Unchanged, open: false, after: Some(step), message, .. } => {
            let again = format!("looked at again after {step}");
            let told = message.as_ref().is_some_and(|text| text.contains(&again));
            if told { String::new() } else { format!(", {again}") }
        }
        _ => String::new(),
    }
}

impl What {
    fn lines(&self, hosts: &[String], manner: Manner<'_>) -> Vec<String> {
        let paint = manner.paint;
        let sure = if self.after.is_none() { "will" } else { "may" };
        let after = self.after.as_ref().map_or(String::new(), |step| format!(", after {step}"));
        let verb = paint.change(&format!("{sure:>VERB$}"));
        let removes = if self.removes { format!(" {}", paint.bad("(removes or replaces)")) } else { String::new() };
        let mut lines = vec![format!("{verb}{}  {}: {}{removes}", paint.quiet(&after), fold(hosts), self.why)];
        let shown = if manner.detail == Detail::Everything { usize::MAX } else { DIFF };
        let inner = fields(&self.differs, paint).into_iter().chain(diff(self.diff.as_deref(), shown, paint));
        lines.extend(inner.map(|line| format!("{:VERB$}  {line}", "")));
        lines.push(self.command(paint));
        lines
    }

    fn command(&self, paint: Paint) -> String {
        let on = self.on.as_ref().map_or(String::new(), |host| format!("on {host} "));
        let command = self.command.replace('\n', &format!("\n{:VERB$}    ", ""));
        format!("{:VERB$}  {}", "", paint.quiet(&format!("{on}$ {command}")))
    }
}
