//! Why a command was never started, in words that help.

use std::time::Duration;

use super::User;

/// Begins the remedy at the end of a message.
const HINT: &str = "\n\nhint: ";

/// A message without the remedy at its end, and that.
pub fn parted(message: &str) -> (&str, Option<&str>) {
    message.split_once(HINT).map_or((message, None), |(what, hint)| (what, Some(hint)))
}

/// What to say where the script's first line was never heard of: `code` and `said` are what came back instead.
pub fn explain(user: &User, login: &str, code: i32, said: &str) -> String {
    // What nologin(8) says, and a shell that ends by itself: sudo was never run.
    let by_shell = said.contains("account is currently not available") || (said.is_empty() && code == 0);
    let said = if said.is_empty() { format!("it exited with {code} and said nothing") } else { said.to_owned() };
    match user {
        User::Sudo(name) if name != login && !by_shell => sudo(name, login, code, &said),
        _ => format!(
            "no command can be run as {login:?}: {said}{HINT}its login shell must run `sh`; see `getent passwd {login}` there"
        ),
    }
}

/// Whether that is sudo's word for: I must ask, and was told not to. In English; there are several of it.
pub fn wants_password(code: i32, said: &str) -> bool {
    code == 1 && (said.contains("password is required") || said.contains("authentication is required"))
}

/// Whether that is sudo's last word after a wrong password.
pub fn was_wrong(said: &str) -> bool {
    said.contains("incorrect password attempt") || said.contains("incorrect authentication attempt")
}

/// What to say where the password was wrong: the host's `own`, or the one that was asked for.
pub fn password(login: &str, host: &str, own: bool) -> String {
    let remedy = match own {
        true => "correct its become_password in the inventory",
        false => "what -K asked for is not it; a host's own password is its become_password in the inventory",
    };
    format!("sudo refused the password for {login} on {host}{HINT}{remedy}")
}

/// What to say where sudo neither asks for a password nor goes on.
pub fn silent(user: &User, login: &str, after: Duration, said: &str) -> String {
    let said = if said.is_empty() { "it says nothing" } else { said };
    let name = if let User::Sudo(name) = user { name } else { login };
    format!(
        "sudo did not ask for a password within {after:?}, nor let {login:?} run commands as {name:?}: {said}{HINT}see there \
         what it waits for: sudo -u {name} true"
    )
}

fn sudo(name: &str, login: &str, code: i32, said: &str) -> String {
    // What shells and env(1) say of it is in the host's language, their exit status is not.
    if code == 127 {
        return format!(
            "there is no sudo, by which {login:?} could run commands as {name:?}: {said}{HINT}install sudo on the host, \
             log in as root (user: root in the inventory), or say become: false, or `skep exec --login`, where root is not needed"
        );
    }
    format!("sudo did not let {login:?} run commands as {name:?}: {said}{HINT}{}", remedy(name, login, code, said))
}

fn remedy(name: &str, login: &str, code: i32, said: &str) -> String {
    if said.contains("unknown user") {
        return format!("there is no user {name:?} on the host: correct become_user");
    }
    if wants_password(code, said) {
        return format!(
            "give the password: -K asks for it, become_password in the inventory holds it. Or let sudo do without, {}",
            without(login)
        );
    }
    // Sudo's own words: start-up files, too, complain that they have no tty (stty(1), mesg(1)).
    if said.contains("must have a tty") {
        return format!("its sudoers wants a terminal; allow this user to do without: Defaults:{login} !requiretty");
    }
    without(login)
}

fn without(login: &str) -> String {
    // Sudo passes over files whose names have a `.` in them, or end in `~` (sudoers(5)).
    let file = login.replace(['.', '~'], "-");
    format!(
        "as an administrator of the host: echo '{login} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/90-{file} \
         (or become: false, or `skep exec --login`, where root is not needed)"
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
        assert!(hint.contains("as an administrator of the host: echo 'ann ALL=(ALL) NOPASSWD: ALL'"), "{hint}");
        assert!(hint.contains("-K") && hint.contains("become_password"), "{hint}");
    }

    #[test]
    fn what_start_up_files_say_of_a_terminal_and_what_people_are_called_is_no_word_of_sudo() {
        let noise = "stty: 'standard input': Inappropriate ioctl for device";
        let told = explain(&User::root(), "ann", 1, &format!("{noise}\nsudo: a password is required"));
        assert!(told.contains("-K") && !told.contains("requiretty"), "{told}");
        let told = explain(&User::root(), "betty", 1, "betty is not in the sudoers file.");
        assert!(told.contains("echo 'betty ALL=(ALL) NOPASSWD: ALL'") && !told.contains("requiretty"), "{told}");
    }

    #[test]
    fn the_file_for_sudoers_has_a_name_that_sudo_reads() {
        let told = explain(&User::root(), "jane.doe", 1, "sudo: a password is required");
        assert!(told.contains("echo 'jane.doe ALL=(ALL)") && told.contains("/etc/sudoers.d/90-jane-doe "), "{told}");
    }

    #[test]
    fn other_refusals_have_their_own_remedies() {
        assert!(explain(&User::root(), "ann", 127, "env: 'sudo': No such file").contains("hint: install sudo"));
        assert!(
            explain(&User::root(), "ann", 1, "sudo: sorry, you must have a tty to run sudo").contains("!requiretty")
        );
        assert!(explain(&User::Login, "ann", 1, "This account is not available").contains("login shell"));
    }
}
