//! Keep-alives that are agreed on (RFC 6223): asked for by a registrar, by who is called through an address translation, and
//! by us of our phones.

use crate::support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_sip::auth::Wallet;
use skillcall_sip::endpoint::{Destination, Endpoint, EndpointConfig, Event, Flow, Party};
use skillcall_sip::message::{Keep, Response, StatusCode, Uri};
use skillcall_sip::registration::{Registration, RegistrationConfig};
use support::{Behaviour, Bench, Handler, LIMIT, Phone, hang_up_all, write_secret};

/// How long a peer asks keep-alives to be apart, in seconds.
const APART: u64 = 2;
/// The least time between two, with room for a clock that is read late.
const LEAST: Duration = Duration::from_millis(1400);

fn trunk(target: &str, more: &str) -> String {
    format!(
        "{more}[[route]]\nprefix = \"+\"\ntrunk = \"pbx\"\n[[trunk]]\nname = \"pbx\"\n\
         target = [{{ address = \"{target}\" }}]\n"
    )
}

/// The answer 200 to a request, whose Via asks for keep-alives if it offers them.
fn answer(request: &str, more: &str, body: &str) -> String {
    let mut answer = String::from("SIP/2.0 200 OK\r\n");
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    for line in request.lines() {
        if copied.iter().any(|name| line.starts_with(name)) {
            let line = line.replacen(";keep", &format!(";keep={APART}"), 1);
            let tag = if line.starts_with("To:") && !line.contains("tag=") {
                ";tag=1"
            } else {
                ""
            };
            answer.push_str(&format!("{line}{tag}\r\n"));
        }
    }
    format!("{answer}{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn line<'a>(message: &'a str, name: &str) -> &'a str {
    let found = message.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// What comes to a socket: a SIP message, or nothing if it is a binding request.
fn receive(socket: &UdpSocket) -> (Option<String>, SocketAddr) {
    let mut buffer = [0; 65_535];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    let datagram = &buffer[..length];
    if datagram.len() == 20 && datagram[..8] == [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42] {
        return (None, from);
    }
    (Some(String::from_utf8_lossy(datagram).into_owned()), from)
}

/// Waits for three binding requests in a row, from where the request came.
fn kept_alive(socket: &UdpSocket, whose: SocketAddr) {
    let mut last = None;
    let mut count = 0;
    while count < 3 {
        let (message, from) = receive(socket);
        if message.is_some() {
            continue;
        }
        assert_eq!(from, whose, "the flow is that of the request");
        let now = Instant::now();
        let apart = last.map_or(Duration::MAX, |last| now - last);
        assert!(apart >= LEAST, "{apart:?}");
        (last, count) = (Some(now), count + 1);
    }
}

fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

async fn aside(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_gets_the_keep_alives_that_it_asks_for() {
    let registrar = udp();
    let sip = registrar.local_addr().unwrap();
    let text = trunk(&sip.to_string(), "") + "register = { user = \"account\" }\n";
    let bench = Bench::with(Handler::absent(), None, &text, |_| {}).await;
    aside(move || {
        let (register, from) = receive(&registrar);
        let register = register.unwrap();
        assert!(line(&register, "Via: ").ends_with(";keep"), "{register}");
        let contact = format!("Contact: {}\r\n", line(&register, "Contact: "));
        registrar
            .send_to(answer(&register, &contact, "").as_bytes(), from)
            .unwrap();
        kept_alive(&registrar, from);
    })
    .await;
    bench.is_registered().await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_on_a_connection_gets_them_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sip = listener.local_addr().unwrap();
    let text =
        trunk(&format!("sip:{sip};transport=tcp"), "") + "register = { user = \"account\" }\n";
    let bench = Bench::with(Handler::absent(), None, &text, |_| {}).await;
    aside(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.set_read_timeout(Some(LIMIT)).unwrap();
        let mut buffer = [0; 65_535];
        let mut register = String::new();
        while !register.contains("\r\n\r\n") {
            let length = connection.read(&mut buffer).unwrap();
            register.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        let contact = format!("Contact: {}\r\n", line(&register, "Contact: "));
        connection
            .write_all(answer(&register, &contact, "").as_bytes())
            .unwrap();
        let mut last = None;
        for _ in 0..3 {
            let length = connection.read(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"\r\n\r\n");
            connection.write_all(b"\r\n").unwrap();
            let apart = last.map_or(Duration::MAX, |last: Instant| last.elapsed());
            assert!(apart >= LEAST, "{apart:?}");
            last = Some(Instant::now());
        }
    })
    .await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_called_through_a_translation_gets_them_as_long_as_the_call_lasts() {
    for translated in [true, false] {
        let desk = udp();
        let sip = desk.local_addr().unwrap();
        let more = if translated {
            "[[sip.network]]\npeers = [\"127.0.0.1\"]\npublic-address = \"127.0.0.9\"\n"
        } else {
            ""
        };
        let handler =
            Handler::start(
                |event| match event["InvocationEventType"].as_str().unwrap() {
                    "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                        "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100",
                        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550101"}]}}]),
                    "HANGUP" => hang_up_all(event),
                    _ => json!([]),
                },
            )
            .await;
        let bench = Bench::with(handler, None, &trunk(&sip.to_string(), more), |_| {}).await;
        let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
        bench.call(&caller, &[]);
        aside(move || {
            let (invite, from) = receive(&desk);
            let invite = invite.unwrap();
            let offered = line(&invite, "Via: ").ends_with(";keep");
            assert_eq!(offered, translated, "{invite}");
            let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                       m=audio 9 RTP/AVP 0\r\n";
            let more = format!("Contact: <sip:desk@{sip}>\r\nContent-Type: application/sdp\r\n");
            let ok = answer(&invite, &more, sdp);
            desk.send_to(ok.as_bytes(), from).unwrap();
            if translated {
                kept_alive(&desk, from);
            }
        })
        .await;
        caller.wait("the answer", |state| state.answered);
        caller.hang_up();
        caller.wait("the end", |state| state.ended);
        bench.sidecar.shutdown().await;
    }
}

/// Registers as a phone, and gives the answer.
fn register(socket: &UdpSocket, to: SocketAddr) -> Response {
    let local = socket.local_addr().unwrap();
    let mut endpoint = Endpoint::new(EndpointConfig::new(local, [9; 32]));
    let address = Party::new(Uri::parse(&format!("sip:101@{to}")).unwrap());
    let registrar = Uri::parse(&format!("sip:{to}")).unwrap();
    let mut config = RegistrationConfig::new(registrar, to, address);
    config.wallet = Some(std::sync::Arc::new(Wallet::password("101", "sesame")));
    let mut registration = Registration::new(Instant::now(), config, [8; 32]);
    let mut request = registration.poll(Instant::now()).unwrap();
    request.keep = true;
    endpoint.request(Instant::now(), request).unwrap();
    let until = Instant::now() + LIMIT;
    let mut buffer = [0; 65_535];
    while Instant::now() < until {
        while let Some(transmit) = endpoint.poll_transmit() {
            let Destination::Addr(to) = transmit.destination else {
                panic!("no address")
            };
            socket.send_to(&transmit.bytes, to).unwrap();
        }
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let flow = Flow::udp(local, from);
        endpoint.receive(Instant::now(), &flow, &buffer[..length]);
        if let Some(Event::Response { response, .. }) = endpoint.poll_event() {
            return response.unwrap();
        }
    }
    panic!("no answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_told_how_often_and_its_keep_alives_are_answered() {
    for (setting, expected) in [
        ("", Keep::Wanted(28)),
        ("peer-keep-alive-seconds = 11\n", Keep::Wanted(11)),
        ("peer-keep-alive-seconds = 0\n", Keep::Offered),
    ] {
        let text = format!(
            "sources = [\"192.0.2.0/24\"]\n{setting}[[phone]]\nuser = \"101\"\n\
             password-file = \"secrets/phone.password\"\nnetworks = [\"127.0.0.0/8\"]\n"
        );
        let bench = Bench::with(Handler::absent(), None, &text, |config| {
            let secret = config.origin.folder().join("secrets/phone.password");
            write_secret(&secret, "sesame");
        })
        .await;
        let to = bench.sidecar.sip_udp().unwrap();
        aside(move || {
            let phone = udp();
            let response = register(&phone, to);
            assert_eq!(response.status(), StatusCode::OK);
            let via = response.headers().via().unwrap();
            assert_eq!(via.keep(), Some(expected));
            let binding = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
            let request = [&binding[..], b"twelve bytes"].concat();
            phone.send_to(&request, to).unwrap();
            let mut buffer = [0; 100];
            let (length, _) = phone.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..2], [1, 1]);
            assert_eq!(&buffer[8..20], b"twelve bytes");
            assert_eq!(length, 32);
        })
        .await;
        bench.sidecar.shutdown().await;
    }
}

/// A binding response (RFC 8489 §14.2): it sees its peer at this port of 127.0.0.1.
fn seen_at(request: &[u8], port: u16) -> Vec<u8> {
    let mut answer = vec![1, 1, 0, 12];
    answer.extend(&request[4..20]);
    answer.extend([0, 0x20, 0, 8, 0, 1]);
    answer.extend((port ^ 0x2112).to_be_bytes());
    answer.extend([127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42]);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_that_sees_us_elsewhere_or_is_silent_is_registered_with_anew() {
    let registrar = udp();
    let sip = registrar.local_addr().unwrap();
    let text = trunk(&sip.to_string(), "") + "register = { user = \"account\" }\n";
    let bench = Bench::with(Handler::absent(), None, &text, |_| {}).await;
    aside(move || {
        let mut buffer = [0; 65_535];
        // Binding requests since the last REGISTER, and REGISTERs.
        let (mut asked, mut registers) = (0, 0);
        while registers < 3 {
            let (length, from) = registrar.recv_from(&mut buffer).unwrap();
            let datagram = &buffer[..length];
            if datagram[..2] == [0, 1] {
                asked += 1;
                let port = match (registers, asked) {
                    // Another address, the second time: as after a new start of what translates addresses.
                    (1, 1) => 40_001,
                    (1, 2) => 40_002,
                    // One answer, and then silence.
                    (2, 1) => 40_002,
                    _ => continue,
                };
                registrar.send_to(&seen_at(datagram, port), from).unwrap();
                continue;
            }
            let register = String::from_utf8_lossy(datagram).into_owned();
            let contact = format!("Contact: {};expires=3600\r\n", line(&register, "Contact: "));
            match registers {
                1 => assert_eq!(asked, 2, "as soon as the address is another one"),
                2 => assert_eq!(asked, 6, "one that was answered, and five times the next"),
                _ => {}
            }
            (asked, registers) = (0, registers + 1);
            registrar
                .send_to(answer(&register, &contact, "").as_bytes(), from)
                .unwrap();
        }
    })
    .await;
    bench.sidecar.shutdown().await;
}
