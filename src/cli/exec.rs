//! `skep exec`: one command on many hosts, equal outputs folded together.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::args::{Form, Global};
use super::fleet::{self, Reached};
use super::show::Show;
use super::world::World;
use crate::actions::works_as;
use crate::event::Code;
use crate::inventory::Host;
use crate::remote::{self, Exec as Call, Lost, Output, Session};
use crate::report::{Paint, fold};

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

/// What one host answered.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Ended(Output),
    Lost(Lost),
}

impl Exec {
    /// Runs it.
    ///
    /// # Errors
    /// Bad input, or standard output is gone.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let world = World::open(global)?;
        let hosts = world.select(&self.pattern)?;
        world.check(&hosts).await?;
        let mut cancel = world.cancel();
        let asked = fleet::each(&hosts, global.forks, world.login(), |host, session| self.ask(host, session));
        let reached = tokio::select! {
            reached = asked => reached,
            () = super::signals::cancelled(&mut cancel) => return Ok(Code::Interrupted),
        };
        fleet::tell_lost(&reached, world.show.paint);
        tell(&mut io::stdout().lock(), &reached, world.show)?;
        Ok(reached.iter().map(|(_, reached)| code(reached.as_ref().ok())).fold(Code::Settled, Code::combine))
    }

    async fn ask(&self, host: Arc<Host>, session: Arc<dyn Session>) -> Answer {
        let command = self.command(&host);
        let answer = session.exec(Call::new(&command)).await;
        session.close().await;
        answer.map_or_else(Answer::Lost, Answer::Ended)
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

fn code(answer: Option<&Answer>) -> Code {
    match answer {
        Some(Answer::Ended(output)) if output.ok() => Code::Settled,
        Some(Answer::Ended(_)) => Code::Failed,
        Some(Answer::Lost(_)) | None => Code::Unreachable,
    }
}

fn tell(out: &mut impl Write, reached: &[Reached<Answer>], show: Show) -> io::Result<()> {
    if show.form == Form::Json {
        return reached.iter().try_for_each(|(host, reached)| writeln!(out, "{}", as_json(&host.name, reached)));
    }
    let groups = grouped(reached);
    let alone = reached.len() == 1;
    groups.iter().try_for_each(|(hosts, answer)| block(out, hosts, answer, alone, show.paint))
}

fn as_json(host: &str, reached: &Result<Answer, remote::Unreachable>) -> serde_json::Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match reached {
        Ok(Answer::Ended(Output { code, stdout, stderr })) => json!({"event": "exec_finished", "host": host,
            "code": code, "stdout": text(stdout), "stderr": text(stderr)}),
        Ok(Answer::Lost(lost)) => json!({"event": "host_lost", "host": host, "why": lost.to_string()}),
        Err(lost) => json!({"event": "host_lost", "host": host, "why": lost.what, "hint": lost.hint}),
    }
}

fn grouped(reached: &[Reached<Answer>]) -> Vec<(Vec<&str>, &Answer)> {
    let mut groups: Vec<(Vec<&str>, &Answer)> = Vec::new();
    for (host, answer) in reached.iter().filter_map(|(host, reached)| Some((host, reached.as_ref().ok()?))) {
        match groups.iter_mut().find(|(_, known)| *known == answer) {
            Some((hosts, _)) => hosts.push(&host.name),
            None => groups.push((vec![&host.name], answer)),
        }
    }
    groups
}

/// Who, unless there is one host only and it did well; what was printed; what went wrong.
fn block(out: &mut impl Write, hosts: &[&str], answer: &Answer, alone: bool, paint: Paint) -> io::Result<()> {
    let who = paint.strong(&fold(hosts));
    let output = match answer {
        Answer::Lost(lost) => return writeln!(out, "{who}  {}", paint.bad(&lost.to_string())),
        Answer::Ended(output) => output,
    };
    match output.code {
        0 if alone => {}
        0 => writeln!(out, "{who}")?,
        code => writeln!(out, "{who}  {}", paint.bad(&format!("exit code {code}")))?,
    }
    out.write_all(&output.stdout)?;
    if !output.stdout.is_empty() && !output.stdout.ends_with(b"\n") {
        writeln!(out)?;
    }
    output.errors().lines().try_for_each(|line| writeln!(out, "{}", paint.quiet(&format!("| {line}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Detail;

    fn host(name: &str) -> Arc<Host> {
        Arc::new(super::super::testing::host(name))
    }

    fn ended(code: i32, stdout: &str, stderr: &str) -> Result<Answer, remote::Unreachable> {
        Ok(Answer::Ended(Output { code, stdout: stdout.into(), stderr: stderr.into() }))
    }

    fn told(reached: &[Reached<Answer>], form: Form) -> String {
        let mut out = Vec::new();
        let show = Show { form, paint: Paint::new(false), detail: Detail::Steps };
        tell(&mut out, reached, show).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn equal_answers_are_shown_once() {
        let reached = [
            (host("node1"), ended(0, "a\n", "")),
            (host("node2"), ended(1, "", "no\n")),
            (host("node3"), ended(0, "a\n", "")),
        ];
        assert_eq!(told(&reached, Form::Plain), "node1,node3\na\nnode2  exit code 1\n| no\n");
        let code = reached.iter().map(|(_, reached)| code(reached.as_ref().ok())).fold(Code::Settled, Code::combine);
        assert_eq!(code, Code::Failed);
    }

    #[test]
    fn a_single_host_that_does_well_needs_no_title() {
        assert_eq!(told(&[(host("node1"), ended(0, "a", ""))], Form::Plain), "a\n");
    }

    #[test]
    fn programs_get_every_host_on_a_line_of_its_own() {
        let reached =
            [(host("node1"), ended(0, "a\n", "")), (host("node2"), Ok(Answer::Lost(Lost::Refused("no".into()))))];
        let told = told(&reached, Form::Json);
        let lines: Vec<serde_json::Value> =
            told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((lines[0]["stdout"].as_str(), lines[1]["event"].as_str()), (Some("a\n"), Some("host_lost")));
    }

    #[test]
    fn one_word_is_shell_and_several_are_arguments() {
        let wire = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            let exec = Exec { pattern: "all".into(), command, login: true, become_user: None };
            exec.command(&host("node1")).wire()
        };
        assert_eq!(wire(&["df -h | tail -1"]), "df -h | tail -1");
        assert_eq!(wire(&["echo", "a b", "|"]), "echo 'a b' '|'");
    }
}
