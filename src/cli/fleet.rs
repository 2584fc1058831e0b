//! Many hosts at once, for the commands that talk to them without a playbook.

use std::collections::HashSet;
use std::future::Future;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Semaphore;

use crate::inventory::Host;
use crate::remote::{Connect, Live, Session, Unreachable};
use crate::report::{Paint, fold};

/// What became of one host.
pub type Reached<T> = (Arc<Host>, Result<T, Unreachable>);

/// Logs in to every host, `forks` at a time, and does something there; the answers come in the hosts' order.
pub async fn each<T, F, D>(hosts: &[Arc<Host>], forks: usize, connect: Login<'_>, act: D) -> Vec<Reached<T>>
where
    D: Fn(Arc<Host>, Arc<dyn Session>) -> F,
    F: Future<Output = T>,
{
    let gate = Semaphore::new(forks);
    let (gate, connect, act) = (&gate, &connect, &act);
    join_all(hosts.iter().map(|host| async move {
        // The semaphore is never closed; were it, everybody may pass.
        let _turn = gate.acquire().await;
        let reached = connect.to(host).await;
        match reached {
            Ok(session) => (Arc::clone(host), Ok(act(Arc::clone(host), session).await)),
            Err(lost) => (Arc::clone(host), Err(lost)),
        }
    }))
    .await
}

/// How hosts are logged in to, and where is told what is waited for.
pub struct Login<'a> {
    /// Opens sessions.
    pub connect: &'a dyn Connect,
    /// How long a machine may take to answer.
    pub wait: Duration,
    /// The colours of standard error.
    pub paint: Paint,
}

impl Login<'_> {
    /// Logs in to one host.
    pub async fn to(&self, host: &Host) -> Result<Arc<dyn Session>, Unreachable> {
        self.connect.connect(host, self.wait, self.notes(&host.name)).await
    }

    /// Says on standard error what a host waits for, each thing once.
    fn notes(&self, host: &str) -> Live {
        let (paint, host, said) = (self.paint, host.to_owned(), Mutex::new(HashSet::new()));
        Arc::new(move |note: &str| {
            if said.lock().unwrap_or_else(PoisonError::into_inner).insert(note.to_owned()) {
                let _ = writeln!(io::stderr(), "{}", paint.quiet(&format!("{host}: {note}")));
            }
        })
    }
}

/// Tells on standard error who could not be reached and what to do, equal ones once.
pub fn tell_lost<T>(reached: &[Reached<T>], paint: Paint) {
    let mut groups: Vec<(Vec<&str>, &Unreachable)> = Vec::new();
    for (host, lost) in reached.iter().filter_map(|(host, reached)| Some((host, reached.as_ref().err()?))) {
        match groups.iter_mut().find(|(_, known)| *known == lost) {
            Some((names, _)) => names.push(&host.name),
            None => groups.push((vec![&host.name], lost)),
        }
    }
    for (names, lost) in groups {
        let hint = lost.hint.as_ref().map_or(String::new(), |hint| format!("\n\n{} {hint}", paint.hint("hint:")));
        let _ = writeln!(io::stderr(), "{} {}: {lost}{hint}", paint.bad("unreachable:"), fold(&names));
    }
}
