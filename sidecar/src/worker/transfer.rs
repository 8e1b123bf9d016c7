//! Transfers (RFC 3515, RFC 5589): whom a leg is referred to takes its place in the call.
//!
//! The action engine is told nothing: the leg stays, with another party behind it. The gateway is told, as the new party
//! knows of no hold. A target passes the routes before it is dialled, or it is a place that a route or trunk names.

use std::time::Instant;

use skillcall_protocol::sma::action::BridgeEndpoint;
use skillcall_protocol::sma::{CallId, SipHeaders};
use skillcall_sip::endpoint::{CallHandle, Referral, RequestId};
use skillcall_sip::message::{StatusCode, UriRef};
use uuid::Uuid;

use super::Running;
use super::call::{CallKey, LegEntry, LegState};
use super::outgoing::{Dial, Refusal};
use crate::config::RouteTarget;
use crate::engine::{Input, LegId};
use crate::leg::Target;

/// The most transfers of one call: more are a loop.
const MOST_TRANSFERS: u32 = 16;

/// A transfer under way.
pub(super) struct Transfer {
    referral: Box<Referral>,
    /// The leg whose party is to be another one.
    leg: LegId,
    /// The leg that dials the other party, until it takes the place.
    aside: LegId,
}

impl Running {
    /// A peer asks us to call somebody in its place.
    pub(super) fn on_refer(
        &mut self,
        now: Instant,
        call: Option<CallHandle>,
        id: RequestId,
        referral: Box<Referral>,
    ) {
        let place = call.and_then(|call| self.by_handle.get(&call).copied());
        let judged = match place {
            Some((key, leg)) => self.judge_referral(key, leg, &referral),
            // There is no call to transfer, and nobody is dialled for strangers to all calls.
            None => Err((403, "a REFER outside calls".into())),
        };
        let (key, leg, dial) = match (place, judged) {
            (Some((key, leg)), Ok(dial)) => (key, leg, dial),
            (place, Err((status, reason))) => {
                let status = StatusCode::new(status).unwrap_or(StatusCode::DECLINE);
                if let Some((key, _)) = place {
                    let text = format!("a transfer was refused with {}: {reason}", status.get());
                    self.note(key, true, &text);
                }
                // Its client may have given up.
                let _ = self.endpoint.answer_refer(now, id, status);
                return;
            }
            (None, Ok(_)) => return,
        };
        if self
            .endpoint
            .answer_refer(now, id, StatusCode::ACCEPTED)
            .is_err()
        {
            return;
        }
        let aside = dial.leg;
        if let Some(call) = self.call_mut(key) {
            call.transferred += 1;
            call.transfers.push(Transfer {
                referral,
                leg,
                aside,
            });
        }
        self.dial(key, dial);
    }

    /// Whom a referral leads to, if it may.
    fn judge_referral(
        &mut self,
        key: CallKey,
        leg: LegId,
        referral: &Referral,
    ) -> Result<Dial, Refusal> {
        let target = referral.target.as_ref();
        let (endpoint, uri) = self
            .permitted(key, &target)
            .ok_or_else(|| (403, format!("no route leads to {}", referral.target)))?;
        let call = self.call(key).ok_or((481, String::new()))?;
        let connected = call
            .leg(leg)
            .is_some_and(|entry| entry.state == LegState::Connected);
        let busy = call.transfers.iter().any(|transfer| transfer.leg == leg);
        if !connected || busy || call.transferred >= MOST_TRANSFERS {
            return Err((603, "the leg cannot be transferred now".into()));
        }
        let mut headers = SipHeaders::new();
        if let Some(replaces) = &referral.replaces {
            headers.insert("Replaces".to_owned(), replaces.to_string());
        }
        if let Some(by) = &referral.referred_by {
            headers.insert("Referred-By".to_owned(), by.clone());
        }
        for value in self.redirected_with(key, &referral.refer_to) {
            headers.insert("User-to-User".to_owned(), value.to_string());
        }
        // Who is called sees who stays in the call.
        let people = call.engine.snapshot().participants;
        let caller_id = match call.engine.as_gateway() {
            Some(gateway) => Some(gateway.name_of_device()),
            None => people.first().map(|first| {
                if leg == LegId::A {
                    first.to.clone()
                } else {
                    first.from.clone()
                }
            }),
        };
        Ok(Dial {
            leg: LegId::aside(call.transferred),
            call_id: CallId::new(Uuid::new_v4().to_string()),
            endpoint,
            uri,
            trunk: None,
            phone: None,
            bounds: None,
            caller_id: caller_id.unwrap_or_default(),
            headers,
        })
    }

    /// Whom a target of a REFER or 3xx leads to: a number by its route; or a Request-URI as it stands, whose host and port
    /// a route leads to, or which are our own.
    pub(super) fn permitted(
        &self,
        key: CallKey,
        target: &UriRef<'_>,
    ) -> Option<(BridgeEndpoint, Option<String>)> {
        let user = target.user().unwrap_or_default();
        let endpoint = BridgeEndpoint::Pstn {
            uri: user.to_string(),
        };
        let wanted = Target::parse(target.as_str()).ok()?;
        let port = wanted.port.unwrap_or(5060);
        let own = wanted.host.ip();
        let own = own.is_some_and(|host| self.shared.reachable.is_ours(host, port));
        if own || self.bounds_of_target(key, &wanted).is_some() {
            return Some((endpoint, Some(target.as_str().to_owned())));
        }
        let config = self.shared.live.now();
        let routed = RouteTarget::Number(&user).route(&config.route).is_some();
        routed.then_some((endpoint, None))
    }

    /// What becomes of the party that takes a leg's place.
    pub(super) fn on_aside(&mut self, key: CallKey, aside: LegId, input: Input) {
        let now = Instant::now();
        let Some(call) = self.call_mut(key) else {
            return;
        };
        let Some(at) = call
            .transfers
            .iter()
            .position(|transfer| transfer.aside == aside)
        else {
            return;
        };
        let (status, reason) = match input {
            Input::Ringing { .. } => (180, String::new()),
            Input::Answered { .. } => (200, String::new()),
            Input::Refused { status, reason, .. } => (status, reason),
            _ => (503, String::new()),
        };
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let Some(transfer) = call.transfers.get(at) else {
            return;
        };
        let leg = transfer.leg;
        let referral = transfer.referral.clone();
        let referrer = call.leg(leg).and_then(|entry| entry.handle);
        if status.is_final() {
            call.transfers.swap_remove(at);
        }
        let text = format!("a transfer: {} {reason}", status.get());
        let failed = status.is_failure();
        self.note(key, failed, &text);
        if let Some(referrer) = referrer {
            // The referrer may have hung up; the transfer goes on without it.
            let _ = self
                .endpoint
                .refer_progress(now, referrer, &referral, status, "");
        }
        if !status.is_final() {
            return;
        }
        let found = self.call_mut(key).and_then(|call| {
            let at = call.legs.iter().position(|leg| leg.id == aside)?;
            Some(call.legs.remove(at))
        });
        let Some(entry) = found else { return };
        if status.is_success() && referrer.is_some() {
            self.take_over(key, leg, entry);
        } else {
            self.drop_entry(key, entry, now);
        }
    }

    /// A party whose place is gone.
    fn drop_entry(&mut self, key: CallKey, entry: LegEntry, now: Instant) {
        self.journal_ended(key, &entry.call_id);
        if let Some(handle) = entry.handle {
            let _ = self.endpoint.bye(now, handle, &[]);
            self.by_handle.remove(&handle);
        }
        if let Some(slot) = entry.media {
            self.release_media(slot, now);
        }
    }

    /// Puts a party into a leg; who was there is hung up on.
    pub(super) fn take_over(&mut self, key: CallKey, leg: LegId, new: LegEntry) {
        let now = Instant::now();
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) else {
            return self.drop_entry(key, new, now);
        };
        let (handle, slot, trunk, route) = (new.handle, new.media, new.trunk, new.route);
        let old_handle = std::mem::replace(&mut entry.handle, handle);
        let old_slot = std::mem::replace(&mut entry.media, slot);
        entry.trunk = trunk;
        entry.route = route;
        entry.offers = new.offers;
        entry.answer = None;
        entry.described_reliably = false;
        let takes_place = new.takes_place;
        entry.takes_place = takes_place;
        if let (Some(old), Some(slot)) = (old_slot, slot) {
            let partner = self.media.get(old).and_then(|media| media.bridged);
            crate::bridge::part(&mut self.media, old);
            if let Some((old, new)) = self.media.get2_mut(old, slot) {
                new.succeed(old);
            }
            self.own_media(slot, key, leg);
            if let Some(partner) = partner {
                crate::bridge::join(&mut self.media, slot, partner);
            }
            self.release_media(old, now);
        }
        if let Some(old) = old_handle {
            let _ = self.endpoint.bye(now, old, &[]);
            self.by_handle.remove(&old);
        }
        if let Some(handle) = handle {
            self.note_dialog(handle, key, leg);
        }
        self.set_state(key, leg, LegState::Connected);
        // The leg was answered before, by whom it replaces.
        self.journal_answered(key, leg);
        self.journal_ended(key, &new.call_id);
        if !takes_place {
            self.tell_of_new_party(key);
        }
    }

    /// The party that has taken a leg's place can be offered something now.
    pub(super) fn on_place_taken(&mut self, key: CallKey, leg: LegId) {
        let entry = self.call_mut(key).and_then(|call| call.leg_mut(leg));
        let connected = entry.filter(|entry| entry.state == LegState::Connected);
        if connected.is_some_and(|entry| std::mem::take(&mut entry.takes_place)) {
            self.tell_of_new_party(key);
        }
    }

    fn tell_of_new_party(&mut self, key: CallKey) {
        if self.is_gateway(key) {
            self.gateway_input(key, crate::gateway::Input::PhoneReplaced);
            self.video_replaced(key);
        }
    }

    /// Asks the party of a leg to call somebody else.
    ///
    /// # Errors
    /// In words: the leg is not answered, or `to` is no URI.
    pub(super) fn refer_leg(&mut self, key: CallKey, leg: LegId, to: &str) -> Result<(), String> {
        let handle = self
            .call(key)
            .and_then(|call| call.leg(leg))
            .filter(|entry| entry.state == LegState::Connected)
            .and_then(|entry| entry.handle)
            .ok_or("the leg is not answered")?;
        self.endpoint
            .refer(Instant::now(), handle, &format!("<{to}>"), true, &[])
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// As [`Running::refer_leg`], to take the place of another leg's party in a call of ours.
    ///
    /// # Errors
    /// In words: one of the legs is not answered.
    pub(super) fn refer_leg_to(
        &mut self,
        key: CallKey,
        leg: LegId,
        other: &str,
    ) -> Result<(), String> {
        let handle = self
            .leg_with(other)
            .and_then(|(key, leg)| self.call(key)?.leg(leg)?.handle)
            .ok_or("the other leg is not answered")?;
        let unready = "the other leg is not answered";
        let replaces = self.endpoint.replaces(handle).ok_or(unready)?;
        let peer = self.endpoint.peer_target(handle).ok_or(unready)?;
        let uri = UriRef::parse(&peer).map_err(|error| error.to_string())?;
        let to = skillcall_sip::endpoint::refer_to_replacing(&uri, &replaces);
        let to = to.trim_matches(['<', '>']).to_owned();
        self.refer_leg(key, leg, &to)
    }

    /// What the party has met with that we have asked to call somebody else. When it is through, its leg is over.
    pub(super) fn on_refer_progress(&mut self, now: Instant, call: CallHandle, status: StatusCode) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        let text = format!("the transfer that we have asked for: {}", status.get());
        self.note(key, status.is_failure(), &text);
        if status.is_success() {
            let _ = self.endpoint.bye(now, call, &[]);
            self.by_handle.remove(&call);
            self.set_state(key, leg, LegState::Gone);
            self.release_leg(key, leg);
            self.input(key, Input::HungUp { leg, code: 0 });
        }
    }
}
