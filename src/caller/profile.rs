//! The mobile number of a profile: the account's or the recognised speaker's (facts C1).

use std::time::Duration;

use skillcall_protocol::e164::{E164, E164Error};
use skillcall_protocol::profile::{Answer, MobileNumber};

use super::{CallerError, Search};
use crate::host::{Host, OutboundRequest};

const LIMIT: Duration = Duration::from_millis(2000);
const MAX_REPLY: usize = 16 * 1024;

/// Asks the profile API at `path`, for which the customer grants `scopes`.
pub(super) fn number<H: Host>(
    search: &Search<'_, H>,
    path: &str,
    scopes: &'static [&'static str],
) -> Result<E164, CallerError> {
    let request = OutboundRequest {
        method: "GET",
        url: format!("{}{path}", search.api.origin),
        headers: vec![
            search.api.authorization(),
            ("accept", "application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout: search.deadline.at_most(search.host, LIMIT),
        max_reply: MAX_REPLY,
    };
    let reply = search
        .recorder
        .send(search.host, request)
        .map_err(|error| CallerError::Failed(error.to_string()))?;
    match Answer::of(reply.status) {
        Answer::Value => {
            let number: MobileNumber = serde_json::from_slice(&reply.body)
                .map_err(|_| CallerError::Failed("its answer is no phone number".to_owned()))?;
            if number.phone_number.trim().is_empty() {
                return Err(CallerError::NotStored("it is empty".to_owned()));
            }
            number.e164().map_err(malformed)
        }
        Answer::NotStored => Err(CallerError::NotStored("the profile has none".to_owned())),
        Answer::BadToken => Err(CallerError::BadToken),
        Answer::NotGranted => Err(CallerError::NotGranted(scopes)),
        Answer::Throttled => Err(CallerError::Throttled),
        Answer::Failed(status) => Err(CallerError::Failed(format!("status {status}"))),
    }
}

pub(super) fn malformed(error: E164Error) -> CallerError {
    match error {
        E164Error::Empty => CallerError::NotStored(error.to_string()),
        _ => CallerError::Malformed(error.to_string()),
    }
}
