//! What two sidecars tell each other during a hand-over and after it: frames of a length and a body.
//!
//! The length is 32 bits, the least significant byte first; the body is postcard's encoding of [`Frame`]. Whoever changes a
//! frame's meaning or place raises [`VERSION`]: the two ends are builds of different times.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use skillcall_sip::endpoint::Transport;

/// What both ends must speak.
pub(crate) const VERSION: u32 = 1;
/// What the first frame of each side says, so that another program is known as such.
pub(crate) const MAGIC: &str = "skillcall-sidecar hand-over";
/// The longest body, in bytes: a SIP message of 64 KiB with room to spare.
pub(super) const LONGEST: usize = 1 << 20;
/// Entries of a list in one frame; a longer list takes several.
pub(super) const PART: usize = 256;

/// What a listening socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Use {
    /// SIP over UDP.
    Udp,
    /// SIP over TCP.
    Tcp,
    /// SIP over TLS.
    Tls,
    /// SIP over WebSocket.
    Ws,
    /// SIP over secure WebSocket.
    Wss,
    /// The control API.
    Control,
    /// The hand-over's own Unix socket.
    HandOver,
}

impl From<Transport> for Use {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
            Transport::Tls => Self::Tls,
            Transport::Ws => Self::Ws,
            Transport::Wss => Self::Wss,
        }
    }
}

impl Use {
    /// The SIP transport, if it is SIP's.
    pub(crate) const fn transport(self) -> Option<Transport> {
        match self {
            Self::Udp => Some(Transport::Udp),
            Self::Tcp => Some(Transport::Tcp),
            Self::Tls => Some(Transport::Tls),
            Self::Ws => Some(Transport::Ws),
            Self::Wss => Some(Transport::Wss),
            Self::Control | Self::HandOver => None,
        }
    }
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Control => "control",
            Self::HandOver => "handover",
        })
    }
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// What for.
    pub(crate) what: Use,
    /// The address as the configuration names it, whose port may be 0; none for the Unix socket.
    pub(crate) named: Option<SocketAddr>,
    /// The address that it has.
    pub(crate) bound: Option<SocketAddr>,
}

/// The first frame of a process that starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// [`MAGIC`].
    pub(crate) magic: String,
    /// [`VERSION`].
    pub(crate) version: u32,
    /// Its process id.
    pub(crate) pid: u32,
}

/// The answer of the process that runs. The sockets come with its first byte, in the order of `listening`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// [`MAGIC`].
    pub(crate) magic: String,
    /// [`VERSION`].
    pub(crate) version: u32,
    /// Its process id.
    pub(crate) pid: u32,
    /// What its ids carry: the next process's carry the next one.
    pub(crate) generation: u8,
    /// Its listening sockets.
    pub(crate) listening: Vec<Listening>,
}

/// A registration of ours with a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AtRegistrar {
    /// The trunk's name.
    pub(crate) trunk: String,
    /// By what its registrar was asked.
    pub(crate) by: Use,
    /// Where.
    pub(crate) address: SocketAddr,
    /// The route of our requests (RFC 3608), first hop first.
    pub(crate) route: Vec<String>,
}

/// A SIP message that one process has read and the other one owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    /// How it came; never [`Use::Control`] or [`Use::HandOver`].
    pub(crate) by: Use,
    /// Whence.
    pub(crate) remote: SocketAddr,
    /// Where it was listened for.
    pub(crate) local: SocketAddr,
    /// The connection of the process that has read it; none by UDP.
    pub(crate) connection: Option<u64>,
    /// The trunk whose certificate the connection has shown.
    pub(crate) trunk: Option<String>,
    /// The message.
    pub(crate) bytes: Vec<u8>,
}

/// A SIP message that goes out on a connection of the other process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posted {
    /// Which transport.
    pub(crate) by: Use,
    /// The other process's connection.
    pub(crate) connection: u64,
    /// Where to open one if that is closed.
    pub(crate) to: SocketAddr,
    /// What the peer's certificate has to prove then.
    pub(crate) name: Option<String>,
    /// The message.
    pub(crate) bytes: Vec<u8>,
}

/// Something that one process tells the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// May I take over?
    Ask(Ask),
    /// You may: here are my sockets, which I go on reading until you say [`Frame::Take`].
    Hello(Hello),
    /// You may not, and why.
    Refused(String),
    /// I read from now on.
    Take,
    /// Call-IDs of calls that stay.
    Calls(Vec<Vec<u8>>),
    /// Call-IDs of what began a short time ago, and may be repeated by its senders.
    Recent(Vec<Vec<u8>>),
    /// Client session ids that have made a call, and the seconds that they are still remembered.
    ClientSessions(Vec<(String, u32)>),
    /// Sessions of the gateway that stay.
    GatewaySessions(Vec<String>),
    /// Requests of the gateway that were taken.
    GatewayRequests(Vec<String>),
    /// Nonces of signed requests that were used, and when, in Unix seconds.
    Nonces(Vec<(i64, String)>),
    /// Registrars of trunks that send calls here.
    Registrars(Vec<AtRegistrar>),
    /// All was said: the sockets are yours.
    Yours {
        /// Calls that stay.
        calls: u32,
        /// The Unix socket of the control API of the process that stays.
        control: String,
    },
    /// I have read this, and it is yours.
    Message(Passed),
    /// Send this.
    Send(Posted),
    /// A phone has registered over a connection of yours: it stays so many seconds.
    Keep {
        /// The connection.
        connection: u64,
        /// How long.
        seconds: u32,
    },
    /// A client session id may make a call again.
    Release(String),
    /// I am asked to end: end, too.
    End,
    /// My last call is over, and I end.
    Bye,
}

/// Why a stream of frames cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The length is none that a sidecar would write.
    #[error("a frame of {0} bytes; at most {LONGEST} are expected")]
    TooLong(u32),
    /// The body is no frame.
    #[error("no frame: {0}")]
    Unreadable(String),
}

impl Frame {
    /// The frame as it goes over the socket.
    ///
    /// # Errors
    /// It is longer than the other end would take.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let body = postcard::to_allocvec(self)
            .map_err(|error| FrameError::Unreadable(error.to_string()))?;
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if body.len() > LONGEST {
            return Err(FrameError::TooLong(length));
        }
        let mut whole = Vec::with_capacity(body.len() + 4);
        whole.extend(length.to_le_bytes());
        whole.extend(body);
        Ok(whole)
    }

    /// A list in as many frames as it takes.
    pub(super) fn parts<T: Clone>(list: &[T], frame: impl Fn(Vec<T>) -> Self) -> Vec<Self> {
        list.chunks(PART).map(|part| frame(part.to_vec())).collect()
    }
}

/// Cuts frames out of the bytes that come.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    read: usize,
}

impl Decoder {
    /// More bytes have come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one. After an error nothing more can be read.
    ///
    /// # Errors
    /// [`FrameError`].
    pub(crate) fn poll(&mut self) -> Result<Option<Frame>, FrameError> {
        let rest = self.buffer.get(self.read..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length);
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if wanted > LONGEST {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = rest.get(..wanted) else {
            return Ok(None);
        };
        let (frame, left) = postcard::take_from_bytes(body)
            .map_err(|error| FrameError::Unreadable(error.to_string()))?;
        if !left.is_empty() {
            let why = format!("{} bytes behind it", left.len());
            return Err(FrameError::Unreadable(why));
        }
        self.read += 4 + wanted;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests;
