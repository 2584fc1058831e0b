//! `ready`: the machine has finished becoming one, and is fit for what comes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Plan, Target, Wait};
use crate::reads::{CloudInit, Lock, Machine, Read, Readings, Seen};
use crate::remote::Output;

/// Waits until a fresh machine is set up (cloud-init is done, nobody holds the package manager's locks), and checks that it
/// is fit: a supported system, enough memory and disk, a clock like the others', a name and a machine id of its own. What
/// cloud-init could not do is shown, and no reason to stop: what comes next says what it misses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// MiB of memory that the machine must have. One that is sold as 2 GiB tells of about 1900.
    memory: u64,
    /// MiB that must be free on `/` and where Docker keeps its data.
    disk: u64,
    /// Seconds that its clock may be apart from most of the others'. Above 60 nodes refuse each other's certificates.
    clock: f64,
}

impl Default for Ready {
    fn default() -> Self {
        Self { memory: 512, disk: 1024, clock: 30.0 }
    }
}

/// The oldest systems that are supported: `ID` of os-release(5) and the least `VERSION_ID`.
const SUPPORTED: &[(&str, f64)] = &[("debian", 11.0), ("ubuntu", 20.04)];

/// A clock that is wrong this many seconds after the start may yet be set.
const SETTLING: f64 = 120.0;

impl Action for Ready {
    fn describe(&self) -> String {
        "the machine is ready".into()
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        let peers = on.inventory.hosts.iter().filter(|host| host.name != on.host.name);
        let peers = peers.map(|host| Ask { host: host.name.clone(), read: Read::Machine });
        [Read::Machine, Read::CloudInit, Read::Locks].map(|read| on.ask(read)).into_iter().chain(peers).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let machine = match seen.machine(&on.host.name) {
            Seen::Is(machine) => machine,
            Seen::Absent => return Plan::unread("the machine", "it tells nothing"),
            Seen::Unread(why) => return Plan::unread("the machine", &why),
        };
        let peers: Vec<(&str, &Machine)> = peers(on, seen).collect();
        let unfit = unsupported(machine).or_else(|| self.too_small(machine)).or_else(|| not_unique(machine, &peers));
        unfit
            .or_else(|| setting_up(seen.cloud_init(&on.host.name)))
            .or_else(|| locked(seen.locks(&on.host.name)))
            .or_else(|| self.clock_apart(machine, &peers))
            .unwrap_or(Plan::Settled)
    }

    /// What cloud-init could not do.
    fn shows(&self, on: &Target, seen: &Readings<'_>) -> Option<Output> {
        let Seen::Is(CloudInit::Done(errors)) = seen.cloud_init(&on.host.name) else { return None };
        let told = format!("cloud-init ended with errors: {}", errors.join("; "));
        (!errors.is_empty()).then(|| Output { stdout: told.into_bytes(), ..Output::default() })
    }
}

/// The other machines of the inventory that could be read: one that is lost is no reason to stop here.
fn peers<'a>(on: &'a Target, seen: &'a Readings<'a>) -> impl Iterator<Item = (&'a str, &'a Machine)> {
    let others = on.inventory.hosts.iter().filter(|host| host.name != on.host.name);
    others.filter_map(|host| Some((host.name.as_str(), seen.machine(&host.name).is()?)))
}

fn unsupported(machine: &Machine) -> Option<Plan> {
    let version = machine.version.parse::<f64>().unwrap_or_default();
    let supported = SUPPORTED.iter().any(|(id, least)| machine.id == *id && version >= *least);
    let why = format!("{} {} is not supported", machine.id, machine.version);
    (!supported).then(|| Plan::refused(why, "use Debian 11 or newer, or Ubuntu 20.04 or newer"))
}

impl Ready {
    fn too_small(&self, machine: &Machine) -> Option<Plan> {
        if machine.memory < self.memory {
            let why = format!("it has {} MiB of memory, and {} are asked for", machine.memory, self.memory);
            return Some(Plan::refused(why, "use a larger machine, or set `memory` of this step"));
        }
        let free = ["/", "/var/lib/docker"].into_iter().filter_map(|path| Some((path, machine.free_for(path)?)));
        let (path, free) = free.min_by_key(|(_, free)| *free).filter(|(_, free)| *free < self.disk)?;
        let why = format!("{free} MiB are free for {path}, and {} are asked for", self.disk);
        Some(Plan::refused(why, "make room (docker system df; du -xh / | sort -h | tail), or set `disk` of this step"))
    }

    /// A clock that agrees with most is right. Two of those both agree with some third: they are at most twice `clock` apart.
    fn clock_apart(&self, machine: &Machine, peers: &[(&str, &Machine)]) -> Option<Plan> {
        let own = machine.ahead();
        let clocks: Vec<f64> = peers.iter().map(|(_, other)| other.ahead()).chain([own]).collect();
        let near = |one: f64, other: f64| (one - other).abs() <= self.clock;
        let with_most = |one: f64| clocks.iter().filter(|other| near(one, **other)).count() * 2 > clocks.len();
        if with_most(own) {
            return None;
        }
        let far: Vec<_> = peers.iter().filter(|(_, other)| !near(own, other.ahead())).collect();
        let right = far.iter().find(|(_, other)| with_most(other.ahead()));
        let (peer, other) = right.or(far.first())?;
        let young = machine.uptime < SETTLING || (right.is_none() && other.uptime < SETTLING);
        let why = told_apart(own - other.ahead(), peer, right.is_some());
        Some(match young {
            true => wait(format!("its clock to be set: {why}")),
            false => Plan::refused(why, "set it and keep it set: timedatectl set-ntp true; timedatectl status"),
        })
    }
}

fn told_apart(seconds: f64, peer: &str, peer_is_right: bool) -> String {
    let told = if seconds > 0.0 { "ahead of" } else { "behind" };
    let doubt = if peer_is_right { "" } else { ": one of the two is wrong" };
    format!("its clock is {:.0} s {told} {peer}'s{doubt}", seconds.abs())
}

fn not_unique(machine: &Machine, peers: &[(&str, &Machine)]) -> Option<Plan> {
    let same = |of: fn(&Machine) -> &str| {
        let own = of(machine);
        peers.iter().find(|(_, other)| !own.is_empty() && of(other) == own).map(|(peer, _)| *peer)
    };
    if let Some(peer) = same(|m| &m.hostname) {
        let why = format!("{peer} is called {} too", machine.hostname);
        return Some(Plan::refused(why, "give each machine a name of its own: hostnamectl set-hostname NAME"));
    }
    let peer = same(|m| &m.machine_id)?;
    let why = format!("{peer} has the same machine id: they are clones of one machine");
    let hint = "on one of them: rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot";
    Some(Plan::refused(why, hint))
}

fn setting_up(seen: Seen<&CloudInit>) -> Option<Plan> {
    match seen {
        Seen::Is(CloudInit::Running) => Some(wait("cloud-init to finish".into())),
        Seen::Unread(why) => Some(Plan::unread("how far cloud-init is", &why)),
        Seen::Is(CloudInit::Disabled | CloudInit::Done(_)) | Seen::Absent => None,
    }
}

/// Waits for who holds a lock of the package manager.
pub(super) fn locked(seen: Seen<&[Lock]>) -> Option<Plan> {
    match seen {
        Seen::Is([]) | Seen::Absent => None,
        Seen::Is([lock, ..]) => {
            let Lock { path, process, command } = lock;
            Some(wait(format!("process {process} ({command}), which holds {path}")))
        }
        Seen::Unread(why) => Some(Plan::unread("the package manager's locks", &why)),
    }
}

fn wait(what: String) -> Plan {
    Plan::Wait(Wait { what, ..Wait::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};
    use crate::reads::Value;

    /// node1 as given by lines that stand before those of a machine that is fit, among peers that are.
    fn planned(lines: &str, cloud_init: &str, locks: &str) -> String {
        let case = answered(Case::new(&["node1", "node2", "node3"]), cloud_init, locks);
        let case = [("node1", lines), ("node2", ""), ("node3", "")].into_iter().fold(case, with_machine);
        case.plan(&action::<Ready>(json!({})))
    }

    fn answered(case: Case, cloud_init: &str, locks: &str) -> Case {
        case.answers("node1", &[Read::CloudInit], cloud_init).answers("node1", &[Read::Locks], locks)
    }

    /// The plan of the first, given by how many seconds each is ahead, and further lines of them all.
    fn among_clocks(ahead: &[f64], lines: &str) -> String {
        let names = ["node1", "node2", "node3", "node4"];
        let case = answered(Case::new(&names[..ahead.len()]), "absent\n", "end\n");
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let machine =
            |case, (name, ahead): (&&str, &f64)| with_machine(case, (name, &format!("clock={}\n{lines}", now + ahead)));
        names.iter().zip(ahead).fold(case, machine).plan(&action::<Ready>(json!({})))
    }

    /// The first line of a key counts.
    fn with_machine(case: Case, (name, lines): (&str, &str)) -> Case {
        let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let fit = format!(
            "{lines}clock={clock}\nid=debian\nversion=12\nhostname={name}\nmachine=id-of-{name}\nuptime=3600.0 1.0\n\
             memory=MemTotal: 4194304 kB\nfree=/ 20000\nfree=/var/lib/docker 20000\nend=\n"
        );
        case.answers(name, &[Read::Machine], &fit)
    }

    #[test]
    fn a_fit_machine_is_settled() {
        assert_eq!(planned("", "absent\n", "end\n"), "settled");
        assert_eq!(planned("", "{\"v1\": {\"errors\": []}}", "end\n"), "settled");
        assert_eq!(planned("id=ubuntu\nversion=20.04\n", "absent\n", "end\n"), "settled");
    }

    #[test]
    fn it_waits_for_cloud_init_and_then_for_locks_and_names_their_holder() {
        let held = "/var/lib/apt/lists/lock 712 /usr/bin/python3 /usr/bin/unattended-upgrade \nend\n";
        assert_eq!(planned("", "running\n", held), "wait for cloud-init to finish");
        let holder = "process 712 (/usr/bin/python3 /usr/bin/unattended-upgrade)";
        assert_eq!(planned("", "disabled\n", held), format!("wait for {holder}, which holds /var/lib/apt/lists/lock"));
    }

    #[test]
    fn what_could_not_be_read_is_not_taken_for_ready() {
        assert!(planned("", "absent\n", "").starts_with("refused: cannot read the package manager's locks"));
        assert!(planned("", "{", "end\n").starts_with("refused: cannot read how far cloud-init is"));
    }

    #[test]
    fn systems_that_are_not_supported_are_refused() {
        let plan = planned("version=10\n", "absent\n", "end\n");
        assert_eq!(plan, "refused: debian 10 is not supported\nhint: use Debian 11 or newer, or Ubuntu 20.04 or newer");
        assert!(planned("id=alpine\n", "absent\n", "end\n").starts_with("refused: alpine 12 is not supported"));
    }

    #[test]
    fn too_little_memory_or_disk_is_refused() {
        let plan = planned("memory=MemTotal: 262144 kB\n", "absent\n", "end\n");
        assert!(plan.starts_with("refused: it has 256 MiB of memory, and 512 are asked for"), "{plan}");
        let plan = planned("free=/var/lib/docker 100\n", "absent\n", "end\n");
        assert!(plan.starts_with("refused: 100 MiB are free for /var/lib/docker, and 1024 are asked for"), "{plan}");
    }

    #[test]
    fn clones_are_told_apart_or_refused() {
        let plan = planned("hostname=node2\n", "absent\n", "end\n");
        assert!(plan.starts_with("refused: node2 is called node2 too\nhint: give each machine a name"), "{plan}");
        let plan = planned("machine=id-of-node3\n", "absent\n", "end\n");
        assert!(plan.starts_with("refused: node3 has the same machine id"), "{plan}");
    }

    #[test]
    fn only_the_clock_that_most_others_contradict_is_refused() {
        let late = "its clock is 90 s behind node2's";
        assert!(among_clocks(&[-90.0, 0.0, 1.0], "").starts_with(&format!("refused: {late}\nhint: set it")));
        let young = among_clocks(&[-90.0, 0.0, 0.0], "uptime=30.0 1.0\n");
        assert_eq!(young, format!("wait for its clock to be set: {late}"));
        for others in [&[0.0, -90.0][..], &[-90.0, 0.0], &[90.0, 0.0, -1.0], &[25.0, 50.0]] {
            assert_eq!(among_clocks(&[&[0.0], others].concat(), ""), "settled", "{others:?}");
        }
    }

    #[test]
    fn where_clocks_contradict_each_other_and_none_has_most_with_it_nobody_is_taken_for_right() {
        let late = "refused: its clock is 90 s behind node2's: one of the two is wrong\nhint: set it";
        for clocks in [&[-90.0, 0.0][..], &[-90.0, 0.0, 90.0], &[-90.0, 0.0, 0.0, -90.0]] {
            let plan = among_clocks(clocks, "");
            assert!(plan.starts_with(late), "{clocks:?}: {plan}");
        }
    }

    #[test]
    fn what_cloud_init_could_not_do_is_shown_and_no_reason_to_stop() {
        let told = |errors: &str| {
            let case = Case::new(&["node1"]);
            let case = answered(case, &format!("{{\"v1\": {{\"errors\": {errors}}}}}"), "end\n");
            let (case, ready) = (with_machine(case, ("node1", "")), action::<Ready>(json!({})));
            assert_eq!(case.plan(&ready), "settled");
            case.readings(|seen| ready.shows(&case.target, seen)).map(|output| output.text())
        };
        assert_eq!(told(r#"["no mirror", "x"]"#).as_deref(), Some("cloud-init ended with errors: no mirror; x"));
        assert_eq!(told("[]"), None);
    }

    #[test]
    fn a_lost_peer_is_no_reason_to_stop_here() {
        let case = Case::new(&["node1", "node2"])
            .answers("node1", &[Read::CloudInit], "absent\n")
            .answers("node1", &[Read::Locks], "end\n")
            .seen("node2", Read::Machine, Seen::<Value>::Unread("it cannot be reached".into()));
        assert_eq!(with_machine(case, ("node1", "")).plan(&action::<Ready>(json!({}))), "settled");
    }

    #[test]
    fn mistakes_are_named() {
        assert!(mistake::<Ready>(json!({"memry": 1})).contains("unknown field `memry`"));
    }
}
