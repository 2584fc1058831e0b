//! Who takes part: the leader, `--limit`, facts of others, hosts that are lost, and what others wait for them to do.

use std::time::Instant;

use super::*;

const FACTS: &str = "id: facts\nshell: test {{ hostvars.alpha.facts.cores }} -ge 1";

fn calls(ran: &Ran, to: &str) -> usize {
    ran.calls.iter().filter(|(host, _)| host == to).count()
}

#[tokio::test]
async fn facts_of_hosts_that_are_not_to_be_changed_are_read_when_they_are_needed() {
    let lab = Lab { managers: &[], ..Lab::limited("beta") };
    let ran = lab.run(&steps("all", &["id: one\nshell: 'true'", FACTS])).await;
    assert_eq!((ran.came.code, calls(&ran, "alpha")), (0, 1), "{:?}", ran.came);
    let ran = lab.run(&steps("all", &["id: one\nshell: 'true'"])).await;
    assert_eq!((ran.came.code, calls(&ran, "alpha")), (0, 0), "nobody needs it");
    let lab = Lab { managers: &[], steps: vec!["facts"], ..Lab::new() };
    let playbook = steps("beta", &["id: one\nhosts: alpha\nshell: 'true'", FACTS]);
    assert_eq!(lab.run(&playbook).await.came.code, 0);
}

#[tokio::test]
async fn facts_of_a_host_that_cannot_be_read_fail_the_step_with_the_reason() {
    let lab = Lab { dead: &["alpha"], managers: &[], ..Lab::limited("beta") };
    let ran = lab.run(&steps("all", &[FACTS])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("alpha does not answer"), "{told}");
    assert_eq!(ran.came.code, 1);
}

#[tokio::test]
async fn a_cut_in_the_first_look_costs_nobody_his_facts() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let cut = move |host: &str, _: &str| {
        (host == "beta" && first.swap(false, std::sync::atomic::Ordering::SeqCst)).then(gone)
    };
    let ran = Lab { managers: &[], ..Lab::hooked(cut) }.run(&steps("all", &[FACTS])).await;
    assert_eq!((ran.came.code, calls(&ran, "alpha")), (0, 2), "one look, one change: {:?}", ran.came);
}

#[tokio::test]
async fn a_failure_of_a_leader_that_nobody_foresaw_counts() {
    let lab = Lab { managers: &["alpha", "beta"], leader: Some("beta"), ..Lab::new() };
    let ran = lab.run(&steps("leader", &["id: one\nshell: exit 3"])).await;
    assert_eq!((outcomes(&ran).as_slice(), ran.came.code), ([("one", "beta", Outcome::Failed)].as_slice(), 1));
}

#[tokio::test]
async fn a_step_that_nobody_can_place_fails_the_run_at_its_place() {
    let lab = Lab { managers: &[], leader: None, ..Lab::new() };
    let ran = lab.run(&steps("all", &["id: one\nhosts: leader\nshell: 'true'", "id: two\nshell: 'true'"])).await;
    assert_eq!(outcomes(&ran), [("one", "alpha", Outcome::Failed), ("one", "beta", Outcome::Failed)]);
    let (_, told) = last(&ran);
    assert!(ran.came.code == 1 && told.contains("playbook.yml:5:12") && told.contains("`leader`"), "{told}");
}

#[tokio::test]
async fn a_step_for_a_leader_that_was_lost_is_not_taken_and_says_so() {
    let lab = Lab { dead: &["alpha"], leader: None, ..Lab::new() };
    let ran = lab.run(&steps("all", &["id: one\nhosts: leader\nshell: 'true'", "id: two\nshell: 'true'"])).await;
    assert_eq!(outcomes(&ran), [("one", "alpha", Outcome::Skipped), ("two", "beta", Outcome::Changed)]);
    assert!(ran.came.jobs[0].3.as_ref().is_some_and(|told| told.contains("alpha does not answer")), "{:?}", ran.came);
    assert_eq!(ran.came.code, 3);
}

const SWARM: &str = "id: swarm\nswarm: { managers: managers, workers: workers }";

#[tokio::test]
async fn nobody_waits_for_a_host_whose_part_of_the_step_has_failed() {
    let started = Instant::now();
    let ran = Lab { leader: None, ..Lab::new() }.run(&steps("all", &[SWARM])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("waiting for alpha to start the swarm is over"), "{told}");
    assert!(told.contains("alpha failed: ") && started.elapsed() < Duration::from_secs(20), "{told}");
}

#[tokio::test]
async fn nobody_waits_for_a_host_that_has_no_part_in_the_step() {
    let limited = Lab { leader: None, ..Lab::limited("beta") }.run(&steps("all", &[SWARM])).await;
    let (outcome, told) = last(&limited);
    assert!(outcome == Outcome::Failed && told.contains("run it without --limit"), "{told}");
    let options = Options { plan: true, limit: Some(vec!["beta".into()]), ..options() };
    let planned = Lab { leader: None, options, ..Lab::new() }.run(&steps("all", &[SWARM])).await;
    assert_eq!((planned.came.code, last(&planned)), (1, (outcome, told)), "a plan says the same");
    let elsewhere = Lab { leader: None, ..Lab::new() }.run(&steps("beta", &[SWARM])).await;
    assert!(last(&elsewhere).1.contains("alpha has no part in this step"), "{}", last(&elsewhere).1);
}

#[tokio::test]
async fn facts_of_a_host_that_failed_can_still_be_read() {
    let facts = "id: facts\nhosts: alpha\nshell: test {{ hostvars.beta.facts.cores }} -ge 1";
    for part in 0..4 {
        let lab = Lab { unread: Some(("beta", part)), ..Lab::new() };
        let ran = lab.run(&steps("all", &["id: fails\nhosts: beta\nshell: exit 3", facts])).await;
        assert_eq!(
            outcomes(&ran),
            [("facts", "alpha", Outcome::Changed), ("fails", "beta", Outcome::Failed)],
            "{part}"
        );
    }
}

#[tokio::test]
async fn a_step_is_run_on_the_one_host_that_a_pattern_means() {
    let lab = Lab::new();
    lab.write("beta", "on", "b");
    let makes = "id: makes\non: managers[0]\nshell: touch made-for-{{ inventory_hostname }}";
    let ran = lab.run(&steps("beta", &[makes])).await;
    assert!(ran.came.files.iter().any(|(file, _)| file == "alpha/made-for-beta"), "{:?}", ran.came);
    let there = "{ line: \"cat {{ host('beta').root }}/on\", on: 'workers[-1]' }";
    let looks = format!("id: looks\nlookup: {{ there: {there} }}\nshell: test {{{{ there.stdout }}}} = b");
    assert_eq!(lab.run(&steps("alpha", &[&looks])).await.came.code, 0);
}
