//! What becomes of a login and of a command when the network between fails: a real server behind a relay that cuts, stalls,
//! delays and refuses.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures::future::join_all;
use tokio::time::timeout;

use super::*;
use crate::support::relay::{Fault, Passage, Relay, Way};

/// Far more than anything here takes where nothing hangs, however busy the machine is.
const LONG: Duration = Duration::from_secs(40);

/// A server, and a relay before it.
struct Line {
    sshd: Sshd,
    relay: Relay,
    ssh: Ssh,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Line {
    fn new() -> Self {
        // Connections that were cut before they had logged in are still under way for the server.
        let sshd = Sshd::with("MaxStartups 100");
        let (relay, ssh) = (Relay::before(sshd.port), Ssh::new(sshd.options()));
        Self { sshd, relay, ssh, notes: Arc::default() }
    }

    async fn login(&self, wait: Duration) -> Result<Arc<dyn Session>, Unreachable> {
        let (host, notes) = (Host { port: Some(self.relay.port), ..self.sshd.host("one") }, self.notes.clone());
        let note: Live = Arc::new(move |note: &str| notes.lock().unwrap().push(note.to_owned()));
        timeout(LONG, self.ssh.connect(&host, wait, note)).await.expect("the login hangs")
    }
}

/// What only goes on where the host speaks.
async fn speaks(session: &dyn Session) -> Result<(), Lost> {
    let output = timeout(LONG, run(session, TALK)).await.expect("the command hangs")?;
    assert_eq!((output.code, output.stdout.len()), (3, 20_000), "a part is taken for the whole");
    Ok(())
}

/// Prints 20 kB in several packets, and then says how it ended.
const TALK: &str =
    "i=0; while [ $i -lt 4 ]; do head -c 5000 /dev/zero | tr '\\0' x; sleep 0.01; i=$((i+1)); done; exit 3";

/// A login and a command, to whatever end they come: what was lost, and why.
async fn all(line: &Line) -> Result<(), (&'static str, String)> {
    let session = line.login(Duration::ZERO).await.map_err(|why| {
        assert!(why.what.starts_with(&format!("127.0.0.1:{}: ", line.relay.port)), "which host? {}", why.what);
        assert!(!why.what.contains("denied"), "nobody said no: {}", why.what);
        assert!(why.hint.is_some(), "what is to be done? {}", why.what);
        ("login", why.what)
    })?;
    speaks(&*session).await.map_err(|lost| match lost {
        Lost::Connection(why) | Lost::Unsent(why) => ("command", why),
        other => panic!("a cut is taken for something else: {other:?}"),
    })
}

/// Each direction, and how many bytes a login and a command are in it.
async fn measured(line: &Line) -> [(Way, u64); 2] {
    all(line).await.unwrap();
    [Way::Up, Way::Down].map(|way| (way, line.relay.passed(way)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_anywhere_is_an_error_and_the_next_one_is_none() {
    let line = Line::new();
    let mut lost = BTreeSet::new();
    for (way, length) in measured(&line).await {
        for (nth, bytes) in (0..length).step_by(length as usize / 30).enumerate() {
            let how = if nth % 2 == 0 { Fault::Close } else { Fault::Reset };
            line.relay.end_next_after(way, bytes, how);
            let came = all(&line).await;
            lost.extend(came.as_ref().err().map(|(what, _)| *what));
            let told = came.as_ref().err().is_none_or(|(_, why)| !why.is_empty());
            assert!(told, "cut after {bytes} bytes {way:?} ({how:?}): {came:?}");
        }
    }
    assert_eq!(lost.into_iter().collect::<Vec<_>>(), ["command", "login"], "both were cut");
    all(&line).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_cut_at_any_stage_is_tried_again() {
    let line = Line::new();
    // Before the greeting, in the key exchange, in the login.
    for (way, bytes) in [(Way::Down, 0), (Way::Up, 400), (Way::Down, 900), (Way::Up, 900), (Way::Up, 1200)] {
        let before = line.relay.connections();
        line.relay.end_next_after(way, bytes, Fault::Reset);
        let session = line.login(LONG).await.unwrap();
        speaks(&*session).await.unwrap();
        assert_eq!(line.relay.connections() - before, 2, "{way:?} {bytes}");
    }
    let notes = line.notes.lock().unwrap();
    let during = |what: &str| notes.iter().any(|note| note.contains(what));
    assert!(during("during the handshake") && during("lost during the login") && !during("denied"), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_falls_silent_is_an_error_at_the_deadline() {
    let (word, end) = ("no word of SSH within", "did not finish the login within");
    let stages = [(Way::Down, 0, word), (Way::Up, 400, word), (Way::Down, 900, word), (Way::Up, 1000, end)];
    let silent = stages.map(|(way, bytes, told)| async move {
        let line = Line::new();
        line.relay.end_after(way, bytes, Fault::Silence);
        let (what, why) = all(&line).await.expect_err("it said nothing");
        assert!(what == "login" && why.contains(told), "{way:?} {bytes}: {what}: {why}");
    });
    join_all(silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_host_falls_silent_ends_at_its_deadline() {
    let line = Line::new();
    let session = line.login(SHORT).await.unwrap();
    speaks(&*session).await.unwrap();
    line.relay.passage(Way::Down, Passage::Stalled);
    let (command, limit) = (Command::sh("echo unheard"), Duration::from_millis(500));
    let lost = timeout(LONG, session.exec(Exec { deadline: Some(limit), ..Exec::new(&command) })).await;
    assert_eq!(lost.expect("it hangs"), Err(Lost::Deadline(limit)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_swallowed_is_no_success() {
    let line = Line::new();
    let session = line.login(SHORT).await.unwrap();
    speaks(&*session).await.unwrap();
    line.relay.passage(Way::Up, Passage::Swallowed);
    let (swallowed, ()) = tokio::join!(timeout(LONG, run(&*session, "true")), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        line.relay.cut(Fault::Reset);
    });
    assert!(matches!(swallowed.expect("it hangs"), Err(Lost::Connection(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_the_exit_status_is_no_success_while_output_may_follow() {
    let line = Line::new();
    let session = line.login(SHORT).await.unwrap();
    let ended = run(&*session, "(sleep 0.5; echo late) & exit 0").await.unwrap();
    assert_eq!((ended.code, ended.text().as_str()), (0, "late"));
    let (cut, ()) = tokio::join!(run(&*session, "(sleep 0.7; echo late) & exit 0"), async {
        // Its exit status has come, its output has not.
        tokio::time::sleep(Duration::from_millis(400)).await;
        line.relay.cut(Fault::Close);
    });
    assert!(matches!(cut, Err(Lost::Connection(_))), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_for_a_while_is_tried_until_it_does_not() {
    let line = Line::new();
    line.relay.refuse(true);
    let (session, ()) = tokio::join!(line.login(LONG), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        line.relay.refuse(false);
    });
    speaks(&*session.unwrap()).await.unwrap();
    assert!(line.notes.lock().unwrap()[0].ends_with("connection refused, trying again"));
}

/// Round trips of a login with its first command, and of one more command.
async fn trips(line: &Line) -> (usize, usize) {
    let before = line.relay.round_trips();
    let session = line.login(LONG).await.unwrap();
    assert!(run(&*session, "true").await.unwrap().ok());
    let first = line.relay.round_trips();
    // Until the channel of the first is closed and the next one is open.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let between = line.relay.round_trips();
    assert!(run(&*session, "true").await.unwrap().ok());
    (first - before, line.relay.round_trips() - between)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_a_command_costs_seven_round_trips_and_one_more_command_one() {
    let line = Line::new();
    // What is said at once is one trip: without a delay it would be luck. On a busy machine it may still look like two.
    line.relay.delay(Duration::from_millis(40));
    let (mut login, mut more) = (usize::MAX, usize::MAX);
    for _ in 0..5 {
        let (first, next) = trips(&line).await;
        (login, more) = (login.min(first), more.min(next));
        if (login, more) == (7, 1) {
            return;
        }
    }
    panic!("{login} and {more}");
}
