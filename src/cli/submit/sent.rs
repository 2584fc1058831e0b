//! What is sent along, and what spark-submit is told: known before anybody is contacted.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Failure;

/// What spark-submit is told beside the application, in its own words.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "As spark-submit's")]
pub struct Options {
    /// The class whose main() runs, where the application is a .jar
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// What the application is called [default: its file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Python modules for driver and executors: .py, .zip, .egg; sent along
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    py_files: Vec<String>,
    /// Files for the working folders of driver and executors; sent along
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    files: Vec<String>,
    /// Libraries for driver and executors; sent along
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    jars: Vec<String>,
    /// A setting: spark.executor.memory=2g, spark.cores.max=8, spark.driver.memory=1g
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = setting)]
    conf: Vec<String>,
}

fn setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("write it as key=value: spark.executor.memory=2g".into()),
    }
}

/// Files of this machine, and the command line that they are for.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    files: Vec<PathBuf>,
    /// `spark-submit` and its arguments, as of the folder that the files are in.
    pub words: Vec<String>,
    /// Whether the application goes to the cluster's own master.
    pub to_master: bool,
}

impl Sent {
    /// The application, its own arguments, and the options.
    ///
    /// # Errors
    /// A file is not there, or two have one name.
    pub fn of(options: &Options, application: &[String]) -> Result<Self, Failure> {
        let to_master = !options.conf.iter().any(|conf| conf.starts_with("spark.master="));
        let mut sent = Self { files: Vec::new(), words: vec!["spark-submit".into()], to_master };
        for (option, value) in [("--class", &options.class), ("--name", &options.name)] {
            sent.words.extend(value.iter().flat_map(|value| [option.to_owned(), value.clone()]));
        }
        for (option, files) in
            [("--py-files", &options.py_files), ("--files", &options.files), ("--jars", &options.jars)]
        {
            sent.list(option, files)?;
        }
        sent.words.extend(options.conf.iter().flat_map(|conf| ["--conf".to_owned(), conf.clone()]));
        let (file, arguments) =
            application.split_first().ok_or_else(|| Failure::bad_input("no application is named"))?;
        let file = sent.add(file)?;
        sent.words.push(file);
        sent.words.extend_from_slice(arguments);
        Ok(sent)
    }

    fn list(&mut self, option: &str, files: &[String]) -> Result<(), Failure> {
        let names = files.iter().map(|file| self.add(file)).collect::<Result<Vec<_>, _>>()?;
        if !names.is_empty() {
            self.words.extend([option.to_owned(), names.join(",")]);
        }
        Ok(())
    }

    /// What a file is called there. What is elsewhere already (`local:/opt/jobs/pi.py`, `s3a://…`) stays as it is.
    fn add(&mut self, file: &str) -> Result<String, Failure> {
        if file.starts_with("local:") || file.contains("://") {
            return Ok(file.to_owned());
        }
        let (path, name) = (Path::new(file), named(file)?);
        let namesake = self.files.iter().find(|known| known.file_name() == path.file_name());
        match namesake {
            Some(known) if known != path => Err(Failure::bad_input(format!(
                "{} and {file} have the same name, and are sent to one folder",
                known.display()
            ))),
            Some(_) => Ok(name),
            None => {
                self.files.push(path.to_owned());
                Ok(name)
            }
        }
    }

    /// An archive of the files, and its size.
    ///
    /// # Errors
    /// One could not be read.
    pub fn pack(&self) -> io::Result<(File, u64)> {
        let mut archive = tar::Builder::new(tempfile::tempfile()?);
        archive.mode(tar::HeaderMode::Deterministic);
        for path in &self.files {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            let name = path.file_name().unwrap_or_default();
            archive.append_path_with_name(path, name).map_err(named)?;
        }
        let mut file = archive.into_inner()?;
        let bytes = file.stream_position()?;
        file.rewind()?;
        Ok((file, bytes))
    }
}

/// The name of a file that is there.
fn named(file: &str) -> Result<String, Failure> {
    let path = Path::new(file);
    let hint = "a file that is in the driver already is written local:/PATH";
    match (std::fs::metadata(path), path.file_name().and_then(|name| name.to_str())) {
        (Ok(there), Some(name)) if there.is_file() => Ok(name.to_owned()),
        (Ok(_), _) => {
            Err(Failure::bad_input(format!("{file} is no file")).hint("send a folder as .zip, by --py-files"))
        }
        (Err(why), _) => Err(Failure::bad_input(format!("cannot read {file}: {}", plainly(&why))).hint(hint)),
    }
}

fn plainly(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        _ => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn files_are_called_by_their_names_and_the_rest_is_as_it_was_typed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        ["job.py", "lib.zip"].iter().for_each(|name| std::fs::write(path(name), name).expect("a file"));
        let options = Options {
            py_files: vec![path("lib.zip"), "s3a://b/x.py".into()],
            conf: vec!["spark.cores.max=2".into()],
            ..Options::default()
        };
        let sent = Sent::of(&options, &[path("job.py"), "--samples".into(), "a b".into()]).expect("all is there");
        let mut expected =
            words("spark-submit --py-files lib.zip,s3a://b/x.py --conf spark.cores.max=2 job.py --samples");
        expected.push("a b".into());
        assert_eq!(sent.words, expected);
        let (file, bytes) = sent.pack().expect("an archive");
        assert_eq!(file.metadata().expect("a size").len(), bytes);
        let mut archive = tar::Archive::new(file);
        let names = archive.entries().expect("entries").map(|entry| entry.expect("one").path().expect("a name").into());
        assert_eq!(names.collect::<Vec<PathBuf>>(), [Path::new("lib.zip"), Path::new("job.py")]);
    }

    #[test]
    fn what_is_in_the_driver_already_is_not_sent() {
        let sent = Sent::of(&Options::default(), &words("local:/opt/jobs/pi.py --workers 2")).expect("words");
        assert_eq!((sent.words, sent.files.len()), (words("spark-submit local:/opt/jobs/pi.py --workers 2"), 0));
    }

    #[test]
    fn what_is_not_there_or_has_the_name_of_another_is_told() {
        let told = |files: &[String]| {
            let options = Options { files: files.to_vec(), ..Options::default() };
            Sent::of(&options, &words("local:/x.py")).map_err(|why| (why.code().number(), why.to_string()))
        };
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("b")).expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        ["x", "b/x"].iter().for_each(|name| std::fs::write(path(name), name).expect("a file"));
        assert!(told(&[path("x"), path("x")]).is_ok(), "the same one twice");
        assert!(told(&[path("x"), path("b/x")]).is_err_and(|(code, why)| code == 2 && why.contains("same name")));
        assert!(told(&[path("y")]).is_err_and(|(code, why)| code == 2 && why.contains("no such file")));
        assert!(told(&[path("b")]).is_err_and(|(code, why)| code == 2 && why.contains("is no file")));
    }
}
