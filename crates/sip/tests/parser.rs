//! The parser on what real peers send, and on what they must not.

use bytes::Bytes;
use proptest::prelude::*;
use skillcall_sip::message::{
    Framing, Host, Message, MessageWriter, Method, ParseError, ParseErrorKind, Request, Scheme,
    StatusCode, Uri, parse,
};

const HEAD: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\n";

fn read(bytes: impl AsRef<[u8]>) -> Result<Message, ParseError> {
    parse(Bytes::copy_from_slice(bytes.as_ref()), Framing::Datagram)
}

fn request(bytes: impl AsRef<[u8]>) -> Request {
    match read(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn error(bytes: impl AsRef<[u8]>) -> ParseError {
    read(bytes).expect_err("it was accepted")
}

#[test]
fn real_peers_quirks_are_read() {
    for uri in [
        "tel:+16075550199",
        "urn:service:sos",
        "sip:user;par=u%40example.net@example.com",
    ] {
        let found = request(format!(
            "INVITE {uri} SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n\r\n"
        ));
        assert_eq!(found.uri().as_str(), uri);
    }
    let tel = format!("INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n\r\n")
        .replace("<sip:a@b>", "<tel:+1607>");
    let tel = request(tel);
    let from = tel.headers().from().unwrap().uri().unwrap();
    assert_eq!(
        (from.scheme(), from.user().as_deref()),
        (Scheme::Tel, Some("+1607"))
    );

    let body = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n";
    let no_length = request(format!(
        "INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n\r\n{body}"
    ));
    assert_eq!(
        no_length.body(),
        body.as_bytes(),
        "without Content-Length the body is the rest"
    );
    let longer = request(format!(
        "INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\nl: 3\r\n\r\nabcdef"
    ));
    assert_eq!(longer.body(), b"abc");

    let mut latin = format!(
        "INVITE sip:a SIP/2.0\r\nSubject: x\r\nX-After: here\r\n{HEAD}CSeq: 1 INVITE\r\n\r\nbody"
    )
    .into_bytes();
    let at = latin.iter().position(|&byte| byte == b'x').unwrap();
    latin[at] = 0xe9;
    let latin = request(latin);
    assert_eq!(latin.headers().named("subject").as_deref(), Some("é"));
    assert_eq!(latin.headers().named("x-after").as_deref(), Some("here"));
    assert_eq!(latin.body(), b"body");

    let uui = format!(
        "INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\nuser-TO-user: 6373693d61;encoding=hex\r\n\r\n"
    );
    assert_eq!(
        request(uui).headers().user_to_user().as_deref(),
        Some("6373693d61;encoding=hex")
    );

    let many: String = (0..200).map(|i| format!("X-{i}: {i}\r\n")).collect();
    let many = request(format!(
        "INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n{many}\r\n"
    ));
    assert_eq!(many.headers().iter().count(), 205);
    assert_eq!(many.headers().named("x-199").as_deref(), Some("199"));

    let unknown = request(format!(
        "JUGGLE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 JUGGLE\r\n\r\n"
    ));
    assert_eq!(*unknown.method(), Method::Other("JUGGLE".into()));
    let folded = format!(
        "\r\n\r\nINVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1\r\n\t INVITE\r\nSubject: a\r\n b\r\n\r\n"
    );
    assert_eq!(
        request(folded).headers().named("s").as_deref(),
        Some("a   b")
    );
}

#[test]
fn what_is_refused_says_where_and_what_would_be_right() {
    let cases = [
        (
            "INVITE sip:a SIP/2.0\nVia: x\n\n",
            ParseErrorKind::LineEnd,
            1,
            21,
            400,
        ),
        (
            "INVITE sip:a SIP/3.0\r\n\r\n",
            ParseErrorKind::Version,
            1,
            14,
            505,
        ),
        (
            "INVITE  sip:a SIP/2.0\r\n\r\n",
            ParseErrorKind::StartLine,
            1,
            8,
            400,
        ),
        (
            "INVITE sip:a@:5 SIP/2.0\r\n\r\n",
            ParseErrorKind::StartLine,
            1,
            14,
            400,
        ),
        (
            "INVITE sip:a SIP/2.0\r\nVia\r\n\r\n",
            ParseErrorKind::Header,
            2,
            1,
            400,
        ),
        (
            "INVITE sip:a SIP/2.0\r\nV a: x\r\n\r\n",
            ParseErrorKind::Header,
            2,
            2,
            400,
        ),
        (
            "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;;\r\n\r\n",
            ParseErrorKind::Missing,
            3,
            1,
            400,
        ),
    ];
    for (text, kind, line, column, status) in cases {
        let found = error(text);
        assert_eq!(
            (found.kind, found.line, found.column),
            (kind, line, column),
            "{text:?}: {found}"
        );
        assert_eq!(found.status(), StatusCode::new(status), "{text:?}");
    }
    let via = format!("INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n\r\n")
        .replace("h;branch", "h;;branch");
    let via = error(via);
    assert_eq!((via.header, via.line, via.column), (Some("Via"), 2, 20));
    assert_eq!(
        via.to_string(),
        "Malformed Header (Via) at line 2, byte 20: expected a parameter name"
    );
    let header = "X: y\r\n".repeat(300);
    let many = error(format!(
        "INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n{header}\r\n"
    ));
    assert_eq!(many.kind, ParseErrorKind::TooManyHeaders);
    assert_eq!(
        error(vec![b'x'; 65537]).status(),
        Some(StatusCode::MESSAGE_TOO_LARGE)
    );
    let response = error("SIP/2.0 99 x\r\n\r\n");
    assert_eq!(response.status(), None, "a response is never answered");
    let stream = format!("INVITE sip:a SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n\r\n");
    let stream = parse(Bytes::from(stream), Framing::Stream).unwrap_err();
    assert_eq!(
        (stream.kind, stream.header),
        (ParseErrorKind::Missing, Some("Content-Length"))
    );
}

#[test]
fn uris_are_taken_apart() {
    let uri = Uri::parse("sips:a%40b:p%3Aw@[2001:db8::1]:5071;transport=TCP;lr?Subject=x%20y&a=b")
        .unwrap();
    let uri = uri.as_ref();
    assert_eq!(uri.scheme(), Scheme::Sips);
    assert_eq!(
        (uri.user().as_deref(), uri.password().as_deref()),
        (Some("a@b"), Some("p:w"))
    );
    assert_eq!(
        uri.socket_addr(),
        Some("[2001:db8::1]:5071".parse().unwrap())
    );
    assert_eq!(
        (
            uri.param("Transport").as_deref(),
            uri.param("lr").as_deref(),
            uri.param("x")
        ),
        (Some("TCP"), Some(""), None)
    );
    assert_eq!(
        uri.headers().next().unwrap(),
        ("Subject".into(), "x y".into())
    );
    assert_eq!(
        Uri::parse("sip:127.0.0.1").unwrap().as_ref().socket_addr(),
        Some("127.0.0.1:5060".parse().unwrap())
    );
    assert_eq!(
        Uri::parse("sip:pbx.example")
            .unwrap()
            .as_ref()
            .socket_addr(),
        None
    );
    let made = Uri::sip(Some("a b@c"), &Host::Name("h".into()), Some(5080)).unwrap();
    assert_eq!(made.as_str(), "sip:a%20b%40c@h:5080");
    assert_eq!(made.as_ref().user().as_deref(), Some("a b@c"));
    for bad in [
        "",
        "sip:",
        "sip:@h",
        "1x:y",
        "sip:h:99999",
        "sip:a b@h",
        "sip:[::1",
        "nocolon",
        "sip:h\r\nX: y",
    ] {
        assert!(Uri::parse(bad).is_err(), "{bad:?} was accepted");
    }
}

#[test]
fn a_uri_s_headers_part_is_begun_or_gone_on_with() {
    for (uri, with) in [
        ("sip:a@b", "sip:a@b?X=1&Y=2"),
        ("sip:a@b?", "sip:a@b?X=1&Y=2"),
        ("sip:a@b;lr?W=0", "sip:a@b;lr?W=0&X=1&Y=2"),
        ("sip:who?@b", "sip:who?@b?X=1&Y=2"),
        ("sip:who?@b?W=0", "sip:who?@b?W=0&X=1&Y=2"),
    ] {
        let text = Uri::parse(uri).unwrap().as_ref().with_headers("X=1&Y=2");
        assert_eq!(text, with);
        let again = Uri::parse(&text).unwrap();
        let mut headers = again.as_ref().headers();
        assert!(
            headers.any(|header| header == ("Y".into(), "2".into())),
            "{text}"
        );
    }
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

/// Any line of text without line ends, blanks at its ends taken away, as a parser gives it back.
fn value() -> impl Strategy<Value = String> {
    "[^\r\n]{0,40}".prop_map(|text| text.trim_matches([' ', '\t']).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(
        method in token(),
        user in "[^\0]{1,10}",
        branch in token(),
        headers in prop::collection::vec(("X-[A-Za-z]{1,8}", value()), 0..20),
        cseq in 0u32..(1 << 31),
        body in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let method = Method::from_token(&method);
        let uri = Uri::sip(Some(&user), &Host::Name("example.com".into()), None).unwrap();
        let mut writer = MessageWriter::request(&method, uri.as_str());
        writer.raw_header(b"v", format!("SIP/2.0/TCP [::1]:5060;branch={branch}").as_bytes());
        writer.raw_header(b"FROM", b"<sip:a@b>;tag=x").raw_header(b"t", b"<sip:c@d>").raw_header(b"i", b"id");
        writer.raw_header(b"CSeq", format!("{cseq} {method}").as_bytes());
        for (name, value) in &headers {
            writer.raw_header(name.as_bytes(), value.as_bytes());
        }
        let wire = writer.finish_with("application/sdp", &body);
        let Ok(Message::Request(read)) = parse(wire.clone(), Framing::Stream) else {
            return Err(TestCaseError::fail("not read back"));
        };
        prop_assert_eq!(read.method(), &method);
        let found = read.uri();
        let found = found.user();
        prop_assert_eq!(found.as_deref(), Some(&*user));
        prop_assert_eq!(read.headers().via().unwrap().branch(), Some(branch.as_bytes()));
        prop_assert_eq!(read.headers().cseq().number, cseq);
        prop_assert_eq!(read.body(), &*body);
        prop_assert_eq!(read.wire(), &*wire);
        let kept: Vec<_> = read.headers().iter().skip(5).take(headers.len()).collect();
        for ((name, value), field) in headers.iter().zip(kept) {
            prop_assert_eq!(name.as_bytes(), field.raw_name);
            prop_assert_eq!(value.as_bytes(), field.value);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = read(&bytes) {
            prop_assert!(error.offset <= bytes.len());
        }
    }
}
