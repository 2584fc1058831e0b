//! `registry_login` and `image` with a registry: Debian's `docker-registry` on the first host, with a password and without TLS, as
//! many a small team has it. Then `registry`, for those who have none.

use super::parts::{BEGIN, Parts};
use super::power::{Moment, comes, strikes};
use crate::support::cluster::at;

/// What the registry lets in: the user `bee` with the password `honey`.
const BEE: &str = "bee:$2b$04$elxlBHNY7CaIy5BIkQ2qOuVFnxdhu3J8K3y5HzjLOb679djPcwKxy";

const CONFIG: &str = "
version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/docker-registry }, delete: { enabled: true } }
http: { addr: ':5000' }
auth: { htpasswd: { realm: lab, path: /etc/docker/registry/users } }
";

/// One host builds and pushes, the other pulls what that one has.
const STEPS: &str = "
      - id: app
        hosts: managers[0]
        image: { name: 'REGISTRY/app:1', push: true, build: { context: app, args: { BASE: '{{ base_image }}' } } }
      - { id: pulled, hosts: workers, image: { name: 'REGISTRY/app:1', pull: true, carry: 'managers[0]' } }
";

/// Every host logs in with what a file of this machine has.
const LOGIN: &str = "
      - { id: login, registry_login: { registry: 'REGISTRY', username: bee, password: '{{ password }}' } }
";

/// Where a registry speaks plain HTTP, the engines must be told to allow it.
const ALLOWED: &str = "source: distribution, daemon: { insecure-registries: ['REGISTRY'] }";

struct Registry {
    parts: Parts,
    address: String,
}

impl Registry {
    fn new() -> Registry {
        let parts = Parts::new("registry", 2);
        let address = format!("{}:5000", parts.cluster.lab.address("node1"));
        let install =
            "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install docker-registry >/dev/null";
        parts.on(
            "node1",
            &format!("mkdir -p /etc/docker/registry; echo '{BEE}' >/etc/docker/registry/users; {install}"),
        );
        parts.on(
            "node1",
            &format!("cat >/etc/docker/registry/config.yml <<'EOF'{CONFIG}EOF\nsystemctl restart docker-registry"),
        );
        Registry { parts, address }
    }

    fn ask(&self, begin: &str, steps: &str) {
        self.parts.write(&(begin.to_owned() + steps).replace("REGISTRY", &self.address));
    }

    /// The same where the engines may speak with it.
    fn ask_allowed(&self, steps: &str) {
        self.ask(&BEGIN.replace("source: distribution", ALLOWED), steps);
    }

    /// Logs in, with that password, and does the rest of what is asked.
    fn ask_as(&self, password: &str, steps: &str) {
        std::fs::write(self.parts.cluster.project.join("password"), password).expect("a file");
        let begin = BEGIN.replace("source: distribution", ALLOWED);
        let begin = begin.replace("name: Parts", "name: Parts\nvars: { password: { secret: true, file: password } }");
        self.ask(&begin, &(LOGIN.to_owned() + steps));
    }

    /// What the image says on a host.
    fn said(&self, host: &str) -> String {
        self.parts.on(host, &format!("docker run --rm {}/app:1 cat /said", self.address))
    }

    /// The layers and the configuration that a host has under the image's name.
    fn image(&self, host: &str) -> String {
        self.parts
            .on(host, &format!("docker image inspect -f '{{{{.Id}}}} {{{{.RepoDigests}}}}' {}/app:1", self.address))
    }
}

#[test]
fn what_one_host_pushes_the_others_pull_and_again_only_if_it_changed() {
    let registry = Registry::new();
    before_it_is_let_in(&registry);
    registry.parts.run(0);
    registry.parts.nothing_to_do();
    assert_eq!((registry.said("node1"), registry.said("node2")), ("one".into(), "one".into()));
    assert_eq!(registry.image("node1"), registry.image("node2"));
    what_changed_reaches_those_who_pull(&registry);
    what_is_pulled_by_its_name_alone(&registry);
    power_goes_while_it_is_logged_in_pushed_and_pulled(&registry);
    a_stack_brings_the_login_along(&registry);
    what_the_registry_lacks(&registry);
    those_who_have_none(&registry);
}

/// A push that failed is none: the image is there, and the next run pushes it all the same.
fn before_it_is_let_in(registry: &Registry) {
    registry.ask(BEGIN, STEPS);
    for _ in 0..2 {
        let failed = registry.parts.run(1);
        assert!(failed.troubles().contains("insecure-registries"), "{}", failed.troubles());
        assert!(failed.ended("failed").contains(&at("app", "node1")), "{}", failed.text());
    }
    registry.ask_allowed(STEPS);
    let failed = registry.parts.run(1);
    assert!(failed.troubles().contains("docker login"), "{}", failed.troubles());
    login_is_refused_then_made_once(registry);
}

/// A wrong password is told as such, and no registry likewise.
fn login_is_refused_then_made_once(registry: &Registry) {
    registry.ask_as("vinegar", "");
    let failed = registry.parts.run(1);
    assert!(failed.troubles().contains("does not take this name and password"), "{}", failed.troubles());
    assert!(!failed.text().contains("vinegar"), "{}", failed.text());
    registry.ask_as("honey", "");
    assert_eq!(registry.parts.run(0).places(), [at("login", "node1"), at("login", "node2")].into());
    registry.parts.nothing_to_do();
    registry.parts.on("node1", "systemctl stop docker-registry");
    registry.ask_as("mead", "");
    let failed = registry.parts.run(1);
    assert!(failed.troubles().contains("does not answer there"), "{}", failed.troubles());
    registry.parts.on("node1", "systemctl start docker-registry");
    registry.parts.cluster.lab.until("node1", "curl -so /dev/null http://127.0.0.1:5000/");
    registry.ask_as("honey", STEPS);
}

/// The tag is the same, the image is another: who has the old one is not settled.
fn what_changed_reaches_those_who_pull(registry: &Registry) {
    registry.parts.app("RUN echo two >/said");
    let told = registry.parts.run(0);
    assert_eq!(told.places(), [at("app", "node1"), at("pulled", "node2")].into());
    registry.parts.nothing_to_do();
    assert_eq!((registry.said("node1"), registry.said("node2")), ("two".into(), "two".into()));
}

/// With `pull` alone the name is enough: it is pulled where it is not there.
fn what_is_pulled_by_its_name_alone(registry: &Registry) {
    registry.ask_allowed("      - { id: pulled, image: { name: 'REGISTRY/app:1', pull: true } }\n");
    registry.parts.nothing_to_do();
    registry.parts.on("node2", &format!("docker image rm {}/app:1", registry.address));
    assert_eq!(registry.parts.run(0).places(), [at("pulled", "node2")].into());
    registry.parts.nothing_to_do();
    assert_eq!(registry.said("node2"), "two");
}

/// Once `FILES` have become that large there, nothing goes on any more.
const HALFWAY: &str = "rm -f /run/halfway; systemd-run --quiet --collect sh -c 'until [ \"$(du -sm FILES | cut -f1)\" -gt ENOUGH ]; do sleep 0.02; done; pkill -STOP -x dockerd; touch /run/halfway'";

/// Docker has logged in and nobody has noted it; a layer has been pushed in part, or pulled in part. Either way the next run completes
/// it, and until then a host has its old image.
fn power_goes_while_it_is_logged_in_pushed_and_pulled(registry: &Registry) {
    let parts = &registry.parts;
    let lab = &parts.cluster.lab;
    parts.on("node2", &format!("docker logout {}; rm /root/.docker/skep-logins", registry.address));
    registry.ask_as("honey", "");
    Moment::after("login", "node2").strikes(lab, || parts.begin());
    lab.until("node2", "docker info");
    let told = parts.cluster.mends("node2", &["run", "parts.yml"]);
    assert_eq!(told.places(), [at("login", "node2")].into(), "{}", told.text());

    parts.app("RUN head -c 80m /dev/urandom >/ballast; echo three >/said");
    registry.ask_as("honey", STEPS);
    let stored = parts.on("node1", "du -sm /var/lib/docker-registry | cut -f1").parse::<u32>().expect("MiB");
    for (host, files, enough) in
        [("node1", "/var/lib/docker-registry", stored + 20), ("node2", "/var/lib/docker/tmp", 20)]
    {
        let before = registry.image("node2");
        parts.on(host, &HALFWAY.replace("FILES", files).replace("ENOUGH", &enough.to_string()));
        let run = comes(lab, &[host], "test -e /run/halfway", || parts.begin());
        strikes(lab, host, run);
        lab.until("node1", "curl -so /dev/null http://127.0.0.1:5000/");
        assert_eq!(registry.image("node2"), before, "{host} was lost");
    }
    parts.cluster.mends("node2", &["run", "parts.yml"]);
    parts.nothing_to_do();
    assert_eq!((registry.said("node1"), registry.said("node2")), ("three".into(), "three".into()));
}

/// A node that has neither the image nor a login gets both from the manager, if the step says so.
fn a_stack_brings_the_login_along(registry: &Registry) {
    let (parts, host) = (&registry.parts, &registry.address);
    let file = format!(
        "services: {{ app: {{ image: '{host}/app:1', command: [sleep, infinity], init: true, deploy: {{ mode: global, endpoint_mode: dnsrr }} }} }}"
    );
    std::fs::write(parts.cluster.project.join("stack.yml"), file).expect("a Compose file");
    parts.on("node2", &format!("docker logout {host}; docker image rm {host}/app:1"));
    let stack = |timeout: &str, more: &str| {
        format!(
            "      - {{ id: stack, hosts: leader, timeout: {timeout}, stack: {{ name: web, file: stack.yml, {more} }} }}\n"
        )
    };
    registry.ask_allowed(&stack("2m", "registry_auth: false"));
    let failed = parts.run(1).troubles();
    assert!(failed.contains("web_app") && failed.contains("node2"), "{failed}");
    registry.ask_allowed(&stack("5m", "registry_auth: true"));
    parts.run(0);
    assert_eq!(parts.on("node2", "docker ps -q --filter label=com.docker.swarm.service.name=web_app | wc -l"), "1");
    // Which image the registry meant then does not count any more.
    registry.ask_allowed(&stack("5m", "registry_auth: true, resolve_image: never"));
    assert_eq!(parts.run(0).places(), [at("stack", "node1")].into());
    parts.nothing_to_do();
    let image = "docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' web_app";
    assert_eq!(parts.on("node1", image), format!("{host}/app:1"));
    registry.ask_as("honey", &stack("5m", "state: absent").replace("file: stack.yml, ", ""));
    let gone = parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    assert_eq!(gone.places(), [at("login", "node2"), at("stack", "node1")].into());
}

fn what_the_registry_lacks(registry: &Registry) {
    registry.ask_allowed("      - { id: none, hosts: node2, image: { name: 'REGISTRY/app:9' } }\n");
    let failed = registry.parts.run(1);
    assert!(failed.troubles().contains("no such image or tag there"), "{}", failed.troubles());
    registry.parts.on("node1", "systemctl stop docker-registry");
    let failed = registry.parts.run(1);
    assert!(failed.troubles().contains("connection refused"), "{}", failed.troubles());
}

/// The image of the registry is built from the system's package: the other is in a registry that nobody reaches from here.
const OWN: &str = "
      - id: image
        hosts: managers[0]
        image: { name: 'registry-lab:1', build: { context: own, args: { BASE: '{{ base_image }}' } } }
      - { id: own, registry: { address: 'OWN', image: 'registry-lab:1' } }
      - id: app
        hosts: managers[0]
        image: { name: 'OWN/app:1', push: true, build: { context: app, args: { BASE: '{{ base_image }}' } } }
      - { id: pulled, hosts: workers, image: { name: 'OWN/app:1', pull: true } }
";

const DOCKERFILE: &str = r#"ARG BASE
FROM ${BASE}
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends docker-registry >/dev/null
RUN mkdir -p /r && printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: /r } }\nhttp: { addr: ":1" }\n' >/r/config.yml
CMD ["docker-registry", "serve", "/r/config.yml"]
"#;

/// No engine is told of an insecure registry: they trust its certificate, each by a file.
fn those_who_have_none(registry: &Registry) {
    let parts = &registry.parts;
    let folder = parts.cluster.project.join("own");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("Dockerfile"), DOCKERFILE).expect("a Dockerfile");
    let own = registry.address.replace(":5000", ":5001");
    let trust = format!("/etc/docker/certs.d/{own}/ca.crt");
    registry.ask_allowed(&OWN.replace("OWN", &own));
    Moment::after("run", "node1").strikes(&parts.cluster.lab, || parts.begin());
    parts.run(0);
    parts.nothing_to_do();
    assert_eq!(parts.on("node2", &format!("docker run --rm {own}/app:1 cat /said")), "three");
    assert_eq!(
        parts.on("node1", "stat -c %a /var/lib/skep/registry/tls.pem; ss -ltnH 'sport = :5001' | wc -l"),
        "600\n1"
    );
    assert_eq!(parts.on("node2", &format!("grep -c BEGIN {trust}")), "1");

    // A new certificate reaches all, and the registry itself.
    parts.on("node1", "rm /var/lib/skep/registry/tls.pem");
    assert!(parts.run(0).places().is_superset(&[at("own", "node1"), at("own", "node2")].into()));
    parts.nothing_to_do();
    parts.on("node2", &format!("docker image rm {own}/app:1 >/dev/null; docker pull -q {own}/app:1"));

    let gone = "      - { id: own, registry: { address: 'OWN', state: absent } }\n";
    registry.ask_allowed(&gone.replace("OWN", &own));
    parts.cluster.skep(&["run", "parts.yml", "--yes"]).ends(0);
    parts.nothing_to_do();
    assert_eq!(
        parts.on(
            "node1",
            "docker ps -aq --filter name=registry; ls /etc/docker/certs.d /var/lib/skep; docker volume ls -q"
        ),
        "/etc/docker/certs.d:\n\n/var/lib/skep:\nregistry"
    );
}
