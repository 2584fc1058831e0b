//! Which web pages there are: what containers say of themselves by their labels, and where their host reaches them.
//!
//! The labels are described in `docs/forward.md`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::remote::Command;

/// Says which ports have pages: `NAME:PORT`, several separated by commas.
pub const LABEL: &str = "skep.forward";
/// Says which file on the host holds the token of the first page.
pub const TOKEN_FILE: &str = "skep.forward.token-file";
/// Says which file in the container does.
pub const TOKEN_INSIDE: &str = "skep.forward.token-inside";
/// Docker's own: the service that a container is a task of.
const SERVICE: &str = "com.docker.swarm.service.name";

/// An address and a port, as a host sees them.
pub type Place = (String, u16);

/// A web page of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What people call it: `Spark master`.
    pub name: String,
    /// The container's name.
    pub container: String,
    /// The service that it is a task of: another task of it, by another name, has the same page.
    pub service: Option<String>,
    /// The port inside the container.
    pub port: u16,
    /// Where the container's host reaches it; nowhere, where all that the container is in are overlays, say.
    pub at: Option<Place>,
    /// Where the token is that is put into the address.
    pub token: Option<Token>,
}

/// The file that holds a page's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// On the host.
    Host(String),
    /// In the container of this id.
    Inside(String, String),
}

impl Token {
    /// What prints it, for nobody but who asked.
    pub fn read(&self) -> Command {
        match self {
            Self::Host(file) => Command::new("cat").args(["--", file]),
            Self::Inside(container, file) => Command::new("docker").args(["exec", container, "cat", "--", file]),
        }
    }
}

impl Page {
    /// How well this is the page that was there before, of a container that may have been replaced.
    pub fn succeeds(&self, before: &Self) -> Option<bool> {
        let same = self.container == before.container;
        let task = self.service.is_some() && self.service == before.service;
        (self.port == before.port && (same || task)).then_some(same)
    }
}

/// What asks a host for its containers with pages.
pub fn look() -> Command {
    Command::sh(include_str!("pages.sh"))
}

/// One line of the answer, for a container.
#[derive(Deserialize)]
struct Container {
    id: String,
    name: String,
    labels: HashMap<String, String>,
    ports: Option<HashMap<String, Option<Vec<Published>>>>,
    /// By name; that of its host is called `host`, and has no addresses.
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    #[serde(default)]
    host_ip: String,
    host_port: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    #[serde(default, rename = "IPAddress")]
    address: String,
    /// Where its host is in it; empty for an overlay, and for a bridge without a way out.
    #[serde(default)]
    gateway: String,
    /// Those of a swarm have shorter ones.
    #[serde(default, rename = "NetworkID")]
    id: String,
}

impl Network {
    /// Whether its host is in it.
    fn is_local(&self) -> bool {
        !self.gateway.is_empty() || self.id.len() == 64
    }
}

/// An entry of docker_gwbridge, by container id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Gateway {
    #[serde(default, rename = "IPv4Address")]
    address: String,
}

/// Reads the answer of [`look`]: a line for each container, a blank one, and what is on docker_gwbridge.
///
/// # Errors
/// The answer is not what was asked for.
pub fn read(answer: &str) -> serde_json::Result<Vec<Page>> {
    let (containers, gateways) = answer.split_once("\n\n").unwrap_or(("", answer));
    let gateways: HashMap<String, Gateway> = match gateways.trim() {
        "" | "null" => HashMap::new(),
        text => serde_json::from_str(text)?,
    };
    let mut pages = Vec::new();
    // Docker lists the newest first; people look for the first.
    for line in containers.lines().rev().filter(|line| !line.trim().is_empty()) {
        let container: Container = serde_json::from_str(line)?;
        pages.extend(container.pages(gateways.get(&container.id)));
    }
    Ok(pages)
}

/// Names and ports of the pages that a label tells of.
pub fn named(label: &str) -> impl Iterator<Item = (String, u16)> {
    label.split(',').filter_map(|page| {
        let (name, port) = page.rsplit_once(':')?;
        Some((name.trim().to_owned(), port.trim().parse::<u16>().ok()?))
    })
}

impl Container {
    fn pages(&self, gateway: Option<&Gateway>) -> Vec<Page> {
        let label = self.labels.get(LABEL).map_or("", String::as_str);
        let pages = named(label).enumerate().map(|(nth, (name, port))| {
            let token = self.token().filter(|_| nth == 0);
            let (container, service) =
                (self.name.trim_start_matches('/').to_owned(), self.labels.get(SERVICE).cloned());
            Page { name, container, service, port, at: self.at(port, gateway), token }
        });
        pages.collect()
    }

    fn token(&self) -> Option<Token> {
        let host = self.labels.get(TOKEN_FILE).map(|file| Token::Host(file.clone()));
        host.or_else(|| Some(Token::Inside(self.id.clone(), self.labels.get(TOKEN_INSIDE)?.clone())))
    }

    /// A port published on the host, or of the host itself, else the container's address on a network that its host is in.
    /// An overlay's address is not: the host itself cannot reach it.
    fn at(&self, port: u16, gateway: Option<&Gateway>) -> Option<Place> {
        let bare = |address: &str| Some(address.split('/').next()?.to_owned()).filter(|address| !address.is_empty());
        self.published(port)
            .or_else(|| self.shares_host().then(|| ("127.0.0.1".to_owned(), port)))
            .or_else(|| Some((bare(&gateway?.address)?, port)))
            .or_else(|| Some((bare(&self.networks.as_ref()?.get("bridge")?.address)?, port)))
            .or_else(|| {
                let mut reached = self.networks.as_ref()?.values().filter(|network| network.is_local());
                reached.find_map(|network| Some((bare(&network.address)?, port)))
            })
    }

    fn shares_host(&self) -> bool {
        self.networks.as_ref().is_some_and(|networks| networks.contains_key("host"))
    }

    fn published(&self, port: u16) -> Option<Place> {
        let published = self.ports.as_ref()?.get(&format!("{port}/tcp"))?.as_ref()?;
        let local = |ip: &str| matches!(ip, "" | "0.0.0.0" | "127.0.0.1");
        let v4 = published.iter().find(|one| local(&one.host_ip)).map(|one| ("127.0.0.1".to_owned(), one));
        let (address, one) = v4.or_else(|| published.first().map(|one| (one.host_ip.clone(), one)))?;
        let address = if address == "::" { "::1".to_owned() } else { address };
        Some((address, one.host_port.parse().ok()?))
    }
}

#[cfg(test)]
impl Page {
    /// A page of which no more is told, and which its host has no way to.
    pub fn of(name: &str, container: &str, port: u16) -> Self {
        Self { name: name.into(), container: container.into(), service: None, port, at: None, token: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"id":"aa","name":"/spark-master","labels":{"skep.forward":"Spark master:8080"},"ports":{"7077/tcp":null,"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"18080"}]},"networks":{"sparknet":{"IPAddress":"10.0.1.2"}}}
{"id":"bb","name":"/spark-driver","labels":{"skep.forward":"JupyterLab:8888, Spark application:4040","skep.forward.token-file":"/etc/skep/t"},"ports":{},"networks":{"sparknet":{"IPAddress":"10.0.1.3"}}}
{"id":"cc","name":"/alone","labels":{"skep.forward":"It:80,broken,too:99999999","skep.forward.token-inside":"/run/t"},"ports":null,"networks":{"bridge":{"IPAddress":"172.17.0.2"}}}
{"id":"dd","name":"/nowhere","labels":{"skep.forward":"It:80"},"ports":{},"networks":{"none":{"IPAddress":""}}}

{"bb":{"Name":"gateway_bb","IPv4Address":"172.20.0.4/16"},"zz":{"IPv4Address":"172.20.0.5/16"}}
"#;

    #[test]
    fn a_page_is_where_its_host_reaches_it() {
        let pages = read(ANSWER).expect("an answer");
        let place = |page: &Page| page.at.as_ref().map_or("nowhere".to_owned(), |at| format!("{}:{}", at.0, at.1));
        let told: Vec<_> = pages.iter().map(|page| format!("{} {}", page.name, place(page))).collect();
        let expected = [
            "It nowhere",
            "It 172.17.0.2:80",
            "JupyterLab 172.20.0.4:8888",
            "Spark application 172.20.0.4:4040",
            "Spark master 127.0.0.1:18080",
        ];
        assert_eq!(told, expected);
    }

    /// Where a container in these networks has its page.
    fn at(networks: &str) -> Option<String> {
        let labels = r#"{"skep.forward":"It:80"}"#;
        let row = format!(r#"{{"id":"aa","name":"/a","labels":{labels},"ports":{{}},"networks":{{{networks}}}}}"#);
        let pages = read(&format!("{row}\n\n{{}}\n")).expect("an answer");
        pages[0].at.as_ref().map(|(address, port)| format!("{address}:{port}"))
    }

    #[test]
    fn an_overlay_is_no_way_for_its_host() {
        let overlay = r#""aa":{"IPAddress":"10.0.1.2","Gateway":""}"#;
        let bridges = r#""own":{"IPAddress":"172.18.0.2","Gateway":"172.18.0.1"},"two":{"IPAddress":"172.19.0.2","Gateway":"172.19.0.1"}"#;
        assert_eq!(at(&format!("{overlay},{bridges}")).as_deref(), Some("172.18.0.2:80"));
        assert_eq!(at(overlay), None);
        let id = "0a".repeat(32);
        let closed = format!(r#""in":{{"IPAddress":"172.20.0.2","Gateway":"","NetworkID":"{id}"}}"#);
        assert_eq!(at(&format!("{overlay},{closed}")).as_deref(), Some("172.20.0.2:80"), "a bridge without a way out");
    }

    #[test]
    fn a_container_in_its_hosts_network_is_at_its_hosts_own_port() {
        let id = "0b".repeat(32);
        let host = format!(r#""host":{{"IPAddress":"","Gateway":"","NetworkID":"{id}"}}"#);
        assert_eq!(at(&host).as_deref(), Some("127.0.0.1:80"));
    }

    #[test]
    fn the_token_is_the_first_pages() {
        let pages = read(ANSWER).expect("an answer");
        let tokens: Vec<_> = pages.iter().map(|page| page.token.as_ref().map(|token| token.read().wire())).collect();
        let (inside, host) = ("docker exec cc cat -- /run/t".to_owned(), "cat -- /etc/skep/t".to_owned());
        assert_eq!(tokens, [None, Some(inside), Some(host), None, None]);
    }

    #[test]
    fn a_page_of_a_task_is_that_of_the_next_task_and_of_nothing_else() {
        let page = |container: &str, service: Option<&str>, port| Page {
            service: service.map(str::to_owned),
            ..Page::of("It", container, port)
        };
        let before = page("app.1.x", Some("app"), 80);
        assert_eq!(page("app.1.x", Some("app"), 80).succeeds(&before), Some(true));
        assert_eq!(page("app.1.y", Some("app"), 80).succeeds(&before), Some(false));
        assert_eq!(page("app.1.y", Some("app"), 81).succeeds(&before), None);
        assert_eq!(page("other", None, 80).succeeds(&page("one", None, 80)), None);
    }

    #[test]
    fn a_host_without_any_has_none() {
        assert_eq!(read("\n\nnull\n").expect("an answer"), []);
        assert_eq!(read("\n\n{}\n").expect("an answer"), []);
        assert!(read("Cannot connect to the Docker daemon").is_err());
    }
}
