//! Passwords that are kept elsewhere.

use super::*;

fn load(text: &str) -> Result<Inventory, crate::yaml::Errors> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("kept"), "from-file\n").expect("a file");
    let file = folder.path().join("hosts.yml");
    std::fs::write(&file, text).expect("a file");
    let loaded = Inventory::load(&file);
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap_or_default();
    assert!(asked.lines().count() <= 1, "it is asked once for all hosts: {asked}");
    loaded
}

#[test]
fn a_password_may_say_where_it_is_kept() {
    let group = "become_password: { secret: true, command: \"echo x >>asked; echo from-command\" }";
    let inventory = load(&format!(
        "all:\n  vars: {{ {group}, token: {{ secret: true, env: NOT_SET }} }}\n  hosts:\n    one: {{ password: {{ secret: true, file: kept }} }}\n    two:\n"
    ))
    .unwrap_or_else(|errors| panic!("{errors}"));
    let exposed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let of = |name: &str| {
        let host = inventory.host(name).expect("it is there");
        (exposed(&host.password), exposed(&host.become_password))
    };
    assert_eq!(of("one"), (Some("from-file".into()), Some("from-command".into())));
    assert_eq!(of("two"), (None, Some("from-command".into())));
    assert_eq!(crate::secret::masked("it is from-command"), format!("it is {}", crate::secret::MASK));
}

#[test]
fn a_password_that_cannot_be_had_is_a_mistake_at_its_place() {
    let told = |password: &str| {
        load(&format!("all:\n  hosts:\n    one: {{ password: {password} }}\n")).expect_err("wrong").to_string()
    };
    let gone = told("{ secret: true, file: gone }");
    assert!(gone.contains("hosts.yml:3:22") && gone.contains("gone: No such file"), "{gone}");
    assert!(told("{ secret: true, prompt: Who }").contains("`-K` for sudo's"));
    assert!(told("{ secret: true, value: hunter22 }").contains("a secret in plain text"));
    let text = "all:\n  hosts:\n    one: { password: { secret: true, command: touch /tmp/opened } }\n";
    let told = Inventory::parse("hosts.yml", text).expect_err("nothing is run for a text").to_string();
    assert!(told.contains("opens no secret"), "{told}");
}
