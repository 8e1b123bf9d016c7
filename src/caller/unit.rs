//! The communication profile of the unit that the device stands in, asked from Alexa (facts D5).

use std::time::Duration;

use serde::Deserialize;
use skillcall_protocol::communication::{Originator, PBX_SCOPE, PROVIDER_PBX, profile_path};

use super::{CallerError, Search};
use crate::host::{Host, OutboundRequest, outcome};
use crate::tokens::Tokens;

const LIMIT: Duration = Duration::from_millis(2000);
const MAX_REPLY: usize = 16 * 1024;

/// The answer (facts D5).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    profile_id: ProfileId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileId {
    profile_id: String,
}

/// Asks with the skill's own token. Of the exchange only its outcome is recorded.
pub(super) fn profile<H: Host>(search: &Search<'_, H>) -> Result<Originator, CallerError> {
    let unit = search.envelope.context.system.unit.as_ref();
    let id = unit
        .and_then(|unit| unit.persistent_unit_id.as_deref())
        .ok_or(CallerError::UnknownPlace)?;
    let client = search.plan.lwa_client_id;
    let token = Tokens::of(search.host, search.recorder, client, search.deadline)
        .and_then(|tokens| tokens.client(PBX_SCOPE))
        .map_err(|error| CallerError::Failed(error.to_string()))?;
    let request = OutboundRequest {
        method: "GET",
        url: format!("{}{}", search.api.origin, profile_path(id)),
        headers: vec![
            ("authorization", format!("Bearer {}", token.expose())),
            ("accept", "application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout: search.deadline.at_most(search.host, LIMIT),
        max_reply: MAX_REPLY,
    };
    let reply = search.host.send(&request);
    search.recorder.note(
        search.host,
        &format!("the unit's communication profile: {}", outcome(&reply)),
    );
    let reply = reply.map_err(|error| CallerError::Failed(error.to_string()))?;
    match reply.status {
        200 => serde_json::from_slice::<Answer>(&reply.body)
            .map(|answer| Originator::Profile {
                id: answer.profile_id.profile_id,
                provider: PROVIDER_PBX.to_owned(),
            })
            .map_err(|_| {
                CallerError::Failed("its answer holds no communication profile".to_owned())
            }),
        404 => Err(CallerError::UnknownPlace),
        429 => Err(CallerError::Throttled),
        status => Err(CallerError::Failed(format!(
            "the communication profile was refused with {status}"
        ))),
    }
}
