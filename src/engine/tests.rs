//! The engine on hosts that are folders: the proof that batching changes nothing, and what happens on bad days.

mod equivalence;
mod rules;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::{Options, Order, run};
use crate::event::{Event, Outcome};
use crate::inventory::Host;
use crate::playbook::Playbook;
use crate::remote::fake::{Fake, Hook};
use crate::yaml::{At, Node, Source, Value};

/// The hosts of these tests, all managers and workers alike.
const HOSTS: [&str; 2] = ["alpha", "beta"];

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
    plan: bool,
    batched: bool,
}

/// A run's result, its events, and the scripts that were sent.
struct Ran {
    came: Came,
    events: Vec<Event>,
    calls: Vec<(String, String)>,
}

impl Lab {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("tempdir"), hook: None, plan: false, batched: true }
    }

    async fn run(&self, playbook: &str) -> Ran {
        let mut fake = Fake::new(self.root.path(), &HOSTS).expect("folders");
        if let Some(hook) = &self.hook {
            fake = fake.with(hook.clone());
        }
        let fake = Arc::new(fake);
        let order = order(playbook, self.root.path());
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let kept = events.clone();
        let emit = Arc::new(move |event| kept.lock().expect("events").push(event));
        let (_never, cancel) = watch::channel(false);
        let options = Options { plan: self.plan, batched: self.batched, ..options() };
        let code = run(&order, fake.clone(), options, emit, cancel).await;
        let events = events.lock().expect("events").clone();
        let came = Came { jobs: jobs(&events), files: files(self.root.path()), code };
        Ran { came, events, calls: fake.calls() }
    }

    fn write(&self, host: &str, file: &str, content: &str) {
        let folder = self.root.path().join(host);
        std::fs::create_dir_all(&folder).expect("folder");
        std::fs::write(folder.join(file), content).expect("write");
    }
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

fn order(playbook: &str, root: &Path) -> Order {
    let path = root.join("playbook.yml");
    std::fs::write(&path, playbook).expect("write");
    let playbook = Playbook::read(&path).unwrap_or_else(|errors| panic!("{errors}"));
    let steps = playbook.steps().map(|step| step.id.clone()).collect();
    let hosts = HOSTS.iter().map(|name| Arc::new(host(name, root))).collect();
    Order { playbook: Arc::new(playbook), steps, hosts, extra: Arc::default() }
}

fn host(name: &str, root: &Path) -> Host {
    let at = At { source: Arc::new(Source { path: "test".into(), text: String::new() }), start: 0, end: 0 };
    let folder = Node { value: Value::Str(root.join(name).display().to_string()), at };
    Host {
        name: name.into(),
        address: name.into(),
        port: 22,
        user: None,
        identity_file: None,
        jump: None,
        host_keys: Vec::new(),
        become_root: false,
        become_user: "root".into(),
        private_address: None,
        groups: Vec::new(),
        vars: vec![("root".into(), folder)],
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
        for entry in folder.flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with("skep")) {
            let name = format!("{host}/{}", entry.file_name().to_string_lossy());
            files.push((name, std::fs::read_to_string(entry.path()).unwrap_or_default()));
        }
    }
    files.sort();
    files
}
