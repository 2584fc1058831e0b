//! A machine that restarts: it is told to, and waited for until another boot answers.
//!
//! Neither the end of the command nor that of the connection says that it has restarted: sshd lets people in while its machine
//! goes down. So each connection is asked which boot it has reached. It cannot outlive that boot: a command whose outcome is
//! unknown may be sent again on a new connection to the old one, and never reaches the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::apply::At;
use super::facts;
use super::job::Mishap;
use crate::event::Event;
use crate::remote::{Command, Exec, Live, Lost, Output, Session};

/// What tells one boot from another: the kernel's random id; in a container, whose kernel goes on, when its first process was
/// started (proc(5), field 22 of `stat`).
const BOOT: &str = "cat /proc/sys/kernel/random/boot_id /proc/1/stat";

/// How long a machine that goes down may take to say which boot it is.
const ANSWER: Duration = Duration::from_secs(10);

/// Between two looks at a machine that still goes down.
const PAUSE: Duration = Duration::from_millis(500);

/// A start of a machine.
#[derive(Clone, Debug, PartialEq)]
struct Boot {
    id: String,
    first: Option<u64>,
}

/// Restarts the host, and logs in to its next boot. The turn among its changes is taken until then.
pub async fn restart(at: &At<'_>, command: &Command) -> Result<Output, Mishap> {
    let _turn = at.world.one_by_one(&at.host.name).await;
    tokio::select! {
        biased;
        () = at.world.cancellation() => Err(Mishap::Interrupted),
        restarted = restarted(at, command) => restarted.map(|()| {
            facts::forget(at.world, &at.host.name);
            Output::default()
        }),
    }
}

async fn restarted(at: &At<'_>, command: &Command) -> Result<(), Mishap> {
    let (mut session, until) = (at.session().await?, Instant::now() + at.time()?);
    let Some(old) = boot(&*session).await else {
        let lost = Lost::Unsent("it does not say any more which boot it is".into());
        return Err(at.lost(&session, lost).await);
    };
    let mut told = send(at, &session, command).await?;
    loop {
        match boot(&*session).await {
            Some(boot) if boot.is_another(&old) => return Ok(()),
            Some(_) if !told => told = send(at, &session, command).await?,
            Some(_) => waits(at)("it is still going down"),
            None => session = anew(at, until).await?,
        }
        if Instant::now() >= until {
            return Err(at.overdue("it was told to restart, and its old boot still answers"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether it was told to for sure; what a cut left open its boot will say.
async fn send(at: &At<'_>, session: &Arc<dyn Session>, command: &Command) -> Result<bool, Mishap> {
    let (command, deadline) = (at.dressed(command.clone()), Some(at.time()?));
    match session.exec(Exec { live: Some(at.live()), deadline, ..Exec::new(&command) }).await {
        Ok(output) => at.ended(output).map(|_| true),
        Err(lost) if lost.is_cut() => Ok(false),
        Err(lost) => Err(at.lost(session, lost).await),
    }
}

/// A login on whatever answers next.
async fn anew(at: &At<'_>, until: Instant) -> Result<Arc<dyn Session>, Mishap> {
    let left = until.saturating_duration_since(Instant::now());
    let session = at.world.crew.anew(&at.host, left, waits(at)).await;
    session.map_err(|why| at.overdue(&format!("it was told to restart, and does not come up: {}", why.what)))
}

/// Tells what its next boot is waited for with.
fn waits(at: &At<'_>) -> Live {
    let (emit, step, host) = (at.world.emit.clone(), at.job.manner.step.clone(), at.job.owner.name.clone());
    Arc::new(move |note| {
        let (step, host, waiting) = (step.clone(), host.clone(), format!("the restart: {note}"));
        emit(Event::JobWaiting { step, host, waiting });
    })
}

/// Which boot a session has reached; none where it does not answer.
async fn boot(session: &dyn Session) -> Option<Boot> {
    let command = Command::sh(BOOT);
    let answer = tokio::time::timeout(ANSWER, session.exec(Exec::new(&command))).await;
    Boot::parse(&answer.ok()?.ok()?.text())
}

impl Boot {
    /// The two lines of [`BOOT`]; the second is not for everybody to read on each machine.
    fn parse(text: &str) -> Option<Self> {
        let (id, stat) = text.split_once('\n').unwrap_or((text, ""));
        // The name of a process may have any character.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
        let first = fields.and_then(|mut fields| fields.nth(22 - 3)?.parse().ok());
        (!id.is_empty()).then(|| Self { id: id.to_owned(), first })
    }

    fn is_another(&self, than: &Self) -> bool {
        self.id != than.id || self.first.zip(than.first).is_some_and(|(own, other)| own != other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "1 (system) d) S 0 1 1 0 -1 4194560 9 9 0 0 1 2 3 4 20 0 1 0 4711 1 1";

    #[test]
    fn boots_differ_by_the_kernels_id_or_by_the_first_process() {
        let boot = |id: &str, stat: &str| Boot::parse(&format!("{id}\n{stat}")).unwrap();
        let one = boot("a-b", STAT);
        assert_eq!(one, Boot { id: "a-b".into(), first: Some(4711) });
        assert!(one.is_another(&boot("a-c", STAT)) && one.is_another(&boot("a-b", &STAT.replace("4711", "4712"))));
        assert!(!one.is_another(&one.clone()));
        assert!(!one.is_another(&boot("a-b", "")), "what cannot be read proves nothing");
        assert_eq!(Boot::parse(""), None);
    }
}
