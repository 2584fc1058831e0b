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
use crate::remote::quote;

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
        let world = World::waiting(global, WAIT)?;
        let playbook = shipped::spark(Path::new("."))?;
        let as_shipped = publishes_as_shipped(&world, &self.selection);
        let Self { plan, fail_fast, yes, selection } = self;
        let selection = selection.whole()?;
        let typed = vec!["skep".into(), "up".into()];
        let doing = Doing { typed, playbook, project: ".".into(), selection, plan, fail_fast, yes };
        let code = doing.run(global, &world).await?;
        if code == Code::Settled && !plan && world.show.form != Form::Json {
            tell_pages(global, &world, as_shipped)?;
        }
        Ok(code)
    }
}

/// Where to look now.
fn tell_pages(global: &Global, world: &World, as_shipped: bool) -> io::Result<()> {
    let words = ["skep", "forward"].map(str::to_owned).into_iter().chain(global.way_in());
    let command = words.map(|word| quote(&word).into_owned()).collect::<Vec<_>>().join(" ");
    let (mut out, paint) = (io::stdout().lock(), world.show.paint);
    writeln!(out, "Spark's pages, and JupyterLab with its token, on this machine: {}", paint.strong(&command))?;
    let first = world.inventory.hosts.iter().find(|host| host.groups.iter().any(|group| group == "managers"));
    if let Some(host) = first.filter(|_| as_shipped) {
        let text =
            format!("On {} itself: Spark master http://127.0.0.1:8080, JupyterLab http://127.0.0.1:8888", host.name);
        writeln!(out, "{}", paint.quiet(&text))?;
    }
    Ok(())
}

/// Whether pages are published where the playbook says, unless it is told otherwise.
fn publishes_as_shipped(world: &World, selection: &Selection) -> bool {
    let decides = |name: &str| ["publish", "bind", "driver_host"].contains(&name);
    let mut set = world.inventory.hosts.iter().flat_map(|host| &host.vars).map(|(name, _)| name.as_str());
    !selection.extra.iter().any(|(name, _)| decides(name)) && !set.any(decides)
}
