//! A mistake in skep itself: said as such, with what is needed to mend it.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;

use super::terminal::Terminal;
use crate::report::Place;
use crate::secret::masked;

/// What a panic must put right and point at.
static AT: OnceLock<(Terminal, Place)> = OnceLock::new();

/// Says from now on what a panic means.
pub fn hook() {
    panic::set_hook(Box::new(|info| {
        let at = AT.get();
        if let Some((terminal, _)) = at {
            terminal.restore();
        }
        // Where standard error is gone there is nobody left to tell.
        let _ = io::stderr().write_all(masked(&told(info, at.map(|(_, journal)| journal))).as_bytes());
    }));
}

/// Names the terminal to restore and the journal to look at.
pub fn watch(terminal: &Terminal, journal: &Place) {
    // One run a call; the first one stays.
    let _ = AT.set((terminal.clone(), journal.clone()));
}

/// The terminal that was named.
pub fn terminal() -> Option<&'static Terminal> {
    AT.get().map(|(terminal, _)| terminal)
}

fn told(info: &PanicHookInfo<'_>, journal: Option<&Place>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("no message");
    let place = info.location().map_or(String::new(), |at| format!(" at {}:{}", at.file(), at.line()));
    let journal =
        journal.and_then(|journal| journal.get()).map_or(String::new(), |path| format!(" and {}", path.display()));
    format!(
        "error: a mistake in skep itself: {what}{place}\n\nhint: please report it with this message{journal} at {}/issues; \
         a re-run goes on where this one stopped\n",
        env!("CARGO_PKG_REPOSITORY"),
    )
}
