//! The scripts behind what is not a plain command: making a value up. Pure.

use crate::actions::put::TEMPORARY;
use crate::remote::{Command, quote};

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
}
