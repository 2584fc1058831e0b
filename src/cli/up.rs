//! `skep up`: the one-shot bootstrap.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::args::{Form, Global, Selection};
use super::run::Doing;
use super::shipped;
use super::world::World;
use crate::event::Code;

const EXAMPLES: &str = "\
Examples:
  skep up -i inventory/cloud.yml
  skep up -e publish=all                ports open to whoever reaches the hosts
  skep up --plan                        what it would do

Run again, it changes nothing; cut, it goes on. `skep down` is the way back.";

/// How long fresh machines may take to answer and to know their user.
const WAIT: Duration = Duration::from_secs(600);

/// From fresh machines to a swarm with Spark on it: run playbooks/spark.yml, of this folder or as shipped
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Up {
    /// Show what would be done, without doing it
    #[arg(long)]
    plan: bool,
    /// Let the first failure end the run for all hosts
    #[arg(long)]
    fail_fast: bool,
    /// Remove and replace without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    selection: Selection,
}

impl Up {
    /// Runs the playbook.
    ///
    /// # Errors
    /// Bad input; the shipped playbook cannot be unpacked here.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let world = World::waiting(global, WAIT, true)?;
        let playbook = shipped::spark(Path::new("."))?;
        let Self { plan, fail_fast, yes, selection } = self;
        let typed = vec!["skep".into(), "up".into()];
        let doing = Doing { typed, playbook, project: ".".into(), selection, plan, fail_fast, yes };
        let code = doing.run(global, &world).await?;
        if code == Code::Settled && !plan && world.show.form != Form::Json {
            writeln!(io::stdout(), "The web pages: {}", world.show.paint.strong("skep forward"))?;
        }
        Ok(code)
    }
}
