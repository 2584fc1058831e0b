//! **The proof of the one idea**: whatever the playbook, a run that reads for all steps ahead at once comes to the same
//! end as a run in which every step reads everything at its own turn: the same outcomes, the same messages, the same state.

use proptest::prelude::*;

use super::{Came, HOSTS, Lab};

/// One step, as YAML without its id.
fn step() -> impl Strategy<Value = String> {
    let file = prop::sample::select(vec!["a", "b", "c"]);
    let number = 0..3u8;
    let place = prop::sample::select(vec!["", "    hosts: alpha\n", "    hosts: beta\n", "    on: alpha\n"]);
    let manner = prop::sample::select(vec!["", "    ignore_errors: true\n"]);
    let condition = prop::sample::select(vec![
        "",
        "    when: seen.code == 0\n",
        "    when: seen.stdout != '1'\n",
        "    when: seen is defined\n",
        "    when: inventory_hostname == 'beta'\n",
    ]);
    (0..10u8, file.clone(), file, number, place, manner, condition).prop_map(
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
        _ => format!("shell: \"grep -q {number} {one}\"\n    changes: false\n    register: seen\n"),
    }
}

fn playbook() -> impl Strategy<Value = String> {
    prop::collection::vec(step(), 1..7).prop_map(|steps| {
        let steps = steps.iter().enumerate().map(|(at, step)| format!("  - id: s{at}\n    {step}"));
        format!("- hosts: all\n  steps:\n{}", steps.collect::<String>()).replace("- hosts", "plays:\n- hosts")
    })
}

fn came(playbook: &str, files: &[(usize, &str, u8)], batched: bool) -> Came {
    let lab = Lab { batched, ..Lab::new() };
    for (host, file, content) in files {
        lab.write(HOSTS[*host], file, &content.to_string());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let mut came = runtime.block_on(lab.run(playbook)).came;
    // Each run has folders of its own: their names are not part of what it came to.
    let root = lab.root.path().display().to_string();
    for (_, _, _, message) in &mut came.jobs {
        *message = message.as_ref().map(|text| text.replace(&root, "ROOT"));
    }
    came
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batched_and_unbatched_runs_come_to_the_same_end(
        playbook in playbook(),
        files in prop::collection::vec((0..2usize, prop::sample::select(vec!["a", "b", "c"]), 0..3u8), 0..4),
    ) {
        let batched = came(&playbook, &files, true);
        let unbatched = came(&playbook, &files, false);
        prop_assert_eq!(batched, unbatched, "\n{}", playbook);
    }
}
