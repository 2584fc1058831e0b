//! Real users of this machine: made for a test, and removed after it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use skep::inventory::Host;

use super::sshd::{Sshd, must};

/// A user of this machine.
pub struct Somebody {
    /// Its login name.
    pub name: String,
}

impl Somebody {
    /// Is made, without a password.
    pub fn with_shell(shell: &str) -> Self {
        let name = format!("skep{:x}", rand::random::<u32>());
        // The password is one that no word has: an account that is locked would not be let in.
        must("useradd", &["--no-create-home", "--home-dir", "/tmp", "--password", "*", "--shell", shell, &name]);
        Self { name }
    }

    /// What it may do through sudo, as sudoers says it.
    pub fn may(&self, rule: &str) {
        let file = self.sudoers();
        std::fs::write(&file, format!("{} {rule}\nDefaults:{} {}\n", self.name, self.name, "!lecture")).unwrap();
        must("chmod", &["440", &file]);
    }

    /// Sudo gives its commands a terminal of their own.
    pub fn with_terminals(&self) {
        self.with("use_pty");
    }

    /// More of what sudo does for it, as `Defaults` of sudoers say it.
    pub fn with(&self, defaults: &str) {
        let file = self.sudoers();
        let rules = std::fs::read_to_string(&file).unwrap();
        must("chmod", &["640", &file]);
        std::fs::write(&file, format!("{rules}Defaults:{} {defaults}\n", self.name)).unwrap();
        must("chmod", &["440", &file]);
    }

    /// Sets its password, which sudo asks for.
    pub fn has(&self, password: &str) {
        let mut chpasswd = Command::new("chpasswd").stdin(Stdio::piped()).spawn().unwrap();
        writeln!(chpasswd.stdin.take().unwrap(), "{}:{password}", self.name).unwrap();
        assert!(chpasswd.wait().unwrap().success());
    }

    /// May do everything, with a password.
    pub fn with_password(password: &str) -> Self {
        let somebody = Self::with_shell("/bin/bash");
        somebody.has(password);
        somebody.may("ALL=(ALL) ALL");
        somebody
    }

    fn sudoers(&self) -> String {
        format!("/etc/sudoers.d/{}", self.name)
    }

    /// It logs in there.
    pub fn at(&self, sshd: &Sshd) -> Host {
        Host { user: Some(self.name.clone()), ..sshd.host("one") }
    }
}

impl Drop for Somebody {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.sudoers());
        // Whoever still runs something cannot be removed, and dying takes a moment.
        for _ in 0..20 {
            let _ = Command::new("pkill").args(["-KILL", "-u", &self.name]).output();
            let removed = Command::new("userdel").arg(&self.name).output();
            if removed.is_ok_and(|output| output.status.success()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}
