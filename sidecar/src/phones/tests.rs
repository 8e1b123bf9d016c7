use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use skillcall_sip::auth::{Challenge, Hash, Qop};
use skillcall_sip::message::{Framing, Message, parse};

use super::*;
use crate::config::DigestQuality;

const PHONE: &str = "198.51.100.7:40000";

struct Bench {
    folder: tempfile::TempDir,
    config: SidecarConfig,
}

fn bench(more: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("101.password");
    std::fs::write(&secret, "sesame").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "[phones]\nmin-expires = 1\nalgorithms = [\"SHA-256\", \"MD5\"]\n[[phone]]\nuser = \"101\"\npassword-file = \"101.password\"\n{more}"
    );
    let file = folder.path().join("sidecar.toml");
    let config = SidecarConfig::parse(&text, Path::new(&file)).unwrap();
    Bench { folder, config }
}

fn flow() -> Flow {
    Flow::udp("192.0.2.1:5060".parse().unwrap(), PHONE.parse().unwrap())
}

fn register(user: &str, cseq: u32, port: u16, expires: u32, credentials: &str) -> Request {
    let text = format!(
        "REGISTER sip:sip.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:{port};branch=z9hG4bK{cseq};rport\r\n\
         From: <sip:{user}@sip.example>;tag=1\r\nTo: <sip:{user}@sip.example>\r\nCall-ID: c{port}\r\n\
         CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@10.0.0.5:{port}>;expires={expires}\r\n\
         {credentials}Content-Length: 0\r\n\r\n"
    );
    match parse(Bytes::from(text), Framing::Datagram).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

/// Credentials for the first challenge of a reply.
fn answer(reply: &OwnReply, user: &str, password: &str) -> String {
    let challenge = reply
        .headers
        .iter()
        .find(|header| header.name().eq_ignore_ascii_case("WWW-Authenticate"))
        .unwrap();
    let Challenge { realm, nonce, .. } = Challenge::parse(challenge.value()).unwrap();
    let hash = |text: String| Hash::Sha256.hex(&[text.as_bytes()]);
    let who = hash(format!("{user}:{realm}:{password}"));
    let what = hash("REGISTER:sip:sip.example".to_owned());
    let response = hash(format!("{who}:{nonce}:00000001:c:auth:{what}"));
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"sip:sip.example\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", \
         response=\"{response}\"\r\n"
    )
}

fn registered(phones: &Phones, user: &str, port: u16, password: &str) -> Outcome {
    let now = Instant::now();
    let asked = phones.register(now, &register(user, 1, port, 60, ""), &flow());
    assert_eq!(asked.reply.status, StatusCode::UNAUTHORIZED);
    assert!(!asked.suspect);
    let credentials = answer(&asked.reply, user, password);
    phones.register(now, &register(user, 2, port, 60, &credentials), &flow())
}

#[test]
fn a_phone_is_reached_where_it_registered_also_after_a_restart() {
    let bench = bench("contacts = 2\n");
    let phones = Phones::open(&bench.config).unwrap();
    assert!(phones.places("101").is_empty());
    let outcome = registered(&phones, "101", 5071, "sesame");
    assert_eq!(outcome.reply.status, StatusCode::OK);
    assert!(outcome.registered.is_some_and(|lasts| lasts.as_secs() > 50));
    registered(&phones, "101", 5072, "sesame");
    registered(&phones, "101", 5073, "sesame");
    // The oldest has given way.
    let places = phones.places("101");
    assert_eq!(places.len(), 2);
    assert!(!places.iter().any(|place| place.contact.contains("5071")));
    assert!(
        places
            .iter()
            .all(|place| place.source == PHONE.parse().unwrap())
    );

    let bindings = phones.due().unwrap();
    phones.write(&bindings);
    assert!(phones.due().is_none(), "nothing has changed since");
    let file = bench.folder.path().join("state/phones.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Phones::open(&bench.config).unwrap();
    assert_eq!(again.places("101"), places);
    assert_eq!(again.sources().len(), 2);

    // A phone that is taken away is not called any more.
    let other = SidecarConfig::parse("", Path::new("sidecar.toml")).unwrap();
    again.reload(&other);
    assert!(again.places("101").is_empty());
    std::fs::write(&file, "no registrations").unwrap();
    assert!(Phones::open(&bench.config).is_err());
}

#[test]
fn where_it_is_asked_for_the_body_is_protected_too() {
    let mut bench = bench("");
    bench.config.phones.qualities = vec![DigestQuality::AuthInt];
    let phones = Phones::open(&bench.config).unwrap();
    let now = Instant::now();
    let with_body = |cseq: u32, credentials: &str, body: &str| {
        let wire = register("101", cseq, 5071, 60, credentials);
        let text = String::from_utf8_lossy(wire.wire()).into_owned();
        let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let text = text.replace("Content-Length: 0\r\n\r\n", &length);
        match parse(Bytes::from(text), Framing::Datagram).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    };
    let asked = phones.register(now, &with_body(1, "", "a body"), &flow());
    let challenge = Challenge::parse(asked.reply.headers[0].value()).unwrap();
    assert_eq!(challenge.qop, [Qop::AuthInt]);
    let hash = |text: String| Hash::Sha256.hex(&[text.as_bytes()]);
    let (realm, nonce) = (&challenge.realm, &challenge.nonce);
    let who = hash(format!("101:{realm}:sesame"));
    let answer = |quality: &str, count: u32, what: String| {
        let response = hash(format!(
            "{who}:{nonce}:{count:08x}:c:{quality}:{}",
            hash(what)
        ));
        format!(
            "Authorization: Digest username=\"101\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"sip:sip.example\", algorithm=SHA-256, qop={quality}, nc={count:08x}, cnonce=\"c\", \
             response=\"{response}\"\r\n"
        )
    };
    let digest = hash("a body".to_owned());
    let whole = |count| {
        answer(
            "auth-int",
            count,
            format!("REGISTER:sip:sip.example:{digest}"),
        )
    };
    let plain = answer("auth", 1, "REGISTER:sip:sip.example".to_owned());
    let judged = |cseq, credentials: &str, body: &str| {
        let request = with_body(cseq, credentials, body);
        phones.register(now, &request, &flow()).reply.status
    };
    let refused = StatusCode::UNAUTHORIZED;
    assert_eq!(
        judged(2, &plain, "a body"),
        refused,
        "less than was asked for"
    );
    assert_eq!(judged(3, &whole(1), "another body"), refused);
    assert_eq!(judged(4, &whole(1), "a body"), StatusCode::OK);
}

#[test]
fn wrong_passwords_and_unknown_users_look_alike() {
    let bench = bench("networks = [\"198.51.100.0/24\"]\n");
    let phones = Phones::open(&bench.config).unwrap();
    let shape = |outcome: &Outcome| {
        let headers: Vec<(String, usize)> = outcome
            .reply
            .headers
            .iter()
            .map(|header| (header.name().to_owned(), header.value().len()))
            .collect();
        (outcome.reply.status, outcome.suspect, headers)
    };
    let wrong = registered(&phones, "101", 5071, "open");
    let unknown = registered(&phones, "199", 5071, "open");
    assert_eq!(wrong.reply.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.suspect);
    assert_eq!(shape(&wrong), shape(&unknown));
    assert_eq!(phones.count(), 0);
    // Elsewhere than in its networks a phone is nobody.
    let elsewhere = Flow::udp(
        "192.0.2.1:5060".parse().unwrap(),
        "203.0.113.9:40000".parse().unwrap(),
    );
    let now = Instant::now();
    let asked = phones.register(now, &register("101", 1, 5071, 60, ""), &elsewhere);
    let credentials = answer(&asked.reply, "101", "sesame");
    let outcome = phones.register(now, &register("101", 2, 5071, 60, &credentials), &elsewhere);
    assert_eq!(shape(&outcome), shape(&wrong));
    assert!(phones.may_knock("198.51.100.9".parse().unwrap(), false));
    assert!(!phones.may_knock("203.0.113.9".parse().unwrap(), true));
}

#[test]
fn nobody_registers_for_somebody_else() {
    let bench = bench("");
    let phones = Phones::open(&bench.config).unwrap();
    let now = Instant::now();
    let asked = phones.register(now, &register("102", 1, 5071, 60, ""), &flow());
    let credentials = answer(&asked.reply, "101", "sesame");
    let outcome = phones.register(now, &register("102", 2, 5071, 60, &credentials), &flow());
    assert_eq!(outcome.reply.status, StatusCode::FORBIDDEN);
    assert!(phones.may_knock("203.0.113.9".parse().unwrap(), true));
    assert!(!phones.may_knock("203.0.113.9".parse().unwrap(), false));
}
