//! Ctrl-C, `kill` and a closed terminal: the first one asks the run to end, the second ends it.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::terminal::Terminal;
use crate::event::Code;

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
