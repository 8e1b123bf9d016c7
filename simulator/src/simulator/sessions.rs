//! Sessions of CallSignaling.

use std::sync::Arc;
use std::time::Duration;

use skillcall_protocol::communication::ParticipantId;
use skillcall_protocol::signaling::RenegotiationKind;

use super::Simulator;
use crate::browser::OrBrowser;
use crate::signaling::endpoint::Endpoint;
use crate::signaling::{Habits, SessionError, SessionView, Wanted};

impl Simulator {
    /// Who makes the devices' offers and answers in sessions to come.
    pub fn set_endpoint(&self, endpoint: Arc<dyn Endpoint>) {
        let browsers = Arc::clone(&self.control.browsers);
        let endpoint = OrBrowser::new(browsers, endpoint);
        self.alexa.sessions.set_endpoint(Arc::new(endpoint));
    }

    /// Changes the times of sessions, and what devices do when they are called.
    pub fn change_signaling(&self, change: impl FnOnce(&mut Habits)) {
        self.alexa.sessions.change_habits(change);
    }

    /// A device calls somebody by CallSignaling, with an offer of its own unless one is given; gives the session's id.
    pub fn begin_session(
        &self,
        device_id: Option<&str>,
        to: ParticipantId,
        offer: Option<String>,
    ) -> Result<String, SessionError> {
        let id = self.alexa.begin_session(device_id, to, offer)?;
        Ok(id.as_str().to_owned())
    }

    /// All sessions of CallSignaling, oldest first.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.alexa.sessions.all()
    }

    /// Waits until `wanted` finds something in the sessions, for at most `limit`.
    pub async fn wait_for_session<T>(
        &self,
        limit: Duration,
        wanted: impl FnMut(&[SessionView]) -> Option<T>,
    ) -> Option<T> {
        let found = tokio::time::timeout(limit, self.alexa.sessions.wait_for(wanted)).await;
        found.ok().flatten()
    }

    /// A called device accepts.
    pub fn accept_session(&self, session_id: &str) -> Result<(), SessionError> {
        self.alexa.sessions.device(session_id, Wanted::Accept(None))
    }

    /// A called device declines.
    pub fn decline_session(&self, session_id: &str) -> Result<(), SessionError> {
        self.alexa.sessions.device(session_id, Wanted::Decline)
    }

    /// A device hangs up.
    pub fn end_session(&self, session_id: &str) -> Result<(), SessionError> {
        self.alexa.sessions.device(session_id, Wanted::HangUp)
    }

    /// A device offers anew: it holds, resumes, or has changed its network.
    pub fn update_session(
        &self,
        session_id: &str,
        kind: RenegotiationKind,
        offer: Option<String>,
    ) -> Result<(), SessionError> {
        let wanted = Wanted::Offer(kind, offer);
        self.alexa.sessions.device(session_id, wanted)
    }
}
