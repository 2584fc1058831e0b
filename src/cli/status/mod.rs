//! `skep status`: one screen of what there is. It only looks: one login and one command for each host, two where Spark's
//! master runs.

mod look;
mod screen;
mod spark;
#[cfg(test)]
mod tests;
mod view;

use std::io::{self, Write};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::args::{Form, Global};
use super::complete;
use super::fleet::{self, Fleet};
use super::show::Show;
use super::world::World;
use crate::event::{Code, Tally};
use crate::remote::quote;
use crate::secret::masked;
use look::Looked;
use view::Status as View;

const EXAMPLES: &str = "\
Examples:
  skep status                        all hosts of the inventory
  skep status workers                these only; what the swarm runs is for its managers to say
  skep status --json | jq -r '.services[]? | select(.whole | not).name'

The fields of --json are listed in docs/status.md.";

/// Show on one screen what there is: nodes, services, containers, Spark, web pages
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// Which hosts
    #[arg(default_value = "all", add = complete::hosts())]
    pattern: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Looks and tells; changes nothing.
    ///
    /// # Errors
    /// Bad input, or standard output is gone.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let (world, since) = (World::open(global)?, Instant::now());
        let hosts = world.meant(&self.pattern).await?;
        let found = fleet::ask(&world, &hosts, look::look).await;
        let view = View::of(&hosts, &found.answers, &found.lost, forward(global));
        if found.code() != Code::Interrupted {
            self.tell(&view, world.show)?;
        }
        found.tell_lost("status", world.show)?;
        let whole = found.answers.iter().all(|(_, looked)| looked.is_whole());
        let code = found.code().combine(if whole { Code::Settled } else { Code::Failed });
        Ok(fleet::finish(tallies(&found), since, code, world.show)?)
    }

    fn tell(&self, view: &View, show: Show) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if show.form == Form::Json {
            let mut event = json!({"event": "status"});
            event["status"] = serde_json::to_value(view)?;
            writeln!(out, "{}", masked(&event.to_string()))?;
        } else if self.json {
            writeln!(out, "{}", masked(&serde_json::to_string_pretty(view)?))?;
        } else {
            write!(out, "{}", masked(&screen::draw(view, width(), show.paint)))?;
        }
        Ok(out.flush()?)
    }
}

/// The command that brings the pages, as it is typed from here.
fn forward(global: &Global) -> String {
    let words = ["skep".to_owned(), "forward".to_owned()].into_iter().chain(global.way_in());
    words.map(|word| quote(&word).into_owned()).collect::<Vec<_>>().join(" ")
}

/// The columns of the terminal; a pipe has as many as it takes.
fn width() -> usize {
    let terminal = console::Term::stdout();
    let size = terminal.is_term().then(|| terminal.size_checked()).flatten();
    size.map_or(usize::MAX, |(_, columns)| usize::from(columns))
}

fn tallies(found: &Fleet<Looked>) -> Vec<Tally> {
    let read = found.answers.iter().map(|(host, looked)| {
        let failed = usize::from(!looked.is_whole());
        Tally { host: host.name.clone(), failed, unchanged: 1 - failed, ..Tally::default() }
    });
    found.tallies().chain(read).collect()
}
