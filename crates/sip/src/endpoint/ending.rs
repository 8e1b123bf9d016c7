//! Ending calls (RFC 3261 §15).

use std::time::Instant;

use super::call::{CallState, Established};
use super::event::{CallHandle, EndedBy, Event};
use super::requests::Inside;
use super::{CallError, Endpoint};
use crate::dialog::{Dialog, SavedDialog};
use crate::message::{ExtraHeader, Method, StatusCode};

impl Endpoint {
    /// Ends an answered call. `Ended` follows when the peer has answered the BYE or 64·T1 have passed. If our 200 is
    /// not acknowledged yet, the BYE waits for that (RFC 3261 §15).
    ///
    /// # Errors
    /// The call is gone or not answered yet (`cancel` and `reject` end those), or is ending already.
    pub fn bye(
        &mut self,
        now: Instant,
        call: CallHandle,
        headers: &[ExtraHeader],
    ) -> Result<(), CallError> {
        let found = self.call_mut(call).ok_or(CallError::Gone)?;
        let CallState::Established(established) = &mut found.state else {
            return Err(CallError::State {
                command: "bye",
                expected: "an answered call that is not ending yet",
            });
        };
        if !established.confirmed {
            established.bye.get_or_insert_with(|| headers.to_vec());
            return Ok(());
        }
        self.end_call(now, call, EndedBy::Local, headers);
        Ok(())
    }

    /// The dialog of an answered call, to be written down: [`Endpoint::bye_saved`] ends it after a restart. Of a call that
    /// waits for our answer it is the dialog that the answer makes: [`Endpoint::refuse_saved`] takes it.
    pub fn saved_dialog(&self, call: CallHandle) -> Option<SavedDialog> {
        match &self.call(call)?.state {
            CallState::Established(established) => Some(established.dialog.save()),
            CallState::Incoming(incoming) => Some(incoming.dialog.save()),
            _ => None,
        }
    }

    /// Sends a BYE for a call that another endpoint had, and that was written down. No event tells what comes of it; it
    /// is repeated as ever, so the endpoint has to live on.
    pub fn bye_saved(&mut self, now: Instant, saved: &SavedDialog) {
        let mut dialog = saved.restore();
        self.write_bye(now, &mut dialog, None, &[]);
    }

    /// Sends the BYE of an established call and leaves the call waiting for its answer.
    pub(super) fn end_call(
        &mut self,
        now: Instant,
        call: CallHandle,
        by: EndedBy,
        headers: &[ExtraHeader],
    ) {
        let Some(established) = self.take_established(call) else {
            return;
        };
        let Established {
            mut dialog,
            reinvite,
            unacknowledged,
            ..
        } = established;
        if let Some((tx, cseq)) = unacknowledged {
            // The 2xx has to be acknowledged before the BYE, even without an answer to its offer.
            self.acknowledge_answer(tx, &dialog, cseq, None);
        }
        if let Some(found) = self.call_mut(call) {
            found.change = None;
            found.session = None;
        }
        if let Some(pending) = reinvite {
            self.refuse_pending(now, call, &pending, StatusCode::REQUEST_TERMINATED);
        }
        self.write_bye(now, &mut dialog, Some(call), headers);
        self.put_state(
            call,
            CallState::Ending {
                dialog: Box::new(dialog),
                by,
            },
        );
    }

    /// Sends a BYE; `call` is told when it is over.
    pub(super) fn write_bye(
        &mut self,
        now: Instant,
        dialog: &mut Dialog,
        call: Option<CallHandle>,
        headers: &[ExtraHeader],
    ) {
        self.send_inside(now, dialog, call, &Inside::bare(Method::Bye, headers));
    }

    /// Ends every call in the way that fits its state, without an event: BYE to those that are answered, CANCEL to
    /// those that ring elsewhere, `status` (300 to 699) to those that wait for our answer. It is for an owner that has
    /// lost what it knew of its calls. What is sent is repeated as ever, so the endpoint has to live on.
    pub fn end_all(&mut self, now: Instant, status: StatusCode) {
        let calls = self.calls.iter().map(|(index, call)| CallHandle {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            serial: call.serial,
        });
        for call in calls.collect::<Vec<_>>() {
            let ended = match self.call(call).map(|call| &call.state) {
                Some(CallState::Incoming(_)) => self.reject(now, call, status, "", &[]),
                Some(CallState::Calling(_)) => self.cancel(now, call, &[]),
                Some(CallState::Established(_)) => self.bye(now, call, &[]),
                Some(CallState::Ending { .. }) | None => Ok(()),
                Some(CallState::Taken) => Err(CallError::Gone),
            };
            if ended.is_err() {
                self.remove_call(call);
            }
        }
        self.events.clear();
    }

    pub(super) fn on_bye_over(&mut self, call: Option<CallHandle>) {
        let Some(call) = call else { return };
        let Some(CallState::Ending { by, .. }) = self.call(call).map(|call| &call.state) else {
            return;
        };
        let by = *by;
        self.remove_call(call);
        self.events.push_back(Event::Ended {
            call,
            by,
            reason: None,
            request: None,
        });
    }
}
