//! What a worker writes down of its legs, so that they can be ended when it is gone.

use std::net::SocketAddr;

use skillcall_protocol::sma::CallId;
use skillcall_sip::endpoint::{CallHandle, Flow, SavedInvite, TransmitId, Transport};
use skillcall_sip::message::Request;

use super::Running;
use super::call::{CallKey, LegState};
use crate::engine::LegId;
use crate::journal::WaitingCaller;

impl Running {
    /// Writes an INVITE down before it is sent, once.
    pub(super) fn journal_ringing(
        &mut self,
        id: Option<TransmitId>,
        transport: Transport,
        to: SocketAddr,
    ) {
        let Some(id) = id.filter(|_| self.shared.journal.is_on()) else {
            return;
        };
        let Some((handle, invite)) = self.endpoint.saved_invite(id, transport, to) else {
            return;
        };
        let Some(&(key, leg)) = self.by_handle.get(&handle) else {
            return;
        };
        let Some(call) = self.call_mut(key) else {
            return;
        };
        let transaction = call.engine.transaction_id().as_str().to_owned();
        let Some(entry) = call.leg_mut(leg) else {
            return;
        };
        if entry.state != LegState::Dialing || entry.journalled.contains(&id) {
            return;
        }
        entry.journalled.push(id);
        let call_id = entry.call_id.as_str().to_owned();
        self.shared.journal.ringing(&transaction, &call_id, &invite);
    }

    /// Writes down who calls for a leg of that CallId, before it is answered.
    pub(super) fn journal_waiting(
        &self,
        key: CallKey,
        call_id: &CallId,
        handle: CallHandle,
        (invite, flow): (&Request, &Flow),
    ) {
        let journal = &self.shared.journal;
        let Some(call) = self.call(key).filter(|_| journal.is_on()) else {
            return;
        };
        let caller = WaitingCaller {
            invite: SavedInvite::of_peer(invite, flow),
            dialog: self.endpoint.saved_dialog(handle),
        };
        let transaction = call.engine.transaction_id().as_str();
        journal.waiting(transaction, call_id.as_str(), &caller);
    }

    /// Writes down that a leg is answered, or has ended.
    pub(super) fn journal(&self, key: CallKey, leg: LegId, state: LegState) {
        let Some(entry) = self.call(key).and_then(|call| call.leg(leg)) else {
            return;
        };
        match state {
            _ if entry.state == state => {}
            LegState::Connected => self.journal_answered(key, leg),
            LegState::Gone => self.journal_ended(key, &entry.call_id),
            _ => {}
        }
    }

    /// Writes down with whom an answered leg speaks.
    pub(super) fn journal_answered(&self, key: CallKey, leg: LegId) {
        let journal = &self.shared.journal;
        let Some(call) = self.call(key).filter(|_| journal.is_on()) else {
            return;
        };
        let entry = call.leg(leg);
        let dialog = entry
            .and_then(|entry| entry.handle)
            .and_then(|handle| self.endpoint.saved_dialog(handle));
        if let (Some(entry), Some(dialog)) = (entry, dialog) {
            let transaction = call.engine.transaction_id().as_str();
            journal.leg(transaction, entry.call_id.as_str(), &dialog);
        }
    }

    /// Writes down that a leg has ended.
    pub(super) fn journal_ended(&self, key: CallKey, call_id: &CallId) {
        let journal = &self.shared.journal;
        if let Some(call) = self.call(key).filter(|_| journal.is_on()) {
            journal.leg_ended(call.engine.transaction_id().as_str(), call_id.as_str());
        }
    }
}
