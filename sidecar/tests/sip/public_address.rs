//! A public address that a STUN server tells: the sidecar behind an address translation, coturn on the Internet, and a trunk
//! there. The translation's address changes, and the server goes away.

use crate::support;

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::json;
use support::coturn::Coturn;
use support::network::{HERE, Nat, RELAY, is_own_network, socket_in};
use support::{Behaviour, Bench, Handler, LIMIT, Phone, TOKEN};

/// The translation's first address, and another one.
const FIRST: &str = "198.51.100.1";
const SECOND: &str = "198.51.100.9";

fn line<'a>(message: &'a str, name: &str) -> &'a str {
    let found = message.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// A trunk on the Internet: it takes every REGISTER, is busy for every call, and tells what came.
fn trunk(socket: UdpSocket) -> Receiver<String> {
    let (told, messages) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_535];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let status = match request.split(' ').next() {
                Some("REGISTER") => "200 OK",
                Some("INVITE") => "486 Busy Here",
                _ => continue,
            };
            let mut answer = format!("SIP/2.0 {status}\r\n");
            for name in ["Via: ", "From: ", "Call-ID: ", "CSeq: ", "Contact: "] {
                if status == "200 OK" || name != "Contact: " {
                    answer.push_str(&format!("{name}{}\r\n", line(&request, name)));
                }
            }
            let to = line(&request, "To: ");
            answer.push_str(&format!("To: {to};tag=d\r\nContent-Length: 0\r\n\r\n"));
            if told.send(request).is_err() || socket.send_to(answer.as_bytes(), from).is_err() {
                return;
            }
        }
    });
    messages
}

/// The next request of a method whose Contact names an address.
fn next(messages: &Receiver<String>, method: &str, address: &str) -> String {
    let until = Instant::now() + LIMIT;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let message = messages.recv_timeout(left);
        let message = message.unwrap_or_else(|_| panic!("no {method} from {address}"));
        if message.starts_with(method) && line(&message, "Contact: ").contains(address) {
            return message;
        }
    }
}

fn near(arguments: &str) {
    let status = Command::new("ip")
        .args(["netns", "exec", "near", "sh", "-c", arguments])
        .status()
        .unwrap();
    assert!(status.success(), "{arguments}");
}

async fn metric(bench: &Bench, expected: &str) {
    let until = Instant::now() + LIMIT;
    loop {
        let request = bench.client.get(bench.url("/metrics")).bearer_auth(TOKEN);
        let text = request.send().await.unwrap().text().await.unwrap();
        if text.lines().any(|line| line == expected) {
            return;
        }
        assert!(Instant::now() < until, "{expected}\nin\n{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stun_server_sees_is_named_and_followed() {
    let name = "what_a_stun_server_sees_is_named_and_followed";
    if !is_own_network(name, Nat::Same) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Coturn::on_the_internet(folder.path());
    let stun = server.address;
    let socket = socket_in("internet", RELAY);
    let there: SocketAddr = socket.local_addr().unwrap();
    let messages = trunk(socket);
    let handler = Handler::start(
        |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                    "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550101"}]}}]),
            _ => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "480"}}]),
        },
    )
    .await;
    let text = format!(
        "public-address = \"stun:{stun}\"\nstun-seconds = 1\nsources = [\"{HERE}\"]\n\
         [[sip.network]]\npeers = [\"10.1.0.0/24\"]\npublic-address = \"{HERE}\"\n\
         [[route]]\nprefix = \"+\"\ntrunk = \"pbx\"\n[[trunk]]\nname = \"pbx\"\n\
         target = [{{ address = \"{there}\" }}]\nregister = {{ user = \"account\" }}\n"
    );
    let bench = Bench::with(handler, None, &text, |config| {
        config.sip.listen = vec![format!("udp:{HERE}:0").parse().unwrap()];
        config.rtp.address = HERE.parse().unwrap();
    })
    .await;
    let sip = bench.sidecar.sip_udp().unwrap();
    let calls = |address: &str| {
        let caller = Phone::at(HERE, 400.0, Behaviour::Answer);
        bench.call(&caller, &[]);
        let invite = next(&messages, "INVITE", address);
        let ours = format!("{address}:{}", sip.port());
        for name in ["Via: ", "Contact: "] {
            assert!(line(&invite, name).contains(&ours), "{ours}: {invite}");
        }
        assert_eq!(line(&invite, "c="), format!("IN IP4 {address}"), "{invite}");
        assert!(!invite.contains(HERE), "{invite}");
        let refused = caller.wait("a refusal", |state| state.failed == Some(480));
        // Who is inside is told what is inside.
        assert!(
            !refused.came.concat().contains(address),
            "{:?}",
            refused.came
        );
    };
    next(&messages, "REGISTER", FIRST);
    calls(FIRST);
    metric(
        &bench,
        &format!("skillcall_stun_server_answers{{server=\"{stun}\"}} 1"),
    )
    .await;

    // The provider gives another address: registrars hear of it, and new calls name it.
    near(&format!(
        "ip addr add {SECOND}/24 dev to-internet && nft flush chain ip nat post && \
         nft 'add rule ip nat post oifname to-internet snat to {SECOND}'"
    ));
    next(&messages, "REGISTER", SECOND);
    calls(SECOND);

    // Without an answer the last one holds.
    drop(server);
    metric(
        &bench,
        &format!("skillcall_stun_server_answers{{server=\"{stun}\"}} 0"),
    )
    .await;
    calls(SECOND);
    bench.sidecar.shutdown().await;
}
