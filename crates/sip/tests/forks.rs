//! An INVITE that a proxy forks (RFC 3261 §13.2.2.4, §16.7), with reliable responses, and redirections.

mod network;
mod trunk_support;

use std::time::Duration;

use network::{Network, Trouble, address};
use skillcall_sip::endpoint::{CallHandle, Event, FailureCause, OwnReply};
use skillcall_sip::message::{HeaderName, Method, Request, StatusCode};
use trunk_support::*;

/// A response to an INVITE of peer 0, from the fork called `tag`.
fn response(invite: &Request, status: &str, tag: &str, lines: &str) -> String {
    let line = |name| String::from_utf8(invite.headers().get(name).unwrap().to_vec()).unwrap();
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:{tag}@127.0.0.1:5099>\r\n{lines}Content-Length: 0\r\n\r\n",
        line(HeaderName::Via),
        line(HeaderName::From),
        line(HeaderName::To),
        line(HeaderName::CallId),
        line(HeaderName::CSeq),
    )
}

fn calling() -> (Network, CallHandle, Request) {
    // Nobody answers at 5061: the forks are played by the test.
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| able(config));
    let target = skillcall_sip::message::Uri::parse("sip:desk@127.0.0.1:5099").unwrap();
    let us = skillcall_sip::endpoint::Party::new(target.clone());
    let invite =
        skillcall_sip::endpoint::OutgoingInvite::new(target, address(5099), us, sdp("offer"));
    let call = network
        .act(0, |endpoint, now| endpoint.invite(now, invite))
        .unwrap();
    let request = requests(&network, 0, "INVITE").remove(0);
    (network, call, request)
}

fn inject(network: &mut Network, text: &str) {
    network.inject(address(5099), 0, text.as_bytes());
}

#[test]
fn each_fork_is_acknowledged_in_its_own_dialog_and_the_later_answers_are_ended() {
    let (mut network, call, invite) = calling();
    let reliable = |rseq: u32| format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
    for (fork, rseq) in [
        ("one", 100),
        ("two", 7),
        ("one", 101),
        ("one", 101),
        ("two", 9),
        ("two", 8),
    ] {
        inject(
            &mut network,
            &response(&invite, "180 Ringing", fork, &reliable(rseq)),
        );
    }
    let pracks: Vec<(String, u32, String)> = requests(&network, 0, "PRACK")
        .iter()
        .map(|prack| {
            let headers = prack.headers();
            let rack = headers.get(HeaderName::RAck).unwrap();
            (
                prack.uri().user().unwrap().into_owned(),
                headers.cseq().number,
                String::from_utf8(rack.to_vec()).unwrap(),
            )
        })
        .collect();
    let prack = |fork: &str, cseq, rack: &str| (fork.to_owned(), cseq, rack.to_owned());
    // A repetition and one out of order get none (RFC 3262 §4).
    assert_eq!(
        pracks,
        [
            prack("one", 2, "100 1 INVITE"),
            prack("two", 2, "7 1 INVITE"),
            prack("one", 3, "101 1 INVITE"),
            prack("two", 3, "8 1 INVITE")
        ]
    );
    let rang = network.peers[0].events.len();
    assert_eq!(rang, 4);
    // A third fork answers first; then both others do. Each 200 is acknowledged, the later two are ended.
    for fork in ["three", "two", "one", "two"] {
        inject(&mut network, &response(&invite, "200 OK", fork, ""));
    }
    let to = |method: &str| -> Vec<(String, u32)> {
        requests(&network, 0, method)
            .iter()
            .map(|request| {
                (
                    request.uri().user().unwrap().into_owned(),
                    request.headers().cseq().number,
                )
            })
            .collect()
    };
    let pair = |fork: &str, cseq| (fork.to_owned(), cseq);
    assert_eq!(
        to("ACK"),
        [
            pair("three", 1),
            pair("two", 1),
            pair("one", 1),
            pair("two", 1)
        ]
    );
    assert_eq!(to("BYE").len(), 2);
    let answers = network.peers[0]
        .events
        .iter()
        .filter(|event| matches!(event, Event::Answered { .. }))
        .count();
    assert_eq!(answers, 1);
    network.act(0, |endpoint, now| endpoint.bye(now, call, &[]).unwrap());
    network.assert_empty();
}

#[test]
fn the_fork_that_answers_goes_on_with_the_numbers_of_its_early_dialog() {
    let (mut network, call, invite) = calling();
    let reliable = "Require: 100rel\r\nRSeq: 1\r\n";
    inject(
        &mut network,
        &response(&invite, "180 Ringing", "one", reliable),
    );
    inject(&mut network, &response(&invite, "200 OK", "one", ""));
    network.act(0, |endpoint, now| endpoint.bye(now, call, &[]).unwrap());
    let bye = requests(&network, 0, "BYE").pop().unwrap();
    assert_eq!(bye.headers().cseq().number, 3, "the PRACK was 2");
    network.assert_empty();
}

#[test]
fn a_flood_of_reliable_responses_is_bounded_by_the_tables() {
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| {
        able(config);
        config.limits.transactions = 20;
        config.limits.early_dialogs = 4;
    });
    let target = skillcall_sip::message::Uri::parse("sip:desk@127.0.0.1:5099").unwrap();
    let us = skillcall_sip::endpoint::Party::new(target.clone());
    let invite =
        skillcall_sip::endpoint::OutgoingInvite::new(target, address(5099), us, sdp("offer"));
    let call = network
        .act(0, |endpoint, now| endpoint.invite(now, invite))
        .unwrap();
    let invite = requests(&network, 0, "INVITE").remove(0);
    for rseq in 1..200 {
        for fork in ["a", "b", "c", "d", "e", "f"] {
            let lines = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
            inject(
                &mut network,
                &response(&invite, "180 Ringing", fork, &lines),
            );
        }
    }
    assert!(network.peers[0].endpoint.counts().client_transactions <= 20);
    network.act(0, |endpoint, now| endpoint.cancel(now, call, &[]).unwrap());
    network.assert_empty();
}

#[test]
fn a_redirection_is_told_and_not_followed() {
    let (mut network, call, invite) = calling();
    let contacts = "Contact: <sip:low@h>;q=0.1, \"Bar\" <sip:high@h?User-to-User=00>;q=0.9\r\n\
        Contact: <sip:plain@h>, <tel:+1607>;q=0.9, <nonsense>;q=0.5\r\n";
    let text = response(&invite, "302 Moved Temporarily", "one", contacts);
    let text = text.replace("Contact: <sip:one@127.0.0.1:5099>\r\n", "");
    inject(&mut network, &text);
    let (failed, status, cause, targets) = network.wait(0, SHORT, |event| match event {
        Event::Failed {
            call,
            status,
            cause,
            response,
            ..
        } => Some((
            *call,
            status.get(),
            *cause,
            response.as_ref().unwrap().headers().redirect_targets(),
        )),
        _ => None,
    });
    assert_eq!((failed, status, cause), (call, 302, FailureCause::Refused));
    let found: Vec<(&str, Option<&str>)> = targets
        .iter()
        .map(|target| (target.uri.as_str(), target.display.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("sip:plain@h", None),
            ("sip:high@h?User-to-User=00", Some("Bar")),
            ("tel:+1607", None),
            ("sip:low@h", None)
        ]
    );
    assert_eq!(requests(&network, 0, "INVITE").len(), 1);
    network.assert_empty();
}

#[test]
fn what_the_user_serves_it_answers_and_the_rest_is_refused_by_the_book() {
    let mut network = Network::with(1, Trouble::default(), 3, |_, config| {
        config.methods = vec![Method::Message, Method::Options, Method::Register];
        config.supported = vec!["100rel".into()];
    });
    let cases = [
        // Method, further lines, status at once, and a header that it carries.
        ("MESSAGE", "", None),
        ("OPTIONS", "", None),
        ("REGISTER", "", None),
        // Proxy-Require is for proxies, which we are not (RFC 3261 §8.2.2.3); Require is for us.
        ("MESSAGE", "Proxy-Require: nothing\r\n", None),
        (
            "MESSAGE",
            "Require: nothing, 100rel\r\n",
            Some((420, "Unsupported: nothing\r\n")),
        ),
        (
            "SUBSCRIBE",
            "",
            Some((
                405,
                "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, MESSAGE, REGISTER\r\n",
            )),
        ),
        ("DANCE", "", Some((501, "Allow: INVITE"))),
        ("UPDATE", "", Some((405, "Allow: INVITE"))),
        ("PRACK", "RAck: 1 1 INVITE\r\n", Some((481, ""))),
        (
            "REFER",
            "Refer-To: <sip:a@b>\r\n",
            Some((405, "Allow: INVITE")),
        ),
        ("NOTIFY", "Event: refer\r\n", Some((405, "Allow: INVITE"))),
    ];
    for (at, (method, lines, refused)) in cases.into_iter().enumerate() {
        let text = format!(
            "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{at};rport\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: {at}\r\nCSeq: 1 {method}\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        network.inject(address(5099), 0, text.as_bytes());
        let asked = network.peers[0]
            .events
            .drain(..)
            .find_map(|event| match event {
                Event::Request { id, call: None, .. } => Some(id),
                _ => None,
            });
        assert_eq!(asked.is_some(), refused.is_none(), "{method} {lines}");
        let (status, header) = refused.unwrap_or((299, "X-Own: 1\r\n"));
        if let Some(id) = asked {
            network.act(0, |endpoint, now| {
                let own = skillcall_sip::message::ExtraHeader::new("X-Own", "1").unwrap();
                let reply = OwnReply::from(StatusCode::new(299).unwrap()).with([own]);
                endpoint.respond(now, id, &reply).unwrap();
            });
        }
        let answer = network.peers[0].sent.last().unwrap().1.clone();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        assert!(
            answer.starts_with(&format!("SIP/2.0 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(header), "{answer}");
        // The same request again gets the same answer, and the user hears nothing of it.
        network.inject(address(5099), 0, text.as_bytes());
        assert!(network.peers[0].events.is_empty());
        assert_eq!(network.peers[0].sent.last().unwrap().1, answer.as_bytes());
    }
    network.run(Duration::from_secs(40));
    network.assert_empty();
}
