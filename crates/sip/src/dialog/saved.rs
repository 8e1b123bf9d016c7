//! A dialog that outlives its endpoint: what is needed to end it with a BYE after a restart.

use super::{Dialog, Parts};
use crate::endpoint::{Flow, Transport};
use std::net::SocketAddr;

/// A dialog as it can be written down (RFC 3261 §12: its identity, route set and target).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedDialog {
    /// Call-ID.
    pub call_id: Vec<u8>,
    /// Our From of requests, with its tag.
    pub local: Vec<u8>,
    /// Our To of requests, with the peer's tag.
    pub remote: Vec<u8>,
    /// The Request-URI of requests to the peer.
    pub target: Vec<u8>,
    /// The route set, in the order of Route headers.
    pub routes: Vec<Vec<u8>>,
    /// The CSeq of our last request.
    pub cseq: u32,
    /// The transport.
    pub transport: Transport,
    /// Our address.
    pub from: SocketAddr,
    /// The address that the dialog came from, or was sent to.
    pub to: SocketAddr,
}

/// Requests that were sent after the dialog was written down have used CSeq numbers; they may have gaps
/// (RFC 3261 §12.2.2), so the BYE takes one that is far enough away.
const AFTER: u32 = 10_000;

impl Dialog {
    /// The dialog, to be written down.
    pub fn save(&self) -> SavedDialog {
        SavedDialog {
            call_id: self.call_id().to_vec(),
            local: self.local.of(&self.text).to_vec(),
            remote: self.remote.of(&self.text).to_vec(),
            target: self.target().to_vec(),
            routes: self.routes.iter().map(|route| route.to_vec()).collect(),
            cseq: self.local_cseq,
            transport: self.flow.transport,
            from: self.flow.local,
            to: self.flow.remote,
        }
    }
}

impl SavedDialog {
    /// The dialog again, without the connection that it had.
    pub(crate) fn restore(&self) -> Dialog {
        let parts = Parts {
            call_id: &self.call_id,
            local: &self.local,
            local_suffix: b"",
            remote: &self.remote,
            remote_tag: None,
            target: &self.target,
        };
        let routes = self
            .routes
            .iter()
            .map(|route| route.as_slice().into())
            .collect();
        let flow = Flow {
            transport: self.transport,
            local: self.from,
            remote: self.to,
            connection: None,
        };
        Dialog::pack(&parts, routes, self.cseq.saturating_add(AFTER), None, flow)
    }
}
