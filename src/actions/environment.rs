//! Variables that `docker` hands on to what it makes.

use std::collections::BTreeMap;

use super::values::Text;
use crate::remote::Command;

/// Variables that would change the `docker` command itself if they were handed on through its environment.
const OWN: [&str; 9] = ["PATH", "HOME", "IFS", "ENV", "PWD", "SHELL", "TMPDIR", "USER", "XDG_RUNTIME_DIR"];

/// Values go through the environment of `docker`, so that no process list shows them; `flag` names each.
pub fn environment(command: Command, flag: &str, variables: &BTreeMap<String, Text>) -> Command {
    variables.iter().fold(command, |command, (name, Text(value))| {
        let own = OWN.contains(&name.as_str()) || name.starts_with("DOCKER_") || name.starts_with("LD_");
        match own {
            true => command.args([flag.to_owned(), format!("{name}={value}")]),
            false => command.args([flag, name]).env(name, value),
        }
    })
}
