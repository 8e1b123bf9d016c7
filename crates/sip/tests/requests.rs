//! Single requests from strangers: what each is answered, and that nothing of it stays.

mod network;

use std::time::Duration;

use network::{Network, Trouble, address};
use skillcall_sip::endpoint::Event;
use skillcall_sip::message::{ExtraHeader, StatusCode};
use skillcall_sip::peek::{peek, stateless_response};

/// A request from 127.0.0.1:5099.
fn request(method: &str, uri: &str, branch: &str, extra: &str) -> String {
    let body = if method == "INVITE" && !extra.contains("Content-Type") {
        "v=0\r\n"
    } else {
        ""
    };
    let body = if extra.contains("Content-Type") {
        "hello"
    } else {
        body
    };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch={branch};rport\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>\r\nCall-ID: {branch}\r\nCSeq: 1 {method}\r\nContact: <sip:a@127.0.0.1:5099>\r\n{extra}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn network() -> Network {
    Network::new(1, Trouble::default(), 3)
}

fn answer_to(network: &mut Network, request: &str) -> String {
    let before = network.peers[0].sent.len();
    network.inject(address(5099), 0, request.as_bytes());
    let sent = &network.peers[0].sent;
    if sent.len() == before {
        String::new()
    } else {
        String::from_utf8(sent.last().unwrap().1.to_vec()).unwrap()
    }
}

#[test]
fn each_request_outside_a_call_gets_the_status_of_rfc_3261_section_8_2() {
    let cases = [
        ("OPTIONS", "sip:x@y", "", "200 OK"),
        ("OPTIONS", "sip:x@y", "Max-Forwards: 0\r\n", "200 OK"),
        (
            "OPTIONS",
            "soap.beep://192.0.2.103:3002",
            "",
            "416 Unsupported URI Scheme",
        ),
        (
            "OPTIONS",
            "sip:x@y",
            "Require: nothingSupportsThis\r\n",
            "420 Bad Extension",
        ),
        (
            "INVITE",
            "sip:x@y",
            "Require: 100rel\r\n",
            "420 Bad Extension",
        ),
        (
            "INVITE",
            "sip:x@y",
            "Max-Forwards: 0\r\n",
            "483 Too Many Hops",
        ),
        (
            "INVITE",
            "sip:x@y",
            "Content-Type: application/unknown\r\n",
            "415 Unsupported Media Type",
        ),
        (
            "INVITE",
            "sip:x@y",
            "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
            "415 Unsupported Media Type",
        ),
        (
            "INVITE",
            "urn:service:sos",
            "",
            "416 Unsupported URI Scheme",
        ),
        ("MESSAGE", "sip:x@y", "", "405 Method Not Allowed"),
        ("REGISTER", "sip:y", "", "405 Method Not Allowed"),
        ("SUBSCRIBE", "sip:x@y", "", "405 Method Not Allowed"),
        ("NEWMETHOD", "sip:x@y", "", "501 Not Implemented"),
        ("BYE", "sip:x@y", "", "481 Call/Transaction Does Not Exist"),
        (
            "CANCEL",
            "sip:x@y",
            "",
            "481 Call/Transaction Does Not Exist",
        ),
        ("INFO", "sip:x@y", "", "481 Call/Transaction Does Not Exist"),
        ("ACK", "sip:x@y", "", ""),
    ];
    for (i, (method, uri, extra, expected)) in cases.into_iter().enumerate() {
        let mut network = network();
        let text = request(method, uri, &format!("z9hG4bKcase{i}"), extra);
        let answer = answer_to(&mut network, &text);
        let line = answer.lines().next().unwrap_or_default();
        assert_eq!(
            line.strip_prefix("SIP/2.0 ").unwrap_or_default(),
            expected,
            "{text}"
        );
        assert_eq!(
            answer_to(&mut network, &text),
            answer,
            "the same again must be answered alike"
        );
        assert_eq!(
            network.peers[0].endpoint.counts().server_transactions,
            0,
            "{method} left state"
        );
    }
}

#[test]
fn tel_uris_and_latin_1_names_ring_like_any_other() {
    let mut network = network();
    let mut text = request("INVITE", "tel:+16075550199", "z9hG4bKtel", "").into_bytes();
    let at = text
        .windows(6)
        .position(|window| window == b"From: ")
        .unwrap()
        + 6;
    text.splice(at..at, *b"\"J\xf6rg\" ");
    network.inject(address(5099), 0, &text);
    let name = network.wait(0, Duration::from_secs(1), |event| match event {
        Event::Invite { request, .. } => request
            .headers()
            .from()
            .unwrap()
            .display()
            .map(|name| name.into_owned()),
        _ => None,
    });
    assert_eq!(name, "Jörg");
}

#[test]
fn a_peer_without_contact_is_reached_at_its_from_where_that_is_a_uri() {
    for (from, is_uri) in [
        ("<sip:a@127.0.0.1:5099>", true),
        ("<sip:a@127.0.0.1:5099?Subject=x>", true),
        ("<sip:a b@127.0.0.1:5099>", false),
        ("d\0\0\0p:a@b>", false),
        ("a@b", false),
    ] {
        let mut network = network();
        let invite = request("INVITE", "sip:x@y", "z9hG4bKnc", "")
            .replace("Contact: <sip:a@127.0.0.1:5099>\r\n", "")
            .replace("<sip:a@b>;tag=1", &format!("{from};tag=1"));
        let answer = answer_to(&mut network, &invite);
        if is_uri {
            network.wait(0, Duration::from_secs(1), |event| {
                matches!(event, Event::Invite { .. }).then_some(())
            });
        } else {
            assert!(answer.starts_with("SIP/2.0 400 "), "{from:?}: {answer}");
        }
    }
}

#[test]
fn a_copy_by_another_way_is_merged_and_a_retransmission_absorbed() {
    let mut network = network();
    let first = request("INVITE", "sip:x@y", "z9hG4bKone", "");
    assert_eq!(answer_to(&mut network, &first), "");
    assert_eq!(
        answer_to(&mut network, &first),
        "",
        "nothing was answered yet, so nothing is repeated"
    );
    let copy = first.replacen("z9hG4bKone", "z9hG4bKtwo", 1);
    assert!(answer_to(&mut network, &copy).starts_with("SIP/2.0 482 "));
    assert_eq!(network.peers[0].events.len(), 1);
}

#[test]
fn rfc_2543_peers_are_matched_without_a_branch() {
    let mut network = network();
    let invite =
        request("INVITE", "sip:x@y", "z9hG4bKold", "").replace(";branch=z9hG4bKold;rport", "");
    network.inject(address(5099), 0, invite.as_bytes());
    let call = network.wait(0, Duration::from_secs(1), |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    });
    network.act(0, |endpoint, now| {
        endpoint
            .reject(now, call, StatusCode::BUSY_HERE, "", &[])
            .unwrap()
    });
    let refused = String::from_utf8(network.peers[0].sent[0].1.to_vec()).unwrap();
    assert!(refused.starts_with("SIP/2.0 486 "));
    assert_eq!(
        answer_to(&mut network, &invite),
        refused,
        "the retransmission finds its transaction"
    );
    let to = refused
        .lines()
        .find(|line| line.starts_with("To: "))
        .unwrap();
    let ack = invite.replace("INVITE", "ACK").replace("To: <sip:c@d>", to);
    network.inject(address(5099), 0, ack.as_bytes());
    let before = network.peers[0].sent.len();
    network.run(Duration::from_secs(40));
    assert_eq!(
        network.peers[0].sent.len(),
        before,
        "the ACK stopped the 486"
    );
    network.assert_empty();
}

#[test]
fn a_full_house_sheds_with_503_and_recovers() {
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| {
        config.limits.calls = 2;
        config.limits.retry_after = 7;
    });
    for i in 0..2 {
        assert_eq!(
            answer_to(
                &mut network,
                &request("INVITE", "sip:x@y", &format!("z9hG4bK{i}"), "")
            ),
            ""
        );
    }
    let shed = answer_to(&mut network, &request("INVITE", "sip:x@y", "z9hG4bK2", ""));
    assert!(
        shed.starts_with("SIP/2.0 503 ") && shed.contains("\r\nRetry-After: 7\r\n"),
        "{shed}"
    );
    assert_eq!(network.peers[0].endpoint.counts().server_transactions, 2);
    let calls: Vec<_> = network.peers[0]
        .events
        .drain(..)
        .filter_map(|event| match event {
            Event::Invite { call, .. } => Some(call),
            _ => None,
        })
        .collect();
    for call in calls {
        network.act(0, |endpoint, now| {
            endpoint
                .reject(now, call, StatusCode::BUSY_HERE, "", &[])
                .unwrap()
        });
    }
    assert_eq!(
        answer_to(&mut network, &request("INVITE", "sip:x@y", "z9hG4bK3", "")),
        ""
    );
    assert_eq!(network.peers[0].events.len(), 1);
}

#[test]
fn responses_go_where_rfc_3581_says() {
    use skillcall_sip::endpoint::{Destination, Endpoint, EndpointConfig, Flow};
    let now = std::time::Instant::now();
    let cases = [
        (
            "127.0.0.1:5099;branch=z9hG4bKa;rport",
            6000,
            "127.0.0.1:6000",
            ";rport=6000;received=127.0.0.1",
        ),
        (
            "127.0.0.1:5099;branch=z9hG4bKb",
            6000,
            "127.0.0.1:5099",
            ";branch=z9hG4bKb\r\n",
        ),
        (
            "pbx.example;branch=z9hG4bKc",
            6000,
            "127.0.0.1:5060",
            ";branch=z9hG4bKc;received=127.0.0.1",
        ),
        (
            "10.0.0.9:5070;received=6.6.6.6;branch=z9hG4bKd",
            6000,
            "127.0.0.1:5070",
            "5070;branch=z9hG4bKd;received=127.0.0.1",
        ),
        (
            "10.0.0.9;maddr=9.9.9.9;branch=z9hG4bKe;rport",
            6000,
            "127.0.0.1:6000",
            "rport=6000;received=127.0.0.1",
        ),
    ];
    for (via, port, expected, header) in cases {
        let mut endpoint = Endpoint::new(EndpointConfig::new(address(5060), [0; 32]));
        let text =
            request("OPTIONS", "sip:x@y", "b", "").replace("127.0.0.1:5099;branch=b;rport", via);
        endpoint.receive(
            now,
            &Flow::udp(address(5060), address(port)),
            text.as_bytes(),
        );
        let sent = endpoint.poll_transmit().unwrap();
        assert_eq!(
            sent.destination,
            Destination::Addr(expected.parse().unwrap()),
            "{via}"
        );
        let bytes = String::from_utf8(sent.bytes.to_vec()).unwrap();
        assert!(bytes.contains(header), "{via}: {bytes}");
    }
}

#[test]
fn a_front_peeks_and_answers_without_state() {
    let text = request("INVITE", "sip:x@y", "z9hG4bKpeek", "")
        .replace("Call-ID", "i")
        .replace("Via:", "v :");
    let seen = peek(text.as_bytes()).unwrap();
    assert!(seen.is_request);
    assert_eq!(
        (seen.method, seen.call_id),
        (&b"INVITE"[..], &b"z9hG4bKpeek"[..])
    );
    assert_eq!(
        (seen.branch, seen.from_tag, seen.to_tag),
        (Some(&b"z9hG4bKpeek"[..]), Some(&b"1"[..]), None)
    );
    let headers = [ExtraHeader::retry_after(9)];
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let (bytes, to) =
        stateless_response(text.as_bytes(), address(6001), status, "", &headers).unwrap();
    assert_eq!(to, address(6001));
    let again = stateless_response(text.as_bytes(), address(6001), status, "", &headers).unwrap();
    assert_eq!(bytes, again.0, "the tag must not change (RFC 3261 §8.2.7)");
    let response = peek(&bytes).unwrap();
    assert_eq!(
        (response.is_request, response.status, response.method),
        (false, Some(status), &b"INVITE"[..])
    );
    assert!(response.to_tag.is_some());
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(
        text.contains("\r\nRetry-After: 9\r\n") && text.contains(";rport=6001;received=127.0.0.1"),
        "{text}"
    );
    let ack = request("ACK", "sip:x@y", "z9hG4bKack", "");
    assert_eq!(
        stateless_response(ack.as_bytes(), address(1), status, "", &[]),
        None
    );
    assert_eq!(peek(b"\r\n\r\n"), None);
}
