//! Agents, certificates, passwords, and several of them together.

use std::fs;
use std::path::Path;
use std::time::Instant;

use tokio::time::timeout;

use skep::secret::Secret;

use super::doors::Says;
use super::*;
use crate::support::agent::{Agent, Mute};
use crate::support::somebody::Somebody;
use crate::support::sshd::{keygen, must};

/// Far more than a login takes that does not hang.
const LONG: Duration = Duration::from_secs(40);

const PASSWORD: &str = "honey 'n' $comb";

async fn refused(options: Options, host: &Host) -> Unreachable {
    connect(options, host).await.err().expect("it must be refused")
}

/// Lets nobody in but by certificate, and makes an authority that it trusts.
fn certified() -> Sshd {
    let folder = tempfile::tempdir().unwrap();
    keygen(&folder.path().join("ca"), "ed25519", "");
    let authority = fs::read_to_string(folder.path().join("ca.pub")).unwrap();
    let sshd = Sshd::with("AuthorizedKeysFile none\nTrustedUserCAKeys /dev/null\n");
    fs::write(sshd.path("ca.pub"), authority).unwrap();
    fs::copy(folder.path().join("ca"), sshd.path("ca")).unwrap();
    let config = fs::read_to_string(sshd.path("config")).unwrap();
    fs::write(sshd.path("config"), config.replace("/dev/null", &sshd.path("ca.pub").display().to_string())).unwrap();
    let mut sshd = sshd;
    sshd.restart();
    sshd
}

/// Signs `key` for the user who runs the tests.
fn certify(sshd: &Sshd, key: &Path) {
    let (authority, public) = (sshd.path("ca").display().to_string(), format!("{}.pub", key.display()));
    let user = must("id", &["-un"]);
    must("ssh-keygen", &["-q", "-s", &authority, "-I", "bee", "-n", &user, "-V", "+1h", &public]);
}

#[tokio::test]
async fn certificates_are_offered_from_files_and_agents_of_ed25519_and_rsa() {
    let sshd = certified();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let key = sshd.path(kind);
        keygen(&key, kind, "");
        let host = Host { identity_file: Some(key.clone()), ..sshd.host("one") };
        let why = refused(sshd.options(), &host).await;
        assert!(why.what.contains("offered"), "{}", why.what);
        certify(&sshd, &key);
        connect(sshd.options(), &host).await.unwrap_or_else(|why| panic!("{kind}, beside its file: {why}"));

        let agent = Agent::start(&sshd, &[&key]);
        let with = Options { agent: Some(agent.socket.clone()), ..sshd.options() };
        let held = Host { identity_file: None, ..sshd.host("one") };
        connect(with.clone(), &held).await.unwrap_or_else(|why| panic!("{kind}, held by the agent: {why}"));

        // The agent holds the key alone; the certificate lies in a file.
        let bare = Agent::start(&sshd, &[]);
        fs::copy(sshd.path(&format!("{kind}-cert.pub")), sshd.path("kept")).unwrap();
        fs::remove_file(sshd.path(&format!("{kind}-cert.pub"))).unwrap();
        bare.add(&key);
        fs::rename(sshd.path("kept"), sshd.path(&format!("{kind}-cert.pub"))).unwrap();
        must("ssh-keygen", &["-q", "-p", "-N", "secret", "-f", &key.display().to_string()]);
        let with = Options { agent: Some(bare.socket.clone()), ..sshd.options() };
        connect(with, &host).await.unwrap_or_else(|why| panic!("{kind}, in a file for the agent's key: {why}"));
    }
}

#[tokio::test]
async fn of_many_keys_in_an_agent_the_named_one_alone_is_offered() {
    let sshd = Sshd::start();
    let agent = Agent::start(&sshd, &[]);
    for number in 0..9 {
        let key = sshd.path(&format!("key{number}"));
        keygen(&key, "ed25519", "");
        agent.add(&key);
    }
    agent.add(&sshd.identity());
    let options = Options { agent: Some(agent.socket.clone()), ..sshd.options() };
    let public = Host { identity_file: Some(sshd.path("identity.pub")), ..sshd.host("one") };
    connect(options.clone(), &public).await.unwrap();
    assert!(!sshd.log().contains("Failed publickey"), "{}", sshd.log());
    let why = refused(options, &Host { identity_file: None, ..sshd.host("one") }).await;
    assert!(why.what.contains("not offered: 5") && why.hint.unwrap().contains("identity_file"), "{}", why.what);
    assert!(!sshd.log().contains("Too many authentication failures"), "{}", sshd.log());
}

#[tokio::test]
async fn an_agent_that_never_answers_costs_its_time_once_and_other_keys_are_offered() {
    let sshd = Sshd::start();
    let ssh = Ssh::new(Options { agent: Some(Mute::start(&sshd).socket), ..sshd.options() });
    let began = Instant::now();
    for name in ["one", "two", "three"] {
        let key = sshd.path(name);
        fs::copy(sshd.identity(), &key).unwrap();
        let host = Host { identity_file: Some(key), ..sshd.host(name) };
        timeout(LONG, ssh.connect(&host, SHORT, quiet())).await.expect("the login hangs").map(drop).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(9), "it was asked again: {:?}", began.elapsed());
}

#[tokio::test]
async fn an_agent_that_never_answers_is_named_where_there_is_nothing_else() {
    let sshd = Sshd::start();
    let agent = Mute::start(&sshd).socket;
    let ssh = Ssh::new(Options { agent: Some(agent.clone()), ..sshd.options() });
    keygen(&sshd.path("locked"), "ed25519", "open sesame");
    let told = format!("the agent at {} does not answer", agent.display());
    for file in [None, Some("identity.pub"), Some("locked")] {
        let host = Host { identity_file: file.map(|file| sshd.path(file)), ..sshd.host("one") };
        let refused = timeout(LONG, ssh.connect(&host, SHORT, quiet())).await.expect("the login hangs");
        let why = refused.err().expect("there is no key");
        assert!(why.what.contains(&told) && !why.what.contains("does not hold"), "{}", why.what);
    }
    assert_eq!(sshd.connections(), 0);
}

#[tokio::test]
async fn an_agent_that_never_signs_is_named_and_the_next_key_is_offered() {
    let sshd = Sshd::start();
    let holds = Agent::start(&sshd, &[&sshd.identity()]);
    let agent = Mute::that_lists(&sshd, &holds).socket;
    let second = sshd.path("second");
    keygen(&second, "ed25519", "");
    let keys = ["identity.pub", "second.pub"].map(|file| fs::read_to_string(sshd.path(file)).unwrap());
    fs::write(sshd.path("authorized_keys"), keys.concat()).unwrap();
    let alone = Options { agent: Some(agent.clone()), ..sshd.options() };
    let both = Options { identities: vec![second], ..alone.clone() };
    let host = Host { identity_file: None, ..sshd.host("one") };
    let logins = futures::future::join(connect(alone, &host), connect(both, &host));
    let (alone, both) = timeout(LONG, logins).await.expect("the login hangs");
    both.map(drop).unwrap();
    let why = alone.err().expect("nothing was signed");
    let told = format!("the agent at {} did not sign within 20s", agent.display());
    assert!(why.what.contains(&told) && !why.what.contains("denied"), "nobody said no: {}", why.what);
    assert!(why.hint.unwrap().contains("confirm"));
}

#[tokio::test]
async fn the_passphrase_of_a_key_is_asked_for_once_for_all_hosts() {
    let (one, two) = (Sshd::start(), Sshd::start());
    keygen(&one.path("locked"), "ed25519", "open sesame");
    for sshd in [&one, &two] {
        fs::copy(one.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    }
    let asker = Arc::new(Says { phrase: Some("open sesame"), ..Says::default() });
    let ssh = Ssh::new(Options { asker: Some(asker.clone()), ..one.options() });
    for (name, sshd) in [("one", &one), ("two", &two)] {
        let host = Host { identity_file: Some(one.path("locked")), ..sshd.host(name) };
        ssh.connect(&host, SHORT, quiet()).await.map(drop).unwrap();
    }
    assert_eq!(asker.phrases(), 1);
}

fn with_password(somebody: &Somebody, sshd: &Sshd, password: &str) -> Host {
    Host { password: Some(Secret::new(password)), identity_file: None, ..somebody.at(sshd) }
}

#[tokio::test]
async fn a_password_lets_in_whichever_way_it_is_asked_for() {
    for lines in [
        "UsePAM no\nPasswordAuthentication yes\n",
        "UsePAM yes\nPasswordAuthentication yes\n",
        "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\n",
    ] {
        let sshd = Sshd::with(lines);
        let somebody = Somebody::with_shell("/bin/sh");
        somebody.has(PASSWORD);
        let session = connect(sshd.options(), &with_password(&somebody, &sshd, PASSWORD)).await;
        let session = session.unwrap_or_else(|why| panic!("{lines}{why}"));
        assert_eq!(run(&*session, "id -un").await.unwrap().text(), somebody.name, "{lines}");
        // The one that was asked for is for whom the inventory has none.
        let asked = Options { password: Some(Secret::new(PASSWORD)), ..sshd.options() };
        connect(asked, &Host { identity_file: None, ..somebody.at(&sshd) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_never_shown() {
    let sshd = Sshd::with("UsePAM no\nPasswordAuthentication yes\n");
    let somebody = Somebody::with_shell("/bin/sh");
    somebody.has(PASSWORD);
    let host = with_password(&somebody, &sshd, "wrong-one");
    let why = Ssh::new(sshd.options()).connect(&host, Duration::from_secs(60), quiet()).await.err().unwrap();
    assert!(why.what.contains("offered: the password") && !why.what.contains("wrong-one"), "{}", why.what);
    assert_eq!(sshd.log().matches("Failed password").count(), 1, "{}", sshd.log());
    let none = Host { password: None, ..host };
    let why = refused(Options { asker: Some(Arc::new(Says::default())), ..sshd.options() }, &none).await;
    assert!(why.what.contains("would take") && why.what.contains("password"), "{}", why.what);
    let why = refused(sshd.options(), &none).await;
    assert!(why.hint.unwrap().contains("--ask-pass"));
    assert_eq!(sshd.connections(), 1 + 1, "without anything to log in with nobody is contacted");
}

#[tokio::test]
async fn what_a_host_wants_together_it_gets_together() {
    for (lines, shows) in [
        ("UsePAM no\nPasswordAuthentication yes\nAuthenticationMethods publickey,password\n", "password"),
        (
            "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive\n",
            "keyboard-interactive",
        ),
        ("UsePAM no\nAuthenticationMethods publickey,publickey\n", "publickey"),
    ] {
        let sshd = Sshd::with(lines);
        let somebody = Somebody::with_shell("/bin/sh");
        somebody.has(PASSWORD);
        keygen(&sshd.path("second"), "ed25519", "");
        let keys = ["identity.pub", "second.pub"].map(|file| fs::read_to_string(sshd.path(file)).unwrap());
        fs::write(sshd.path("authorized_keys"), keys.concat()).unwrap();
        let both = Agent::start(&sshd, &[&sshd.identity(), &sshd.path("second")]);
        let options = Options { agent: Some(both.socket.clone()), ..sshd.options() };
        let host = Host { identity_file: None, ..with_password(&somebody, &sshd, PASSWORD) };
        connect(options.clone(), &host).await.map(drop).unwrap_or_else(|why| panic!("{lines}{why}"));
        if shows != "publickey" {
            let why = refused(options, &Host { password: None, ..host }).await;
            assert!(why.what.contains(&format!("the host further wants: {shows}")), "{lines}{}", why.what);
            assert!(why.hint.unwrap().contains("--ask-pass"));
        }
    }
}

#[tokio::test]
async fn questions_of_a_host_are_asked_of_whoever_is_there() {
    let sshd = Sshd::with("UsePAM yes\nKbdInteractiveAuthentication yes\n");
    let somebody = Somebody::with_shell("/bin/sh");
    somebody.has(PASSWORD);
    let asker = Arc::new(Says { phrase: Some(PASSWORD), ..Says::default() });
    let options = Options { asker: Some(asker.clone()), ..sshd.options() };
    connect(options, &Host { identity_file: None, ..somebody.at(&sshd) }).await.map(drop).unwrap();
    assert_eq!(asker.asked(), [format!("({}@127.0.0.1:{}) Password: false", somebody.name, sshd.port)]);
}
