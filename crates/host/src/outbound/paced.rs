//! A reply's body that may not pause for too long.

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

pub(super) struct Paced {
    body: Incoming,
    pause: Duration,
    limit: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(body: Incoming, pause: Duration) -> Self {
        Self {
            body,
            pause,
            limit: None,
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.limit = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let pause = self.pause;
        let limit = self
            .limit
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + pause)));
        ready!(limit.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
