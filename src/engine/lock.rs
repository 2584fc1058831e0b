//! Two runs at once: a change takes the host's lock, with who holds it and since when written into it.
//!
//! The lock is held by the shell around a change, not by its children (their descriptor is closed), so a daemon that a
//! change starts does not keep it. After a cut the shell goes on holding it until the change under way has ended: what
//! still runs is waited for, not raced. Whoever had to wait does nothing then but look again, for what it had planned
//! was decided on an older state.

use crate::remote::{Command, quote};

/// Where it lies: on a tmpfs, so that nothing is left behind by a restart.
const PATH: &str = "/run/lock/skep.lock";

/// Starts the line that tells whom a change waits for.
pub const WAITING: &str = "skep: waiting for ";

/// Exit status of a change that was not started because another run held the lock (`EX_TEMPFAIL` of sysexits.h).
pub const LOOK_AGAIN: i32 = 75;

/// Says, on standard error, that status 75 is the lock's and not the command's own.
pub const FREED: &str = "skep: the lock is free again";

/// The command under the host's lock, held in the name of `who`.
///
/// A user that may not write the lock file (a step with `become: false`) goes on without it.
pub fn under(command: Command, who: &str) -> Command {
    let before = format!(
        "if command -v flock >/dev/null && ( : >>{PATH} ) 2>/dev/null; then exec 9>>{PATH}\n\
         if ! flock -n 9; then printf '{WAITING}%s\\n' \"$(cat {PATH})\" >&2; flock 9; echo '{FREED}' >&2; exit {LOOK_AGAIN}; fi\n\
         printf '%s since %s\\n' {who} \"$(date -u +%H:%M:%SZ)\" >{PATH}\nfi\n{{\n",
        who = quote(who)
    );
    command.within(before, "\n} 9>&-".to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::{Command as Process, Output, Stdio};

    use super::*;

    fn sh(script: &str) -> Output {
        Process::new("sh").arg("-c").arg(script).stdin(Stdio::null()).output().expect("sh")
    }

    fn in_folder(command: Command, who: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("tempdir");
        let lock = folder.path().join("lock");
        let script = under(command, who).wire().replace(PATH, lock.to_str().expect("utf-8"));
        (folder, script)
    }

    #[test]
    fn the_command_runs_and_keeps_its_exit_status() {
        let (folder, script) = in_folder(Command::sh("echo done; exit 3"), "ann@desk");
        let output = sh(&script);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), b"done\n".as_slice()));
        let held = std::fs::read_to_string(folder.path().join("lock")).expect("the lock file");
        assert!(held.starts_with("ann@desk since "), "{held}");
    }

    #[test]
    fn the_second_waits_says_for_whom_and_does_nothing() {
        let (folder, script) = in_folder(Command::sh("sleep 1; touch \"$OUT\""), "ann@desk");
        let out = folder.path().join("out");
        let first = Process::new("sh").arg("-c").arg(&script).env("OUT", &out).spawn();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let second = sh(&script);
        assert!(out.exists(), "it ended before the first had");
        assert_eq!(second.status.code(), Some(LOOK_AGAIN));
        let told = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(told.starts_with("skep: waiting for ann@desk since "), "{told}");
        assert!(told.ends_with(&format!("{FREED}\n")), "{told}");
        first.expect("sh").wait().expect("wait");
    }

    #[test]
    fn a_daemon_that_a_change_starts_does_not_keep_the_lock() {
        let (_folder, script) = in_folder(Command::sh("sleep 5 >/dev/null 2>&1 &"), "ann@desk");
        assert!(sh(&script).status.success());
        assert!(sh(&script).status.success(), "still locked");
    }
}
