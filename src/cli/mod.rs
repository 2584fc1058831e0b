//! Ask: the command line. One file per subcommand; exit codes and messages are a contract.

mod args;
mod ask;
mod check;
mod complete;
mod completions;
mod down;
mod exec;
mod failure;
mod fleet;
mod forward;
mod hosts;
mod list;
mod man;
mod pages;
mod panics;
mod plan;
mod run;
mod schema;
mod shipped;
mod show;
mod signals;
mod status;
mod submit;
mod telling;
mod terminal;
#[cfg(test)]
mod testing;
mod up;
mod warnings;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::event::Code;
use crate::report::Paint;
use args::{Command, Global, Skep};
pub use failure::Failure;

/// Reads the command line, does what it says, tells what went wrong, and gives the exit code.
pub fn main() -> ExitCode {
    complete::answer();
    panics::hook();
    warnings::listen();
    let Skep { global, command } = Skep::parse();
    let paint = Paint::new(show::errors_in_colour(&global));
    ExitCode::from(act(&global, command).unwrap_or_else(|error| failure::tell(&error, paint).number()))
}

fn act(global: &Global, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Completions(completions) => completions.run().map(|()| 0).map_err(Into::into),
        Command::Schema(schema) => schema.run().map(|()| 0).map_err(Into::into),
        Command::Man(man) => man.run().map(|()| 0),
        remote => {
            let runtime = runtime()?;
            let code = runtime.block_on(far(global, remote));
            // What still blocks a thread of it (a disk, a name server) is not waited for.
            runtime.shutdown_background();
            code
        }
    }
}

/// The commands that talk to hosts. The code of a job is its own, all others are ours.
async fn far(global: &Global, command: Command) -> anyhow::Result<u8> {
    let code = match command {
        Command::Submit(submit) => return submit.run(global).await,
        Command::Run(run) => run.run(global).await,
        Command::Up(up) => up.run(global).await,
        Command::Plan(plan) => plan.run(global).await,
        Command::Exec(exec) => exec.run(global).await,
        Command::Status(status) => status.run(global).await,
        Command::Forward(forward) => forward.run(global).await,
        Command::Down(down) => down.run(global).await,
        Command::Check(check) => check.run(global).await.map(|()| Code::Settled),
        Command::Hosts(hosts) => hosts.run(global).await,
        near => return act(global, near),
    };
    code.map(Code::number)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
