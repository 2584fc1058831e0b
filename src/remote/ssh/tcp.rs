//! The socket under a connection, and what a host says on it before it speaks SSH.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Duration;

use super::watched::Watched;
use crate::remote::Tunnel;

/// sshd refuses in one short line of plain text.
const LONGEST_REFUSAL: usize = 512;
/// How long sent bytes may stay unacknowledged: russh's keepalives rest while it waits for room to write.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// So many reads belong to a login.
const LOGIN: u32 = 64;

/// Connects, and sets what makes small packets go at once: 140 ms a command at a round trip of 100 ms.
///
/// What comes is acknowledged at once, too, as long as the stream is young: sshd waits for that before it sends the second of
/// two small packets, and a kernel left to itself takes 40 ms.
pub(super) async fn connect(address: SocketAddr) -> io::Result<impl Tunnel> {
    socket(address).await.map(prompt)
}

async fn socket(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}

fn prompt(stream: TcpStream) -> Watched<TcpStream, impl FnMut(&TcpStream, &[u8])> {
    let mut left = LOGIN;
    // Before each read: the kernel falls back into waiting as soon as something is sent.
    Watched::new(stream, move |stream, came| {
        if left > 0 {
            left -= u32::from(!came.is_empty());
            acknowledge(stream);
        }
    })
}

fn acknowledge(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = stream.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// The first words of a host.
#[derive(Clone, Default)]
pub(super) struct Words(Arc<Mutex<Vec<u8>>>);

impl Words {
    fn hear(&self, bytes: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = LONGEST_REFUSAL.saturating_sub(heard.len());
        heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The lines that came instead of SSH's greeting, such as "Exceeded MaxStartups".
    pub fn refusal(&self) -> Option<String> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&heard);
        let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.starts_with("SSH-")).collect();
        let said = lines.join(" ").chars().filter(|c| !c.is_control()).collect::<String>();
        Some(said.trim().to_owned()).filter(|said| !said.is_empty() && !text.contains("SSH-"))
    }
}

/// A stream whose first words are kept. It ends with the leash, see [`Watched::leashed`].
pub(super) fn overheard(stream: Box<dyn Tunnel>, leash: oneshot::Receiver<()>) -> (impl Tunnel, Words) {
    let words = Words::default();
    let heard = words.clone();
    (Watched::new(stream, move |_, came| heard.hear(came)).leashed(leash), words)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn small_packets_go_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = socket(listener.local_addr().unwrap()).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(socket2::SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_comes_during_a_login_is_acknowledged_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = prompt(socket(listener.local_addr().unwrap()).await.unwrap());
        let (mut far, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        for _ in 0..LOGIN - 1 {
            near.write_all(b"x").await.unwrap();
            far.read_exact(&mut byte).await.unwrap();
            far.write_all(b"x").await.unwrap();
            near.read_exact(&mut byte).await.unwrap();
            assert!(near.stream().quickack().unwrap());
        }
    }

    #[test]
    fn a_refusal_in_plain_text_is_heard_and_a_greeting_is_none() {
        let words = Words::default();
        words.hear(b"Exceeded Max");
        words.hear(b"Startups\r\n");
        assert_eq!(words.refusal().as_deref(), Some("Exceeded MaxStartups"));
        let words = Words::default();
        words.hear(b"SSH-2.0-OpenSSH_9.2p1\r\n\0\0");
        assert_eq!(words.refusal(), None);
    }
}
