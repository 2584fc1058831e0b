//! What steps know of what was before them: facts of engines, and what was registered.

use super::*;

fn calls(ran: &Ran, to: &str) -> usize {
    ran.calls.iter().filter(|(host, _)| host == to).count()
}

const DOCKER_VERSION: &str =
    "id: asks\nshell: test 1\nchanges: false\nwhen: facts.docker_version == '28.0' and facts.node_id == ''";

#[tokio::test]
async fn what_docker_says_costs_a_step_no_command_of_its_own() {
    let ran = Lab::new().run(&steps("beta", &[DOCKER_VERSION, "id: two\nshell: 'true'\nchanges: false"])).await;
    assert_eq!(outcomes(&ran), [("asks", "beta", Outcome::Unchanged), ("two", "beta", Outcome::Unchanged)]);
    assert_eq!(calls(&ran, "beta"), 1);
}

#[tokio::test]
async fn what_docker_says_is_read_anew_after_a_change() {
    let upgrade = "id: upgrade\nshell: sed -i s/28.0/29.1/ {{ root }}/bin/docker.info";
    let asks = "id: again\nshell: test {{ facts.docker_version }} = 29.1";
    let ran = Lab::new().run(&steps("beta", &[DOCKER_VERSION, upgrade, asks])).await;
    assert_eq!(ran.came.code, 0, "{:?}", ran.came);
}

/// Asked in the first look, and when its step is there: not once more for each change before it.
#[tokio::test]
async fn who_is_elsewhere_is_not_asked_again_ahead_of_a_step() {
    let file = |name: &str| format!("id: {name}\nfile: {{ path: '{{{{ root }}}}/{name}', content: x }}");
    let push = "id: push\nimage: { name: 'registry:5000/app:1', push: true }";
    let ran = Lab::new().run(&steps("beta", &[&file("one"), &file("two"), &file("three"), push])).await;
    let asking = |mark: &str| ran.calls.iter().filter(|(_, script)| script.contains(mark)).count();
    assert_eq!((asking("docker manifest inspect"), asking("docker images -a") > 2), (2, true), "{:?}", ran.came);
}

#[tokio::test]
async fn an_engine_that_does_not_answer_fails_what_asks_it_with_the_reason() {
    let lab = Lab { leader: None, managers: &[], ..Lab::new() };
    let breaks = "id: breaks\nshell: rm {{ root }}/bin/docker.info";
    let ran = lab.run(&steps("beta", &[breaks, DOCKER_VERSION])).await;
    let (outcome, told) = last(&ran);
    assert!(outcome == Outcome::Failed && told.contains("cannot read `facts.docker_version` of beta"), "{told}");
    let plan = Lab { options: Options { plan: true, ..options() }, ..Lab::new() };
    let ran = plan.run(&steps("beta", &["id: breaks\nshell: 'true'", DOCKER_VERSION])).await;
    assert_eq!(outcomes(&ran), [("asks", "beta", Outcome::Unchanged), ("breaks", "beta", Outcome::Changed)]);
}

/// Writes what `template` comes to into a file on each host.
fn writes(template: &str) -> String {
    format!("id: writes\nfile: {{ path: \"{{{{ root }}}}/out\", content: \"{template}\" }}")
}

fn written(ran: &Ran, host: &str) -> String {
    let name = format!("{host}/out");
    ran.came.files.iter().find(|(file, _)| *file == name).map(|(_, text)| text.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_step_that_was_skipped_or_failed_has_registered_that() {
    let skipped = "id: one\nshell: 'true'\nregister: one\nwhen: inventory_hostname == 'alpha'";
    let ran = Lab::new()
        .run(&steps("all", &[skipped, &writes("{{ one.skipped }} {{ one.stdout }} {{ one.code == 0 }}")]))
        .await;
    assert_eq!((written(&ran, "alpha"), written(&ran, "beta")), ("false  true".into(), "true  false".into()));
    let fails = "id: one\nshell: echo so; echo no >&2; exit 3\nregister: one\nignore_errors: true";
    let all = writes(
        "{% set o = one %}{{ o.failed }} {{ o.changed }} {{ o.code }} {{ o.stdout }} {{ o.stderr }} {{ o.json is none }}",
    );
    let ran = Lab::new().run(&steps("beta", &[fails, &all])).await;
    assert_eq!(written(&ran, "beta"), "true false 3 so no true");
}

#[tokio::test]
async fn what_a_host_registered_before_it_failed_is_seen_by_others() {
    let fails = "id: one\nhosts: beta\nshell: echo last words; exit 3\nregister: one";
    let others = "id: writes\nhosts: alpha\nfile: { path: \"{{ root }}/out\", content: \"{{ host('beta').one.failed }} {{ hostvars.beta.one.stdout }}\" }";
    let ran = Lab::new().run(&steps("all", &[fails, others])).await;
    assert_eq!(written(&ran, "alpha"), "true last words", "{:?}", ran.came);
}

#[tokio::test]
async fn a_loop_registers_each_item() {
    let each = "id: one\nloop: [{ name: a, code: 0 }, { name: b, code: 3 }]\nshell: echo {{ item.name }}; exit {{ item.code }}\nregister: one\nignore_errors: true";
    let all = writes(
        "{{ one.results | map(attribute='item.name') | join }} {{ one.stdout }} {{ one.failed }} {{ one.results[0].failed }}",
    );
    let ran = Lab::new().run(&steps("beta", &[each, &all])).await;
    assert_eq!(written(&ran, "beta"), "ab b true false", "{:?}", ran.came);
}

#[tokio::test]
async fn the_output_of_a_command_that_had_to_run_is_registered_too() {
    let makes = "id: one\nshell: echo made; touch {{ root }}/made\ncreates: '{{ root }}/made'\nregister: one";
    let lab = Lab::new();
    let playbook = steps("beta", &[makes, &writes("{{ one.changed }} {{ one.stdout }}")]);
    assert_eq!(written(&lab.run(&playbook).await, "beta"), "true made");
    assert_eq!(written(&lab.run(&playbook).await, "beta"), "false ", "it has not run");
}

#[tokio::test]
async fn a_plan_says_nothing_of_what_only_the_run_will_register() {
    let plan = Lab { options: Options { plan: true, ..options() }, ..Lab::new() };
    let after = "id: two\nshell: 'true'\nwhen: one.changed";
    let ran = plan.run(&steps("beta", &["id: one\nshell: 'true'\nregister: one", after])).await;
    assert!(last(&ran).1.contains("`one` is known after one"), "{:?}", ran.came);
    // What another step has left by that name counts no more.
    let other = "id: other\nshell: 'true'\nchanges: false\nregister: one";
    let ran = plan.run(&steps("beta", &[other, "id: one\nshell: 'true'\nregister: one", after])).await;
    assert!(last(&ran).1.contains("`one` is known after one"), "{:?}", ran.came);
    let skipped = "id: one\nshell: 'true'\nregister: one\nwhen: false";
    let ran = plan.run(&steps("beta", &[skipped, "id: two\nshell: 'true'\nwhen: one.skipped"])).await;
    assert_eq!(outcomes(&ran), [("one", "beta", Outcome::Skipped), ("two", "beta", Outcome::Changed)]);
}

/// A machine that `is` called so, and `new` after its next start. Nothing of it is the workstation's own.
fn named(lab: Lab, is: &str) -> Lab {
    lab.write("beta", "name", is);
    lab.write("beta", "hostname", "new\n");
    lab.tool("beta", "uname", "#!/bin/sh\ncat \"${0%/bin/*}/name\"\n");
    lab.tool("beta", "hostname", "#!/bin/sh\necho \"$1\" >\"${0%/bin/*}/name\"\n");
    let root = lab.root.path().to_owned();
    let hook = move |host: &str, script: &str| {
        let folder = root.join(host);
        Some(here(&folder, &script.replace("/etc/", &format!("{}/", folder.display()))))
    };
    Lab { hook: Some(Arc::new(hook)), ..lab }
}

#[tokio::test]
async fn a_machine_that_was_given_a_name_is_asked_for_it_anew() {
    let called =
        |id: &str, name: &str| format!("id: {id}\nshell: 'true'\nchanges: false\nwhen: facts.hostname == '{name}'");
    let renames = "id: renames\nhostname: { name: new, hosts: false }";
    let all = steps("beta", &[&called("first", "old"), renames, &called("second", "new"), &called("third", "old")]);
    let ran = named(Lab::new(), "old").run(&all).await;
    let expected = [
        ("first", "beta", Outcome::Unchanged),
        ("renames", "beta", Outcome::Changed),
        ("second", "beta", Outcome::Unchanged),
        ("third", "beta", Outcome::Skipped),
    ];
    assert_eq!(outcomes(&ran), expected, "{:?}", ran.came);
}
