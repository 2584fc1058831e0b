//! How a host comes into the swarm: by starting it, or by joining.

use std::net::IpAddr;

use super::address::{Net, advertised, free_pool, overlapping};
use super::ports::{Ways, ways};
use super::{CONTROL, Plan, Readings, Role, Swarm, Target, Wait};
use crate::actions::peers::peers;
use crate::actions::{Change, Does, Refusal};
use crate::reads::{Machine, Seen};
use crate::remote::Command;

/// The bridge through which containers on overlays leave their host. Docker makes it on entering a swarm, with an MTU of 1500.
pub(super) const GWBRIDGE: &str = "docker_gwbridge";

/// Two clocks that are further apart cannot agree on certificates (moby#25112), in seconds.
const APART: f64 = 60.0;

impl Swarm {
    /// A host in no swarm, or without Docker so far.
    pub(super) fn enter(&self, role: Role, on: &Target, seen: &Readings<'_>) -> Plan {
        let own = match advertised(&on.host, &self.members(on), seen) {
            Ok(own) => own,
            Err(refusal) => return Plan::Refused(refusal),
        };
        if let Some((leader, info)) = self.leader(on, seen) {
            return match info.swarm.node_addr.parse() {
                Ok(address) => self.join_now(role, own, &leader, address, on, seen),
                Err(_) => Plan::unread(&format!("the address of {leader} in the swarm"), &info.swarm.node_addr),
            };
        }
        let managers = peers(on, &self.managers);
        match managers.first() {
            None => {
                Plan::refused(format!("no host is in {}", self.managers), "name the hosts that are to be `managers`")
            }
            Some(first) if first.name == on.host.name => self.start(own, on, seen),
            Some(first) => self.join_later(role, own, &first.name, on, seen),
        }
    }

    /// Starts the swarm, if it is certain that there is none.
    fn start(&self, own: IpAddr, on: &Target, seen: &Readings<'_>) -> Plan {
        for manager in peers(on, &self.managers) {
            match seen.daemon(&manager.name) {
                Seen::Absent => {}
                Seen::Is(info) if info.swarm.inactive() => {}
                Seen::Is(_) => {
                    return super::wait(
                        format!("{}, which is in a swarm, to control it", manager.name),
                        on,
                        seen,
                        self,
                    );
                }
                Seen::Unread(why) => {
                    let hint = format!("bring {0} up, or take it out of {1}", manager.name, self.managers);
                    return Plan::refused(
                        format!("cannot tell whether {} is in a swarm already: {why}", manager.name),
                        hint,
                    );
                }
            }
        }
        match self.pools(on, seen) {
            Ok(pools) => Plan::Change(self.bridge(own, on, seen).into_iter().chain([self.init(own, &pools)]).collect()),
            Err(refusal) => Plan::Refused(refusal),
        }
    }

    fn init(&self, own: IpAddr, pools: &[String]) -> Change {
        let mut command = Command::new("docker").args(["swarm", "init"]).args(addresses(own));
        command = command.args(pools.iter().flat_map(|pool| ["--default-addr-pool", pool]));
        if let Some(size) = self.subnet_size {
            command = command.args(["--default-addr-pool-mask-length".to_owned(), size.to_string()]);
        }
        // What it prints is the token.
        Change::run("there is no swarm yet", command.syntax(">/dev/null"))
    }

    fn pools(&self, on: &Target, seen: &Readings<'_>) -> Result<Vec<String>, Refusal> {
        let members = self.members(on);
        let refused = |why: String, hint: &str| Refusal { why, hint: Some(hint.into()) };
        for pool in &self.pool {
            let Some(net) = Net::parse(pool) else {
                return Err(refused(
                    format!("`pool`: {pool} is not a network in CIDR notation"),
                    "write 10.200.0.0/16",
                ));
            };
            if let Some(taken) = overlapping(&net, &members, seen) {
                let why = format!("the pool {pool} would cut containers off from {taken}");
                return Err(refused(why, "choose another `pool`, or leave it out and one that is free is taken"));
            }
        }
        match free_pool(&members, seen) {
            _ if !self.pool.is_empty() => Ok(self.pool.clone()),
            Some(pool) => Ok(vec![pool]),
            None => Err(refused("no private range is free of routes on all hosts".into(), "give one as `pool`")),
        }
    }

    /// The swarm is about to be started elsewhere, in this very step.
    fn join_later(&self, role: Role, own: IpAddr, first: &str, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = on.hosts.iter().find(|host| host.name == first);
        let address = host.and_then(|host| advertised(host, &self.members(on), seen).ok());
        let then = address.map(|address| self.join(role, own, first, address, on, seen)).unwrap_or_default();
        Plan::Wait(Wait { what: format!("{first} to start the swarm"), on: vec![first.into()], by_step: true, then })
    }

    fn join_now(
        &self,
        role: Role,
        own: IpAddr,
        leader: &str,
        address: IpAddr,
        on: &Target,
        seen: &Readings<'_>,
    ) -> Plan {
        let ahead = |host: &str| seen.machine(host).is().map(Machine::ahead);
        if let (Some(here), Some(there)) = (ahead(&on.host.name), ahead(leader))
            && (here - there).abs() > APART
        {
            let why = format!(
                "the clocks of {} and {leader} are {:.0} s apart, so neither would trust the other's certificate",
                on.host.name,
                (here - there).abs()
            );
            return Plan::refused(why, "let both keep time: timedatectl set-ntp true");
        }
        match ways(on, leader, own, address, seen) {
            Ways::Open => Plan::Change(self.join(role, own, leader, address, on, seen)),
            Ways::Untried(why) => {
                let mut changes = self.join(role, own, leader, address, on, seen);
                changes.iter_mut().for_each(|change| change.why += &format!(" (its ports could not be tried: {why})"));
                Plan::Change(changes)
            }
            Ways::Barred(plan) => plan,
        }
    }

    fn join(
        &self,
        role: Role,
        own: IpAddr,
        leader: &str,
        address: IpAddr,
        on: &Target,
        seen: &Readings<'_>,
    ) -> Vec<Change> {
        let source = Command::new("docker").args(["swarm", "join-token", "-q", role.word()]);
        let to = join_command(own, address);
        let join = Change::new("it is in no swarm", Does::Pipe { from: leader.into(), source, to });
        self.bridge(own, on, seen).into_iter().chain([join]).collect()
    }

    /// Docker's own bridge, made beforehand where the network below carries less than 1500 bytes (moby#41406).
    fn bridge(&self, own: IpAddr, on: &Target, seen: &Readings<'_>) -> Option<Change> {
        let mtu = seen.machine(&on.host.name).is()?.interface_of(own).map(|nic| nic.mtu).filter(|mtu| *mtu < 1500)?;
        let options = ["name=docker_gwbridge", "enable_icc=false", "enable_ip_masquerade=true"];
        let options = options.into_iter().map(|option| format!("com.docker.network.bridge.{option}"));
        let options = options.chain([format!("com.docker.network.driver.mtu={mtu}")]);
        let command = Command::new("docker").args(["network", "create"]);
        let command = command.args(options.flat_map(|option| ["--opt".to_owned(), option])).arg(GWBRIDGE);
        let why = format!("the network below carries {mtu} bytes, less than Docker's own bridge would");
        (seen.network(&on.host.name, GWBRIDGE) == Seen::Absent).then(|| Change::run(why, command))
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
