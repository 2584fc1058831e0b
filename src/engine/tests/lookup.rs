//! Variables that commands define which only look.

use super::*;

fn calls(ran: &Ran, to: &str) -> usize {
    ran.calls.iter().filter(|(host, _)| host == to).count()
}

const ASKS: &str = "lookup:\n  seen: cat {{ root }}/a\nshell: 'true'\nchanges: false\nwhen: seen.stdout == '1'";

fn asks(id: &str) -> String {
    format!("id: {id}\n{ASKS}")
}

#[tokio::test]
async fn lookups_are_read_together_with_all_else() {
    let lab = Lab::new();
    lab.write("beta", "a", "1");
    let file = "id: file\nlookup: { b: \"echo 1\" }\nfile: { path: \"{{ root }}/a\", content: \"{{ b.stdout }}\" }";
    let ran = lab.run(&steps("beta", &[&asks("one"), file, &asks("two")])).await;
    assert!(ran.came.jobs.iter().all(|job| job.2 == Outcome::Unchanged), "{:?}", ran.came);
    // The text of the file is known with the lookup: whether it is there was asked in the same breath.
    assert_eq!(calls(&ran, "beta"), 1);
}

#[tokio::test]
async fn what_was_looked_up_is_looked_up_anew_after_a_change() {
    let ran = Lab::new().run(&steps("beta", &["id: writes\nshell: echo 1 >{{ root }}/a", &asks("one")])).await;
    assert_eq!(outcomes(&ran), [("one", "beta", Outcome::Unchanged), ("writes", "beta", Outcome::Changed)]);
}

#[tokio::test]
async fn a_lookup_that_fails_is_an_error_unless_it_may() {
    let ran = Lab::new().run(&steps("beta", &[&asks("one")])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("the lookup `seen` on beta: `cat "), "{told}");
    assert!(told.contains("ended with exit code 1: cat: ") && told.contains("`may_fail: true`"), "{told}");
    let may = "id: one\nlookup:\n  seen: { line: \"exit 3\", may_fail: true }\nshell: test {{ seen.code }} = 3\nwhen: seen.failed";
    let ran = Lab::new().run(&steps("beta", &[may])).await;
    assert_eq!(outcomes(&ran), [("one", "beta", Outcome::Changed)]);
}

#[tokio::test]
async fn a_lookup_may_be_on_another_host_and_made_of_others() {
    let lab = Lab::new();
    lab.write("alpha", "a", "{\"names\": [\"x\", \"y\"]}");
    let of_play = "plays:\n- hosts: all\n  lookup:\n    there: { line: \"cat {{ host('alpha').root }}/a\", on: leader }\n    which: \"echo {{ there.json.names | last }}\"\n  steps:\n  - id: one\n    loop: \"{{ there.json.names }}\"\n    shell: test {{ item }} = x || test {{ item }} = {{ which.stdout }}\n";
    let ran = lab.run(of_play).await;
    assert_eq!((ran.came.jobs.len(), ran.came.code), (4, 0), "{:?}", ran.came);
}

#[tokio::test]
async fn a_plan_looks_up_too_and_says_what_comes_later() {
    let plan = || Lab { options: Options { plan: true, ..options() }, ..Lab::new() };
    let lab = plan();
    lab.write("beta", "a", "2");
    assert_eq!(outcomes(&lab.run(&steps("beta", &[&asks("one")])).await), [("one", "beta", Outcome::Skipped)]);
    let ran = plan().run(&steps("beta", &["id: writes\nshell: echo 1 >{{ root }}/a", &asks("one")])).await;
    assert!(last(&ran).1.contains("`seen` is known after writes"), "{:?}", ran.came);
}

#[tokio::test]
async fn what_nothing_asks_for_is_not_looked_up() {
    let ran = Lab::new().run("lookup: { a: \"touch looked\" }\nplays:\n- hosts: beta\n  lookup: { b: \"touch looked\" }\n  steps: [{ id: one, shell: 'true' }]\n").await;
    assert!(
        ran.came.code == 0 && ran.calls.iter().all(|(_, script)| !script.contains("touch looked")),
        "{:?}",
        ran.calls
    );
}
