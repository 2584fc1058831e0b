//! The logins of a run: one for each host, made when first needed, made again once after a cut.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::{Mutex, Semaphore};

use super::Emit;
use crate::event::Event;
use crate::inventory::Host;
use crate::remote::{Connect, Live, Session, Unreachable};

/// How long a host that was cut off may take to answer again.
const AGAIN: Duration = Duration::from_secs(15);

/// How often a host may be cut off before it is given up.
const CUTS: u32 = 2;

struct Login {
    state: State,
    cuts: u32,
}

enum State {
    None,
    Up(Arc<dyn Session>),
    Cut(String),
    Lost(Unreachable),
}

/// Every login of a run.
pub struct Crew {
    connect: Arc<dyn Connect>,
    logins: HashMap<String, Mutex<Login>>,
    forks: Semaphore,
    wait: Duration,
    emit: Emit,
}

impl Crew {
    /// Nobody is connected yet. `forks` logins may be under way at once; each host has `wait` to answer.
    pub fn new(connect: Arc<dyn Connect>, hosts: &[Arc<Host>], forks: usize, wait: Duration, emit: Emit) -> Self {
        let logins =
            hosts.iter().map(|host| (host.name.clone(), Mutex::new(Login { state: State::None, cuts: 0 }))).collect();
        Self { connect, logins, forks: Semaphore::new(forks.max(1)), wait, emit }
    }

    /// The login on `host`: the one there is, or a new one.
    ///
    /// # Errors
    /// Why the host could not be reached; the same answer ever after.
    pub async fn session(&self, host: &Host) -> Result<Arc<dyn Session>, Unreachable> {
        let Some(login) = self.logins.get(&host.name) else { return Err(unknown(host)) };
        let mut login = login.lock().await;
        let wait = match &login.state {
            State::Up(session) => return Ok(session.clone()),
            State::Lost(why) => return Err(why.clone()),
            State::None => self.wait,
            State::Cut(_) => AGAIN.min(self.wait),
        };
        let answer = self.login(host, wait).await.map_err(|why| after_cut(&login.state, why));
        if let Err(Unreachable { what, hint }) = &answer {
            (self.emit)(Event::HostLost { host: host.name.clone(), why: what.clone(), hint: hint.clone() });
        }
        login.state = match &answer {
            Ok(session) => State::Up(session.clone()),
            Err(why) => State::Lost(why.clone()),
        };
        answer
    }

    /// Logs in to all of these; whoever could not be reached is told so when asked for.
    pub async fn gather<'a>(&self, hosts: impl Iterator<Item = &'a Arc<Host>>) {
        join_all(hosts.map(|host| self.session(host))).await;
    }

    /// Whether there is a login on that host.
    pub async fn is_up(&self, host: &str) -> bool {
        match self.logins.get(host) {
            Some(login) => matches!(login.lock().await.state, State::Up(_)),
            None => false,
        }
    }

    async fn login(&self, host: &Host, wait: Duration) -> Result<Arc<dyn Session>, Unreachable> {
        let _turn = self.forks.acquire().await;
        let started = Instant::now();
        (self.emit)(Event::HostConnecting { host: host.name.clone(), waiting: None });
        let answer = self.connect.connect(host, wait, self.note(&host.name)).await;
        if answer.is_ok() {
            let ms = started.elapsed().as_millis() as u64;
            (self.emit)(Event::HostConnected { host: host.name.clone(), ms });
        }
        answer
    }

    fn note(&self, host: &str) -> Live {
        let (host, emit) = (host.to_owned(), self.emit.clone());
        Arc::new(move |what| emit(Event::HostConnecting { host: host.clone(), waiting: Some(what.to_owned()) }))
    }

    /// The connection of `session` is gone: the next to ask logs in anew. A host that is cut off again and again is given
    /// up. Of the many commands that one cut ends, the first to say so counts.
    pub async fn cut(&self, host: &str, session: &Arc<dyn Session>, why: &str) {
        let Some(login) = self.logins.get(host) else { return };
        let mut login = login.lock().await;
        if !matches!(&login.state, State::Up(up) if Arc::ptr_eq(up, session)) {
            return;
        }
        login.cuts += 1;
        login.state = match login.cuts > CUTS {
            false => State::Cut(why.to_owned()),
            true => State::Lost(Unreachable {
                what: format!("{host} was cut off {} times, last: {why}", login.cuts),
                hint: None,
            }),
        };
    }

    /// The next to ask logs in anew: who logs in has new groups.
    pub async fn renew(&self, host: &str) {
        if let Some(login) = self.logins.get(host) {
            login.lock().await.state = State::None;
        }
    }

    /// A login in place of the one there was, on a machine that restarts: it has `wait` to come up again.
    ///
    /// # Errors
    /// Why it could not be reached. The next to ask tries once more.
    pub async fn anew(&self, host: &Host, wait: Duration, note: Live) -> Result<Arc<dyn Session>, Unreachable> {
        let Some(login) = self.logins.get(&host.name) else { return Err(unknown(host)) };
        let mut login = login.lock().await;
        login.state = State::Cut("it was restarted".to_owned());
        let session = self.connect.connect(host, wait, note).await?;
        login.state = State::Up(session.clone());
        Ok(session)
    }

    /// Ends what runs on every host, for Ctrl-C.
    pub async fn interrupt(&self) {
        let up = self.up();
        futures::future::join_all(up.iter().map(|session| session.interrupt())).await;
    }

    /// Says goodbye to every host.
    pub async fn close(&self) {
        let up = self.up();
        futures::future::join_all(up.iter().map(|session| session.close())).await;
    }

    /// Those who are logged in; a login under way is not waited for.
    fn up(&self) -> Vec<Arc<dyn Session>> {
        let logins = self.logins.values().filter_map(|login| login.try_lock().ok());
        let up = logins.filter_map(|login| match &login.state {
            State::Up(session) => Some(session.clone()),
            _ => None,
        });
        up.collect()
    }
}

fn unknown(host: &Host) -> Unreachable {
    Unreachable { what: format!("{} is not in the inventory", host.name), hint: None }
}

fn after_cut(login: &State, mut why: Unreachable) -> Unreachable {
    if let State::Cut(cut) = login {
        why.what = format!("{cut}, and it cannot be reached again: {}", why.what);
    }
    why
}
