use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::remote::Proof;

/// An ssh that is there already: what it is to run there is run here. Nobody is at port 2, and port 3 breaks off in the middle.
const SSH: &str = r#"#!/bin/sh
for last; do :; done
case " $* " in
*" -p 2 "*) echo "ssh: connect to host b port 2: No route to host" >&2; exit 255 ;;
*" -p 3 "*) head -c 70000 | sh -c "$last" | head -n 1; exit 255 ;;
*) exec sh -c "$last" ;;
esac
"#;

struct Ours;

#[async_trait]
impl Proof for Ours {
    fn public(&self) -> Vec<u8> {
        Vec::new()
    }

    async fn sign(&self, _: Vec<u8>, _: u32) -> Result<Vec<u8>, String> {
        Err("nothing is signed here".into())
    }
}

/// A leg to somebody who is let in nowhere.
pub fn leg(port: u16, fifo: &str) -> Leg {
    let (user, host_key) = ("ann".to_owned(), "ssh-ed25519 AAAA".to_owned());
    Leg { door: Door { address: "b".into(), port, user, host_key, proof: Arc::new(Ours) }, fifo: fifo.into() }
}

fn login() -> String {
    let id = Process::new("id").arg("-un").output().expect("id");
    String::from_utf8(id.stdout).expect("a name").trim().to_owned()
}

struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("tempdir");
        let ssh = folder.path().join("ssh");
        fs::write(&ssh, SSH).expect("written");
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("set");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `command`, in a process group of its own.
    fn begin(&self, command: &Command) -> Child {
        use std::os::unix::process::CommandExt as _;
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut sh = Process::new("sh");
        let sh = sh.arg("-c").arg(command.wire()).env("PATH", path).process_group(0);
        sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh")
    }

    /// One who takes all into the file `name`, and where.
    fn taker(&self, name: &str) -> (Child, String) {
        self.begin_taker(&Command::sh(format!("cat >{}", self.path(name).display())))
    }

    fn begin_taker(&self, to: &Command) -> (Child, String) {
        let mut taker = self.begin(&take(to, &login()));
        let mut line = String::new();
        BufReader::new(taker.stderr.as_mut().expect("errors")).read_line(&mut line).expect("a line");
        match word(&line) {
            Some(Word::Takes(fifo)) => (taker, fifo),
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }
}

fn says(taker: &mut Child, words: &str) {
    taker.stdin.as_mut().expect("stdin").write_all(words.as_bytes()).expect("heard");
}

/// Once its input has ended: whether it ended well.
fn ends(mut taker: Child) -> bool {
    drop(taker.stdin.take());
    taker.wait().expect("it ends").success()
}

/// What is said of legs line by line, until it ends; whoever's leg is open is told so.
fn words(of: &mut Child, takers: &mut [&mut Child]) -> Vec<Word> {
    let lines = BufReader::new(of.stderr.take().expect("errors")).lines().map_while(Result::ok);
    let words = lines.filter_map(|line| word(&line)).filter(|word| !matches!(word, Word::Passed(_)));
    let open = |word: &Word| {
        if let Word::Open(leg) = word {
            says(takers[*leg], "straight\n");
        }
    };
    words.inspect(open).collect()
}

fn folder_of(fifo: &str) -> &Path {
    Path::new(fifo).parent().expect("a folder")
}

fn source() -> Command {
    Command::sh("head -c 3000000 /dev/zero | tr '\\0' x")
}

#[test]
fn it_is_read_once_and_comes_to_all_of_them_whole() {
    let ground = Ground::new();
    let ((mut one, first), (mut two, second)) = (ground.taker("one"), ground.taker("two"));
    let source = Command::sh(format!("echo read >>{}; {}", ground.path("times").display(), source().wire()));
    let mut giver = ground.begin(&give(&source, 3_000_000, &[leg(22, &first), leg(22, &second)], false));
    let mut told = words(&mut giver, &mut [&mut one, &mut two]);
    told.sort_by_key(|word| format!("{word:?}"));
    assert_eq!(told, [Word::Open(0), Word::Open(1), Word::Whole(0), Word::Whole(1)]);
    assert!(giver.wait().expect("it ends").success());
    says(&mut one, "whole\n");
    says(&mut two, "whole\n");
    assert!(ends(one) && ends(two));
    let whole = vec![b'x'; 3_000_000];
    assert!(ground.read("one") == Some(whole.clone()) && ground.read("two") == Some(whole));
    assert_eq!(ground.read("times").as_deref(), Some(b"read\n".as_slice()));
    assert!(!folder_of(&first).exists() && !folder_of(&second).exists());
}

#[test]
fn who_cannot_be_reached_gets_it_through_the_workstation_from_the_same_reading() {
    let ground = Ground::new();
    let ((mut one, first), (mut two, second)) = (ground.taker("one"), ground.taker("two"));
    let source = Command::sh(format!("echo read >>{}; {}", ground.path("times").display(), source().wire()));
    let mut giver = ground.begin(&give(&source, 3_000_000, &[leg(22, &first), leg(2, &second)], false));
    let mut stdout = giver.stdout.take().expect("output");
    let through = std::thread::spawn(move || {
        let mut out = Vec::new();
        stdout.read_to_end(&mut out).map(|_| out)
    });
    let told = words(&mut giver, &mut [&mut one, &mut two]);
    says(&mut two, "through\n");
    let out = through.join().expect("it ends").expect("read");
    two.stdin.as_mut().expect("stdin").write_all(&out).expect("written");
    assert!(told.contains(&Word::Failed(1, "ssh: connect to host b port 2: No route to host".into())), "{told:?}");
    says(&mut one, "whole\n");
    assert!(ends(one) && ends(two) && giver.wait().expect("it ends").success());
    assert_eq!(
        (ground.read("one").map(|all| all.len()), ground.read("two").map(|all| all.len())),
        (Some(3_000_000), Some(3_000_000))
    );
    assert_eq!(ground.read("times").as_deref(), Some(b"read\n".as_slice()));
    assert!(!folder_of(&second).exists());
}

#[test]
fn what_breaks_off_is_never_taken_for_the_whole() {
    let ground = Ground::new();
    for (port, source) in [(3, source()), (22, Command::sh(format!("{}; exit 7", source().wire())))] {
        let (mut taker, fifo) = ground.taker("one");
        let mut giver = ground.begin(&give(&source, 3_000_000, &[leg(port, &fifo)], false));
        let told = words(&mut giver, &mut [&mut taker]);
        assert!(told.len() == 2 && told[0] == Word::Open(0) && matches!(told[1], Word::Failed(0, _)), "{told:?}");
        assert_eq!(giver.wait().expect("it ends").code(), Some(if port == 3 { 0 } else { 7 }));
        // Whoever speaks for the giver is gone, and never said that this was all.
        assert!(!ends(taker));
        assert!(!folder_of(&fifo).exists());
    }
}

/// There is no such image: nothing of it ever comes, and nobody waits for it.
#[test]
fn who_gives_nothing_at_all_ends_with_its_legs() {
    let ground = Ground::new();
    let (mut taker, fifo) = ground.taker("one");
    let mut giver = ground.begin(&give(&Command::sh("exit 7"), 3_000_000, &[leg(22, &fifo)], false));
    let told = words(&mut giver, &mut [&mut taker]);
    assert!(matches!(&told[..], [Word::Open(0), Word::Failed(0, _)]), "{told:?}");
    assert_eq!((giver.wait().expect("it ends").code(), ends(taker)), (Some(7), false));
}

/// The daemon is down, the disk is full: whoever gives is not kept waiting for who takes no more.
#[test]
fn who_ends_early_says_so_and_ends_its_leg() {
    let ground = Ground::new();
    let to = Command::sh("head -c 1000 >/dev/null; echo no room on this disk >&2; exit 9");
    let (mut taker, fifo) = ground.begin_taker(&to);
    let mut giver = ground.begin(&give(&source(), 3_000_000, &[leg(22, &fifo)], false));
    let told = words(&mut giver, &mut [&mut taker]);
    assert!(matches!(&told[..], [Word::Open(0), Word::Failed(0, _)]), "{told:?}");
    let mut said = String::new();
    taker.stderr.take().expect("errors").read_to_string(&mut said).expect("read");
    assert_eq!((taker.wait().expect("it ends").code(), said.as_str()), (Some(9), "no room on this disk\n"));
    assert!(giver.wait().expect("it ends").success());
}

#[test]
fn who_is_ended_sees_no_end_of_it_and_cleans_up() {
    let ground = Ground::new();
    let (file, ended) = (ground.path("half"), ground.path("ended"));
    let to = Command::sh(format!(
        "trap 'rm -f {0}; exit 1' TERM; cat >{0}; echo ended >{1}",
        file.display(),
        ended.display()
    ));
    let (mut taker, fifo) = ground.begin_taker(&to);
    let slow = Command::sh("head -c 400000 /dev/zero; sleep 30");
    let mut giver = ground.begin(&give(&slow, 400_000, &[leg(22, &fifo)], false));
    let mut line = String::new();
    BufReader::new(giver.stderr.as_mut().expect("errors")).read_line(&mut line).expect("a line");
    says(&mut taker, "straight\n");
    while fs::metadata(&file).map_or(0, |file| file.len()) < 60_000 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // As skep ends what runs on a host: one process after the other.
    Process::new("pkill").args(["-TERM", "-g", &taker.id().to_string()]).status().expect("pkill");
    assert!(!taker.wait().expect("it ends").success());
    assert!(!ended.exists() && !file.exists());
    let _ = Process::new("pkill").args(["-TERM", "-g", &giver.id().to_string()]).status();
    giver.wait().expect("it ends");
}

#[test]
fn where_there_is_no_room_it_goes_through_the_workstation() {
    let ground = Ground::new();
    let mut giver =
        ground.begin(&give(&Command::sh("echo all of it"), u64::MAX / 20, &[leg(22, "/tmp/none/in")], false));
    let mut out = String::new();
    giver.stdout.take().expect("output").read_to_string(&mut out).expect("read");
    assert_eq!(
        (out.as_str(), words(&mut giver, &mut [])),
        ("all of it\n", vec![Word::Failed(0, "no room in /var/tmp".into())])
    );
}

#[test]
fn words_are_told_from_what_a_command_says() {
    assert_eq!(word("skep: leg 3 is whole\n"), Some(Word::Whole(3)));
    assert_eq!(word("skep: waiting for ann"), None);
    assert_eq!(word("skep: takes /tmp/skep.aB3/in"), Some(Word::Takes("/tmp/skep.aB3/in".into())));
    assert_eq!(word("skep: takes /tmp/skep.a;reboot/in"), None);
    assert_eq!(word("skep: leg of lamb"), None);
    assert_eq!(word("Loaded image: app:1"), None);
}

#[test]
fn only_who_may_read_the_pipe_is_given_one() {
    assert!(
        can_take(&User::Login, "ann") && can_take(&User::root(), "ann") && can_take(&User::Sudo("ann".into()), "ann")
    );
    assert!(!can_take(&User::Sudo("bob".into()), "ann"));
}
