//! Outgoing calls (RFC 3261 §13.2, §9.1, §15).

use std::time::Instant;

use bytes::Bytes;

use super::body::session_description;
use super::call::{CallState, CallTimer, Calling, Early, Established, TxRef};
use super::client::{Acknowledged, ClientMachine, ClientTx, SendPath};
use super::event::{CallHandle, Event, FailureCause};
use super::flow::Flow;
use super::outgoing::{OutgoingInvite, party};
use super::{CallError, Endpoint};
use crate::auth::Session;
use crate::dialog::Dialog;
use crate::message::{
    Framing, HeaderName, Message, MessageWriter, Method, Response, StatusCode, parse,
};

impl Endpoint {
    /// Sends an INVITE. What comes of it are `Provisional`, then `Answered` or `Failed`.
    ///
    /// # Errors
    /// A full table, or a Call-ID with characters that RFC 3261 §25.1 does not allow.
    pub fn invite(
        &mut self,
        now: Instant,
        invite: OutgoingInvite,
    ) -> Result<CallHandle, CallError> {
        if self.calls.len() >= self.config.limits.calls {
            return Err(CallError::Full("calls"));
        }
        if self.clients.len() >= self.config.limits.transactions {
            return Err(CallError::Full("transactions"));
        }
        let call_id = self.checked_call_id(invite.call_id)?;
        let path = SendPath {
            transport: invite.transport,
            destination: invite.destination,
            connection: None,
            udp_only: invite.udp_only,
            keep: invite.keep,
        };
        let offered = invite.offer.is_some();
        let offer = invite.offer.clone();
        let target = invite.target;
        let mut local = String::new();
        let from = invite.from;
        let call = self.add_call(|_, tag| {
            local = format!("{};tag={tag}", party(&from));
            CallState::Calling(Box::new(Calling {
                tx: TxRef {
                    index: u32::MAX,
                    serial: 0,
                },
                call_id: call_id.as_bytes().into(),
                offered,
                proceeding: false,
                early: Vec::new(),
                cancel: None,
                cancel_sent: false,
            }))
        });
        let contact = self
            .texts
            .contact(path.transport, path.destination.known_ip())
            .to_owned();
        let product = self.config.product.clone();
        let supported = self.texts.supported.clone();
        let allow = self.texts.allow.clone();
        if let Some(found) = self.call_mut(call) {
            found.caller = true;
            found.udp_only = path.udp_only;
        }
        let session = self.session_headers(call);
        let tx = self.send_request(now, Method::Invite, path, Some(call), |via| {
            let mut writer = MessageWriter::request(&Method::Invite, target.as_str());
            writer
                .header(HeaderName::Via, via)
                .header(HeaderName::MaxForwards, "70");
            for route in &invite.routes {
                writer.header(HeaderName::Route, route);
            }
            writer
                .header(HeaderName::From, &local)
                .header(HeaderName::To, party(&invite.to))
                .header(HeaderName::CallId, &call_id)
                .header(HeaderName::CSeq, "1 INVITE")
                .header(HeaderName::Contact, &contact)
                .header(HeaderName::Allow, &*allow);
            if !supported.is_empty() {
                writer.header(HeaderName::Supported, &supported);
            }
            if !product.is_empty() {
                writer.header(HeaderName::UserAgent, &product);
            }
            for (name, value) in &session {
                writer.header(*name, value);
            }
            writer.extra(&invite.headers);
            match &invite.offer {
                Some(offer) => writer.finish_with("application/sdp", offer),
                None => writer.finish(),
            }
        });
        if let Some(CallState::Calling(calling)) = self.call_mut(call).map(|call| &mut call.state) {
            calling.tx = tx;
        }
        if let Some(found) = self.call_mut(call) {
            found.auth = invite.wallet.map(|wallet| Box::new(Session::new(wallet)));
        }
        self.keep_description(call, offer.as_ref());
        Ok(call)
    }

    pub(super) fn on_invite_provisional(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: Option<CallHandle>,
        response: &Response,
    ) {
        let Some(call) = call else { return };
        let limit = self.config.limits.early_dialogs;
        let Some(CallState::Calling(calling)) = self.call_mut(call).map(|call| &mut call.state)
        else {
            return;
        };
        let first = !calling.proceeding;
        calling.proceeding = true;
        let tx = calling.tx;
        let cancel = if first && !calling.cancel_sent {
            calling.cancel.take()
        } else {
            None
        };
        if let Some(headers) = cancel {
            calling.cancel = Some(Vec::new());
            calling.cancel_sent = true;
            self.send_cancel(now, tx, &headers);
            self.call_timer(
                now,
                call,
                self.config.timers.give_up(),
                CallTimer::CancelOverdue,
            );
            return;
        }
        if response.status() == StatusCode::TRYING || calling.cancel.is_some() {
            return;
        }
        if let Some(tag) = response.headers().to_tag()
            && !calling.early.iter().any(|known| *known.tag == *tag)
        {
            if calling.early.len() >= limit {
                return;
            }
            calling.early.push(Early::new(tag));
        }
        // A provisional response whose body cannot be read still says that it rings.
        let sdp = session_description(response.head(), response.headers())
            .ok()
            .flatten();
        if !self.take_reliable(now, flow, call, response, sdp.is_some()) {
            return;
        }
        self.events.push_back(Event::Provisional {
            call,
            status: response.status(),
            response: response.clone(),
            sdp,
        });
    }

    pub(super) fn on_invite_success(
        &mut self,
        now: Instant,
        flow: &Flow,
        tx: TxRef,
        call: Option<CallHandle>,
        response: &Response,
    ) {
        let tag = response.headers().to_tag();
        let limit = self.config.limits.early_dialogs;
        let Some(ClientTx {
            machine: ClientMachine::Invite(_, memory),
            ..
        }) = self.client_mut(tx)
        else {
            return;
        };
        if let Some(known) = memory
            .acknowledged
            .iter()
            .find(|known| known.tag.as_deref() == tag)
        {
            let again = known
                .ack
                .as_ref()
                .map(|(ack, path)| path.transmit(ack.clone(), None));
            self.transmits.extend(again);
            return;
        }
        let reinvite = memory.reinvite;
        if memory.acknowledged.len() >= limit {
            return;
        }
        memory.acknowledged.push(Acknowledged {
            tag: tag.map(Into::into),
            ack: None,
        });
        if self.is_change(call, tx) {
            if let Some(call) = call {
                self.on_change_success(now, call, tx, response);
            }
            return;
        }
        let calling = match call
            .and_then(|call| self.call_mut(call))
            .map(|call| &call.state)
        {
            Some(CallState::Calling(calling)) => Some((calling.offered, calling.cancel.is_some())),
            _ => None,
        };
        let Some(mut dialog) = self.dialog_of_answer(tx, flow, response) else {
            return;
        };
        if let Some(early) = call
            .and_then(|call| self.call_mut(call))
            .and_then(|call| call.state.dialog_to(tag))
        {
            dialog.continue_from(early);
        }
        let cseq = response.head().core.cseq;
        match (call, calling) {
            (Some(call), Some((offered, false))) => {
                self.answered(now, call, tx, dialog, offered, response)
            }
            _ if reinvite => {
                // The 2xx of a re-INVITE that nobody waits for any more: the call is ending.
                self.acknowledge_answer(tx, &dialog, cseq, None);
            }
            (call, calling) => {
                // A fork that answered too late, or an answer that crossed our CANCEL (RFC 3261 §9.1, §13.2.2.4).
                self.acknowledge_answer(tx, &dialog, cseq, None);
                self.write_bye(now, &mut dialog, None, &[]);
                if calling.is_some() {
                    let status = StatusCode::REQUEST_TERMINATED;
                    self.on_invite_failure(call, status, FailureCause::Cancelled, Some(response));
                }
            }
        }
    }

    fn answered(
        &mut self,
        now: Instant,
        call: CallHandle,
        tx: TxRef,
        dialog: Dialog,
        offered: bool,
        response: &Response,
    ) {
        let cseq = response.head().core.cseq;
        if offered {
            self.acknowledge_answer(tx, &dialog, cseq, None);
        }
        let mut established = Established::new(dialog);
        established.unacknowledged = (!offered).then_some((tx, cseq));
        self.put_state(call, CallState::Established(Box::new(established)));
        self.on_session_answer(now, call, response);
        let sdp = session_description(response.head(), response.headers())
            .ok()
            .flatten();
        self.events.push_back(Event::Answered {
            call,
            response: response.clone(),
            sdp,
        });
    }

    /// The dialog that a 2xx makes. A 2xx that allows none (its Contact or Record-Route is malformed) fails the call;
    /// the peer hears no ACK and gives up by itself.
    fn dialog_of_answer(&mut self, tx: TxRef, flow: &Flow, response: &Response) -> Option<Dialog> {
        let made = self.early_dialog(tx, flow, response);
        if made.is_none() {
            let call = self.client(tx)?.call;
            self.on_invite_failure(
                call,
                StatusCode::BAD_GATEWAY,
                FailureCause::BadAnswer,
                Some(response),
            );
        }
        made
    }

    /// The dialog that a response with a To tag makes (RFC 3261 §12.1.2).
    pub(super) fn early_dialog(
        &mut self,
        tx: TxRef,
        flow: &Flow,
        response: &Response,
    ) -> Option<Dialog> {
        let found = self.client(tx)?;
        let Ok(Message::Request(request)) = parse(found.request.clone(), Framing::Datagram) else {
            return None;
        };
        let local = request.head().bytes(request.head().core.from);
        Dialog::of_client(
            response,
            local,
            request.raw_uri(),
            *flow,
            self.config.limits.routes,
        )
        .ok()
    }

    /// Sends the ACK of a 2xx and keeps it for the 2xx's retransmissions (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledge_answer(
        &mut self,
        tx: TxRef,
        dialog: &Dialog,
        cseq: u32,
        sdp: Option<&[u8]>,
    ) {
        let (transport, destination, connection) = self.next_hop_of(dialog);
        let via = self.passing_via(transport, destination.known_ip());
        let path = SendPath {
            transport,
            destination,
            connection,
            udp_only: false,
            keep: false,
        };
        let mut writer = dialog.begin(&Method::Ack, &via, cseq);
        // The ACK carries the credentials of its INVITE, because it cannot be challenged (RFC 3261 §22.1).
        if let Some(found) = self.client(tx)
            && (found.auth.is_some() || self.is_authenticated(found.call))
            && let Ok(Message::Request(request)) = parse(found.request.clone(), Framing::Datagram)
        {
            for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
                for value in request.headers().all(name) {
                    writer.header(name, value);
                }
            }
        }
        let ack = match sdp {
            Some(sdp) => writer.finish_with("application/sdp", sdp),
            None => writer.finish(),
        };
        self.transmits.push_back(path.transmit(ack.clone(), None));
        if let Some(ClientTx {
            machine: ClientMachine::Invite(_, memory),
            ..
        }) = self.client_mut(tx)
            && let Some(known) = memory
                .acknowledged
                .iter_mut()
                .find(|known| known.tag.as_deref() == dialog.remote_tag())
        {
            known.ack = Some((ack, path));
        }
    }

    fn is_authenticated(&self, call: Option<CallHandle>) -> bool {
        call.and_then(|call| self.call(call))
            .is_some_and(|call| call.auth.is_some())
    }

    /// Answers the offer of a 2xx to an INVITE that had none: the ACK carries the answer (RFC 3261 §13.2.1).
    ///
    /// # Errors
    /// The call is gone, or waits for no such answer.
    pub fn acknowledge(
        &mut self,
        _now: Instant,
        call: CallHandle,
        answer: Bytes,
    ) -> Result<(), CallError> {
        let found = self.call_mut(call).ok_or(CallError::Gone)?;
        let CallState::Established(established) = &mut found.state else {
            return Err(NOT_WAITING);
        };
        let (tx, cseq) = established.unacknowledged.take().ok_or(NOT_WAITING)?;
        if let Some(state) = self.take_state(call) {
            if let Some(dialog) = state.dialog() {
                self.acknowledge_answer(tx, dialog, cseq, Some(&answer));
            }
            self.put_state(call, state);
        }
        self.keep_description(call, Some(&answer));
        Ok(())
    }

    pub(super) fn on_invite_failure(
        &mut self,
        call: Option<CallHandle>,
        status: StatusCode,
        cause: FailureCause,
        response: Option<&Response>,
    ) {
        let Some(call) = call else { return };
        let Some(CallState::Calling(calling)) = self.call(call).map(|call| &call.state) else {
            return;
        };
        let cause = if calling.cancel.is_some() {
            FailureCause::Cancelled
        } else {
            cause
        };
        self.remove_call(call);
        let reason = match response {
            Some(response) if response.status() == status => response.reason().into_owned(),
            _ => status.phrase().to_owned(),
        };
        self.events.push_back(Event::Failed {
            call,
            status,
            reason,
            cause,
            response: response.cloned(),
        });
    }
}

const NOT_WAITING: CallError = CallError::State {
    command: "acknowledge",
    expected: "an answered call whose INVITE had no offer",
};
