//! Incoming calls (RFC 3261 §13.3, §14.2).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::call::{AwaitingAck, CallState, CallTimer, Established, Pending};
use super::event::{CallHandle, EndedBy, Event};
use super::receive::Answer;
use super::reply::ReplyPath;
use super::{CallError, Endpoint};
use crate::message::{ExtraHeader, StatusCode};

/// A provisional response is repeated this often, so that no proxy's timer C (three minutes) ends the call
/// (RFC 3261 §13.3.1.1).
const REPEAT_PROVISIONAL: Duration = Duration::from_secs(60);

impl Endpoint {
    /// The INVITE of `call` that waits for an answer.
    fn pending(&self, call: CallHandle) -> Result<&Pending, CallError> {
        let found = match &self.call(call).ok_or(CallError::Gone)?.state {
            CallState::Incoming(incoming) => Some(&incoming.invite),
            CallState::Established(established) => established.reinvite.as_ref(),
            _ => None,
        };
        found.ok_or(CallError::State {
            command: "an answer",
            expected: "an INVITE or re-INVITE that is not answered yet",
        })
    }

    pub(super) fn answer(
        &mut self,
        now: Instant,
        call: CallHandle,
        answer: &Answer<'_>,
    ) -> Result<Bytes, CallError> {
        let pending = self.pending(call)?;
        let tag = if answer.status == StatusCode::TRYING {
            None
        } else {
            self.tag_of(call)
        };
        let response = self.write_reply(&pending.flow, &pending.request, tag.as_deref(), answer);
        let tx = pending.tx;
        self.answer_server(now, tx, answer.status, response.clone());
        Ok(response)
    }

    /// Sends 100. The endpoint does so by itself when the user is silent for `trying_after`.
    ///
    /// # Errors
    /// The call is gone or waits for no answer.
    pub fn trying(&mut self, now: Instant, call: CallHandle) -> Result<(), CallError> {
        self.answer(now, call, &Answer::bare(StatusCode::TRYING))
            .map(drop)
    }

    /// Sends a provisional response from 101 to 199, perhaps with SDP (early media); it is repeated each minute.
    /// An empty `reason` becomes the status's own phrase.
    ///
    /// # Errors
    /// The call is gone or waits for no answer, or the status is none of 101 to 199.
    pub fn provisional(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: StatusCode,
        reason: &str,
        headers: &[ExtraHeader],
        sdp: Option<Bytes>,
    ) -> Result<(), CallError> {
        must_be_provisional(status)?;
        if self.must_be_reliable(call) {
            return self.provisional_reliable(now, call, status, reason, headers, sdp);
        }
        let answer = Answer {
            status,
            reason,
            headers,
            sdp: sdp.as_deref(),
            contact: true,
            extra: &[],
        };
        let response = self.answer(now, call, &answer)?;
        if let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
            && incoming.provisional.replace(response).is_none()
        {
            self.repeat_provisional_later(now, call);
        }
        Ok(())
    }

    pub(super) fn repeat_provisional_later(&mut self, now: Instant, call: CallHandle) {
        self.call_timer(now, call, REPEAT_PROVISIONAL, CallTimer::RepeatProvisional);
    }

    /// Answers an INVITE or re-INVITE with 200. `sdp` is the answer to its offer, or the offer if it had none.
    /// `Acknowledged` follows, or `AckTimeout`.
    ///
    /// # Errors
    /// The call is gone or waits for no answer.
    pub fn accept(
        &mut self,
        now: Instant,
        call: CallHandle,
        headers: &[ExtraHeader],
        sdp: Option<Bytes>,
    ) -> Result<(), CallError> {
        let status = StatusCode::OK;
        if let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
            && let Some(reliable) = incoming
                .reliable
                .as_mut()
                .filter(|reliable| reliable.waits())
        {
            // RFC 3262 §3: no 2xx before the PRACK of a response with a session description.
            reliable
                .accepted
                .get_or_insert_with(|| (headers.to_vec(), sdp));
            return Ok(());
        }
        let extra = if self.config.session_timer.is_some() {
            let request = self.pending(call)?.request.clone();
            self.keep_description(call, sdp.as_ref());
            self.answer_session(now, call, &request)
        } else {
            Vec::new()
        };
        let answer = self.answer(
            now,
            call,
            &Answer {
                status,
                reason: "",
                headers,
                sdp: sdp.as_deref(),
                contact: true,
                extra: &extra,
            },
        )?;
        let interval = self.config.timers.t1;
        let awaiting = |pending: &Pending| AwaitingAck {
            answer,
            path: ReplyPath::of(&pending.request, &pending.flow),
            cseq: pending.request.head().core.cseq,
            interval,
        };
        let (state, cseq) = match self.take_state(call).ok_or(CallError::Gone)? {
            CallState::Incoming(incoming) => {
                let mut established = Established::new(incoming.dialog);
                established.confirmed = false;
                let awaiting = awaiting(&incoming.invite);
                let cseq = awaiting.cseq;
                established.awaiting = Some(awaiting);
                (CallState::Established(Box::new(established)), Some(cseq))
            }
            CallState::Established(mut established) => {
                let cseq = established.reinvite.take().map(|pending| {
                    established.dialog.refresh_target(pending.request.headers());
                    let awaiting = awaiting(&pending);
                    let cseq = awaiting.cseq;
                    established.awaiting = Some(awaiting);
                    cseq
                });
                (CallState::Established(established), cseq)
            }
            other => (other, None),
        };
        self.put_state(call, state);
        if let Some(cseq) = cseq {
            self.call_timer(now, call, interval, CallTimer::RepeatAnswer { cseq });
            self.call_timer(
                now,
                call,
                self.config.timers.give_up(),
                CallTimer::AckOverdue { cseq },
            );
        }
        Ok(())
    }

    /// Refuses an INVITE with 300 to 699; the handle is no longer valid then. A refused re-INVITE leaves the call as
    /// it was. An empty `reason` becomes the status's own phrase.
    ///
    /// # Errors
    /// The call is gone or waits for no answer, or the status is below 300.
    pub fn reject(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: StatusCode,
        reason: &str,
        headers: &[ExtraHeader],
    ) -> Result<(), CallError> {
        if !status.is_failure() {
            return Err(CallError::Status {
                status: status.get(),
                expected: "300 to 699",
            });
        }
        self.answer(
            now,
            call,
            &Answer {
                status,
                reason,
                headers,
                sdp: None,
                contact: false,
                extra: &[],
            },
        )?;
        match self.call_mut(call).map(|call| &mut call.state) {
            Some(CallState::Established(established)) => established.reinvite = None,
            _ => {
                self.remove_call(call);
            }
        }
        Ok(())
    }

    /// Answers a re-INVITE whose call is ending.
    pub(super) fn refuse_pending(
        &mut self,
        now: Instant,
        call: CallHandle,
        pending: &Pending,
        status: StatusCode,
    ) {
        let tag = self.tag_of(call);
        let response = self.write_reply(
            &pending.flow,
            &pending.request,
            tag.as_deref(),
            &Answer::bare(status),
        );
        self.answer_server(now, pending.tx, status, response);
    }

    pub(super) fn on_call_timer(&mut self, now: Instant, call: CallHandle, timer: CallTimer) {
        match timer {
            CallTimer::Trying => self.on_still_unanswered(now, call),
            CallTimer::RepeatProvisional => self.repeat_provisional(now, call),
            CallTimer::RepeatAnswer { cseq } => self.repeat_answer(now, call, cseq),
            CallTimer::AckOverdue { cseq } => self.on_ack_overdue(now, call, cseq),
            CallTimer::CancelOverdue => self.on_cancel_overdue(call),
            CallTimer::RepeatReliable { rseq } => self.repeat_reliable(now, call, rseq),
            CallTimer::PrackOverdue { rseq } => self.on_prack_overdue(now, call, rseq),
            CallTimer::RetryChange { serial } => self.on_retry_change(now, call, serial),
            CallTimer::ChangeOverdue { serial } => self.on_change_overdue(now, call, serial),
            CallTimer::Session { serial } => self.on_session_timer(now, call, serial),
        }
    }

    fn on_still_unanswered(&mut self, now: Instant, call: CallHandle) {
        let silent = match self.call(call).map(|call| &call.state) {
            Some(CallState::Incoming(incoming)) => incoming.provisional.is_none(),
            Some(CallState::Established(established)) => established.reinvite.is_some(),
            _ => false,
        };
        if silent {
            // The call was just seen waiting for an answer.
            let _ = self.trying(now, call);
        }
    }

    fn repeat_provisional(&mut self, now: Instant, call: CallHandle) {
        if self.repeat_reliably(now, call) {
            return self.repeat_provisional_later(now, call);
        }
        let Some(CallState::Incoming(incoming)) = self.call(call).map(|call| &call.state) else {
            return;
        };
        let Some(response) = incoming.provisional.clone() else {
            return;
        };
        let path = ReplyPath::of(&incoming.invite.request, &incoming.invite.flow);
        self.transmits.push_back(path.transmit(response));
        self.call_timer(now, call, REPEAT_PROVISIONAL, CallTimer::RepeatProvisional);
    }

    fn awaiting(&mut self, call: CallHandle, cseq: u32) -> Option<&mut AwaitingAck> {
        match &mut self.call_mut(call)?.state {
            CallState::Established(established) => established
                .awaiting
                .as_mut()
                .filter(|awaiting| awaiting.cseq == cseq),
            _ => None,
        }
    }

    /// On reliable transports too: the next hop may be the last reliable one (RFC 3261 §13.3.1.4).
    fn repeat_answer(&mut self, now: Instant, call: CallHandle, cseq: u32) {
        let longest = self.config.timers.t2;
        let Some(awaiting) = self.awaiting(call, cseq) else {
            return;
        };
        awaiting.interval = awaiting.interval.saturating_mul(2).min(longest);
        let interval = awaiting.interval;
        let transmit = awaiting.path.transmit(awaiting.answer.clone());
        self.transmits.push_back(transmit);
        self.call_timer(now, call, interval, CallTimer::RepeatAnswer { cseq });
    }

    fn on_ack_overdue(&mut self, now: Instant, call: CallHandle, cseq: u32) {
        if self.awaiting(call, cseq).is_none() {
            return;
        }
        self.events.push_back(Event::AckTimeout { call });
        self.end_call(now, call, EndedBy::AckTimeout, &[]);
    }
}

/// 100 is the transaction's own, and a final response has its own commands.
pub(super) fn must_be_provisional(status: StatusCode) -> Result<(), CallError> {
    if status.is_provisional() && status != StatusCode::TRYING {
        return Ok(());
    }
    Err(CallError::Status {
        status: status.get(),
        expected: "101 to 199",
    })
}
