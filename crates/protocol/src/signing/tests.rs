use super::*;

const NOW: i64 = 1_714_558_272;

fn keys() -> KeyRing {
    KeyRing::parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

fn parts(body: &[u8]) -> RequestParts<'_> {
    RequestParts {
        method: "POST",
        path_and_query: "/media/events?x=1",
        body,
    }
}

fn verify(
    headers: &[(&'static str, String)],
    parts: RequestParts<'_>,
    keys: &KeyRing,
    now: i64,
) -> Result<SignedRequest, SigningError> {
    let lookup = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    verify_request(keys, parts, &lookup, now)
}

#[test]
fn what_was_signed_verifies_and_nothing_else() {
    let headers = sign_request(&keys(), parts(b"{}"), NOW, [7; 16]);
    assert_eq!(
        verify(&headers, parts(b"{}"), &keys(), NOW + 60)
            .unwrap()
            .nonce,
        "07".repeat(16)
    );
    let other = SigningError::Signature("k1".to_owned());
    assert_eq!(
        verify(&headers, parts(b"{ }"), &keys(), NOW).unwrap_err(),
        other
    );
    let get = RequestParts {
        method: "GET",
        ..parts(b"{}")
    };
    assert_eq!(verify(&headers, get, &keys(), NOW).unwrap_err(), other);
    let path = RequestParts {
        path_and_query: "/media/events",
        ..parts(b"{}")
    };
    assert_eq!(verify(&headers, path, &keys(), NOW).unwrap_err(), other);
    assert_eq!(
        verify(&headers, parts(b"{}"), &keys(), NOW + 61).unwrap_err(),
        SigningError::Time(61)
    );
    assert_eq!(
        verify(&headers, parts(b"{}"), &keys(), NOW - 61).unwrap_err(),
        SigningError::Time(-61)
    );
}

#[test]
fn each_header_is_needed_and_read_strictly() {
    let headers = sign_request(&keys(), parts(b""), NOW, [7; 16]);
    for missing in [KEY_ID, TIMESTAMP, NONCE, SIGNATURE] {
        let rest: Vec<_> = headers
            .iter()
            .filter(|(name, _)| *name != missing)
            .cloned()
            .collect();
        assert_eq!(
            verify(&rest, parts(b""), &keys(), NOW).unwrap_err(),
            SigningError::Missing(missing)
        );
    }
    for (name, value) in [
        (TIMESTAMP, "soon"),
        (NONCE, "short"),
        (NONCE, "has a blank in its middle"),
        (SIGNATURE, "v1=00"),
        (SIGNATURE, "v2="),
    ] {
        let changed: Vec<_> = headers
            .iter()
            .map(|(n, v)| {
                (
                    *n,
                    if *n == name {
                        value.to_owned()
                    } else {
                        v.clone()
                    },
                )
            })
            .collect();
        let error = verify(&changed, parts(b""), &keys(), NOW).unwrap_err();
        assert!(
            matches!(error, SigningError::Malformed { header, .. } if header == name),
            "{error}"
        );
    }
}

#[test]
fn keys_rotate_without_downtime() {
    let new = "k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    let old = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let both = KeyRing::parse(&format!("{new}, {old}")).unwrap();
    let by_old = sign_request(&keys(), parts(b""), NOW, [1; 16]);
    assert!(verify(&by_old, parts(b""), &both, NOW).is_ok());
    let by_new = sign_request(&both, parts(b""), NOW, [1; 16]);
    let error = verify(&by_new, parts(b""), &keys(), NOW).unwrap_err();
    assert_eq!(error, SigningError::UnknownKey("k2".to_owned()));
}

#[test]
fn bad_key_lists_are_named_without_their_bytes() {
    for (text, error) in [
        ("", KeyError::Empty),
        ("k1", KeyError::Form(1)),
        ("a b:AAAA", KeyError::Id(1)),
        ("k1:***", KeyError::Base64("k1".to_owned())),
        (
            "k1:AAAA",
            KeyError::Short {
                id: "k1".to_owned(),
                found: 3,
            },
        ),
    ] {
        // The id is looked at before the length, and base64 before both.
        assert_eq!(KeyRing::parse(text).unwrap_err(), error, "{text}");
    }
    let twice = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_eq!(
        KeyRing::parse(twice).unwrap_err(),
        KeyError::Twice("k1".to_owned())
    );
    assert_eq!(format!("{:?}", keys().signing()), "Key(k1, hidden)");
}

#[test]
fn replies_are_bound_to_status_and_nonce() {
    let reply = SignedReply {
        status: 200,
        nonce: "n",
        body: b"{}",
    };
    let headers = sign_reply(&keys(), reply, NOW);
    let lookup = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    };
    assert!(verify_reply(&keys(), reply, &lookup, NOW).is_ok());
    for other in [
        SignedReply {
            status: 500,
            ..reply
        },
        SignedReply {
            nonce: "m",
            ..reply
        },
        SignedReply { body: b"", ..reply },
    ] {
        assert!(verify_reply(&keys(), other, &lookup, NOW).is_err());
    }
}

#[test]
fn a_nonce_is_taken_once_and_forgotten_in_time() {
    let mut window = NonceWindow::new(2);
    assert!(window.accept("a", 0));
    assert!(!window.accept("a", 119));
    assert!(window.accept("b", 119));
    assert!(!window.accept("c", 119), "full");
    assert!(window.accept("c", 121), "a has gone");
    assert!(window.accept("a", 240));
}
