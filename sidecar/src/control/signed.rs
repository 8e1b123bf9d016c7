//! Requests of the component, which are signed instead of having a token (docs/signing.md).

use std::sync::PoisonError;
use std::time::SystemTime;

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use skillcall_protocol::signing::{
    KeyRing, RequestParts, SignedReply, SignedRequest, sign_reply, verify_request,
};

use super::Control;
use super::problem::Problem;

/// A request whose signature fits, and the keys that it fits.
pub(super) struct Signed<'a> {
    keys: &'a KeyRing,
    request: SignedRequest,
}

impl Signed<'_> {
    /// A signed reply without a body.
    pub(super) fn reply(&self, status: StatusCode) -> Response {
        let reply = SignedReply {
            status: status.as_u16(),
            nonce: &self.request.nonce,
            body: b"",
        };
        (
            sign_reply(self.keys, reply, unix_seconds()),
            status.into_response(),
        )
            .into_response()
    }
}

impl Control {
    /// Checks the signature of a POST by one of these key rings; each nonce counts once.
    pub(super) fn verified<'a>(
        &self,
        rings: impl IntoIterator<Item = &'a KeyRing>,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Signed<'a>, Problem> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let parts = RequestParts {
            method: "POST",
            path_and_query: path,
            body,
        };
        let lookup = |name: &str| {
            let mut values = headers.get_all(name).iter();
            values
                .next()
                .filter(|_| values.next().is_none())
                .and_then(|value| value.to_str().ok())
        };
        let now = unix_seconds();
        let mut last = None;
        for keys in rings {
            match verify_request(keys, parts, &lookup, now) {
                Ok(request) => {
                    let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
                    if !nonces.accept(&request.nonce, now) {
                        return Err(Problem::new(
                            StatusCode::UNAUTHORIZED,
                            "the nonce was used before",
                        ));
                    }
                    return Ok(Signed { keys, request });
                }
                Err(error) => last = Some(error),
            }
        }
        let why = last.map_or_else(
            || "nothing here has keys".to_owned(),
            |error| error.to_string(),
        );
        Err(Problem::new(StatusCode::UNAUTHORIZED, why))
    }
}

fn unix_seconds() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}
