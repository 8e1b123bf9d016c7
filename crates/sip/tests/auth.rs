//! Digest authentication between two endpoints, and of what strangers send.

mod network;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use network::{Network, Trouble, address};
use skillcall_sip::auth::{
    Authenticator, Challenge, Credentials, Hash, Login, NonceVerdict, Nonces, Qop, Refused, Role,
    Secret, Verdict, Wallet,
};
use skillcall_sip::endpoint::{
    CallHandle, Endpoint, Event, OutgoingInvite, OutgoingRequest, OwnReply, Party,
};
use skillcall_sip::message::{
    ExtraHeader, Framing, HeaderName, Message, Method, Request, StatusCode, Uri, parse,
};

const SHORT: Duration = Duration::from_secs(5);
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn authenticator(network: &Network) -> Authenticator {
    Authenticator::new(Role::Server, "pbx.example", [9; 32], network.now).algorithms([
        Hash::Md5,
        Hash::Sha256,
        Hash::Sha512_256,
    ])
}

fn known(user: &str, _: Hash) -> Option<Secret> {
    (user == "room12").then(|| Secret::Password("sesame".to_owned()))
}

fn network() -> Network {
    Network::with(2, Trouble::default(), 5, |_, config| {
        config.methods = vec![Method::Register, Method::Message];
    })
}

fn invite(network: &mut Network, wallet: Option<Wallet>) -> CallHandle {
    let to = network.peers[1].address;
    let target = Uri::parse(&format!("sip:desk@{to}")).unwrap();
    let from = Party::new(Uri::parse("sip:room12@pbx.example").unwrap());
    let mut invite = OutgoingInvite::new(target, to, from, Some(Bytes::from_static(b"v=0")));
    invite.wallet = wallet.map(Arc::new);
    network
        .act(0, |endpoint, now| endpoint.invite(now, invite))
        .unwrap()
}

fn incoming(network: &mut Network) -> (CallHandle, Request) {
    network.wait(1, SHORT, |event| match event {
        Event::Invite { call, request, .. } => Some((*call, request.clone())),
        _ => None,
    })
}

fn refuse(network: &mut Network, call: CallHandle, status: StatusCode, headers: &[ExtraHeader]) {
    network.act(1, |endpoint, now| {
        endpoint.reject(now, call, status, "", headers).unwrap()
    });
}

fn failure(network: &mut Network) -> u16 {
    network.wait(0, SHORT, |event| match event {
        Event::Failed { status, .. } => Some(status.get()),
        _ => None,
    })
}

fn sent(network: &Network, peer: usize, method: &str) -> Vec<Request> {
    let sent = network.peers[peer].sent.iter();
    sent.filter_map(
        |(_, bytes)| match parse(bytes.clone(), Framing::Datagram).unwrap() {
            Message::Request(request) if request.method().as_str() == method => Some(request),
            _ => None,
        },
    )
    .collect()
}

fn credentials(request: &Request) -> Credentials {
    Credentials::parse(request.headers().get(HeaderName::Authorization).unwrap()).unwrap()
}

/// Judges as the user of an endpoint would: challenges until the verdict is a user's name.
fn admit(network: &mut Network, guard: &mut Authenticator) -> CallHandle {
    loop {
        let (call, request) = incoming(network);
        match guard.judge(network.now, SOURCE, &request, known) {
            Verdict::User(user) => {
                assert_eq!(user, "room12");
                return call;
            }
            Verdict::Refused(why) => {
                let headers = guard.challenge(network.now, SOURCE, why);
                refuse(network, call, StatusCode::UNAUTHORIZED, &headers);
            }
        }
    }
}

#[test]
fn a_challenged_invite_comes_again_with_the_strongest_algorithm_and_the_bye_with_it_at_once() {
    for qop in [Qop::Auth, Qop::AuthInt] {
        let mut network = network();
        let mut guard = authenticator(&network).qualities([qop]);
        let call = invite(&mut network, Some(Wallet::password("room12", "sesame")));
        let theirs = admit(&mut network, &mut guard);
        network.act(1, |endpoint, now| {
            let sdp = Some(Bytes::from_static(b"v=0"));
            endpoint.accept(now, theirs, &[], sdp).unwrap()
        });
        network.run(Duration::from_millis(100));
        network.act(0, |endpoint, now| endpoint.bye(now, call, &[]).unwrap());
        network.run(Duration::from_millis(100));

        let invites = sent(&network, 0, "INVITE");
        assert_eq!(invites.len(), 2);
        let [first, second] = [invites[0].headers(), invites[1].headers()];
        assert_eq!(first.call_id(), second.call_id());
        assert_eq!(first.from_tag(), second.from_tag());
        assert_eq!([first.cseq().number, second.cseq().number], [1, 2]);
        assert_ne!(
            first.via().unwrap().branch(),
            second.via().unwrap().branch()
        );
        assert_eq!(invites[0].body(), invites[1].body());
        let answer = credentials(&invites[1]);
        assert_eq!(answer.algorithm.hash, Hash::Sha512_256);
        assert_eq!(answer.qop.as_ref().unwrap().qop, qop);
        assert_eq!(answer.qop.as_ref().unwrap().count, 1);

        // The ACK of the 2xx repeats the INVITE's credentials; that of the 401 has none to repeat.
        let acks = sent(&network, 0, "ACK");
        let with = |request: &Request| {
            request
                .headers()
                .get(HeaderName::Authorization)
                .map(<[u8]>::to_vec)
        };
        assert_eq!(
            acks.iter().map(with).collect::<Vec<_>>(),
            [None, with(&invites[1])]
        );
        let byes = sent(&network, 0, "BYE");
        assert_eq!(credentials(&byes[0]).qop.unwrap().count, 2);
        assert_eq!(byes[0].headers().cseq().number, 3);
        assert_eq!(
            guard.judge(network.now, SOURCE, &byes[0], known),
            Verdict::User("room12".into())
        );
        network.assert_empty();
    }
}

#[test]
fn a_trunk_may_challenge_the_bye_of_a_call_that_it_has_sent() {
    let mut network = network();
    let caller = invite(&mut network, None);
    let (callee, _) = incoming(&mut network);
    network.act(1, |endpoint, now| {
        let wallet = Arc::new(Wallet::password("room12", "sesame"));
        endpoint.set_wallet(callee, wallet).unwrap();
        endpoint
            .accept(now, callee, &[], Some(Bytes::from_static(b"v=0")))
            .unwrap()
    });
    network.run(Duration::from_millis(100));
    // A proxy on the way refuses the first BYE: its 407 is forged here, in the caller's name.
    network.trouble.loss = 100;
    network.act(1, |endpoint, now| endpoint.bye(now, callee, &[]).unwrap());
    network.trouble.loss = 0;
    let bye = sent(&network, 1, "BYE").pop().unwrap();
    let line = |name| String::from_utf8(bye.headers().get(name).unwrap().to_vec()).unwrap();
    let refusal = format!(
        "SIP/2.0 407 Proxy Authentication Required\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Proxy-Authenticate: Digest realm=\"trunk\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\nContent-Length: 0\r\n\r\n",
        line(HeaderName::Via),
        line(HeaderName::From),
        line(HeaderName::To),
        line(HeaderName::CallId),
        line(HeaderName::CSeq),
    );
    network.inject(network.peers[0].address, 1, refusal.as_bytes());
    let again = sent(&network, 1, "BYE").pop().unwrap();
    assert_eq!(
        again.headers().cseq().number,
        bye.headers().cseq().number + 1
    );
    let proof = again.headers().get(HeaderName::ProxyAuthorization).unwrap();
    assert_eq!(Credentials::parse(proof).unwrap().realm, "trunk");
    for peer in [0, 1] {
        let ended = network.wait(peer, SHORT, |event| match event {
            Event::Ended { call, .. } => Some(*call),
            _ => None,
        });
        assert_eq!(ended, if peer == 0 { caller } else { callee });
    }
    network.assert_empty();
}

#[test]
fn a_wrong_password_is_sent_once() {
    let mut network = network();
    let mut guard = authenticator(&network);
    invite(&mut network, Some(Wallet::password("room12", "wrong")));
    for expected in [Refused::Absent, Refused::Wrong] {
        let (call, request) = incoming(&mut network);
        let verdict = guard.judge(network.now, SOURCE, &request, known);
        assert_eq!(verdict, Verdict::Refused(expected));
        let headers = guard.challenge(network.now, SOURCE, expected);
        refuse(&mut network, call, StatusCode::UNAUTHORIZED, &headers);
    }
    assert_eq!(failure(&mut network), 401);
    assert_eq!(network.sent(0, "INVITE "), 2);
    assert_eq!(guard.remembered(), 0);
    network.assert_empty();
}

#[test]
fn nobody_fits_and_nothing_is_sent_again() {
    let other_realm = Wallet::new([Login {
        realm: Some("other.example".into()),
        username: "room12".into(),
        secret: Secret::Password("sesame".into()),
    }]);
    let other_hash = Wallet::new([Login {
        realm: None,
        username: "room12".into(),
        secret: Secret::Ha1 {
            hash: Hash::Sha256,
            hex: "00".repeat(32),
        },
    }]);
    for wallet in [None, Some(other_realm), Some(other_hash)] {
        let mut network = network();
        invite(&mut network, wallet);
        let (call, _) = incoming(&mut network);
        let headers = [
            ExtraHeader::new("WWW-Authenticate", "Basic realm=\"pbx.example\"").unwrap(),
            ExtraHeader::new("WWW-Authenticate", "Digest realm=\"pbx.example\"").unwrap(),
            ExtraHeader::new(
                "WWW-Authenticate",
                "Digest realm=\"pbx.example\", nonce=\"1\", algorithm=AKAv1-MD5",
            )
            .unwrap(),
            ExtraHeader::new(
                "WWW-Authenticate",
                "Digest realm=\"pbx.example\", nonce=\"1\"",
            )
            .unwrap(),
        ];
        refuse(&mut network, call, StatusCode::UNAUTHORIZED, &headers);
        assert_eq!(failure(&mut network), 401);
        assert_eq!(network.sent(0, "INVITE "), 1);
        network.assert_empty();
    }
}

#[test]
fn a_server_that_always_says_stale_is_given_up() {
    let mut network = network();
    invite(&mut network, Some(Wallet::password("room12", "sesame")));
    let mut rounds = 0;
    let mut seen = network.peers[0].events.len();
    while seen == 0 {
        let (call, _) = incoming(&mut network);
        rounds += 1;
        assert!(rounds < 10, "it is sent for ever");
        let header = format!("Digest realm=\"x\", nonce=\"n{rounds}\", stale=true, qop=\"auth\"");
        let header = ExtraHeader::new("WWW-Authenticate", header).unwrap();
        refuse(&mut network, call, StatusCode::UNAUTHORIZED, &[header]);
        network.run(Duration::from_millis(50));
        seen = network.peers[0].events.len();
    }
    assert_eq!(rounds, 4, "one answer, two for stale nonces, then the end");
    assert_eq!(failure(&mut network), 401);
    // The same nonce again, although it is said to be stale, is no reason to try either.
    invite(&mut network, Some(Wallet::password("room12", "sesame")));
    for _ in 0..2 {
        let (call, _) = incoming(&mut network);
        let header = "Digest realm=\"x\", nonce=\"same\", stale=true, qop=\"auth\"";
        let header = ExtraHeader::new("WWW-Authenticate", header).unwrap();
        refuse(&mut network, call, StatusCode::UNAUTHORIZED, &[header]);
    }
    assert_eq!(failure(&mut network), 401);
    network.assert_empty();
}

#[test]
fn a_proxy_and_a_server_each_get_their_answer_to_the_end() {
    let mut network = network();
    let wallet = Wallet::new([
        Login {
            realm: Some("proxy".into()),
            username: "p".into(),
            secret: Secret::Password("pp".into()),
        },
        Login {
            realm: Some("server".into()),
            username: "s".into(),
            secret: Secret::Password("ss".into()),
        },
    ]);
    invite(&mut network, Some(wallet));
    let header = |name, realm| {
        let value = format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth-int,auth\"");
        ExtraHeader::new(name, value).unwrap()
    };
    let (call, _) = incoming(&mut network);
    let headers = [header("Proxy-Authenticate", "proxy")];
    refuse(
        &mut network,
        call,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        &headers,
    );
    let (call, _) = incoming(&mut network);
    refuse(
        &mut network,
        call,
        StatusCode::UNAUTHORIZED,
        &[header("WWW-Authenticate", "server")],
    );
    let (_, request) = incoming(&mut network);
    let proxy = request
        .headers()
        .get(HeaderName::ProxyAuthorization)
        .unwrap();
    let proxy = Credentials::parse(proxy).unwrap();
    assert_eq!(
        (proxy.username.as_str(), proxy.realm.as_str()),
        ("p", "proxy")
    );
    assert_eq!(proxy.qop.unwrap().count, 2);
    let server = credentials(&request);
    assert_eq!(
        (server.username.as_str(), server.qop.unwrap().count),
        ("s", 1)
    );
    assert_eq!(request.headers().cseq().number, 3);
}

#[test]
fn register_and_message_are_challenged_and_answered_outside_calls() {
    for method in [Method::Register, Method::Message] {
        let mut network = network();
        let mut guard = authenticator(&network);
        let to = network.peers[1].address;
        let us = Party::new(Uri::parse("sip:room12@pbx.example").unwrap());
        let target = Uri::parse("sip:pbx.example").unwrap();
        let mut request = OutgoingRequest::new(method.clone(), target, to, us);
        request.wallet = Some(Arc::new(Wallet::password("room12", "sesame")));
        request.body = Some(("text/plain".into(), Bytes::from_static(b"hello")));
        let id = network
            .act(0, |endpoint, now| endpoint.request(now, request))
            .unwrap();
        for round in 0..2 {
            let (request, theirs) = network.wait(1, SHORT, |event| match event {
                Event::Request { id, request, .. } => Some((request.clone(), *id)),
                _ => None,
            });
            assert_eq!(request.body(), b"hello");
            let reply = match guard.judge(network.now, SOURCE, &request, known) {
                Verdict::User(_) => OwnReply::from(StatusCode::OK),
                Verdict::Refused(why) => OwnReply::from(StatusCode::UNAUTHORIZED)
                    .with(guard.challenge(network.now, SOURCE, why)),
            };
            assert_eq!(reply.status == StatusCode::OK, round == 1);
            let twice = network.act(1, |endpoint, now| {
                endpoint.respond(now, theirs, &reply).unwrap();
                endpoint.respond(now, theirs, &reply)
            });
            assert!(twice.is_err());
        }
        let status = network.wait(0, SHORT, |event| match event {
            Event::Response { id: of, status, .. } if *of == id => Some(status.get()),
            _ => None,
        });
        assert_eq!(status, 200);
        assert_eq!(network.sent(0, method.as_str()), 2);
        network.assert_empty();
    }
}

#[test]
fn a_proof_is_good_once_for_its_source_its_request_and_its_time() {
    let mut network = network();
    let mut guard = authenticator(&network);
    invite(&mut network, Some(Wallet::password("room12", "sesame")));
    let call = admit(&mut network, &mut guard);
    let request = sent(&network, 0, "INVITE").pop().unwrap();
    let now = network.now;
    let refused = |why| Verdict::Refused(why);
    // Admitted once already: again it is a replay; from elsewhere the nonce is not ours; later it is stale.
    assert_eq!(
        guard.judge(now, SOURCE, &request, known),
        refused(Refused::Replayed)
    );
    let elsewhere = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(
        guard.judge(now, elsewhere, &request, known),
        refused(Refused::Stale)
    );
    let later = now + Duration::from_secs(301);
    assert_eq!(
        guard.judge(later, SOURCE, &request, known),
        refused(Refused::Stale)
    );
    // A user who does not exist, an algorithm or quality that was not offered, another request's proof.
    let nobody = |_: &str, _: Hash| None;
    assert_eq!(
        guard.judge(now, SOURCE, &request, nobody),
        refused(Refused::Wrong)
    );
    let wire = String::from_utf8(request.wire().to_vec()).unwrap();
    for (from, to) in [
        ("algorithm=SHA-512-256", "algorithm=SHA-512-256-sess"),
        ("qop=auth", "qop=auth-int"),
        ("INVITE sip:desk@", "INVITE sip:premium@"),
        ("response=\"", "response=\"0"),
    ] {
        assert!(wire.contains(from), "{from} is not in {wire}");
        let altered = Bytes::from(wire.replacen(from, to, 1));
        let Ok(Message::Request(altered)) = parse(altered, Framing::Datagram) else {
            panic!("{to} cannot be read")
        };
        assert_eq!(
            guard.judge(now, SOURCE, &altered, known),
            refused(Refused::Wrong),
            "{to}"
        );
    }
    let other_realm = Authenticator::new(Role::Server, "else.example", [9; 32], now)
        .judge(now, SOURCE, &request, known);
    assert_eq!(other_realm, refused(Refused::Absent));
    refuse(&mut network, call, StatusCode::BUSY_HERE, &[]);
    network.assert_empty();
}

#[test]
fn nonces_age_count_and_stay_bounded() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut nonces = Nonces::new([3; 32], start, Duration::from_secs(60), 3);
    let nonce = nonces.make(at(1), SOURCE, 7);
    for (count, expected) in [
        (1, NonceVerdict::Good),
        (1, NonceVerdict::Replayed),
        (3, NonceVerdict::Good),
        (2, NonceVerdict::Good),
        (2, NonceVerdict::Replayed),
        (100, NonceVerdict::Good),
        (30, NonceVerdict::Replayed),
        (99, NonceVerdict::Good),
        (u32::MAX, NonceVerdict::Good),
        (u32::MAX, NonceVerdict::Replayed),
    ] {
        assert_eq!(
            nonces.spend(at(2), SOURCE, &nonce, count),
            expected,
            "{count}"
        );
    }
    assert_eq!(nonces.spend(at(62), SOURCE, &nonce, 9), NonceVerdict::Stale);
    for wrong in [
        "",
        "é",
        "0",
        &nonce[1..],
        &nonce.replace('7', "8"),
        &nonce.to_uppercase(),
        &format!("+{}", &nonce[1..]),
    ] {
        if wrong != nonce {
            let verdict = nonces.age(at(2), SOURCE, wrong);
            assert_eq!(verdict, NonceVerdict::Foreign, "{wrong}");
        }
    }
    // Four clients at once in a table of three: the oldest has to take a new nonce.
    let many: Vec<String> = (0..4u64)
        .map(|i| nonces.make(at(30 + i), SOURCE, i))
        .collect();
    for nonce in &many {
        let verdict = nonces.spend(at(40), SOURCE, nonce, 1);
        assert_eq!(verdict, NonceVerdict::Good);
        assert!(nonces.remembered() <= 3);
    }
    let verdicts: Vec<_> = many
        .iter()
        .map(|nonce| nonces.spend(at(41), SOURCE, nonce, 1))
        .collect();
    use NonceVerdict::{Replayed, Stale};
    assert_eq!(verdicts, [Stale, Replayed, Replayed, Replayed]);
    // With time all are forgotten.
    let fresh = nonces.make(at(200), SOURCE, 9);
    assert_eq!(nonces.spend(at(200), SOURCE, &fresh, 1), NonceVerdict::Good);
    assert_eq!(nonces.remembered(), 1);
}

#[test]
fn headers_are_read_leniently_and_written_strictly() {
    let read = |value: &str| Challenge::parse(value.as_bytes());
    let full = read(
        "Digest realm=\"a \\\"b\\\"\" ,nonce=\"n=\",opaque=\"\", stale=TRUE,algorithm=\"sha-256\", qop=\"auth-int , auth,x\", domain=\"sip:a\"",
    )
    .unwrap();
    assert_eq!(full.realm, "a \"b\"");
    assert!(full.stale && full.opaque.as_deref() == Some(""));
    assert_eq!(full.qop, [Qop::AuthInt, Qop::Auth]);
    assert_eq!(full.algorithm.hash, Hash::Sha256);
    assert_eq!(
        full.to_string(),
        "Digest realm=\"a \\\"b\\\"\", nonce=\"n=\", opaque=\"\", stale=true, algorithm=SHA-256, qop=\"auth-int,auth\""
    );
    assert_eq!(read(&full.to_string()), Ok(full));
    let old = read("digest nonce=abc==,realm=x").unwrap();
    assert_eq!((old.nonce.as_str(), old.qop.len()), ("abc==", 0));
    for wrong in [
        "",
        "Digest",
        "Basic realm=\"x\"",
        "Digest realm=\"x\"",
        "Digest nonce=\"x\"",
        "Digest realm=\"x, nonce=\"y\"",
        "Digest realm=\"x\", nonce=\"y\", qop=\"none\"",
        "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-1",
        "Digest realm=\"x\" nonce=\"y\"",
        "Digest realm",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let value = "Digest username=\"bob\",realm=\"x\",nonce=\"y\",uri=\"sip:a\",response=\"AB\",cnonce=\"c\",qop=auth,nc=0000000A";
    let answer = Credentials::parse(value.as_bytes()).unwrap();
    assert_eq!(answer.qop.as_ref().unwrap().count, 10);
    assert_eq!(answer.response, "ab");
    let again = Credentials::parse(answer.to_string().as_bytes());
    assert_eq!(again, Ok(answer));
    for wrong in ["nc=A", "nc=+0000001", "nc=", "qop=x"] {
        let value = value
            .replace("nc=0000000A", wrong)
            .replace("qop=auth,qop", "qop");
        let result = Credentials::parse(value.as_bytes());
        assert!(result.is_err() || wrong == "qop=x", "{wrong}");
    }
}

#[test]
fn a_request_nobody_answers_is_forgotten() {
    let mut network = network();
    let to = network.peers[1].address;
    let us = Party::new(Uri::parse("sip:a@b").unwrap());
    let target = Uri::parse("sip:c@d").unwrap();
    let request = OutgoingRequest::new(Method::Message, target, to, us);
    network
        .act(0, |endpoint: &mut Endpoint, now| {
            endpoint.request(now, request)
        })
        .unwrap();
    let status = network.wait(0, Duration::from_secs(40), |event| match event {
        Event::Response { status, cause, .. } => Some((status.get(), cause.is_some())),
        _ => None,
    });
    assert_eq!(status, (408, true));
    let requests = network.peers[1].events.len();
    assert_eq!(requests, 1, "retransmissions are absorbed");
    assert_eq!(network.times(1, "SIP/2.0"), Vec::<u128>::new());
    let _ = address(1);
    network.assert_empty();
}
