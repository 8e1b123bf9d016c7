//! An endpoint whose owner has lost its calls takes leave of all their peers, also where messages are lost.

mod network;

use std::time::Duration;

use bytes::Bytes;
use network::{Network, Trouble};
use skillcall_sip::endpoint::{CallHandle, EndedBy, Event, FailureCause};
use skillcall_sip::message::StatusCode;

const LONG: Duration = Duration::from_secs(60);

fn incoming(network: &mut Network, peer: usize) -> CallHandle {
    network.wait(peer, LONG, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    })
}

fn ring(network: &mut Network, peer: usize, call: CallHandle) {
    network.act(peer, |endpoint, now| {
        endpoint
            .provisional(now, call, StatusCode::RINGING, "", &[], None)
            .unwrap();
    });
}

fn answer(network: &mut Network, peer: usize, call: CallHandle) {
    let sdp = Some(Bytes::from_static(b"v=0 answer"));
    network.act(peer, |endpoint, now| {
        endpoint.accept(now, call, &[], sdp).unwrap()
    });
}

#[test]
fn each_call_ends_as_its_state_asks() {
    let trouble = Trouble {
        loss: 30,
        delay: 40,
        ..Trouble::default()
    };
    for seed in 1..40 {
        // 0 loses its owner; 1 calls it, and is called by it.
        let mut network = Network::new(2, trouble, seed);
        // Answered by 1.
        network.call(0, 1, Some("v=0"));
        let there = incoming(&mut network, 1);
        answer(&mut network, 1, there);
        network.wait(1, LONG, |event| {
            matches!(event, Event::Acknowledged { .. }).then_some(())
        });
        // Rings at 1.
        network.call(0, 1, Some("v=0"));
        let ringing = incoming(&mut network, 1);
        ring(&mut network, 1, ringing);
        // Waits for an answer of 0.
        let waiting = network.call(1, 0, Some("v=0"));
        incoming(&mut network, 0);
        // Answered by 0 just now: the ACK is not there yet.
        let fresh = network.call(1, 0, Some("v=0"));
        let here = incoming(&mut network, 0);
        answer(&mut network, 0, here);

        network.peers[0].events.clear();
        network.act(0, |endpoint, now| {
            endpoint.end_all(now, StatusCode::SERVER_INTERNAL_ERROR);
        });
        for call in [there, fresh] {
            let by = network.wait(1, LONG, |event| match event {
                Event::Ended {
                    call: ended, by, ..
                } if *ended == call => Some(*by),
                _ => None,
            });
            assert_eq!(by, EndedBy::Peer, "seed {seed}");
        }
        network.wait(1, LONG, |event| match event {
            Event::Cancelled { call, .. } if *call == ringing => Some(()),
            _ => None,
        });
        let refused = network.wait(1, LONG, |event| match event {
            Event::Failed {
                call,
                status,
                cause,
                ..
            } if *call == waiting => Some((*status, *cause)),
            _ => None,
        });
        assert_eq!(
            refused,
            (StatusCode::SERVER_INTERNAL_ERROR, FailureCause::Refused)
        );
        network.assert_empty();
    }
}
