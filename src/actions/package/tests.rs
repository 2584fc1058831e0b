use serde_json::json;

use super::*;
use crate::actions::testing::{Case, action, mistake};

const APT: &str = "apt-get -y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3";
const ADD: &str = "install --no-remove -o Dpkg::Options::=--force-confold";

const HELLO: &str = "hello:\n  Installed: (none)\n  Candidate: 2.10-3\n  Version table:\n     2.10-3 500\n        \
                     500 http://deb.debian.org/debian bookworm/main amd64 Packages\n     2.9-1 500\n        500 file:/srv ./\n";
const NOW: &str = "fresh\njust\n";

/// node1 with these packages (dpkg's lines), of which apt knows this.
fn case(asked: &Package, packages: &str, policy: &str) -> Case {
    let names: Vec<Read> = asked.names().iter().map(|name| Read::Package(name.clone())).collect();
    let case = Case::new(&["node1"]).answers("node1", &names, &format!("{packages}\nwhole\n")).answers(
        "node1",
        &[Read::Probe(apt::policy(asked.names()))],
        policy,
    );
    apt::case(case, "end\n", "")
}

fn planned(parameters: serde_json::Value, packages: &str, policy: &str) -> String {
    let asked: Package = action(parameters);
    case(&asked, packages, policy).plan(&asked)
}

fn hello() -> serde_json::Value {
    json!({"name": "hello"})
}

#[test]
fn what_is_installed_is_settled_and_apt_is_not_even_asked() {
    let asked: Package = action(hello());
    let there = " hello install installed 2.10-3\nwhole\n";
    let case = Case::new(&["node1"]).answers("node1", &[Read::Package("hello".into())], there);
    assert_eq!(case.plan(&asked), "settled");
    assert_eq!(case.plan(&action::<Package>(json!({"name": "hello", "version": "2.10"}))), "settled");
}

#[test]
fn what_is_missing_is_installed_and_nothing_else() {
    let asked = json!({"name": ["hello", "tree"], "recommends": false});
    let tree = "tree:\n  Installed: 2.1\n  Candidate: 2.2\n  Version table:\n *** 2.1 100\n";
    let plan = planned(asked, " tree install installed 2.1", &format!("{HELLO}{tree}{NOW}"));
    let install = format!("    $ {APT} {ADD} --no-install-recommends hello");
    assert_eq!(plan, format!("change\n  hello is not installed\n    hello: not installed -> 2.10-3\n{install}"));
    let left = planned(hello(), " hello deinstall config-files 2.9", &format!("{HELLO}{NOW}"));
    assert!(left.contains("hello: not installed -> 2.10-3"), "{left}");
}

#[test]
fn old_lists_are_brought_up_to_date_first_and_so_are_those_that_do_not_know_it() {
    let install = format!("  hello is not installed\n    hello: not installed -> installed\n    $ {APT} {ADD} hello");
    let plan = planned(hello(), "", "");
    assert!(
        plan.starts_with("change\n  apt's lists are old\n    $ until apt-get") && plan.ends_with(&install),
        "{plan}"
    );
    let plan = planned(hello(), "", "fresh\n");
    assert!(plan.starts_with("change\n  apt does not know hello yet\n    $ until apt-get"), "{plan}");
    let version = planned(json!({"name": "hello", "version": "3"}), "", HELLO);
    assert!(version.ends_with("done") && !version.contains(" install "), "its name is not known yet: {version}");
}

#[test]
fn what_apt_does_not_know_after_that_is_refused() {
    let no = "refused: apt knows no package hello on node1\nhint: see there whether the name is right (apt-cache search hello), and what `apt-get update` says";
    assert_eq!(planned(hello(), "", NOW), no);
    let virt = "hello:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
    assert_eq!(planned(hello(), "", &format!("{virt}{NOW}")), no);
    let plan = planned(json!({"name": "hello", "version": "3"}), "", &format!("{HELLO}{NOW}"));
    let no = "refused: apt knows no package hello 3 on node1\nhint: set `version` to one it knows: 2.10-3, 2.9-1";
    assert_eq!(plan, no);
}

#[test]
fn a_version_is_asked_for_by_its_whole_name_and_may_be_an_older_one() {
    let asked = json!({"name": "hello", "version": "2.9"});
    let plan = planned(asked, " hello hold installed 2.10-3", &format!("{HELLO}{NOW}"));
    let install = format!("    $ {APT} {ADD} --allow-change-held-packages --allow-downgrades 'hello=2.9-1'");
    let hold = "  an upgrade by itself would change it\n    $ apt-mark hold hello";
    let why = "  hello 2.10-3 is installed, and 2.9 is asked for\n    hello: 2.10-3 -> 2.9-1";
    assert_eq!(plan, format!("change\n{why}\n{install}\n{hold}"), "apt would forget that somebody held it");
}

#[test]
fn latest_follows_what_apt_would_choose() {
    let latest = json!({"name": "hello", "state": "latest"});
    let policy = format!("{HELLO}{NOW}");
    assert_eq!(planned(latest.clone(), " hello install installed 2.10-3", &policy), "settled");
    let old = planned(latest.clone(), " hello install installed 2.9-1", &policy);
    let install = format!("    $ {APT} {ADD} hello");
    assert_eq!(old, format!("change\n  hello 2.9-1 is not the newest\n    hello: 2.9-1 -> 2.10-3\n{install}"));
    let held = planned(latest, " hello hold installed 2.9-1", &policy);
    assert!(held.starts_with("refused: hello is held at 2.9-1, and there is 2.10-3\nhint: say `hold: true`"), "{held}");
    let ours = json!({"name": "hello", "state": "latest", "hold": true});
    let plan = planned(ours, " hello hold installed 2.9-1", &policy);
    assert!(plan.contains("--allow-change-held-packages hello\n") && plan.ends_with("$ apt-mark hold hello"), "{plan}");
}

#[test]
fn holds_are_made_and_undone() {
    let hold = |hold: bool, there: &str| planned(json!({"name": "hello", "hold": hold}), there, "");
    assert_eq!(hold(true, " hello hold installed 2.10-3"), "settled");
    assert_eq!(hold(false, " hello install installed 2.10-3"), "settled");
    let held = "change\n  an upgrade by itself would change it\n    $ apt-mark hold hello";
    assert_eq!(hold(true, " hello install installed 2.10-3"), held);
    let loose = "change\n  hello is held\n    $ apt-mark unhold hello";
    assert_eq!(hold(false, " hello hold installed 2.10-3"), loose);
}

#[test]
fn a_run_that_was_cut_is_mended_first_and_a_lock_is_waited_for() {
    let asked: Package = action(hello());
    let policy = format!("{HELLO}{NOW}");
    let there = " hello install half-configured 2.10-3";
    let cut = apt::case(case(&asked, there, &policy), "end\n", "hello is half configured\n").plan(&asked);
    assert!(cut.starts_with("change\n  a former run was cut in the middle\n    $ until dpkg --force-confold"), "{cut}");
    let held = "/var/lib/dpkg/lock 7 apt-get upgrade \nend\n";
    let plan = apt::case(case(&asked, "", &policy), held, "").plan(&asked);
    assert_eq!(plan, "wait for process 7 (apt-get upgrade), which holds /var/lib/dpkg/lock");
}

/// What is planned for an absent libhello of which apt says this.
fn absent(there: &str, code: i32, simulated: &str, errors: &str) -> String {
    let asked: Package = action(json!({"name": ["libhello", "cowsay"], "state": "absent"}));
    let names = asked.names().iter().map(|name| Read::Package(name.clone())).collect::<Vec<_>>();
    let case = Case::new(&["node1"]).answers("node1", &names, &format!("{there}\nwhole\n"));
    let removal = [Read::Probe(apt::removal(&["libhello".into()]))];
    apt::case(case, "end\n", "").ended("node1", &removal, code, simulated, errors).plan(&asked)
}

#[test]
fn all_that_goes_is_named_and_nothing_where_it_is_not_there() {
    assert_eq!(absent("", 0, "", ""), "settled");
    assert_eq!(absent(" libhello deinstall config-files 1", 0, "", ""), "settled");
    let there = " libhello install installed 1.0";
    let remove = format!("    $ {APT} remove --allow-change-held-packages");
    let plan = absent(there, 0, "Reading…\nRemv libhello [1.0]\n", "");
    assert_eq!(
        plan,
        format!("change\n  libhello is installed (removes)\n    libhello: 1.0 -> absent\n{remove} libhello")
    );
    let plan = absent(there, 0, "Remv hello [2.10-3] [libhello:amd64 ]\nRemv libhello [1.0]\n", "");
    let along = "    libhello: 1.0 -> absent\n    hello: 2.10-3 -> absent too";
    let why = "libhello is installed, and hello needs it (removes)";
    assert_eq!(plan, format!("change\n  {why}\n{along}\n{remove} hello libhello"));
}

#[test]
fn what_apt_would_not_remove_is_refused_in_its_own_words() {
    let said = "WARNING: x\nE: Essential packages were removed and -y was used without --allow-remove-essential.";
    let plan = absent(" libhello install installed 1.0", 100, "", said);
    assert!(plan.starts_with("refused: apt would not remove libhello: Essential packages were"), "{plan}");
    assert!(plan.ends_with("hint: the system cannot be without it"), "{plan}");
}

#[test]
fn mistakes_are_named() {
    let told = |parameters| mistake::<Package>(parameters);
    assert!(told(json!({"name": "hello", "state": "newest"})).contains("unknown variant `newest`"));
    assert!(told(json!({"name": ["a-b", "c-d"], "version": "1"})).contains("for one package"));
    assert!(told(json!({"name": "hello", "version": "1", "state": "latest"})).contains("`state: present` alone"));
    assert!(told(json!({"name": "hello", "hold": true, "state": "absent"})).contains("cannot be held"));
    assert!(told(json!({"name": "hello; reboot"})).contains("no package's name"));
    assert!(told(json!({"name": "hello", "version": "$(x)"})).contains("no package's version"));
    assert!(told(json!({"name": []})).contains("empty list"));
}
