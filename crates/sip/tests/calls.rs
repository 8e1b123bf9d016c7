//! Whole calls between two endpoints over a network that behaves.

mod network;

use std::time::Duration;

use bytes::Bytes;
use network::{Network, Trouble, address};
use skillcall_sip::endpoint::{CallError, CallHandle, EndedBy, Event, FailureCause};
use skillcall_sip::message::{ExtraHeader, StatusCode};

const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

fn sdp(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

fn network() -> Network {
    Network::new(2, Trouble::default(), 7)
}

fn incoming(network: &mut Network, peer: usize) -> (CallHandle, Option<Bytes>) {
    network.wait(peer, SHORT, |event| match event {
        Event::Invite { call, offer, .. } => Some((*call, offer.clone())),
        _ => None,
    })
}

fn answered(network: &mut Network, peer: usize) -> Option<Bytes> {
    network.wait(peer, SHORT, |event| match event {
        Event::Answered { sdp, .. } => Some(sdp.clone()),
        _ => None,
    })
}

fn ended(network: &mut Network, peer: usize) -> (EndedBy, Option<String>) {
    network.wait(peer, LONG, |event| match event {
        Event::Ended { by, reason, .. } => Some((*by, reason.clone())),
        _ => None,
    })
}

fn failed(network: &mut Network, peer: usize) -> (u16, FailureCause, String) {
    network.wait(peer, LONG, |event| match event {
        Event::Failed {
            status,
            cause,
            reason,
            ..
        } => Some((status.get(), *cause, reason.clone())),
        _ => None,
    })
}

fn acknowledged(network: &mut Network, peer: usize) -> Option<Bytes> {
    network.wait(peer, SHORT, |event| match event {
        Event::Acknowledged { sdp, .. } => Some(sdp.clone()),
        _ => None,
    })
}

/// A call that is up: its handle at the caller and at the callee.
fn established(network: &mut Network) -> (CallHandle, CallHandle) {
    let caller = network.call(0, 1, Some("v=0 offer"));
    let (callee, _) = incoming(network, 1);
    network.act(1, |endpoint, now| {
        endpoint
            .accept(now, callee, &[], sdp("v=0 answer"))
            .unwrap()
    });
    answered(network, 0);
    acknowledged(network, 1);
    (caller, callee)
}

#[test]
fn a_call_is_offered_rung_answered_and_ended_by_the_callee() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0 offer"));
    let (callee, offer) = incoming(&mut network, 1);
    assert_eq!(offer.as_deref(), Some(&b"v=0 offer"[..]));
    assert_eq!(
        network.peers[0].endpoint.call_id(caller),
        network.peers[1].endpoint.call_id(callee)
    );

    network.act(1, |endpoint, now| {
        endpoint
            .provisional(now, callee, StatusCode::RINGING, "", &[], None)
            .unwrap()
    });
    let status = network.wait(0, SHORT, |event| match event {
        Event::Provisional { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(status, StatusCode::RINGING);
    network.act(1, |endpoint, now| {
        endpoint
            .accept(now, callee, &[], sdp("v=0 answer"))
            .unwrap()
    });
    assert_eq!(
        answered(&mut network, 0).as_deref(),
        Some(&b"v=0 answer"[..])
    );
    assert_eq!(acknowledged(&mut network, 1), None);

    let reason = ExtraHeader::new("Reason", "Q.850;cause=16").unwrap();
    network.act(1, |endpoint, now| {
        endpoint.bye(now, callee, &[reason]).unwrap()
    });
    assert_eq!(
        ended(&mut network, 0),
        (EndedBy::Peer, Some("Q.850;cause=16".to_owned()))
    );
    assert_eq!(ended(&mut network, 1), (EndedBy::Local, None));
    for (peer, call) in [(0, caller), (1, callee)] {
        let again = network.act(peer, |endpoint, now| endpoint.bye(now, call, &[]));
        assert_eq!(again, Err(CallError::Gone));
    }
    assert_eq!(network.sent(0, "INVITE "), 1);
    assert_eq!(
        network.sent(1, "SIP/2.0 100"),
        0,
        "an answer within 200 ms needs no 100"
    );
    network.assert_empty();
}

#[test]
fn an_unanswered_invite_gets_100_after_200_ms_and_its_ringing_is_repeated_each_minute() {
    let mut network = network();
    network.call(0, 1, Some("v=0"));
    let (callee, _) = incoming(&mut network, 1);
    network.run(Duration::from_secs(10));
    assert_eq!(network.times(1, "SIP/2.0 100"), [201]);
    assert_eq!(
        network.sent(0, "INVITE "),
        1,
        "100 stops the retransmissions"
    );
    network.act(1, |endpoint, now| {
        endpoint
            .provisional(now, callee, StatusCode::RINGING, "", &[], None)
            .unwrap()
    });
    network.run(Duration::from_secs(130));
    assert_eq!(network.sent(1, "SIP/2.0 180"), 3);
    network.act(1, |endpoint, now| {
        endpoint
            .reject(now, callee, StatusCode::BUSY_HERE, "", &[])
            .unwrap()
    });
    assert_eq!(
        failed(&mut network, 0),
        (486, FailureCause::Refused, "Busy Here".to_owned())
    );
    network.assert_empty();
}

#[test]
fn an_invite_without_offer_is_offered_to_in_200_and_answered_in_ack() {
    let mut network = network();
    let caller = network.call(0, 1, None);
    let (callee, offer) = incoming(&mut network, 1);
    assert_eq!(offer, None);
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], sdp("v=0 offer")).unwrap()
    });
    assert_eq!(
        answered(&mut network, 0).as_deref(),
        Some(&b"v=0 offer"[..])
    );
    network.act(0, |endpoint, now| {
        endpoint
            .acknowledge(now, caller, Bytes::from_static(b"v=0 answer"))
            .unwrap()
    });
    assert_eq!(
        acknowledged(&mut network, 1).as_deref(),
        Some(&b"v=0 answer"[..])
    );
    network.act(0, |endpoint, now| endpoint.bye(now, caller, &[]).unwrap());
    assert_eq!(ended(&mut network, 1).0, EndedBy::Peer);
    network.assert_empty();
}

#[test]
fn a_ringing_call_is_cancelled() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0"));
    let (callee, _) = incoming(&mut network, 1);
    // No provisional response yet: the CANCEL has to wait (RFC 3261 §9.1).
    network.act(0, |endpoint, now| {
        endpoint.cancel(now, caller, &[]).unwrap()
    });
    assert_eq!(network.sent(0, "CANCEL "), 0);
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Cancelled { call, .. } if *call == callee).then_some(())
    });
    assert_eq!(network.sent(0, "CANCEL "), 1);
    assert_eq!(network.sent(1, "SIP/2.0 100"), 1);
    let (status, cause, _) = failed(&mut network, 0);
    assert_eq!((status, cause), (487, FailureCause::Cancelled));
    let late = network.act(1, |endpoint, now| endpoint.accept(now, callee, &[], None));
    assert_eq!(late, Err(CallError::Gone));
    network.assert_empty();
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0"));
    let (callee, _) = incoming(&mut network, 1);
    network.act(1, |endpoint, now| {
        endpoint
            .provisional(now, callee, StatusCode::RINGING, "", &[], None)
            .unwrap()
    });
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Provisional { .. }).then_some(())
    });
    network.act(0, |endpoint, now| {
        endpoint.cancel(now, caller, &[]).unwrap()
    });
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], sdp("v=0")).unwrap()
    });
    let (status, cause, _) = failed(&mut network, 0);
    assert_eq!((status, cause), (487, FailureCause::Cancelled));
    assert_eq!(ended(&mut network, 1).0, EndedBy::Peer);
    assert_eq!((network.sent(0, "ACK "), network.sent(0, "BYE ")), (1, 1));
    network.assert_empty();
}

#[test]
fn an_answer_nobody_acknowledges_is_repeated_for_64_t1_and_then_ended() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0"));
    let (callee, _) = incoming(&mut network, 1);
    let first = network.now.duration_since(network.start).as_millis();
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], sdp("v=0")).unwrap()
    });
    network.trouble.loss = 100;
    network.wait(1, LONG, |event| {
        matches!(event, Event::AckTimeout { .. }).then_some(())
    });
    assert_eq!(ended(&mut network, 1).0, EndedBy::AckTimeout);
    let times: Vec<u128> = network
        .times(1, "SIP/2.0 200")
        .iter()
        .map(|at| at - first)
        .collect();
    assert_eq!(
        times,
        [
            0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
        ]
    );
    assert!(network.sent(1, "BYE ") > 1, "the BYE is retransmitted");
    // The caller heard nothing of it; its own BYE is answered 481 and ends its side.
    network.trouble.loss = 0;
    network.act(0, |endpoint, now| endpoint.bye(now, caller, &[]).unwrap());
    assert_eq!(ended(&mut network, 0).0, EndedBy::Local);
    network.assert_empty();
}

#[test]
fn a_bye_before_the_ack_waits_for_it() {
    let mut network = network();
    network.call(0, 1, Some("v=0"));
    let (callee, _) = incoming(&mut network, 1);
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], sdp("v=0")).unwrap();
        endpoint.bye(now, callee, &[]).unwrap();
    });
    assert_eq!(
        network.sent(1, "BYE "),
        0,
        "RFC 3261 §15: not before the ACK"
    );
    assert_eq!(ended(&mut network, 0).0, EndedBy::Peer);
    assert_eq!(ended(&mut network, 1).0, EndedBy::Local);
    network.assert_empty();
}

#[test]
fn a_refusal_carries_its_reason_and_headers() {
    let mut network = network();
    network.call(0, 1, Some("v=0"));
    let (callee, _) = incoming(&mut network, 1);
    let headers = [ExtraHeader::retry_after(30)];
    network.act(1, |endpoint, now| {
        endpoint
            .reject(
                now,
                callee,
                StatusCode::SERVICE_UNAVAILABLE,
                "Handler Down",
                &headers,
            )
            .unwrap();
    });
    let (retry, reason) = network.wait(0, SHORT, |event| match event {
        Event::Failed {
            response: Some(response),
            reason,
            ..
        } => Some((
            response.headers().retry_after().map(|after| after.seconds),
            reason.clone(),
        )),
        _ => None,
    });
    assert_eq!((retry, &*reason), (Some(30), "Handler Down"));
    network.assert_empty();
}

#[test]
fn an_invite_to_nobody_fails_after_64_t1() {
    let mut network = network();
    network.trouble.loss = 100;
    network.call(0, 1, Some("v=0"));
    assert_eq!(failed(&mut network, 0).0, 408);
    assert_eq!(
        network.times(0, "INVITE "),
        [0, 500, 1500, 3500, 7500, 15500, 31500]
    );
    assert_eq!(
        network.now.duration_since(network.start),
        Duration::from_secs(32)
    );
    network.assert_empty();
}

#[test]
fn a_transport_error_fails_the_call_at_once() {
    use skillcall_sip::endpoint::{Endpoint, EndpointConfig, OutgoingInvite, Party};
    use skillcall_sip::message::Uri;
    let now = std::time::Instant::now();
    let mut endpoint = Endpoint::new(EndpointConfig::new(address(5060), [0; 32]));
    let uri = Uri::parse("sip:desk@127.0.0.1:9").unwrap();
    let invite = OutgoingInvite::new(uri.clone(), address(9), Party::new(uri), None);
    endpoint.invite(now, invite).unwrap();
    let sent = endpoint.poll_transmit().unwrap();
    endpoint.transmit_failed(now, sent.id.unwrap());
    let Some(Event::Failed { status, cause, .. }) = endpoint.poll_event() else {
        panic!("no failure")
    };
    assert_eq!((status.get(), cause), (503, FailureCause::Transport));
    assert_eq!(endpoint.counts().client_transactions, 0);
}

#[test]
fn both_ends_hanging_up_at_once_end_the_call_once() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    network.act(0, |endpoint, now| endpoint.bye(now, caller, &[]).unwrap());
    network.act(1, |endpoint, now| endpoint.bye(now, callee, &[]).unwrap());
    network.run(LONG);
    for peer in &network.peers {
        let ends = peer
            .events
            .iter()
            .filter(|event| matches!(event, Event::Ended { .. }))
            .count();
        assert_eq!(ends, 1, "{:?}", peer.events);
    }
    network.assert_empty();
}

/// A request of the caller inside the call, as no command of the endpoint makes it.
fn request_of_caller(
    network: &Network,
    method: &str,
    cseq: u32,
    extra: &str,
    body: &str,
) -> String {
    let sent = &network.peers[0].sent;
    let ack = sent
        .iter()
        .find(|(_, bytes)| bytes.starts_with(b"ACK "))
        .map(|(_, bytes)| bytes.clone())
        .unwrap();
    let ack = String::from_utf8(ack.to_vec()).unwrap();
    let line = |name: &str| {
        ack.lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    let uri = ack.split(' ').nth(1).unwrap();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKtest{method}{cseq}\r\n\
         Max-Forwards: 70\r\n{}\r\n{}\r\n{}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        line("From: "),
        line("To: "),
        line("Call-ID: "),
        body.len()
    )
}

fn last_sent(network: &Network, peer: usize) -> String {
    String::from_utf8(network.peers[peer].sent.last().unwrap().1.to_vec()).unwrap()
}

#[test]
fn requests_inside_a_call_are_answered_by_the_book() {
    let mut network = network();
    established(&mut network);
    let cases = [
        ("OPTIONS", "", "200"),
        ("INFO", "", "200"),
        ("INFO", "Info-Package: foo\r\n", "469"),
        ("UPDATE", "", "405"),
        ("REFER", "", "405"),
        ("PRACK", "", "405"),
        ("MESSAGE", "", "405"),
        ("NOTIFY", "", "405"),
        ("JUGGLE", "", "501"),
        ("OPTIONS", "Require: 100rel, nothing\r\n", "420"),
        ("INVITE", "Content-Type: text/plain\r\n", "415"),
    ];
    for (i, (method, extra, status)) in cases.into_iter().enumerate() {
        let body = if status == "415" { "hello" } else { "" };
        let request = request_of_caller(&network, method, 10 + i as u32, extra, body);
        network.inject(address(5060), 1, request.as_bytes());
        let response = last_sent(&network, 1);
        assert!(
            response.starts_with(&format!("SIP/2.0 {status} ")),
            "{method}: {response}"
        );
        match status {
            "405" | "501" => assert!(
                response.contains("\r\nAllow: INVITE, ACK, BYE"),
                "{response}"
            ),
            "420" => assert!(
                response.contains("\r\nUnsupported: 100rel, nothing\r\n"),
                "{response}"
            ),
            "415" => assert!(
                response.contains("\r\nAccept: application/sdp"),
                "{response}"
            ),
            _ => {}
        }
    }
    let infos = network.peers[1]
        .events
        .iter()
        .filter(|event| matches!(event, Event::Info { .. }))
        .count();
    assert_eq!(infos, 1);
    // Older than the last: out of order (RFC 3261 §12.2.2).
    let request = request_of_caller(&network, "OPTIONS", 5, "", "");
    network.inject(address(5060), 1, request.as_bytes());
    assert!(last_sent(&network, 1).starts_with("SIP/2.0 500 "));
    // Of a call that never was.
    let stray = request_of_caller(&network, "BYE", 50, "", "").replace("Call-ID: ", "Call-ID: x");
    network.inject(address(5060), 1, stray.as_bytes());
    assert!(last_sent(&network, 1).starts_with("SIP/2.0 481 "));
    assert_eq!(network.peers[1].endpoint.counts().calls, 1);
}

#[test]
fn the_session_is_changed_by_reinvite_and_the_target_with_it() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    let contact = "Contact: <sip:elsewhere@127.0.0.1:5077>\r\nContent-Type: application/sdp\r\n";
    let reinvite = request_of_caller(&network, "INVITE", 2, contact, "v=0 hold");
    network.inject(address(5060), 1, reinvite.as_bytes());
    let offer = network.wait(1, SHORT, |event| match event {
        Event::Reinvite { offer, .. } => Some(offer.clone()),
        _ => None,
    });
    assert_eq!(offer.as_deref(), Some(&b"v=0 hold"[..]));
    // A second one before the first is answered.
    let second = request_of_caller(&network, "INVITE", 3, contact, "v=0 hold");
    network.inject(address(5060), 1, second.as_bytes());
    let refused = last_sent(&network, 1);
    assert!(
        refused.starts_with("SIP/2.0 500 ") && refused.contains("\r\nRetry-After: "),
        "{refused}"
    );

    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], sdp("v=0 held")).unwrap()
    });
    let ack = request_of_caller(&network, "ACK", 2, "", "").replace("testACK2", "testACKx");
    network.inject(address(5060), 1, ack.as_bytes());
    acknowledged(&mut network, 1);
    // Refused: the call goes on.
    let third = request_of_caller(&network, "INVITE", 4, contact, "v=0 worse");
    network.inject(address(5060), 1, third.as_bytes());
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Reinvite { .. }).then_some(())
    });
    network.act(1, |endpoint, now| {
        endpoint
            .reject(now, callee, StatusCode::NOT_ACCEPTABLE_HERE, "", &[])
            .unwrap();
    });
    assert!(last_sent(&network, 1).starts_with("SIP/2.0 488 "));
    network.act(1, |endpoint, now| endpoint.bye(now, callee, &[]).unwrap());
    assert!(last_sent(&network, 1).starts_with("BYE sip:elsewhere@127.0.0.1:5077 SIP/2.0\r\n"));
    network.act(0, |endpoint, now| endpoint.bye(now, caller, &[]).unwrap());
    network.assert_empty();
}

#[test]
fn a_reinvite_is_cancelled_and_the_call_goes_on() {
    let mut network = network();
    let (_, callee) = established(&mut network);
    let reinvite = request_of_caller(&network, "INVITE", 2, "", "");
    network.inject(address(5060), 1, reinvite.as_bytes());
    let cancel =
        request_of_caller(&network, "CANCEL", 2, "", "").replace("testCANCEL2", "testINVITE2");
    network.inject(address(5060), 1, cancel.as_bytes());
    network.wait(1, SHORT, |event| {
        matches!(event, Event::ReinviteCancelled { .. }).then_some(())
    });
    assert!(last_sent(&network, 1).starts_with("SIP/2.0 487 "));
    network.act(1, |endpoint, now| endpoint.bye(now, callee, &[]).unwrap());
    assert_eq!(ended(&mut network, 0).0, EndedBy::Peer);
    network.assert_empty();
}
