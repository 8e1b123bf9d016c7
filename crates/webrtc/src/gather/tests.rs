//! Servers that are played here; a real one is asked by the sidecar's tests.

use turn_client_proto::stun::types::attribute::{ErrorCode, Nonce, Realm};
use turn_client_proto::stun::types::{
    attribute::XorMappedAddress,
    message::{Message, MessageWriteVec},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};

use super::*;

/// How long a server is left alone that has given nothing.
const PAUSE_OF_RELAYS: Duration = Duration::from_secs(30);

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
    assert_eq!(to, Carrier::Socket(server));
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
    let servers = turn();
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

fn turn() -> Servers {
    Servers {
        stun: Vec::new(),
        turn: vec![TurnServer {
            address: address("203.0.113.1:3478"),
            transport: TurnTransport::Udp,
            username: "gateway".to_owned(),
            password: "secret of the gateway".to_owned(),
        }],
    }
}

/// What a TURN server answers to who is unknown, or to who is known and may not.
fn refusal(request: &[u8], code: u16) -> Vec<u8> {
    let request = Message::from_bytes(request).unwrap();
    let mut answer = Message::builder_error(&request, MessageWriteVec::new());
    let code = ErrorCode::builder(code).build().unwrap();
    answer.add_attribute(&code).unwrap();
    let realm = Realm::new("example.org").unwrap();
    answer.add_attribute(&realm).unwrap();
    let nonce = Nonce::new("1").unwrap();
    answer.add_attribute(&nonce).unwrap();
    answer.finish()
}

/// The next datagram, whenever it is due.
fn next(gatherer: &mut Gatherer, now: &mut Instant) -> Vec<u8> {
    for _ in 0..64 {
        if let Some((_, datagram)) = gatherer.poll(*now) {
            return datagram;
        }
        *now = gatherer.due(*now).unwrap().max(*now);
    }
    panic!("nothing is sent")
}

#[test]
fn refused_credentials_are_told_and_tried_again_later() {
    let (servers, begin) = (turn(), Instant::now());
    let (server, host) = (
        servers.turn[0].address,
        LocalAddress::Host(address("192.168.1.5:40000")),
    );
    let mut now = begin;
    let mut gatherer = Gatherer::new(host, &servers, now);
    let request = next(&mut gatherer, &mut now);
    gatherer.receive(now, server, &refusal(&request, 401));
    // That is how each begins.
    assert!(!gatherer.is_done(now) && gatherer.problems(now).is_empty());
    let request = next(&mut gatherer, &mut now);
    gatherer.receive(now, server, &refusal(&request, 401));
    assert!(gatherer.is_done(now));
    let told = |gatherer: &Gatherer, now| {
        let problems = gatherer.problems(now);
        problems.first().map(ToString::to_string)
    };
    let refused = told(&gatherer, now).unwrap();
    assert!(
        refused.starts_with("the TURN server 203.0.113.1:3478 does not take our username and password (401 Unauthorized)"),
        "{refused}"
    );

    // It pauses, asks anew, and is refused again: nothing else is told meanwhile.
    let mut asked = Vec::new();
    let end = begin + Duration::from_secs(240);
    while now < end {
        while let Some((_, datagram)) = gatherer.poll(now) {
            gatherer.receive(now, server, &refusal(&datagram, 401));
            asked.push((now, datagram));
        }
        assert!(asked.len() < 64);
        now = gatherer
            .due(now)
            .unwrap()
            .max(now + Duration::from_millis(1));
    }
    assert_eq!(told(&gatherer, now), Some(refused));
    let again = asked.iter().filter(|(_, datagram)| datagram.len() < 64);
    assert!(again.count() > 2, "it is asked again");

    // A leg that has begun has no use for another address.
    assert_eq!(gatherer.begin(), [host]);
    gatherer.close(now);
    assert_eq!(gatherer.poll(now), None);
    assert!(gatherer.is_closed());
}

#[test]
fn a_stun_server_that_falls_silent_is_not_believed_for_ever() {
    let (socket, server) = (address("192.168.1.5:40000"), address("203.0.113.1:3478"));
    let servers = Servers {
        stun: vec![server],
        turn: Vec::new(),
    };
    let mut now = Instant::now();
    let mut gatherer = Gatherer::new(LocalAddress::Host(socket), &servers, now);
    let request = next(&mut gatherer, &mut now);
    gatherer.receive(
        now,
        server,
        &answer(&request, address("203.0.113.77:61000")),
    );
    assert_ne!(gatherer.addresses(), [LocalAddress::Host(socket)]);
    for _ in 0..10 {
        now = gatherer.due(now).unwrap();
        assert!(gatherer.poll(now).is_some());
    }
    assert_eq!(gatherer.addresses(), [LocalAddress::Host(socket)]);
    assert_eq!(gatherer.problems(now)[0].why, Why::Silent);
}

#[test]
fn a_server_behind_a_connection_hears_nothing_of_the_socket_and_is_missed_when_it_breaks() {
    let mut servers = turn();
    servers.turn[0].transport = TurnTransport::Tcp;
    let (server, host) = (
        servers.turn[0].address,
        LocalAddress::Host(address("192.168.1.5:40000")),
    );
    let mut now = Instant::now();
    let mut gatherer = Gatherer::new(host, &servers, now);
    assert_eq!(
        gatherer.streams().map(|(at, _)| at).collect::<Vec<_>>(),
        [0]
    );
    let (to, request) = gatherer.poll(now).unwrap();
    assert_eq!(to, Carrier::Stream(0));
    // A datagram from the server's address is not the server's.
    let forged = refusal(&request, 401);
    assert_eq!(gatherer.receive(now, server, &forged), FromServer::NotOurs);
    assert_eq!(
        gatherer.receive_by_stream(now, 0, &forged),
        FromServer::Handled
    );
    assert_eq!(
        gatherer.receive_by_stream(now, 1, &forged),
        FromServer::NotOurs
    );
    let request = next(&mut gatherer, &mut now);
    assert!(request.len() > 64, "it says who we are");
    gatherer.stream_ended(now, 0);
    assert!(gatherer.is_done(now));
    assert_eq!(gatherer.problems(now)[0].why, Why::NoConnection);
    assert_eq!(gatherer.problems(now)[0].kind, ServerKind::TurnTcp);
    assert_eq!(gatherer.poll(now), None);
    // It is asked for anew, as if nothing had been.
    now += PAUSE_OF_RELAYS;
    let request = next(&mut gatherer, &mut now);
    assert!(request.len() < 64);
}
