//! Ports for programs that are told where to listen.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the system gives away by itself: one that is free now would be another socket's before a slow program
/// has started.
const PORTS: std::ops::Range<u16> = 10_000..20_000;
/// Ports for one program: RTP and RTCP, those of SIPp's video, and TLS behind TCP.
const STEP: u16 = 4;

/// An even port that is free now for UDP and TCP, with the next three; each call gives another.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let places = (PORTS.end - PORTS.start) / STEP;
    // What an earlier test program used may rest.
    let offset = u16::try_from(std::process::id() * 37 % u32::from(places)).unwrap();
    let free = |port: &u16| {
        UdpSocket::bind(("127.0.0.1", *port)).is_ok()
            && TcpListener::bind(("127.0.0.1", *port)).is_ok()
    };
    for _ in 0..places {
        let place = (NEXT.fetch_add(1, Ordering::Relaxed) % places + offset) % places;
        let port = PORTS.start + place * STEP;
        if (port..port + STEP).all(|port| free(&port)) {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
