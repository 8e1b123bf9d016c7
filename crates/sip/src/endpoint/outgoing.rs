//! What an outgoing call is made of.

use bytes::Bytes;

use super::flow::{Destination, Transport};
use crate::message::{ExtraHeader, Uri, needs_quotes};

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
            from,
            to,
            call_id: None,
            offer,
            headers: Vec::new(),
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
