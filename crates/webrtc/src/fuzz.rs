//! Bodies of the fuzz targets. They are part of the crate so that stable builds run them on mutated inputs too.
//!
//! Each takes any bytes and must return: no panic, no endless loop, no growth beyond the stated bounds.

use std::{sync::OnceLock, time::Instant};

use crate::{Config, Identity, LocalAddress, Output, Peer};

fn peer_config() -> Option<Config> {
    static IDENTITY: OnceLock<Option<Identity>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Identity::generate().ok()).clone()?;
    let address = ([192, 0, 2, 1], 4_000).into();
    Some(Config::new(identity, vec![LocalAddress::Host(address)]))
}

/// A description as offer, as later offer, and as answer. What is answered can be read again.
pub fn description(bytes: &[u8]) {
    let Some(config) = peer_config() else {
        return;
    };
    let text = String::from_utf8_lossy(bytes);
    let now = Instant::now();
    if let Ok((mut peer, answer)) = Peer::answer(config.clone(), &text, now) {
        assert!(crate::sdp::Remote::parse(&answer).is_ok(), "{answer}");
        let _ = peer.answer_again(&text, now);
        let _ = peer.poll(now);
    }
    let (mut peer, _) = Peer::offer(config, now);
    let _ = peer.take_answer(&text, now);
}

/// Datagrams of a stranger at a leg that waits for its peer: the first byte is the length of each.
pub fn datagrams(bytes: &[u8]) {
    let Some(config) = peer_config() else {
        return;
    };
    let now = Instant::now();
    let (mut peer, _) = Peer::offer(config, now);
    let (local, remote) = (([192, 0, 2, 1], 4_000).into(), ([192, 0, 2, 9], 9).into());
    let mut rest = bytes;
    while let Some((len, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(behind.len().min(usize::from(*len)));
        let _ = peer.receive(now, local, remote, &mut datagram.to_vec());
        rest = behind;
    }
    assert!(!peer.is_connected());
    while !matches!(peer.poll(now), Output::Wait(_)) {}
}
