//! Why nobody was let in.

use crate::remote::Unreachable;
use crate::remote::ssh::destination::Destination;

/// What was offered, and what became of it.
#[derive(Debug, Default)]
pub(in super::super) struct Denied {
    pub offered: Vec<String>,
    /// What the host would take.
    pub methods: Vec<String>,
    pub problems: Vec<String>,
    /// The connection ended meanwhile.
    pub cut: bool,
    /// Something was right, but not enough.
    pub partly: bool,
    /// The host was let ask its questions.
    pub asked: bool,
    /// What the host said with its questions.
    pub said: String,
    /// A password was wrong: the same one would be again, and hosts lock out who tries too often.
    pub secret: bool,
    /// Keys of the agent that were not offered: hosts hang up on who offers too many.
    pub left_out: usize,
}

impl Denied {
    /// Whether the host said no.
    pub fn was_told(&self) -> bool {
        !self.methods.is_empty()
    }

    /// For people; `reason` is what the host said when it hung up, `banner` what it says to everybody.
    pub fn tell(&self, to: &Destination, reason: Option<&str>, banner: &str) -> Unreachable {
        let user = &to.user;
        let unmade = !self.cut && !self.was_told() && !self.problems.is_empty();
        let how = if unmade { "no key could be used for" } else { "permission denied for" };
        let mut what = format!("{}: {how} the user {user:?}", to.endpoint());
        if let Some(reason) = reason.filter(|_| self.cut) {
            what += &format!(": {reason}");
        }
        what += &self.offered.iter().map(|offer| format!("\n  offered: {offer}")).collect::<String>();
        what += &self.problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>();
        if self.left_out > 0 {
            what += &format!("\n  of the agent's keys, not offered: {}", self.left_out);
        }
        if !self.methods.is_empty() {
            let further = if self.partly { "further wants" } else { "would take" };
            what += &format!("\n  the host {further}: {}", self.methods.join(", "));
        }
        let lines = banner.lines().filter(|line| !line.trim().is_empty());
        what += &lines.map(|line| format!("\n  | {line}")).collect::<String>();
        Unreachable { what, hint: Some(self.hint(to, reason.unwrap_or_default())) }
    }

    fn hint(&self, to: &Destination, reason: &str) -> String {
        let user = &to.user;
        if self.left_out > 0 || reason.contains("Too many authentication failures") {
            return "say which key it is: identity_file in the inventory; of a key of the agent the public half will do"
                .into();
        }
        if self.problems.iter().any(|one| one.contains("did not sign within")) {
            return "does it wait for you to confirm, or to touch a key? One that hangs must be started anew".into();
        }
        let takes = |names: &[&str]| self.methods.iter().any(|method| names.contains(&method.as_str()));
        let takes_passwords = takes(&["password", "keyboard-interactive"]);
        if self.said.contains("change your password")
            || self.problems.iter().any(|one| one.contains("change your password"))
        {
            return format!("log in there by hand once and change it: ssh -p {} {user}@{}", to.port, to.address);
        }
        if self.secret {
            return "the password was refused: what -k asked for is not it, or `password` in the inventory is not; and is \
                    that the right user?"
                .into();
        }
        if takes_passwords && to.password.is_none() && (self.partly || !takes(&["publickey"])) {
            return "log in with a password: --ask-pass (-k), or `password` in the inventory".into();
        }
        let or =
            if takes_passwords && to.password.is_none() { "; or log in with a password: --ask-pass (-k)" } else { "" };
        format!(
            "is {user:?} the right user (clouds make ubuntu, debian, admin or root), and is that key in its \
             ~/.ssh/authorized_keys? Give a machine that is just being made more time: --wait 5m{or}"
        )
    }
}
