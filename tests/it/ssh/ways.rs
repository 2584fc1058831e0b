//! Hosts that are reached through others.

use skep::remote::ssh::Config;

use tokio::time::{sleep, timeout};

use super::*;
use crate::support::relay::{Fault, Passage, Relay, Way};

/// The options of somebody whose inventory has this bastion in it, and a host behind it.
fn behind(bastion: &Sshd, target: &Sshd) -> (Options, Host) {
    let options = Options { hosts: vec![Arc::new(bastion.host("bastion"))], ..target.options() };
    (options, Host { jump: Some("bastion".into()), ..target.host("one") })
}

#[tokio::test]
async fn a_host_behind_a_bastion_is_like_any_other() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let (options, host) = behind(&bastion, &target);
    let session = connect(options, &host).await.unwrap();
    assert_eq!(run(&*session, "echo $SSH_CONNECTION").await.unwrap().text().split(' ').next(), Some("127.0.0.1"));
    let command = Command::sh("wc -c");
    let input: skep::remote::Source = Box::new(std::io::Cursor::new(vec![b'x'; 8 << 20]));
    let output = session.exec(Exec { stdin: Some(input), ..Exec::new(&command) }).await.unwrap();
    assert_eq!(output.text(), (8 << 20).to_string());
    assert!(session.dial("127.0.0.1", target.port, SHORT).await.is_ok(), "and dials from there");
    assert_eq!((bastion.logins(), target.logins()), (1, 2), "streams have a connection of their own");
}

#[tokio::test]
async fn several_bastions_are_gone_through_in_turn() {
    let (first, second, target) = (Sshd::start(), Sshd::start(), Sshd::start());
    let hosts = vec![Arc::new(first.host("first")), Arc::new(second.host("second"))];
    let host = Host { jump: Some("first,second".into()), ..target.host("one") };
    let session = connect(Options { hosts, ..target.options() }, &host).await.unwrap();
    assert_eq!(run(&*session, "echo in").await.unwrap().text(), "in");
    assert_eq!([first.logins(), second.logins(), target.logins()], [1, 1, 1]);
    assert!(second.log().contains("Connection from 127.0.0.1"));
}

#[tokio::test]
async fn the_way_may_stand_in_sshs_own_configuration() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let block = |name: &str, sshd: &Sshd| {
        std::fs::write(sshd.path("known"), format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key())).unwrap();
        format!(
            "Host {name}\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n UserKnownHostsFile {}\n",
            sshd.port,
            sshd.identity().display(),
            sshd.path("known").display()
        )
    };
    let config = format!("{}{} ProxyJump gate\n", block("gate", &bastion), block("inner", &target));
    std::fs::write(target.path("ssh_config"), config).unwrap();
    let config = Config::File(target.path("ssh_config"));
    let session = connect(Options { config, ..target.options() }, &Host::named("inner")).await.unwrap();
    assert_eq!(run(&*session, "echo in").await.unwrap().text(), "in");
    assert_eq!((bastion.logins(), target.logins()), (1, 1));
}

/// With what sshd allows by default (`MaxStartups 10:30:100`, `MaxSessions 10`).
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_hosts_share_one_connection_to_their_bastion() {
    const HOSTS: usize = 200;
    let (bastion, target) = (Sshd::start(), Sshd::with("MaxStartups 1000\n"));
    let (options, host) = behind(&bastion, &target);
    let ssh = Arc::new(Ssh::new(options));
    let all = (0..HOSTS).map(|number| {
        let (ssh, host) = (ssh.clone(), Host { name: format!("node{number}"), ..host.clone() });
        tokio::spawn(async move {
            let session = ssh.connect(&host, Duration::from_secs(120), quiet()).await.map_err(|why| why.what)?;
            run(&*session, "echo in").await.map(|output| output.text()).map_err(|lost| lost.to_string())
        })
    });
    for result in futures::future::join_all(all).await {
        assert_eq!(result.unwrap(), Ok("in".into()));
    }
    assert_eq!((bastion.logins(), bastion.connections(), target.logins()), (1, 1, HOSTS));
    assert!(!target.log().contains("beginning MaxStartups"), "nobody was refused");
}

#[tokio::test]
async fn a_bastion_that_cannot_be_used_is_named() {
    let (mut bastion, target) = (Sshd::with("AllowTcpForwarding no\n"), Sshd::start());
    let (options, host) = behind(&bastion, &target);
    let why = connect(options.clone(), &host).await.err().unwrap();
    assert!(why.what.contains("bastion lets nobody through"), "{}", why.what);
    assert!(why.hint.unwrap().contains("AllowTcpForwarding"));
    bastion.stop();
    let ssh = Arc::new(Ssh::new(options));
    let began = std::time::Instant::now();
    let hosts = (0..20).map(|number| Host { name: format!("node{number}"), ..host.clone() });
    let tries = hosts.map(|host| {
        let ssh = ssh.clone();
        async move { ssh.connect(&host, Duration::from_secs(1), quiet()).await.err().unwrap().what }
    });
    for what in futures::future::join_all(tries).await {
        assert!(what.starts_with("its bastion bastion: ") && what.contains("connection refused"), "{what}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "they do not wait for one another: {:?}", began.elapsed());
}

/// A bastion behind a relay, and a host behind both.
struct Behind {
    _bastion: Sshd,
    relay: Relay,
    ssh: Ssh,
    host: Host,
}

impl Behind {
    fn new(target: &Sshd) -> Self {
        let bastion = Sshd::start();
        let relay = Relay::before(bastion.port);
        let hosts = vec![Arc::new(Host { port: Some(relay.port), ..bastion.host("bastion") })];
        let ssh = Ssh::new(Options { hosts, ..target.options() });
        Self { _bastion: bastion, relay, ssh, host: Host { jump: Some("bastion".into()), ..target.host("one") } }
    }

    /// Tries to get through within the least time, and says why that failed.
    async fn fails(&self) -> String {
        let tried = self.ssh.connect(&self.host, Duration::from_secs(1), quiet());
        let tried = timeout(Duration::from_secs(12), tried).await.expect("it takes longer than each part may");
        tried.err().expect("nothing comes through").what
    }

    fn blamed(&self, what: &str) -> String {
        format!("its bastion bastion: 127.0.0.1:{}: {what}", self.relay.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_that_falls_silent_in_its_login_is_named_at_the_deadline() {
    let target = Sshd::start();
    let (word, end) = ("it took the connection but said no word of SSH", "it did not finish the login");
    for (bytes, told) in [(0, word), (1000, end)] {
        let behind = Behind::new(&target);
        behind.relay.end_after(Way::Up, bytes, Fault::Silence);
        let why = behind.fails().await;
        assert!(why.starts_with(&behind.blamed(told)), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_that_falls_silent_before_it_opens_the_way_is_named_and_logged_in_to_again() {
    let target = Sshd::start();
    for passage in [Passage::Swallowed, Passage::Stalled] {
        let behind = Behind::new(&target);
        behind.ssh.connect(&behind.host, SHORT, quiet()).await.map(drop).unwrap();
        behind.relay.passage(Way::Up, passage);
        let why = behind.fails().await;
        assert!(why.starts_with(&behind.blamed("it let us in, and does not answer any more")), "{why}");
        behind.relay.cut(Fault::Reset);
        behind.relay.passage(Way::Up, Passage::Open);
        behind.ssh.connect(&behind.host, SHORT, quiet()).await.map(drop).unwrap();
        assert_eq!(behind.relay.connections(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_that_falls_silent_once_the_way_is_open_is_named() {
    let target = Sshd::start();
    let inner = Relay::before(target.port);
    // The way opens, and the host behind says nothing before the bastion has fallen silent.
    inner.passage(Way::Down, Passage::Stalled);
    let mut behind = Behind::new(&target);
    behind.host.port = Some(inner.port);
    let (why, ()) = tokio::join!(behind.fails(), async {
        while inner.connections() == 0 {
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(300)).await;
        behind.relay.passage(Way::Down, Passage::Swallowed);
        inner.passage(Way::Down, Passage::Open);
    });
    assert!(why.starts_with(&behind.blamed("it let us in, and does not answer any more")), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_behind_a_bastion_that_answers_is_to_blame_itself() {
    let target = Sshd::start();
    let inner = Relay::before(target.port);
    inner.passage(Way::Down, Passage::Stalled);
    let mut behind = Behind::new(&target);
    behind.host.port = Some(inner.port);
    let why = behind.fails().await;
    assert!(why.starts_with(&format!("127.0.0.1:{}: it took the connection", inner.port)), "{why}");
    assert_eq!(behind.relay.connections(), 1, "the bastion stays logged in to");
}

#[tokio::test]
async fn what_is_behind_a_bastion_and_refuses_is_told_apart_from_it() {
    let (bastion, mut target) = (Sshd::start(), Sshd::start());
    let (options, host) = behind(&bastion, &target);
    target.stop();
    let why = Ssh::new(options).connect(&host, Duration::from_secs(1), quiet()).await.err().unwrap();
    assert!(why.what.contains(&format!("127.0.0.1:{}: connection refused", target.port)), "{}", why.what);
    assert!(why.what.contains("from bastion"), "{}", why.what);
}

#[tokio::test]
async fn a_bastion_that_was_lost_is_logged_in_to_again() {
    let (mut bastion, target) = (Sshd::start(), Sshd::start());
    let (options, host) = behind(&bastion, &target);
    let ssh = Ssh::new(options);
    let session = ssh.connect(&host, SHORT, quiet()).await.unwrap();
    bastion.cut();
    let Err(lost) = run(&*session, "sleep 20").await else { panic!("it is gone") };
    assert!(lost.is_cut(), "{lost}");
    bastion.restart();
    let session = ssh.connect(&host, SHORT, quiet()).await.unwrap();
    assert_eq!(run(&*session, "echo back").await.unwrap().text(), "back");
    assert_eq!(bastion.logins(), 2);
}

#[tokio::test]
async fn the_words_of_a_program_that_fails_are_shown() {
    let target = Sshd::start();
    std::fs::write(target.path("ssh_config"), "Host *\n ProxyCommand echo the tunnel is closed >&2\n").unwrap();
    let config = Config::File(target.path("ssh_config"));
    let ssh = Ssh::new(Options { config, ..target.options() });
    let why = ssh.connect(&target.host("one"), Duration::from_secs(1), quiet()).await.err().unwrap();
    assert!(why.what.contains("the tunnel is closed"), "{}", why.what);
}

#[tokio::test]
async fn a_program_that_hangs_is_named_and_does_not_outlive_its_try() {
    let target = Sshd::start();
    let seconds = format!("9{}.25", target.port);
    std::fs::write(target.path("ssh_config"), format!("Host *\n ProxyCommand sleep {seconds}\n")).unwrap();
    let config = Config::File(target.path("ssh_config"));
    let ssh = Ssh::new(Options { config, ..target.options() });
    let why = ssh.connect(&target.host("one"), Duration::from_secs(1), quiet()).await.err().unwrap();
    assert!(why.what.contains("by its ProxyCommand: ") && why.what.contains(&seconds), "{}", why.what);
    let left = std::process::Command::new("pgrep").args(["-f", &format!("sleep {seconds}")]).output().unwrap();
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
}
