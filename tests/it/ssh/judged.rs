//! OpenSSH itself is the judge: with the same configuration both get in, or neither does.

use std::fs;
use std::process::{Command as Program, Stdio};

use skep::remote::ssh::Config;

use super::*;
use crate::support::sshd::{keygen, must};

/// A server, and a folder with a configuration for it.
struct Case {
    sshd: Sshd,
}

impl Case {
    fn new() -> Self {
        let sshd = Sshd::with("AcceptEnv FARM_* CARGO_PKG_NAME\n");
        keygen(&sshd.path("stranger"), "ed25519", "");
        keygen(&sshd.path("other"), "ed25519", "");
        Self { sshd }
    }

    /// `@PORT`, `@DIR`, `@KEY` (the server's), `@OTHER` (somebody's), `@HASHED` (its name and port, as they are written hashed).
    fn filled(&self, text: &str) -> String {
        let key = |name: &str| fs::read_to_string(self.sshd.path(name)).unwrap().trim().to_owned();
        text.replace("@PORT", &self.sshd.port.to_string())
            .replace("@DIR", self.sshd.path("").display().to_string().trim_end_matches('/'))
            .replace("@KEY", &key("host_ed25519.pub"))
            .replace("@ECDSA", &key("host_ecdsa.pub"))
            .replace("@OTHER", &key("other.pub"))
    }

    /// Writes the files; a name that begins with `hashed` is hashed as `ssh-keygen -H` does it.
    fn write(&self, config: &str, known: &str) {
        fs::write(self.sshd.path("known"), self.filled(known)).unwrap();
        fs::write(self.sshd.path("ssh_config"), self.filled(config)).unwrap();
        fs::set_permissions(self.sshd.path("ssh_config"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn by_openssh(&self) -> Result<String, String> {
        let mut ssh = Program::new("ssh");
        ssh.args(["-F", &self.sshd.path("ssh_config").display().to_string(), "-o", "BatchMode=yes", "one"]);
        ssh.arg("echo \"$USER $FARM_X $CARGO_PKG_NAME\"").stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
        let output = ssh.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    async fn by_us(&self) -> Result<String, String> {
        let options = Options { config: Config::File(self.sshd.path("ssh_config")), ..self.sshd.options() };
        let host = Host::named("one");
        let session = Ssh::new(options).connect(&host, Duration::from_secs(1), quiet()).await;
        let session = session.map_err(|why| why.what)?;
        let output = run(&*session, "echo \"$USER $FARM_X $CARGO_PKG_NAME\"").await.map_err(|lost| lost.to_string())?;
        Ok(output.text())
    }

    async fn both_say(&self, config: &str, known: &str, good: bool) {
        self.write(config, known);
        let (theirs, ours) = (self.by_openssh(), self.by_us().await);
        let told = format!(
            "ssh: {theirs:?}\nskep: {ours:?}\nconfig:\n{}\nknown:\n{}",
            self.filled(config),
            self.filled(known)
        );
        assert_eq!((theirs.is_ok(), ours.is_ok()), (good, good), "{told}");
        if good {
            assert_eq!(theirs.ok(), ours.ok(), "{told}");
        }
    }
}

/// What all configurations begin with; the first value of a keyword holds, so a case's own comes before it.
const BASE: &str = "\nHost *\n HostName 127.0.0.1\n Port @PORT\n IdentityFile @DIR/identity\n UserKnownHostsFile @DIR/known\n\
     GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n";
const KNOWN: &str = "[127.0.0.1]:@PORT @KEY\n";

#[tokio::test]
async fn a_configuration_means_to_us_what_it_means_to_ssh() {
    let case = Case::new();
    let user = must("id", &["-un"]);
    for (good, config) in [
        (true, ""),
        (true, "Host o*\n HostName localhost\n HostKeyAlias [127.0.0.1]:@PORT"),
        (true, "Host one\n HostKeyAlias farm\n UserKnownHostsFile @DIR/alias"),
        (false, "Host one\n HostKeyAlias stall"),
        (false, "Host one\n Port 1"),
        (false, "Host one\n User nobody-there"),
        (true, &format!("Match host one\n User {user}")),
        (true, &format!("Match exec \"test -d @DIR\"\n User {user}\nMatch all\n User nobody-there")),
        (false, "Host one !two\n User nobody-there"),
        (true, "Host one !o*\n User nobody-there"),
        (false, "Include @DIR/included"),
        (false, "Host one\n IdentityFile @DIR/stranger\n IdentitiesOnly yes\nHost none"),
        (true, "Host one\n IdentityFile @DIR/stranger"),
        (true, "Host one\n IdentityFile @DIR/missing"),
        (false, "Host one\n AddressFamily inet6"),
        (true, "Host one\n AddressFamily inet"),
        (false, "Host one\n UserKnownHostsFile none"),
        (true, "Host one\n UserKnownHostsFile none\n GlobalKnownHostsFile @DIR/known"),
        (true, "Host one\n UserKnownHostsFile /dev/null @DIR/known"),
        (true, "Host one\n UserKnownHostsFile @DIR/new-%k\n StrictHostKeyChecking accept-new"),
        (true, "Host one\n UserKnownHostsFile /dev/null\n StrictHostKeyChecking no"),
        (false, "Host one\n PubkeyAuthentication no"),
        (false, "Host one\n PreferredAuthentications password"),
        (true, "Host one\n SetEnv FARM_X=honey OTHER=wax"),
        (true, "Host one\n SendEnv CARGO_PKG_* LANG"),
        (true, "Host one\n HostKeyAlias FARM\n UserKnownHostsFile @DIR/alias"),
        (true, "Host one\n ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3'"),
        (false, "Host one\n ProxyCommand echo gone >&2; exit 1"),
        (true, "Host one\n ProxyCommand none"),
        (true, "Host one\n ConnectTimeout 9\n ServerAliveInterval 3\n ServerAliveCountMax 2"),
    ] {
        let known = format!("{KNOWN}farm @KEY\n");
        fs::write(case.sshd.path("alias"), case.filled("farm @KEY\n")).unwrap();
        fs::write(case.sshd.path("included"), "Host one\n User nobody-there\n").unwrap();
        let base = if config.contains("IdentitiesOnly yes") {
            BASE.replace(" IdentityFile @DIR/identity\n", "")
        } else {
            BASE.into()
        };
        case.both_say(&format!("{config}{base}"), &known, good).await;
    }
}

#[tokio::test]
async fn host_keys_are_judged_as_ssh_judges_them() {
    let case = Case::new();
    let hashed = |text: &str| {
        fs::write(case.sshd.path("hashed"), case.filled(text)).unwrap();
        must("ssh-keygen", &["-q", "-H", "-f", &case.sshd.path("hashed").display().to_string()]);
        fs::read_to_string(case.sshd.path("hashed")).unwrap()
    };
    for (good, known) in [
        (true, KNOWN.to_owned()),
        (false, String::new()),
        (true, "127.0.0.1 @KEY\n".into()),
        (false, "[127.0.0.1]:1 @KEY\n".into()),
        (false, "[127.0.0.1]:@PORT @OTHER\n".into()),
        (true, "[127.0.0.1]:@PORT @OTHER\n[127.0.0.1]:@PORT @KEY\n".into()),
        (true, "[127.0.0.*]:@PORT @KEY\n".into()),
        (true, "[127.*]:* @KEY\n".into()),
        (false, "![127.0.0.1]:*,[127.*]:* @KEY\n".into()),
        (true, "![127.0.0.2]:*,[127.*]:* @KEY\n".into()),
        (true, "# old\n\nbroken line\n[127.0.0.1]:@PORT,other @KEY comment\n".into()),
        (true, "[127.0.0.1]:@PORT @ECDSA\n".into()),
        (false, "@revoked [127.0.0.1]:@PORT @KEY\n".into()),
        (false, "@revoked * @KEY\n[127.0.0.1]:@PORT @KEY\n".into()),
        (true, "@revoked * @OTHER\n[127.0.0.1]:@PORT @KEY\n".into()),
        (false, "@cert-authority [127.0.0.1]:@PORT @OTHER\n".into()),
        (true, "@cert-authority * @OTHER\n[127.0.0.1]:@PORT @KEY\n".into()),
        (true, hashed(KNOWN)),
        (false, hashed("[127.0.0.2]:@PORT @KEY\n")),
    ] {
        case.both_say(BASE, &known, good).await;
    }
}

/// What we record, ssh finds; hashed if the configuration says so, and once however often it is met.
#[tokio::test]
async fn new_keys_are_recorded_as_ssh_would_record_them() {
    for (hash, starts) in [("yes", "|1|"), ("no", "[127.0.0.1]:")] {
        let case = Case::new();
        let config = format!("Host one\n StrictHostKeyChecking accept-new\n HashKnownHosts {hash}{BASE}");
        case.write(&config, "");
        let all = futures::future::join_all((0..4).map(|_| case.by_us())).await;
        all.into_iter().for_each(|one| drop(one.unwrap()));
        let known = fs::read_to_string(case.sshd.path("known")).unwrap();
        assert!(known.lines().count() == 1 && known.starts_with(starts), "{hash}: {known}");
        fs::write(case.sshd.path("ssh_config"), case.filled(BASE)).unwrap();
        case.by_openssh().unwrap();
    }
}

#[tokio::test]
async fn a_fingerprint_in_the_inventory_pins_the_host() {
    let sshd = Sshd::start();
    let print = |file: &str| {
        let line = must("ssh-keygen", &["-lf", &sshd.path(file).display().to_string()]);
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let pinned = |pin: String| Host { host_keys: vec![pin.parse().unwrap()], ..sshd.host("one") };
    for pin in [
        print("host_ed25519.pub"),
        format!("ssh-ed25519 {}", print("host_ed25519.pub")),
        format!("ecdsa-sha2-nistp256 {}", print("host_ecdsa.pub")),
    ] {
        connect(sshd.options(), &pinned(pin.clone())).await.map(drop).unwrap_or_else(|why| panic!("{pin}: {why}"));
    }
    let why = connect(sshd.options(), &pinned(print("identity.pub"))).await.err().unwrap();
    assert!(why.what.contains("not the one that the inventory pins"), "{}", why.what);
}
