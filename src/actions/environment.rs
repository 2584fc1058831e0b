//! Variables that `docker` hands on to what it makes.

use std::collections::BTreeMap;

use super::values::Text;
use crate::remote::Command;
use crate::secret::Secret;

/// Variables that would change the `docker` command itself, or the shell that runs it, if they were handed on through its environment:
/// <https://docs.docker.com/reference/cli/docker/#environment-variables>, and ld.so(8).
const OWN: [&str; 25] = [
    "PATH",
    "HOME",
    "IFS",
    "ENV",
    "PWD",
    "SHELL",
    "TMPDIR",
    "USER",
    "XDG_RUNTIME_DIR",
    "LD_AUDIT",
    "LD_DEBUG",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DOCKER_API_VERSION",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTENT_TRUST",
    "DOCKER_CONTENT_TRUST_SERVER",
    "DOCKER_CONTEXT",
    "DOCKER_CUSTOM_HEADERS",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
];

/// The first name that no shell could hand on, told as a mistake.
pub fn unnamed(variables: &BTreeMap<String, Text>) -> Option<String> {
    let known = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let is_name = |name: &str| {
        !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(known)
    };
    let name = variables.keys().find(|name| !is_name(name))?;
    Some(format!("`env`: \"{name}\" cannot be the name of a variable: it has letters, digits and `_`"))
}

/// Values go through the environment of `docker`, so that no process list shows them; `flag` names each. Of those that only the
/// process list can show, because `docker` would heed them itself, nobody else is told either.
pub fn environment(command: Command, flag: &str, variables: &BTreeMap<String, Text>) -> Command {
    variables.iter().fold(command, |command, (name, Text(value))| match OWN.contains(&name.as_str()) {
        true => command.arg(flag).secret(Secret::new(format!("{name}={value}"))),
        false => command.args([flag, name]).env(name, value),
    })
}
