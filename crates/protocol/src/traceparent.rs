//! W3C trace context: the `traceparent` header that crosses every HTTP border.

use std::fmt;
use std::str::FromStr;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

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
