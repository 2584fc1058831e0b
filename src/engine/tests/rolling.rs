//! Plays that go batch by batch.

use super::*;

const SERIAL: &str = "plays:\n- hosts: all\n  serial: 1\n  steps:\n  - id: one\n    shell: test -e {{ root }}/good\n  - id: two\n    shell: touch {{ root }}/two\n- hosts: beta\n  steps:\n  - id: after\n    shell: 'true'\n";

#[tokio::test]
async fn a_batch_that_fails_ends_the_run_before_the_next_begins() {
    let lab = Lab::new();
    lab.write("beta", "good", "");
    let ran = lab.run(SERIAL).await;
    assert_eq!(outcomes(&ran), [("one", "alpha", Outcome::Failed), ("one", "beta", Outcome::Skipped)]);
    let told = ran.came.jobs[1].3.clone().unwrap_or_default();
    assert!(told.starts_with("not begun, for the batch before it failed: alpha left the run"), "{told}");
    assert_eq!(ran.came.code, 1);
}

#[tokio::test]
async fn a_batch_whose_failure_is_ignored_stops_nobody() {
    let lab = Lab::new();
    lab.write("beta", "good", "");
    let ran = lab.run(&SERIAL.replace("/good\n", "/good\n    ignore_errors: true\n")).await;
    assert_eq!((ran.came.jobs.len(), ran.came.code), (5, 0), "{:?}", ran.came);
}

#[tokio::test]
async fn who_was_lost_before_the_play_began_is_no_failure_of_its_batches() {
    let lab = Lab { dead: &["alpha"], managers: &[], ..Lab::new() };
    lab.write("beta", "good", "");
    let ran = lab.run(SERIAL).await;
    let done: Vec<_> = outcomes(&ran).into_iter().filter(|job| job.2 == Outcome::Changed).collect();
    assert_eq!(done.len(), 3, "{:?}", ran.came);
}

#[tokio::test]
async fn a_plan_shows_all_batches() {
    let lab = Lab { options: Options { plan: true, ..options() }, ..Lab::new() };
    let ran = lab.run(SERIAL).await;
    assert_eq!(ran.came.jobs.len(), 5, "{:?}", ran.came);
}
