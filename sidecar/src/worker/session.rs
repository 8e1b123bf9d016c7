//! Changes of a session: offers and answers of both sides, in re-INVITE, UPDATE, PRACK and ACK (RFC 3264, RFC 6337).

use std::time::Instant;

use bytes::Bytes;
use skillcall_sip::endpoint::{CallHandle, OwnReply, RequestId};
use skillcall_sip::message::StatusCode;
use skillcall_sip::offer::OfferError;
use skillcall_sip::sdp::{Negotiated, SdpError};

use super::Running;
use super::call::{CallKey, LegState};
use crate::engine::{Input, LegId};
use crate::leg::{Agreed, LegOffers};

/// The media type of session descriptions.
const SDP: &str = "application/sdp";

impl Running {
    fn offers(&mut self, key: CallKey, leg: LegId) -> Option<&mut LegOffers> {
        self.call_mut(key)?.leg_mut(leg)?.offers.as_mut()
    }

    /// Lets a leg's audio follow what was agreed on.
    /// `answer`: it is the peer's answer to our offer.
    pub(super) fn agree(
        &mut self,
        key: CallKey,
        leg: LegId,
        negotiated: &Negotiated,
        answer: bool,
    ) {
        let holding = self
            .offers(key, leg)
            .is_some_and(|offers| offers.is_holding());
        if let Some(media) = self.leg_media(key, leg) {
            media.agree(&Agreed::from(negotiated));
            media.holding = holding;
        }
        let held = self.offers(key, leg).is_some_and(|offers| offers.is_held());
        if leg == LegId::A && self.is_gateway(key) {
            self.gateway_input(key, crate::gateway::Input::PhoneHolds(held));
            self.video_agreed(key, negotiated, answer);
        }
    }

    /// A line for the call's trace.
    pub(super) fn note(&self, key: CallKey, problem: bool, text: &str) {
        if let Some(call) = self.call(key) {
            self.shared.trace.note(&call.ids, problem, text);
        }
    }

    /// A provisional response: early media, which may differ from fork to fork.
    pub(super) fn on_early_answer(
        &mut self,
        key: CallKey,
        leg: LegId,
        tag: &[u8],
        sdp: &Bytes,
        reliable: bool,
    ) {
        let Some(offers) = self.offers(key, leg) else {
            return;
        };
        match offers.early(tag, sdp, reliable) {
            Ok(Some(negotiated)) => {
                self.agree(key, leg, &negotiated, true);
                self.open_media(key, leg);
                self.input(key, Input::EarlyMedia { leg });
            }
            Ok(None) => {}
            // What cannot be heard early may be heard later.
            Err(error) => self.note(key, true, &format!("early media: {error}")),
        }
    }

    /// The answer to our offer, for good.
    pub(super) fn take_answer(
        &mut self,
        key: CallKey,
        leg: LegId,
        tag: Option<&[u8]>,
        sdp: Option<&[u8]>,
    ) -> Result<(), OfferError> {
        let Some(offers) = self.offers(key, leg) else {
            return Ok(());
        };
        if let Some(negotiated) = offers.answered(tag, sdp)? {
            self.agree(key, leg, &negotiated, true);
        }
        Ok(())
    }

    /// Our 200 is acknowledged: the answer to its offer comes with it, and a party that has taken a place can be offered something.
    pub(super) fn on_acknowledged(&mut self, now: Instant, call: CallHandle, sdp: Option<Bytes>) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        if let Some(media) = self.leg_media(key, leg) {
            media.unacknowledged = false;
        }
        // An offer that waits to be made once more is not what this ACK answers.
        if !self.endpoint.change_waits(call) {
            self.take_answer_of_ack(now, call, (key, leg), sdp);
        }
        self.on_place_taken(key, leg);
    }

    /// The ACK carries the answer when our 200 carried the offer; without one nothing could be heard.
    fn take_answer_of_ack(
        &mut self,
        now: Instant,
        call: CallHandle,
        (key, leg): (CallKey, LegId),
        sdp: Option<Bytes>,
    ) {
        let Some(offers) = self.offers(key, leg).filter(|offers| offers.is_open()) else {
            return;
        };
        let first = offers.negotiated().is_none();
        let Err(error) = self.take_answer(key, leg, None, sdp.as_deref()) else {
            return;
        };
        if first {
            self.note(
                key,
                true,
                &format!("the ACK's answer: {error}; the leg is ended"),
            );
            return self.end_unheard(now, call, key, leg);
        }
        self.note(
            key,
            true,
            &format!("the ACK's answer: {error}; the session stays as it was"),
        );
        if let Some(offers) = self.offers(key, leg) {
            offers.refused();
        }
    }

    /// Ends an answered leg that cannot be heard.
    fn end_unheard(&mut self, now: Instant, call: CallHandle, key: CallKey, leg: LegId) {
        let _ = self.endpoint.bye(now, call, &[]);
        self.by_handle.remove(&call);
        self.set_state(key, leg, LegState::Gone);
        self.release_leg(key, leg);
        self.input(key, Input::HungUp { leg, code: 488 });
    }

    /// Answers an offer of the peer's in its dialog with the tag `tag`.
    fn answer_offer(
        &mut self,
        call: CallHandle,
        tag: Option<&[u8]>,
        offer: &[u8],
    ) -> Result<Bytes, OfferError> {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return Err(SdpError::NoAudio.into());
        };
        // Ours was refused because both began at once: theirs comes first, and then ours anew.
        let gives_way = self.endpoint.change_waits(call);
        self.prepare_video(key, leg, Some(offer));
        let Some(offers) = self.offers(key, leg) else {
            return Err(SdpError::NoAudio.into());
        };
        if gives_way {
            offers.give_way();
        }
        let answered = offers.answer(tag, offer);
        let again = gives_way.then(|| offers.offer_again().ok()).flatten();
        if let Some(again) = again {
            // It was just seen waiting.
            let _ = self.endpoint.renew_offer(call, again);
        }
        match answered {
            Ok((answer, negotiated)) => {
                self.agree(key, leg, &negotiated, false);
                Ok(answer)
            }
            Err(error) => {
                self.note(key, true, &format!("the peer's offer was refused: {error}"));
                Err(error)
            }
        }
    }

    pub(super) fn on_reinvite(&mut self, now: Instant, call: CallHandle, offer: Option<Bytes>) {
        let refuse = |worker: &mut Self, status: StatusCode| {
            let _ = worker.endpoint.reject(now, call, status, "", &[]);
        };
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return refuse(self, StatusCode::CALL_DOES_NOT_EXIST);
        };
        let Some(offer) = offer else {
            // It asks for our offer (RFC 3261 §14.2): the one that we would make now.
            let offered = self.offers(key, leg).map(|offers| offers.offer(None));
            return match offered {
                Some(Ok(sdp)) => {
                    let _ = self.endpoint.accept(now, call, &[], Some(sdp));
                }
                Some(Err(error)) => refuse(self, error.status()),
                None => refuse(self, StatusCode::NOT_ACCEPTABLE_HERE),
            };
        };
        match self.answer_offer(call, None, &offer) {
            Ok(answer) => {
                let _ = self.endpoint.accept(now, call, &[], Some(answer));
            }
            Err(error) => refuse(self, error.status()),
        }
    }

    /// An offer in an UPDATE or PRACK of the peer's with the tag `tag`.
    pub(super) fn on_offer_in_request(
        &mut self,
        now: Instant,
        call: CallHandle,
        id: RequestId,
        tag: Option<&[u8]>,
        offer: &[u8],
    ) {
        let reply = match self.answer_offer(call, tag, offer) {
            Ok(answer) => OwnReply {
                body: Some((SDP.to_owned(), answer)),
                ..OwnReply::from(StatusCode::OK)
            },
            Err(error) => OwnReply::from(error.status()),
        };
        // Its client may have given up.
        let _ = self.endpoint.respond(now, id, &reply);
    }

    /// The answer to the offer that a reliable provisional response of ours carried.
    pub(super) fn on_pracked(&mut self, now: Instant, call: CallHandle, sdp: Option<Bytes>) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        let open = self.offers(key, leg).is_some_and(|offers| offers.is_open());
        if open && let Err(error) = self.take_answer(key, leg, None, sdp.as_deref()) {
            self.note(key, true, &format!("the PRACK's answer: {error}"));
            let status = error.status();
            let _ = self.endpoint.reject(now, call, status, "", &[]);
            self.by_handle.remove(&call);
            self.set_state(key, leg, LegState::Gone);
            self.input(key, Input::Cancelled { leg });
        }
    }

    /// Our re-INVITE or UPDATE was agreed to.
    pub(super) fn on_changed(&mut self, call: CallHandle, sdp: Option<Bytes>) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        if let Err(error) = self.take_answer(key, leg, None, sdp.as_deref()) {
            self.note(
                key,
                true,
                &format!("the answer to our offer: {error}; the session stays as it was"),
            );
        }
        self.tell_changed(key, leg);
    }

    /// The gateway waits for the end of a change before it begins the next one.
    fn tell_changed(&mut self, key: CallKey, leg: LegId) {
        if leg == LegId::A && self.is_gateway(key) {
            self.gateway_input(key, crate::gateway::Input::PhoneChanged);
        }
    }

    pub(super) fn is_gateway(&self, key: CallKey) -> bool {
        self.call(key)
            .is_some_and(|call| call.engine.as_gateway().is_some())
    }

    /// Our re-INVITE or UPDATE was refused.
    pub(super) fn on_change_failed(&mut self, call: CallHandle, status: StatusCode) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        if let Some(offers) = self.offers(key, leg) {
            offers.refused();
        }
        self.note(
            key,
            true,
            &format!("our offer was refused with {}", status.get()),
        );
        if leg == LegId::A {
            self.video_refused(key);
        }
        self.tell_changed(key, leg);
    }

    /// Puts a leg on hold, or takes it off: by re-INVITE.
    ///
    /// # Errors
    /// In words: the leg is not answered, or its session is being changed.
    pub(super) fn hold(&mut self, key: CallKey, leg: LegId, on: bool) -> Result<(), String> {
        self.offer_anew(key, leg, Some(on))
    }

    /// Offers a leg anew what there is to offer now: by re-INVITE. `hold` begins or ends our hold.
    ///
    /// # Errors
    /// In words: the leg is not answered, or its session is being changed.
    pub(super) fn offer_anew(
        &mut self,
        key: CallKey,
        leg: LegId,
        hold: Option<bool>,
    ) -> Result<(), String> {
        let handle = self
            .call(key)
            .and_then(|call| call.leg(leg))
            .filter(|entry| entry.state == LegState::Connected)
            .and_then(|entry| entry.handle)
            .ok_or("the leg is not answered")?;
        self.prepare_video(key, leg, None);
        let offers = self.offers(key, leg).ok_or("the leg has no session")?;
        let offer = offers.offer(hold).map_err(|error| error.to_string())?;
        let begun = self
            .endpoint
            .reinvite(Instant::now(), handle, Some(offer), &[]);
        begun.map_err(|error| {
            if let Some(offers) = self.offers(key, leg) {
                offers.refused();
            }
            error.to_string()
        })
    }
}
