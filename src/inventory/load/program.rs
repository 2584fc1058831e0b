//! Programs that print an inventory: Ansible's protocol, `--list` and `--host NAME`.

use std::path::Path;
use std::process::Command;
use std::thread;

use crate::inventory::names::Dialect;
use crate::inventory::tree::Tree;
use crate::program;
use crate::yaml::{Error, Node, parse};

/// So many are run at once, where each host is asked about alone.
const AT_ONCE: usize = 8;

/// Adds what a program says. One that says nothing of hosts beside their names is asked about each.
pub(super) fn add(tree: &mut Tree, program: &Path) {
    let before = tree.hosts.len();
    let root = match ask(program, &["--list"]) {
        Ok(root) => root,
        Err(error) => return tree.errors.push(error),
    };
    tree.add(&root);
    if root.get("_meta").is_some_and(|meta| meta.get("hostvars").is_some()) {
        return;
    }
    let names: Vec<String> = tree.hosts[before..].iter().map(|host| host.name().to_owned()).collect();
    for names in names.chunks(AT_ONCE) {
        let answers = thread::scope(|scope| {
            let asked: Vec<_> = names.iter().map(|name| scope.spawn(|| ask(program, &["--host", name]))).collect();
            asked
                .into_iter()
                .map(|answer| answer.join().unwrap_or_else(|_| Err(Error::new("a thread ended"))))
                .collect()
        });
        names.iter().zip::<Vec<_>>(answers).for_each(|(name, answer)| told(tree, name, answer));
    }
}

fn told(tree: &mut Tree, host: &str, answer: Result<Node, Error>) {
    match answer {
        Ok(vars) => tree.said_of(host, &vars, Dialect::of(&vars)),
        Err(error) => tree.errors.push(error),
    }
}

fn ask(path: &Path, arguments: &[&str]) -> Result<Node, Error> {
    let failed = |why: String| {
        let words = arguments.join(" ");
        Error::new(format!("the inventory program `{} {words}` {why}", path.display())).with_hint(
            "it is run with `--list`, and with `--host NAME` where it prints no `_meta`, and prints JSON or YAML",
        )
    };
    let absolute = path.canonicalize().map_err(|why| failed(format!("cannot be run: {why}")))?;
    let printed = program::output(Command::new(absolute).args(arguments)).map_err(failed)?;
    parse(path, printed)
}
