//! The table of calls: each by the handle that the user has, and by the tag that its peer has.

use std::time::{Duration, Instant};

use super::call::{Call, CallState, CallTimer, Established};
use super::event::CallHandle;
use super::ids::Token;
use super::{Due, Endpoint};

impl Endpoint {
    pub(super) fn call(&self, handle: CallHandle) -> Option<&Call> {
        self.calls
            .get(handle.index as usize)
            .filter(|call| call.serial == handle.serial)
    }

    pub(super) fn call_mut(&mut self, handle: CallHandle) -> Option<&mut Call> {
        self.calls
            .get_mut(handle.index as usize)
            .filter(|call| call.serial == handle.serial)
    }

    /// Makes room for a call; its state is made from its handle and tag.
    pub(super) fn add_call(
        &mut self,
        state: impl FnOnce(CallHandle, &str) -> CallState,
    ) -> CallHandle {
        let serial = self.next_serial();
        let nonce = self.ids.nonce();
        let entry = self.calls.vacant_entry();
        let index = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        let handle = CallHandle { index, serial };
        let tag = self.ids.write(Token {
            index,
            serial,
            nonce,
        });
        entry.insert(Call {
            serial,
            nonce,
            state: state(handle, &tag),
            auth: None,
            caller: false,
            udp_only: false,
            referring: false,
            change: None,
            peer_update: None,
            session: None,
        });
        handle
    }

    pub(super) fn remove_call(&mut self, handle: CallHandle) -> Option<CallState> {
        self.call(handle)?;
        self.calls
            .try_remove(handle.index as usize)
            .map(|call| call.state)
    }

    /// Takes the state out, to be put back by [`Endpoint::put_state`] or replaced.
    pub(super) fn take_state(&mut self, handle: CallHandle) -> Option<CallState> {
        self.call_mut(handle)
            .map(|call| std::mem::replace(&mut call.state, CallState::Taken))
    }

    /// As [`Endpoint::take_state`], but only of an established call.
    pub(super) fn take_established(&mut self, handle: CallHandle) -> Option<Established> {
        if !matches!(self.call(handle)?.state, CallState::Established(_)) {
            return None;
        }
        match self.take_state(handle)? {
            CallState::Established(established) => Some(*established),
            _ => None,
        }
    }

    pub(super) fn put_state(&mut self, handle: CallHandle, state: CallState) {
        if let Some(call) = self.call_mut(handle) {
            call.state = state;
        }
    }

    pub(super) fn tag_of(&self, handle: CallHandle) -> Option<String> {
        let nonce = self.call(handle)?.nonce;
        Some(self.ids.write(Token {
            index: handle.index,
            serial: handle.serial,
            nonce,
        }))
    }

    /// The call whose tag `tag` is.
    pub(super) fn call_by_tag(&self, tag: &[u8]) -> Option<CallHandle> {
        let Token {
            index,
            serial,
            nonce,
        } = self.ids.read(tag)?;
        let handle = CallHandle { index, serial };
        self.call(handle)
            .filter(|call| call.nonce == nonce)
            .map(|_| handle)
    }

    pub(super) fn call_timer(
        &mut self,
        now: Instant,
        handle: CallHandle,
        after: Duration,
        timer: CallTimer,
    ) {
        let due = Due::Call { handle, timer };
        match timer {
            CallTimer::RetryChange { .. } | CallTimer::Session { .. } => {
                self.timers.add_rare(now, after, due);
            }
            _ => self.timers.add(now, after, due),
        }
    }
}
