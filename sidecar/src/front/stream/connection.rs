//! One connection: what waits to be written, how it stands, what is known of its peer.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use bytes::{Buf as _, Bytes};
use skillcall_sip::endpoint::Flow;

use super::channel::Channel;
use super::framing::Framing;
use super::{PoolKey, Sent};

/// An open connection, or one that is being made.
pub(super) struct Connection {
    pub(super) channel: Channel,
    pub(super) framing: Framing,
    pub(super) flow: Flow,
    pub(super) key: PoolKey,
    pub(super) waiting: VecDeque<(Bytes, Sent)>,
    pub(super) waiting_bytes: usize,
    /// Bytes on their way, and whose message they are.
    pub(super) raw: Bytes,
    pub(super) sending: Sent,
    pub(super) began: Instant,
    pub(super) used: Instant,
    pub(super) heard: Instant,
    /// We have called, so keeping it alive is ours (RFC 5626 §4.4).
    pub(super) ours: bool,
    /// Let in by its certificate alone, which is still to be shown.
    pub(super) on_probation: bool,
    /// It may be a phone's, which has not registered yet.
    pub(super) guest: bool,
    /// A phone has registered over it, until then.
    pub(super) kept: Option<Instant>,
    pub(super) identified: bool,
    /// Its certificate is a trunk's.
    pub(super) is_trunks: bool,
    pub(super) wants_write: bool,
    /// When the last ping went that nothing has come after.
    pub(super) pinged: Option<Instant>,
    /// Whether it has answered a ping: then silence means that it is gone (RFC 5626 §4.4.1); many peers never do.
    pub(super) answers_pings: bool,
}

impl Connection {
    pub(super) fn ping(&mut self) {
        // On a WebSocket the ping is among the framing's own output already.
        let ping = self.framing.ping();
        if self.raw.is_empty() {
            self.raw = ping;
        }
    }

    pub(super) fn write_out(&mut self) -> io::Result<()> {
        if !self.channel.finish_connecting()? {
            return Ok(());
        }
        self.channel.flush()?;
        if !self.channel.is_ready() {
            return Ok(());
        }
        loop {
            while !self.raw.is_empty() {
                let len = self.channel.write(&self.raw)?;
                if len == 0 {
                    return Ok(());
                }
                self.used = Instant::now();
                self.raw.advance(len.min(self.raw.len()));
            }
            self.sending = None;
            self.raw = self.framing.output();
            if !self.raw.is_empty() {
                continue;
            }
            if !self.framing.is_open() {
                return Ok(());
            }
            let Some((message, from)) = self.waiting.pop_front() else {
                return Ok(());
            };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(message.len());
            self.sending = from;
            self.raw = self.framing.encode(message).map_err(io::Error::other)?;
        }
    }
}
