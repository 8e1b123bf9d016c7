//! Messages cut out of a stream's bytes, and put into them: SIP's own framing, or WebSocket's.

use bytes::Bytes;
use skillcall_sip::message::{Frame, StreamFramer};

use super::websocket::WebSocketFraming;

/// The CRLF CRLF that asks whether the peer lives (RFC 5626 §4.4.1).
const PING: &[u8] = b"\r\n\r\n";
/// Its answer.
const PONG: &[u8] = b"\r\n";

pub(super) enum Framing {
    /// Content-Length says where a message ends (RFC 3261 §18.3).
    Sip(StreamFramer),
    /// A WebSocket message is a SIP message (RFC 7118).
    Web(Box<WebSocketFraming>),
}

impl Framing {
    /// The bytes behind the answer to a ping of ours, where one is awaited.
    pub(super) fn without_pong<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Sip(framer) => framer.without_pong(bytes),
            Self::Web(_) => bytes,
        }
    }

    /// Takes bytes that came; the messages that are whole now are added to `messages`. What has to be answered is told
    /// by [`Framing::output`].
    ///
    /// # Errors
    /// Why the stream cannot be read on.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<Bytes>,
        pinged: &mut bool,
    ) -> Result<(), String> {
        match self {
            Self::Sip(framer) => {
                framer.push(bytes);
                loop {
                    match framer.poll() {
                        Ok(Some(Frame::Message(message))) => messages.push(message),
                        Ok(Some(Frame::Ping)) => *pinged = true,
                        Ok(None) => return Ok(()),
                        Err(error) => return Err(error.to_string()),
                    }
                }
            }
            Self::Web(socket) => {
                socket.push(bytes);
                while let Some(message) = socket.poll()? {
                    // A keep-alive that a client sends as a message (RFC 5626) is none of SIP's.
                    if message.len() > 4 {
                        messages.push(message);
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether messages can be sent.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Sip(_) => true,
            Self::Web(socket) => socket.is_open(),
        }
    }

    /// What the framing itself has to say: handshake and pongs of a WebSocket.
    pub(super) fn output(&mut self) -> Bytes {
        match self {
            Self::Sip(_) => Bytes::new(),
            Self::Web(socket) => socket.take_output().into(),
        }
    }

    /// A message as it goes over the wire.
    pub(super) fn encode(&mut self, message: Bytes) -> Result<Bytes, String> {
        match self {
            Self::Sip(_) => Ok(message),
            Self::Web(socket) => {
                socket.encode(message)?;
                Ok(socket.take_output().into())
            }
        }
    }

    /// The answer to a ping of the peer's (one answers all of a read).
    pub(super) const fn pong(&self) -> Bytes {
        match self {
            Self::Sip(_) => Bytes::from_static(PONG),
            Self::Web(_) => Bytes::new(),
        }
    }

    /// A ping of ours.
    pub(super) fn ping(&mut self) -> Bytes {
        match self {
            Self::Sip(_) => Bytes::from_static(PING),
            Self::Web(socket) => {
                let _ = socket.ping();
                socket.take_output().into()
            }
        }
    }
}
