//! Killed while telephones ring: the next sidecar gives them up, also where one is answered in that moment, and refuses
//! whoever waits for an answer.

use std::time::Duration;

use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;

use crate::support::device::Device;
use crate::support::pjsua::Pjsua;
use crate::support::process::{Process, free_port};
use crate::support::skill::{ACCOUNT, Skill, message};
use crate::support::{self, Behaviour, Handler, LIMIT, NUMBER, Phone};
use crate::{ONE, again, are_written, config, is_forgotten};

const DEVICE: f64 = 700.0;
const G711: [Encoding; 2] = [Encoding::Pcmu, Encoding::Pcma];

/// It rings, and is cancelled.
const BEGINS: &str = r#"<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]rings[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<recv request="CANCEL"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]rings[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"#;

/// It wants its 487 acknowledged.
const GIVES_UP: &str = r#"<send retrans="500"><![CDATA[
SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
[last_To:];tag=[pid]rings[call_number]
[last_Call-ID:]
CSeq: 1 INVITE
Content-Length: 0

]]></send>
<recv request="ACK"/>
"#;

/// It was answered before it had heard of the CANCEL: it wants its 200 acknowledged, and a BYE.
const IS_ANSWERED: &str = r#"<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]rings[call_number]
[last_Call-ID:]
CSeq: 1 INVITE
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=desk 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"#;

/// A phone for SIPp that rings, and then goes on so.
fn rings(then: &str) -> String {
    format!("<scenario name=\"rings\">\n{BEGINS}{then}</scenario>")
}

fn call_to(address: &str) -> (Device, Value) {
    let (device, offer) = Device::offering(DEVICE, &G711);
    let begin = json!({
        "participants": [
            {"id": {"type": "RAW_ADDRESS", "value": "room201"}, "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": address}, "isOriginator": false},
        ],
        "sdpDetails": {"type": "OFFER", "value": offer},
    });
    (device, begin)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_has_called_stops_ringing() {
    if support::program("sipp").is_none() {
        return;
    }
    let _one = ONE.lock().await;
    let skill = Skill::start().await;
    let folder = tempfile::tempdir().unwrap();
    let pjsip = Pjsua::start(&json!({"answers": 180}));
    let ports = [free_port(), free_port()];
    let mut peers = Vec::new();
    for (port, name, scenario) in [
        (ports[0], "rings", rings(GIVES_UP)),
        (ports[1], "answers", rings(IS_ANSWERED)),
    ] {
        let port = port.to_string();
        let args = ["-p", port.as_str()];
        peers.push((
            name,
            Process::sipp(folder.path(), name, &scenario, 1, &args),
        ));
    }
    let place = |address: &str, place: &str| {
        format!("[[gateway.route]]\naddress = \"{address}\"\nuri = \"sip:{address}@{place}\"\n")
    };
    let routes = place("rings", &format!("127.0.0.1:{}", ports[0]))
        + &place("answers", &format!("127.0.0.1:{}", ports[1]))
        + &place("pjsip", &pjsip.address.to_string());
    let file = config(
        folder.path(),
        "http://127.0.0.1:9/",
        None,
        &skill.settings(&routes),
    );
    let (first, _, control) = Process::sidecar_with_control(&file);
    let to = control.to_string();
    let mut devices = Vec::new();
    for name in ["rings", "answers", "pjsip"] {
        let (device, begin) = call_to(name);
        devices.push(device);
        let begin = message(&format!("s-{name}"), "InitiateOutboundCall", begin);
        assert_eq!(
            skill.forward(&to, &format!("request-{name}"), begin).await,
            202
        );
    }
    tokio::task::block_in_place(|| {
        for n in 1..=3 {
            skill.wait("CallRinging", n);
        }
        are_written(folder.path(), "ringing", 3);
        let (next, began) = again(first, &file);
        pjsip.is("1", "DISCONNECTED");
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        for (name, peer) in &mut peers {
            peer.succeeds(name, LIMIT);
        }
        for n in 1..=3 {
            let end = skill.wait("CallEnded", n);
            assert_eq!(end["callResult"]["code"], "INTERNAL_ERROR");
        }
        is_forgotten(folder.path(), &file, 3, next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_has_called_stops_ringing() {
    let _one = ONE.lock().await;
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([
            {"Type": "CallAndBridge", "Parameters": {"CallerIdNumber": "+16075550199", "CallTimeoutSeconds": "60",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14255550123"}]}},
        ]),
        _ => json!([]),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (caller, desk) = (
        Phone::start(400.0, Behaviour::Ring),
        Phone::start(500.0, Behaviour::Ring),
    );
    let file = config(folder.path(), &handler.url, Some(desk.address), "");
    let (first, sip) = Process::sidecar(&file);
    caller.call(sip, NUMBER, &[]);
    tokio::task::block_in_place(|| {
        desk.wait("the INVITE", |state| state.rung);
        are_written(folder.path(), "ringing", 1);
        let (next, began) = again(first, &file);
        desk.wait("CANCEL", |state| state.cancelled);
        // Who called was not answered yet.
        caller.wait("a refusal", |state| state.failed == Some(500));
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        handler.wait("HANGUP", 1);
        is_forgotten(folder.path(), &file, 1, next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_calls_a_room_is_refused() {
    let _one = ONE.lock().await;
    let skill = Skill::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut pjsip = Pjsua::start(&json!({}));
    let room = format!(
        "[[gateway.room]]\nnumber = \"101\"\nparticipant = \"room101\"\naccount = \"{ACCOUNT}\"\n"
    );
    let settings = skill.settings(&room);
    let file = config(folder.path(), "http://127.0.0.1:9/", None, &settings);
    let (first, sip, control) = Process::sidecar_with_control(&file);
    pjsip.order(&format!("call sip:101@{sip}"));
    let call = tokio::task::block_in_place(|| skill.wait("InitiateInboundCall", 1));
    let session = call["sessionId"].as_str().unwrap();
    let to = control.to_string();
    skill.says(&to, session, "CallRinging", json!({})).await;
    tokio::task::block_in_place(|| {
        pjsip.is("1", "EARLY");
        let (next, began) = again(first, &file);
        let state = pjsip.is("1", "DISCONNECTED");
        assert_eq!(state["code"], 500);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        let end = skill.wait("CallEnded", 1);
        assert_eq!(end["callResult"]["code"], "INTERNAL_ERROR");
        is_forgotten(folder.path(), &file, 1, next);
    });
}
