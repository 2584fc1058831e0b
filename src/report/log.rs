//! All that commands printed in a run, beside its journal: `.skep/runs/<time>-<run>.log`.
//!
//! It is plain text, for `less` and `grep`. As tail(1) does for several files, a line says whose output follows:
//! `==> node1: install-docker <==`. It is written as the output comes, and whoever prints waits for it: so it has all of a
//! long output, and the memory has none of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::journal::Place;
use crate::event::{Event, Reporter};

/// What a log is called after, beside its journal.
pub const EXTENSION: &str = "log";

/// The most bytes of one log: a command that prints for ever must not fill the disk of the workstation.
const MOST: u64 = 4 << 30;

/// The log of one run. There is a file once something was printed.
pub struct Log {
    journal: Place,
    most: u64,
    file: Option<File>,
    written: u64,
    /// The step and the host that printed last.
    who: Option<(String, String)>,
    /// Whether its last line has ended.
    ended: bool,
}

impl Log {
    /// Will be kept beside that journal, readable by its owner only.
    pub fn beside(journal: Place) -> Self {
        Self { journal, most: MOST, file: None, written: 0, who: None, ended: true }
    }

    fn write(&mut self, step: &str, host: &str, text: &str) -> io::Result<()> {
        let Some(journal) = self.journal.get() else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(begin(&journal.with_extension(EXTENSION))?),
        };
        if self.written >= self.most {
            return Ok(());
        }
        let same = self.who.as_ref().is_some_and(|(last, at)| last == step && at == host);
        let head = if same { String::new() } else { head(step, host, self.written > 0, self.ended) };
        file.write_all(head.as_bytes())?;
        file.write_all(text.as_bytes())?;
        self.written += (head.len() + text.len()) as u64;
        if self.written >= self.most {
            writeln!(file, "\n==> this log has {} MiB: what is printed from here on is left out <==", self.most >> 20)?;
        }
        self.who = Some((step.to_owned(), host.to_owned()));
        self.ended = text.ends_with('\n');
        Ok(())
    }
}

fn begin(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)
}

/// Says whose output follows, after an empty line where there is one before it.
fn head(step: &str, host: &str, more: bool, ended: bool) -> String {
    let end = if ended { "" } else { "\n" };
    let gap = if more { "\n" } else { "" };
    format!("{end}{gap}==> {host}: {step} <==\n")
}

impl Reporter for Log {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Output { step, host, text } => self.write(step, host, text),
            _ => Ok(()),
        }
    }
}

/// The log beside a journal, where something was printed.
pub fn of(journal: &Path) -> Option<PathBuf> {
    Some(journal.with_extension(EXTENSION)).filter(|log| fs::exists(log).unwrap_or_default())
}

/// Removes the logs of the oldest of `journals`, of which the newest is the last, where all logs together are longer than one
/// may be.
pub fn prune(journals: &[PathBuf]) {
    shorten(journals, MOST);
}

fn shorten(journals: &[PathBuf], most: u64) {
    let mut sum = 0;
    for log in journals.iter().rev().filter_map(|journal| of(journal)) {
        sum += fs::metadata(&log).map_or(0, |log| log.len());
        if sum > most {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(log);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What is in the log after outputs, each a step, a host and a text.
    fn logged(most: u64, outputs: &[(&str, &str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let journal = Place::default();
        journal.set(folder.path().join("run.jsonl")).unwrap();
        let mut log = Log { most, ..Log::beside(journal.clone()) };
        assert_eq!(of(journal.get().unwrap()), None);
        for (step, host, text) in outputs {
            let (step, host, text) = ((*step).to_owned(), (*host).to_owned(), (*text).to_owned());
            log.on_event(&Event::Output { step, host, text }).unwrap();
        }
        let path = of(journal.get().unwrap()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn whose_output_it_is_is_said_where_that_changes() {
        let told = logged(
            MOST,
            &[("apt", "node1", "one\n"), ("apt", "node1", "tw"), ("apt", "node2", "x\n"), ("run", "node2", "y\n")],
        );
        assert_eq!(told, "==> node1: apt <==\none\ntw\n\n==> node2: apt <==\nx\n\n==> node2: run <==\ny\n");
    }

    #[test]
    fn a_log_that_is_full_says_so_once() {
        let told = logged(2 << 20, &[("s", "h", &"x".repeat(2 << 20)), ("s", "h", "y\n"), ("t", "h", "z\n")]);
        assert!(told.ends_with("x\n==> this log has 2 MiB: what is printed from here on is left out <==\n"));
    }

    #[test]
    fn old_logs_go_where_all_together_are_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let journals: Vec<_> = (0..4).map(|n| folder.path().join(format!("{n}.jsonl"))).collect();
        [0, 1, 3].iter().for_each(|n| fs::write(folder.path().join(format!("{n}.log")), "four").unwrap());
        shorten(&journals, 8);
        let there: Vec<_> = journals.iter().map(|journal| of(journal).is_some()).collect();
        assert_eq!(there, [false, true, false, true]);
    }
}
