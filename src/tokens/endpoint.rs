//! The token endpoint (facts H). Of an exchange only its kind and outcome are recorded: both bodies hold secrets.

use std::time::Duration;

use skillcall_protocol::lwa::{FORM, Grant, TokenAnswer, TokenError, TokenErrorCode};

use super::TokenSettings;
use crate::host::{Deadline, Host, OutboundRequest, outcome};
use crate::trace::Recorder;

const LIMIT: Duration = Duration::from_millis(2500);
const MAX_REPLY: usize = 16 * 1024;
/// The pause before a request is sent once more.
const PAUSE: Duration = Duration::from_millis(250);

/// Why the token endpoint gave no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// `invalid_grant`: the code or refresh token is wrong, used up, or taken back.
    #[error("Login with Amazon: the code or refresh token is not good any more")]
    GrantEnded,
    /// `invalid_client`: none of the secrets is right.
    #[error("Login with Amazon refuses the client id with each secret of lwa_client_secrets")]
    WrongSecret,
    /// Another refusal.
    #[error("Login with Amazon answered {status} {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code of facts H.
        code: String,
    },
    /// No answer, or none that can be read.
    #[error("Login with Amazon: {0}")]
    Failed(String),
}

impl EndpointError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::Failed(_) => true,
            Self::GrantEnded | Self::WrongSecret => false,
        }
    }
}

/// Asks for a token: with the next secret when one is refused, once more when the endpoint fails.
pub(super) fn ask<H: Host>(
    host: &H,
    recorder: &Recorder,
    settings: &TokenSettings,
    client_id: &str,
    grant: Grant<'_>,
    deadline: Deadline,
) -> Result<TokenAnswer, EndpointError> {
    let mut last = EndpointError::WrongSecret;
    for secret in &settings.client_secrets {
        let form = grant.form(client_id, secret);
        last = match once(host, recorder, settings, &grant, &form, deadline) {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_passing() && deadline.left(host) > PAUSE => {
                host.sleep(PAUSE);
                match once(host, recorder, settings, &grant, &form, deadline) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if last != EndpointError::WrongSecret {
            break;
        }
    }
    Err(last)
}

fn once<H: Host>(
    host: &H,
    recorder: &Recorder,
    settings: &TokenSettings,
    grant: &Grant<'_>,
    form: &str,
    deadline: Deadline,
) -> Result<TokenAnswer, EndpointError> {
    let request = OutboundRequest {
        method: "POST",
        url: settings.url.clone(),
        headers: vec![
            ("content-type", FORM.to_owned()),
            ("accept", "application/json".to_owned()),
        ],
        body: form.as_bytes().to_vec(),
        timeout: deadline.at_most(host, LIMIT),
        max_reply: MAX_REPLY,
    };
    let reply = host.send(&request);
    let outcome = outcome(&reply);
    recorder.note(
        host,
        // What follows the name of a secret is taken for one, so the name comes last.
        &format!("Login with Amazon: {outcome} to {}", grant.name()),
    );
    let reply = reply.map_err(|error| EndpointError::Failed(error.to_string()))?;
    if (200..300).contains(&reply.status) {
        // The error of the reader could repeat what it read.
        return serde_json::from_slice(&reply.body)
            .map_err(|_| EndpointError::Failed("its answer holds no token".to_owned()));
    }
    let error = TokenError::read(&reply.body);
    Err(match error.code {
        TokenErrorCode::InvalidGrant => EndpointError::GrantEnded,
        TokenErrorCode::InvalidClient => EndpointError::WrongSecret,
        TokenErrorCode::Unknown if reply.status == 401 => EndpointError::WrongSecret,
        code => EndpointError::Refused {
            status: reply.status,
            code: code.as_str().chars().take(40).collect(),
        },
    })
}
