//! Which steps, on whom: what is picked is looked through before anybody is contacted.

use super::{INVENTORY, folder, skep};

const PLAYBOOK: &str = "name: Shop\nplays:\n- name: Everywhere\n  hosts: all\n  steps:\n\
    \x20 - { id: look, shell: nproc, changes: false, register: cores, tags: [read] }\n\
    \x20 - { id: told, name: They are told, shell: 'wall {{ cores.stdout }}', tags: [write] }\n\
    \x20 - { id: shown, hosts: 'workers[0]', shell: uptime }\n\
    \x20 - { id: led, hosts: leader, docker: node ls, changes: false }\n";

fn shop() -> tempfile::TempDir {
    folder(&[("inventory/hosts.yml", INVENTORY), ("shop.yml", PLAYBOOK)])
}

#[test]
fn a_step_without_what_it_needs_is_refused_before_anybody_is_contacted() {
    let folder = shop();
    let mut told = String::new();
    for arguments in [
        &["run", "shop.yml", "--step", "told"][..],
        &["run", "shop.yml", "--from", "told", "--until", "shown"],
        &["plan", "shop.yml", "--tags", "write"],
        &["run", "shop.yml", "--list", "--step", "told"],
        &["check", "shop.yml", "--step", "told"],
    ] {
        let (code, out, errors) = skep(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {errors}");
        told += &format!("=== skep {}\n{}\n", arguments.join(" "), errors.trim_end());
    }
    insta::assert_snapshot!(told);
    for picked in [&["--step", "look,told"][..], &["--from", "look"], &["--step", "told", "-e", "cores=4"]] {
        let (code, _, errors) = skep(folder.path(), &[&["check", "shop.yml"], picked].concat());
        assert_eq!(code, 0, "{picked:?}: {errors}");
    }
}

/// The file that a step renders asks as well, whatever the action does with it.
#[test]
fn what_a_template_needs_its_step_needs() {
    for action in [
        "file: { path: /etc/motd, template: said.j2 }",
        "secret: { name: said, template: said.j2 }",
        "config: { name: said, template: said.j2 }",
        "stack: { name: said, template: said.j2 }",
    ] {
        let playbook = format!(
            "plays:\n- hosts: all\n  steps:\n  - {{ id: look, shell: nproc, changes: false, register: cores }}\n\
             \x20 - id: told\n    {action}\n"
        );
        let template = "services: { web: { image: 'web:{{ cores.stdout }}' } }\n";
        let folder = folder(&[("inventory/hosts.yml", INVENTORY), ("shop.yml", &playbook), ("said.j2", template)]);
        let (code, out, errors) = skep(folder.path(), &["check", "shop.yml", "--step", "told"]);
        assert_eq!((code, out.as_str()), (2, ""), "{action}: {errors}");
        let (told, place) = ("`told` needs `cores`, which `look` registers", "--> said.j2:1:35");
        assert!(errors.contains(told) && errors.contains(place), "{action}: {errors}");
        let (code, _, errors) = skep(folder.path(), &["check", "shop.yml"]);
        assert_eq!(code, 0, "{action}: {errors}");
    }
}

#[test]
fn a_list_says_whom_each_step_is_for() {
    let folder = shop();
    let list = |arguments: &[&str]| skep(folder.path(), &[&["run", "shop.yml", "--list"], arguments].concat()).1;
    insta::assert_snapshot!(format!("{}\n{}", list(&[]), list(&["--limit", "node3", "--until", "shown"])));
    let rows = list(&["--output", "json"]);
    let row: serde_json::Value = serde_json::from_str(rows.lines().nth(2).expect("a row")).expect("JSON");
    assert_eq!((&row["pattern"], &row["hosts"]), (&"workers[0]".into(), &serde_json::json!(["node2"])));
}

#[test]
fn without_an_inventory_a_list_has_patterns() {
    let folder = folder(&[("shop.yml", PLAYBOOK)]);
    let (code, list, errors) = skep(folder.path(), &["run", "shop.yml", "--list"]);
    assert!(code == 0 && list.contains("(shell; workers[0])"), "{list}{errors}");
    let (code, _, errors) = skep(folder.path(), &["run", "shop.yml", "--list", "-i", "nowhere.yml"]);
    assert!(code == 2 && errors.contains("nowhere.yml"), "{errors}");
}

#[test]
fn a_check_names_everything_picked_that_means_nothing() {
    let folder = shop();
    let picked = ["--step", "lok,told", "--tags", "raed", "--limit", "wrokers"];
    let (code, out, errors) = skep(folder.path(), &[&["check", "shop.yml"], &picked[..]].concat());
    assert_eq!((code, out.as_str()), (2, ""), "{errors}");
    insta::assert_snapshot!(errors);
    let (code, out, errors) = skep(folder.path(), &["check", "shop.yml", "--until", "told", "--limit", "workers"]);
    assert_eq!((code, out.as_str()), (0, "ok: Shop, 2 of 4 steps; 2 of 3 hosts\n"), "{errors}");
    let (code, _, errors) = skep(folder.path(), &["check", "--step", "told"]);
    assert!(code == 2 && errors.contains("there is no playbook"), "{errors}");
}

#[test]
fn a_value_for_a_name_that_is_nearly_one_is_told_of_and_no_mistake() {
    let sized = PLAYBOOK.replacen("plays:", "vars: { size: 3 }\nplays:", 1).replace("uptime", "'echo {{ size }}'");
    let folder = folder(&[("inventory/hosts.yml", INVENTORY), ("shop.yml", &sized)]);
    let (code, out, errors) = skep(folder.path(), &["check", "shop.yml", "-e", "sice=4"]);
    assert_eq!((code, out.trim_end()), (0, "ok: Shop, 4 steps; 3 hosts"), "{errors}");
    insta::assert_snapshot!(errors.trim_end(), @r"
    note: `-e sice=…` sets what nothing asks for

    hint: did you mean `size`?
    ");
    let (code, _, errors) = skep(folder.path(), &["check", "shop.yml", "-e", "size=4"]);
    assert_eq!((code, errors.as_str()), (0, ""));
}
