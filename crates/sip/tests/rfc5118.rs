//! RFC 5118's messages for IPv6: each is read, or refused, as its section says, and answered to where it came from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use skillcall_sip::endpoint::{Destination, Endpoint, EndpointConfig, Event, Flow, Transport};
use skillcall_sip::message::{
    Framing, HeaderName, HostRef, Message, ParseErrorKind, Request, Via, parse,
};
use skillcall_sip::sdp::{Capabilities, MediaSession};

fn register(uri: &str) -> String {
    message(&[
        &format!("REGISTER {uri} SIP/2.0"),
        "To: sip:user@example.com",
        "From: sip:user@example.com;tag=81x2",
        "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
        "Call-ID: SSG9559905523997077@hlau_4100",
        "Max-Forwards: 70",
        "Contact: \"Caller\" <sip:caller@[2001:db8::1]>",
        "CSeq: 98176 REGISTER",
        "Content-Length: 0",
    ])
}

fn message(lines: &[&str]) -> String {
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

fn with_body(lines: &[&str], body: &[&str]) -> String {
    let body = format!("{}\r\n", body.join("\r\n"));
    let length = format!("Content-Length: {}", body.len());
    let mut head = lines.to_vec();
    head.push("Content-Type: application/sdp");
    head.push(&length);
    message(&head) + &body
}

fn read(text: &str) -> Request {
    match parse(Bytes::copy_from_slice(text.as_bytes()), Framing::Datagram) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn ip(text: &str) -> IpAddr {
    IpAddr::V6(text.parse::<Ipv6Addr>().unwrap())
}

/// The first answer of an endpoint at [2001:db8::10], and where it goes.
fn answer(text: &str) -> Option<(String, SocketAddr)> {
    let ours = SocketAddr::new(ip("2001:db8::10"), 5060);
    let mut endpoint = Endpoint::new(EndpointConfig::new(ours, [1; 32]));
    let from = SocketAddr::new(ip("2001:db8::9:1"), 5060);
    let flow = Flow::udp(ours, from);
    endpoint.receive(std::time::Instant::now(), &flow, text.as_bytes());
    let transmit = endpoint.poll_transmit()?;
    let Destination::Addr(to) = transmit.destination else {
        panic!("unresolved")
    };
    Some((String::from_utf8(transmit.bytes.to_vec()).unwrap(), to))
}

#[test]
fn section_4_1_a_reference_in_the_request_uri() {
    let text = register("sip:[2001:db8::10]");
    let request = read(&text);
    assert_eq!(request.uri().host(), Some(HostRef::Ip(ip("2001:db8::10"))));
    assert_eq!(
        request.uri().socket_addr(),
        Some(SocketAddr::new(ip("2001:db8::10"), 5060))
    );
    assert_eq!(
        request.headers().via().unwrap().host,
        HostRef::Ip(ip("2001:db8::9:1"))
    );
    let contact = request.headers().contact().unwrap().unwrap();
    assert_eq!(
        contact.uri().unwrap().host(),
        Some(HostRef::Ip(ip("2001:db8::1")))
    );
    let (status, to) = answer(&text).unwrap();
    assert!(status.starts_with("SIP/2.0 405 "), "{status}");
    assert_eq!(to, SocketAddr::new(ip("2001:db8::9:1"), 5060));
}

#[test]
fn section_4_2_an_address_without_delimiters_is_refused() {
    let text = register("sip:2001:db8::10");
    let error = parse(Bytes::copy_from_slice(text.as_bytes()), Framing::Datagram).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::StartLine);
    assert!(answer(&text).unwrap().0.starts_with("SIP/2.0 400 "));
}

#[test]
fn sections_4_3_and_4_4_a_port_stands_behind_the_delimiter() {
    let inside = read(&register("sip:[2001:db8::10:5070]"));
    assert_eq!(
        inside.uri().socket_addr(),
        Some(SocketAddr::new(ip("2001:db8::10:5070"), 5060))
    );
    let behind = read(&register("sip:[2001:db8::10]:5070"));
    assert_eq!(
        behind.uri().socket_addr(),
        Some(SocketAddr::new(ip("2001:db8::10"), 5070))
    );
}

#[test]
fn section_4_5_received_with_and_without_delimiters() {
    for (method, received) in [("BYE", "[2001:db8::9:255]"), ("OPTIONS", "2001:db8::9:255")] {
        let via =
            format!("Via: SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111");
        let tag = if method == "BYE" { ";tag=bd76ya" } else { "" };
        let text = message(&[
            &format!("{method} sip:[2001:db8::10] SIP/2.0"),
            &format!("To: sip:user@example.com{tag}"),
            "From: sip:user@example.com;tag=81x2",
            &via,
            "Call-ID: SSG9559905523997077@hlau_4100",
            "Max-Forwards: 70",
            &format!("CSeq: 321 {method}"),
            "Content-Length: 0",
        ]);
        let request = read(&text);
        let found = request.headers().via().unwrap();
        assert_eq!(found.params.value("received").as_deref(), Some(received));
        assert_eq!(found.branch(), Some(&b"z9hG4bKas3-111"[..]));
        let (status, _) = answer(&text).unwrap();
        let expected = if method == "BYE" { "481" } else { "200" };
        assert!(
            status.starts_with(&format!("SIP/2.0 {expected} ")),
            "{status}"
        );
    }
}

#[test]
fn section_4_6_addresses_in_the_description() {
    let text = with_body(
        &[
            "INVITE sip:user@[2001:db8::10] SIP/2.0",
            "To: sip:user@[2001:db8::10]",
            "From: sip:user@example.com;tag=81x2",
            "Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111",
            "Call-ID: SSG9559905523997077@hlau_4100",
            "Contact: \"Caller\" <sip:caller@[2001:db8::20]>",
            "CSeq: 8612 INVITE",
            "Max-Forwards: 70",
        ],
        &[
            "v=0",
            "o=assistant 971731711378798081 0 IN IP6 2001:db8::20",
            "s=Live video feed for today's meeting",
            "c=IN IP6 2001:db8::20",
            "t=3338481189 3370017201",
            "m=audio 6000 RTP/AVP 0",
            "m=video 6024 RTP/AVP 107",
            "a=rtpmap:107 H263-1998/90000",
        ],
    );
    let request = read(&text);
    let mut media = MediaSession::new(Capabilities::new(ip("2001:db8::10"), 4000), 1);
    // The RFC offers G.726 alone, which we have not: PCMU stands in for it.
    let (answer, agreed) = media.answer(request.body()).unwrap();
    assert_eq!(agreed.remote, SocketAddr::new(ip("2001:db8::20"), 6000));
    assert!(String::from_utf8_lossy(&answer).contains("c=IN IP6 2001:db8::10\r\n"));
}

#[test]
fn section_4_7_both_families_in_one_path() {
    let text = message(&[
        "BYE sip:user@host.example.net SIP/2.0",
        "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144",
        "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200",
        "Call-ID: 997077@lau_4100",
        "Max-Forwards: 70",
        "CSeq: 89187 BYE",
        "To: sip:user@example.net;tag=9817--94",
        "From: sip:user@example.com;tag=81x2",
        "Content-Length: 0",
    ]);
    let request = read(&text);
    let hosts: Vec<HostRef<'_>> = request
        .headers()
        .all(HeaderName::Via)
        .flat_map(Via::list)
        .map(|via| via.unwrap().host)
        .collect();
    assert_eq!(
        hosts,
        [
            HostRef::Ip(ip("2001:db8::9:1")),
            HostRef::Ip(IpAddr::from([192, 0, 2, 1])),
            HostRef::Ip(ip("2001:db8::9:255"))
        ]
    );
    let (reply, to) = answer(&text).unwrap();
    assert_eq!(to, SocketAddr::new(ip("2001:db8::9:1"), 6050));
    assert_eq!(reply.matches("Via: ").count(), 3);
}

#[test]
fn section_4_8_both_families_in_one_description() {
    let offer = "v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\nm=audio 22334 RTP/AVP 0\r\n\
        c=IN IP4 192.0.2.1\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n";
    let mut media = MediaSession::new(Capabilities::new(ip("2001:db8::10"), 4000), 1);
    let (answer, agreed) = media.answer(offer.as_bytes()).unwrap();
    assert_eq!(agreed.remote, "192.0.2.1:22334".parse().unwrap());
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    assert!(answer.contains("m=video 0 RTP/AVP 107\r\n"), "{answer}");
}

#[test]
fn section_4_9_mapped_addresses() {
    let text = with_body(
        &[
            "INVITE sip:user@example.com SIP/2.0",
            "To: sip:user@example.com",
            "From: sip:user@east.example.com;tag=81x2",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111",
            "Call-ID: SSG9559905523997077@hlau_4100",
            "Contact: \"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>",
            "CSeq: 612 INVITE",
            "Max-Forwards: 70",
        ],
        &[
            "v=0",
            "o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2",
            "s=Call me soon, please!",
            "c=IN IP6 ::ffff:192.0.2.2",
            "t=3338481189 3370017201",
            "m=audio 6000 RTP/AVP 0",
        ],
    );
    let request = read(&text);
    let via = request.headers().via().unwrap();
    assert_eq!(
        (via.host, via.port),
        (HostRef::Ip(ip("::ffff:192.0.2.10")), Some(19823))
    );
    let mut media = MediaSession::new(Capabilities::new(ip("2001:db8::10"), 4000), 1);
    let (_, agreed) = media.answer(request.body()).unwrap();
    assert_eq!(agreed.remote, SocketAddr::new(ip("::ffff:192.0.2.2"), 6000));
    let ours = SocketAddr::new(ip("2001:db8::10"), 5060);
    let mut endpoint = Endpoint::new(EndpointConfig::new(ours, [1; 32]));
    let from = SocketAddr::new(ip("::ffff:192.0.2.10"), 19823);
    endpoint.receive(
        std::time::Instant::now(),
        &Flow::udp(ours, from),
        text.as_bytes(),
    );
    assert!(matches!(endpoint.poll_event(), Some(Event::Invite { .. })));
}

#[test]
fn section_4_10_a_third_colon_is_forgiven() {
    for colons in [":::", "::"] {
        let uri = format!("sip:user@[2001:db8{colons}192.0.2.1]");
        let text = message(&[
            &format!("OPTIONS {uri} SIP/2.0"),
            &format!("To: {uri}"),
            "From: sip:user@example.com;tag=810x2",
            "Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111",
            "Call-ID: G9559905523997077@hlau_4100",
            "CSeq: 689 OPTIONS",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]);
        let request = read(&text);
        let host = request.uri().host();
        assert_eq!(host, Some(HostRef::Ip(ip("2001:db8::192.0.2.1"))), "{uri}");
        assert_eq!(request.uri().as_str(), uri);
        assert!(answer(&text).unwrap().0.starts_with("SIP/2.0 200 "));
    }
    for wrong in [
        "[2001:db8:::1]",
        "[::::192.0.2.1]",
        "[1::2:::192.0.2.1]",
        "[:::]",
        "[2001:db8:::192.0.2]",
    ] {
        let text = register(&format!("sip:{wrong}"));
        assert!(
            parse(Bytes::from(text), Framing::Datagram).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn what_is_too_large_for_a_datagram_goes_over_tcp() {
    use Transport::{Tcp, Tls, Udp};
    for (transport, bytes, mtu, udp_only, expected) in [
        (Udp, 1300, None, false, Udp),
        (Udp, 1301, None, false, Tcp),
        (Udp, 1301, None, true, Udp),
        (Udp, 65_000, Some(1500), true, Udp),
        (Udp, 1300, Some(1500), false, Udp),
        (Udp, 1301, Some(1500), false, Tcp),
        (Udp, 8000, Some(9000), false, Udp),
        (Udp, 100, Some(100), false, Tcp),
        (Tcp, 10, None, false, Tcp),
        (Tls, 10_000, None, true, Tls),
    ] {
        let found = transport.for_size(bytes, mtu, udp_only);
        assert_eq!(found, expected, "{transport} {bytes} {mtu:?} {udp_only}");
    }
}
