//! The SIP endpoint: messages in and out, and what its events mean for a call.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use skillcall_sip::endpoint::{
    CallHandle, EndedBy, Event, FailureCause, Flow, TransmitId, Transport,
};
use skillcall_sip::message::{HeaderName, Message, Method, Response, StatusCode};

use super::Running;
use super::call::{CallKey, LegState};
use super::keep_alives::Whose;
use crate::engine::{Input, LegId};
use crate::figures::Held;
use crate::front::{StreamTarget, ToFront, address_of};
use crate::trunks::{Fate, Way};

impl Running {
    /// A message that the front has let in.
    pub(super) fn receive(&mut self, now: Instant, flow: Flow, message: Message) {
        self.tell_received(&flow, &message);
        self.endpoint.receive_message(now, &flow, message);
    }

    /// Sends what the endpoint wants sent.
    pub(super) fn transmit(&mut self) {
        let mut batch = std::mem::take(&mut self.datagrams);
        let mut senders = std::mem::take(&mut self.datagram_ids);
        while let Some(transmit) = self
            .resolved
            .pop_front()
            .or_else(|| self.endpoint.poll_transmit())
        {
            let Some(to) = address_of(&transmit.destination) else {
                self.look_up_next_hop(transmit);
                continue;
            };
            self.journal_ringing(transmit.id, transmit.transport, to);
            self.shared.figures.sip.sent(&transmit.bytes);
            self.tell_sent(transmit.transport, to, &transmit.bytes);
            // Whoever is only answered, may be a stranger.
            if !transmit.bytes.starts_with(b"SIP/2.0 ") {
                self.shared.known.contacted(to.ip(), Instant::now());
            }
            match transmit.transport {
                Transport::Udp => {
                    batch.push((to, transmit.bytes));
                    senders.push(transmit.id);
                }
                _ => self.shared.front.send(ToFront::Send {
                    to: StreamTarget {
                        transport: transmit.transport,
                        connection: transmit.connection,
                        to,
                        name: self.peer_names.get(&(transmit.transport, to)).cloned(),
                    },
                    bytes: transmit.bytes,
                    from: transmit.id.map(|id| (self.index, id)),
                }),
            }
        }
        self.send_datagrams(&batch, &senders);
        batch.clear();
        senders.clear();
        self.datagrams = batch;
        self.datagram_ids = senders;
    }

    fn send_datagrams(&mut self, batch: &[(SocketAddr, Bytes)], senders: &[Option<TransmitId>]) {
        let endpoint = &mut self.endpoint;
        let mut fail = |place: usize| {
            if let Some(id) = senders.get(place).copied().flatten() {
                endpoint.transmit_failed(Instant::now(), id);
            }
        };
        let Some(udp) = &self.udp else {
            (0..batch.len()).for_each(fail);
            return;
        };
        self.sender.send(udp, batch, |place, error| {
            // A full buffer is like a lost datagram: it is sent again.
            if error.kind() != io::ErrorKind::WouldBlock {
                fail(place);
            }
        });
    }

    pub(super) fn on_sip(&mut self, now: Instant, event: Event) {
        match event {
            Event::Invite {
                call,
                request,
                flow,
                offer,
            } => self.on_invite(now, call, &request, flow, offer),
            Event::Cancelled { call, .. } => {
                if let Some((key, leg)) = self.by_handle.remove(&call) {
                    self.count_call(key, leg, Way::In, Fate::Cancelled);
                    self.set_state(key, leg, LegState::Gone);
                    self.input(key, Input::Cancelled { leg });
                }
            }
            Event::Acknowledged { call, sdp, .. } => self.on_acknowledged(now, call, sdp),
            Event::AckTimeout { call } => {
                if let Some(&(key, leg)) = self.by_handle.get(&call) {
                    self.input(key, Input::AckTimeout { leg });
                }
            }
            Event::Provisional {
                call,
                status,
                response,
                sdp,
            } => self.on_provisional(call, status, &response, sdp),
            Event::Answered {
                call,
                response,
                sdp,
            } => self.on_answered(now, call, &response, sdp),
            Event::Failed {
                call,
                status,
                reason,
                cause,
                response,
            } => {
                if let Some((key, leg)) = self.by_handle.remove(&call) {
                    self.count_call(key, leg, Way::Out, fate_of(status, cause));
                    if self.fork_failed(key, leg, call, status, &reason, now) {
                        return;
                    }
                    if let Some(response) = response.as_ref().filter(|_| status.is_failure()) {
                        self.hear_answering(key, leg, response.headers());
                    }
                    let (code, reason) = self.best_refusal(key, leg, status.get(), reason);
                    let redirected =
                        response.is_some_and(|response| self.follow_redirect(key, leg, &response));
                    if redirected || self.try_elsewhere(key, leg, status, &reason, cause) {
                        return;
                    }
                    self.set_state(key, leg, LegState::Gone);
                    self.release_leg(key, leg);
                    self.input(
                        key,
                        Input::Refused {
                            leg,
                            status: code,
                            reason,
                        },
                    );
                }
            }
            Event::Reinvite { call, offer, .. } => self.on_reinvite(now, call, offer),
            Event::Update {
                call,
                id,
                request,
                offer,
            } => {
                let tag = request.headers().from_tag();
                let offer = offer.unwrap_or_default();
                self.on_offer_in_request(now, call, id, tag, &offer);
            }
            Event::Pracked {
                call,
                request,
                sdp,
                answer_with,
            } => match answer_with {
                Some(id) => {
                    let tag = request.headers().from_tag();
                    let offer = sdp.unwrap_or_default();
                    self.on_offer_in_request(now, call, id, tag, &offer);
                }
                None => self.on_pracked(now, call, sdp),
            },
            Event::Changed { call, sdp, .. } => self.on_changed(call, sdp),
            Event::ChangeFailed { call, status, .. } => self.on_change_failed(call, status),
            Event::Info { call, request } => self.on_info(call, &request),
            Event::Response {
                id,
                status,
                cause,
                response,
                ..
            } => {
                let of_check = self.on_check_answer(now, id, status, cause);
                if !of_check {
                    self.on_register_answer(now, id, status, cause, response.as_ref());
                }
            }
            Event::Request {
                id,
                call,
                request,
                flow,
            } if *request.method() == Method::Register && call.is_none() => {
                self.on_register(now, id, &request, &flow);
            }
            Event::Request {
                id, call, request, ..
            } => self.on_message(now, id, call, &request),
            Event::Ended {
                call, by, request, ..
            } => {
                if let Some((key, leg)) = self.by_handle.remove(&call) {
                    if let Some(bye) = &request {
                        self.hear(key, leg, bye.headers());
                    }
                    self.set_state(key, leg, LegState::Gone);
                    self.release_leg(key, leg);
                    let code = match by {
                        EndedBy::AckTimeout | EndedBy::SessionExpired | EndedBy::Lost => 408,
                        EndedBy::Peer | EndedBy::Local => 0,
                    };
                    self.input(key, Input::HungUp { leg, code });
                }
            }
            Event::Refer {
                call, id, referral, ..
            } => self.on_refer(now, call, id, referral),
            Event::ReferProgress { call, status, .. } => self.on_refer_progress(now, call, status),
            // A withdrawn re-INVITE leaves all as it was.
            _ => {}
        }
    }

    fn on_provisional(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        response: &Response,
        sdp: Option<Bytes>,
    ) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        // Of several places nobody knows yet which one will answer: the caller hears it ring.
        if let (Some(sdp), Some(tag)) = (sdp, response.headers().to_tag())
            && !self.is_forked(key, leg)
        {
            let reliable = response
                .headers()
                .tokens(HeaderName::Require)
                .any(|tag| tag.eq_ignore_ascii_case(b"100rel"));
            self.on_early_answer(key, leg, tag, &sdp, reliable);
        }
        self.hear_answering(key, leg, response.headers());
        if status.get() >= 180 {
            self.input(key, Input::Ringing { leg });
        }
    }

    fn on_answered(
        &mut self,
        now: Instant,
        call: CallHandle,
        response: &Response,
        sdp: Option<Bytes>,
    ) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        self.count_call(key, leg, Way::Out, Fate::Answered);
        self.take_fork(key, leg, call, now);
        let tag = response.headers().to_tag();
        if let Err(error) = self.take_answer(key, leg, tag, sdp.as_deref()) {
            // It was answered with what cannot be heard: the call is ended, and the action fails.
            let _ = self.endpoint.bye(now, call, &[]);
            self.by_handle.remove(&call);
            self.set_state(key, leg, LegState::Gone);
            self.release_leg(key, leg);
            let reason = format!("its answer: {error}");
            self.input(
                key,
                Input::Refused {
                    leg,
                    status: 488,
                    reason,
                },
            );
            return;
        }
        let entry = self.call(key).and_then(|call| call.leg(leg));
        let attempt = entry.and_then(|entry| entry.attempt.as_ref());
        if let Some(hop) = attempt.and_then(|attempt| attempt.current()).cloned() {
            self.note_keep(Whose::Call(call), &hop, response, now);
        }
        self.hear_answering(key, leg, response.headers());
        self.set_state(key, leg, LegState::Connected);
        self.input(key, Input::Answered { leg });
    }

    pub(super) fn set_state(&mut self, key: CallKey, leg: LegId, state: LegState) {
        if state == LegState::Connected {
            self.open_media(key, leg);
        }
        self.journal(key, leg, state);
        if let Some(call) = self.call_mut(key) {
            let first_answer =
                state == LegState::Connected && !std::mem::replace(&mut call.answered, true);
            if let Some(entry) = call.leg_mut(leg) {
                entry.state = state;
                if state == LegState::Gone {
                    entry.handle = None;
                    entry.route = None;
                    entry.placed = None;
                }
            }
            if first_answer {
                let figures = &self.shared.figures;
                figures.calls_answered.fetch_add(1, Ordering::Relaxed);
                let up = Held::new(figures, |figures| &figures.calls_up, 1);
                if let Some(call) = self.call_mut(key) {
                    call.up = Some(up);
                }
            }
        }
    }

    /// Remembers whose a SIP dialog is, and for the trace whose its messages are.
    pub(super) fn note_dialog(&mut self, handle: CallHandle, key: CallKey, leg: LegId) {
        self.by_handle.insert(handle, (key, leg));
        if !self.tells_of(key) {
            return;
        }
        let Some(call_id) = self.endpoint.call_id(handle).map(Box::<[u8]>::from) else {
            return;
        };
        let Some(call) = self.call_mut(key) else {
            return;
        };
        call.dialogs.push(call_id.clone());
        let ids = Arc::clone(&call.ids);
        self.dialogs.insert(call_id, (ids, leg));
    }

    /// Counts a leg for as long as it is kept.
    pub(super) fn count_leg(&self) -> Held {
        Held::new(&self.shared.figures, |figures| &figures.legs, 1)
    }
}

/// What an INVITE of ours has come to that was not answered.
const fn fate_of(status: StatusCode, cause: FailureCause) -> Fate {
    match cause {
        FailureCause::Timeout => Fate::NoAnswer,
        FailureCause::Transport => Fate::Unreachable,
        FailureCause::Cancelled => Fate::Cancelled,
        FailureCause::Refused | FailureCause::BadAnswer => Fate::of(status.get()),
    }
}
