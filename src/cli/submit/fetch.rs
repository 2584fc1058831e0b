//! What the job wrote, brought here: all of it, or nothing under that name.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

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

/// Whether there is a place for each: known before anybody is contacted, for a job may take hours.
///
/// # Errors
/// Something is there already, its folder is not, nothing can be written there, or two would come to lie at one place.
pub fn check(all: &[Fetch]) -> Result<(), Failure> {
    all.iter().try_for_each(Fetch::check)?;
    let mut pairs = all.iter().enumerate().flat_map(|(at, one)| all[..at].iter().map(move |before| (before, one)));
    pairs.find(|(before, one)| before.spot() == one.spot()).map_or(Ok(()), |(before, one)| Err(before.clash(one)))
}

impl Fetch {
    fn check(&self) -> Result<(), Failure> {
        let hint = "call it otherwise: --fetch PATH:LOCAL, a new name of its own, in a folder that you can write to";
        self.unusable().map_or(Ok(()), |why| Err(Failure::bad_input(why).hint(hint)))
    }

    /// Why nothing can come to lie there. Whether a folder takes a file is seen only by making one: modes do not tell of a disk
    /// that is mounted to be read only.
    fn unusable(&self) -> Option<String> {
        let folder = self.folder();
        match fs::symlink_metadata(&self.here).map_err(|why| why.kind()) {
            Ok(_) => Some(format!("{self} is here already, and is not overwritten")),
            Err(_) if !folder.is_dir() => Some(format!("there is no folder {}", folder.display())),
            Err(_) if self.names_a_folder() => Some(format!("there is no folder {self}")),
            Err(io::ErrorKind::NotFound) => {
                let tried = tempfile::tempfile_in(folder);
                tried.err().map(|why| format!("cannot write into the folder {}: {why}", folder.display()))
            }
            Err(why) => Some(format!("cannot write {self}: {why}")),
        }
    }

    /// `results/` and `results/.` are what is in a folder, and no name for a file.
    fn names_a_folder(&self) -> bool {
        let name = self.here.as_os_str().as_encoded_bytes();
        name.ends_with(b"/") || name.ends_with(b"/.")
    }

    /// Where it comes to lie.
    fn folder(&self) -> &Path {
        self.here.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The same, however it is written: `a`, `./a`, `../here/a`.
    fn spot(&self) -> (PathBuf, Option<&OsStr>) {
        let folder = self.folder();
        (folder.canonicalize().unwrap_or_else(|_| folder.to_owned()), self.here.file_name())
    }

    fn clash(&self, other: &Self) -> Failure {
        let text = format!("{} and {} cannot both come to be {other} here", self.there, other.there);
        Failure::bad_input(text).hint("call one of them otherwise: --fetch PATH:LOCAL")
    }

    /// Brings it.
    ///
    /// # Errors
    /// It is not there, or could not be written here.
    pub async fn bring(&self, driver: &Driver, folder: &str) -> Result<Fetched, Failure> {
        let archive = self.archive().map_err(|why| self.unwritten(&why))?;
        let sink = archive.as_file().try_clone().map_err(|why| self.unwritten(&why))?;
        let pack = inside(driver, &[], include_str!("fetch.sh")).args([folder, &self.there]);
        let exec = Exec { stdout: Some(Box::new(tokio::fs::File::from_std(sink))), ..Exec::new(&pack) };
        match driver.session.exec(exec).await {
            Ok(output) if output.ok() => self.unpack(archive).map_err(|why| self.unwritten(&why)),
            Ok(output) if output.code == MISSING => Err(self.missing()),
            Ok(output) => Err(Failure::failed(format!("cannot fetch {}: {}", self.there, output.errors()))),
            Err(lost) => Err(fleet::no_answer(&lost)),
        }
    }

    /// It has a name, so that it can be kept under that.
    fn archive(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(".skep-fetch-").suffix(".tar").tempfile_in(self.folder())
    }

    fn missing(&self) -> Failure {
        let hint = "a path is as of the folder that the job works in, or begins with /";
        Failure::failed(format!("the job has left no {}", self.there)).hint(hint)
    }

    fn unwritten(&self, why: &io::Error) -> Failure {
        Failure::failed(format!("cannot write {self}: {why}"))
    }

    /// Beside its place first. What cannot be unpacked, or not be put there, stays: it need not come again.
    fn unpack(&self, archive: NamedTempFile) -> io::Result<Fetched> {
        match self.beside(archive.as_file()) {
            Ok((beside, fetched, alone)) => self.place(beside, alone).map(|()| fetched),
            Err(why) => Err(kept(archive, &why)),
        }
    }

    fn beside(&self, mut archive: &fs::File) -> io::Result<(TempDir, Fetched, Option<PathBuf>)> {
        archive.rewind()?;
        let beside = tempfile::Builder::new().prefix(".skep-fetch-").tempdir_in(self.folder())?;
        let all = beside.path().join("all");
        fs::create_dir(&all)?;
        let (fetched, alone) = unpacked(archive, &all)?;
        Ok((beside, fetched, alone))
    }

    fn place(&self, beside: TempDir, alone: Option<PathBuf>) -> io::Result<()> {
        let all = beside.path().join("all");
        let placed = match fs::symlink_metadata(&self.here) {
            Ok(_) => Err(io::Error::other("something is there by now")),
            Err(_) => fs::rename(alone.map_or(all.clone(), |file| all.join(file)), &self.here),
        };
        placed.map_err(|why| io::Error::other(format!("{why}; it was left in {}", beside.keep().display())))
    }
}

/// Why, and where the archive is now.
fn kept(archive: NamedTempFile, why: &io::Error) -> io::Error {
    match archive.keep() {
        Ok((_, place)) => io::Error::other(format!("{why}; it was left packed (tar) in {}", place.display())),
        Err(lost) => io::Error::other(format!("{why}; nor can it be kept: {}", lost.error)),
    }
}

/// What is in the archive, and the name of the file that is alone in it.
fn unpacked(archive: &fs::File, into: &Path) -> io::Result<(Fetched, Option<PathBuf>)> {
    let (mut fetched, mut alone) = (Fetched { files: 0, bytes: 0, hollow: false }, None);
    let (mut marked, mut data) = (false, 0);
    for entry in tar::Archive::new(io::BufReader::new(archive)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        marked |= name.iter().any(|part| part == "_SUCCESS" || part == "_temporary");
        fetched.files += usize::from(!entry.header().entry_type().is_dir());
        fetched.bytes += entry.size();
        data += if is_checksum(&name) { 0 } else { entry.size() };
        alone = (!name.starts_with(".")).then_some(name);
        entry.unpack_in(into)?;
    }
    fetched.hollow = marked && data == 0;
    Ok((fetched, alone))
}

/// Hadoop's local file system writes `.x.crc` beside each `x`, also where that is empty: `._SUCCESS.crc`.
fn is_checksum(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_encoded_bytes).unwrap_or_default();
    name.starts_with(b".") && name.ends_with(b".crc")
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

    fn archive(files: &[(&str, &str)]) -> NamedTempFile {
        let mut archive = tar::Builder::new(NamedTempFile::new().expect("a file"));
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
    fn a_place_where_nothing_can_lie_is_told_beforehand() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |here: PathBuf| {
            let checked = Fetch { there: "x".into(), here }.check();
            checked.map_err(|why| (why.code().number(), why.to_string()))
        };
        assert_eq!(said(folder.path().join("results")), Ok(()));
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 0, "nothing is left of the trial");
        // In /proc nobody makes a file, root included.
        let long = folder.path().join("x".repeat(300));
        for here in [folder.path().join("results/"), folder.path().join("results/."), "/proc/results".into(), long] {
            let why = said(here.clone()).expect_err("no place");
            assert_eq!(why.0, 2, "{}: {}", here.display(), why.1);
        }
    }

    #[test]
    fn two_that_would_come_to_lie_at_one_place_are_told_beforehand() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("deep")).expect("a folder");
        let said = |names: [&str; 3]| {
            let of = |name: &str| Fetch { there: format!("out/{name}"), here: folder.path().join(name) };
            check(&names.map(of)).map_err(|why| (why.code().number(), why.to_string()))
        };
        assert_eq!(said(["a", "b", "deep/a"]), Ok(()));
        for other in ["a", "./a", "deep/../a"] {
            let (code, why) = said(["a", "b", other]).expect_err("one place");
            assert!(code == 2 && why.starts_with(&format!("out/a and out/{other} cannot both come to be ")), "{why}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_its_place_or_not_be_unpacked_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = |name: &str, archive: NamedTempFile| {
            let why = Fetch { there: "x".into(), here: folder.path().join(name) }.unpack(archive);
            let why = why.expect_err("it cannot be written").to_string();
            PathBuf::from(why.rsplit_once(" in ").expect("a place").1)
        };
        let unplaced = kept("results/", archive(&[("a", "new")]));
        assert_eq!(fs::read_to_string(unplaced.join("all/a")).expect("a file"), "new");
        let half = archive(&[("a", "new")]);
        half.as_file().set_len(99).expect("shorter");
        let packed = kept("b", half);
        assert_eq!(fs::metadata(&packed).expect("a file").len(), 99);
        fs::remove_file(packed).expect("removed");
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
        let only = [("./", ""), ("./_SUCCESS", ""), ("./._SUCCESS.crc", "crc 4444")];
        assert!(fetch("a").unpack(archive(&only)).expect("written").hollow);
        let data = [("./", ""), ("./_SUCCESS", ""), ("./._SUCCESS.crc", "crc 4444"), ("./part-0", "1")];
        assert!(!fetch("b").unpack(archive(&data)).expect("written").hollow);
    }
}
