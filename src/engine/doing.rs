//! The scripts behind what is not a plain command: making a value up. Pure.

use crate::actions::put::TEMPORARY;
use crate::remote::{Command, quote};

/// Writes random hexadecimal digits to a file that is not there yet, seen by nobody but the host. Where another was
/// quicker, theirs stays. An empty one was made by nobody: power that goes may leave the name of a file without what was
/// in it, and so what is written is on the disk before it gets its name.
pub fn generate(path: &str, bytes: usize, mode: &str, owner: Option<&str>) -> Command {
    let owner = owner.map(|owner| format!("chown {} \"$t\"\n", quote(owner))).unwrap_or_default();
    Command::sh(format!(
        "set -e\np={path}\numask 077\n{TEMPORARY}\
         head -c {bytes} /dev/urandom | od -An -v -tx1 | tr -d ' \\n' >\"$t\"\nsync -- \"$t\"\n\
         {owner}chmod {mode} \"$t\"\n\
         ln -T -- \"$t\" \"$p\" 2>/dev/null || [ -s \"$p\" ] || mv -f -T -- \"$t\" \"$p\"\n\
         sync -- \"$(dirname -- \"$p\")\"",
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

    fn run(command: &Command, input: &[u8]) -> Output {
        let mut sh = Process::new("sh");
        let sh = sh.arg("-c").arg(command.wire()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = sh.spawn().expect("sh");
        child.stdin.take().expect("stdin").write_all(input).expect("write");
        child.wait_with_output().expect("wait")
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("metadata").permissions().mode() & 0o7777
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

    #[test]
    fn one_that_power_left_empty_is_made_up_anew() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("token");
        std::fs::write(&path, "").expect("write");
        let make = generate(path.to_str().expect("utf-8"), 24, "0640", None);
        assert!(run(&make, b"").status.success());
        let token = std::fs::read_to_string(&path).expect("read");
        assert_eq!((token.len(), mode(&path)), (48, 0o640));
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
        assert!(run(&make, b"").status.success());
        assert_eq!(std::fs::read_to_string(&path).expect("read"), token);
    }

    #[test]
    fn it_is_on_the_disk_before_it_has_its_name_and_the_name_is_too_at_the_end() {
        let folder = tempfile::tempdir().expect("tempdir");
        let (path, told) = (folder.path().join("token"), tempfile::NamedTempFile::new().expect("a file"));
        let make = generate(path.to_str().expect("utf-8"), 24, "0600", None).wire();
        let name = "if [ -d \"$2\" ]; then [ -s \"$p\" ] && echo name";
        let file = "else [ -s \"$2\" ] && [ ! -e \"$p\" ] && echo file; fi";
        let watched = format!("sync() {{ {name}; {file}; }} >>{}\n{make}", told.path().display());
        assert!(run(&Command::sh(watched), b"").status.success());
        assert_eq!(std::fs::read_to_string(told.path()).expect("read"), "file\nname\n");
    }
}
