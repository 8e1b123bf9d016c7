//! What an exchange changed, for those who move media.

use crate::sdp::Negotiated;

/// The difference that one offer and answer made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// The peer receives elsewhere now: the media's source may change, and has to be learnt again.
    pub moved: bool,
    /// Another codec, or other payload numbers.
    pub coding: bool,
    /// Whether we send or receive has changed.
    pub direction: bool,
    /// The peer has put us on hold, or taken us off.
    pub held: bool,
    /// Other keys: a receiver begins anew with them. The same keys go on with their counters (RFC 3711 §3.3.1).
    pub keys: bool,
}

impl Shift {
    /// From what was agreed on before, if anything was, to what is now.
    pub fn between(before: Option<&Negotiated>, now: &Negotiated) -> Self {
        let Some(before) = before else {
            return Self {
                moved: true,
                coding: true,
                direction: true,
                held: now.held,
                keys: now.srtp.is_some(),
            };
        };
        let coding = |agreed: &Negotiated| {
            (
                agreed.codec,
                agreed.send_payload,
                agreed.receive_payload,
                agreed.telephone_event,
                agreed.ptime,
            )
        };
        let keys = |agreed: &Negotiated| {
            agreed
                .srtp
                .as_ref()
                .map(|srtp| (srtp.send.clone(), srtp.receive.clone()))
        };
        Self {
            // Nobody moves to the unspecified address: that is hold as RFC 2543 had it.
            moved: (before.remote, before.rtcp) != (now.remote, now.rtcp)
                && !now.remote.ip().is_unspecified(),
            coding: coding(before) != coding(now),
            direction: before.direction != now.direction,
            held: before.held != now.held,
            keys: keys(before) != keys(now),
        }
    }

    /// Whether nothing changed: a session refresh.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
