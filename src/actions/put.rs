//! The script that writes a file: all of it or nothing.

use crate::remote::{Command, quote};

/// Makes `$t` beside `$p`, gone however the script ends: dash forgets its EXIT trap where a signal ends it. Where power ended it,
/// it goes with the next that is written there: who writes has the host's lock, so nobody else is at it.
pub const TEMPORARY: &str = "t=; trap 'rm -f -- \"$t\"' EXIT; trap 'exit 1' HUP INT TERM\n\
    rm -f -- \"$(dirname -- \"$p\")\"/.skep.?????? 2>/dev/null || :\n\
    t=$(mktemp \"$(dirname -- \"$p\")/.skep.XXXXXX\")\n";

/// Writes standard input to a file: into a temporary beside it, counted, then moved into its place. A connection that is
/// cut in the middle leaves the old file as it was. What is written is on the disk before it is moved: else power that goes
/// could leave an empty file. Mode and owner are the old file's where none are asked for. A file that is a mount, as
/// `/etc/hosts` of a container is, cannot be replaced: it is written where it is.
pub fn put(path: &str, mode: Option<&str>, owner: Option<&str>, bytes: u64) -> Command {
    let mode = match mode {
        Some(mode) => format!("chmod {} \"$t\"", quote(mode)),
        None => "if [ -e \"$p\" ]; then chmod --reference=\"$p\" \"$t\"; else chmod 0644 \"$t\"; fi".to_owned(),
    };
    let owner = match owner {
        Some(owner) => format!("chown {} \"$t\"", quote(owner)),
        None => "if [ -e \"$p\" ]; then chown --reference=\"$p\" \"$t\"; fi".to_owned(),
    };
    let script = format!(
        "set -e\np={}\n{TEMPORARY}\
         cat >\"$t\"\n\
         [ \"$(wc -c <\"$t\")\" -eq {bytes} ] || {{ echo 'the file did not arrive whole' >&2; exit 1; }}\n\
         sync -- \"$t\"\n\
         {owner}\n{mode}\n\
         mountpoint -q -- \"$p\" || {{ mv -f -T -- \"$t\" \"$p\"; exit; }}\n\
         cat \"$t\" >\"$p\"\nchown --reference=\"$t\" \"$p\"\nchmod --reference=\"$t\" \"$p\"",
        quote(path)
    );
    Command::sh(script).shown_as(format!("write {path}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command as Process, Output, Stdio};

    use super::*;

    fn run(command: &Command, input: &[u8]) -> Output {
        let mut sh = Process::new("sh");
        let sh = sh.arg("-c").arg(command.wire()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = sh.spawn().expect("sh");
        child.stdin.take().expect("stdin").write_all(input).expect("write");
        child.wait_with_output().expect("wait")
    }

    fn text(path: &Path) -> &str {
        path.to_str().expect("utf-8")
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("metadata").permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_ended_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("tempdir");
        let old = folder.path().join(".skep.power1");
        std::fs::write(&old, "half").expect("what a power cut left");
        let script = put(text(&folder.path().join("file")), None, None, 3).wire();
        let mut child = Process::new("sh").arg("-c").arg(script).stdin(Stdio::piped()).spawn().expect("sh");
        let count = || std::fs::read_dir(folder.path()).expect("list").count();
        while old.exists() || count() == 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let kill = |id: u32| Process::new("kill").arg(id.to_string()).status().expect("kill");
        assert!(kill(child.id()).success());
        drop(child.stdin.take());
        assert!(!child.wait().expect("wait").success() && count() == 0);
    }

    #[test]
    fn a_file_keeps_its_mode_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("it's a file");
        std::fs::write(&path, "old").expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(run(&put(text(&path), None, None, 3), b"new").status.success());
        assert_eq!((std::fs::read(&path).expect("read"), mode(&path)), (b"new".to_vec(), 0o640));
        assert!(run(&put(text(&path), Some("0600"), None, 4), b"next").status.success());
        assert_eq!((mode(&path), std::fs::read_dir(folder.path()).expect("list").count()), (0o600, 1));
    }

    #[test]
    fn a_file_that_is_a_mount_is_written_where_it_is() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("hosts");
        std::fs::write(&path, "an old and longer one").expect("write");
        let number = || std::fs::metadata(&path).expect("metadata").ino();
        let (before, script) = (number(), put(text(&path), Some("0600"), None, 3).wire());
        let mounted = Command::sh(format!("mountpoint() {{ [ \"$3\" = {} ]; }}\n{script}", text(&path)));
        assert!(run(&mounted, b"new").status.success());
        assert_eq!((std::fs::read(&path).expect("read"), mode(&path), number()), (b"new".to_vec(), 0o600, before));
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
        assert!(run(&put(text(&path), None, None, 3), b"abc").status.success() && number() != before);
    }

    #[test]
    fn what_is_new_is_on_the_disk_before_it_takes_the_place_of_the_old() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("file");
        std::fs::write(&path, "old").expect("write");
        let written = put(text(&path), None, None, 3).wire();
        let watched = |sync: &str| Command::sh(format!("sync() {{ {sync}; }}\n{written}"));
        assert!(!run(&watched("return 1"), b"new").status.success());
        assert_eq!(std::fs::read(&path).expect("read"), b"old", "what is not on the disk is not put in its place");
        assert!(run(&watched("[ \"$(cat \"$2\" \"$p\")\" = newold ]"), b"new").status.success());
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
    }

    #[test]
    fn a_cut_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("file");
        std::fs::write(&path, "old").expect("write");
        let output = run(&put(text(&path), None, None, 1000), b"only the beginn");
        assert!(!output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "the file did not arrive whole\n");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
    }
}
