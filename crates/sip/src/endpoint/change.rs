//! Changes of a session that we begin, by re-INVITE or UPDATE, and what happens when the peer begins one at the same time
//! (RFC 3261 §14.1, RFC 3311 §5.1).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::body::session_description;
use super::call::{CallState, CallTimer, TxRef};
use super::client::{ClientMachine, ClientTx};
use super::event::{CallHandle, EndedBy, Event, FailureCause};
use super::requests::Inside;
use super::{CallError, Due, Endpoint};
use crate::message::{ExtraHeader, Method, Response, StatusCode};
use crate::transaction::ClientInviteState;

/// How often a change is tried when the peer begins one at the same time.
const MAX_TRIES: u8 = 6;
/// How long the peer may think about a re-INVITE before it is cancelled. Our choice: no person is asked, unlike for the
/// first INVITE.
const PATIENCE: Duration = Duration::from_secs(60);

/// A re-INVITE or UPDATE of ours.
#[derive(Debug)]
pub(super) struct OwnChange {
    /// `None` while it waits to be tried again.
    tx: Option<TxRef>,
    method: Method,
    pub(super) sdp: Option<Bytes>,
    headers: Vec<ExtraHeader>,
    tries: u8,
    serial: u32,
    cancelled: bool,
    /// A session refresh, of which the user hears nothing unless it fails the call (RFC 4028).
    pub(super) refresh: bool,
}

impl OwnChange {
    /// It is on its way, and no other may begin (RFC 3261 §14.2).
    pub(super) const fn is_open(&self) -> bool {
        self.tx.is_some()
    }

    /// Its offer waits for an answer (RFC 3311 §5.2).
    pub(super) fn offers(&self) -> bool {
        self.is_open() && (self.sdp.is_some() || self.method == Method::Invite)
    }
}

impl Endpoint {
    /// Offers to change the session by re-INVITE. `offer` is `None` to ask the peer for an offer: then `Changed` brings
    /// it and `acknowledge` answers it. `Changed` or `ChangeFailed` follows. When both sides begin at once (491), it is
    /// tried again after the time of RFC 3261 §14.1, six times in all.
    ///
    /// # Errors
    /// The call is gone, not answered yet or ending, or another change is under way on either side.
    pub fn reinvite(
        &mut self,
        now: Instant,
        call: CallHandle,
        offer: Option<Bytes>,
        headers: &[ExtraHeader],
    ) -> Result<(), CallError> {
        self.begin_change(now, call, Method::Invite, offer, headers, false)
    }

    /// Sends an UPDATE: with an offer, or without one to refresh the session and our address (RFC 3311). Also before
    /// the call is answered, in a dialog that a reliable provisional response has made. `Changed` or `ChangeFailed`
    /// follows.
    ///
    /// # Errors
    /// As [`Endpoint::reinvite`]; before the answer also: there is not exactly one early dialog.
    pub fn update(
        &mut self,
        now: Instant,
        call: CallHandle,
        offer: Option<Bytes>,
        headers: &[ExtraHeader],
    ) -> Result<(), CallError> {
        self.begin_change(now, call, Method::Update, offer, headers, false)
    }

    pub(super) fn begin_change(
        &mut self,
        now: Instant,
        call: CallHandle,
        method: Method,
        sdp: Option<Bytes>,
        headers: &[ExtraHeader],
        refresh: bool,
    ) -> Result<(), CallError> {
        let found = self.call(call).ok_or(CallError::Gone)?;
        if found.change.is_some() || !self.is_quiet(call, &method) {
            return Err(CallError::State {
                command: "a change of the session",
                expected: "an answered call in which neither side is changing it",
            });
        }
        if self.clients.len() >= self.config.limits.transactions {
            return Err(CallError::Full("transactions"));
        }
        let serial = self.next_serial();
        if let Some(found) = self.call_mut(call) {
            found.change = Some(Box::new(OwnChange {
                tx: None,
                method,
                sdp,
                headers: headers.to_vec(),
                tries: 0,
                serial,
                cancelled: false,
                refresh,
            }));
        }
        self.try_change(now, call);
        Ok(())
    }

    /// Whether a change may begin now: no other is under way (RFC 3261 §14.1, RFC 3311 §5.1).
    fn is_quiet(&self, call: CallHandle, method: &Method) -> bool {
        let Some(found) = self.call(call) else {
            return false;
        };
        if found.peer_update.is_some() {
            return false;
        }
        match &found.state {
            CallState::Established(established) => {
                established.confirmed
                    && established.awaiting.is_none()
                    && established.reinvite.is_none()
                    && established.unacknowledged.is_none()
                    && established.bye.is_none()
            }
            CallState::Incoming(incoming) => {
                *method == Method::Update
                    && incoming
                        .reliable
                        .as_ref()
                        .is_some_and(|reliable| !reliable.waits())
            }
            CallState::Calling(calling) => {
                *method == Method::Update
                    && calling.cancel.is_none()
                    && calling
                        .early
                        .iter()
                        .filter(|early| early.dialog.is_some() && early.prack.is_none())
                        .count()
                        == 1
            }
            CallState::Ending { .. } | CallState::Taken => false,
        }
    }

    fn try_change(&mut self, now: Instant, call: CallHandle) {
        let Some(mut change) = self.call_mut(call).and_then(|call| call.change.take()) else {
            return;
        };
        if !self.is_quiet(call, &change.method) {
            // The peer is changing the session itself; afterwards it is our turn.
            self.later(now, call, change, Duration::from_millis(500));
            return;
        }
        let fixed = self.session_headers(call);
        let Some(mut state) = self.take_state(call) else {
            return;
        };
        let inside = Inside {
            method: change.method.clone(),
            headers: &change.headers,
            fixed: &fixed,
            body: change.sdp.as_deref().map(|sdp| ("application/sdp", sdp)),
        };
        let tx = state
            .dialog_for_change()
            .map(|dialog| self.send_inside(now, dialog, Some(call), &inside));
        self.put_state(call, state);
        let Some(tx) = tx else { return };
        if let Some(ClientTx {
            machine: ClientMachine::Invite(_, memory),
            ..
        }) = self.client_mut(tx)
        {
            memory.reinvite = true;
        }
        change.tries = change.tries.saturating_add(1);
        change.tx = Some(tx);
        let (serial, is_invite) = (change.serial, change.method == Method::Invite);
        if let Some(found) = self.call_mut(call) {
            found.change = Some(change);
        }
        if is_invite {
            self.call_timer(now, call, PATIENCE, CallTimer::ChangeOverdue { serial });
        }
    }

    fn later(
        &mut self,
        now: Instant,
        call: CallHandle,
        mut change: Box<OwnChange>,
        after: Duration,
    ) {
        change.tx = None;
        change.serial = self.next_serial();
        let serial = change.serial;
        if let Some(found) = self.call_mut(call) {
            found.change = Some(change);
            self.call_timer(now, call, after, CallTimer::RetryChange { serial });
        }
    }

    pub(super) fn on_retry_change(&mut self, now: Instant, call: CallHandle, serial: u32) {
        let waiting = self
            .call(call)
            .and_then(|call| call.change.as_ref())
            .is_some_and(|change| change.serial == serial && !change.is_open());
        if waiting {
            self.try_change(now, call);
        }
    }

    /// The peer thinks too long: the re-INVITE is cancelled, and given up when that does not help either.
    pub(super) fn on_change_overdue(&mut self, now: Instant, call: CallHandle, serial: u32) {
        let Some(change) = self
            .call_mut(call)
            .and_then(|call| call.change.as_mut())
            .filter(|change| change.serial == serial)
        else {
            return;
        };
        let Some(tx) = change.tx else { return };
        if change.cancelled {
            self.forget_client(tx);
            let (status, cause) = (StatusCode::REQUEST_TIMEOUT, FailureCause::Timeout);
            return self.on_change_failed(now, call, tx, status, cause, None);
        }
        change.cancelled = true;
        let give_up = self.config.timers.give_up();
        self.send_cancel(now, tx, &[]);
        self.call_timer(now, call, give_up, CallTimer::ChangeOverdue { serial });
    }

    /// After a provisional response a re-INVITE's transaction waits for the user (RFC 3261 §17.1.1.2), who gives it up as
    /// [`Endpoint::on_change_overdue`] says. Where the call has ended before, nobody would.
    pub(super) fn bound_reinvite(&mut self, now: Instant, tx: TxRef) {
        let TxRef { index, serial } = tx;
        let longest = PATIENCE + self.config.timers.give_up().saturating_mul(2);
        self.timers
            .add_rare(now, longest, Due::Reinvite { index, serial });
    }

    pub(super) fn forget_reinvite(&mut self, tx: TxRef) {
        if let Some(ClientTx {
            machine: ClientMachine::Invite(machine, _),
            ..
        }) = self.client(tx)
            && machine.state() == ClientInviteState::Proceeding
        {
            self.forget_client(tx);
        }
    }

    /// Whether `tx` is the change that `call` waits for.
    pub(super) fn is_change(&self, call: Option<CallHandle>, tx: TxRef) -> bool {
        call.and_then(|call| self.call(call)?.change.as_ref())
            .is_some_and(|change| change.tx == Some(tx))
    }

    /// What waited for the request `old` waits for its repetition.
    pub(super) fn replace_change(&mut self, call: CallHandle, old: TxRef, new: TxRef) {
        let Some(change) = self
            .call_mut(call)
            .and_then(|call| call.change.as_mut())
            .filter(|change| change.tx == Some(old))
        else {
            return;
        };
        change.tx = Some(new);
        if let Some(ClientTx {
            machine: ClientMachine::Invite(_, memory),
            ..
        }) = self.client_mut(new)
        {
            memory.reinvite = true;
        }
    }

    /// The peer has agreed; the ACK of a re-INVITE with offer is sent.
    pub(super) fn on_change_success(
        &mut self,
        now: Instant,
        call: CallHandle,
        tx: TxRef,
        response: &Response,
    ) {
        let Some(found) = self.call_mut(call) else {
            return;
        };
        let Some(change) = found.change.take() else {
            return;
        };
        if let Some(dialog) = found.state.dialog_for_change() {
            dialog.refresh_target(response.headers());
        }
        let sdp = session_description(response.head(), response.headers())
            .ok()
            .flatten();
        if change.method == Method::Invite {
            let cseq = response.head().core.cseq;
            if change.sdp.is_some() {
                self.acknowledge_change(call, tx, cseq, response);
            } else if let Some(CallState::Established(established)) =
                self.call_mut(call).map(|call| &mut call.state)
            {
                established.unacknowledged = Some((tx, cseq));
            }
        }
        if change.sdp.is_some() {
            self.keep_description(call, change.sdp.as_ref());
        }
        self.on_session_answer(now, call, response);
        if !change.refresh {
            self.events.push_back(Event::Changed {
                call,
                response: response.clone(),
                sdp,
            });
        }
    }

    /// Sends the ACK of a 2xx to a re-INVITE.
    pub(super) fn acknowledge_change(
        &mut self,
        call: CallHandle,
        tx: TxRef,
        cseq: u32,
        _response: &Response,
    ) {
        let Some(state) = self.take_state(call) else {
            return;
        };
        if let Some(dialog) = state.dialog() {
            self.acknowledge_answer(tx, dialog, cseq, None);
        }
        self.put_state(call, state);
    }

    pub(super) fn on_change_failed(
        &mut self,
        now: Instant,
        call: CallHandle,
        tx: TxRef,
        status: StatusCode,
        cause: FailureCause,
        response: Option<&Response>,
    ) {
        if !self.is_change(Some(call), tx) {
            return;
        }
        let Some(change) = self.call_mut(call).and_then(|call| call.change.take()) else {
            return;
        };
        if let Some(after) = self.retry_after(call, status, response)
            && change.tries < MAX_TRIES
            && !change.cancelled
        {
            return self.later(now, call, change, after);
        }
        // RFC 3261 §12.2.1.2: the peer knows the dialog no more, or is gone.
        let lost = matches!(
            status,
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT
        ) && !change.cancelled;
        if change.refresh && !lost {
            return self.on_refresh_failed(now, call, &change.method, status);
        }
        if !change.refresh {
            self.events.push_back(Event::ChangeFailed {
                call,
                status,
                cause,
                response: response.cloned(),
            });
        }
        if lost {
            self.end_call(now, call, EndedBy::Lost, &[]);
        }
    }

    /// When a change is to be tried again: 491 after the time of RFC 3261 §14.1 in steps of 10 ms, longer for the side
    /// that made the Call-ID; 500 after its Retry-After, which §14.2 has at 10 s at most.
    fn retry_after(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        response: Option<&Response>,
    ) -> Option<Duration> {
        if status == StatusCode::REQUEST_PENDING {
            let caller = self.call(call)?.caller;
            let random = self.ids.nonce();
            let steps = if caller {
                210 + random % 191
            } else {
                random % 201
            };
            return Some(Duration::from_millis(steps * 10));
        }
        if status == StatusCode::SERVER_INTERNAL_ERROR {
            let after = response?.headers().retry_after()?.seconds;
            return (after <= 10).then(|| Duration::from_secs(u64::from(after)));
        }
        None
    }
}
