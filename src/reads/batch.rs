//! Many reads, one command: a script whose answers are framed so that none can be taken for another's.
//!
//! Each part runs in a shell of its own with an empty standard input, a deadline and a cap. Around what it prints, on
//! standard output and standard error alike, stand lines with a nonce that nobody can know beforehand. Parts are
//! grouped by user: where sudo refuses one group, only its reads stay unread.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::{Part, Read, Seen, Value, parts, probe};
use crate::remote::{Command, Output, User, quote, refusal};

/// Bytes that one part may print; more leaves it unread.
pub const CAP: usize = 256 * 1024;

/// What is said of a part whose time was over.
const LATE: &str = "no answer within ";

/// Whether something is unread for want of time alone: who was asked may be at work. Docker's socket is asked by curl, whose code for
/// that is 28 (curl(1)).
pub fn is_late(why: &str) -> bool {
    (why.starts_with(LATE) && why.ends_with(" s")) || why.contains("curl: (28)")
}

/// Reads for one host, ready to be sent.
pub struct Batch {
    nonce: String,
    groups: Vec<(User, Vec<Part>)>,
}

/// One answer of a batch.
pub type Answer = (User, Read, Seen<Value>);

/// A part may say for itself when its time is over; this is for what goes on without it (a child in a session of its own).
const SLACK: Duration = Duration::from_secs(10);

/// `r INDEX SECONDS SCRIPT EXPORTS`: runs a part between its frames. Descriptor 5 is the real standard output, 3 carries the
/// exit status out of the pipeline (before the word `over`, which stands alone where the time was over first), 4 lets
/// standard output and standard error each have a cap of its own. timeout(1) makes a process group: what a part leaves
/// behind in it is ended with it, or it would hold the outputs open. The part comes to its shell by the environment: what it asks
/// may hold a secret, and arguments are for all to see (ps(1)), where the environment is its owner's.
const RUN: &str = r#"exec 5>&1
t=$(command -v timeout)
r() {
printf '\n%s<%s\n' "$n" "$1"; printf '\n%s<%s\n' "$n" "$1" >&2
c=$({ { {
set -- "$t" "$2" "$3" "$4"; eval "$4"
SKEP_READ=$3 "$1" -k 1 "$2" /bin/sh -c '/bin/sh -c "skep_read=\$SKEP_READ; unset SKEP_READ; eval \"\$skep_read\"" sh 3>&-
echo "$?" >&3' sh </dev/null 4>&- 5>&- &
wait "$!"; echo over >&3; kill -s KILL -- "-$!" 2>/dev/null
} 2>&1 1>&4 4>&- | head -c 16384 >&2; } 4>&1 | head -c CAP >&5; } 3>&1)
set -- "$1" $c
printf '\n%s>%s %s\n' "$n" "$1" "$2"; printf '\n%s>%s %s\n' "$n" "$1" "$2" >&2
}
"#;

/// `as USER NONCE`: runs the script on its standard input as that user. Where that is refused, a line says so.
const AS: &str = r#"as() {
me=$(id -un)
if [ "$me" = "$1" ]; then sh; else sudo -n -u "$1" -- sh || printf '\n%s!%s %s %s\n' "$2" "$?" "$me" "$1" >&2; fi
}
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

    /// How long all of it may take: as long as all its parts, one after another.
    pub fn deadline(&self) -> Duration {
        let parts = self.groups.iter().flat_map(|(_, parts)| parts);
        // One second more each: timeout(1) asks first and is obeyed then.
        parts.map(|part| Duration::from_secs(u64::from(part.deadline) + 1)).sum::<Duration>() + SLACK
    }

    /// The one command that asks for all of it: run by the user whom all of it is for, where that is one.
    pub fn command(&self) -> Command {
        if let [(user, parts)] = self.groups.as_slice() {
            let script = format!("export LC_ALL=C\n{}exit 0", self.body(parts, &mut 0));
            return Command::sh(script).by(user.clone());
        }
        let mut script = format!("export LC_ALL=C\n{AS}");
        let mut index = 0;
        for (user, parts) in &self.groups {
            let body = self.body(parts, &mut index);
            match user {
                User::Login => script += &body,
                User::Sudo(name) => {
                    let _ = write!(script, "as {} {n} <<'{n}'\n{body}{n}\n", quote(name), n = self.nonce);
                }
            }
        }
        // A part that fails says so in its frame; the script as a whole has done its work.
        Command::sh(script + "exit 0")
    }

    fn body(&self, parts: &[Part], index: &mut usize) -> String {
        let mut body = format!("n={}\n{}", self.nonce, RUN.replace("CAP", &(CAP + 1).to_string()));
        for part in parts {
            let (script, exports) = (quote(&part.script), probe::exports(part));
            let _ = writeln!(body, "r {index} {} {script} {}", part.deadline, quote(&exports));
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
                let seen = self.part(user, part, index, output);
                answers.extend(part.reads.iter().cloned().zip(seen).map(|(read, seen)| (user.clone(), read, seen)));
                index += 1;
            }
        }
        answers
    }

    fn part(&self, user: &User, part: &Part, index: usize, output: &Output) -> Vec<Seen<Value>> {
        let unread = |why: String| vec![Seen::Unread(why); part.reads.len()];
        let Some((stdout, code)) = self.frame(&output.stdout, index) else {
            return unread(self.outside(user, &output.stderr));
        };
        let stderr = self.frame(&output.stderr, index).map(|(bytes, _)| bytes).unwrap_or_default();
        match code {
            None => unread(format!("{LATE}{} s", part.deadline)),
            Some(_) if stdout.len() > CAP => unread(format!("the answer is longer than {} KiB", CAP / 1024)),
            Some(code) => (part.understand)(&part.reads, &Output { code, stdout, stderr }),
        }
    }

    /// What stands between the two marks of a part, and the exit status in the second; none where its time was over.
    fn frame(&self, bytes: &[u8], index: usize) -> Option<(Vec<u8>, Option<i32>)> {
        let open = format!("\n{}<{index}\n", self.nonce);
        let close = format!("\n{}>{index} ", self.nonce);
        let start = find(bytes, open.as_bytes())? + open.len();
        let length = find(&bytes[start..], close.as_bytes())?;
        let rest = &bytes[start + length + close.len()..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let code = match std::str::from_utf8(&rest[..end]).ok()? {
            "over" => None,
            // The shell itself has ended: a variable's name that is none.
            "" => Some(2),
            code => Some(code.parse().ok()?),
        };
        Some((bytes[start..start + length].to_vec(), code))
    }

    /// Why the whole group of `user` was not run: what stands on standard error in no frame, before sudo's exit status.
    fn outside(&self, user: &User, stderr: &[u8]) -> String {
        let text = String::from_utf8_lossy(stderr);
        let (mut inside, mut said) = (false, Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix(self.nonce.as_str()).map(|mark| mark.split_at(1)) {
                Some(("!", mark)) => match refused(user, mark, &said.join("\n")) {
                    Some(why) => return why,
                    None => said.clear(),
                },
                Some((mark, _)) => inside = mark == "<",
                None if !inside => said.push(line.trim()),
                None => {}
            }
        }
        said.last().copied().unwrap_or("its answer did not come whole").to_owned()
    }
}

/// What to say where the mark `CODE LOGIN USER` is about this user.
fn refused(user: &User, mark: &str, said: &str) -> Option<String> {
    let mut words = mark.splitn(3, ' ');
    let (code, login, name) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
    (*user == User::Sudo(name.to_owned())).then(|| refusal::explain(user, login, code, said))
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
        probe(lines.iter().map(|(user, line)| (user.clone(), Probe::new(*line))))
    }

    fn probe(probes: impl IntoIterator<Item = (User, Probe)>) -> Vec<Seen<Value>> {
        let wanted = probes.into_iter().map(|(user, probe)| (user, Read::Probe(probe)));
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
    fn the_codes_of_timeout_are_a_parts_own_to_use() {
        let seen = run(&[(User::Login, "exit 124"), (User::Login, "kill -KILL $$")]);
        assert_eq!(seen, [ended(124, "", ""), ended(137, "", "Killed\n")]);
    }

    #[test]
    fn what_a_part_leaves_behind_does_not_hold_up_the_next() {
        let began = std::time::Instant::now();
        let seen = run(&[(User::Login, "sleep 60 & echo one"), (User::Login, "echo two")]);
        assert_eq!(seen, [ended(0, "one\n", ""), ended(0, "two\n", "")]);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn an_environment_reaches_its_part_alone_and_no_argument() {
        let environment = [("TOKEN", "s3cret"), ("PATH", "/nowhere"), ("n", "1"), ("c", "it's")];
        let environment = environment.map(|(name, value)| (name.into(), value.into())).into();
        let line = "echo \"$TOKEN $n $c\"; IFS= read -r line </proc/$PPID/cmdline; echo \"$line\"";
        let seen = probe([
            (User::Login, Probe { environment, ..Probe::new(line) }),
            (User::Login, Probe::new("echo \"$TOKEN\"")),
        ]);
        let Seen::Is(Value::Output(output)) = &seen[0] else { panic!("{seen:?}") };
        let (first, arguments) = output.text().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(first, "s3cret 1 it's");
        assert!(arguments.contains("sh") && !arguments.contains("s3cret"), "{arguments}");
        assert_eq!(seen[1], ended(0, "\n", ""));
        let bad = Probe { environment: vec![("a-b".into(), "1".into())], ..Probe::new("true") };
        let seen = probe([(User::Login, bad)]);
        assert!(matches!(&seen[0], Seen::Is(Value::Output(output)) if !output.ok() && output.errors().contains("a-b")));
    }

    #[test]
    fn a_batch_may_take_as_long_as_its_parts() {
        let probes = ["echo 1", "echo 2"].map(|line| (User::Login, Read::Probe(Probe::new(line))));
        assert_eq!(Batch::new("n".into(), probes).deadline(), Duration::from_secs(22) + SLACK);
    }

    #[test]
    fn a_refused_sudo_spoils_only_its_own_group_and_says_what_to_do() {
        let nobody = User::Sudo("no such user".into());
        let seen = run(&[(User::Login, "echo mine"), (nobody, "echo theirs")]);
        assert_eq!(seen[0], ended(0, "mine\n", ""));
        let Seen::Unread(why) = &seen[1] else { panic!("{seen:?}") };
        let (what, hint) = refusal::parted(why);
        assert!(what.contains("sudo did not let") && hint.unwrap().contains("become_user"), "{why}");
    }

    #[test]
    fn a_cut_answer_is_unread() {
        let batch = Batch::new("n".into(), [(User::Login, Read::Probe(Probe::new("echo 1")))]);
        let output = Output { code: 0, stdout: b"\nn<0\n1\n".to_vec(), stderr: Vec::new() };
        assert_eq!(batch.answers(&output)[0].2, Seen::Unread("its answer did not come whole".into()));
    }
}
