//! Keep-alives that are offered and asked for in Via (RFC 6223), and connections that may be used both ways (RFC 5923).

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use skillcall_sip::endpoint::{
    ConnectionId, Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, OutgoingRequest, OwnReply,
    Party, Transport,
};
use skillcall_sip::message::{
    Framing, Keep, Message, Method, StatusCode, StreamFramer, Uri, Via, parse,
};
use skillcall_sip::peek::alias;

fn us() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

fn peer() -> SocketAddr {
    "192.0.2.7:5060".parse().unwrap()
}

fn endpoint(change: impl FnOnce(&mut EndpointConfig)) -> Endpoint {
    let mut config = EndpointConfig::new(us(), [7; 32]);
    config.methods.push(Method::Register);
    config.tls = Some(us().into());
    change(&mut config);
    Endpoint::new(config)
}

fn sent(endpoint: &mut Endpoint) -> String {
    let transmit = endpoint.poll_transmit().expect("a message");
    String::from_utf8(transmit.bytes.to_vec()).unwrap()
}

fn via(message: &str) -> &str {
    let line = message.lines().find_map(|line| line.strip_prefix("Via: "));
    line.expect("a Via")
}

#[test]
fn what_keep_says() {
    for (params, expected) in [
        ("", None),
        (";keep", Some(Keep::Offered)),
        (";KEEP=30", Some(Keep::Wanted(30))),
        (";rport;keep=0;x", Some(Keep::Wanted(0))),
        (";keep=often", None),
        (";keep=99999999999", None),
    ] {
        let text = format!("SIP/2.0/UDP h;branch=z9hG4bK1{params}");
        let via = Via::parse_first(text.as_bytes()).unwrap();
        assert_eq!(via.keep(), expected, "{params}");
        assert!(!via.has_alias());
    }
    let via = Via::parse_first(b"SIP/2.0/TLS h;branch=z9hG4bK1;Alias").unwrap();
    assert!(via.has_alias());
}

/// An offer is answered where a binding or a dialog is made, once, and by nobody who does not want keep-alives.
#[test]
fn offers_are_answered() {
    let request = |method: &str, via: &str, to: &str| {
        let text = format!(
            "{method} sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1{via}\r\n\
             Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK0;keep\r\nMax-Forwards: 70\r\n\
             From: <sip:b@h>;tag=1\r\nTo: <sip:a@h>{to}\r\nCall-ID: {method}{via}{to}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:b@192.0.2.7>\r\nContent-Length: 0\r\n\r\n"
        );
        Bytes::from(text)
    };
    for (udp, connections, flow, offer, status, expected) in [
        (
            Some(28),
            Some(120),
            None,
            ";keep",
            200,
            "192.0.2.7;branch=z9hG4bK1;keep=28",
        ),
        (
            Some(28),
            Some(120),
            Some(9),
            ";keep",
            200,
            "192.0.2.7;branch=z9hG4bK1;keep=120",
        ),
        (
            Some(28),
            None,
            None,
            ";rport;keep",
            200,
            "192.0.2.7;branch=z9hG4bK1;rport=5060;keep=28;received=192.0.2.7",
        ),
        (
            Some(28),
            None,
            None,
            ";keep=5",
            200,
            "192.0.2.7;branch=z9hG4bK1;keep=5",
        ),
        (Some(28), None, None, "", 200, "192.0.2.7;branch=z9hG4bK1"),
        (
            None,
            Some(120),
            None,
            ";keep",
            200,
            "192.0.2.7;branch=z9hG4bK1;keep",
        ),
        (
            Some(28),
            None,
            None,
            ";keep",
            403,
            "192.0.2.7;branch=z9hG4bK1;keep",
        ),
    ] {
        let mut endpoint = endpoint(|config| {
            (config.keep_datagrams, config.keep_connections) = (udp, connections);
        });
        let now = Instant::now();
        let flow = match flow {
            Some(id) => Flow::tcp(us(), peer(), ConnectionId(id)),
            None => Flow::udp(us(), peer()),
        };
        endpoint.receive(now, &flow, &request("REGISTER", offer, ""));
        let Some(Event::Request { id, .. }) = endpoint.poll_event() else {
            panic!("no REGISTER")
        };
        let status = StatusCode::new(status).unwrap();
        endpoint.respond(now, id, &OwnReply::from(status)).unwrap();
        let answer = sent(&mut endpoint);
        assert_eq!(via(&answer), format!("SIP/2.0/UDP {expected}"), "{offer}");
        assert!(
            answer.contains("192.0.2.8;branch=z9hG4bK0;keep\r\n"),
            "{answer}"
        );
    }
    let mut endpoint = endpoint(|config| config.keep_datagrams = Some(28));
    let (now, flow) = (Instant::now(), Flow::udp(us(), peer()));
    endpoint.receive(now, &flow, &request("INVITE", ";keep", ""));
    let Some(Event::Invite { call, .. }) = endpoint.poll_event() else {
        panic!("no INVITE")
    };
    endpoint.trying(now, call).unwrap();
    assert!(via(&sent(&mut endpoint)).ends_with(";keep"));
    let sdp = Bytes::from_static(b"v=0\r\n");
    endpoint.accept(now, call, &[], Some(sdp)).unwrap();
    assert!(via(&sent(&mut endpoint)).ends_with(";keep=28"));
}

#[test]
fn offers_are_made_where_they_are_wanted() {
    let mut endpoint = endpoint(|config| config.alias = true);
    let now = Instant::now();
    let target = Uri::parse("sip:desk@192.0.2.7").unwrap();
    let from = || Party::new(Uri::parse("sip:a@192.0.2.1").unwrap());
    for (keep, transport, tail) in [
        (false, Transport::Udp, ""),
        (true, Transport::Udp, ";keep"),
        (false, Transport::Tls, ";alias"),
        (true, Transport::Tls, ";alias;keep"),
    ] {
        let mut invite = OutgoingInvite::new(target.clone(), peer(), from(), None);
        (invite.keep, invite.transport) = (keep, transport);
        endpoint.invite(now, invite).unwrap();
        let mut register = OutgoingRequest::new(Method::Register, target.clone(), peer(), from());
        (register.keep, register.transport) = (keep, transport);
        endpoint.request(now, register).unwrap();
        for _ in 0..2 {
            let request = sent(&mut endpoint);
            let branch = via(&request).split(";branch=").nth(1).unwrap();
            let params = branch.find(';').map_or("", |at| &branch[at..]);
            assert_eq!(params, tail, "{request}");
            // The answer finds its request all the same.
            let Message::Request(_) = parse(Bytes::from(request), Framing::Stream).unwrap() else {
                panic!("no request")
            };
        }
    }
    // What the peer says is read in its answer.
    let mut register = OutgoingRequest::new(Method::Register, target, peer(), from());
    register.keep = true;
    let id = endpoint.request(now, register).unwrap();
    let request = sent(&mut endpoint);
    let mut answer = String::from("SIP/2.0 200 OK\r\n");
    for line in request.lines().filter(|line| {
        let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        copied.iter().any(|name| line.starts_with(name))
    }) {
        answer.push_str(&line.replace(";keep", ";keep=30"));
        answer.push_str("\r\n");
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    endpoint.receive(now, &Flow::udp(us(), peer()), answer.as_bytes());
    let Some(Event::Response {
        id: answered,
        response: Some(response),
        ..
    }) = endpoint.poll_event()
    else {
        panic!("no answer")
    };
    assert_eq!(answered, id);
    let keep = response.headers().via().unwrap().keep();
    assert_eq!(keep, Some(Keep::Wanted(30)));
}

#[test]
fn whose_requests_say_that_their_connection_goes_both_ways() {
    let request = |via: &str| {
        format!(
            "OPTIONS sip:a SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/TLS other;alias\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
    };
    for (via, expected) in [
        (
            "SIP/2.0/TLS Carrier.example:5070;branch=z9hG4bK1;alias",
            Some(("carrier.example", 5070)),
        ),
        (
            "SIP/2.0/TLS carrier.example;alias",
            Some(("carrier.example", 5061)),
        ),
        (
            "SIP/2.0/TLS [2001:db8::7]:5061;alias",
            Some(("2001:db8::7", 5061)),
        ),
        ("SIP/2.0/TLS carrier.example;branch=z9hG4bK1", None),
        ("SIP/2.0", None),
    ] {
        let found = alias(request(via).as_bytes(), Transport::Tls);
        let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
        assert_eq!(found, expected, "{via}");
    }
    let answer =
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS us;alias\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
    assert_eq!(alias(answer.as_bytes(), Transport::Tls), None);
}

/// Pongs that come one by one are not taken for a ping, and pings and messages are not taken for a pong.
#[test]
fn a_pong_is_told_from_a_ping() {
    let mut framer = StreamFramer::default();
    for _ in 0..3 {
        let rest = framer.without_pong(b"\r\n");
        framer.push(rest);
        assert_eq!(framer.poll(), Ok(None));
    }
    for (came, rest) in [
        (&b"\r\n\r\n"[..], &b"\r\n\r\n"[..]),
        (b"\r\nOPTIONS", b"OPTIONS"),
        (b"OPTIONS", b"OPTIONS"),
        (b"", b""),
    ] {
        assert_eq!(framer.without_pong(came), rest);
    }
    // Within a message a CRLF is the message's.
    framer.push(b"OPTIONS sip:a SIP/2.0");
    assert_eq!(framer.poll(), Ok(None));
    assert_eq!(framer.without_pong(b"\r\nVia:"), b"\r\nVia:");
}
