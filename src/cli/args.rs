//! The command line, as clap reads it. Doc comments here are the help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::{
    Failure, check, complete, completions, down, exec, forward, hosts, man, plan, run, schema, status, submit, up,
};
use crate::playbook::{Selection as Steps, unusable};
use crate::remote::ssh::Config;

const EXAMPLES: &str = "\
Examples:
  skep up -i inventory/cloud.yml             Docker, a swarm and Spark on fresh machines
  skep plan playbooks/spark.yml              what would be done, and with which commands
  skep run playbooks/spark.yml               do it; run again, it changes nothing
  skep exec workers -- uptime                one command on many hosts
  skep status                                what runs where, and how it is
  skep submit job.py                         your own Spark job on the cluster
  skep forward                               the cluster's web pages on localhost

Exit codes: 0 all is as asked, 1 a step failed, 2 bad input (nobody was contacted),
3 a host could not be reached, 10 a plan found changes, 130 interrupted.";

/// A handful of bare machines in, a Docker Swarm with what a playbook wants on it out: over SSH, from one binary.
#[derive(Debug, Parser)]
#[command(name = "skep", version, after_help = EXAMPLES, max_term_width = 100, arg_required_else_help = true)]
pub struct Skep {
    /// What every command knows.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make hosts be as a playbook asks; what is as asked already is left alone
    Run(run::Run),
    /// From fresh machines to a swarm with Spark on it: run playbooks/spark.yml, of this folder or as shipped
    Up(up::Up),
    /// Show what `run` would do, and with which commands, without doing it
    Plan(plan::PlanArgs),
    /// Run one command on many hosts; equal outputs are shown once
    Exec(exec::Exec),
    /// Read playbook and inventory, contact nobody, name every mistake at its line
    Check(check::Check),
    /// Show on one screen what there is: nodes, services, containers, Spark, web pages
    Status(status::Status),
    /// Run a Spark job of yours on the cluster: its output live, its exit code kept
    Submit(submit::Submit),
    /// Bring the cluster's web pages to localhost, through SSH
    Forward(forward::Forward),
    /// Remove what skep made, after showing it
    Down(down::Down),
    /// Show the inventory, resolved
    Hosts(hosts::Hosts),
    /// Print the JSON Schema of a playbook or an inventory, for editors
    Schema(schema::Schema),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print the manual page
    Man(man::Man),
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The inventory: a file, a folder or an executable [default: the one file in ./inventory]
    #[arg(short, long, global = true, env = "SKEP_INVENTORY", value_name = "PATH", help_heading = "Everywhere")]
    pub inventory: Option<PathBuf>,
    /// How to tell what happens [default: human on a terminal, else plain]
    #[arg(long, global = true, value_enum, value_name = "FORM", help_heading = "Everywhere")]
    pub output: Option<Form>,
    /// Whether to use colours; NO_COLOR is heeded
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Everywhere")]
    pub color: When,
    /// Also show every command and every line of output
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// Trust hosts whose key is not known yet, and remember it; a changed key is refused all the same
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub accept_new_host_keys: bool,
    /// What ssh's configuration says where the inventory says nothing: of this file, as for `ssh -F`; `none` for none
    /// [default: ~/.ssh/config and /etc/ssh/ssh_config]
    #[arg(
        long,
        global = true,
        env = "SKEP_SSH_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Everywhere"
    )]
    pub ssh_config: Option<PathBuf>,
    /// Ask for the password to log in with; a host's `password` in the inventory goes before
    #[arg(short = 'k', long, global = true, help_heading = "Everywhere")]
    pub ask_pass: bool,
    /// Ask for the password that sudo wants; a host's `become_password` in the inventory goes before
    #[arg(short = 'K', long, global = true, help_heading = "Everywhere")]
    pub ask_become_pass: bool,
    /// How many hosts to connect to at once
    #[arg(long, global = true, value_name = "N", default_value = "50", value_parser = forks, help_heading = "Everywhere")]
    pub forks: usize,
    /// How long a machine may take to answer and to know its user: 30s, 10m; who is not let in tries again after 6 s,
    /// 12 s, 24 s, then every 30 s [default: 30s, for `up` 10m]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, help_heading = "Everywhere")]
    pub wait: Option<Duration>,
}

impl Global {
    /// The configuration of ssh that holds.
    pub fn config(&self) -> Config {
        match &self.ssh_config {
            None => Config::Users,
            Some(file) if file.as_os_str() == "none" => Config::None,
            Some(file) => Config::File(file.clone()),
        }
    }

    /// What every further command for the same hosts must say, too.
    pub fn way_in(&self) -> Vec<String> {
        let files = [("-i", &self.inventory), ("--ssh-config", &self.ssh_config)];
        let files =
            files.into_iter().filter_map(|(flag, file)| Some([flag.to_owned(), file.as_ref()?.display().to_string()]));
        files.flatten().chain(self.asking().map(str::to_owned)).collect()
    }

    /// Which passwords to ask for, in the words of the command line.
    pub fn asking(&self) -> impl Iterator<Item = &'static str> {
        [("-k", self.ask_pass), ("-K", self.ask_become_pass)]
            .into_iter()
            .filter(|(_, said)| *said)
            .map(|(flag, _)| flag)
    }
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    // Without doc comments: clap would turn every help text into its long form.
    Human,
    Plain,
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// Which part of a playbook, on whom, with which values.
#[derive(Args, Clone, Debug, Default)]
pub struct Selection {
    /// Take these steps only (ids, as --list shows them): --step a b, or a,b
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Selection", add = complete::steps())]
    pub step: Vec<String>,
    // The second and further words after `--step`: were they the option's own, it would take the playbook, too.
    #[arg(hide = true, value_name = "ID", add = complete::steps())]
    more: Vec<String>,
    /// Begin with this step
    #[arg(long, value_name = "ID", conflicts_with = "step", help_heading = "Selection", add = complete::steps())]
    pub from: Option<String>,
    /// End with this step
    #[arg(long, value_name = "ID", conflicts_with = "step", help_heading = "Selection", add = complete::steps())]
    pub until: Option<String>,
    /// Take steps with one of these tags only
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Selection", add = complete::tags())]
    pub tags: Vec<String>,
    /// Change these hosts only; the others are still looked at
    #[arg(short, long, value_name = "PATTERN", help_heading = "Selection", add = complete::hosts())]
    pub limit: Option<String>,
    /// Give a variable a value, over inventory and playbook
    #[arg(short = 'e', long = "extra-var", value_name = "KEY=VALUE", value_parser = pair, help_heading = "Selection")]
    pub extra: Vec<(String, String)>,
}

impl Selection {
    /// What it says of steps, in the playbook's words.
    pub fn steps(&self) -> Steps {
        let Self { step, from, until, tags, .. } = self.clone();
        Steps { steps: step, from, until, tags }
    }

    /// With all the words that belong to `--step` in their place.
    ///
    /// # Errors
    /// There is a word that belongs to nothing.
    pub fn whole(mut self) -> Result<Self, Failure> {
        match self.more.first().filter(|_| self.step.is_empty()) {
            Some(word) => Err(Failure::bad_input(format!("{word:?} belongs to no option")).hint("see --help")),
            None => {
                self.step.append(&mut self.more);
                Ok(self)
            }
        }
    }
}

/// `30s`, `10m`, `2h`; a bare number counts seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[digits..].trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err("a time is a whole number and s, m or h: 30s, 10m".into()),
    };
    let seconds = text[..digits].parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.map(Duration::from_secs).ok_or_else(|| "a time is a whole number and s, m or h: 30s, 10m".into())
}

fn forks(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|forks| *forks > 0).ok_or_else(|| "a whole number from 1 on".into())
}

/// `key=value`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => match unusable(key.trim()) {
            Some(why) => Err(why),
            None => Ok((key.trim().to_owned(), value.to_owned())),
        },
        _ => Err("write it as key=value".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Skep::command().debug_assert();
    }

    #[test]
    fn steps_come_after_their_option_and_the_playbook_where_it_likes() {
        let read = |line: &str| match Skep::parse_from(line.split(' ')).command {
            Command::Run(run) => run.chosen().map_err(|failure| failure.to_string()),
            other => panic!("{other:?}"),
        };
        for line in
            ["run p.yml --step a b", "run --step a,b p.yml", "run --step a p.yml b", "run --step a --step b p.yml"]
        {
            let steps = vec!["a".to_owned(), "b".to_owned()];
            assert_eq!(read(&format!("skep {line}")), Ok(("p.yml".into(), steps)), "{line}");
        }
        assert!(read("skep run p.yml b").is_err_and(|why| why.contains("\"b\"")));
    }

    #[test]
    fn times_are_seconds_minutes_or_hours() {
        let seconds = |text| duration(text).map(|time| time.as_secs()).ok();
        assert_eq!(["45", "30s", "10m", "2h", "3 min"].map(seconds), [45, 30, 600, 7200, 180].map(Some));
        assert_eq!(["", "s", "-1", "1.5m", "10 weeks", "99999999999999999999"].map(seconds), [None; 6]);
    }

    #[test]
    fn a_variable_needs_a_name() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(["=b", "a", "my-a=b", "facts=b"].into_iter().all(|text| pair(text).is_err()));
    }
}
