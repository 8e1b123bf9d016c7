//! A change of ours that waits to be tried again, after the peer's came first (RFC 3261 §14.1).

use bytes::Bytes;

use super::event::CallHandle;
use super::{CallError, Endpoint};

impl Endpoint {
    /// Whether a change of ours waits to be tried again: the peer's may be answered meanwhile, if ours is then made anew
    /// by [`Endpoint::renew_offer`].
    pub fn change_waits(&self, call: CallHandle) -> bool {
        self.call(call)
            .and_then(|call| call.change.as_ref())
            .is_some_and(|change| !change.is_open())
    }

    /// Puts another offer into a change that waits to be tried again: what the peer has changed meanwhile holds for it,
    /// too.
    ///
    /// # Errors
    /// No change with an offer waits.
    pub fn renew_offer(&mut self, call: CallHandle, offer: Bytes) -> Result<(), CallError> {
        let found = self.call_mut(call).ok_or(CallError::Gone)?;
        let waiting = found
            .change
            .as_mut()
            .filter(|change| !change.is_open() && change.sdp.is_some());
        let change = waiting.ok_or(CallError::State {
            command: "another offer",
            expected: "a change with an offer that waits to be tried again",
        })?;
        change.sdp = Some(offer);
        Ok(())
    }

    /// The URI that the peer of an answered call is reached at: its Contact (RFC 3261 §12.1).
    pub fn peer_target(&self, call: CallHandle) -> Option<Vec<u8>> {
        let dialog = self.call(call)?.state.dialog()?;
        Some(dialog.request_uri().to_vec())
    }

    /// Whether the caller insists on reliable provisional responses.
    pub fn requires_reliable(&self, call: CallHandle) -> bool {
        self.must_be_reliable(call)
    }

    /// Whether the caller takes reliable provisional responses, and so do we (RFC 3262 §3).
    pub fn takes_reliable(&self, call: CallHandle) -> bool {
        self.has_100rel()
            && match self.call(call).map(|call| &call.state) {
                Some(super::call::CallState::Incoming(incoming)) => {
                    super::abilities::supports(incoming.invite.request.headers(), "100rel")
                }
                _ => false,
            }
    }
}
