//! Transfers: REFER with its NOTIFYs, and Replaces (RFC 3515, RFC 4488, RFC 3891).

mod network;
mod trunk_support;

use network::{Network, Trouble};
use skillcall_sip::endpoint::{
    CallHandle, Event, OutgoingInvite, Party, Referral, RequestId, refer_to_replacing, replaces_of,
};
use skillcall_sip::message::{ExtraHeader, HeaderName, Replaces, SipFrag, StatusCode, Uri, UriRef};
use trunk_support::*;

fn referred(network: &mut Network, peer: usize) -> (RequestId, Referral) {
    network.wait(peer, SHORT, |event| match event {
        Event::Refer { id, referral, .. } => Some((*id, (**referral).clone())),
        _ => None,
    })
}

fn progress(network: &mut Network, peer: usize) -> (u16, bool) {
    network.wait(peer, SHORT, |event| match event {
        Event::ReferProgress { status, over, .. } => Some((status.get(), *over)),
        _ => None,
    })
}

fn status(network: &mut Network, peer: usize) -> u16 {
    network.wait(peer, SHORT, |event| match event {
        Event::Response { status, .. } => Some(status.get()),
        _ => None,
    })
}

#[test]
fn a_blind_transfer_is_taken_up_and_told_about() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    let by = ExtraHeader::new("Referred-By", "<sip:desk@example.com>").unwrap();
    network.act(0, |endpoint, now| {
        let to = "\"Bar\" <sip:bar@example.com;x=y>";
        endpoint.refer(now, caller, to, true, &[by]).unwrap()
    });
    let (id, referral) = referred(&mut network, 1);
    assert_eq!(referral.target.as_str(), "sip:bar@example.com;x=y");
    assert_eq!(
        referral.referred_by.as_deref(),
        Some("<sip:desk@example.com>")
    );
    assert!(referral.subscribed && referral.replaces.is_none());
    network.act(1, |endpoint, now| {
        endpoint
            .answer_refer(now, id, StatusCode::ACCEPTED)
            .unwrap()
    });
    assert_eq!(status(&mut network, 0), 202);
    assert_eq!(progress(&mut network, 0), (100, false));
    for (code, over) in [(180, false), (486, true)] {
        network.act(1, |endpoint, now| {
            let status = StatusCode::new(code).unwrap();
            endpoint
                .refer_progress(now, callee, &referral, status, "")
                .unwrap()
        });
        assert_eq!(progress(&mut network, 0), (code, over));
    }
    let notify = requests(&network, 1, "NOTIFY").pop().unwrap();
    let header = |name| String::from_utf8(notify.headers().get(name).unwrap().to_vec()).unwrap();
    let cseq = requests(&network, 0, "REFER")[0].headers().cseq().number;
    assert_eq!(header(HeaderName::Event), format!("refer;id={cseq}"));
    assert_eq!(
        header(HeaderName::SubscriptionState),
        "terminated;reason=noresource"
    );
    assert_eq!(notify.body(), b"SIP/2.0 486 Busy Here\r\n");
    // What the user does not wait for is not told.
    network.run(std::time::Duration::from_secs(2));
    assert!(
        !network.peers[1]
            .events
            .iter()
            .any(|event| matches!(event, Event::Response { .. }))
    );
    finish(&mut network, caller);
}

#[test]
fn no_notify_is_sent_where_none_is_wanted_and_none_believed_where_none_was_asked_for() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    network.act(0, |endpoint, now| {
        endpoint
            .refer(now, caller, "<sip:bar@example.com>", false, &[])
            .unwrap()
    });
    let (id, referral) = referred(&mut network, 1);
    assert!(!referral.subscribed);
    network.act(1, |endpoint, now| {
        endpoint.answer_refer(now, id, StatusCode::OK).unwrap();
        endpoint
            .refer_progress(now, callee, &referral, StatusCode::OK, "")
            .unwrap();
    });
    assert_eq!(status(&mut network, 0), 200);
    let ok = responses(&network, 1, "REFER").pop().unwrap();
    assert_eq!(ok.headers().get(HeaderName::ReferSub), Some(&b"false"[..]));
    assert_eq!(network.sent(1, "NOTIFY"), 0);
    // The callee makes one up all the same: it is the application's, not a transfer's.
    network.act(1, |endpoint, now| {
        let event = ExtraHeader::new("Event", "refer").unwrap();
        let body = Some((
            "message/sipfrag",
            bytes::Bytes::from_static(b"SIP/2.0 200 OK\r\n"),
        ));
        endpoint
            .request_in_call(
                now,
                callee,
                skillcall_sip::message::Method::Notify,
                &[event],
                body,
            )
            .unwrap()
    });
    let id = network.wait(0, SHORT, |event| match event {
        Event::Request { id, .. } => Some(*id),
        _ => None,
    });
    network.act(0, |endpoint, now| {
        let status = StatusCode::CALL_DOES_NOT_EXIST;
        endpoint.respond(now, id, &status.into()).unwrap()
    });
    assert_eq!(status(&mut network, 1), 481);
    finish(&mut network, caller);
}

#[test]
fn what_cannot_be_dialled_is_refused_before_anybody_is_asked() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    for (refer_to, expected) in [
        ("", 400),
        ("Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>", 400),
        ("Refer-To: <sip:a@b>, <sip:c@d>", 400),
        ("Refer-To: <nonsense>", 400),
        ("Refer-To: <http://example.com>", 416),
        ("Refer-To: <sip:a@b;method=BYE>", 400),
        ("Refer-To: <sip:a@b?Replaces=1>", 400),
    ] {
        let request = {
            let dialog = requests(&network, 0, "ACK").pop().unwrap();
            let wire = String::from_utf8(dialog.wire().to_vec()).unwrap();
            let number = network.peers[1].sent.len();
            let via = wire.lines().find(|line| line.starts_with("Via: ")).unwrap();
            let other = format!("Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK{number}");
            let wire = wire
                .replace(via, &other)
                .replace("ACK ", "REFER ")
                .replace("1 ACK", "1 REFER")
                .replace("CSeq: 1 REFER", &format!("CSeq: {} REFER", 100 + number));
            if refer_to.is_empty() {
                wire
            } else {
                wire.replace("Content-Length", &format!("{refer_to}\r\nContent-Length"))
            }
        };
        let wire = request.replace("ACK", "REFER");
        let from = network.peers[0].address;
        network.inject(from, 1, wire.as_bytes());
        let answer = responses(&network, 1, "REFER").pop().unwrap();
        assert_eq!(answer.status().get(), expected, "{refer_to}");
    }
    assert!(
        !network.peers[1]
            .events
            .iter()
            .any(|event| matches!(event, Event::Refer { .. }))
    );
    let _ = callee;
    network.run(std::time::Duration::from_secs(40));
    // The numbers of the forged requests were higher than the caller's own: its BYE is refused, and it is over anyway.
    network.act(0, |endpoint, now| endpoint.bye(now, caller, &[]).unwrap());
    network.act(1, |endpoint, now| endpoint.bye(now, callee, &[]).unwrap());
    network.assert_empty();
}

/// An attended transfer between three: 0 talks to 1 and to 2, and joins those.
#[test]
fn an_attended_transfer_replaces_the_right_call() {
    let mut network = Network::with(3, Trouble::default(), 11, |_, config| able(config));
    let up = |network: &mut Network, to: usize| -> (CallHandle, CallHandle) {
        let ours = network.call(0, to, Some("v=0"));
        let theirs = incoming(network, to);
        network.act(to, |endpoint, now| {
            endpoint.accept(now, theirs, &[], sdp("x")).unwrap()
        });
        network.wait(0, SHORT, |event| {
            matches!(event, Event::Answered { .. }).then_some(())
        });
        network.wait(to, SHORT, |event| {
            matches!(event, Event::Acknowledged { .. }).then_some(())
        });
        (ours, theirs)
    };
    let (to_one, at_one) = up(&mut network, 1);
    let (to_two, at_two) = up(&mut network, 2);
    let replaces = network.peers[0].endpoint.replaces(to_two).unwrap();
    let two = format!("sip:desk@{}", network.peers[2].address);
    let refer_to = refer_to_replacing(&UriRef::parse(two.as_bytes()).unwrap(), &replaces);
    network.act(0, |endpoint, now| {
        endpoint.refer(now, to_one, &refer_to, true, &[]).unwrap()
    });
    let (id, referral) = referred(&mut network, 1);
    assert_eq!(referral.target.as_str(), two);
    let wanted = referral.replaces.clone().unwrap();
    assert_eq!(wanted, replaces);
    network.act(1, |endpoint, now| {
        endpoint
            .answer_refer(now, id, StatusCode::ACCEPTED)
            .unwrap();
        let us = Party::new(Uri::parse("sip:one@example.com").unwrap());
        let to = network::address(5062);
        let mut invite = OutgoingInvite::new(referral.target.clone(), to, us, sdp("new"));
        let header = ExtraHeader::new("Replaces", wanted.to_string()).unwrap();
        invite.headers.push(header);
        endpoint.invite(now, invite).unwrap();
    });
    let (new, request) = network.wait(2, SHORT, |event| match event {
        Event::Invite { call, request, .. } => Some((*call, request.clone())),
        _ => None,
    });
    let named = replaces_of(&request).unwrap().unwrap();
    let old = network.peers[2].endpoint.replaced(&named).unwrap();
    assert_eq!(old, at_two);
    network.act(2, |endpoint, now| {
        endpoint.accept(now, new, &[], sdp("joined")).unwrap();
        endpoint.bye(now, old, &[]).unwrap();
    });
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Answered { .. }).then_some(())
    });
    network.act(1, |endpoint, now| {
        endpoint
            .refer_progress(now, at_one, &referral, StatusCode::OK, "")
            .unwrap()
    });
    assert_eq!(progress(&mut network, 0), (100, false));
    assert_eq!(progress(&mut network, 0), (200, true));
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Ended { .. }).then_some(())
    });
    // Over: 603. Guessed, or of another dialog: 481. Answered although only an early one was meant: 486.
    let table =
        |replaces: &Replaces, network: &Network| network.peers[2].endpoint.replaced(replaces);
    let joined = network.peers[2].endpoint.replaces(new).unwrap();
    let seen = Replaces {
        to_tag: joined.from_tag.clone(),
        from_tag: joined.to_tag.clone(),
        ..joined
    };
    assert_eq!(table(&seen, &network), Ok(new));
    let early = Replaces {
        early_only: true,
        ..seen.clone()
    };
    assert_eq!(table(&early, &network), Err(StatusCode::BUSY_HERE));
    for wrong in [
        Replaces {
            call_id: "x".into(),
            ..seen.clone()
        },
        Replaces {
            from_tag: "x".into(),
            ..seen.clone()
        },
        Replaces {
            to_tag: "x".into(),
            ..seen.clone()
        },
    ] {
        assert_eq!(
            table(&wrong, &network),
            Err(StatusCode::CALL_DOES_NOT_EXIST)
        );
    }
    network.act(2, |endpoint, now| endpoint.bye(now, new, &[]).unwrap());
    assert_eq!(
        network.peers[2].endpoint.replaced(&seen),
        Err(StatusCode::DECLINE)
    );
    network.act(0, |endpoint, now| endpoint.bye(now, to_one, &[]).unwrap());
    network.assert_empty();
}

#[test]
fn replaces_and_fragments_are_read_and_written() {
    let read = |value: &str| Replaces::parse(value.as_bytes());
    let found = read("425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only").unwrap();
    assert_eq!(
        found.to_string(),
        "425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only"
    );
    assert_eq!(read(&found.to_string()), Ok(found.clone()));
    let uri = format!("sip:a@b?Replaces={}&X=y", found.in_uri());
    let uri = UriRef::parse(uri.as_bytes()).unwrap();
    let (_, value) = uri.headers().next().unwrap();
    assert_eq!(read(&value), Ok(found));
    for wrong in [
        "",
        ";to-tag=1;from-tag=2",
        "a;to-tag=1",
        "a;from-tag=1",
        "a b;to-tag=1;from-tag=2",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let frag =
        |body: &str| SipFrag::parse(body.as_bytes()).map(|frag| (frag.status.get(), frag.reason));
    assert_eq!(frag("SIP/2.0 200 OK"), Ok((200, "OK".into())));
    assert_eq!(
        frag("SIP/2.0 503\r\nRetry-After: 1\r\n"),
        Ok((503, String::new()))
    );
    assert_eq!(frag("sip/2.0 180 Ringing\nx"), Ok((180, "Ringing".into())));
    for wrong in [
        "",
        "HTTP/1.1 200 OK",
        "SIP/2.0 2000 OK",
        "SIP/2.0 99 x",
        "SIP/2.0 é",
    ] {
        assert!(frag(wrong).is_err(), "{wrong}");
    }
}
