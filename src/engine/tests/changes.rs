//! Changes on bad days: what fails, is cut off, takes too long, is asked about, or is interrupted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;
use crate::engine::Crew;

/// Answers `with` the first time that a script has `mark` in it.
fn once(mark: &'static str, with: fn() -> Result<Output, Lost>) -> Lab {
    let seen = AtomicUsize::new(0);
    Lab::hooked(move |_, script| (script.contains(mark) && seen.fetch_add(1, Ordering::SeqCst) == 0).then(with))
}

#[tokio::test]
async fn a_pipe_whose_target_fails_tells_the_targets_words_and_blames_nobody_else() {
    let no_space = || Ok(Output { code: 1, stderr: b"no space left on device".to_vec(), ..Output::default() });
    let lab = Lab::new();
    let folder = lab.root.path().join("beta");
    let hook = move |host: &str, script: &str| match host {
        "beta" if script.contains("cat >") => Some(no_space()),
        // The hosts are folders of one machine, and the path is the same on both: beta has it elsewhere.
        "beta" => Some(here(&folder, &script.replace("/alpha/big", "/beta/big"))),
        _ => None,
    };
    let lab = Lab { hook: Some(Arc::new(hook)), ..lab };
    lab.write("alpha", "big", &"x".repeat(3 << 20));
    let path = lab.root.path().join("alpha/big").display().to_string();
    let ran =
        lab.run(&steps("beta", &[&format!("id: one\nfile: {{ path: {path}, carry: alpha, mode: '0600' }}")])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("no space left on device"), "{told}");
}

#[tokio::test]
async fn a_cut_counts_once_however_many_commands_it_ended() {
    let lab = Lab::new();
    let fake: Arc<dyn Connect> = Arc::new(Fake::new(lab.root.path(), &HOSTS).expect("folders"));
    let alpha = Arc::new(lab.host("alpha"));
    let crew = Crew::new(fake, std::slice::from_ref(&alpha), 1, Duration::ZERO, Arc::new(|_| {}));
    let session = crew.session(&alpha).await.expect("a login");
    for _ in 0..9 {
        crew.cut("alpha", &session, "reset by peer").await;
    }
    let next = crew.session(&alpha).await.expect("another login");
    crew.cut("alpha", &session, "reset by peer").await;
    let same = crew.session(&alpha).await.expect("the same login");
    assert!(Arc::ptr_eq(&next, &same));
}

#[tokio::test]
async fn a_timeout_ends_the_command_and_says_what_to_do() {
    let started = Instant::now();
    let ran = Lab::new().run(&steps("beta", &["id: one\nshell: sleep 9\ntimeout: 1"])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("so it was ended") && told.contains("`timeout:`"), "{told}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Once, and no more: a second time it is no moment any more.
#[tokio::test]
async fn what_comes_at_a_bad_moment_of_the_swarm_is_done_a_moment_later() {
    for (says, times, code) in [
        ("update out of sequence", 1, 0),
        ("update out of sequence", 2, 1),
        ("rpc error: The swarm does not have a leader.", 1, 0),
        ("no such node", 1, 1),
    ] {
        let fails = format!(
            "echo x >>{{{{ root }}}}/tries; [ $(wc -l <{{{{ root }}}}/tries) -gt {times} ] || {{ echo '{says}' >&2; exit 1; }}"
        );
        let made = "{{ root }}/made";
        let step = format!("id: one\nshell: \"{fails}; touch {made}\"\ncreates: '{made}'");
        let ran = Lab::new().run(&steps("beta", &[&step])).await;
        assert_eq!(ran.came.code, code, "{says}: {:?}", ran.came);
    }
}

const COUNTS: &str = "echo x >>{{ root }}/tries; test $(wc -l <{{ root }}/tries) -ge 3";

#[tokio::test]
async fn what_fails_is_tried_again_after_a_pause_guarded_or_not() {
    let bare = format!("id: one\nshell: {COUNTS}\nretries: 2");
    let guarded =
        format!("id: one\nshell: {COUNTS} && touch {{{{ root }}}}/done\nretries: 2\ncreates: \"{{{{ root }}}}/done\"");
    for step in [bare, guarded] {
        let started = Instant::now();
        let ran = Lab::new().run(&steps("beta", &[&step])).await;
        assert_eq!(outcomes(&ran), [("one", "beta", Outcome::Changed)], "{step}: {:?}", ran.came);
        assert!(started.elapsed() > Duration::from_millis(600), "0.2 s and 0.4 s");
        let fewer = step.replace("retries: 2", "retries: 1");
        assert_eq!(outcomes(&Lab::new().run(&steps("beta", &[&fewer])).await)[0].2, Outcome::Failed);
    }
}

#[tokio::test]
async fn a_failed_command_registers_what_it_said() {
    let fails = "id: one\nshell: echo said; echo wrong >&2; exit 3\nregister: it\nignore_errors: true";
    let tells = "id: two\nshell: test '{{ it.stdout }} {{ it.stderr }} {{ it.code }}' = 'said wrong 3'";
    let ran = Lab::new().run(&steps("beta", &[fails, tells])).await;
    assert_eq!(last(&ran).0, Outcome::Changed, "{:?}", ran.came);
}

#[tokio::test]
async fn a_bare_line_that_was_cut_off_is_not_run_twice_in_silence() {
    let step = "id: one\nshell: echo paid >>{{ root }}/bill";
    let ran = once("echo paid", gone).run(&steps("beta", &[step])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("nobody knows whether it was done"), "{told}");
    assert!(ran.came.files.is_empty());
    let ran = once("echo paid", gone).run(&steps("beta", &[&format!("{step}\nretries: 1")])).await;
    assert_eq!(last(&ran).0, Outcome::Changed);
    let unsent = || Err(Lost::Unsent("reset by peer".into()));
    let ran = once("echo paid", unsent).run(&steps("beta", &[step])).await;
    assert_eq!(last(&ran).0, Outcome::Changed, "it had not begun");
}

#[tokio::test]
async fn what_a_person_took_time_to_allow_is_looked_at_again() {
    let lab = Lab::new();
    lab.write("beta", "old", "");
    let old = lab.root.path().join("beta/old");
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, path) = (asked.clone(), old.clone());
    let ask = move |_: &[String]| {
        count.fetch_add(1, Ordering::SeqCst);
        path.exists()
    };
    let options = Options { yes: false, ask: Arc::new(ask), ..options() };
    let step = "id: one\nfile: { path: \"{{ root }}/old\", state: absent }";
    let ran = Lab { options, ..lab }.run(&steps("beta", &[step])).await;
    assert_eq!((last(&ran).0, asked.load(Ordering::SeqCst), old.exists()), (Outcome::Changed, 1, false));
    let looks = ran.events.iter().filter(|event| matches!(event, Event::Looked { host, .. } if host == "beta"));
    assert_eq!(looks.count(), 3, "before, after the question, after the change");
}

#[tokio::test]
async fn a_question_that_ctrl_c_ended_was_not_answered_with_no() {
    let cancel = watch::Sender::new(false);
    let pressed = cancel.clone();
    let ask = move |_: &[String]| {
        pressed.send_replace(true);
        false
    };
    let options = Options { yes: false, ask: Arc::new(ask), ..options() };
    let lab = Lab { options, cancel, ..Lab::new() };
    lab.write("beta", "old", "");
    let ran = lab.run(&steps("beta", &["id: one\nfile: { path: \"{{ root }}/old\", state: absent }"])).await;
    assert!(last(&ran).1.starts_with("interrupted") && ran.came.code == 130, "{:?}", last(&ran));
}

#[tokio::test]
async fn nothing_queued_starts_after_ctrl_c() {
    let cancel = watch::Sender::new(false);
    let pressed = cancel.clone();
    let lab = Lab::hooked(move |_, script| {
        let (cancel, starts) = (pressed.clone(), script.contains("sleep 0."));
        let press = move || {
            std::thread::sleep(Duration::from_millis(100));
            cancel.send_replace(true);
        };
        starts.then(|| std::thread::spawn(press));
        None
    });
    let playbook = steps("beta", &["id: one\nloop: [a, b, c]\nshell: sleep 0.3; touch {{ root }}/{{ item }}"]);
    let ran = Lab { cancel, ..lab }.run(&playbook).await;
    assert_eq!((ran.came.code, ran.came.files.len()), (130, 1), "{:?}", ran.came);
}

#[tokio::test]
async fn ctrl_c_does_not_wait_for_who_does_not_answer() {
    let (lab, started) = (Lab { hangs: true, ..Lab::new() }, Instant::now());
    let ran = lab.run(&steps("all", &["id: one\nshell: 'true'"])).await;
    assert!(ran.came.code == 130 && started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(ran.events.contains(&Event::Interrupted));
}

#[tokio::test]
async fn a_failure_that_is_ignored_is_shown_and_costs_nothing() {
    let options = Options { fail_fast: true, ..options() };
    let playbook = steps("beta", &["id: one\nshell: exit 3\nignore_errors: true", "id: two\nshell: 'true'"]);
    let ran = Lab { options, ..Lab::new() }.run(&playbook).await;
    assert_eq!(outcomes(&ran), [("one", "beta", Outcome::Ignored), ("two", "beta", Outcome::Changed)]);
    assert_eq!(ran.came.code, 0);
}
