//! How a host comes into the swarm: by starting it, or by joining.

use std::net::IpAddr;

use super::address::advertised;
use super::ports::Ways;
use super::view::View;
use super::{CONTROL, Role};
use crate::actions::cidr::Net;
use crate::actions::{Change, Does, Plan, Wait};
use crate::reads::docker::Info;
use crate::reads::{Machine, Seen};
use crate::remote::Command;

/// The bridge through which containers on overlays leave their host. Docker makes it on entering a swarm, with an MTU of 1500.
pub(super) const GWBRIDGE: &str = "docker_gwbridge";

/// Two clocks that are further apart cannot agree on certificates (moby#25112), in seconds.
const APART: f64 = 60.0;

/// A host that is about to join: as what, known by which address, and where the swarm is commanded.
pub(super) struct Joining<'a> {
    pub(super) role: Role,
    pub(super) own: IpAddr,
    pub(super) leader: &'a str,
    pub(super) at: IpAddr,
}

impl View<'_> {
    /// A host in no swarm, or without Docker so far.
    pub(super) fn enter(&self, role: Role) -> Plan {
        let own = match advertised(&self.on.host, &self.members, self.seen) {
            Ok(own) => own,
            Err(refusal) => return Plan::Refused(refusal),
        };
        if let Some((leader, info)) = self.leader() {
            return match info.swarm.node_addr.parse() {
                Ok(at) => self.join_now(&Joining { role, own, leader, at }, info),
                Err(_) => Plan::unread(&format!("the address of {leader} in the swarm"), &info.swarm.node_addr),
            };
        }
        match self.managers.first() {
            None => {
                let why = format!("no host is in {}", self.asked.managers);
                Plan::refused(why, "name the hosts that are to be `managers`")
            }
            Some(first) if first.name == self.host() => self.start(own),
            Some(first) => self.join_later(role, own, &first.name),
        }
    }

    /// Starts the swarm, if it is certain that there is none.
    fn start(&self, own: IpAddr) -> Plan {
        for manager in &self.managers {
            let name = &manager.name;
            match self.seen.daemon(name) {
                Seen::Absent => {}
                Seen::Is(info) if info.swarm.inactive() => {}
                Seen::Is(info) => return self.not_alone(name, info),
                Seen::Unread(why) => {
                    let hint = format!("bring {name} up, or take it out of {}", self.asked.managers);
                    return Plan::refused(format!("cannot tell whether {name} is in a swarm already: {why}"), hint);
                }
            }
        }
        match self.pools() {
            Ok(pools) => Plan::Change(self.bridge(own, &pools).into_iter().chain([self.init(own, &pools)]).collect()),
            Err(refusal) => Plan::Refused(refusal),
        }
    }

    /// One of the managers is in a swarm: as a manager that has no quorum now, or of a swarm that is commanded elsewhere.
    fn not_alone(&self, name: &str, info: &Info) -> Plan {
        let elsewhere = self.elsewhere(name, info, &[info]).or_else(|| self.without_quorum(info));
        elsewhere.unwrap_or_else(|| self.wait(format!("{name}, which is in a swarm, to control it")))
    }

    fn init(&self, own: IpAddr, pools: &[String]) -> Change {
        let mut command = Command::new("docker").args(["swarm", "init"]).args(addresses(own));
        command = command.args(pools.iter().flat_map(|pool| ["--default-addr-pool", pool]));
        if let Some(size) = self.asked.subnet_size {
            command = command.args(["--default-addr-pool-mask-length".to_owned(), size.to_string()]);
        }
        let unread = self.unread();
        let why = match unread.is_empty() {
            true => "there is no swarm yet".to_owned(),
            false => format!(
                "there is no swarm yet (the networks of {} could not be read: {} must not be among them)",
                unread.join(", "),
                pools.join(", ")
            ),
        };
        // What it prints is the token.
        Change::run(why, super::mark::joined(command, self.host()))
    }

    /// The swarm is about to be started elsewhere, in this very step.
    fn join_later(&self, role: Role, own: IpAddr, first: &str) -> Plan {
        let host = self.members.iter().find(|host| host.name == first);
        let at = host.and_then(|host| advertised(host, &self.members, self.seen).ok());
        let then = at.map(|at| self.join(&Joining { role, own, leader: first, at }, &[])).unwrap_or_default();
        let what = format!("{first} to start the swarm");
        Plan::Wait(Wait { what, on: vec![first.into()], by_step: true, then, ..Wait::default() })
    }

    fn join_now(&self, joining: &Joining<'_>, leading: &Info) -> Plan {
        let (host, leader) = (self.host(), joining.leader);
        let ahead = |host: &str| self.seen.machine(host).is().map(Machine::ahead);
        if let (Some(here), Some(there)) = (ahead(host), ahead(leader))
            && (here - there).abs() > APART
        {
            let why = format!(
                "the clocks of {host} and {leader} are {:.0} s apart, so neither would trust the other's certificate",
                (here - there).abs()
            );
            return Plan::refused(why, "let both keep time: timedatectl set-ntp true");
        }
        if let Some(refusal) = self.cut_off(leader, leading) {
            return Plan::Refused(refusal);
        }
        let pools = leading.swarm.cluster.iter().flat_map(|cluster| cluster.default_addr_pool.clone()).flatten();
        let mut changes = self.join(joining, &pools.collect::<Vec<_>>());
        match self.ways(joining) {
            Ways::Open => {}
            Ways::Untried(why) => {
                changes.iter_mut().for_each(|change| change.why += &format!(" (its ports could not be tried: {why})"));
            }
            Ways::Barred(plan) => return plan,
        }
        changes.insert(changes.len() - 1, self.announce(joining, &leading.swarm.node_id));
        Plan::Change(changes)
    }

    fn join(&self, joining: &Joining<'_>, pools: &[String]) -> Vec<Change> {
        let source = Command::new("docker").args(["swarm", "join-token", "-q", joining.role.word()]);
        let to = join_command(joining.own, joining.at);
        let why = format!("it is in no swarm{}", self.frail(joining.role));
        let join = Change::new(why, Does::Pipe { from: joining.leader.into(), source, to, bytes: 0 });
        self.bridge(joining.own, pools).into_iter().chain([join]).collect()
    }

    /// Docker's own bridge, made beforehand where the network below carries less than 1500 bytes (moby#41406), or where the
    /// range that Docker would choose might be another member's.
    fn bridge(&self, own: IpAddr, pools: &[String]) -> Option<Change> {
        let mtu = self.seen.machine(self.host()).is()?.interface_of(own).map(|nic| nic.mtu).filter(|mtu| *mtu < 1500);
        let pools: Vec<Net> = pools.iter().filter_map(|pool| Net::parse(pool)).collect();
        let range = self.bridge_range(&pools);
        let why = match (&mtu, &range) {
            (None, None) => return None,
            (Some(mtu), _) => format!("the network below carries {mtu} bytes, less than Docker's own bridge would"),
            (None, Some((_, theirs))) => format!("Docker's own bridge might take {theirs}"),
        };
        let options = ["name=docker_gwbridge", "enable_icc=false", "enable_ip_masquerade=true"];
        let options = options.into_iter().map(|option| format!("com.docker.network.bridge.{option}"));
        let options = options.chain(mtu.map(|mtu| format!("com.docker.network.driver.mtu={mtu}")));
        let command = Command::new("docker").args(["network", "create"]);
        let command = command.args(range.iter().flat_map(|(range, _)| ["--subnet", range]));
        let command = command.args(options.flat_map(|option| ["--opt".to_owned(), option])).arg(GWBRIDGE);
        (self.seen.network(self.host(), GWBRIDGE) == Seen::Absent).then(|| Change::run(why, command))
    }
}

fn addresses(own: IpAddr) -> [String; 6] {
    let words = ["--advertise-addr", "--data-path-addr", "--listen-addr"].map(str::to_owned);
    let [advertise, data, listen] = words;
    [advertise, own.to_string(), data, own.to_string(), listen, at(own)]
}

fn at(address: IpAddr) -> String {
    std::net::SocketAddr::new(address, CONTROL).to_string()
}

/// Joins with the token that comes on standard input. `printf` is the shell's own and curl reads its standard input, so that no
/// process list shows the token; only where there is no curl does it become an argument.
fn join_command(own: IpAddr, leader: IpAddr) -> Command {
    let leader = at(leader);
    let body = format!(
        r#"{{"ListenAddr":"{}","AdvertiseAddr":"{own}","DataPathAddr":"{own}","RemoteAddrs":["{leader}"],"JoinToken":"%s"}}"#,
        at(own)
    );
    let line = format!("docker swarm join {} --token", addresses(own).join(" "));
    let script = include_str!("join.sh").replace("@BODY@", &body).replace("@LINE@", &line).replace("@LEADER@", &leader);
    Command::sh(script).shown_as(format!("{line} {} {leader}", crate::secret::MASK))
}
