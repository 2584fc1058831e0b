//! What one host is asked, and what it answered.

use std::sync::Arc;

use super::spark;
use crate::cli::{Failure, fleet};
use crate::inventory::Host;
use crate::reads::docker::{Engine, Found, Listed, Look, Node, Serving};
use crate::reads::{Probe, Read, Seen, Value};
use crate::remote::{Output, Session};

/// What a host said of itself, and of the swarm if it commands one.
#[derive(Debug)]
pub struct Looked {
    /// Its engine.
    pub engine: Seen<Engine>,
    /// The swarm's nodes.
    pub nodes: Seen<Vec<Node>>,
    /// The swarm's services.
    pub services: Seen<Vec<Serving>>,
    /// Its containers.
    pub containers: Seen<Vec<Listed>>,
    /// The page of each of Spark's masters on it, with the container's name.
    pub masters: Vec<(String, Seen<Output>)>,
}

impl Default for Looked {
    fn default() -> Self {
        let unread = || "the host gave no answer".to_owned();
        Self {
            engine: Seen::Unread(unread()),
            nodes: Seen::Unread(unread()),
            services: Seen::Unread(unread()),
            containers: Seen::Unread(unread()),
            masters: Vec::new(),
        }
    }
}

/// Asks with one command, and with a second one where a master of Spark runs.
///
/// # Errors
/// The host is lost, or runs no commands.
pub async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> Result<Looked, Failure> {
    let looked = ask(&host, &*session).await;
    session.close().await;
    looked
}

async fn ask(host: &Host, session: &dyn Session) -> Result<Looked, Failure> {
    let looks = [Look::Engine, Look::Nodes, Look::Services, Look::Containers].map(Read::Docker);
    let mut looked = Looked::default();
    fleet::read(host, session, looks.into()).await?.into_iter().for_each(|seen| looked.keep(seen));
    if let Some(why) = looked.silent() {
        return Err(Failure::failed(why));
    }
    looked.masters = masters(host, session, looked.masters_there()).await;
    Ok(looked)
}

/// What is wrong with a page leaves all else that was read.
async fn masters(host: &Host, session: &dyn Session, there: Vec<(String, Probe)>) -> Vec<(String, Seen<Output>)> {
    if there.is_empty() {
        return Vec::new();
    }
    let probes = there.iter().map(|(_, probe)| Read::Probe(probe.clone())).collect();
    let pages: Vec<Seen<Output>> = match fleet::read(host, session, probes).await {
        Ok(pages) => pages.into_iter().map(|(_, seen)| output(seen)).collect(),
        Err(why) => vec![Seen::Unread(why.to_string()); there.len()],
    };
    there.into_iter().map(|(name, _)| name).zip(pages).collect()
}

fn output(seen: Seen<Value>) -> Seen<Output> {
    match seen {
        Seen::Is(Value::Output(output)) => Seen::Is(output),
        Seen::Is(_) | Seen::Absent => Seen::Unread("the host gave no answer".into()),
        Seen::Unread(why) => Seen::Unread(why),
    }
}

impl Looked {
    /// Keeps an answer in its place.
    fn keep(&mut self, (read, seen): (Read, Seen<Value>)) {
        let Read::Docker(look) = read else { return };
        match look {
            Look::Engine => self.engine = of(seen, |f| if let Found::Engine(found) = f { Some(*found) } else { None }),
            Look::Nodes => self.nodes = of(seen, |f| if let Found::Nodes(found) = f { Some(found) } else { None }),
            Look::Services => {
                self.services = of(seen, |f| if let Found::Services(found) = f { Some(found) } else { None });
            }
            Look::Containers => {
                self.containers = of(seen, |f| if let Found::Containers(found) = f { Some(found) } else { None });
            }
            _ => {}
        }
    }

    /// Why nothing is known of its Docker, where there is one.
    fn silent(&self) -> Option<String> {
        match &self.engine {
            Seen::Unread(why) | Seen::Is(Engine { daemon: Seen::Unread(why), .. }) => Some(why.clone()),
            Seen::Is(_) | Seen::Absent => None,
        }
    }

    /// Whether all that was asked was answered.
    pub fn is_whole(&self) -> bool {
        let unread = matches!(self.containers, Seen::Unread(_)) || matches!(self.services, Seen::Unread(_));
        !unread && !matches!(self.nodes, Seen::Unread(_)) && self.silent().is_none()
    }

    fn masters_there(&self) -> Vec<(String, Probe)> {
        let containers = self.containers.as_ref().is().into_iter().flatten();
        containers.filter(|one| spark::is_master(one)).map(|one| (one.name.clone(), spark::page(one))).collect()
    }
}

fn of<T>(seen: Seen<Value>, pick: impl FnOnce(Found) -> Option<T>) -> Seen<T> {
    match seen {
        Seen::Is(Value::Docker(found)) => pick(found).map_or_else(|| Seen::Unread("an odd answer".into()), Seen::Is),
        Seen::Is(_) => Seen::Unread("an odd answer".into()),
        Seen::Absent => Seen::Absent,
        Seen::Unread(why) => Seen::Unread(why),
    }
}
