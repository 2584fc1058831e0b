//! Straight from host to host: the one that has it logs in to those that want it, by the agent that it is lent, and writes into a
//! pipe there. What is done with it there is started by us, as always, and reads that pipe.
//!
//! Where a host cannot be reached from there, it gets the same through the workstation: nobody has to read it twice.

use crate::remote::{Command, Door, SCRATCH, User, quote};

/// From what size on it is worth two logins.
pub const WORTH: u64 = 4 << 20;

/// How many times its size it may take where it comes from: `source` may unpack it there, too.
const ROOM: u64 = 2;

/// What goes to one host.
#[derive(Clone)]
pub struct Leg {
    pub door: Door,
    /// The pipe there.
    pub fifo: String,
}

/// What both ends say of it, on their standard errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The pipe is there.
    Takes(String),
    /// The host of that leg was reached, and its pipe opened.
    Open(usize),
    /// All has come there.
    Whole(usize),
    /// So many bytes have gone through the workstation, and that was all.
    Passed(u64),
    /// It was not reached, or broke off.
    Failed(usize, String),
}

/// What a line means, if it is one of ours.
pub fn word(line: &str) -> Option<Word> {
    let said = line.trim_end().strip_prefix("skep: ")?;
    if let Some(fifo) = said.strip_prefix("takes ") {
        return is_ours(fifo).then(|| Word::Takes(fifo.into()));
    }
    if let Some(bytes) = said.strip_prefix("passed ") {
        return bytes.parse().ok().map(Word::Passed);
    }
    let (leg, what) = said.strip_prefix("leg ")?.split_once(' ')?;
    let leg = leg.parse().ok()?;
    match what {
        "is open" => Some(Word::Open(leg)),
        "is whole" => Some(Word::Whole(leg)),
        _ => Some(Word::Failed(leg, what.strip_prefix("has failed: ")?.into())),
    }
}

/// It becomes part of a script on another host.
fn is_ours(fifo: &str) -> bool {
    let name = fifo.strip_prefix("/tmp/skep.").and_then(|rest| rest.strip_suffix("/in"));
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// `to`, ready to read from a pipe of its own that only `login` may write to, or else from its input: `straight` or `through` on
/// a line of that says which, and another line behind `straight` that all has come.
pub fn take(to: &Command, login: &str) -> Command {
    let script = include_str!("take.sh").replace("@LOGIN@", &quote(login)).replace("@TO@", &to.wire());
    Command::sh(script).by(to.user().clone()).shown_as(to.masked())
}

/// Whether who runs it can open a pipe that is `login`'s.
pub fn can_take(user: &User, login: &str) -> bool {
    match user {
        User::Login => true,
        User::Sudo(name) => name == "root" || name == login,
    }
}

/// `source`, at most about `bytes` of it, sent to each of these; and to its output as well where one of them cannot be reached, or
/// others want it `through` the workstation.
pub fn give(source: &Command, bytes: u64, legs: &[Leg], through: bool) -> Command {
    let lines: Vec<String> = legs.iter().enumerate().map(|(number, leg)| line(number, leg)).collect();
    let script = include_str!("give.sh")
        .replace("@SCRATCH@", SCRATCH)
        .replace("@KIB@", &(bytes / 1024 * ROOM).to_string())
        .replace("@LAST@", &legs.len().saturating_sub(1).to_string())
        .replace("@THROUGH@", if through { "1" } else { "" })
        .replace("@LEGS@", &lines.join("\n"))
        .replace("@SOURCE@", &source.wire());
    Command::sh(script).by(source.user().clone()).shown_as(source.masked())
}

fn line(number: usize, Leg { door, fifo }: &Leg) -> String {
    let words = [&door.user, &door.address, &door.host_key, fifo].map(|word| quote(word));
    format!("leg {number} {} {} &", door.port, words.join(" "))
}

#[cfg(test)]
pub(super) mod tests;
