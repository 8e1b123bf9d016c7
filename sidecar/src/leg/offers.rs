//! A leg's offers and answers, over all the dialogs that its INVITE makes.
//!
//! A forked INVITE has one offer and several answers (RFC 3261 §13.2.2.4): each early dialog goes on from the offer by
//! itself, and the one that answers becomes the leg's.

use bytes::Bytes;
use skillcall_sip::offer::{OfferAnswer, OfferError, OfferState};
use skillcall_sip::sdp::{MediaSession, Negotiated, VideoPlace};
use skillcall_video::Terms;

/// The most early dialogs of one leg whose descriptions are kept; further ones are heard of when they answer.
const MOST_FORKS: usize = 8;

/// An early dialog of an outgoing leg.
#[derive(Debug)]
struct Fork {
    tag: Box<[u8]>,
    exchange: OfferAnswer,
    /// What it has answered without being sure that we know: the 2xx may say it once more, or leave it out.
    early: Option<Bytes>,
}

/// A leg's side of its session.
#[derive(Debug)]
pub(crate) struct LegOffers {
    /// The dialog's; while an outgoing leg is not answered, as it was when the offer was made.
    exchange: OfferAnswer,
    forks: Vec<Fork>,
    /// A hold that our open offer begins or ends.
    hold: Option<bool>,
}

impl LegOffers {
    /// A leg in which nothing was said yet.
    pub(crate) fn new(session: MediaSession) -> Self {
        Self {
            exchange: OfferAnswer::new(session),
            forks: Vec::new(),
            hold: None,
        }
    }

    /// What was agreed on last.
    pub(crate) const fn negotiated(&self) -> Option<&Negotiated> {
        self.exchange.negotiated()
    }

    /// Whether our offer waits for its answer.
    pub(crate) fn is_open(&self) -> bool {
        self.exchange.state() == OfferState::Ours
    }

    /// Whether we hold the peer.
    pub(crate) const fn is_holding(&self) -> bool {
        self.exchange.is_holding()
    }

    /// Whether the peer holds us.
    pub(crate) fn is_held(&self) -> bool {
        self.exchange.is_held()
    }

    /// Makes an offer; `hold` begins or ends our hold.
    ///
    /// # Errors
    /// Our last offer is not answered yet.
    pub(crate) fn offer(&mut self, hold: Option<bool>) -> Result<Bytes, OfferError> {
        let offer = self.exchange.offer(hold)?;
        self.hold = hold;
        Ok(offer)
    }

    /// Takes an unanswered offer back and makes it anew, with what was agreed on meanwhile.
    ///
    /// # Errors
    /// Nothing is agreed on, or no offer is open.
    pub(crate) fn offer_again(&mut self) -> Result<Bytes, OfferError> {
        let hold = self.hold;
        self.offer(hold)
    }

    /// Says where we receive video.
    pub(crate) fn set_video_place(&mut self, place: &VideoPlace) {
        for exchange in self.all() {
            exchange.set_video_place(place.clone());
        }
    }

    /// Says what we want to say of video from the next offer or answer on; none: it is refused.
    pub(crate) fn set_video(&mut self, terms: Option<&Terms>) {
        for exchange in self.all() {
            exchange.set_video(terms.cloned());
        }
    }

    /// What a description of the peer's says of its video; nothing is changed.
    pub(crate) fn video_in(&self, description: &[u8]) -> Option<Terms> {
        self.exchange.media().video_in(description)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut OfferAnswer> {
        let forks = self.forks.iter_mut().map(|fork| &mut fork.exchange);
        std::iter::once(&mut self.exchange).chain(forks)
    }

    /// The exchange of the early dialog with this tag of the peer's, or else the leg's.
    fn of(&mut self, tag: Option<&[u8]>) -> &mut OfferAnswer {
        match tag.and_then(|tag| self.forks.iter_mut().find(|fork| *fork.tag == *tag)) {
            Some(fork) => &mut fork.exchange,
            None => &mut self.exchange,
        }
    }

    /// Answers an offer of the peer's, whose tag is `tag`.
    ///
    /// # Errors
    /// Our own offer is open (491), or the offer cannot be used (488); all is as before then.
    pub(crate) fn answer(
        &mut self,
        tag: Option<&[u8]>,
        offer: &[u8],
    ) -> Result<(Bytes, Negotiated), OfferError> {
        let (answer, agreed, _) = self.of(tag).answer(offer)?;
        Ok((answer, agreed))
    }

    /// What a provisional response says. A reliable one answers the offer for good (RFC 3262 §5); another may be
    /// followed by a different answer, so the offer stays open. `None` when the offer was answered before.
    ///
    /// # Errors
    /// The answer cannot be used.
    pub(crate) fn early(
        &mut self,
        tag: &[u8],
        sdp: &Bytes,
        reliable: bool,
    ) -> Result<Option<Negotiated>, OfferError> {
        let found = self.forks.iter().position(|fork| *fork.tag == *tag);
        let place = match found {
            Some(place) => place,
            None if self.forks.len() < MOST_FORKS => {
                self.forks.push(Fork {
                    tag: tag.into(),
                    exchange: self.exchange.clone(),
                    early: None,
                });
                self.forks.len() - 1
            }
            None => return Ok(None),
        };
        let Some(fork) = self.forks.get_mut(place) else {
            return Ok(None);
        };
        if fork.exchange.state() == OfferState::Idle {
            return Ok(None);
        }
        if reliable {
            return fork.exchange.answered(sdp).map(|(agreed, _)| Some(agreed));
        }
        let (agreed, _) = fork.exchange.clone().answered(sdp)?;
        fork.early = Some(sdp.clone());
        Ok(Some(agreed))
    }

    /// What a 2xx (with the peer's tag) or an ACK says; the other early dialogs are forgotten. `None` when a reliable
    /// response has answered before: whatever the 2xx repeats is passed over (RFC 3261 §13.2.1).
    ///
    /// # Errors
    /// There is no answer, or it cannot be used.
    pub(crate) fn answered(
        &mut self,
        tag: Option<&[u8]>,
        sdp: Option<&[u8]>,
    ) -> Result<Option<Negotiated>, OfferError> {
        let fork = tag.and_then(|tag| self.forks.iter().position(|fork| *fork.tag == *tag));
        let mut early = None;
        if let Some(fork) = fork {
            let fork = self.forks.swap_remove(fork);
            self.exchange = fork.exchange;
            early = fork.early;
        }
        self.forks.clear();
        self.hold = None;
        if self.exchange.state() == OfferState::Idle && self.exchange.negotiated().is_some() {
            return Ok(None);
        }
        let sdp = sdp.or(early.as_deref()).unwrap_or_default();
        self.exchange.answered(sdp).map(|(agreed, _)| Some(agreed))
    }

    /// Our offer was refused, or is taken back.
    pub(crate) fn refused(&mut self) {
        // Without an open offer there is nothing to take back.
        let _ = self.exchange.refused();
        self.hold = None;
    }

    /// Our offer waits to be made once more, and the peer's comes first: ours is taken back until
    /// [`LegOffers::offer_again`].
    pub(crate) fn give_way(&mut self) {
        let _ = self.exchange.refused();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_sip::sdp::{Capabilities, Direction};

    fn leg(port: u16) -> LegOffers {
        LegOffers::new(MediaSession::new(
            Capabilities::new([127, 0, 0, 1].into(), port),
            1,
        ))
    }

    fn answer_of(port: u16, offer: &[u8]) -> Bytes {
        leg(port).answer(None, offer).unwrap().0
    }

    #[test]
    fn each_fork_goes_on_from_the_same_offer() {
        let mut caller = leg(40_000);
        let offer = caller.offer(None).unwrap();
        let (first, second) = (answer_of(41_000, &offer), answer_of(42_000, &offer));
        assert!(caller.early(b"a", &first, false).unwrap().is_some());
        assert!(caller.early(b"b", &second, true).unwrap().is_some());
        assert_eq!(
            caller.early(b"b", &first, true).unwrap(),
            None,
            "answered before"
        );
        // The second answers with a 200 that says nothing new.
        assert_eq!(caller.answered(Some(b"b"), None).unwrap(), None);
        assert_eq!(caller.negotiated().unwrap().remote.port(), 42_000);
    }

    #[test]
    fn an_unsure_answer_counts_when_the_200_says_nothing() {
        let mut caller = leg(40_000);
        let offer = caller.offer(None).unwrap();
        let early = answer_of(41_000, &offer);
        caller.early(b"a", &early, false).unwrap();
        assert!(caller.is_open());
        let agreed = caller.answered(Some(b"a"), None).unwrap().unwrap();
        assert_eq!(agreed.remote.port(), 41_000);
        let mut caller = leg(40_000);
        caller.offer(None).unwrap();
        caller.answered(Some(b"a"), None).unwrap_err();
    }

    #[test]
    fn a_hold_that_met_the_peers_offer_is_offered_again() {
        let (mut us, mut peer) = (leg(40_000), leg(41_000));
        let offer = us.offer(None).unwrap();
        let (answer, _) = peer.answer(None, &offer).unwrap();
        us.answered(None, Some(&answer)).unwrap();
        us.offer(Some(true)).unwrap();
        let theirs = peer.offer(None).unwrap();
        us.answer(None, &theirs).unwrap_err();
        us.give_way();
        let (answer, _) = us.answer(None, &theirs).unwrap();
        peer.answered(None, Some(&answer)).unwrap();
        let again = us.offer_again().unwrap();
        let (answer, agreed) = peer.answer(None, &again).unwrap();
        assert!(agreed.held);
        let agreed = us.answered(None, Some(&answer)).unwrap().unwrap();
        assert_eq!(agreed.direction, Direction::SendOnly);
        assert!(us.is_holding());
    }
}
