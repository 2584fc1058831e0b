//! What the answers of all hosts come to: a pure function of them, and the very object that `--json` prints.

use std::sync::Arc;

use serde::Serialize;

use super::look::Looked;
use super::spark::{self, Master};
use crate::cli::{Failure, pages};
use crate::event::Code;
use crate::inventory::Host;
use crate::reads::Seen;
use crate::reads::docker::{Engine, Info, Listed, Node, Serving};

/// A host and its answer.
type Answered = (Arc<Host>, Looked);
/// A host that gave none, and why.
type Lost = (Arc<Host>, Failure);

/// All that is shown.
#[derive(Debug, Default, Serialize)]
pub struct Status {
    /// The hosts, in the inventory's order; after them nodes of the swarm that none of them is.
    pub nodes: Vec<Row>,
    /// The host that spoke for the swarm.
    pub manager: Option<String>,
    /// The swarm's services; nothing where nobody could tell.
    pub services: Option<Vec<Service>>,
    /// Why nobody could, where there is a swarm.
    pub services_unread: Option<String>,
    /// The containers of all hosts that answered.
    pub containers: Vec<Container>,
    /// Spark's masters.
    pub spark: Vec<Master>,
    /// The web pages that `skep forward` would bring.
    pub pages: Vec<Page>,
    /// The command that does.
    pub forward: String,
}

/// A host, or a node that is none.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name in the inventory; none for a node that is no host that answered.
    pub host: Option<String>,
    /// Its name in the swarm.
    pub node: Option<String>,
    /// Where it is reached; of a node without a host, where the swarm reaches it.
    pub address: String,
    /// `manager` or `worker`; none in no swarm.
    pub role: Option<String>,
    /// Whether it leads the managers.
    pub leader: bool,
    /// `active`, `pause` or `drain`; none where no manager could tell.
    pub availability: Option<String>,
    /// How it is: see `docs/status.md`.
    pub state: String,
    /// The version of its engine.
    pub engine: Option<String>,
    /// Why that is all that is known, or what is wrong.
    pub problem: Option<String>,
}

/// A service.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The stack that it is of.
    pub stack: Option<String>,
    /// The image that it asks for.
    pub image: String,
    /// `replicated`, `global`, `replicated job` or `global job`.
    pub mode: String,
    /// How many tasks run.
    pub running: u64,
    /// How many are asked for.
    pub desired: u64,
    /// The ports at which every node answers for it.
    pub ports: Vec<String>,
    /// What else Docker says of its tasks.
    pub note: Option<String>,
    /// How its last update went.
    pub update: Option<String>,
    /// Whether as much runs as is asked for.
    pub whole: bool,
}

/// A container.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Its host.
    pub host: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// `running`, `exited`, ….
    pub state: String,
    /// `healthy`, `unhealthy` or `starting`.
    pub health: Option<String>,
    /// State, health and since when, in Docker's words.
    pub status: String,
    /// The ports that its host publishes.
    pub ports: Vec<String>,
    /// The service that it is a task of.
    pub service: Option<String>,
}

/// A web page.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// What people call it.
    pub name: String,
    /// Its host.
    pub host: String,
    /// Its container.
    pub container: String,
    /// The port in the container.
    pub port: u16,
}

impl Status {
    /// Of all answers, and of who gave none.
    pub fn of(hosts: &[Arc<Host>], answered: &[Answered], lost: &[Lost], forward: String) -> Self {
        let answers: Vec<(&str, &Looked)> = answered.iter().map(|(host, it)| (&*host.name, it)).collect();
        let swarm = answers.iter().find_map(|(host, looked)| Some((*host, looked.commands()?)));
        let (services, services_unread) = services(&answers);
        let pages = answers.iter().flat_map(|(host, looked)| looked.listed().flat_map(|one| pages_of(host, one)));
        Self {
            nodes: rows(hosts, answered, lost, swarm),
            manager: swarm.map(|(host, _)| host.to_owned()),
            services,
            services_unread,
            containers: answers.iter().flat_map(|(host, it)| it.listed().map(|one| container(host, one))).collect(),
            spark: answers.iter().flat_map(|(host, it)| masters(host, it)).collect(),
            pages: pages.collect(),
            forward,
        }
    }
}

impl Looked {
    /// What the daemon says of itself.
    fn info(&self) -> Option<&Info> {
        self.engine.as_ref().is()?.daemon.as_ref().is()
    }

    /// The swarm's nodes, where this host commands it.
    fn commands(&self) -> Option<&Vec<Node>> {
        self.info().filter(|info| info.swarm.controls()).and_then(|_| self.nodes.as_ref().is())
    }

    /// Docker lists the newest first; people look for the first.
    fn listed(&self) -> impl Iterator<Item = &Listed> {
        self.containers.as_ref().is().into_iter().flatten().rev()
    }
}

/// Those of the first that can tell, else why nobody can; neither where there is no swarm.
fn services(answers: &[(&str, &Looked)]) -> (Option<Vec<Service>>, Option<String>) {
    let in_swarm = |looked: &Looked| looked.info().is_some_and(|info| !info.swarm.inactive());
    if let Some(services) = answers.iter().find_map(|(_, looked)| looked.services.as_ref().is()) {
        return (Some(services.iter().map(service).collect()), None);
    }
    let why = answers.iter().filter(|(_, looked)| in_swarm(looked)).find_map(|(host, looked)| match &looked.services {
        Seen::Unread(why) => Some(format!("{host}: {why}")),
        _ => None,
    });
    (None, why)
}

fn rows(hosts: &[Arc<Host>], answered: &[Answered], lost: &[Lost], swarm: Option<(&str, &Vec<Node>)>) -> Vec<Row> {
    let answer = |host: &Host| answered.iter().find(|(of, _)| of.name == host.name);
    let lost = |host: &Host| lost.iter().find(|(of, _)| of.name == host.name);
    let row = |host: &Arc<Host>| match (answer(host), lost(host)) {
        (Some((_, looked)), _) => of_host(host, looked, swarm),
        (None, Some((_, why))) => Row::plain(host, silence(why), Some(why.to_string())),
        (None, None) => Row::plain(host, "unread", Some("interrupted".into())),
    };
    let ids: Vec<&str> = answered.iter().filter_map(|(_, it)| Some(&*it.info()?.swarm.node_id)).collect();
    let others = swarm.into_iter().flat_map(|(_, nodes)| nodes).filter(|node| !ids.contains(&&*node.id));
    hosts.iter().map(row).chain(others.map(of_node)).collect()
}

fn silence(why: &Failure) -> &'static str {
    if why.code() == Code::Unreachable { "unreachable" } else { "unread" }
}

/// A host that answered.
fn of_host(host: &Host, looked: &Looked, swarm: Option<(&str, &Vec<Node>)>) -> Row {
    let row = match daemon(&looked.engine) {
        Seen::Is(info) => in_swarm(host, info, swarm),
        Seen::Absent => return Row::plain(host, "no docker", None),
        Seen::Unread(why) => return Row::plain(host, "unread", Some(why)),
    };
    match &looked.containers {
        Seen::Unread(why) => row.troubled(why.clone()),
        _ => row,
    }
}

/// What a manager says of a host goes before what that says of itself.
fn in_swarm(host: &Host, info: &Info, swarm: Option<(&str, &Vec<Node>)>) -> Row {
    let row = of_itself(host, info);
    let Some((by, nodes)) = swarm.filter(|_| row.role.is_some()) else { return row };
    match nodes.iter().find(|node| node.id == info.swarm.node_id) {
        Some(node) => {
            let problem = row.problem.or_else(|| wrong(node));
            Row { problem, engine: row.engine, ..of_node(node) }.at(host)
        }
        None => row.troubled(format!("not in the swarm that {by} commands")),
    }
}

fn daemon(engine: &Seen<Engine>) -> Seen<&Info> {
    match engine {
        Seen::Is(engine) => engine.daemon.as_ref(),
        Seen::Absent => Seen::Absent,
        Seen::Unread(why) => Seen::Unread(why.clone()),
    }
}

/// What a host knows of itself: workers do not know who leads, nor whether anybody hears of them.
fn of_itself(host: &Host, info: &Info) -> Row {
    let (swarm, engine) = (&info.swarm, Some(info.server_version.clone()));
    if swarm.inactive() {
        return Row { engine, ..Row::plain(host, "no swarm", None) };
    }
    let manages = swarm.control_available
        || swarm.remote_managers.iter().flatten().any(|manager| manager.node_id == swarm.node_id);
    let problem = Some(swarm.error.clone()).filter(|error| !error.is_empty());
    let role = Some(if manages { "manager" } else { "worker" }.to_owned());
    Row { role, engine, node: Some(info.name.clone()), ..Row::plain(host, &swarm.local_node_state, problem) }
}

/// What a manager knows of a node.
fn of_node(node: &Node) -> Row {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Row {
        host: None,
        node: text(&node.hostname),
        address: node.address.clone(),
        role: text(&node.role),
        leader: node.leads,
        availability: text(&node.availability),
        state: node.state.clone(),
        engine: text(&node.engine),
        problem: Some("no host that answered is this node".into()),
    }
}

/// What a manager finds wrong with a node.
fn wrong(node: &Node) -> Option<String> {
    match node.reachability.as_str() {
        "unreachable" => Some("the other managers do not reach it".into()),
        _ => Some(node.message.clone()).filter(|message| !message.is_empty() && node.state != "ready"),
    }
}

impl Row {
    fn plain(host: &Host, state: &str, problem: Option<String>) -> Self {
        Self { state: state.to_owned(), problem, ..Self::default() }.at(host)
    }

    fn at(self, host: &Host) -> Self {
        Self { host: Some(host.name.clone()), address: host.address.clone(), ..self }
    }

    /// The same with one more thing that is wrong.
    fn troubled(self, why: String) -> Self {
        let problem = Some(self.problem.map_or_else(|| why.clone(), |first| format!("{first}; {why}")));
        Self { problem, ..self }
    }

    /// Whether nothing is wrong with it.
    pub fn is_well(&self) -> bool {
        self.problem.is_none() && ["ready", "active", "no swarm"].contains(&&*self.state)
    }
}

fn service(service: &Serving) -> Service {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Service {
        name: service.name.clone(),
        stack: text(&service.stack),
        image: service.image.clone(),
        mode: service.mode.clone(),
        running: service.running,
        desired: service.desired,
        ports: service.ports.clone(),
        note: text(&service.note),
        update: text(&service.update),
        whole: service.is_whole(),
    }
}

fn container(host: &str, one: &Listed) -> Container {
    Container {
        host: host.to_owned(),
        id: one.id.clone(),
        name: one.name.clone(),
        image: one.image.clone(),
        state: one.state.clone(),
        health: one.health().map(str::to_owned),
        status: one.status.clone(),
        ports: one.published(),
        service: Some(one.service.clone()).filter(|service| !service.is_empty()),
    }
}

fn masters(host: &str, looked: &Looked) -> Vec<Master> {
    looked.masters.iter().map(|(container, page)| spark::read(host, container, page)).collect()
}

fn pages_of(host: &str, one: &Listed) -> Vec<Page> {
    let pages = pages::named(&one.forward).filter(|_| one.runs());
    pages.map(|(name, port)| Page { name, host: host.to_owned(), container: one.name.clone(), port }).collect()
}
