//! What a result of CallSignaling is in SIP, and the other way round.

use skillcall_protocol::signaling::ResultCode;

/// What Alexa is told of a call that the phone's side refused with `status` (docs/gateway.md).
pub(crate) fn result_of(status: u16) -> ResultCode {
    match status {
        486 | 600 | 603 => ResultCode::DeviceBusy,
        404 | 410 | 480 => ResultCode::DeviceUnavailable,
        401 | 403 | 407 => ResultCode::Unauthorized,
        408 => ResultCode::SessionTimeout,
        // It is the answer to our own CANCEL.
        487 => ResultCode::Success,
        _ => ResultCode::InternalError,
    }
}

/// What a caller is told of a call that Alexa ended with `code` before it was answered. A success without an answer is
/// somebody who declined.
pub(crate) fn status_of(code: &ResultCode) -> u16 {
    match code {
        ResultCode::DeviceBusy => 486,
        ResultCode::DeviceUnavailable => 480,
        ResultCode::Unauthorized => 403,
        ResultCode::SessionTimeout => 408,
        ResultCode::Success => 603,
        ResultCode::InternalError | ResultCode::Other(_) => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables() {
        for (codes, result) in [
            (&[486, 600, 603][..], ResultCode::DeviceBusy),
            (&[404, 410, 480], ResultCode::DeviceUnavailable),
            (&[401, 403, 407], ResultCode::Unauthorized),
            (&[408], ResultCode::SessionTimeout),
            (&[487], ResultCode::Success),
            (
                &[
                    400, 405, 415, 481, 484, 488, 500, 501, 502, 503, 504, 604, 606, 699,
                ],
                ResultCode::InternalError,
            ),
        ] {
            for code in codes {
                assert_eq!(result_of(*code), result, "{code}");
            }
        }
        for (result, status) in [
            (ResultCode::DeviceBusy, 486),
            (ResultCode::DeviceUnavailable, 480),
            (ResultCode::Unauthorized, 403),
            (ResultCode::SessionTimeout, 408),
            (ResultCode::Success, 603),
            (ResultCode::InternalError, 500),
            (ResultCode::Other("NEW_ONE".into()), 500),
        ] {
            assert_eq!(status_of(&result), status, "{result:?}");
        }
    }
}
