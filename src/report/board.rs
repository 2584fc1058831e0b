//! Who is doing what right now, as rows of text: pure, so that a test can look at every row.

use std::time::Instant;

use super::style::{Paint, cut, running, tame, word};
use crate::event::{Event, Outcome};

/// The state of the rows under the scrolling lines.
pub(super) struct Board {
    paint: Paint,
    steps: usize,
    step: Step,
    hosts: Vec<Row>,
}

/// What everybody is at.
struct Step {
    /// How many have begun, this one included; 0 while connecting.
    number: usize,
    name: String,
    since: Instant,
    jobs: usize,
    /// More than there are hosts, in a loop.
    begun: usize,
    done: usize,
}

struct Row {
    host: String,
    doing: Doing,
}

enum Doing {
    Nothing,
    /// Under way since then: what, and the last line of output.
    Busy {
        since: Instant,
        what: String,
        line: String,
        waits: bool,
    },
    /// Ended its job of this step, or is lost.
    Ended(Outcome),
}

impl Board {
    pub fn new(paint: Paint, now: Instant) -> Self {
        let step = Step { number: 0, name: "Connecting".into(), since: now, jobs: 0, begun: 0, done: 0 };
        Self { paint, steps: 0, step, hosts: vec![] }
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    pub fn on_event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::RunStarted { hosts, steps, .. } => self.start(hosts, *steps),
            Event::HostConnecting { host, waiting: None } => self.busy(host, now, "connecting"),
            Event::HostConnecting { host, waiting: Some(waiting) } => self.waits(host, now, waiting),
            Event::HostConnected { host, .. } => {
                self.step.done += 1;
                self.set(host, Doing::Nothing);
            }
            Event::HostLost { host, .. } => self.set(host, Doing::Ended(Outcome::Unreachable)),
            Event::StepStarted { name, hosts, .. } => self.begin(name, hosts.len(), now),
            Event::JobStarted { host, item, .. } => {
                self.step.begun += 1;
                let what = item.as_ref().map_or("looking".into(), |item| format!("looking ({item})"));
                self.busy(host, now, &what);
            }
            Event::JobWaiting { host, waiting, .. } => self.waits(host, now, &format!("waiting for {waiting}")),
            Event::Change { host, command, .. } => self.busy(host, now, command.lines().next().unwrap_or_default()),
            Event::Line { host, line, .. } => self.line(host, line),
            Event::JobFinished { host, outcome, .. } => {
                self.step.done += 1;
                self.set(host, Doing::Ended(*outcome));
            }
            Event::ChangeFinished { host, .. } => self.busy(host, now, "looking again"),
            Event::Output { .. }
            | Event::Looked { .. }
            | Event::StepFinished { .. }
            | Event::Interrupted
            | Event::RunFinished { .. } => {}
        }
    }

    fn start(&mut self, hosts: &[String], steps: usize) {
        self.steps = steps;
        self.step.jobs = hosts.len();
        self.hosts = hosts.iter().map(|host| Row { host: host.clone(), doing: Doing::Nothing }).collect();
    }

    fn begin(&mut self, name: &str, jobs: usize, now: Instant) {
        let number = self.step.number + 1;
        self.step = Step { number, name: name.to_owned(), since: now, jobs, begun: 0, done: 0 };
        let lost = |row: &Row| matches!(row.doing, Doing::Ended(Outcome::Failed | Outcome::Unreachable));
        self.hosts.iter_mut().filter(|row| !lost(row)).for_each(|row| row.doing = Doing::Nothing);
    }

    fn set(&mut self, host: &str, doing: Doing) {
        if let Some(row) = self.hosts.iter_mut().find(|row| row.host == host) {
            row.doing = doing;
        }
    }

    fn busy(&mut self, host: &str, now: Instant, what: &str) {
        self.set(host, Doing::Busy { since: now, what: tame(what), line: String::new(), waits: false });
    }

    /// A wait goes on counting when its words change: what it waits for may be told in many ways.
    fn waits(&mut self, host: &str, now: Instant, what: &str) {
        let known = self.hosts.iter().find(|row| row.host == host).map(|row| &row.doing);
        let since = match known {
            Some(Doing::Busy { since, waits: true, .. }) => *since,
            _ => now,
        };
        self.set(host, Doing::Busy { since, what: tame(what), line: String::new(), waits: true });
    }

    fn line(&mut self, host: &str, text: &str) {
        let row = self.hosts.iter_mut().find(|row| row.host == host);
        let text = tame(text);
        if let Some(Row { doing: Doing::Busy { line, .. }, .. }) = row
            && !text.trim().is_empty()
        {
            *line = text;
        }
    }

    /// Exactly `rows` rows, none wider than `width` columns: the step, then the hosts. Where there are more hosts than
    /// rows, those come first that have been busy longest.
    pub fn rows(&self, now: Instant, width: usize, rows: usize) -> Vec<String> {
        let mut told = vec![self.head(now, width)];
        let room = rows.saturating_sub(1);
        let shown = self.shown(room);
        let name = shown.iter().map(|row| console::measure_text_width(&row.host)).max().unwrap_or(0).min(width / 3);
        told.extend(shown.iter().map(|row| self.row(row, now, width, name)));
        told.resize(rows.max(1), String::new());
        told
    }

    fn head(&self, now: Instant, width: usize) -> String {
        let Step { number, name, since, jobs, begun, done } = &self.step;
        let jobs = jobs.max(begun).max(done);
        let number = if *number == 0 { String::new() } else { format!("[{number}/{}] ", self.steps.max(*number)) };
        let time = running(now.duration_since(*since).as_secs());
        let tail = format!("  {done} of {jobs}  {time}");
        let room = width.saturating_sub(number.len() + tail.len());
        let name = self.paint.strong(&cut(name, room));
        cut(&format!("{}{name}{}", self.paint.quiet(&number), self.paint.quiet(&tail)), width)
    }

    /// In inventory order where all fit; else the busy ones, longest first, and how many more there are.
    fn shown(&self, room: usize) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.hosts.iter().collect();
        if rows.len() > room {
            rows.sort_by_key(|row| match &row.doing {
                Doing::Busy { since, .. } => (0, Some(*since)),
                Doing::Nothing => (1, None),
                Doing::Ended(_) => (2, None),
            });
            rows.truncate(room);
        }
        rows
    }

    fn row(&self, row: &Row, now: Instant, width: usize, name: usize) -> String {
        let host = cut(&row.host, name);
        let pad = " ".repeat(name - console::measure_text_width(&host));
        let rest = match &row.doing {
            Doing::Nothing => String::new(),
            Doing::Ended(outcome) => self.paint.by(*outcome, word(*outcome)),
            Doing::Busy { since, what, line, .. } => {
                let time = format!("{:>5}", running(now.duration_since(*since).as_secs()));
                let line = if line.is_empty() { String::new() } else { self.paint.quiet(&format!(" › {line}")) };
                let what = if line.is_empty() { what.clone() } else { cut(what, width / 3) };
                format!("{}  {what}{line}", self.paint.quiet(&time))
            }
        };
        cut(&format!("  {host}{pad}  {rest}"), width)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::story;

    /// The rows after the events until (not with) the `upto`-th end of a step, 12 s later.
    fn rows(upto: usize, width: usize, rows: usize) -> Vec<String> {
        let now = Instant::now();
        let mut board = Board::new(Paint::new(false), now);
        let mut ends = 0;
        for event in story::failing() {
            ends += usize::from(matches!(event, Event::StepFinished { .. }));
            if ends == upto {
                break;
            }
            board.on_event(&event, now);
        }
        board.rows(now + Duration::from_secs(12), width, rows)
    }

    #[test]
    fn who_does_what_and_who_is_done() {
        insta::assert_snapshot!(rows(2, 80, 4).join("\n"));
        insta::assert_snapshot!(rows(3, 80, 4).join("\n"));
    }

    #[test]
    fn the_last_line_of_output_follows_the_command() {
        let now = Instant::now();
        let mut board = Board::new(Paint::new(false), now);
        board.on_event(&story::started(2, false), now);
        board.on_event(&story::step("docker", "Docker is installed", &["node1", "node2"]), now);
        board.on_event(&story::change("docker", "node1", "", "apt-get install -y docker-ce"), now);
        let line = |line: &str| Event::Line { step: "docker".into(), host: "node1".into(), line: line.into() };
        board.on_event(&line("Unpacking\r\u{1b}[1mSetting up docker-ce"), now);
        board.on_event(&line("  "), now);
        board.on_event(
            &Event::JobWaiting { step: "docker".into(), host: "node2".into(), waiting: "apt (pid 12)".into() },
            now,
        );
        insta::assert_snapshot!(board.rows(now + Duration::from_secs(75), 80, 4).join("\n"));
        insta::assert_snapshot!(board.rows(now + Duration::from_secs(75), 34, 4).join("\n"));
    }

    #[test]
    fn there_are_always_as_many_rows_and_none_is_too_wide() {
        for upto in 1..5 {
            for width in [1, 5, 20, 79, 200] {
                for count in [1, 2, 4, 9] {
                    let rows = rows(upto, width, count);
                    assert_eq!(rows.len(), count);
                    let widest = rows.iter().map(|row| console::measure_text_width(row)).max();
                    assert!(widest <= Some(width), "{rows:#?} at {width}");
                }
            }
        }
    }

    #[test]
    fn with_more_hosts_than_rows_the_busy_ones_are_shown() {
        let now = Instant::now();
        let mut board = Board::new(Paint::new(false), now);
        let hosts = (1..=100).map(|n| format!("node{n}")).collect();
        let (run, playbook) = (String::new(), String::new());
        board.on_event(&Event::RunStarted { run, playbook, hosts, steps: 1, plan: false }, now);
        board.on_event(&story::job("s", "node77"), now + Duration::from_secs(1));
        board.on_event(&story::job("s", "node55"), now);
        let rows = board.rows(now + Duration::from_secs(2), 80, 3);
        assert!(rows[1].contains("node55") && rows[2].contains("node77"), "{rows:#?}");
    }
}
