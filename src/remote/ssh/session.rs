//! All that is done with one host.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::time::{Duration, sleep, timeout};

use super::agent::Agent;
use super::connect::Reach;
use super::connection::{Connection, Hold};
use super::destination::{Destination, Way};
use super::dial;
use super::exec::{self, Job};
use super::lock;
use super::sudo::Sudo;
use crate::remote::{Command, Dial, Door, Exec, Lent, Live, Lost, Output, Session, Tunnel, Unreachable, User};

/// How long a second connection to a host that answered before may take.
const ANOTHER: Duration = Duration::from_secs(10);
/// How long ending commands may take, their three seconds of grace included.
const ENDING: Duration = Duration::from_secs(10);

/// A login on one host. Commands that stream in or out have connections of their own, opened when first needed and kept:
/// a slow stream holds up its whole connection.
pub(super) struct Ssh(Arc<Shared>);

struct Shared {
    to: Arc<Destination>,
    mark: String,
    sudo: Arc<Sudo>,
    reach: Arc<Reach>,
    main: Hold,
    idle: Mutex<Vec<Hold>>,
    running: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
    interrupts: AtomicU64,
}

/// A connection whose host may ask an agent, and at which socket.
struct Agency {
    connection: Hold,
    socket: String,
}

/// A command under way.
struct Running {
    user: User,
    /// Its process session there, once it has said so.
    session: Option<u32>,
    /// To be ended as soon as it says so.
    unwanted: bool,
}

impl Ssh {
    pub async fn open(
        reach: Arc<Reach>,
        to: Arc<Destination>,
        sudo: Sudo,
        wait: Duration,
        note: &Live,
    ) -> Result<Self, Unreachable> {
        let main = reach.reach(&to, wait, note).await?;
        main.open_ahead();
        Ok(Self(Arc::new(Shared {
            to,
            mark: format!("skep-{:032x}", rand::random::<u128>()),
            sudo: Arc::new(sudo),
            reach,
            main,
            idle: Mutex::default(),
            running: Mutex::default(),
            next: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
        })))
    }
}

#[async_trait]
impl Session for Ssh {
    async fn exec(&self, exec: Exec<'_>) -> Result<Output, Lost> {
        if exec.lent.is_some() {
            return self.0.with_agent(exec).await;
        }
        let streams = exec.stdin.is_some() || exec.stdout.is_some() || exec.stderr.is_some();
        let deadline = exec.deadline;
        let job = Job::new(exec, &self.0.to.user, &self.0.mark, &self.0.sudo);
        if !streams {
            return self.0.run(&self.0.main, job, deadline).await;
        }
        let connection = self.0.another().await?;
        let result = self.0.run(&connection, job, deadline).await;
        if result.is_ok() {
            lock(&self.0.idle).push(connection);
        }
        result
    }

    async fn dial(&self, address: &str, port: u16, within: Duration) -> Result<Box<dyn Tunnel>, Dial> {
        dial::dial(&self.0.main, address, port, within).await
    }

    fn door(&self) -> Option<Door> {
        let (to, facts) = (&self.0.to, &self.0.main.facts);
        // Where a program leads is not for others to go.
        let host_key = (!matches!(to.way, Way::Command(..))).then(|| facts.host_key.get()?.to_openssh().ok())??;
        let (address, user, proof) = (to.address.clone(), to.user.clone(), Arc::new(facts.key.get()?.clone()));
        Some(Door { address, port: to.port, user, host_key, proof })
    }

    async fn lend(&self, doors: Vec<Door>) -> Result<Lent, Lost> {
        let connection = self.0.fresh().await?;
        let socket = self.0.lend(&connection, doors).await?;
        Ok(Lent(Box::new(Agency { connection, socket })))
    }

    fn answers_sudo(&self) -> bool {
        self.0.sudo.has_password()
    }

    async fn interrupt(&self) {
        self.0.interrupts.fetch_add(1, Ordering::AcqRel);
        let mut sessions: BTreeMap<User, Vec<u32>> = BTreeMap::new();
        for running in lock(&self.0.running).values_mut() {
            running.unwanted = true;
            sessions.entry(running.user.clone()).or_default().extend(running.session);
        }
        join_all(sessions.into_iter().map(|(user, sessions)| self.0.clone().end(user, sessions))).await;
        // Those that had not yet said where they run are ended as soon as they do.
        let _ = timeout(ENDING, self.0.rid()).await;
    }

    async fn close(&self) {
        let idle = std::mem::take(&mut *lock(&self.0.idle));
        join_all(idle.iter().map(|connection| connection.close())).await;
        self.0.main.close().await;
    }
}

impl Shared {
    /// A connection for streams: an idle one, or a new one.
    async fn another(&self) -> Result<Hold, Lost> {
        let idle = std::iter::from_fn(|| lock(&self.idle).pop()).find(|connection| !connection.handle.is_closed());
        match idle {
            Some(connection) => Ok(connection),
            None => self.fresh().await,
        }
    }

    async fn fresh(&self) -> Result<Hold, Lost> {
        let quiet: Live = Arc::new(|_| {});
        self.reach.reach(&self.to, ANOTHER, &quiet).await.map_err(|why| Lost::Unsent(why.what))
    }

    async fn run(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        job: Job,
        deadline: Option<Duration>,
    ) -> Result<Output, Lost> {
        let interrupts = self.interrupts.load(Ordering::Acquire);
        let slot = connection.slot().await.map_err(Lost::unsent)?;
        if interrupts != self.interrupts.load(Ordering::Acquire) {
            return Err(Lost::Refused("interrupted before it was started".into()));
        }
        let mut watch = Watch::new(self, job.user.clone());
        let (shared, id) = (self.clone(), watch.id);
        let running = exec::run(slot, job, move |session| shared.started(id, session));
        let result = match deadline {
            None => running.await,
            Some(limit) => match timeout(limit, running).await {
                Ok(result) => result,
                Err(_) => {
                    watch.end().await;
                    Err(Lost::Deadline(limit))
                }
            },
        };
        watch.over = matches!(result, Ok(_) | Err(Lost::Refused(_) | Lost::Deadline(_)));
        result
    }

    /// Has the host make a socket for an agent; where that is. All that runs on the connection may ask it.
    async fn lend(&self, connection: &Hold, doors: Vec<Door>) -> Result<String, Lost> {
        let socket = timeout(ANOTHER, self.agents_socket(connection, doors)).await;
        match socket.unwrap_or_else(|_| Err(Lost::Refused(format!("{} does not answer", self.to.name))))? {
            socket if socket.is_empty() => Err(Lost::Refused(format!("the sshd of {} takes no agent", self.to.name))),
            socket => Ok(socket),
        }
    }

    async fn agents_socket(&self, connection: &Hold, doors: Vec<Door>) -> Result<String, Lost> {
        let _ = connection.facts.agent.set(Arc::new(Agent::new(doors)));
        let slot = connection.slot().await.map_err(Lost::unsent)?;
        // It answers where it does, and sets the variable where it can.
        slot.write.agent_forward(false).await.map_err(|_| connection.lost())?;
        let ask = Command::sh("printf %s \"${SSH_AUTH_SOCK-}\"");
        let job = Job::new(Exec::new(&ask), &self.to.user, &self.mark, &self.sudo);
        Ok(exec::run(slot, job, |_| {}).await?.text())
    }

    async fn with_agent(self: &Arc<Self>, mut exec: Exec<'_>) -> Result<Output, Lost> {
        let agency = exec.lent.take().and_then(|lent| lent.0.downcast::<Agency>().ok());
        let Some(Agency { connection, socket }) = agency.map(|agency| *agency) else {
            return Err(Lost::Refused("it was lent another agent".into()));
        };
        let command = exec.command.clone().env("SSH_AUTH_SOCK", socket);
        let deadline = exec.deadline;
        let job = Job::new(Exec { command: &command, ..exec }, &self.to.user, &self.mark, &self.sudo);
        let result = self.run(&connection, job, deadline).await;
        connection.close().await;
        result
    }

    /// Returns once no command that is to be ended is under way.
    async fn rid(&self) {
        while lock(&self.running).values().any(|running| running.unwanted) {
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn started(self: &Arc<Self>, id: u64, session: u32) {
        let mut all = lock(&self.running);
        let Some(running) = all.get_mut(&id) else { return };
        running.session = Some(session);
        if running.unwanted {
            tokio::spawn(self.clone().end(running.user.clone(), vec![session]));
        }
    }

    fn still_runs(&self, sessions: &[u32]) -> bool {
        lock(&self.running).values().any(|running| running.session.is_some_and(|own| sessions.contains(&own)))
    }

    /// Ends process sessions: asked to first, and three seconds later they are not asked any more.
    async fn end(self: Arc<Self>, user: User, sessions: Vec<u32>) {
        if sessions.is_empty() || self.main.handle.is_closed() {
            return;
        }
        let command = Command::sh(ending(&sessions)).by(user);
        let job = Job::new(Exec::new(&command), &self.to.user, &self.mark, &self.sudo).at_once();
        let ended = timeout(ENDING, async {
            let slot = self.main.extra_slot().await?;
            exec::run(slot, job, |_| {}).await
        });
        match ended.await {
            Ok(Ok(_)) => {}
            // What has said its end meanwhile needed none, and its connection may be closed by now.
            Ok(Err(error)) if self.still_runs(&sessions) => {
                tracing::warn!("{}: what ran there could not be ended: {error}", self.to.name);
            }
            Err(_) if self.still_runs(&sessions) => tracing::warn!("{}: what ran there did not end", self.to.name),
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

/// By session, so that process groups that `timeout` and the like made are ended too; by group where there is no pkill.
fn ending(sessions: &[u32]) -> String {
    let join = |with: &str| sessions.iter().map(u32::to_string).collect::<Vec<_>>().join(with);
    format!(
        "end() {{ pkill -\"$1\" -s {} 2>/dev/null || kill -s \"$1\" -- -{} 2>/dev/null; }}\n\
         end TERM; i=0\n\
         while [ $i -lt 30 ] && end 0; do sleep 0.1; i=$((i + 1)); done\n\
         end KILL; true",
        join(","),
        join(" -")
    )
}

/// Keeps a command in the list of those under way. One that is given up before its end was seen is ended.
struct Watch {
    shared: Arc<Shared>,
    id: u64,
    over: bool,
}

impl Watch {
    fn new(shared: &Arc<Shared>, user: User) -> Self {
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        lock(&shared.running).insert(id, Running { user, session: None, unwanted: false });
        Self { shared: shared.clone(), id, over: false }
    }

    async fn end(&self) {
        let known = lock(&self.shared.running).get(&self.id).map(|r| (r.user.clone(), r.session));
        if let Some((user, Some(session))) = known {
            self.shared.clone().end(user, vec![session]).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(running) = lock(&self.shared.running).remove(&self.id) else { return };
        if let (false, Some(session), Ok(runtime)) = (self.over, running.session, tokio::runtime::Handle::try_current())
        {
            runtime.spawn(self.shared.clone().end(running.user, vec![session]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ending_names_every_session_both_ways() {
        let script = ending(&[12, 34]);
        assert!(script.contains("-s 12,34") && script.contains("-- -12 -34"), "{script}");
    }
}
