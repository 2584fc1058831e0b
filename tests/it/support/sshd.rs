//! A real OpenSSH server of our own on a loopback port, with its configuration, keys and log in a temporary folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skep::inventory::Host;
use skep::remote::ssh::{Config, Options};
use tempfile::TempDir;

/// A running server; ended and cleaned up when dropped.
pub struct Sshd {
    folder: TempDir,
    server: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

/// Runs a program that must succeed.
pub fn must(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a key pair at `path`.
pub fn keygen(path: &Path, kind: &str, passphrase: &str) {
    must("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", &path.display().to_string()]);
}

impl Sshd {
    /// A server that lets the user who runs the tests in, with the key [`Sshd::identity`].
    pub fn start() -> Self {
        Self::with("")
    }

    /// The same, with `lines` ahead of its configuration (sshd takes the first value of an option).
    pub fn with(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        keygen(&folder.path().join("identity"), "ed25519", "");
        fs::copy(folder.path().join("identity.pub"), folder.path().join("authorized_keys")).unwrap();
        for kind in ["ed25519", "ecdsa"] {
            keygen(&folder.path().join(format!("host_{kind}")), kind, "");
        }
        // Where sshd gives up its privileges; made by the package's service otherwise.
        let _ = fs::create_dir_all("/run/sshd");
        let (server, port) = launch(folder.path(), lines);
        Self { folder, server, port }
    }

    /// Ends it and starts it again on the same port.
    pub fn restart(&mut self) {
        self.stop();
        let times = self.count("Server listening on") + 1;
        self.server = spawn(self.folder.path());
        assert!(listens(self.folder.path(), &mut self.server, times), "{}", self.log());
    }

    /// Ends it; connections that are open stay.
    pub fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Ends it, and every connection to it.
    pub fn cut(&mut self) {
        let own = self.server.id().to_string();
        // OpenSSH's connections are children of the server, and later ones theirs.
        let _ = Command::new("sh")
            .args([
                "-c",
                &format!("kids() {{ for k in $(pgrep -P $1); do (kids $k); kill -KILL $k; done; }}; kids {own}"),
            ])
            .output();
        self.stop();
    }

    /// Ends its connections alone, as a network does: what they began notices by itself.
    pub fn hang_up(&self) {
        let own = self.server.id();
        let script = format!(
            "kids() {{ for k in $(pgrep -P $1); do (kids $k); [ \"$(cat /proc/$k/comm)\" != sshd ] || kill -KILL $k; done; }}; kids {own}"
        );
        must("sh", &["-c", &script]);
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The private key that it lets in.
    pub fn identity(&self) -> PathBuf {
        self.path("identity")
    }

    /// Its public host key, as a `host_key` of the inventory.
    pub fn host_key(&self) -> String {
        fs::read_to_string(self.path("host_ed25519.pub")).unwrap()
    }

    /// A host of the inventory: this server, its key pinned.
    pub fn host(&self, name: &str) -> Host {
        Host {
            address: "127.0.0.1".into(),
            port: Some(self.port),
            user: Some(must("id", &["-un"])),
            identity_file: Some(self.identity()),
            host_keys: vec![self.host_key().parse().unwrap()],
            ..Host::named(name)
        }
    }

    /// What the inventory has to say of it beside its address, where it is reached at `port`.
    pub fn keys(&self, port: u16) -> String {
        let key = self.host_key();
        let key = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        format!("port: {port}, host_key: \"{key}\", identity_file: {}", self.identity().display())
    }

    /// Options that leave the user's own files, configuration and agent alone.
    pub fn options(&self) -> Options {
        Options {
            known_hosts: vec![self.path("known_hosts")],
            config: Config::None,
            agent: None,
            identities: Vec::new(),
            ..Options::default()
        }
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("log")).unwrap_or_default()).into_owned()
    }

    /// How many logins it has seen succeed.
    pub fn logins(&self) -> usize {
        self.count("Accepted publickey for ")
    }

    /// How many connections it has seen.
    pub fn connections(&self) -> usize {
        self.count("Connection from ")
    }

    /// How many commands it was asked to run.
    pub fn execs(&self) -> usize {
        self.count("Starting session: command")
    }

    fn count(&self, what: &str) -> usize {
        self.log().lines().filter(|line| line.contains(what)).count()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(folder: &Path, lines: &str) -> (Child, u16) {
    // Somebody else may take a port that was found free: then the next one is tried.
    for _ in 0..20 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(folder.join("config"), configuration(folder, lines, port)).unwrap();
        let mut server = spawn(folder);
        if listens(folder, &mut server, 1) {
            return (server, port);
        }
        let _ = server.kill();
        let _ = server.wait();
    }
    panic!("sshd does not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}

fn spawn(folder: &Path) -> Child {
    let path = |name: &str| folder.join(name).display().to_string();
    Command::new("/usr/sbin/sshd")
        .args(["-D", "-f", &path("config"), "-E", &path("log")])
        .stdin(Stdio::null())
        .spawn()
        .expect("openssh-server is needed for this test")
}

/// Whether it came to listen. Read from its log, since a connection of ours would be counted.
fn listens(folder: &Path, server: &mut Child, times: usize) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until && server.try_wait().unwrap().is_none() {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        if log.matches("Server listening on").count() >= times {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Start-up files cost time and say things: the home is an empty folder.
fn configuration(folder: &Path, lines: &str, port: u16) -> String {
    let at = folder.display();
    format!(
        "{lines}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_ed25519\nHostKey {at}/host_ecdsa\n\
         AuthorizedKeysFile {at}/authorized_keys\nPidFile {at}/pid\nStrictModes no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         LogLevel VERBOSE\nUseDNS no\nSetEnv HOME={at}/home\nAllowTcpForwarding yes\n"
    )
}
