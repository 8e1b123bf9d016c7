//! What a caller is told before its call is answered, and the answer.

use std::time::Instant;

use bytes::Bytes;
use skillcall_sip::endpoint::CallHandle;
use skillcall_sip::message::StatusCode;

use super::Running;
use super::call::{CallKey, LegState};
use crate::config::ReliableProvisional;
use crate::engine::LegId;
use crate::trunks::{Fate, Way};

impl Running {
    /// 180, or 183 with early media: reliably where the caller takes that (RFC 3262).
    pub(super) fn ring(&mut self, key: CallKey, leg: LegId, early_media: bool) {
        let Some(entry) = self.call(key).and_then(|call| call.leg(leg)) else {
            return;
        };
        let Some(handle) = entry.handle else { return };
        let described = entry.described_reliably;
        let (mut status, mut sdp) = match (early_media, entry.answer.clone()) {
            (true, Some(answer)) => (StatusCode::SESSION_PROGRESS, Some(answer)),
            _ => (StatusCode::RINGING, None),
        };
        let reliable = self.rings_reliably(handle);
        // An INVITE without offer gets ours in the first reliable response (RFC 3261 §13.2.1).
        if reliable
            && !described
            && let Some(offer) = self.own_offer(key, leg)
        {
            status = if early_media {
                StatusCode::SESSION_PROGRESS
            } else {
                StatusCode::RINGING
            };
            sdp = Some(offer);
        }
        if sdp.is_some() {
            self.open_media(key, leg);
        }
        let told = self.take_told(key, leg);
        let now = Instant::now();
        let sent = if reliable {
            let sdp = sdp.filter(|_| !described);
            if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
                entry.described_reliably |= sdp.is_some();
            }
            self.endpoint
                .provisional_reliable(now, handle, status, "", &told, sdp)
        } else {
            self.endpoint
                .provisional(now, handle, status, "", &told, sdp)
        };
        self.note_refused(key, "ring", sent.err().map(|e| e.to_string()));
    }

    fn rings_reliably(&self, call: CallHandle) -> bool {
        match self.shared.config.dialog.reliable_provisional {
            ReliableProvisional::Supported => self.endpoint.takes_reliable(call),
            ReliableProvisional::Required => self.endpoint.requires_reliable(call),
            ReliableProvisional::Off => false,
        }
    }

    /// Our offer to a caller who made none.
    fn own_offer(&mut self, key: CallKey, leg: LegId) -> Option<Bytes> {
        let entry = self.call_mut(key)?.leg_mut(leg)?;
        if entry.answer.is_some() {
            return None;
        }
        entry.offers.as_mut()?.offer(None).ok()
    }

    pub(super) fn answer(&mut self, key: CallKey, leg: LegId) {
        let Some(entry) = self.call(key).and_then(|call| call.leg(leg)) else {
            return;
        };
        let Some(handle) = entry.handle else { return };
        // Without an offer in the INVITE ours goes with the 200, and the answer comes with the ACK.
        let sdp = if entry.described_reliably {
            None
        } else {
            let answer = entry.answer.clone();
            answer.or_else(|| self.own_offer(key, leg))
        };
        let told = self.take_told(key, leg);
        match self.endpoint.accept(Instant::now(), handle, &told, sdp) {
            Ok(()) => {
                self.count_call(key, leg, Way::In, Fate::Answered);
                self.set_state(key, leg, LegState::Connected);
                if let Some(media) = self.leg_media(key, leg) {
                    media.unacknowledged = true;
                }
            }
            Err(error) => self.note_refused(key, "answer", Some(error.to_string())),
        }
    }
}
