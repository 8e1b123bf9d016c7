//! A browser as the Echo: Chromium, the simulator's page, Alexa, the component, the gateway, and a phone; in a network where Chromium
//! has an address that is not loopback.

use std::path::{Path, PathBuf};

use serde_json::Value;
use skillcall_host_tests::chromium::Chromium;
use skillcall_host_tests::{PATIENCE, Stage, Staging, netns, plans, until};
use skillcall_media::tone;
use skillcall_simulator::config::Contact;
use skillcall_simulator::customer::Customer;
use skillcall_simulator::line::{Call, CallState, Voice};
use skillcall_simulator::signaling::{Direction, State};

/// What the browser's microphone hears.
const MICROPHONE: f64 = 440.0;
const DESK: f64 = 1000.0;
/// The device that calls the room by SIP.
const CALLER: f64 = 620.0;
/// Samples of a phone that are listened to: 400 ms.
const EARFUL: usize = 3_200;

const GATEWAY: &str = r#"
[gateway]
skill = "{skill}"
keys-file = "sidecar.key"
{more}
[[gateway.route]]
address = "frontdesk"
uri = "sip:100@{phone}"
[[gateway.room]]
number = "{room}"
participant = "room101"
account = "amzn1.ask.account.SIMULATEDCUSTOMER"
"#;

/// A WAV file of two seconds that can be played again and again.
fn microphone(folder: &Path) -> PathBuf {
    let path = folder.join("microphone.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(&path, spec).expect("a file");
    for at in 0..96_000 {
        let angle = std::f64::consts::TAU * MICROPHONE * f64::from(at) / 48_000.0;
        #[allow(clippy::cast_possible_truncation, reason = "within ±8000")]
        let sample = (angle.sin() * 8_000.0) as i16;
        file.write_sample(sample).expect("a sample");
    }
    file.finalize().expect("a file");
    path
}

async fn stage(more: &str) -> Stage {
    let toml = GATEWAY
        .replace("{more}", more)
        .replace("{room}", plans::DESK);
    Staging::new(plans::straight())
        .with_login()
        .sidecar_toml(&toml)
        .simulator(|simulator| {
            simulator.contacts = vec![Contact {
                name: "the front desk".to_owned(),
                address: Some("frontdesk".to_owned()),
                number: None,
                profile: None,
            }];
            simulator.customers = vec![Customer {
                addresses: ["room101".to_owned()].into(),
                ..Default::default()
            }];
            simulator.device.voice = Voice::Tone { hz: CALLER };
            if let Some(phone) = &mut simulator.phone {
                phone.voice = Voice::Tone { hz: DESK };
            }
        })
        .start()
        .await
}

/// The page, switched on, with a certificate of this kind.
async fn switched_on(stage: &Stage, certificate: &str) -> Chromium {
    let chromium = Chromium::start(stage.folder(), &microphone(stage.folder())).await;
    let (page, token) = (stage.simulator.address(), &stage.secrets.simulator_token);
    chromium
        .open(&format!("http://{page}/echo#token={token}"))
        .await;
    // What cleans a microphone takes a tone for noise.
    chromium.click("#processing").await;
    let choose = format!("document.getElementById('certificate').value = '{certificate}'");
    chromium.run(&choose).await;
    chromium.click("#on button").await;
    chromium.shows("state", "Ready").await;
    chromium
}

/// Waits until the browser hears a tone, and the phone's or device's call the microphone, both from now on.
async fn hear_each_other(stage: &Stage, chromium: &Chromium, call: &str, hz: f64, when: &str) {
    let heard = || stage.simulator.heard(call).unwrap_or_default();
    let from = heard().len();
    until(&format!("the microphone in the call, {when}"), async || {
        let heard = heard();
        let last = heard.get(from..).filter(|new| new.len() >= EARFUL)?;
        let last = last.get(last.len() - EARFUL..)?;
        (tone::power_at(last, MICROPHONE) > 0.9).then_some(())
    })
    .await;
    until(&format!("{hz} Hz in the browser, {when}"), async || {
        (chromium.hears(hz).await > 0.9).then_some(())
    })
    .await;
}

/// Waits until neither hears the other.
async fn hear_nothing(stage: &Stage, chromium: &Chromium, call: &str, hz: f64) {
    until("silence on both sides", async || {
        let heard = stage.simulator.heard(call)?;
        let last = heard.get(heard.len().checked_sub(EARFUL)?..)?;
        let quiet = tone::level_dbov(last) < -60.0;
        (quiet && chromium.hears(hz).await < 0.1).then_some(())
    })
    .await;
}

async fn called(stage: &Stage, chromium: &Chromium) -> Call {
    chromium.click("#contacts button").await;
    chromium.shows("state", "Talking with the front desk").await;
    let phone = stage.phone(CallState::Talking).await;
    hear_each_other(stage, chromium, &phone.id, DESK, "after the answer").await;
    phone
}

async fn name_of_way(chromium: &Chromium) -> String {
    let way = until("a way", async || {
        Some(chromium.way().await).filter(|way| *way != Value::Null)
    })
    .await;
    assert_eq!(way["from"], netns::ADDRESS, "{way}");
    way["name"].as_str().expect("a name").to_owned()
}

async fn ended(stage: &Stage) {
    let over = stage.simulator.wait_for_session(PATIENCE, |all| {
        all.iter()
            .all(|session| session.state == State::Ended)
            .then_some(())
    });
    assert!(over.await.is_some(), "{:?}", stage.simulator.sessions());
    let last = stage.simulator.sessions().pop().expect("a session");
    let code = last.result.expect("how it ended").code;
    assert_eq!(code.as_str(), "SUCCESS");
}

async fn whole_calls(certificate: &str, more: &str) {
    let stage = stage(more).await;
    let chromium = switched_on(&stage, certificate).await;

    let phone = called(&stage, &chromium).await;
    chromium.click("#hold").await;
    chromium.shows("state", "the front desk is on hold").await;
    hear_nothing(&stage, &chromium, &phone.id, DESK).await;
    chromium.click("#resume").await;
    chromium.shows("state", "Talking with the front desk").await;
    hear_each_other(&stage, &chromium, &phone.id, DESK, "after the hold").await;

    let before = name_of_way(&chromium).await;
    chromium.click("#restart").await;
    until("another ICE session", async || {
        (name_of_way(&chromium).await != before).then_some(())
    })
    .await;
    hear_each_other(&stage, &chromium, &phone.id, DESK, "after the restart").await;
    chromium.click("#hangup").await;
    stage.over(&phone.id).await;
    chromium.shows("state", "Ready").await;
    ended(&stage).await;

    let phone = called(&stage, &chromium).await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    chromium.shows("state", "Over: hung up").await;
    ended(&stage).await;

    let (_, device) = stage.call().await;
    chromium.click("#answer").await;
    let talking = stage.call_is(&device.id, |call| call.state == CallState::Talking);
    let device = talking.await;
    hear_each_other(&stage, &chromium, &device.id, CALLER, "when called").await;
    stage.simulator.hang_up(&device.id).await.expect("hung up");
    chromium.shows("state", "Over: hung up").await;
    ended(&stage).await;
    let sessions = stage.simulator.sessions();
    let directions: Vec<_> = sessions.iter().map(|session| session.direction).collect();
    let (out, into) = (Direction::Outbound, Direction::Inbound);
    assert_eq!(directions, [out, out, into]);
    chromium.end().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_calls_and_is_called() {
    if netns::is_own_network("browser::chromium_calls_and_is_called") {
        whole_calls("ecdsa", "").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_with_an_rsa_certificate_calls_and_is_called_in_opus() {
    let test = "browser::chromium_with_an_rsa_certificate_calls_and_is_called_in_opus";
    if netns::is_own_network(test) {
        whole_calls("rsa", "prefer-opus = true").await;
    }
}
