//! A stream that somebody watches.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// A stream, and what is done whenever it is to be read: told the bytes that have come, if any. What that holds lives as long
/// as the stream.
pub(super) struct Watched<S, F> {
    stream: S,
    watch: F,
    leash: Option<oneshot::Receiver<()>>,
}

impl<S, F: FnMut(&S, &[u8])> Watched<S, F> {
    pub fn new(stream: S, watch: F) -> Self {
        Self { stream, watch, leash: None }
    }

    /// Ends when the other end of the leash is dropped; lives on once something was sent there.
    pub fn leashed(self, leash: oneshot::Receiver<()>) -> Self {
        Self { leash: Some(leash), ..self }
    }

    /// The stream itself.
    #[cfg(test)]
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

/// A stream that something lives as long as.
pub(super) fn holding<S, G>(stream: S, held: G) -> Watched<S, impl FnMut(&S, &[u8])> {
    Watched::new(stream, move |_, _| {
        let _ = &held;
    })
}

impl<S: AsyncRead + Unpin, F: FnMut(&S, &[u8]) + Unpin> AsyncRead for Watched<S, F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let Self { stream, watch, leash } = &mut *self;
        match leash.as_mut().map(|leash| Pin::new(leash).poll(cx)) {
            // That nothing more comes is how a reader knows of the end.
            Some(Poll::Ready(Err(_))) => return Poll::Ready(Ok(())),
            Some(Poll::Ready(Ok(()))) => *leash = None,
            Some(Poll::Pending) | None => {}
        }
        let polled = Pin::new(&mut *stream).poll_read(cx, buf);
        watch(stream, &buf.filled()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Watched<S, F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
