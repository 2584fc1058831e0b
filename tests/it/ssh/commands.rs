//! What becomes of commands: output, input, exit codes, ends.

use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn a_command_gives_its_output_and_code_back() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let output = run(&*session, "echo out; echo err >&2; exit 7").await.unwrap();
    assert_eq!((output.code, output.text().as_str(), output.errors().as_str()), (7, "out", "err"));
    assert_eq!((sshd.connections(), sshd.logins(), sshd.execs()), (1, 1, 1), "{}", sshd.log());
}

#[tokio::test]
async fn a_command_reads_its_input_and_nothing_of_the_script() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let command = Command::new("cat").stdin("line\n\0bytes");
    let output = session.exec(Exec::new(&command)).await.unwrap();
    assert_eq!(output.stdout, b"line\n\0bytes");
    assert_eq!(run(&*session, "cat").await.unwrap().stdout, b"", "no input is an empty one");
}

#[tokio::test]
async fn lines_are_told_as_they_come() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let to = seen.clone();
    let command = Command::sh("printf '10%%\\r20%%\\n'; echo oops >&2");
    let live: Live = Arc::new(move |line: &str| to.lock().unwrap().push(line.to_owned()));
    session.exec(Exec { live: Some(live), ..Exec::new(&command) }).await.unwrap();
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["10%\r20%\n", "oops\n"]);
}

#[tokio::test]
async fn whatever_a_command_writes_its_end_is_kept() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let endless = "head -c 20000000 /dev/zero | tr '\\0' x; echo end";
    let (told, most) = (Arc::new(Mutex::new((0, 0))), 200 << 10);
    let (seen, command) = (told.clone(), Command::sh(endless));
    let live: Live = Arc::new(move |text: &str| {
        let mut seen = seen.lock().unwrap();
        *seen = (seen.0 + text.len(), text.len().max(seen.1));
    });
    let output = session.exec(Exec { live: Some(live), cap: 1000, ..Exec::new(&command) }).await.unwrap();
    assert_eq!((output.stdout.len(), output.text().ends_with("xend")), (1000, true));
    let (all, longest) = *told.lock().unwrap();
    assert!(all == 20_000_004 && longest < most, "{all} {longest}");
    let output = run(&*session, "printf 'a\\377\\376\\000b'").await.unwrap();
    assert_eq!(output.stdout, b"a\xff\xfe\0b");
    let output = run(&*session, "echo before; exec >&- 2>&-; sleep 0.3; exit 4").await.unwrap();
    assert_eq!((output.code, output.text().as_str()), (4, "before"), "it closed its outputs and went on");
}

#[tokio::test]
async fn codes_and_signals_come_back_as_a_shell_would_say_them() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    for (line, code) in
        [("true", 0), ("exit 255", 255), ("kill -9 $$", 137), ("sh -c 'kill -TERM $$'", 143), ("no-such-program", 127)]
    {
        assert_eq!(run(&*session, line).await.unwrap().code, code, "{line}");
    }
}

#[tokio::test]
async fn a_hundred_commands_share_one_connection() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let commands = (0..100).map(|n| {
        let session = session.clone();
        async move { run(&*session, &format!("sleep 0.05; echo {n}")).await.unwrap().text() }
    });
    let answers = futures::future::join_all(commands).await;
    assert_eq!(answers, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!((sshd.connections(), sshd.execs()), (1, 100));
}

#[tokio::test]
async fn a_host_with_fewer_sessions_is_content_with_fewer() {
    let sshd = Sshd::with("MaxSessions 2");
    let session = session(&sshd).await;
    let commands = (0..6).map(|_| run(&*session, "sleep 0.1"));
    for result in futures::future::join_all(commands).await {
        assert!(result.unwrap().ok());
    }
    assert_eq!(sshd.connections(), 1);
}

/// 64 MiB that do not repeat soon.
fn bulk() -> Vec<u8> {
    (0..64u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_goes_both_ways_while_other_commands_run() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let (near, mut far) = tokio::io::duplex(64 << 10);
    let receiver = tokio::spawn(async move {
        // A slow reader: nothing at all for a while.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut all = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut far, &mut all).await.unwrap();
        all
    });
    let other = session.clone();
    let aside = tokio::spawn(async move {
        let began = std::time::Instant::now();
        for _ in 0..5 {
            assert!(run(&*other, "true").await.unwrap().ok());
        }
        began.elapsed()
    });
    let command = Command::new("cat");
    let exec = Exec {
        stdin: Some(Box::new(std::io::Cursor::new(bulk()))),
        stdout: Some(Box::new(near)),
        ..Exec::new(&command)
    };
    assert!(session.exec(exec).await.unwrap().ok());
    assert_eq!(digest(&receiver.await.unwrap()), digest(&bulk()));
    assert!(aside.await.unwrap() < Duration::from_secs(4), "a slow stream must not hold the others up");
    assert_eq!(sshd.connections(), 2, "streams have a connection of their own");
}

#[tokio::test]
async fn an_input_that_breaks_off_is_no_success() {
    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")))
        }
    }
    let sshd = Sshd::start();
    let command = Command::new("cat");
    let lost =
        session(&sshd).await.exec(Exec { stdin: Some(Box::new(Broken)), ..Exec::new(&command) }).await.unwrap_err();
    assert!(lost.to_string().contains("the disk is gone"), "{lost}");
}

#[tokio::test]
async fn an_output_that_nobody_takes_is_no_cut() {
    let sshd = Sshd::start();
    let (near, _) = tokio::io::duplex(9);
    let command = Command::sh("yes");
    let lost = session(&sshd).await.exec(Exec { stdout: Some(Box::new(near)), ..Exec::new(&command) }).await;
    assert!(matches!(&lost, Err(Lost::Relay(why)) if why.contains("could not be passed on")), "{lost:?}");
}

#[tokio::test]
async fn the_output_of_who_fails_has_no_end() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    for (line, whole) in [("echo half", true), ("echo half; exit 3", false)] {
        let (near, mut far) = skep::remote::pipe::pipe(64);
        let command = Command::sh(line);
        let ran = session.exec(Exec { stdout: Some(Box::new(near)), ..Exec::new(&command) }).await;
        let mut all = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut far, &mut all).await;
        assert_eq!((ran.is_ok(), read.is_ok(), all.as_slice()), (true, whole, b"half\n".as_slice()), "{line}");
    }
}

#[tokio::test]
async fn a_child_that_holds_the_output_does_not_hold_us() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let began = std::time::Instant::now();
    let output = run(&*session, "echo done; sleep 20 & exit 3").await.unwrap();
    assert_eq!((output.code, output.text().as_str()), (3, "done"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// How many processes there are with `mark` among their arguments.
fn alive(mark: &str) -> usize {
    let listed = std::process::Command::new("pgrep").args(["-c", "-f", mark]).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).trim().parse().unwrap()
}

async fn until(what: impl Fn() -> bool) -> bool {
    for _ in 0..100 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn a_deadline_ends_the_command_and_its_children() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let mark = format!("6{}", rand::random::<u32>());
    let command = Command::sh(format!("timeout 99999 sleep {mark}; sleep {mark}"));
    let deadline = Some(Duration::from_millis(500));
    let lost = session.exec(Exec { deadline, ..Exec::new(&command) }).await.unwrap_err();
    assert_eq!(lost, Lost::Deadline(Duration::from_millis(500)));
    assert_eq!(alive(&format!("sleep {mark}")), 0);
    assert_eq!(run(&*session, "echo still here").await.unwrap().text(), "still here");
}

#[tokio::test]
async fn an_interrupt_leaves_no_process_behind() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let mark = format!("7{}", rand::random::<u32>());
    let (other, line) = (session.clone(), format!("trap '' INT; sleep {mark} & sleep {mark}; wait"));
    let running = tokio::spawn(async move { run(&*other, &line).await });
    assert!(until(|| alive(&format!("sleep {mark}")) == 2).await);
    session.interrupt().await;
    assert_eq!(alive(&format!("sleep {mark}")), 0);
    assert!(!running.await.unwrap().unwrap().ok());
    assert!(run(&*session, "true").await.unwrap().ok(), "the session stays usable");
}

#[tokio::test]
async fn a_command_that_is_given_up_is_ended() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let mark = format!("8{}", rand::random::<u32>());
    let given_up =
        tokio::time::timeout(Duration::from_millis(500), run(&*session, &format!("sleep {mark}; true"))).await;
    assert!(given_up.is_err());
    assert!(until(|| alive(&format!("sleep {mark}")) == 0).await);
}

#[tokio::test]
async fn a_cut_connection_is_never_a_success() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    // The parent of the command is the sshd of this connection.
    let lost = run(&*session, "kill -9 $PPID; sleep 5").await.unwrap_err();
    assert!(matches!(lost, Lost::Connection(_)), "{lost:?}");
    assert!(matches!(run(&*session, "true").await, Err(Lost::Unsent(_))));
}

#[tokio::test]
async fn ports_are_dialled_from_the_host() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tunnel = session.dial("127.0.0.1", port, SHORT).await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    tunnel.write_all(b"ping").await.unwrap();
    let mut heard = [0; 4];
    peer.read_exact(&mut heard).await.unwrap();
    peer.write_all(b"pong").await.unwrap();
    drop(peer);
    let mut answer = String::new();
    tunnel.read_to_string(&mut answer).await.unwrap();
    assert_eq!((&heard, answer.as_str()), (b"ping", "pong"));
    drop(listener);
    assert_eq!(session.dial("127.0.0.1", port, SHORT).await.err(), Some(Dial::Closed));
}

#[tokio::test]
async fn a_tunnel_that_is_dropped_is_closed_though_nobody_speaks_there() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = run(&*session, "echo $PPID").await.unwrap().text();
    let sockets = || {
        let held = std::fs::read_dir(format!("/proc/{server}/fd")).unwrap().flatten();
        held.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket")))
            .count()
    };
    let before = sockets();
    let tunnel = session.dial("127.0.0.1", port, SHORT).await.unwrap();
    let _peer = listener.accept().await.unwrap();
    assert_eq!(sockets(), before + 1);
    drop(tunnel);
    assert!(until(|| sockets() == before).await, "the host still holds it");
}

#[tokio::test]
async fn a_session_that_is_dropped_is_closed() {
    let sshd = Sshd::start();
    let server = std::fs::read_to_string(sshd.path("pid")).unwrap();
    let logins = || {
        let listed = std::process::Command::new("pgrep").args(["-P", server.trim()]).output().unwrap();
        listed.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
    };
    let session = session(&sshd).await;
    assert!(run(&*session, "true").await.unwrap().ok());
    assert_eq!(logins(), 1);
    drop(session);
    assert!(until(|| logins() == 0).await, "the connection stays open");
}

#[tokio::test]
async fn a_host_that_forbids_forwarding_says_so() {
    let sshd = Sshd::with("AllowTcpForwarding no");
    let session = session(&sshd).await;
    assert_eq!(session.dial("127.0.0.1", 1, SHORT).await.err(), Some(Dial::Forbidden));
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_refuse_at_the_same_time_are_each_told_as_refused() {
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let closed: Vec<u16> =
        (0..8).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()).collect();
    let dials = closed.iter().map(|port| session.dial("127.0.0.1", *port, Duration::from_secs(5)));
    for answer in futures::future::join_all(dials).await {
        assert_eq!(answer.err(), Some(Dial::Closed));
    }
}
