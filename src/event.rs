//! The words between the engine and everything that tells of it: pure data, one stream for every display.

use serde::Serialize;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event.
    RunStarted {
        /// Names this run in locks, journals and frames.
        run: String,
        /// The playbook's name.
        playbook: String,
        /// The hosts it will touch, in inventory order.
        hosts: Vec<String>,
        /// How many steps will be taken.
        steps: usize,
        /// Whether this only shows what would be done.
        plan: bool,
    },
    /// A connection is being made.
    HostConnecting {
        /// The host.
        host: String,
        /// What it waits for, where it has to.
        waiting: Option<String>,
    },
    /// A host can be commanded.
    HostConnected {
        /// The host.
        host: String,
        /// Milliseconds from the first try.
        ms: u64,
    },
    /// A host left the run.
    HostLost {
        /// The host.
        host: String,
        /// Why, and where.
        why: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// What steps need to know was read from a host with one command.
    Looked {
        /// The host.
        host: String,
        /// How many readings came back.
        readings: usize,
        /// Milliseconds it took.
        ms: u64,
    },
    /// A step begins.
    StepStarted {
        /// The play's name.
        play: String,
        /// The step's id.
        step: String,
        /// The step's name.
        name: String,
        /// The hosts it has jobs on.
        hosts: Vec<String>,
    },
    /// A job begins to plan.
    JobStarted {
        /// The step's id.
        step: String,
        /// The host.
        host: String,
        /// The loop's item, where there is one.
        item: Option<String>,
    },
    /// A job waits for something, and is planned again.
    JobWaiting {
        /// The step's id.
        step: String,
        /// The host.
        host: String,
        /// What it waits for.
        waiting: String,
    },
    /// A change is, or (in a plan) would be, made.
    Change {
        /// The step's id.
        step: String,
        /// The host whose job it is.
        host: String,
        /// The host it runs on, where that is not the job's own.
        on: Option<String>,
        /// Why: what was not as asked.
        why: String,
        /// The command, masked.
        command: String,
        /// Field by field, what is and what is asked for.
        differs: Vec<Difference>,
        /// Line by line, what would be otherwise in a file: a unified difference.
        diff: Option<String>,
        /// In a plan: the step whose change may make this one differ or needless.
        after: Option<String>,
        /// Whether something is removed or replaced.
        removes: bool,
    },
    /// A change has ended, well or not: the next look says whether it came true.
    ChangeFinished {
        /// The step's id.
        step: String,
        /// The host whose job it is.
        host: String,
        /// Milliseconds it took on the hosts.
        ms: u64,
    },
    /// What a command under way printed: for the log, which has all of it. Displays are told the lines, as far as they keep up.
    Output {
        /// The step's id.
        step: String,
        /// The host.
        host: String,
        /// Whole lines with their ends, or a part of a very long one; masked.
        text: String,
    },
    /// A line of output from a command under way.
    Line {
        /// The step's id.
        step: String,
        /// The host.
        host: String,
        /// The line, masked.
        line: String,
    },
    /// A job ended.
    JobFinished {
        /// The step's id.
        step: String,
        /// The host.
        host: String,
        /// The loop's item, where there is one.
        item: Option<String>,
        /// How.
        outcome: Outcome,
        /// Why it failed or was skipped, what a settled one shows, on one or several lines.
        message: Option<String>,
        /// The command that failed, masked.
        command: Option<String>,
        /// The end of its standard error, masked.
        stderr: Option<String>,
        /// What to do about a failure.
        hint: Option<String>,
        /// In a plan: the step whose change may make this otherwise.
        after: Option<String>,
        /// In a plan: whether what is to be done cannot be told before that step's change is made.
        open: bool,
        /// Milliseconds from its start.
        ms: u64,
    },
    /// A step ended on all its hosts.
    StepFinished {
        /// The step's id.
        step: String,
        /// Milliseconds from its start.
        ms: u64,
    },
    /// The first Ctrl-C came: nothing new starts.
    Interrupted,
    /// The last event.
    RunFinished {
        /// Per host: how many jobs ended how.
        hosts: Vec<Tally>,
        /// Milliseconds from the run's start.
        ms: u64,
        /// The exit code.
        code: u8,
    },
}

impl Event {
    /// Every text in it that hosts may have had a say in.
    pub fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::HostConnecting { waiting, .. } => waiting.iter_mut().collect(),
            Self::HostLost { why, hint, .. } => [why].into_iter().chain(hint).collect(),
            Self::JobStarted { item, .. } => item.iter_mut().collect(),
            Self::JobWaiting { waiting, .. } => vec![waiting],
            Self::Output { text, .. } => vec![text],
            Self::Line { line, .. } => vec![line],
            Self::Change { why, command, differs, diff, .. } => {
                let fields = differs.iter_mut().flat_map(|one| [&mut one.field, &mut one.is, &mut one.asked]);
                [why, command].into_iter().chain(fields).chain(diff).collect()
            }
            Self::JobFinished { item, message, command, stderr, hint, .. } => {
                [item, message, command, stderr, hint].into_iter().flatten().collect()
            }
            Self::RunStarted { .. }
            | Self::HostConnected { .. }
            | Self::Looked { .. }
            | Self::StepStarted { .. }
            | Self::ChangeFinished { .. }
            | Self::StepFinished { .. }
            | Self::Interrupted
            | Self::RunFinished { .. } => Vec::new(),
        }
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As asked already.
    Unchanged,
    /// Made as asked; in a plan: would be.
    Changed,
    /// Not as asked.
    Failed,
    /// Not as asked, which may be, by `ignore_errors`.
    Ignored,
    /// Not meant for this host, by its condition.
    Skipped,
    /// The host could not be reached.
    Unreachable,
}

/// One field that is not as asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field, as the playbook names it.
    pub field: String,
    /// What it is.
    pub is: String,
    /// What is asked for.
    pub asked: String,
}

/// How one host fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The host.
    pub host: String,
    /// Jobs that were as asked.
    pub unchanged: usize,
    /// Jobs that changed something, or would.
    pub changed: usize,
    /// Jobs that failed.
    pub failed: usize,
    /// Jobs that failed and may, by `ignore_errors`.
    pub ignored: usize,
    /// Jobs that were not for it.
    pub skipped: usize,
    /// Whether it could not be reached.
    pub unreachable: bool,
    /// Milliseconds its jobs took.
    pub ms: u64,
}

/// How a call of `skep` ends: its exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Code {
    /// 0: all is as asked.
    #[default]
    Settled,
    /// 10: a plan found changes.
    Changes,
    /// 3: a host could not be reached, and nothing worse.
    Unreachable,
    /// 1: a step failed.
    Failed,
    /// 2: bad input, nobody was contacted.
    BadInput,
    /// 130: Ctrl-C.
    Interrupted,
}

impl Code {
    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        match self {
            Self::Settled => 0,
            Self::Changes => 10,
            Self::Unreachable => 3,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::Interrupted => 130,
        }
    }

    /// The code of a number; what is no code of ours counts as failed.
    pub fn of(number: u8) -> Self {
        let all = [Self::Settled, Self::Changes, Self::Unreachable, Self::BadInput, Self::Interrupted];
        all.into_iter().find(|code| code.number() == number).unwrap_or(Self::Failed)
    }

    /// Where both hold, the one that counts: 130, 2, 1, 3, 10, 0, in that order.
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        if self as u8 > other as u8 { self } else { other }
    }
}

/// Takes the events of a run, one after another, in order.
pub trait Reporter: Send {
    /// Tells of one event.
    ///
    /// # Errors
    /// What it writes to may fail; the run goes on.
    fn on_event(&mut self, event: &Event) -> std::io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn where_several_codes_hold_the_gravest_counts() {
        use Code::{BadInput, Changes, Failed, Interrupted, Settled, Unreachable};
        let order = [Interrupted, BadInput, Failed, Unreachable, Changes, Settled];
        assert_eq!(order.map(Code::number), [130, 2, 1, 3, 10, 0]);
        for (grave, light) in (0..6).flat_map(|i| (i..6).map(move |j| (order[i], order[j]))) {
            assert_eq!((grave.combine(light), light.combine(grave)), (grave, grave));
        }
    }
}
