//! Sessions over SSH, against real OpenSSH servers.

use std::sync::Arc;
use std::time::Duration;

use skep::inventory::Host;
use skep::remote::ssh::{Options, Ssh};
use skep::remote::{Command, Connect, Dial, Exec, Live, Lost, Output, Session, Unreachable, User};

use crate::support::sshd::Sshd;

mod commands;
mod doors;
mod faults;
mod judged;
mod lent;
mod logins;
mod sudo;
mod users;
mod ways;

const SHORT: Duration = Duration::from_secs(5);

fn quiet() -> Live {
    Arc::new(|_| {})
}

async fn connect(options: Options, host: &Host) -> Result<Arc<dyn Session>, Unreachable> {
    Ssh::new(options).connect(host, SHORT, quiet()).await
}

async fn session(sshd: &Sshd) -> Arc<dyn Session> {
    connect(sshd.options(), &sshd.host("one")).await.unwrap()
}

async fn run(session: &dyn Session, line: &str) -> Result<Output, Lost> {
    let command = Command::sh(line);
    session.exec(Exec::new(&command)).await
}

async fn by(session: &dyn Session, user: User, line: &str) -> Result<Output, Lost> {
    let command = Command::sh(line).by(user);
    session.exec(Exec::new(&command)).await
}
