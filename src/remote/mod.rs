//! How a host is commanded: commands as values, and the sessions that carry them.

mod command;
mod door;
pub mod fake;
pub mod pipe;
pub mod refusal;
pub mod ssh;
pub mod who;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Duration;

pub use command::{Command, User, Word, quote};
pub use door::{Door, Lent, Proof};

/// Begins a script that needs room for much: its folder `$d` in `/var/tmp` is gone with it, or, where the host lost its power,
/// with the next such script (flock(1); it holds descriptor 8).
pub const SCRATCH: &str = include_str!("scratch.sh");

/// Bytes that come from the workstation, or from another host, while a command runs.
pub type Source = Box<dyn AsyncRead + Send + Unpin>;
/// Where a command's standard output goes when it is not kept.
pub type Sink = Box<dyn AsyncWrite + Send + Unpin>;
/// A byte stream to a port that a host can reach.
pub trait Tunnel: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Tunnel for T {}

/// Is told what happens as it happens: of an output whole lines, with their ends. While it runs, the output waits.
pub type Live = Arc<dyn Fn(&str) + Send + Sync>;

/// One command to run in a session.
pub struct Exec<'a> {
    /// What to run.
    pub command: &'a Command,
    /// Bytes for its standard input, after those the command itself carries.
    pub stdin: Option<Source>,
    /// Takes its standard output; kept (up to `cap`) in [`Output::stdout`] where there is none. It is shut down only where the
    /// command ended well: what is dropped before that may be but a part.
    pub stdout: Option<Sink>,
    /// Takes its standard error as it comes; its end is kept in [`Output::stderr`] all the same.
    pub stderr: Option<Sink>,
    /// Told all of standard error, and of standard output where nobody else takes that.
    pub live: Option<Live>,
    /// Bytes kept of each of the two outputs: the last ones of a longer stream.
    pub cap: usize,
    /// After this long the command's process group is ended, and [`Lost::Deadline`] is the answer.
    pub deadline: Option<Duration>,
    /// An agent that it may ask (`SSH_AUTH_SOCK`).
    pub lent: Option<Lent>,
}

impl<'a> Exec<'a> {
    /// Runs `command` with nothing on its standard input and its output kept (1 MiB of each stream).
    pub fn new(command: &'a Command) -> Self {
        Self { command, stdin: None, stdout: None, stderr: None, live: None, cap: 1 << 20, deadline: None, lent: None }
    }
}

/// What a command that ended left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; 128 + the signal where one ended it.
    pub code: i32,
    /// Standard output, or the end of it.
    pub stdout: Vec<u8>,
    /// Standard error, or the end of it.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether the exit status is 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text, without the white space at its end.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// Standard error as text, without the white space at its end.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end().to_owned()
    }
}

/// Why there is no [`Output`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The connection is gone; what became of the command is unknown.
    #[error("the connection was lost: {0}")]
    Connection(String),
    /// The connection was gone before the command was sent: it has not run.
    #[error("the connection was lost: {0}")]
    Unsent(String),
    /// What it was to read could not be read, or nobody took what it wrote: the fault is not its host's, whose connection holds.
    #[error("{0}")]
    Relay(String),
    /// The command was still running at its deadline and was ended.
    #[error("still running after {0:?}, so it was ended")]
    Deadline(Duration),
    /// It was never started: the host refused the channel, sudo or the like.
    #[error("{0}")]
    Refused(String),
}

impl Lost {
    /// Whether the connection is gone.
    pub fn is_cut(&self) -> bool {
        matches!(self, Self::Connection(_) | Self::Unsent(_))
    }

    /// The same of a command that was not sent yet.
    #[must_use]
    pub fn unsent(self) -> Self {
        match self {
            Self::Connection(why) => Self::Unsent(why),
            other => other,
        }
    }
}

/// Why a port could not be reached from a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dial {
    /// Nothing listens there, or a firewall says no.
    #[error("connection refused")]
    Closed,
    /// No answer: packets are swallowed on the way.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// No way there: no route, no such name.
    #[error("{0}")]
    NoRoute(String),
    /// The host's sshd does not open connections for us (`AllowTcpForwarding no`).
    #[error("its sshd does not allow TCP forwarding")]
    Forbidden,
    /// The connection to the host itself is gone.
    #[error("{0}")]
    Lost(Lost),
}

/// A login on one host. Implemented by [`ssh`] and, scripted, by [`fake`].
#[async_trait]
pub trait Session: Send + Sync {
    /// Runs one command to its end. Several may run at once.
    ///
    /// # Errors
    /// [`Lost`] where the command's end was not seen. A command that failed is an `Ok` with its code.
    async fn exec(&self, exec: Exec<'_>) -> Result<Output, Lost>;

    /// Opens a connection from the host to `address:port` (RFC 4254 section 7.2, `direct-tcpip`).
    ///
    /// # Errors
    /// [`Dial`] says whether the port is closed, silent, or forbidden to try.
    async fn dial(&self, address: &str, port: u16, within: Duration) -> Result<Box<dyn Tunnel>, Dial>;

    /// How it has let us in, where another host can come in the same way: by a key, at an address.
    fn door(&self) -> Option<Door> {
        None
    }

    /// Lends the host an agent that opens these doors, each once, and signs nothing else.
    ///
    /// # Errors
    /// [`Lost`]; where the host takes no agent, or there is none to lend, it is [`Lost::Refused`].
    async fn lend(&self, _doors: Vec<Door>) -> Result<Lent, Lost> {
        Err(Lost::Refused("no agent can be lent to it".into()))
    }

    /// Whether there is an answer for a sudo that asks. It is given to [`Session::exec`]'s own only: then no script should call
    /// sudo itself.
    fn answers_sudo(&self) -> bool {
        false
    }

    /// Ends what still runs (the process groups of the commands under way), for Ctrl-C. The session stays usable.
    async fn interrupt(&self);

    /// Says goodbye.
    async fn close(&self);
}

/// Opens sessions: the seam between the engine and the network.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Whether what was given to log in to `host` with can be used at all. Contacts nobody.
    ///
    /// # Errors
    /// What is wrong with it: bad input, whoever answers there.
    async fn check(&self, _host: &crate::inventory::Host) -> Result<(), Unreachable> {
        Ok(())
    }

    /// Connects and logs in to `host`, trying again until `wait` is over where the machine does not answer
    /// yet, or does not know its user yet (a fresh cloud machine), and then with longer and longer pauses.
    ///
    /// `note` is told what is being waited for ("no answer at 203.0.113.11:22, trying again").
    ///
    /// # Errors
    /// What happened, where, and a hint.
    async fn connect(
        &self,
        host: &crate::inventory::Host,
        wait: Duration,
        note: Live,
    ) -> Result<Arc<dyn Session>, Unreachable>;
}

/// Why a host could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unreachable {
    /// What happened, and where.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}
