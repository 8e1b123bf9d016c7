//! Reliable provisional responses (RFC 3262) on both sides.

mod network;
mod trunk_support;

use std::time::Duration;

use network::{Network, Trouble};
use skillcall_sip::endpoint::{CallError, CallHandle, Event, OwnReply};
use skillcall_sip::message::{ExtraHeader, HeaderName, StatusCode};
use trunk_support::*;

fn ring(network: &mut Network, call: CallHandle, status: StatusCode, text: Option<&str>) {
    network.act(1, |endpoint, now| {
        endpoint
            .provisional_reliable(now, call, status, "", &[], text.and_then(sdp))
            .unwrap()
    });
}

fn pracked(network: &mut Network) -> Option<bytes::Bytes> {
    network.wait(1, SHORT, |event| match event {
        Event::Pracked { sdp, .. } => Some(sdp.clone()),
        _ => None,
    })
}

fn provisional(network: &mut Network) -> (u16, Option<bytes::Bytes>, Vec<u8>) {
    network.wait(0, SHORT, |event| match event {
        Event::Provisional {
            status,
            sdp,
            response,
            ..
        } => Some((
            status.get(),
            sdp.clone(),
            response.headers().to_tag().unwrap().to_vec(),
        )),
        _ => None,
    })
}

#[test]
fn responses_are_acknowledged_one_after_the_other_and_the_200_waits_for_the_last() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0 offer"));
    let callee = incoming(&mut network, 1);
    // All at once: the second waits for the first's PRACK, the 200 for both.
    ring(
        &mut network,
        callee,
        StatusCode::SESSION_PROGRESS,
        Some("early"),
    );
    ring(&mut network, callee, StatusCode::RINGING, None);
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], None).unwrap()
    });
    assert_eq!(network.sent(1, "SIP/2.0 1"), 1);
    assert_eq!(network.sent(1, "SIP/2.0 200"), 0);
    let (status, sdp, _) = provisional(&mut network);
    assert_eq!((status, text(sdp.as_ref())), (183, "v=0 early".into()));
    assert_eq!(pracked(&mut network), None);
    assert_eq!(provisional(&mut network).0, 180);
    assert_eq!(pracked(&mut network), None);
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Answered { .. }).then_some(())
    });
    let rings: Vec<_> = responses(&network, 1, "INVITE")
        .iter()
        .filter(|response| response.status().is_provisional())
        .map(|response| {
            let header = |name| {
                let value = response.headers().get(name).unwrap();
                String::from_utf8(value.to_vec()).unwrap()
            };
            (
                header(HeaderName::Require),
                header(HeaderName::RSeq).parse::<u32>().unwrap(),
            )
        })
        .collect();
    assert_eq!(rings.len(), 2);
    assert_eq!(rings[0].1 + 1, rings[1].1);
    assert_eq!(rings[0].0, "100rel");
    let pracks = requests(&network, 0, "PRACK");
    let rack = |at: usize| pracks[at].headers().get(HeaderName::RAck).unwrap().to_vec();
    assert_eq!(rack(0), format!("{} 1 INVITE", rings[0].1).into_bytes());
    assert_eq!(rack(1), format!("{} 1 INVITE", rings[1].1).into_bytes());
    // CSeq: INVITE 1, PRACK 2 and 3, ACK 1, BYE 4.
    assert_eq!(requests(&network, 0, "ACK")[0].headers().cseq().number, 1);
    finish(&mut network, caller);
    assert_eq!(requests(&network, 0, "BYE")[0].headers().cseq().number, 4);
}

#[test]
fn an_unacknowledged_response_is_repeated_doubling_and_refuses_the_call_in_the_end() {
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| able(config));
    let invite = "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 7 INVITE\r\nContact: <sip:a@127.0.0.1:5099>\r\nRequire: 100rel\r\n\
        Content-Length: 0\r\n\r\n";
    network.inject(network::address(5099), 0, invite.as_bytes());
    let call = network.wait(0, SHORT, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    });
    // The caller insists, so the plain way is the reliable one.
    network.act(0, |endpoint, now| {
        endpoint
            .provisional(now, call, StatusCode::RINGING, "", &[], None)
            .unwrap()
    });
    let cancelled = network.wait(0, Duration::from_secs(40), |event| match event {
        Event::Cancelled { call, .. } => Some(*call),
        _ => None,
    });
    assert_eq!(cancelled, call);
    assert_eq!(
        network.times(0, "SIP/2.0 180"),
        [0, 500, 1500, 3500, 7500, 15_500, 31_500]
    );
    assert!(network.sent(0, "SIP/2.0 504 No PRACK Came") > 0);
    network.assert_empty();
}

#[test]
fn pracks_that_match_nothing_get_481() {
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| able(config));
    let from = network::address(5099);
    let request = |method: &str, cseq: u32, tag: &str, lines: &str| {
        format!(
            "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{method}{cseq};rport\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{tag}\r\nCall-ID: 1\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:a@127.0.0.1:5099>\r\n{lines}Content-Length: 0\r\n\r\n"
        )
    };
    let invite = request("INVITE", 7, "", "Supported: 100rel\r\n");
    network.inject(from, 0, invite.as_bytes());
    let call = network.wait(0, SHORT, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    });
    network.act(0, |endpoint, now| {
        endpoint
            .provisional_reliable(now, call, StatusCode::RINGING, "", &[], None)
            .unwrap()
    });
    let ringing = responses(&network, 0, "INVITE").pop().unwrap();
    let tag = String::from_utf8(ringing.headers().to_tag().unwrap().to_vec()).unwrap();
    let tag = format!(";tag={tag}");
    let rseq: u32 = String::from_utf8(ringing.headers().get(HeaderName::RSeq).unwrap().to_vec())
        .unwrap()
        .parse()
        .unwrap();
    let rack = |rack: String| format!("RAck: {rack}\r\n");
    let cases = [
        (8, tag.as_str(), rack(format!("{} 7 INVITE", rseq + 1)), 481),
        (9, &tag, rack(format!("{rseq} 6 INVITE")), 481),
        (10, &tag, rack(format!("{rseq} 7 UPDATE")), 481),
        (11, &tag, rack("x".to_owned()), 400),
        (12, &tag, String::new(), 400),
        (13, ";tag=guessed", rack(format!("{rseq} 7 INVITE")), 481),
        (14, "", rack(format!("{rseq} 7 INVITE")), 481),
        (15, &tag, rack(format!("{rseq} 7 INVITE")), 200),
        (16, &tag, rack(format!("{rseq} 7 INVITE")), 481),
    ];
    for (cseq, tag, line, status) in cases {
        let prack = request("PRACK", cseq, tag, &line);
        network.inject(from, 0, prack.as_bytes());
        let answer = responses(&network, 0, "PRACK").pop().unwrap();
        assert_eq!(answer.status().get(), status, "{line}");
    }
    // A peer without 100rel gets none: neither by our doing nor in what it sends.
    let none = request("INVITE", 7, "", "")
        .replace("Call-ID: 1", "Call-ID: 2")
        .replace("INVITE7", "other");
    network.inject(from, 0, none.as_bytes());
    let plain = network.wait(0, SHORT, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    });
    let refused = network.act(0, |endpoint, now| {
        endpoint.provisional_reliable(now, plain, StatusCode::RINGING, "", &[], None)
    });
    assert!(matches!(refused, Err(CallError::State { .. })));
    for call in [call, plain] {
        network.act(0, |endpoint, now| {
            endpoint
                .reject(now, call, StatusCode::GONE, "", &[])
                .unwrap()
        });
    }
    network.assert_empty();
}

#[test]
fn an_invite_without_offer_is_offered_to_in_the_183_and_answered_in_the_prack() {
    let mut network = network();
    let caller = network.call(0, 1, None);
    let callee = incoming(&mut network, 1);
    ring(
        &mut network,
        callee,
        StatusCode::SESSION_PROGRESS,
        Some("offer"),
    );
    let (_, offer, tag) = provisional(&mut network);
    assert_eq!(text(offer.as_ref()), "v=0 offer");
    assert_eq!(network.sent(0, "PRACK"), 0, "the PRACK waits for the user");
    network.act(0, |endpoint, now| {
        endpoint
            .prack(now, caller, &tag, sdp("answer").unwrap())
            .unwrap();
        let again = endpoint.prack(now, caller, &tag, sdp("answer").unwrap());
        assert!(matches!(again, Err(CallError::State { .. })));
    });
    assert_eq!(text(pracked(&mut network).as_ref()), "v=0 answer");
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], None).unwrap()
    });
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Answered { .. }).then_some(())
    });
    network.act(0, |endpoint, now| {
        endpoint
            .acknowledge(now, caller, bytes::Bytes::new())
            .unwrap()
    });
    network.run(Duration::from_secs(1));
    finish(&mut network, caller);
}

#[test]
fn an_offer_in_a_prack_is_answered_by_its_user() {
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| able(config));
    let from = network::address(5099);
    let body = "v=0 first";
    let invite = format!(
        "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:5099>\r\nSupported: 100rel\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    network.inject(from, 0, invite.as_bytes());
    let call = network.wait(0, SHORT, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    });
    network.act(0, |endpoint, now| {
        endpoint
            .provisional_reliable(now, call, StatusCode::SESSION_PROGRESS, "", &[], sdp("a"))
            .unwrap()
    });
    let response = responses(&network, 0, "INVITE").pop().unwrap();
    let value = |name| String::from_utf8(response.headers().get(name).unwrap().to_vec()).unwrap();
    let prack = format!(
        "PRACK sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK2;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: {}\r\nCall-ID: 1\r\nCSeq: 2 PRACK\r\nRAck: {} 1 INVITE\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        value(HeaderName::To),
        value(HeaderName::RSeq),
        body.len()
    );
    network.inject(from, 0, prack.as_bytes());
    let (id, offer) = network.wait(0, SHORT, |event| match event {
        Event::Pracked {
            answer_with, sdp, ..
        } => Some((answer_with.unwrap(), sdp.clone())),
        _ => None,
    });
    assert_eq!(text(offer.as_ref()), "v=0 first");
    assert_eq!(responses(&network, 0, "PRACK").len(), 0);
    network.act(0, |endpoint, now| {
        let mut reply = OwnReply::from(StatusCode::OK);
        reply.body = Some(("application/sdp".into(), sdp("second").unwrap()));
        endpoint.respond(now, id, &reply).unwrap();
    });
    let answer = responses(&network, 0, "PRACK").pop().unwrap();
    assert_eq!(
        (answer.status().get(), answer.body()),
        (200, &b"v=0 second"[..])
    );
    let busy = [ExtraHeader::new("Reason", "Q.850;cause=17").unwrap()];
    network.act(0, |endpoint, now| {
        endpoint
            .reject(now, call, StatusCode::BUSY_HERE, "", &busy)
            .unwrap()
    });
    network.assert_empty();
}

#[test]
fn a_minute_of_ringing_is_told_by_a_new_reliable_response() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0"));
    let callee = incoming(&mut network, 1);
    ring(&mut network, callee, StatusCode::RINGING, None);
    network.run(Duration::from_secs(125));
    let rings = responses(&network, 1, "INVITE");
    let rings = rings
        .iter()
        .filter(|response| response.status() == StatusCode::RINGING)
        .count();
    assert_eq!((rings, network.sent(0, "PRACK")), (3, 3));
    network.act(0, |endpoint, now| {
        endpoint.cancel(now, caller, &[]).unwrap()
    });
    network.assert_empty();
}
