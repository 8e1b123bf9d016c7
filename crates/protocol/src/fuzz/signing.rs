//! Keys, signed requests and signed replies.

use crate::signing::{
    KEY_ID, Key, KeyRing, NONCE, NonceWindow, RequestParts, SIGNATURE, SignedReply, TIMESTAMP,
    sign_reply, sign_request, verify_reply, verify_request,
};

const NOW: i64 = 1_714_558_272;

/// Lines: a list of keys, a method, a path, `Name: value` headers up to an empty line; then a body.
///
/// What this crate signs, it accepts, and not when a byte of it is another. What anybody else wrote into the headers is
/// not accepted, as nobody finds the key.
///
/// # Panics
/// When one of this does not hold, or an error shows a key.
pub fn signing(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let (list, method, path) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    if let Ok(ring) = KeyRing::parse(list) {
        let id = ring.signing().id();
        assert!(ring.find(id) == Some(ring.signing()));
    }
    let keys = match Key::new("fuzz", &[7; 32]) {
        Ok(key) => KeyRing::from(key),
        Err(error) => panic!("a fixed key is refused: {error}"),
    };
    let parts = RequestParts {
        method,
        path_and_query: path,
        body: body.as_bytes(),
    };
    let foreign = |name: &str| find(&headers, name);
    for now in [NOW, i64::MIN, i64::MAX] {
        assert!(verify_request(&keys, parts, &foreign, now).is_err());
        let reply = SignedReply {
            status: 200,
            nonce: "",
            body: body.as_bytes(),
        };
        assert!(verify_reply(&keys, reply, &foreign, now).is_err());
    }
    request(&keys, parts);
    reply(&keys, method, body.as_bytes());
    nonces(data);
}

fn find<'a>(headers: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

fn request(keys: &KeyRing, parts: RequestParts<'_>) {
    let signed = sign_request(keys, parts, NOW, [9; 16]);
    let headers: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    for name in [KEY_ID, TIMESTAMP, NONCE, SIGNATURE] {
        assert!(
            find(&headers, name).is_some_and(|value| value.bytes().all(|b| b.is_ascii_graphic()))
        );
    }
    let lookup = |name: &str| find(&headers, name);
    assert!(verify_request(keys, parts, &lookup, NOW).is_ok());
    assert!(verify_request(keys, parts, &lookup, NOW + 61).is_err());
    let longer = [parts.body, b"x"].concat();
    let others = [
        RequestParts {
            body: &longer,
            ..parts
        },
        RequestParts {
            method: "DELETE\n",
            ..parts
        },
    ];
    for other in others {
        assert!(verify_request(keys, other, &lookup, NOW).is_err());
    }
}

fn reply(keys: &KeyRing, nonce: &str, body: &[u8]) {
    let reply = SignedReply {
        status: 200,
        nonce,
        body,
    };
    let signed = sign_reply(keys, reply, NOW);
    let headers: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let lookup = |name: &str| find(&headers, name);
    assert!(verify_reply(keys, reply, &lookup, NOW).is_ok());
    let other = SignedReply {
        status: 201,
        ..reply
    };
    assert!(verify_reply(keys, other, &lookup, NOW).is_err());
}

/// Each byte is a nonce, and the time passes by it.
fn nonces(data: &[u8]) {
    let mut window = NonceWindow::new(16);
    let mut seen = std::collections::HashMap::new();
    let mut now = NOW;
    for &byte in data.iter().take(256) {
        now += i64::from(byte % 16);
        let name = (byte / 16).to_string();
        if window.accept(&name, now)
            && let Some(before) = seen.insert(name, now)
        {
            assert!(
                now - before > 120,
                "a nonce is taken again after {} s",
                now - before
            );
        }
    }
}
