//! Two endpoints over a network that loses, doubles and reorders: they come to the same end and forget everything.

mod network;

use std::time::Duration;

use bytes::Bytes;
use network::{Network, Trouble};
use proptest::prelude::*;
use skillcall_sip::endpoint::{CallHandle, Event};
use skillcall_sip::message::StatusCode;

/// What the two users do.
#[derive(Debug, Clone, Copy)]
enum Story {
    Refused,
    Cancelled,
    CallerHangsUp,
    CalleeHangsUp,
    BothHangUp,
}

fn stories() -> impl Strategy<Value = Story> {
    prop_oneof![
        Just(Story::Refused),
        Just(Story::Cancelled),
        Just(Story::CallerHangsUp),
        Just(Story::CalleeHangsUp),
        Just(Story::BothHangUp),
    ]
}

fn over(events: &[Event], call: CallHandle) -> usize {
    let ends = events.iter().filter(|event| match event {
        Event::Ended { call: ended, .. }
        | Event::Failed { call: ended, .. }
        | Event::Cancelled { call: ended, .. } => *ended == call,
        _ => false,
    });
    ends.count()
}

fn has(events: &[Event], wanted: impl Fn(&Event) -> bool) -> bool {
    events.iter().any(wanted)
}

/// Plays one call to its end; the callee's call if the INVITE came through.
fn play(network: &mut Network, story: Story) -> (CallHandle, Option<CallHandle>) {
    let caller = network.call(0, 1, Some("v=0"));
    let mut callee = None;
    let mut hung_up = [false, false];
    let until = network.now + Duration::from_secs(300);
    let mut answered_at = None;
    while network.step(until) {
        if callee.is_none() {
            callee = network.peers[1]
                .events
                .iter()
                .find_map(|event| match event {
                    Event::Invite { call, .. } => Some(*call),
                    _ => None,
                });
            if let Some(call) = callee {
                network.act(1, |endpoint, now| match story {
                    Story::Refused => endpoint
                        .reject(now, call, StatusCode::BUSY_HERE, "", &[])
                        .unwrap(),
                    Story::Cancelled => endpoint
                        .provisional(now, call, StatusCode::RINGING, "", &[], None)
                        .unwrap(),
                    _ => endpoint
                        .accept(now, call, &[], Some(Bytes::from_static(b"v=0")))
                        .unwrap(),
                });
            }
        }
        if matches!(story, Story::Cancelled) && !hung_up[0] {
            hung_up[0] = true;
            network.act(0, |endpoint, now| {
                endpoint.cancel(now, caller, &[]).unwrap()
            });
        }
        if answered_at.is_none()
            && has(&network.peers[0].events, |event| {
                matches!(event, Event::Answered { .. })
            })
        {
            answered_at = Some(network.now);
        }
        let talked = answered_at.is_some_and(|at| network.now >= at + Duration::from_millis(200));
        for (peer, does) in [
            (0, matches!(story, Story::CallerHangsUp | Story::BothHangUp)),
            (1, matches!(story, Story::CalleeHangsUp | Story::BothHangUp)),
        ] {
            let call = if peer == 0 { Some(caller) } else { callee };
            if talked
                && does
                && !hung_up[peer]
                && let Some(call) = call
            {
                hung_up[peer] = true;
                // The other side's BYE may have come first.
                network.act(peer, |endpoint, now| {
                    let _ = endpoint.bye(now, call, &[]);
                });
            }
        }
    }
    (caller, callee)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_on_both_sides_and_leaves_nothing(
        story in stories(),
        seed in any::<u64>(),
        loss in 0u64..30,
        duplicates in 0u64..40,
        delay in 0u64..700,
    ) {
        let mut network = Network::new(2, Trouble { loss, duplicates, delay }, seed);
        let (caller, callee) = play(&mut network, story);
        let invites = network.peers[1].events.iter().filter(|event| matches!(event, Event::Invite { .. })).count();
        prop_assert!(invites <= 1, "one INVITE rang {invites} times");
        // With luck on the side of loss one end may still be up; its user would notice silence and hang up.
        for (peer, call) in [(0, Some(caller)), (1, callee)] {
            if let Some(call) = call {
                network.act(peer, |endpoint, now| {
                    let _ = endpoint.bye(now, call, &[]);
                });
                network.act(peer, |endpoint, now| {
                    let _ = endpoint.cancel(now, call, &[]);
                });
                network.act(peer, |endpoint, now| {
                    let _ = endpoint.reject(now, call, StatusCode::GONE, "", &[]);
                });
            }
        }
        network.run(Duration::from_secs(200));
        prop_assert_eq!(over(&network.peers[0].events, caller), 1, "{:#?}", network.peers[0].events);
        if let Some(callee) = callee {
            let ends = over(&network.peers[1].events, callee);
            // A refusal is the user's own word, no event says it again.
            let said = usize::from(!matches!(story, Story::Refused));
            prop_assert!(ends == said || (ends == 0 && matches!(story, Story::Cancelled)), "{:#?}", network.peers[1].events);
        }
        network.assert_empty();
    }
}

#[test]
fn a_quiet_network_needs_no_retransmission() {
    for story in [
        Story::Refused,
        Story::Cancelled,
        Story::CallerHangsUp,
        Story::CalleeHangsUp,
        Story::BothHangUp,
    ] {
        let mut network = Network::new(2, Trouble::default(), 1);
        play(&mut network, story);
        assert_eq!(network.sent(0, "INVITE "), 1, "{story:?}");
        assert_eq!(
            network.sent(1, "SIP/2.0 4"),
            usize::from(matches!(story, Story::Refused | Story::Cancelled))
        );
        network.assert_empty();
    }
}
