//! Calls of devices and the phone, by SIP.

use std::net::SocketAddr;
use std::time::Duration;

use super::Simulator;
use crate::line::{Answering, Call, LineError, Manner, WaitedInVain};

impl Simulator {
    /// Sets where the devices' INVITEs go: for a sidecar that was started later.
    pub fn set_sip_target(&self, target: SocketAddr) {
        self.alexa.devices.set_target(target);
    }

    /// Changes what the devices' customers say and do in calls to come.
    pub fn change_device(&self, change: impl FnOnce(&mut Manner)) {
        self.alexa.devices.change_manner(change);
    }

    /// Changes how the phone takes calls to come.
    pub async fn change_phone(
        &self,
        answering: Answering,
        manner: Manner,
    ) -> Result<(), LineError> {
        match &self.control.phone {
            Some(phone) => phone.line().set_habits(answering, manner).await,
            None => Err(LineError::Stopped),
        }
    }

    /// All calls of devices and phone, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.alexa.book.all()
    }

    /// Waits until `wanted` finds something in the calls, for at most `limit`.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        wanted: impl FnMut(&[Call]) -> Option<T>,
    ) -> Result<T, WaitedInVain> {
        self.alexa.book.wait_for(limit, wanted).await
    }

    /// Waits until the call with this id is as `wanted`, and gives it.
    pub async fn wait_for_call(
        &self,
        id: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Call) -> bool,
    ) -> Result<Call, WaitedInVain> {
        self.wait_for(limit, |calls| {
            calls
                .iter()
                .find(|call| call.id == id && wanted(call))
                .cloned()
        })
        .await
    }

    /// What was heard in a call so far: 16-bit linear PCM, mono, 8 kHz. Kept for the latest 16 calls.
    pub fn heard(&self, call_id: &str) -> Option<Vec<i16>> {
        self.alexa.book.audio(call_id)
    }

    /// Presses digits in a call of a device or the phone.
    pub async fn press(&self, call_id: &str, digits: &str) -> Result<(), LineError> {
        self.control.press(call_id, digits).await
    }

    /// Hangs up a call of a device or the phone.
    pub async fn hang_up(&self, call_id: &str) -> Result<(), LineError> {
        self.control.hang_up(call_id).await
    }

    /// Answers a call that rings at the phone.
    pub async fn answer(&self, call_id: &str) -> Result<(), LineError> {
        self.control.answer(call_id).await
    }
}
