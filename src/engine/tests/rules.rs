//! The rules that keep the idea right, one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const TWO_FILES: &str = "
plays:
- hosts: all
  steps:
  - id: one
    file: { path: \"{{ root }}/one\", content: \"1\" }
  - id: two
    file: { path: \"{{ root }}/two\", content: \"2\" }
  - id: look
    shell: cat {{ root }}/one {{ root }}/two
    changes: false
";

#[tokio::test]
async fn a_rerun_with_nothing_to_do_sends_each_host_one_command() {
    let lab = Lab::new();
    let first = lab.run(TWO_FILES).await;
    assert_eq!(first.came.code, 0, "{:?}", first.came);
    let again = lab.run(TWO_FILES).await;
    assert!(again.came.jobs.iter().all(|job| job.2 == Outcome::Unchanged), "{:?}", again.came.jobs);
    for host in HOSTS {
        assert_eq!(again.calls.iter().filter(|(to, _)| to == host).count(), 1, "{host}");
    }
}

/// Who leads, and who gives: they are asked with all others, though the run is about neither.
#[tokio::test]
async fn hosts_that_a_step_only_reads_of_are_in_the_first_look() {
    let lab = Lab::new();
    lab.write("alpha", "big", "x");
    let path = lab.root.path().join("alpha/big").display().to_string();
    let ran = lab.run(&steps("beta", &[&format!("id: one\nfile: {{ path: {path}, carry: alpha }}")])).await;
    let asked = |event: &&Event| !matches!(event, Event::Looked { .. });
    let before = ran.events.iter().take_while(asked).filter(|event| matches!(event, Event::HostConnecting { .. }));
    assert_eq!(before.count(), 2, "nobody is asked only once another has answered: {:?}", ran.events);
    assert_eq!((outcomes(&ran)[0].2, ran.calls.len()), (Outcome::Unchanged, 2));
}

#[tokio::test]
async fn a_plan_changes_nothing_and_says_will_and_may() {
    let lab = Lab { options: Options { plan: true, ..options() }, ..Lab::new() };
    let ran = lab.run(TWO_FILES).await;
    assert_eq!((ran.came.code, ran.came.files.len()), (10, 0));
    let after = ran.events.iter().filter_map(|event| match event {
        Event::Change { step, host, after, .. } => Some((step.as_str(), host.as_str(), after.as_deref())),
        _ => None,
    });
    let after: Vec<_> = after.collect();
    let expected =
        [("one", "alpha", None), ("one", "beta", None), ("two", "alpha", Some("one")), ("two", "beta", Some("one"))];
    assert_eq!(after, expected);
}

#[tokio::test]
async fn one_dead_host_never_stops_the_others() {
    let lab = Lab { hook: Some(Arc::new(|host, _| (host == "beta").then(gone))), ..Lab::new() };
    let ran = lab.run(TWO_FILES).await;
    let alpha: Vec<_> = outcomes(&ran).into_iter().filter(|job| job.1 == "alpha").map(|job| job.2).collect();
    assert_eq!(alpha, [Outcome::Unchanged, Outcome::Changed, Outcome::Changed]);
    assert_eq!(ran.came.code, 3);
}

#[tokio::test]
async fn a_change_that_does_not_help_is_a_failure_and_says_so() {
    let hook: Hook = Arc::new(|_, script| script.contains("mktemp").then(|| Ok(Output::default())));
    let lab = Lab { hook: Some(hook), ..Lab::new() };
    let ran = lab.run(TWO_FILES).await;
    assert_eq!(outcomes(&ran), [("one", "alpha", Outcome::Failed), ("one", "beta", Outcome::Failed)]);
    let message = ran.came.jobs[0].3.clone().unwrap_or_default();
    assert!(message.contains("still so after the change was made"), "{message}");
}

#[tokio::test]
async fn the_state_decides_whatever_the_exit_code() {
    let lab = Lab::new();
    let root = lab.root.path().to_owned();
    let hook: Hook = Arc::new(move |host, script| {
        let put = script.contains("mktemp") && script.contains("/one");
        put.then(|| {
            std::fs::write(root.join(host).join("one"), "1").expect("write");
            Ok(Output { code: 1, ..Output::default() })
        })
    });
    let ran = Lab { hook: Some(hook), ..lab }.run(TWO_FILES).await;
    assert_eq!(outcomes(&ran)[2..4], [("one", "alpha", Outcome::Changed), ("one", "beta", Outcome::Changed)]);
    assert_eq!(ran.came.code, 0);
}

#[tokio::test]
async fn a_cut_in_the_middle_is_mended_by_logging_in_again() {
    let cuts = AtomicUsize::new(0);
    let hook: Hook = Arc::new(move |host, script| {
        let cut = host == "alpha" && script.contains("mktemp") && cuts.fetch_add(1, Ordering::SeqCst) == 0;
        cut.then(gone)
    });
    let ran = Lab { hook: Some(hook), ..Lab::new() }.run(TWO_FILES).await;
    assert_eq!(ran.came.code, 0, "{:?}", ran.came);
    assert_eq!(ran.came.files.len(), 4);
}

#[tokio::test]
async fn changes_of_one_run_on_one_host_do_not_wait_for_its_lock() {
    let playbook = "
plays:
- hosts: all
  steps:
  - id: all
    loop: [a, b, c]
    shell: sleep 0.1; echo {{ item }} >>{{ root }}/list
";
    let ran = Lab::new().run(playbook).await;
    let waited = ran.events.iter().any(|event| matches!(event, Event::JobWaiting { .. }));
    assert!(!waited && ran.came.code == 0, "{:?}", ran.events);
    assert_eq!(ran.came.files[0].1.lines().count(), 3);
}

#[tokio::test]
async fn a_command_that_keeps_failing_ends_the_step_with_its_own_words() {
    let playbook = "
plays:
- hosts: alpha
  steps:
  - id: one
    shell: cat {{ root }}/none
    unless: 'echo x >>{{ root }}/asked; false'
";
    let lab = Lab::new();
    let ran = lab.run(playbook).await;
    assert_eq!(outcomes(&ran), [("one", "alpha", Outcome::Failed)]);
    let told = ran.events.iter().find_map(|event| match event {
        Event::JobFinished { command, stderr, .. } => Some((command.clone()?, stderr.clone()?)),
        _ => None,
    });
    let (command, stderr) = told.expect("a failure that tells its command");
    assert!(command.starts_with("cat ") && stderr.contains("No such file"), "{command}: {stderr}");
}

#[tokio::test]
async fn a_host_that_left_takes_no_further_part_and_the_rest_go_on() {
    let playbook = "
plays:
- hosts: all
  steps:
  - id: one
    shell: test {{ inventory_hostname }} = alpha
  - id: two
    shell: echo here >{{ root }}/two
";
    let ran = Lab::new().run(playbook).await;
    let expected =
        [("one", "alpha", Outcome::Changed), ("one", "beta", Outcome::Failed), ("two", "alpha", Outcome::Changed)];
    assert_eq!((outcomes(&ran).as_slice(), ran.came.code), (expected.as_slice(), 1));
}

#[tokio::test]
async fn what_a_failed_command_said_has_a_hint() {
    let full = "
plays:
- hosts: alpha
  steps:
  - id: full
    docker: \"--version >/dev/null; echo 'write /x: no space left on device' >&2; exit 1\"
";
    let ran = Lab::new().run(full).await;
    let hint = |event: &Event| match event {
        Event::JobFinished { hint, .. } => hint.clone(),
        _ => None,
    };
    let hints: Vec<String> = ran.events.iter().filter_map(hint).collect();
    assert!(hints.len() == 1 && hints[0].starts_with("make room there"), "{hints:?}");
}

#[tokio::test]
async fn what_came_to_nothing_ahead_of_its_turn_is_looked_at_again_once() {
    let looks: std::sync::Mutex<Vec<String>> = Default::default();
    let lab = Lab::hooked(move |host, _| {
        let mut looks = looks.lock().expect("looks");
        let first = !looks.iter().any(|before| before == host);
        looks.push(host.to_owned());
        first.then(|| Ok(Output::default()))
    });
    let ran = lab.run(TWO_FILES).await;
    assert_eq!(ran.came.code, 0, "{:?}", ran.came);
}

#[tokio::test]
async fn an_engine_that_is_down_costs_one_more_look_however_many_steps_there_are() {
    let step = "id: ID\nshell: exit 0\nunless: sleep 0.1; nothing ID\nignore_errors: true";
    let playbook = steps("beta", &["a", "b", "c"].map(|id| step.replace("ID", id)).each_ref().map(String::as_str));
    let lab = Lab::hooked(|_, script| script.contains("sleep 0.1").then(|| Ok(Output::default())));
    let ran = lab.run(&playbook).await;
    assert_eq!(outcomes(&ran).iter().filter(|job| job.2 == Outcome::Ignored).count(), 3, "{:?}", ran.came);
    assert_eq!(ran.calls.iter().filter(|(host, _)| host == "beta").count(), 2);
}

#[tokio::test]
async fn to_wait_is_no_change_and_what_comes_after_it_may_differ() {
    let wait = "id: wait\nwait_for: { command: \"test -e {{ root }}/a\" }";
    let look = steps("beta", &[wait, "id: look\nshell: 'true'\nchanges: false"]);
    let change = steps("beta", &[wait, "id: one\nfile: { path: \"{{ root }}/b\", content: x }"]);
    let lab = Lab { options: Options { plan: true, ..options() }, ..Lab::new() };
    let ran = lab.run(&look).await;
    assert_eq!((ran.came.code, ran.came.jobs[1].2), (0, Outcome::Unchanged), "{:?}", ran.came);
    assert!(ran.came.jobs[1].3.as_ref().is_some_and(|told| told.starts_with("would wait for")), "{:?}", ran.came);
    let after = |event: &Event| matches!(event, Event::Change { after: Some(step), .. } if step == "wait");
    assert!(lab.run(&change).await.events.iter().any(after));
}
