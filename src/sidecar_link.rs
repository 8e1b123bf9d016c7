//! Signatures between component and sidecar, in both directions.

use skillcall_protocol::signing::{
    KeyRing, NONCE_SECONDS, RequestParts, SignedReply, SignedRequest, SigningError, sign_reply,
    sign_request, verify_request,
};

use crate::host::{Host, HostError};
use crate::http::{Request, Response, header};
use crate::once::{Claim, Table};
use crate::settings::Settings;

/// The nonces of the last two minutes.
const NONCES: Table = Table {
    name: "nonce",
    slots: 16_384,
};

/// Why a request does not count as the sidecar's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SigningError),
    /// The nonce was there before.
    #[error(
        "the nonce was used before; expected a new one with each request, a repeated one included"
    )]
    Replayed,
    /// It cannot be told whether the nonce was there before.
    #[error("nonces cannot be looked up: {0}")]
    Host(#[from] HostError),
}

/// Who sent a request, and what its reply is signed with.
#[derive(Debug, Clone)]
pub struct Caller {
    keys: KeyRing,
    request: SignedRequest,
}

/// Verifies a request's signature and takes its nonce.
///
/// # Errors
/// When a header is wrong or the nonce was used before.
pub fn verify<H: Host>(
    host: &H,
    settings: &Settings,
    request: &Request,
) -> Result<Caller, LinkError> {
    let parts = RequestParts {
        method: &request.method,
        path_and_query: &request.target,
        body: &request.body,
    };
    let lookup = |name: &str| header(&request.headers, name);
    let signed = verify_request(&settings.sidecar_keys, parts, &lookup, now(host))?;
    let ttl = u32::try_from(NONCE_SECONDS).unwrap_or(u32::MAX);
    if let Claim::Taken(_) = NONCES.claim(host, &signed.nonce, &[], ttl)? {
        return Err(LinkError::Replayed);
    }
    // The reply is signed with the key that the sidecar used: while keys are being changed it may know no other.
    let keys = settings
        .sidecar_keys
        .find(&signed.key_id)
        .map_or_else(|| settings.sidecar_keys.clone(), |key| key.clone().into());
    Ok(Caller {
        keys,
        request: signed,
    })
}

/// The response with its signature.
pub fn signed<H: Host>(host: &H, caller: &Caller, mut response: Response) -> Response {
    let reply = SignedReply {
        status: response.status,
        nonce: &caller.request.nonce,
        body: &response.body,
    };
    let headers = sign_reply(&caller.keys, reply, now(host));
    response.headers.extend(headers);
    response
}

/// The headers that sign a request to the sidecar.
pub fn sign<H: Host>(
    host: &H,
    keys: &KeyRing,
    parts: RequestParts<'_>,
) -> [(&'static str, String); 4] {
    let mut nonce = [0; 16];
    host.random(&mut nonce);
    sign_request(keys, parts, now(host), nonce)
}

fn now<H: Host>(host: &H) -> i64 {
    i64::try_from(host.now_ms() / 1000).unwrap_or(i64::MAX)
}
