//! The commands without a playbook: `exec`, `forward`, `down`, against real OpenSSH servers and a Docker of shell.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::interrupt::{OnTerminal, within};
use super::*;
use crate::support::sshd::must;

/// What `skep down` asks of Docker, answered from files: `containers` has an id a line, `swarm` how the host is in it,
/// `services` what that runs.
const DOCKER: &str = r#"#!/bin/sh
cd "$(dirname "$0")/.." || exit
case "$1 $2" in
"ps --all") cat containers ;;
"inspect --format") shift 3; for id; do echo "container $id /the-$id"; done ;;
"rm --force") [ "$3" != slow ] || exec sleep 86423.5; [ "$3" = stuck ] || sed -i "/^$3$/d" containers ;;
"info --format") cat swarm ;;
"swarm leave") echo 'is inactive false' >swarm ;;
"service ls") grep -q 'active true' swarm && cut -d' ' -f2 services ;;
"service inspect") cat services ;;
"service rm") shift 2; for id; do sed -i "/^[a-z]* $id /d" services; done ;;
esac
"#;

fn docker(names: &[&str]) -> Ground {
    let ground = Ground::with(names, |folder, name| {
        format!("SetEnv HOME=/tmp PATH={}/{name}/bin:/usr/bin:/bin", folder.display())
    });
    for name in names {
        ground.write(&format!("{name}/bin/docker"), DOCKER);
        fs::set_permissions(ground.path(&format!("{name}/bin/docker")), fs::Permissions::from_mode(0o755)).unwrap();
        ground.write(&format!("{name}/containers"), "one\ntwo\n");
        ground.write(&format!("{name}/swarm"), "is active false\n");
    }
    ground.write(&format!("{}/swarm", names[0]), "is active true\n");
    ground.write(&format!("{}/services", names[0]), "");
    ground
}

impl Ground {
    /// Exit code, events, and standard error of a command whose output is JSON.
    fn events(&self, arguments: &[&str]) -> (i32, Vec<Value>, String) {
        let output = self.skep(&[&["--output", "json", "--wait", "1s"], arguments].concat());
        let events = String::from_utf8(output.stdout).unwrap();
        let events = events.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
        let events: Vec<Value> = events.collect();
        if output.status.code() != Some(2) {
            let last = events.last().expect("an event");
            assert_eq!(
                (last["event"].as_str(), last["code"].as_i64()),
                (Some("run_finished"), output.status.code().map(i64::from))
            );
        }
        (output.status.code().unwrap(), events, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn down_takes_all_away_and_says_what_is_still_there() {
    let ground = docker(&["alpha", "beta"]);
    ground.write("beta/containers", "one\nstuck\n");
    let (code, events, told) = ground.events(&["down", "--yes"]);
    assert_eq!(
        (ground.read("alpha/containers"), ground.read("alpha/swarm")),
        (String::new(), "is inactive false\n".into())
    );
    let still =
        events.iter().find(|event| event["step"] == "left" && event["host"] == "beta" && event["outcome"] == "failed");
    let still = still.unwrap_or_else(|| panic!("{events:#?}{told}"));
    assert!(code == 1 && still["message"] == "still there: container the-stuck", "{code}: {still}");
}

#[test]
fn down_on_workers_leaves_a_swarm_that_somebody_uses() {
    let ground = docker(&["alpha", "beta"]);
    ground.write("alpha/services", "service s1 shop\n");
    let (code, _, told) = ground.events(&["down", "--yes", "--limit", "beta"]);
    assert!(code == 0 && told.contains("The swarm stays: it runs services (shop)"), "{code}: {told}");
    assert_eq!(
        (ground.read("beta/containers"), ground.read("beta/swarm")),
        (String::new(), "is active false\n".into())
    );
    assert_eq!(ground.read("alpha/containers"), "one\ntwo\n", "it is beyond the limit");
}

#[test]
fn down_on_the_manager_alone_leaves_the_swarm_to_the_others() {
    let mut ground = docker(&["alpha", "beta"]);
    ground.write("alpha/services", "stacked s1 web web_app\n");
    for dead in [false, true] {
        if dead {
            ground.servers[1].stop();
            ground.write("alpha/containers", "one\n");
        }
        let (code, _, told) = ground.events(&["down", "--yes", "--limit", "alpha"]);
        assert!(
            code == if dead { 3 } else { 0 } && told.contains("beta may be in it, and --limit leaves"),
            "{code}: {told}"
        );
        assert_eq!(
            (ground.read("alpha/containers"), ground.read("alpha/swarm"), ground.read("alpha/services")),
            (String::new(), "is active true\n".into(), "stacked s1 web web_app\n".into())
        );
    }
}

#[test]
fn down_goes_on_without_a_dead_host_and_keeps_a_swarm_that_nobody_can_speak_for() {
    let mut ground = docker(&["alpha", "beta"]);
    ground.servers[0].stop();
    let (code, events, told) = ground.events(&["down", "--yes"]);
    assert!(code == 3 && told.contains("The swarm stays: no manager could be asked"), "{code}: {told}");
    assert!(events.iter().any(|event| event["event"] == "host_lost" && event["host"] == "alpha"), "{events:#?}");
    assert_eq!(
        (ground.read("beta/containers"), ground.read("beta/swarm")),
        (String::new(), "is active false\n".into())
    );
}

#[test]
fn down_removes_stacks_that_skep_deployed_and_with_them_the_swarm() {
    let ground = docker(&["alpha", "beta"]);
    ground.write("alpha/services", "stacked s1 web web_app\nstacked s2 web web_db\n");
    let (code, _, told) = ground.events(&["down", "--yes", "--limit", "beta"]);
    assert!(code == 0 && told.contains("The swarm stays: it runs services (web_app, web_db)"), "{code}: {told}");
    let (code, events, told) = ground.events(&["down", "--yes"]);
    assert_eq!(code, 0, "{events:#?}{told}");
    assert_eq!(
        (ground.read("alpha/services"), ground.read("alpha/swarm")),
        (String::new(), "is inactive false\n".into())
    );
    let (code, events, _) = ground.events(&["down", "--yes"]);
    assert!(code == 0 && events.iter().all(|event| event["event"] != "change"), "{code}: {events:#?}");
}

#[test]
fn down_goes_on_where_one_docker_is_dead() {
    let ground = docker(&["alpha", "beta", "gamma"]);
    ground.write("beta/bin/docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n");
    let (code, events, told) = ground.events(&["down", "--yes"]);
    let failed = |host: &str| events.iter().any(|event| event["host"] == host && event["outcome"] == "failed");
    assert!(code == 1 && failed("beta") && !failed("alpha") && !failed("gamma"), "{code}: {events:#?}{told}");
    assert_eq!(ground.read("gamma/swarm"), "is inactive false\n");
}

#[test]
fn down_does_not_ask_a_program() {
    let ground = docker(&["alpha"]);
    let (code, events, told) = ground.events(&["down"]);
    assert!(code == 2 && events.is_empty() && told.contains("--yes"), "{code}: {told}");
    assert_eq!(ground.servers[0].connections(), 0);
    let (code, events, _) = ground.events(&["down", "--plan"]);
    assert_eq!((code, events.iter().filter(|event| event["event"] == "change").count()), (10, 3), "{events:#?}");
}

#[test]
fn down_asks_and_ctrl_c_is_no() {
    let ground = docker(&["alpha"]);
    let (code, took) = OnTerminal::start(&ground, "down").interrupted_at("Remove what is shown above? [y/N]");
    assert!(code == Some(130) && took < Duration::from_secs(5), "{code:?} {took:?}");
    assert_eq!(ground.read("alpha/containers"), "one\ntwo\n");
}

#[test]
fn down_waits_for_who_works_there() {
    let ground = docker(&["alpha"]);
    let mut other = Command::new("sh");
    other.args(["-c", "exec flock /run/skep.lock sleep 2"]);
    let mut other = other.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let (code, events, _) = ground.events(&["down", "--yes"]);
    other.wait().unwrap();
    let waits = |event: &Value| {
        event["event"] == "job_waiting" && event["waiting"].as_str().unwrap().contains("the lock held by")
    };
    assert!(code == 0 && events.iter().any(waits), "{code}: {events:#?}");
    assert_eq!(ground.read("alpha/containers"), "");
}

#[test]
fn exec_says_that_sudo_was_refused_where_the_host_was_reached() {
    let ground = Ground::new(&["alpha"]);
    let somebody = Somebody::with_shell("/bin/bash");
    logs_in(&ground, &somebody.name);
    let (code, events, _) = ground.events(&["exec", "all", "--", "true"]);
    assert!(
        code == 1 && events[0]["event"] == "job_finished" && events[0]["outcome"] == "failed",
        "{code}: {events:#?}"
    );
    assert!(events[0]["hint"].as_str().unwrap().contains("NOPASSWD"), "{events:#?}");
    let (code, events, _) = ground.events(&["exec", "all", "--login", "--", "echo", "here"]);
    assert_eq!((code, events[0]["stdout"].as_str()), (0, Some("here\n")));
}

#[test]
fn exec_shows_what_came_before_ctrl_c_and_ends_the_rest() {
    let ground = Ground::new(&["alpha", "beta"]);
    let line =
        format!("case $SSH_CONNECTION in *\" {}\") exec sleep 86421.5 ;; esac; echo quick", ground.servers[1].port);
    let told = interrupted(&ground, &["exec", "all", "--", &line], "sleep 86421.5");
    assert!(told.contains("alpha\nquick\n"), "{told}");
}

#[test]
fn exec_shows_lines_as_they_come_where_everything_is_to_be_shown() {
    let ground = Ground::new(&["alpha"]);
    let output = ground.skep(&["exec", "all", "-v", "--", "echo one; echo two >&2; exit 3"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("alpha | one\n") && told.contains("alpha | two\n"), "{told}");
}

#[test]
fn exec_shows_what_a_command_printed_that_has_no_end() {
    let ground = Ground::new(&["alpha"]);
    // The command's group has a leader of its own, whose parent is sshd.
    let line = "echo half; sleep 1; kill -9 $(ps -o ppid= -p $(ps -o pgid= -p $$))";
    let output = ground.skep(&["exec", "all", "--", line]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && told.contains("lost"), "{:?}: {told}", output.status);
    assert!(told.contains("\n  | half\n") && told.contains("hint: whether it has done its work"), "{told}");
}

#[test]
fn how_a_host_is_reached_is_shown_also_where_another_one_is_not() {
    let ground = Ground::new(&["alpha"]);
    let port = format!("port: {}", ground.servers[0].port);
    ground.inventory(&[("alpha", format!("{port}, jump: '@'")), ("beta", port)]);
    let output = ground.skep(&["hosts", "--ssh"]);
    let (told, wrong) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.code() == Some(2) && wrong.contains("says no hosts to go through"), "{wrong}");
    let alive = ["beta\n", "  ServerAliveInterval ", "  15 ", "  ServerAliveCountMax "];
    assert!(alive.iter().all(|words| told.contains(words)), "{told}");
}

#[test]
fn down_ends_what_it_is_at_for_ctrl_c() {
    let ground = docker(&["alpha"]);
    ground.write("alpha/containers", "slow\n");
    let told = interrupted(&ground, &["down", "--yes", "--output", "json"], "sleep 86423.5");
    assert!(told.lines().last().unwrap().contains(r#""code":130"#) && !told.contains("managers leave"), "{told}");
}

/// Sends Ctrl-C once `sleep` runs, which must end it, and gives what was told.
pub fn interrupted(ground: &Ground, arguments: &[&str], sleep: &str) -> String {
    let mut skep = ground.command();
    let skep = skep.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sleeps = || must("ps", &["-eo", "args="]).lines().any(|line| line == sleep);
    assert!(within(20, || sleeps() && ground.servers[0].execs() > 0));
    std::thread::sleep(Duration::from_millis(500));
    must("kill", &["-INT", &skep.id().to_string()]);
    let began = Instant::now();
    let output = skep.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.code() == Some(130) && began.elapsed() < Duration::from_secs(8),
        "{:?}: {told}",
        output.status
    );
    assert!(within(5, || !sleeps()), "it still runs on the host");
    told
}

#[test]
fn forward_goes_on_without_hosts_that_are_dead_or_whose_docker_is() {
    let mut ground = docker(&["alpha", "beta", "gamma"]);
    ground.servers[2].stop();
    let (code, events, _) = ground.events(&["forward"]);
    assert!(code == 3 && events[0]["event"] == "host_lost" && events[0]["host"] == "gamma", "{code}: {events:#?}");
    ground.write("beta/bin/docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n");
    let (code, events, _) = ground.events(&["forward"]);
    assert!(code == 1 && events[0]["host"] == "beta", "{code}: {events:#?}");
    assert!(events[0]["message"].as_str().unwrap().contains("Cannot connect to the Docker daemon"), "{events:#?}");
}
