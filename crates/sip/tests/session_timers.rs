//! Session timers (RFC 4028): either side refreshes, by UPDATE or re-INVITE; what is not refreshed ends.

mod network;
mod trunk_support;

use std::time::Duration;

use network::{Network, Trouble};
use skillcall_sip::endpoint::{EndedBy, Event, RefreshedBy, SessionTimerPolicy};
use skillcall_sip::message::{HeaderName, Method};
use trunk_support::*;

fn network(policies: [Option<SessionTimerPolicy>; 2], updates: bool) -> Network {
    Network::with(2, Trouble::default(), 5, |peer, config| {
        config.session_timer = policies[peer];
        if updates {
            config.methods = vec![Method::Update];
        }
    })
}

const fn policy(expires: u32, refresher: Option<RefreshedBy>) -> Option<SessionTimerPolicy> {
    Some(SessionTimerPolicy {
        expires,
        min_se: 90,
        refresher,
    })
}

/// Who refreshed, and by what, in half an hour of talking.
fn refreshes(network: &mut Network) -> [usize; 2] {
    for peer in [0, 1] {
        network.peers[peer].sent.clear();
    }
    let until = network.now + Duration::from_secs(1800);
    while network.step(until) {
        for peer in [0, 1] {
            for event in std::mem::take(&mut network.peers[peer].events) {
                match event {
                    // The user answers a re-INVITE as always: that its description is the same is for the user to see.
                    Event::Reinvite { call, .. } => network.act(peer, |endpoint, now| {
                        endpoint.accept(now, call, &[], sdp("same")).unwrap()
                    }),
                    Event::Acknowledged { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    [0, 1].map(|peer| network.sent(peer, "UPDATE ") + network.sent(peer, "INVITE "))
}

#[test]
fn each_combination_of_wishes_finds_one_refresher() {
    use RefreshedBy::{Peer, Us};
    let p = |refresher| policy(100, refresher);
    let cases = [
        // Caller, callee, who refreshes: RFC 4028 §9, table 2.
        ([p(None), p(None)], [1, 0]),
        ([p(Some(Us)), p(Some(Us))], [1, 0]),
        ([p(Some(Peer)), p(Some(Peer))], [0, 1]),
        ([p(None), p(Some(Us))], [0, 1]),
        ([p(None), p(Some(Peer))], [1, 0]),
        ([p(None), None], [0, 0]),
        ([None, p(None)], [0, 1]),
        ([None, p(Some(Peer))], [0, 1]),
        ([None, None], [0, 0]),
    ];
    for (policies, who) in cases {
        for updates in [true, false] {
            let mut network = network(policies, updates);
            let (caller, _) = established(&mut network);
            let found = refreshes(&mut network);
            for peer in [0, 1] {
                // Each 50 s of half an hour.
                let expected = if who[peer] == 1 { 34..=36 } else { 0..=0 };
                assert!(
                    expected.contains(&found[peer]),
                    "{policies:?}, updates {updates}: {found:?}"
                );
                let by_invite = network.sent(peer, "INVITE ") > 0;
                assert_eq!(by_invite, who[peer] == 1 && !updates);
            }
            finish(&mut network, caller);
        }
    }
}

#[test]
fn an_interval_below_the_callees_is_refused_and_asked_for_again_longer() {
    let callee = Some(SessionTimerPolicy {
        expires: 1800,
        min_se: 600,
        refresher: None,
    });
    let mut network = network([policy(100, None), callee], true);
    let (caller, _) = established(&mut network);
    let invites = requests(&network, 0, "INVITE");
    let header = |at: usize, name| {
        let value = invites[at].headers().get(name).unwrap_or_default();
        String::from_utf8(value.to_vec()).unwrap()
    };
    assert_eq!(invites.len(), 2);
    assert_eq!(header(0, HeaderName::SessionExpires), "100");
    assert_eq!(header(1, HeaderName::SessionExpires), "600");
    assert_eq!(header(1, HeaderName::MinSe), "600");
    assert_eq!(header(1, HeaderName::CSeq), "2 INVITE");
    assert_eq!(
        invites[0].headers().call_id(),
        invites[1].headers().call_id()
    );
    let refused = &responses(&network, 1, "INVITE")[0];
    assert_eq!(refused.status().get(), 422);
    assert_eq!(refused.headers().get(HeaderName::MinSe), Some(&b"600"[..]));
    let ok = responses(&network, 1, "INVITE").pop().unwrap();
    assert_eq!(
        ok.headers().get(HeaderName::SessionExpires),
        Some(&b"600;refresher=uac"[..])
    );
    assert_eq!(ok.headers().get(HeaderName::Require), Some(&b"timer"[..]));
    network.run(Duration::from_secs(300));
    let refresh = requests(&network, 0, "UPDATE").pop().unwrap();
    assert_eq!(
        refresh.headers().get(HeaderName::SessionExpires),
        Some(&b"600;refresher=uac"[..])
    );
    finish(&mut network, caller);
}

#[test]
fn a_peer_that_vanishes_is_noticed_by_whoever_is_left() {
    use RefreshedBy::{Peer, Us};
    for refresher in [Some(Us), Some(Peer)] {
        for left in [0, 1] {
            let mut network = network([policy(120, refresher), policy(120, None)], true);
            established(&mut network);
            network.run(Duration::from_secs(1));
            // Cut off: nothing arrives any more.
            network.trouble.loss = 100;
            let by = network.wait(left, Duration::from_secs(400), |event| match event {
                Event::Ended { by, .. } => Some(*by),
                _ => None,
            });
            assert!(
                matches!(by, EndedBy::SessionExpired | EndedBy::Lost),
                "{by:?}"
            );
            network.assert_empty();
        }
    }
}

#[test]
fn a_peer_that_does_not_know_update_after_all_is_refreshed_by_reinvite() {
    // The callee lists UPDATE but answers 501 to it, as a gateway behind a proxy may: here its Allow is a lie told by
    // the network.
    let mut network = network([policy(100, None), policy(100, None)], false);
    let caller = network.call(0, 1, Some("v=0 offer"));
    let callee = incoming(&mut network, 1);
    network.act(1, |endpoint, now| {
        let lie = skillcall_sip::message::ExtraHeader::new("Allow", "UPDATE").unwrap();
        endpoint.accept(now, callee, &[lie], sdp("answer")).unwrap()
    });
    network.run(Duration::from_secs(1));
    network.peers[0].events.clear();
    network.peers[1].events.clear();
    let found = refreshes(&mut network);
    assert_eq!(found[1], 0);
    assert!(
        network.sent(0, "UPDATE ") >= 1 && network.sent(0, "INVITE ") >= 30,
        "{found:?}"
    );
    finish(&mut network, caller);
}

#[test]
fn nonsense_in_the_headers_of_strangers_starts_nothing() {
    for value in [
        "",
        "x",
        "99999999999",
        "1",
        "0;refresher=uac",
        "90;refresher=nobody",
        "4294967295",
    ] {
        let mut network = network([None, policy(100, None)], true);
        let wire = format!(
            "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 7 INVITE\r\nContact: <sip:a@127.0.0.1:5099>\r\nSession-Expires: {value}\r\n\
             Min-SE: {value}\r\nContent-Length: 0\r\n\r\n"
        );
        network.inject(network::address(5099), 1, wire.as_bytes());
        let call = incoming(&mut network, 1);
        network.act(1, |endpoint, now| {
            endpoint.accept(now, call, &[], sdp("x")).unwrap()
        });
        let ok = responses(&network, 1, "INVITE").pop().unwrap();
        let expires = ok.headers().get(HeaderName::SessionExpires).unwrap();
        let expires = String::from_utf8(expires.to_vec()).unwrap();
        // Who does not know session timers never refreshes.
        assert!(expires.ends_with(";refresher=uas"), "{expires}");
        let seconds: u32 = expires.split(';').next().unwrap().parse().unwrap();
        assert!(seconds >= 90);
        network.assert_empty();
    }
}
