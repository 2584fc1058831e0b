//! `ready` and `docker_engine` on fresh machines: cold, warm, with apt in the way, and cut in the middle.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::support::lab::Lab;

/// One fresh host, and a playbook that makes it ready and puts an engine on it.
struct Fresh {
    lab: Lab,
    folder: TempDir,
}

impl Fresh {
    fn new(name: &str) -> Self {
        let fresh = Self { lab: Lab::own(name, 1), folder: tempfile::tempdir().expect("a folder") };
        fresh.ask("{}");
        fresh
    }

    /// Asks for these settings of the daemon from now on.
    fn ask(&self, daemon: &str) {
        self.ask_for(&format!("source: distribution, daemon: {daemon}"));
    }

    /// Asks for an engine with these parameters from now on.
    fn ask_for(&self, engine: &str) {
        let playbook = format!(
            "name: Engine\nplays:\n  - hosts: all\n    steps:\n      - name: Ready\n        ready: {{ disk: 100 }}\n      \
             - name: Docker\n        docker_engine: {{ {engine} }}\n"
        );
        fs::write(self.folder.path().join("engine.yml"), playbook).expect("a playbook");
    }

    fn skep(&self) -> Command {
        let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
        skep.current_dir(&self.folder).args(["run", "engine.yml", "--output", "plain", "-i"]).arg(self.lab.inventory());
        skep.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        skep
    }

    /// Runs it to its end: exit code, and what it said.
    fn run(&self) -> (Option<i32>, String) {
        said(&self.skep().output().expect("skep runs"))
    }

    /// Runs it and wants it to end well.
    fn converges(&self) -> String {
        let (code, said) = self.run();
        assert_eq!(code, Some(0), "{said}");
        said
    }

    fn on(&self, script: &str) -> String {
        self.lab.on("node1", script)
    }

    /// A run that is in the middle of apt-get: dpkg unpacks what was fetched.
    fn in_the_middle(&self) -> Child {
        let run = self.skep().spawn().expect("skep runs");
        // It stands still there, or it might be done before anything is cut.
        self.lab.until("node1", "pgrep -x dpkg && test -e /usr/bin/runc && pkill -STOP -x dpkg");
        run
    }

    fn answers(&self) {
        assert!(!self.on("docker version --format '{{.Server.Version}}'").is_empty());
        assert_eq!(self.on("dpkg --audit; systemctl is-enabled docker"), "enabled");
        assert_eq!(self.on("apt-mark showhold | grep -x docker.io"), "docker.io");
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_fresh_host_gets_an_engine_and_a_second_run_costs_one_login_and_one_command() {
    let fresh = Fresh::new("cold");
    fresh.on("echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/test.conf; systemctl reload ssh");
    assert!(fresh.converges().contains("changed  Docker"));
    fresh.answers();

    let daemon = "systemctl show --property MainPID --value docker";
    let (first, mark) =
        (fresh.on(daemon), fresh.on("journalctl --sync; journalctl --unit ssh --no-pager --output cat | wc -l"));
    assert!(fresh.converges().contains("Nothing to do"));
    let log = fresh
        .on(&format!("journalctl --sync; journalctl --unit ssh --no-pager --output cat | tail -n +$(({mark} + 1))"));
    let count = |word: &str| log.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("Accepted publickey"), count("Starting session: command")), (1, 1), "{log}");

    fresh.ask("{ max-concurrent-downloads: 5 }");
    assert!(fresh.converges().contains("systemctl restart docker"));
    let second = fresh.on(daemon);
    assert_ne!(first, second, "a setting was changed, and the daemon does not know it");
    assert_eq!(fresh.on("cat /etc/docker/daemon.json | tr -d ' \\n'"), "{\"max-concurrent-downloads\":5}");
    fresh.converges();
    assert_eq!(fresh.on(daemon), second, "nothing was changed, and the daemon was restarted");

    fresh.ask("{ live-restore: true }");
    let (code, said) = fresh.run();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a daemon with live-restore cannot be in a swarm"), "{said}");
    assert_eq!(fresh.on(daemon), second);
}

/// Locks as dpkg does (fcntl(2)), until it is ended: `struct flock` of 64-bit Linux.
const LOCK: &str = "systemd-run --quiet --unit holder perl -MFcntl -e '\
    open F, \">>\", \"/var/lib/dpkg/lock-frontend\" or die; $l = pack \"s s x4 q q l x4\", F_WRLCK, 0, 0, 0, 0; \
    fcntl F, F_SETLK, $l or die; sleep 600'";

#[test]
fn apts_words_are_shown_and_whoever_holds_its_lock_is_named_and_waited_for() {
    let fresh = Fresh::new("apt");
    fresh.on("mount -t tmpfs -o size=1m none /var/cache/apt/archives; mkdir /var/cache/apt/archives/partial");
    let (code, said) = fresh.run();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("You don't have enough free space in /var/cache/apt/archives/"), "{said}");
    fresh.on("umount /var/cache/apt/archives");

    fresh.on(LOCK);
    fresh.lab.until("node1", "grep -q POSIX /proc/locks");
    let log = fresh.folder.path().join("said");
    let read = || fs::read_to_string(&log).expect("what was said so far");
    let file = || fs::File::options().append(true).create(true).open(&log).expect("a file");
    let mut run = fresh.skep().stdout(file()).stderr(file()).spawn().expect("skep runs");
    let began = Instant::now();
    while !read().contains("which holds /var/lib/dpkg/lock-frontend") {
        assert!(began.elapsed() < Duration::from_secs(400) && run.try_wait().expect("asked").is_none(), "{}", read());
        thread::sleep(Duration::from_millis(200));
    }
    assert!(!fresh.lab.try_on("node1", "command -v dockerd").status.success(), "the lock was not waited for");
    fresh.on("systemctl stop holder");
    let code = run.wait().expect("skep ends").code();
    assert!(code == Some(0) && read().contains("(/usr/bin/perl -MFcntl"), "{code:?} {}", read());
    fresh.answers();
}

#[test]
fn a_run_whose_host_loses_power_in_the_middle_of_apt_is_completed_by_the_next() {
    let fresh = Fresh::new("apt-power");
    let mut run = fresh.in_the_middle();
    fresh.lab.unplug("node1");
    run.kill().and_then(|()| run.wait()).expect("skep is killed too");
    fresh.lab.start("node1");
    fresh.converges();
    fresh.answers();
}

#[test]
fn a_connection_cut_in_the_middle_of_apt_is_made_anew_and_nothing_is_raced() {
    let fresh = Fresh::new("cut");
    let run = fresh.in_the_middle();
    fresh.on("pkill -KILL -f '^sshd: ubuntu'; pkill -CONT -x dpkg");
    let (_, first) = said(&run.wait_with_output().expect("skep ends"));
    let (code, second) = fresh.run();
    assert_eq!(code, Some(0), "{first}\n{second}");
    fresh.answers();
}

/// A repository as Docker's is, with keys and signatures, whose `docker-ce` is the distribution's engine under that name: what
/// skep does with it is what it does with the real one, which not every machine that runs tests can reach.
const REPOSITORY: &str = r#"
set -e
apt-get -qq update
apt-get -qq install --no-install-recommends gnupg apt-utils busybox >/dev/null 2>&1
. /etc/os-release
arch=$(dpkg --print-architecture)
cd /srv && mkdir -p debian/pool "debian/dists/$VERSION_CODENAME/stable/binary-$arch" && cd debian
package() {
    sed -i -E "s/^Package:.*/Package: $2/; s/^Version:.*/Version: 5:$3-1~debian.12~$VERSION_CODENAME/; /^(Source|Breaks|Conflicts|Replaces):/d" "$1/DEBIAN/control"
    dpkg-deb --build -Znone "$1" "pool/$2_$3.deb" >/dev/null
}
dpkg-deb -R /var/cache/apt/archives/docker.io_*.deb engine
mkdir -p empty/DEBIAN
printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: Tests <tests@example.org>\nDescription: empty\n' >empty/DEBIAN/control
for version in 20.10.24 99.0.0; do
    package engine docker-ce $version
    for other in docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin; do package empty $other $version; done
done
apt-ftparchive packages pool >"dists/$VERSION_CODENAME/stable/binary-$arch/Packages"
cd "dists/$VERSION_CODENAME"
apt-ftparchive -o "APT::FTPArchive::Release::Codename=$VERSION_CODENAME" -o APT::FTPArchive::Release::Components=stable \
    -o "APT::FTPArchive::Release::Architectures=$arch" release . >/tmp/Release && mv /tmp/Release .
gpg --batch --quiet --passphrase '' --quick-gen-key tests@example.org rsa2048 sign never 2>/dev/null
gpg --batch --quiet --clearsign -o InRelease Release
gpg --armor --export >/srv/debian/gpg
systemd-run --quiet --unit repository busybox httpd -f -p 127.0.0.1:8090 -h /srv
gpg --with-colons --list-keys | sed -n 's/^fpr:*\([^:]*\):$/\1/p'
"#;

#[test]
fn dockers_own_packages_come_from_a_repository_whose_key_has_the_fingerprint() {
    let fresh = Fresh::new("docker-ce");
    let fingerprint = fresh.on(REPOSITORY);
    fresh.ask_for("repository: 'http://127.0.0.1:8090'");
    let (code, said) = fresh.run();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("has the fingerprint {fingerprint}, and not 9DC858229FC7DD38854AE2D88D81803C0EBFCD88")),
        "{said}"
    );
    let untouched = "! test -e /etc/apt/keyrings/docker.asc && ! test -e /etc/apt/sources.list.d/docker.sources && ! command -v dockerd";
    fresh.on(untouched);

    fresh.ask_for(&format!("repository: 'http://127.0.0.1:8090', fingerprint: {fingerprint}, version: '20.10'"));
    fresh.converges();
    assert!(!fresh.on("docker version --format '{{.Server.Version}}'").is_empty());
    let version = fresh.on("dpkg-query -W -f '${Version}' docker-ce");
    assert!(version.starts_with("5:20.10.24-1~debian"), "{version} is not the one that was asked for");
    assert!(fresh.on("apt-mark showhold").lines().any(|held| held == "docker-ce"));
    let entry = fresh.on("cat /etc/apt/sources.list.d/docker.sources");
    assert!(
        entry.contains("Signed-By: /etc/apt/keyrings/docker.asc") && entry.contains("Components: stable"),
        "{entry}"
    );
    assert!(fresh.converges().contains("Nothing to do"));
}
