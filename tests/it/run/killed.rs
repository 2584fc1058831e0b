//! A run that is killed in the middle of a restart, and the next run of the same playbook.

use super::faults::{Behind, Running};
use super::interrupt::within;
use super::*;
use crate::support::relay::Fault;

const PLAYBOOK: &str = "
plays:
- hosts: all
  steps:
  - id: restart
    reboot: { ACTION }
  - id: next
    shell: cp {{ root }}/boot {{ root }}/next
    creates: \"{{ root }}/next\"
";

/// The machine keeps which of its boots was told to restart. While there is a file `slow` it does not let go of who told it.
const SYSTEMCTL: &str = "if [ $1 = reboot ]; then head -n 1 boot >>told; while [ -e slow ]; do sleep 0.05; done; fi";

/// A machine that says which boot it is, with a `/run` of its own: there it asks for a restart, and there the lock lies.
struct Machine(Behind);

impl Machine {
    fn new(action: &str) -> Self {
        let own_run = |root: &str| {
            let inside = "exec sh -c \"$SSH_ORIGINAL_COMMAND\"";
            format!("ForceCommand exec unshare -m sh -c 'mount --bind {root}/run /run && {inside}'")
        };
        let cat = "case $* in */boot_id*) exec /bin/cat boot ;; *) exec /bin/cat \"$@\" ;; esac";
        let playbook = PLAYBOOK.replace("ACTION", action);
        let machine = Self(Behind::on(own_run, &[("systemctl", SYSTEMCTL), ("cat", cat)], &playbook));
        machine.boots(1);
        machine.0.ground.write("alpha/run/reboot-required", "");
        machine
    }

    /// Nothing of `/run` outlives a boot.
    fn boots(&self, id: u8) {
        let _ = fs::remove_dir_all(self.0.ground.path("alpha/run"));
        fs::create_dir(self.0.ground.path("alpha/run")).unwrap();
        self.0.ground.write("alpha/boot", &format!("{id}\n1 (systemd) S 0\n"));
    }

    fn run(&self) -> Running {
        Running::start(&self.0.ground, &[])
    }

    /// Waits until the boots that were told to restart are these.
    fn told(&self, boots: &str) {
        assert!(within(30, || self.0.read("told") == boots), "{:?} and not {boots:?}", self.0.read("told"));
    }

    /// Waits until a run says that somebody else still works there.
    fn is_waited_for(&self) {
        let says = |file: fs::DirEntry| fs::read_to_string(file.path()).unwrap().contains("the lock held by");
        let waits = || fs::read_dir(self.0.ground.path(".skep/runs")).unwrap().flatten().any(says);
        assert!(within(30, waits), "what still runs there is not waited for");
    }

    /// Goes down, and up again once `meanwhile` was done.
    fn restarts_as<T>(&self, id: u8, meanwhile: impl FnOnce() -> T) -> T {
        self.0.relay.refuse(true);
        self.0.relay.cut(Fault::Reset);
        self.boots(id);
        let done = meanwhile();
        self.0.relay.refuse(false);
        done
    }
}

/// What became of both steps.
fn became(run: Running) -> (i32, String) {
    let (code, events) = run.end();
    let outcomes = outcomes(&events, "alpha").into_iter().map(|(step, outcome)| format!("{step} {outcome}"));
    (code, outcomes.collect::<Vec<_>>().join(", "))
}

#[test]
fn a_machine_that_restarted_after_its_run_was_killed_is_not_restarted_again() {
    let machine = Machine::new("");
    let first = machine.run();
    machine.told("1\n");
    first.kill();
    let next = machine.restarts_as(2, || {
        let next = machine.run();
        std::thread::sleep(Duration::from_millis(500));
        next
    });
    assert_eq!(became(next), (0, "restart unchanged, next changed".into()));
    assert_eq!((machine.0.read("told").as_str(), &machine.0.read("next")[..1]), ("1\n", "2"));
}

#[test]
fn what_a_killed_run_left_behind_is_waited_for_and_the_machine_restarts_once() {
    let machine = Machine::new("");
    machine.0.ground.write("alpha/slow", "");
    let first = machine.run();
    machine.told("1\n");
    first.kill();
    let next = machine.run();
    machine.is_waited_for();
    machine.told("1\n");
    fs::remove_file(machine.0.ground.path("alpha/slow")).unwrap();
    // It still goes down: to tell that boot twice costs nothing.
    machine.told("1\n1\n");
    machine.restarts_as(2, || {});
    assert_eq!(became(next), (0, "restart changed, next changed".into()));
    assert_eq!((machine.0.read("told").as_str(), &machine.0.read("next")[..1]), ("1\n1\n", "2"));
}

#[test]
fn a_machine_that_goes_down_with_what_a_killed_run_left_behind_is_done_with_its_next_boot() {
    let machine = Machine::new("");
    machine.0.ground.write("alpha/slow", "");
    let first = machine.run();
    machine.told("1\n");
    first.kill();
    let next = machine.run();
    machine.is_waited_for();
    machine.restarts_as(2, || {});
    assert_eq!(became(next), (0, "restart changed, next changed".into()));
    assert_eq!((machine.0.read("told").as_str(), &machine.0.read("next")[..1]), ("1\n", "2"));
}

#[test]
fn a_restart_that_is_asked_for_each_time_is_made_again_by_the_run_after_the_killed_one() {
    let machine = Machine::new("always: true");
    let first = machine.run();
    machine.told("1\n");
    first.kill();
    machine.restarts_as(2, || {});
    let next = machine.run();
    machine.told("1\n2\n");
    machine.restarts_as(3, || {});
    assert_eq!(became(next), (0, "restart changed, next changed".into()));
    assert_eq!((machine.0.read("told").as_str(), &machine.0.read("next")[..1]), ("1\n2\n", "3"));
}
