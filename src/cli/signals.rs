//! Ctrl-C, `kill` and a closed terminal: the first one asks the run to end, the second ends it.

use std::fs;
use std::io::{self, Write};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::signal::unix::{Signal, SignalKind, signal};
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
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = unless(ignored, SignalKind::hangup())?;
    let (cancel, cancelled) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = next(&mut hangup) => {}
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

/// The signals that are ignored, one a bit, as proc(5) has them in `status`: to listen to one is to ignore it no more.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Listens, unless whoever started us wants it ignored: `nohup skep up &` goes on when its terminal closes. Of a Ctrl-C we hear in any
/// case: shells without jobs have it ignored by all that they start with `&`.
fn unless(ignored: u64, kind: SignalKind) -> io::Result<Option<Signal>> {
    let is_ignored = (ignored >> (kind.as_raw_value() - 1)) & 1 == 1;
    if is_ignored { Ok(None) } else { signal(kind).map(Some) }
}

/// Returns when it comes; what is not listened to never does.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_of_the_kernel() {
        let status = "Name:\tskep\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert_eq!((ignored(status), ignored("SigIgn:\twhat\n"), ignored("")), (0x1001, 0, 0));
        assert!(fs::read_to_string("/proc/self/status").expect("proc(5)").contains("\nSigIgn:"));
    }

    #[tokio::test]
    async fn what_was_ignored_stays_so() {
        assert!(unless(1, SignalKind::hangup()).expect("a signal").is_none());
        assert!(unless(1 << 1, SignalKind::user_defined1()).expect("a signal").is_some());
    }
}
