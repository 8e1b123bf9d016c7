//! RFC 4475's torture messages, sorted as the RFC sorts them.

use std::collections::BTreeSet;

use bytes::Bytes;
use skillcall_sip::endpoint::{Endpoint, EndpointConfig, Event, Flow};
use skillcall_sip::message::{Framing, Message, ParseErrorKind, StatusCode, parse};

fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/rfc4475/{name}.dat", env!("CARGO_MANIFEST_DIR"));
    Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// Valid, or wrong only in what they mean: each must parse. With the section of RFC 4475.
const ACCEPTED: &[(&str, &str)] = &[
    ("wsinv", "3.1.1.1"),
    ("intmeth", "3.1.1.2"),
    ("esc01", "3.1.1.3"),
    ("escnull", "3.1.1.4"),
    ("esc02", "3.1.1.5"),
    ("lwsdisp", "3.1.1.6"),
    ("longreq", "3.1.1.7"),
    ("dblreq", "3.1.1.8"),
    ("semiuri", "3.1.1.9"),
    ("transports", "3.1.1.10"),
    ("mpart01", "3.1.1.11"),
    ("unreason", "3.1.1.12"),
    ("noreason", "3.1.1.13"),
    // Left to the reader: the RFC allows to infer what was meant.
    ("baddate", "3.1.2.12"),
    ("regbadct", "3.1.2.13"),
    ("badaspec", "3.1.2.14"),
    ("baddn", "3.1.2.15"),
    ("badbranch", "3.2.1"),
    ("unkscm", "3.3.2"),
    ("novelsc", "3.3.3"),
    ("unksm2", "3.3.4"),
    ("bext01", "3.3.5"),
    ("invut", "3.3.6"),
    ("regaut01", "3.3.7"),
    ("bcast", "3.3.10"),
    ("zeromf", "3.3.11"),
    ("cparam01", "3.3.12"),
    ("cparam02", "3.3.13"),
    ("regescrt", "3.3.14"),
    ("sdp01", "3.3.15"),
    ("inv2543", "3.4.1"),
];

/// Must be refused: with the status for a request, `None` for a response, which is dropped.
const REFUSED: &[(&str, &str, Option<u16>, ParseErrorKind)] = &[
    ("badinv01", "3.1.2.1", Some(400), ParseErrorKind::Header),
    ("clerr", "3.1.2.2", Some(400), ParseErrorKind::ContentLength),
    ("ncl", "3.1.2.3", Some(400), ParseErrorKind::ContentLength),
    ("scalar02", "3.1.2.4", Some(400), ParseErrorKind::Header),
    ("scalarlg", "3.1.2.5", None, ParseErrorKind::Header),
    ("quotbal", "3.1.2.6", Some(400), ParseErrorKind::Header),
    ("ltgtruri", "3.1.2.7", Some(400), ParseErrorKind::StartLine),
    ("lwsruri", "3.1.2.8", Some(400), ParseErrorKind::StartLine),
    ("lwsstart", "3.1.2.9", Some(400), ParseErrorKind::StartLine),
    ("trws", "3.1.2.10", Some(400), ParseErrorKind::StartLine),
    ("escruri", "3.1.2.11", Some(400), ParseErrorKind::StartLine),
    ("badvers", "3.1.2.16", Some(505), ParseErrorKind::Version),
    (
        "mismatch01",
        "3.1.2.17",
        Some(400),
        ParseErrorKind::MethodMismatch,
    ),
    (
        "mismatch02",
        "3.1.2.18",
        Some(400),
        ParseErrorKind::MethodMismatch,
    ),
    ("bigcode", "3.1.2.19", None, ParseErrorKind::StartLine),
    ("insuf", "3.3.1", Some(400), ParseErrorKind::Missing),
    ("multi01", "3.3.8", Some(400), ParseErrorKind::Duplicate),
    ("mcl01", "3.3.9", Some(400), ParseErrorKind::Duplicate),
    // Not of the RFC's text but of its archive: a request line without a version.
    ("test", "-", Some(400), ParseErrorKind::StartLine),
];

#[test]
fn the_49_messages_are_all_sorted() {
    let sorted: BTreeSet<String> = ACCEPTED
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain(REFUSED.iter().map(|(name, ..)| (*name).to_owned()))
        .collect();
    let entries = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rfc4475")).unwrap();
    let files = entries.map(|entry| {
        entry
            .unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    });
    assert_eq!(files.collect::<BTreeSet<_>>(), sorted);
}

#[test]
fn valid_messages_are_read() {
    for (name, section) in ACCEPTED {
        if let Err(error) = parse(read(name), Framing::Datagram) {
            panic!("{name} ({section}) was refused: {error}");
        }
    }
}

#[test]
fn invalid_messages_are_refused_with_the_right_status() {
    for (name, section, status, kind) in REFUSED {
        let error = match parse(read(name), Framing::Datagram) {
            Ok(_) => panic!("{name} ({section}) was accepted"),
            Err(error) => error,
        };
        assert_eq!(
            error.status().map(StatusCode::get),
            *status,
            "{name} ({section}): {error}"
        );
        assert_eq!(error.kind, *kind, "{name} ({section}): {error}");
        assert!(error.line > 0 && error.column > 0 && !error.expected.is_empty());
    }
}

/// What an endpoint sends back, if anything: its status; and whether it told its user of a call.
fn received(name: &str) -> (Option<u16>, bool) {
    let ours = "192.0.2.1:5060".parse().unwrap();
    let mut endpoint = Endpoint::new(EndpointConfig::new(
        std::net::SocketAddr::from(([192, 0, 2, 1], 5060)),
        [1; 32],
    ));
    let flow = Flow::udp(ours, "192.0.2.99:5060".parse().unwrap());
    endpoint.receive(std::time::Instant::now(), &flow, &read(name));
    let status = endpoint.poll_transmit().map(|transmit| {
        let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
        text.get(8..11)
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("{name}: {text}"))
    });
    (
        status,
        matches!(endpoint.poll_event(), Some(Event::Invite { .. })),
    )
}

#[test]
fn an_endpoint_answers_each_as_the_rfc_says() {
    for (name, status, call) in [
        ("wsinv", Some(481), false),
        ("intmeth", Some(501), false),
        ("esc01", None, true),
        ("escnull", Some(405), false),
        ("esc02", Some(501), false),
        ("lwsdisp", Some(200), false),
        ("longreq", None, true),
        ("dblreq", Some(405), false),
        ("semiuri", Some(200), false),
        ("transports", Some(200), false),
        ("mpart01", Some(405), false),
        ("unreason", None, false),
        ("noreason", None, false),
        ("baddate", None, true),
        // Its Via cannot be read, so there is no way back.
        ("badinv01", None, false),
        ("clerr", Some(400), false),
        ("scalarlg", None, false),
        ("badvers", Some(505), false),
        ("bigcode", None, false),
        ("badbranch", Some(200), false),
        ("unkscm", Some(416), false),
        ("novelsc", Some(416), false),
        ("bext01", Some(420), false),
        ("invut", Some(415), false),
        ("multi01", Some(400), false),
        ("mcl01", Some(400), false),
        ("bcast", None, false),
        ("zeromf", Some(200), false),
        ("inv2543", None, true),
    ] {
        let (found, rang) = received(name);
        assert_eq!(found, status, "{name}");
        assert_eq!(rang, call, "{name}");
    }
}

#[test]
fn the_tortuous_invite_means_what_the_rfc_says() {
    let Ok(Message::Request(request)) = parse(read("wsinv"), Framing::Datagram) else {
        panic!("wsinv is a request")
    };
    let headers = request.headers();
    assert_eq!(headers.cseq().number, 9);
    assert_eq!(headers.max_forwards(), Some(68));
    assert_eq!(headers.call_id(), b"wsinv.ndaksdj@192.0.2.1");
    assert_eq!(headers.to_tag(), Some(&b"1918181833n"[..]));
    assert_eq!(
        headers.from().unwrap().display().as_deref(),
        Some("J Rosenberg \\\"")
    );
    assert_eq!(headers.via().unwrap().branch(), Some(&b"390skdjuw"[..]));
    assert_eq!(
        headers.contact().unwrap().unwrap().display().as_deref(),
        Some("Quoted string \"\"")
    );
    assert!(request.body().starts_with(b"v=0\r\n"));
    let uri = request.uri();
    assert_eq!(uri.user().as_deref(), Some("vivekg"));
    assert_eq!(uri.param("unknownparam").as_deref(), Some(""));
}
