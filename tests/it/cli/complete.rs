//! Tab, as real shells press it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{INVENTORY, folder, skep};

const PLAYBOOK: &str = "plays:\n- hosts: all\n  tags: [base]\n  steps:\n\
    \x20 - { id: swarm-made, name: One swarm, shell: 'true' }\n\
    \x20 - { id: swarm-shown, shell: 'true', tags: [look, slow] }\n\
    \x20 - { id: told, shell: 'true' }\n";

/// A folder with a playbook and an inventory, the scripts of the shells, and `skep` on its path.
fn ground() -> tempfile::TempDir {
    let folder =
        folder(&[("inventory/hosts.yml", INVENTORY), ("playbooks/shop.yml", PLAYBOOK), ("other.yml", "plays: []\n")]);
    std::fs::create_dir(folder.path().join("bin")).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_skep"), folder.path().join("bin/skep")).expect("a link");
    for shell in ["bash", "fish"] {
        let (code, script, errors) = skep(folder.path(), &["completions", shell]);
        assert_eq!(code, 0, "{errors}");
        std::fs::write(folder.path().join(shell), script).expect("a file");
    }
    folder
}

fn shell(folder: &Path, command: &mut Command, typed: &str) -> String {
    let path = format!("{}/bin:/usr/bin:/bin", folder.display());
    command.current_dir(folder).env_clear().env("PATH", path).env("HOME", folder).env("TERM", "dumb");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
    child.stdin.take().expect("stdin").write_all(typed.as_bytes()).expect("typed");
    let Output { stdout, .. } = child.wait_with_output().expect("its end");
    String::from_utf8_lossy(&stdout).into_owned()
}

/// What stands in a line of bash after Tab was pressed at its end: it is sent to `echo` instead of being run.
fn tab(folder: &Path, line: &str) -> String {
    let typed = format!("source ./bash\n{line}\t\u{1}echo 'came:' \nexit\n");
    let bash = ["-qec", "bash --norc --noprofile -i", "/dev/null"];
    let said = shell(folder, Command::new("script").args(bash), &typed);
    let came = said.lines().rev().find_map(|line| line.trim_start().strip_prefix("came: ").map(str::trim));
    came.unwrap_or_else(|| panic!("no line came of {line:?}:\n{said}")).to_owned()
}

/// What fish offers after this line.
fn offered(folder: &Path, line: &str) -> Vec<String> {
    let ask = format!("source ./fish; complete -C '{line}'");
    let said = shell(folder, Command::new("fish").args(["--no-config", "-c", &ask]), "");
    said.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn bash_completes_steps_tags_hosts_and_playbooks() {
    let ground = ground();
    for (line, came) in [
        ("skep run playbooks/shop.yml --step swarm-m", "skep run playbooks/shop.yml --step swarm-made"),
        ("skep run playbooks/shop.yml --step told swarm-s", "skep run playbooks/shop.yml --step told swarm-shown"),
        ("skep run playbooks/shop.yml --step told,swarm-s", "skep run playbooks/shop.yml --step told,swarm-shown"),
        ("skep plan playbooks/shop.yml --from to", "skep plan playbooks/shop.yml --from told"),
        ("skep check playbooks/shop.yml --tags sl", "skep check playbooks/shop.yml --tags slow"),
        ("skep run playbooks/shop.yml --limit man", "skep run playbooks/shop.yml --limit managers"),
        ("skep exec wor", "skep exec workers"),
        ("skep run playb", "skep run playbooks/"),
        ("skep run playbooks/s", "skep run playbooks/shop.yml"),
        ("skep run --until swarm-m", "skep run --until swarm-made"),
    ] {
        assert_eq!(tab(ground.path(), line), came, "{line}");
    }
}

#[test]
fn fish_offers_them_all() {
    let ground = ground();
    let offers = |line: &str| offered(ground.path(), line);
    assert_eq!(offers("skep run playbooks/shop.yml --step "), ["swarm-made", "swarm-shown", "told"]);
    assert_eq!(offers("skep run playbooks/shop.yml --tags "), ["base", "look", "slow"]);
    assert_eq!(
        offers("skep run playbooks/shop.yml --limit "),
        ["all", "managers", "workers", "node1", "node2", "node3"]
    );
    assert_eq!(offers("skep hosts workers:!no"), ["workers:!node1", "workers:!node2", "workers:!node3"]);
    let playbooks = offers("skep run ");
    assert!(playbooks.starts_with(&["playbooks/shop.yml".into()]), "{playbooks:?}");
    assert!(playbooks.contains(&"other.yml".into()), "{playbooks:?}");
}

#[test]
fn the_shipped_playbook_stands_behind_up_and_nonsense_offers_nothing() {
    let folder = folder(&[("broken.yml", "plays: ["), ("inventory/hosts.yml", "all: [")]);
    let asked = |words: &[&str]| {
        let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
        skep.current_dir(folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("SKEP_COMPLETE", "fish");
        let output = skep.args([&["--", "skep"], words].concat()).output().expect("it runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(asked(&["up", "--from", "sw"]).starts_with("swarm"), "{}", asked(&["up", "--from", "sw"]));
    assert_eq!(asked(&["run", "broken.yml", "--step", ""]), "");
    assert_eq!(asked(&["run", "broken.yml", "--limit", ""]), "");
    assert!(asked(&["run", "--ste"]).starts_with("--step"));
    assert!(!folder.path().join(".skep").exists(), "Tab leaves nothing behind");
}
