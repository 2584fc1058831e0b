//! Programs that print an inventory: Ansible's protocol, `--list` and `--host NAME`.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::inventory::names::Dialect;
use crate::inventory::tree::Tree;
use crate::yaml::{Error, Node, parse};

/// How long a program may take.
pub(in crate::inventory) const PATIENCE: Duration = Duration::from_secs(60);
/// How long its output may stay open once it has ended: something that it started holds it.
const GRACE: Duration = Duration::from_secs(1);
/// More than this is no inventory.
const MOST: u64 = 64 << 20;
/// So many are run at once, where each host is asked about alone.
const AT_ONCE: usize = 8;

/// Adds what a program says. One that says nothing of hosts beside their names is asked about each.
pub(super) fn add(tree: &mut Tree, program: &Path) {
    let before = tree.hosts.len();
    let root = match ask(program, &["--list"]) {
        Ok(root) => root,
        Err(error) => return tree.errors.push(error),
    };
    tree.add(&root);
    if root.get("_meta").is_some_and(|meta| meta.get("hostvars").is_some()) {
        return;
    }
    let names: Vec<String> = tree.hosts[before..].iter().map(|host| host.name().to_owned()).collect();
    for names in names.chunks(AT_ONCE) {
        let answers = thread::scope(|scope| {
            let asked: Vec<_> = names.iter().map(|name| scope.spawn(|| ask(program, &["--host", name]))).collect();
            asked
                .into_iter()
                .map(|answer| answer.join().unwrap_or_else(|_| Err(Error::new("a thread ended"))))
                .collect()
        });
        names.iter().zip::<Vec<_>>(answers).for_each(|(name, answer)| told(tree, name, answer));
    }
}

fn told(tree: &mut Tree, host: &str, answer: Result<Node, Error>) {
    match answer {
        Ok(vars) => tree.said_of(host, &vars, Dialect::of(&vars)),
        Err(error) => tree.errors.push(error),
    }
}

fn ask(program: &Path, arguments: &[&str]) -> Result<Node, Error> {
    let failed = |why: String| {
        let words = arguments.join(" ");
        Error::new(format!("the inventory program `{} {words}` failed: {why}", program.display())).with_hint(
            "it is run with `--list`, and with `--host NAME` where it prints no `_meta`, and prints JSON or YAML",
        )
    };
    let absolute = program.canonicalize().map_err(|why| failed(why.to_string()))?;
    let printed = output(Command::new(absolute).args(arguments), PATIENCE).map_err(failed)?;
    parse(program, printed)
}

/// What a program prints within a time, if it ends well. It can ask nothing: its input is empty.
///
/// # Errors
/// In words, why there is nothing.
pub(in crate::inventory) fn output(command: &mut Command, patience: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| why.to_string())?;
    let (out, errors) = (drained(child.stdout.take()), drained(child.stderr.take()));
    let end = Instant::now() + patience;
    let status: ExitStatus = loop {
        match child.try_wait().map_err(|why| why.to_string())? {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("it did not end within {} s", patience.as_secs_f32()));
            }
        }
    };
    let errors = errors.recv_timeout(GRACE).unwrap_or_default();
    if !status.success() {
        return Err(format!("{status}\n{}", String::from_utf8_lossy(&errors).trim_end()).trim_end().to_owned());
    }
    let out = out.recv_timeout(GRACE).map_err(|_| "it ended, and something that it started still holds its output")?;
    String::from_utf8(out).map_err(|_| "it printed no UTF-8".to_owned())
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
        let run = |line: &str| output(Command::new("sh").args(["-c", line]), Duration::from_millis(300));
        assert_eq!(run("cat; echo {}"), Ok("{}\n".into()));
        assert_eq!(run("exec sleep 60"), Err("it did not end within 0.3 s".into()));
        assert_eq!(run("echo why >&2; exit 3"), Err("exit status: 3\nwhy".into()));
        assert!(run("head -c 300000 /dev/zero >&2; echo {}").is_ok(), "both pipes are read");
        let held = run("echo {}; sleep 3 & exit 0");
        assert!(held.is_err_and(|why| why.contains("still holds its output")));
    }
}
