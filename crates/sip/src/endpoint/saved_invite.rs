//! An INVITE that outlives its endpoint: what is needed to give up one of ours after a restart (RFC 3261 §9.1), or to
//! refuse a peer's.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::call::{CallState, TxRef};
use super::client::{ClientMachine, ClientTx, SendPath, begin_like};
use super::event::CallHandle;
use super::flow::{Destination, Flow, TransmitId, Transport};
use super::receive::Answer;
use super::{Due, Endpoint};
use crate::dialog::SavedDialog;
use crate::message::{
    Framing, HeaderName, Message, MessageWriter, Method, Request, Response, StatusCode, parse,
};
use crate::transaction::{ClientInvite, ClientInviteState};

/// What a peer that takes a CANCEL has to say of the INVITE is heard within so many T1, also where two of its messages are
/// lost, and so is by a peer what we have to say of its own (our choice: 2 s).
const HEARD_WITHIN: u32 = 4;

/// An INVITE as it can be written down: all that a CANCEL and an ACK repeat of it, or that a response does, and where it went
/// or came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedInvite {
    /// Request-URI, Via, Route, From, To, Call-ID and CSeq, as a message without a body. All of Via where it is a peer's.
    pub request: Vec<u8>,
    /// The transport.
    pub transport: Transport,
    /// Where it was sent, or came from.
    pub to: SocketAddr,
}

impl SavedInvite {
    /// A peer's INVITE, which came by this way.
    pub fn of_peer(request: &Request, flow: &Flow) -> Self {
        let mut writer = MessageWriter::request(&Method::Invite, request.raw_uri());
        for name in [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            for value in request.headers().all(name) {
                writer.header(name, value);
            }
        }
        Self {
            request: writer.finish().to_vec(),
            transport: flow.transport,
            to: flow.remote,
        }
    }

    /// The branch of its Via, with the cookie (RFC 3261 §8.1.1.7).
    pub fn branch(&self) -> Option<Vec<u8>> {
        crate::peek::peek(&self.request)?.branch.map(<[u8]>::to_vec)
    }
}

impl Endpoint {
    /// The call that a message begins, and its INVITE to be written down: [`Endpoint::cancel_saved`] gives it up after a
    /// restart. `None` where the message is something else. `to` is where it goes.
    pub fn saved_invite(
        &self,
        id: TransmitId,
        transport: Transport,
        to: SocketAddr,
    ) -> Option<(CallHandle, SavedInvite)> {
        let tx = TxRef::from(id);
        let found = self.client(tx)?;
        let call = found.call?;
        match &self.call(call)?.state {
            CallState::Calling(calling) if calling.tx == tx => {}
            _ => return None,
        }
        let Ok(Message::Request(request)) = parse(found.request.clone(), Framing::Datagram) else {
            return None;
        };
        let saved = SavedInvite {
            request: begin_like(&request, &Method::Invite, None)
                .finish()
                .to_vec(),
            transport,
            to,
        };
        Some((call, saved))
    }

    /// Gives up an INVITE that another endpoint has sent, and that was written down. What comes back is acknowledged, an
    /// answer that crosses the CANCEL is ended by a BYE, and so is one that had come before and was not written down: the
    /// peer takes the CANCEL then, under the dialog's tag, and says nothing of the INVITE (RFC 3261 §9.2). No event tells
    /// of it. All is repeated as ever, so the endpoint has to live on. Whether the INVITE had a provisional response is
    /// not known, so none is waited for. False: it cannot be read, or the table is full.
    pub fn cancel_saved(&mut self, now: Instant, saved: &SavedInvite) -> bool {
        if self.clients.len() >= self.config.limits.transactions {
            return false;
        }
        let bytes = Bytes::copy_from_slice(&saved.request);
        let (Ok(Message::Request(request)), Some(branch)) =
            (parse(bytes.clone(), Framing::Datagram), saved.branch())
        else {
            return false;
        };
        if *request.method() != Method::Invite {
            return false;
        }
        let reliable = saved.transport.is_reliable();
        let (mut machine, _) = ClientInvite::start(self.config.timers, reliable);
        let _ = machine.on_response(StatusCode::RINGING);
        let serial = self.next_serial();
        let nonce = self.ids.nonce();
        let path = SendPath {
            transport: saved.transport,
            destination: Destination::Addr(saved.to),
            connection: None,
            udp_only: true,
            keep: false,
        };
        let machine = ClientMachine::Invite(machine, Box::default());
        let invite = ClientTx::restored(serial, nonce, machine, bytes, path);
        let index = u32::try_from(self.clients.insert(invite)).unwrap_or(u32::MAX);
        self.restored.insert(branch.into(), TxRef { index, serial });
        self.send_cancel(now, TxRef { index, serial }, &[]);
        // The CANCEL may take 64·T1, and so may the responses after it.
        let until = self.config.timers.give_up().saturating_mul(2);
        self.timers
            .add_rare(now, until, Due::Restored { index, serial });
        true
    }

    /// Refuses a peer's INVITE that another endpoint has left unanswered, and that was written down: whatever provisional
    /// response that one gave, a final one ends it. It is repeated until its ACK comes, so the endpoint has to live on. False:
    /// it cannot be read, or the table is full.
    ///
    /// An answer may have been given and not been written down: then the refusal is heard by nobody (RFC 6026 §7.2). So
    /// `dialog`, which that answer would have made, gets a BYE a moment later, whatever the refusal met with: a proxy
    /// acknowledges it, too. Where there is no such dialog, the BYE is answered with 481.
    pub fn refuse_saved(
        &mut self,
        now: Instant,
        saved: &SavedInvite,
        dialog: Option<&SavedDialog>,
        status: StatusCode,
    ) -> bool {
        if self.servers.len() >= self.config.limits.transactions || !status.is_failure() {
            return false;
        }
        let bytes = Bytes::copy_from_slice(&saved.request);
        let Ok(Message::Request(request)) = parse(bytes, Framing::Datagram) else {
            return false;
        };
        if *request.method() != Method::Invite
            || self.find_server(&request, &Method::Invite).is_some()
        {
            return false;
        }
        let flow = Flow {
            transport: saved.transport,
            local: saved.to,
            remote: saved.to,
            connection: None,
        };
        let tag = self.stateless_tag(&request);
        let tx = self.add_server(&request, &flow, None, None);
        let response = self.write_reply(&flow, &request, Some(&tag), &Answer::bare(status));
        self.answer_server(now, tx, status, response);
        if let Some(dialog) = dialog {
            let serial = self.next_serial();
            self.refused.insert(serial, Box::new(dialog.restore()));
            let after = self.config.timers.t1.saturating_mul(HEARD_WITHIN);
            self.timers.add_rare(now, after, Due::Refused { serial });
        }
        true
    }

    /// The refusal of another endpoint's INVITE has been heard, if anybody waited for it.
    pub(super) fn end_refused(&mut self, now: Instant, serial: u32) {
        if let Some(mut dialog) = self.refused.remove(&serial) {
            self.write_bye(now, &mut dialog, None, &[]);
        }
    }

    /// A peer has taken the CANCEL of an INVITE of another endpoint. What it has to say of the INVITE comes within moments,
    /// unless it has said it to that endpoint already.
    pub(super) fn on_cancel_taken(&mut self, now: Instant, flow: &Flow, response: &Response) {
        let head = response.head();
        let branch = head.core.branch.map(|branch| head.bytes(branch));
        let Some(&tx) = branch.and_then(|branch| self.restored.get(branch)) else {
            return;
        };
        if response.headers().to_tag().is_none() {
            return;
        }
        let dialog = self.early_dialog(tx, flow, response).map(Box::new);
        if let Some(ClientTx {
            machine: ClientMachine::Invite(_, memory),
            ..
        }) = self.client_mut(tx)
        {
            memory.unheard = dialog;
            let TxRef { index, serial } = tx;
            let within = self.config.timers.t1.saturating_mul(HEARD_WITHIN);
            self.timers
                .add_rare(now, within, Due::Unheard { index, serial });
        }
    }

    /// Ends a dialog of which nothing but its tag is known. Where there is none the BYE is answered with 481.
    pub(super) fn end_unheard(&mut self, now: Instant, tx: TxRef) {
        let Some(ClientTx {
            machine: ClientMachine::Invite(machine, memory),
            ..
        }) = self.client_mut(tx)
        else {
            return;
        };
        let unheard = memory.unheard.take();
        if machine.state() == ClientInviteState::Proceeding
            && let Some(mut dialog) = unheard
        {
            self.write_bye(now, &mut dialog, None, &[]);
        }
    }

    /// What was to come for an INVITE of another endpoint has come, or never will.
    pub(super) fn forget_restored(&mut self, index: u32, serial: u32) {
        let tx = TxRef { index, serial };
        self.restored.retain(|_, restored| *restored != tx);
        self.forget_client(tx);
    }
}
