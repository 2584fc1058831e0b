//! The engine on hosts that are folders: the proof that batching changes nothing, and what happens on bad days.

mod changes;
mod equivalence;
mod known;
mod lookup;
mod placing;
mod restart;
mod rolling;
mod rules;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Options, Order, run};
use crate::event::{Event, Outcome};
use crate::inventory::{Host, Inventory};
use crate::playbook::Playbook;
use crate::remote::fake::{Fake, Hook};
use crate::remote::{Connect, Live, Lost, Output, Session, Unreachable};
use crate::yaml::{At, Node, Source, Value};

/// The hosts of these tests: the first is the manager, the other a worker, unless a test says otherwise.
const HOSTS: [&str; 2] = ["alpha", "beta"];

/// Each host has an address of its own in a network that all share.
const IP: &str = "#!/bin/sh\ncase \"$*\" in\n\
    '-o link show') echo '2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP';;\n\
    '-o address show') echo '2: eth0    inet 10.9.8.1NUMBER/24 brd 10.9.8.255 scope global eth0';;\n\
    '-4 route show') echo '10.9.8.0/24 dev eth0 proto kernel scope link src 10.9.8.1NUMBER';;\n\
    '-4 route get'*) echo '192.0.2.1 via 10.9.8.1 dev eth0 src 10.9.8.1NUMBER';;\nesac\n";

/// Stands for Docker on every host: its engine says of the swarm what its file has; whatever would change it fails.
const DOCKER: &str = "#!/bin/sh\ncase $1 in info) cat \"$0.info\";; *) echo \"no $*\" >&2; exit 1;; esac\n";

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Came {
    /// Step, host and outcome of every job, by step and then by host.
    jobs: Vec<(String, String, Outcome, Option<String>)>,
    /// Every file on every host, with its content.
    files: Vec<(String, String)>,
    code: u8,
}

struct Lab {
    root: tempfile::TempDir,
    hook: Option<Hook>,
    options: Options,
    /// The hosts that cannot be reached.
    dead: &'static [&'static str],
    /// The hosts of the group `managers`; the others are in `workers`.
    managers: &'static [&'static str],
    /// Who commands the swarm.
    leader: Option<&'static str>,
    /// The steps to take; all where there are none.
    steps: Vec<&'static str>,
    /// Of the first look on this host, ahead of all turns, this part is not answered.
    unread: Option<(&'static str, usize)>,
    /// Whether logging in takes for ever, until Ctrl-C.
    hangs: bool,
    /// Ctrl-C.
    cancel: watch::Sender<bool>,
}

/// A run's result, its events, and the scripts that were sent.
struct Ran {
    came: Came,
    events: Vec<Event>,
    calls: Vec<(String, String)>,
}

impl Lab {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("tempdir"),
            hook: None,
            options: options(),
            dead: &[],
            managers: &["alpha"],
            leader: Some("alpha"),
            steps: Vec::new(),
            unread: None,
            hangs: false,
            cancel: watch::Sender::new(false),
        }
    }

    fn hooked(hook: impl Fn(&str, &str) -> Option<Result<Output, Lost>> + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)), ..Self::new() }
    }

    fn limited(limit: &str) -> Self {
        Self { options: Options { limit: Some(vec![limit.into()]), ..options() }, ..Self::new() }
    }

    async fn run(&self, playbook: &str) -> Ran {
        let alive: Vec<&str> = HOSTS.into_iter().filter(|host| !self.dead.contains(host)).collect();
        HOSTS.iter().for_each(|host| self.install_docker(host));
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let kept = events.clone();
        let emit = Arc::new(move |event| kept.lock().expect("events").push(event));
        let fake = Fake::new(self.root.path(), &alive).expect("folders");
        let fake = Arc::new(fake.with(self.hook.clone().unwrap_or_else(|| self.unanswered(events.clone()))));
        let order = self.order(playbook);
        let connect: Arc<dyn Connect> = if self.hangs { Arc::new(Hangs(self.cancel.clone())) } else { fake.clone() };
        let code = run(&order, connect, self.options.clone(), emit, self.cancel.subscribe()).await;
        let events = events.lock().expect("events").clone();
        let came = Came { jobs: jobs(&events), files: files(self.root.path()), code };
        Ran { came, events, calls: fake.calls() }
    }

    /// Leaves a part of a host's first look unanswered, if it was asked ahead of all turns.
    fn unanswered(&self, events: Arc<Mutex<Vec<Event>>>) -> Hook {
        let left = Mutex::new(self.unread);
        let root = self.root.path().to_owned();
        Arc::new(move |host, script| {
            let (_, part) = left.lock().expect("unread").take_if(|(name, _)| *name == host)?;
            let foreseen =
                |event: &Event| matches!(event, Event::RunStarted { hosts, .. } if hosts.iter().any(|h| h == host));
            events.lock().expect("events").iter().any(foreseen).then(|| {
                let output = here(&root.join(host), script)?;
                let open = format!("<{part}\n");
                let text = String::from_utf8_lossy(&output.stdout).replacen(&open, "\n", 1);
                Ok(Output { stdout: text.into_bytes(), ..output })
            })
        })
    }

    fn order(&self, playbook: &str) -> Order {
        let path = self.root.path().join("playbook.yml");
        std::fs::write(&path, playbook).expect("write");
        let playbook = Playbook::read(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let chosen = |id: &str| self.steps.is_empty() || self.steps.contains(&id);
        let steps = playbook.steps().map(|step| step.id.clone()).filter(|id| chosen(id)).collect();
        let hosts = HOSTS.iter().map(|name| Arc::new(self.host(name))).collect();
        let inventory = Arc::new(Inventory::of(hosts));
        Order { playbook: Arc::new(playbook), steps, inventory, extra: Arc::default(), vault: Arc::default() }
    }

    fn install_docker(&self, host: &str) {
        let bin = self.root.path().join(host).join("bin");
        std::fs::create_dir_all(&bin).expect("folder");
        let state = if self.leader.is_some() { "active" } else { "inactive" };
        let swarm = serde_json::json!({"LocalNodeState": state, "ControlAvailable": self.leader == Some(host)});
        let info = serde_json::json!({"ServerVersion": "28.0", "Swarm": swarm});
        std::fs::write(bin.join("docker.info"), info.to_string()).expect("write");
        let number = HOSTS.iter().position(|name| *name == host).expect("one of the hosts").to_string();
        self.tool(host, "docker", DOCKER);
        self.tool(host, "ip", &IP.replace("NUMBER", &number));
    }

    /// A program of the host's own, before those of the workstation.
    fn tool(&self, host: &str, name: &str, script: &str) {
        let bin = self.root.path().join(host).join("bin");
        std::fs::create_dir_all(&bin).expect("folder");
        std::fs::write(bin.join(name), script).expect("write");
        std::fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).expect("chmod");
    }

    fn host(&self, name: &str) -> Host {
        let at = At { source: Arc::new(Source { path: "test".into(), text: String::new() }), start: 0, end: 0 };
        let folder = Node { value: Value::Str(self.root.path().join(name).display().to_string()), at };
        let group = if self.managers.contains(&name) { "managers" } else { "workers" };
        let vars = vec![("root".into(), folder)];
        Host { become_root: false, groups: vec![group.into()], vars, ..Host::named(name) }
    }

    fn write(&self, host: &str, file: &str, content: &str) {
        let folder = self.root.path().join(host);
        std::fs::create_dir_all(&folder).expect("folder");
        std::fs::write(folder.join(file), content).expect("write");
    }
}

/// Nobody ever comes to the end of logging in; Ctrl-C is pressed meanwhile.
struct Hangs(watch::Sender<bool>);

#[async_trait]
impl Connect for Hangs {
    async fn connect(&self, _: &Host, _: Duration, _: Live) -> Result<Arc<dyn Session>, Unreachable> {
        self.0.send_replace(true);
        std::future::pending().await
    }
}

/// How the only job, or the last of several, ended.
fn last(ran: &Ran) -> (Outcome, String) {
    let ended = ran.events.iter().rev().find_map(|event| match event {
        Event::JobFinished { outcome, message, stderr, hint, .. } => {
            let told = [message, stderr, hint].map(|told| told.clone().unwrap_or_default());
            Some((*outcome, told.join("\n")))
        }
        _ => None,
    });
    ended.expect("a job")
}

fn outcomes(ran: &Ran) -> Vec<(&str, &str, Outcome)> {
    ran.came.jobs.iter().map(|(step, host, outcome, _)| (step.as_str(), host.as_str(), *outcome)).collect()
}

/// Runs a script as the fake host in `folder` does.
fn here(folder: &Path, script: &str) -> Result<Output, Lost> {
    let path = format!("{}/bin:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut sh = std::process::Command::new("sh");
    let output = sh.arg("-c").arg(script).current_dir(folder).env("PATH", path).output().expect("sh");
    Ok(Output { code: output.status.code().unwrap_or(137), stdout: output.stdout, stderr: output.stderr })
}

fn gone() -> Result<Output, Lost> {
    Err(Lost::Connection("reset by peer".into()))
}

/// A playbook of steps on `hosts`, each as YAML.
fn steps(hosts: &str, steps: &[&str]) -> String {
    let steps = steps.iter().map(|step| format!("  - {}\n", step.replace('\n', "\n    ")));
    format!("plays:\n- hosts: {hosts}\n  steps:\n{}", steps.collect::<String>())
}

fn options() -> Options {
    Options {
        run: "test".into(),
        who: "ann@desk".into(),
        plan: false,
        limit: None,
        forks: 8,
        wait: Duration::from_secs(1),
        fail_fast: false,
        yes: true,
        ask: Arc::new(|_| false),
        batched: true,
    }
}

fn jobs(events: &[Event]) -> Vec<(String, String, Outcome, Option<String>)> {
    let ended = events.iter().filter_map(|event| match event {
        Event::JobFinished { step, host, outcome, message, .. } => {
            Some((step.clone(), host.clone(), *outcome, message.clone()))
        }
        _ => None,
    });
    let mut jobs: Vec<_> = ended.collect();
    jobs.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    jobs
}

fn files(root: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for host in HOSTS {
        let Ok(folder) = std::fs::read_dir(root.join(host)) else { continue };
        let lock = |name: std::ffi::OsString| name.to_string_lossy().starts_with("skep");
        for entry in folder.flatten().filter(|entry| entry.path().is_file() && !lock(entry.file_name())) {
            let name = format!("{host}/{}", entry.file_name().to_string_lossy());
            files.push((name, std::fs::read_to_string(entry.path()).unwrap_or_default()));
        }
    }
    files.sort();
    files
}
