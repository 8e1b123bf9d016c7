//! Echos as the devices of CallSignaling's sessions.

use std::sync::{Arc, Mutex, PoisonError};

use skillcall_protocol::signaling::{CallResult, Participant, RenegotiationKind};

use super::{Echo, EchoError, EchoLeg, EchoWatch};
use crate::signaling::endpoint::{Endpoint, Leg};

/// Sessions whose legs can be found; of more the oldest are forgotten.
const MAX_WATCHED: usize = 1_024;

type Watched = Arc<Mutex<Vec<(String, EchoWatch)>>>;

/// Gives each session an Echo's leg. All devices are Echos of one kind.
#[derive(Debug, Clone)]
pub struct Echos {
    echo: Echo,
    watched: Watched,
}

impl Echos {
    /// Devices like this one.
    pub fn new(echo: Echo) -> Self {
        Self {
            echo,
            watched: Watched::default(),
        }
    }

    /// The leg of a session, once it has described itself; also after the session has ended.
    pub fn session(&self, session_id: &str) -> Option<EchoWatch> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = watched.iter().rev();
        found
            .find(|(known, _)| known == session_id)
            .map(|(_, watch)| watch.clone())
    }
}

impl Endpoint for Echos {
    fn leg(
        &self,
        session_id: &str,
        _device_id: &str,
        _participants: &[Participant],
    ) -> Box<dyn Leg> {
        let mut leg = self.echo.leg();
        // A person speaks when the call stands.
        leg.hold_tongue(true);
        Box::new(SessionLeg {
            session_id: session_id.to_owned(),
            leg,
            watched: Arc::clone(&self.watched),
            noted: false,
        })
    }
}

#[derive(Debug)]
struct SessionLeg {
    session_id: String,
    leg: EchoLeg,
    watched: Watched,
    noted: bool,
}

impl SessionLeg {
    /// Makes the leg known under its session.
    fn note<T>(&mut self, done: Result<T, EchoError>) -> Result<T, String> {
        if let Some(watch) = self.leg.watch().filter(|_| !self.noted) {
            self.noted = true;
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.len() >= MAX_WATCHED {
                watched.remove(0);
            }
            watched.push((self.session_id.clone(), watch));
        }
        done.map_err(|error| error.to_string())
    }
}

impl Leg for SessionLeg {
    fn offer(&mut self, renegotiation: Option<&RenegotiationKind>) -> Result<String, String> {
        let offer = match renegotiation {
            Some(RenegotiationKind::CallHold) => self.leg.hold(),
            // What an Echo renegotiates for without being asked is another network (facts I3).
            Some(RenegotiationKind::CallUpdate) => self.leg.change_network(false),
            Some(RenegotiationKind::CallResume) => self.leg.resume(),
            Some(RenegotiationKind::Other(_)) | None => self.leg.offer(),
        };
        self.note(offer)
    }

    fn answer(
        &mut self,
        offer: &str,
        _renegotiation: Option<&RenegotiationKind>,
    ) -> Result<Option<String>, String> {
        // The description says what is meant; its kind is only echoed (facts I3).
        let answer = self.leg.answer(offer);
        self.note(answer).map(Some)
    }

    fn take_answer(&mut self, answer: &str) -> Result<(), String> {
        let taken = self.leg.take_answer(answer);
        self.note(taken)
    }

    fn ringing(&mut self) {}

    fn accepted(&mut self) {
        self.leg.hold_tongue(false);
    }

    fn ended(&mut self, _result: &CallResult) {
        self.leg.close();
    }
}
