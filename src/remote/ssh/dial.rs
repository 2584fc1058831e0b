//! Connections from a host to somewhere else (RFC 4254 section 7.2).

use std::sync::Arc;

use futures::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, Error};
use tokio::io::{AsyncWriteExt, DuplexStream, WriteHalf, copy, duplex, split};
use tokio::sync::oneshot;
use tokio::time::{Duration, timeout};

use super::connection::Connection;
use super::watched::holding;
use crate::remote::{Dial, Tunnel};

/// How far its reader may fall behind before a tunnel is given up: a channel that nobody reads would hold up all others.
const BEHIND: usize = 64 << 20;

/// How long after its refusal sshd's words for it may come.
const WORDS: Duration = Duration::from_millis(100);

/// How long what was written to a tunnel before it was dropped may take to be sent.
const LAST: Duration = Duration::from_secs(1);

/// Opens a tunnel to `address:port` as the host sees it.
///
/// What sshd says of a failure comes without the channel it belongs to. So a failure is tried once more, alone: then its
/// words are its own, however many others fail at the same time.
pub(super) async fn dial(
    connection: &Arc<Connection>,
    address: &str,
    port: u16,
    within: Duration,
) -> Result<Box<dyn Tunnel>, Dial> {
    let first = attempt(connection, address, port, within).await?;
    if !matches!(first, Err(Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed))) {
        return told(connection, first, within).await;
    }
    let _alone = connection.alone.lock().await;
    let _ = connection.facts.undialled();
    let again = attempt(connection, address, port, within).await?;
    told(connection, again, within).await
}

async fn told(
    connection: &Connection,
    tried: Result<Box<dyn Tunnel>, Error>,
    within: Duration,
) -> Result<Box<dyn Tunnel>, Dial> {
    match tried {
        Ok(tunnel) => Ok(tunnel),
        Err(error) => Err(explain(connection, &error, within).await),
    }
}

async fn attempt(
    connection: &Arc<Connection>,
    address: &str,
    port: u16,
    within: Duration,
) -> Result<Result<Box<dyn Tunnel>, Error>, Dial> {
    let opening = open(connection.clone(), address.to_owned(), port);
    match timeout(within, opening).await {
        Err(_) => Err(Dial::Silent(within)),
        Ok(Err(_)) => Err(Dial::Lost(connection.lost())),
        Ok(Ok(Ok(channel))) => Ok(Ok(Box::new(pump(channel)))),
        Ok(Ok(Err(error))) => Ok(Err(error)),
    }
}

/// In a task of its own: what comes too late must still be closed.
fn open(connection: Arc<Connection>, address: String, port: u16) -> oneshot::Receiver<Result<Channel<Msg>, Error>> {
    let (tell, opened) = oneshot::channel();
    tokio::spawn(async move {
        let result = connection.handle.channel_open_direct_tcpip(address, port.into(), "127.0.0.1", 0).await;
        connection.is_in();
        if let Err(Ok(late)) = tell.send(result) {
            let _ = late.close().await;
        }
    });
    opened
}

async fn explain(connection: &Connection, error: &Error, within: Duration) -> Dial {
    match error {
        Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => because(&reason(connection).await, within),
        Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
            let _ = connection.facts.undialled();
            Dial::Forbidden
        }
        Error::ChannelOpenFailure(other) => Dial::NoRoute(format!("{other:?}")),
        _ => Dial::Lost(connection.lost()),
    }
}

/// The words of sshd come on another way than its refusal, just after it. Where others failed meanwhile, nobody knows which
/// words are ours, unless they are the same.
async fn reason(connection: &Connection) -> String {
    tokio::time::sleep(WORDS).await;
    let mut reasons = connection.facts.undialled();
    reasons.dedup();
    reasons.join(", or ")
}

/// Reads sshd's words, which are those of strerror(3).
fn because(reason: &str, within: Duration) -> Dial {
    if reason.contains(", or ") {
        Dial::NoRoute(reason.to_owned())
    } else if reason.contains("refused") {
        Dial::Closed
    } else if reason.contains("timed out") {
        Dial::Silent(within)
    } else {
        Dial::NoRoute(if reason.is_empty() { "the host could not connect".into() } else { reason.to_owned() })
    }
}

/// Drains the channel, whatever its reader does, until both directions have ended or nobody holds our end any more.
///
/// That our end was dropped is heard at the other end, whether or not somebody still speaks there.
fn pump(channel: Channel<Msg>) -> impl Tunnel {
    let (stream, far) = duplex(BEHIND);
    let (held, dropped) = oneshot::channel::<()>();
    let (mut from, to) = split(far);
    let (read, write) = channel.split();
    tokio::spawn(async move {
        let mut up = Box::pin(write.make_writer());
        let send = async {
            let _ = copy(&mut from, &mut up).await;
            let _ = up.shutdown().await;
        };
        let both = async { tokio::join!(bring(read, to), send) };
        tokio::pin!(both);
        tokio::select! {
            _ = &mut both => {}
            _ = dropped => drop(timeout(LAST, both).await),
        }
        let _ = write.close().await;
    });
    holding(stream, held)
}

async fn bring(mut read: ChannelReadHalf, mut to: WriteHalf<DuplexStream>) {
    while let Some(message) = read.wait().await {
        match message {
            // The buffer takes it at once, or its reader is too far behind, or gone.
            ChannelMsg::Data { data } => match to.write_all(&data).now_or_never() {
                Some(Ok(())) => {}
                _ => break,
            },
            ChannelMsg::Eof | ChannelMsg::Close => break,
            _ => {}
        }
    }
    let _ = to.shutdown().await;
}
