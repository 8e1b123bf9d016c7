//! Peers with RSA certificates, and the two implementations of DTLS against each other.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::network::{A, B, Network, config};
use crate::{Config, Disconnected, Event, Identity, dtls::OpenSsl};

const TIME: Duration = Duration::from_secs(3);

fn ecdsa() -> Identity {
    static MADE: OnceLock<Identity> = OnceLock::new();
    MADE.get_or_init(|| Identity::with_backend(Arc::new(OpenSsl::generate().unwrap())))
        .clone()
}

fn rsa() -> Identity {
    static MADE: OnceLock<Identity> = OnceLock::new();
    MADE.get_or_init(|| Identity::with_backend(Arc::new(OpenSsl::generate_rsa().unwrap())))
        .clone()
}

fn with(identity: Identity, of: usize) -> Config {
    Config {
        identity,
        ..config(of)
    }
}

#[test]
fn each_certificate_with_each_in_both_roles() {
    // A offers and becomes the server, B answers and becomes the client.
    for (name, a, b) in [
        ("RSA server", with(rsa(), A), with(ecdsa(), B)),
        ("RSA client", with(ecdsa(), A), with(rsa(), B)),
        ("both RSA", with(rsa(), A), with(rsa(), B)),
        ("OpenSSL as server", with(ecdsa(), A), config(B)),
        ("OpenSSL as client", config(A), with(ecdsa(), B)),
    ] {
        let mut network = Network::new(a, b);
        network.run(TIME);
        assert_eq!(
            network.events,
            [[Event::Connected], [Event::Connected]],
            "{name}"
        );
        network.assert_talk(b"good morning");
    }
}

#[test]
fn another_certificate_than_the_descriptions_is_refused() {
    let now = std::time::Instant::now();
    let (mut a, offer) = crate::Peer::offer(with(ecdsa(), A), now);
    let foreign = offer.replace(
        &ecdsa().fingerprint().to_string(),
        &rsa().fingerprint().to_string(),
    );
    let (b, answer) = crate::Peer::answer(with(ecdsa(), B), &foreign, now).unwrap();
    a.take_answer(&answer, now).unwrap();
    let mut network = Network::of(a, b, now);
    network.run(TIME);
    let wrong = Event::Disconnected(Disconnected::WrongCertificate);
    assert!(network.events[B].contains(&wrong), "{:?}", network.events);
    assert!(!network.events[B].contains(&Event::Connected));
}
