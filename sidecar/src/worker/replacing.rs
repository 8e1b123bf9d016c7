//! An INVITE with Replaces (RFC 3891): who calls takes the place of a party in a call that runs.

use std::time::Instant;

use skillcall_protocol::sma::CallId;
use skillcall_sip::endpoint::{CallHandle, Flow, replaces_of};
use skillcall_sip::message::{Request, StatusCode};
use uuid::Uuid;

use super::Running;
use super::call::{LegEntry, LegState};
use crate::leg::{Agreed, LegOffers};

impl Running {
    /// An INVITE that names a call of ours to take the place in it (RFC 3891). True: it was dealt with.
    pub(super) fn on_replacing(
        &mut self,
        now: Instant,
        handle: CallHandle,
        flow: &Flow,
        request: &Request,
        offer: Option<&[u8]>,
    ) -> bool {
        let found = match replaces_of(request) {
            Ok(None) => return false,
            Ok(Some(replaces)) => self.endpoint.replaced(&replaces),
            Err(status) => Err(status),
        };
        let taken = found.and_then(|old| self.replace(now, (handle, flow), request, old, offer));
        if let Err(status) = taken {
            let _ = self.endpoint.reject(now, handle, status, "", &[]);
        }
        true
    }

    fn replace(
        &mut self,
        now: Instant,
        (handle, flow): (CallHandle, &Flow),
        request: &Request,
        old: CallHandle,
        offer: Option<&[u8]>,
    ) -> Result<(), StatusCode> {
        let &(key, leg) = self
            .by_handle
            .get(&old)
            .ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        let connected = self
            .call(key)
            .and_then(|call| call.leg(leg))
            .filter(|entry| entry.state == LegState::Connected);
        let trunk = connected
            .ok_or(StatusCode::CALL_DOES_NOT_EXIST)?
            .trunk
            .clone();
        let slot = self
            .take_media(now)
            .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let mut offers = LegOffers::new(self.media_session(
            slot,
            flow.remote.ip(),
            trunk.as_deref(),
            self.codecs_of(key),
        ));
        let described = match offer {
            Some(offer) => offers.answer(None, offer).map(|(answer, agreed)| {
                if let Some(media) = self.media.get_mut(slot) {
                    media.agree(&Agreed::from(&agreed));
                }
                answer
            }),
            None => offers.offer(None),
        };
        let described = described.map_err(|error| {
            self.release_media(slot, now);
            error.status()
        })?;
        let id = CallId::new(Uuid::new_v4().to_string());
        self.journal_waiting(key, &id, handle, (request, flow));
        if self
            .endpoint
            .accept(now, handle, &[], Some(described))
            .is_err()
        {
            self.journal_ended(key, &id);
            self.release_media(slot, now);
            return Err(StatusCode::SERVER_INTERNAL_ERROR);
        }
        if let Some(media) = self.media.get_mut(slot) {
            media.open = true;
        }
        let mut entry = LegEntry::new(leg, id, LegState::Connected, self.count_leg());
        entry.handle = Some(handle);
        entry.media = Some(slot);
        entry.offers = Some(offers);
        entry.trunk = trunk;
        entry.takes_place = true;
        self.note(
            key,
            false,
            "another party takes a place in the call (Replaces)",
        );
        self.take_over(key, leg, entry);
        Ok(())
    }
}
