//! Messages of CallSignaling to the skill, and calls that a device begins (facts G2).

use std::sync::Arc;

use skillcall_protocol::communication::{IdType, ParticipantId};
use skillcall_protocol::ids::SessionId;
use skillcall_protocol::signaling::Participant;

use super::Alexa;
use crate::customer::Customer;
use crate::signaling::{Begin, SessionError, run_outbox};
use crate::skill::RequestKind;
use crate::trouble::{Fault, Place};

impl Alexa {
    /// A device calls somebody. Without participants the device calls `to`; without an offer it makes its own.
    pub(crate) fn begin_session(
        self: &Arc<Self>,
        device_id: Option<&str>,
        to: ParticipantId,
        offer: Option<String>,
    ) -> Result<SessionId, SessionError> {
        let customer = self
            .customer(device_id)
            .ok_or_else(|| SessionError::NoSuchDevice(device_id.unwrap_or_default().to_owned()))?;
        let text = format!("amzn1.comms.session.{}", uuid::Uuid::new_v4());
        let id =
            SessionId::parse(text).map_err(|error| SessionError::Invalid(error.to_string()))?;
        let callee = Participant {
            id: to,
            is_originator: false,
        };
        let begin = Begin {
            id: id.clone(),
            customer: customer.clone(),
            participants: vec![caller(&customer), callee],
            offer,
        };
        let messages = self.sessions.begin_outbound(begin)?;
        run_outbox(self, &id, customer, messages);
        Ok(id)
    }

    /// Sends the skill a message of a session, without session and locale (facts G2). An error is the reason why it did not
    /// take it.
    pub(crate) async fn signal(
        &self,
        kind: &RequestKind,
        request_id: &str,
        customer: &Customer,
        mut faults: Vec<Fault>,
    ) -> Result<(), String> {
        faults.extend(self.orders.take_all(Place::Request));
        match self
            .send_with(kind, request_id, None, customer, &faults)
            .await
        {
            Err(error) => Err(error.to_string()),
            Ok(sent) => match sent.answer.reply {
                Ok(_) => Ok(()),
                Err(failure) => Err(failure.to_string()),
            },
        }
    }
}

/// The device as a participant: by its room's communication profile, by an address, or by its own id.
fn caller(customer: &Customer) -> Participant {
    let profile = customer.communication_profile.clone();
    let (kind, value) = match (profile, customer.addresses.first()) {
        (Some(profile), _) => (IdType::CommunicationProfileId, profile),
        (None, Some(address)) => (IdType::RawAddress, address.clone()),
        (None, None) => (IdType::RawAddress, customer.device_id.clone()),
    };
    Participant {
        id: ParticipantId { kind, value },
        is_originator: true,
    }
}
