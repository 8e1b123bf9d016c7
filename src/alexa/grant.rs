//! Alexa.Authorization.Grant (facts A2, G7): its code is exchanged at once, and answered in an envelope of its own.

use skillcall_protocol::alexa::{Envelope, GrantAnswer};

use super::Serving;
use crate::host::Host;
use crate::tokens::Tokens;

pub(super) fn answer<H: Host>(serving: &Serving<'_, H>, envelope: &Envelope) -> GrantAnswer {
    let (host, recorder) = (serving.host, serving.recorder);
    let mut random = [0; 16];
    host.random(&mut random);
    let message_id = hex::encode(random);
    let taken = match (envelope.user(), envelope.request.grant_code()) {
        (Some(user), Some(code)) => {
            Tokens::of(host, recorder, serving.plan.lwa_client_id, serving.deadline)
                .and_then(|tokens| tokens.accept(&user.user_id, &code))
                .map_err(|error| error.to_string())
        }
        (None, _) => Err("the request names no user".to_owned()),
        (_, None) => Err("the request has no code of type OAuth2.AuthorizationCode".to_owned()),
    };
    match taken {
        Ok(()) => {
            recorder.note(host, "a grant was taken");
            GrantAnswer::accepted(message_id)
        }
        Err(why) => {
            recorder.warn(host, &format!("a grant could not be taken: {why}"));
            // What is wrong with the installation is nothing for strangers.
            GrantAnswer::failed(message_id, "the grant could not be taken")
        }
    }
}
