//! What we can do.

use std::net::IpAddr;

use super::{Codec, Direction, Srtp};

/// Our side of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The address we receive RTP at.
    pub address: IpAddr,
    /// The port we receive RTP at; RTCP is one above (RFC 3550 §11).
    pub port: u16,
    /// Our codecs, best first.
    pub codecs: Vec<Codec>,
    /// The payload type under which we offer telephone events (RFC 4733), 96 to 127; `None` offers none. Where codecs of several
    /// clocks are offered, there are events for each clock (RFC 4733 §2.1), the others under numbers that are free.
    pub telephone_event: Option<u8>,
    /// The packet time that we ask for, in ms.
    pub ptime: u32,
    /// What we want to do.
    pub direction: Direction,
    /// Whether media are to be encrypted, and our keys.
    pub srtp: Srtp,
}

impl Capabilities {
    /// PCMU, then PCMA, telephone events as 101, 20 ms, both directions.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self {
            address,
            port,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            telephone_event: Some(101),
            ptime: 20,
            direction: Direction::SendRecv,
            srtp: Srtp::default(),
        }
    }
}
