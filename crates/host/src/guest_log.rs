//! What the component writes to standard output and standard error, as lines of the host's log.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The longest line that is gathered before it is logged.
const LONGEST: usize = 4096;

/// Gathers lines, and logs each with the target `skillcall::guest`.
#[derive(Clone, Default)]
pub(crate) struct GuestLog(Arc<Mutex<Line>>);

#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    fn take_in(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\n' {
                self.0.push(byte);
            }
            if byte == b'\n' || self.0.len() >= LONGEST {
                self.log();
            }
        }
    }

    fn log(&mut self) {
        if !self.0.is_empty() {
            let line = String::from_utf8_lossy(&self.0);
            tracing::info!(target: "skillcall::guest", "{line}");
            self.0.clear();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.log();
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestLog {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.take_in(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
