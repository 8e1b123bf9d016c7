//! Giving up an outgoing call that is not answered (RFC 3261 §9.1).

use std::time::Instant;

use super::call::{CallState, CallTimer};
use super::event::{CallHandle, FailureCause};
use super::{CallError, Endpoint};
use crate::message::{ExtraHeader, StatusCode};

impl Endpoint {
    /// Gives up an outgoing call that is not answered yet. The CANCEL goes out once a provisional response has come
    /// (RFC 3261 §9.1); `Failed` follows, whatever the peer does. `headers` may hold a Reason (RFC 3326).
    ///
    /// # Errors
    /// The call is gone, or is not an unanswered outgoing call.
    pub fn cancel(
        &mut self,
        now: Instant,
        call: CallHandle,
        headers: &[ExtraHeader],
    ) -> Result<(), CallError> {
        let found = self.call_mut(call).ok_or(CallError::Gone)?;
        let CallState::Calling(calling) = &mut found.state else {
            return Err(CallError::State {
                command: "cancel",
                expected: "an outgoing call that is not answered yet",
            });
        };
        if calling.cancel.is_some() {
            return Ok(());
        }
        calling.cancel = Some(headers.to_vec());
        if calling.proceeding {
            calling.cancel_sent = true;
            let tx = calling.tx;
            self.send_cancel(now, tx, headers);
            self.call_timer(
                now,
                call,
                self.config.timers.give_up(),
                CallTimer::CancelOverdue,
            );
        }
        Ok(())
    }

    pub(super) fn on_cancel_overdue(&mut self, call: CallHandle) {
        let Some(CallState::Calling(calling)) = self.call(call).map(|call| &call.state) else {
            return;
        };
        let tx = calling.tx;
        self.forget_client(tx);
        self.on_invite_failure(
            Some(call),
            StatusCode::REQUEST_TERMINATED,
            FailureCause::Cancelled,
            None,
        );
    }
}
