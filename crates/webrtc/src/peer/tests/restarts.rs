//! Another network in the middle of a call.

use std::{net::SocketAddr, time::Duration};

use super::network::{A, B, Network, address};
use crate::{Event, LocalAddress};

const SECOND: Duration = Duration::from_secs(1);

fn elsewhere() -> SocketAddr {
    ([203, 0, 113, 77], 42_000).into()
}

fn move_to(network: &mut Network, who: usize, place: SocketAddr) {
    network.addresses.push((place, who));
    let now = network.now;
    let offer = network.peers[who].offer_restart(&[LocalAddress::Host(place)], now);
    let answered = network.peers[1 - who].answer_again(&offer, now).unwrap();
    assert!(answered.ice_restarted);
    assert!(!answered.direction_changed && !answered.codec_changed);
    network.peers[who]
        .take_answer(&answered.answer, now)
        .unwrap();
}

#[test]
fn a_change_of_network_keeps_the_keys() {
    for who in [A, B] {
        let mut network = Network::connected();
        network.assert_talk(b"by the old way");
        move_to(&mut network, who, elsewhere());
        // The old way works until the new one is found.
        network.say(who, b"in between").unwrap();
        network.run(2 * SECOND);
        assert_eq!(network.peers[who].route().unwrap().local, elsewhere());
        assert_eq!(network.peers[1 - who].route().unwrap().remote, elsewhere());
        assert!(
            network.heard[1 - who]
                .iter()
                .any(|packet| packet.ends_with(b"in between"))
        );
        // The old address is gone.
        network
            .addresses
            .retain(|(known, _)| *known != address(who));
        network.run(60 * SECOND);
        network.assert_connected();
        assert_eq!(network.handshakes(), 1);
        network.assert_talk(b"by the new way");
    }
}

#[test]
fn the_old_network_may_be_gone_at_once() {
    let mut network = Network::connected();
    network.addresses.retain(|(known, _)| *known != address(A));
    network.run(5 * SECOND);
    move_to(&mut network, A, elsewhere());
    network.run(2 * SECOND);
    network.assert_connected();
    network.assert_talk(b"hardly noticed");
}

#[test]
fn a_call_whose_consent_is_lost_comes_back() {
    let mut network = Network::connected();
    network.addresses.retain(|(known, _)| *known != address(A));
    network.run(40 * SECOND);
    move_to(&mut network, A, elsewhere());
    network.run(2 * SECOND);
    for events in &network.events {
        assert!(
            matches!(
                events[..],
                [Event::Connected, Event::Disconnected(_), Event::Connected]
            ),
            "{events:?}"
        );
    }
    network.assert_talk(b"back again");
}

#[test]
fn a_restart_that_nobody_answers_is_forgotten() {
    let mut network = Network::connected();
    let now = network.now;
    let _lost = network.peers[A].offer_restart(&[LocalAddress::Host(elsewhere())], now);
    network.run(10 * SECOND);
    network.peers[A].withdraw_offer();
    network.run(60 * SECOND);
    network.assert_connected();
    network.assert_talk(b"all as before");
}

#[test]
fn restarts_over_bad_networks() {
    for seed in 1..=6 {
        let mut network = Network::connected().seeded(seed);
        network.loss = 200;
        network.delay = Duration::from_millis(150);
        move_to(&mut network, B, elsewhere());
        network.run(20 * SECOND);
        network.loss = 0;
        network.assert_connected();
        assert_eq!(network.peers[A].route().unwrap().remote, elsewhere());
        network.assert_talk(b"all the same");
    }
}
