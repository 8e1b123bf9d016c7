//! What the control API wants of one leg.

use tokio::sync::oneshot;

use super::Running;
use super::call::CallKey;
use crate::engine::LegId;

/// An order for a leg.
#[derive(Debug, Clone)]
pub(crate) enum LegOrder {
    /// Put it on hold, or take it off.
    Hold(bool),
    /// Ask its party to call this URI.
    Transfer(String),
    /// Ask its party to take the place of the party of the leg with this CallId.
    TransferTo(String),
}

/// What came of an order: nothing to say, or why it is refused. `None`: there is no such leg.
pub(crate) type LegReply = oneshot::Sender<Option<Result<(), String>>>;

impl Running {
    pub(super) fn on_order(&mut self, call_id: &str, order: LegOrder, reply: LegReply) {
        let outcome = self.leg_with(call_id).map(|(key, leg)| match order {
            LegOrder::Hold(on) => self.hold(key, leg, on),
            LegOrder::Transfer(to) => self.refer_leg(key, leg, &to),
            LegOrder::TransferTo(other) => self.refer_leg_to(key, leg, &other),
        });
        // Whoever asked may have gone.
        let _ = reply.send(outcome);
    }

    /// The leg with this CallId.
    pub(super) fn leg_with(&self, call_id: &str) -> Option<(CallKey, LegId)> {
        self.calls.iter().find_map(|(slot, call)| {
            let leg = call
                .legs
                .iter()
                .find(|leg| leg.call_id.as_str() == call_id)?;
            let serial = call.serial;
            Some((CallKey { slot, serial }, leg.id))
        })
    }
}
