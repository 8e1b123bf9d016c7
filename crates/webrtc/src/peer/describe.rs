//! Offers and answers of a leg.

use std::time::Instant;

use super::{Config, Peer};
use crate::{
    ice::{IceAgent, LocalAddress},
    sdp::{Direction, LocalTransport, OfferError, Remote, Setup},
};

/// What a later offer of the peer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renegotiated {
    /// Our answer.
    pub answer: String,
    /// Who sends has changed: hold, or resume.
    pub direction_changed: bool,
    /// The codec or a payload type has changed.
    pub codec_changed: bool,
    /// The peer has begun ICE anew: it has changed its network.
    pub ice_restarted: bool,
}

impl Peer {
    /// Takes an offer and answers it.
    ///
    /// # Errors
    /// The offer is none of WebRTC's, or has nothing in common with us.
    pub fn answer(config: Config, offer: &str, now: Instant) -> Result<(Self, String), OfferError> {
        let remote = Remote::parse(offer)?;
        let mut peer = Self::new(&config, false, now);
        let agreed = peer.negotiation.judge(&remote)?;
        let role = peer.role_by(&remote.transport, true)?;
        peer.set_association(&remote.transport, role, now);
        peer.ice.set_remote(&remote.transport, now);
        let answer = peer.negotiation.answer(
            &remote,
            agreed,
            &way(&peer.ice, &peer.identity, peer.mode, Setup::of(role)),
        );
        peer.follow_lines();
        peer.first_offer = Some(Box::new(remote));
        Ok((peer, answer))
    }

    /// Writes the answer to the peer's first offer anew, with what is said of video now: as long as nobody was given the one before.
    /// None: there is no such offer, or there were others since.
    pub fn answer_anew(&mut self) -> Option<String> {
        let offer = self.first_offer.take()?;
        let role = self.role?;
        let transport = way(&self.ice, &self.identity, self.mode, Setup::of(role));
        let answer = self.negotiation.answer_anew(&offer, &transport);
        self.first_offer = Some(offer);
        self.follow_lines();
        answer
    }

    fn follow_lines(&mut self) {
        self.demux.follow(self.negotiation.lines_of_peer());
    }

    /// Begins a call.
    pub fn offer(config: Config, now: Instant) -> (Self, String) {
        let mut peer = Self::new(&config, true, now);
        let offer =
            peer.negotiation
                .offer(&way(&peer.ice, &peer.identity, peer.mode, Setup::ActPass));
        (peer, offer)
    }

    /// Takes the answer to the offer of ours that waits for it.
    ///
    /// # Errors
    /// Nothing was offered, or it is no answer to that offer. Then all stays as it was.
    pub fn take_answer(&mut self, answer: &str, now: Instant) -> Result<(), OfferError> {
        if !self.negotiation.has_offered() {
            return Err(OfferError::NotOffered);
        }
        let remote = Remote::parse(answer)?;
        let agreed = self.negotiation.judge_answer(&remote)?;
        let role = self.role_by(&remote.transport, false)?;
        self.set_association(&remote.transport, role, now);
        let transport = &remote.transport;
        let restarts = self.is_restart(transport);
        match &mut self.next_ice {
            Some(next) => next.set_remote(transport, now),
            None if self.ice.remote_credentials().is_none() => self.ice.set_remote(transport, now),
            // A peer that begins anew though nobody has asked for it (RFC 8445 §2.4 has only offerers do it).
            None if restarts => self.restart(transport, now),
            None => self.ice.add_candidates(transport, now),
        }
        self.negotiation.take_answer(&remote, agreed);
        self.follow_lines();
        Ok(())
    }

    /// Takes a later offer of the peer and answers it. An offer of ours that waits is forgotten: the peer's goes first, as it
    /// cannot be refused (facts G3).
    ///
    /// # Errors
    /// The offer has nothing in common with us any more. Then all stays as it was.
    pub fn answer_again(&mut self, offer: &str, now: Instant) -> Result<Renegotiated, OfferError> {
        let remote = Remote::parse(offer)?;
        let agreed = self.negotiation.judge(&remote)?;
        let role = self.role_by(&remote.transport, true)?;
        let before = self.negotiation.agreed().copied();
        self.set_association(&remote.transport, role, now);
        let ice_restarted = self.is_restart(&remote.transport);
        if ice_restarted {
            self.restart(&remote.transport, now);
        } else if self.next_ice.as_ref().is_some_and(is_waiting) {
            // Our own restart is forgotten with the offer that said it.
            self.next_ice = None;
        } else {
            let agent = self.next_ice.as_mut().unwrap_or(&mut self.ice);
            if agent.remote_credentials().is_none() {
                agent.set_remote(&remote.transport, now);
            } else {
                agent.add_candidates(&remote.transport, now);
            }
        }
        let ice = self.next_ice.as_ref().unwrap_or(&self.ice);
        let answer = self.negotiation.answer(
            &remote,
            agreed,
            &way(ice, &self.identity, self.mode, Setup::of(role)),
        );
        self.first_offer = None;
        self.follow_lines();
        Ok(Renegotiated {
            answer,
            direction_changed: before.is_none_or(|before| {
                before.direction != agreed.direction
                    || before.remote_direction != agreed.remote_direction
            }),
            codec_changed: before.is_none_or(|before| before.differs_from(&agreed)),
            ice_restarted,
        })
    }

    /// Offers anew: what we want to do now. The codecs are those of [`Peer::set_codecs`], their numbers stay.
    pub fn offer_again(&mut self, direction: Direction) -> String {
        self.negotiation.set_wish(direction);
        if self.next_ice.as_ref().is_some_and(is_waiting) {
            self.next_ice = None;
        }
        self.write_offer()
    }

    /// Offers anew with other addresses of ours, or for a way that was lost: ICE begins anew, packets go the old way
    /// until there is a new one (RFC 8445 §2.4).
    pub fn offer_restart(&mut self, addresses: &[LocalAddress], now: Instant) -> String {
        self.next_ice = Some(IceAgent::new(
            self.mode,
            addresses,
            self.ice.is_controlling(),
            now,
        ));
        if !self.connected {
            self.give_up = Some(now + self.patience);
        }
        self.write_offer()
    }

    /// Forgets our offer that waits for its answer: the peer has refused it. All is as before it.
    pub fn withdraw_offer(&mut self) {
        self.negotiation.withdraw();
        if self.next_ice.as_ref().is_some_and(is_waiting) {
            self.next_ice = None;
        }
    }

    /// What we wanted to do last.
    pub const fn direction(&self) -> Direction {
        self.negotiation.wish()
    }

    fn write_offer(&mut self) -> String {
        self.first_offer = None;
        let ice = self.next_ice.as_ref().unwrap_or(&self.ice);
        // RFC 8842 §5.2: a later offer leaves the role open too; the answerer keeps it.
        self.negotiation
            .offer(&way(ice, &self.identity, self.mode, Setup::ActPass))
    }

    /// RFC 8445 §9, RFC 8839 §5.4: other credentials are another session.
    fn is_restart(&self, remote: &crate::sdp::RemoteTransport) -> bool {
        let known = self
            .next_ice
            .as_ref()
            .and_then(IceAgent::remote_credentials)
            .or_else(|| self.ice.remote_credentials());
        known.is_some_and(|known| *known != remote.credentials)
    }

    fn restart(&mut self, remote: &crate::sdp::RemoteTransport, now: Instant) {
        let addresses = self.ice.addresses().to_vec();
        let mut next = IceAgent::new(self.mode, &addresses, self.ice.is_controlling(), now);
        next.set_remote(remote, now);
        self.next_ice = Some(next);
        if !self.connected {
            self.give_up = Some(now + self.patience);
        }
    }
}

/// Whether a restart of ours has no answer yet.
fn is_waiting(agent: &IceAgent) -> bool {
    agent.remote_credentials().is_none()
}

fn way<'a>(
    ice: &'a IceAgent,
    identity: &'a crate::Identity,
    mode: crate::IceMode,
    setup: Setup,
) -> LocalTransport<'a> {
    let credentials = ice.credentials();
    LocalTransport {
        ufrag: &credentials.ufrag,
        password: &credentials.pass,
        lite: mode == crate::IceMode::Lite,
        candidates: ice.candidates(),
        fingerprint: identity.fingerprint(),
        setup,
    }
}
