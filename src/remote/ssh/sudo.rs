//! Sudo that asks for a password.
//!
//! The password is sent as an answer, never ahead: a sudo that does not ask would leave it to the command as input. So sudo
//! asks in words that nobody can know beforehand, and the shell that it starts says that it was let in; only then does the
//! script follow. Lectures, languages and how often sudo asks do not matter then.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::MutexGuard;
use zeroize::Zeroizing;

use crate::inventory::Host;
use crate::remote::{Lost, User, refusal};
use crate::secret::Secret;

/// Its messages are understood, so they are in English.
const SUDO: &str = "env LC_ALL=C sudo";

/// What is known of sudo on one host.
pub(super) struct Sudo {
    host: String,
    login: String,
    password: Option<Secret>,
    /// Whether that is the host's own.
    own: bool,
    /// Asks, and says that the command was let in.
    words: (String, String),
    known: Mutex<Known>,
    /// Held by the one who tries the password while nobody knows whether it is right: hosts count wrong ones.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// Whom nobody becomes here without being asked.
    asked_for: BTreeSet<User>,
    /// Whether the password was taken.
    taken: Option<bool>,
}

/// How a command becomes its user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is run by who logged in.
    Straight,
    /// By a sudo that must not ask.
    Unasked,
    /// By a sudo that may ask.
    Asked,
}

impl Sudo {
    /// `asked` is what the user answered for all hosts; what the inventory says of one goes before.
    pub fn new(host: &Host, login: &str, asked: Option<&Secret>) -> Self {
        let password = host.become_password.as_ref().or(asked).cloned();
        let nonce = format!("{:032x}", rand::random::<u128>());
        let words = (format!("asks-{nonce}:"), format!("lets-{nonce}"));
        let (host, login, own) = (host.name.clone(), login.to_owned(), host.become_password.is_some());
        Self { host, login, password, own, words, known: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Whether there is an answer to its question.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// How `user` is become. `once` is for a command that cannot be sent again, where a sudo that must not ask has refused it.
    pub fn way(&self, user: &User, once: bool) -> Way {
        match user {
            User::Sudo(name) if *name != self.login => match self.has_password() && (once || self.asks_for(user)) {
                true => Way::Asked,
                false => Way::Unasked,
            },
            _ => Way::Straight,
        }
    }

    /// The line for the login shell, which runs a script of this length from the input. `head -c` takes no byte more of it.
    pub fn request(&self, user: &User, way: Way, length: usize) -> Result<String, Lost> {
        let (asks, lets) = &self.words;
        let script = format!("eval \"$(head -c {length})\"");
        Ok(match (user, way) {
            (User::Login, _) | (_, Way::Straight) => format!("sh -c '{script}'"),
            (User::Sudo(name), Way::Unasked) => format!("{SUDO} -n -H -u {} -- sh -c '{script}'", plain(name)?),
            (User::Sudo(name), Way::Asked) => {
                format!("{SUDO} -S -p {asks} -H -u {} -- sh -c 'echo {lets} >&2; {script}'", plain(name)?)
            }
        })
    }

    /// What sudo asks with.
    pub fn asks(&self) -> &str {
        &self.words.0
    }

    /// What the shell that it has started says.
    pub fn lets(&self) -> &str {
        &self.words.1
    }

    /// What to answer.
    pub fn answer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", self.password.as_ref().map(Secret::expose).unwrap_or_default()))
    }

    /// From now on `user` is become by answering.
    pub fn asked_for(&self, user: &User) {
        self.known().asked_for.insert(user.clone());
    }

    fn asks_for(&self, user: &User) -> bool {
        self.known().asked_for.contains(user)
    }

    /// Waits while another one tries the password.
    ///
    /// # Errors
    /// It was refused: it is not tried again.
    pub async fn turn(&self) -> Result<Option<MutexGuard<'_, ()>>, Lost> {
        let turn = self.turn.lock().await;
        match self.known().taken {
            None => Ok(Some(turn)),
            Some(true) => Ok(None),
            Some(false) => Err(self.wrong()),
        }
    }

    /// A command was let in; where sudo was `answered`, the password is right.
    pub fn let_in(&self, answered: bool) {
        let mut known = self.known();
        known.taken = if answered { Some(true) } else { known.taken };
    }

    /// The password was wrong.
    pub fn refused(&self) -> Lost {
        self.known().taken = Some(false);
        self.wrong()
    }

    fn wrong(&self) -> Lost {
        Lost::Refused(refusal::password(&self.login, &self.host, self.own))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The login shell may be one that does not know our quoting.
fn plain(user: &str) -> Result<&str, Lost> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_-.#".contains(c);
    if !user.is_empty() && !user.starts_with('-') && user.chars().all(fine) {
        return Ok(user);
    }
    Err(Lost::Refused(format!("{user:?} is no user's name\n\nhint: correct become_user")))
}
