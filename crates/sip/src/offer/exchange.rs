//! Whose offer is open (RFC 3264 §4, RFC 6337 §2).

use bytes::Bytes;
use skillcall_video::Terms;

use super::Shift;
use crate::message::StatusCode;
use crate::sdp::{Direction, MediaSession, Negotiated, SdpError, VideoPlace};

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferState {
    /// Nobody's offer is open.
    Idle,
    /// Ours waits for the peer's answer.
    Ours,
}

/// Why an offer or answer cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Our offer is open: the peer's has to wait (491).
    #[error("our own offer is not answered yet: expected its answer first")]
    Glare,
    /// There is no open offer to answer or to take back.
    #[error("no offer of ours is open")]
    NotOpen,
    /// The description cannot be used.
    #[error(transparent)]
    Description(#[from] SdpError),
}

impl OfferError {
    /// The status that refuses such an offer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Glare => StatusCode::REQUEST_PENDING,
            Self::NotOpen => StatusCode::NOT_ACCEPTABLE_HERE,
            Self::Description(error) => error.status(),
        }
    }
}

/// One session's offers and answers, and who holds whom.
#[derive(Debug, Clone)]
pub struct OfferAnswer {
    media: MediaSession,
    /// What the session was before our open offer.
    before: Option<Box<MediaSession>>,
    /// What we want while we do not hold the peer.
    wanted: Direction,
    holding: bool,
}

impl OfferAnswer {
    /// A machine over a session in which nothing was said yet.
    pub fn new(media: MediaSession) -> Self {
        Self {
            wanted: media.capabilities().direction,
            media,
            before: None,
            holding: false,
        }
    }

    /// The session.
    pub const fn media(&self) -> &MediaSession {
        &self.media
    }

    /// Says where we receive video.
    pub fn set_video_place(&mut self, place: VideoPlace) {
        self.media.set_video_place(place);
    }

    /// Says what we want to say of video from the next offer or answer on; none: it is refused.
    pub fn set_video(&mut self, terms: Option<Terms>) {
        self.media.set_video(terms);
    }

    /// What was agreed on last.
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.media.negotiated()
    }

    /// Whose turn it is.
    pub const fn state(&self) -> OfferState {
        if self.before.is_some() {
            OfferState::Ours
        } else {
            OfferState::Idle
        }
    }

    /// Whether we hold the peer.
    pub const fn is_holding(&self) -> bool {
        self.holding
    }

    /// Whether the peer holds us.
    pub fn is_held(&self) -> bool {
        self.negotiated().is_some_and(|agreed| agreed.held)
    }

    /// Makes an offer of what we want, whatever the peer does: an offer to send does not end the peer's hold, its answer
    /// says that it goes on (RFC 6337 §5.3). `hold` is `Some` to put the peer on hold or take it off: then we send only
    /// (music), or nothing if we did not want to send.
    ///
    /// # Errors
    /// Our last offer is not answered yet.
    pub fn offer(&mut self, hold: Option<bool>) -> Result<Bytes, OfferError> {
        if self.before.is_some() {
            return Err(OfferError::Glare);
        }
        self.before = Some(Box::new(self.media.clone()));
        let holding = hold.unwrap_or(self.holding);
        self.media.set_direction(self.direction(holding));
        Ok(self.media.offer())
    }

    /// The peer has answered our offer.
    ///
    /// # Errors
    /// No offer of ours is open, or the answer cannot be used: then the offer counts as refused.
    pub fn answered(&mut self, answer: &[u8]) -> Result<(Negotiated, Shift), OfferError> {
        let Some(before) = self.before.take() else {
            return Err(OfferError::NotOpen);
        };
        match self.media.accept_answer(answer) {
            Ok(agreed) => {
                self.holding =
                    !self.media.capabilities().direction.receives() && self.wanted.receives();
                let shift = Shift::between(before.negotiated(), &agreed);
                Ok((agreed, shift))
            }
            Err(error) => {
                self.restore(*before);
                Err(error.into())
            }
        }
    }

    /// The peer has refused our offer, or we took it back: all is as before.
    ///
    /// # Errors
    /// No offer of ours is open.
    pub fn refused(&mut self) -> Result<(), OfferError> {
        let before = self.before.take().ok_or(OfferError::NotOpen)?;
        self.restore(*before);
        Ok(())
    }

    fn restore(&mut self, mut before: MediaSession) {
        before.continue_versions(&self.media);
        self.media = before;
    }

    /// Answers an offer of the peer's.
    ///
    /// # Errors
    /// Our own offer is open, or the offer cannot be used; [`OfferError::status`] refuses it, and all is as before.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, Negotiated, Shift), OfferError> {
        if self.before.is_some() {
            return Err(OfferError::Glare);
        }
        let before = self.media.negotiated().cloned();
        let direction = self.direction(self.holding);
        let old = self.media.capabilities().direction;
        self.media.set_direction(direction);
        match self.media.answer(offer) {
            Ok((answer, agreed)) => {
                let shift = Shift::between(before.as_ref(), &agreed);
                Ok((answer, agreed, shift))
            }
            Err(error) => {
                self.media.set_direction(old);
                Err(error.into())
            }
        }
    }

    /// What we say that we want.
    const fn direction(&self, holding: bool) -> Direction {
        match (holding, self.wanted.sends()) {
            (false, _) => self.wanted,
            (true, true) => Direction::SendOnly,
            (true, false) => Direction::Inactive,
        }
    }
}
