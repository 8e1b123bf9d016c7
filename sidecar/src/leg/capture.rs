//! A leg's RTP, for a capture of its call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::capture::{CallCapture, Captured};

/// Where a leg's packets are captured.
#[derive(Debug)]
pub(crate) struct MediaCapture {
    capture: Arc<CallCapture>,
    local: SocketAddr,
}

impl MediaCapture {
    /// Of a leg whose RTP goes by `local`.
    pub(crate) fn new(capture: Arc<CallCapture>, local: SocketAddr) -> Self {
        Self { capture, local }
    }

    /// A packet that came.
    pub(crate) fn received(&self, from: SocketAddr, packet: &[u8]) {
        self.put(from, self.local, packet);
    }

    /// A packet that was sent.
    pub(crate) fn sent(&self, to: SocketAddr, packet: &[u8]) {
        self.put(self.local, to, packet);
    }

    fn put(&self, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        self.capture.put(&Captured {
            at: SystemTime::now(),
            from,
            to,
            by_stream: false,
            bytes: Bytes::copy_from_slice(packet),
        });
    }
}
