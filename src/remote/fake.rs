//! Hosts that are folders: each session runs its scripts by the workstation's own `sh`. For the engine's tests, and for
//! faults that cannot be had otherwise: a hook sees every script first and may answer in the host's place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command as Process;

use super::{Connect, Dial, Exec, Live, Lost, Output, Session, Tunnel, Unreachable};
use crate::inventory::Host;

/// Sees a host's name and a script; answers in its place, or lets it run.
pub type Hook = Arc<dyn Fn(&str, &str) -> Option<Result<Output, Lost>> + Send + Sync>;

/// A host for each folder.
pub struct Fake {
    folders: BTreeMap<String, PathBuf>,
    hook: Hook,
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

struct Folder {
    host: String,
    path: PathBuf,
    hook: Hook,
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

impl Fake {
    /// A folder for each of `hosts`, below `root`.
    pub fn new(root: &Path, hosts: &[&str]) -> std::io::Result<Self> {
        let folders: BTreeMap<_, _> = hosts.iter().map(|host| ((*host).to_owned(), root.join(host))).collect();
        folders.values().try_for_each(std::fs::create_dir_all)?;
        Ok(Self { folders, hook: Arc::new(|_, _| None), calls: Arc::default() })
    }

    /// With a hook before every script.
    #[must_use]
    pub fn with(mut self, hook: Hook) -> Self {
        self.hook = hook;
        self
    }

    /// Every script that was sent so far, with its host.
    pub fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().map(|calls| calls.clone()).unwrap_or_default()
    }
}

#[async_trait]
impl Connect for Fake {
    async fn connect(&self, host: &Host, _: Duration, _: Live) -> Result<Arc<dyn Session>, Unreachable> {
        let Some(path) = self.folders.get(&host.name) else {
            let what = format!("{} does not answer", host.address);
            return Err(Unreachable { what, hint: None });
        };
        let (host, path) = (host.name.clone(), path.clone());
        Ok(Arc::new(Folder { host, path, hook: self.hook.clone(), calls: self.calls.clone() }))
    }
}

#[async_trait]
impl Session for Folder {
    async fn exec(&self, exec: Exec<'_>) -> Result<Output, Lost> {
        let here = self.path.display().to_string();
        let script = exec.command.wire();
        let script = script.replace("=/run/lock/", &format!("={here}/")).replace("=/run/", &format!("={here}/"));
        // The workstation's own engine is no host's.
        let script = script.replace("/var/run/docker.sock", &format!("{here}/docker.sock"));
        if let Ok(mut calls) = self.calls.lock() {
            calls.push((self.host.clone(), script.clone()));
        }
        if let Some(answer) = (self.hook)(&self.host, &script) {
            return answer;
        }
        let deadline = exec.deadline.unwrap_or(Duration::MAX);
        tokio::time::timeout(deadline, self.run(&script, exec)).await.unwrap_or(Err(Lost::Deadline(deadline)))
    }

    /// Dials from the workstation.
    async fn dial(&self, address: &str, port: u16, within: Duration) -> Result<Box<dyn Tunnel>, Dial> {
        match tokio::time::timeout(within, tokio::net::TcpStream::connect((address, port))).await {
            Ok(Ok(line)) => Ok(Box::new(line)),
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => Err(Dial::Closed),
            Ok(Err(e)) => Err(Dial::NoRoute(e.to_string())),
            Err(_) => Err(Dial::Silent(within)),
        }
    }

    async fn interrupt(&self) {}

    async fn close(&self) {}
}

impl Folder {
    /// What lies in the host's own `bin` comes first.
    fn path_variable(&self) -> String {
        format!("{}/bin:{}", self.path.display(), std::env::var("PATH").unwrap_or_default())
    }

    async fn run(&self, script: &str, exec: Exec<'_>) -> Result<Output, Lost> {
        let refused = |error: std::io::Error| Lost::Refused(error.to_string());
        let relay = |error: std::io::Error| Lost::Relay(error.to_string());
        let mut sh = Process::new("sh");
        let sh = sh.arg("-c").arg(script).current_dir(&self.path).kill_on_drop(true).env("PATH", self.path_variable());
        let mut child =
            sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(refused)?;
        let mut input = exec.command.input().to_vec();
        if let Some(mut source) = exec.stdin {
            source.read_to_end(&mut input).await.map_err(relay)?;
        }
        if let Some(mut stdin) = child.stdin.take() {
            // A command need not read what it is given.
            let _ = stdin.write_all(&input).await;
        }
        let out = child.wait_with_output().await.map_err(refused)?;
        if let Some(mut sink) = exec.stdout {
            sink.write_all(&out.stdout).await.map_err(relay)?;
            if out.status.success() {
                sink.shutdown().await.map_err(relay)?;
            }
        }
        if let Some(mut sink) = exec.stderr {
            sink.write_all(&out.stderr).await.map_err(relay)?;
        }
        Ok(Output { code: out.status.code().unwrap_or(137), stdout: out.stdout, stderr: out.stderr })
    }
}
