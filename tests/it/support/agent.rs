//! An `ssh-agent` of our own.

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
