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
    assert_eq!(seen, ["10%", "20%", "oops"]);
}
