//! What a service is, and what is asked for, field by field: two maps of texts that can be compared.

use std::collections::BTreeMap;

use super::forms::{self, Given, Port};
use super::parameters::{EndpointMode, Healthcheck, Mode, Parameters, Restart, Rollout};
use crate::actions::values::{Text, Words};
use crate::reads::docker::service::{
    Given as FoundGiven, Health, Restart as FoundRestart, Rollout as FoundRollout, Spec,
};
use crate::reads::docker::{OneService, fingerprint};

/// Values by the way to each: `update.order`, `env.TOKEN`. Those of the environment as fingerprints.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields(pub(super) BTreeMap<String, String>);

/// The label that its containers keep of their image's layers and configuration.
pub(super) const IMAGE: &str = "skep.image";

impl Fields {
    fn set(&mut self, field: impl Into<String>, value: impl ToString) {
        self.0.insert(field.into(), value.to_string());
    }

    fn maybe<T: ToString>(&mut self, field: impl Into<String>, value: Option<T>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// What is asked for; `content` is what its image is on this host, where that decides.
    pub(super) fn asked(asked: &Parameters, content: Option<&str>) -> Self {
        let mut all = Self::default();
        all.set("mode", mode(asked.mode == Mode::Global));
        all.maybe("image", asked.image.as_ref());
        all.maybe("image.content", content);
        all.maybe("replicas", asked.replicas);
        all.process(asked);
        all.resources(asked);
        all.lists(asked);
        all.rollout("update", &asked.update);
        all.rollout("rollback", &asked.rollback);
        all.restart(&asked.restart);
        all.health(&asked.healthcheck);
        let endpoint = |mode| if mode == EndpointMode::Vip { "vip" } else { "dnsrr" };
        all.maybe("endpoint_mode", asked.endpoint_mode.map(endpoint));
        all
    }

    fn process(&mut self, asked: &Parameters) {
        self.maybe("command", asked.command.as_ref().map(|Words(words)| line(words)));
        self.maybe("entrypoint", asked.entrypoint.as_ref().map(|Words(words)| line(words)));
        self.maybe("hostname", asked.hostname.as_ref());
        self.maybe("user", asked.user.as_ref().map(|Text(user)| user));
        self.maybe("workdir", asked.workdir.as_ref());
        self.maybe("stop_timeout", asked.stop_timeout.as_ref().map(|span| time(span.nanos)));
        for (field, value) in [("init", asked.init), ("tty", asked.tty), ("read_only", asked.read_only)] {
            self.maybe(field, value.then_some(true));
        }
    }

    fn resources(&mut self, asked: &Parameters) {
        self.maybe("memory", asked.memory.as_ref().map(|size| bytes(size.bytes)));
        self.maybe("cpus", asked.cpus.map(|cpus| thousandths(nano(cpus))));
        self.maybe("reserve.memory", asked.reserve.memory.as_ref().map(|size| bytes(size.bytes)));
        self.maybe("reserve.cpus", asked.reserve.cpus.map(|cpus| thousandths(nano(cpus))));
        self.maybe("max_per_node", asked.max_per_node);
    }

    fn lists(&mut self, asked: &Parameters) {
        for (name, Text(value)) in &asked.env {
            self.set(format!("env.{name}"), fingerprint(value));
        }
        for (name, Text(value)) in &asked.labels {
            self.set(format!("labels.{name}"), value);
        }
        for (prefix, names) in
            [("networks", &asked.networks), ("constraints", &asked.constraints), ("spread", &asked.spread)]
        {
            names.iter().for_each(|name| self.set(format!("{prefix}.{name}"), THERE));
        }
        for Port { published, target, protocol, mode } in asked.ports.iter().flat_map(|ports| ports.0.iter().cloned()) {
            let (protocol, mode) = (protocol.word(), mode.word());
            let key = Port::key(published, target, protocol);
            self.set(format!("ports.{key}"), forms::publish(published, target, protocol, mode));
        }
        for (target, mount) in forms::mounts(asked).unwrap_or_default() {
            self.set(format!("volumes.{target}"), mount);
        }
        asked.secrets.iter().for_each(|secret| self.given("secrets", "", secret));
        asked.configs.iter().for_each(|config| self.given("configs", "/", config));
    }

    fn given(&mut self, prefix: &str, before: &str, Given(given): &Given) {
        let target = given.target.clone().unwrap_or_else(|| format!("{before}{}", given.source));
        let owner = |id: &Option<Text>| id.as_ref().map_or("0".into(), |Text(id)| id.clone());
        let mode = given.mode.as_ref().and_then(|Text(mode)| u32::from_str_radix(mode, 8).ok()).unwrap_or(0o444);
        let value = forms::given(&given.source, &target, &owner(&given.uid), &owner(&given.gid), mode);
        self.set(format!("{prefix}.{target}"), value);
    }

    fn rollout(&mut self, prefix: &str, asked: &Rollout) {
        self.maybe(format!("{prefix}.parallelism"), asked.parallelism);
        self.maybe(format!("{prefix}.delay"), asked.delay.as_ref().map(|span| time(span.nanos)));
        self.maybe(format!("{prefix}.order"), asked.order.as_ref());
        self.maybe(format!("{prefix}.failure_action"), asked.failure_action.as_ref());
        self.maybe(format!("{prefix}.monitor"), asked.monitor.as_ref().map(|span| time(span.nanos)));
        self.maybe(format!("{prefix}.max_failure_ratio"), asked.max_failure_ratio.map(ratio));
    }

    fn restart(&mut self, asked: &Restart) {
        self.maybe("restart.condition", asked.condition.as_ref());
        self.maybe("restart.delay", asked.delay.as_ref().map(|span| time(span.nanos)));
        self.maybe("restart.max_attempts", asked.max_attempts);
        self.maybe("restart.window", asked.window.as_ref().map(|span| time(span.nanos)));
    }

    fn health(&mut self, asked: &Healthcheck) {
        self.maybe("healthcheck.command", asked.command.as_ref());
        self.maybe("healthcheck.interval", asked.interval.as_ref().map(|span| time(span.nanos)));
        self.maybe("healthcheck.timeout", asked.timeout.as_ref().map(|span| time(span.nanos)));
        self.maybe("healthcheck.start_period", asked.start_period.as_ref().map(|span| time(span.nanos)));
        self.maybe("healthcheck.retries", asked.retries);
    }

    /// What a service is.
    pub(super) fn found(found: &OneService) -> Self {
        let (spec, mut all) = (&found.spec, Self::default());
        let own = &spec.task_template.container_spec;
        all.set("mode", mode(spec.mode.global));
        all.set("image", &own.image);
        all.maybe("image.content", own.labels.get(IMAGE));
        all.maybe("replicas", spec.mode.replicated.as_ref().map(|mode| mode.replicas));
        all.found_process(spec);
        all.found_resources(spec);
        all.found_lists(found);
        all.found_rollout("update", &spec.update_config);
        all.found_rollout("rollback", &spec.rollback_config);
        all.found_restart(&spec.task_template.restart_policy);
        all.found_health(&own.healthcheck);
        all.set("endpoint_mode", or(&spec.endpoint_spec.mode, "vip"));
        all
    }

    fn found_process(&mut self, spec: &Spec) {
        let own = &spec.task_template.container_spec;
        self.set("command", line(&own.args));
        self.set("entrypoint", line(&own.command));
        self.set("hostname", &own.hostname);
        self.set("user", &own.user);
        self.set("workdir", &own.dir);
        self.set("stop_timeout", time(own.stop_grace_period.unwrap_or(10_000_000_000)));
        for (field, value) in [("init", own.init), ("tty", own.tty), ("read_only", own.read_only)] {
            self.set(field, value);
        }
    }

    fn found_resources(&mut self, spec: &Spec) {
        let resources = &spec.task_template.resources;
        for (prefix, amount) in [("", &resources.limits), ("reserve.", &resources.reservations)] {
            self.set(format!("{prefix}memory"), bytes(amount.memory_bytes));
            self.set(format!("{prefix}cpus"), thousandths(amount.nano_cpus));
        }
        self.set("max_per_node", spec.task_template.placement.max_replicas);
    }

    fn found_lists(&mut self, found: &OneService) {
        let (spec, template) = (&found.spec, &found.spec.task_template);
        let own = &template.container_spec;
        own.env.iter().for_each(|(name, print)| self.set(format!("env.{name}"), print));
        spec.labels.iter().for_each(|(name, value)| self.set(format!("labels.{name}"), value));
        for network in template.networks.iter().chain(&spec.networks) {
            let name = found.networks.get(&network.target).unwrap_or(&network.target);
            self.set(format!("networks.{name}"), THERE);
        }
        template.placement.constraints.iter().for_each(|one| self.set(format!("constraints.{one}"), THERE));
        for spread in &template.placement.preferences {
            self.set(format!("spread.{}", spread.spread.spread_descriptor), THERE);
        }
        for port in &spec.endpoint_spec.ports {
            let (protocol, mode) = (or(&port.protocol, "tcp"), or(&port.publish_mode, "ingress"));
            let key = Port::key(port.published_port, port.target_port, protocol);
            let value = forms::publish(port.published_port, port.target_port, protocol, mode);
            self.set(format!("ports.{key}"), value);
        }
        for one in &own.mounts {
            let value = forms::mount(&one.kind, &one.source, &one.target, one.read_only, one.tmpfs_options.size_bytes);
            self.set(format!("volumes.{}", one.target), value);
        }
        own.secrets.iter().for_each(|secret| self.found_given("secrets", secret));
        own.configs.iter().for_each(|config| self.found_given("configs", config));
    }

    fn found_given(&mut self, prefix: &str, FoundGiven { file, name }: &FoundGiven) {
        let value = forms::given(name, &file.name, &file.uid, &file.gid, file.mode);
        self.set(format!("{prefix}.{}", file.name), value);
    }

    /// What is not said there is what Docker does without.
    fn found_rollout(&mut self, prefix: &str, found: &FoundRollout) {
        let is_unsaid = found.parallelism.is_none();
        self.set(format!("{prefix}.parallelism"), found.parallelism.unwrap_or(1));
        self.set(format!("{prefix}.delay"), time(found.delay));
        self.set(format!("{prefix}.order"), or(&found.order, "stop-first"));
        self.set(format!("{prefix}.failure_action"), or(&found.failure_action, "pause"));
        let monitor = found.monitor.filter(|nanos| !is_unsaid || *nanos > 0).unwrap_or(5_000_000_000);
        self.set(format!("{prefix}.monitor"), time(monitor));
        self.set(format!("{prefix}.max_failure_ratio"), ratio(found.max_failure_ratio));
    }

    fn found_restart(&mut self, found: &FoundRestart) {
        self.set("restart.condition", or(&found.condition, "any"));
        self.set("restart.delay", time(found.delay.unwrap_or(5_000_000_000)));
        self.set("restart.max_attempts", found.max_attempts);
        self.set("restart.window", time(found.window));
    }

    fn found_health(&mut self, found: &Health) {
        let test = match found.test.first().map(String::as_str) {
            None => String::new(),
            Some("NONE") => "none".to_owned(),
            Some(_) => found.test[1..].join(" "),
        };
        self.set("healthcheck.command", test);
        self.set("healthcheck.interval", time(found.interval));
        self.set("healthcheck.timeout", time(found.timeout));
        self.set("healthcheck.start_period", time(found.start_period));
        self.set("healthcheck.retries", found.retries);
    }
}

/// The value of what is there or not, and nothing else.
const THERE: &str = "yes";

fn mode(is_global: bool) -> &'static str {
    if is_global { "global" } else { "replicated" }
}

fn or<'a>(text: &'a str, without: &'a str) -> &'a str {
    if text.is_empty() { without } else { text }
}

fn line(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

/// As Docker takes it, in the largest unit that gives a whole number.
fn time(nanos: i64) -> String {
    match nanos {
        nanos if nanos % 1_000_000_000 == 0 => format!("{}s", nanos / 1_000_000_000),
        nanos if nanos % 1_000_000 == 0 => format!("{}ms", nanos / 1_000_000),
        nanos => format!("{nanos}ns"),
    }
}

/// Likewise.
fn bytes(bytes: i64) -> String {
    let units = [(1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k")];
    let unit = units.into_iter().find(|(each, _)| bytes > 0 && bytes % each == 0);
    unit.map_or_else(|| bytes.to_string(), |(each, unit)| format!("{}{unit}", bytes / each))
}

#[allow(clippy::cast_possible_truncation, reason = "nobody has 9 billion processors")]
fn nano(cpus: f64) -> i64 {
    (cpus * 1e9).round() as i64
}

/// Processors, from billionths.
fn thousandths(nano: i64) -> String {
    ratio(nano as f64 / 1e9)
}

/// A float32 on its way through Docker.
fn ratio(ratio: f64) -> String {
    ((ratio * 1000.0).round() / 1000.0).to_string()
}
