//! Why a command was never started, in words that help.

use super::User;

/// Begins the remedy at the end of a message.
const HINT: &str = "\n\nhint: ";

/// A message without the remedy at its end, and that.
pub fn parted(message: &str) -> (&str, Option<&str>) {
    message.split_once(HINT).map_or((message, None), |(what, hint)| (what, Some(hint)))
}

/// What to say where the script's first line was never heard of: `code` and `said` are what came back instead.
pub fn explain(user: &User, login: &str, code: i32, said: &str) -> String {
    let said = if said.is_empty() { format!("it exited with {code} and said nothing") } else { said.to_owned() };
    match user {
        User::Sudo(name) if name != login => sudo(name, login, &said),
        _ => format!(
            "no command can be run as {login:?}: {said}{HINT}its login shell must run `sh`; see `getent passwd {login}` there"
        ),
    }
}

fn sudo(name: &str, login: &str, said: &str) -> String {
    format!("sudo did not let {login:?} run commands as {name:?}: {said}{HINT}{}", remedy(name, login, said))
}

fn remedy(name: &str, login: &str, said: &str) -> String {
    if said.contains("not found") {
        return "install sudo on the host, or log in as root (user: root in the inventory)".into();
    }
    if said.contains("unknown user") {
        return format!("there is no user {name:?} on the host: correct become_user");
    }
    if said.contains("tty") || said.contains("terminal") && !said.contains("password") {
        return format!("its sudoers wants a terminal; allow this user to do without: Defaults:{login} !requiretty");
    }
    format!(
        "as an administrator of the host: echo '{login} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/90-{login} \
         (or become: false, where no step needs it)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_sudo_names_the_line_for_sudoers() {
        let told = explain(&User::root(), "ann", 1, "sudo: a password is required");
        assert!(
            told.contains("sudo did not let \"ann\" run commands as \"root\": sudo: a password is required"),
            "{told}"
        );
        let hint = parted(&told).1.expect("a remedy");
        assert!(hint.starts_with("as an administrator of the host: echo 'ann ALL=(ALL) NOPASSWD: ALL'"), "{hint}");
    }

    #[test]
    fn other_refusals_have_their_own_remedies() {
        assert!(explain(&User::root(), "ann", 127, "sh: 1: sudo: not found").contains("hint: install sudo"));
        assert!(
            explain(&User::root(), "ann", 1, "sudo: sorry, you must have a tty to run sudo").contains("!requiretty")
        );
        assert!(explain(&User::Login, "ann", 1, "This account is not available").contains("login shell"));
    }
}
