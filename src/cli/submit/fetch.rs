//! What the job wrote, brought here: all of it, or nothing under that name.

use std::fmt;
use std::fs;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use super::driver::Driver;
use super::held::inside;
use crate::cli::{Failure, fleet};
use crate::remote::Exec;

/// The code of the script where there is no such file.
const MISSING: i32 = 66;

/// A file or folder there, and what it is to be called here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    there: String,
    here: PathBuf,
}

/// `PATH` or `PATH:LOCAL`.
pub fn fetch(text: &str) -> Result<Fetch, String> {
    let (there, here) = text.split_once(':').unwrap_or((text, ""));
    let here = if here.is_empty() { Path::new(there).file_name().map(PathBuf::from) } else { Some(here.into()) };
    match here {
        Some(here) if !there.is_empty() => Ok(Fetch { there: there.to_owned(), here }),
        _ => Err("say what it is to be called here: PATH:LOCAL".into()),
    }
}

/// What was brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    /// How many files.
    pub files: usize,
    /// How large they are.
    pub bytes: u64,
    /// Whether it has Spark's marks and no data: executors wrote that on their own hosts.
    pub hollow: bool,
}

impl fmt::Display for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.here.display())
    }
}

impl Fetch {
    /// Whether there is a place for it: known before anybody is contacted, for a job may take hours.
    ///
    /// # Errors
    /// Something is there already, or its folder is not.
    pub fn check(&self) -> Result<(), Failure> {
        let bad = |text: String| Err(Failure::bad_input(text).hint("call it otherwise: --fetch PATH:LOCAL"));
        match (fs::symlink_metadata(&self.here).is_ok(), self.folder().is_dir()) {
            (true, _) => bad(format!("{self} is here already, and is not overwritten")),
            (_, false) => bad(format!("there is no folder {}", self.folder().display())),
            (false, true) => Ok(()),
        }
    }

    /// Where it comes to lie.
    fn folder(&self) -> &Path {
        self.here.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Brings it.
    ///
    /// # Errors
    /// It is not there, or could not be written here.
    pub async fn bring(&self, driver: &Driver, folder: &str) -> Result<Fetched, Failure> {
        let archive = self.tempfile().map_err(|why| self.unwritten(&why))?;
        let sink = archive.try_clone().map_err(|why| self.unwritten(&why))?;
        let pack = inside(driver, &[], include_str!("fetch.sh")).args([folder, &self.there]);
        let exec = Exec { stdout: Some(Box::new(tokio::fs::File::from_std(sink))), ..Exec::new(&pack) };
        match driver.session.exec(exec).await {
            Ok(output) if output.ok() => self.unpack(archive).map_err(|why| self.unwritten(&why)),
            Ok(output) if output.code == MISSING => Err(self.missing()),
            Ok(output) => Err(Failure::failed(format!("cannot fetch {}: {}", self.there, output.errors()))),
            Err(lost) => Err(fleet::no_answer(&lost)),
        }
    }

    fn tempfile(&self) -> io::Result<fs::File> {
        tempfile::tempfile_in(self.folder())
    }

    fn missing(&self) -> Failure {
        let hint = "a path is as of the folder that the job works in, or begins with /";
        Failure::failed(format!("the job has left no {}", self.there)).hint(hint)
    }

    fn unwritten(&self, why: &io::Error) -> Failure {
        Failure::failed(format!("cannot write {self}: {why}"))
    }

    /// Beside its place first. Where that is taken by now, it stays there, and is not lost.
    fn unpack(&self, mut archive: fs::File) -> io::Result<Fetched> {
        archive.rewind()?;
        let beside = tempfile::Builder::new().prefix(".skep-fetch-").tempdir_in(self.folder())?;
        let all = beside.path().join("all");
        fs::create_dir(&all)?;
        let (fetched, alone) = unpacked(archive, &all)?;
        if fs::symlink_metadata(&self.here).is_ok() {
            let kept = beside.keep();
            return Err(io::Error::other(format!("something is there by now; it was left in {}", kept.display())));
        }
        fs::rename(alone.map_or(all.clone(), |file| all.join(file)), &self.here)?;
        Ok(fetched)
    }
}

/// What is in the archive, and the name of the file that is alone in it.
fn unpacked(archive: fs::File, into: &Path) -> io::Result<(Fetched, Option<PathBuf>)> {
    let (mut fetched, mut alone) = (Fetched { files: 0, bytes: 0, hollow: false }, None);
    let mut marked = false;
    for entry in tar::Archive::new(io::BufReader::new(archive)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        marked |= name.iter().any(|part| part == "_SUCCESS" || part == "_temporary");
        fetched.files += usize::from(!entry.header().entry_type().is_dir());
        fetched.bytes += entry.size();
        alone = (!name.starts_with(".")).then_some(name);
        entry.unpack_in(into)?;
    }
    fetched.hollow = marked && fetched.bytes == 0;
    Ok((fetched, alone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_here_is_the_last_of_the_one_there_unless_it_is_said() {
        let read = |text: &str| fetch(text).map(|fetch| (fetch.there, fetch.here.display().to_string()));
        assert_eq!(read("out/a.csv"), Ok(("out/a.csv".into(), "a.csv".into())));
        assert_eq!(read("out/:here"), Ok(("out/".into(), "here".into())));
        assert!([".", "", ":x", "..", "/"].iter().all(|text| read(text).is_err()));
        assert_eq!(read(".:here"), Ok((".".into(), "here".into())));
    }

    fn archive(files: &[(&str, &str)]) -> fs::File {
        let mut archive = tar::Builder::new(tempfile::tempfile().expect("a file"));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            let kind = if name.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular };
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(text.len() as u64);
            header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, text.as_bytes()).expect("memory");
        }
        archive.into_inner().expect("a file")
    }

    #[test]
    fn a_folder_and_a_file_come_under_their_new_names_and_nothing_beside() {
        let folder = tempfile::tempdir().expect("a folder");
        let fetch = |name: &str| Fetch { there: "x".into(), here: folder.path().join(name) };
        let files = [("./", ""), ("./a", "1"), ("./b/", ""), ("./b/c", "23")];
        let fetched = fetch("all").unpack(archive(&files)).expect("written");
        assert_eq!(fetched, Fetched { files: 2, bytes: 3, hollow: false });
        assert_eq!(fs::read_to_string(folder.path().join("all/b/c")).expect("a file"), "23");
        fetch("one").unpack(archive(&[("a.csv", "1")])).expect("written");
        assert_eq!(fs::read_to_string(folder.path().join("one")).expect("a file"), "1");
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 2);
    }

    #[test]
    fn what_is_here_already_stays_and_what_came_is_not_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let fetch = Fetch { there: "x".into(), here: folder.path().join("a") };
        fs::write(&fetch.here, "mine").expect("a file");
        assert!(fetch.check().is_err_and(|why| why.code().number() == 2));
        let why = fetch.unpack(archive(&[("a", "new")])).expect_err("it is taken").to_string();
        assert_eq!(fs::read_to_string(&fetch.here).expect("a file"), "mine");
        let kept = why.rsplit_once(" in ").expect("a place").1;
        assert_eq!(fs::read_to_string(Path::new(kept).join("all/a")).expect("a file"), "new");
    }

    #[test]
    fn nothing_is_written_outside() {
        let folder = tempfile::tempdir().expect("a folder");
        let fetch = Fetch { there: "x".into(), here: folder.path().join("in") };
        let _ = fetch.unpack(archive(&[("./", ""), ("./../../evil", "1"), ("./a", "")]));
        assert!(!folder.path().join("evil").exists() && !folder.path().parent().expect("one").join("evil").exists());
    }

    #[test]
    fn a_folder_that_only_says_success_is_hollow() {
        let folder = tempfile::tempdir().expect("a folder");
        let fetch = |name: &str| Fetch { there: "x".into(), here: folder.path().join(name) };
        let only = [("./", ""), ("./_SUCCESS", "")];
        assert!(fetch("a").unpack(archive(&only)).expect("written").hollow);
        let data = [("./", ""), ("./_SUCCESS", ""), ("./part-0", "1")];
        assert!(!fetch("b").unpack(archive(&data)).expect("written").hollow);
    }
}
