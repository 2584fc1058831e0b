//! The scripts behind what is not a plain command: writing a file, making a value up. Pure.

use crate::actions::Put;
use crate::remote::{Command, quote};

/// Makes `$t` beside `$p`, gone however the script ends: dash forgets its EXIT trap where a signal ends it.
const TEMPORARY: &str = "t=; trap 'rm -f -- \"$t\"' EXIT; trap 'exit 1' HUP INT TERM\n\
    t=$(mktemp \"$(dirname -- \"$p\")/.skep.XXXXXX\")\n";

/// Writes standard input to a file: into a temporary beside it, counted, then moved into its place. A connection that is
/// cut in the middle leaves the old file as it was. Mode and owner are the old file's where none are asked for.
pub fn put(put: &Put, bytes: u64) -> Command {
    let path = quote(&put.path);
    let mode = match &put.mode {
        Some(mode) => format!("chmod {} \"$t\"", quote(mode)),
        None => "if [ -e \"$p\" ]; then chmod --reference=\"$p\" \"$t\"; else chmod 0644 \"$t\"; fi".to_owned(),
    };
    let owner = match &put.owner {
        Some(owner) => format!("chown {} \"$t\"", quote(owner)),
        None => "if [ -e \"$p\" ]; then chown --reference=\"$p\" \"$t\"; fi".to_owned(),
    };
    Command::sh(format!(
        "set -e\np={path}\n{TEMPORARY}\
         cat >\"$t\"\n\
         [ \"$(wc -c <\"$t\")\" -eq {bytes} ] || {{ echo 'the file did not arrive whole' >&2; exit 1; }}\n\
         {owner}\n{mode}\nmv -f -T -- \"$t\" \"$p\""
    ))
}

/// Writes random hexadecimal digits to a file that is not there yet, seen by nobody but the host. Where another was
/// quicker, theirs stays.
pub fn generate(path: &str, bytes: usize, mode: &str, owner: Option<&str>) -> Command {
    let owner = owner.map(|owner| format!("chown {} \"$t\"\n", quote(owner))).unwrap_or_default();
    Command::sh(format!(
        "set -e\np={path}\numask 077\n{TEMPORARY}\
         head -c {bytes} /dev/urandom | od -An -v -tx1 | tr -d ' \\n' >\"$t\"\n\
         {owner}chmod {mode} \"$t\"\nln -T -- \"$t\" \"$p\" 2>/dev/null || [ -e \"$p\" ]",
        path = quote(path),
        mode = quote(mode)
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command as Process, Output, Stdio};

    use super::*;
    use crate::actions::Parcel;

    fn run(command: &Command, input: &[u8]) -> Output {
        let mut sh = Process::new("sh");
        let sh = sh.arg("-c").arg(command.wire()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = sh.spawn().expect("sh");
        child.stdin.take().expect("stdin").write_all(input).expect("write");
        child.wait_with_output().expect("wait")
    }

    fn file(path: &Path, mode: Option<&str>) -> Put {
        let path = path.to_str().expect("utf-8").to_owned();
        Put { path, content: Parcel::Bytes(Vec::new()), mode: mode.map(Into::into), owner: None }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("metadata").permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_keeps_its_mode_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("it's a file");
        std::fs::write(&path, "old").expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(run(&put(&file(&path, None), 3), b"new").status.success());
        assert_eq!((std::fs::read(&path).expect("read"), mode(&path)), (b"new".to_vec(), 0o640));
        assert!(run(&put(&file(&path, Some("0600")), 4), b"next").status.success());
        assert_eq!((mode(&path), std::fs::read_dir(folder.path()).expect("list").count()), (0o600, 1));
    }

    #[test]
    fn a_cut_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("file");
        std::fs::write(&path, "old").expect("write");
        let output = run(&put(&file(&path, None), 1000), b"only the beginn");
        assert!(!output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "the file did not arrive whole\n");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
    }

    #[test]
    fn what_is_ended_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("tempdir");
        let script = put(&file(&folder.path().join("file"), None), 3).wire();
        let mut child = Process::new("sh").arg("-c").arg(script).stdin(Stdio::piped()).spawn().expect("sh");
        let count = || std::fs::read_dir(folder.path()).expect("list").count();
        while count() == 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let kill = |id: u32| Process::new("kill").arg(id.to_string()).status().expect("kill");
        assert!(kill(child.id()).success());
        drop(child.stdin.take());
        assert!(!child.wait().expect("wait").success() && count() == 0);
    }

    #[test]
    fn a_generated_value_is_made_once() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("token");
        let make = generate(path.to_str().expect("utf-8"), 24, "0600", None);
        let output = run(&make, b"");
        assert!(output.status.success() && output.stdout.is_empty());
        let token = std::fs::read_to_string(&path).expect("read");
        assert!(token.len() == 48 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
        assert!(run(&make, b"").status.success());
        assert_eq!(std::fs::read_to_string(&path).expect("read"), token);
        assert_eq!((mode(&path), std::fs::read_dir(folder.path()).expect("list").count()), (0o600, 1));
    }
}
