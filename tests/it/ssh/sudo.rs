//! Sudo that asks for a password, with real users of this machine.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use skep::secret::Secret;

use super::*;
use crate::support::somebody::Somebody;
use crate::support::sshd::must;

const PASSWORD: &str = "correct horse $(battery) 'staple\"";

/// A session of somebody on a host that knows this password of his.
async fn knows(sshd: &Sshd, somebody: &Somebody, password: &str) -> Arc<dyn Session> {
    let host = Host { become_password: Some(Secret::new(password)), ..somebody.at(sshd) };
    connect(sshd.options(), &host).await.unwrap()
}

/// Where sudo logs what this user does.
fn logged(sshd: &Sshd, somebody: &Somebody) -> impl Fn() -> String {
    let file = sshd.path("sudo.log");
    somebody.with(&format!("!syslog, loglinelen=0, logfile={}", file.display()));
    move || fs::read_to_string(&file).unwrap_or_default()
}

#[tokio::test]
async fn sudo_is_answered_and_its_no_is_heard_once_in_a_session() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.with("timestamp_timeout=0");
    let log = logged(&sshd, &somebody);
    let session = knows(&sshd, &somebody, PASSWORD).await;
    for _ in 0..3 {
        let command = Command::sh("id -un; echo oops >&2; cat; exit 7").stdin("its own\n").by(User::root());
        let output = session.exec(Exec::new(&command)).await.unwrap();
        assert_eq!((output.code, output.text().as_str(), output.errors().as_str()), (7, "root\nits own", "oops"));
    }
    assert_eq!(sshd.execs(), 4, "one that must not ask, and three that are answered");
    assert_eq!(log().matches("a password is required").count(), 1, "{}", log());
    assert_eq!(run(&*session, "id -un").await.unwrap().text(), somebody.name, "the others go on as before");
}

#[tokio::test]
async fn whatever_sudo_says_and_does_it_is_answered() {
    let sshd = Sshd::start();
    for shell in ["/bin/bash", "/usr/bin/fish"] {
        let somebody = Somebody::with_shell(shell);
        somebody.has(PASSWORD);
        somebody.may("ALL=(ALL) ALL");
        for more in
            ["lecture=always", "use_pty", "timestamp_timeout=0", "passprompt_override, passprompt=\"Passwort:\""]
        {
            somebody.with(more);
            let session = knows(&sshd, &somebody, PASSWORD).await;
            let all = (0..9).map(|n| {
                let session = session.clone();
                async move { by(&*session, User::root(), &format!("id -un; echo {n} >&2")).await.unwrap() }
            });
            for (n, output) in futures::future::join_all(all).await.into_iter().enumerate() {
                assert_eq!((output.text(), output.errors()), ("root".into(), n.to_string()), "{shell}, {more}");
            }
        }
    }
}

#[tokio::test]
async fn a_sudo_that_speaks_another_language_is_asked_to_speak_english() {
    let folder = tempfile::tempdir().unwrap();
    let sudo = folder.path().join("sudo");
    let german = "#!/bin/sh\n[ \"$LC_ALL\" = C ] && exec /usr/bin/sudo \"$@\"\necho 'sudo: Ein Passwort ist notwendig' >&2; exit 1\n";
    fs::write(&sudo, german).unwrap();
    must("chmod", &["-R", "755", &folder.path().display().to_string()]);
    let sshd = Sshd::with(&format!("SetEnv PATH={}:/usr/bin:/bin LC_ALL=de_DE.UTF-8", folder.path().display()));
    let somebody = Somebody::with_password(PASSWORD);
    let session = knows(&sshd, &somebody, PASSWORD).await;
    assert_eq!(by(&*session, User::root(), "id -un").await.unwrap().text(), "root");
}

#[tokio::test]
async fn others_than_root_are_become_with_a_password() {
    let sshd = Sshd::start();
    let (somebody, other) = (Somebody::with_password(PASSWORD), Somebody::with_shell("/usr/sbin/nologin"));
    let session = knows(&sshd, &somebody, PASSWORD).await;
    let output = by(&*session, User::Sudo(other.name.clone()), "id -un").await.unwrap();
    assert_eq!(output.text(), other.name);
    let why = by(&*session, User::Sudo("no-such-user".into()), "id").await.unwrap_err().to_string();
    assert!(why.contains("unknown user") && why.contains("correct become_user"), "{why}");
}

#[tokio::test]
async fn each_host_has_its_own_password_or_the_one_that_was_asked_for() {
    let sshd = Sshd::start();
    let (one, two) = (Somebody::with_password("of one"), Somebody::with_password("of two"));
    let options = Options { become_password: Some(Secret::new("of two")), ..sshd.options() };
    let host = Host { become_password: Some(Secret::new("of one")), ..one.at(&sshd) };
    for host in [host, two.at(&sshd)] {
        let session = connect(options.clone(), &host).await.unwrap();
        assert_eq!(by(&*session, User::root(), "id -un").await.unwrap().text(), "root");
    }
    let session = connect(options, &one.at(&sshd)).await.unwrap();
    let why = by(&*session, User::root(), "id -un").await.unwrap_err().to_string();
    assert!(why.contains("hint: what -K asked for is not it"), "{why}");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_commands_wait_for_it() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    let log = logged(&sshd, &somebody);
    let session = knows(&sshd, &somebody, "wrong").await;
    let all = (0..6).map(|_| by(&*session, User::root(), "id"));
    let mut whys = futures::future::join_all(all).await;
    whys.push(by(&*session, User::root(), "id").await);
    for why in whys {
        let Err(Lost::Refused(why)) = why else { panic!("{why:?}") };
        let told =
            format!("sudo refused the password for {} on one\n\nhint: correct its become_password", somebody.name);
        assert!(why.starts_with(&told), "{why}");
    }
    // Sudo logs once it has found that its question is left.
    for _ in 0..100 {
        if log().contains("incorrect password") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tries: Vec<_> = log().lines().filter(|line| line.contains("incorrect password")).map(str::to_owned).collect();
    assert!(tries.len() == 1 && tries[0].contains(": 1 incorrect password attempt"), "{}", log());
    assert!(run(&*session, "true").await.unwrap().ok(), "the rest goes on");
}

#[tokio::test]
async fn a_sudo_that_lets_nobody_try_twice_has_refused_the_password_too() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.with("passwd_tries=1");
    let session = knows(&sshd, &somebody, "wrong").await;
    let why = by(&*session, User::root(), "id").await.unwrap_err().to_string();
    assert!(why.starts_with("sudo refused the password for "), "{why}");
}

#[tokio::test]
async fn who_may_not_is_told_so_whatever_the_password() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.may("ALL=(ALL) /bin/true");
    let session = knows(&sshd, &somebody, PASSWORD).await;
    let why = by(&*session, User::root(), "id").await.unwrap_err().to_string();
    assert!(why.contains("is not allowed to execute") && !why.contains("asks-"), "{why}");
}

#[tokio::test]
async fn a_sudo_that_does_not_ask_is_not_sent_the_password() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.may("ALL=(ALL) NOPASSWD: ALL");
    let session = knows(&sshd, &somebody, PASSWORD).await;
    let command = Command::new("cat").stdin("ahead ").by(User::root());
    assert_eq!(session.exec(Exec::new(&command)).await.unwrap().text(), "ahead");
    assert_eq!(sshd.execs(), 1, "nothing is tried before");
    let stdin: Option<skep::remote::Source> = Some(Box::new(std::io::Cursor::new("streamed")));
    let output = session.exec(Exec { stdin, ..Exec::new(&command) }).await.unwrap();
    assert_eq!((output.text().as_str(), output.errors().as_str()), ("ahead streamed", ""));
}

#[tokio::test]
async fn root_needs_no_password_and_no_sudo() {
    let sshd = Sshd::start();
    let host = Host { become_password: Some(Secret::new("unneeded")), ..sshd.host("one") };
    let session = connect(sshd.options(), &host).await.unwrap();
    assert_eq!(by(&*session, User::root(), "id -un; echo $SUDO_USER; cat").await.unwrap().text(), "root");
    assert_eq!(sshd.execs(), 1);
}

#[tokio::test]
async fn a_host_without_sudo_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    must("chmod", &["755", &folder.path().display().to_string()]);
    for tool in ["sh", "env", "head"] {
        let from =
            ["/bin", "/usr/bin"].map(|bin| format!("{bin}/{tool}")).into_iter().find(|path| fs::exists(path).unwrap());
        std::os::unix::fs::symlink(from.unwrap(), folder.path().join(tool)).unwrap();
    }
    let sshd = Sshd::with(&format!("SetEnv PATH={}", folder.path().display()));
    let somebody = Somebody::with_password(PASSWORD);
    for session in
        [knows(&sshd, &somebody, PASSWORD).await, connect(sshd.options(), &somebody.at(&sshd)).await.unwrap()]
    {
        let why = by(&*session, User::root(), "id").await.unwrap_err().to_string();
        assert!(why.starts_with("there is no sudo, by which ") && why.contains("hint: install sudo"), "{why}");
    }
}

#[tokio::test]
async fn a_sudo_that_wants_a_terminal_names_the_line_for_sudoers() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.with("requiretty");
    let session = knows(&sshd, &somebody, PASSWORD).await;
    let why = by(&*session, User::root(), "id").await.unwrap_err().to_string();
    assert!(
        why.contains("must have a tty") && why.contains(&format!("Defaults:{} !requiretty", somebody.name)),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_in_no_process_list() {
    let sshd = Sshd::start();
    let password = format!("s3cret{}", rand::random::<u32>());
    let somebody = Somebody::with_password(&password);
    somebody.with("use_pty");
    let session = knows(&sshd, &somebody, &password).await;
    let over = Arc::new(AtomicBool::new(false));
    let seen = std::thread::spawn({
        let (over, password) = (over.clone(), password.clone());
        move || {
            std::iter::from_fn(|| (!over.load(Ordering::Acquire)).then(|| shows(&password)))
                .flatten()
                .collect::<Vec<_>>()
        }
    });
    for _ in 0..5 {
        assert!(by(&*session, User::root(), "env; sleep 0.1").await.unwrap().ok());
    }
    over.store(true, Ordering::Release);
    assert_eq!(seen.join().unwrap(), Vec::<String>::new());
}

/// The processes, this one left out, whose arguments or environment hold these words.
fn shows(words: &str) -> Vec<String> {
    let ours = std::process::id().to_string();
    let holds =
        |path: &std::path::Path| fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(words));
    let all = fs::read_dir("/proc").unwrap().flatten().filter(|entry| entry.file_name().to_string_lossy() != ours);
    let all = all.filter(|entry| ["cmdline", "environ"].iter().any(|file| holds(&entry.path().join(file))));
    all.map(|entry| entry.path().display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_go_whole_through_a_sudo_that_asks() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.with("timestamp_timeout=0");
    for pty in [false, true] {
        if pty {
            somebody.with_terminals();
        }
        let session = knows(&sshd, &somebody, PASSWORD).await;
        let bytes: Vec<u8> = (0..8 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let read = tokio::spawn(async move {
            let mut all = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut far, &mut all).await.map(|_| all)
        });
        let command = Command::new("cat").by(User::root());
        let stdin: Option<skep::remote::Source> = Some(Box::new(std::io::Cursor::new(bytes.clone())));
        let output = session.exec(Exec { stdin, stdout: Some(Box::new(near)), ..Exec::new(&command) }).await.unwrap();
        assert!(output.ok(), "{}", output.errors());
        assert!(read.await.unwrap().unwrap() == bytes, "with a terminal of sudo's own: {pty}");
    }
}

#[tokio::test]
async fn what_runs_through_a_sudo_that_asks_is_ended_too() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_password(PASSWORD);
    somebody.with("timestamp_timeout=0");
    for pty in [false, true] {
        if pty {
            somebody.with_terminals();
        }
        let session = knows(&sshd, &somebody, PASSWORD).await;
        let mark = format!("6{}", rand::random::<u32>());
        let sleeps =
            || std::process::Command::new("pgrep").args(["-f", &format!("sleep {mark}")]).status().unwrap().success();
        let command = Command::sh(format!("sleep {mark} & timeout 9999 sleep {mark}; true")).by(User::root());
        let deadline = Some(Duration::from_secs(2));
        let lost = session.exec(Exec { deadline, ..Exec::new(&command) }).await.unwrap_err();
        assert!(matches!(lost, Lost::Deadline(_)) && !sleeps(), "{lost:?}, with a terminal of sudo's own: {pty}");
        let (ended, ()) = tokio::join!(session.exec(Exec::new(&command)), async {
            while !sleeps() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            session.interrupt().await;
        });
        assert!(ended.is_ok_and(|output| !output.ok()) && !sleeps(), "with a terminal of sudo's own: {pty}");
    }
}

/// As an administrator who has read about hardening sets it.
#[tokio::test]
async fn commands_that_must_answer_do_not_wait_for_one_anothers_channels() {
    let sshd = Sshd::with("MaxSessions 2\n");
    let somebody = Somebody::with_password(PASSWORD);
    somebody.with("timestamp_timeout=0");
    let session = knows(&sshd, &somebody, PASSWORD).await;
    let users = [User::root(), User::Sudo("nobody".into()), User::root(), User::Sudo("nobody".into())];
    let all = users.into_iter().map(|user| by(&*session, user, "id -un"));
    let all = tokio::time::timeout(Duration::from_secs(30), futures::future::join_all(all)).await.expect("all wait");
    let names: Vec<_> = all.into_iter().map(|output| output.unwrap().text()).collect();
    assert_eq!(names, ["root", "nobody", "root", "nobody"]);
}
