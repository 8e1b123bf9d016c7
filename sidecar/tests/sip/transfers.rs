//! Calls that go elsewhere, with PJSIP and SIPp on the other side: REFER, Replaces, 3xx; and trunks that want a password
//! or encrypted media.

use crate::support;

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::free_port::free_port;
use support::pjsua::Pjsua;
use support::{Behaviour, Bench, Handler, NUMBER, Phone, TOKEN, write_secret};

const DESK: &str = "+16075550100";
const OTHER: &str = "+16075550101";

fn kind(event: &Value) -> &str {
    event["InvocationEventType"].as_str().unwrap()
}

/// A handler that bridges every caller to the desk.
async fn bridging() -> Handler {
    Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 20, "CallerIdNumber": NUMBER,
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": DESK}]}}]),
        "HANGUP" => json!([{"Type": "Hangup", "Parameters": {}}]),
        _ => json!([]),
    })
    .await
}

/// Routes: the other number to one place, all the rest to another.
async fn bench(desk: &Pjsua, other: &Phone) -> Bench {
    let (desk, other) = (desk.address, other.address);
    Bench::with(bridging().await, Some(desk), "", |config| {
        let mut route = config.route[0].clone();
        route.prefix = Some(OTHER.to_owned());
        route.uri = Some(format!("sip:{{number}}@{other}"));
        config.route.push(route);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_transfers_the_caller_to_somebody_else() {
    let mut desk = Pjsua::start(&json!({"answers": 200}));
    let other = Phone::start(900.0, Behaviour::Answer);
    let bench = bench(&desk, &other).await;
    let caller = Phone::start(400.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    desk.is("1", "CONFIRMED");
    caller.hears(440.0);
    // Where no route leads, nobody is dialled, and the call stays.
    desk.order("transfer 1 sip:attacker@192.0.2.66");
    desk.wait("a refusal", |event| {
        event["event"] == "transfer" && event["code"] == 403
    });
    caller.forget_heard();
    caller.hears(440.0);
    desk.order(&format!("transfer 1 sip:{OTHER}@127.0.0.1"));
    desk.wait("its success", |event| {
        event["event"] == "transfer" && event["code"] == 200
    });
    desk.is("1", "DISCONNECTED");
    caller.forget_heard();
    caller.hears(900.0);
    other.hears(400.0);
    caller.hang_up();
    other.wait("the end", |state| state.ended);
    bench
        .figures_become("everything is given back", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets) == (0, 0, 0, 0)
        })
        .await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_asks_somebody_and_then_connects_both() {
    let mut desk = Pjsua::start(&json!({"answers": 200}));
    let other = Phone::start(900.0, Behaviour::Answer);
    let bench = bench(&desk, &other).await;
    let caller = Phone::start(400.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    desk.is("1", "CONFIRMED");
    caller.hears(440.0);
    // The consultation: a call of its own through the sidecar, answered by the other side's phone.
    let sidecar = bench.sidecar.sip_udp().unwrap();
    let consulted = Handler::absent();
    drop(consulted);
    desk.order("hold 1");
    desk.order(&format!("call sip:{NUMBER}@{sidecar}"));
    // The application bridges that call to the desk again, which answers it: three legs at the desk.
    desk.is("2", "CONFIRMED");
    desk.is("3", "CONFIRMED");
    desk.order("transfer-replacing 1 2");
    desk.wait("its success", |event| {
        event["event"] == "transfer" && event["call"] == "1" && event["code"] == 200
    });
    desk.is("1", "DISCONNECTED");
    desk.is("2", "DISCONNECTED");
    caller.forget_heard();
    // Now the caller talks with who was on the other side of the second call.
    caller.hears(440.0);
    desk.hears("3");
    caller.hang_up();
    desk.is("3", "DISCONNECTED");
    drop(other);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_is_asked_to_call_somebody_else() {
    let mut desk = Pjsua::start(&json!({"answers": 200}));
    let other = Phone::start(900.0, Behaviour::Answer);
    let bench = bench(&desk, &other).await;
    let caller = Phone::start(400.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    desk.is("1", "CONFIRMED");
    let bridged = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    let legs = bridged["CallDetails"]["Participants"].as_array().unwrap();
    let leg = legs
        .iter()
        .find(|leg| leg["ParticipantTag"] == "LEG-B")
        .unwrap()["CallId"]
        .as_str()
        .unwrap();
    let status = bench
        .client
        .post(bench.url(&format!("/v1/legs/{leg}/transfer")))
        .bearer_auth(TOKEN)
        .json(&json!({"to": format!("sip:other@{}", other.address)}))
        .send()
        .await
        .unwrap()
        .status();
    assert_eq!(status, 202);
    other.wait("a call of the desk's", |state| state.answered);
    desk.is("1", "DISCONNECTED");
    desk.order("hangup 2");
    caller.wait("the end", |state| state.ended);
    bench.sidecar.shutdown().await;
}

/// SIPp as the trunk that +1… goes to.
fn sipp(folder: &std::path::Path, port: u16, arguments: &[&str]) -> std::process::Child {
    Command::new("sipp")
        .current_dir(folder)
        .args(["-i", "127.0.0.1", "-p", &port.to_string()])
        .args(["-m", "1", "-nostdin", "-timeout", "30s", "-timeout_error"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sipp runs; tools/setup.sh installs it")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_wants_a_password_gets_it() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    write_secret(&folder.path().join("carrier.password"), "s3cret");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/challenging.xml");
    let media = free_port().to_string();
    let mut carrier = sipp(folder.path(), port, &["-sf", scenario, "-mp", &media]);
    let place = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let password = folder.path().join("carrier.password");
    let bench = Bench::with(bridging().await, Some(place), "", |config| {
        let mut trunk = skillcall_sidecar::config::TrunkConfig::new("carrier", place.to_string());
        trunk.username = Some("gateway".into());
        trunk.password_file = Some(password);
        config.trunk.push(trunk);
        config.route[0].uri = None;
        config.route[0].trunk = Some("carrier".into());
    })
    .await;
    let caller = Phone::start(400.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    caller.wait("an answer", |state| state.answered);
    bench.handler.wait("ACTION_SUCCESSFUL", 1);
    caller.hang_up();
    let ended = carrier.wait().unwrap();
    assert!(ended.success(), "SIPp: {ended}");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_are_encrypted_with_every_suite_of_the_peer_and_go_on_after_hold() {
    let known = Pjsua::start(&json!({})).suites();
    for suite in ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] {
        assert!(known.iter().any(|known| known == suite), "{known:?}");
    }
    // AEAD is there where PJSIP was built with OpenSSL.
    let ours = [
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
        "AES_256_CM_HMAC_SHA1_80",
        "AEAD_AES_128_GCM",
        "AEAD_AES_256_GCM",
    ];
    for suite in ours {
        if !known.iter().any(|known| known == suite) {
            continue;
        }
        let desk = Phone::start(700.0, Behaviour::Answer);
        // The caller insists on SRTP; the desk, a trunk without it, hears the same call in the clear.
        let bench = Bench::with(bridging().await, Some(desk.address), "", |config| {
            config.dialog.srtp = skillcall_sidecar::config::SrtpMode::Required;
            let mut trunk =
                skillcall_sidecar::config::TrunkConfig::new("desk", desk.address.to_string());
            trunk.srtp = skillcall_sidecar::config::SrtpMode::Off;
            config.trunk.push(trunk);
            config.route[0].uri = None;
            config.route[0].trunk = Some("desk".into());
        })
        .await;
        let mut phone = Pjsua::start(&json!({"srtp": 2, "suites": [suite]}));
        let uri = format!("sip:{NUMBER}@{}", bench.sidecar.sip_udp().unwrap());
        phone.order(&format!("call {uri}"));
        phone.is("1", "CONFIRMED");
        phone.hears("1");
        desk.hears(440.0);
        let new = bench.handler.wait("NEW_INBOUND_CALL", 1);
        let transaction = new["CallDetails"]["TransactionId"].as_str().unwrap();
        let call = bench.get(&format!("/v1/calls/{transaction}")).await;
        assert_eq!(call["media"][0]["srtp"], suite, "{call:#}");
        assert!(call["media"][1]["srtp"].is_null(), "{call:#}");
        let mark = phone.mark();
        phone.order("hold 1");
        phone.wait_after(mark, "its hold", |event| {
            event["event"] == "media" && event["status"] == 2
        });
        let mark = phone.mark();
        phone.order("resume 1");
        phone.wait_after(mark, "its audio", |event| {
            event["event"] == "media" && event["status"] == 1
        });
        desk.forget_heard();
        desk.hears(440.0);
        phone.hears("1");
        let trace = bench.get(&format!("/v1/traces/{transaction}")).await;
        let text = trace.to_string();
        assert!(text.contains("crypto"), "the trace has no SDP");
        assert!(text.contains("inline:[hidden]"), "a key is in the trace");
        phone.order("hangup 1");
        desk.wait("the end", |state| state.ended);
        // Who offers no keys is refused.
        let plain = Phone::start(400.0, Behaviour::Answer);
        bench.call(&plain, &[]);
        plain.wait("a refusal", |state| state.failed == Some(488));
        bench.sidecar.shutdown().await;
    }
}
