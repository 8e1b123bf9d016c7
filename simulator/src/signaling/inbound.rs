//! InitiateInboundCall: which device is called, and whether it may be (facts G3, G4).

use std::sync::Arc;

use skillcall_protocol::communication::IdType;
use skillcall_protocol::signaling::{Message, Operation, Participant, SignalingException};

use super::book::Begin;
use super::session::State;
use super::{Refused, SessionError, outbox};
use crate::alexa::{Alexa, lock};
use crate::customer::Customer;

impl Alexa {
    /// Takes a message of the skill's side; the token is `user_id`'s.
    pub(crate) fn take_message(
        self: &Arc<Self>,
        message: &Message,
        user_id: &str,
    ) -> Result<(), Refused> {
        let id = message.session_id.as_str();
        let known = self.sessions.owner(id);
        let refuse = |exception, why: &str| {
            let refused = Refused::new(exception, why);
            self.sessions
                .refused(id, message.operation.name(), &refused);
            Err(refused)
        };
        if let Operation::InitiateInboundCall {
            participants, sdp, ..
        } = &message.operation
        {
            return match known {
                None => self.call_device(message, participants, &sdp.value, user_id),
                Some((_, State::Ended)) => refuse(
                    SignalingException::InvalidCallState,
                    "a call with this sessionId is over",
                ),
                Some(_) => refuse(
                    SignalingException::ResourceConflict,
                    "a call with this sessionId is going on",
                ),
            };
        }
        match known {
            Some((customer, _)) if customer.user_id != user_id => refuse(
                SignalingException::AccessDenied,
                "the token is another account's than the session's device",
            ),
            _ => self.sessions.message(message),
        }
    }

    fn call_device(
        self: &Arc<Self>,
        message: &Message,
        participants: &[Participant],
        offer: &str,
        user_id: &str,
    ) -> Result<(), Refused> {
        let callees: Vec<&Participant> = participants
            .iter()
            .filter(|participant| !participant.is_originator)
            .collect();
        let customers = lock(&self.customers).clone();
        let called = customers
            .into_iter()
            .find(|customer| callees.iter().any(|callee| is_meant(customer, callee)));
        let Some(customer) = called else {
            return Err(Refused::new(
                SignalingException::ResourceNotFound,
                "no device is known by a participant's id",
            ));
        };
        if customer.user_id != user_id {
            return Err(Refused::new(
                SignalingException::AccessDenied,
                "the token is another account's than the called device",
            ));
        }
        let begin = Begin {
            id: message.session_id.clone(),
            customer: customer.clone(),
            participants: participants.to_vec(),
            offer: Some(offer.to_owned()),
        };
        let messages = self.sessions.begin_inbound(begin).map_err(|error| {
            let exception = match error {
                SessionError::TooMany => SignalingException::Throttling,
                _ => SignalingException::InternalServer,
            };
            Refused::new(exception, error.to_string())
        })?;
        outbox::run(self, &message.session_id, customer, messages);
        Ok(())
    }
}

/// Whether a participant's id is that of the customer's device.
fn is_meant(customer: &Customer, participant: &Participant) -> bool {
    let value = &participant.id.value;
    match participant.id.kind {
        IdType::CommunicationProfileId => customer.communication_profile.as_ref() == Some(value),
        IdType::PhoneNumber => customer.number().as_ref() == Some(value),
        IdType::RawAddress => customer.addresses.contains(value),
        IdType::Other(_) => false,
    }
}
