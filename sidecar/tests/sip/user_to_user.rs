//! User-to-User (RFC 7433) from one party of a call to the other: in INVITEs, responses and BYEs, by redirection and transfer.

use crate::support;

use std::net::UdpSocket;

use serde_json::{Value, json};
use skillcall_sidecar::config::TrunkConfig;
use support::pjsua::Pjsua;
use support::{Behaviour, Bench, Handler, LIMIT, Phone};

const DESK: &str = "+16075550101";
const OTHER: &str = "+16075550102";
/// Values in every form: hex, a token, a quoted string with what divides values in it, several in one header.
const SAID: [(&str, &str); 3] = [
    ("User-to-User", "00c8;encoding=hex"),
    (
        "User-to-User",
        "\"a, \\\"b\\\"; c\";purpose=notes;content=words;v=1, 1b56;purpose=isdn-uui;content=isdn-uui",
    ),
    ("User-to-User", "one two, token;bare"),
];
const HEARD: [&str; 4] = [
    "00c8;encoding=hex",
    "\"a, \\\"b\\\"; c\";purpose=notes;content=words;v=1",
    "1b56;purpose=isdn-uui;content=isdn-uui",
    "token;bare",
];

/// The values of a message, one header each.
fn values(message: &str) -> Vec<&str> {
    let lines = message.lines();
    lines
        .filter_map(|line| line.strip_prefix("User-to-User: "))
        .collect()
}

/// A handler that bridges every caller to the desk.
async fn bridging(headers: Value) -> Handler {
    Handler::start(
        move |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100", "SipHeaders": headers,
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": DESK}]}}]),
            "HANGUP" => json!([{"Type": "Hangup", "Parameters": {}}]),
            _ => json!([]),
        },
    )
    .await
}

/// Calls that come by the trunk `carrier`, of 127.0.0.2, and go by `desk`.
async fn bench(
    handler: Handler,
    desk: std::net::SocketAddr,
    (from, to): (bool, bool),
    other: Option<&Phone>,
) -> Bench {
    Bench::with(handler, Some(desk), "", |config| {
        let mut carrier = TrunkConfig::new("carrier", "");
        (carrier.trusted, carrier.addresses) = (from, vec!["127.0.0.2".parse().unwrap()]);
        carrier.target.clear();
        let mut trunk = TrunkConfig::new("desk", desk.to_string());
        trunk.trusted = to;
        config.trunk = vec![carrier, trunk];
        config.route[0].uri = None;
        config.route[0].trunk = Some("desk".into());
        if let Some(other) = other {
            let mut route = config.route[0].clone();
            (route.trunk, route.prefix) = (None, Some(OTHER.to_owned()));
            route.uri = Some(format!("sip:{{number}}@{}", other.address));
            config.route.push(route);
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_parties_tell_each_other_within_the_circle_of_trust() {
    for (from, to) in [(true, true), (true, false), (false, true)] {
        let desk = Phone::at("127.0.0.3", 700.0, Behaviour::Answer);
        desk.tell(&[("User-to-User", "answer;v=\"1;2\"")]);
        let handler = bridging(json!({})).await;
        let bench = bench(handler, desk.address, (from, to), None).await;
        let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
        let csi = hex("csi=a1-b2");
        let ours = format!("{csi};encoding=hex");
        let mut said = SAID.to_vec();
        said.push(("User-to-User", &ours));
        said.push(("Require", "uui"));
        bench.call(&caller, &said);
        caller.wait("the answer", |state| state.answered);
        let invite = desk.wait("a call", |state| state.answered).invite.unwrap();
        let told = if from && to { &HEARD[..] } else { &[] };
        assert_eq!(values(&invite), told, "{from} {to}:\n{invite}");
        assert!(invite.contains("uui"), "it is supported:\n{invite}");
        // What the handler sees: as it came, without what cannot be read.
        let event = bench.handler.wait("NEW_INBOUND_CALL", 1);
        let seen = &event["CallDetails"]["Participants"][0]["SipHeaders"]["User-to-User"];
        let all: Vec<&str> = HEARD.into_iter().chain([ours.as_str()]).collect();
        assert_eq!(*seen, json!(all.join(", ")));
        let answer = caller.wait("the answer", |state| state.answered).came;
        let told = if from && to {
            &["answer;v=\"1;2\""][..]
        } else {
            &[]
        };
        let answers: Vec<&str> = answer.iter().flat_map(|text| values(text)).collect();
        // Ringing and answer may each say it.
        assert!(
            answers.iter().all(|value| told.contains(value)) && answers.is_empty() != (from && to),
            "{from} {to}: {answers:?}"
        );
        desk.tell(&[("User-to-User", "\"bye, now\"")]);
        desk.hang_up();
        let ended = caller.wait("the end", |state| state.ended);
        let told = if from && to {
            &["\"bye, now\""][..]
        } else {
            &[]
        };
        assert_eq!(values(ended.came.last().unwrap()), told);
        bench.sidecar.shutdown().await;
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_why_and_a_handler_speaks_for_the_caller() {
    let desk = Phone::at("127.0.0.3", 700.0, Behaviour::Refuse(486));
    desk.tell(&[("User-to-User", "busy")]);
    let handler = Handler::start(
        |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100",
                "SipHeaders": {"User-to-User": "mine;purpose=notes"},
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": DESK}]}}]),
            "ACTION_FAILED" => {
                json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}])
            }
            _ => json!([]),
        },
    )
    .await;
    let bench = bench(handler, desk.address, (true, true), None).await;
    let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
    bench.call(&caller, &SAID);
    let refused = caller.wait("a refusal", |state| state.failed.is_some());
    assert_eq!(values(refused.came.last().unwrap()), ["busy"]);
    let invite = desk.wait("a call", |state| state.invite.is_some()).invite;
    assert_eq!(values(&invite.unwrap()), ["mine;purpose=notes"]);
    bench.sidecar.shutdown().await;
}

/// Answers the first INVITE with a 302 to `contact`.
fn redirect(socket: &UdpSocket, contact: &str) {
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut buffer = [0; 65_535];
    let (len, from) = socket.recv_from(&mut buffer).unwrap();
    let invite = String::from_utf8_lossy(&buffer[..len]).into_owned();
    let mut answer = String::from("SIP/2.0 302 Moved Temporarily\r\n");
    for line in invite.lines() {
        let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        if copied.iter().any(|name| line.starts_with(name)) {
            let tag = if line.starts_with("To:") {
                ";tag=1"
            } else {
                ""
            };
            answer.push_str(&format!("{line}{tag}\r\n"));
        }
    }
    answer.push_str(&format!(
        "Contact: <{contact}>\r\nContent-Length: 0\r\n\r\n"
    ));
    socket.send_to(answer.as_bytes(), from).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_named_by_a_redirection_is_told_what_it_carries() {
    let desk = UdpSocket::bind("127.0.0.3:0").unwrap();
    let other = Phone::start(900.0, Behaviour::Answer);
    let address = desk.local_addr().unwrap();
    let bench = bench(
        bridging(json!({})).await,
        address,
        (true, true),
        Some(&other),
    )
    .await;
    let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
    bench.call(&caller, &[("User-to-User", "01;purpose=notes")]);
    let carried = "User-to-User=56a390f3%3Bencoding%3Dhex%3Bpurpose%3Dfoo%3Bcontent%3Dbar";
    let contact = format!("sip:{OTHER}@{}?{carried}&Subject=x", other.address);
    tokio::task::spawn_blocking(move || redirect(&desk, &contact))
        .await
        .unwrap();
    let invite = other.wait("a call", |state| state.answered).invite.unwrap();
    // Not what the caller tells: the place that it was sent to is no trusted trunk's, as the one was that sent it there.
    assert_eq!(
        values(&invite),
        ["56a390f3;purpose=foo;content=bar;encoding=hex"]
    );
    let first = format!("INVITE sip:{OTHER}@{} SIP/2.0\r\n", other.address);
    assert!(invite.starts_with(&first), "{invite}");
    caller.wait("the answer", |state| state.answered);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_call_is_transferred_to_is_told_what_the_referral_carries() {
    let mut desk = Pjsua::start(&json!({"answers": 200}));
    let other = Phone::start(900.0, Behaviour::Answer);
    let handler = bridging(json!({})).await;
    let bench = bench(handler, desk.address, (true, true), Some(&other)).await;
    let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
    bench.call(&caller, &[("User-to-User", "01")]);
    desk.is("1", "CONFIRMED");
    let target = format!("sip:{OTHER}@127.0.0.1?User-to-User=%2256%3Ba3%22%3Bpurpose%3Dfoo");
    desk.order(&format!("transfer 1 <{target}>"));
    let invite = other.wait("a call", |state| state.answered).invite.unwrap();
    assert_eq!(values(&invite), ["\"56;a3\";purpose=foo"]);
    caller.hears(900.0);
    bench.sidecar.shutdown().await;
}
