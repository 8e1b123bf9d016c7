//! Whether a trunk's target lives, as its answers to OPTIONS say.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use skillcall_sip::endpoint::FailureCause;
use skillcall_sip::message::StatusCode;

/// What is known of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reach {
    /// It was not asked, or has not answered yet: calls go there.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not: calls go elsewhere while another target may take them.
    Down,
}

impl Reach {
    /// What an answer to OPTIONS means. Any answer is a sign of life, be it 404 or 405; but 503 says that nothing should
    /// be sent (RFC 3261 §21.5.4).
    pub(crate) fn of_answer(status: StatusCode, cause: Option<FailureCause>) -> Self {
        if cause.is_some() || status == StatusCode::SERVICE_UNAVAILABLE {
            Self::Down
        } else {
            Self::Up
        }
    }
}

/// The state of a target, seen by all threads.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

/// A state, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// Whether it answers.
    pub(crate) state: Reach,
    /// When it came to be so.
    pub(crate) since: Option<String>,
    /// What the last answer was.
    pub(crate) last_answer: Option<String>,
}

impl Health {
    /// What is known now.
    pub(crate) fn now(&self) -> State {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn is_down(&self) -> bool {
        self.now().state == Reach::Down
    }

    /// Takes note of an answer. True: the state is another one than before.
    pub(crate) fn note(&self, reach: Reach, answer: String) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = state.state != reach;
        if changed {
            state.state = reach;
            state.since = Some(jiff::Timestamp::now().to_string());
        }
        state.last_answer = Some(answer);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_answer_but_503_is_a_sign_of_life() {
        let refused = Some(FailureCause::Timeout);
        for (status, cause, reach) in [
            (200, None, Reach::Up),
            (404, None, Reach::Up),
            (405, None, Reach::Up),
            (503, None, Reach::Down),
            (408, refused, Reach::Down),
            (503, Some(FailureCause::Transport), Reach::Down),
        ] {
            let status = StatusCode::new(status).unwrap();
            assert_eq!(Reach::of_answer(status, cause), reach, "{status:?}");
        }
        let health = Health::default();
        assert!(!health.is_down());
        assert!(health.note(Reach::Down, "408".into()));
        assert!(!health.note(Reach::Down, "408".into()));
        assert!(health.is_down() && health.now().since.is_some());
    }
}
