//! Client transactions in their table.

use std::time::Instant;

use bytes::Bytes;

use super::call::TxRef;
use super::challenge::TxAuth;
use super::event::{CallHandle, FailureCause, SentId};
use super::flow::{ConnectionId, Destination, Flow, Transmit, TransmitId, Transport};
use super::ids::Token;
use super::texts::Texts;
use super::{Due, Endpoint};
use crate::dialog::Dialog;
use crate::message::{
    Framing, HeaderName, Message, MessageWriter, Method, Request, Response, StatusCode, parse,
};
use crate::transaction::{ClientInvite, ClientOther, Effects, Failure, Send, Timer};

#[derive(Debug)]
pub(super) enum ClientMachine {
    Invite(ClientInvite, Box<InviteMemory>),
    Other(ClientOther),
}

/// The way a request goes.
#[derive(Debug, Clone)]
pub(super) struct SendPath {
    pub(super) transport: Transport,
    pub(super) destination: Destination,
    pub(super) connection: Option<ConnectionId>,
    /// The next hop takes nothing but UDP: the size of a request changes nothing.
    pub(super) udp_only: bool,
    /// Its Via offers keep-alives (RFC 6223).
    pub(super) keep: bool,
}

impl SendPath {
    pub(super) fn transmit(&self, bytes: Bytes, id: Option<TransmitId>) -> Transmit {
        let Self {
            transport,
            destination,
            connection,
            udp_only: _,
            keep: _,
        } = self.clone();
        Transmit {
            transport,
            destination,
            connection,
            bytes,
            id,
        }
    }
}

/// A 2xx that was seen, told apart by its To tag, and the ACK that answers its retransmissions.
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) tag: Option<Box<[u8]>>,
    pub(super) ack: Option<(Bytes, SendPath)>,
}

/// What an INVITE transaction remembers beyond its request.
#[derive(Debug, Default)]
pub(super) struct InviteMemory {
    pub(super) cancel: Option<TxRef>,
    pub(super) acknowledged: Vec<Acknowledged>,
    /// It is a re-INVITE: its 2xx makes no dialog.
    pub(super) reinvite: bool,
    /// It has had a provisional response, and so a bound of its time.
    bounded: bool,
    /// The dialog that there may be with a peer that has taken the CANCEL, and says nothing of the INVITE.
    pub(super) unheard: Option<Box<Dialog>>,
    /// The ACK of a failure response.
    failure_ack: Option<Bytes>,
}

#[derive(Debug)]
pub(super) struct ClientTx {
    pub(super) serial: u32,
    nonce: u64,
    pub(super) method: Method,
    pub(super) machine: ClientMachine,
    pub(super) request: Bytes,
    pub(super) path: SendPath,
    pub(super) call: Option<CallHandle>,
    /// A request that the user waits for.
    pub(super) sent: Option<SentId>,
    pub(super) auth: Option<Box<TxAuth>>,
}

impl ClientTx {
    /// The INVITE transaction of another endpoint; no call waits for it.
    pub(super) const fn restored(
        serial: u32,
        nonce: u64,
        machine: ClientMachine,
        request: Bytes,
        path: SendPath,
    ) -> Self {
        Self {
            serial,
            nonce,
            method: Method::Invite,
            machine,
            request,
            path,
            call: None,
            sent: None,
            auth: None,
        }
    }
}

impl Endpoint {
    /// Starts a transaction; `write` makes the request from its Via. Its branch names its place in the table.
    pub(super) fn send_request(
        &mut self,
        now: Instant,
        method: Method,
        mut path: SendPath,
        call: Option<CallHandle>,
        mut write: impl FnMut(&str) -> Bytes,
    ) -> TxRef {
        let serial = self.next_serial();
        let nonce = self.ids.nonce();
        let index = u32::try_from(self.clients.vacant_key()).unwrap_or(u32::MAX);
        let token = self.ids.write(Token {
            index,
            serial,
            nonce,
        });
        let peer = path.destination.known_ip();
        let keep = if path.keep { ";keep" } else { "" };
        let via = |texts: &Texts, transport| {
            let alias = texts.alias(transport);
            format!("{}{token}{alias}{keep}", texts.via(transport, peer))
        };
        let mut request = write(&via(&self.texts, path.transport));
        // Without TCP of our own a peer could not call back by it.
        let udp_only = path.udp_only || self.config.tcp.is_none();
        let transport = path.transport.for_size(request.len(), None, udp_only);
        if transport != path.transport {
            path.transport = transport;
            path.connection = None;
            request = write(&via(&self.texts, transport));
        }
        let reliable = path.transport.is_reliable();
        let (machine, effects) = if method == Method::Invite {
            let (machine, effects) = ClientInvite::start(self.config.timers, reliable);
            (ClientMachine::Invite(machine, Box::default()), effects)
        } else {
            let (machine, effects) = ClientOther::start(self.config.timers, reliable);
            (ClientMachine::Other(machine), effects)
        };
        self.clients.insert(ClientTx {
            serial,
            nonce,
            method,
            machine,
            request,
            path,
            call,
            sent: None,
            auth: None,
        });
        let tx = TxRef { index, serial };
        self.apply_client(now, tx, effects, None);
        tx
    }

    /// Sends the CANCEL of an INVITE: same Via, so its responses name the INVITE's place (RFC 3261 §9.1).
    pub(super) fn send_cancel(
        &mut self,
        now: Instant,
        invite: TxRef,
        headers: &[crate::message::ExtraHeader],
    ) {
        let Some(found) = self.client(invite) else {
            return;
        };
        let Ok(Message::Request(request)) = parse(found.request.clone(), Framing::Datagram) else {
            return;
        };
        let path = found.path.clone();
        let mut writer = begin_like(&request, &Method::Cancel, None);
        writer.extra(headers);
        let bytes = writer.finish();
        let serial = self.next_serial();
        let (machine, effects) =
            ClientOther::start(self.config.timers, path.transport.is_reliable());
        let tx = ClientTx {
            serial,
            nonce: self.ids.nonce(),
            method: Method::Cancel,
            machine: ClientMachine::Other(machine),
            request: bytes,
            path,
            call: None,
            sent: None,
            auth: None,
        };
        let index = u32::try_from(self.clients.insert(tx)).unwrap_or(u32::MAX);
        let cancel = TxRef { index, serial };
        if let Some(ClientTx {
            machine: ClientMachine::Invite(_, memory),
            ..
        }) = self.client_mut(invite)
        {
            memory.cancel = Some(cancel);
        }
        self.apply_client(now, cancel, effects, None);
    }

    pub(super) fn client(&self, tx: TxRef) -> Option<&ClientTx> {
        self.clients
            .get(tx.index as usize)
            .filter(|found| found.serial == tx.serial)
    }

    pub(super) fn client_mut(&mut self, tx: TxRef) -> Option<&mut ClientTx> {
        self.clients
            .get_mut(tx.index as usize)
            .filter(|found| found.serial == tx.serial)
    }

    pub(super) fn forget_client(&mut self, tx: TxRef) {
        if self.client(tx).is_some() {
            self.clients.try_remove(tx.index as usize);
        }
    }

    /// The transaction that a response belongs to: by branch and CSeq method (RFC 3261 §17.1.3).
    fn match_response(&self, response: &Response) -> Option<TxRef> {
        let head = response.head();
        let branch = head.bytes(head.core.branch?);
        let tx = self
            .named_by(branch)
            .or_else(|| self.restored.get(branch).copied())?;
        let found = self.client(tx)?;
        if found.method == head.core.cseq_method {
            return Some(tx);
        }
        match &found.machine {
            ClientMachine::Invite(_, memory) if head.core.cseq_method == Method::Cancel => {
                memory.cancel
            }
            _ => None,
        }
    }

    /// The transaction whose place a branch of ours names.
    fn named_by(&self, branch: &[u8]) -> Option<TxRef> {
        let token = branch
            .get(..7)
            .filter(|cookie| cookie.eq_ignore_ascii_case(b"z9hG4bK"))?;
        let Token {
            index,
            serial,
            nonce,
        } = self.ids.read(branch.get(token.len()..)?)?;
        let tx = TxRef { index, serial };
        self.client(tx)
            .filter(|found| found.nonce == nonce)
            .map(|_| tx)
    }

    pub(super) fn on_response(&mut self, now: Instant, flow: &Flow, response: &Response) {
        let Some(tx) = self.match_response(response) else {
            return;
        };
        let Some(found) = self.client_mut(tx) else {
            return;
        };
        let call = found.call;
        let mut is_begun = false;
        let effects = match &mut found.machine {
            ClientMachine::Invite(machine, memory) => {
                is_begun = memory.reinvite
                    && response.status().is_provisional()
                    && !std::mem::replace(&mut memory.bounded, true);
                machine.on_response(response.status())
            }
            ClientMachine::Other(machine) => machine.on_response(response.status()),
        };
        let (method, sent) = (found.method.clone(), found.sent);
        let status = response.status();
        let again = (effects.deliver
            && matches!(
                status,
                StatusCode::UNAUTHORIZED
                    | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                    | StatusCode::SESSION_INTERVAL_TOO_SMALL
            ))
        .then(|| self.repeatable(tx))
        .flatten();
        self.apply_client(now, tx, effects, Some(response));
        if is_begun {
            self.bound_reinvite(now, tx);
        }
        if !effects.deliver {
            return;
        }
        if let Some(again) = again
            && self.send_better(now, tx, again, response)
        {
            return;
        }
        if let Some(id) = sent {
            if status.is_final() && !self.quiet.remove(&id) {
                self.on_request_over(id, call, status, None, Some(response));
            }
            return;
        }
        if self.is_change(call, tx) && !status.is_success() {
            if let Some(call) = call.filter(|_| status.is_final()) {
                let cause = FailureCause::Refused;
                self.on_change_failed(now, call, tx, status, cause, Some(response));
            }
            return;
        }
        match method {
            Method::Update if status.is_success() && self.is_change(call, tx) => {
                if let Some(call) = call {
                    self.on_change_success(now, call, tx, response);
                }
            }
            Method::Invite if response.status().is_provisional() => {
                self.on_invite_provisional(now, flow, call, response)
            }
            Method::Invite if response.status().is_success() => {
                self.on_invite_success(now, flow, tx, call, response)
            }
            Method::Invite => self.on_invite_failure(
                call,
                response.status(),
                FailureCause::Refused,
                Some(response),
            ),
            Method::Bye if response.status().is_final() => self.on_bye_over(call),
            Method::Cancel if status.is_success() => self.on_cancel_taken(now, flow, response),
            _ => {}
        }
    }

    pub(super) fn on_client_timer(&mut self, now: Instant, index: u32, serial: u32, timer: Timer) {
        let tx = TxRef { index, serial };
        let Some(found) = self.client_mut(tx) else {
            return;
        };
        let effects = match &mut found.machine {
            ClientMachine::Invite(machine, _) => machine.on_timer(timer),
            ClientMachine::Other(machine) => machine.on_timer(timer),
        };
        self.apply_client(now, tx, effects, None);
    }

    /// Tells that a message could not be sent: the address is unknown or refuses connections (RFC 3261 §17.1.4).
    pub fn transmit_failed(&mut self, now: Instant, id: TransmitId) {
        let tx = TxRef::from(id);
        let Some(found) = self.client_mut(tx) else {
            return;
        };
        let effects = match &mut found.machine {
            ClientMachine::Invite(machine, _) => machine.on_transport_error(),
            ClientMachine::Other(machine) => machine.on_transport_error(),
        };
        self.apply_client(now, tx, effects, None);
    }

    fn apply_client(
        &mut self,
        now: Instant,
        tx: TxRef,
        effects: Effects,
        response: Option<&Response>,
    ) {
        let TxRef { index, serial } = tx;
        let Some(found) = self.client_mut(tx) else {
            return;
        };
        let id = Some(TransmitId(u64::from(index) << 32 | u64::from(serial)));
        let transmit = match effects.send {
            Some(Send::Request) => Some(found.path.transmit(found.request.clone(), id)),
            Some(Send::Ack) => failure_ack(found, response).map(|ack| found.path.transmit(ack, id)),
            Some(Send::Response) | None => None,
        };
        let (call, method, sent) = (found.call, found.method.clone(), found.sent);
        self.transmits.extend(transmit);
        for (timer, after) in effects.timers.into_iter().flatten() {
            self.timers.add(
                now,
                after,
                Due::Client {
                    index,
                    serial,
                    timer,
                },
            );
        }
        if effects.ended {
            self.forget_client(tx);
        }
        if let Some(failure) = effects.failure {
            let (status, cause) = match failure {
                Failure::Timeout => (StatusCode::REQUEST_TIMEOUT, FailureCause::Timeout),
                Failure::Transport => (StatusCode::SERVICE_UNAVAILABLE, FailureCause::Transport),
            };
            if let Some(id) = sent {
                if self.quiet.remove(&id) {
                    return;
                }
                return self.on_request_over(id, call, status, Some(cause), None);
            }
            if let Some(call) = call.filter(|_| self.is_change(call, tx)) {
                return self.on_change_failed(now, call, tx, status, cause, None);
            }
            match method {
                Method::Invite => self.on_invite_failure(call, status, cause, None),
                Method::Bye => self.on_bye_over(call),
                _ => {}
            }
        }
    }
}

/// The ACK for a failure response: made once, then repeated (RFC 3261 §17.1.1.3).
fn failure_ack(tx: &mut ClientTx, response: Option<&Response>) -> Option<Bytes> {
    let ClientMachine::Invite(_, memory) = &mut tx.machine else {
        return None;
    };
    if memory.failure_ack.is_none() {
        let response = response?;
        let Ok(Message::Request(request)) = parse(tx.request.clone(), Framing::Datagram) else {
            return None;
        };
        let to = response.head().bytes(response.head().core.to);
        memory.failure_ack = Some(begin_like(&request, &Method::Ack, Some(to)).finish());
    }
    memory.failure_ack.clone()
}

/// Begins a request that repeats an INVITE's Request-URI, Via, Route, From, Call-ID and CSeq number.
pub(super) fn begin_like(invite: &Request, method: &Method, to: Option<&[u8]>) -> MessageWriter {
    let head = invite.head();
    let mut writer = MessageWriter::request(method, invite.raw_uri());
    writer
        .header(HeaderName::Via, head.bytes(head.core.via))
        .header(HeaderName::MaxForwards, "70");
    for route in invite.headers().all(HeaderName::Route) {
        writer.header(HeaderName::Route, route);
    }
    writer
        .header(HeaderName::From, head.bytes(head.core.from))
        .header(
            HeaderName::To,
            to.unwrap_or_else(|| head.bytes(head.core.to)),
        )
        .header(HeaderName::CallId, head.bytes(head.core.call_id))
        .header_fmt(
            HeaderName::CSeq,
            format_args!("{} {method}", head.core.cseq),
        );
    writer
}
