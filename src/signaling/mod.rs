//! `Alexa.Comms.CallSignaling` (facts G): the component stands between Alexa and the sidecar's gateway, and knows nothing of calls.
//!
//! | module | what |
//! |---|---|
//! | `receive` | Alexa's message is checked, stored and answered |
//! | `kept` | messages in `state` until the sidecar has them |
//! | `courier` | forwards a message after the reply, again and again; ends a call that nobody takes |
//! | `order` | `POST /signaling`: the sidecar orders a message to Alexa |
//! | `deliver` | the message to Alexa, with the token of the account |

mod courier;
mod deliver;
mod kept;
mod order;
mod receive;
#[cfg(test)]
mod tests;

use skillcall_protocol::ids::SessionId;

pub(crate) use courier::Courier;
pub(crate) use order::serve as serve_order;
pub(crate) use receive::{is_known, receive};

/// The session that a request's `sessionId` names, if it can be read: requests that are refused are traced too.
pub(crate) fn session_of(request: &skillcall_protocol::alexa::Request) -> Option<SessionId> {
    let text = request.more.get("sessionId")?.as_str()?;
    SessionId::parse(text).ok()
}

/// The origin, if tokens may go there.
fn allowed(settings: &crate::settings::Settings, wanted: Option<&str>) -> Option<String> {
    match wanted {
        None => settings.api_hosts.first().cloned(),
        Some(wanted) => {
            let origin = wanted.trim_end_matches('/').to_ascii_lowercase();
            settings.api_hosts.contains(&origin).then_some(origin)
        }
    }
}
