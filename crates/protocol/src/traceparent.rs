//! W3C trace context: the `traceparent` header that crosses every HTTP border, and the one trace id of a call.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// What stands before the `clientSessionId` when a trace id is derived from it.
const DERIVATION: &[u8] = b"skillcall-trace-v1\n";

/// A trace context, version 00 (W3C Trace Context §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// Why a header is no trace context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "traceparent is malformed; expected 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, ids not all zero"
)]
pub struct TraceParentError;

impl TraceParent {
    /// A new trace from 24 random bytes; sampled.
    #[must_use]
    pub fn root(random: [u8; 24]) -> Self {
        let mut trace = [0; 16];
        let mut span = [0; 8];
        trace.copy_from_slice(&random[..16]);
        span.copy_from_slice(&random[16..]);
        // All-zero ids are invalid (§3.2.2.3, §3.2.2.4).
        trace[15] |= u8::from(trace == [0; 16]);
        span[7] |= u8::from(span == [0; 8]);
        Self {
            trace,
            span,
            flags: 1,
        }
    }

    /// The trace of the call with this `clientSessionId`, with a span of its own from 8 random bytes; sampled.
    ///
    /// The trace id is the first 16 bytes of SHA-256 over `skillcall-trace-v1`, a line feed, and the `clientSessionId`
    /// (our choice). SIP carries no `traceparent`, but User-to-User carries the `clientSessionId` (facts E1): so whoever
    /// knows it, on either side of the device, is in the same trace without having to ask.
    #[must_use]
    pub fn of_session(client_session_id: &str, random: [u8; 8]) -> Self {
        let digest = Sha256::new()
            .chain_update(DERIVATION)
            .chain_update(client_session_id)
            .finalize();
        let mut seed = [0; 24];
        for (byte, derived) in seed.iter_mut().zip(digest).take(16) {
            *byte = derived;
        }
        seed[16..].copy_from_slice(&random);
        Self::root(seed)
    }

    /// Whether both are of one trace.
    #[must_use]
    pub fn is_same_trace(&self, other: &Self) -> bool {
        self.trace == other.trace
    }

    /// The same trace with a span of its own, from 8 random bytes.
    #[must_use]
    pub fn child(self, random: [u8; 8]) -> Self {
        let mut span = random;
        span[7] |= u8::from(span == [0; 8]);
        Self { span, ..self }
    }

    /// The trace's id: 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex::encode(self.trace)
    }

    /// The span's id: 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        hex::encode(self.span)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{}-{}-{:02x}",
            self.trace_id(),
            self.span_id(),
            self.flags
        )
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads a header. Versions above 00 are read by their first four fields, as §4.3 wants.
    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let mut fields = text.trim().split('-');
        let mut field = |digits: usize| {
            fields
                .next()
                .filter(|field| {
                    field.len() == digits && !field.bytes().any(|b| b.is_ascii_uppercase())
                })
                .ok_or(TraceParentError)
        };
        let (version, trace_hex, span_hex, flags_hex) =
            (field(2)?, field(32)?, field(16)?, field(2)?);
        let mut parsed = Self {
            trace: [0; 16],
            span: [0; 8],
            flags: 0,
        };
        let mut byte = [0; 1];
        hex::decode_to_slice(version, &mut byte).map_err(|_| TraceParentError)?;
        if byte[0] == 0xff || (byte[0] == 0 && fields.next().is_some()) {
            return Err(TraceParentError);
        }
        hex::decode_to_slice(flags_hex, &mut byte).map_err(|_| TraceParentError)?;
        parsed.flags = byte[0] & 1;
        hex::decode_to_slice(trace_hex, &mut parsed.trace).map_err(|_| TraceParentError)?;
        hex::decode_to_slice(span_hex, &mut parsed.span).map_err(|_| TraceParentError)?;
        if parsed.trace == [0; 16] || parsed.span == [0; 8] {
            return Err(TraceParentError);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_and_written_alike() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent: TraceParent = text.parse().unwrap();
        assert_eq!(parent.to_string(), text);
        let child = parent.child([0; 8]);
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_eq!(child.span_id(), "0000000000000001");
        assert_eq!(
            TraceParent::root([0; 24])
                .to_string()
                .parse::<TraceParent>(),
            Ok(TraceParent::root([0; 24]))
        );
        assert!(
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"
                .parse::<TraceParent>()
                .is_ok()
        );
    }

    #[test]
    fn a_call_has_one_trace_id_for_all_who_know_its_client_session_id() {
        // sha256sum of "skillcall-trace-v1", a line feed, and the id.
        let one = TraceParent::of_session("a1-b2", [1; 8]);
        assert_eq!(one.trace_id(), "05d69c22730e127ae7991996fb65c930");
        assert_eq!(one.span_id(), "0101010101010101");
        let other = TraceParent::of_session("a1-b2", [0; 8]);
        assert!(one.is_same_trace(&other));
        assert_eq!(other.span_id(), "0000000000000001", "never all zero");
        assert!(!one.is_same_trace(&TraceParent::of_session("a1-b3", [1; 8])));
        assert_eq!(one.to_string().parse(), Ok(one));
    }

    #[test]
    fn malformed_headers_are_refused() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(TraceParentError), "{text}");
        }
    }
}
