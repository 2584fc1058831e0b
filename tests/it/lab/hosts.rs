//! The lab itself: what the other tests take for granted of it.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::{Cluster, at};
use crate::support::lab::Lab;

/// What each host answers to a script.
fn answers(lab: &Lab, script: &str) -> Vec<String> {
    lab.hosts().iter().map(|host| lab.on(host, script)).collect()
}

#[test]
fn fresh_hosts_have_systemd_and_sudo_and_no_engine() {
    let lab = Lab::own("fresh", 2);
    assert_eq!(lab.hosts(), ["node1", "node2"]);
    assert_eq!(answers(&lab, "systemctl is-system-running --wait"), ["running", "running"]);
    assert_eq!(answers(&lab, "command -v docker dockerd containerd || echo none"), ["none", "none"]);
    for host in lab.hosts() {
        let login = lab.ssh(&host, "id -un; sudo -n id -un; hostname");
        assert_eq!(String::from_utf8_lossy(&login.stdout), format!("ubuntu\nroot\n{host}\n"));
    }
}

#[test]
fn hosts_are_no_clones_of_one_another() {
    let lab = Lab::shared();
    for identity in ["cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub", "hostname -I"] {
        let distinct: HashSet<_> = answers(&lab, identity).into_iter().filter(|answer| !answer.is_empty()).collect();
        assert_eq!(distinct.len(), 3, "{identity}: {distinct:?}");
    }
}

#[test]
fn a_power_cycle_keeps_address_identity_and_disks() {
    let lab = Lab::shared();
    // Of its addresses only that in the lab: an engine that is starting makes bridges of its own.
    let address = lab.address("node3");
    let identity = format!("cat /etc/machine-id /root/kept /var/lib/docker/kept; hostname -I | grep -owF {address}");
    lab.on("node3", "echo disk >/root/kept; mkdir -p /var/lib/docker; echo volume >/var/lib/docker/kept; sync");
    let before = lab.on("node3", &identity);
    for off in [Lab::stop, Lab::unplug] {
        off(&lab, "node3");
        assert!(!lab.try_on("node3", "true").status.success(), "a host that is off runs nothing");
        lab.start("node3");
        assert_eq!(lab.on("node3", &identity), before);
    }
}

#[test]
fn a_cut_swallows_packets_and_refuses_nothing() {
    let lab = Lab::shared();
    let dial = format!("timeout 3 bash -c '</dev/tcp/{}/22' 2>/dev/null; echo $?", lab.address("node3"));
    let timed_out = "124";
    let cut = lab.cut("node3", &["--port", "22", "--peer", "node2"]);
    assert_eq!(lab.on("node2", &dial), timed_out, "between these two, on this port");
    assert_eq!(lab.on("node1", &dial), "0", "from elsewhere");
    drop(cut);
    assert_eq!(lab.on("node2", &dial), "0", "mended");

    let _cut = lab.cut("node3", &[]);
    let began = Instant::now();
    assert_eq!(lab.on("node1", &dial), timed_out);
    assert!(began.elapsed() >= Duration::from_secs(3), "an answer came back");
}

#[test]
fn two_labs_of_one_checkout_run_side_by_side() {
    let (shared, own) = (Lab::shared(), Lab::own("second", 1));
    assert_ne!(shared.address("node1"), own.address("node1"));
    assert_ne!(shared.inventory(), own.inventory());
    own.on("node1", "touch /root/only-here");
    assert!(!shared.try_on("node1", "test -e /root/only-here").status.success());
}

const REBOOT: &str = "
plays:
  - hosts: all
    steps:
      - { id: restart, reboot: {} }
      - { id: next, shell: 'cut -d \" \" -f 22 /proc/1/stat >/root/next', creates: /root/next }
";

#[test]
fn a_host_that_asks_for_a_restart_is_restarted_once_and_the_run_goes_on_there() {
    let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("reboot");
    fs::create_dir_all(&project).unwrap();
    fs::write(project.join("reboot.yml"), REBOOT).unwrap();
    let cluster = Cluster { lab: Lab::own("reboot", 1), project };
    let lab = &cluster.lab;
    // A container has its machine's kernel: when its first process was started tells one boot from another.
    let boot = || lab.on("node1", "cut -d ' ' -f 22 /proc/1/stat");
    let old = boot();
    lab.on("node1", "echo linux-image-amd64 >/run/reboot-required.pkgs; touch /run/reboot-required");
    let planned = cluster.skep(&["plan", "reboot.yml"]).ends(10);
    let change = planned.of("change").next().expect("the restart");
    assert_eq!(
        (&change["command"], &change["why"]),
        (&"systemctl reboot".into(), &"it asks for a restart, for linux-image-amd64".into())
    );
    let done = thread::scope(|scope| {
        scope.spawn(|| power_on_again(lab, "node1"));
        cluster.skep(&["run", "reboot.yml"]).ends(0)
    });
    assert!(done.ended("changed").contains(&at("restart", "node1")), "{}", done.text());
    let new = boot();
    assert!(new != old && lab.on("node1", "cat /root/next") == new, "{old} {new}");
    cluster.skep(&["plan", "reboot.yml"]).ends(0);
}

/// A machine comes up again by itself; a lab host ends, and is powered on.
fn power_on_again(lab: &Lab, host: &str) {
    let until = Instant::now() + Duration::from_secs(400);
    while lab.try_on(host, "true").status.success() && Instant::now() < until {
        thread::sleep(Duration::from_millis(200));
    }
    // While it still ends, it is as good as on: to start it does nothing then, and nobody is let in.
    while !lab.try_start(host) && Instant::now() < until {
        thread::sleep(Duration::from_millis(500));
    }
}
