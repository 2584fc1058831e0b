//! A folder in the driver that lasts as long as we hold it.
//!
//! A process in the container makes it, and reads its standard input to the end. We keep that open. However we end, it ends:
//! then that process ends the job and removes the folder. `docker exec` alone passes on neither signals nor our death.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::driver::Driver;
use super::sent::Sent;
use crate::actions::works_as;
use crate::cli::{Failure, fleet};
use crate::remote::{Command, Exec, Lost, Output};

/// How long the job and its folder may take to go: it is asked to end for ten seconds, and then not asked any more.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long after the job its folder may be gone, where both went for one reason.
const SOON: Duration = Duration::from_secs(5);
/// The code of the script where the master does not answer.
const NO_MASTER: i32 = 69;

/// The hold on a folder.
pub struct Held {
    /// The folder; the job's working folder is `work` in it.
    pub folder: String,
    lifeline: DuplexStream,
    keeping: JoinHandle<Result<Output, Lost>>,
}

/// A command in the driver, as its own user.
pub fn inside(driver: &Driver, flags: &[&str], script: &str) -> Command {
    let command = Command::new("docker").arg("exec").args(flags.iter().copied()).arg(&driver.container.id);
    command.args(["sh", "-c", script, "skep"]).by(works_as(&driver.host, None, None))
}

impl Held {
    /// Makes a folder, and brings there what the job needs.
    ///
    /// # Errors
    /// The master does not answer, a file cannot be read, or the driver has no room.
    pub async fn begin(driver: &Driver, sent: Arc<Sent>) -> Result<Self, Failure> {
        let to_master = sent.to_master;
        let (archive, bytes) = packed(sent).await?;
        let asks = if to_master { "master" } else { "nobody" };
        let keep = inside(driver, &["-i"], include_str!("keep.sh")).args([bytes.to_string().as_str(), asks]);
        let (lifeline, end) = duplex(1);
        let (told, says) = duplex(4096);
        let input = Box::new(tokio::fs::File::from_std(archive).chain(end));
        let session = Arc::clone(&driver.session);
        let keeping = tokio::spawn(async move {
            let exec = Exec { stdin: Some(input), stdout: Some(Box::new(told)), ..Exec::new(&keep) };
            session.exec(exec).await
        });
        let mut folder = String::new();
        let _ = BufReader::new(says).read_line(&mut folder).await;
        match folder.trim_end() {
            "" => Err(refused(driver, keeping.await)),
            folder => Ok(Self { folder: folder.to_owned(), lifeline, keeping }),
        }
    }

    /// Why it is over though we have not let go of it: its connection was lost, or somebody ended what held it. It takes the job with it.
    pub async fn over(&mut self, driver: &Driver) -> Option<Failure> {
        match timeout(SOON, &mut self.keeping).await {
            Err(_) => None,
            Ok(Ok(Err(lost))) => Some(super::cut(driver, &lost)),
            Ok(_) => Some(Failure::failed(format!("somebody ended what held the job's folder in {}", driver.place()))),
        }
    }

    /// Lets go of it: what still runs in it is ended. Says whether that was seen.
    pub async fn end(self) -> bool {
        let Self { lifeline, keeping, .. } = self;
        drop(lifeline);
        matches!(timeout(PATIENCE, keeping).await, Ok(Ok(Ok(output))) if output.ok())
    }
}

async fn packed(sent: Arc<Sent>) -> Result<(File, u64), Failure> {
    let packed = tokio::task::spawn_blocking(move || sent.pack()).await;
    let packed = packed.unwrap_or_else(|why| Err(io::Error::other(why)));
    packed.map_err(|why| Failure::failed(format!("cannot read what is to be sent: {why}")))
}

fn refused(driver: &Driver, ended: Result<Result<Output, Lost>, tokio::task::JoinError>) -> Failure {
    let place = driver.place();
    match ended {
        Ok(Ok(output)) if output.code == NO_MASTER => {
            let text = format!("Spark's master cannot be asked from {place}: {}", output.errors());
            Failure::failed(text).hint("skep status shows what runs; skep up starts again what does not")
        }
        Ok(Ok(output)) => Failure::failed(format!("{place} does not take the job: {}", output.errors())),
        Ok(Err(lost)) => fleet::no_answer(&lost),
        Err(why) => Failure::failed(why.to_string()),
    }
}
