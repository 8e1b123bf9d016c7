//! Which server transaction a request belongs to (RFC 3261 §17.2.3).

use crate::message::{Method, Request};

const COOKIE: &[u8] = b"z9hG4bK";

/// Whether `branch` identifies a transaction by itself. A branch that is nothing but the cookie does not
/// (RFC 4475 §3.2.1) and is matched as RFC 2543 did.
fn has_cookie(branch: &[u8]) -> bool {
    branch.len() > COOKIE.len()
        && branch
            .get(..COOKIE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

/// Writes into `out` the key under which `request`'s transaction is kept, as if its method were `method`: an ACK or a
/// CANCEL is looked up as the INVITE it belongs to.
pub(crate) fn server_key(request: &Request, method: &Method, out: &mut Vec<u8>) {
    out.clear();
    let head = request.head();
    let core = &head.core;
    if let Some(branch) = core
        .branch
        .map(|span| head.bytes(span))
        .filter(|branch| has_cookie(branch))
    {
        out.extend_from_slice(branch);
        out.push(0);
        out.extend(
            head.bytes(core.sent_by)
                .iter()
                .filter(|byte| **byte != b' ')
                .map(u8::to_ascii_lowercase),
        );
    } else {
        // RFC 2543: Request-URI, From tag, Call-ID, CSeq number and the top Via. The To tag stays out, because the ACK
        // carries the one of our response and a retransmission none.
        out.extend_from_slice(b"\x012543");
        for part in [
            request.raw_uri(),
            request.headers().from_tag().unwrap_or_default(),
            head.bytes(core.call_id),
        ] {
            out.push(0);
            out.extend_from_slice(part);
        }
        out.push(0);
        out.extend_from_slice(&core.cseq.to_be_bytes());
        out.extend_from_slice(
            request
                .headers()
                .via()
                .map(|via| via.raw)
                .unwrap_or_default(),
        );
    }
    out.push(0);
    out.extend_from_slice(method.as_str().as_bytes());
}
