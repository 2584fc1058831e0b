//! The everyday actions of a fresh machine, all of them: cold, warm, drifted, and warm again.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::power::comes;
use crate::support::cluster::{Cluster, Told, at};
use crate::support::lab::Lab;

/// Packages that hold nothing, in a source of the host's own; what came before skep; and a user whom nobody wants any more.
const BEFORE: &str = r#"
set -e
mkdir -p /srv/repo && cd /srv/repo
package() {
    mkdir -p new/DEBIAN
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Tests <tests@example.org>\n%sDescription: empty\n' "$1" "$2" "$3" >new/DEBIAN/control
    dpkg-deb --root-owner-group --build new "$1_$2.deb" >/dev/null
    { cat new/DEBIAN/control; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$1_$2.deb" "$(stat -c %s "$1_$2.deb")" "$(sha256sum <"$1_$2.deb" | cut -d' ' -f1)"; } >>Packages
    rm -r new
}
for name in tool newest pinned; do package $name 1.0; package $name 1.1; done
package unwanted 1.0 && package clings 1.0 'Depends: unwanted
'
dpkg -i unwanted_1.0.deb clings_1.0.deb >/dev/null
echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list.d/tests.list
useradd --create-home former
"#;

/// A unit that copies its settings when it starts.
fn unit(settings: &str) -> String {
    format!(
        r#"
      - {{ id: settings, file: {{ path: /etc/tick.conf, content: "{settings}" }} }}
      - id: unit
        file:
          path: /etc/systemd/system/tick.service
          content: |
            [Service]
            ExecStart=/bin/sh -c 'cp /etc/tick.conf /run/tick; exec sleep infinity'
            [Install]
            WantedBy=multi-user.target
      - id: tick
        systemd: {{ unit: tick, state: started, enabled: true, newer_than: [/etc/tick.conf, /etc/systemd/system/tick.service] }}
"#
    )
}

fn everything(key: &str) -> String {
    format!(
        r#"
      - {{ id: name, hostname: {{ name: web.example.org }} }}
      - {{ id: tool, package: {{ name: [tool] }} }}
      - {{ id: newest, package: {{ name: newest, state: latest }} }}
      - {{ id: pinned, package: {{ name: pinned, version: "1.0", hold: true }} }}
      - {{ id: unwanted, package: {{ name: unwanted, state: absent }} }}
      - {{ id: former, user: {{ name: former, state: absent }} }}
      - id: deploy
        user: {{ name: deploy, groups: [sudo, web], shell: /bin/bash, comment: Deploys, exclusive: true, authorized_keys: ["{key}"] }}
{}
      - {{ id: daily, systemd: {{ unit: apt-daily.timer, state: stopped, enabled: false, masked: true }} }}
      - {{ id: restart, reboot: {{}} }}
"#,
        unit("one")
    )
}

const STEPS: [&str; 11] =
    ["name", "tool", "newest", "pinned", "unwanted", "former", "deploy", "settings", "unit", "tick", "daily"];

/// A fresh host, and a project of its own.
fn fresh(name: &str) -> Cluster {
    let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&project).unwrap();
    Cluster { lab: Lab::own(name, 1), project }
}

/// Asks for these steps from now on.
fn ask(cluster: &Cluster, steps: &str) {
    let playbook = format!("name: A fresh machine\nplays:\n  - hosts: all\n    steps:{steps}");
    fs::write(cluster.project.join("fresh.yml"), playbook).unwrap();
}

fn key_of(cluster: &Cluster) -> PathBuf {
    cluster.lab.inventory().with_file_name("id_ed25519")
}

fn run(cluster: &Cluster) -> Told {
    cluster.skep(&["run", "fresh.yml", "--yes"]).ends(0)
}

fn changed(told: &Told) -> BTreeSet<String> {
    told.ended("changed").into_iter().map(|(step, _)| step).collect()
}

fn all(steps: &[&str]) -> BTreeSet<String> {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

/// Nothing is left to be done, as a plan and as a run.
fn warm(cluster: &Cluster) {
    cluster.skep(&["plan", "fresh.yml"]).ends(0);
    assert_eq!(changed(&run(cluster)), all(&[]));
}

/// What the host itself says of all that was asked for.
const TRUTH: &str = r#"
hostname; cat /etc/hostname; grep 127.0.1.1 /etc/hosts
for name in tool newest pinned unwanted clings; do dpkg-query -W -f '${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n' $name 2>/dev/null; done
dpkg --audit
getent passwd former; ls -d /home/former
getent passwd deploy | cut -d: -f5-; id -Gn deploy; stat -c '%a %U' /home/deploy/.ssh /home/deploy/.ssh/authorized_keys; wc -l </home/deploy/.ssh/authorized_keys
systemctl is-active tick apt-daily.timer; systemctl is-enabled tick apt-daily.timer; systemctl show -p NeedDaemonReload --value tick; cat /run/tick
true
"#;

const ASKED: &str = "web.example.org
web.example.org
127.0.1.1\tweb.example.org web
tool install ok 1.1
newest install ok 1.1
pinned hold ok 1.0
/home/former
Deploys:/home/deploy:/bin/bash
deploy sudo web
700 deploy
600 deploy
1
active
inactive
enabled
masked
no
one";

/// Somebody who knows better, or less: every step has something to mend, dpkg is cut in the middle.
const DRIFT: &str = "
set -e
export DEBIAN_FRONTEND=noninteractive
exec >/dev/null 2>&1
hostname other; echo 127.0.1.1 other >>/etc/hosts
apt-get -y --allow-change-held-packages install pinned=1.1
apt-get -y --allow-downgrades install newest=1.0 unwanted
dpkg --unpack /srv/repo/tool_1.1.deb
useradd --create-home former || useradd former
usermod --shell /bin/sh --groups '' deploy
sed 's/AAAA/BBBB/; s/^/# /' /home/deploy/.ssh/authorized_keys >/tmp/keys && cp /tmp/keys /home/deploy/.ssh/authorized_keys
chmod 664 /home/deploy/.ssh/authorized_keys
echo two >/etc/tick.conf; echo '# mine' >>/etc/systemd/system/tick.service
systemctl daemon-reload; systemctl disable --now tick
systemctl unmask apt-daily.timer; systemctl enable --now apt-daily.timer
";

#[test]
fn a_fresh_machine_is_made_as_asked_left_alone_and_mended() {
    let cluster = fresh("everyday");
    cluster.on("node1", BEFORE);
    let key = fs::read_to_string(key_of(&cluster).with_extension("pub")).unwrap();
    ask(&cluster, &everything(key.trim()));
    let planned = cluster.skep(&["plan", "fresh.yml"]).ends(10).places();
    let told = run(&cluster);
    assert_eq!(changed(&told), all(&STEPS), "{}", told.text());
    assert!(told.places().is_subset(&planned.into_iter().chain([at("tick", "node1")]).collect()), "{}", told.text());
    assert!(told.text().contains("absent too"), "what goes along was shown: {}", told.text());
    is_as_asked(&cluster);
    logs_in(&cluster);
    warm(&cluster);

    cluster.on("node1", DRIFT);
    let told = run(&cluster);
    assert_eq!(changed(&told), all(&STEPS), "{}", told.text());
    assert!(told.text().contains("a former run was cut in the middle"), "{}", told.text());
    is_as_asked(&cluster);
    logs_in(&cluster);
    warm(&cluster);
}

fn is_as_asked(cluster: &Cluster) {
    assert_eq!(cluster.on("node1", TRUTH).replace(" installed ", " ok "), ASKED);
}

/// The key of the lab lets `deploy` in, by OpenSSH.
fn logs_in(cluster: &Cluster) {
    let known = key_of(cluster).with_file_name("known_hosts.node1");
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", &format!("UserKnownHostsFile={}", known.display()), "-i"]);
    ssh.arg(key_of(cluster)).arg(format!("deploy@{}", cluster.lab.address("node1"))).arg("id -un");
    let output = ssh.output().unwrap();
    let log = || cluster.on("node1", "journalctl --no-pager -n 60");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "deploy\n", "{output:?}\n{}", log());
}

#[test]
fn a_unit_is_restarted_for_its_files_alone_and_says_why_it_cannot_start() {
    let cluster = fresh("units");
    ask(&cluster, &unit("one"));
    run(&cluster);
    let process = || cluster.on("node1", "systemctl show -p MainPID --value tick");
    let first = process();
    ask(&cluster, &unit("two"));
    assert_eq!(changed(&run(&cluster)), all(&["settings", "tick"]));
    assert_eq!((cluster.on("node1", "cat /run/tick"), process() != first), ("two".into(), true));
    let second = process();
    warm(&cluster);
    assert_eq!(process(), second);

    // A cut between the two steps, or somebody else's hand: the file says it, whoever wrote it.
    cluster.on("node1", "sleep 1.1; touch /etc/tick.conf");
    assert_eq!(changed(&run(&cluster)), all(&["tick"]));
    cluster.on(
        "node1",
        "sleep 1.1; sed -i 's/exec sleep/echo no port is free; exit 3; sleep/' /etc/systemd/system/tick.service",
    );
    let told = cluster.skep(&["run", "fresh.yml", "--step", "tick"]).ends(1);
    assert!(told.text().contains("systemctl daemon-reload"), "{}", told.text());
    let failed = told.troubles();
    assert!(failed.contains("no port is free") && failed.contains("systemctl start tick.service"), "{failed}");
}

/// In front of the commands that make the changes: one that is asked for what `/run/cut` has does it, says so, and keeps to
/// itself that it has; `before` it does so at all, if that is asked. What is in /run goes with the power.
const SHIMS: &str = r#"
for name in hostname apt-get groupadd useradd mv systemctl; do
    real=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v $name)
    cat >/usr/local/sbin/$name <<END
#!/bin/sh
cut=\$(cat /run/cut 2>/dev/null || echo none)
case "$name \$*" in
\$cut)
    [ -e /run/before ] || $real "\$@"
    touch /run/at-it
    sleep 600 ;;
*) exec $real "\$@" ;;
esac
END
    chmod +x /usr/local/sbin/$name
done
"#;

/// The command in whose middle power goes, whether it has done its work by then, and the step's action.
const CUTS: [(&str, bool, &str); 8] = [
    ("hostname web*", true, "hostname"),
    ("apt-get * install *tool*", false, "package"),
    ("apt-get * install *newest*", true, "package"),
    ("groupadd *web*", true, "user"),
    ("useradd *", true, "user"),
    ("mv * /etc/tick.conf", false, "file"),
    ("mv * /etc/systemd/system/tick.service", true, "file"),
    ("systemctl start tick*", true, "systemd"),
];

/// Each run comes as far as its cut, the next one goes on from there, and the last has nothing to mend by hand.
#[test]
fn whatever_is_under_way_when_power_goes_is_completed_by_the_next_run() {
    let cluster = fresh("power");
    cluster.on("node1", &format!("{BEFORE}\n{SHIMS}"));
    let key = fs::read_to_string(key_of(&cluster).with_extension("pub")).unwrap();
    ask(&cluster, &everything(key.trim()));
    for (command, done, action) in CUTS {
        let moment = if done { "true" } else { "touch /run/before" };
        cluster.on("node1", &format!("{moment}; echo '{command}' >/run/cut"));
        let begin = || cluster.begin(&["run", "fresh.yml", "--yes", "--wait", "5s"]);
        let run = comes(&cluster.lab, &["node1"], "test -e /run/at-it", begin);
        cluster.lab.unplug("node1");
        let said = run.ends(3);
        assert!(said.contains(&format!("node1  lost in the middle of {action}")), "{said}");
        cluster.lab.start("node1");
    }
    run(&cluster);
    is_as_asked(&cluster);
    warm(&cluster);
    let left = "ls -A /etc /etc/systemd/system /home/deploy/.ssh | grep '^[.]skep' || true";
    assert_eq!(cluster.on("node1", left), "", "half a file");
}

#[test]
fn what_a_full_disk_refuses_is_told_and_what_was_there_stays() {
    let cluster = fresh("full");
    cluster.on("node1", "mkdir /srv/small && mount -t tmpfs -o size=16k none /srv/small && echo old >/srv/small/kept");
    let kept = |bytes: usize| {
        let content = "x".repeat(bytes);
        ask(&cluster, &format!("\n      - {{ id: kept, file: {{ path: /srv/small/kept, content: {content} }} }}\n"));
    };
    kept(20_000);
    let failed = cluster.skep(&["run", "fresh.yml"]).ends(1).troubles();
    assert!(failed.contains("No space left on device") && failed.contains("df -h /srv/small"), "{failed}");
    assert_eq!(cluster.on("node1", "cat /srv/small/kept; ls -A /srv/small"), "old\nkept");
    kept(2_000);
    run(&cluster);
    warm(&cluster);
}
