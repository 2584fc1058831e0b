//! `skep plan`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Global, Selection};
use super::complete;
use super::run::{Doing, project, typed};
use super::world::World;
use crate::event::Code;

const EXAMPLES: &str = "\
Examples:
  skep plan playbooks/spark.yml
  skep plan playbooks/spark.yml --limit workers

`will` is certain; `may, after STEP` hangs on what that step does. Exit code 10: there are
changes, 0: there are none; what is waited for, or cannot be told yet, is none.";

/// Show what `run` would do, and with which commands, without doing it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct PlanArgs {
    /// The playbook
    #[arg(add = complete::playbooks())]
    playbook: PathBuf,
    #[command(flatten)]
    selection: Selection,
}

impl PlanArgs {
    /// Shows it.
    ///
    /// # Errors
    /// Bad input.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let world = World::open(global)?;
        let Self { playbook, selection } = self;
        let selection = selection.whole()?;
        let (project, typed) = (project(&playbook), typed("plan", &playbook));
        Doing { typed, playbook, project, selection, plan: true, fail_fast: false, yes: false }
            .run(global, &world)
            .await
    }
}
