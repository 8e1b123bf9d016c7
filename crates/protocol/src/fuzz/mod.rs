//! Bodies of the fuzz targets: each takes any bytes and must come back. Not part of the API.
//!
//! They assert what must hold for every input, so a fuzzer finds more than panics.

mod alexa;
mod headers;
mod redaction;
mod signaling;
mod signing;

pub use crate::sma::fuzz::{event, reply};
pub use alexa::{envelope, freshness, signature_url};
pub use headers::{traceparent, user_to_user};
pub use redaction::{redact, trace_record};
pub use signaling::signaling;
pub use signing::signing;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// The targets by name, for a replay of corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("envelope", envelope),
    ("freshness", freshness),
    ("signature_url", signature_url),
    ("user_to_user", user_to_user),
    ("traceparent", traceparent),
    ("signaling", signaling),
    ("signing", signing),
    ("redact", redact),
    ("trace_record", trace_record),
    ("event", event),
    ("reply", reply),
];

/// The number in the first eight bytes of `data`, and what follows it.
fn number(data: &[u8]) -> (i64, &[u8]) {
    match data.split_first_chunk::<8>() {
        Some((bytes, rest)) => (i64::from_le_bytes(*bytes), rest),
        None => (0, data),
    }
}
