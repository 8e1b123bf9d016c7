//! Trunk calls over a network that loses, doubles and reorders: challenged, rung reliably, changed, transferred, ended
//! once, and forgotten.

mod network;
mod trunk_support;

use std::sync::Arc;
use std::time::Duration;

use network::{Network, Trouble};
use proptest::prelude::*;
use skillcall_sip::auth::{Authenticator, Role, Secret, Verdict, Wallet};
use skillcall_sip::endpoint::{
    CallHandle, Event, OutgoingInvite, OwnReply, Party, SessionTimerPolicy,
};
use skillcall_sip::message::{StatusCode, Uri};
use trunk_support::{able, sdp};

#[derive(Debug, Default)]
struct Seen {
    ended: [usize; 2],
    rang: usize,
    answered: bool,
    changed: [usize; 2],
    referred: bool,
    over: Option<StatusCode>,
}

/// One call to its end.
fn play(network: &mut Network, offerless: bool) -> Seen {
    let mut guard = Authenticator::new(Role::Proxy, "trunk", [6; 32], network.now);
    let to = network.peers[1].address;
    let us = Party::new(Uri::parse("sip:room@trunk").unwrap());
    let target = Uri::parse(&format!("sip:desk@{to}")).unwrap();
    let mut invite = OutgoingInvite::new(target, to, us, sdp("offer").filter(|_| !offerless));
    invite.wallet = Some(Arc::new(Wallet::password("room", "sesame")));
    let caller = network
        .act(0, |endpoint, now| endpoint.invite(now, invite))
        .unwrap();
    let mut callee: Option<CallHandle> = None;
    let mut seen = Seen::default();
    let mut answered_at = None;
    let (mut held, mut asked, mut hung_up) = ([false; 2], false, false);
    let until = network.now + Duration::from_secs(250);
    while network.now < until {
        let next = network.now + Duration::from_millis(250);
        network.step(next.min(until));
        for peer in [0, 1] {
            for event in std::mem::take(&mut network.peers[peer].events) {
                network.act(peer, |endpoint, now| match event {
                    Event::Invite {
                        call,
                        request,
                        flow,
                        ..
                    } => {
                        let secret = |_: &str, _| Some(Secret::Password("sesame".into()));
                        match guard.judge(now, flow.remote.ip(), &request, secret) {
                            Verdict::Refused(why) => {
                                let headers = guard.challenge(now, flow.remote.ip(), why);
                                let status = guard.role().status();
                                endpoint.reject(now, call, status, "", &headers).unwrap();
                            }
                            Verdict::User(_) => {
                                callee = Some(call);
                                let early = if offerless { None } else { sdp("early") };
                                for (status, body) in [
                                    (StatusCode::SESSION_PROGRESS, early),
                                    (StatusCode::RINGING, None),
                                ] {
                                    endpoint
                                        .provisional_reliable(now, call, status, "", &[], body)
                                        .unwrap();
                                }
                                let body = if offerless { sdp("offer") } else { None };
                                endpoint.accept(now, call, &[], body).unwrap();
                            }
                        }
                    }
                    Event::Provisional { .. } => seen.rang += 1,
                    Event::Answered { call, .. } => {
                        seen.answered = true;
                        answered_at = Some(now);
                        if offerless {
                            endpoint
                                .acknowledge(now, call, sdp("answer").unwrap())
                                .unwrap();
                        }
                    }
                    Event::Reinvite { call, .. } => {
                        let _ = endpoint.accept(now, call, &[], sdp("yes"));
                    }
                    Event::Update { id, .. } => {
                        let mut reply = OwnReply::from(StatusCode::OK);
                        reply.body = sdp("yes").map(|sdp| ("application/sdp".into(), sdp));
                        let _ = endpoint.respond(now, id, &reply);
                    }
                    Event::Changed { .. } | Event::ChangeFailed { .. } => seen.changed[peer] += 1,
                    Event::Refer {
                        id, referral, call, ..
                    } => {
                        seen.referred = true;
                        let _ = endpoint.answer_refer(now, id, StatusCode::ACCEPTED);
                        if let Some(call) = call {
                            let _ =
                                endpoint.refer_progress(now, call, &referral, StatusCode::OK, "");
                        }
                    }
                    Event::ReferProgress {
                        status, over: true, ..
                    } => seen.over = Some(status),
                    Event::Ended { .. } | Event::Failed { .. } | Event::Cancelled { .. } => {
                        seen.ended[peer] += 1;
                    }
                    _ => {}
                });
            }
        }
        let Some(at) = answered_at else { continue };
        let since = network.now.duration_since(at);
        if since > Duration::from_secs(1) {
            // Both at once, for the glare of it; the callee later if its ACK is still on the way.
            for (peer, call) in [(0, Some(caller)), (1, callee)] {
                let Some(call) = call.filter(|_| !held[peer]) else {
                    continue;
                };
                network.act(peer, |endpoint, now| {
                    held[peer] = endpoint.reinvite(now, call, sdp("hold"), &[]).is_ok();
                });
            }
        }
        if !asked && since > Duration::from_secs(100) {
            asked = true;
            network.act(0, |endpoint, now| {
                let _ = endpoint.refer(now, caller, "<sip:bar@example.com>", true, &[]);
            });
        }
        if !hung_up && since > Duration::from_secs(170) {
            hung_up = true;
            network.act(0, |endpoint, now| {
                let _ = endpoint.bye(now, caller, &[]);
            });
        }
    }
    // Who is left alone hears silence and hangs up.
    for (peer, call) in [(0, Some(caller)), (1, callee)] {
        network.act(peer, |endpoint, now| {
            if let Some(call) = call {
                let _ = endpoint.bye(now, call, &[]);
                let _ = endpoint.cancel(now, call, &[]);
            }
        });
    }
    network.run(Duration::from_secs(150));
    for peer in [0, 1] {
        for event in std::mem::take(&mut network.peers[peer].events) {
            if matches!(
                event,
                Event::Ended { .. } | Event::Failed { .. } | Event::Cancelled { .. }
            ) {
                seen.ended[peer] += 1;
            }
        }
    }
    seen
}

fn pair(trouble: Trouble, seed: u64) -> Network {
    Network::with(2, trouble, seed, |_, config| {
        able(config);
        config.session_timer = Some(SessionTimerPolicy {
            expires: 90,
            ..SessionTimerPolicy::default()
        });
    })
}

#[test]
fn on_a_good_network_all_of_it_happens() {
    for offerless in [false, true] {
        let mut network = pair(Trouble::default(), 3);
        let seen = play(&mut network, offerless);
        assert!(seen.answered && seen.referred, "{seen:?}");
        assert_eq!((seen.rang, seen.ended, seen.changed), (2, [1, 1], [1, 1]));
        assert_eq!(seen.over, Some(StatusCode::OK));
        assert_eq!(network.sent(0, "PRACK "), 2);
        network.assert_empty();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_on_both_sides_and_leaves_nothing(
        seed in any::<u64>(),
        offerless in any::<bool>(),
        loss in 0u64..25,
        duplicates in 0u64..40,
        delay in 0u64..500,
    ) {
        let mut network = pair(Trouble { loss, duplicates, delay }, seed);
        let seen = play(&mut network, offerless);
        prop_assert_eq!(seen.ended[0], 1, "{:?}", &seen);
        prop_assert!(seen.ended[1] <= 1, "{:?}", &seen);
        prop_assert!(!seen.answered || seen.ended[1] == 1, "{:?}", &seen);
        // The machine gives each message a dozen tries: little loss does not stop a call.
        prop_assert!(loss > 10 || (seen.answered && seen.changed[0] == 1 && seen.changed[1] == 1), "{:?}", &seen);
        network.assert_empty();
    }
}
