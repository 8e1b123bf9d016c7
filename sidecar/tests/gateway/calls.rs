//! Calls between an Alexa device and a phone: the whole sidecar, a component that stands for Alexa, a WebRTC peer that
//! stands for the device, and a phone.

use crate::support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;
use skillcall_sip::sdp;
use skillcall_webrtc::Direction;
use support::device::Device;
use support::process::Process;
use support::skill::{ACCOUNT, Skill, message};
use support::{Behaviour, Bench, Handler, Phone};

const DEVICE: f64 = 700.0;
const PHONE: f64 = 1100.0;
const G711: [Encoding; 2] = [Encoding::Pcmu, Encoding::Pcma];

/// A sidecar with a gateway: calls to any address go to `phone`, and the number 101 is a device.
async fn bench(skill: &Skill, phone: std::net::SocketAddr, more: &str) -> Bench {
    let settings = skill.settings(&format!(
        "{more}\n[[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{phone}\"\n\
         headers = {{ X-Room = \"7\" }}\n\
         [[gateway.room]]\nnumber = \"101\"\nparticipant = \"room101\"\naccount = \"{ACCOUNT}\"\n"
    ));
    Bench::with(Handler::absent(), None, &settings, |_| {}).await
}

fn control(bench: &Bench) -> String {
    bench.sidecar.control().to_string()
}

fn call_of(offer: &str) -> Value {
    json!({
        "participants": [
            {"id": {"type": "COMMUNICATION_PROFILE_ID", "value": "amzn1.alexa.communications.profile.did.X"},
             "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": "frontdesk"}, "isOriginator": false},
        ],
        "sdpDetails": {"type": "OFFER", "value": offer},
    })
}

fn sdp_of(message: &Value) -> &str {
    message["sdpDetails"]["value"].as_str().unwrap()
}

/// A device has called, the phone has answered, and both hear each other.
async fn connected(bench: &Bench, skill: &Skill, phone: &Phone, session: &str) -> Device {
    let (device, offer) = Device::offering(DEVICE, &G711);
    let to = control(bench);
    skill
        .says(&to, session, "InitiateOutboundCall", call_of(&offer))
        .await;
    tokio::task::block_in_place(|| skill.wait("CallRinging", 1));
    skill.says(&to, session, "CallRingingAck", json!({})).await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    device.take_answer(sdp_of(&accepted));
    skill.says(&to, session, "CallAcceptedAck", json!({})).await;
    tokio::task::block_in_place(|| {
        device.hears(PHONE);
        phone.hears(DEVICE);
    });
    device
}

fn ended(skill: &Skill) -> Value {
    tokio::task::block_in_place(|| skill.wait("CallEnded", 1))["callResult"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_calls_and_the_phone_hangs_up() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let _device = connected(&bench, &skill, &phone, "s-1").await;
    let invite = phone.wait("the INVITE", |state| state.invite.is_some());
    let invite = invite.invite.unwrap();
    assert!(invite.starts_with("INVITE sip:frontdesk@"), "{invite}");
    assert!(invite.contains("X-Room: 7"), "{invite}");
    phone.hang_up();
    assert_eq!(ended(&skill)["code"], "SUCCESS");
    bench.nothing_is_left().await;
    let said = skill.operations();
    assert_eq!(said, ["CallRinging", "CallAccepted", "CallEnded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_calls_and_hangs_up() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let _device = connected(&bench, &skill, &phone, "s-1").await;
    let result = json!({"callResult": {"code": "SUCCESS"}});
    skill
        .says(&control(&bench), "s-1", "CallEnded", result)
        .await;
    tokio::task::block_in_place(|| phone.wait("BYE", |state| state.ended));
    bench.nothing_is_left().await;
    // Alexa is not told what it has said itself.
    assert_eq!(skill.operations(), ["CallRinging", "CallAccepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_reach_alexa_by_their_codes() {
    for (status, code) in [
        (486, "DEVICE_BUSY"),
        (404, "DEVICE_UNAVAILABLE"),
        (403, "UNAUTHORIZED"),
        (488, "INTERNAL_ERROR"),
    ] {
        let skill = Skill::start().await;
        let phone = Phone::start(PHONE, Behaviour::Refuse(status));
        let bench = bench(&skill, phone.address, "").await;
        let (_device, offer) = Device::offering(DEVICE, &G711);
        let to = control(&bench);
        skill
            .says(&to, "s-1", "InitiateOutboundCall", call_of(&offer))
            .await;
        assert_eq!(ended(&skill)["code"], code, "{status}");
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Ring);
    let bench = bench(&skill, phone.address, "ring-seconds = 1").await;
    let (_device, offer) = Device::offering(DEVICE, &G711);
    let to = control(&bench);
    skill
        .says(&to, "s-1", "InitiateOutboundCall", call_of(&offer))
        .await;
    assert_eq!(ended(&skill)["code"], "SESSION_TIMEOUT");
    tokio::task::block_in_place(|| phone.wait("CANCEL", |state| state.cancelled));
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_gives_up() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Ring);
    let bench = bench(&skill, phone.address, "").await;
    let (_device, offer) = Device::offering(DEVICE, &G711);
    let to = control(&bench);
    skill
        .says(&to, "s-1", "InitiateOutboundCall", call_of(&offer))
        .await;
    tokio::task::block_in_place(|| skill.wait("CallRinging", 1));
    let result = json!({"callResult": {"code": "SUCCESS", "message": "gave up"}});
    skill.says(&to, "s-1", "CallEnded", result).await;
    tokio::task::block_in_place(|| phone.wait("CANCEL", |state| state.cancelled));
    bench.nothing_is_left().await;
    assert_eq!(skill.operations(), ["CallRinging"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_calls_a_device() {
    for phone_ends in [true, false] {
        let skill = Skill::start().await;
        let phone = Phone::start(PHONE, Behaviour::Ring);
        let bench = bench(&skill, phone.address, "").await;
        let to = control(&bench);
        phone.call(bench.sidecar.sip_udp().unwrap(), "101", &[]);
        let call = tokio::task::block_in_place(|| skill.wait("InitiateInboundCall", 1));
        let session = call["sessionId"].as_str().unwrap().to_owned();
        let called = &call["participants"][1];
        assert_eq!(called["id"]["type"], "RAW_ADDRESS");
        assert_eq!(called["id"]["value"], "room101");
        assert_eq!(call["participants"][0]["isOriginator"], true);
        let (device, answer) = Device::answering(DEVICE, sdp_of(&call));
        skill.says(&to, &session, "CallRinging", json!({})).await;
        tokio::task::block_in_place(|| {
            skill.wait("CallRingingAck", 1);
            phone.wait("180", |state| state.provisional.contains(&180));
        });
        let details = json!({"sdpDetails": {"type": "ANSWER", "value": answer}});
        skill.says(&to, &session, "CallAccepted", details).await;
        tokio::task::block_in_place(|| {
            skill.wait("CallAcceptedAck", 1);
            phone.wait("200", |state| state.answered);
            device.hears(PHONE);
            phone.hears(DEVICE);
        });
        if phone_ends {
            phone.hang_up();
            assert_eq!(ended(&skill)["code"], "SUCCESS");
        } else {
            let result = json!({"callResult": {"code": "SUCCESS"}});
            skill.says(&to, &session, "CallEnded", result).await;
            tokio::task::block_in_place(|| phone.wait("BYE", |state| state.ended));
        }
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_declines_and_a_caller_gives_up() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Ring);
    let bench = bench(&skill, phone.address, "").await;
    let to = control(&bench);
    for (n, code, status) in [(1, "DEVICE_BUSY", 486), (2, "SUCCESS", 603)] {
        phone.call(bench.sidecar.sip_udp().unwrap(), "101", &[]);
        let call = tokio::task::block_in_place(|| skill.wait("InitiateInboundCall", n));
        let session = call["sessionId"].as_str().unwrap().to_owned();
        let result = json!({"callResult": {"code": code}});
        skill.says(&to, &session, "CallEnded", result).await;
        tokio::task::block_in_place(|| {
            phone.wait("the refusal", |state| state.failed == Some(status))
        });
    }
    phone.call(bench.sidecar.sip_udp().unwrap(), "101", &[]);
    let call = tokio::task::block_in_place(|| skill.wait("InitiateInboundCall", 3));
    let session = call["sessionId"].as_str().unwrap().to_owned();
    skill.says(&to, &session, "CallRinging", json!({})).await;
    tokio::task::block_in_place(|| phone.wait("180", |state| state.provisional.contains(&180)));
    phone.cancel();
    assert_eq!(ended(&skill)["code"], "SUCCESS");
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_alexa_does_not_know() {
    let skill = Skill::answering(|_, _| (404, Some("ResourceNotFoundException"))).await;
    let phone = Phone::start(PHONE, Behaviour::Ring);
    let bench = bench(&skill, phone.address, "").await;
    phone.call(bench.sidecar.sip_udp().unwrap(), "101", &[]);
    tokio::task::block_in_place(|| phone.wait("404", |state| state.failed == Some(404)));
    bench.nothing_is_left().await;
    assert_eq!(skill.operations(), ["InitiateInboundCall"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_holds_and_resumes() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let to = control(&bench);
    let device = connected(&bench, &skill, &phone, "s-1").await;
    let update = |kind: &str, offer: &str| json!({"renegotiationType": kind, "sdpDetails": {"type": "OFFER", "value": offer}});
    let offer = device.offer_again(Direction::SendOnly);
    let held = update("CALL_HOLD", &offer);
    skill.says(&to, "s-1", "CallUpdate", held).await;
    let response = tokio::task::block_in_place(|| skill.wait("CallUpdateResponse", 1));
    assert_eq!(response["renegotiationType"], "CALL_HOLD");
    device.take_answer(sdp_of(&response));
    skill.says(&to, "s-1", "CallUpdateAck", json!({})).await;
    tokio::task::block_in_place(|| {
        device.hears_nothing();
        phone.wait("the re-INVITE", |state| {
            state
                .offers
                .iter()
                .any(|offer| offer.contains("a=sendonly"))
        });
    });
    let offer = device.offer_again(Direction::SendRecv);
    let resumed = update("CALL_RESUME", &offer);
    skill.says(&to, "s-1", "CallUpdate", resumed).await;
    let response = tokio::task::block_in_place(|| skill.wait("CallUpdateResponse", 2));
    assert_eq!(response["renegotiationType"], "CALL_RESUME");
    device.take_answer(sdp_of(&response));
    device.forget_heard();
    phone.forget_heard();
    tokio::task::block_in_place(|| {
        device.hears(PHONE);
        phone.hears(DEVICE);
        phone.wait("the second re-INVITE", |state| {
            state.offers.len() == 2 && state.offers[1].contains("a=sendrecv")
        });
    });
    phone.hang_up();
    assert_eq!(ended(&skill)["code"], "SUCCESS");
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_requests_and_unknown_sessions() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let to = control(&bench);
    let (device, offer) = Device::offering(DEVICE, &G711);
    let begin = message("s-1", "InitiateOutboundCall", call_of(&offer));
    for _ in 0..3 {
        assert_eq!(skill.forward(&to, "request-1", begin.clone()).await, 202);
    }
    // The same message under another id begins nothing anew.
    assert_eq!(skill.forward(&to, "request-2", begin).await, 202);
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    device.take_answer(sdp_of(&accepted));
    skill.says(&to, "s-1", "CallAcceptedAck", json!({})).await;
    tokio::task::block_in_place(|| device.hears(PHONE));
    assert_eq!(bench.sidecar.figures().gateway_calls, 1);
    phone.hang_up();
    tokio::task::block_in_place(|| skill.wait("CallEnded", 1));
    // Somebody else's session is answered, not dropped.
    let update = json!({"renegotiationType": "CALL_UPDATE", "sdpDetails": {"type": "OFFER", "value": offer}});
    skill.says(&to, "s-unknown", "CallUpdate", update).await;
    let end = tokio::task::block_in_place(|| skill.wait("CallEnded", 2));
    assert_eq!(end["sessionId"], "s-unknown");
    assert_eq!(end["callResult"]["code"], "INTERNAL_ERROR");
    // An end that overtakes the beginning: nobody is called.
    let result = json!({"callResult": {"code": "SUCCESS"}});
    skill.says(&to, "s-2", "CallEnded", result).await;
    skill
        .says(&to, "s-2", "InitiateOutboundCall", call_of(&offer))
        .await;
    bench
        .figures_become("s-2 is not called", |figures| {
            figures.signaling_received >= 6 && figures.gateway_calls == 1 && figures.calls == 0
        })
        .await;
    // What cannot be taken is refused by name; what is not signed is not read.
    let wrong = message("s-3", "CallUpdate", json!({}));
    assert_eq!(skill.forward(&to, "request-9", wrong).await, 400);
    let unsigned = bench.client.post(bench.url("/v1/signaling")).body("{}");
    assert_eq!(unsigned.send().await.unwrap().status(), 401);
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_of_a_phone_are_tones_for_the_device() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let device = connected(&bench, &skill, &phone, "s-1").await;
    phone.digit('5');
    tokio::task::block_in_place(|| device.hears_digits("5"));
    phone.hang_up();
    ended(&skill);
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_of_a_device_are_tones_for_the_phone() {
    let skill = Skill::start().await;
    let phone = Phone::in_band(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let device = connected(&bench, &skill, &phone, "s-1").await;
    device.digit('7');
    tokio::task::block_in_place(|| phone.wait("a digit", |state| state.digits == "7"));
    phone.hang_up();
    ended(&skill);
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_dies_costs_no_endless_call() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "silence-seconds = 2").await;
    let device = connected(&bench, &skill, &phone, "s-1").await;
    device.die();
    assert_eq!(ended(&skill)["code"], "SESSION_TIMEOUT");
    tokio::task::block_in_place(|| phone.wait("BYE", |state| state.ended));
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_never_connect() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "connect-seconds = 1").await;
    let to = control(&bench);
    let (device, offer) = Device::offering(DEVICE, &G711);
    device.die();
    skill
        .says(&to, "s-1", "InitiateOutboundCall", call_of(&offer))
        .await;
    tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    skill.says(&to, "s-1", "CallAcceptedAck", json!({})).await;
    assert_eq!(ended(&skill)["code"], "SESSION_TIMEOUT");
    tokio::task::block_in_place(|| phone.wait("BYE", |state| state.ended));
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_codec_on_each_side_is_transcoded_and_all_is_shown() {
    let skill = Skill::start().await;
    // The phone may have PCMU only, the device has PCMA only.
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "codecs = [\"PCMU\"]").await;
    let to = control(&bench);
    let (device, offer) = Device::offering(DEVICE, &[Encoding::Pcma]);
    skill
        .says(&to, "s-1", "InitiateOutboundCall", call_of(&offer))
        .await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    device.take_answer(sdp_of(&accepted));
    skill.says(&to, "s-1", "CallAcceptedAck", json!({})).await;
    tokio::task::block_in_place(|| {
        device.hears(PHONE);
        phone.hears(DEVICE);
    });
    let call = bench.get("/v1/calls/s-1").await;
    let codecs: Vec<_> = call["media"].as_array().unwrap().iter().collect();
    let mut names: Vec<_> = codecs.iter().map(|leg| leg["codec"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, [Some("PCMA"), Some("PCMU")], "{call}");
    let metrics = bench.client.get(bench.url("/metrics"));
    let metrics = metrics.bearer_auth(support::TOKEN).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("skillcall_gateway_calls 1"), "{metrics}");
    phone.hang_up();
    ended(&skill);
    bench.nothing_is_left().await;
    let trace = bench.get("/v1/traces/s-1").await.to_string();
    for line in [
        "from Alexa: InitiateOutboundCall",
        "to Alexa: CallRinging: 202",
        "to Alexa: CallAccepted: 202",
        "from Alexa: CallAcceptedAck",
        "to Alexa: CallEnded: 202",
        "INVITE",
    ] {
        assert!(trace.contains(line), "{line} in {trace}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sidecar_leaves_neither_side() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let folder = tempfile::tempdir().unwrap();
    let settings = skill.settings(&format!(
        "[[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{}\"\n[journal]\nenabled = true\n",
        phone.address
    ));
    let text = support::config_text(folder.path(), "http://127.0.0.1:9/", None, &settings);
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    let (mut first, _, control) = Process::sidecar_with_control(&file);
    let to = control.to_string();
    let (device, offer) = Device::offering(DEVICE, &G711);
    let begin = message("s-1", "InitiateOutboundCall", call_of(&offer));
    assert_eq!(skill.forward(&to, "request-1", begin.clone()).await, 202);
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    device.take_answer(sdp_of(&accepted));
    skill.says(&to, "s-1", "CallAcceptedAck", json!({})).await;
    tokio::task::block_in_place(|| device.hears(PHONE));
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let again = Instant::now();
    let (_second, _, control) = Process::sidecar_with_control(&file);
    let end = ended(&skill);
    assert_eq!(end["code"], "INTERNAL_ERROR");
    tokio::task::block_in_place(|| phone.wait("BYE", |state| state.ended));
    assert!(again.elapsed() < Duration::from_secs(5));
    // A repetition of what began the call begins nothing.
    phone.forget();
    let to = control.to_string();
    assert_eq!(skill.forward(&to, "request-1", begin).await, 202);
    let other = message(
        "s-2",
        "CallEnded",
        json!({"callResult": {"code": "SUCCESS"}}),
    );
    assert_eq!(skill.forward(&to, "request-2", other).await, 202);
    assert!(!phone.seen(|state| state.rung));
    assert_eq!(
        skill.operations(),
        ["CallRinging", "CallAccepted", "CallEnded"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_holds_and_resumes() {
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let bench = bench(&skill, phone.address, "").await;
    let to = control(&bench);
    let device = connected(&bench, &skill, &phone, "s-1").await;
    for (n, direction, kind, held) in [
        (1, sdp::Direction::SendOnly, "CALL_HOLD", true),
        (2, sdp::Direction::SendRecv, "CALL_RESUME", false),
    ] {
        phone.direct(direction);
        let update = tokio::task::block_in_place(|| skill.wait("CallUpdate", n));
        assert_eq!(update["renegotiationType"], kind);
        let answer = device.answer_again(sdp_of(&update));
        assert_eq!(device.is_held(), held);
        let details = json!({
            "renegotiationType": kind, "sdpDetails": {"type": "ANSWER", "value": answer},
        });
        skill.says(&to, "s-1", "CallUpdateResponse", details).await;
        device.forget_heard();
        tokio::task::block_in_place(|| {
            skill.wait("CallUpdateAck", n);
            phone.wait("the answer", |state| state.answers.len() == n);
            // Music on hold is heard, too.
            device.hears(PHONE);
        });
    }
    phone.forget_heard();
    tokio::task::block_in_place(|| phone.hears(DEVICE));
    phone.hang_up();
    ended(&skill);
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opus_and_g722_are_transcoded_for_devices_that_want_them() {
    for (codecs, more, name) in [
        (&[Encoding::Opus][..], "", "opus"),
        (&[Encoding::G722], "", "G722"),
        (&Encoding::ALL, "prefer-opus = true", "opus"),
        (&Encoding::ALL, "ice-lite = true", "PCMU"),
    ] {
        let skill = Skill::start().await;
        let phone = Phone::start(PHONE, Behaviour::Answer);
        let bench = bench(&skill, phone.address, more).await;
        let to = control(&bench);
        let (device, offer) = Device::offering(DEVICE, codecs);
        skill
            .says(&to, "s-1", "InitiateOutboundCall", call_of(&offer))
            .await;
        let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
        device.take_answer(sdp_of(&accepted));
        skill.says(&to, "s-1", "CallAcceptedAck", json!({})).await;
        tokio::task::block_in_place(|| {
            device.hears(PHONE);
            phone.hears(DEVICE);
        });
        let call = bench.get("/v1/calls/s-1").await;
        let legs = call["media"].as_array().unwrap();
        let has = |leg: &Value| leg["codec"].as_str().unwrap().eq_ignore_ascii_case(name);
        assert!(legs.iter().any(has), "{name}: {call}");
        phone.digit('5');
        tokio::task::block_in_place(|| device.hears_digits("5"));
        phone.hang_up();
        ended(&skill);
        bench.nothing_is_left().await;
    }
}
