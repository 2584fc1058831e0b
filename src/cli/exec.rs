//! `skep exec`: one command on many hosts, equal outputs folded together.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::args::{Form, Global};
use super::show::Show;
use super::world::World;
use super::{Failure, complete, fleet};
use crate::actions::works_as;
use crate::event::{Code, Tally};
use crate::inventory::Host;
use crate::remote::{self, Exec as Call, Live, Lost, Output, Session};
use crate::report::{Detail, Paint, fold};
use crate::secret::masked;

const EXAMPLES: &str = "\
Examples:
  skep exec all -- uptime
  skep exec 'workers:!node3' -- docker ps      as root through sudo, as the inventory says
  skep exec all --login -- id                  as the user that logs in
  skep exec all -- 'df -h / | tail -1'         a single word is a line of shell";

/// Run one command on many hosts; equal outputs are shown once
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Exec {
    /// The hosts: a name, a group, `all`, `a:b`, `a:&b`, `a:!b`, with * as in file names
    #[arg(add = complete::hosts())]
    pattern: String,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Run it as the user that logs in, without sudo
    #[arg(long, conflicts_with = "become_user")]
    login: bool,
    /// Run it as this user, through sudo
    #[arg(long, value_name = "USER")]
    become_user: Option<String>,
}

/// Bytes of each output that are shown: the last ones of a longer one.
const SHOWN: usize = 16 << 20;
/// Lines that are kept of the output of a command that has no end.
const LAST: usize = 20;

impl Exec {
    /// Runs it.
    ///
    /// # Errors
    /// Bad input, or standard output is gone.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let (world, since) = (World::open(global)?, Instant::now());
        let hosts = world.meant(&self.pattern).await?;
        let asked = fleet::ask(&world, &hosts, |host, session| self.ask(host, session, world.show)).await;
        asked.tell_lost("exec", world.show)?;
        tell(&mut io::stdout().lock(), &asked.answers, hosts.len() == 1, world.show)?;
        let code = asked.answers.iter().map(|(_, output)| code(output)).fold(asked.code(), Code::combine);
        let tallies = asked.tallies().chain(asked.answers.iter().map(|(host, output)| tally(host, output)));
        Ok(fleet::finish(tallies.collect(), since, code, world.show)?)
    }

    async fn ask(&self, host: Arc<Host>, session: Arc<dyn Session>, show: Show) -> Result<Output, Failure> {
        let (command, last) = (self.command(&host), Arc::new(Mutex::new(VecDeque::new())));
        // One byte more shows that something was left out.
        let live = Some(heard(&host.name, Arc::clone(&last), show));
        let answer = session.exec(Call { cap: SHOWN + 1, live, ..Call::new(&command) }).await;
        session.close().await;
        answer.map_err(|lost| cut(&lost, &last.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// One word is a line of shell, several are a program and its arguments.
    fn command(&self, host: &Host) -> remote::Command {
        let command = match self.command.as_slice() {
            [line] => remote::Command::sh(line),
            [program, arguments @ ..] => remote::Command::new(program).args(arguments),
            [] => remote::Command::sh(":"),
        };
        command.by(works_as(host, self.login.then_some(false), self.become_user.as_deref()))
    }
}

/// Keeps the last lines of an output, and shows each as it comes where everything is to be shown to a person.
fn heard(host: &str, last: Arc<Mutex<VecDeque<String>>>, show: Show) -> Live {
    let (host, aloud) = (host.to_owned(), show.detail == Detail::Everything && show.form != Form::Json);
    Arc::new(move |text: &str| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines() {
            if aloud {
                let _ = writeln!(io::stderr(), "{}", show.paint.quiet(&format!("{host} | {}", masked(line))));
            }
            last.truncate(LAST - 1);
            last.push_front(line.to_owned());
        }
    })
}

/// A command that has no end is told with what it had printed.
fn cut(lost: &Lost, last: &VecDeque<String>) -> Failure {
    let printed: String = last.iter().rev().map(|line| format!("\n  | {line}")).collect();
    let why = fleet::no_answer(lost).adding(&printed);
    match lost {
        Lost::Connection(_) => why.hint("whether it has done its work is not known: look there before it runs again"),
        _ => why,
    }
}

fn code(output: &Output) -> Code {
    if output.ok() { Code::Settled } else { Code::Failed }
}

fn tally(host: &Host, output: &Output) -> Tally {
    let (changed, failed) = (usize::from(output.ok()), usize::from(!output.ok()));
    Tally { host: host.name.clone(), changed, failed, ..Tally::default() }
}

/// What one host answered.
type Answer = (Arc<Host>, Output);

fn tell(out: &mut impl Write, answers: &[Answer], alone: bool, show: Show) -> io::Result<()> {
    if show.form == Form::Json {
        let line = |(host, output): &Answer| as_json(&host.name, output).to_string();
        return answers.iter().try_for_each(|answer| writeln!(out, "{}", masked(&line(answer))));
    }
    grouped(answers).iter().try_for_each(|(hosts, output)| block(out, hosts, output, alone, show.paint))
}

fn as_json(host: &str, output: &Output) -> serde_json::Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(shown(bytes)).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    json!({"event": "exec_finished", "host": host, "code": output.code, "stdout": stdout, "stderr": stderr,
        "whole": output.stdout.len().max(output.stderr.len()) <= SHOWN})
}

/// What is shown of an output.
fn shown(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(SHOWN)..]
}

fn grouped(answers: &[Answer]) -> Vec<(Vec<&str>, &Output)> {
    let mut groups: Vec<(Vec<&str>, &Output)> = Vec::new();
    for (host, output) in answers {
        match groups.iter_mut().find(|(_, known)| *known == output) {
            Some((hosts, _)) => hosts.push(&host.name),
            None => groups.push((vec![&host.name], output)),
        }
    }
    groups
}

/// Who, unless there is one host only and it did well; what was printed; what went wrong.
fn block(out: &mut impl Write, hosts: &[&str], output: &Output, alone: bool, paint: Paint) -> io::Result<()> {
    let who = paint.strong(&fold(hosts));
    match output.code {
        0 if alone => {}
        0 => writeln!(out, "{who}")?,
        code => writeln!(out, "{who}  {}", paint.bad(&format!("exit code {code}")))?,
    }
    // What is no text is shown as it came; the text around it may hold secrets all the same.
    for chunk in shown(&output.stdout).utf8_chunks() {
        out.write_all(masked(chunk.valid()).as_bytes())?;
        out.write_all(chunk.invalid())?;
    }
    if !output.stdout.is_empty() && !output.stdout.ends_with(b"\n") {
        writeln!(out)?;
    }
    let errors = output.errors();
    errors.lines().try_for_each(|line| writeln!(out, "{}", paint.quiet(&format!("| {}", masked(line)))))?;
    if output.stdout.len().max(output.stderr.len()) > SHOWN {
        let text = format!("{}: a longer output; its last {} MiB are shown", fold(hosts), SHOWN >> 20);
        let _ = writeln!(io::stderr(), "{} {text}", paint.change("warning:"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{MASK, Secret, hide};

    fn ended(name: &str, code: i32, stdout: &str, stderr: &str) -> Answer {
        (Arc::new(super::super::testing::host(name)), Output { code, stdout: stdout.into(), stderr: stderr.into() })
    }

    fn told(answers: &[Answer], form: Form) -> String {
        let mut out = Vec::new();
        let show = Show { form, paint: Paint::new(false), detail: Detail::Steps };
        tell(&mut out, answers, answers.len() == 1, show).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn equal_answers_are_shown_once() {
        let answers = [ended("node1", 0, "a\n", ""), ended("node2", 1, "", "no\n"), ended("node3", 0, "a\n", "")];
        assert_eq!(told(&answers, Form::Plain), "node1,node3\na\nnode2  exit code 1\n| no\n");
        assert_eq!(answers.map(|(_, output)| code(&output)), [Code::Settled, Code::Failed, Code::Settled]);
    }

    #[test]
    fn secrets_are_masked_beside_bytes_that_are_no_text() {
        hide(&Secret::new("s3cret-of-exec"));
        let stdout = b"a\xff s3cret-of-exec\xfe s3cret-of-exec\n".to_vec();
        let (mut out, output) = (Vec::new(), Output { code: 0, stdout, stderr: Vec::new() });
        block(&mut out, &["node1"], &output, true, Paint::new(false)).expect("memory");
        let expected = [&b"a\xff "[..], MASK.as_bytes(), b"\xfe ", MASK.as_bytes(), b"\n"].concat();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_single_host_that_does_well_needs_no_title() {
        assert_eq!(told(&[ended("node1", 0, "a", "")], Form::Plain), "a\n");
    }

    #[test]
    fn a_command_without_an_end_is_told_with_the_last_that_it_printed() {
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let show = Show { form: Form::Plain, paint: Paint::new(false), detail: Detail::Steps };
        let live = heard("node1", Arc::clone(&last), show);
        (1..=LAST + 5).for_each(|line| live(&format!("line {line}\n")));
        let why = cut(&Lost::Connection("it hung up".into()), &last.lock().expect("no panic"));
        let lines: Vec<String> = why.to_string().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), &*lines[1], &*lines[LAST]), (LAST + 1, "  | line 6", "  | line 25"));
        assert!(lines[0].contains("it hung up") && why.remedy().is_some_and(|hint| hint.contains("not known")));
        assert_eq!(cut(&Lost::Unsent("it hung up".into()), &VecDeque::new()).remedy(), None, "it has not run");
    }

    #[test]
    fn programs_get_every_host_on_a_line_of_its_own_and_whether_it_is_all() {
        let long = "x".repeat(SHOWN) + "y";
        let told = told(&[ended("node1", 0, "a\n", ""), ended("node2", 0, &long, "")], Form::Json);
        let lines: Vec<serde_json::Value> =
            told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((lines[0]["stdout"].as_str(), &lines[0]["whole"]), (Some("a\n"), &true.into()));
        assert_eq!((lines[1]["stdout"].as_str(), &lines[1]["whole"]), (Some(&long[1..]), &false.into()));
    }

    #[test]
    fn one_word_is_shell_and_several_are_arguments() {
        let wire = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            let exec = Exec { pattern: "all".into(), command, login: true, become_user: None };
            exec.command(&super::super::testing::host("node1")).wire()
        };
        assert_eq!(wire(&["df -h | tail -1"]), "df -h | tail -1");
        assert_eq!(wire(&["echo", "a b", "|"]), "echo 'a b' '|'");
    }
}
