//! What can be looked at on a host: typed questions, their scripts, and answers that never guess.
//!
//! A [`Read`] is a value. Reads of one kind are merged into one [`Part`] of a script, the parts of a host into one
//! [`batch`], and the answers kept in a [`Store`] until something may have changed them.

pub mod batch;
mod cloud_init;
pub mod context;
pub mod dial;
pub mod docker;
mod file;
mod http;
pub mod local;
mod locks;
mod machine;
mod package;
mod probe;
mod store;
#[cfg(test)]
pub mod testing;
mod unit;

use std::path::PathBuf;

pub use batch::is_late;
pub use cloud_init::CloudInit;
pub use dial::{Http, Port};
pub use file::{File, FileKind};
pub use local::Local;
pub use locks::Lock;
pub use machine::{Interface, Machine, Route};
pub use package::Package;
pub use probe::Probe;
pub use store::{Look, Readings, Store, Wanted};
pub use unit::Unit;

use crate::remote::Output;

/// Stands for the workstation among the hosts that can be read: its files, its clock.
pub const WORKSTATION: &str = "<workstation>";

/// What is to be read. Equal reads are read once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Read {
    /// Any command that only looks, as a line of shell.
    Probe(Probe),
    /// The machine: system, clock, size, disks, network.
    Machine,
    /// A file, folder or link.
    File {
        /// Where, absolute.
        path: String,
        /// Whether what is in it is wanted too, and its digest, up to 64 KiB. Never where it may be a secret.
        content: bool,
    },
    /// The same with the digest of what is in it, however long it is: it is read whole.
    Digest(String),
    /// Something that Docker knows: all of a host's are asked with one call.
    Docker(docker::Look),
    /// A file on the workstation, absolute; asked of [`WORKSTATION`], answered by [`local::answer`].
    Local(PathBuf),
    /// The text of a file on the workstation, absolute; asked of [`WORKSTATION`], answered by [`local::answer`].
    Text(PathBuf),
    /// What an image is built from; asked of [`WORKSTATION`], answered by [`local::answer`].
    Context(context::Context),
    /// A package of dpkg.
    Package(String),
    /// A unit of systemd: `docker.service`.
    Unit(String),
    /// Who holds the package manager's locks.
    Locks,
    /// Whether cloud-init is done.
    CloudInit,
    /// What a TCP port does, dialed from the host; answered by [`dial::answer`].
    Port {
        /// A name or an address, as the host knows it.
        address: String,
        /// Which.
        port: u16,
    },
    /// A web page, asked for from the host; answered by [`dial::answer`].
    Http {
        /// A name or an address, as the host knows it.
        address: String,
        /// Which.
        port: u16,
        /// What is asked for: `/json/`.
        path: String,
    },
}

/// What a read came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// It is there, and this is what it is like.
    Is(T),
    /// It is not there, on positive evidence: a list that was read whole lacks it, or what would hold it is not installed.
    Absent,
    /// Nothing is known, and why: a daemon that does not answer, a refused permission, a deadline.
    Unread(String),
}

impl<T> Seen<T> {
    /// The value, where there is one.
    pub fn is(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Unread(_) => None,
        }
    }

    /// A view of the same.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Is(value) => Seen::Is(value),
            Self::Absent => Seen::Absent,
            Self::Unread(why) => Seen::Unread(why.clone()),
        }
    }

    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Is(value) => Seen::Is(f(value)),
            Self::Absent => Seen::Absent,
            Self::Unread(why) => Seen::Unread(why),
        }
    }
}

/// An answer of any kind; the variant is that of the [`Read`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// How a probe ended: every exit code is an answer.
    Output(Output),
    /// What the machine is like.
    Machine(Box<Machine>),
    /// What a file is like.
    File(Box<File>),
    /// What Docker knows.
    Docker(docker::Found),
    /// What a local file is like.
    Local(Local),
    /// The text of a local file.
    Text(String),
    /// The digest of a build context.
    Context(String),
    /// What dpkg says of a package.
    Package(Package),
    /// What systemd says of a unit.
    Unit(Unit),
    /// The locks that are held.
    Locks(Vec<Lock>),
    /// How far cloud-init is.
    CloudInit(CloudInit),
    /// What a port does.
    Port(Port),
    /// What a page says.
    Http(Http),
}

/// How reads of one kind are asked and understood.
pub struct Part {
    /// A script for `sh`; its standard input is empty, its output is capped, it has a deadline.
    pub script: String,
    /// The reads it answers.
    pub reads: Vec<Read>,
    /// Understands the output: one answer for each read, in order.
    pub understand: fn(&[Read], &Output) -> Vec<Seen<Value>>,
    /// Seconds it may take.
    pub deadline: u32,
}

/// Picks the reads of one kind, and gives the parts that answer them.
type Parts = fn(&[Read]) -> Vec<Part>;

/// Every kind of read that a script answers.
const KINDS: &[Parts] = &[
    probe::parts,
    file::parts,
    docker::parts,
    package::parts,
    unit::parts,
    locks::parts,
    cloud_init::parts,
    // Last: its clock is compared with when the answers come.
    machine::parts,
];

/// Merges reads of a kind and gives the parts of the script that answers them all.
pub fn parts(reads: impl IntoIterator<Item = Read>) -> Vec<Part> {
    let reads: Vec<Read> = reads.into_iter().collect();
    KINDS.iter().flat_map(|kind| kind(&reads)).collect()
}

/// One line of output for each read, in order; what has no line is unread.
fn lines(reads: &[Read], output: &Output, parse: fn(&Read, &str) -> Seen<Value>) -> Vec<Seen<Value>> {
    let text = output.text();
    let mut lines = text.lines();
    let mut answer = |read| match lines.next() {
        Some(line) => parse(read, line),
        None => Seen::Unread(format!("no answer: {}", output.errors())),
    };
    reads.iter().map(&mut answer).collect()
}
