//! Spark's master: where one runs, and what its page says.

use serde::{Deserialize, Serialize};

use crate::reads::docker::Listed;
use crate::reads::{Probe, Seen};
use crate::remote::{Output, quote};

/// A master of Spark, as its own page tells of it. Memory is in MiB, as Spark counts.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Master {
    /// The host that it runs on.
    pub host: String,
    /// Its container.
    pub container: String,
    /// Why its page could not be read; the rest is empty then.
    pub problem: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub page: Page,
}

/// The page of a master. Spark's names are read, ours are written.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// Where applications find it: `spark://sparkmaster:7077`.
    pub url: String,
    /// `ALIVE`, `STANDBY`, `RECOVERING`, ….
    pub status: String,
    /// The workers that it knows, also those that it has lost.
    pub workers: Vec<Worker>,
    /// What the living workers offer.
    #[serde(flatten)]
    pub offer: Offer,
    /// What runs, or waits for its turn.
    #[serde(rename(deserialize = "activeapps"))]
    pub applications: Vec<Application>,
}

/// A worker.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Worker {
    /// Its id.
    pub id: String,
    /// What it calls its host.
    pub host: String,
    /// `ALIVE`, `DEAD`, `DECOMMISSIONED` or `UNKNOWN`.
    pub state: String,
    /// What it offers.
    #[serde(flatten)]
    pub offer: Offer,
}

/// Processors and memory, and how much of them is in use.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offer {
    /// Processors.
    pub cores: u64,
    /// How many of them are in use.
    #[serde(rename(deserialize = "coresused"))]
    pub cores_used: u64,
    /// Memory.
    #[serde(rename(deserialize = "memory", serialize = "memory_mib"))]
    pub memory: u64,
    /// How much of it is in use.
    #[serde(rename(deserialize = "memoryused", serialize = "memory_used_mib"))]
    pub memory_used: u64,
}

/// An application.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who started it.
    pub user: String,
    /// `RUNNING`, `WAITING`, ….
    pub state: String,
    /// How many processors it has.
    pub cores: u64,
}

impl Worker {
    /// Whether the master hears of it.
    pub fn is_alive(&self) -> bool {
        self.state == "ALIVE"
    }
}

/// Whether a master runs in it: its label says so, or the service that it is a task of.
pub fn is_master(container: &Listed) -> bool {
    container.runs() && (container.spark == "master" || container.service.ends_with("_spark-master"))
}

/// Asks for its page from inside, where nothing needs to be published.
pub fn page(container: &Listed) -> Probe {
    Probe::new(format!("docker exec {} wget -q -O - http://127.0.0.1:8080/json/", quote(&container.id)))
}

/// Understands the page.
pub fn read(host: &str, container: &str, page: &Seen<Output>) -> Master {
    let page = match page {
        Seen::Is(output) if output.ok() => {
            serde_json::from_slice(&output.stdout).map_err(|why| format!("its page was not understood: {why}"))
        }
        Seen::Is(output) => Err(failed(output)),
        Seen::Absent => Err("the host gave no answer".into()),
        Seen::Unread(why) => Err(why.clone()),
    };
    let (page, problem) = page.map_or_else(|why| (Page::default(), Some(why)), |page| (page, None));
    Master { host: host.to_owned(), container: container.to_owned(), problem, page }
}

/// wget with `-q` says nothing, only its code.
fn failed(output: &Output) -> String {
    match output.errors() {
        words if words.is_empty() => format!("its page does not answer (wget ended with {})", output.code),
        words => format!("its page does not answer: {words}"),
    }
}
