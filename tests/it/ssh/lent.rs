//! One host logs in to another, by an agent that it was lent.

use skep::remote::Door;

use super::*;
use crate::support::agent::Agent;

/// What the real client says to a server by the agent that it finds.
fn client(door: &Door, port: u16) -> Command {
    let known = format!("KnownHostsCommand=/bin/echo %H {}", door.host_key);
    let quiet =
        ["StrictHostKeyChecking=yes", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "IdentityFile=none", &known];
    let options = quiet.iter().flat_map(|option| ["-o", option]);
    let ssh = Command::new("ssh").args(["-F", "none", "-p", &port.to_string(), "-l", &door.user]).args(options);
    ssh.args([&door.address, "echo in"])
}

/// Runs these one after the other with one agent for `door`: what each said.
async fn said(from: &dyn Session, door: &Door, commands: &[Command]) -> Vec<String> {
    let lines: Vec<String> = commands.iter().map(|command| format!("{{ {}; }} 2>&1; echo", command.wire())).collect();
    let lent = from.lend(vec![door.clone()]).await.expect("an agent");
    let all = Command::sh(lines.join("\n"));
    let output = from.exec(Exec { lent: Some(lent), ..Exec::new(&all) }).await.expect("it ran");
    output.text().split("\n\n").map(|said| said.trim().to_owned()).collect()
}

#[tokio::test]
async fn a_door_opens_once_and_no_other_one() {
    let (one, two, other) = (Sshd::start(), Sshd::start(), Sshd::start());
    // The same key would open it.
    std::fs::copy(two.path("authorized_keys"), other.path("authorized_keys")).unwrap();
    let from = connect(one.options(), &one.host("one")).await.unwrap();
    let to = connect(two.options(), &two.host("two")).await.unwrap();
    let there =
        connect(other.options(), &Host { identity_file: Some(two.identity()), ..other.host("other") }).await.unwrap();
    let (door, another) = (to.door().expect("a door"), there.door().expect("a door"));
    let commands = [client(&another, other.port), client(&door, two.port), client(&door, two.port)];
    let told = said(&*from, &door, &commands).await;
    assert!(told[0].contains("Permission denied"), "{told:?}");
    assert_eq!(told[1], "in");
    assert!(told[2].contains("Permission denied"), "a second time is one too many: {told:?}");
    // The key itself never left, and the agent has gone with its connection.
    let found = from.exec(Exec::new(&Command::sh("echo agent ${SSH_AUTH_SOCK-none}"))).await.unwrap();
    assert_eq!(found.text(), "agent none");
}

#[tokio::test]
async fn every_kind_of_key_opens_its_door() {
    let one = Sshd::start();
    let from = connect(one.options(), &one.host("one")).await.unwrap();
    for kind in ["rsa", "ecdsa"] {
        let two = Sshd::start();
        crate::support::sshd::keygen(&two.path("own"), kind, "");
        std::fs::copy(two.path("own.pub"), two.path("authorized_keys")).unwrap();
        let host = Host { identity_file: Some(two.path("own")), ..two.host("two") };
        let door = connect(two.options(), &host).await.unwrap().door().expect("a door");
        assert_eq!(said(&*from, &door, &[client(&door, two.port)]).await, ["in"], "{kind}");
    }
}

#[tokio::test]
async fn the_users_own_agent_may_hold_the_key() {
    let (one, two) = (Sshd::start(), Sshd::start());
    let agent = Agent::start(&two, &[&two.identity()]);
    let from = connect(one.options(), &one.host("one")).await.unwrap();
    let host = Host { identity_file: None, ..two.host("two") };
    let options = Options { agent: Some(agent.socket.clone()), ..two.options() };
    let door = connect(options, &host).await.unwrap().door().expect("a door");
    assert_eq!(said(&*from, &door, &[client(&door, two.port)]).await, ["in"]);
}

#[tokio::test]
async fn where_sshd_forwards_no_agent_there_is_none() {
    let (one, two) = (Sshd::with("AllowAgentForwarding no"), Sshd::start());
    let from = connect(one.options(), &one.host("one")).await.unwrap();
    let door = connect(two.options(), &two.host("two")).await.unwrap().door().expect("a door");
    let refused = from.lend(vec![door]).await.err().expect("none");
    assert!(matches!(&refused, Lost::Refused(why) if why.contains("takes no agent")), "{refused}");
    assert!(from.exec(Exec::new(&Command::sh("true"))).await.unwrap().ok(), "the login is as it was");
}
