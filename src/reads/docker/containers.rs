//! All containers of a host at a glance, as `docker ps` lists them.

use serde::Deserialize;

use super::answers::Answers;
use super::script::LISTED;
use crate::reads::Seen;

/// A container, running or not, as far as a list tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Listed {
    /// Its id, whole.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image, as it was asked for.
    pub image: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// The same for people, with its health and since when: `Up 3 hours (healthy)`.
    pub status: String,
    /// Its ports as Docker prints them: `0.0.0.0:8080->8080/tcp, 7077/tcp`.
    ports: String,
    /// What it is of Spark, by its label `skep.spark`: `master`, `worker`, `driver`, ….
    pub spark: String,
    /// Which web pages it has, by its label `skep.forward`.
    pub forward: String,
    /// The service of the swarm that it is a task of; empty where of none.
    pub service: String,
}

impl Listed {
    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.state == "running"
    }

    /// `healthy`, `unhealthy` or `starting`; nothing where it has no health check, or does not run.
    pub fn health(&self) -> Option<&str> {
        let inner = self.status.strip_suffix(')')?.rsplit_once('(')?.1;
        let health = inner.strip_prefix("health: ").unwrap_or(inner);
        ["healthy", "unhealthy", "starting"].into_iter().find(|known| *known == health)
    }

    /// The ports that its host publishes, those of all its addresses once: `8080->8080/tcp`, `127.0.0.1:80->80/tcp`.
    pub fn published(&self) -> Vec<String> {
        let mut published: Vec<String> = Vec::new();
        for port in self.ports.split(", ").filter(|port| port.contains("->")) {
            let everywhere = ["0.0.0.0:", "[::]:", ":::"].into_iter().find_map(|all| port.strip_prefix(all));
            let port = everywhere.unwrap_or(port).to_owned();
            if !published.contains(&port) {
                published.push(port);
            }
        }
        published
    }
}

pub(super) fn containers(answers: &Answers) -> Seen<Vec<Listed>> {
    let rows = match answers.list(LISTED) {
        Ok(rows) => rows.iter(),
        Err(why) => return Seen::Unread(why),
    };
    match rows.map(|row| serde_json::from_value(row.clone())).collect() {
        Ok(containers) => Seen::Is(containers),
        Err(e) => Seen::Unread(format!("docker ps was not understood: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_told_by_the_status_and_an_exit_code_is_none() {
        let health = |status: &str| Listed { status: status.into(), ..Listed::default() }.health().map(str::to_owned);
        assert_eq!(health("Up 3 hours (healthy)").as_deref(), Some("healthy"));
        assert_eq!(health("Up 2 seconds (health: starting)").as_deref(), Some("starting"));
        assert_eq!(["Up 3 hours", "Exited (0) 2 days ago", "Up 3 hours (Paused)"].map(health), [None, None, None]);
    }

    #[test]
    fn a_port_of_all_addresses_is_told_once() {
        let ports = "0.0.0.0:80->8080/tcp, [::]:80->8080/tcp, :::80->8080/tcp, 127.0.0.1:81->81/tcp, 7077/tcp";
        let listed = Listed { ports: ports.into(), ..Listed::default() };
        assert_eq!(listed.published(), ["80->8080/tcp", "127.0.0.1:81->81/tcp"]);
    }
}
