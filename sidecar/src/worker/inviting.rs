//! The INVITE of an outgoing leg: who calls, what is offered, what is told along with it.

use std::sync::Arc;
use std::time::Instant;

use skillcall_sip::endpoint::{OutgoingInvite, Party};
use skillcall_sip::message::ExtraHeader;

use super::Running;
use super::call::CallKey;
use super::outgoing::{Attempt, Refusal};
use crate::engine::LegId;
use crate::leg::LegOffers;
use crate::resolve::Hop;
use crate::trunks::Trunk;

/// Names of TLS peers that are remembered; beyond that all are learnt anew.
const MOST_PEER_NAMES: usize = 10_000;

impl Running {
    /// Sends the INVITE of an attempt to this place.
    pub(super) fn invite(
        &mut self,
        key: CallKey,
        attempt: &Attempt,
        hop: &Hop,
        now: Instant,
    ) -> Result<(), Refusal> {
        let dial = &attempt.dial;
        let Some(slot) = self.call(key).and_then(|call| call.leg(dial.leg)?.media) else {
            return Err((500, "the leg has no RTP ports".into()));
        };
        let uri = attempt.uri.clone().ok_or((500, String::new()))?;
        let mut offers = LegOffers::new(self.media_session(
            slot,
            hop.address.ip(),
            attempt.trunk.as_deref(),
            self.codecs_of(key),
        ));
        self.offer_video(key, dial.leg, slot, attempt.trunk.as_deref(), &mut offers);
        let offer = offers
            .offer(None)
            .map_err(|error| (500, error.to_string()))?;
        let from = self
            .caller_uri(attempt.trunk.as_deref(), &dial.caller_id, hop.address.ip())
            .map_err(|error| (500, error))?;
        let mut invite = OutgoingInvite::new(uri, hop.address, Party::new(from), Some(offer));
        invite.transport = hop.transport;
        invite.udp_only = attempt.udp_only() || attempt.by_udp;
        let translated = self.shared.reachable.is_translated(hop.address.ip());
        invite.keep = translated && self.offers_keep_alives();
        self.expect_peer(hop, attempt.trunk.as_deref());
        invite.wallet = attempt
            .trunk
            .as_ref()
            .and_then(|trunk| trunk.wallet.clone());
        if let Some(trunk) = &attempt.trunk {
            invite.routes = self.first_hop(trunk).0;
        }
        let trusted = attempt
            .trunk
            .as_ref()
            .is_some_and(|trunk| trunk.config.trusted);
        if trusted {
            let caller = self.call(key).and_then(|call| call.leg(LegId::A));
            if let Some(leg) = caller {
                invite.headers.extend(leg.vouched.iter().cloned());
                let history = leg.history.iter();
                let added = history.flat_map(|history| history.led_to(&invite.target));
                invite.headers.extend(added.collect::<Vec<_>>());
            }
        }
        // What the handler says stands in the caller's words' place.
        let caller_speaks = trusted && dial.headers.get("User-to-User").is_none();
        let told = self.uui_of_invite(key, caller_speaks, &attempt.redirected_with);
        invite.headers.extend(told);
        for (name, value) in dial.headers.iter() {
            let header = ExtraHeader::new(name, value).map_err(|error| (500, error.to_string()))?;
            invite.headers.push(header);
        }
        let handle = self
            .endpoint
            .invite(now, invite)
            .map_err(|error| (503, error.to_string()))?;
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(dial.leg)) {
            entry.handle = Some(handle);
            entry.offers = Some(offers);
        }
        self.note_dialog(handle, key, dial.leg);
        Ok(())
    }

    /// Remembers what a peer on TLS has to prove.
    pub(super) fn expect_peer(&mut self, hop: &Hop, trunk: Option<&Trunk>) {
        if !hop.transport.is_secure() {
            return;
        }
        if self.peer_names.len() >= MOST_PEER_NAMES {
            self.peer_names.clear();
        }
        let set = trunk.and_then(|trunk| trunk.config.tls_name.as_deref());
        let name = set.map_or_else(|| Arc::clone(&hop.name), Into::into);
        self.peer_names.insert((hop.transport, hop.address), name);
    }
}
