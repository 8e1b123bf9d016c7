//! Registration: our client against our registrar over a network that loses, and each by the book.

mod network;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use network::{Network, Trouble};
use proptest::prelude::*;
use skillcall_sip::auth::{Authenticator, Role, Secret, Verdict, Wallet};
use skillcall_sip::endpoint::{ConnectionId, Event, Flow, OwnReply, Party, SentId};
use skillcall_sip::message::{
    ExtraHeader, Framing, HeaderName, Message, Method, Request, Response, StatusCode, Uri, UriRef,
    parse,
};
use skillcall_sip::registration::{
    Binding, Change, Outcome, Registrar, RegistrarConfig, Registration, RegistrationConfig,
    RegistrationState,
};

const NOW: u64 = 1_800_000_000;

fn flow() -> Flow {
    Flow::udp(
        "127.0.0.1:5060".parse().unwrap(),
        "192.0.2.7:40001".parse().unwrap(),
    )
}

fn register(cseq: u32, lines: &str) -> Request {
    let text = format!(
        "REGISTER sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{cseq}\r\n\
         From: <sip:Bob@pbx.example>;tag=1\r\nTo: <sip:Bob@PBX.example;x=y>\r\nCall-ID: one\r\nCSeq: {cseq} REGISTER\r\n\
         {lines}Content-Length: 0\r\n\r\n"
    );
    match parse(Bytes::from(text), Framing::Stream).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    }
}

fn lookup(registrar: &Registrar, now: u64) -> Vec<&Binding> {
    registrar.lookup(
        now,
        &UriRef::parse(b"sip:Bob@pbx.example:5080;transport=tcp").unwrap(),
    )
}

fn contacts(registrar: &Registrar, now: u64) -> Vec<(String, u64)> {
    let found = lookup(registrar, now);
    found
        .iter()
        .map(|binding| (binding.contact.clone(), binding.left(now)))
        .collect()
}

#[test]
fn each_register_gets_the_answer_of_rfc_3261_section_10_3() {
    // Lines of the REGISTER, status, and what is bound afterwards; each after an hour's binding of sip:a@h at CSeq 1.
    let a = ("sip:a@h".to_owned(), 3600);
    type Case<'a> = (u32, &'a str, u16, &'a [(&'a str, u64)]);
    let cases: &[Case<'_>] = &[
        (2, "", 200, &[("sip:a@h", 3600)]),
        (
            2,
            "Contact: <sip:a@h>\r\nExpires: 120\r\n",
            200,
            &[("sip:a@h", 120)],
        ),
        (
            2,
            "Contact: <sip:a@H;line=1>;expires=100000\r\n",
            200,
            &[("sip:a@H;line=1", 7200)],
        ),
        (2, "Contact: <sip:a@h>;expires=0\r\n", 200, &[]),
        (2, "Contact: *\r\nExpires: 0\r\n", 200, &[]),
        (2, "Contact: *\r\n", 400, &[("sip:a@h", 3600)]),
        (
            2,
            "Contact: *\r\nExpires: 10\r\n",
            400,
            &[("sip:a@h", 3600)],
        ),
        (
            2,
            "Contact: *, <sip:b@h>\r\nExpires: 0\r\n",
            400,
            &[("sip:a@h", 3600)],
        ),
        (
            2,
            "Contact: <sip:b@h>;expires=59\r\n",
            423,
            &[("sip:a@h", 3600)],
        ),
        (
            2,
            "Contact: <sip:b@h>;expires=60;q=0.5\r\n",
            200,
            &[("sip:a@h", 3600), ("sip:b@h", 60)],
        ),
        (
            2,
            "Contact: <sip:b@h>, <sip:c@h>;expires=1\r\n",
            423,
            &[("sip:a@h", 3600)],
        ),
        (2, "Contact: <sip:b@h>;q=1.5\r\n", 400, &[("sip:a@h", 3600)]),
        (2, "Contact: <nonsense>\r\n", 400, &[("sip:a@h", 3600)]),
        (
            2,
            "Contact: <sip:b@h>\r\nPath: nonsense>\r\n",
            400,
            &[("sip:a@h", 3600)],
        ),
        (
            1,
            "Contact: <sip:a@h>;expires=600\r\n",
            500,
            &[("sip:a@h", 3600)],
        ),
        (1, "Contact: *\r\nExpires: 0\r\n", 500, &[("sip:a@h", 3600)]),
        (
            1,
            "Contact: <sip:d@h>;expires=600\r\n",
            200,
            &[("sip:a@h", 3600), ("sip:d@h", 600)],
        ),
        (
            2,
            "Contact: <sip:b@h>, <sip:c@h>, <sip:d@h>, <sip:e@h>\r\n",
            400,
            &[("sip:a@h", 3600)],
        ),
        (
            2,
            "Contact: <sip:b@h>, <sip:c@h>, <sip:d@h>\r\n",
            403,
            &[("sip:a@h", 3600)],
        ),
    ];
    for (cseq, lines, status, bound) in cases {
        let mut registrar = Registrar::new(RegistrarConfig {
            domains: vec!["pbx.example".into()],
            bindings_per_address: 3,
            ..RegistrarConfig::default()
        });
        let first = registrar.register(NOW, &register(1, "Contact: <sip:a@h>\r\n"), &flow());
        assert_eq!(first.reply.contacts, ["<sip:a@h>;expires=3600"]);
        assert_eq!(contacts(&registrar, NOW), std::slice::from_ref(&a));
        let outcome = registrar.register(NOW, &register(*cseq, lines), &flow());
        assert_eq!(outcome.reply.status.get(), *status, "{lines}");
        let mut found = contacts(&registrar, NOW);
        found.sort();
        let bound: Vec<_> = bound
            .iter()
            .map(|(uri, left)| ((*uri).to_owned(), *left))
            .collect();
        assert_eq!(found, bound, "{lines}");
        assert_eq!(registrar.len(), bound.len());
        if *status == 200 {
            assert_eq!(outcome.reply.contacts.len(), bound.len(), "{lines}");
        } else {
            assert_eq!(outcome.changes, []);
        }
        if *status == 423 {
            assert_eq!(
                outcome.reply.headers,
                [ExtraHeader::new("Min-Expires", "60").unwrap()]
            );
        }
    }
    let mut registrar = Registrar::new(RegistrarConfig {
        domains: vec!["else.example".into()],
        ..RegistrarConfig::default()
    });
    let outcome = registrar.register(NOW, &register(1, "Contact: <sip:a@h>\r\n"), &flow());
    assert_eq!(outcome.reply.status, StatusCode::NOT_FOUND);
}

#[test]
fn bindings_are_preferred_run_out_and_survive_a_restart() {
    let mut registrar = Registrar::new(RegistrarConfig::default());
    let lines = "Contact: <sip:low@h>;q=0.2;expires=100, <sip:high@h>;q=0.75;expires=300, <sip:new@h>;expires=200\r\n";
    let outcome = registrar.register(NOW, &register(1, lines), &flow());
    assert_eq!(outcome.changes.len(), 3);
    assert_eq!(
        outcome.reply.contacts,
        [
            "<sip:low@h>;q=0.200;expires=100",
            "<sip:high@h>;q=0.750;expires=300",
            "<sip:new@h>;expires=200"
        ]
    );
    let order = |registrar: &Registrar, now| -> Vec<String> {
        contacts(registrar, now)
            .into_iter()
            .map(|(uri, _)| uri)
            .collect()
    };
    assert_eq!(
        order(&registrar, NOW),
        ["sip:new@h", "sip:high@h", "sip:low@h"]
    );
    assert_eq!(order(&registrar, NOW + 100), ["sip:new@h", "sip:high@h"]);

    let kept: Vec<(String, Binding)> = registrar
        .bindings()
        .map(|(address, binding)| (address.to_owned(), binding.clone()))
        .collect();
    let text = serde_json::to_string(&kept).unwrap();
    let mut after = Registrar::new(RegistrarConfig::default());
    let read: Vec<(String, Binding)> = serde_json::from_str(&text).unwrap();
    after.restore(NOW + 150, read);
    assert_eq!(order(&after, NOW + 150), ["sip:new@h", "sip:high@h"]);
    assert_eq!(after.next_end(), Some(NOW + 200));
    let gone = after.expire(NOW + 200);
    assert!(matches!(&gone[..], [Change::Removed { contact, .. }] if contact == "sip:new@h"));
    assert_eq!(after.expire(NOW + 1000).len(), 1);
    assert!(after.is_empty() && after.next_end().is_none());
    // A late copy of an old REGISTER does not bring back what a later one took away.
    let source: SocketAddr = kept[0].1.source;
    assert_eq!(source, flow().remote);
}

#[test]
fn path_service_route_and_flows_are_acknowledged() {
    let mut registrar = Registrar::new(RegistrarConfig {
        service_route: vec!["<sip:edge.example;lr>".into()],
        ..RegistrarConfig::default()
    });
    let flow_line = |contact: &str, id: u32| {
        format!(
            "Contact: <{contact}>;+sip.instance=\"<urn:uuid:1>\";reg-id={id}\r\n\
             Path: <sip:p1.example;lr>\r\nPath: <sip:p2.example;lr;ob>\r\nSupported: path, outbound\r\n"
        )
    };
    let reply = registrar
        .register(NOW, &register(1, &flow_line("sip:a@h:1", 1)), &flow())
        .reply;
    let header = |name: &str| -> Vec<String> {
        let found = reply.headers.iter().filter(|header| header.name() == name);
        found
            .map(|header| String::from_utf8(header.value().to_vec()).unwrap())
            .collect()
    };
    assert_eq!(
        header("Path"),
        ["<sip:p1.example;lr>", "<sip:p2.example;lr;ob>"]
    );
    assert_eq!(header("Service-Route"), ["<sip:edge.example;lr>"]);
    assert_eq!(header("Require"), ["outbound"]);
    assert_eq!(
        reply.contacts,
        ["<sip:a@h:1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1;expires=3600"]
    );
    // The same flow from another port replaces, another flow stands beside.
    let changes = registrar
        .register(NOW, &register(2, &flow_line("sip:a@h:2", 1)), &flow())
        .changes;
    assert!(
        matches!(&changes[..], [Change::Removed { contact, .. }, Change::Bound { .. }] if contact == "sip:a@h:1")
    );
    registrar.register(NOW, &register(3, &flow_line("sip:a@h:3", 2)), &flow());
    assert_eq!(registrar.len(), 2);
    assert_eq!(
        lookup(&registrar, NOW)[0].path,
        ["<sip:p1.example;lr>", "<sip:p2.example;lr;ob>"]
    );
    // Who does not support Path hears nothing of it.
    let plain = registrar.register(
        NOW,
        &register(4, "Contact: <sip:b@h>\r\nPath: <sip:p;lr>\r\n"),
        &flow(),
    );
    assert!(
        !plain
            .reply
            .headers
            .iter()
            .any(|header| header.name() == "Path")
    );
}

#[test]
fn strangers_fill_no_more_than_the_bounds() {
    let mut registrar = Registrar::new(RegistrarConfig {
        bindings: 10,
        ..RegistrarConfig::default()
    });
    for i in 0..100 {
        let request = register(1, &format!("Contact: <sip:a@h{i}>\r\n"));
        let wire = String::from_utf8(request.wire().to_vec()).unwrap();
        let wire = wire.replace("sip:Bob@PBX", &format!("sip:u{i}@PBX"));
        let Ok(Message::Request(request)) = parse(Bytes::from(wire), Framing::Stream) else {
            panic!()
        };
        let status = registrar
            .register(NOW, &request, &flow())
            .reply
            .status
            .get();
        assert_eq!(status, if i < 10 { 200 } else { 503 });
    }
    assert_eq!(registrar.len(), 10);
    let long = "x".repeat(2000);
    for lines in [
        format!("Contact: <sip:a@h;x={long}>\r\n"),
        format!("Contact: <sip:a@h>;x={long}\r\n"),
        format!("Contact: <sip:a@h>\r\nPath: <sip:{long}@h;lr>\r\n"),
    ] {
        let status = registrar
            .register(NOW, &register(1, &lines), &flow())
            .reply
            .status;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(registrar.expire(NOW + 3600).len(), 10);
}

fn client(now: Instant, expires: u32) -> Registration {
    let mut config = RegistrationConfig::new(
        Uri::parse("sip:pbx.example").unwrap(),
        "127.0.0.1:5061".parse::<SocketAddr>().unwrap(),
        Party::new(Uri::parse("sip:room12@pbx.example").unwrap()),
    );
    config.expires = expires;
    config.contact = Some(Uri::parse("sip:skillcall@127.0.0.1:5060").unwrap());
    config.wallet = Some(Arc::new(Wallet::password("room12", "sesame")));
    Registration::new(now, config, [4; 32])
}

fn response(status: &str, cseq: u32, lines: &str) -> Response {
    let text = format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n\
         Call-ID: 1\r\nCSeq: {cseq} REGISTER\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    match parse(Bytes::from(text), Framing::Stream).unwrap() {
        Message::Response(response) => response,
        Message::Request(_) => panic!("a response"),
    }
}

#[test]
fn the_client_waits_as_each_answer_says() {
    let start = Instant::now();
    let status = |code| StatusCode::new(code).unwrap();
    let mut client = client(start, 100);
    let request = client.poll(start).unwrap();
    assert_eq!((request.cseq, request.method), (1, Method::Register));
    assert_eq!(
        client.poll(start + Duration::from_secs(99)).map(|_| ()),
        None
    );
    // 423: at once, longer; once only.
    let brief = response("423 Interval Too Brief", 2, "Min-Expires: 600\r\n");
    assert_eq!(
        client.on_response(start, status(423), Some(&brief)),
        Outcome::Again
    );
    let again = client.poll(start).unwrap();
    assert_eq!(again.cseq, 3, "one above what the endpoint made of it");
    assert_eq!(
        again.headers[0],
        ExtraHeader::new("Expires", "600").unwrap()
    );
    assert_eq!(again.call_id, request.call_id);
    // Timeouts and 5xx: each wait at least as long as half of the doubled one, and no longer than the whole.
    let mut now = start;
    for (round, code) in [500, 408, 503, 504, 480].into_iter().enumerate() {
        let Outcome::Failed { next, .. } = client.on_response(now, status(code), None) else {
            panic!("{code}")
        };
        let whole = Duration::from_secs(30 << round);
        let wait = next - now;
        assert!(wait >= whole / 2 && wait <= whole, "{code}: {wait:?}");
        assert!(client.poll(next - Duration::from_millis(1)).is_none());
        assert_eq!(client.state(now), RegistrationState::Trying { next });
        now = next;
        assert!(client.poll(now).is_some());
    }
    // Retry-After is obeyed where it is longer.
    let busy = response("503 Service Unavailable", 90, "Retry-After: 1700\r\n");
    let Outcome::Failed { next, .. } = client.on_response(now, status(503), Some(&busy)) else {
        panic!()
    };
    assert_eq!(next - now, Duration::from_secs(1700));
    now = next;
    assert_eq!(client.poll(now).unwrap().cseq, 91);
    // A refusal is not hammered.
    let Outcome::Failed { next, .. } = client.on_response(now, status(403), None) else {
        panic!()
    };
    assert_eq!(next - now, Duration::from_secs(1800));
    now = next;
    client.poll(now).unwrap();
    // The registrar's word for our Contact counts, not the others' nor the header's.
    let ok = response(
        "200 OK",
        200,
        "Contact: <sip:other@h>;expires=9\r\nContact: <sip:skillcall@127.0.0.1:5060;ob>;expires=120\r\nExpires: 7\r\n\
         Service-Route: <sip:a;lr>, <sip:b;lr>\r\n",
    );
    let outcome = client.on_response(now, StatusCode::OK, Some(&ok));
    assert_eq!(outcome, Outcome::Registered { expires: 120 });
    assert_eq!(client.service_route(), ["<sip:a;lr>", "<sip:b;lr>"]);
    assert_eq!(client.next_timeout(), Some(now + Duration::from_secs(88)));
    // Taken back: Expires 0, and then nothing more.
    client.unregister(now);
    let last = client.poll(now).unwrap();
    assert_eq!(last.headers[0], ExtraHeader::new("Expires", "0").unwrap());
    let outcome = client.on_response(now, StatusCode::OK, Some(&response("200 OK", 202, "")));
    assert_eq!(outcome, Outcome::Unregistered);
    assert_eq!(client.state(now), RegistrationState::Off);
    assert_eq!(client.next_timeout(), None);
    let _ = ConnectionId(1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over a bad network a registration comes up, is renewed in time, and is taken back; challenges included.
    #[test]
    fn a_registration_holds_over_a_bad_network(seed in any::<u64>(), loss in 0u64..30, duplicates in 0u64..30, delay in 0u64..400) {
        let mut network = Network::with(2, Trouble { loss, duplicates, delay }, seed, |_, config| {
            config.methods = vec![Method::Register];
        });
        let start = network.now;
        let unix = |now: Instant| NOW + (now - start).as_secs();
        let mut registrar = Registrar::new(RegistrarConfig::default());
        let mut guard = Authenticator::new(Role::Server, "pbx.example", [8; 32], start);
        let mut ours = client(start, 30);
        let mut id: Option<SentId> = None;
        let mut bound_since = None;
        let mut outages = 0;
        let until = start + Duration::from_secs(1200);
        let end = until + Duration::from_secs(300);
        while network.now < end {
            if network.now >= until && ours.state(network.now) != RegistrationState::Off {
                ours.unregister(network.now);
            }
            if let Some(request) = ours.poll(network.now) {
                id = Some(network.act(0, |endpoint, now| endpoint.request(now, request)).unwrap());
            }
            // The next thing that happens, but in steps of a second at most.
            let next = network.now + Duration::from_secs(1);
            network.step(next);
            for event in std::mem::take(&mut network.peers[1].events) {
                let Event::Request { id, request, flow, .. } = event else { continue };
                let secret = |_: &str, _: skillcall_sip::auth::Hash| Some(Secret::Password("sesame".into()));
                let reply = match guard.judge(network.now, flow.remote.ip(), &request, secret) {
                    Verdict::User(_) => registrar.register(unix(network.now), &request, &flow).reply,
                    Verdict::Refused(why) => OwnReply::from(StatusCode::UNAUTHORIZED)
                        .with(guard.challenge(network.now, flow.remote.ip(), why)),
                };
                network.act(1, |endpoint, now| endpoint.respond(now, id, &reply)).unwrap();
            }
            for event in std::mem::take(&mut network.peers[0].events) {
                let Event::Response { id: of, status, response, .. } = event else { continue };
                prop_assert_eq!(Some(of), id);
                ours.on_response(network.now, status, response.as_ref());
            }
            registrar.expire(unix(network.now));
            if network.now < until {
                match (bound_since, registrar.is_empty()) {
                    (None, false) => bound_since = Some(network.now),
                    (Some(_), true) => { bound_since = None; outages += 1; }
                    _ => {}
                }
            }
        }
        // 30 % loss each way can undo a renewal now and then; without loss there is no gap.
        prop_assert!(outages <= loss / 5, "{} outages at {} % loss", outages, loss);
        prop_assert!(loss > 15 || registrar.is_empty(), "the binding was not taken back");
        network.run(Duration::from_secs(100));
        network.assert_empty();
    }
}

#[test]
fn a_header_of_a_register_is_what_the_rfc_wants() {
    let mut network = Network::new(2, Trouble::default(), 1);
    let mut ours = client(network.now, 60);
    let request = ours.poll(network.now).unwrap();
    network
        .act(0, |endpoint, now| endpoint.request(now, request))
        .unwrap();
    let (_, wire) = network.peers[0].sent[0].clone();
    let Ok(Message::Request(request)) = parse(wire, Framing::Datagram) else {
        panic!()
    };
    assert_eq!(request.raw_uri(), b"sip:pbx.example");
    let headers = request.headers();
    assert_eq!(headers.to().unwrap().raw_uri(), b"sip:room12@pbx.example");
    assert_eq!(headers.to_tag(), None);
    assert_eq!(headers.get(HeaderName::Expires), Some(&b"60"[..]));
    assert_eq!(
        headers.get(HeaderName::Contact),
        Some(&b"<sip:skillcall@127.0.0.1:5060>;expires=60"[..])
    );
}
