//! A pipe within this process whose end is told from its breaking off: half of a thing must not look like the whole.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// Where it is written. Only `shutdown` ends it; dropped before that, it breaks off.
pub struct Writer {
    to: DuplexStream,
    whole: Arc<AtomicBool>,
}

/// Where it is read: what broke off is an error.
pub struct Reader {
    from: DuplexStream,
    whole: Arc<AtomicBool>,
}

/// Both ends of one in which so many bytes can wait.
pub fn pipe(bytes: usize) -> (Writer, Reader) {
    let (to, from) = duplex(bytes);
    let whole = Arc::new(AtomicBool::new(false));
    (Writer { to, whole: whole.clone() }, Reader { from, whole })
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, at: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.to).poll_write(at, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, at: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_flush(at)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, at: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole.store(true, Ordering::Release);
        Pin::new(&mut self.to).poll_shutdown(at)
    }
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, at: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (into.filled().len(), into.remaining());
        ready!(Pin::new(&mut self.from).poll_read(at, into))?;
        let ended = room > 0 && into.filled().len() == before;
        match ended && !self.whole.load(Ordering::Acquire) {
            true => Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it was whole"))),
            false => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn the_end_is_told_from_a_break() {
        for whole in [true, false] {
            let (mut to, mut from) = pipe(64);
            to.write_all(b"half").await.unwrap();
            if whole {
                to.shutdown().await.unwrap();
            }
            drop(to);
            let mut got = Vec::new();
            assert_eq!((from.read_to_end(&mut got).await.is_ok(), got.as_slice()), (whole, b"half".as_slice()));
        }
    }
}
