//! A worker's calls: how one is found, told something, and removed.

use std::time::Instant;

use super::call::{CallEntry, CallKey};
use super::{AFTERLIFE, Pending, Running, Told};
use crate::engine::{Input, LegId};
use crate::figures::count;

impl Running {
    pub(super) fn input(&mut self, call: CallKey, input: Input) {
        let input = Told::Engine(input);
        self.inputs.push_back(Pending { call, input });
    }

    pub(super) fn call(&self, key: CallKey) -> Option<&CallEntry> {
        self.calls
            .get(key.slot)
            .filter(|call| call.serial == key.serial)
    }

    pub(super) fn call_mut(&mut self, key: CallKey) -> Option<&mut CallEntry> {
        self.calls
            .get_mut(key.slot)
            .filter(|call| call.serial == key.serial)
    }

    pub(super) fn remove_call(&mut self, key: CallKey) {
        if self.call(key).is_none() {
            return;
        }
        let legs: Vec<LegId> = self
            .call(key)
            .map(|call| call.legs.iter().map(|leg| leg.id).collect())
            .unwrap_or_default();
        for leg in legs {
            self.release_leg(key, leg);
        }
        let mut call = self.calls.remove(key.slot);
        if let Some(capture) = call.ids.capture() {
            capture.end();
        }
        self.forget_session(&call);
        // What Alexa could not be told before the stop is told after the next start.
        if !self.stopping || call.engine.as_gateway().is_none() {
            self.shared
                .journal
                .ended(call.engine.transaction_id().as_str());
        }
        let figures = &self.shared.figures;
        figures
            .observed
            .call
            .add(call.began.elapsed().as_secs_f64());
        count(if call.answered {
            &figures.calls_completed
        } else {
            &figures.calls_unanswered
        });
        let until = Instant::now() + AFTERLIFE;
        let dialogs = std::mem::take(&mut call.dialogs);
        self.ended_dialogs
            .extend(dialogs.into_iter().map(|id| (until, id)));
    }

    pub(super) fn forget_dialogs(&mut self, now: Instant) {
        while let Some((until, _)) = self.ended_dialogs.front()
            && *until <= now
            && let Some((_, id)) = self.ended_dialogs.pop_front()
        {
            self.dialogs.remove(&id);
        }
    }

    /// The last thing that a worker does: what is still there is given back.
    pub(super) fn end(&mut self) {
        let left: Vec<CallKey> = self
            .calls
            .iter()
            .map(|(slot, call)| CallKey {
                slot,
                serial: call.serial,
            })
            .collect();
        for key in left {
            self.remove_call(key);
        }
        self.forget_ready(Instant::now());
        self.transmit();
    }
}
