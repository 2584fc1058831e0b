//! Who is let in, and to whom we speak.

use std::fs;
use std::path::Path;

use skep::remote::ssh::{Asker, NewKey, check};
use skep::secret::Secret;

use super::*;
use crate::support::agent::Agent;
use crate::support::sshd::{keygen, must};

/// Answers everything in the same way, and counts.
#[derive(Default)]
pub struct Says {
    pub yes: bool,
    pub phrase: Option<&'static str>,
    pub tables: std::sync::Mutex<Vec<usize>>,
    pub phrases: std::sync::atomic::AtomicUsize,
    pub questions: std::sync::Mutex<Vec<String>>,
}

impl Says {
    /// How often a passphrase was asked for.
    pub fn phrases(&self) -> usize {
        self.phrases.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// What hosts asked, and whether the answer is seen.
    pub fn asked(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }
}

impl Asker for Says {
    fn trust(&self, keys: &[NewKey]) -> bool {
        self.tables.lock().unwrap().push(keys.len());
        self.yes
    }

    fn passphrase(&self, _: &Path) -> Option<Secret> {
        self.phrases.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.phrase.map(Secret::new)
    }

    fn answer(&self, question: &str, echo: bool) -> Option<Secret> {
        self.questions.lock().unwrap().push(format!("{question} {echo}"));
        self.phrase.map(Secret::new)
    }
}

fn unpinned(sshd: &Sshd) -> Host {
    Host { host_keys: Vec::new(), ..sshd.host("one") }
}

async fn refused(options: Options, host: &Host) -> Unreachable {
    connect(options, host).await.err().expect("it must be refused")
}

#[tokio::test]
async fn an_unknown_host_is_refused_and_accepted_on_request() {
    let sshd = Sshd::start();
    let host = unpinned(&sshd);
    let why = refused(sshd.options(), &host).await;
    assert!(why.what.contains("its host key is not known: ssh-ed25519 SHA256:"), "{}", why.what);
    assert!(why.hint.unwrap().contains("--accept-new-host-keys"));
    connect(Options { accept_new_host_keys: true, ..sshd.options() }, &host).await.unwrap();
    connect(sshd.options(), &host).await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(sshd.path("known_hosts")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let found = must(
        "ssh-keygen",
        &["-F", &format!("[127.0.0.1]:{}", sshd.port), "-f", &sshd.path("known_hosts").display().to_string()],
    );
    assert!(found.contains("line 1"), "OpenSSH finds what was recorded: {found}");
}

#[tokio::test]
async fn new_hosts_are_asked_about_once_in_one_table() {
    let (one, two) = (Sshd::start(), Sshd::start());
    let asker = Arc::new(Says { yes: true, ..Says::default() });
    let ssh = Ssh::new(Options { asker: Some(asker.clone()), ..one.options() });
    let hosts = [unpinned(&one), Host { name: "two".into(), identity_file: Some(two.identity()), ..unpinned(&two) }];
    for result in futures::future::join_all(hosts.iter().map(|host| ssh.connect(host, SHORT, quiet()))).await {
        result.map(drop).unwrap();
    }
    assert_eq!(*asker.tables.lock().unwrap(), [2]);
    assert_eq!((one.connections(), two.connections()), (1, 1), "connections are held while the user reads");
    let asker = Arc::new(Says::default());
    let options = Options { asker: Some(asker), known_hosts: vec![one.path("none")], ..one.options() };
    let why = refused(options, &hosts[0]).await;
    assert!(why.what.contains("not accepted"), "{}", why.what);
}

fn know(sshd: &Sshd, lines: &str) {
    fs::write(sshd.path("known_hosts"), lines).unwrap();
}

fn other_key(sshd: &Sshd, kind: &str) -> String {
    keygen(&sshd.path("other"), kind, "");
    fs::read_to_string(sshd.path("other.pub")).unwrap()
}

#[tokio::test]
async fn a_changed_key_is_refused_before_anything_is_sent() {
    let sshd = Sshd::start();
    let name = format!("[127.0.0.1]:{}", sshd.port);
    know(&sshd, &format!("# old\n{name} {}", other_key(&sshd, "ed25519")));
    for accept_new_host_keys in [false, true] {
        let why = refused(Options { accept_new_host_keys, ..sshd.options() }, &unpinned(&sshd)).await;
        assert!(why.what.contains("has changed") && why.what.matches("SHA256:").count() == 2, "{}", why.what);
        assert!(why.what.contains("known_hosts:2"), "{}", why.what);
        assert!(why.hint.unwrap().contains(&format!("-R '{name}'")));
    }
    assert!(!sshd.log().contains("publickey"), "{}", sshd.log());
    assert_eq!(sshd.connections(), 2, "it is not tried again");
}

#[tokio::test]
async fn a_host_known_by_another_type_shows_that_one_or_is_refused() {
    let sshd = Sshd::start();
    let name = format!("[127.0.0.1]:{}", sshd.port);
    know(&sshd, &format!("{name} {}", fs::read_to_string(sshd.path("host_ecdsa.pub")).unwrap()));
    connect(sshd.options(), &unpinned(&sshd)).await.unwrap();
    know(&sshd, &format!("{name} {}", other_key(&sshd, "rsa")));
    let why = refused(Options { accept_new_host_keys: true, ..sshd.options() }, &unpinned(&sshd)).await;
    assert!(why.what.contains("now offers only"), "{}", why.what);
}

#[tokio::test]
async fn a_revoked_key_is_refused_even_if_pinned() {
    let sshd = Sshd::start();
    know(&sshd, &format!("@revoked * {}", sshd.host_key()));
    let why = refused(sshd.options(), &sshd.host("one")).await;
    assert!(why.what.contains("revoked") && why.what.contains("known_hosts:1"), "{}", why.what);
}

#[tokio::test]
async fn a_pinned_key_wins_over_files() {
    let sshd = Sshd::start();
    know(&sshd, &format!("[127.0.0.1]:{} {}", sshd.port, other_key(&sshd, "ed25519")));
    connect(sshd.options(), &sshd.host("one")).await.unwrap();
    let host = Host {
        host_keys: vec![fs::read_to_string(sshd.path("other.pub")).unwrap().parse().unwrap()],
        ..sshd.host("one")
    };
    let why = refused(sshd.options(), &host).await;
    assert!(why.what.contains("the inventory"), "{}", why.what);
}

#[tokio::test]
async fn a_certified_host_is_trusted_for_its_name_only() {
    let sshd = Sshd::start();
    keygen(&sshd.path("ca"), "ed25519", "");
    let path = |name: &str| sshd.path(name).display().to_string();
    let certify = |name: &str| {
        must(
            "ssh-keygen",
            &["-q", "-s", &path("ca"), "-I", "id", "-h", "-n", name, "-V", "+1h", &path("host_ed25519.pub")],
        )
    };
    certify("127.0.0.1");
    fs::write(
        sshd.path("config"),
        format!(
            "HostCertificate {}\n{}",
            path("host_ed25519-cert.pub"),
            fs::read_to_string(sshd.path("config")).unwrap()
        ),
    )
    .unwrap();
    let mut sshd = sshd;
    sshd.restart();
    know(&sshd, &format!("@cert-authority *.0.0.1,[127.*]:* {}", fs::read_to_string(sshd.path("ca.pub")).unwrap()));
    connect(sshd.options(), &unpinned(&sshd)).await.unwrap();
    let path = |name: &str| sshd.path(name).display().to_string();
    must(
        "ssh-keygen",
        &["-q", "-s", &path("ca"), "-I", "id", "-h", "-n", "elsewhere", "-V", "+1h", &path("host_ed25519.pub")],
    );
    sshd.restart();
    let why = refused(sshd.options(), &unpinned(&sshd)).await;
    assert!(why.what.contains("elsewhere"), "{}", why.what);
}

#[tokio::test]
async fn wrong_users_and_keys_are_denied_with_what_was_offered() {
    let sshd = Sshd::start();
    let why = refused(sshd.options(), &Host { user: Some("nobody-there".into()), ..sshd.host("one") }).await;
    assert!(why.what.contains("permission denied for the user \"nobody-there\""), "{}", why.what);
    keygen(&sshd.path("stranger"), "ed25519", "");
    let why = refused(sshd.options(), &Host { identity_file: Some(sshd.path("stranger")), ..sshd.host("one") }).await;
    assert!(why.what.contains("stranger (ssh-ed25519 SHA256:") && why.what.contains("publickey"), "{}", why.what);
}

#[tokio::test]
async fn a_machine_that_does_not_know_its_user_yet_is_asked_again_but_not_often() {
    let sshd = Sshd::start();
    let known = fs::read(sshd.path("authorized_keys")).unwrap();
    fs::write(sshd.path("authorized_keys"), "").unwrap();
    let notes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let to = notes.clone();
    let note: Live = Arc::new(move |line: &str| to.lock().unwrap().push(line.to_owned()));
    let (ssh, host) = (Ssh::new(sshd.options()), sshd.host("one"));
    let (connected, ()) = tokio::join!(ssh.connect(&host, Duration::from_secs(20), note), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        fs::write(sshd.path("authorized_keys"), known).unwrap();
    });
    connected.map(drop).unwrap();
    assert_eq!(sshd.connections(), 2, "{}", sshd.log());
    let notes = notes.lock().unwrap();
    assert!(
        notes.len() == 1 && notes[0].contains("permission denied") && notes[0].ends_with("trying again"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn key_files_are_checked_before_anybody_is_contacted() {
    let sshd = Sshd::start();
    fs::write(sshd.path("garbage"), "no key").unwrap();
    for name in ["missing", "garbage"] {
        let host = Host { identity_file: Some(sshd.path(name)), ..sshd.host("one") };
        let (why, again) = (check(&host).unwrap_err(), refused(sshd.options(), &host).await);
        assert!(why == again && why.what.contains(name), "{}", why.what);
    }
    assert!(check(&sshd.host("one")).is_ok());
    assert_eq!(sshd.connections(), 0);
}

#[tokio::test]
async fn an_encrypted_key_is_unlocked_by_its_passphrase() {
    let sshd = Sshd::start();
    keygen(&sshd.path("locked"), "ed25519", "open sesame");
    fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    let host = Host { identity_file: Some(sshd.path("locked")), ..sshd.host("one") };
    let why = refused(sshd.options(), &host).await;
    assert!(why.hint.unwrap().contains("ssh-add"));
    let with =
        |phrase| Options { asker: Some(Arc::new(Says { phrase: Some(phrase), ..Says::default() })), ..sshd.options() };
    assert!(refused(with("wrong"), &host).await.what.contains("wrong passphrase"));
    connect(with("open sesame"), &host).await.unwrap();
}

#[tokio::test]
async fn the_agent_signs_for_keys_that_it_holds() {
    let sshd = Sshd::start();
    keygen(&sshd.path("locked"), "rsa", "");
    fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    let agent = Agent::start(&sshd, &[&sshd.path("locked")]);
    must("ssh-keygen", &["-q", "-p", "-N", "secret", "-f", &sshd.path("locked").display().to_string()]);
    let options = Options { agent: Some(agent.socket.clone()), ..sshd.options() };
    let named = connect(options.clone(), &Host { identity_file: Some(sshd.path("locked")), ..sshd.host("one") }).await;
    let unnamed = connect(options, &Host { identity_file: None, ..sshd.host("one") }).await;
    named.map(drop).unwrap();
    unnamed.map(drop).unwrap();
}

#[tokio::test]
async fn a_closed_port_is_tried_until_the_wait_is_over() {
    let mut sshd = Sshd::start();
    sshd.stop();
    let notes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let to = notes.clone();
    let note: Live = Arc::new(move |line: &str| to.lock().unwrap().push(line.to_owned()));
    let host = sshd.host("one");
    let why = Ssh::new(sshd.options()).connect(&host, Duration::from_secs(1), note.clone()).await.err().unwrap();
    assert!(why.what.ends_with("connection refused"), "{}", why.what);
    assert_eq!(*notes.lock().unwrap(), [format!("127.0.0.1:{}: connection refused, trying again", sshd.port)]);
    let ssh = Ssh::new(sshd.options());
    let (connected, ()) = tokio::join!(ssh.connect(&host, Duration::from_secs(20), note), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sshd.restart();
    });
    connected.map(drop).unwrap();
}

#[tokio::test]
async fn hosts_that_swallow_packets_fail_at_the_deadline() {
    let sshd = Sshd::start();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host { port: Some(silent.local_addr().unwrap().port()), ..sshd.host("one") };
    let began = std::time::Instant::now();
    let why = Ssh::new(sshd.options()).connect(&host, Duration::from_secs(2), quiet()).await.err().unwrap();
    assert!(why.what.contains("no word of SSH"), "{}", why.what);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_full_backlog_is_told_as_swallowed_packets() {
    let sshd = Sshd::start();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _fill: Vec<_> = (0..4).map(|_| std::thread::spawn(move || std::net::TcpStream::connect(address))).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let host = Host { port: Some(address.port()), ..sshd.host("one") };
    let why = Ssh::new(sshd.options()).connect(&host, Duration::from_secs(2), quiet()).await.err().unwrap();
    assert!(why.what.contains("swallowed"), "{}", why.what);
}

#[tokio::test]
async fn the_words_of_a_refusal_are_shown() {
    use tokio::io::AsyncWriteExt;
    let sshd = Sshd::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host { port: Some(listener.local_addr().unwrap().port()), ..sshd.host("one") };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"Not allowed at this time\r\n").await;
        }
    });
    let why = Ssh::new(sshd.options()).connect(&host, Duration::from_secs(1), quiet()).await.err().unwrap();
    assert!(why.what.contains("Not allowed at this time"), "{}", why.what);
}

#[tokio::test]
async fn sshds_own_refusals_are_shown_and_outlived() {
    let sshd = Sshd::with("MaxStartups 1:100:1\n");
    let held = std::net::TcpStream::connect(("127.0.0.1", sshd.port)).unwrap();
    let (ssh, host) = (Ssh::new(sshd.options()), sshd.host("one"));
    let why = ssh.connect(&host, Duration::from_secs(1), quiet()).await.err().unwrap();
    assert!(why.what.contains("it refuses: \"Exceeded MaxStartups\""), "{}", why.what);
    drop(held);
    ssh.connect(&host, SHORT, quiet()).await.map(drop).unwrap();
}

#[tokio::test]
async fn who_offers_too_many_keys_is_told_so_in_the_hosts_words() {
    let sshd = Sshd::with("MaxAuthTries 2\nBanner /etc/hostname\n");
    let keys = ["a", "b", "c"].map(|name| sshd.path(name));
    keys.iter().for_each(|key| keygen(key, "ed25519", ""));
    let agent = Agent::start(&sshd, &keys.each_ref().map(std::path::PathBuf::as_path));
    let options = Options { agent: Some(agent.socket.clone()), ..sshd.options() };
    let why = refused(options, &Host { identity_file: None, ..sshd.host("one") }).await;
    assert!(why.what.contains("Too many authentication failures"), "{}", why.what);
    let banner = fs::read_to_string("/etc/hostname").unwrap();
    assert!(why.what.contains(&format!("\n  | {}", banner.trim())), "what it says to everybody: {}", why.what);
    assert!(why.hint.unwrap().contains("identity_file"));
}

#[tokio::test]
async fn addresses_of_both_families_and_names_are_reached() {
    let sshd = Sshd::with("ListenAddress ::1\n");
    for address in ["::1", "127.0.0.1", "localhost"] {
        let session = connect(sshd.options(), &Host { address: address.into(), ..sshd.host("one") }).await;
        let session = session.unwrap_or_else(|why| panic!("{address}: {why}"));
        assert_eq!(run(&*session, "echo in").await.unwrap().text(), "in");
    }
}

#[tokio::test]
async fn what_is_agreed_on_is_fast_and_strict() {
    let sshd = Sshd::with("LogLevel DEBUG3\n");
    connect(sshd.options(), &sshd.host("one")).await.unwrap();
    let log = sshd.log();
    let aes = fs::read_to_string("/proc/cpuinfo").unwrap().split_whitespace().any(|flag| flag == "aes");
    let cipher = if aes { "cipher: aes256-gcm@openssh.com" } else { "cipher: chacha20-poly1305@openssh.com" };
    assert!(log.contains(cipher), "{log}");
    assert!(log.contains("will use strict KEX ordering"), "Terrapin: {log}");
}

/// As many as wait to be let in anywhere, and more: they must not stand in the way of others for good.
#[tokio::test]
async fn hosts_that_fall_silent_in_the_handshake_keep_nobody_out() {
    use tokio::io::AsyncWriteExt;
    let sshd = Sshd::start();
    let ssh = Arc::new(Ssh::new(sshd.options()));
    let mut tries = Vec::new();
    for number in 0..40 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = Some(listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(b"SSH-2.0-tarpit\r\n").await;
                held.push(stream);
            }
        });
        let (ssh, host) = (ssh.clone(), Host { name: format!("tar{number}"), port, ..sshd.host("tar") });
        tries.push(async move { ssh.connect(&host, Duration::from_secs(1), quiet()).await.err().unwrap().what });
    }
    for what in futures::future::join_all(tries).await {
        assert!(what.contains("no word of SSH"), "{what}");
    }
    let good = tokio::time::timeout(SHORT, ssh.connect(&sshd.host("one"), SHORT, quiet())).await;
    good.expect("somebody still holds the places").map(drop).unwrap();
}
