//! A folder in the driver that lasts as long as we hold it.
//!
//! A process in the container makes it, and reads its standard input to the end. We keep that open, and say something there now
//! and then. However we end, that ends: then that process ends the job and removes the folder. `docker exec` alone passes on
//! neither signals nor our death. What a job that ended by itself has left to be fetched is kept, unless we say that it has come.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex};
use tokio::sync::oneshot;
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
/// How often we say that we are there.
const BEAT: Duration = Duration::from_secs(20);
/// After how long without a word from us we are gone. A network that is cut says no end, and sshd does not look for it unless it
/// is told to; who has stopped us by Ctrl-Z, or shut a laptop, comes back sooner as a rule.
pub const SILENCE: Duration = Duration::from_secs(5 * 60);
/// Says that all has come that was to be fetched.
const ALL_CAME: &[u8] = b"!";
/// The script of the process in the container.
const KEEP: &str = include_str!("keep.sh");
/// The code of the script where the master does not answer.
const NO_MASTER: i32 = 69;

/// The hold on a folder.
pub struct Held {
    /// The folder; the job's working folder is `work` in it.
    pub folder: String,
    /// Takes our last word. Where it is dropped there is none, and we let go all the same.
    let_go: oneshot::Sender<&'static [u8]>,
    keeping: JoinHandle<Result<Output, Lost>>,
}

/// What became of the folder, and of what ran in it.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// All of it is gone.
    Nothing,
    /// What was not fetched is kept, see [`kept`]; a list of it.
    Unfetched(String),
    /// That was not seen.
    Unseen,
}

/// Where that is kept which a job has left in its folder and which was not fetched.
pub fn kept(folder: &str) -> String {
    format!("{folder}.kept")
}

/// A command in the driver, as its own user.
pub fn inside(driver: &Driver, flags: &[&str], script: &str) -> Command {
    let command = Command::new("docker").arg("exec").args(flags.iter().copied()).arg(&driver.container.id);
    command.args(["sh", "-c", script, "skep"]).by(works_as(&driver.host, None, None))
}

impl Held {
    /// Makes a folder, and brings there what the job needs. `fetches` says that what it leaves there is wanted.
    ///
    /// # Errors
    /// The master does not answer, a file cannot be read, or the driver has no room.
    pub async fn begin(driver: &Driver, sent: Arc<Sent>, fetches: bool) -> Result<Self, Failure> {
        let to_master = sent.to_master;
        let (archive, bytes) = packed(sent).await?;
        let keep = inside(driver, &["-i"], KEEP).args(arguments(bytes, to_master, SILENCE, fetches));
        let (lifeline, end) = duplex(1);
        let (let_go, last) = oneshot::channel();
        tokio::spawn(beat(lifeline, last));
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
            folder => Ok(Self { folder: folder.to_owned(), let_go, keeping }),
        }
    }

    /// Why it is over though we have not let go of it: its connection was lost, or somebody ended what held it. It takes the job with it.
    pub async fn over(&mut self, driver: &Driver) -> Option<Failure> {
        match timeout(SOON, &mut self.keeping).await {
            Err(_) => None,
            Ok(Ok(Err(lost))) => Some(super::cut(driver, &lost)),
            Ok(_) => Some(let_down(driver)),
        }
    }

    /// Lets go of it: what still runs in it is ended. `came` says that nothing in it is wanted any more.
    pub async fn end(self, came: bool) -> Left {
        let Self { folder, let_go, keeping } = self;
        // Where nobody takes it, nobody is there to be told.
        let _ = let_go.send(if came { ALL_CAME } else { &[] });
        match timeout(PATIENCE, keeping).await {
            Ok(Ok(Ok(output))) if output.ok() => Left::of(&folder, &output),
            _ => Left::Unseen,
        }
    }
}

impl Left {
    /// As the script says it.
    fn of(folder: &str, output: &Output) -> Self {
        match output.errors().split_once(&format!("{}:", kept(folder))) {
            Some((_, list)) => Self::Unfetched(list.trim().to_owned()),
            None => Self::Nothing,
        }
    }
}

/// What the script is told.
fn arguments(bytes: u64, to_master: bool, silence: Duration, fetches: bool) -> [String; 4] {
    let asks = if to_master { "master" } else { "nobody" };
    let wanted = if fetches { "fetch" } else { "nothing" };
    [bytes.to_string(), asks.to_owned(), silence.as_secs().to_string(), wanted.to_owned()]
}

/// Says again and again that we are there, and then the last word.
async fn beat(mut lifeline: DuplexStream, mut last: oneshot::Receiver<&'static [u8]>) {
    let word = loop {
        match timeout(BEAT, &mut last).await {
            Ok(word) => break word.unwrap_or_default(),
            // Where nobody takes it any more, the end of what held the folder tells why.
            Err(_) => _ = lifeline.write_all(b".").await,
        }
    };
    let _ = lifeline.write_all(word).await;
}

/// What held the folder has ended, and not for want of a connection.
fn let_down(driver: &Driver) -> Failure {
    let minutes = SILENCE.as_secs() / 60;
    let hint =
        format!("somebody ended it; or skep was stopped (Ctrl-Z, a laptop asleep) for more than {minutes} minutes");
    Failure::failed(format!("what held the job's folder in {} has ended, and the job with it", driver.place()))
        .hint(hint)
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, Read as _, Write as _};
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::{Child, ChildStdin, Command as Process, Stdio};
    use std::thread;
    use std::time::Instant;

    use super::*;

    /// The script at work on this machine, and what it reads.
    struct Keeper {
        child: Child,
        lifeline: ChildStdin,
        folder: String,
    }

    impl Keeper {
        fn of(silence: Duration, fetches: bool) -> Self {
            let empty = tar::Builder::new(Vec::new()).into_inner().expect("memory");
            let arguments = arguments(empty.len() as u64, false, silence, fetches);
            let mut sh = Process::new("sh");
            sh.args(["-c", KEEP, "skep"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = sh.stderr(Stdio::piped()).spawn().expect("sh");
            let mut lifeline = child.stdin.take().expect("a pipe");
            lifeline.write_all(&empty).expect("it is read");
            let mut folder = String::new();
            std::io::BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut folder).expect("a folder");
            Self { child, lifeline, folder: folder.trim_end().to_owned() }
        }

        /// The exit code of a job in the folder.
        fn runs(&self, job: &str) -> Option<i32> {
            ran(&self.folder, job).0
        }

        fn ends(mut self, last: &[u8]) -> Left {
            self.lifeline.write_all(last).expect("it is read");
            let Self { mut child, lifeline, folder } = self;
            drop(lifeline);
            assert!(ended(&mut child, 40), "it was let go");
            let mut stderr = Vec::new();
            child.stderr.take().expect("a pipe").read_to_end(&mut stderr).expect("text");
            let left = Left::of(&folder, &Output { code: 0, stdout: Vec::new(), stderr });
            assert!(!Path::new(&folder).exists() && !Path::new(&format!("{folder}.over")).exists(), "{folder}");
            assert_eq!(Path::new(&kept(&folder)).exists(), left != Left::Nothing);
            left
        }
    }

    /// The exit code and the outputs of a job in this folder, whose process group is its own, as `docker exec` has it.
    fn ran(folder: &str, job: &str) -> (Option<i32>, String) {
        let mut sh = Process::new("sh");
        sh.args(["-c", include_str!("run.sh"), "skep", folder, "sh", "-c", job]).process_group(0);
        let output = sh.stdin(Stdio::null()).output().expect("sh");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("UTF-8"))
    }

    /// Whether it ends within so many seconds; if not, it is ended.
    fn ended(child: &mut Child, seconds: u64) -> bool {
        let began = Instant::now();
        while began.elapsed().as_secs() < seconds {
            if child.try_wait().expect("a child").is_some() {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        child.kill().expect("a child");
        false
    }

    const LONG: Duration = Duration::from_secs(100);

    #[test]
    fn who_says_nothing_for_long_is_gone_though_nobody_let_go() {
        let mut keeper = Keeper::of(Duration::from_secs(1), false);
        assert!(ended(&mut keeper.child, 40), "it waits for ever");
        assert!(!Path::new(&keeper.folder).exists());
    }

    #[test]
    fn a_word_is_no_end_and_the_end_is_heard_at_once() {
        let mut keeper = Keeper::of(LONG, false);
        keeper.lifeline.write_all(b"...").expect("it is read");
        thread::sleep(Duration::from_millis(300));
        assert!(Path::new(&keeper.folder).exists());
        assert_eq!(keeper.ends(b""), Left::Nothing);
    }

    #[test]
    fn what_a_job_has_left_and_nobody_has_fetched_is_kept() {
        let keeper = Keeper::of(LONG, true);
        assert_eq!(keeper.runs("echo 1 >out.csv; mkdir deep; exit 7"), Some(7));
        let kept = kept(&keeper.folder);
        assert_eq!(keeper.ends(b"."), Left::Unfetched("deep/\nout.csv".into()));
        assert_eq!(std::fs::read_to_string(format!("{kept}/out.csv")).expect("a file"), "1\n");
        std::fs::remove_dir_all(kept).expect("removed");
    }

    #[test]
    fn nothing_is_kept_that_came_or_that_nobody_wants_or_that_is_not_there() {
        for (fetches, job, last) in [(true, "echo 1 >a", "!"), (false, "echo 1 >a", ""), (true, "exit 1", "")] {
            let keeper = Keeper::of(LONG, fetches);
            keeper.runs(job);
            assert_eq!(keeper.ends(last.as_bytes()), Left::Nothing, "{job}");
        }
    }

    #[test]
    fn nothing_is_kept_of_a_job_that_was_ended() {
        let keeper = Keeper::of(LONG, true);
        let (folder, job) = (keeper.folder.clone(), "trap 'echo bye; exit 9' TERM; echo 1 >a; sleep 86521.5 & wait");
        let job = thread::spawn(move || ran(&folder, job));
        let began = Instant::now();
        while !Path::new(&format!("{}/work/a", keeper.folder)).exists() && began.elapsed() < LONG {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(keeper.ends(b""), Left::Nothing);
        assert_eq!(job.join().expect("an end"), (Some(9), "bye\n".into()));
    }

    #[test]
    fn what_a_job_leaves_in_the_background_ends_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("work")).expect("a folder");
        let began = Instant::now();
        // It holds the outputs, which are read to their end.
        let ran = ran(&folder.path().display().to_string(), "sleep 60 & echo last words; exit 3");
        assert_eq!(ran, (Some(3), "last words\n".into()));
        assert!(began.elapsed() < Duration::from_secs(40), "it was waited for");
        assert!(folder.path().join("ended").exists(), "it has ended by itself");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a list").count(), 2, "its group is nobody's any more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_end_hears_of_us_until_our_last_word() {
        let (lifeline, mut end) = duplex(1);
        let (let_go, last) = oneshot::channel();
        tokio::spawn(beat(lifeline, last));
        let mut heard = [0; 2];
        timeout(SILENCE, end.read_exact(&mut heard)).await.expect("in time").expect("two words");
        let_go.send(ALL_CAME).expect("it is waited for");
        let mut rest = Vec::new();
        end.read_to_end(&mut rest).await.expect("an end");
        assert_eq!((&heard, &*rest), (b"..", ALL_CAME));
    }
}
