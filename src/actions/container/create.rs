//! The commands that make a container.

use super::DIGEST;
use super::parameters::{Attach, Container, Healthcheck};
use crate::actions::Change;
use crate::actions::environment::environment;
use crate::actions::values::{Text, Words};
use crate::reads::docker::Container as Found;
use crate::remote::Command;

impl Container {
    /// Makes and starts it.
    pub(super) fn run(&self, why: &str) -> Vec<Change> {
        let (first, others) = match self.networks.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, &[][..]),
        };
        let docker = |verb: &[&str]| Command::new("docker").args(verb.iter().copied()).args(["--name", &self.name]);
        if others.is_empty() {
            return vec![Change::run(why, self.asked(docker(&["run", "-d"]), first))];
        }
        // Engines before 25 take one network when a container is made; it must not run before it has all.
        let mut changes = vec![Change::run(why, self.asked(docker(&["create"]), first))];
        changes
            .extend(others.iter().map(|network| Change::run("it belongs to this network too", self.connect(network))));
        changes.push(Change::run("it has all its networks", Command::new("docker").args(["start", &self.name])));
        changes
    }

    /// Removes `found` once Docker has made the new one as it is asked for, which never runs and has no name: what Docker
    /// refuses of it is told while the old one is still there.
    pub(super) fn make_way(&self, found: &Found) -> Command {
        let create = self.asked(Command::sh("id=$(docker create"), self.networks.first());
        removal(found, create.syntax(") && docker rm -v \"$id\" >/dev/null && docker"))
    }

    fn connect(&self, network: &Attach) -> Command {
        let command = Command::new("docker").args(["network", "connect"]);
        let command = command.args(network.aliases.iter().flat_map(|alias| ["--alias", alias]));
        let command = command.args(network.ip.iter().flat_map(|ip| ["--ip", ip]));
        command.args([&network.name, &self.name])
    }

    /// `command` with all that is asked for.
    fn asked(&self, mut command: Command, network: Option<&Attach>) -> Command {
        command = command.args(["--label".to_owned(), format!("{DIGEST}={}", self.digest())]);
        command = command.args(self.flags());
        if let Some(network) = network {
            command = command.args(["--network", &network.name]);
            command = command.args(network.aliases.iter().flat_map(|alias| ["--network-alias", alias]));
            command = command.args(network.ip.iter().flat_map(|ip| ["--ip", ip]));
        }
        command = environment(command, "-e", &self.env);
        command = command.args(self.env_files.iter().flat_map(|file| ["--env-file", file]));
        let (entrypoint, arguments) = self.words();
        command = command.args(entrypoint.iter().flat_map(|program| ["--entrypoint", program]));
        command.args(self.image.clone()).args(arguments)
    }

    /// What goes behind `--entrypoint`, which takes one word, and what behind the image.
    pub(super) fn words(&self) -> (Option<String>, Vec<String>) {
        let arguments = self.command.iter().flat_map(|Words(words)| words.clone());
        let Some(Words(entrypoint)) = &self.entrypoint else {
            return (None, arguments.collect());
        };
        let more = entrypoint.iter().skip(1).cloned();
        (Some(entrypoint.first().cloned().unwrap_or_default()), more.chain(arguments).collect())
    }

    fn flags(&self) -> Vec<String> {
        let mut flags = Flags::default();
        flags.one("--hostname", self.hostname.as_ref());
        flags.each("-p", self.ports.iter().map(|Text(port)| port));
        flags.each("-v", &self.volumes);
        flags.each("--tmpfs", &self.tmpfs);
        flags.one("--restart", self.restart.as_ref());
        flags.pairs("--label", self.labels.iter().map(|(name, Text(value))| (name, value)));
        flags.one("--memory", self.memory.as_ref().map(|size| &size.text));
        flags.one("--cpus", self.cpus.map(|cpus| cpus.to_string()).as_ref());
        flags.one("--shm-size", self.shm_size.as_ref().map(|size| &size.text));
        flags.one("--user", self.user.as_ref().map(|Text(user)| user));
        flags.each("--add-host", &self.extra_hosts);
        flags.switch("-t", self.tty);
        flags.switch("-i", self.stdin);
        flags.switch("--init", self.init);
        flags.one(
            "--stop-timeout",
            self.stop_timeout.as_ref().map(|span| (span.nanos / 1_000_000_000).to_string()).as_ref(),
        );
        flags.each("--cap-add", &self.cap_add);
        flags.switch("--read-only", self.read_only);
        flags.one("--workdir", self.workdir.as_ref());
        if let Some(log) = &self.log {
            flags.one("--log-driver", Some(&log.driver));
            flags.pairs("--log-opt", log.options.iter().map(|(name, Text(value))| (name, value)));
        }
        if let Some(check) = &self.healthcheck {
            health(check, &mut flags);
        }
        flags.0
    }
}

fn health(check: &Healthcheck, flags: &mut Flags) {
    if check.command == "none" {
        return flags.switch("--no-healthcheck", true);
    }
    flags.one("--health-cmd", Some(&check.command));
    flags.one("--health-interval", check.interval.as_ref().map(|span| &span.text));
    flags.one("--health-timeout", check.timeout.as_ref().map(|span| &span.text));
    flags.one("--health-start-period", check.start_period.as_ref().map(|span| &span.text));
    flags.one("--health-retries", check.retries.map(|retries| retries.to_string()).as_ref());
}

/// `docker` with what stops it in its own time, then removes it. Volumes stay.
pub(super) fn removal(found: &Found, docker: Command) -> Command {
    match found.running() {
        true => docker.args(["stop", &found.id]).syntax("&& docker").args(["rm", &found.id]),
        false => docker.args(["rm", "-f", &found.id]),
    }
}

#[derive(Default)]
struct Flags(Vec<String>);

impl Flags {
    fn one(&mut self, flag: &str, value: Option<&String>) {
        self.each(flag, value);
    }

    fn each<'a>(&mut self, flag: &str, values: impl IntoIterator<Item = &'a String>) {
        self.0.extend(values.into_iter().flat_map(|value| [flag.to_owned(), value.clone()]));
    }

    fn pairs<'a>(&mut self, flag: &str, values: impl Iterator<Item = (&'a String, &'a String)>) {
        self.0.extend(values.flat_map(|(name, value)| [flag.to_owned(), format!("{name}={value}")]));
    }

    fn switch(&mut self, flag: &str, on: bool) {
        self.0.extend(on.then(|| flag.to_owned()));
    }
}
