//! **The proof of the one idea**: whatever the playbook, a run that reads for all steps ahead at once comes to the same
//! end as a run in which every step reads everything at its own turn: the same outcomes, the same messages, the same state;
//! and that whatever part of it is run, on whomever, and though a reading ahead of its turn came to nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Came, HOSTS, Lab, Options, Ran, options};
use crate::event::Event;

/// One step, as YAML without its id.
fn step() -> impl Strategy<Value = String> {
    let file = prop::sample::select(vec!["a", "b", "c"]);
    let number = 0..3u8;
    let place = prop::sample::select(vec![
        "",
        "",
        "",
        "    hosts: alpha\n",
        "    hosts: workers\n",
        "    hosts: leader\n",
        "    on: alpha\n",
        "    on: leader\n",
    ]);
    let manner = prop::sample::select(vec!["", "    ignore_errors: true\n"]);
    // Most have none: a condition that cannot be told ends what the host has to say.
    let condition = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "",
        "    when: seen.code == 0\n",
        "    when: seen.stdout != '1'\n",
        "    when: seen is defined\n",
        "    when: seen.skipped\n",
        "    when: not seen.failed and seen.stdout == '1'\n",
        "    when: host('beta').seen.failed\n",
        "    when: inventory_hostname == 'beta'\n",
        "    when: facts.cores > 0\n",
        "    when: hostvars['beta'].facts.cores > 9999\n",
        "    when: facts.docker_version != ''\n",
    ]);
    (0..16u8, file.clone(), file, number, place, manner, condition).prop_map(
        |(kind, one, other, number, place, manner, condition)| {
            let action = action(kind, one, other, number);
            format!("{action}{place}{manner}{condition}")
        },
    )
}

/// Steps that depend on one another through the three files of each host, and on what was registered.
fn action(kind: u8, one: &str, other: &str, number: u8) -> String {
    let (one, other) = (format!("{{{{ root }}}}/{one}"), format!("{{{{ root }}}}/{other}"));
    match kind {
        0 => format!("file: {{ path: \"{one}\", content: \"{number}\" }}\n"),
        1 => format!("file: {{ path: \"{one}\", state: absent }}\n"),
        2 => format!("shell: \"cp {one} {other}\"\n"),
        3 => format!("shell: \"echo {number} >{one}\"\n    creates: \"{other}\"\n"),
        4 => format!("shell: \"cat {one}\"\n    changes: false\n    register: seen\n"),
        5 => format!("shell: \"rm -f {one}\"\n    unless: \"test -e {other}\"\n"),
        6 => format!("file: {{ path: \"{one}\", content: \"{{{{ seen.stdout | default('none') }}}}\" }}\n"),
        7 => format!("file: {{ path: \"{{{{ root }}}}/{{{{ item }}}}\", content: \"{number}\" }}\n    loop: [a, c]\n"),
        8 => format!("shell: \"echo {number} >>{one}\"\n    register: seen\n"),
        14 => format!(
            "lookup: {{ l: \"cat {one}\" }}\n    shell: \"echo {number} >{other}\"\n    creates: \"{{{{ root }}}}/{{{{ l.stdout }}}}\"\n"
        ),
        15 => format!(
            "lookup: {{ l: {{ line: \"cat {one}\", may_fail: true, on: alpha }} }}\n    file: {{ path: \"{other}\", content: \"{{{{ l.stdout }}}}\" }}\n"
        ),
        9 | 11 | 12 => format!("wait_for: {{ command: \"test -e {one}\" }}\n    timeout: 100ms\n"),
        10 => format!("file: {{ path: \"{one}\", content: \"{{{{ hostvars['alpha'].facts.cores }}}}\" }}\n"),
        _ => format!("shell: \"grep -q {number} {one}\"\n    changes: false\n    register: seen\n"),
    }
}

fn playbook() -> impl Strategy<Value = String> {
    let serial = prop::sample::select(vec!["", "", "  serial: 1\n", "  serial: [1, 50%]\n"]);
    (prop::collection::vec(step(), 1..7), serial).prop_map(|(steps, serial)| {
        let steps = steps.iter().enumerate().map(|(at, step)| format!("  - id: s{at}\n    {step}"));
        format!("plays:\n- hosts: all\n{serial}  steps:\n{}", steps.collect::<String>())
    })
}

/// Which part of a playbook is run, and on whom.
#[derive(Clone, Debug)]
struct Share {
    steps: Vec<&'static str>,
    limit: Option<&'static str>,
}

fn share() -> impl Strategy<Value = Share> {
    let steps = prop::sample::select(vec![vec![], vec![], vec!["s0", "s1", "s2"], vec!["s1", "s3", "s4", "s5"]]);
    let limit = prop::sample::select(vec![None, None, Some("alpha"), Some("beta")]);
    (steps, limit).prop_map(|(steps, limit)| Share { steps, limit })
}

/// A reading that came to nothing ahead of its turn: the host, and which part of its first look.
fn unread() -> impl Strategy<Value = Option<(&'static str, usize)>> {
    prop::option::of((prop::sample::select(HOSTS.to_vec()), 0..4usize))
}

/// What stands in the folders beforehand: the host's place, the file, what is in it.
type Files = Vec<(usize, &'static str, u8)>;

fn files() -> impl Strategy<Value = Files> {
    prop::collection::vec((0..2usize, prop::sample::select(vec!["a", "b", "c"]), 0..3u8), 0..4)
}

fn lab(files: &Files, share: &Share) -> Lab {
    let limit = share.limit.map(|host| vec![host.to_owned()]);
    let lab = Lab { steps: share.steps.clone(), options: Options { limit, ..options() }, ..Lab::new() };
    for (host, file, content) in files {
        lab.write(HOSTS[*host], file, &content.to_string());
    }
    lab
}

fn run(lab: &Lab, playbook: &str) -> Ran {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(lab.run(playbook))
}

fn came(playbook: &str, lab: &Lab) -> Came {
    let mut came = run(lab, playbook).came;
    // Each run has folders of its own: their names are not part of what it came to. Nor is how busy this machine is.
    let root = lab.root.path().display().to_string();
    for (_, _, _, message) in &mut came.jobs {
        *message = message.as_ref().map(|text| text.replace(&root, "ROOT").replace("after 1 s", "after 0 s"));
    }
    came
}

/// Step and host of every change whose `after` is as wanted.
fn changes(events: &[Event], wanted: impl Fn(&Option<String>) -> bool) -> BTreeSet<(String, String)> {
    let change = |event: &Event| match event {
        Event::Change { step, host, after, .. } if wanted(after) => Some((step.clone(), host.clone())),
        _ => None,
    };
    events.iter().filter_map(change).collect()
}

/// Step and host of every job of which a plan says that an earlier step may make it otherwise.
fn looked_at_again(events: &[Event]) -> BTreeSet<(String, String)> {
    let open = |event: &Event| match event {
        Event::JobFinished { step, host, after: Some(_), .. } => Some((step.clone(), host.clone())),
        _ => None,
    };
    events.iter().filter_map(open).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batched_and_unbatched_runs_come_to_the_same_end(
        playbook in playbook(),
        files in files(),
        share in share(),
        unread in unread(),
    ) {
        let batched = came(&playbook, &Lab { unread, ..lab(&files, &share) });
        let mut lab = lab(&files, &share);
        lab.options.batched = false;
        let unbatched = came(&playbook, &lab);
        prop_assert_eq!(batched, unbatched, "\n{}", playbook);
    }

    /// will ⊆ done ⊆ will ∪ may: what a plan says will be done is done, and nothing is done that it did not speak of.
    #[test]
    fn a_plan_tells_the_truth(playbook in playbook(), files in files(), share in share()) {
        let mut lab = lab(&files, &share);
        lab.options.plan = true;
        let plan = run(&lab, &playbook);
        prop_assert_eq!(&plan.came.files, &run(&lab, &playbook).came.files, "a plan changes nothing");
        lab.options.plan = false;
        let done = changes(&run(&lab, &playbook).events, |_| true);
        let will = changes(&plan.events, Option::is_none);
        let mut spoken = changes(&plan.events, |_| true);
        spoken.extend(looked_at_again(&plan.events));
        prop_assert!(will.is_subset(&done), "{:?} of {:?}\n{}", will, done, playbook);
        prop_assert!(done.is_subset(&spoken), "{:?} of {:?}\n{}", done, spoken, playbook);
    }
}
