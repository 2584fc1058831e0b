//! What goes on inside, told on standard error beside whatever is drawn there.

use std::fmt;
use std::io::{self, Write};

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

use super::panics;
use crate::secret::masked;

/// Warnings are told always. `SKEP_LOG=debug` shows what goes on inside; never russh's own debugging: it prints identities.
pub fn listen() {
    let told = tracing_subscriber::fmt().with_writer(|| Aside);
    // Set up once, here; a second time would be a mistake without harm.
    let _ = match std::env::var("SKEP_LOG") {
        Ok(filter) => told.with_env_filter(EnvFilter::new(format!("{filter},russh=warn"))).try_init(),
        Err(_) => told.with_env_filter(EnvFilter::new("off,skep=warn")).event_format(Warning).try_init(),
    };
}

/// `warning: what happened`.
struct Warning;

impl<S, N> FormatEvent<S, N> for Warning
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, of: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(to, "warning: ")?;
        of.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}

/// Standard error, with the rows of the progress taken away meanwhile.
struct Aside;

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let write = || io::stderr().write_all(masked(&text).as_bytes()).map(|()| bytes.len());
        match panics::terminal() {
            Some(terminal) => terminal.suspend(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
