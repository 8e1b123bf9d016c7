//! Headers with an inner form: `User-to-User` and `traceparent`.

use crate::traceparent::TraceParent;
use crate::user_to_user::{decode_csi, encode_csi, parse};

/// `User-to-User` headers, one a line: a `clientSessionId` that is found is found again when it is written.
///
/// # Panics
/// When it is another one.
pub fn user_to_user(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for value in text.lines().flat_map(parse) {
        assert!(!value.data.is_empty());
        let _ = (value.bytes(), value.parameter("encoding"));
    }
    if let Some(id) = decode_csi(text.lines()) {
        assert_eq!(decode_csi([encode_csi(&id).as_str()]), Some(id));
    }
}

/// A `traceparent` header: what is accepted is written in version 00 and read as the same; a child stays in the trace.
/// The trace that is derived from any text as a `clientSessionId` can be written and read, too.
///
/// # Panics
/// When it is another one.
pub fn traceparent(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let derived = TraceParent::of_session(text, [0; 8]);
    assert_eq!(derived.to_string().parse(), Ok(derived));
    let Ok(parent) = text.parse::<TraceParent>() else {
        return;
    };
    let written = parent.to_string();
    assert_eq!(written.len(), 55);
    assert_eq!(written.parse(), Ok(parent));
    let child = parent.child([0; 8]);
    assert_eq!(child.trace_id(), parent.trace_id());
    assert_eq!(child.to_string().parse(), Ok(child));
}
