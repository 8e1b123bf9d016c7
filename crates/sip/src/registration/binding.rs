//! One phone's place.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A flow of a phone that registers several (RFC 5626 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FlowId {
    /// `+sip.instance`: which device, a URN.
    pub instance: String,
    /// `reg-id`: which of its flows; `None` for a device that names itself but has one flow.
    pub reg_id: Option<u32>,
}

/// Where an address of record can be reached, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The Contact URI, as it was registered.
    pub contact: String,
    /// The Contact's header parameters but `expires` and `q`, from the first `;`.
    pub params: String,
    /// Unix time in seconds at which it ends.
    pub expires_at: u64,
    /// Preference in thousandths: 0 to 1000, 1000 when the phone says none.
    pub q: u16,
    /// The Call-ID of the REGISTER.
    pub call_id: String,
    /// The CSeq of the REGISTER.
    pub cseq: u32,
    /// The device and flow, if the phone names them.
    pub flow: Option<FlowId>,
    /// The Path that requests to the phone take, first hop first (RFC 3327).
    pub path: Vec<String>,
    /// Where the REGISTER came from: where a phone behind a NAT is reached.
    pub source: SocketAddr,
    /// The transport it came over: `UDP`, `TCP`, `TLS`.
    pub transport: String,
    /// Unix time in seconds of the last REGISTER.
    pub registered_at: u64,
}

impl Binding {
    /// Seconds that are left at `now`.
    pub const fn left(&self, now: u64) -> u64 {
        self.expires_at.saturating_sub(now)
    }

    /// The value of a Contact header that lists this binding (RFC 3261 §10.3 point 8).
    pub fn listed(&self, now: u64) -> String {
        let mut out = format!("<{}>{}", self.contact, self.params);
        if self.q != 1000 {
            out.push_str(&format!(";q=0.{:03}", self.q));
        }
        out.push_str(&format!(";expires={}", self.left(now)));
        out
    }
}
