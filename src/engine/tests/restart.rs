//! A machine that restarts, and what may come in between.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// How it takes being told to restart.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    /// It says so, and goes down a while later.
    Well,
    /// The connection ends, and it goes down.
    Cut,
    /// The connection ends before it has heard.
    Unheard,
    /// It says so, and stays up.
    Ignored,
    /// It refuses.
    Refused,
}

/// Counts, of beta.
#[derive(Default)]
struct Counts {
    /// How often it was told.
    told: AtomicUsize,
    /// How often it was asked which boot it is.
    asked: AtomicUsize,
    /// How often it started, as it answers; and how often its old boot answers yet.
    boots: AtomicUsize,
    lingers: AtomicUsize,
}

impl Counts {
    fn of(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }

    fn boot(&self) -> Output {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let old = self.lingers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let number = self.boots.load(Ordering::SeqCst) - usize::from(old);
        Output { stdout: format!("boot-{number}\n1 (systemd) S").into_bytes(), ..Output::default() }
    }

    fn restart(&self, flag: &std::path::Path, lingers: usize) {
        self.boots.fetch_add(1, Ordering::SeqCst);
        self.lingers.store(lingers, Ordering::SeqCst);
        let _ = std::fs::remove_file(flag);
    }
}

/// A machine that takes it in these ways, one after the other, the last one ever after. It asks for a restart, and `stays` so.
fn machine(ways: &'static [Told], stays: bool) -> (Lab, Arc<Counts>) {
    let (lab, counts) = (Lab::new(), Arc::new(Counts::default()));
    lab.write("beta", "reboot-required", "");
    let flag = lab.root.path().join(if stays { "nothing" } else { "beta/reboot-required" });
    let machine = counts.clone();
    let hook = move |_: &str, script: &str| {
        if script.contains("boot_id") && script.starts_with("cat") {
            return Some(Ok(machine.boot()));
        }
        if !script.contains("systemctl reboot") {
            return None;
        }
        let nth = machine.told.fetch_add(1, Ordering::SeqCst);
        let how = ways[nth.min(ways.len() - 1)];
        match how {
            Told::Well => machine.restart(&flag, 2),
            Told::Cut => machine.restart(&flag, 0),
            Told::Unheard | Told::Ignored | Told::Refused => {}
        }
        Some(match how {
            Told::Well | Told::Ignored => Ok(Output::default()),
            Told::Cut | Told::Unheard => gone(),
            Told::Refused => Ok(Output { code: 1, stderr: b"Access denied".to_vec(), ..Output::default() }),
        })
    };
    (Lab { hook: Some(Arc::new(hook)), ..lab }, counts)
}

const ASKED: &str = "id: restart\nreboot: {}";
const ALWAYS: &str = "id: restart\nreboot: { always: true }";
const NEXT: &str = "id: next\nshell: 'true'\nchanges: false";

fn waited(ran: &Ran, what: &str) -> bool {
    ran.events.iter().any(|event| matches!(event, Event::JobWaiting { waiting, .. } if waiting.contains(what)))
}

#[tokio::test]
async fn it_is_done_when_another_boot_answers_and_the_next_step_goes_on_there() {
    for step in [ASKED, ALWAYS] {
        let (lab, counts) = machine(&[Told::Well], false);
        let ran = lab.run(&steps("beta", &[step, NEXT])).await;
        let done = [("next", "beta", Outcome::Unchanged), ("restart", "beta", Outcome::Changed)];
        assert_eq!(outcomes(&ran), done, "{:?}", ran.came);
        assert_eq!((counts.of(), counts.asked.load(Ordering::SeqCst)), (1, 4), "before, twice too early, and then");
        assert!(waited(&ran, "the restart: it is still going down"));
    }
}

#[tokio::test]
async fn it_is_not_restarted_where_it_does_not_ask_for_it() {
    let (lab, counts) = machine(&[Told::Well], false);
    assert_eq!(last(&lab.run(&steps("beta", &[ASKED])).await).0, Outcome::Changed);
    assert_eq!(last(&lab.run(&steps("beta", &[ASKED])).await).0, Outcome::Unchanged);
    assert_eq!(counts.of(), 1);
}

#[tokio::test]
async fn a_plan_shows_the_command_and_restarts_nothing() {
    let (lab, counts) = machine(&[Told::Well], false);
    let ran = Lab { options: Options { plan: true, ..options() }, ..lab }.run(&steps("beta", &[ASKED])).await;
    let shown =
        |event: &Event| matches!(event, Event::Change { command, .. } if command.as_str() == "systemctl reboot");
    assert!(ran.events.iter().any(shown) && counts.of() == 0 && ran.came.code == 10);
}

#[tokio::test]
async fn a_cut_while_it_is_told_is_settled_by_its_boot() {
    for (ways, times) in [(&[Told::Cut][..], 1), (&[Told::Unheard, Told::Cut], 2), (&[Told::Unheard, Told::Well], 2)] {
        for step in [ASKED, ALWAYS] {
            let (lab, counts) = machine(ways, false);
            let ran = lab.run(&steps("beta", &[step])).await;
            assert_eq!((last(&ran).0, counts.of()), (Outcome::Changed, times), "{:?}", ran.came);
        }
    }
}

#[tokio::test]
async fn an_old_boot_that_goes_on_is_no_success() {
    for step in [ASKED, ALWAYS] {
        let (lab, counts) = machine(&[Told::Ignored], false);
        let ran = lab.run(&steps("beta", &[&format!("{step}\ntimeout: 1")])).await;
        let (outcome, told) = last(&ran);
        assert!(outcome == Outcome::Failed && told.contains("its old boot still answers"), "{told}");
        assert_eq!(counts.of(), 1);
    }
}

#[tokio::test]
async fn one_that_still_asks_for_it_afterwards_is_not_restarted_for_ever() {
    let (lab, counts) = machine(&[Told::Well], true);
    let ran = lab.run(&steps("beta", &[ASKED])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("still so after the change was made"), "{told}");
    assert_eq!(counts.of(), 1);
}

#[tokio::test]
async fn one_that_refuses_says_why() {
    let (lab, _) = machine(&[Told::Refused], false);
    let (outcome, told) = last(&lab.run(&steps("beta", &[ALWAYS])).await);
    assert!(outcome == Outcome::Failed && told.contains("Access denied") && told.contains("become: true"), "{told}");
}

#[tokio::test]
async fn ctrl_c_does_not_wait_for_it() {
    let (lab, counts) = machine(&[Told::Ignored], false);
    let pressed = lab.cancel.clone();
    let press = async {
        while counts.asked.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pressed.send_replace(true);
    };
    let playbook = steps("beta", &[ASKED]);
    let (ran, ()) = tokio::join!(lab.run(&playbook), press);
    assert_eq!(ran.came.code, 130);
}
