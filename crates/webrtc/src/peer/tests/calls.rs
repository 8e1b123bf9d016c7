//! Calls as they should go, and over bad networks.

use std::time::Duration;

use skillcall_media::encoding::Encoding;

use super::network::{A, B, Network, address, config};
use crate::{
    Config, Disconnected, Event, LocalAddress, NotReady, Peer, Received, Style, dtls::Role,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_full_agents_connect_and_talk() {
    let mut network = Network::connected();
    assert_eq!(network.peers[A].role(), Some(Role::Server));
    assert_eq!(network.peers[B].role(), Some(Role::Client));
    assert_eq!(network.handshakes(), 1);
    network.assert_talk(b"good morning");
    for who in [A, B] {
        let route = network.peers[who].route().unwrap();
        assert_eq!(
            (route.local, route.remote),
            (address(who), address(1 - who))
        );
        let audio = *network.peers[who].audio().unwrap();
        assert_eq!((audio.encoding, audio.send.number()), (Encoding::Opus, 96));
        assert!(audio.events.is_some_and(|events| events.clock == 48_000));
    }
}

#[test]
fn a_lite_agent_on_either_side() {
    for (a, b) in [(Network::lite(A), config(B)), (config(A), Network::lite(B))] {
        let mut network = Network::new(a, b);
        network.run(3 * SECOND);
        network.assert_connected();
        network.assert_talk(b"to and fro");
    }
}

#[test]
fn rtcp_goes_the_same_way() {
    let mut network = Network::connected();
    // A receiver report without blocks.
    let report = [0x80, 201, 0, 1, 0, 0, 0, 11];
    let mut buffer = [0; 64];
    buffer[..8].copy_from_slice(&report);
    let (route, len) = network.peers[A].send_rtcp(&mut buffer, 8).unwrap();
    let mut datagram = buffer[..len].to_vec();
    let received = network.peers[B].receive(network.now, route.remote, route.local, &mut datagram);
    assert_eq!(received, Received::Rtcp(&report));
}

#[test]
fn an_echo_calls() {
    let echo = Config {
        codecs: vec![Encoding::Opus, Encoding::Pcmu, Encoding::Pcma],
        events: false,
        style: Style::Echo { video: true },
        ..config(A)
    };
    let mut network = Network::new(echo, config(B));
    network.run(3 * SECOND);
    network.assert_connected();
    network.assert_talk(b"call the front desk");
    assert_eq!(network.peers[B].audio().unwrap().events, None);
}

#[test]
fn bad_networks_delay_but_do_not_prevent() {
    for seed in 1..=12 {
        let mut network = Network::new(config(A), config(B)).seeded(seed);
        network.loss = 200;
        network.delay = Duration::from_millis(150);
        network.run(25 * SECOND);
        network.assert_connected();
        network.loss = 0;
        network.assert_talk(b"at last");
    }
}

#[test]
fn a_bad_network_costs_no_call_that_runs() {
    for seed in 1..=4 {
        let mut network = Network::connected().seeded(seed);
        network.loss = 200;
        network.run(300 * SECOND);
        network.loss = 0;
        network.assert_connected();
        network.assert_talk(b"still there");
    }
}

#[test]
fn nothing_is_sent_before_the_keys_are_there() {
    let mut network = Network::new(config(A), config(B));
    assert_eq!(network.say(A, b"x"), Err(NotReady::NotConnected));
}

#[test]
fn who_is_never_reached_is_given_up() {
    let mut network = Network::new(config(A), config(B));
    network.loss = 1_000;
    network.run(29 * SECOND);
    assert!(network.events[A].is_empty());
    network.run(2 * SECOND);
    for who in [A, B] {
        assert_eq!(
            network.events[who],
            [Event::Disconnected(Disconnected::NeverConnected)]
        );
    }
}

#[test]
fn silence_ends_the_consent_and_the_network_s_return_renews_it() {
    let mut network = Network::connected();
    network.loss = 1_000;
    network.run(31 * SECOND);
    for who in [A, B] {
        assert_eq!(
            network.events[who],
            [
                Event::Connected,
                Event::Disconnected(Disconnected::ConsentLost)
            ]
        );
        assert_eq!(network.say(who, b"x"), Err(NotReady::NotConnected));
    }
}

#[test]
fn a_farewell_arrives() {
    let mut network = Network::connected();
    let now = network.now;
    network.peers[A].close(now);
    assert_eq!(network.say(A, b"x"), Err(NotReady::NotConnected));
    network.run(SECOND);
    assert_eq!(
        network.events[B],
        [Event::Connected, Event::Disconnected(Disconnected::Closed)]
    );
}

#[test]
fn an_address_behind_a_translation_is_named_and_used() {
    let public = ([203, 0, 113, 7], 41_000).into();
    for mode in [crate::IceMode::Full, crate::IceMode::Lite] {
        let behind = Config {
            mode,
            addresses: vec![LocalAddress::Public {
                socket: address(B),
                public,
            }],
            ..config(B)
        };
        let now = std::time::Instant::now();
        let (mut a, offer) = Peer::offer(config(A), now);
        let (b, answer) = Peer::answer(behind, &offer, now).unwrap();
        assert!(answer.contains(" 203.0.113.7 41000 typ "), "{answer}");
        assert_eq!(
            answer.contains(" 198.51.100.2 50000 typ host"),
            mode == crate::IceMode::Full,
            "a lite agent names the outside only: {answer}"
        );
        a.take_answer(&answer, now).unwrap();
        drop(b);
    }
}
