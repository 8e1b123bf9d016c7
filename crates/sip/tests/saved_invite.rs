//! An INVITE that was written down is given up by another endpoint, also where messages are lost.

mod network;

use std::time::Duration;

use bytes::Bytes;
use network::{Network, Trouble};
use skillcall_sip::endpoint::{
    CallHandle, Destination, Endpoint, EndpointConfig, Event, SavedInvite, Transport,
};
use skillcall_sip::message::StatusCode;

const LONG: Duration = Duration::from_secs(60);

/// 0 has called 1, where it rings; what 0 wrote down of it.
fn ringing(network: &mut Network) -> (CallHandle, SavedInvite) {
    let now = network.now;
    let to = network.peers[1].address;
    let endpoint = &mut network.peers[0].endpoint;
    let target = skillcall_sip::message::Uri::parse(&format!("sip:desk@{to}")).unwrap();
    let caller = skillcall_sip::endpoint::Party::new(target.clone());
    let offer = Some(Bytes::from_static(b"v=0"));
    let mut invite = skillcall_sip::endpoint::OutgoingInvite::new(target, to, caller, offer);
    invite.routes = vec![format!("<sip:{to};lr>")];
    let call = endpoint.invite(now, invite).unwrap();
    let transmit = endpoint.poll_transmit().unwrap();
    let Destination::Addr(address) = transmit.destination else {
        panic!("no address")
    };
    let id = transmit.id.unwrap();
    let (of, saved) = endpoint
        .saved_invite(id, transmit.transport, address)
        .unwrap();
    assert_eq!(of, call);
    let from = network.peers[0].address;
    network.inject(from, 1, &transmit.bytes);
    let there = network.wait(1, LONG, |event| match event {
        Event::Invite { call, .. } => Some(*call),
        _ => None,
    });
    network.act(1, |endpoint, now| {
        endpoint
            .provisional(now, there, StatusCode::RINGING, "", &[], None)
            .unwrap();
    });
    (there, saved)
}

/// The process is another one: nothing is left of the endpoint.
fn restart(network: &mut Network) {
    let address = network.peers[0].address;
    let mut config = EndpointConfig::new(address, [77; 32]);
    config.id_prefix = "w0-".to_owned();
    network.peers[0].endpoint = Endpoint::new(config);
    network.peers[0].events.clear();
    network.peers[0].sent.clear();
}

fn trouble() -> Trouble {
    Trouble {
        loss: 30,
        delay: 40,
        duplicates: 10,
    }
}

#[test]
fn what_rings_is_given_up() {
    for seed in 1..40 {
        let mut network = Network::new(2, trouble(), seed);
        let (there, saved) = ringing(&mut network);
        assert!(saved.branch().unwrap().starts_with(b"z9hG4bKw0-"));
        let text = String::from_utf8(saved.request.clone()).unwrap();
        assert!(text.starts_with("INVITE sip:desk@") && text.ends_with("\r\n\r\n"));
        assert!(text.contains("Route: "), "{text}");
        restart(&mut network);
        let given_up = network.act(0, |endpoint, now| endpoint.cancel_saved(now, &saved));
        assert!(given_up);
        network.wait(1, LONG, |event| match event {
            Event::Cancelled { call, .. } if *call == there => Some(()),
            _ => None,
        });
        network.assert_empty();
        // The 487 was acknowledged, and nobody was told.
        assert!(network.sent(0, "ACK ") >= 1, "seed {seed}");
        assert!(network.peers[0].events.is_empty());
    }
}

#[test]
fn an_answer_that_crosses_is_ended() {
    let mut acknowledged = 0;
    for seed in 1..40 {
        let mut network = Network::new(2, trouble(), seed);
        let (there, saved) = ringing(&mut network);
        restart(&mut network);
        network.act(0, |endpoint, now| endpoint.cancel_saved(now, &saved));
        // It answers before the CANCEL is there.
        let sdp = Some(Bytes::from_static(b"v=0 answer"));
        network.act(1, |endpoint, now| {
            endpoint.accept(now, there, &[], sdp).unwrap()
        });
        network.wait(1, LONG, |event| match event {
            Event::Ended { call, .. } if *call == there => Some(()),
            _ => None,
        });
        network.assert_empty();
        acknowledged += usize::from(network.sent(0, "ACK ") >= 1);
        assert!(network.sent(0, "BYE ") >= 1, "seed {seed}");
    }
    // Where the answer itself is lost, the BYE may be quicker than its repetition.
    assert!(acknowledged > 25, "{acknowledged}");
}

#[test]
fn an_answer_that_was_not_written_down_is_ended() {
    for seed in 1..40 {
        let mut network = Network::new(2, trouble(), seed);
        let (there, saved) = ringing(&mut network);
        let sdp = Some(Bytes::from_static(b"v=0 answer"));
        network.act(1, |endpoint, now| {
            endpoint.accept(now, there, &[], sdp).unwrap()
        });
        network.wait(0, LONG, |event| {
            matches!(event, Event::Answered { .. }).then_some(())
        });
        // Its ACK has come, too: the peer will not repeat its answer.
        network.run(Duration::from_secs(10));
        restart(&mut network);
        network.act(0, |endpoint, now| endpoint.cancel_saved(now, &saved));
        network.wait(1, LONG, |event| match event {
            Event::Ended { call, .. } if *call == there => Some(()),
            _ => None,
        });
        network.assert_empty();
        assert!(network.peers[0].events.is_empty());
    }
}

#[test]
fn a_peer_that_is_gone_costs_nothing_for_long() {
    let nobody = Trouble {
        loss: 100,
        ..Trouble::default()
    };
    let mut network = Network::new(2, Trouble::default(), 1);
    let (_, saved) = ringing(&mut network);
    restart(&mut network);
    network.trouble = nobody;
    network.act(0, |endpoint, now| endpoint.cancel_saved(now, &saved));
    network.run(Duration::from_secs(100));
    let counts = network.peers[0].endpoint.counts();
    assert_eq!(counts, skillcall_sip::endpoint::Counts::default());
    // What is no INVITE is refused.
    for request in [&b""[..], b"BYE sip:a@h SIP/2.0\r\n\r\n"] {
        let saved = SavedInvite {
            request: request.to_vec(),
            transport: Transport::Udp,
            to: network.peers[1].address,
        };
        assert!(!network.act(0, |endpoint, now| endpoint.cancel_saved(now, &saved)));
    }
}

/// 1 calls 0: the call there, and what 0 wrote down of it.
fn called(network: &mut Network) -> (CallHandle, SavedInvite) {
    network.wait(0, LONG, |event| match event {
        Event::Invite {
            call,
            request,
            flow,
            ..
        } => Some((*call, SavedInvite::of_peer(request, flow))),
        _ => None,
    })
}

#[test]
fn what_a_peer_has_called_is_refused() {
    for seed in 1..40 {
        let mut network = Network::new(2, trouble(), seed);
        let call = network.call(1, 0, Some("v=0"));
        let (here, saved) = called(&mut network);
        let dialog = network.peers[0].endpoint.saved_dialog(here);
        assert!(dialog.is_some());
        network.act(0, |endpoint, now| {
            endpoint
                .provisional(now, here, StatusCode::RINGING, "", &[], None)
                .unwrap();
        });
        network.wait(1, LONG, |event| {
            matches!(event, Event::Provisional { .. }).then_some(())
        });
        restart(&mut network);
        let status = StatusCode::SERVER_INTERNAL_ERROR;
        network.act(0, |endpoint, now| {
            assert!(endpoint.refuse_saved(now, &saved, dialog.as_ref(), status));
            // Once.
            assert!(!endpoint.refuse_saved(now, &saved, dialog.as_ref(), status));
        });
        let failed = network.wait(1, LONG, |event| match event {
            Event::Failed { call, status, .. } => Some((*call, *status)),
            _ => None,
        });
        assert_eq!(failed, (call, status), "seed {seed}");
        network.assert_empty();
    }
}

#[test]
fn an_answer_of_ours_that_was_not_written_down_is_ended() {
    for seed in 1..40 {
        let mut network = Network::new(2, trouble(), seed);
        let call = network.call(1, 0, Some("v=0"));
        let (here, saved) = called(&mut network);
        let dialog = network.peers[0].endpoint.saved_dialog(here);
        let sdp = Some(Bytes::from_static(b"v=0 answer"));
        network.act(0, |endpoint, now| {
            endpoint.accept(now, here, &[], sdp).unwrap()
        });
        network.wait(1, LONG, |event| {
            matches!(event, Event::Answered { .. }).then_some(())
        });
        // In this moment, or later, when the peer remembers nothing of its INVITE.
        network.run(Duration::from_secs(seed % 3 * 20));
        restart(&mut network);
        network.act(0, |endpoint, now| {
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            assert!(endpoint.refuse_saved(now, &saved, dialog.as_ref(), status));
        });
        let ended = network.wait(1, LONG, |event| match event {
            Event::Ended { call, .. } => Some(*call),
            _ => None,
        });
        assert_eq!(ended, call, "seed {seed}");
        network.assert_empty();
        assert!(network.peers[0].events.is_empty());
    }
}
