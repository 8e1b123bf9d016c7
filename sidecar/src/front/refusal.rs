//! Refusals that keep no state (RFC 3261 §8.2.7).

use std::net::SocketAddr;

use bytes::Bytes;
use skillcall_sip::message::{ExtraHeader, ParseError, StatusCode};
use skillcall_sip::peek::stateless_response;

use super::admission::Verdict;

/// Seconds after which an overloaded caller may try again.
const RETRY_AFTER: u32 = 5;

/// The response to a refused request; none for an ACK, or when the request lacks what a response copies.
///
/// It goes back where the request came from, which for UDP is what `rport` asks for (RFC 3581) and what
/// reaches a peer behind address translation.
pub(super) fn reply(request: &[u8], from: SocketAddr, verdict: &Verdict) -> Option<Bytes> {
    let (status, reason) = match verdict {
        Verdict::Pass => return None,
        Verdict::Stranger | Verdict::Skill => (StatusCode::FORBIDDEN, ""),
        Verdict::Repeated => (StatusCode::LOOP_DETECTED, "Session Has A Call"),
        Verdict::Overload | Verdict::Share | Verdict::Draining => {
            (StatusCode::SERVICE_UNAVAILABLE, "")
        }
    };
    let retry = [ExtraHeader::retry_after(RETRY_AFTER)];
    let headers: &[ExtraHeader] = if status == StatusCode::SERVICE_UNAVAILABLE {
        &retry
    } else {
        &[]
    };
    let reason = if reason.is_empty() {
        status.phrase()
    } else {
        reason
    };
    stateless_response(request, from, status, reason, headers).map(|(reply, _)| reply)
}

/// The one answer to a stranger: none when it would be longer than the request, so that nobody can have a third party
/// flooded with more than they send themselves.
pub(super) fn to_stranger(request: &[u8], from: SocketAddr) -> Option<Bytes> {
    reply(request, from, &Verdict::Stranger).filter(|reply| reply.len() <= request.len())
}

/// The response to a request that is malformed, if it can be answered at all.
pub(super) fn malformed(request: &[u8], from: SocketAddr, error: &ParseError) -> Option<Bytes> {
    stateless_response(request, from, error.status()?, error.reason(), &[]).map(|(reply, _)| reply)
}
