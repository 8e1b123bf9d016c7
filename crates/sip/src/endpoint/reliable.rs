//! Reliable provisional responses of the called side (RFC 3262 §3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::abilities::{requires, supports};
use super::body::session_description;
use super::call::{CallState, CallTimer};
use super::event::{CallHandle, Event};
use super::flow::Flow;
use super::receive::{Answer, Refusal};
use super::reply::ReplyPath;
use super::uas::must_be_provisional;
use super::{CallError, Endpoint};
use crate::message::{ExtraHeader, HeaderName, Method, RAck, Request, StatusCode};

/// The most provisional responses that wait for the PRACK of one before them.
const MAX_QUEUE: usize = 8;

/// The called side's reliable responses of one INVITE.
#[derive(Debug)]
pub(super) struct Reliable {
    /// The last RSeq used.
    rseq: u32,
    outstanding: Option<Outstanding>,
    queue: VecDeque<Provisional>,
    /// The user has accepted; the 200 waits for the PRACK (RFC 3262 §3).
    pub(super) accepted: Option<(Vec<ExtraHeader>, Option<Bytes>)>,
    last_status: StatusCode,
    /// The offer was made in a response, because the INVITE had none.
    offered: bool,
}

impl Reliable {
    /// Whether a PRACK is awaited.
    pub(super) const fn waits(&self) -> bool {
        self.outstanding.is_some()
    }
}

#[derive(Debug)]
struct Outstanding {
    response: Bytes,
    path: ReplyPath,
    interval: Duration,
    /// Its SDP is an offer.
    offer: bool,
}

#[derive(Debug)]
struct Provisional {
    status: StatusCode,
    reason: String,
    headers: Vec<ExtraHeader>,
    sdp: Option<Bytes>,
}

impl Endpoint {
    pub(super) fn has_100rel(&self) -> bool {
        self.texts.reliable
    }

    /// Whether the caller insists on reliable responses, so that `provisional` sends them so.
    pub(super) fn must_be_reliable(&self, call: CallHandle) -> bool {
        self.has_100rel()
            && match self.call(call).map(|call| &call.state) {
                Some(CallState::Incoming(incoming)) => {
                    incoming.reliable.is_some()
                        || requires(incoming.invite.request.headers(), "100rel")
                }
                _ => false,
            }
    }

    /// Sends a provisional response from 101 to 199 that the caller acknowledges by PRACK: it is repeated until then,
    /// and `Pracked` follows. One is under way at a time; up to eight wait. After 64·T1 without a PRACK the call is
    /// refused with 504 and `Cancelled` follows (RFC 3262 §3).
    ///
    /// # Errors
    /// The call is gone or answered, the status is none of 101 to 199, or one of the two sides does not know `100rel`.
    pub fn provisional_reliable(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: StatusCode,
        reason: &str,
        headers: &[ExtraHeader],
        sdp: Option<Bytes>,
    ) -> Result<(), CallError> {
        must_be_provisional(status)?;
        let able = self.has_100rel();
        let first = u32::try_from(self.ids.nonce() % 0x3fff_ffff).unwrap_or(1) + 1;
        let CallState::Incoming(incoming) = &mut self.call_mut(call).ok_or(CallError::Gone)?.state
        else {
            return Err(CallError::State {
                command: "a reliable provisional response",
                expected: "a call that comes in and is not answered yet",
            });
        };
        if !able || !supports(incoming.invite.request.headers(), "100rel") {
            return Err(CallError::State {
                command: "a reliable provisional response",
                expected: "100rel in our `supported` and in the INVITE's Supported",
            });
        }
        let reliable = incoming.reliable.get_or_insert_with(|| {
            Box::new(Reliable {
                rseq: first,
                outstanding: None,
                queue: VecDeque::new(),
                accepted: None,
                last_status: status,
                offered: false,
            })
        });
        if reliable.accepted.is_some() {
            return Err(CallError::State {
                command: "a reliable provisional response",
                expected: "a call that is not accepted yet",
            });
        }
        if reliable.queue.len() >= MAX_QUEUE {
            return Err(CallError::Full("provisional responses"));
        }
        reliable.queue.push_back(Provisional {
            status,
            reason: reason.to_owned(),
            headers: headers.to_vec(),
            sdp,
        });
        self.next_reliable(now, call);
        Ok(())
    }

    /// Sends the next waiting response, if none is under way.
    fn next_reliable(&mut self, now: Instant, call: CallHandle) {
        let interval = self.config.timers.t1;
        let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
        else {
            return;
        };
        let has_offer = session_description(
            incoming.invite.request.head(),
            incoming.invite.request.headers(),
        )
        .is_ok_and(|offer| offer.is_some());
        let path = ReplyPath::of(&incoming.invite.request, &incoming.invite.flow);
        let Some(reliable) = incoming.reliable.as_mut() else {
            return;
        };
        if reliable.outstanding.is_some() {
            return;
        }
        let Some(next) = reliable.queue.pop_front() else {
            return;
        };
        reliable.rseq = reliable.rseq.wrapping_add(1);
        let offer = next.sdp.is_some() && !has_offer && !reliable.offered;
        reliable.offered |= offer;
        let first = reliable.last_status;
        reliable.last_status = next.status;
        let rseq = reliable.rseq;
        let extra = [
            (HeaderName::Require, "100rel".to_owned()),
            (HeaderName::RSeq, rseq.to_string()),
        ];
        let answer = Answer {
            status: next.status,
            reason: &next.reason,
            headers: &next.headers,
            sdp: next.sdp.as_deref(),
            contact: true,
            extra: &extra,
        };
        let Ok(response) = self.answer(now, call, &answer) else {
            return;
        };
        let mut repeat = false;
        if let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
        {
            repeat = incoming.provisional.replace(response.clone()).is_none();
            if let Some(reliable) = incoming.reliable.as_mut() {
                reliable.outstanding = Some(Outstanding {
                    response,
                    path,
                    interval,
                    offer,
                });
            }
        }
        let _ = first;
        if repeat {
            self.repeat_provisional_later(now, call);
        }
        self.call_timer(now, call, interval, CallTimer::RepeatReliable { rseq });
        let give_up = self.config.timers.give_up();
        self.call_timer(now, call, give_up, CallTimer::PrackOverdue { rseq });
    }

    fn outstanding(&mut self, call: CallHandle, rseq: u32) -> Option<&mut Outstanding> {
        match &mut self.call_mut(call)?.state {
            CallState::Incoming(incoming) => {
                let reliable = incoming.reliable.as_mut()?;
                if reliable.rseq != rseq {
                    return None;
                }
                reliable.outstanding.as_mut()
            }
            _ => None,
        }
    }

    /// The intervals double without a limit (RFC 3262 §3).
    pub(super) fn repeat_reliable(&mut self, now: Instant, call: CallHandle, rseq: u32) {
        let Some(outstanding) = self.outstanding(call, rseq) else {
            return;
        };
        outstanding.interval = outstanding.interval.saturating_mul(2);
        let interval = outstanding.interval;
        let transmit = outstanding.path.transmit(outstanding.response.clone());
        self.transmits.push_back(transmit);
        self.call_timer(now, call, interval, CallTimer::RepeatReliable { rseq });
    }

    pub(super) fn on_prack_overdue(&mut self, now: Instant, call: CallHandle, rseq: u32) {
        if self.outstanding(call, rseq).is_none() {
            return;
        }
        let status = StatusCode::SERVER_TIMEOUT;
        if self.reject(now, call, status, "No PRACK Came", &[]).is_ok() {
            self.events.push_back(Event::Cancelled {
                call,
                request: None,
            });
        }
    }

    /// Each minute a new reliable response without SDP, so that proxies do not give up (RFC 3262 §3).
    pub(super) fn repeat_reliably(&mut self, now: Instant, call: CallHandle) -> bool {
        let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
        else {
            return false;
        };
        let Some(reliable) = incoming.reliable.as_mut() else {
            return false;
        };
        if reliable.outstanding.is_none() && reliable.queue.is_empty() {
            let status = reliable.last_status;
            reliable.queue.push_back(Provisional {
                status,
                reason: String::new(),
                headers: Vec::new(),
                sdp: None,
            });
            self.next_reliable(now, call);
        }
        true
    }

    pub(super) fn on_prack(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: CallHandle,
        request: &Request,
    ) {
        let rack = request
            .headers()
            .get(HeaderName::RAck)
            .map(RAck::parse)
            .and_then(Result::ok);
        let Some(rack) = rack else {
            let refusal = Refusal {
                reason: "Malformed RAck",
                ..Refusal::default()
            };
            return self.answer_statelessly(flow, request, StatusCode::BAD_REQUEST, &refusal);
        };
        let of_invite = match self.call(call).map(|call| &call.state) {
            Some(CallState::Incoming(incoming)) => {
                rack.method == Method::Invite
                    && rack.cseq == incoming.invite.request.head().core.cseq
            }
            _ => false,
        };
        let offer = self
            .outstanding(call, rack.rseq)
            .filter(|_| of_invite)
            .map(|outstanding| outstanding.offer);
        let Some(offered) = offer else {
            // RFC 3262 §3: a PRACK that matches nothing unacknowledged gets 481.
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            return self.answer_statelessly(flow, request, status, &Refusal::default());
        };
        let sdp = match session_description(request.head(), request.headers()) {
            Ok(sdp) => sdp,
            Err(unusable) => return self.refuse_body(flow, request, unusable),
        };
        if let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
            && let Some(reliable) = incoming.reliable.as_mut()
        {
            reliable.outstanding = None;
        }
        // SDP is the answer to our offer, or else a new offer, which the user answers in the 200 (RFC 3262 §5).
        let answer_with = if sdp.is_some() && !offered {
            Some(self.surface(now, flow, request))
        } else {
            self.answer_now(now, flow, request, StatusCode::OK);
            None
        };
        self.events.push_back(Event::Pracked {
            call,
            request: request.clone(),
            sdp,
            answer_with,
        });
        self.next_reliable(now, call);
        self.accept_deferred(now, call);
    }

    /// Sends the 200 that waited for PRACKs.
    fn accept_deferred(&mut self, now: Instant, call: CallHandle) {
        let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
        else {
            return;
        };
        let Some(reliable) = incoming
            .reliable
            .as_mut()
            .filter(|reliable| !reliable.waits())
        else {
            return;
        };
        if let Some((headers, sdp)) = reliable.accepted.take() {
            // The call was just seen waiting for an answer.
            let _ = self.accept(now, call, &headers, sdp);
        }
    }
}
