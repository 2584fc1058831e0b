//! Ctrl-C, `kill` and a closed terminal: the first one asks the run to end, the second ends it.

use std::io::{self, Write};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::terminal::Terminal;
use crate::event::Code;
use crate::inventory::Host;
use crate::remote::{Connect, Live, Session, Unreachable};

/// What the second signal leaves.
const ABANDONED: &str = "\
interrupted twice: nothing more is waited for. What ran on hosts may be running still.

hint: the same command again looks at what is there, and goes on from it";

/// Becomes true when the first signal comes.
pub type Cancel = watch::Receiver<bool>;

/// Listens from now on.
///
/// # Errors
/// The system does not let us.
pub fn listen(terminal: Terminal) -> std::io::Result<Cancel> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (cancel, cancelled) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if cancel.send_replace(true) {
                terminal.restore();
                // Where standard error is gone there is nobody left to tell.
                let _ = writeln!(io::stderr(), "{ABANDONED}");
                process::exit(Code::Interrupted.number().into());
            }
        }
    });
    Ok(cancelled)
}

/// Returns when the first signal has come.
pub async fn cancelled(mut cancel: Cancel) {
    // The sender lives as long as the process; were it gone, no signal could come any more.
    if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The way in, given up when the first signal comes: a machine that does not answer is not waited for any more.
pub struct UntilCancelled<C> {
    /// The way in.
    pub connect: C,
    /// The signal.
    pub cancel: Cancel,
}

#[async_trait]
impl<C: Connect> Connect for UntilCancelled<C> {
    async fn check(&self, host: &Host) -> Result<(), Unreachable> {
        tokio::select! {
            checked = self.connect.check(host) => checked,
            () = cancelled(self.cancel.clone()) => {
                Err(Unreachable { what: "interrupted before anybody was contacted".into(), hint: None })
            }
        }
    }

    async fn connect(&self, host: &Host, wait: Duration, note: Live) -> Result<Arc<dyn Session>, Unreachable> {
        tokio::select! {
            connected = self.connect.connect(host, wait, note) => connected,
            () = cancelled(self.cancel.clone()) => {
                Err(Unreachable { what: format!("{}: interrupted while connecting", host.name), hint: None })
            }
        }
    }
}
