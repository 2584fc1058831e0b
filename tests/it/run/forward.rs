//! `skep forward` against a real OpenSSH server; Docker is of shell, and the page is served by the test itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use super::interrupt::{OnTerminal, within};
use super::*;

/// One container, whose file system is this machine's.
const DOCKER: &str = r#"#!/bin/sh
case "$1" in
ps) echo c1 ;;
inspect) cat "$(dirname "$0")/../container" ;;
network) echo '{}' ;;
exec) shift 2; exec "$@" ;;
esac
"#;

/// A page that says `hello` to everybody, for as long as the test runs.
fn page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.try_clone().map(|mut asked| asked.read(&mut [0; 1024]));
            let _ = (&stream).write_all(b"HTTP/1.0 200 OK\r\n\r\nhello");
        }
    });
    port
}

fn ground(container: &str, port: u16) -> Ground {
    let ground = Ground::with(&["alpha"], |folder, name| {
        format!("SetEnv HOME=/tmp PATH={}/{name}/bin:/usr/bin:/bin", folder.display())
    });
    ground.write("alpha/bin/docker", DOCKER);
    fs::set_permissions(ground.path("alpha/bin/docker"), fs::Permissions::from_mode(0o755)).unwrap();
    has(&ground, container, port);
    ground
}

/// From now on the container is called so, and has its page there.
fn has(ground: &Ground, container: &str, port: u16) {
    let token = ground.path("token");
    let labels = format!(
        r#"{{"skep.forward":"It:18462","skep.forward.token-inside":"{}","com.docker.swarm.service.name":"it"}}"#,
        token.display()
    );
    let ports = format!(r#"{{"18462/tcp":[{{"HostIp":"127.0.0.1","HostPort":"{port}"}}]}}"#);
    let row = format!(r#"{{"id":"c1","name":"/{container}","labels":{labels},"ports":{ports},"networks":{{}}}}"#);
    ground.write("alpha/container", &format!("{row}\n"));
}

/// `skep forward` at work, and where the page is here.
struct Forward {
    child: Child,
    address: String,
}

impl Forward {
    fn begin(ground: &Ground) -> Self {
        let mut skep = ground.command();
        let mut child = skep.args(["forward", "--output", "json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let address = told["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
        assert!(!line.contains("s3cret"), "a token is for a terminal only: {line}");
        Self { child, address }
    }

    fn get(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        got
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_lost_connection_is_made_again_by_the_next_request() {
    let mut ground = ground("it.1.old", page());
    let forward = Forward::begin(&ground);
    assert!(forward.get().ends_with("hello"), "{}", forward.get());
    ground.servers[0].cut();
    ground.servers[0].restart();
    assert!(forward.get().ends_with("hello"), "over a new connection: {}", forward.get());
    assert!(ground.servers[0].logins() >= 2);
}

#[test]
fn a_task_that_was_replaced_has_the_page_of_the_one_before() {
    let ground = ground("it.1.old", 9);
    let forward = Forward::begin(&ground);
    assert!(forward.get().contains("502 Bad Gateway"), "{}", forward.get());
    has(&ground, "it.1.new", page());
    assert!(forward.get().ends_with("hello"), "the next task of its service: {}", forward.get());
}

#[test]
fn a_token_in_the_container_is_brought_along_to_a_terminal() {
    let ground = ground("it.1.x", page());
    ground.write("token", "s3cret\n");
    let mut terminal = OnTerminal::start(&ground, "forward");
    assert!(within(20, || terminal.told().contains("/?token=s3cret")), "{}", terminal.told());
    assert_eq!(terminal.interrupted_at("Ctrl-C ends it.").0, Some(0), "{}", terminal.told());
}
