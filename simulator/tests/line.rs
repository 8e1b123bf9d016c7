//! A device calls the phone directly, over loopback: signalling, audio, digits, refusals.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use skillcall_media::tone::power_at;
use skillcall_simulator::line::{
    Act, Answering, Call, CallState, EndedBy, Manner, Side, Step, Voice, When,
};
use skillcall_simulator::{CONTACT_NOT_AVAILABLE, Simulator, USER_TO_USER_HEADER};
use support::{Skill, speech};

const LIMIT: Duration = Duration::from_secs(20);
const DEVICE_HZ: f64 = 440.0;
const PHONE_HZ: f64 = 1200.0;

fn tone(hz: f64) -> Manner {
    Manner {
        voice: Voice::Tone { hz },
        ..Manner::default()
    }
}

/// A simulator whose device calls `target`, its own phone by default, whenever it is spoken to.
async fn calling(answering: Answering, phone: Manner) -> (Simulator, tempfile::TempDir) {
    let (simulator, folder) = support::start().await;
    simulator.set_sip_target(simulator.phone_address().expect("there is a phone"));
    simulator.change_device(|manner| *manner = tone(DEVICE_HZ));
    simulator.change_phone(answering, phone).await.expect("set");
    (simulator, folder)
}

/// Has the first device call, as a skill would: by StartCommunicationSession.
async fn call(simulator: &Simulator) -> String {
    let endpoint = simulator.api_endpoint().to_owned();
    let (_skill, url) = Skill::start(move |asked| {
        let system = &asked.body["context"]["System"];
        let token = system["apiAccessToken"].as_str().expect("a token").to_owned();
        let device = system["device"]["deviceId"].as_str().expect("a device").to_owned();
        let endpoint = endpoint.clone();
        let started = tokio::runtime::Handle::current().block_on(async {
                reqwest::Client::builder()
                    .no_proxy()
                    .build()
                    .expect("a client")
                    .post(format!("{endpoint}/v1/communications/session"))
                    .bearer_auth(token)
                    .json(&serde_json::json!({
                        "participants": [
                            {"id": {"type": "PHONE_NUMBER", "value": "+12045550100"}, "endpointId": device, "isOriginator": true},
                            {"id": {"type": "PHONE_NUMBER", "value": "+16075550199"},
                             "communicationProviderId": "amzn1.alexa.csp.id.82bb98bc-384a-11ed-a261-0242ac120002"}],
                        "clientContext": {"clientSessionId": uuid::Uuid::new_v4().to_string()}}))
                    .send()
                    .await
                    .expect("sent")
                    .status()
                    .as_u16()
        });
        assert_eq!(started, 200);
        support::Answering::Answer(speech("Calling the front desk.", Some(true)))
    })
    .await;
    simulator.set_skill_endpoint(url);
    let said = simulator.say("call the front desk").await.expect("said");
    assert_eq!(said.spoken, ["Calling the front desk."]);
    said.call.expect("a call was ordered").id
}

async fn wait(simulator: &Simulator, id: &str, wanted: impl FnMut(&Call) -> bool) -> Call {
    simulator
        .wait_for_call(id, LIMIT, wanted)
        .await
        .expect("in time")
}

async fn phone_call(simulator: &Simulator, wanted: impl Fn(&Call) -> bool) -> Call {
    simulator
        .wait_for(LIMIT, |calls| {
            calls
                .iter()
                .find(|call| call.side == Side::Phone && wanted(call))
                .cloned()
        })
        .await
        .expect("in time")
}

/// How much stronger one tone is than the other in the last second of what was heard.
fn ratio(samples: &[i16], wanted: f64, other: f64) -> f64 {
    let last = &samples[samples.len().saturating_sub(8000)..];
    power_at(last, wanted) / power_at(last, other).max(1e-9)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_and_digits_arrive_once() {
    let phone = Manner {
        script: vec![Step {
            when: When::Heard { milliseconds: 3000 },
            act: Act::HangUp,
        }],
        ..tone(PHONE_HZ)
    };
    let (simulator, _folder) = calling(Answering::AfterRinging { milliseconds: 60 }, phone).await;
    let id = call(&simulator).await;
    wait(&simulator, &id, |call| call.state == CallState::Talking).await;
    simulator.press(&id, "15#").await.expect("pressed");
    let at_phone = phone_call(&simulator, Call::is_over).await;
    let at_device = wait(&simulator, &id, Call::is_over).await;

    assert_eq!(
        (at_phone.from.as_str(), at_phone.to.as_str()),
        ("+12045550100", "+16075550199")
    );
    assert_eq!(at_phone.csi, at_device.csi, "{USER_TO_USER_HEADER} arrives");
    assert_eq!(at_phone.digits_heard, "15#");
    assert_eq!(at_device.digits_sent, "15#");
    assert_eq!(at_phone.ended.expect("ended").by, EndedBy::Here);
    assert_eq!(at_device.ended.expect("ended").by, EndedBy::Peer);
    assert_eq!(at_device.media.lost, 0);
    assert!(at_device.media.received >= 100, "{:?}", at_device.media);
    assert!(at_device.spoken.is_none());
    let heard = simulator.heard(&id).expect("kept");
    assert!(ratio(&heard, PHONE_HZ, DEVICE_HZ) > 100.0);
    let heard = simulator.heard(&at_phone.id).expect("kept");
    assert!(ratio(&heard, DEVICE_HZ, PHONE_HZ) > 100.0);

    let records = simulator.trace(&at_device.csi.expect("a csi"));
    let names: Vec<String> = records
        .iter()
        .map(|record| {
            serde_json::to_value(record).expect("JSON")["name"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        })
        .collect();
    for expected in ["POST /v1/communications/session", "INVITE", "200 OK", "BYE"] {
        assert!(
            names.iter().any(|name| name.starts_with(expected)),
            "{expected} is not in {names:?}"
        );
    }
    let all = serde_json::to_string(&records).expect("JSON");
    assert!(!all.contains("2045550100"), "no number is in the trace");
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heard_as_not_available() {
    let (simulator, _folder) = calling(Answering::Refuse { status: 480 }, Manner::default()).await;
    let id = call(&simulator).await;
    let call = wait(&simulator, &id, |call| call.spoken.is_some()).await;
    assert_eq!(call.spoken.as_deref(), Some(CONTACT_NOT_AVAILABLE));
    let ended = call.ended.expect("ended");
    assert_eq!((ended.by, ended.status), (EndedBy::Refused, 480));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_is_answered_on_order_and_the_device_can_give_up() {
    let (simulator, _folder) = calling(Answering::OnOrder, tone(PHONE_HZ)).await;
    let id = call(&simulator).await;
    wait(&simulator, &id, |call| call.state == CallState::Ringing).await;
    assert!(
        simulator.press(&id, "1").await.is_err(),
        "nobody has answered yet"
    );
    assert!(
        simulator.answer(&id).await.is_err(),
        "a device's own call does not ring at the device"
    );
    let ringing = phone_call(&simulator, |call| call.state == CallState::Ringing).await;
    simulator.answer(&ringing.id).await.expect("answered");
    wait(&simulator, &id, |call| call.media.received > 10).await;
    simulator.hang_up(&id).await.expect("hung up");
    assert_eq!(
        wait(&simulator, &id, Call::is_over)
            .await
            .ended
            .expect("ended")
            .by,
        EndedBy::Here
    );
    assert_eq!(
        phone_call(&simulator, Call::is_over)
            .await
            .ended
            .expect("ended")
            .by,
        EndedBy::Peer
    );

    simulator
        .change_phone(Answering::Never, Manner::default())
        .await
        .expect("set");
    let id = call(&simulator).await;
    wait(&simulator, &id, |call| call.state == CallState::Ringing).await;
    simulator.hang_up(&id).await.expect("cancelled");
    let call = wait(&simulator, &id, Call::is_over).await;
    assert_eq!(call.ended.expect("ended").status, 487);
    assert!(call.spoken.is_none());
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_not_there_is_not_available_and_tcp_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    config.device.transport = skillcall_simulator::config::SipTransport::Tcp;
    config.device.recordings = Some(folder.path().join("recordings"));
    let simulator = Simulator::start(config).await.expect("started");
    // A port that is taken, and nobody listens at, refuses TCP at once.
    let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
    let nobody = "127.0.0.1:0".parse().expect("an address");
    taken.bind(nobody).expect("bound");
    simulator.set_sip_target(taken.local_addr().expect("an address"));
    let id = call(&simulator).await;
    let call_ = wait(&simulator, &id, |call| call.spoken.is_some()).await;
    assert_eq!(call_.ended.expect("ended").status, 503);

    let phone: SocketAddr = simulator.phone_address().expect("there is a phone");
    simulator.set_sip_target(phone);
    simulator
        .change_phone(Answering::AfterRinging { milliseconds: 20 }, tone(PHONE_HZ))
        .await
        .expect("set");
    let id = call(&simulator).await;
    wait(&simulator, &id, |call| call.media.heard_ms >= 400).await;
    simulator.hang_up(&id).await.expect("hung up");
    let call = wait(&simulator, &id, Call::is_over).await;
    let recording = call.recording.expect("recorded");
    let audio = skillcall_media::wav::read_file(&recording).expect("a WAV file");
    assert!(power_at(&audio.samples, PHONE_HZ) > 100.0 * power_at(&audio.samples, DEVICE_HZ));
    simulator.shutdown().await;
}
