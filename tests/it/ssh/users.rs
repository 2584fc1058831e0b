//! Login shells and sudo, with real users of this machine: made for a test, and removed after it.

use super::*;
use crate::support::somebody::Somebody;

#[tokio::test]
async fn any_login_shell_will_do() {
    let sshd = Sshd::start();
    for shell in ["/bin/dash", "/bin/bash", "/usr/bin/fish"] {
        assert!(std::path::Path::new(shell).exists(), "{shell} is needed for this test");
        let somebody = Somebody::with_shell(shell);
        let session = connect(sshd.options(), &somebody.at(&sshd)).await.unwrap();
        let command = Command::sh("x='a b'; printf '%s\\n' \"$x\" \"$(id -un)\"; cat; exit 9").stdin("rest");
        let output = session.exec(Exec::new(&command)).await.unwrap();
        let expected = format!("a b\n{}\nrest", somebody.name);
        assert_eq!((output.code, output.text()), (9, expected), "{shell}: {}", output.errors());
    }
}

#[tokio::test]
async fn a_shell_that_runs_nothing_is_told() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_shell("/usr/sbin/nologin");
    let session = connect(sshd.options(), &somebody.at(&sshd)).await.unwrap();
    let Err(Lost::Refused(why)) = run(&*session, "true").await else { panic!("it cannot have run") };
    assert!(why.contains("not available") && why.contains("hint: its login shell"), "{why}");
}

#[tokio::test]
async fn sudo_without_a_password_makes_root() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_shell("/usr/bin/fish");
    somebody.may("ALL=(ALL) NOPASSWD: ALL");
    let session = connect(sshd.options(), &somebody.at(&sshd)).await.unwrap();
    assert_eq!(by(&*session, User::root(), "id -un").await.unwrap().text(), "root");
    assert_eq!(by(&*session, User::Sudo(somebody.name.clone()), "id -un").await.unwrap().text(), somebody.name);
    let why = by(&*session, User::Sudo("no-such-user".into()), "id").await.unwrap_err().to_string();
    assert!(why.contains("unknown user"), "{why}");
}

#[tokio::test]
async fn a_refused_sudo_says_what_to_do() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_shell("/bin/bash");
    let session = connect(sshd.options(), &somebody.at(&sshd)).await.unwrap();
    let mut whys = vec![by(&*session, User::root(), "id").await.unwrap_err()];
    somebody.may("ALL=(ALL) ALL");
    whys.push(by(&*session, User::root(), "id").await.unwrap_err());
    for why in whys {
        let Lost::Refused(why) = why else { panic!("{why:?}") };
        assert!(why.contains("a password is required") && why.contains("NOPASSWD: ALL"), "{why}");
        assert!(why.contains("hint: give the password: -K asks for it, become_password in the inventory"), "{why}");
    }
    assert!(run(&*session, "true").await.unwrap().ok(), "the rest goes on");
}

#[tokio::test]
async fn what_runs_through_sudo_is_ended_too() {
    let sshd = Sshd::start();
    let somebody = Somebody::with_shell("/bin/bash");
    somebody.may("ALL=(ALL) NOPASSWD: ALL");
    for pty in [false, true] {
        if pty {
            somebody.with_terminals();
        }
        let session = connect(sshd.options(), &somebody.at(&sshd)).await.unwrap();
        let mark = format!("5{}", rand::random::<u32>());
        let command = Command::sh(format!("sleep {mark} & timeout 9999 sleep {mark}; true")).by(User::root());
        let deadline = Some(Duration::from_millis(800));
        let lost = session.exec(Exec { deadline, ..Exec::new(&command) }).await.unwrap_err();
        assert!(matches!(lost, Lost::Deadline(_)), "{lost:?}");
        let left = std::process::Command::new("pgrep").args(["-f", &format!("sleep {mark}")]).output().unwrap();
        assert!(left.stdout.is_empty(), "with a terminal of sudo's own: {pty}");
    }
}
