//! `skep submit` against a real OpenSSH server; Docker and spark-submit are of shell, and the container is this machine.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use super::interrupt::within;
use super::*;

/// Lists one driver, and executes in it as the real one does: in a process session of its own, and without passing signals on.
const DOCKER: &str = r#"#!/bin/sh
case "$1" in
info) echo '{"ServerVersion":"28.2.2","Name":"a","Swarm":{"LocalNodeState":"inactive"}}' ;;
ps) cat "$(dirname "$0")/../containers" ;;
exec)
    shift; in=/dev/null
    [ "$1" != -i ] || { in=/dev/stdin; shift; }
    [ "$1" = c1 ] || { echo "no such container: $1" >&2; exit 1; }
    shift
    exec setsid -w "$@" <$in ;;
*) echo "docker: unexpected: $*" >&2; exit 64 ;;
esac
"#;

const DRIVER: &str = r#"{"Id":"c1","Name":"spark-driver","State":"running","Status":"Up","Spark":"driver"}"#;

/// Runs what is not an option as a script of shell.
const SPARK_SUBMIT: &str = r#"#!/bin/sh
echo "$*" >"$(dirname "$0")/../told"
while [ "${1#--}" != "$1" ]; do shift 2; done
exec sh "$@"
"#;

fn program(ground: &Ground, name: &str, text: &str) {
    ground.write(name, text);
    fs::set_permissions(ground.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Hosts of which `alpha` has the driver.
fn spark(names: &[&str]) -> Ground {
    let ground = Ground::with(names, |folder, name| {
        format!("SetEnv HOME=/tmp PATH={}/{name}/bin:/usr/bin:/bin", folder.display())
    });
    for name in names {
        program(&ground, &format!("{name}/bin/docker"), DOCKER);
        program(&ground, &format!("{name}/bin/curl"), "#!/bin/sh\nexit 7\n");
        program(&ground, &format!("{name}/bin/wget"), "#!/bin/sh\n[ ! -e \"$(dirname \"$0\")/../gone\" ]\n");
        program(&ground, &format!("{name}/bin/spark-submit"), SPARK_SUBMIT);
        ground.write(&format!("{name}/containers"), "");
    }
    ground.write("alpha/containers", DRIVER);
    ground
}

/// Exit code, standard output and standard error of a job of this text.
fn submit(ground: &Ground, options: &[&str], job: &str, arguments: &[&str]) -> (i32, String, String) {
    ground.write("job.sh", job);
    let output = ground.skep(&[&["submit", "--wait", "1s"], options, &["job.sh"], arguments].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The job tells where it works, so that others' folders are left alone.
fn is_gone(folder: &str) -> bool {
    assert!(folder.starts_with("/tmp/skep-job.") && folder.ends_with("/work"), "{folder}");
    let folder = folder.trim_end_matches("/work");
    !Path::new(folder).exists() && !Path::new(&format!("{folder}.over")).exists()
}

#[test]
fn a_job_has_its_files_its_outputs_and_its_exit_code_and_leaves_nothing() {
    let ground = spark(&["alpha", "beta"]);
    ground.write("data.csv", "1,2");
    let job = "pwd; cat data.csv; echo \" $1 $2\"; echo trouble >&2; cat; exit 7";
    let options = ["--files", "data.csv", "--conf", "spark.cores.max=2"];
    let (code, out, errors) = submit(&ground, &options, job, &["--limit", "a b"]);
    let (folder, rest) = out.split_once('\n').unwrap();
    assert_eq!((code, rest), (7, "1,2 --limit a b\n"), "{errors}");
    assert!(errors.contains("trouble\n") && !out.contains("trouble"), "{errors}");
    assert!(is_gone(folder), "{folder} is left");
    let told = fs::read_to_string(ground.path("alpha/told")).unwrap();
    assert_eq!(told, "--files data.csv --conf spark.cores.max=2 job.sh --limit a b\n");
}

#[test]
fn results_come_also_of_a_job_that_failed() {
    let ground = spark(&["alpha"]);
    let job = "mkdir -p out/deep; echo 1 >out/deep/a; echo 2 >b; exit 3";
    let options = ["--fetch", "out:results", "-f", "b", "-f", "none"];
    let (code, _, errors) = submit(&ground, &options, job, &[]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("the job has left no none"), "{errors}");
    // The only copy of what was called otherwise, for all that is known.
    let kept = errors.split("what the job wrote is kept in ").nth(1).expect("it is kept").split(" in ").nth(1);
    let kept = kept.and_then(|rest| rest.split(':').next()).expect("where").to_owned();
    assert_eq!(fs::read_to_string(format!("{kept}/b")).unwrap(), "2\n", "{errors}");
    fs::remove_dir_all(&kept).unwrap();
    let read = |name: &str| fs::read_to_string(ground.path(name)).unwrap();
    assert_eq!((read("results/deep/a"), read("b")), ("1\n".into(), "2\n".into()));
    let (code, ..) = submit(&ground, &["--fetch", "none"], "exit 0", &[]);
    assert_eq!(code, 1, "a result that is not there is a failure");
}

#[test]
fn a_place_that_is_taken_is_told_before_anybody_is_contacted() {
    let ground = spark(&["alpha"]);
    ground.write("results", "mine");
    let (code, _, errors) = submit(&ground, &["--fetch", "out:results"], "mkdir out", &[]);
    assert_eq!((code, ground.servers[0].connections()), (2, 0), "{errors}");
    assert!(errors.contains("results is here already") && errors.contains("hint: "), "{errors}");
    let (code, _, errors) = submit(&ground, &["--fetch", "b:nowhere/"], "echo 2 >b", &[]);
    assert_eq!((code, ground.servers[0].connections()), (2, 0), "{errors}");
    assert!(errors.contains("there is no folder nowhere/") && errors.contains("hint: "), "{errors}");
    let output = ground.skep(&["submit", "nowhere.py"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), ground.servers[0].connections()), (Some(2), 0), "{errors}");
    assert!(errors.contains("cannot read nowhere.py: there is no such file") && errors.contains("local:"), "{errors}");
}

#[test]
fn an_output_that_cannot_be_written_is_no_success() {
    let ground = spark(&["alpha"]);
    ground.write("job.sh", "echo last words");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = ground.command().args(["submit", "job.sh"]).stdout(full).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("could not be passed on"), "{errors}");
}

#[test]
fn a_driver_or_a_master_that_is_not_there_is_told() {
    let ground = spark(&["alpha"]);
    ground.write("alpha/gone", "");
    let (code, _, errors) = submit(&ground, &[], "echo ran", &[]);
    assert_eq!(code, 1);
    assert!(errors.contains("http://spark-master:8080/json/") && errors.contains("hint: skep status"), "{errors}");
    let (code, out, _) = submit(&ground, &["--conf", "spark.master=local[2]"], "echo ran", &[]);
    assert_eq!((code, &*out), (0, "ran\n"), "who wants another master does not need this one");
    ground.write("alpha/containers", &DRIVER.replace("running", "exited").replace("Up", "Exited (1) 2 hours ago"));
    let (code, _, errors) = submit(&ground, &[], "echo ran", &[]);
    assert_eq!(code, 1);
    assert!(errors.contains("spark-driver on alpha is exited (1) 2 hours ago"), "{errors}");
    ground.write("alpha/containers", "");
    let (code, _, errors) = submit(&ground, &[], "echo ran", &[]);
    assert!(code == 1 && errors.contains("no host has a driver of Spark"), "{errors}");
}

#[test]
fn a_host_that_does_not_answer_is_in_nobodys_way_unless_it_may_have_the_driver() {
    let mut ground = spark(&["alpha", "beta"]);
    ground.servers[1].stop();
    let (code, out, errors) = submit(&ground, &[], "echo ran", &[]);
    assert_eq!((code, &*out), (0, "ran\n"), "{errors}");
    assert!(errors.contains("unreachable: beta"), "{errors}");
    ground.write("alpha/containers", "");
    let (code, _, errors) = submit(&ground, &[], "echo ran", &[]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("no host that answered has a driver"), "{errors}");
}

#[test]
fn programs_that_follow_events_get_lines() {
    let ground = spark(&["alpha"]);
    let (code, out, _) = submit(&ground, &["--output", "json", "--fetch", "a"], "echo one; echo two >a; exit 4", &[]);
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().find(|event| event["event"] == kind).unwrap();
    assert_eq!((code, &of("line")["line"], &of("fetched")["bytes"]), (4, &"one".into(), &4.into()), "{out}");
    assert_eq!((&events.last().unwrap()["event"], &of("run_finished")["code"]), (&"run_finished".into(), &4.into()));
}

/// A job under way, which has told the folder it works in.
fn started(ground: &Ground, job: &str) -> (Child, String) {
    ground.write("job.sh", job);
    let mut skep = ground.command();
    skep.args(["submit", "job.sh"]).stdin(Stdio::null());
    let create = |name: &str| fs::File::create(ground.path(name)).unwrap();
    let skep = skep.stdout(create("out")).stderr(create("errors")).spawn().unwrap();
    let told = || fs::read_to_string(ground.path("out")).unwrap();
    let errors = || fs::read_to_string(ground.path("errors")).unwrap();
    assert!(within(30, || told().contains('\n')), "the job does not start, or its output waits: {}", errors());
    (skep, told().lines().next().unwrap().to_owned())
}

/// Whether something of the job's runs: nobody else sleeps for so long.
fn sleeps(seconds: &str) -> bool {
    crate::support::sshd::must("ps", &["-eo", "args="]).lines().any(|line| line == format!("sleep {seconds}"))
}

#[test]
fn ctrl_c_ends_the_job_and_its_last_words_are_heard() {
    let ground = spark(&["alpha"]);
    let (mut skep, folder) = started(&ground, "trap 'echo bye; exit 9' TERM; pwd; sleep 86518.5 & wait");
    assert!(within(20, || sleeps("86518.5")));
    crate::support::sshd::must("kill", &["-INT", &skep.id().to_string()]);
    assert_eq!(skep.wait().unwrap().code(), Some(130));
    assert!(!sleeps("86518.5") && is_gone(&folder), "at its end, nothing of the job is left");
    assert!(fs::read_to_string(ground.path("out")).unwrap().contains("bye"));
    assert!(fs::read_to_string(ground.path("errors")).unwrap().contains("the job was ended"));
}

#[test]
fn a_job_does_not_outlive_who_submitted_it_however_that_ends() {
    let ground = spark(&["alpha"]);
    let (mut skep, folder) = started(&ground, "pwd; sleep 86519.5; :");
    skep.kill().unwrap();
    skep.wait().unwrap();
    // No other test may sleep for so long.
    assert!(within(20, || !sleeps("86519.5") && is_gone(&folder)), "a killed skep");

    let (mut skep, folder) = started(&ground, "pwd; sleep 86520.5; :");
    ground.servers[0].hang_up();
    let code = skep.wait().unwrap().code();
    assert_eq!(code, Some(3), "a lost connection: {}", fs::read_to_string(ground.path("errors")).unwrap());
    assert!(within(20, || !sleeps("86520.5") && is_gone(&folder)), "a lost connection");
    assert!(fs::read_to_string(ground.path("errors")).unwrap().contains("ends with it"));
}
