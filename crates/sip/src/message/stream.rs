//! Cutting messages out of a byte stream (RFC 3261 §18.3, keep-alives of RFC 5626 §3.5.1).

use bytes::{Buf, Bytes, BytesMut};

use super::name::HeaderName;
use super::parse::MAX_MESSAGE;
use super::scan::{decimal, is_blank, trim};

/// What a stream holds next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One message, to be given to [`super::parse`] with [`Framing::Stream`](super::Framing::Stream).
    Message(Bytes),
    /// A keep-alive ping, CRLF CRLF; the answer is one CRLF (RFC 5626 §4.4.1).
    Ping,
}

/// Why a stream cannot be read on; the connection has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The headers, or headers and body, exceed the limit.
    #[error("a message longer than {limit} bytes; at most that many are read")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// No Content-Length, so nobody knows where the next message begins.
    #[error("a message without Content-Length on a stream, where RFC 3261 §18.3 requires it")]
    NoLength,
    /// Content-Length is no number, or stands twice with different numbers.
    #[error("a Content-Length that is no single number of bytes")]
    BadLength,
}

/// Collects bytes and hands out whole messages. Holds at most one message and what one `push` brought beyond it.
#[derive(Debug)]
pub struct StreamFramer {
    buffer: BytesMut,
    limit: usize,
    /// Bytes already searched for the end of the headers.
    searched: usize,
    /// Length of the message at the front, once its headers are whole.
    needed: Option<usize>,
}

impl Default for StreamFramer {
    fn default() -> Self {
        Self::new(MAX_MESSAGE)
    }
}

impl StreamFramer {
    /// A framer that refuses messages of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
            searched: 0,
            needed: None,
        }
    }

    /// Adds bytes that came from the connection; call [`StreamFramer::poll`] until it gives `None` before adding more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes a pong off the bytes that came, where one is awaited: a CRLF that is not the begin of a ping, between messages.
    /// Two pongs in a row would look like a ping.
    pub fn without_pong<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        match bytes.strip_prefix(b"\r\n") {
            Some(rest) if self.buffer.is_empty() && !rest.starts_with(b"\r\n") => rest,
            _ => bytes,
        }
    }

    /// The next whole message or ping, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// See [`FrameError`]; it will not get better.
    pub fn poll(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.needed.is_none() && self.searched == 0 {
            if self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                return Ok(Some(Frame::Ping));
            }
            // A single CRLF is a pong, or padding between messages (RFC 3261 §7.5); one alone may become a ping.
            while self.buffer.len() > 2
                && self.buffer.starts_with(b"\r\n")
                && self.buffer.get(2) != Some(&b'\r')
            {
                self.buffer.advance(2);
            }
            if self.buffer.is_empty() || self.buffer.starts_with(b"\r") {
                return Ok(None);
            }
        }
        let needed = match self.needed {
            Some(needed) => needed,
            None => {
                let from = self.searched.saturating_sub(3);
                let Some(at) =
                    memchr::memmem::find(self.buffer.get(from..).unwrap_or_default(), b"\r\n\r\n")
                else {
                    self.searched = self.buffer.len();
                    if self.buffer.len() > self.limit {
                        return Err(FrameError::TooLarge { limit: self.limit });
                    }
                    return Ok(None);
                };
                let head = from + at + 4;
                let length = content_length(self.buffer.get(..head).unwrap_or_default())?;
                let needed = head.saturating_add(length);
                if needed > self.limit {
                    return Err(FrameError::TooLarge { limit: self.limit });
                }
                self.needed = Some(needed);
                needed
            }
        };
        if self.buffer.len() < needed {
            return Ok(None);
        }
        self.needed = None;
        self.searched = 0;
        Ok(Some(Frame::Message(self.buffer.split_to(needed).freeze())))
    }

    /// Bytes held back because their message is not whole yet.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

fn content_length(head: &[u8]) -> Result<usize, FrameError> {
    let mut found = None;
    for line in head.split(|&byte| byte == b'\n') {
        if line.first().is_some_and(|&byte| is_blank(byte)) {
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        if HeaderName::from_bytes(trim(line.get(..colon).unwrap_or_default()))
            != HeaderName::ContentLength
        {
            continue;
        }
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        let length = decimal(value)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(FrameError::BadLength)?;
        if found.is_some_and(|other| other != length) {
            return Err(FrameError::BadLength);
        }
        found = Some(length);
    }
    found.ok_or(FrameError::NoLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nl : 3\r\n\r\nabc";

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let mut stream = Vec::new();
        stream.extend_from_slice(b"\r\n");
        stream.extend_from_slice(ONE);
        stream.extend_from_slice(b"\r\n\r\n");
        stream.extend_from_slice(ONE);
        for chunk in 1..stream.len() {
            let mut framer = StreamFramer::default();
            let mut frames = Vec::new();
            for piece in stream.chunks(chunk) {
                framer.push(piece);
                while let Some(frame) = framer.poll().unwrap() {
                    frames.push(frame);
                }
            }
            let message = Frame::Message(Bytes::from_static(ONE));
            assert_eq!(
                frames,
                [message.clone(), Frame::Ping, message],
                "cut every {chunk} bytes"
            );
            assert_eq!(framer.pending(), 0);
        }
    }

    #[test]
    fn what_cannot_be_framed_is_refused() {
        let refused = |bytes: &[u8]| {
            let mut framer = StreamFramer::new(100);
            framer.push(bytes);
            framer.poll().unwrap_err()
        };
        assert_eq!(
            refused(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n"),
            FrameError::NoLength
        );
        assert_eq!(
            refused(b"X\r\nContent-Length: -1\r\n\r\n"),
            FrameError::BadLength
        );
        assert_eq!(
            refused(b"X\r\nl: 1\r\nContent-Length: 2\r\n\r\n"),
            FrameError::BadLength
        );
        assert_eq!(
            refused(b"X\r\nl: 99999999999999999999\r\n\r\n"),
            FrameError::TooLarge { limit: 100 }
        );
        assert_eq!(refused(&[b'x'; 101]), FrameError::TooLarge { limit: 100 });
    }
}
