//! What to do about a command that failed, told by its own words. First match wins: what says more comes first.

use crate::remote::quote;

/// Words of a failure, and the remedy.
type Hint = (&'static [&'static str], &'static str);
type Hints = &'static [Hint];

/// What a kernel says of a program for another machine (execve(2), ENOEXEC), as engines put it.
const FOREIGN: &str = "exec format error";

/// Of who may not speak to the daemon: it has nothing to do with a registry.
const SOCKET: Hint = (
    &["permission denied while trying to connect to the"],
    "that user may not command Docker there: become root (`become: true`), or put it into the group docker: `docker_engine: { users: […] }`",
);

/// Of a registry, or whoever else is asked, that says nothing.
const SILENT: &str = "who is asked does not answer there: is it up, is the port right, and may this host reach it?";

/// What a registry does not have, or does not show to everybody.
const NO_IMAGE: &str = "no such image or tag there, or a login is needed: sudo docker login";

/// What a registry shows to those it knows.
const LOG_IN: &str = "log in there first, as who the step works as: sudo docker login REGISTRY";

/// What a swarm says to who comes while it changes the same thing itself, or elects a leader: a moment later it lets him.
const PASSING: [&str; 2] = ["update out of sequence", "does not have a leader"];

/// Docker's.
const DOCKER: Hints = &[
    (&["no space left on device"], "make room there: docker system df; docker image prune; df -h"),
    (
        &["toomanyrequests", "Too Many Requests"],
        "the registry counts pulls by address: log in (sudo docker login), wait, or pull on one host and `carry` from there",
    ),
    (&["pull access denied", "manifest unknown", "repository does not exist"], NO_IMAGE),
    SOCKET,
    (&["denied: permission denied", "denied: Permission denied"], LOG_IN),
    // The kernel's words (EACCES) of an entrypoint, of a build's own command, of a mount.
    (
        &["ermission denied"],
        "a file there is not for that user to run or to read: chmod +x what is to run, or see owner and mode of what is mounted (ls -ln)",
    ),
    (&["denied", "unauthorized", "no basic auth credentials", "authentication required"], LOG_IN),
    (
        &["server gave HTTP response to HTTPS client"],
        "that registry speaks plain HTTP: allow it with `docker_engine: { daemon: { insecure-registries: [\"HOST:PORT\"] } }`",
    ),
    (
        &["certificate signed by unknown authority"],
        "put the registry's authority into /etc/docker/certs.d/HOST:PORT/ca.crt there",
    ),
    (
        &["no such host", "Temporary failure in name resolution", "server misbehaving"],
        "the host cannot resolve that name: see its resolv.conf",
    ),
    (
        &["port is already allocated", "address already in use"],
        "see who holds the port there (docker ps; ss -ltnp), or publish another one in `ports`",
    ),
    (
        &[FOREIGN, "no matching manifest for"],
        "the image is made for another architecture than that machine's: `docker image inspect -f '{{.Architecture}}' IMAGE` tells which; build it there, or take one that is made for both",
    ),
    // What a swarm says of a task that no node may take (swarmkit's scheduler), with the number of nodes behind it.
    (
        &["scheduling constraints not satisfied"],
        "no node fulfils its placement: compare its constraints with `docker node ls` and the labels of the nodes (`node` sets them)",
    ),
    (
        &["host-mode port already in use"],
        "another service has published that port on every node: `docker service ls` tells which; publish another one",
    ),
    (
        &["insufficient resources"],
        "no node has as much free as it reserves: ask for less, or end what reserves it (`docker node inspect`, `docker service inspect`)",
    ),
    (&["unsupported platform"], "no node has the architecture that its image is made for: build it for theirs"),
    // Go's word for a connection that could not be made. Names that cannot be resolved are told above.
    (&["dial tcp"], SILENT),
    // containerd begins with these words whatever the reason was.
    (&["failed to resolve reference"], NO_IMAGE),
];

/// Docker's, about a login.
const LOGIN: Hints = &[
    (
        &["toomanyrequests", "Too Many Requests"],
        "the registry had too many tries from that address: wait a while before the next",
    ),
    SOCKET,
    (
        &["unauthorized", "incorrect username or password", "denied", "401"],
        "the registry does not take this name and password; many want a token in place of the password: try it by hand there, docker login REGISTRY",
    ),
    (
        &["connection refused", "no route to host", "i/o timeout", "Client.Timeout"],
        "the registry does not answer there: is it up, is the port right, and may this host reach it?",
    ),
    (
        &["error storing credentials", "error saving credentials", "docker-credential-"],
        "the credential store of that user does not work there: see `credsStore` and `credHelpers` in its ~/.docker/config.json",
    ),
];

/// apt's.
const APT: Hints = &[
    (
        &["enough free space", "No space left on device"],
        "make room there: sudo apt-get clean; df -h / /var/cache/apt/archives",
    ),
    (
        &["Could not resolve", "Temporary failure resolving"],
        "the host cannot resolve names: see its resolv.conf, or set `repository` to a mirror that it reaches",
    ),
    (
        &["unmet dependencies", "Unmet dependencies", "held broken packages"],
        "see there what is in the way: apt-mark showhold; sudo apt-get --fix-broken install",
    ),
];

/// apt's, about packages that a playbook names.
const PACKAGES: Hints = &[
    (
        &["but remove is disabled"],
        "something that is installed is in the way; if it may go, remove it in a step before: `package: { name: …, state: absent }`",
    ),
    (
        &["Held packages were changed"],
        "it is held: say `hold: true` if only this step is to change it, or `hold: false` if anything may",
    ),
    (
        &["Could not resolve", "Temporary failure resolving"],
        "the host cannot resolve names: see its resolv.conf, and its sources in /etc/apt",
    ),
];

/// A file system's, by errno(3). FOLDER is the one that is written to.
const FILES: Hints = &[
    (&["No space left on device"], "make room there: df -h FOLDER; df -i FOLDER"),
    (&["Disk quota exceeded"], "the quota of that user is used up there: quota; df -h FOLDER"),
    (
        &["Read-only file system"],
        "it is mounted for reading only: findmnt -T FOLDER tells how; an error of the disk does that too: dmesg",
    ),
    (
        &["Operation not permitted"],
        "only root can give a file to somebody else: `owner` needs `become: true`; if it is root already, is it made unchangeable there? lsattr -d FOLDER; lsattr FOLDER",
    ),
];

/// Whether what a command said passes by itself: it was as good as never given.
pub fn passes(said: &str) -> bool {
    PASSING.iter().any(|words| said.contains(words))
}

/// About what writing in a folder said.
pub fn files(said: &str, folder: &str) -> Option<String> {
    of(FILES, said).map(|hint| hint.replace("FOLDER", &quote(folder)))
}

/// About what `docker` said.
pub fn docker(said: &str) -> Option<String> {
    of(DOCKER, said)
}

/// About what a container said that could not be started: the rest of its words are its own business.
pub fn started(said: &str) -> Option<String> {
    said.contains(FOREIGN).then(|| docker(FOREIGN)).flatten()
}

/// About what `docker` said, and what it says of a swarm's managers.
pub fn swarm(said: &str) -> Option<String> {
    let quorum = said.contains("loss of quorum") || said.contains("last manager");
    let hint = "the swarm's other managers must be reachable first: docker node ls on one of them";
    quorum.then(|| hint.to_owned()).or_else(|| docker(said))
}

/// About what `docker login` said: for all but the login itself a registry has the same words as for a pull.
pub fn login(said: &str) -> Option<String> {
    of(LOGIN, said).or_else(|| docker(said))
}

/// About what `apt-get` said.
pub fn apt(said: &str) -> Option<String> {
    of(APT, said)
}

/// About what `apt-get` said of packages that a playbook names.
pub fn packages(said: &str) -> Option<String> {
    of(PACKAGES, said).or_else(|| apt(said))
}

fn of(hints: Hints, said: &str) -> Option<String> {
    let fits = |words: &[&str]| words.iter().any(|words| said.contains(words));
    hints.iter().find(|(words, _)| fits(words)).map(|(_, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_has_a_remedy() {
        for (said, hint) in [
            ("write /var/lib/docker/tmp/x: no space left on device", "make room"),
            ("Error response from daemon: toomanyrequests: You have reached your pull rate limit.", "counts pulls"),
            (
                "pull access denied for x, repository does not exist: denied: requested access is denied",
                "no such image",
            ),
            ("Error response from daemon: manifest for x:9 not found: manifest unknown", "no such image"),
            ("denied: requested access to the resource is denied", "log in there first"),
            ("denied: Permission denied for \"1\" from request \"/v2/x/manifests/1\".", "log in there first"),
            ("Head \"https://r:5000/v2/x\": http: server gave HTTP response to HTTPS client", "insecure-registries"),
            ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "certs.d"),
            ("dial tcp: lookup registry-1.docker.io: no such host", "resolve"),
            ("Bind for 0.0.0.0:8080 failed: port is already allocated", "who holds the port"),
            ("no matching manifest for linux/arm64/v8 in the manifest list entries", "another architecture"),
            ("no suitable node (scheduling constraints not satisfied on 2 nodes)", "its placement"),
            ("no suitable node (host-mode port already in use on 1 node)", "publish another one"),
            ("no suitable node (insufficient resources on 1 node)", "ask for less"),
            ("no suitable node (unsupported platform on 2 nodes)", "made for"),
        ] {
            let told = docker(said).unwrap_or_default();
            assert!(told.contains(hint), "{said}: {told}");
        }
        assert_eq!(docker("network sparknet not found"), None);
    }

    /// containerd puts the same words in front of all that goes wrong before a pull.
    #[test]
    fn what_containerd_could_not_resolve_is_told_by_its_reason() {
        let resolve = "Error response from daemon: failed to resolve reference \"r:5000/x:1\": ";
        let head = "failed to do request: Head \"https://r:5000/v2/x/manifests/1\": ";
        for (said, hint) in [
            ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
            ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "certs.d"),
            ("dial tcp: lookup r on 127.0.0.53:53: no such host", "cannot resolve that name"),
            ("dial tcp 10.0.0.5:5000: connect: connection refused", "is it up"),
        ] {
            let told = docker(&format!("{resolve}{head}{said}")).unwrap_or_default();
            assert!(told.contains(hint), "{said}: {told}");
        }
        let told = docker(&format!("{resolve}r:5000/x:1: not found")).unwrap_or_default();
        assert!(told.starts_with("no such image or tag there"), "{told}");
    }

    #[test]
    fn who_lacks_a_permission_on_the_host_is_not_told_to_log_in() {
        let socket =
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
        for (said, hint) in [
            (socket, "`become: true`"),
            ("exec: \"/x.sh\": permission denied: unknown", "chmod +x"),
            ("/bin/sh: 1: ./configure: Permission denied", "chmod +x"),
        ] {
            let told = docker(said).unwrap_or_default();
            assert!(told.contains(hint), "{said}: {told}");
        }
        assert!(login(socket).unwrap_or_default().contains("`become: true`"));
        let given = files("chown: changing ownership of '/etc/x': Operation not permitted", "/etc").unwrap_or_default();
        assert!(given.starts_with("only root can give") && given.contains("lsattr -d /etc;"), "{given}");
    }

    #[test]
    fn who_is_logging_in_is_not_told_to_log_in() {
        for (said, hint) in [
            ("Error response from daemon: toomanyrequests: too many failed login attempts", "wait a while"),
            (
                "Error response from daemon: Get \"https://r/v2/\": unauthorized: incorrect username or password",
                "a token",
            ),
            ("login attempt to https://r:5000/v2/ failed with status: 401 Unauthorized", "a token"),
            (
                "Error saving credentials: error storing credentials - err: exec: \"docker-credential-pass\"",
                "credsStore",
            ),
            ("Get \"https://r:5000/v2/\": http: server gave HTTP response to HTTPS client", "insecure-registries"),
            ("Get \"http://r:5000/v2/\": dial tcp 10.0.0.5:5000: connect: connection refused", "is it up"),
        ] {
            let told = login(said).unwrap_or_default();
            assert!(told.contains(hint), "{said}: {told}");
        }
    }

    #[test]
    fn what_apt_says_has_a_remedy() {
        for (said, hint) in [
            ("E: You don't have enough free space in /var/cache/apt/archives/.", "apt-get clean"),
            ("W: Failed to fetch http://x  Temporary failure resolving 'x'", "resolv.conf"),
            (
                " docker-ce : Depends: x but it is not going to be installed\nE: Unable to correct problems, you have held broken packages.",
                "showhold",
            ),
        ] {
            let told = apt(said).unwrap_or_default();
            assert!(told.contains(hint), "{said}: {told}");
        }
        let packages = |said| packages(said).unwrap_or_default();
        assert!(packages("E: Packages need to be removed but remove is disabled.").contains("state: absent"));
        assert!(packages("E: Held packages were changed and -y was used without").contains("`hold: true`"));
        assert!(!packages("Temporary failure resolving 'x'").contains("`repository`"));
        assert!(packages("You don't have enough free space in /var").contains("apt-get clean"));
    }
}
