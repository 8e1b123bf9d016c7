//! Servers that are played here; a real one is asked by the sidecar's tests.

use turn_client_proto::stun::types::{
    attribute::XorMappedAddress,
    message::{Message, MessageWriteVec},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What a STUN server answers.
fn answer(request: &[u8], seen: SocketAddr) -> Vec<u8> {
    let request = Message::from_bytes(request).unwrap();
    let mut answer = Message::builder_success(&request, MessageWriteVec::new());
    let mapped = XorMappedAddress::new(seen, request.transaction_id());
    answer.add_attribute(&mapped).unwrap();
    answer.finish()
}

#[test]
fn what_a_stun_server_sees_becomes_a_candidate_and_is_asked_for_again() {
    let (socket, server) = (address("192.168.1.5:40000"), address("203.0.113.1:3478"));
    let seen = address("203.0.113.77:61000");
    let servers = Servers {
        stun: vec![server, address("[2001:db8::1]:3478")],
        turn: Vec::new(),
    };
    let mut now = Instant::now();
    let mut gatherer = Gatherer::new(LocalAddress::Host(socket), &servers, now);
    let (to, lost) = gatherer.poll(now).unwrap();
    assert_eq!(to, server);
    assert_eq!(gatherer.poll(now), None);
    assert_eq!(gatherer.addresses(), [LocalAddress::Host(socket)]);
    assert!(!gatherer.is_done(now));

    now = gatherer.due(now).unwrap();
    let (_, request) = gatherer.poll(now).unwrap();
    let late = answer(&lost, address("203.0.113.99:1"));
    assert_eq!(gatherer.receive(now, server, &late), FromServer::NotOurs);
    let foreign = gatherer.receive(now, address("198.51.100.1:3478"), &answer(&request, seen));
    assert_eq!(foreign, FromServer::NotOurs);
    let taken = gatherer.receive(now, server, &answer(&request, seen));
    assert_eq!(taken, FromServer::Handled);
    let public = LocalAddress::Public {
        socket,
        public: seen,
    };
    assert_eq!(gatherer.addresses(), [public]);
    assert!(gatherer.is_done(now));

    let renewal = gatherer.due(now).unwrap();
    assert!(renewal > now + Duration::from_secs(10));
    assert!(gatherer.poll(renewal).is_some());
}

#[test]
fn a_rule_of_the_administrator_needs_no_stun_server() {
    let host = LocalAddress::Public {
        socket: address("192.168.1.5:40000"),
        public: address("203.0.113.9:40000"),
    };
    let servers = Servers {
        stun: vec![address("203.0.113.1:3478")],
        turn: Vec::new(),
    };
    let now = Instant::now();
    let mut gatherer = Gatherer::new(host, &servers, now);
    assert_eq!(gatherer.poll(now), None);
    assert!(gatherer.is_done(now));
    assert_eq!(gatherer.addresses(), [host]);
}

#[test]
fn a_dead_server_is_waited_for_no_longer_than_it_may() {
    let servers = Servers {
        stun: Vec::new(),
        turn: vec![TurnServer {
            address: address("203.0.113.1:3478"),
            username: "gateway".to_owned(),
            password: "secret of the gateway".to_owned(),
        }],
    };
    let now = Instant::now();
    let mut gatherer = Gatherer::new(
        LocalAddress::Host(address("192.168.1.5:40000")),
        &servers,
        now,
    );
    assert!(gatherer.poll(now).is_some(), "an Allocate request");
    assert!(!gatherer.is_done(now));
    assert!(gatherer.is_done(now + PATIENCE));
    assert_eq!(gatherer.addresses().len(), 1);
    assert!(!format!("{servers:?}").contains("secret"));
}
