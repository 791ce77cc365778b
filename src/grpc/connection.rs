//! A connection as it is served: one that does not begin to speak HTTP/2 in time is closed, so that silent ones cannot
//! use up the process's file descriptors; and one more is let in for each that goes. Absent on purpose: what becomes of
//! a connection that spoke and fell silent (it is asked whether it is still there: `KEEP_ALIVE`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::until;

/// How long a client may take to send its preface, as a request's head over REST.
const GREETING_TIME: Duration = Duration::from_secs(5);
/// `PRI * HTTP/2.0` and what belongs to it.
const GREETING: usize = 24;

pub(super) struct Connection {
    stream: TcpStream,
    /// Until the preface is there.
    greeting: Option<Greeting>,
    /// Its place among those that are open at a time.
    _place: OwnedSemaphorePermit,
}

struct Greeting {
    read: usize,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    pub fn new(stream: TcpStream, place: OwnedSemaphorePermit, stopped: watch::Receiver<bool>) -> Self {
        // Nothing of it is in flight yet, so it need not keep the service from stopping.
        let over = Box::pin(async move {
            let _either = tokio::time::timeout(GREETING_TIME, until(stopped)).await;
        });
        Self { stream, greeting: Some(Greeting { read: 0, over }), _place: place }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(greeting) = &mut self.greeting else { return polled };
        match polled {
            Poll::Ready(Ok(())) => {
                greeting.read += buffer.filled().len() - before;
                if greeting.read >= GREETING {
                    self.greeting = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => greeting.over.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}
