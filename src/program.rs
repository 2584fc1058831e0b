//! A program on this machine: what it prints, and why it prints nothing.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long one may take: it may ask somebody.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long its output may stay open once it has ended: something that it started holds it.
const GRACE: Duration = Duration::from_secs(1);
/// More than this is nothing that anybody asked for.
const MOST: u64 = 64 << 20;

/// What a program prints, if it ends well within [`PATIENCE`]. Its input is empty: what it must ask, it asks at the terminal.
///
/// # Errors
/// Why there is nothing, with the end of its standard error: ends a sentence that begins with the program.
pub fn output(command: &mut Command) -> Result<String, String> {
    within(command, PATIENCE)
}

/// The same of a line of shell, in a folder.
///
/// # Errors
/// As [`output`].
pub fn shell(line: &str, folder: &Path) -> Result<String, String> {
    output(Command::new("/bin/sh").args(["-c", line]).current_dir(folder))
}

fn within(command: &mut Command, patience: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| format!("cannot be run: {why}"))?;
    let (out, errors) = (drained(child.stdout.take()), drained(child.stderr.take()));
    let end = Instant::now() + patience;
    let status: ExitStatus = loop {
        match child.try_wait().map_err(|why| format!("cannot be waited for: {why}"))? {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("did not end within {} s", patience.as_secs_f32()));
            }
        }
    };
    let errors = errors.recv_timeout(GRACE).unwrap_or_default();
    if !status.success() {
        return Err(format!("ended with {status}\n{}", String::from_utf8_lossy(&errors).trim_end())
            .trim_end()
            .to_owned());
    }
    let out = out.recv_timeout(GRACE).map_err(|_| "ended, and something that it started still holds its output")?;
    String::from_utf8(out).map_err(|_| "printed no UTF-8".to_owned())
}

/// Reads to the end, on a thread of its own: who waits for one pipe lets the other run full.
fn drained(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let whole = pipe.map(|pipe| pipe.take(MOST).read_to_end(&mut bytes));
        // Whoever is no longer there to take it needs it no more.
        let _ = whole.map(|_| sender.send(bytes));
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_no_input_and_must_come_to_an_end() {
        let run = |line: &str| within(Command::new("sh").args(["-c", line]), Duration::from_millis(300));
        assert_eq!(run("cat; echo {}"), Ok("{}\n".into()));
        assert_eq!(run("exec sleep 60"), Err("did not end within 0.3 s".into()));
        assert_eq!(run("echo why >&2; exit 3"), Err("ended with exit status: 3\nwhy".into()));
        assert!(run("head -c 300000 /dev/zero >&2; echo {}").is_ok(), "both pipes are read");
        let held = run("echo {}; sleep 3 & exit 0");
        assert!(held.is_err_and(|why| why.contains("still holds its output")));
    }
}
