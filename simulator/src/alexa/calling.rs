//! The order to call: from StartCommunicationSession to the device's INVITE.

use std::sync::Arc;

use skillcall_protocol::trace::{Direction, Message, Party, Protocol};

use super::{Alexa, CONTACT_NOT_AVAILABLE};
use crate::line::{Call, CallState, EndedBy, Side};
use crate::stopping::stopped;
use crate::trace::Known;

/// A call that the service has accepted.
#[derive(Debug, Clone)]
pub(crate) struct CallOrder {
    pub(crate) session_id: String,
    pub(crate) request_id: String,
    pub(crate) device_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) csi: Option<String>,
}

impl CallOrder {
    fn known(&self, call_id: &str) -> Known {
        Known::default()
            .request(Some(&self.request_id))
            .session(Some(&self.session_id))
            .csi(self.csi.as_deref())
            .call(call_id)
    }
}

impl Alexa {
    /// Has the device call: as soon as the skill has answered its request, because what the skill says comes before the
    /// hand-over (facts A3), or when its time is over.
    pub(crate) fn order_call(self: &Arc<Self>, order: CallOrder) {
        let mut call = Call::new(
            format!("{}@device.simulator", uuid::Uuid::new_v4()),
            Side::Device,
        );
        call.session_id = Some(order.session_id.clone());
        call.csi.clone_from(&order.csi);
        call.request_id = Some(order.request_id.clone());
        call.device_id = Some(order.device_id.clone());
        call.from.clone_from(&order.from);
        call.to.clone_from(&order.to);
        let call_id = call.id.clone();
        self.book.add(call);
        let known = order.known(&call_id);
        let message = |direction| {
            Message::new(
                Party::Alexa,
                Party::Device,
                direction,
                Protocol::Voice,
                "order call",
            )
        };
        self.trace
            .message(Party::Alexa, &known, message(Direction::Sent));
        self.trace
            .message(Party::Device, &known, message(Direction::Received));
        let alexa = Arc::clone(self);
        let mut stopping = self.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = alexa.carry_out(order, call_id) => {}
                () = stopped(&mut stopping) => {}
            }
        });
    }

    async fn carry_out(&self, order: CallOrder, call_id: String) {
        // A limit of its own: the request may have been opened by a client that never closes it.
        let _ = tokio::time::timeout(self.limits.answer, self.answered(&order.request_id)).await;
        self.devices
            .call(&order, &call_id, &self.lwa_client_id)
            .await;
        let Ok(()) = self
            .book
            .wait_for(std::time::Duration::from_secs(86_400), |calls| {
                calls
                    .iter()
                    .find(|call| call.id == call_id)
                    .is_none_or(|call| call.state == CallState::Ended)
                    .then_some(())
            })
            .await
        else {
            return;
        };
        // The sidecar refuses, or its handler fails: the customer hears the same (facts D3).
        self.book.update(&call_id, |call| {
            let refused = call.ended.as_ref().is_some_and(|ending| {
                matches!(ending.by, EndedBy::Refused | EndedBy::Failed)
                    && call.answered_at.is_none()
            });
            if refused {
                call.spoken = Some(CONTACT_NOT_AVAILABLE.to_owned());
            }
        });
        if let Some(call) = self.book.get(&call_id)
            && let Some(spoken) = &call.spoken
        {
            self.voice(&order.known(&call_id), Party::Alexa, spoken);
        }
    }
}
