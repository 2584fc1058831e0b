use std::process::Command as Process;

use serde_json::json;

use super::*;
use crate::actions::testing::{Case, action, mistake};

/// What node1 says of `web.service`: `ActiveState,UnitFileState,Result`, whether its files are stale, and what kind it is.
fn unit(state: &str, stale: &str, kind: &str) -> String {
    format!("loaded,{state},1000,web.service,{stale},{kind},no,0,60\n")
}

fn planned_for(parameters: serde_json::Value, answer: &str) -> String {
    let mut parameters = parameters;
    parameters["unit"] = json!("web");
    let case = Case::new(&["node1"]).answers("node1", &[Read::Unit("web.service".into())], answer);
    let file = |modified: u64| format!("file 644 0 0 root root 1 {modified}.0 {} -\n", "0".repeat(64));
    let read = |path: &str| [Read::File { path: path.into(), content: false }];
    let case = case.answers("node1", &read("/etc/new"), &file(1001)).answers("node1", &read("/etc/old"), &file(1000));
    case.answers("node1", &read("/etc/none"), "absent\n").plan(&action::<Systemd>(parameters))
}

fn planned(parameters: serde_json::Value, state: &str) -> String {
    planned_for(parameters, &unit(state, "no", "notify"))
}

fn started() -> serde_json::Value {
    json!({"state": "started", "enabled": true})
}

const RUNS: &str = "active,enabled,success";

#[test]
fn a_unit_that_runs_and_starts_with_the_machine_is_settled() {
    assert_eq!(planned(started(), RUNS), "settled");
    assert_eq!(planned(started(), "reloading,alias,success"), "settled");
    assert_eq!(planned(json!({"state": "stopped", "enabled": false}), "failed,static,exit-code"), "settled");
    for enabled in [true, false] {
        let mount = planned(json!({"enabled": enabled}), "active,generated,success");
        assert_eq!(mount, "settled", "/etc/fstab says what becomes of a mount");
    }
}

#[test]
fn what_differs_is_shown_field_by_field() {
    let enable =
        "  it does not start with the machine\n    enabled: disabled -> enabled\n    $ systemctl enable web.service";
    let start = "  it does not run\n    state: failed -> started\n    $ systemctl start web.service";
    assert_eq!(planned(started(), "failed,disabled,exit-code"), format!("change\n{enable}\n{start}"));
    let disable = "  it starts with the machine\n    enabled: enabled -> disabled\n    $ systemctl disable web.service";
    let stop = "  it runs\n    state: active -> stopped\n    $ systemctl stop web.service";
    let plan = planned(json!({"state": "stopped", "enabled": false}), RUNS);
    assert_eq!(plan, format!("change\n{disable}\n{stop}"));
}

#[test]
fn commands_name_the_unit_and_not_its_alias() {
    let alias = "loaded,inactive,disabled,success,,real.service,no,notify,no,0,\n";
    let plan = planned_for(started(), alias);
    assert!(plan.contains("systemctl enable real.service") && !plan.contains("web.service"), "{plan}");
}

#[test]
fn it_is_restarted_where_a_file_is_newer_than_it_and_not_where_it_does_not_run() {
    let newer = |files: serde_json::Value, state: &str| planned(json!({"newer_than": files}), state);
    assert_eq!(newer(json!(["/etc/old", "/etc/none"]), RUNS), "settled");
    let restart = "change\n  /etc/new has changed since it was started\n    $ systemctl restart web.service";
    assert_eq!(newer(json!(["/etc/old", "/etc/new"]), RUNS), restart);
    assert_eq!(newer(json!(["/etc/new"]), "inactive,enabled,success"), "settled");
}

#[test]
fn files_of_its_own_that_changed_are_read_anew_first() {
    let reload = "change\n  systemd wants to read its files anew\n    $ systemctl daemon-reload";
    assert_eq!(planned_for(started(), &unit(RUNS, "yes", "notify")), reload);
    let asked = json!({"state": "started", "newer_than": ["/etc/new"]});
    assert_eq!(planned_for(asked, &unit(RUNS, "yes", "notify")), reload);
}

#[test]
fn what_systemd_knew_before_it_read_the_files_is_no_reason_to_refuse() {
    let of = |stale: &str| planned_for(started(), &unit("inactive,static,success", stale, "notify"));
    assert!(of("yes").ends_with("    $ systemctl daemon-reload"), "it may have gained [Install]: {}", of("yes"));
    assert!(of("no").starts_with("refused: web.service is static"), "{}", of("no"));
}

#[test]
fn masks_are_put_on_last_and_taken_off_first() {
    let masked = json!({"state": "stopped", "masked": true});
    assert_eq!(planned(masked.clone(), "inactive,masked,success"), "settled");
    let plan = planned(masked.clone(), "active,enabled,success");
    let mask = "  it is not masked\n    masked: enabled -> masked\n    $ systemctl mask web.service";
    assert!(plan.starts_with("change\n  it runs\n") && plan.ends_with(mask), "{plan}");
    assert!(planned(masked, "inactive,masked-runtime,success").contains("masked: masked-runtime -> masked"));
    let off = json!({"masked": false, "enabled": true});
    let plan = planned(off.clone(), "inactive,masked,success");
    let unmask = "change\n  it is masked\n    masked: masked -> not masked\n    $ systemctl unmask web.service\n";
    assert!(plan.starts_with(unmask) && plan.ends_with("systemctl enable web.service"), "{plan}");
    assert!(planned(off, "inactive,masked-runtime,success").contains("$ systemctl unmask --runtime web.service"));
    let no = "refused: web.service is masked\nhint: say `masked: false` if it may be started";
    assert_eq!(planned(started(), "inactive,masked,success"), no);
}

#[test]
fn what_comes_or_goes_is_waited_for_and_so_is_one_that_does_not_stay_up() {
    assert_eq!(planned(started(), "activating,enabled,success"), "wait for web.service to run: it is activating");
    assert_eq!(planned(json!({"state": "stopped"}), "deactivating,enabled,success"), "wait for web.service to stop");
    let ended = "wait for web.service to stay up (it ended with exit-code,";
    let log = "times started again: journalctl -u web.service)";
    assert_eq!(planned(started(), "activating,enabled,exit-code"), format!("{ended} 0 {log}"));
    let up = |seconds: u32| {
        let answer = unit("active,enabled,exit-code", "no", "simple").replace("0,60", &format!("3,{seconds}"));
        planned_for(started(), &answer)
    };
    assert_eq!((up(4), up(5)), (format!("{ended} 3 {log}"), "settled".into()));
    let enable = planned(started(), "activating,disabled,success");
    assert!(enable.ends_with("$ systemctl enable web.service"), "what can be done is done first: {enable}");
}

#[test]
fn what_cannot_be_is_refused() {
    let passing = planned_for(json!({"state": "started"}), &unit("inactive,disabled,success", "no", "oneshot"));
    assert!(passing.starts_with("refused: web.service does its work and ends: it cannot stay started"), "{passing}");
    let fixed = planned(json!({"enabled": true}), "inactive,static,success");
    assert!(fixed.starts_with("refused: web.service is static: nothing says"), "{fixed}");
    let unread = planned_for(started(), "unread\n");
    assert_eq!(unread, "refused: cannot read web.service: systemd does not answer");
}

#[test]
fn one_that_is_not_there_is_stopped_already_and_cannot_be_started() {
    let absent = |asked| planned_for(asked, "not-found,inactive,,success,,web.service,no,,no,0,\n");
    assert_eq!(absent(json!({"state": "stopped", "enabled": false, "masked": false})), "settled");
    assert!(absent(started()).starts_with("refused: there is no unit web.service on node1\nhint: install what"));
    assert!(absent(json!({"masked": true})).ends_with("$ systemctl mask web.service"));
}

/// What the script of `begin` says where systemctl ends so: the start, and being active a second later, as that invocation.
fn began(start: i32, active: i32, later: &str) -> (Option<i32>, String) {
    let show = format!("show) cat id; echo {later} >id ;;");
    let cases = format!("start) return {start} ;; is-active) return {active} ;; {show}");
    let script = format!("systemctl() {{ case $1 in {cases} esac; }}\necho first >id\n");
    let script = script + "journalctl() { echo \"$2: no port is free\"; }\nsleep() { :; }\n";
    let folder = tempfile::tempdir().expect("a folder");
    let mut sh = Process::new("sh");
    sh.current_dir(&folder).arg("-c").arg(script + &begin("start", "web.service").wire());
    let output = sh.output().expect("sh");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn one_that_does_not_come_up_or_does_not_stay_says_why_in_its_log() {
    let log = "web.service: no port is free\n".to_owned();
    assert_eq!(began(0, 0, "first"), (Some(0), String::new()));
    assert_eq!(began(1, 0, "first"), (Some(1), log.clone()));
    assert_eq!(began(0, 3, "first"), (Some(1), log.clone()));
    assert_eq!(began(0, 0, "second"), (Some(1), log), "systemd has started it again meanwhile");
}

#[test]
fn what_systemctl_says_has_a_remedy() {
    let hint = |said| action::<Systemd>(json!({"unit": "web", "masked": true})).hint(said).unwrap_or_default();
    assert!(
        hint("Failed to mask unit: File /etc/systemd/system/web.service already exists.").contains("remove that file")
    );
    let taken =
        "Failed to enable unit: File /etc/systemd/system/w.service already exists and is a symlink to x.service.";
    assert_eq!(hint(taken), "", "no mask is spoken of");
    assert!(hint("Interactive authentication required.").contains("become: true"));
    assert_eq!(hint("no"), "");
}

#[test]
fn names_are_completed_and_mistakes_named() {
    let told = |parameters| mistake::<Systemd>(parameters);
    let name = |unit: &str| action::<Systemd>(json!({"unit": unit, "enabled": true})).0.unit;
    assert_eq!((name("web"), name("web.timer")), ("web.service".into(), "web.timer".into()));
    assert_eq!(name("web@1.2"), "web@1.2.service");
    assert!(told(json!({"unit": "web"})).contains("at least one of"));
    assert!(told(json!({"unit": "web", "state": "restarted"})).contains("unknown variant `restarted`"));
    assert!(told(json!({"unit": "web; x", "enabled": true})).contains("no unit's name"));
    assert!(told(json!({"unit": "web", "newer_than": ["etc/x"]})).contains("absolute"));
    assert!(told(json!({"unit": "web", "masked": true, "enabled": true})).contains("neither started nor enabled"));
    assert!(told(json!({"unit": "web", "state": "stopped", "newer_than": ["/x"]})).contains("what is stopped"));
}
