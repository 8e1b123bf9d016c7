//! What an outgoing call is made of.

use std::sync::Arc;

use bytes::Bytes;

use super::flow::{ConnectionId, Destination, Transport};
use crate::auth::Wallet;
use crate::message::{ExtraHeader, Method, Uri, needs_quotes};

/// A display name and a URI for From or To.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The display name; it is quoted and escaped as needed.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
}

impl Party {
    /// A party without a display name.
    pub const fn new(uri: Uri) -> Self {
        Self { display: None, uri }
    }

    /// The same with a display name.
    pub fn named(mut self, display: impl Into<String>) -> Self {
        self.display = Some(display.into());
        self
    }
}

/// An INVITE to send.
#[derive(Debug, Clone)]
pub struct OutgoingInvite {
    /// The Request-URI.
    pub target: Uri,
    /// Where to send it.
    pub destination: Destination,
    /// Over which transport.
    pub transport: Transport,
    /// Whether the next hop takes nothing but UDP; otherwise a request above 1300 bytes goes by TCP (RFC 3261 §18.1.1),
    /// if [`EndpointConfig::tcp`](super::EndpointConfig::tcp) is set. Holds for all requests of the call.
    pub udp_only: bool,
    /// From, without tag.
    pub from: Party,
    /// To, without tag.
    pub to: Party,
    /// The Call-ID; `None` makes one that begins with the endpoint's prefix.
    pub call_id: Option<String>,
    /// The SDP offer; `None` asks the peer for one.
    pub offer: Option<Bytes>,
    /// Further headers.
    pub headers: Vec<ExtraHeader>,
    /// The route set: values of Route headers, first hop first (RFC 3261 §8.1.2, RFC 3608). Each is written as it is.
    pub routes: Vec<String>,
    /// What 401 and 407 are answered with, in this INVITE and in all later requests of the call.
    pub wallet: Option<Arc<Wallet>>,
    /// Whether to offer keep-alives: whoever gets it may ask for them in its answer's Via (RFC 6223,
    /// [`Via::keep`](crate::message::Via::keep)), and to send them is the caller's part.
    pub keep: bool,
}

impl OutgoingInvite {
    /// An INVITE to `target`, sent over UDP to `destination`, with To the same as the target.
    pub fn new(
        target: Uri,
        destination: impl Into<Destination>,
        from: Party,
        offer: Option<Bytes>,
    ) -> Self {
        let to = Party::new(target.clone());
        let destination = destination.into();
        Self {
            target,
            destination,
            transport: Transport::Udp,
            udp_only: false,
            from,
            to,
            call_id: None,
            offer,
            headers: Vec::new(),
            routes: Vec::new(),
            wallet: None,
            keep: false,
        }
    }
}

/// The Contact of a request outside calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OwnContact {
    /// None.
    #[default]
    None,
    /// The endpoint's own, with header parameters behind it: empty, or `;expires=60;+sip.instance="<urn:…>"`.
    Ours(String),
    /// The same with another user part, which is escaped as needed.
    As {
        /// The user part.
        user: String,
        /// The header parameters behind it.
        params: String,
    },
    /// `*`: all of them (RFC 3261 §10.2.2).
    All,
}

/// A request outside calls to send: REGISTER, OPTIONS, MESSAGE and their like.
#[derive(Debug, Clone)]
pub struct OutgoingRequest {
    /// The method; INVITE, ACK and CANCEL have ways of their own.
    pub method: Method,
    /// The Request-URI.
    pub target: Uri,
    /// Where to send it.
    pub destination: Destination,
    /// Over which transport.
    pub transport: Transport,
    /// As [`OutgoingInvite::udp_only`].
    pub udp_only: bool,
    /// Over which connection, while it is open.
    pub connection: Option<ConnectionId>,
    /// From, without tag.
    pub from: Party,
    /// To, without tag.
    pub to: Party,
    /// The Call-ID; `None` makes one. REGISTERs of one registration carry the same.
    pub call_id: Option<String>,
    /// The CSeq, from 1.
    pub cseq: u32,
    /// The Contact.
    pub contact: OwnContact,
    /// The route set: values of Route headers, first hop first.
    pub routes: Vec<String>,
    /// Further headers.
    pub headers: Vec<ExtraHeader>,
    /// Media type and body.
    pub body: Option<(String, Bytes)>,
    /// What 401 and 407 are answered with.
    pub wallet: Option<Arc<Wallet>>,
    /// As [`OutgoingInvite::keep`].
    pub keep: bool,
}

impl OutgoingRequest {
    /// A request to `target`, sent over UDP to `destination`, with To the same as the target.
    pub fn new(
        method: Method,
        target: Uri,
        destination: impl Into<Destination>,
        from: Party,
    ) -> Self {
        Self {
            method,
            to: Party::new(target.clone()),
            target,
            destination: destination.into(),
            transport: Transport::Udp,
            udp_only: false,
            connection: None,
            from,
            call_id: None,
            cseq: 1,
            contact: OwnContact::None,
            routes: Vec::new(),
            headers: Vec::new(),
            body: None,
            wallet: None,
            keep: false,
        }
    }
}

/// A party as From and To write it.
pub(super) fn party(party: &Party) -> String {
    match &party.display {
        Some(display) if needs_quotes(display) => {
            let mut out = String::from("\"");
            for letter in display.chars().filter(|letter| !letter.is_control()) {
                if matches!(letter, '"' | '\\') {
                    out.push('\\');
                }
                out.push(letter);
            }
            format!("{out}\" <{}>", party.uri)
        }
        Some(display) => format!("{display} <{}>", party.uri),
        None => format!("<{}>", party.uri),
    }
}
