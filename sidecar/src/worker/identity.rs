//! Who calls, as one trunk vouches for it and another one is told.
//!
//! What a trunk says of the caller's identity, of the caller's wish to hide it and of the call's way is handed on between
//! trunks that are trusted (RFC 3325's Spec(T)), and goes nowhere else. A call through here is another call (RFC 7092), so
//! the values are those that came in.

use skillcall_sip::message::{ExtraHeader, HeaderName, Request};

/// P-Asserted-Identity and Privacy (RFC 3325, 3323), Diversion and History-Info (RFC 5806, 7044), Identity and the Date that
/// it may cover (RFC 8224 §4).
const HANDED_ON: [HeaderName; 6] = [
    HeaderName::PAssertedIdentity,
    HeaderName::Privacy,
    HeaderName::Diversion,
    HeaderName::HistoryInfo,
    HeaderName::Identity,
    HeaderName::Date,
];
/// Headers of one call, and bytes of them together: an Identity is long, and a call's way may be.
const MOST_HEADERS: usize = 24;
const MOST_BYTES: usize = 8 * 1024;

/// What a trusted trunk's INVITE says of the caller. A header that finds no room is left out.
pub(super) fn vouched(request: &Request) -> Vec<ExtraHeader> {
    let mut bytes = 0;
    let fields = request.headers().iter();
    fields
        .filter(|field| HANDED_ON.contains(&field.name))
        .take(MOST_HEADERS)
        .filter_map(|field| {
            let text = field.text();
            bytes += text.len();
            (bytes <= MOST_BYTES)
                .then(|| ExtraHeader::new(field.name.as_str(), text.as_bytes()).ok())
                .flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use skillcall_sip::message::{Framing, Message, parse};

    fn vouched_of(headers: &str) -> Vec<String> {
        let text = format!(
            "INVITE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
             From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 2 INVITE\r\n\
             Max-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        match parse(Bytes::from(text), Framing::Datagram).unwrap() {
            Message::Request(request) => vouched(&request)
                .iter()
                .map(|header| format!("{header:?}"))
                .collect(),
            Message::Response(_) => unreachable!(),
        }
    }

    #[test]
    fn identities_are_handed_on_within_bounds_and_nothing_else() {
        let found = vouched_of(
            "P-Asserted-Identity: <sip:+12045550100@a>\r\nP-Asserted-Identity: <tel:+12045550100>\r\nPrivacy: id\r\n\
             X-Other: 1\r\nP-Preferred-Identity: <sip:x@a>\r\ny: e30.e30.c2ln;info=<https://c.example/c.pem>\r\n",
        );
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().all(|header| !header.contains("X-Other")));
        let long = format!("Diversion: <sip:{}@a>\r\n", "1".repeat(3000)).repeat(4);
        assert_eq!(vouched_of(&long).len(), 2);
        assert_eq!(
            vouched_of(&"Diversion: <sip:1@a>\r\n".repeat(100)).len(),
            MOST_HEADERS
        );
    }
}
