//! A leg that rings wherever a phone is registered: the first answer takes it, the others are given up (RFC 3261 §16.7).

use std::collections::VecDeque;
use std::time::Instant;

use skillcall_sip::endpoint::{CallHandle, OutgoingInvite, Party, Transport};
use skillcall_sip::message::{ExtraHeader, NameAddr, StatusCode, Uri};
use skillcall_sip::registration::Binding;

use super::Running;
use super::call::CallKey;
use super::outgoing::{Attempt, Dial, Refusal};
use crate::engine::LegId;
use crate::guard::RouteHeld;
use crate::leg::{LegOffers, Target};
use crate::resolve::Search;

/// One of several places that a leg rings at.
pub(super) struct Fork {
    handle: CallHandle,
    offers: LegOffers,
}

impl Running {
    /// A plan to ring a phone.
    pub(super) fn plan_phone(
        &mut self,
        key: CallKey,
        dial: Dial,
        user: &str,
        held: Option<RouteHeld>,
        now: Instant,
    ) -> Result<Attempt, Refusal> {
        let bindings = self.shared.phones.places(user);
        if bindings.is_empty() {
            return Err((480, format!("the phone `{user}` is not registered")));
        }
        let mut attempt = self.attempt(key, dial, None, VecDeque::new(), held, now)?;
        attempt.bindings = bindings;
        attempt.rings_phone = true;
        Ok(attempt)
    }

    /// Rings everywhere. What cannot be sent is left out.
    pub(super) fn ring_everywhere(
        &mut self,
        key: CallKey,
        leg: LegId,
        mut attempt: Box<Attempt>,
        now: Instant,
    ) {
        let bindings = std::mem::take(&mut attempt.bindings);
        let mut forks = Vec::with_capacity(bindings.len());
        for binding in &bindings {
            match self.invite_binding(key, &attempt.dial, binding, now) {
                Ok(fork) => forks.push(fork),
                Err(refusal) => attempt.failure = refusal,
            }
        }
        if forks.is_empty() {
            return self.refused(key, leg, attempt.failure);
        }
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) else {
            return;
        };
        entry.attempt = Some(attempt);
        if forks.len() == 1 {
            for fork in forks {
                entry.handle = Some(fork.handle);
                entry.offers = Some(fork.offers);
            }
        } else {
            entry.forks = forks;
        }
    }

    fn invite_binding(
        &mut self,
        key: CallKey,
        dial: &Dial,
        binding: &Binding,
        now: Instant,
    ) -> Result<Fork, Refusal> {
        let failed = |error: String| (500, error);
        let Some(slot) = self.call(key).and_then(|call| call.leg(dial.leg)?.media) else {
            return Err(failed("the leg has no RTP ports".into()));
        };
        let uri = Uri::parse(&binding.contact)
            .map_err(|error| failed(format!("{}: {error}", binding.contact)))?;
        let transport = Transport::named(&binding.transport).unwrap_or(Transport::Udp);
        // Where it came from leads through its NAT; a proxy in between says itself where it is (RFC 3327 §5.1).
        let (mut address, mut transport) = (binding.source, transport);
        if let Some(first) = binding.path.first().and_then(|hop| target_of(hop)) {
            let usable = self.shared.names.usable();
            let hop = first.host.ip().map(|_| Search::new(&first, usable).hops());
            if let Some(hop) = hop.and_then(|hops| hops.into_iter().next()) {
                (address, transport) = (hop.address, hop.transport);
                self.expect_peer(&hop, None);
            }
        }
        let mut offers =
            LegOffers::new(self.media_session(slot, address.ip(), None, self.codecs_of(key)));
        self.offer_video(key, dial.leg, slot, None, &mut offers);
        let offer = offers
            .offer(None)
            .map_err(|error| failed(error.to_string()))?;
        let from = self
            .caller_uri(None, &dial.caller_id, address.ip())
            .map_err(failed)?;
        let mut invite = OutgoingInvite::new(uri, address, Party::new(from), Some(offer));
        invite.transport = transport;
        // It has said by which transport it is reached.
        invite.udp_only = transport == Transport::Udp;
        invite.routes.clone_from(&binding.path);
        for (name, value) in dial.headers.iter() {
            let header =
                ExtraHeader::new(name, value).map_err(|error| failed(error.to_string()))?;
            invite.headers.push(header);
        }
        let handle = self
            .endpoint
            .invite(now, invite)
            .map_err(|error| (503, error.to_string()))?;
        self.note_dialog(handle, key, dial.leg);
        Ok(Fork { handle, offers })
    }

    /// Whether a leg rings at several places.
    pub(super) fn is_forked(&self, key: CallKey, leg: LegId) -> bool {
        let entry = self.call(key).and_then(|call| call.leg(leg));
        entry.is_some_and(|entry| !entry.forks.is_empty())
    }

    /// One of the places has answered: the leg is there from now on.
    pub(super) fn take_fork(&mut self, key: CallKey, leg: LegId, call: CallHandle, now: Instant) {
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) else {
            return;
        };
        if entry.forks.is_empty() {
            return;
        }
        let mut others = Vec::new();
        for fork in std::mem::take(&mut entry.forks) {
            if fork.handle == call {
                entry.handle = Some(fork.handle);
                entry.offers = Some(fork.offers);
            } else {
                others.push(fork.handle);
            }
        }
        self.give_up(&others, now, true);
    }

    /// One of the places has refused. True: the leg rings on elsewhere.
    pub(super) fn fork_failed(
        &mut self,
        key: CallKey,
        leg: LegId,
        call: CallHandle,
        status: StatusCode,
        reason: &str,
        now: Instant,
    ) -> bool {
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) else {
            return false;
        };
        let before = entry.forks.len();
        entry.forks.retain(|fork| fork.handle != call);
        if entry.forks.len() == before {
            return false;
        }
        let code = status.get();
        // 6xx speaks for all places (RFC 3261 §16.7 point 5).
        if code >= 600 {
            let others: Vec<CallHandle> = entry.forks.drain(..).map(|fork| fork.handle).collect();
            self.give_up(&others, now, false);
            return false;
        }
        if let Some(attempt) = &mut entry.attempt
            && !matches!(attempt.failure.0, 486 | 600..)
        {
            attempt.failure = (code, reason.to_owned());
        }
        !entry.forks.is_empty()
    }

    /// What the places of a phone have come to, once the last one has refused.
    pub(super) fn best_refusal(
        &self,
        key: CallKey,
        leg: LegId,
        status: u16,
        reason: String,
    ) -> Refusal {
        let attempt = self
            .call(key)
            .and_then(|call| call.leg(leg)?.attempt.as_ref());
        match attempt {
            Some(attempt) if attempt.rings_phone && attempt.failure.0 == 486 && status < 600 => {
                attempt.failure.clone()
            }
            _ => (status, reason),
        }
    }

    /// Gives up ringing at all places. False: the leg does not ring at several.
    pub(super) fn cancel_forks(&mut self, key: CallKey, leg: LegId, now: Instant) -> bool {
        let Some(entry) = self.call(key).and_then(|call| call.leg(leg)) else {
            return false;
        };
        let handles: Vec<CallHandle> = entry.forks.iter().map(|fork| fork.handle).collect();
        for handle in &handles {
            // `Failed` follows for each.
            let _ = self.endpoint.cancel(now, *handle, &[]);
        }
        !handles.is_empty()
    }

    fn give_up(&mut self, others: &[CallHandle], now: Instant, elsewhere: bool) {
        let cause = if elsewhere {
            "SIP;cause=200;text=\"Call completed elsewhere\""
        } else {
            "SIP;cause=603;text=\"Declined\""
        };
        let reason: Vec<ExtraHeader> = ExtraHeader::new("Reason", cause).into_iter().collect();
        for other in others {
            self.by_handle.remove(other);
            let _ = self.endpoint.cancel(now, *other, &reason);
        }
    }
}

/// The place that a Path or Route value leads to.
pub(super) fn target_of(route: &str) -> Option<Target> {
    let address = NameAddr::parse(route.as_bytes()).ok()?;
    Target::parse(&String::from_utf8_lossy(address.raw_uri())).ok()
}
