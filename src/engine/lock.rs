//! Two runs at once: a change takes the host's lock, with who holds it and since when written into it.
//!
//! The lock is held by the shell around a change, not by its children (their descriptor is closed), so a daemon that a
//! change starts does not keep it. After a cut the shell goes on holding it until the change under way has ended: what
//! still runs is waited for, not raced. Whoever had to wait does nothing then but look again, for what it had planned
//! was decided on an older state.

use crate::remote::{Command, Output, quote};

/// Where it lies: on a tmpfs, so that nothing is left behind by a restart. Root's is where nobody else can make files: in
/// `/run/lock` anybody can, and the kernel keeps even root from writing to another's (`fs.protected_regular`). Who works
/// without root has one of his own, in `/tmp` where `/run/lock` is not for everybody.
const FOLDER: &str = "/run";

/// Starts the line that tells whom a change waits for.
const WAITING: &str = "skep: waiting for ";

/// Exit status of a change that was not started because another run held the lock (`EX_TEMPFAIL` of sysexits.h).
const LOOK_AGAIN: i32 = 75;

/// Exit status of a change that was not started for want of the lock (`EX_NOPERM`).
const NO_LOCK: i32 = 77;

/// Says, on standard error, that status 75 is the lock's and not the command's own.
const FREED: &str = "skep: the lock is free again";

/// The command under the host's lock, held in the name of `who`. Without the lock it is not started.
pub fn under(command: Command, who: &str) -> Command {
    let before = format!(
        "skep_lock={FOLDER}/skep.lock\n\
         if [ \"$(id -u)\" != 0 ]; then skep_lock={FOLDER}/lock/skep-$(id -u).lock\n\
         [ -w \"${{skep_lock%/*}}\" ] || skep_lock=/tmp/skep-$(id -u).lock; fi\n\
         if ! ( : >>\"$skep_lock\" ) 2>/dev/null; then\n\
         echo \"skep: the lock $skep_lock cannot be taken; who made it? $(ls -l \"$skep_lock\" 2>&1)\" >&2; exit {NO_LOCK}; fi\n\
         exec 9>>\"$skep_lock\"\n\
         if ! flock -n 9; then printf '{WAITING}%s\\n' \"$(cat \"$skep_lock\")\" >&2\n\
         flock 9 || exit {NO_LOCK}; echo '{FREED}' >&2; exit {LOOK_AGAIN}; fi\n\
         printf '%s since %s\\n' {who} \"$(date -u +%H:%M:%SZ)\" >\"$skep_lock\"; unset skep_lock\n{{\n",
        who = quote(who)
    );
    command.within(before, "\n} 9>&-".to_owned())
}

/// Whom a change waits for, if that is what its output says.
pub fn holder(text: &str) -> Option<&str> {
    text.strip_prefix(WAITING)?.lines().next()
}

/// Whether a command was not started for the lock's sake.
pub fn was_held(output: &Output) -> bool {
    output.code == LOOK_AGAIN && output.errors().ends_with(FREED)
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
        std::fs::create_dir(folder.path().join("lock")).expect("folder");
        let path = format!("={}", folder.path().display());
        let script = under(command, who).wire().replace(&format!("={FOLDER}"), &path);
        (folder, script)
    }

    /// The lock of whoever runs the tests.
    fn file(folder: &tempfile::TempDir) -> std::path::PathBuf {
        let id = String::from_utf8(sh("id -u").stdout).expect("a number");
        let name = if id.trim() == "0" { "skep.lock".to_owned() } else { format!("lock/skep-{}.lock", id.trim()) };
        folder.path().join(name)
    }

    #[test]
    fn the_command_runs_and_keeps_its_exit_status() {
        let (folder, script) = in_folder(Command::sh("echo done; exit 3"), "ann@desk");
        let output = sh(&script);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), b"done\n".as_slice()));
        let held = std::fs::read_to_string(file(&folder)).expect("the lock file");
        assert!(held.starts_with("ann@desk since "), "{held}");
    }

    #[test]
    fn without_the_lock_nothing_is_started() {
        let (folder, script) = in_folder(Command::sh("touch \"$OUT\""), "ann@desk");
        let out = folder.path().join("out");
        std::fs::create_dir(file(&folder)).expect("something in its place");
        let output = sh(&format!("export OUT={}\n{script}", out.display()));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(NO_LOCK) && told.contains("cannot be taken"), "{told}");
        assert!(!out.exists());
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
