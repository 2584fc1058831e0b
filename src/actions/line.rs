//! What `shell` and `docker` have in common: a line, and what says whether it has to run.

use super::{Action, Ask, Change, LONGER, LineOptions, Plan, Refusal, Target, hints};
use crate::reads::{File, Probe, Read, Readings, Seen, is_late};
use crate::remote::{Command, Output, quote};

/// An action that is nothing but a line.
pub trait LineAction: std::fmt::Debug + Send + Sync {
    /// The line.
    fn line(&self) -> &Line;

    /// The same, to be told more of.
    fn line_mut(&mut self) -> &mut Line;
}

impl<T: LineAction> Action for T {
    fn describe(&self) -> String {
        self.line().describe()
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        self.line().reads(on)
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        self.line().plan(on, seen)
    }

    fn shows(&self, on: &Target, seen: &Readings<'_>) -> Option<Output> {
        self.line().shows(on, seen)
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::docker(said).filter(|_| self.line().text.contains("docker "))
    }

    fn set_line(&mut self, options: LineOptions) {
        self.line_mut().options = options;
    }
}

/// A line of shell, and what says whether it has to run.
#[derive(Debug)]
pub struct Line {
    text: String,
    /// What goes into the folder that it is run in.
    enter: String,
    options: LineOptions,
}

impl Line {
    pub fn new(text: String, chdir: Option<String>) -> Self {
        let enter = chdir.map(|folder| format!("cd {} || exit\n", quote(&folder))).unwrap_or_default();
        Self { text: format!("{enter}{}", text.trim_end()), enter, options: LineOptions::default() }
    }

    /// The first line, for people.
    fn describe(&self) -> String {
        let known = |line: &&str| *line != "set -e" && !line.starts_with("cd ");
        let mut lines = self.text.lines().filter(known);
        let first = lines.next().unwrap_or(&self.text).to_owned();
        if lines.next().is_some() { first + " …" } else { first }
    }

    fn probe(&self, line: &str) -> Probe {
        Probe { environment: self.options.environment.clone(), ..Probe::new(line) }
    }

    /// What only looks has all the time that the step has; what says whether there is something to do is read with all else, and has little.
    fn look(&self) -> Probe {
        self.probe(&self.text).allowed(self.options.timeout)
    }

    /// In its folder, if that is there: what is elsewhere may say all the same that there is nothing to do.
    fn guard(&self, line: &str) -> Probe {
        self.probe(&format!("{}{line}", self.enter.replace(" || exit\n", " 2>/dev/null || cd /\n")))
    }

    fn only_looks(&self) -> bool {
        self.options.changes == Some(false)
    }

    fn reads(&self, on: &Target) -> Vec<Ask> {
        if self.only_looks() {
            return vec![on.ask(Read::Probe(self.look()))];
        }
        let creates = self.options.creates.iter().map(|path| Read::File { path: path.clone(), content: false });
        let unless = self.options.unless.iter().map(|line| Read::Probe(self.guard(line)));
        creates.chain(unless).map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        if self.only_looks() {
            return self.looked(seen.probe(&on.host.name, &self.look()));
        }
        match self.guards(on, seen) {
            Err(refused) => refused,
            Ok(guards) if guards.is_empty() => Plan::Always(vec![self.change("it runs each time".into())]),
            Ok(guards) => match guards.into_iter().collect::<Option<Vec<String>>>() {
                None => Plan::Settled,
                Some(why) => Plan::Change(vec![self.change(why.join(", "))]),
            },
        }
    }

    /// A line that only looks is as asked when it ends well.
    fn looked(&self, seen: Seen<&Output>) -> Plan {
        match seen {
            Seen::Is(output) if output.ok() => Plan::Settled,
            Seen::Is(output) => Plan::Refused(Refusal { why: self.ended(output), hint: None }),
            Seen::Absent => Plan::unread(&self.describe(), "it is absent"),
            Seen::Unread(why) => {
                let hint = is_late(&why).then(|| LONGER.to_owned());
                Plan::Refused(Refusal { why: format!("cannot read what `{}` says: {why}", self.describe()), hint })
            }
        }
    }

    fn ended(&self, output: &Output) -> String {
        let told = [output.errors(), output.text()].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        format!("`{}` ended with exit code {}\n{told}", self.describe(), output.code).trim_end().to_owned()
    }

    /// What `creates` and `unless` say: nothing where it need not run, else why it has to.
    fn guards(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<Option<String>>, Plan> {
        let creates = self.options.creates.iter().map(|path| creates(path, seen.file(&on.host.name, path)));
        let unless = |line: &String| unless(line, seen.probe(&on.host.name, &self.guard(line)));
        creates.chain(self.options.unless.iter().map(unless)).collect()
    }

    fn change(&self, why: String) -> Change {
        let command = Command::sh(&self.text);
        Change::run(why, self.options.environment.iter().fold(command, |c, (name, value)| c.env(name, value)))
    }

    /// What there is to show of a line that only looks; else what the line of `unless` found to be so.
    fn shows(&self, on: &Target, seen: &Readings<'_>) -> Option<Output> {
        let said = |probe| seen.probe(&on.host.name, &probe).is().cloned();
        if self.only_looks() {
            return said(self.look());
        }
        self.options.unless.as_deref().and_then(|line| said(self.guard(line))).filter(Output::ok)
    }
}

fn creates(path: &str, seen: Seen<&File>) -> Result<Option<String>, Plan> {
    match seen {
        Seen::Is(_) => Ok(None),
        Seen::Absent => Ok(Some(format!("{path} is not there"))),
        Seen::Unread(why) => Err(Plan::unread(path, &why)),
    }
}

fn unless(line: &str, seen: Seen<&Output>) -> Result<Option<String>, Plan> {
    match seen {
        Seen::Is(output) if output.ok() => Ok(None),
        Seen::Is(output) => Ok(Some(format!("`{line}` ended with exit code {}", output.code))),
        Seen::Absent => Err(Plan::unread(line, "it is absent")),
        Seen::Unread(why) => Err(Plan::unread(&format!("what `{line}` says"), &why)),
    }
}
