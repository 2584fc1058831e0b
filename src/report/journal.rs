//! What happened, kept: one file a run, one event a line, each written before the next one happens.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::log;
use crate::event::{Event, Reporter};

/// How many journals are kept.
pub const KEPT: usize = 50;

/// The journal of one run: `.skep/runs/<time>-<run>.jsonl`, begun when the run is.
pub struct Journal {
    folder: PathBuf,
    file: Option<File>,
    path: Place,
}

/// Where the journal is, once there is one.
pub type Place = Arc<OnceLock<PathBuf>>;

#[derive(Serialize)]
struct Entry<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Journal {
    /// Will keep the journal under `folder/.skep`, readable by its owner only and ignored by git. The oldest journals
    /// beyond the last 50 go.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), file: None, path: Place::default() }
    }

    /// Where it will be.
    pub fn place(&self) -> Place {
        Arc::clone(&self.path)
    }

    fn begin(&mut self, run: &str) -> io::Result<()> {
        let runs = hidden(&self.folder)?.join("runs");
        private(&runs)?;
        let form = format_description!("[year][month][day]T[hour][minute][second]Z");
        let time = OffsetDateTime::now_utc().format(form).map_err(io::Error::other)?;
        let path = runs.join(format!("{time}-{run}.jsonl"));
        self.file = Some(OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path)?);
        // Begun once; a second run would be a second journal.
        let _ = self.path.set(path);
        prune(&runs)
    }
}

impl Reporter for Journal {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::RunStarted { run, .. } = event {
            self.begin(run)?;
        }
        // Outputs have a file of their own: see `Log`.
        let Some(file) = self.file.as_mut().filter(|_| !matches!(event, Event::Output { .. })) else { return Ok(()) };
        let at = OffsetDateTime::now_utc().format(&Rfc3339).map_err(io::Error::other)?;
        let mut line = serde_json::to_vec(&Entry { at, event })?;
        line.push(b'\n');
        // One write, unbuffered: when this returns the kernel has the whole line, and a kill loses nothing.
        file.write_all(&line)
    }
}

/// `folder/.skep`, made if need be: for its owner only, and ignored by git.
///
/// # Errors
/// It cannot be made.
pub fn hidden(folder: &Path) -> io::Result<PathBuf> {
    let hidden = folder.join(".skep");
    private(&hidden)?;
    let ignore = hidden.join(".gitignore");
    if !ignore.exists() {
        fs::write(ignore, "*\n")?;
    }
    Ok(hidden)
}

fn private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

fn prune(runs: &Path) -> io::Result<()> {
    let mut old: Vec<_> = fs::read_dir(runs)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    old.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    old.sort();
    let surplus = old.len().saturating_sub(KEPT);
    for path in &old[..surplus] {
        // Another run may have removed it just now; and whatever stays is no reason to keep no journal of this one.
        let _ = fs::remove_file(path);
        // Where nothing was printed there is none.
        let _ = fs::remove_file(path.with_extension(log::EXTENSION));
    }
    log::prune(&old[surplus..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::story;

    fn begun(folder: &Path) -> (Journal, PathBuf) {
        let mut journal = Journal::new(folder);
        journal.on_event(&story::started(1, false)).unwrap();
        let path = journal.place().get().unwrap().clone();
        (journal, path)
    }

    #[test]
    fn each_event_is_on_disk_when_it_was_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, path) = begun(folder.path());
        for (count, event) in story::failing()[1..].iter().enumerate() {
            journal.on_event(event).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!(text.lines().count(), count + 2);
            assert_eq!(last["event"], serde_json::to_value(event).unwrap()["event"]);
            assert!(last["at"].as_str().unwrap().ends_with('Z'));
        }
    }

    #[test]
    fn only_its_owner_reads_it_and_git_does_not_see_it() {
        let folder = tempfile::tempdir().unwrap();
        let (_, path) = begun(folder.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let hidden = folder.path().join(".skep");
        assert_eq!((mode(&hidden), mode(&hidden.join("runs")), mode(&path)), (0o700, 0o700, 0o600));
        assert_eq!(fs::read_to_string(hidden.join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn the_oldest_go_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let runs = hidden(folder.path()).unwrap().join("runs");
        fs::create_dir_all(&runs).unwrap();
        (0..60).for_each(|n| fs::write(runs.join(format!("20200101T0000{n:02}Z-x.jsonl")), "").unwrap());
        fs::write(runs.join("notes.txt"), "mine").unwrap();
        fs::write(runs.join("20200101T000010Z-x.log"), "").unwrap();
        let (_, path) = begun(folder.path());
        assert_eq!(fs::read_dir(&runs).unwrap().count(), KEPT + 1);
        assert!(path.exists() && runs.join("notes.txt").exists());
        assert!(!runs.join("20200101T000010Z-x.jsonl").exists() && runs.join("20200101T000011Z-x.jsonl").exists());
    }

    #[test]
    fn an_old_one_that_does_not_go_is_no_reason_to_keep_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let runs = hidden(folder.path()).unwrap().join("runs");
        fs::create_dir_all(runs.join("20190101T000000Z-x.jsonl")).unwrap();
        (0..KEPT).for_each(|n| fs::write(runs.join(format!("20200101T0000{n:02}Z-x.jsonl")), "").unwrap());
        let (_, path) = begun(folder.path());
        assert!(path.exists() && !runs.join("20200101T000000Z-x.jsonl").exists());
    }
}
