//! Strangers on the ports of a call: they change nothing.

use std::{net::SocketAddr, time::Duration};

use super::network::{A, B, Network, address, config, identity};
use crate::{Disconnected, Dropped, Event, Peer, Received, Transmit};

const SECOND: Duration = Duration::from_secs(1);

fn stranger() -> SocketAddr {
    ([203, 0, 113, 66], 6_666).into()
}

#[test]
fn a_certificate_that_the_description_does_not_name_is_refused() {
    for liar in [A, B] {
        let now = std::time::Instant::now();
        let other = identity(2).fingerprint().to_string();
        let (mut a, mut offer) = Peer::offer(config(A), now);
        if liar == A {
            offer = offer.replace(&identity(A).fingerprint().to_string(), &other);
        }
        let (b, mut answer) = Peer::answer(config(B), &offer, now).unwrap();
        if liar == B {
            answer = answer.replace(&identity(B).fingerprint().to_string(), &other);
        }
        a.take_answer(&answer, now).unwrap();
        let mut network = Network::of(a, b, now);
        network.run(40 * SECOND);
        let wrong = Event::Disconnected(Disconnected::WrongCertificate);
        assert!(
            network.events[1 - liar].contains(&wrong),
            "{:?}",
            network.events
        );
        assert!(network.say(1 - liar, b"secret").is_err());
    }
}

#[test]
fn forged_stun_changes_nothing() {
    let mut network = Network::connected();
    let genuine: Vec<_> = network
        .sent
        .iter()
        .filter(|(who, transmit)| *who == A && transmit.bytes[0] < 4)
        .map(|(_, transmit)| transmit.bytes.clone())
        .collect();
    assert!(genuine.len() > 2);
    let route = network.peers[B].route();
    let taken = network.peers[B].figures().stun;
    for bytes in &genuine {
        for at in [1, 9, 21, bytes.len() - 30, bytes.len() - 9] {
            let mut forged = bytes.clone();
            forged[at] ^= 0x41;
            let now = network.now;
            let received = network.peers[B].receive(now, address(B), stranger(), &mut forged);
            assert!(matches!(received, Received::Dropped(_)), "{at}");
        }
    }
    assert_eq!(network.peers[B].figures().stun, taken);
    assert!(network.peers[B].figures().stun_dropped > 0);
    network.run(2 * SECOND);
    assert_eq!(network.peers[B].route(), route);
    network.assert_connected();
    network.assert_talk(b"unmoved");
}

#[test]
fn stun_that_was_overheard_leads_no_packets_away() {
    let mut network = Network::connected();
    let route = network.peers[B].route();
    let overheard: Vec<_> = network
        .sent
        .iter()
        .filter(|(who, transmit)| *who == A && transmit.bytes[0] < 4)
        .map(|(_, transmit)| transmit.bytes.clone())
        .collect();
    for bytes in overheard {
        network.arrive(Transmit {
            local: stranger(),
            remote: address(B),
            bytes,
        });
    }
    network.run(60 * SECOND);
    assert_eq!(network.peers[B].route(), route);
    network.assert_connected();
    network.assert_talk(b"unmoved");
}

#[test]
fn packets_that_were_heard_before_are_not_heard_again() {
    let mut network = Network::connected();
    network.assert_talk(b"only once");
    let packets: Vec<_> = network
        .sent
        .iter()
        .filter(|(who, transmit)| *who == A && transmit.bytes[0] >= 128)
        .map(|(_, transmit)| transmit.clone())
        .collect();
    assert_eq!(packets.len(), 1);
    let heard = network.heard[B].len();
    for transmit in packets {
        network.arrive(transmit.clone());
        for at in 0..transmit.bytes.len() {
            let mut forged = transmit.clone();
            forged.bytes[at] ^= 1;
            network.arrive(forged);
        }
    }
    assert_eq!(network.heard[B].len(), heard);
    let figures = *network.peers[B].figures();
    assert_eq!(figures.opened, 1);
    assert!(figures.replayed > 20 && figures.forged > 4, "{figures:?}");
    network.assert_talk(b"and on");
}

#[test]
fn a_flood_of_all_kinds_from_strangers() {
    let mut network = Network::connected();
    let route = network.peers[A].route();
    let mut client_hello = network
        .sent
        .iter()
        .map(|(_, transmit)| transmit.bytes.clone())
        .find(|bytes| bytes[0] == 22)
        .unwrap();
    let now = network.now;
    for byte in 0..=255 {
        for len in [0, 1, 2, 3, 12, 20, 60, 1_400] {
            let mut junk = vec![byte; len];
            let received = network.peers[A].receive(now, address(A), stranger(), &mut junk);
            assert!(matches!(received, Received::Dropped(_)), "{byte} {len}");
        }
    }
    let received = network.peers[A].receive(now, address(A), stranger(), &mut client_hello);
    assert_eq!(received, Received::Dropped(Dropped::Stranger));
    network.run(SECOND);
    assert_eq!(network.peers[A].route(), route);
    network.assert_connected();
    network.assert_talk(b"quiet again");
}

#[test]
fn damaged_dtls_from_the_right_address_ends_no_call() {
    let mut network = Network::connected();
    let flights: Vec<_> = network
        .sent
        .iter()
        .filter(|(who, transmit)| *who == B && (20..64).contains(&transmit.bytes[0]))
        .map(|(_, transmit)| transmit.clone())
        .collect();
    assert!(!flights.is_empty());
    for transmit in flights {
        network.arrive(transmit.clone());
        for at in (0..transmit.bytes.len()).step_by(7) {
            let mut forged = transmit.clone();
            forged.bytes[at] ^= 0x11;
            network.arrive(forged);
        }
    }
    network.run(2 * SECOND);
    network.assert_connected();
    network.assert_talk(b"as if nothing were");
}
