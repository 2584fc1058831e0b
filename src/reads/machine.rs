//! The machine itself: system, clock, size, disks, network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Part, Read, Readings, Seen, Value};
use crate::remote::Output;

/// What a host is like. What it did not tell is empty or 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// `ID` of os-release(5): `debian`, `ubuntu`.
    pub id: String,
    /// `VERSION_ID` of os-release(5): `12`, `24.04`.
    pub version: String,
    /// `VERSION_CODENAME` of os-release(5): `bookworm`, `noble`.
    pub codename: String,
    /// As dpkg names it: `amd64`, `arm64`.
    pub architecture: String,
    /// Its name for itself.
    pub hostname: String,
    /// machine-id(5).
    pub machine_id: String,
    /// Differs after each start of the machine.
    pub boot_id: String,
    /// Seconds since it started.
    pub uptime: f64,
    /// Its clock, in seconds since 1970, when it was read.
    pub clock: f64,
    /// The workstation's clock when the answer was understood: a little later.
    pub read_at: f64,
    /// Processors.
    pub cores: u32,
    /// MiB of memory: the machine's, or what its control group allows where that is less.
    pub memory: u64,
    /// MiB that are free for `/`, `/var/lib/docker`, `/var/lib/containerd` and `/tmp`.
    pub free: Vec<(String, u64)>,
    /// Its network interfaces.
    pub interfaces: Vec<Interface>,
    /// What its main routing tables lead to, default routes left out.
    pub routes: Vec<Route>,
    /// The source address of its default route.
    pub source: Option<IpAddr>,
    /// The name servers that it asks.
    pub resolvers: Vec<IpAddr>,
    /// `systemctl is-system-running`: `running`, `degraded`, `starting`, …
    pub systemd: String,
    /// Who read this.
    pub user: String,
    /// The groups of who read this.
    pub groups: Vec<String>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `eth0`.
    pub name: String,
    /// Bytes that one packet may carry.
    pub mtu: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Addresses with the length of their prefix, link-local ones left out.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// A network that a host has a way to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network's address.
    pub to: IpAddr,
    /// The length of its prefix.
    pub prefix: u8,
    /// The interface that leads there.
    pub device: String,
}

pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let part = || Part {
        script: include_str!("machine.sh").into(),
        reads: vec![Read::Machine],
        understand: |_, output| vec![understand(output, now())],
        deadline: 10,
    };
    reads.contains(&Read::Machine).then(part).into_iter().collect()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn understand(output: &Output, read_at: f64) -> Seen<Value> {
    let text = output.text();
    if !text.ends_with("end=") {
        return Seen::Unread(format!("the answer was cut short: {}", output.errors()));
    }
    Seen::Is(Value::Machine(Box::new(Machine { read_at, ..machine(&Lines::new(&text)) })))
}

/// `key=value` lines, several of a key in their order.
struct Lines<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let mut keys: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            keys.entry(key).or_default().push(value);
        }
        Self(keys)
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &'a str> + '_ {
        self.0.get(key).into_iter().flatten().copied()
    }

    fn one(&self, key: &str) -> &'a str {
        self.all(key).next().unwrap_or_default()
    }

    fn text(&self, key: &str) -> String {
        self.one(key).to_owned()
    }

    /// The first word of a value, as a number.
    fn number<N: std::str::FromStr + Default>(&self, key: &str) -> N {
        self.one(key).split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

fn machine(lines: &Lines<'_>) -> Machine {
    Machine {
        id: lines.text("id"),
        version: lines.text("version"),
        codename: lines.text("codename"),
        architecture: lines.text("architecture"),
        hostname: lines.text("hostname"),
        machine_id: lines.text("machine"),
        boot_id: lines.text("boot"),
        uptime: lines.number("uptime"),
        clock: lines.number("clock"),
        read_at: 0.0,
        cores: lines.number("cores"),
        memory: memory(lines),
        free: lines.all("free").filter_map(free).collect(),
        interfaces: interfaces(lines),
        routes: lines.all("route").chain(lines.all("route6")).filter_map(route).collect(),
        source: after("src", lines.one("source")).and_then(|word| word.parse().ok()),
        resolvers: lines.all("resolver").filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect(),
        systemd: lines.text("systemd"),
        user: lines.text("user"),
        groups: lines.one("groups").split(' ').map(str::to_owned).collect(),
    }
}

/// MiB, of `MemTotal` in KiB and the limits in bytes; a limit may be the word `max`.
fn memory(lines: &Lines<'_>) -> u64 {
    let total =
        lines.all("memory").find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let limits = lines.all("limit").filter_map(|limit| limit.parse::<u64>().ok()).map(|bytes| bytes >> 20);
    limits.chain(total.map(|kib: u64| kib >> 10)).min().unwrap_or_default()
}

fn free(value: &str) -> Option<(String, u64)> {
    let (path, mib) = value.split_once(' ')?;
    Some((path.to_owned(), mib.parse().ok()?))
}

fn interfaces(lines: &Lines<'_>) -> Vec<Interface> {
    let addresses: Vec<(&str, (IpAddr, u8))> = lines.all("address").filter_map(address).collect();
    let with = |mut interface: Interface| {
        let own = addresses.iter().filter(|(name, _)| *name == interface.name);
        interface.addresses = own.map(|(_, address)| *address).collect();
        interface
    };
    lines.all("link").filter_map(link).map(with).collect()
}

/// `2: eth0@if47: <BROADCAST,UP> mtu 1500 …`
fn link(line: &str) -> Option<Interface> {
    let mut words = line.split_whitespace().skip(1);
    let name = words.next()?.trim_end_matches(':');
    let up = words.next()?.trim_matches(['<', '>']).split(',').any(|flag| flag == "UP");
    let mtu = after("mtu", line)?.parse().ok()?;
    let name = name.split_once('@').map_or(name, |(name, _)| name).to_owned();
    Some(Interface { name, mtu, up, addresses: Vec::new() })
}

/// `2: eth0    inet 10.0.0.5/24 brd … scope global eth0 …`
fn address(line: &str) -> Option<(&str, (IpAddr, u8))> {
    let mut words = line.split_whitespace().skip(1);
    let (name, _, address) = (words.next()?, words.next()?, words.next()?);
    let global = after("scope", line) != Some("link");
    network(address).filter(|_| global).map(|address| (name, address))
}

/// `10.0.0.0/24 dev eth0 …`; a route to one address has no prefix.
fn route(line: &str) -> Option<Route> {
    let (to, prefix) = network(line.split_whitespace().next()?)?;
    Some(Route { to, prefix, device: after("dev", line)?.to_owned() })
}

fn network(word: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = word.split_once('/').map_or((word, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    Some((address, prefix.map_or(Some(whole), |prefix| prefix.parse().ok())?))
}

fn after<'a>(word: &str, line: &'a str) -> Option<&'a str> {
    line.split_whitespace().skip_while(|w| *w != word).nth(1)
}

impl Machine {
    /// How many seconds its clock is ahead of the workstation's; a little less than that, for it was read a little later.
    pub fn ahead(&self) -> f64 {
        self.clock - self.read_at
    }

    /// MiB that are free for one of the paths of [`Machine::free`].
    pub fn free_for(&self, path: &str) -> Option<u64> {
        self.free.iter().find(|(of, _)| of == path).map(|(_, mib)| *mib)
    }

    /// The interface that has `address`.
    pub fn interface_of(&self, address: IpAddr) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.addresses.iter().any(|(own, _)| *own == address))
    }
}

impl<'a> Readings<'a> {
    /// What the machine is like.
    pub fn machine(&self, host: &str) -> Seen<&'a Machine> {
        self.value(host, &Read::Machine, |value| match value {
            Value::Machine(machine) => Some(&**machine),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reads::testing::one;

    const NODE: &str = "\
clock=1795403863.087303563
id=debian
version=12
codename=bookworm
architecture=amd64
hostname=node1
uptime=1799.91 1111.47
cores=2
memory=MemTotal:       24684084 kB
memory=MemAvailable:   23031496 kB
limit=5368709120
free=/ 70861
link=1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue
link=46: eth0@if47: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue
address=46: eth0    inet 172.19.0.11/16 brd 172.19.255.255 scope global eth0\\  valid_lft forever
address=46: eth0    inet6 fe80::fc/64 scope link \\  valid_lft forever
route=default via 172.19.0.1 dev eth0
route=172.19.0.0/16 dev eth0 proto kernel scope link src 172.19.0.11
source=192.0.2.1 via 172.19.0.1 dev eth0 src 172.19.0.11 uid 0
    cache
resolver=nameserver 10.0.0.53
systemd=running
user=root
groups=root docker
end=
";

    fn node() -> Machine {
        machine(&Lines::new(NODE))
    }

    #[test]
    fn the_system_and_its_size_are_understood() {
        let m = node();
        assert_eq!((m.id.as_str(), m.version.as_str(), m.architecture.as_str()), ("debian", "12", "amd64"));
        assert_eq!((m.cores, m.memory, m.free_for("/")), (2, 5120, Some(70861)));
        assert_eq!((m.uptime, m.clock), (1799.91, 1_795_403_863.087_303_6));
        assert_eq!(m.groups, ["root", "docker"]);
    }

    #[test]
    fn without_a_limit_memory_is_the_machines() {
        assert_eq!(machine(&Lines::new("memory=MemTotal:  2048 kB\nlimit=max")).memory, 2);
    }

    #[test]
    fn the_network_is_understood() {
        let m = node();
        let own: IpAddr = "172.19.0.11".parse().unwrap();
        let eth0 = m.interface_of(own).unwrap();
        assert_eq!(
            (eth0.name.as_str(), eth0.mtu, eth0.up, &eth0.addresses[..]),
            ("eth0", 1450, true, &[(own, 16)][..])
        );
        assert_eq!((m.source, m.routes.len(), m.routes[0].prefix), (Some(own), 1, 16));
        assert_eq!(m.resolvers, ["10.0.0.53".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn an_answer_cut_short_is_unread() {
        let cut = Output { stdout: NODE.trim_end().trim_end_matches("end=").into(), ..Output::default() };
        assert!(matches!(understand(&cut, 0.0), Seen::Unread(_)));
    }

    #[test]
    fn the_script_tells_of_the_machine_that_runs_this() {
        let Seen::Is(Value::Machine(m)) = one(Read::Machine) else { panic!("the machine was not read") };
        assert!(m.cores > 0 && m.memory > 0 && m.free_for("/").is_some() && !m.user.is_empty(), "{m:?}");
        assert!(m.ahead().abs() < 5.0, "{}", m.ahead());
        let own = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(m.boot_id, own.trim());
    }
}
