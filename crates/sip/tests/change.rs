//! Re-INVITE and UPDATE in both directions, with and without offers, and both sides at once (RFC 3261 §14, RFC 3311).

mod network;
mod trunk_support;

use std::time::Duration;

use network::{Network, Trouble};
use skillcall_sip::endpoint::{CallError, EndedBy, Event, OwnReply, RequestId};
use skillcall_sip::message::{HeaderName, Method, StatusCode};
use trunk_support::*;

fn changed(network: &mut Network, peer: usize) -> String {
    network.wait(peer, SHORT, |event| match event {
        Event::Changed { sdp, .. } => Some(text(sdp.as_ref())),
        _ => None,
    })
}

fn change_failed(network: &mut Network, peer: usize, limit: Duration) -> u16 {
    network.wait(peer, limit, |event| match event {
        Event::ChangeFailed { status, .. } => Some(status.get()),
        _ => None,
    })
}

fn update(network: &mut Network, peer: usize) -> (RequestId, String) {
    network.wait(peer, SHORT, |event| match event {
        Event::Update { id, offer, .. } => Some((*id, text(offer.as_ref()))),
        _ => None,
    })
}

fn answer(text: &str) -> OwnReply {
    let mut reply = OwnReply::from(StatusCode::OK);
    reply.body = sdp(text).map(|sdp| ("application/sdp".to_owned(), sdp));
    reply
}

#[test]
fn either_side_changes_the_session_by_reinvite() {
    let mut network = network();
    let calls = established(&mut network);
    let calls = [calls.0, calls.1];
    for (peer, other) in [(0, 1), (1, 0), (0, 1)] {
        network.act(peer, |endpoint, now| {
            endpoint
                .reinvite(now, calls[peer], sdp("hold"), &[])
                .unwrap();
            // One change at a time.
            let again = endpoint.reinvite(now, calls[peer], sdp("x"), &[]);
            assert!(matches!(again, Err(CallError::State { .. })));
        });
        let offer = network.wait(other, SHORT, |event| match event {
            Event::Reinvite { offer, .. } => Some(text(offer.as_ref())),
            _ => None,
        });
        assert_eq!(offer, "v=0 hold");
        network.act(other, |endpoint, now| {
            endpoint
                .accept(now, calls[other], &[], sdp("held"))
                .unwrap()
        });
        assert_eq!(changed(&mut network, peer), "v=0 held");
        network.wait(other, SHORT, |event| {
            matches!(event, Event::Acknowledged { .. }).then_some(())
        });
    }
    finish(&mut network, calls[0]);
}

#[test]
fn a_reinvite_without_offer_is_offered_to_and_answered_in_the_ack() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    network.act(1, |endpoint, now| {
        endpoint.reinvite(now, callee, None, &[]).unwrap()
    });
    let offer = network.wait(0, SHORT, |event| match event {
        Event::Reinvite { offer, .. } => Some(offer.clone()),
        _ => None,
    });
    assert_eq!(offer, None);
    network.act(0, |endpoint, now| {
        endpoint.accept(now, caller, &[], sdp("resume")).unwrap()
    });
    assert_eq!(changed(&mut network, 1), "v=0 resume");
    assert_eq!(network.sent(1, "ACK"), 0);
    // Something else inside the call meanwhile: the ACK still carries the INVITE's CSeq.
    network.act(1, |endpoint, now| {
        endpoint
            .request_in_call(now, callee, Method::Message, &[], None)
            .unwrap();
        endpoint
            .acknowledge(now, callee, sdp("resumed").unwrap())
            .unwrap()
    });
    let answer = network.wait(0, SHORT, |event| match event {
        Event::Acknowledged { sdp, .. } => Some(text(sdp.as_ref())),
        _ => None,
    });
    assert_eq!(answer, "v=0 resumed");
    let invite = requests(&network, 1, "INVITE").pop().unwrap();
    let ack = requests(&network, 1, "ACK").pop().unwrap();
    assert_eq!(ack.headers().cseq().number, invite.headers().cseq().number);
    finish(&mut network, caller);
}

#[test]
fn either_side_updates_with_and_without_an_offer() {
    let mut network = network();
    let calls = established(&mut network);
    let calls = [calls.0, calls.1];
    for (peer, other) in [(0, 1), (1, 0)] {
        network.act(peer, |endpoint, now| {
            endpoint.update(now, calls[peer], sdp("new"), &[]).unwrap()
        });
        let (id, offer) = update(&mut network, other);
        assert_eq!(offer, "v=0 new");
        // The peer's offer is open: ours has to wait, and so has a re-INVITE.
        network.act(other, |endpoint, now| {
            let busy = endpoint.reinvite(now, calls[other], sdp("mine"), &[]);
            assert!(matches!(busy, Err(CallError::State { .. })));
            endpoint.respond(now, id, &answer("agreed")).unwrap();
        });
        assert_eq!(changed(&mut network, peer), "v=0 agreed");
        network.act(peer, |endpoint, now| {
            endpoint.update(now, calls[peer], None, &[]).unwrap()
        });
        assert_eq!(changed(&mut network, peer), "");
        let ok = responses(&network, other, "UPDATE").pop().unwrap();
        assert!(ok.headers().get(HeaderName::Contact).is_some());
        network.act(peer, |endpoint, now| {
            endpoint
                .update(now, calls[peer], sdp("video"), &[])
                .unwrap()
        });
        let (id, _) = update(&mut network, other);
        network.act(other, |endpoint, now| {
            let no = OwnReply::from(StatusCode::NOT_ACCEPTABLE_HERE);
            endpoint.respond(now, id, &no).unwrap();
        });
        assert_eq!(change_failed(&mut network, peer, SHORT), 488);
    }
    finish(&mut network, calls[0]);
}

#[test]
fn both_sides_at_once_are_told_491_and_come_to_terms() {
    for update_too in [false, true] {
        let mut network = network();
        let calls = established(&mut network);
        let calls = [calls.0, calls.1];
        for peer in [0, 1] {
            network.act(peer, |endpoint, now| {
                let offer = sdp(if peer == 0 { "caller" } else { "callee" });
                if update_too {
                    endpoint.update(now, calls[peer], offer, &[]).unwrap();
                } else {
                    endpoint.reinvite(now, calls[peer], offer, &[]).unwrap();
                }
            });
        }
        let begun = network.now;
        let mut done = [false, false];
        while done != [true, true] {
            let until = network.now + Duration::from_secs(30);
            assert!(
                network.step(until),
                "no end: {:#?}",
                network.peers[0].events
            );
            for peer in [0, 1] {
                for event in std::mem::take(&mut network.peers[peer].events) {
                    network.act(peer, |endpoint, now| match event {
                        Event::Reinvite { call, .. } => {
                            endpoint.accept(now, call, &[], sdp("yes")).unwrap()
                        }
                        Event::Update { id, .. } => {
                            endpoint.respond(now, id, &answer("yes")).unwrap()
                        }
                        Event::Changed { .. } => done[peer] = true,
                        Event::ChangeFailed { status, .. } => panic!("{status}"),
                        _ => {}
                    });
                }
            }
        }
        for peer in [0, 1] {
            let method = if update_too { "UPDATE" } else { "INVITE" };
            let glare = responses(&network, peer, method);
            let glare = glare
                .iter()
                .filter(|response| response.status() == StatusCode::REQUEST_PENDING)
                .count();
            assert_eq!(glare, 1, "each is told once");
            // The side that made the Call-ID waits 2.1 to 4 s, the other 2 s at most (RFC 3261 §14.1).
            let method = if update_too { "UPDATE " } else { "INVITE " };
            let again = *network.times(peer, method).last().unwrap();
            let waited = again - begun.duration_since(network.start).as_millis();
            if peer == 0 {
                assert!((2100..=4010).contains(&waited), "{waited}");
            } else {
                assert!(waited <= 2010, "{waited}");
            }
        }
        finish(&mut network, calls[0]);
    }
}

#[test]
fn an_update_changes_an_unanswered_call_from_either_side() {
    let mut network = network();
    let caller = network.call(0, 1, Some("v=0 offer"));
    let callee = incoming(&mut network, 1);
    // Before the INVITE's offer is answered there is nothing to update.
    for (peer, call) in [(0, caller), (1, callee)] {
        let early = network.act(peer, |endpoint, now| {
            endpoint.update(now, call, sdp("x"), &[])
        });
        assert!(matches!(early, Err(CallError::State { .. })));
    }
    network.act(1, |endpoint, now| {
        endpoint
            .provisional_reliable(
                now,
                callee,
                StatusCode::SESSION_PROGRESS,
                "",
                &[],
                sdp("early"),
            )
            .unwrap()
    });
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Pracked { .. }).then_some(())
    });
    network.run(Duration::from_millis(10));
    for (peer, other, call) in [(0, 1, caller), (1, 0, callee)] {
        network.act(peer, |endpoint, now| {
            endpoint.update(now, call, sdp("other"), &[]).unwrap()
        });
        let (id, _) = update(&mut network, other);
        network.act(other, |endpoint, now| {
            endpoint.respond(now, id, &answer("fine")).unwrap()
        });
        assert_eq!(changed(&mut network, peer), "v=0 fine");
    }
    network.act(1, |endpoint, now| {
        endpoint.accept(now, callee, &[], None).unwrap()
    });
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Answered { .. }).then_some(())
    });
    network.run(Duration::from_secs(1));
    // The numbers of the early dialog go on in the call.
    network.act(1, |endpoint, now| {
        endpoint.reinvite(now, callee, sdp("last"), &[]).unwrap()
    });
    network.wait(0, SHORT, |event| {
        matches!(event, Event::Reinvite { .. }).then_some(())
    });
    network.act(0, |endpoint, now| {
        endpoint.accept(now, caller, &[], sdp("ok")).unwrap()
    });
    assert_eq!(changed(&mut network, 1), "v=0 ok");
    finish(&mut network, caller);
}

#[test]
fn a_peer_that_knows_the_call_no_more_ends_it() {
    let mut network = network();
    let (caller, callee) = established(&mut network);
    network.act(0, |endpoint, now| {
        endpoint.reinvite(now, caller, sdp("x"), &[]).unwrap()
    });
    network.wait(1, SHORT, |event| {
        matches!(event, Event::Reinvite { .. }).then_some(())
    });
    network.act(1, |endpoint, now| {
        let status = StatusCode::CALL_DOES_NOT_EXIST;
        endpoint.reject(now, callee, status, "", &[]).unwrap()
    });
    assert_eq!(change_failed(&mut network, 0, SHORT), 481);
    let by = network.wait(0, SHORT, |event| match event {
        Event::Ended { by, .. } => Some(*by),
        _ => None,
    });
    assert_eq!(by, EndedBy::Lost);
    network.assert_empty();
}

#[test]
fn a_reinvite_nobody_answers_is_cancelled_and_the_call_goes_on() {
    let mut network = network();
    let (caller, _) = established(&mut network);
    network.act(0, |endpoint, now| {
        endpoint.reinvite(now, caller, sdp("x"), &[]).unwrap()
    });
    assert_eq!(change_failed(&mut network, 0, Duration::from_secs(70)), 487);
    network.wait(1, SHORT, |event| {
        matches!(event, Event::ReinviteCancelled { .. }).then_some(())
    });
    network.act(0, |endpoint, now| {
        endpoint.update(now, caller, None, &[]).unwrap()
    });
    assert_eq!(changed(&mut network, 0), "");
    finish(&mut network, caller);
}

#[test]
fn a_bye_in_the_middle_of_a_change_ends_it_on_both_sides() {
    for from in [0, 1] {
        let mut network = network();
        let calls = established(&mut network);
        let calls = [calls.0, calls.1];
        network.act(0, |endpoint, now| {
            endpoint.reinvite(now, calls[0], sdp("x"), &[]).unwrap()
        });
        network.wait(1, SHORT, |event| {
            matches!(event, Event::Reinvite { .. }).then_some(())
        });
        network.act(from, |endpoint, now| {
            endpoint.bye(now, calls[from], &[]).unwrap()
        });
        for peer in [0, 1] {
            network.wait(peer, SHORT, |event| {
                matches!(event, Event::Ended { .. }).then_some(())
            });
        }
        network.assert_empty();
    }
}

#[test]
fn a_reinvite_is_forgotten_with_its_call_though_nothing_more_comes() {
    for from in [0, 1] {
        let mut network = network();
        let calls = established(&mut network);
        let calls = [calls.0, calls.1];
        let before = network.sent(1 - from, "SIP/2.0 100");
        network.act(from, |endpoint, now| {
            endpoint.reinvite(now, calls[from], sdp("x"), &[]).unwrap()
        });
        network.wait(1 - from, SHORT, |event| {
            matches!(event, Event::Reinvite { .. }).then_some(())
        });
        // The peer says that it is asked, and is never heard again.
        network.run(Duration::from_secs(1));
        assert!(network.sent(1 - from, "SIP/2.0 100") > before);
        network.trouble.loss = 100;
        for peer in [0, 1] {
            network.act(peer, |endpoint, now| {
                endpoint.bye(now, calls[peer], &[]).unwrap()
            });
        }
        network.assert_empty();
    }
}

#[test]
fn a_loud_network_with_little_patience_keeps_both_sides_in_step() {
    // Each side changes the session over and over; whatever is lost, each change ends and so does the call.
    for seed in 0..40u64 {
        let trouble = Trouble {
            loss: seed % 20,
            duplicates: seed % 15,
            delay: 40 * (seed % 10),
        };
        let mut network = Network::with(2, Trouble::default(), seed + 1, |_, config| able(config));
        let calls = established(&mut network);
        let calls = [calls.0, calls.1];
        network.trouble = trouble;
        let (mut begun, mut ended) = ([0u32; 2], [0u32; 2]);
        let mut over = false;
        let start = network.start;
        let until = network.now + Duration::from_secs(120);
        while network.now < until && !over {
            for peer in [0, 1] {
                network.act(peer, |endpoint, now| {
                    let offer = sdp(&format!("{peer}"));
                    let begin = if begun[peer] % 2 == 0 {
                        endpoint.reinvite(now, calls[peer], offer, &[])
                    } else {
                        endpoint.update(now, calls[peer], offer, &[])
                    };
                    begun[peer] += u32::from(begin.is_ok());
                });
                for event in std::mem::take(&mut network.peers[peer].events) {
                    network.act(peer, |endpoint, now| match event {
                        Event::Reinvite { call, .. } => {
                            let _ = endpoint.accept(now, call, &[], sdp("yes"));
                        }
                        Event::Update { id, .. } => {
                            let _ = endpoint.respond(now, id, &answer("yes"));
                        }
                        Event::Changed { .. } => ended[peer] += 1,
                        Event::ChangeFailed { status, .. } => {
                            eprintln!("{seed} {peer} failed {status}");
                            ended[peer] += 1
                        }
                        Event::Ended { by, .. } => {
                            eprintln!("{seed} {peer} ended {by:?} {:?}", now.duration_since(start));
                            over = true
                        }
                        _ => {}
                    });
                }
            }
            let next = network.now + Duration::from_millis(200);
            network.step(next);
        }
        assert!(begun[0] + begun[1] > 10, "seed {seed}: {begun:?}");
        for peer in [0, 1] {
            assert!(
                ended[peer] + 1 >= begun[peer],
                "seed {seed}: {begun:?} {ended:?}"
            );
            network.act(peer, |endpoint, now| {
                let _ = endpoint.bye(now, calls[peer], &[]);
            });
        }
        network.trouble = Trouble::default();
        network.run(Duration::from_secs(100));
        network.assert_empty();
    }
}

#[test]
fn a_full_house_still_hears_its_own_calls() {
    let mut network = Network::with(2, Trouble::default(), 11, |peer, config| {
        able(config);
        if peer == 1 {
            config.limits.transactions = 16;
        }
    });
    let (caller, _) = established(&mut network);
    // Strangers fill the table as far as they can.
    let mut shed = 0;
    for i in 0..40 {
        let message = format!(
            "MESSAGE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{i};rport\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: {i}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        );
        network.inject(network::address(5099), 1, message.as_bytes());
        shed = network.sent(1, "SIP/2.0 503");
    }
    assert_eq!(
        shed,
        40 - (14 - 1),
        "one place is the INVITE's, two are kept"
    );
    network.act(0, |endpoint, now| {
        endpoint.update(now, caller, None, &[]).unwrap()
    });
    assert_eq!(changed(&mut network, 0), "");
    network.peers[1].events.clear();
    finish(&mut network, caller);
}
