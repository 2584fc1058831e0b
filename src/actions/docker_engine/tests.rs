use serde_json::json;

use super::*;
use crate::actions::testing::{Case, action, mistake};
use crate::reads::Value;
use crate::reads::docker::{Found, Info};

const KEY: &str = include_str!("testdata/one.asc");
const FINGERPRINT: &str = "6E1E 59E3 5F72 FEE5 E2B7 700F B47F FE22 0B24 339D";
const APT: &str = "apt-get -y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3";

fn file(path: &str) -> [Read; 1] {
    [Read::File { path: path.into(), content: true }]
}

/// A file of root's with that text, last changed at that second.
fn with_text(text: &str, modified: u64) -> String {
    let base64 = data_encoding::BASE64.encode(text.as_bytes());
    format!("file 644 0 0 root root {} {modified}.5 {} {base64}\n", text.len(), "0".repeat(64))
}

fn engine(flavour: Flavour, daemon: Seen<Info>) -> Seen<Value> {
    Seen::Is(Value::Docker(Found::Engine(Box::new(Engine { binary: "/usr/bin/docker".into(), flavour, daemon }))))
}

fn answers_as(version: &str) -> Seen<Value> {
    let info: Info = action(json!({"ServerVersion": version}));
    engine(Flavour::Docker, Seen::Is(info))
}

/// node1 with that engine, those packages (dpkg's lines) and that state of the service.
fn case(engine: Seen<Value>, packages: &str, unit: &str) -> Case {
    let names: Vec<Read> = PACKAGES.iter().map(|name| Read::Package((*name).into())).collect();
    Case::new(&["node1"])
        .seen("node1", Read::Docker(Look::Engine), engine)
        .answers("node1", &names, &format!("{packages}\nwhole\n"))
        .answers("node1", &[Read::Unit(UNIT.into())], unit)
        .answers("node1", &file("/etc/docker/daemon.json"), "absent\n")
}

const HELD: &str = " docker.io hold installed 20.10.24+dfsg1-1";
const ACTIVE: &str = "loaded,active,enabled,success,1000,docker.service,no,notify,no,0,60\n";

/// node1 with an engine of the distribution's that lacks nothing.
fn working() -> Case {
    case(answers_as("20.10.24+dfsg1"), HELD, ACTIVE)
}

/// node1 with nothing, where apt knows this.
fn bare(asked: &DockerEngine, known: &str) -> Case {
    let case = case(Seen::Absent, "", "not-found,inactive,,success,\n")
        .answers("node1", &[Read::Machine], "id=debian\ncodename=bookworm\narchitecture=amd64\nend=\n")
        .answers("node1", &[Read::Probe(asked.candidates())], known);
    apt::case(case, "end\n", "")
}

fn distribution() -> DockerEngine {
    action(json!({"source": "distribution"}))
}

#[test]
fn an_engine_that_answers_is_left_alone_wherever_it_came_from() {
    assert_eq!(working().plan(&action::<DockerEngine>(json!({}))), "settled");
    let by_hand = case(answers_as("27.5.1"), "", "not-found,inactive,,success,\n");
    assert_eq!(by_hand.plan(&action::<DockerEngine>(json!({"version": "27"}))), "settled");
}

#[test]
fn a_daemon_that_outlived_an_upgrade_of_its_package_is_started_again() {
    let plan = |runs, package: &str, asked: &str| {
        let asked: DockerEngine = action(json!({"source": "distribution", "version": asked}));
        let held = format!(" docker.io hold installed {package}");
        case(answers_as(runs), &held, ACTIVE).plan(&asked)
    };
    let restart =
        "change\n  the daemon is 26.1.5 still, and its package is not\n    $ systemctl restart docker.service";
    for asked in ["28", "28.5.1", "28.5.1-1"] {
        let outlived = plan("26.1.5", "28.5.1-1", asked);
        assert!(outlived.starts_with(restart), "{outlived}");
        assert_eq!(plan("28.5.1", "28.5.1-1", asked), "settled");
    }
    assert_eq!(plan("29.0.0-rc.1", "5:29.0.0~rc.1-1", "29.0.0~rc.1"), "settled");
}

#[test]
fn an_engine_that_was_started_and_does_not_answer_is_waited_for() {
    let silent = case(engine(Flavour::Docker, Seen::Unread("connection refused".into())), HELD, ACTIVE);
    assert_eq!(silent.plan(&distribution()), "wait for the Docker daemon to answer: connection refused");
}

/// As right after power-on. One that is up and does not answer hangs: what it has is not known.
#[test]
fn an_engine_that_comes_up_is_waited_for_and_one_that_hangs_is_not() {
    let late = || Seen::Unread("no answer within 10 s".into());
    let comes = case(late(), HELD, &ACTIVE.replace(",active,", ",activating,")).plan(&distribution());
    assert_eq!(comes, "wait for the Docker daemon to come up (activating): no answer within 10 s");
    let hangs = case(late(), HELD, ACTIVE).plan(&distribution());
    assert!(hangs.starts_with("refused: cannot read what Docker is installed"), "{hangs}");
}

#[test]
fn a_stopped_daemon_is_enabled_and_started_and_its_packages_held() {
    let stopped = engine(Flavour::Docker, Seen::Unread("no socket".into()));
    let plan = case(
        stopped,
        " docker.io install installed 20.10",
        "loaded,failed,disabled,exit-code,,docker.service,no,notify,no,0,\n",
    )
    .plan(&distribution());
    let start = "systemctl start docker.service";
    let enable = "  it does not start with the machine\n    $ systemctl enable docker.service";
    let hold = "  an upgrade by itself would stop the daemon\n    $ apt-mark hold docker.io";
    assert_eq!(plan, format!("change\n{enable}\n  the daemon is not started\n    $ {start}\n{hold}"));
}

#[test]
fn what_has_no_swarms_is_refused() {
    for (flavour, hint) in [(Flavour::Snap, "snap remove docker"), (Flavour::Podman, "apt-get remove podman-docker")] {
        let plan = case(engine(flavour, Seen::Absent), "", ACTIVE).plan(&distribution());
        assert!(plan.starts_with("refused: what is installed is") && plan.ends_with(hint), "{plan}");
    }
}

#[test]
fn from_a_bare_machine_lists_are_brought_up_to_date_and_then_packages_installed() {
    let asked = distribution();
    let held = "grep -qs \":$(stat -c %i /var/lib/apt/lists/lock) \" /proc/locks";
    let update = format!(
        "  apt's lists are old\n    $ until {APT} -o APT::Update::Error-Mode=any update; do {held} || exit 1; sleep 1; done"
    );
    assert_eq!(bare(&asked, "").plan(&asked), format!("change\n{update}"));
    let known =
        " curl | 7.88 | x\n docker.io | 20.10.24 | http://deb.debian.org/debian bookworm/main amd64 Packages\nfresh\n";
    let options = "--no-install-recommends -o Dpkg::Options::=--force-confold";
    let install = format!("  no Docker engine is installed\n    $ {APT} install {options} docker.io curl");
    let hold = "  an upgrade by itself would stop the daemon\n    $ apt-mark hold docker.io";
    assert_eq!(bare(&asked, known).plan(&asked), format!("change\n{install}\n{hold}"));
}

#[test]
fn a_package_that_apt_does_not_know_is_refused_with_those_it_knows() {
    let asked = distribution();
    let plan = bare(&asked, "fresh\nnew\n").plan(&asked);
    assert_eq!(
        plan,
        "refused: apt knows no package docker.io on node1\nhint: see what this tells there: sudo apt-get update"
    );
    let asked: DockerEngine = action(json!({"source": "distribution", "version": "99"}));
    let known = " docker.io | 20.10.24 | x\nfresh\n";
    let plan = bare(&asked, known).plan(&asked);
    assert!(plan.starts_with("change\n  apt's lists are old\n") && !plan.contains(" install "), "{plan}");
    let plan = bare(&asked, &format!("{known}new\n")).plan(&asked);
    assert_eq!(
        plan,
        "refused: apt knows no package docker.io 99 on node1\nhint: set `version` to one it knows: 20.10.24"
    );
}

#[test]
fn a_run_that_was_cut_is_mended_first_and_a_lock_is_waited_for() {
    let asked = distribution();
    let known = " docker.io | 20.10.24 | x\nfresh\n";
    let cut = apt::case(bare(&asked, known), "end\n", "docker.io is half-installed\n");
    let plan = cut.plan(&asked);
    assert!(
        plan.starts_with(
            "change\n  a former run was cut in the middle\n    $ until dpkg --force-confold --configure -a; do"
        ),
        "{plan}"
    );
    let held = "/var/lib/dpkg/lock 7 apt-get upgrade \nend\n";
    let plan = apt::case(bare(&asked, known), held, "").plan(&asked);
    assert_eq!(plan, "wait for process 7 (apt-get upgrade), which holds /var/lib/dpkg/lock");
}

fn docker_ce(fingerprint: &str) -> DockerEngine {
    action(json!({"repository": "https://mirror.example/linux/", "fingerprint": fingerprint, "version": "27"}))
}

/// A bare node1 that knows nothing of Docker's repository, whose server gives this as its key.
fn fetching(asked: &DockerEngine, key: &str) -> String {
    beside("", asked, key)
}

/// The same beside these entries of others for the repository.
fn beside(entries: &str, asked: &DockerEngine, key: &str) -> String {
    let bare = bare(asked, "fresh\n")
        .answers(
            "node1",
            &[Read::Package("ca-certificates".into())],
            " ca-certificates install installed 2023\nwhole\n",
        )
        .answers("node1", &file("/etc/apt/keyrings/docker.asc"), "absent\n")
        .answers("node1", &file("/etc/apt/sources.list.d/docker.sources"), "absent\n")
        .answers("node1", &[Read::Probe(asked.other_entries())], entries)
        .answers("node1", &[Read::Probe(apt::fetch("https://mirror.example/linux/debian/gpg"))], key);
    bare.plan(asked)
}

#[test]
fn the_repository_is_trusted_by_the_published_key_alone() {
    let plan = fetching(&docker_ce(FINGERPRINT), KEY);
    let put = "put /etc/apt/keyrings/docker.asc mode 0644 owner -";
    assert!(plan.contains(put) && plan.contains("put /etc/apt/sources.list.d/docker.sources"), "{plan}");
    assert!(plan.trim_end().ends_with("done") && !plan.contains(" install "), "{plan}");
}

#[test]
fn an_entry_of_somebody_elses_with_another_keyring_is_refused_for_apt_reads_neither() {
    let list = "/etc/apt/sources.list.d/docker.list";
    let plan = beside(&format!("{list}\n"), &docker_ce(FINGERPRINT), KEY);
    assert!(plan.starts_with(&format!("refused: {list} has Docker's repository already")), "{plan}");
    assert!(
        plan.contains(&format!("hint: apt reads neither where both are there; remove that one: sudo rm {list}")),
        "{plan}"
    );
}

#[test]
fn a_wrong_key_a_second_key_and_a_portals_page_are_refused() {
    let wrong = fetching(&action(json!({"repository": "https://mirror.example/linux"})), KEY);
    assert!(wrong.contains("has the fingerprint 6E1E59E35F72FEE5E2B7700FB47FFE220B24339D, and not 9DC8"), "{wrong}");
    let two = fetching(&docker_ce(FINGERPRINT), include_str!("testdata/two.asc"));
    assert!(
        two.starts_with("refused: what https://mirror.example/linux/ gives as its key has the fingerprint"),
        "{two}"
    );
    let portal = fetching(&docker_ce(FINGERPRINT), "<html>");
    assert!(portal.contains("is no key at all"), "{portal}");
}

#[test]
fn settings_are_merged_shown_and_followed_by_a_restart() {
    let asked: DockerEngine = action(json!({"daemon": {"log-opts": {"max-size": "10m"}, "mtu": 1450}}));
    let with = |text: &str, at| working().answers("node1", &file("/etc/docker/daemon.json"), &with_text(text, at));
    let same = "{\"mtu\": 1450, \"log-opts\": {\"max-size\": \"10m\", \"max-file\": \"3\"}, \"debug\": true}";
    assert_eq!(with(same, 900).plan(&asked), "settled");
    let plan = with("{\"mtu\": 1400}", 900).plan(&asked);
    let put = "    put /etc/docker/daemon.json mode - owner -\n  the daemon is older than its settings";
    assert!(plan.contains("    daemon.mtu: 1400 -> 1450\n") && plan.contains(put), "{plan}");
    let plan = with("{,}", 900).plan(&asked);
    assert!(plan.starts_with("refused: /etc/docker/daemon.json: ") && plan.contains("hint: mend it by hand"), "{plan}");
}

#[test]
fn settings_that_somebody_edited_are_shown_and_made_known_to_the_daemon() {
    let with = |text: &str, at| working().answers("node1", &file("/etc/docker/daemon.json"), &with_text(text, at));
    for asked in [json!({}), json!({"daemon": {"mtu": 1450}})] {
        let asked = action::<DockerEngine>(asked);
        assert_eq!(with("{\"mtu\": 1450}", 1000).plan(&asked), "settled");
        let plan = with("{\"mtu\": 1450}", 1001).plan(&asked);
        let edited = "change\n  /etc/docker/daemon.json was edited, and the daemon does not know it\n    $ systemctl";
        assert!(plan.starts_with(edited), "{plan}");
        let broken = with("{,}", 900).plan(&asked);
        assert!(broken.starts_with("refused: /etc/docker/daemon.json: "), "{broken}");
    }
}

#[test]
fn settings_that_no_swarm_survives_are_refused_whoever_made_them() {
    let plan = |asked: serde_json::Value, text: &str| {
        let there = with_text(text, 900);
        working().answers("node1", &file("/etc/docker/daemon.json"), &there).plan(&action::<DockerEngine>(asked))
    };
    let (live, none) = ("{\"live-restore\": true}", json!({}));
    let refused =
        "refused: a daemon with live-restore cannot be in a swarm\nhint: say `daemon: { live-restore: false }`";
    assert!(plan(json!({"daemon": {"live-restore": true}}), "{}").starts_with(refused));
    assert!(plan(none.clone(), live).starts_with(refused));
    assert!(plan(none, "{\"firewall-backend\": \"nftables\"}").starts_with("refused: a daemon with nftables"));
    assert_eq!(plan(json!({"swarm": false}), live), "settled");
    let off = plan(json!({"daemon": {"live-restore": false}}), live);
    assert!(off.starts_with("change\n  the daemon's settings differ\n    daemon.live-restore: true -> false"), "{off}");
    let by_flag = engine(Flavour::Docker, Seen::Is(action(json!({"ServerVersion": "29", "LiveRestoreEnabled": true}))));
    let by_flag = case(by_flag, HELD, ACTIVE).plan(&distribution());
    assert!(
        by_flag.starts_with("refused: a daemon with live-restore") && by_flag.contains("systemctl cat"),
        "{by_flag}"
    );
}

#[test]
fn users_are_put_into_the_group() {
    let asked: DockerEngine = action(json!({"users": ["ann"]}));
    let groups = |text: &str| working().answers("node1", &[Read::Probe(groups_of("ann"))], text).plan(&asked);
    assert_eq!(groups("ann sudo docker\n"), "settled");
    assert_eq!(groups("ann sudo\n"), "change\n  ann is not in the group docker\n    $ usermod -aG docker -- ann");
}

#[test]
fn another_version_of_another_source_is_refused() {
    let asked: DockerEngine = action(json!({"version": "27"}));
    let plan = working().plan(&asked);
    assert!(
        plan.starts_with("refused: docker.io 20.10.24+dfsg1-1 is installed, and 27 is asked for\nhint: remove"),
        "{plan}"
    );
    assert!(mistake::<DockerEngine>(json!({"sauce": "docker-ce"})).contains("unknown field `sauce`"));
}
