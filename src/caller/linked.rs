//! The number that the linked account's provider knows (facts C2).

use std::time::Duration;

use serde_json::Value;
use skillcall_protocol::e164::E164;

use super::profile::malformed;
use super::{CallerError, Search};
use crate::host::{Host, OutboundRequest};

const LIMIT: Duration = Duration::from_millis(2500);
const MAX_REPLY: usize = 64 * 1024;

/// Asks the userinfo endpoint of the plan with the linked account's token: the recognised speaker's, else the account's.
/// Of the exchange only its outcome is recorded, as the answer is about a person.
pub(super) fn number<H: Host>(search: &Search<'_, H>) -> Result<E164, CallerError> {
    let callers = search.plan.callers()?;
    let link = callers
        .account_link
        .ok_or_else(|| CallerError::Plan("it has no [caller.account-link]".to_owned()))?;
    let envelope = search.envelope;
    let person = envelope.context.system.person.as_ref();
    let in_session = envelope
        .session
        .as_ref()
        .and_then(|session| session.user.as_ref());
    let token = person
        .and_then(|person| person.access_token.as_ref())
        .or_else(|| envelope.user()?.access_token.as_ref())
        .or_else(|| in_session?.access_token.as_ref())
        .ok_or(CallerError::NotLinked("the request has no accessToken"))?;
    let request = OutboundRequest {
        method: "GET",
        url: link.userinfo.to_owned(),
        headers: vec![
            ("authorization", format!("Bearer {}", token.expose())),
            ("accept", "application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout: search.deadline.at_most(search.host, LIMIT),
        max_reply: MAX_REPLY,
    };
    let reply = search.host.send(&request);
    let outcome = match &reply {
        Ok(reply) => reply.status.to_string(),
        Err(error) => error.to_string(),
    };
    search.recorder.note(
        search.host,
        &format!("the linked account's userinfo endpoint: {outcome}"),
    );
    let reply = reply.map_err(|error| CallerError::Failed(error.to_string()))?;
    match reply.status {
        200 => {
            let answer: Value = serde_json::from_slice(&reply.body)
                .map_err(|_| CallerError::Failed("userinfo answers no JSON".to_owned()))?;
            let found = match answer.pointer(link.pointer) {
                Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
                Some(Value::Number(number)) => format!("+{number}"),
                _ => {
                    return Err(CallerError::NotStored(format!(
                        "userinfo has nothing at {}",
                        link.pointer
                    )));
                }
            };
            if found.trim_start().starts_with('+') {
                E164::from_parts("", &found).map_err(malformed)
            } else {
                E164::parse(found.trim()).map_err(malformed)
            }
        }
        204 | 404 => Err(CallerError::NotStored("userinfo knows none".to_owned())),
        401 | 403 => Err(CallerError::NotLinked("userinfo refuses the token")),
        429 => Err(CallerError::Throttled),
        status => Err(CallerError::Failed(format!("userinfo answers {status}"))),
    }
}
