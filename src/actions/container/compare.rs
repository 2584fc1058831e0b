//! Field by field: what a container is, and what is asked for.

use std::collections::BTreeSet;

use super::DIGEST;
use super::parameters::{Attach, Container, Healthcheck};
use crate::actions::diff::shown;
use crate::actions::values::{Span, Text};
use crate::event::Difference;
use crate::reads::docker::{Binding, Container as Found, Image, fingerprint, normal_reference};

/// Collects the fields that differ.
struct Fields {
    differs: Vec<Difference>,
    /// Whether what is there and not asked for is a difference too: it was made by other parameters.
    exact: bool,
}

impl Fields {
    fn is(&mut self, field: &str, is: impl ToString, asked: impl ToString) {
        let (is, asked) = (is.to_string(), asked.to_string());
        if is != asked {
            self.differs.push(Difference { field: field.into(), is, asked });
        }
    }

    fn maybe<T: ToString>(&mut self, field: &str, is: impl ToString, asked: Option<T>) {
        if let Some(asked) = asked {
            self.is(field, is, asked);
        }
    }

    /// The same, where nothing asked for means this.
    fn or<T: ToString>(&mut self, field: &str, is: impl ToString, asked: Option<T>, without: &str) {
        let asked = asked.map(|asked| asked.to_string()).or(self.exact.then(|| without.to_owned()));
        self.maybe(field, is, asked);
    }

    /// The same of a text that may hold a secret.
    fn text(&mut self, field: &str, is: Option<&str>, asked: &str) {
        if is.unwrap_or("none") != asked {
            self.differs.push(shown(field.into(), is, asked));
        }
    }

    /// Each of a list must be there; there may be more.
    fn list(&mut self, field: &str, is: &[String], asked: &[String]) {
        let lacking = asked.iter().any(|one| !is.contains(one));
        if lacking || (self.exact && is.iter().any(|one| !asked.contains(one))) {
            self.is(field, listed(is), listed(asked));
        }
    }

    /// Those of `names` that were asked for once, and are no longer.
    fn dropped<'a>(&mut self, field: &str, is: &str, names: impl Iterator<Item = &'a String>) {
        if self.exact {
            names.for_each(|name| self.is(&format!("{field}.{name}"), is, "not asked for"));
        }
    }
}

fn listed(list: &[String]) -> String {
    if list.is_empty() { "none".into() } else { list.join(", ") }
}

impl Container {
    /// Whether it was made from another image than the one its name now means.
    pub(super) fn other_image(&self, found: &Found, image: Option<&Image>) -> bool {
        match (image, &self.image) {
            (Some(image), _) => image.id != found.image,
            (None, Some(asked)) => {
                normal_reference(asked) != normal_reference(&found.config.image) && *asked != found.image
            }
            (None, None) => false,
        }
    }

    /// Whether it was made by the very same parameters.
    pub(super) fn made_alike(&self, found: &Found) -> bool {
        found.config.labels.get(DIGEST) == Some(&self.digest())
    }

    /// `image` is what the reference now means on the host, `own` the image that the container was made from.
    pub(super) fn differs(&self, found: &Found, image: Option<&Image>, own: Option<&Image>) -> Vec<Difference> {
        let digest = found.config.labels.get(DIGEST);
        let mut fields = Fields { differs: Vec::new(), exact: digest.is_some() && !self.made_alike(found) };
        let same_content = matches!((image, own), (Some(image), Some(own)) if image.content == own.content);
        let other = self.other_image(found, image);
        if other && !same_content {
            self.image_differs(found, image, &mut fields);
        }
        self.what_can_change(found, &mut fields);
        if self.made_alike(found) {
            return fields.differs;
        }
        self.all(found, &mut fields);
        self.dropped(found, if other { own } else { image }, &mut fields);
        if let (true, Some(digest)) = (fields.differs.is_empty(), digest) {
            fields.is("parameters", digest, self.digest());
        }
        fields.differs
    }

    /// What was asked for once. What came with its image, and what Docker's proxy settings add, was not.
    fn dropped(&self, found: &Found, from: Option<&Image>, fields: &mut Fields) {
        let networks = found.networks().keys().filter(|name| !self.networks.iter().any(|asked| asked.name == **name));
        let default = |name: &&String| self.networks.is_empty() && **name == "bridge";
        fields.dropped("networks", "attached", networks.filter(|name| !default(name)));
        let Some(from) = from else { return };
        let proxy = |name: &str| name.to_lowercase().ends_with("_proxy");
        let env = found.config.env.iter().filter(|(name, print)| {
            !self.env.contains_key(*name) && from.env.get(*name) != Some(print) && !proxy(name)
        });
        if self.env_files.is_empty() {
            fields.dropped("env", "set", env.map(|(name, _)| name));
        }
        let labels = found.config.labels.iter().filter(|(name, value)| {
            *name != DIGEST && !self.labels.contains_key(*name) && from.labels.get(*name) != Some(value)
        });
        fields.dropped("labels", "set", labels.map(|(name, _)| name));
    }

    fn image_differs(&self, found: &Found, image: Option<&Image>, fields: &mut Fields) {
        let short = |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        let asked = self.image.clone().unwrap_or_default();
        let asked = image.map_or_else(|| asked.clone(), |image| format!("{asked} ({})", short(&image.id)));
        fields.is("image", format!("{} ({})", found.config.image, short(&found.image)), asked);
    }

    /// What people can change about a container that is there.
    fn what_can_change(&self, found: &Found, fields: &mut Fields) {
        for network in &self.networks {
            attached(network, found, fields);
        }
        let bytes = |bytes: i64| if bytes == 0 { "no limit".into() } else { bytes.to_string() };
        // A kernel that limits no memory (`cgroup_disable=memory`) has the daemon discard what it was asked for with a warning.
        let discarded = self.made_alike(found) && found.host_config.memory == 0;
        let memory = self.memory.as_ref().filter(|_| !discarded).map(|size| bytes(size.bytes));
        fields.or("memory", bytes(found.host_config.memory), memory, "no limit");
        #[allow(clippy::cast_possible_truncation, reason = "nobody has 9 billion processors")]
        let cpus = self.cpus.map(|cpus| thousandths((cpus * 1e9).round() as i64));
        fields.or("cpus", thousandths(found.host_config.nano_cpus), cpus, "no limit");
        let restart = &found.host_config.restart_policy;
        let is = match (restart.name.as_str(), restart.maximum_retry_count) {
            ("", _) => "no".to_owned(),
            (name, 0) => name.to_owned(),
            (name, count) => format!("{name}:{count}"),
        };
        fields.or("restart", is, self.restart.as_ref(), "no");
    }

    fn all(&self, found: &Found, fields: &mut Fields) {
        self.process(found, fields);
        self.environment_differs(found, fields);
        self.ports_differ(found, fields);
        let host = &found.host_config;
        let named: Vec<String> = self.volumes.iter().filter(|volume| volume.contains(':')).cloned().collect();
        fields.list("volumes", &host.binds, &named);
        let tmpfs: Vec<String> =
            self.tmpfs.iter().map(|path| path.split(':').next().unwrap_or(path).to_owned()).collect();
        fields.list("tmpfs", &host.tmpfs.keys().cloned().collect::<Vec<_>>(), &tmpfs);
        for (name, Text(asked)) in &self.labels {
            fields.text(&format!("labels.{name}"), found.config.labels.get(name).map(String::as_str), asked);
        }
        fields.maybe("shm_size", host.shm_size, self.shm_size.as_ref().map(|size| size.bytes));
        fields.list("extra_hosts", &host.extra_hosts, &self.extra_hosts);
        let bare =
            |caps: &[String]| caps.iter().map(|cap| cap.trim_start_matches("CAP_").to_uppercase()).collect::<Vec<_>>();
        fields.list("cap_add", &bare(&host.cap_add), &bare(&self.cap_add));
        fields.is("read_only", host.readonly_rootfs, self.read_only);
        if self.init {
            fields.is("init", host.init.unwrap_or_default(), true);
        }
        if let Some(log) = &self.log {
            fields.is("log.driver", &host.log_config.driver, &log.driver);
            for (name, Text(asked)) in &log.options {
                let is = host.log_config.options.get(name).map(String::as_str);
                fields.text(&format!("log.options.{name}"), is, asked);
            }
        }
        if let Some(check) = &self.healthcheck {
            health(check, found, fields);
        }
    }

    fn process(&self, found: &Found, fields: &mut Fields) {
        let config = &found.config;
        let (entrypoint, arguments) = self.words();
        let line = |words: &[String]| shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        if self.command.is_some() || entrypoint.is_some() {
            fields.text("command", Some(&line(&config.cmd)), &line(&arguments));
        }
        if let Some(program) = entrypoint {
            fields.text("entrypoint", Some(&line(&config.entrypoint)), &line(&[program]));
        }
        fields.maybe("hostname", &config.hostname, self.hostname.as_ref());
        fields.maybe("user", &config.user, self.user.as_ref().map(|Text(user)| user));
        fields.maybe("workdir", &config.working_dir, self.workdir.as_ref());
        fields.is("tty", config.tty, self.tty);
        fields.is("stdin", config.open_stdin, self.stdin);
        let seconds = self.stop_timeout.as_ref().map(|span| span.nanos / 1_000_000_000);
        fields.maybe("stop_timeout", config.stop_timeout.unwrap_or(10), seconds);
    }

    /// Values are never shown, only that they differ.
    fn environment_differs(&self, found: &Found, fields: &mut Fields) {
        for (name, Text(value)) in &self.env {
            match found.config.env.get(name) {
                Some(print) if *print == fingerprint(value) => {}
                Some(_) => fields.is(&format!("env.{name}"), "set", "changed"),
                None => fields.is(&format!("env.{name}"), "none", "set"),
            }
        }
    }

    fn ports_differ(&self, found: &Found, fields: &mut Fields) {
        let pair = |port: &str, ip: &str, outer: &str| {
            let ip = if ip == "0.0.0.0" { "" } else { ip };
            format!("{ip}{}{outer}:{port}", if ip.is_empty() { "" } else { ":" })
        };
        let bindings = found.host_config.port_bindings.iter();
        let is: BTreeSet<String> = bindings
            .flat_map(|(port, all)| {
                all.iter().flatten().map(move |Binding { host_ip, host_port }| pair(port, host_ip, host_port))
            })
            .collect();
        let asked = self.ports();
        let asked: BTreeSet<String> =
            asked.iter().flat_map(|(port, all)| all.iter().map(move |(ip, outer)| pair(port, ip, outer))).collect();
        let text = |set: BTreeSet<String>| listed(&set.into_iter().collect::<Vec<_>>());
        fields.is("ports", text(is), text(asked));
    }
}

/// A running container without an endpoint has lost its network: Docker says nothing, and mends nothing.
fn attached(network: &Attach, found: &Found, fields: &mut Fields) {
    let field = format!("networks.{}", network.name);
    let Some(is) = found.networks().get(&network.name) else {
        return fields.is(&field, "not attached", "attached");
    };
    if found.running() && is.endpoint.is_empty() {
        return fields.is(&field, "its attachment was lost", "attached");
    }
    // Docker adds some of its own.
    if network.aliases.iter().any(|alias| !is.aliases.contains(alias)) {
        fields.is(&format!("{field}.aliases"), listed(&is.aliases), listed(&network.aliases));
    }
    fields.maybe(&format!("{field}.ip"), is.asked_address(), network.ip.as_ref());
}

fn health(check: &Healthcheck, found: &Found, fields: &mut Fields) {
    let is = found.config.healthcheck.clone().unwrap_or_default();
    let test = match is.test.first().map(String::as_str) {
        None | Some("NONE") => None,
        Some(_) => Some(is.test[1..].join(" ")),
    };
    fields.text("healthcheck.command", test.as_deref(), &check.command);
    let nanos = |span: &Option<Span>| span.as_ref().map(|span| span.nanos);
    fields.maybe("healthcheck.interval", is.interval, nanos(&check.interval));
    fields.maybe("healthcheck.timeout", is.timeout, nanos(&check.timeout));
    fields.maybe("healthcheck.start_period", is.start_period, nanos(&check.start_period));
    fields.maybe("healthcheck.retries", is.retries, check.retries);
}

/// Processors, from billionths.
fn thousandths(nano: i64) -> String {
    if nano == 0 { "no limit".into() } else { format!("{:.3}", nano as f64 / 1e9) }
}
