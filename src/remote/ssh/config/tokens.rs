//! What `ssh -G` leaves in its answers as it was written: `~`, `%h` and `${NAME}`. See TOKENS in ssh_config(5).

use std::env;
use std::path::PathBuf;

use crate::remote::who;

/// What tokens stand for.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Tokens {
    /// `%h`: where it goes to.
    pub host: String,
    /// `%n`: the host as it was named.
    pub named: String,
    /// `%k`: the name that its keys are known by.
    pub alias: String,
    /// `%p`.
    pub port: u16,
    /// `%r`: who logs in.
    pub user: String,
    /// `%j`: the hosts on the way.
    pub jump: String,
}

impl Tokens {
    /// A file's name; tokens that are not known stay as they are.
    pub fn path(&self, text: &str) -> PathBuf {
        let text = environment(&self.expand(text));
        let Some((who, rest)) = text.strip_prefix('~').map(|text| text.split_once('/').unwrap_or((text, ""))) else {
            return text.into();
        };
        match if who.is_empty() { home() } else { who::home_of(who) } {
            Some(home) => home.join(rest),
            None => text.into(),
        }
    }

    /// A command's line or the like.
    pub fn expand(&self, text: &str) -> String {
        let mut parts = text.split('%');
        let mut out = parts.next().unwrap_or_default().to_owned();
        while let Some(part) = parts.next() {
            match part.chars().next() {
                // `%%`: nothing stands between the two, and what follows is text.
                None => out += &format!("%{}", parts.next().unwrap_or_default()),
                Some(letter) => match self.value(letter) {
                    Some(value) => out += &(value + &part[letter.len_utf8()..]),
                    None => out += &format!("%{part}"),
                },
            }
        }
        out
    }

    fn value(&self, letter: char) -> Option<String> {
        let here = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        Some(match letter {
            'h' => self.host.clone(),
            'n' => self.named.clone(),
            'k' => self.alias.clone(),
            'p' => self.port.to_string(),
            'r' => self.user.clone(),
            'j' => self.jump.clone(),
            'd' => home()?.display().to_string(),
            'u' => who::user(),
            'i' => who::uid().to_string(),
            'l' => here(),
            'L' => here().split('.').next().unwrap_or_default().to_owned(),
            _ => return None,
        })
    }
}

/// `${NAME}`, and as a whole `$NAME`.
fn environment(text: &str) -> String {
    if let Some(name) = text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
        return env::var(name).unwrap_or_default();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, then)) = after.split_once('}') else { break };
        out += before;
        out += &env::var(name).unwrap_or_default();
        rest = then;
    }
    out + rest
}

/// The user's folder, as OpenSSH has it: what the system says, whatever `HOME` says.
pub(in super::super) fn home() -> Option<PathBuf> {
    let said = || env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    who::home().or_else(said)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn tokens_are_expanded_and_what_is_none_stays() {
        let tokens = Tokens {
            host: "h.lan".into(),
            named: "h".into(),
            alias: "k".into(),
            port: 22,
            user: "ann".into(),
            jump: String::new(),
        };
        let home = home().unwrap_or_default().display().to_string();
        for (text, is) in [
            ("nc %h %p", "nc h.lan 22"),
            ("%%h 100%% %r@%n", "%h 100% ann@h"),
            ("%k-%j-%z%", "k--%z%"),
            ("%d/x", &format!("{home}/x")),
        ] {
            assert_eq!(tokens.expand(text), is, "{text}");
        }
        assert_eq!(tokens.path("~root/x"), Path::new("/root/x"));
        assert_eq!(tokens.path("~/.ssh/%h"), Path::new(&home).join(".ssh/h.lan"));
        let said = std::env::var("HOME").unwrap();
        assert_eq!(tokens.path("${HOME}/x-${NO_SUCH_NAME}y"), Path::new(&said).join("x-y"));
        assert_eq!(tokens.path("$HOME"), Path::new(&said));
    }
}
