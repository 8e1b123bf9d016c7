//! A session's leg whose descriptions a page makes.

use std::sync::Arc;

use skillcall_protocol::signaling::{CallResult, Participant, RenegotiationKind};

use super::Told;
use super::mailbox::Mailbox;
use crate::signaling::endpoint::Leg;

/// Tells a page what its session wants of it.
#[derive(Debug)]
pub(super) struct BrowserLeg {
    page: Arc<Mailbox>,
    session: String,
    from: String,
}

impl BrowserLeg {
    pub(super) fn new(page: Arc<Mailbox>, session: &str, participants: &[Participant]) -> Self {
        let from = participants
            .iter()
            .find(|participant| participant.is_originator)
            .map(|participant| participant.id.value.clone());
        Self {
            page,
            session: session.to_owned(),
            from: from.unwrap_or_default(),
        }
    }
}

impl Leg for BrowserLeg {
    fn offer(&mut self, _renegotiation: Option<&RenegotiationKind>) -> Result<String, String> {
        Err("a page has this device's place: its offer is to be given as `sdp`".to_owned())
    }

    fn answer(
        &mut self,
        offer: &str,
        renegotiation: Option<&RenegotiationKind>,
    ) -> Result<Option<String>, String> {
        let session = self.session.clone();
        self.page.tell(match renegotiation {
            None => Told::Incoming {
                session,
                from: self.from.clone(),
                offer: offer.to_owned(),
            },
            Some(_) => Told::Offer {
                session,
                sdp: offer.to_owned(),
            },
        });
        Ok(None)
    }

    fn take_answer(&mut self, answer: &str) -> Result<(), String> {
        self.page.tell(Told::Answer {
            session: self.session.clone(),
            sdp: answer.to_owned(),
        });
        Ok(())
    }

    fn ringing(&mut self) {
        self.page.tell(Told::Ringing {
            session: self.session.clone(),
        });
    }

    fn accepted(&mut self) {
        self.page.tell(Told::Accepted {
            session: self.session.clone(),
        });
    }

    fn ended(&mut self, result: &CallResult) {
        self.page.tell(Told::Ended {
            session: self.session.clone(),
            code: result.code.as_str().to_owned(),
            reason: result.message.clone().unwrap_or_default(),
        });
    }
}
