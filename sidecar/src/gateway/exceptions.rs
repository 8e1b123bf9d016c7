//! What Alexa's answer to a message means for the call (facts G5).

use skillcall_protocol::signaling::{self, Operation, ResultCode, SignalingException};

/// What came of one attempt to send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Alexa answered.
    Answered(signaling::Outcome),
    /// There was no answer: Alexa may have taken the message, or not.
    Unreachable {
        /// In words.
        reason: String,
    },
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Alexa has the message.
    Done,
    /// It is sent again, later.
    Again,
    /// Alexa's call is in another state: its CallEnded may be on its way.
    Crossed,
    /// Alexa's leg is gone, or will never be there.
    Gone(ResultCode),
}

/// Judges an attempt. `repeated`: an earlier attempt was left without an answer, so Alexa may have had the message.
pub(super) fn judge(operation: &Operation, repeated: bool, outcome: &Outcome) -> Judgement {
    let Outcome::Answered(answer) = outcome else {
        return Judgement::Again;
    };
    match (answer.status, operation) {
        (200..=299, _) => Judgement::Done,
        (429 | 500..=599, _) => Judgement::Again,
        // Whatever else it says of a call's end: the call is over.
        (_, Operation::CallEnded { .. }) => Judgement::Done,
        (401 | 403, _) => Judgement::Gone(ResultCode::Unauthorized),
        (404, _) => Judgement::Gone(ResultCode::DeviceUnavailable),
        (400, _) if answer.exception() == Some(SignalingException::InvalidInput) => {
            Judgement::Gone(ResultCode::InternalError)
        }
        // Nothing depends on an acknowledgement of what Alexa has left behind.
        (400 | 409, operation) if repeated || is_acknowledgement(operation) => Judgement::Done,
        (400 | 409, _) => Judgement::Crossed,
        _ => Judgement::Gone(ResultCode::InternalError),
    }
}

/// Whether it only says that something has come.
pub(super) fn is_acknowledgement(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::CallRingingAck
            | Operation::CallInProgressAck
            | Operation::CallAcceptedAck
            | Operation::CallUpdateAck
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_protocol::signaling::CallResult;

    #[test]
    fn the_table_of_exceptions() {
        let ringing = Operation::CallRinging;
        let ack = Operation::CallAcceptedAck;
        let ended = Operation::CallEnded {
            result: CallResult {
                code: ResultCode::Success,
                message: None,
            },
        };
        let gone = Judgement::Gone;
        let state = "InvalidCallStateException";
        let input = "InvalidInputException";
        for (operation, repeated, status, exception, expected) in [
            (&ringing, false, 200, "", Judgement::Done),
            (&ringing, false, 202, "", Judgement::Done),
            (&ringing, false, 400, state, Judgement::Crossed),
            (&ringing, true, 400, state, Judgement::Done),
            (&ringing, false, 400, "", Judgement::Crossed),
            (&ringing, true, 400, "", Judgement::Done),
            (&ringing, true, 400, input, gone(ResultCode::InternalError)),
            (&ringing, false, 401, "", gone(ResultCode::Unauthorized)),
            (&ringing, false, 403, "", gone(ResultCode::Unauthorized)),
            (
                &ringing,
                false,
                404,
                "",
                gone(ResultCode::DeviceUnavailable),
            ),
            (&ringing, false, 409, "", Judgement::Crossed),
            (&ringing, true, 409, "", Judgement::Done),
            (&ringing, false, 429, "", Judgement::Again),
            (&ringing, true, 500, "", Judgement::Again),
            (&ringing, false, 503, "", Judgement::Again),
            (&ringing, false, 418, "", gone(ResultCode::InternalError)),
            (&ack, false, 400, state, Judgement::Done),
            (&ack, false, 404, "", gone(ResultCode::DeviceUnavailable)),
            (&ended, false, 400, state, Judgement::Done),
            (&ended, false, 400, input, Judgement::Done),
            (&ended, false, 403, "", Judgement::Done),
            (&ended, false, 404, "", Judgement::Done),
            (&ended, false, 429, "", Judgement::Again),
        ] {
            let outcome = Outcome::Answered(signaling::Outcome {
                status,
                exception: Some(exception.to_owned()).filter(|name| !name.is_empty()),
                message: None,
            });
            let judged = judge(operation, repeated, &outcome);
            assert_eq!(
                judged, expected,
                "{operation:?} {repeated} {status} {exception}"
            );
        }
        let lost = Outcome::Unreachable {
            reason: "no answer".to_owned(),
        };
        assert_eq!(judge(&ringing, false, &lost), Judgement::Again);
    }
}
