//! A call that comes in: from the INVITE to the engine's first event.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use skillcall_protocol::sma::{CallId, SipHeaders, TransactionId};
use skillcall_protocol::trace::Direction;
use skillcall_sip::endpoint::{CallHandle, Flow};
use skillcall_sip::message::{ExtraHeader, HeaderName, NameAddr, Request, StatusCode, text};
use skillcall_sip::sdp::{Capabilities, Codec, MediaSession};
use uuid::Uuid;

use super::call::{CallEntry, CallKey, LegEntry, LegState};
use super::gateway::G711;
use super::history::History;
use super::identity::vouched;
use super::user_to_user::readable;
use super::{AFTERLIFE, Running};
use crate::applications::Application;
use crate::engine::{Call, InboundCall, LegId, Now};
use crate::figures::Held;
use crate::front::ToFront;
use crate::front::client_session_id;
use crate::guard::SourceHeld;
use crate::leg::{Agreed, LegOffers};
use crate::trace::CallIds;
use crate::trunks::{Fate, Trunk, Way};

/// Seconds after which a caller may try again when no RTP port was free.
const RETRY_AFTER: u32 = 5;
/// Longest number or user part that is passed on to a handler.
const LONGEST_USER: usize = 256;

impl Running {
    pub(super) fn on_invite(
        &mut self,
        now: Instant,
        handle: CallHandle,
        request: &Request,
        flow: Flow,
        offer: Option<Bytes>,
    ) {
        let csi = client_session_id(request);
        let to = user_of(request.headers().to().ok().as_ref());
        let called = request
            .uri()
            .user()
            .map_or_else(|| to.clone(), |user| user.into_owned());
        let refuse = |worker: &mut Self, status: StatusCode, why: &str| {
            let retry = ExtraHeader::retry_after(RETRY_AFTER);
            let headers = if status == StatusCode::SERVICE_UNAVAILABLE {
                std::slice::from_ref(&retry)
            } else {
                &[]
            };
            let why = format!("refused with {}: {why}", status.get());
            worker.trace_refusal(now, request, csi.clone(), &why);
            let _ = worker.endpoint.reject(now, handle, status, "", headers);
            if let Some(trunk) = worker.shared.trunks.of_flow(&flow) {
                let counts = worker.shared.trunks.counts().of(trunk.name());
                counts.count(Way::In, Fate::of(status.get()));
            }
            if let Some(csi) = &csi {
                worker
                    .shared
                    .front
                    .send(ToFront::ReleaseSession(csi.as_str().into()));
            }
        };
        if self.hanging_up {
            return refuse(
                self,
                StatusCode::SERVICE_UNAVAILABLE,
                "the sidecar goes down",
            );
        }
        let phone = match self.calling_phone(now, request, &flow) {
            Ok(phone) => phone,
            Err(challenge) => {
                let status = StatusCode::UNAUTHORIZED;
                let _ = self.endpoint.reject(now, handle, status, "", &challenge);
                return;
            }
        };
        if self.on_replacing(now, handle, &flow, request, offer.as_deref()) {
            return;
        }
        let room = self.shared.live.now().gateway.room(&called).cloned();
        if let (Some(room), Some(switchboard)) = (room, self.shared.switchboard.clone()) {
            let taken = self.on_room_call(now, handle, request, &flow, offer, &room, &switchboard);
            if let Err((status, why)) = taken {
                refuse(self, status, &why);
            }
            return;
        }
        let host = request
            .uri()
            .host()
            .map_or_else(String::new, |host| host.to_string());
        let mut targets: VecDeque<Arc<Application>> = match &phone {
            Some(phone) => self.reached_by_phone(phone, &called, &host),
            None => self.shared.applications.reached_by(&called, &host).into(),
        };
        if targets.is_empty() {
            return refuse(
                self,
                StatusCode::NOT_FOUND,
                "no [[application]] and no SIP rule has this number or host",
            );
        }
        if let Some(skill) = request.headers().named("X-Alexa-LWA-ClientId") {
            let applications = &self.shared.applications;
            targets.retain(|target| applications.allows_skill(target, skill.trim()));
        }
        let Some(application) = targets.pop_front() else {
            return refuse(
                self,
                StatusCode::FORBIDDEN,
                "the application does not allow the skill of X-Alexa-LWA-ClientId",
            );
        };
        let Some(held) = self.take_place() else {
            return refuse(
                self,
                StatusCode::SERVICE_UNAVAILABLE,
                "there are as many calls as [limits] calls allows",
            );
        };
        let trunk = self.shared.trunks.of_flow(&flow);
        let source = match self.take_share(&flow, trunk.as_deref(), now) {
            Ok(source) => source,
            Err(why) => return refuse(self, StatusCode::SERVICE_UNAVAILABLE, &why),
        };
        let slot = match self.take_media(now) {
            Ok(slot) => slot,
            Err(error) => return refuse(self, StatusCode::SERVICE_UNAVAILABLE, &error),
        };
        let mut offers = LegOffers::new(self.media_session(
            slot,
            flow.remote.ip(),
            trunk.as_deref(),
            G711.to_vec(),
        ));
        let mut answer = None;
        // What nobody could hear is refused before the handler is asked (RFC 3261 §21.4.26).
        if let Some(offer) = &offer {
            match offers.answer(None, offer) {
                Ok((text, negotiated)) => {
                    if let Some(media) = self.media.get_mut(slot) {
                        media.agree(&Agreed::from(&negotiated));
                    }
                    answer = Some(text);
                }
                Err(error) => {
                    self.release_media(slot, now);
                    return refuse(self, error.status(), &error.to_string());
                }
            }
        }
        let traced = self.takes_trace(now, &application);
        let transaction = Uuid::new_v4().to_string();
        let ids = Arc::new(CallIds::new(transaction.clone(), csi.clone(), traced));
        let call_id = CallId::new(Uuid::new_v4().to_string());
        let inbound = InboundCall {
            transaction_id: TransactionId::new(transaction),
            call_id: call_id.clone(),
            to: called,
            from: match &phone {
                Some(phone) => phone.shown().to_owned(),
                None => user_of(request.headers().from().ok().as_ref()),
            },
            headers: surfaced(request),
        };
        let caller: Box<str> = inbound.from.as_str().into();
        let called_number = inbound.to.clone();
        let mut engine = Call::inbound(
            Arc::clone(&application.engine),
            inbound,
            Box::new(|| CallId::new(Uuid::new_v4().to_string())),
            Now::from_system(),
        );
        engine.or_else(targets.iter().map(|target| Arc::clone(&target.engine)));
        ids.add_leg(LegId::A, &call_id);
        if let Some(capture) = self
            .shared
            .tap
            .single
            .claim([caller.as_ref(), &called_number])
        {
            let _ = ids.capture_into(capture);
        }
        let mut leg = LegEntry::new(
            LegId::A,
            call_id.clone(),
            LegState::Incoming,
            self.count_leg(),
        );
        leg.handle = Some(handle);
        leg.trunk = trunk;
        let trusted = leg.trunk.as_ref().is_some_and(|trunk| trunk.config.trusted);
        if trusted {
            leg.vouched = vouched(request);
        }
        leg.history = History::of(request, trusted);
        if leg
            .trunk
            .as_ref()
            .is_some_and(|trunk| trunk.config.udp_only)
        {
            self.endpoint.set_udp_only(handle);
        }
        if let Some(wallet) = leg.trunk.as_ref().and_then(|trunk| trunk.wallet.clone()) {
            // Some trunks ask for credentials even in calls that they have made.
            let _ = self.endpoint.set_wallet(handle, wallet);
        }
        leg.media = Some(slot);
        leg.offers = Some(offers);
        leg.answer = answer;
        let key = self.place(now, |serial| {
            let ids = Arc::clone(&ids);
            let mut entry = CallEntry::new(serial, engine, ids, application, now, held);
            entry.legs.push(leg);
            entry.targets = targets;
            entry.csi = csi.map(Into::into);
            entry.source = source;
            entry.caller = caller;
            entry
        });
        self.own_media(slot, key, LegId::A);
        self.note_dialog(handle, key, LegId::A);
        self.journal_waiting(key, &call_id, handle, (request, &flow));
        self.tell_invite(&ids, &flow, request.wire());
        self.hear_asking(key, LegId::A, request);
        let _ = self.endpoint.trying(now, handle);
        self.carry_out(key);
    }

    /// Counts one more call, unless there are as many as there may be: the front judges by a number that is a moment
    /// old, and calls that come at the same moment all pass it.
    pub(super) fn take_place(&self) -> Option<Held> {
        let (figures, most) = (&self.shared.figures, self.shared.live.now().limits.calls);
        let place = Held::one_of(figures, |figures| &figures.calls, most as usize);
        if place.is_none() {
            figures.refused_overload.fetch_add(1, Ordering::Relaxed);
        }
        place
    }

    /// Counts one more call of its source, if it comes from a known one.
    ///
    /// # Errors
    /// Why there is no room for it.
    pub(super) fn take_share(
        &self,
        flow: &Flow,
        trunk: Option<&Trunk>,
        now: Instant,
    ) -> Result<Option<SourceHeld>, String> {
        let known = &self.shared.known;
        // A trunk that is known by certificate or registration counts for itself, too.
        let source = known.source(flow.remote.ip(), now);
        let Some(source) = source.or_else(|| known.named(trunk?.name())) else {
            return Ok(None);
        };
        source.hold().map(Some).ok_or_else(|| {
            format!(
                "{} has as many calls as [guard] source-calls allows",
                source.name()
            )
        })
    }

    /// Whether a call that begins now is traced.
    pub(super) fn takes_trace(&mut self, now: Instant, application: &Application) -> bool {
        let takes = self.sampling.takes(now) || self.shared.applications.logs(application);
        if !takes {
            self.shared
                .figures
                .calls_untraced
                .fetch_add(1, Ordering::Relaxed);
        }
        takes
    }

    /// Gives a call its place; `entry` makes it from its serial number.
    pub(super) fn place(&mut self, now: Instant, entry: impl FnOnce(u64) -> CallEntry) -> CallKey {
        self.serial += 1;
        if self.calls.is_empty() {
            self.next_tick = now + super::TICK;
        }
        let serial = self.serial;
        let slot = self.calls.insert(entry(serial));
        self.shared
            .figures
            .calls_total
            .fetch_add(1, Ordering::Relaxed);
        CallKey { slot, serial }
    }

    /// The INVITE of a call that is not placed, and why; the refusal and its ACK follow as they go and come.
    fn trace_refusal(&mut self, now: Instant, invite: &Request, csi: Option<String>, why: &str) {
        let ids = Arc::new(CallIds::refused(csi));
        let trace = &self.shared.trace;
        trace.sip(&ids, LegId::A, Direction::Received, invite.wire());
        trace.note(&ids, true, why);
        // A Call-ID that a call has, because its caller uses it twice, stays that call's.
        if let Entry::Vacant(vacant) = self.dialogs.entry(invite.headers().call_id().into()) {
            self.ended_dialogs
                .push_back((now + AFTERLIFE, vacant.key().clone()));
            vacant.insert((ids, LegId::A));
        }
    }

    /// Our side of offers and answers with this peer, for the leg in a slot.
    pub(super) fn media_session(
        &self,
        slot: usize,
        peer: IpAddr,
        trunk: Option<&Trunk>,
        codecs: Vec<Codec>,
    ) -> MediaSession {
        let port = self.media.get(slot).map_or(0, |media| media.port);
        let id = rand::random::<u64>() >> 2;
        let srtp = trunk.map_or(self.shared.config.dialog.srtp, |trunk| trunk.config.srtp);
        let mut capabilities = Capabilities::new(self.shared.reachable.media(peer), port);
        capabilities.srtp = srtp.keys();
        capabilities.codecs = codecs;
        MediaSession::new(capabilities, id)
    }
}

pub(super) fn user_of(address: Option<&NameAddr<'_>>) -> String {
    let user = address.and_then(|address| {
        let uri = address.uri().ok()?;
        let user = uri.user()?;
        // `;phone-context` and the like belong to the number's form, not to the number (RFC 3966).
        Some(user.split(';').next().unwrap_or_default().to_owned())
    });
    user.unwrap_or_default()
        .chars()
        .take(LONGEST_USER)
        .collect()
}

/// The headers that events show (facts F9).
fn surfaced(request: &Request) -> SipHeaders {
    let mut headers = SipHeaders::new();
    for field in request.headers().iter() {
        let name = text(field.raw_name);
        if field.name == HeaderName::UserToUser {
            if let Some(values) = readable(field.value) {
                headers.insert(name.into_owned(), values);
            }
        } else if SipHeaders::is_surfaced(&name) {
            headers.insert(name.into_owned(), field.text().into_owned());
        }
    }
    headers
}
