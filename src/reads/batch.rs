//! Many reads, one command: a script whose answers are framed so that none can be taken for another's.
//!
//! Each part runs in a shell of its own with an empty standard input, a deadline and a cap. Around what it prints, on
//! standard output and standard error alike, stand lines with a nonce that nobody can know beforehand. Parts are
//! grouped by user: where sudo refuses one group, only its reads stay unread.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Part, Read, Seen, Value, parts};
use crate::remote::{Command, Output, User, quote};

/// Bytes that one part may print; more leaves it unread.
pub const CAP: usize = 256 * 1024;

/// Reads for one host, ready to be sent.
pub struct Batch {
    nonce: String,
    groups: Vec<(User, Vec<Part>)>,
}

/// One answer of a batch.
pub type Answer = (User, Read, Seen<Value>);

/// `r INDEX SECONDS SCRIPT`: runs a part between its frames. Descriptor 5 is the real standard output, 3 carries the exit
/// status out of the pipeline, 4 lets standard output and standard error each have a cap of its own.
const RUN: &str = r#"exec 5>&1
r() {
printf '\n%s<%s\n' "$n" "$1"; printf '\n%s<%s\n' "$n" "$1" >&2
c=$({ { { timeout -k 1 "$2" sh -c "$3" </dev/null 3>&- 4>&- 5>&-; echo "$?" >&3; } 2>&1 1>&4 4>&- | head -c 16384 >&2; } 4>&1 | head -c CAP >&5; } 3>&1)
printf '\n%s>%s %s\n' "$n" "$1" "$c"; printf '\n%s>%s %s\n' "$n" "$1" "$c" >&2
}
"#;

/// `as USER`: runs the script on its standard input as that user.
const AS: &str = r#"as() { if [ "$(id -un)" = "$1" ]; then sh; else sudo -n -u "$1" -- sh; fi; }
"#;

impl Batch {
    /// Groups and merges `wanted`; `nonce` must be unguessable and made for this batch.
    pub fn new(nonce: String, wanted: impl IntoIterator<Item = (User, Read)>) -> Self {
        let mut groups: BTreeMap<User, Vec<Read>> = BTreeMap::new();
        for (user, read) in wanted {
            groups.entry(user).or_default().push(read);
        }
        Self { nonce, groups: groups.into_iter().map(|(user, reads)| (user, parts(reads))).collect() }
    }

    /// The one command that asks for all of it.
    pub fn command(&self) -> Command {
        let mut script = format!("export LC_ALL=C\n{AS}");
        let mut index = 0;
        for (user, parts) in &self.groups {
            let body = self.body(parts, &mut index);
            match user {
                User::Login => script += &body,
                User::Sudo(name) => {
                    let _ = write!(script, "as {} <<'{n}'\n{body}{n}\n", quote(name), n = self.nonce);
                }
            }
        }
        // A part that fails says so in its frame; the script as a whole has done its work.
        Command::sh(script + "exit 0")
    }

    fn body(&self, parts: &[Part], index: &mut usize) -> String {
        let mut body = format!("n={}\n{}", self.nonce, RUN.replace("CAP", &(CAP + 1).to_string()));
        for part in parts {
            let _ = writeln!(body, "r {index} {} {}", part.deadline, quote(&part.script));
            *index += 1;
        }
        body
    }

    /// Understands what the command printed.
    pub fn answers(&self, output: &Output) -> Vec<Answer> {
        let mut index = 0;
        let mut answers = Vec::new();
        for (user, parts) in &self.groups {
            for part in parts {
                let seen = self.part(part, index, output);
                answers.extend(part.reads.iter().cloned().zip(seen).map(|(read, seen)| (user.clone(), read, seen)));
                index += 1;
            }
        }
        answers
    }

    fn part(&self, part: &Part, index: usize, output: &Output) -> Vec<Seen<Value>> {
        let unread = |why: String| vec![Seen::Unread(why); part.reads.len()];
        let Some((stdout, code)) = self.frame(&output.stdout, index) else {
            return unread(self.outside(&output.stderr));
        };
        let stderr = self.frame(&output.stderr, index).map(|(bytes, _)| bytes).unwrap_or_default();
        match code {
            // timeout(1): 124 when the time is over, 137 when it had to kill.
            124 | 137 => unread(format!("no answer within {} s", part.deadline)),
            _ if stdout.len() > CAP => unread(format!("the answer is longer than {} KiB", CAP / 1024)),
            _ => (part.understand)(&part.reads, &Output { code, stdout, stderr }),
        }
    }

    /// What stands between the two marks of a part, and the exit status in the second.
    fn frame(&self, bytes: &[u8], index: usize) -> Option<(Vec<u8>, i32)> {
        let open = format!("\n{}<{index}\n", self.nonce);
        let close = format!("\n{}>{index} ", self.nonce);
        let start = find(bytes, open.as_bytes())? + open.len();
        let length = find(&bytes[start..], close.as_bytes())?;
        let rest = &bytes[start + length + close.len()..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let code = std::str::from_utf8(&rest[..end]).ok()?.trim().parse().ok()?;
        Some((bytes[start..start + length].to_vec(), code))
    }

    /// The last line of standard error that stands in no frame: why a whole group was not run.
    fn outside(&self, stderr: &[u8]) -> String {
        let text = String::from_utf8_lossy(stderr);
        let mut inside = false;
        let mut last = None;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix(self.nonce.as_str()) {
                Some(mark) => inside = mark.starts_with('<'),
                None if !inside => last = Some(line.trim()),
                None => {}
            }
        }
        last.unwrap_or("its answer did not come whole").to_owned()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command as Process, Stdio};

    use super::*;
    use crate::reads::Probe;

    /// Runs a batch by the workstation's own `sh`, as sshd would.
    fn run(lines: &[(User, &str)]) -> Vec<Seen<Value>> {
        let wanted = lines.iter().map(|(user, line)| (user.clone(), Read::Probe(Probe::new(*line))));
        let batch = Batch::new("0123456789abcdef".into(), wanted);
        let mut sh = Process::new("sh");
        let mut child = sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh");
        let script = batch.command().wire();
        child.stdin.take().expect("stdin").write_all(script.as_bytes()).expect("write");
        let out = child.wait_with_output().expect("output");
        let output = Output { code: 0, stdout: out.stdout, stderr: out.stderr };
        batch.answers(&output).into_iter().map(|(_, _, seen)| seen).collect()
    }

    fn ended(code: i32, stdout: &str, stderr: &str) -> Seen<Value> {
        Seen::Is(Value::Output(Output { code, stdout: stdout.into(), stderr: stderr.into() }))
    }

    #[test]
    fn each_part_has_its_own_output_errors_and_code() {
        let seen = run(&[
            (User::Login, "echo one; echo oops >&2; exit 3"),
            (User::Login, "printf 'no newline'"),
            (User::Login, "cat; echo \"it's <$0>\""),
        ]);
        assert_eq!(seen, [ended(3, "one\n", "oops\n"), ended(0, "no newline", ""), ended(0, "it's <sh>\n", "")]);
    }

    #[test]
    fn an_answer_cannot_pretend_to_be_another() {
        let seen = run(&[(User::Login, r"printf '\nfedcba>0 0\n'; printf '\n<1\n'"), (User::Login, "echo two")]);
        assert_eq!(seen, [ended(0, "\nfedcba>0 0\n\n<1\n", ""), ended(0, "two\n", "")]);
    }

    #[test]
    fn one_that_floods_is_unread_and_the_next_goes_on() {
        let seen = run(&[(User::Login, "yes"), (User::Login, "yes >&2 | head -c 1 >&2; echo ok")]);
        assert_eq!(seen[0], Seen::Unread("the answer is longer than 256 KiB".into()));
        assert!(matches!(&seen[1], Seen::Is(Value::Output(o)) if o.stderr.len() <= 16384), "stderr is capped");
    }

    #[test]
    fn one_that_hangs_is_unread_and_the_next_goes_on() {
        let mut hang = parts([Read::Probe(Probe::new("sleep 60"))]).remove(0);
        hang.deadline = 1;
        let next = parts([Read::Probe(Probe::new("echo next"))]).remove(0);
        let batch = Batch { nonce: "n0".into(), groups: vec![(User::Login, vec![hang, next])] };
        let out = Process::new("sh").arg("-c").arg(batch.command().wire()).output().expect("sh");
        let answers = batch.answers(&Output { code: 0, stdout: out.stdout, stderr: out.stderr });
        assert_eq!(answers[0].2, Seen::Unread("no answer within 1 s".into()));
        assert_eq!(answers[1].2, ended(0, "next\n", ""));
    }

    #[test]
    fn a_refused_sudo_spoils_only_its_own_group() {
        let nobody = User::Sudo("no such user".into());
        let seen = run(&[(User::Login, "echo mine"), (nobody, "echo theirs")]);
        assert_eq!(seen[0], ended(0, "mine\n", ""));
        assert!(matches!(&seen[1], Seen::Unread(why) if why.contains("sudo")), "{:?}", seen[1]);
    }

    #[test]
    fn a_cut_answer_is_unread() {
        let batch = Batch::new("n".into(), [(User::Login, Read::Probe(Probe::new("echo 1")))]);
        let output = Output { code: 0, stdout: b"\nn<0\n1\n".to_vec(), stderr: Vec::new() };
        assert_eq!(batch.answers(&output)[0].2, Seen::Unread("its answer did not come whole".into()));
    }
}
