//! What answers at a port, as seen from a host: dialed by the workstation through the host's own session (RFC 4254 section
//! 7.2), so that nothing need be installed there to look.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Read, Readings, Seen, Value, http};
use crate::remote::{Dial, Lost, Session, Tunnel};

/// How long a connection may take, and after it an answer.
const WITHIN: Duration = Duration::from_secs(5);

/// Who is let in only to be hung up on is so at once: Docker's own proxy accepts for containers that do not listen yet.
const HANGS_UP: Duration = Duration::from_millis(150);

/// Bytes of an HTTP answer that are kept.
const CAP: u64 = 256 << 10;

/// What a port does to who dials it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// It accepts, and stays.
    Open,
    /// It accepts and hangs up at once: what stands before the service, such as Docker's proxy, is there, and it is not.
    HangsUp,
    /// It refuses: nothing listens, or a firewall rejects.
    Closed,
    /// It does not answer: a firewall or a security group swallows the packets, or nobody has that address.
    Silent,
    /// There is no way there, in the words of the host's sshd.
    NoRoute(String),
}

/// What came of asking for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Http {
    /// An answer.
    Reply {
        /// 200, 404, …; redirections are not followed.
        status: u16,
        /// What it says, up to 256 KiB.
        body: String,
    },
    /// What is there speaks no HTTP, or did not speak in time: what it did.
    NoReply(String),
    /// No connection: never [`Port::Open`].
    NoConnection(Port),
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("it accepts"),
            Self::HangsUp => f.write_str("it accepts and hangs up at once"),
            Self::Closed => f.write_str("connection refused"),
            Self::Silent => write!(f, "no answer within {} s", WITHIN.as_secs()),
            Self::NoRoute(why) => f.write_str(why),
        }
    }
}

impl Read {
    /// Whether it is answered by dialing through the host's session, not by a script on the host.
    pub fn dialed(&self) -> bool {
        matches!(self, Self::Port { .. } | Self::Http { .. })
    }
}

/// Answers dialed reads, all at once.
///
/// # Errors
/// [`Lost`] where the session itself is gone.
pub async fn answers(reads: &[Read], session: &dyn Session) -> Result<Vec<Seen<Value>>, Lost> {
    join_all(reads.iter().map(|read| answer(read, session))).await.into_iter().collect()
}

/// Answers one dialed read. Whatever the port does is an answer.
///
/// # Errors
/// [`Lost`] where the session itself is gone.
pub async fn answer(read: &Read, session: &dyn Session) -> Result<Seen<Value>, Lost> {
    let (address, port) = match read {
        Read::Port { address, port } | Read::Http { address, port, .. } => (address, *port),
        _ => return Ok(Seen::Unread("a port is not asked that".into())),
    };
    let tunnel = match session.dial(address, port, WITHIN).await {
        Ok(tunnel) => Ok(tunnel),
        Err(Dial::Closed) => Err(Port::Closed),
        Err(Dial::Silent(_)) => Err(Port::Silent),
        Err(Dial::NoRoute(why)) => Err(Port::NoRoute(why)),
        Err(Dial::Lost(lost)) => return Err(lost),
        Err(Dial::Forbidden) => return Ok(Seen::Unread(FORBIDDEN.into())),
    };
    Ok(Seen::Is(match read {
        Read::Http { path, .. } => Value::Http(match tunnel {
            Ok(tunnel) => get(tunnel, address, port, path).await,
            Err(port) => Http::NoConnection(port),
        }),
        _ => Value::Port(match tunnel {
            Ok(tunnel) => stays(tunnel).await,
            Err(port) => port,
        }),
    }))
}

/// What a port is unread for that can never be tried.
pub const FORBIDDEN: &str = "the host's sshd does not let ports be tried through it; \
                         say `AllowTcpForwarding local` in its /etc/ssh/sshd_config, then: sudo systemctl reload ssh";

async fn stays(mut tunnel: Box<dyn Tunnel>) -> Port {
    match timeout(HANGS_UP, tunnel.read(&mut [0; 1])).await {
        Ok(Ok(0) | Err(_)) => Port::HangsUp,
        // It says something first, as mail servers and sshd do, or waits to be spoken to, as most do.
        Ok(Ok(_)) | Err(_) => Port::Open,
    }
}

async fn get(mut tunnel: Box<dyn Tunnel>, address: &str, port: u16, path: &str) -> Http {
    let mut reply = Vec::new();
    let talk = async {
        tunnel.write_all(http::request(address, port, path).as_bytes()).await?;
        tunnel.take(CAP).read_to_end(&mut reply).await
    };
    // A server need not hang up in the end: what came until then is judged.
    let ended = timeout(WITHIN, talk).await;
    match (http::parse(&reply), ended) {
        (Some((status, body)), _) => Http::Reply { status, body },
        (None, _) if !reply.is_empty() => Http::NoReply("what answers is not HTTP".into()),
        (None, Err(_)) => Http::NoReply(format!("it accepts and says nothing within {} s", WITHIN.as_secs())),
        (None, Ok(_)) => Http::NoConnection(Port::HangsUp),
    }
}

impl<'a> Readings<'a> {
    /// What a port does, dialed from `host`.
    pub fn port(&self, host: &str, address: &str, port: u16) -> Seen<&'a Port> {
        self.value(host, &Read::Port { address: address.into(), port }, |value| match value {
            Value::Port(port) => Some(port),
            _ => None,
        })
    }

    /// What a page says, asked for from `host`.
    pub fn http(&self, host: &str, address: &str, port: u16, path: &str) -> Seen<&'a Http> {
        let read = Read::Http { address: address.into(), port, path: path.into() };
        self.value(host, &read, |value| match value {
            Value::Http(http) => Some(http),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::remote::{Exec, Output};

    /// Dials from here, or says what it is to say.
    struct Here(Option<Dial>);

    #[async_trait]
    impl Session for Here {
        async fn exec(&self, _: Exec<'_>) -> Result<Output, Lost> {
            Err(Lost::Refused("it only dials".into()))
        }
        async fn dial(&self, address: &str, port: u16, _: Duration) -> Result<Box<dyn Tunnel>, Dial> {
            match &self.0 {
                Some(said) => Err(said.clone()),
                None => Ok(Box::new(TcpStream::connect((address, port)).await.map_err(|_| Dial::Closed)?)),
            }
        }
        async fn interrupt(&self) {}
        async fn close(&self) {}
    }

    /// Says `says` to the first who comes, after he has spoken, and hangs up; or holds the line.
    async fn serve(says: Option<&'static str>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut line, _) = listener.accept().await.unwrap();
            let Some(says) = says else { return };
            let mut heard = [0; 1024];
            let n = line.read(&mut heard).await.unwrap();
            let heard = String::from_utf8_lossy(&heard[..n]).to_lowercase();
            assert!(n == 0 || heard.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{heard}");
            line.write_all(says.as_bytes()).await.unwrap();
        });
        port
    }

    fn port(port: u16) -> Read {
        Read::Port { address: "127.0.0.1".into(), port }
    }

    fn http(port: u16) -> Read {
        Read::Http { address: "127.0.0.1".into(), port, path: "/json/".into() }
    }

    async fn is(read: Read) -> Value {
        answer(&read, &Here(None)).await.unwrap().is().expect("an answer")
    }

    #[tokio::test]
    async fn a_port_is_open_closed_or_hangs_up() {
        assert_eq!(is(port(serve(Some("")).await)).await, Value::Port(Port::Open));
        assert_eq!(is(port(serve(None).await)).await, Value::Port(Port::HangsUp));
        assert_eq!(is(port(1)).await, Value::Port(Port::Closed));
    }

    #[tokio::test]
    async fn a_page_is_read_to_its_end() {
        let reply = "HTTP/1.1 403 Forbidden\r\nServer: x\r\n\r\nno token";
        let seen = is(http(serve(Some(reply)).await)).await;
        assert_eq!(seen, Value::Http(Http::Reply { status: 403, body: "no token".into() }));
        let seen = is(http(serve(Some("SSH-2.0-OpenSSH\r\n")).await)).await;
        assert_eq!(seen, Value::Http(Http::NoReply("what answers is not HTTP".into())));
        assert_eq!(is(http(serve(None).await)).await, Value::Http(Http::NoConnection(Port::HangsUp)));
        assert_eq!(is(http(1)).await, Value::Http(Http::NoConnection(Port::Closed)));
    }

    #[tokio::test]
    async fn only_a_session_that_may_not_or_cannot_dial_leaves_it_unread() {
        let said = async |dial| answer(&port(80), &Here(Some(dial))).await;
        assert_eq!(said(Dial::Silent(WITHIN)).await, Ok(Seen::Is(Value::Port(Port::Silent))));
        let no_route = Port::NoRoute("No route to host".into());
        assert_eq!(said(Dial::NoRoute("No route to host".into())).await, Ok(Seen::Is(Value::Port(no_route))));
        assert!(matches!(said(Dial::Forbidden).await, Ok(Seen::Unread(why)) if why.contains("AllowTcpForwarding")));
        let lost = Lost::Connection("reset".into());
        assert_eq!(said(Dial::Lost(lost.clone())).await, Err(lost));
    }
}
