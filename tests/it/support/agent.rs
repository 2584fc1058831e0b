//! An `ssh-agent` of our own, and agents that hang.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::sshd::Sshd;

/// A running agent; ended when dropped.
pub struct Agent {
    /// Where it listens.
    pub socket: PathBuf,
    program: Child,
}

impl Agent {
    /// One that holds these keys, in the folder of a server.
    pub fn start(sshd: &Sshd, keys: &[&Path]) -> Self {
        let socket = sshd.path(&format!("agent-{:x}", rand::random::<u32>()));
        let mut program = Command::new("ssh-agent");
        program.args(["-D", "-a"]).arg(&socket).stdout(std::process::Stdio::null());
        let program = program.spawn().expect("openssh-client is needed for this test");
        let agent = Self { socket, program };
        let until = Instant::now() + Duration::from_secs(20);
        while !agent.socket.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        keys.iter().for_each(|key| agent.add(key));
        agent
    }

    /// Gives it a key, with the certificate beside it.
    pub fn add(&self, key: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The request of the agent protocol that asks for the keys.
const LIST: u8 = 11;

/// An agent that takes connections and requests, and answers none.
pub struct Mute {
    /// Where it listens.
    pub socket: PathBuf,
}

impl Mute {
    /// One that is mute from the start.
    pub fn start(sshd: &Sshd) -> Self {
        Self::before(sshd, None)
    }

    /// One that says which keys that agent holds, and never signs.
    pub fn that_lists(sshd: &Sshd, agent: &Agent) -> Self {
        Self::before(sshd, Some(agent.socket.clone()))
    }

    fn before(sshd: &Sshd, lists: Option<PathBuf>) -> Self {
        let socket = sshd.path(&format!("mute-{:x}", rand::random::<u32>()));
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lists = lists.clone();
                std::thread::spawn(move || hear(stream, lists.as_deref()));
            }
        });
        Self { socket }
    }
}

fn hear(mut stream: UnixStream, lists: Option<&Path>) {
    while let Some(request) = message(&mut stream) {
        if let Some(agent) = lists.filter(|_| request[4] == LIST) {
            let mut agent = UnixStream::connect(agent).unwrap();
            agent.write_all(&request).unwrap();
            stream.write_all(&message(&mut agent).unwrap()).unwrap();
        }
    }
}

/// A message with its length before it; nothing once the other end is gone.
fn message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).ok()?;
    Some([&length[..], &message].concat())
}
