//! What `ssh` would do: its configuration, as OpenSSH itself understands it (`ssh -G`, see ssh(1)).

mod keywords;
mod shape;
mod tokens;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};

pub use keywords::{KEYWORDS, Keyword, Standing, keyword};
use shape::Shape;
pub(super) use tokens::{Tokens, home};

use crate::remote::Unreachable;

/// `Match exec` may run programs of the user's.
const PATIENCE: Duration = Duration::from_secs(30);
const SYSTEM: &str = "/etc/ssh";

/// Which ssh_config(5) holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Config {
    /// The user's and the system's, as for `ssh`.
    #[default]
    Users,
    /// This file alone, as for `ssh -F`.
    File(PathBuf),
    /// None, as for `ssh -F none`, and what OpenSSH does by default is not asked for either.
    None,
}

/// The values of keywords (in lower case), in the order they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said(BTreeMap<String, Vec<String>>);

impl Said {
    /// Reads what `ssh -G` prints: a keyword and its value a line.
    pub fn parse(text: &str) -> Self {
        let mut said = Self::default();
        for (keyword, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            said.put(keyword, value);
        }
        said
    }

    /// The same without the name that was asked about.
    fn shared(mut self) -> Self {
        self.0.remove("hostname");
        self
    }

    pub fn put(&mut self, keyword: &str, value: &str) {
        self.0.entry(keyword.to_lowercase()).or_default().push(value.to_owned());
    }

    /// All values of a keyword.
    pub fn all(&self, keyword: &str) -> &[String] {
        self.0.get(&keyword.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The value of a keyword that has one.
    pub fn one(&self, keyword: &str) -> Option<&str> {
        self.all(keyword).first().map(String::as_str)
    }

    /// The keywords that were told of.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What holds for one host, and what would hold without a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub said: Arc<Said>,
    pub usual: Arc<Said>,
    /// What would hold without the options that the inventory gives to `ssh`.
    pub without: Arc<Said>,
}

impl Answer {
    /// Where there is no configuration: what is known all the same, and what the inventory's options say over it.
    pub fn alone(known: &Arc<Said>, options: Said) -> Self {
        let mut said = (**known).clone();
        said.0.extend(options.0);
        Self { said: Arc::new(said), usual: known.clone(), without: known.clone() }
    }
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub host: &'a str,
    pub user: Option<&'a str>,
    pub port: Option<u16>,
    /// Options of `ssh` that the inventory gives it.
    pub options: &'a [String],
}

/// Hosts that are told the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Blocks(Vec<bool>, Vec<String>),
    One(String, Option<String>, Option<u16>, Vec<String>),
}

/// Asks `ssh`, once for all hosts that it would be told the same about.
pub(super) struct Evaluator {
    config: Config,
    program: PathBuf,
    shape: std::sync::OnceLock<Shape>,
    usual: tokio::sync::OnceCell<Option<Arc<Said>>>,
    heard: Mutex<BTreeMap<Class, Arc<Said>>>,
}

impl Evaluator {
    pub fn new(config: Config) -> Self {
        Self::of(config, "ssh".into())
    }

    fn of(config: Config, program: PathBuf) -> Self {
        Self { config, program, shape: Default::default(), usual: Default::default(), heard: Default::default() }
    }

    /// What holds for a host; nothing where there is no configuration or no `ssh` that could read it.
    pub async fn ask(&self, asked: Asked<'_>) -> Result<Option<Answer>, Unreachable> {
        let Some(usual) = self.usual().await? else { return Ok(None) };
        let said = self.heard(asked).await?;
        let without =
            if asked.options.is_empty() { said.clone() } else { self.heard(Asked { options: &[], ..asked }).await? };
        Ok(Some(Answer { said, usual, without }))
    }

    /// What the options say by themselves: as much as differs from what `ssh` does without them, and without a configuration.
    pub async fn options(&self, asked: Asked<'_>) -> Result<Said, Unreachable> {
        if asked.options.is_empty() {
            return Ok(Said::default());
        }
        let nothing = Some(Path::new("/dev/null"));
        let mut said = self.evaluate(nothing, asked).await?;
        let without = self.evaluate(nothing, Asked { options: &[], ..asked }).await?;
        said.0.retain(|keyword, values| without.0.get(keyword) != Some(values));
        Ok(said)
    }

    async fn heard(&self, asked: Asked<'_>) -> Result<Arc<Said>, Unreachable> {
        let options = asked.options.to_vec();
        let class = match self.shape().class(asked.host).filter(|_| shape::are_the_same_for_all(&options)) {
            Some(blocks) => Class::Blocks(blocks, options),
            None => Class::One(asked.host.into(), asked.user.map(str::to_owned), asked.port, options),
        };
        let mut heard = self.heard.lock().await;
        if let Some(said) = heard.get(&class) {
            return Ok(said.clone());
        }
        let said = match class {
            Class::One(..) => self.evaluate(self.option(), asked).await?,
            // What is one host's own must not be told of the next one.
            Class::Blocks(..) => {
                self.evaluate(self.option(), Asked { user: None, port: None, ..asked }).await?.shared()
            }
        };
        Ok(heard.entry(class).or_insert(Arc::new(said)).clone())
    }

    /// What OpenSSH does by itself.
    async fn usual(&self) -> Result<Option<Arc<Said>>, Unreachable> {
        match &self.config {
            Config::None => return Ok(None),
            Config::File(file) => readable(file)?,
            Config::Users => {}
        }
        let ask = async || match self.evaluate(Some(Path::new("/dev/null")), nobody()).await {
            Ok(said) => Ok(Some(Arc::new(said.shared()))),
            Err(_) if !self.installed().await => self.without().map(|()| None),
            Err(why) => Err(why),
        };
        self.usual.get_or_try_init(ask).await.cloned()
    }

    /// A configuration that cannot be read must not be passed over in silence.
    fn without(&self) -> Result<(), Unreachable> {
        match &self.config {
            Config::File(file) => Err(Unreachable {
                what: format!("{} cannot be read: there is no `ssh` here to ask", file.display()),
                hint: Some("install OpenSSH's client (openssh-client), or leave --ssh-config out".into()),
            }),
            _ => {
                if self.files().iter().any(|file| file.exists()) {
                    tracing::warn!("there is no `ssh` here to ask, so ~/.ssh/config is not heeded; the inventory is");
                }
                Ok(())
            }
        }
    }

    async fn installed(&self) -> bool {
        let version = Command::new(&self.program).arg("-V").output().await;
        version.is_ok_and(|output| output.status.success())
    }

    fn option(&self) -> Option<&Path> {
        match &self.config {
            Config::File(file) => Some(file),
            Config::Users | Config::None => None,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let home = home().map(|home| home.join(".ssh/config"));
        match &self.config {
            Config::Users => home.into_iter().chain([Path::new(SYSTEM).join("ssh_config")]).collect(),
            Config::File(file) => vec![file.clone()],
            Config::None => Vec::new(),
        }
    }

    fn shape(&self) -> &Shape {
        let folder = home().unwrap_or_default().join(".ssh");
        self.shape.get_or_init(|| Shape::read(&self.files(), &folder, Path::new(SYSTEM)))
    }

    async fn evaluate(&self, file: Option<&Path>, asked: Asked<'_>) -> Result<Said, Unreachable> {
        let mut ssh = Command::new(&self.program);
        ssh.args(["-G", "-T"]).env("LC_ALL", "C").kill_on_drop(true).stdin(std::process::Stdio::null());
        file.map(|file| ssh.arg("-F").arg(file));
        asked.user.map(|user| ssh.args(["-l", user]));
        asked.port.map(|port| ssh.args(["-p", &port.to_string()]));
        ssh.args(asked.options);
        let output = timeout(PATIENCE, ssh.arg("--").arg(asked.host).output()).await;
        let failed = |why: String| Unreachable {
            what: format!("`ssh -G {}` cannot say how {} is reached: {why}", asked.host, asked.host),
            hint: Some(match asked.options {
                [] => "correct that file, or name another: --ssh-config FILE (`none` for none)".into(),
                // Not which: there may be a password among them.
                _ => "the inventory gives `ssh` options: see ansible_ssh_common_args and its like there".into(),
            }),
        };
        match output {
            Err(_) => Err(failed(format!("it did not end within {PATIENCE:?}"))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Ok(Ok(output)) if output.status.success() => Ok(Said::parse(&String::from_utf8_lossy(&output.stdout))),
            Ok(Ok(output)) => Err(failed(format!("\n{}", String::from_utf8_lossy(&output.stderr).trim_end()))),
        }
    }
}

/// Also asked where there is an `ssh`, which says no more than "Can't open user config file".
fn readable(file: &Path) -> Result<(), Unreachable> {
    File::open(file).map(drop).map_err(|error| Unreachable {
        what: format!("the ssh_config {} cannot be read: {error}", file.display()),
        hint: Some("name another: --ssh-config FILE (`none` for none), or leave it out".into()),
    })
}

fn nobody() -> Asked<'static> {
    Asked { host: "nobody", user: None, port: None, options: &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluator(text: &str) -> (tempfile::TempDir, Evaluator) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, text).unwrap();
        // A program that counts how often it is asked.
        let counting = folder.path().join("ssh");
        let script = format!("#!/bin/sh\necho asked >>{}\nexec ssh \"$@\"\n", folder.path().join("count").display());
        std::fs::write(&counting, script).unwrap();
        std::fs::set_permissions(&counting, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        (folder, Evaluator::of(Config::File(file), counting))
    }

    fn asked(host: &str) -> Asked<'_> {
        Asked { host, user: None, port: None, options: &[] }
    }

    async fn said(evaluator: &Evaluator, host: &str) -> Arc<Said> {
        evaluator.ask(asked(host)).await.unwrap().expect("there is an ssh").said
    }

    #[tokio::test]
    async fn ssh_is_asked_once_for_hosts_that_it_cannot_tell_apart() {
        let (folder, evaluator) = evaluator("Host *\n User ann\nHost web*\n Port 2222\n");
        let asked = || std::fs::read_to_string(folder.path().join("count")).unwrap().lines().count();
        for host in ["one", "two", "three"] {
            assert_eq!(said(&evaluator, host).await.one("user"), Some("ann"));
            assert_eq!(said(&evaluator, host).await.one("hostname"), None, "each has its own");
        }
        assert_eq!(asked(), 2, "what is usual, and what is said");
        let own = Asked { host: "own", user: Some("bob"), port: Some(2), options: &[] };
        let alone = Evaluator::new(evaluator.config.clone());
        assert_eq!(alone.ask(own).await.unwrap().unwrap().said.one("user"), Some("ann"));
        assert_eq!(said(&alone, "next").await.one("port"), Some("22"), "and not the last one's own");
        assert_eq!(said(&evaluator, "web1").await.one("port"), Some("2222"));
        assert_eq!(said(&evaluator, "web2").await.one("port"), Some("2222"));
        assert_eq!(asked(), 3);
    }

    #[tokio::test]
    async fn where_only_ssh_can_tell_each_host_is_asked_about() {
        let (_folder, evaluator) = evaluator("Match host web?\n HostName %h.lan\nMatch user bob\n Port 2222\n");
        assert_eq!(said(&evaluator, "web1").await.one("hostname"), Some("web1.lan"));
        assert_eq!(said(&evaluator, "web2").await.one("hostname"), Some("web2.lan"));
        let bob = Asked { user: Some("bob"), ..asked("web1") };
        assert_eq!(evaluator.ask(bob).await.unwrap().unwrap().said.one("port"), Some("2222"));
    }

    #[tokio::test]
    async fn a_mistake_in_the_file_is_told_in_its_words() {
        let (_folder, evaluator) = evaluator("Host *\n Pot 22\n");
        let why = evaluator.ask(asked("one")).await.unwrap_err();
        assert!(why.what.contains("line 2: Bad configuration option: pot"), "{}", why.what);
    }

    #[tokio::test]
    async fn without_ssh_the_inventory_alone_holds() {
        let gone = Evaluator::of(Config::Users, "/no/such/ssh".into());
        assert!(gone.ask(asked("one")).await.unwrap().is_none());
        let gone = Evaluator::of(Config::File("/x".into()), "/no/such/ssh".into());
        assert!(gone.ask(asked("one")).await.unwrap_err().what.contains("/x cannot be read: No such file"));
        let (folder, there) = evaluator("");
        let gone = Evaluator::of(there.config, "/no/such/ssh".into());
        assert!(gone.ask(asked("one")).await.unwrap_err().what.contains("there is no `ssh` here"));
        drop(folder);
        assert!(Evaluator::new(Config::None).ask(asked("one")).await.unwrap().is_none());
    }
}
