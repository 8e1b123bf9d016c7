//! Server transactions in their table.

use std::time::Instant;

use bytes::Bytes;

use super::call::TxRef;
use super::event::CallHandle;
use super::flow::Flow;
use super::reply::ReplyPath;
use super::{Due, Endpoint};
use crate::message::{Method, Request, StatusCode};
use crate::transaction::{Effects, Send, ServerInvite, ServerOther, Timer, server_key};

#[derive(Debug)]
pub(super) enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerOther),
}

/// A server transaction: when it is over, nothing but its key and its last response is left.
#[derive(Debug)]
pub(super) struct ServerTx {
    serial: u32,
    hash: u64,
    key: Box<[u8]>,
    machine: ServerMachine,
    last: Option<Bytes>,
    path: ReplyPath,
    pub(super) call: Option<CallHandle>,
    /// The call that it was, once it has its final response.
    pub(super) answered: Option<CallHandle>,
    merge: Option<u64>,
}

impl Endpoint {
    /// The transaction of `request`, taken as if its method were `method`.
    pub(super) fn find_server(&mut self, request: &Request, method: &Method) -> Option<TxRef> {
        let mut key = std::mem::take(&mut self.scratch);
        server_key(request, method, &mut key);
        let hash = self.hash_of(&key);
        let servers = &self.servers;
        let found = self.server_index.find(hash, |&index| {
            servers
                .get(index as usize)
                .is_some_and(|tx| *tx.key == *key)
        });
        let found = found.and_then(|&index| {
            self.servers.get(index as usize).map(|tx| TxRef {
                index,
                serial: tx.serial,
            })
        });
        self.scratch = key;
        found
    }

    pub(super) fn server(&self, tx: TxRef) -> Option<&ServerTx> {
        self.servers
            .get(tx.index as usize)
            .filter(|found| found.serial == tx.serial)
    }

    /// Begins a transaction; `scratch` still holds the key that [`Endpoint::find_server`] looked for.
    pub(super) fn add_server(
        &mut self,
        request: &Request,
        flow: &Flow,
        call: Option<CallHandle>,
        merge: Option<u64>,
    ) -> TxRef {
        let mut key = std::mem::take(&mut self.scratch);
        server_key(request, request.method(), &mut key);
        let hash = self.hash_of(&key);
        let reliable = flow.transport.is_reliable();
        let machine = if *request.method() == Method::Invite {
            ServerMachine::Invite(ServerInvite::start(self.config.timers, reliable))
        } else {
            ServerMachine::Other(ServerOther::start(self.config.timers, reliable))
        };
        let serial = self.next_serial();
        let path = ReplyPath::of(request, flow);
        let tx = ServerTx {
            serial,
            hash,
            key: key.as_slice().into(),
            machine,
            last: None,
            path,
            call,
            answered: None,
            merge,
        };
        let index = u32::try_from(self.servers.insert(tx)).unwrap_or(u32::MAX);
        let servers = &self.servers;
        self.server_index.insert_unique(hash, index, |&index| {
            servers.get(index as usize).map_or(0, |tx| tx.hash)
        });
        if let Some(merge) = merge {
            self.merging.insert(merge);
        }
        self.scratch = key;
        TxRef { index, serial }
    }

    /// Forgets a transaction that nobody answers.
    pub(super) fn forget_server(&mut self, tx: TxRef) {
        if self.server(tx).is_some() {
            self.end_server(tx.index);
        }
    }

    /// The request came again.
    pub(super) fn on_server_retransmission(&mut self, now: Instant, tx: TxRef) {
        let Some(found) = self.servers.get_mut(tx.index as usize) else {
            return;
        };
        let effects = match &found.machine {
            ServerMachine::Invite(machine) => machine.on_retransmission(),
            ServerMachine::Other(machine) => machine.on_retransmission(),
        };
        self.apply_server(now, tx, effects);
    }

    /// An ACK came; `true` if it is for a 2xx and goes to the call.
    pub(super) fn on_server_ack(&mut self, now: Instant, tx: TxRef) -> bool {
        let Some(found) = self.servers.get_mut(tx.index as usize) else {
            return false;
        };
        let ServerMachine::Invite(machine) = &mut found.machine else {
            return false;
        };
        let effects = machine.on_ack();
        self.apply_server(now, tx, effects);
        effects.deliver
    }

    /// Sends a response through the transaction.
    pub(super) fn answer_server(
        &mut self,
        now: Instant,
        tx: TxRef,
        status: StatusCode,
        response: Bytes,
    ) {
        let Some(found) = self
            .servers
            .get_mut(tx.index as usize)
            .filter(|found| found.serial == tx.serial)
        else {
            return;
        };
        found.last = Some(response);
        let effects = match &mut found.machine {
            ServerMachine::Invite(machine) => machine.on_answer(status),
            ServerMachine::Other(machine) => machine.on_answer(status),
        };
        if status.is_final() {
            found.answered = found.call.take().or(found.answered);
        }
        self.apply_server(now, tx, effects);
        // A 2xx to an INVITE is repeated by the call, never by its transaction (RFC 6026 §7.1).
        if let Some(found) = self
            .servers
            .get_mut(tx.index as usize)
            .filter(|found| found.serial == tx.serial)
            && matches!(found.machine, ServerMachine::Invite(_))
            && status.is_success()
        {
            found.last = None;
        }
    }

    pub(super) fn on_server_timer(&mut self, now: Instant, index: u32, serial: u32, timer: Timer) {
        let Some(found) = self
            .servers
            .get_mut(index as usize)
            .filter(|tx| tx.serial == serial)
        else {
            return;
        };
        let effects = match &mut found.machine {
            ServerMachine::Invite(machine) => machine.on_timer(timer),
            ServerMachine::Other(machine) => machine.on_timer(timer),
        };
        self.apply_server(now, TxRef { index, serial }, effects);
    }

    fn apply_server(&mut self, now: Instant, tx: TxRef, effects: Effects) {
        let TxRef { index, serial } = tx;
        let Some(found) = self.servers.get_mut(index as usize) else {
            return;
        };
        if effects.send == Some(Send::Response)
            && let Some(last) = &found.last
        {
            self.transmits.push_back(found.path.transmit(last.clone()));
        }
        for (timer, after) in effects.timers.into_iter().flatten() {
            self.timers.add(
                now,
                after,
                Due::Server {
                    index,
                    serial,
                    timer,
                },
            );
        }
        if effects.ended {
            self.end_server(index);
        }
    }

    fn end_server(&mut self, index: u32) {
        let Some(found) = self.servers.get(index as usize) else {
            return;
        };
        let (hash, merge) = (found.hash, found.merge);
        if let Ok(entry) = self.server_index.find_entry(hash, |&other| other == index) {
            entry.remove();
        }
        if let Some(merge) = merge {
            self.merging.remove(&merge);
        }
        self.servers.try_remove(index as usize);
    }
}
